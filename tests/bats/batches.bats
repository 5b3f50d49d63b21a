#!/usr/bin/env bats
# Batches as directories: begun, worked in with the programs that people use, and
# aborted. Nothing of it shows outside.
# timeout: 300 s

bats_require_minimum_version 1.5.0
load mount

setup() {
	scope_setup
	B=$MNT/.batch
}
teardown() { scope_teardown; }

# Keys and directories, and what they look like from outside.
make_keys() {
	mkdir -p dir/below empty
	printf 'one\ntwo\n' >text
	echo two >dir/below/k
	seq 100000 >large
	ln -s text link
	chmod 640 text
	setfattr -n user.note -v 'of a key' text
	outside >"$DIR/before"
}

# Everything of the live tree: names, attributes, content.
outside() {
	(cd "$MNT" && find . -printf '%p %y %m %s %T+ %l %i\n' | sort &&
		find . -type f -exec sha256sum {} + | sort && getfattr -Rd p)
}

is_unchanged_outside() { outside | diff "$DIR/before" -; }

# as_another COMMAND...: another user, who reaches the mount.
as_another() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

needs_another() {
	[ "$(id -u)" = 0 ] || skip "only root can become another user"
	cd /
	mount_stop
	mount_start -o allow_other
	chmod 711 "$DIR" "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" 2>/dev/null || true
	as_another ls "$MNT/p" >/dev/null || skip "the mount is out of another user's reach"
}

@test "a batch is begun with mkdir, shows everything, and is aborted with rmdir though it is not empty" {
	make_keys
	mkdir "$B/one"
	[ "$(ls -A "$MNT")" = p ] && [ "$(ls -A "$B")" = one ]
	diff -r --no-dereference "$MNT/p" "$B/one/p"
	[ "$(stat -c %a:%u "$B/one")" = "700:$(id -u)" ]
	[ "$(getfattr --only-values -n user.note "$B/one/p/s/text")" = 'of a key' ]
	echo changed >"$B/one/p/s/text"
	mkdir -p "$B/one/q/t"
	echo new >"$B/one/q/t/k"
	[ "$(cat "$B/one/p/s/text")" = changed ]
	is_unchanged_outside
	rmdir "$B/one"
	[ ! -e "$B/one" ] && [ -z "$(ls -A "$B")" ]
	is_unchanged_outside
	mkdir "$B/one"
	diff -r --no-dereference "$MNT/p" "$B/one/p"
	[ ! -e "$B/one/q" ]
}

@test "names of batches are checked, listed, not renamed, and only there" {
	mkdir "$B/b" "$B/a"
	run ! mkdir "$B/a"
	[[ $output == *'File exists'* ]]
	run ! mkdir "$B/.x"
	[[ $output == *'Invalid argument'* ]]
	run ! mkdir "$B/$(printf '%0129d' 0)"
	[[ $output == *'File name too long'* ]]
	run ! mv "$B/a" "$B/c"
	[[ $output == *'Operation not permitted'* ]]
	run ! mv "$MNT/p" "$B/p"
	run ! touch "$B/file"
	run ! ln -s x "$B/link"
	run ! rmdir "$B/nothing"
	[[ $output == *'No such file'* ]]
	run ! rmdir "$B"
	[ "$(ls "$B")" = "$(printf 'a\nb')" ]
	[ ! -e "$MNT/p/.batch" ] && [ ! -e "$B/a/.batch" ] && [ ! -e "$B/a/.snap" ]
	[ "$(find "$MNT" | wc -l)" = 3 ]
	rm -r "$MNT/p"
	[ -d "$B/a/p/s" ]
}

@test "sed, vim, cp, mv, rm, tar, rsync and find work in a batch, and nothing of it is outside" {
	make_keys
	mkdir "$B/x"
	cd "$B/x/p/s"
	sed -i s/one/1/ text
	vim -N -u NONE -i NONE -es -c 'normal Gothree' -c wq text
	[ "$(cat text)" = "$(printf '1\ntwo\nthree')" ]
	[ "$(stat -c %a text)" = 640 ]
	cp -a dir copied
	mv dir moved
	[ "$(cat moved/below/k copied/below/k)" = "$(printf 'two\ntwo')" ]
	diff -r moved copied
	rm -r copied
	tar -cf - . | tar -tf - | sort >"$DIR/listed"
	mkdir unpacked
	tar -cf - moved text link | tar -C unpacked -xf -
	diff -r --no-dereference moved unpacked/moved
	mkdir "$DIR/host"
	rsync -a unpacked/ "$DIR/host/"
	rsync -a "$DIR/host/" synced/
	run -0 rsync -ai "$DIR/host/" synced/
	[ -z "$output" ]
	chmod 600 large
	touch -d '2001-02-03 UTC' large
	setfattr -n user.note -v other text
	truncate -s 5 large
	[ "$(cat large)" = "$(printf '1\n2\n3')" ]
	[ "$(stat -c '%a %Y' text)" = "640 $(stat -c %Y text)" ]
	mkfifo pipe
	echo appended >>log
	echo more >>log
	[ "$(wc -l <log)" = 2 ]
	find . -name below -prune -o -print | grep -q ./moved
	rm -r ./*
	[ -z "$(ls -A)" ]
	cd /
	is_unchanged_outside
	rmdir "$B/x"
	is_unchanged_outside
}

@test "git and sqlite3 work in a batch" {
	git() { command git -c user.name=n -c user.email=e -c init.defaultBranch=main "$@"; }
	mkdir "$B/x"
	cd "$B/x/p/s"
	git init -q r
	cd r
	for i in 1 2 3 4 5 6 7 8; do
		echo "$i" >"f$i"
		git add "f$i"
		git commit -qm "$i"
	done
	git checkout -q -b side HEAD~4
	[ "$(ls)" = "$(printf 'f%s\n' 1 2 3 4)" ]
	git gc -q
	git fsck --strict
	git checkout -q main
	[ -z "$(git status --porcelain)" ] && [ "$(git log --oneline | wc -l)" = 8 ]
	if [ -n "$(command -v sqlite3)" ]; then
		sqlite3 db 'create table t(x); begin; insert into t values(1),(2); commit;'
		sqlite3 db 'pragma integrity_check; insert into t values(3); select sum(x) from t' |
			tr '\n' ' ' | grep -x 'ok 6 '
	fi
	[ -z "$(ls -A "$MNT/p/s")" ]
}

@test "cp and mv between a batch and the live tree take neither for the other's files" {
	make_keys
	mkdir "$B/x" "$B/y"
	echo inside >"$B/x/p/s/text"
	cp "$B/x/p/s/text" text
	[ "$(cat text)" = inside ]
	echo outside >text
	cp text "$B/x/p/s/text"
	[ "$(cat "$B/x/p/s/text")" = outside ]
	cp -a "$B/x/p/s/text" "$B/y/p/s/text"
	cat "$B/y/p/s/large" >large
	cmp large <(seq 100000)
	[ ! text -ef "$B/x/p/s/text" ] && [ ! "$B/x/p/s/text" -ef "$B/y/p/s/text" ]
	mv "$B/x/p/s/dir" .. # copies
	[ "$(cat ../dir/below/k)" = two ] && [ ! -e "$B/x/p/s/dir" ] && [ -e dir ]
	mv large "$B/y/p/s/renamed"
	cmp "$B/y/p/s/renamed" <(seq 100000)
	[ ! -e large ] && [ -e "$B/y/p/s/large" ]
	python3 - "$B" <<'PYTHON'
import errno, os, sys
b = sys.argv[1]
for pair in ("text", b + "/x/p/s/t"), (b + "/x/p/s/text", "t"), \
            (b + "/x/p/s/text", b + "/y/p/s/t"), (b + "/x/p", "../../q"):
    for act in os.rename, os.link:
        try:
            act(*pair)
        except OSError as e:
            # of a directory VFS refuses a link by itself
            assert e.errno == errno.EXDEV or act == os.link, (pair, e)
        else:
            raise AssertionError(pair)
PYTHON
}

@test "reads in a batch are repeatable, whatever others commit" {
	make_keys
	mkdir "$B/x"
	for i in 1 2 3; do
		echo "$i" >text
		seq "$i" >large
		mkdir "later$i"
		rm -rf dir
		[ "$(cat "$B/x/p/s/text")" = "$(printf 'one\ntwo')" ]
		cmp "$B/x/p/s/large" <(seq 100000)
		[ "$(ls "$B/x/p/s")" = "$(printf '%s\n' dir empty large link text)" ]
		[ "$(cat "$B/x/p/s/dir/below/k")" = two ]
	done
	echo mine >"$B/x/p/s/text"
	[ "$(cat text)" = 3 ]
	echo 4 >text
	[ "$(cat "$B/x/p/s/text")" = mine ]
}

@test "files open in a batch that is aborted are lost for reads and writes, and its names are gone" {
	make_keys
	mkdir "$B/x"
	python3 - "$B" <<'PYTHON'
import errno, os, sys
batch = sys.argv[1]
def fails(want, act, *args, **named):
    try:
        act(*args, **named)
    except OSError as e:
        assert e.errno == want, (act, args, e)
    else:
        raise AssertionError((act, args))
os.chdir(batch + "/x/p/s")
here = os.open(".", os.O_RDONLY)
r = os.open("large", os.O_RDONLY)
w = os.open("text", os.O_RDWR)
new = os.open("new", os.O_CREAT | os.O_WRONLY)
os.write(w, b"staged")
os.write(new, b"staged")
os.stat("dir/below/k")
os.rmdir(batch + "/x")
assert os.listdir(batch) == []
fails(errno.ENOENT, os.stat, batch + "/x")
for act, *args in (os.stat, "text"), (os.stat, "dir/below/k"), (os.listdir, "."), \
        (os.open, "k2", os.O_CREAT | os.O_WRONLY), (os.mkdir, "d"), \
        (os.rmdir, "empty"), (os.unlink, "text"), (os.rename, "text", "t"), \
        (os.readlink, "link"), (os.chmod, "text", 0o600), (os.truncate, "text", 0), \
        (os.listdir, "dir"), (os.utime, "text"):
    fails(errno.ENOENT, act, *args)
fails(errno.ESTALE, os.read, r, 10)
fails(errno.ESTALE, os.read, w, 10)
fails(errno.ESTALE, os.write, w, b"more")
fails(errno.ESTALE, os.pwrite, new, b"more", 0)
fails(errno.ESTALE, os.fsync, w)
fails(errno.ESTALE, os.close, w)
fails(errno.ESTALE, os.close, new)
os.close(r)
# One of the same name is another.
os.mkdir(batch + "/x")
assert open(batch + "/x/p/s/text").read() == "one\ntwo\n"
fails(errno.ENOENT, os.stat, "text")
PYTHON
	rmdir "$B/x"
	is_unchanged_outside
}

@test "what was written to an aborted batch takes no room" {
	make_keys
	used() { awk '$1 == "aedb_value_file_bytes" { print $2 }' "$MNT/.metrics"; }
	mkdir "$B/x"
	for i in 1 2 3; do
		head -c 8M /dev/urandom >"$B/x/p/s/large$i"
	done
	[ "$(used)" -ge 24000000 ]
	rmdir "$B/x"
	echo sync >"$MNT/.control"
	wait_for 20 eval '[ "$(used)" -lt 4000000 ]'
	grep -qx 'aedb_batches 0' "$MNT/.metrics"
}

@test "a batch is its creator's, whom nobody follows; the mount's owner and root may abort it" {
	make_keys
	needs_another
	as_another mkdir "$B/theirs"
	mkdir "$B/mine"
	[ "$(stat -c %u "$B/theirs")" = 65534 ]
	run ! as_another ls "$B/mine"
	[[ $output == *'Permission denied'* ]]
	run ! as_another rmdir "$B/mine"
	[[ $output == *'Permission denied'* ]]
	as_another ls "$B/theirs/p" >/dev/null
	# What they may not change outside they may not here.
	for path in q p/s/new p/s/dir/new; do
		run ! as_another mkdir "$B/theirs/$path"
		[[ $output == *'Permission denied'* ]]
	done
	run ! as_another sh -c 'echo x >"$1"' sh "$B/theirs/p/s/text"
	run ! as_another chmod 777 "$B/theirs"
	run ! as_another cat "$B/theirs/p/s/text"
	rmdir "$B/theirs"
	as_another mkdir "$B/theirs"
	as_another rmdir "$B/theirs"
	[ "$(ls "$B")" = mine ]
}

@test "who may work outside may work in a batch" {
	mkdir shared
	chmod 1777 shared
	needs_another
	as_another mkdir "$B/theirs"
	as_another sh -c 'umask 077; echo x >"$1/k"; mkdir "$1/d"' sh "$B/theirs/p/s/shared"
	[ "$(stat -c %u:%a "$B/theirs/p/s/shared/k")" = 65534:600 ]
	as_another mv "$B/theirs/p/s/shared/k" "$B/theirs/p/s/shared/d"
	[ "$(cat "$B/theirs/p/s/shared/d/k")" = x ]
}

@test "a batch too old is aborted, which stands in .status, and who is inside sees it" {
	make_keys
	cd /
	mount_stop
	mount_start -o batch_age=1s
	mkdir "$B/old"
	cd "$B/old/p/s"
	exec 5<large
	wait_for 20 eval '[ -z "$(ls "$B")" ]'
	[ ! -e "$B/old" ]
	run ! ls
	run ! head -c 1 <&5
	exec 5<&-
	grep -q '^failure .* batch: ETIMEDOUT: old is older than batch_age' "$MNT/.status"
	mkdir "$B/old"
	[ -e "$B/old/p/s/text" ]
	cd /
	is_unchanged_outside
}

@test "no more batches than allowed are open" {
	cd /
	mount_stop
	mount_start -o batches_max=2
	mkdir "$B/a" "$B/b"
	run ! mkdir "$B/c"
	[[ $output == *'No space left'* ]]
	grep -q '^failure .* mkdir: ENOSPC: 2 batches are open (batches_max)$' "$MNT/.status"
	rmdir "$B/a"
	mkdir "$B/c"
	[ "$(ls "$B")" = "$(printf 'b\nc')" ]
}

@test "the end of the daemon drops open batches, and so does a crash" {
	make_keys
	mkdir "$B/x"
	exec 5>"$B/x/p/s/new" 6>"$B/x/p/s/text"
	echo staged >&5
	echo staged >&6
	cd /
	local pid
	pid=$(mount_pid)
	kill -TERM "$pid"
	wait_for 20 process_is_gone "$pid"
	exec 5>&- 6>&- || true
	mount_start
	[ -z "$(ls "$B")" ]
	is_unchanged_outside
	mkdir "$B/x"
	head -c 8M /dev/urandom >"$B/x/p/s/values"
	echo x >"$B/x/p/s/text"
	mount_kill
	mount_start
	[ -z "$(ls "$B")" ]
	is_unchanged_outside
	cd /
	mount_stop
	aedb verify "$DB"
}

@test "a read-only mount begins no batch" {
	cd /
	mount_stop
	mount_start -o ro
	run ! mkdir "$B/x"
	[[ $output == *'Read-only file system'* ]]
}

@test "with durability=full nobody waits inside a batch" {
	cd /
	mount_stop
	mount_start -o durability=full
	mkdir "$B/x"
	syncs() { awk '$1 == "aedb_wal_syncs_total" { print $2 }' "$MNT/.metrics"; }
	local before
	before=$(syncs)
	python3 - "$B/x/p/s" <<'PYTHON'
import os, sys
os.chdir(sys.argv[1])
for i in range(100):
    with open("k%d" % i, "w") as f:
        f.write("v")
        f.flush()
        os.fsync(f.fileno())
d = os.open(".", os.O_RDONLY)
os.fsync(d)
PYTHON
	[ "$(syncs)" -le $((before + 5)) ]
	[ "$(find "$B/x/p/s" -name "k*" | wc -l)" = 100 ] && [ -z "$(ls "$MNT/p/s")" ]
}

@test "the system calls do in a batch what their manual pages say" {
	[ "$(id -u)" = 0 ] || skip "needs root, to become others"
	cd /
	mount_stop
	mount_start -o allow_other
	mkdir "$B/x"
	"$AEDB_BUILD/tests/conformance/conform" --mount "$B/x" >"$DIR/checks" ||
		grep -v -e '^ok ' -e '^# begin' "$DIR/checks"
	[ "$(grep -c '^ok ' "$DIR/checks")" = "$(sed -n 's/^1\.\.//p' "$DIR/checks")" ]
	[ -z "$(ls "$MNT/p/s")" ]
}

@test "random operations through several handles agree with a copy in memory in a batch, too" {
	mkdir "$B/x"
	cd "$B/x/p/s"
	for seed in 1 2 3; do
		"$AEDB_BUILD/tests/stress/fsx" k "$DIR/shadow" $seed 1000
	done
	[ -z "$(ls "$MNT/p/s")" ]
}

nodes_known() { sed -n 's/^aedb_nodes //p' "$MNT/.metrics"; }
nodes_are_at_most() { [ "$(nodes_known)" -le "$1" ]; }

@test "the kernel forgets the text files of a batch that has ended" {
	local before
	mkdir "$B/one"
	rmdir "$B/one"
	before=$(nodes_known)
	for i in $(seq 20); do
		mkdir "$B/one" "$B/two"
		cat "$B/one/.diff" "$B/two/.conflicts"
		echo commit >"$B/one/.control"
		echo abort >"$B/two/.control"
	done
	wait_for 10 nodes_are_at_most $((before + 3))
	exec 5<"$B/."
	mkdir "$B/one"
	exec 6<"$B/one/.diff"
	echo abort >"$B/one/.control"
	exec 6<&- 5<&-
	wait_for 10 nodes_are_at_most $((before + 3))
}
