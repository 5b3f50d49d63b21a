#!/usr/bin/env bats
# make install puts everything where a program that uses the engine finds it.

setup() {
	ROOT=$BATS_TEST_TMPDIR/root
	TOP=$BATS_TEST_DIRNAME/../..
	# A make of its own, not a part of the one that runs the tests.
	unset MAKEFLAGS MAKELEVEL MFLAGS MODE B T V
}

@test "make install with DESTDIR and PREFIX installs programs, library, header and manual" {
	make -s -C "$TOP" install DESTDIR="$ROOT" PREFIX=/opt/aedb
	[ -x "$ROOT/opt/aedb/bin/aedb" ]
	[ -x "$ROOT/opt/aedb/bin/aedbfs" ]
	[ -f "$ROOT/opt/aedb/lib/libaedb.a" ]
	for page in "$TOP"/docs/man/*.[1578]; do
		[ -f "$ROOT/opt/aedb/share/man/man${page##*.}/${page##*/}" ]
	done
}

@test "make install puts helpers where mount(8) looks, a unit, and completions" {
	make -s -C "$TOP" install DESTDIR="$ROOT" PREFIX=/opt/aedb
	for helper in mount.aedbfs mount.fuse.aedbfs; do
		[ "$(readlink "$ROOT/sbin/$helper")" = /opt/aedb/bin/aedbfs ]
	done
	grep -q '^ExecStart=/opt/aedb/bin/aedbfs ' \
		"$ROOT/opt/aedb/lib/systemd/system/aedbfs@.service"
	for file in bash-completion/completions/aedb bash-completion/completions/aedbfs \
		zsh/site-functions/_aedb zsh/site-functions/_aedbfs \
		fish/vendor_completions.d/aedb.fish fish/vendor_completions.d/aedbfs.fish; do
		[ -s "$ROOT/opt/aedb/share/$file" ]
	done
	make -s -C "$TOP" install DESTDIR="$ROOT/none" HELPERDIR=
	[ ! -e "$ROOT/none/sbin" ]
}

@test "a program builds with the installed library by pkg-config alone" {
	make -s -C "$TOP" install DESTDIR="$ROOT"
	cat >"$BATS_TEST_TMPDIR/user.c" <<-'END'
		#include <aedb.h>
		int main(void)
		{
			return aedb_open == 0;
		}
	END
	export PKG_CONFIG_PATH=$ROOT/usr/local/lib/pkgconfig
	pkg-config --exists --print-errors 'aedb > 0'
	# shellcheck disable=SC2046 # a list of flags
	gcc -o "$BATS_TEST_TMPDIR/user" "$BATS_TEST_TMPDIR/user.c" \
		$(pkg-config --define-variable=prefix="$ROOT/usr/local" --cflags --libs aedb)
	"$BATS_TEST_TMPDIR/user"
}

@test "make uninstall leaves no file behind" {
	make -s -C "$TOP" install DESTDIR="$ROOT"
	make -s -C "$TOP" uninstall DESTDIR="$ROOT"
	[ -z "$(find "$ROOT" ! -type d)" ]
}
