#!/usr/bin/env bats
# Batches that end while others are in them, by several at once, and by others than
# their own user.
# timeout: 200 s

bats_require_minimum_version 1.5.0
load mount

setup() { scope_setup; }
teardown() { scope_teardown; }

@test "a batch ends while it is written, listed, renamed in and stood in: those in it get errors, and nothing else" {
	cat >"$DIR/user.py" <<'END_OF_PYTHON'
import errno, fcntl, os, sys
batch, way = sys.argv[1:]
s = batch + "/p/s/"
f = os.open(s + "f", os.O_RDWR)
listed = os.open(s + "d", os.O_RDONLY)
if way == "stand":
    os.chdir(s)
def write():
    os.pwrite(f, b"x" * 4096, 4096)
def create():
    g = os.open(s + "new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(g, b"x")
    finally:
        os.close(g)
def read():
    os.pread(f, 4096, 0)
def list():
    os.listdir(s + "d")
    os.listdir(listed)
def stand():
    os.listdir(".")
    os.rename("d/1", "d/2")
    os.rename("d/2", "d/1")
def fsync():
    os.pwrite(f, b"y", 0)
    os.fsync(f)
def rename():
    os.rename(s + "r", s + "g")
    os.rename(s + "g", s + "r")
def attributes():
    os.setxattr(s + "f", "user.a", b"1")
    os.utime(s + "f")
    os.ftruncate(f, 5000)
def copy():
    g = os.open(s + "copy", os.O_WRONLY | os.O_CREAT)
    try:
        os.copy_file_range(f, g, 100000)
    finally:
        os.close(g)
os.write(1, b"r")
failed = 0
while failed < 20:
    try:
        globals()[way]()
    except OSError as e:
        assert e.errno in (errno.ENOENT, errno.ESTALE), e
        # The names that another user of the batch has just taken away.
        failed += not os.path.exists(batch)
END_OF_PYTHON
	python3 - "$MNT" "$DIR/user.py" <<'END_OF_PYTHON'
import os, subprocess, sys
mnt, user = sys.argv[1:]
b = mnt + "/.batch/B"
def command(path, text):
    with open(path, "w") as control:
        control.write(text)
ends = [lambda: os.rmdir(b), lambda: command(b + "/.control", "abort"),
        lambda: command(mnt + "/.control", "batch abort B")]
for end in ends:
    os.mkdir(b)
    s = b + "/p/s/"
    with open(s + "f", "wb") as f:
        f.write(os.urandom(200000))
    open(s + "r", "w").close()
    os.mkdir(s + "d")
    for i in range(500):
        open(s + "d/%d" % i, "w").close()
    users = [subprocess.Popen([sys.executable, user, b, way],
                              stdout=subprocess.PIPE)
             for way in ("write", "create", "read", "list", "stand", "fsync",
                         "rename", "attributes", "copy")]
    for u in users:
        assert u.stdout.read(1) == b"r", u.args
    end()
    assert not os.path.exists(b) and os.listdir(mnt + "/.batch") == []
    for u in users:
        assert u.wait() == 0, u.args
    assert os.listdir() == []
END_OF_PYTHON
	cd /
	mount_stop
	aedb verify "$DB"
}

@test "of a commit, an abort and a rmdir at the same time one wins" {
	python3 - "$MNT/.batch/B" <<'END_OF_PYTHON'
import errno, os, sys, threading
b = sys.argv[1]
def command(text):
    with open(b + "/.control", "w") as control:
        control.write(text)
acts = [lambda: command("commit"), lambda: command("abort"), lambda: os.rmdir(b)]
for n in range(200):
    os.mkdir(b)
    with open(b + "/p/s/k", "w") as k:
        k.write(str(n))
    won = [False] * len(acts)
    start = threading.Barrier(len(acts))
    def run(i):
        start.wait()
        try:
            acts[i]()
            won[i] = True
        except OSError as e:
            assert e.errno == errno.ENOENT, e
    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(acts))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sum(won) == 1, won
    assert not os.path.exists(b)
    assert (os.path.exists("k") and open("k").read() == str(n)) == won[0], (n, won)
END_OF_PYTHON
}

@test "64 batches at once, ended in any order, are each there whole or not at all" {
	python3 - "$MNT/.batch" <<'END_OF_PYTHON'
import os, random, sys
seed = random.randrange(1 << 32)
print("seed", seed)
order = list(range(64))
random.Random(seed).shuffle(order)
batches = ["%s/B%d" % (sys.argv[1], i) for i in range(64)]
for b in batches:
    os.mkdir(b)
for j in range(20):
    for i, b in enumerate(batches):
        with open("%s/p/s/%d-%d" % (b, i, j), "w") as k:
            k.write("%d %d" % (i, j))
assert os.listdir() == []
want = set()
for n, i in enumerate(order):
    if n % 2:
        with open(batches[i] + "/.control", "w") as control:
            control.write("commit")
        want |= {"%d-%d" % (i, j) for j in range(20)}
    else:
        os.rmdir(batches[i])
    assert set(os.listdir()) == want
assert all(open(k).read() == k.replace("-", " ") for k in want)
assert os.listdir(sys.argv[1]) == []
END_OF_PYTHON
}

@test "an abandoned batch of much more than memory costs neither memory nor, once aborted, disk" {
	cd /
	mount_stop
	mount_start -o memory=16M
	used() { du -sm "$DB" | cut -f1; }
	local before peak
	before=$(used)
	mkdir "$MNT/.batch/B"
	dd if=/dev/urandom of="$MNT/.batch/B/p/s/large" bs=1M count=200 status=none
	[ "$(used)" -ge $((before + 200)) ]
	peak=$(awk '/VmHWM/ { print $2 }' "/proc/$(mount_pid)/status")
	case $AEDB_BUILD in # the sanitizers take as much as they like
	*/build) [ "$peak" -lt 49152 ] ;;
	esac
	rmdir "$MNT/.batch/B"
	echo sync >"$MNT/.control"
	wait_for 30 eval '[ "$(used)" -le $((before + 66)) ]' # a log file ahead
	# The same after a crash.
	mkdir "$MNT/.batch/B"
	dd if=/dev/urandom of="$MNT/.batch/B/p/s/large" bs=1M count=200 status=none
	mount_kill
	mount_start -o memory=16M
	wait_for 30 eval '[ "$(used)" -le $((before + 66)) ]'
}

@test "where there is no batch there is none: in batches, in snapshots, under other names" {
	mkdir "$MNT/.batch/B" "$MNT/.snap/A"
	for path in .batch/B/.batch .batch/B/.batch/C .batch/B/.snap .batch/B/.snap/C \
		.batch/B/p/.snap/C .snap/A/.batch .snap/A/.batch/B .snap/A/.control \
		.batch/.C .batch/a%41 ".batch/a b" $'.batch/a\nb' ".batch/$(printf 'x%.0s' {1..129})"; do
		run ! mkdir "$MNT/$path"
		[ ! -e "$MNT/$path" ]
	done
	run ! mv "$MNT/.batch/B" "$MNT/.batch/C"
	run ! mv "$MNT/.batch/B" "$MNT/q"
	[ "$(ls "$MNT/.batch")" = B ]
	# Inside a scope no name is special.
	mkdir "$MNT/.batch/B/p/s/.batch"
	touch "$MNT/.batch/B/p/s/.batch/.control" keep
	rm -rf "$MNT/.batch/B"
	[ -z "$(ls "$MNT/.batch")" ]
	[ "$(ls -A)" = keep ]
	[ "$(find "$MNT" -name B)" = "" ]
}

@test "of a batch with much in it nothing is found any more when its commit is answered" {
	python3 - "$MNT/.batch/B" <<'END_OF_PYTHON'
import errno, os, sys
batch = sys.argv[1]
os.mkdir(batch)
os.mkdir(batch + "/p/s/d")
inside = os.open(batch + "/p/s/d", os.O_RDONLY)
count = 20000
for i in range(count):
    os.close(os.open("k%d" % i, os.O_WRONLY | os.O_CREAT, dir_fd=inside))
for i in range(count):
    os.stat("k%d" % i, dir_fd=inside)
files = [os.open("k%d" % i, os.O_RDONLY, dir_fd=inside) for i in range(200)]
for f in files:
    os.fstat(f)
scope = os.open(batch + "/p/s", os.O_PATH)
os.stat("d", dir_fd=scope)
os.chdir(batch + "/p")
os.stat("s/d/k1")
control = os.open(batch + "/.control", os.O_WRONLY)

def gone(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except OSError as e:
        return e.errno in (errno.ENOENT, errno.ESTALE)
    return False

os.write(control, b"commit")
# the last one first: what the kernel drops meanwhile is dropped in any order
checks = [gone(os.stat, "k%d" % (count - 1), dir_fd=inside),
          gone(os.stat, "k0", dir_fd=inside),
          gone(os.open, "k1", os.O_RDONLY, dir_fd=inside),
          gone(os.open, "new", os.O_WRONLY | os.O_CREAT, dir_fd=inside),
          gone(os.stat, "d", dir_fd=scope),
          gone(os.stat, "s/d/k1"), gone(os.listdir, "."),
          gone(os.stat, batch), gone(os.stat, batch + "/p/s/d/k2"),
          gone(os.listdir, inside), gone(os.fstat, inside)]
assert all(checks), checks
assert all(gone(os.fstat, f) for f in files)
assert all(gone(os.pread, f, 1, 0) for f in files)
assert all(gone(os.stat, "k%d" % i, dir_fd=inside) for i in range(count))
os.chdir("/")
assert "B" not in os.listdir(os.path.dirname(batch))
os.mkdir(batch)
assert len(os.listdir(batch + "/p/s/d")) == count
os.close(control)
assert os.stat(batch + "/p/s/d/k7").st_size == 0
os.rmdir(batch)
END_OF_PYTHON
	[ "$(find d -type f | wc -l)" = 20000 ]
}
