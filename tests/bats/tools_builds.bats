#!/usr/bin/env bats
# Builds on a mount: this project's engine with make, what is rebuilt and what
# is not, the linker's and binutils' ways of writing, interpreters.
# timeout: 240 s

bats_require_minimum_version 1.5.0
load mount

setup_file() {
	scope_setup_file
	unset MAKEFLAGS MAKELEVEL MFLAGS MODE B
}

teardown_file() { mount_cleanup "$BATS_FILE_TMPDIR"; }

setup() { cd "$SCOPE" || return 1; }
teardown() { cd /; }

LIB=build/libaedb.a

@test "make builds the engine's library, and then has nothing to do" {
	mkdir tree
	cp -r "$BATS_TEST_DIRNAME/../../"{Makefile,engine} tree/
	cd tree
	quietly make -s -j2 CFLAGS=-O0 $LIB >"$DIR/made"
	quietly make -q CFLAGS=-O0 $LIB
	[ "$(ar t $LIB | wc -l)" = "$(find engine -name '*.c' | wc -l)" ]
	cp $LIB "$DIR/first.a"
}

@test "after a header was touched only what includes it is rebuilt" {
	cd tree
	touch engine/epoch.h
	run ! make -q CFLAGS=-O0 $LIB
	quietly make -s -j2 CFLAGS=-O0 $LIB >"$DIR/made"
	find build -name '*.o' -newer engine/epoch.h -printf '%f\n' | sort >"$DIR/rebuilt"
	grep -l 'epoch\.h' build/obj/engine/*.d | sed 's,.*/,,; s,d$,o,' | sort | diff - "$DIR/rebuilt"
	[ "$(wc -l <"$DIR/rebuilt")" -lt "$(find engine -name '*.c' | wc -l)" ]
	quietly make -q CFLAGS=-O0 $LIB
}

@test "a program is linked, stripped, copied, installed and runs" {
	echo 'int main(void) { return 42; }' >main.c
	quietly gcc -g -o main main.c
	run -42 ./main
	quietly strip -o stripped main
	quietly objcopy --only-keep-debug main main.debug
	quietly objcopy --add-gnu-debuglink=main.debug stripped
	quietly strip main
	quietly install -m 750 stripped installed
	for program in main stripped installed; do
		run -42 ./$program
	done
	[ "$(stat -c %a installed)" = 750 ]
	quietly gcc -shared -fPIC -o libmain.so main.c -Wl,-soname,libmain.so
	quietly python3 -c 'import ctypes; assert ctypes.CDLL("./libmain.so").main() == 42'
}

@test "python and perl load modules from the mount" {
	mkdir -p modules/pack
	echo 'VALUE = 42' >modules/pack/__init__.py
	echo 'package Answer; sub value { 42 } 1;' >modules/Answer.pm
	quietly python3 -m compileall -q modules
	PYTHONPATH=modules quietly python3 -c 'import pack; assert pack.VALUE == 42'
	[ -n "$(find modules -name '*.pyc')" ]
	[ "$(perl -Imodules -MAnswer -e 'print Answer::value()')" = 42 ]
}

@test "after kill -9 and a new mount there is still nothing to build" {
	cd /
	mount_kill
	mount_start
	cd "$SCOPE/tree"
	quietly make -q CFLAGS=-O0 $LIB
	run -42 ../main
	ar t $LIB | diff - <(ar t "$DIR/first.a")
}
