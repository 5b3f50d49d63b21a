#!/usr/bin/env bats
# Commits of batches: at once, seen by everybody, or not at all.
# timeout: 300 s

bats_require_minimum_version 1.5.0
load mount

setup() {
	scope_setup
	B=$MNT/.batch/B
	S=$B/p/s
}
teardown() { scope_teardown; }

as_another() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }

# command_to TEXT [FILE]: its answer; fails as the write does, with the errno's name
# and the answer.
command_to() {
	python3 - "${2:-$B/.control}" "$1" <<'END_OF_PYTHON'
import errno, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
status = 0
try:
    os.write(fd, sys.argv[2].encode())
except OSError as e:
    print(errno.errorcode[e.errno])
    status = 1
while piece := os.read(fd, 65536):
    sys.stdout.write(piece.decode())
sys.exit(status)
END_OF_PYTHON
}

commit() { echo commit >"$B/.control"; }

@test "a commit is seen at once by those who had looked, listed and opened before" {
	mkdir dir gone
	echo old >changed
	echo old >removed
	echo old >renamed
	echo old >dir/below
	echo old >gone/below
	stat changed removed renamed dir/* gone/* >"$DIR/before"
	ls -lR . >"$DIR/listed"
	mkdir "$B"
	echo "the newest" >"$S/changed"
	rm -r "$S/removed" "$S/gone"
	mv "$S/renamed" "$S/elsewhere"
	mv "$S/dir" "$S/moved"
	echo new >"$S/made"
	mkdir -p "$B/q/other"
	chmod 600 "$S/elsewhere"
	[ "$(cat changed)" = old ]
	commit
	[ ! -e "$B" ]
	[ -z "$(ls "$MNT/.batch")" ]
	[ "$(cat changed)" = "the newest" ]
	[ "$(stat -c %s changed)" = 11 ]
	[ ! -e removed ] && [ ! -e renamed ] && [ ! -e gone ] && [ ! -e dir ]
	[ "$(stat -c %a elsewhere)" = 600 ]
	[ "$(cat moved/below)" = old ]
	[ "$(ls)" = "$(printf '%s\n' changed elsewhere made moved)" ]
	[ -d "$MNT/q/other" ]
}

@test "who is in a directory that a commit moves or removes stays in it" {
	mkdir -p moved/below removed
	echo text >moved/below/k
	python3 - "$B" <<'END_OF_PYTHON'
import os, sys
os.mkdir(sys.argv[1])
inside = sys.argv[1] + "/p/s/"
os.rename(inside + "moved", inside + "there")
os.rmdir(inside + "removed")
removed = os.open("removed", os.O_RDONLY)
there = os.open("there/below" if os.path.exists("there") else "moved/below",
                os.O_RDONLY)
scope = os.open(".", os.O_RDONLY)
os.fchdir(there)
with open(sys.argv[1] + "/.control", "w") as control:
    control.write("commit")
assert open("k").read() == "text\n"
with open("k", "w") as k:
    k.write("more")
os.fchdir(removed)
assert os.listdir() == [] and os.stat(".").st_nlink == 0
try:
    open("new", "w")
    assert False
except FileNotFoundError:
    pass
os.fchdir(scope)
assert open("there/below/k").read() == "more"
END_OF_PYTHON
}

@test "a reader keeps its version, also of what the commit replaces and removes" {
	echo first >changed
	echo first >replaced
	echo first >removed
	exec {a}<changed {b}<replaced {c}<removed
	mkdir "$B"
	echo second >"$S/changed"
	echo second >"$S/temporary"
	mv "$S/temporary" "$S/replaced"
	rm "$S/removed"
	commit
	[ "$(cat <&"$a")" = first ]
	[ "$(cat <&"$b")" = first ]
	[ "$(cat <&"$c")" = first ]
	[ "$(stat -L -c %h "/proc/self/fd/$b")" = 0 ]
	[ "$(cat "/proc/self/fd/$b" "/proc/self/fd/$c")" = $'first\nfirst' ]
	[ "$(stat -L -c %h "/proc/self/fd/$a")" = 1 ]
	[ "$(cat changed)$(cat replaced)" = secondsecond ]
	exec {a}<&- {b}<&- {c}<&-
}

@test "what is staged in place lies over the value that a batch commits" {
	printf 'aaaaaaaa' >k
	python3 - "$B" <<'END_OF_PYTHON'
import os, sys
fd = os.open("k", os.O_RDWR)
os.pwrite(fd, b"XX", 2)
os.mkdir(sys.argv[1])
with open(sys.argv[1] + "/p/s/k", "w") as k:
    k.write("bbbbbbbbbb")
with open(sys.argv[1] + "/.control", "w") as control:
    control.write("commit")
assert os.pread(fd, 100, 0) == b"bbXXbbbbbb", os.pread(fd, 100, 0)
assert open("/proc/self/fd/%d" % fd).read() == "bbXXbbbbbb"
os.close(fd)
assert open("k").read() == "bbXXbbbbbb"
END_OF_PYTHON
}

@test "a key in creation whose name a batch commits is the batch's" {
	python3 - "$B" <<'END_OF_PYTHON'
import os, sys
fd = os.open("k", os.O_WRONLY | os.O_CREAT | os.O_EXCL)
os.write(fd, b"late")
os.mkdir(sys.argv[1])
with open(sys.argv[1] + "/p/s/k", "w") as k:
    k.write("of the batch")
with open(sys.argv[1] + "/.control", "w") as control:
    control.write("commit")
os.close(fd)
assert os.listdir() == ["k"]
assert open("k").read() == "of the batch"
END_OF_PYTHON
}

@test "when others changed the same, nothing is committed, and .conflicts names it" {
	echo old >k
	mkdir dir
	touch "odd"$'\t'"name"
	mkdir "$B"
	echo mine >"$S/k"
	echo mine >"$S/new"
	echo mine >"$S/odd"$'\t'"name"
	touch "$S/dir/key"
	[ -z "$(cat "$B/.conflicts")" ]
	run -0 command_to check
	[ "$output" = "no conflict" ]
	echo theirs >k
	echo theirs >"odd"$'\t'"name"
	rmdir dir
	run -1 command_to check
	[[ $output == ESTALE* ]]
	run -1 command_to commit
	[[ $output == ESTALE*".conflicts"* ]]
	[ "$(cat k)" = theirs ]
	[ ! -e new ]
	[ "$(cat "$S/k")" = mine ]
	run -0 cat "$B/.conflicts"
	[[ ${lines[*]} == *"p/s/k"* ]]
	[[ ${lines[*]} == *'"p/s/odd\tname"'* ]]
	[[ ${lines[*]} == *"p/s/dir"* ]]
	[[ ${lines[*]} != *"new"* ]]
	grep -q "^command .* failed .*\.batch/B: commit: ESTALE" "$MNT/.status"
	rmdir "$B"
	[ "$(cat k)" = theirs ]
}

@test "opened ever so often, .diff of an unchanged batch is there once, and of a changed one in bounded memory" {
	cd /
	mount_stop
	mount_start -o memory=16M
	mkdir "$B" "$S/d"
	python3 - "$S/d" "$(mount_pid)" "$MNT/.metrics" "$B/.diff" <<'END_OF_PYTHON'
import os, sys
directory, pid, metrics, diff = sys.argv[1:]
at = os.open(directory, os.O_RDONLY)
name = "%05d" + "x" * 200
for i in range(10000):
    os.close(os.open(name % i, os.O_WRONLY | os.O_CREAT, dir_fd=at))

def figure(what):
    return next(int(l.split()[1]) for l in open(metrics)
                if l.startswith("aedb_" + what + " "))

def resident():
    return next(int(l.split()[1]) * 1024 for l in open("/proc/%s/status" % pid)
                if l.startswith("VmRSS"))

text = open(diff).read()
assert len(text) > 2000000
staged = figure("staged_bytes")
before = resident()
same = [open(diff) for i in range(60)]
assert figure("staged_bytes") == staged
assert resident() - before < 20 * len(text)
assert all(f.read() == text for f in same)
changed = []
for i in range(60):
    os.close(os.open(name % (10000 + i), os.O_WRONLY | os.O_CREAT, dir_fd=at))
    changed.append(open(diff))
assert figure("staged_bytes") <= 16 << 20, figure("staged_bytes")
assert resident() - before < 30 * len(text), resident() - before
for i, f in enumerate(changed):
    assert f.read().count("\n") == 10002 + i
END_OF_PYTHON
	rmdir "$B"
}

@test ".diff lists what would be committed, in order and quoted" {
	mkdir -p old/below
	echo text >old/below/k
	echo text >k
	echo text >same
	mkdir "$B"
	[ -z "$(cat "$B/.diff")" ]
	mv "$S/old" "$S/new"
	echo other >"$S/k"
	touch "$S/"$'\377\n'
	touch "$S/temporary" && rm "$S/temporary"
	mkdir -p "$B/q/t"
	rm "$S/same"
	cat >"$DIR/want" <<'END_OF_LINES'
~ p/s/k
+ p/s/new/
+ p/s/new/below/
+ p/s/new/below/k
- p/s/old/
- p/s/old/below/
- p/s/old/below/k
- p/s/same
+ "p/s/\377\n"
+ q/
+ q/t/
END_OF_LINES
	exec {diff}<"$B/.diff"
	touch "$S/later"
	diff "$DIR/want" - <&"$diff"
	exec {diff}<&-
	[ "$(stat -c %s "$B/.diff")" -gt "$(stat -c %s "$DIR/want")" ]
	rm "$S/later"
	aedb snapshot create "$MNT" before
	commit
	aedb snapshot diff "$MNT" before >"$DIR/diff"
	LC_ALL=C sort -k 2 "$DIR/diff" >"$DIR/diff.sorted"
	LC_ALL=C sort -k 2 "$DIR/want" | diff - "$DIR/diff.sorted"
}

@test "with data staged in it a batch is not committed: EBUSY, and which" {
	mkdir "$B"
	mkdir "$S/dir"
	python3 - "$B" <<'END_OF_PYTHON'
import errno, os, sys
with open(sys.argv[1] + "/p/s/key", "w") as key:
    key.write("text\n")
    key.flush()
    control = os.open(sys.argv[1] + "/.control", os.O_RDWR)
    try:
        os.write(control, b"commit")
        assert False
    except OSError as e:
        assert e.errno == errno.EBUSY
    assert b"p/s/key" in os.read(control, 1000)
END_OF_PYTHON
	grep -q "commit: EBUSY: .*p/s/key" "$MNT/.status"
	[ -d "$B" ] && [ ! -e dir ]
	commit
	[ "$(cat key)" = text ]
	[ -d dir ]
}

@test "only one line is a command, and nothing else is; help tells which" {
	mkdir "$B"
	touch "$S/k"
	for wrong in " " commits "commit now" $'commit\ncommit' sync "batch commit B"; do
		run -1 command_to "$wrong"
		[[ $output == EINVAL* ]]
	done
	run -0 command_to help
	[[ $output == *commit*abort*check* ]]
	[ ! -e k ]
	run -0 command_to abort
	[ "$output" = aborted ]
	[ ! -e "$B" ] && [ ! -e k ]
}

@test "batches are committed and aborted by name through the root's .control" {
	mkdir "$B" "$MNT/.batch/C"
	touch "$S/of-b" "$MNT/.batch/C/p/s/of-c"
	run -0 grep '^batch ' "$MNT/.status"
	[[ ${lines[0]} == "batch B uid $(id -u) age "*"s changes "*" bytes "* ]]
	[[ ${lines[1]} == "batch C "* ]]
	grep -qx "aedb_batches 2" "$MNT/.metrics"
	run -0 command_to "batch commit B" "$MNT/.control"
	[[ $output =~ ^committed\ [0-9]+$ ]]
	run -0 command_to "batch abort C" "$MNT/.control"
	[ "$(ls)" = of-b ]
	[ -z "$(ls "$MNT/.batch")" ]
	run -1 command_to "batch commit B" "$MNT/.control"
	[[ $output == ENOENT* ]]
}

@test "other users neither read nor end a batch; whoever began it does" {
	[ "$(id -u)" = 0 ] || skip "only root can become another user"
	cd /
	mount_stop
	mount_start -o allow_other
	chmod 777 "$MNT/p/s"
	cd "$MNT"
	mkdir .batch/B
	touch .batch/B/p/s/k
	run -2 as_another sh -c "echo commit >.batch/B/.control"
	run -1 as_another cat .batch/B/.diff
	run -2 as_another sh -c "echo batch commit B >.control"
	[ -d .batch/B ]
	as_another mkdir .batch/C
	as_another touch .batch/C/p/s/theirs
	[ "$(as_another cat .batch/C/.diff)" = "+ p/s/theirs" ]
	as_another sh -c "echo commit >.batch/C/.control"
	[ "$(stat -c %u p/s/theirs)" = 65534 ]
	as_another mkdir .batch/D
	echo abort >.batch/D/.control
	[ "$(ls .batch)" = B ]
}

@test "of two batches that change the same the first to commit wins" {
	local c=$MNT/.batch/C
	echo old >k
	mkdir "$B" "$c"
	echo b >"$S/k"
	echo c >"$c/p/s/k"
	echo c >"$c/p/s/other"
	commit
	run -1 command_to commit "$c/.control"
	[[ $output == ESTALE* ]]
	[ "$(cat k)" = b ] && [ ! -e other ]
	[ "$(cat "$c/.conflicts")" = p/s/k ]
	mkdir "$B"
	echo b >"$S/b"
	echo abort >"$c/.control"
	mkdir "$c"
	echo c >"$c/p/s/c"
	commit
	echo commit >"$c/.control"
	[ "$(cat b c)" = $'b\nc' ]
}

@test "files of a batch that has ended are not read any more, and it takes no commands" {
	python3 - "$B" <<'END_OF_PYTHON'
import errno, os, sys
def fails(err, f, *args):
    try:
        f(*args)
        assert False
    except OSError as e:
        assert e.errno == err, e
os.mkdir(sys.argv[1])
with open(sys.argv[1] + "/p/s/k", "w") as k:
    k.write("text")
k = os.open(sys.argv[1] + "/p/s/k", os.O_RDONLY)
control = os.open(sys.argv[1] + "/.control", os.O_RDWR)
os.write(control, b"commit")
fails(errno.ESTALE, os.read, k, 10)
fails(errno.ENOENT, os.write, control, b"abort")
os.mkdir(sys.argv[1])
fails(errno.ENOENT, os.write, control, b"abort")
assert os.read(control, 1000).startswith(b"committed ")
END_OF_PYTHON
	[ "$(cat k)" = text ]
	[ -d "$B" ]
}

@test "a commit of more names than the kernel is told of one by one is seen at once" {
	python3 - "$B" <<'END_OF_PYTHON'
import os, sys
N = 3000
os.mkdir("d")
for i in range(N):
    open("d/f%d" % i, "w").write("1")
for i in range(N):
    os.stat("d/f%d" % i)
fds = [os.open("d/f%d" % i, os.O_PATH) for i in range(0, 400)]
for fd in fds:
    os.fstat(fd)
os.mkdir(sys.argv[1])
inside = sys.argv[1] + "/p/s/d/"
for i in range(0, N, 2):
    os.unlink(inside + "f%d" % i)
for i in range(1, N, 2):
    open(inside + "f%d" % i, "w").write("22")
os.rename(inside + "f1", inside + "g1")
os.rename(inside[:-2] + "d", inside[:-2] + "e")
with open(sys.argv[1] + "/.control", "w") as control:
    control.write("commit")
assert not os.path.exists("d")
for i, fd in enumerate(fds):
    s = os.fstat(fd)
    assert (s.st_nlink, s.st_size) == ((0, 1) if i % 2 == 0 else (1, 2)), (i, s)
assert not any(os.path.exists("e/f%d" % i) for i in range(0, N, 2))
assert all(os.stat("e/f%d" % i).st_size == 2 for i in range(3, N, 2))
assert os.stat("e/g1").st_size == 2 and not os.path.exists("e/f1")
assert len(os.listdir("e")) == N // 2
END_OF_PYTHON
}

@test "what is mounted inside stays mounted after a commit of many names" {
	mkdir d inside
	mount -t tmpfs -o size=1m none inside
	echo here >inside/file
	seq -f 'd/f%.0f' 1 1500 | xargs touch
	stat d/f* >/dev/null
	mkdir "$B"
	for i in $(seq 1500); do
		mv "$S/d/f$i" "$S/d/g$i"
	done
	commit
	[ "$(cat inside/file)" = here ]
	[ ! -e d/f1 ]
	[ "$(find d -name 'g*' | wc -l)" = 1500 ]
	umount inside
}

@test "whoever reads one key after another never goes back to before a commit" {
	python3 - "$MNT/.batch" <<'END_OF_PYTHON'
import multiprocessing, os, sys
N = 10
os.mkdir("d")
for i in range(N):
    open("d/k%d" % i, "w").write("0")
def commit(done):
    for n in range(1, 100):
        b = "%s/N%d" % (sys.argv[1], n)
        os.mkdir(b)
        for i in range(N):
            k = "%s/p/s/d/k%d" % (b, i)
            with open(k + ".new" if (n + i) % 2 else k, "w") as f:
                f.write(str(n))
            if (n + i) % 2:
                os.rename(k + ".new", k)
        if n % 10 == 0:
            d = b + "/p/s/d"
            os.rename(d, d + ".old")
            os.mkdir(d)
            for i in range(N):
                os.rename(d + ".old/k%d" % i, d + "/k%d" % i)
            os.rmdir(d + ".old")
        with open(b + "/.control", "w") as control:
            control.write("commit")
    done.set()
done = multiprocessing.Event()
committer = multiprocessing.Process(target=commit, args=(done,))
committer.start()
last = 0
while not done.is_set() and committer.is_alive():
    seen = [int(open("d/k%d" % i).read()) for i in range(N)]
    assert [last] + seen == sorted([last] + seen), (last, seen)
    last = seen[-1]
committer.join()
assert committer.exitcode == 0
assert open("d/k0").read() == "99"
END_OF_PYTHON
}

@test "100,000 new keys are one commit" {
	python3 - "$B" <<'END_OF_PYTHON'
import os, sys
os.mkdir(sys.argv[1])
inside = sys.argv[1] + "/p/s/"
for d in range(100):
    os.mkdir(inside + "d%d" % d)
    for i in range(1000):
        with open(inside + "d%d/k%d" % (d, i), "w") as k:
            k.write("value %d" % i)
assert os.listdir() == []
with open(sys.argv[1] + "/.control", "w") as control:
    control.write("commit")
assert len(os.listdir()) == 100
assert all(len(os.listdir("d%d" % d)) == 1000 for d in range(100))
assert open("d99/k999").read() == "value 999"
END_OF_PYTHON
}

@test "with durability=full a commit is durable when write returns" {
	cd /
	mount_stop
	mount_start -o durability=full
	cd "$MNT/p/s"
	mkdir "$B"
	echo text >"$S/k"
	commit
	[ "$(grep '^visible_seq' "$MNT/.status" | cut -d' ' -f2)" = \
		"$(grep '^durable_seq' "$MNT/.status" | cut -d' ' -f2)" ]
}

@test "kill -9 in the midst of commits leaves each whole or not there" {
	python3 - "$MNT" <<'END_OF_PYTHON' &
import os, sys
for n in range(100000):
    b = sys.argv[1] + "/.batch/N%d" % n
    try:
        os.mkdir(b)
        for i in range(20):
            with open(b + "/p/s/k%d" % i, "w") as k:
                k.write(str(n))
        with open(b + "/.control", "w") as control:
            control.write("commit")
    except OSError:
        break
END_OF_PYTHON
	wait_for 20 grep -qxE '..+' k19
	cd /
	mount_kill
	wait
	mount_start
	cd "$MNT/p/s"
	[ "$(find . -type f | wc -l)" = 20 ]
	for i in {0..19}; do
		[ "$(cat "k$i")" = "$(cat k0)" ]
	done
	[ -z "$(ls "$MNT/.batch")" ]
}
