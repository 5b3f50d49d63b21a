#!/usr/bin/env bats
# Real data through real programs; the last tests kill the daemon and look at
# everything again, on the mount and in the closed database.
# timeout: 420 s

bats_require_minimum_version 1.5.0
load mount

setup_file() {
	scope_setup_file
	export GIT_CONFIG_GLOBAL=$DIR/gitconfig GIT_CONFIG_SYSTEM=/dev/null HOME=$DIR
	git config --global user.name tester
	git config --global user.email tester@example.org
	git config --global init.defaultBranch main
}

teardown_file() { mount_cleanup "$BATS_FILE_TMPDIR"; }

setup() { cd "$SCOPE" || return 1; }
teardown() { cd /; }

# Everything a user can see of the objects beneath a directory but the content.
listing() {
	find "$1" -printf '%P %y %i %m %U %G %n %s %T@ %C@ %l\n' | sort
}

# The times of directories and links are set by rsync too.
same_as_source() {
	diff -r --no-dereference --exclude=pipe "$1" "$2"
	diff <(cd "$1" && find . ! -type d -printf '%P %y %m %U %G %s %l %T@\n' | sort) \
		<(cd "$2" && find . ! -type d -printf '%P %y %m %U %G %s %l %T@\n' | sort)
	diff <(cd "$1" && find . -type d -printf '%P %m %U %G %T@\n' | sort) \
		<(cd "$2" && find . -type d -printf '%P %m %U %G %T@\n' | sort)
}

@test "rsync -a copies /usr/include, and finds nothing to do the second time" {
	rsync -a /usr/include .
	[ -z "$(rsync -ai /usr/include .)" ]
	same_as_source /usr/include include
}

@test "rsync -a copies /usr/share/zoneinfo with its links" {
	rsync -a /usr/share/zoneinfo .
	[ -z "$(rsync -ai /usr/share/zoneinfo .)" ]
	same_as_source /usr/share/zoneinfo zoneinfo
	[ "$(TZ=$PWD/zoneinfo/Europe/Berlin date -d @1700000000 +%z)" = +0100 ]
}

@test "every word of a dictionary is a key" {
	mkdir words
	awk '{ print NR >("words/" $0); close("words/" $0) }' /usr/share/dict/american-english
	find words -type f -printf '%f\n' | LC_ALL=C sort >"$DIR/listed"
	LC_ALL=C sort /usr/share/dict/american-english | diff - "$DIR/listed"
	[ "$(wc -l <"$DIR/listed")" -gt 10000 ]
	word=$(sed -n 50000p /usr/share/dict/american-english)
	[ "$(cat "words/$word")" = 50000 ]
}

@test "jq and sed -i edit JSON" {
	cp /usr/share/iso-codes/json/iso_3166-1.json countries.json
	countries=$(jq '."3166-1" | length' countries.json)
	jq '."3166-1" |= map(select(.alpha_2 != "AQ"))' countries.json >tmp && mv tmp countries.json
	[ "$(jq '."3166-1" | length' countries.json)" = $((countries - 1)) ]
	sed -i 's/"Aruba"/"ARUBA"/' countries.json
	jq -e '."3166-1"[0].name == "ARUBA"' countries.json
	[ ! -e tmp ]
	run ! ls sed*
	perl -pi -e 's/ARUBA/Aruba/' countries.json
	jq -e '."3166-1"[0].name == "Aruba"' countries.json
}

@test "vim saves a key, in place and by rename, with a backup and without" {
	printf 'one\ntwo\n' >text
	for backupcopy in yes no auto; do
		for writebackup in writebackup nowritebackup; do
			vim -u NONE -es -c "set backupcopy=$backupcopy $writebackup" \
				-c "normal Go$backupcopy $writebackup" -c wq text
			[ "$(tail -n 1 text)" = "$backupcopy $writebackup" ]
		done
	done
	[ "$(wc -l <text)" = 8 ]
	[ "$(find . -maxdepth 1 -name '*text*')" = ./text ]
}

@test "vim on a terminal saves a key" {
	printf 'one\n' >typed
	tmux -L "aedb$$" -f /dev/null new-session -d -x 80 -y 24 \
		"vim -u NONE $PWD/typed; touch $DIR/left" 3>&- 4>&-
	wait_for 20 test -e .typed.swp
	tmux -L "aedb$$" send-keys 'ofrom the keyboard' Escape ':wq' Enter
	wait_for 20 test -e "$DIR/left"
	tmux -L "aedb$$" kill-server || true
	[ "$(cat typed)" = $'one\nfrom the keyboard' ]
	[ ! -e .typed.swp ]
}

@test "git makes, commits to, clones and checks a repository" {
	git init -q repo
	cp -r /usr/include/linux repo/
	git -C repo add .
	git -C repo commit -qm first
	sed -i 1d repo/linux/a*.h
	git -C repo commit -qam second
	git clone -q repo clone
	diff -r --exclude=.git repo clone
	git -C clone fsck --full --strict
	git -C repo checkout -q HEAD~1
	diff -r /usr/include/linux repo/linux
	git -C repo checkout -q main
	git -C repo gc -q
	git -C repo fsck --full --strict
	[ -z "$(git -C repo status --porcelain)" ]
	[ "$(git -C clone log --oneline | wc -l)" = 2 ]
}

@test "tar goes out and in" {
	mkdir -p tree/sub
	echo one >tree/one
	ln -s one tree/link
	mkfifo tree/sub/pipe
	setfattr -n user.note -v kept tree/one
	chmod 751 tree/sub
	tar --xattrs -cf "$DIR/out.tar" tree
	mkdir in
	tar --xattrs -xf "$DIR/out.tar" -C in
	same_as_source tree in/tree
	[ "$(getfattr --only-values -n user.note in/tree/one)" = kept ]
	tar -cf inside.tar -C /usr/include linux
	mkdir in2
	tar -xf inside.tar -C in2
	tar -df inside.tar -C in2
	diff -r /usr/include/linux in2/linux
}

@test "gcc builds a program of two files, and it runs" {
	unset MAKEFLAGS MAKELEVEL MFLAGS
	mkdir build
	cd build
	cat >main.c <<'END'
#include <stdio.h>
int answer(void);
int main(void) { return printf("%d\n", answer()) < 0; }
END
	echo 'int answer(void) { return 42; }' >answer.c
	cat >Makefile <<'END'
program: main.o answer.o
	gcc -o $@ $^
END
	make -s
	[ "$(./program)" = 42 ]
	make -q
	ar rcs libanswer.a answer.o
	gcc -o linked main.o -L. -lanswer
	[ "$(./linked)" = 42 ]
}

@test "SQLite and python write their files" {
	sqlite3 data.db 'CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3)'
	[ "$(sqlite3 data.db 'SELECT sum(x) FROM t')" = 6 ]
	python3 - <<'END'
import csv, json, shelve
with open("rows.csv", "w", newline="") as f:
    csv.writer(f).writerows([[i, i * i] for i in range(1000)])
with open("rows.csv", newline="") as f:
    assert sum(int(r[1]) for r in csv.reader(f)) == 332833500
with open("data.json", "w") as f:
    json.dump(list(range(10000)), f)
assert json.load(open("data.json")) == list(range(10000))
END
}

@test "after kill -9 and a new mount everything is as it was" {
	cp -r /usr/share/zoneinfo "$DIR/plain"
	listing . >"$DIR/before"
	find . -type f -print0 | sort -z | xargs -0 cksum >"$DIR/sums-before"
	cd /
	mount_kill
	mount_start
	cd "$SCOPE"
	listing . >"$DIR/after"
	find . -type f -print0 | sort -z | xargs -0 cksum >"$DIR/sums-after"
	cmp "$DIR/before" "$DIR/after" || diff "$DIR/before" "$DIR/after" | head -20
	cmp "$DIR/before" "$DIR/after"
	cmp "$DIR/sums-before" "$DIR/sums-after"
	[ "$(wc -l <"$DIR/after")" -gt 20000 ]
	diff -r --no-dereference /usr/include include
	diff -r --no-dereference /usr/share/zoneinfo zoneinfo
	git -C repo fsck --full --strict
	git -C clone fsck --full --strict
	[ "$(build/program)" = 42 ]
	[ "$(getfattr --only-values -n user.note tree/one)" = kept ]
	[ "$(sqlite3 data.db 'PRAGMA integrity_check')" = ok ]
}

@test "in the closed database the paths are keys" {
	keys=$(find . -type f -o -type l -o -type p | wc -l)
	cd /
	mount_stop
	aedb get "$DB" p/s include/stdio.h | cmp - /usr/include/stdio.h
	aedb get "$DB" p/s zoneinfo/Europe/Berlin | cmp - /usr/share/zoneinfo/Europe/Berlin
	[ "$(aedb ls "$DB" p/s | grep -cxE '(include|words|zoneinfo|repo)/')" = 4 ]
	[ "$(aedb scan "$DB" p/s | wc -l)" = "$keys" ]
	aedb scan --prefix=include/linux/ "$DB" p/s | sed 's,^include/linux/,,' | LC_ALL=C sort |
		diff - <(cd /usr/include/linux && find . -type f | sed 's,^\./,,' | LC_ALL=C sort)
	aedb put "$DB" p/s include/stdio.h 'changed by the tool'
	mount_start
	[ "$(cat "$SCOPE/include/stdio.h")" = 'changed by the tool' ]
	rsync -a --checksum /usr/include "$SCOPE/"
	cmp "$SCOPE/include/stdio.h" /usr/include/stdio.h
}

@test "rm -r removes it all again" {
	rm -r include zoneinfo words repo clone
	run ! ls include zoneinfo words repo clone
	cd /
	mount_kill
	mount_start
	run ! ls "$SCOPE/include" "$SCOPE/words"
	[ -e "$SCOPE/tree/one" ]
}
