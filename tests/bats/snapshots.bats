#!/usr/bin/env bats
# Snapshots as directories: taken, listed, read, restored from and deleted with
# the programs that people use.
# timeout: 300 s

bats_require_minimum_version 1.5.0
load mount

setup() {
	scope_setup
	S=$MNT/.snap
}
teardown() { scope_teardown; }

# Keys of several kinds, and directories, made ones and one that a key makes.
make_keys() {
	mkdir -p dir/below empty
	echo one >k
	echo two >dir/below/k2
	seq 100000 >large
	truncate -s 1M sparse
	ln -s k link
	mkfifo pipe
	chmod 4750 dir/below/k2
	setfattr -n user.note -v 'of a key' k
	touch -d '2001-02-03 04:05:06.789 UTC' large
}

@test "a snapshot keeps what was there, whatever happens after it" {
	make_keys
	mkdir "$DIR/before"
	cp -a . "$DIR/before"
	mkdir "$S/A"
	echo changed >k
	echo more >>large
	rm -r dir
	mv empty renamed
	mkdir "$MNT/p/later"
	diff -r --no-dereference "$DIR/before" "$S/A/p/s" ||
		[ "$(diff -rq --no-dereference "$DIR/before" "$S/A/p/s")" = \
			"File $DIR/before/pipe is a fifo while file $S/A/p/s/pipe is a fifo" ]
	[ "$(ls "$S/A/p")" = s ]
	[ "$(getfattr --only-values -n user.note "$S/A/p/s/k")" = 'of a key' ]
	[ "$(stat -c %a "$S/A/p/s/dir/below/k2")" = 4750 ]
	[ "$(readlink "$S/A/p/s/link")" = k ]
	[ "$(stat -c %b "$S/A/p/s/sparse")" = 0 ]
	[ "$(cat k)" = changed ]
}

@test "a scope and a project that were dropped are still in the snapshot" {
	echo v >k
	mkdir "$S/A"
	cd /
	rm -r "$MNT/p"
	[ ! -e "$MNT/p" ]
	[ "$(cat "$S/A/p/s/k")" = v ]
	mkdir -p "$MNT/p/s"
	[ ! -e "$MNT/p/s/k" ]
	cp -a "$S/A/p/s/k" "$MNT/p/s"
	[ "$(cat "$MNT/p/s/k")" = v ]
}

@test "snapshots are listed with the times when they were taken, and renamed" {
	touch "$DIR/before"
	mkdir "$S/first"
	mkdir "$S/second"
	[ "$(ls "$S")" = "$(printf 'first\nsecond')" ]
	[ "$S/first" -nt "$DIR/before" ] || [ "$(stat -c %Y "$S/first")" -ge "$(stat -c %Y "$DIR/before")" ]
	[ "$S/second" -nt "$S/first" ]
	mv "$S/first" "$S/renamed"
	[ "$(ls "$S")" = "$(printf 'renamed\nsecond')" ]
	run -2 ls "$S/first"
	run ! mkdir "$S/second"
	run ! mv -T "$S/second" "$S/renamed"
	run ! mkdir "$S/.name" "$S/a name" "$S/@1"
	[ "$(ls "$S")" = "$(printf 'renamed\nsecond')" ]
}

@test "what walks the tree does not walk into snapshots" {
	echo v >k
	mkdir "$S/A"
	[ -d "$S/A/p/s" ] && [ -d "$MNT/p/.snap/A/s" ]
	[ "$(cd "$MNT" && find . | sort | tr '\n' ' ')" = '. ./p ./p/s ./p/s/k ' ]
	[ "$(ls -A "$MNT")" = p ] && [ "$(ls -A "$MNT/p")" = s ]
	rsync -a "$MNT/" "$DIR/copy/"
	[ "$(ls -A "$DIR/copy")" = p ]
	[ ! -e "$S/A/.snap" ] && [ ! -e "$S/A/p/.snap" ] && [ ! -e .snap ]
	rm -r "$MNT/p"
	[ "$(cat "$S/A/p/s/k")" = v ]
}

@test "rsync of an unchanged tree transfers nothing, from one snapshot or the next" {
	make_keys
	mkdir "$S/A"
	rsync -aX "$S/A/" "$DIR/copy/"
	run -0 rsync -aXi "$S/A/" "$DIR/copy/"
	[ -z "$output" ]
	echo changed >k
	mkdir "$S/B"
	run -0 rsync -aXi "$S/B/p/" "$DIR/copy/p/"
	[[ $output == '>f.s'*' s/k' && ${#lines[@]} = 1 ]]
	run -0 rsync -aXi "$S/B/" "$DIR/copy/"
	[[ -z $output || ($output == .d..t*./ && ${#lines[@]} = 1) ]]
	rsync -aX --link-dest="$DIR/copy" "$S/B/" "$DIR/next/"
	[ "$DIR/copy/p/s/large" -ef "$DIR/next/p/s/large" ]
	# And back, which undoes a change.
	echo wrong >k
	rsync -aX "$DIR/copy/p/s/" .
	[ "$(cat k)" = changed ]
}

@test "rsync with all of the times sees a change to as many bytes within a second" {
	for i in 1 2 3 4 5; do
		echo "$i" >k
		mkdir "$S/$i"
		rsync -a --modify-window=-1 "$S/$i/" "$DIR/copy/"
		[ "$(cat "$DIR/copy/p/s/k")" = "$i" ]
	done
	run -0 rsync -ai --modify-window=-1 "$S/5/" "$DIR/copy/"
	[ -z "$output" ]
}

# transfers SNAPSHOT: what rsync would do to make the copy like it, directories'
# times left out.
transfers() { rsync -aXi --delete "$S/$1/" "$DIR/copy/" | grep -v '^\.d\.\.t' || true; }

@test "rsync transfers exactly the keys changed between two snapshots, by batches too, across remounts" {
	make_keys
	touch -d '2001-02-03' k # rsync sees seconds
	mkdir "$S/A"
	rsync -aX "$S/A/" "$DIR/copy/"
	cd /
	mount_stop
	mount_start
	[ -z "$(transfers A)" ]
	cd "$MNT/p/s"
	echo ONE >k # of the same size
	chmod 600 dir/below/k2
	printf x | dd of=large bs=1 seek=50 conv=notrunc status=none
	mkdir "$MNT/.batch/B"
	rm "$MNT/.batch/B/p/s/link"
	echo new >"$MNT/.batch/B/p/s/dir/added"
	mv "$MNT/.batch/B/p/s/sparse" "$MNT/.batch/B/p/s/empty/moved"
	echo commit >"$MNT/.batch/B/.control"
	mkdir "$S/B"
	cd /
	mount_stop
	mount_start
	run -0 transfers B
	[ "$(sort <<<"$output")" = "$(sort <<'END'
*deleting   p/s/link
*deleting   p/s/sparse
.f...p..... p/s/dir/below/k2
>f+++++++++ p/s/dir/added
>f+++++++++ p/s/empty/moved
>f..t...... p/s/k
>f..t...... p/s/large
END
)" ]
	[ -z "$(rsync -aXci --delete "$S/B/" "$DIR/copy/")" ]
	mount_kill
	mount_start
	[ -z "$(rsync -aXi --delete "$S/B/" "$DIR/copy/")" ]
}

@test "what did not change has one number and the same times in every snapshot, and not the live number" {
	make_keys
	mkdir "$S/A"
	echo changed >k
	mkdir "$S/B"
	for f in large dir/below/k2 link; do
		[ "$(stat -c %z "$S/A/p/s/$f")" = "$(stat -c %z "$S/B/p/s/$f")" ]
	done
	for f in large dir dir/below dir/below/k2 link empty; do
		[ "$(stat -c '%i %y %a' "$S/A/p/s/$f")" = \
			"$(stat -c '%i %y %a' "$S/B/p/s/$f")" ]
		[ "$(stat -c %i "$S/A/p/s/$f")" != "$(stat -c %i "$f")" ]
	done
	[ "$(stat -c %i "$S/A/p/s/k")" != "$(stat -c %i "$S/B/p/s/k")" ]
	[ "$(stat -c %y "$S/A/p/s/k")" != "$(stat -c %y "$S/B/p/s/k")" ]
	# What a listing says is what stat says.
	python3 -c 'import os, sys
for e in os.scandir(sys.argv[1]):
    assert e.inode() == e.stat(follow_symlinks=False).st_ino, e' "$S/A/p/s"
}

@test "a key is brought back with cp, cp -a, install, cat, tar and mv" {
	make_keys
	mkdir "$S/A"
	local old=$S/A/p/s
	for restore in 'cp' 'cp -a' 'cp --remove-destination' 'install'; do
		echo broken >k
		# shellcheck disable=SC2086 # a command with its options
		quietly $restore "$old/k" k
		[ "$(cat k)" = one ]
	done
	[ "$(stat -c %y "$old/large")" = "$(stat -c %y large)" ]
	echo broken >k
	cat "$old/k" >k
	[ "$(cat k)" = one ]
	rm -r dir
	tar -C "$old" --format=posix -cf - dir | tar -xpf -
	[ "$(cat dir/below/k2)" = two ]
	[ "$(stat -c '%a %y' dir/below/k2)" = "$(stat -c '%a %y' "$old/dir/below/k2")" ]
	rm k
	# The copy arrives; the original cannot be removed.
	run -1 mv "$old/k" k
	[[ $output == *'Read-only file system'* ]]
	[ "$(cat k)" = one ]
	[ "$(cat "$old/k")" = one ]
}

@test "a snapshot holds committed data only" {
	echo committed >k
	{
		echo staged
		mkdir "$S/A"
	} >k
	[ "$(cat "$S/A/p/s/k")" = committed ]
	python3 - "$S" <<'PYTHON'
import os, sys
fd = os.open("pending", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
os.write(fd, b"x")
os.mkdir(sys.argv[1] + "/B")
assert os.listdir(sys.argv[1] + "/B/p/s") == ["k"]
os.close(fd)
PYTHON
	[ "$(ls)" = "$(printf 'k\npending')" ]
}

@test "everything in a snapshot is refused as on a read-only file system" {
	make_keys
	mkdir "$S/A"
	python3 - "$S/A/p/s" <<'PYTHON'
import errno, os, sys
os.chdir(sys.argv[1])
def refused(what, *args, code=errno.EROFS, **kw):
    try:
        what(*args, **kw)
    except OSError as e:
        assert e.errno == code, (what, e)
    else:
        raise AssertionError(what)
for flags in os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC:
    refused(os.open, "k", flags)
refused(os.open, "new", os.O_CREAT | os.O_WRONLY)
refused(os.open, "new", os.O_CREAT | os.O_RDONLY)
os.close(os.open("k", os.O_CREAT | os.O_RDONLY))
refused(os.truncate, "k", 0)
refused(os.chmod, "k", 0o600)
refused(os.chown, "k", 1, 1)
refused(os.utime, "k")
refused(os.utime, "dir")
refused(os.setxattr, "k", "user.a", b"v")
refused(os.removexattr, "k", "user.note")
refused(os.unlink, "k")
refused(os.rmdir, "empty")
refused(os.rmdir, "dir")
refused(os.mkdir, "new")
refused(os.mkfifo, "new")
refused(os.symlink, "to", "new")
refused(os.rename, "k", "new")
refused(os.rename, "k", "large")
refused(os.rename, "empty", "new")
refused(os.rmdir, "../../q", code=errno.ENOENT)
refused(os.mkdir, "../../q")
refused(os.rmdir, "../../p")
live = sys.argv[1].replace("/.snap/A", "")
refused(os.rename, "k", live + "/new", code=errno.EXDEV)
refused(os.rename, live + "/k", "new", code=errno.EXDEV)
refused(os.link, "k", live + "/new", code=errno.EXDEV)
PYTHON
	[ ! -e new ]
}

@test "only the owner of the mount and root change snapshots" {
	[ "$(id -u)" = 0 ] || skip "only root can become another user"
	cd /
	mount_stop
	mount_start -o allow_other
	mkdir "$S/A"
	chmod 711 "$DIR" "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" 2>/dev/null || true
	local as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	"${as[@]}" ls "$S/A/p" >/dev/null || skip "the mount is out of another user's reach"
	run -1 "${as[@]}" mkdir "$S/B"
	[[ $output == *'Permission denied'* ]]
	run -1 "${as[@]}" rmdir "$S/A"
	[[ $output == *'Permission denied'* ]]
	run -1 "${as[@]}" mv "$S/A" "$S/B"
	[[ $output == *'Permission denied'* ]]
	[ "$(ls "$S")" = A ]
}

@test "files of snapshots can be mapped in every way, run, and read by many" {
	make_keys
	cp /bin/true program
	mkdir "$S/A"
	"$S/A/p/s/program"
	python3 - "$S/A/p/s" <<'PYTHON'
import mmap, os, sys
with open(sys.argv[1] + "/large", "rb") as f:
    want = f.read()
    for flags in mmap.MAP_SHARED, mmap.MAP_PRIVATE:
        with mmap.mmap(f.fileno(), 0, flags, mmap.PROT_READ) as m:
            assert m[:] == want
    with mmap.mmap(f.fileno(), 0, mmap.MAP_PRIVATE,
                   mmap.PROT_READ | mmap.PROT_WRITE) as m:
        m[0:1] = b"X"
        assert f.seek(0) == 0 and f.read(1) == want[0:1]
    assert os.sendfile(os.open("/dev/null", os.O_WRONLY), f.fileno(), 0, 100) == 100
PYTHON
	seq 100000 | cmp - "$S/A/p/s/large"
}

@test "who uses a snapshot that is deleted goes on with open files; its names are gone" {
	make_keys
	mkdir "$S/A"
	echo changed >k
	python3 - "$S" <<'PYTHON'
import mmap, os, sys
snap = sys.argv[1]
os.chdir(snap + "/A/p/s")
large = open("large", "rb")
k = open("k", "rb")
m = mmap.mmap(large.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
os.rmdir(snap + "/A")
assert not os.path.exists(snap + "/A") and os.listdir(snap) == []
assert k.read() == b"one\n"
want = b"".join(b"%d\n" % i for i in range(1, 100001))
assert large.read() == want and m[:] == want
for what in lambda: open("dir/below/k2"), lambda: os.listdir("."), \
            lambda: os.stat("not-asked-for"), lambda: open("pipe2"):
    try:
        what()
    except FileNotFoundError:
        continue
    raise AssertionError("a name of a deleted snapshot")
# One of the same name is another.
os.mkdir(snap + "/A")
assert open(snap + "/A/p/s/k").read() == "changed\n"
k.seek(0)
assert k.read() == b"one\n"
PYTHON
}

@test "a project has its own .snap, which shows it under its name of then" {
	echo v >k
	mkdir "$S/A"
	cd /
	mv "$MNT/p" "$MNT/q"
	mkdir "$MNT/p" "$S/B"
	[ "$(cat "$MNT/q/.snap/A/s/k")" = v ]
	[ "$(ls "$MNT/q/.snap")" = "$(printf 'A\nB')" ]
	[ "$(ls "$MNT/p/.snap")" = B ]
	# Both ways at once: neither directory moves under the other's name.
	[ "$(cd "$S/A/p" && ls "$MNT/q/.snap/A" && /bin/pwd)" = "$(printf 's\n%s' "$S/A/p")" ]
	run -1 mkdir "$MNT/p/.snap/C"
	[[ $output == *'Read-only file system'* ]]
	rmdir "$S/A"
	[ "$(ls "$MNT/q/.snap")" = B ]
	run ! cat "$MNT/q/.snap/A/s/k"
}

@test "snapshots survive an unmount and a kill, and a read-only mount shows them" {
	make_keys
	mkdir "$S/A"
	echo changed >k
	mkdir "$S/B"
	local before
	before=$(stat -c '%n %i %s %y %z' "$S"/*/p/s/* "$S"/*)
	cd /
	mount_stop
	mount_start
	[ "$(stat -c '%n %i %s %y %z' "$S"/*/p/s/* "$S"/*)" = "$before" ]
	mkdir "$S/C"
	mount_kill
	mount_start -o ro
	[ "$(ls "$S")" = "$(printf 'A\nB\nC')" ]
	[ "$(cat "$S/A/p/s/k" "$S/C/p/s/k")" = "$(printf 'one\nchanged')" ]
	run ! rmdir "$S/A"
	run ! mkdir "$S/D"
	mount_stop
	mount_start
	rmdir "$S/A" "$S/C"
	mount_kill
	mount_start
	[ "$(ls "$S")" = B ]
	[ "$(cat "$S/B/p/s/k")" = changed ]
}

# The number of the newest commit, of a mount with a history.
newest() {
	mount_stop >&2
	aedb stats --json "$DB" | jq .visible_seq
	mount_start -o history=1h,1M >&2
}

@test "numbers name past states while a history is kept, and the last checkpoint has a name" {
	cd /
	mount_stop
	mount_start -o history=1h,1M
	echo 1 >"$MNT/p/s/k"
	local first second
	first=$(newest)
	echo 2 >"$MNT/p/s/k"
	second=$(newest)
	echo 3 >"$MNT/p/s/k"
	rm -r "$MNT/p"
	[ "$(cat "$S/@$first/p/s/k" "$S/@$second/p/s/k" "$S/@$first/p/s/k" | xargs)" = '1 2 1' ]
	[ "$(find "$S/@$second" -type f)" = "$S/@$second/p/s/k" ]
	[ "$(aedb snapshot diff "$MNT" "@$first" "@$second")" = '~ p/s/k' ]
	aedb snapshot diff "$MNT" "@$first" | grep -qx -e '- p/s/k'
	rsync -a "$S/@$first/p" "$MNT/"
	[ "$(cat "$MNT/p/s/k")" = 1 ]
	[ -z "$(ls "$S")" ]
	[ ! -e "$S/@$((second + 1000000))" ] && [ ! -e "$S/@x" ]
	run ! rmdir "$S/@$first"
	run ! mv "$S/@$first" "$S/A"
	run ! touch "$S/@$first/p/s/k"
	mount_stop
	aedb checkpoint "$DB"
	mount_start
	run ! cat "$S/@$first/p/s/k"
	echo 4 >"$MNT/p/s/k"
	[ "$(cat "$S/@checkpoint/p/s/k")" = 1 ]
}

@test "a hundred snapshots, each with its own state, are walked and deleted" {
	mkdir dir
	for i in $(seq 100); do
		echo "$i" >k
		: >"dir/$i"
		mkdir "$S/$(printf 'n%03d' "$i")"
	done
	[ "$(find "$S"/* -prune | wc -l)" = 100 ]
	cat "$S"/*/p/s/k | diff - <(seq 100)
	for i in 1 50 100; do
		[ "$(find "$S/$(printf 'n%03d' "$i")/p/s/dir" -type f | wc -l)" = "$i" ]
	done
	[ "$(find "$S" -name k | wc -l)" = 100 ]
	cd "$S" && rmdir ./*
	[ "$(ls "$S")" = '' ]
	[ "$(cat "$MNT/p/s/k")" = 100 ]
}

@test "diff -r, find -newer and du compare snapshots" {
	make_keys
	rm pipe
	mkdir "$S/A"
	echo two >k
	rm dir/below/k2
	echo new >added
	mkdir "$S/B"
	run -1 diff -rq --no-dereference "$S/A/p" "$S/B/p"
	[ "$output" = "$(printf 'Only in %s/B/p/s: added\nOnly in %s/A/p/s/dir/below: k2\nFiles %s/A/p/s/k and %s/B/p/s/k differ' "$S" "$S" "$S" "$S")" ]
	[ "$(cd "$S/B" && find . -type f -newer "$S/A" | sort | tr '\n' ' ')" = './p/s/added ./p/s/k ' ]
	[ -z "$(find "$S/A" -mindepth 1 -newer "$S/A")" ]
	[ "$(du -s --apparent-size -B1 "$S/A/p/s/large" | cut -f1)" = "$(stat -c %s large)" ]
}
