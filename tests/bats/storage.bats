#!/usr/bin/env bats
# What the storage has to show on real disks: kills, full disks, space that comes
# back. The programs are in tests/stress.
# run: alone
# timeout: 300 s

bats_require_minimum_version 1.5.0
load mount

STRESS=$AEDB_BUILD/tests/stress

setup() { mount_prepare; }

teardown() {
	cd /
	if [ -n "${FILLER-}" ]; then kill "$FILLER" || true; fi
	mount_cleanup
}

@test "a database killed again and again under a mixed load is what was committed" {
	for memory in 16384 300000 4000000; do
		mkdir "$DIR/killed"
		"$STRESS/load_kill" "$DIR/killed" 5 $RANDOM $memory
		rm -r "$DIR/killed"
	done
}

# A disk of its own, of so many MiB, at $DIR/disk, with a database in a mount.
small_disk() {
	[ "$(id -u)" = 0 ] || skip "only root can make a small disk"
	DB=$DIR/disk/db SCOPE=$MNT/p/s
	mkdir "$DIR/disk"
	truncate -s "$1M" "$DIR/image"
	mkfs.ext4 -q "$DIR/image"
	mount -o loop "$DIR/image" "$DIR/disk" ||
		mount -t tmpfs -o "size=$1m" none "$DIR/disk"
	aedb init "$DB"
	mount_start -o memory=32M
	mkdir -p "$SCOPE"
}

# fill NAME BYTES: writes NAME-1 and on, until one does not fit; their number.
# The last fails with ENOSPC, and no part of it is there.
fill() {
	python3 - "$SCOPE/$1" "$2" <<'END'
import errno, os, random, sys
name, size, n = sys.argv[1], int(sys.argv[2]), 0
while True:
    path = f"{name}-{n + 1}"
    f = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        try:
            os.write(f, random.Random(n + 1).randbytes(size))
        finally:
            os.close(f)
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
        # that it was created may have fit, if write(2) was refused
        if os.path.exists(path):
            assert os.path.getsize(path) == 0
            os.unlink(path)
        print(n)
        break
    n += 1
END
}

# fits SIZE: a file of it can be written.
fits() { head -c "$1" /dev/urandom 2>/dev/null >"$SCOPE/again" && [ -s "$SCOPE/again" ]; }

# is_whole NAME BYTES FROM TO: the files that fill made are what it wrote.
is_whole() {
	python3 - "$SCOPE/$1" "$2" "$3" "$4" <<'END'
import random, sys
name, size, first, last = sys.argv[1], *map(int, sys.argv[2:])
for n in range(first, last + 1):
    with open(f"{name}-{n}", "rb") as f:
        assert f.read() == random.Random(n).randbytes(size), n
END
}

@test "a full disk: what does not fit fails, all else stays, rm makes room, also after a new mount" {
	small_disk 120
	n=$(fill large 400000)
	[ "$n" -gt 100 ]
	is_whole large 400000 1 "$n"
	seq -f "$SCOPE/large-%.0f" 1 $((n / 3)) | xargs rm
	wait_for 20 fits 2M
	m=$(fill more 400000)
	[ "$m" -gt $((n / 6)) ]
	mount_stop
	mount_start -o memory=32M
	is_whole large 400000 $((n / 3 + 1)) "$n"
	is_whole more 400000 1 "$m"
	rm "$SCOPE"/more-*
	wait_for 20 fits 2M
	is_whole large 400000 $((n / 3 + 1)) "$n"
}

@test "a full disk of small files: rm makes room for others" {
	small_disk 120
	mkdir "$SCOPE/d"
	n=$(fill d/small 10000)
	[ "$n" -gt 2000 ]
	seq -f "$SCOPE/d/small-%.0f" 1 3 "$n" | xargs rm
	local round=0 sum=0 counts=()
	# a twentieth fits again: the background makes room bit by bit
	more() {
		round=$((round + 1))
		counts+=("$(fill "d/more$round" 10000)")
		sum=$((sum + counts[-1]))
		[ "$sum" -gt $((n / 20)) ]
	}
	wait_for 40 more
	all_is_whole() {
		is_whole d/small 10000 2 3
		for i in "${!counts[@]}"; do
			is_whole "d/more$((i + 1))" 10000 1 "${counts[i]}"
		done
	}
	all_is_whole
	mount_kill
	mount_start -o memory=32M
	all_is_whole
	[ "$(find "$SCOPE/d" -name 'small-*' | wc -l)" = $((n - (n + 2) / 3)) ]
}

@test "a disk that another's file fills: rm and a new mount work, and all goes on once there is room" {
	small_disk 120
	head -c 5M /dev/urandom >"$SCOPE/kept"
	sum=$(cksum <"$SCOPE/kept")
	head -c 20M /dev/urandom >"$SCOPE/large"
	dd if=/dev/zero of="$DIR/disk/other" bs=64k status=none 2>/dev/null || true
	# more than is taken ahead of value files
	[ "$(fill small 3000000)" = 0 ]
	rm "$SCOPE/large"
	mount_stop
	dd if=/dev/zero of="$DIR/disk/another" bs=4k status=none 2>/dev/null || true
	mount_start
	[ "$(cksum <"$SCOPE/kept")" = "$sum" ]
	rm "$SCOPE/kept"
	rm "$DIR/disk"/*other
	wait_for 20 fits 5M
	[ "$(ls "$SCOPE")" = again ]
}

@test "of a database of which nine tenths are deleted the disk gets its part back" {
	for values in "100 100000" "4000 4000" "300000 100"; do
		# shellcheck disable=SC2086 # two arguments
		for how in "" snapshots overwritten background; do
			"$STRESS/regain" "$DIR/regain" $values $how
			rm -r "$DIR/regain"
		done
	done
}
