#!/usr/bin/env bats
# The text files at the mount's root: commands, status, metrics, changes.
# timeout: 200 s

bats_require_minimum_version 1.5.0
load mount

setup() { scope_setup; }
teardown() { scope_teardown; }

# control COMMAND: its answer; fails as the write does, with the errno's name as
# the answer.
control() {
	python3 - "$MNT/.control" "$1" <<'END'
import errno, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
try:
    os.write(fd, sys.argv[2].encode())
except OSError as e:
    print(errno.errorcode[e.errno])
    sys.exit(1)
while piece := os.read(fd, 65536):
    sys.stdout.write(piece.decode())
END
}

# The newest line of .status about commands.
last_command() { grep -m1 '^command ' "$MNT/.status"; }

@test "a command has run when write returns, and its answer follows on the same descriptor" {
	echo value >k
	run -0 control checkpoint
	[[ $output =~ ^checkpoint\ ([0-9]+)$ ]]
	grep -qx "visible_seq ${BASH_REMATCH[1]}" "$MNT/.status"
	run -0 control sync
	[[ $output =~ ^durable\ [0-9]+$ ]]
	run -0 control compact
	[[ $output == *" bytes before, "*" now" ]]
	run -0 control help
	[[ $output == *"snapshot create NAME"* ]]
	echo sync >"$MNT/.control"
	echo value >k
	[ "$(grep '^visible_seq' "$MNT/.status" | cut -d' ' -f2)" -gt 0 ]
}

@test "several commands on one descriptor are answered in their order" {
	exec {fd}<>"$MNT/.control"
	echo help >&"$fd"
	echo sync >&"$fd"
	answer=$(timeout 10 cat <&"$fd")
	echo checkpoint >&"$fd"
	[[ $(timeout 10 cat <&"$fd") == "checkpoint "* ]]
	exec {fd}>&-
	[[ $answer == "help "*"durable "* ]]
}

@test "a wrong command is refused with EINVAL, its reason, and no effect" {
	for wrong in " " nonsense "checkpoint now" "cancel" "cancel x" \
		"cancel 99" "snapshot" "snapshot create" "snapshot create a b" \
		"backup" "backup full a b" "backup now" "grant x" "revoke x" $'sync\nsync' $'sync\n\n' \
		$'\x01' "changes -1" "changes 1x"; do
		run -1 control "$wrong"
		[ "$output" = EINVAL ]
		[[ $(last_command) == *" failed "*EINVAL:\ * ]]
	done
	run -1 control "snapshot create $(printf 'x%.0s' {1..129})"
	[ "$output" = ENAMETOOLONG ]
	run -1 control "snapshot create a/b"
	[ "$output" = EINVAL ]
	run -1 control "snapshot delete none"
	[ "$output" = ENOENT ]
	head -c 1048576 /dev/zero >"$DIR/zeros"
	run -1 dd if="$DIR/zeros" of="$MNT/.control" bs=1M status=none conv=notrunc
	[[ $output == *"Invalid argument"* ]]
	[ -z "$(ls -A "$MNT/.snap")" ]
}

@test "a snapshot made and deleted by command is there and gone at once" {
	echo one >k
	echo "snapshot create A" >"$MNT/.control"
	[ "$(cat "$MNT/.snap/A/p/s/k")" = one ]
	run -1 control "snapshot create A"
	[ "$output" = EEXIST ]
	exec {fd}<"$MNT/.snap/A/p/s/k"
	echo "snapshot delete A" >"$MNT/.control"
	[ ! -e "$MNT/.snap/A" ]
	[ ! -e "$MNT/.snap/A/p/s/k" ]
	[ "$(cat <&"$fd")" = one ]
	exec {fd}<&-
	mkdir "$MNT/.snap/A"
	echo "snapshot delete A" >"$MNT/.control"
	run ! ls "$MNT/.snap/A"
}

@test "status keeps what failed, numbered, with the reason" {
	run ! mkdir "$MNT/p/bad name"
	grep -q '^failure [0-9]* failed .* mkdir: EINVAL: scope name "bad name"' \
		"$MNT/.status"
	# A reason is that of this failure, not of one before it.
	run ! mkdir "$MNT/.batch/a b"
	grep -q '^failure [0-9]* failed .* mkdir: EINVAL$' "$MNT/.status"
	mkdir "$MNT/.batch/B"
	touch "$MNT/.batch/B/p/s/k"
	exec {fd}<"$MNT/.batch/B/p/s/k"
	rmdir "$MNT/.batch/B"
	run ! head -c 1 <&"$fd"
	exec {fd}<&-
	grep -q '^failure [0-9]* failed .* read: ESTALE' "$MNT/.status"
	run -1 control "snapshot delete none"
	grep -q '^command 1 failed .* uid 0: snapshot delete none: ENOENT' \
		"$MNT/.status"
}

@test "status is UTF-8, whatever bytes a command had" {
	run ! bash -c "printf 'cancel \\xff\\xc3\\xa4\\xc3' >'$MNT/.control'"
	iconv -f UTF-8 -t UTF-8 "$MNT/.status" >/dev/null
	[[ "$(last_command)" == *'EINVAL: "\377ä\303" is no number' ]]
}

@test "changes are one JSON object a line, in order, and end at the head" {
	echo value >k
	mkdir d
	echo other >d/e
	mv k "$(printf 'x\377')"
	rm d/e
	mkdir "$MNT/p/t"
	python3 - "$MNT/.changes" "$MNT" <<'END'
import base64, json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert [l["seq"] for l in lines] == sorted(l["seq"] for l in lines)
what = [(l["op"], l.get("path")) for l in lines]
for want in [("create", "p"), ("create", "p/s"), ("put", "p/s/k"),
             ("put", "p/s/d/e"), ("move", "p/s/k"), ("delete", "p/s/d/e"),
             ("create", "p/t")]:
    what = what[what.index(want) + 1:]
move = next(l for l in lines if l["op"] == "move")
assert base64.b64decode(move["to_path_base64"]) == b"p/s/x\xff"
assert lines[-1]["path"] == "p/t"
END
}

@test "a feed asked for by command goes on with what comes, from any number" {
	echo one >k
	python3 - "$MNT" <<'END'
import json, os, sys
mnt = sys.argv[1]
fd = os.open(mnt + "/.control", os.O_RDWR)
def read():
    text = b""
    while piece := os.read(fd, 4096):
        text += piece
    return [json.loads(line) for line in text.splitlines()]
os.write(fd, b"changes")
lines = read()
assert any(l.get("path") == "p/s/k" for l in lines)
assert read() == []
for i in range(100):
    open(f"{mnt}/p/s/n{i}", "w").write("x")
    new = [l for l in read() if l["op"] == "put" and "key" in l]
    assert [l["path"] for l in new] == [f"p/s/n{i}"], new
commit = new[-1]["commit"]
os.write(fd, b"changes %d" % commit)
assert read()[-1]["commit"] == commit
os.write(fd, b"changes %d" % (commit + 1))
assert read() == []
END
}

@test "the four files survive cp, rsync, grep -r, wc and tar, and are stable while open" {
	for i in {1..200}; do echo "$i" >"k$i"; done
	mkdir "$DIR/copies"
	for file in .control .status .metrics .changes; do
		timeout 20 cp "$MNT/$file" "$DIR/copies/"
		timeout 20 rsync -a "$MNT/$file" "$DIR/copies/rsync/"
		timeout 20 wc "$MNT/$file"
		timeout 20 grep -c . "$MNT/$file" || true
		timeout 20 tar -cf "$DIR/copies/tar" -C "$MNT" "$file"
	done
	[ -s "$DIR/copies/rsync/.changes" ]
	[ "$(wc -l <"$MNT/.changes")" -ge 200 ]
	timeout 20 grep -r nothing-there "$MNT" || [ $? = 1 ]
	exec {fd}<"$MNT/.changes"
	before=$(sha256sum <&"$fd")
	echo more >k1
	[ "$(python3 -c 'import os, sys
fd = int(sys.argv[1]); text = b""
while piece := os.pread(fd, 1000, len(text)): text += piece
sys.stdout.buffer.write(text)' "$fd" | sha256sum)" = "$before" ]
	exec {fd}<&-
	[ "$(ls -A "$MNT")" = p ]
}

@test "metrics are Prometheus's text, and count" {
	python3 - "$MNT" <<'END'
import sys
def metrics():
    values = {}
    for line in open(sys.argv[1] + "/.metrics"):
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in values
            values[name] = float(value)
    return values
before = metrics()
for i in range(10):
    open(f"{sys.argv[1]}/p/s/k{i}", "w").write("x" * 1000)
after = metrics()
assert after["aedb_commits_total"] >= before["aedb_commits_total"] + 10
assert after["aedb_keys"] == before["aedb_keys"] + 10
assert after["aedb_user_bytes_total"] >= before["aedb_user_bytes_total"] + 10000
assert after["aedb_visible_seq"] > before["aedb_visible_seq"]
assert 'aedb_level_segments{level="0"}' in after
END
}

@test "who waits for a command can be interrupted, and another one runs beside it" {
	for i in {1..40}; do head -c 1M /dev/urandom >"k$i"; done
	python3 - "$MNT" <<'END'
import os, signal, subprocess, sys, time
mnt = sys.argv[1]
code = "import os,sys; fd=os.open(sys.argv[1],os.O_WRONLY); os.write(fd,b'compact')"
for sig in (signal.SIGINT, signal.SIGKILL, signal.SIGTERM):
    child = subprocess.Popen([sys.executable, "-c", code, mnt + "/.control"],
                             stderr=subprocess.DEVNULL)
    fd = os.open(mnt + "/.control", os.O_RDWR)
    os.write(fd, b"sync")
    assert os.read(fd, 100).startswith(b"durable")
    os.close(fd)
    child.send_signal(sig)
    child.wait(timeout=60)
END
	wait_for 60 sh -c "! grep -q '^command .* running' '$MNT/.status'"
	echo after >k1
	[ "$(cat k1)" = after ]
}

@test "a running compaction is ended by its number, and unmounting ends it" {
	python3 - "$MNT" <<'END'
import errno, os, re, sys, threading
mnt = sys.argv[1]
for i in range(20000):
    open(f"{mnt}/p/s/key{i}", "wb").write(os.urandom(100))
outcomes = []
def compact():
    fd = os.open(mnt + "/.control", os.O_WRONLY)
    try:
        os.write(fd, b"compact")
        outcomes.append(0)
    except OSError as e:
        outcomes.append(e.errno)
for attempt in range(100):
    open(mnt + "/p/s/key1", "wb").write(os.urandom(100))
    thread = threading.Thread(target=compact)
    thread.start()
    while thread.is_alive():
        running = re.search(r"^command (\d+) running .*compact",
                            open(mnt + "/.status").read(), re.M)
        if running:
            fd = os.open(mnt + "/.control", os.O_WRONLY)
            try:
                os.write(fd, b"cancel " + running[1].encode())
            except OSError as e:
                assert e.errno == errno.EINVAL
            os.close(fd)
    thread.join()
    assert outcomes[-1] in (0, errno.ECANCELED), outcomes
    if outcomes[-1]:
        break
assert outcomes[-1] == errno.ECANCELED, outcomes
END
	grep -q '^command .* failed .* compact: ECANCELED: ' "$MNT/.status"
	run -0 control compact
	cd /
	(echo compact >"$MNT/.control" || true) &
	wait_for 20 grep -q '^command .* running .*compact' "$MNT/.status" || true
	mount_detach "$MNT"
	wait
	wait_for 20 aedb verify "$DB"
}

@test "other users see metrics only" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	cd /
	mount_stop
	mount_start -o allow_other
	cd "$MNT"
	nobody() { run setpriv --reuid=1234 --regid=5678 --clear-groups "$@"; }
	for file in .status .changes .control; do
		nobody cat "$file"
		[[ $status == 1 && $output == *"Permission denied"* ]]
	done
	nobody sh -c 'echo checkpoint >.control'
	[[ $status != 0 && $output == *"Permission denied"* ]]
	nobody mkdir .snap/A
	[[ $status == 1 && $output == *"Permission denied"* ]]
	nobody cat .metrics
	[[ $status == 0 && $output == *aedb_keys* ]]
	run ! grep checkpoint .status
	# asking for its attributes does not make the text that only others get
	nobody stat -c %s .status
	[ "$output" = 0 ]
	[ "$(stat -c %s .status)" -gt 0 ]
	# whoever looked the name up: who may open it reads it
	run -0 python3 - <<-'END'
		import os
		os.seteuid(1234)
		found = os.open(".status", os.O_PATH)
		os.seteuid(0)
		assert b"visible_seq" in open(f"/proc/self/fd/{found}", "rb").read()
	END
	cd /
}
