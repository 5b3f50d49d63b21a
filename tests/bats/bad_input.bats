#!/usr/bin/env bats
# What the mount says to bad input, bad disks and bad files: one message that
# names the thing, the right exit status, and nothing is lost.
# timeout: 200 s

bats_require_minimum_version 1.5.0
load mount

setup() {
	mount_prepare
	aedb put -p "$DB" p/s k value
}

teardown() {
	cd /
	mount_cleanup
}

needs_root() { [ "$(id -u)" = 0 ] || skip "needs root"; }

# Every file of the database but LOCK, by content.
sums() { (cd "$DB" && find . -type f ! -name LOCK -exec sha256sum {} + | sort); }

# refused STATUS TEXT… -- OPTION...: aedbfs fails so, in one line that has every
# TEXT, mounts nothing and leaves the database as it was.
refused() {
	local want=$1 texts=() text before
	shift
	while [ "$1" != -- ]; do
		texts+=("$1")
		shift
	done
	shift
	before=$(sums)
	run -"$want" --separate-stderr aedbfs "$@" "$DB" "$MNT" 3>&- 4>&-
	echo "$stderr"
	[ -z "$output" ]
	[[ ${stderr_lines[0]} == "aedbfs: "* ]]
	[ "${#stderr_lines[@]}" = 1 ] || [ "$want" = 2 ]
	for text in "${texts[@]}"; do
		[[ ${stderr_lines[0]} == *"$text"* ]]
	done
	run ! mountpoint -q "$MNT"
	[ "$(sums)" = "$before" ]
}

# The value is still there when the cause is gone.
nothing_is_lost() {
	mount_start
	[ "$(cat "$MNT/p/s/k")" = value ]
	echo more >"$MNT/p/s/more"
	mount_stop
	[ "$(aedb get "$DB" p/s k)" = value ]
}

# ---- options, names, permissions -------------------------------------------

@test "options with wrong values are named with the value" {
	refused 2 durability=fast -- -o durability=fast
	refused 2 sync_interval=0 -- -o sync_interval=0
	refused 2 sync_interval=ten -- -o sync_interval=ten
	refused 2 memory=many -- -o memory=many
	refused 2 history=1y -- -o history=1y,1G
	refused 2 history=TIME,BYTES -- -o history=1d
	refused 2 uid=-1 -- -o uid=-1
	refused 2 umask=9 -- -o umask=9
	refused 2 frobnicate -- -o ro,frobnicate
	refused 2 --frobnicate -- --frobnicate
	nothing_is_lost
}

@test "wrong names in the mount fail with a clear reason and leave nothing" {
	mount_start
	cd "$MNT"
	for name in a.b 'a b' ä .hidden; do
		run -1 mkdir "$name"
		[[ $output == *"$name"*"Invalid argument" ]]
		run -1 mkdir "p/$name"
		[[ $output == *"Invalid argument" ]]
	done
	run -1 mkdir "$(printf '%0129d' 0)"
	[[ $output == *"File name too long" ]]
	run -1 touch "p/s/$(printf '%0256d' 0)"
	[[ $output == *"File name too long" ]]
	run -1 touch file
	[[ $output == *"Operation not permitted" ]]
	run -1 touch p/file
	[[ $output == *"Operation not permitted" ]]
	run -1 mv p/s/k p/k
	run -1 mv p/s p/s/k
	[ "$(find . | sort | tr '\n' ' ')" = ". ./p ./p/s ./p/s/k " ]
	[ "$(cat p/s/k)" = value ]
}

@test "a database and a file in it without permission are named" {
	needs_root
	powerless() {
		run -3 setpriv --bounding-set=-dac_override,-dac_read_search \
			aedbfs "$DB" "$MNT" 3>&- 4>&-
		[ "${#lines[@]}" = 1 ]
		[[ $output == "aedbfs: "*"$1"*"ermission denied"* ]]
		run ! mountpoint -q "$MNT"
	}
	before=$(sums)
	chmod 000 "$DB"
	powerless "$DB"
	chmod 700 "$DB"
	chmod 000 "$DB/CURRENT"
	powerless CURRENT
	chmod 600 "$DB/CURRENT"
	[ "$(sums)" = "$before" ]
	nothing_is_lost
}

@test "a file in the place of the database or of the mount point is named" {
	echo text >"$DIR/file"
	run -1 aedbfs "$DIR/file" "$MNT" 3>&- 4>&-
	[[ $output == "aedbfs: "*"$DIR/file"* ]]
	[ "${#lines[@]}" = 1 ]
	run -1 aedbfs "$DB" "$DIR/file" 3>&- 4>&-
	[[ $output == "aedbfs: "*"$DIR/file"* ]]
	[ "$(cat "$DIR/file")" = text ]
	nothing_is_lost
}

@test "files that do not belong to the database are left alone" {
	echo mine >"$DB/notes"
	mkdir "$DB/wal/dir"
	echo mine >"$DB/val/dir.txt"
	mount_start
	head -c 1M /dev/urandom >"$MNT/p/s/large"
	mount_stop
	[ "$(cat "$DB/notes" "$DB/val/dir.txt")" = $'mine\nmine' ]
	[ -d "$DB/wal/dir" ]
	nothing_is_lost
}

# ---- who has it ------------------------------------------------------------

@test "whoever comes second is refused, and told who has it" {
	mount_start
	pid=$(mount_pid)
	mkdir "$DIR/other"
	for options in rw ro durability=full; do
		run -4 aedbfs -o $options "$DB" "$DIR/other" 3>&- 4>&-
		[ "${#lines[@]}" = 1 ]
		[[ $output == "aedbfs: "*"$DB"*"$pid"* ]]
	done
	for command in "get $DB p/s k" "put $DB p/s k new" "del $DB p/s k" "ls $DB"; do
		# shellcheck disable=SC2086 # words
		run -4 aedb $command
		[ "${#lines[@]}" = 1 ]
		[[ $output == "aedb: $DB: "* ]]
	done
	[ "$(cat "$MNT/p/s/k")" = value ]
	mount_stop
	nothing_is_lost
}

# ---- disks -----------------------------------------------------------------

# A small disk at DIR/disk that holds the database from now on.
disk_start() {
	needs_root
	mkdir "$DIR/disk"
	mount -t tmpfs -o "size=$1" none "$DIR/disk"
	DB=$DIR/disk/db
	aedb init "$DB"
	aedb put -p "$DB" p/s k value
}

@test "a read-only disk can be read with ro, and is named without" {
	disk_start 200M
	mount -o remount,ro "$DIR/disk"
	refused 3 "$DB" "ead-only" --
	mount_start -o ro
	[ "$(cat "$MNT/p/s/k")" = value ]
	run ! sh -c 'echo x >"$1"' sh "$MNT/p/s/k"
	[[ $output == *"Read-only file system"* ]]
	run ! rm "$MNT/p/s/k"
	[[ $output == *"Read-only file system"* ]]
	mount_stop
	mount -o remount,rw "$DIR/disk"
	nothing_is_lost
}

# Writes numbered values until one is refused with ENOSPC for good: a checkpoint
# makes room of what the log does not need any more. Prints how many were not.
# A real program is refused then too.
fill() {
	local n
	n=$(python3 - "$DIR/piece" "$MNT/p/s" <<'END'
import errno, sys, time
piece = open(sys.argv[1], "rb").read()
done = refused = 0
while done < 3000 and refused < 30:
    try:
        with open(f"{sys.argv[2]}/fill-{done + 1}", "wb", buffering=0) as f:
            f.write(piece)
        done += 1
        refused = 0
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
        refused += 1
        time.sleep(0.1)
print(done)
END
	)
	run ! cp "$DIR/piece" "$MNT/p/s/refused"
	[[ $output == *"No space left on device"* ]]
	rm -f "$MNT/p/s/refused"
	filled=$n
}

# As many are there as were not refused, whole, and nothing of the others.
fill_is_whole() {
	python3 - "$DIR/piece" "$MNT/p/s" "$filled" <<'END'
import os, sys
piece = open(sys.argv[1], "rb").read()
for i in range(1, int(sys.argv[3]) + 1):
    assert open(f"{sys.argv[2]}/fill-{i}", "rb").read() == piece, i
rest = [n for n in os.listdir(sys.argv[2]) if os.path.getsize(f"{sys.argv[2]}/{n}")]
assert len(rest) == int(sys.argv[3]) + 1, rest[-3:]
END
	[ "$(cat "$MNT/p/s/k")" = value ]
}

@test "on a full disk large values are refused with ENOSPC, and what was committed stays" {
	disk_start 260M
	head -c 1M /dev/urandom >"$DIR/piece"
	mount_start
	fill
	[ "$filled" -gt 10 ]
	fill_is_whole
	mount_kill
	mount_start -o ro
	fill_is_whole
	mount_stop
	mount -o remount,size=360M "$DIR/disk"
	mount_start
	fill_is_whole
	rm "$MNT/p/s/fill-1"
	mount_stop
	nothing_is_lost
	run -1 aedb get "$DB" p/s fill-1
	aedb get "$DB" p/s "fill-$filled" | cmp - "$DIR/piece"
}

@test "on a full disk small values are refused with ENOSPC, and what was committed stays" {
	disk_start 260M
	head -c 60K /dev/urandom >"$DIR/piece"
	mount_start
	head -c 1G /dev/zero >"$DIR/disk/filler" || true
	fill
	fill_is_whole
	rm "$DIR/disk/filler"
	mount_kill
	mount_start
	fill_is_whole
	echo again >"$MNT/p/s/again"
	mount_stop
	nothing_is_lost
	[ "$(aedb get "$DB" p/s again)" = again ]
}

@test "when a full disk has room again the mount goes on without a restart" {
	disk_start 260M
	head -c 1M /dev/urandom >"$DIR/piece"
	mount_start
	head -c 1G /dev/zero >"$DIR/disk/filler" || true
	fill
	rm "$DIR/disk/filler"
	fill_is_whole
	cp "$DIR/piece" "$MNT/p/s/again"
	cmp "$DIR/piece" "$MNT/p/s/again"
	mount_stop
	nothing_is_lost
}

@test "on a disk without any room a database is mounted, read and deleted from" {
	disk_start 260M
	aedb put "$DB" p/s gone value
	head -c 1G /dev/zero >"$DIR/disk/filler" || true
	mount_start
	[ "$(cat "$MNT/p/s/k")" = value ]
	run ! cp /bin/sh "$MNT/p/s/new"
	[[ $output == *"No space left on device"* ]]
	rm "$MNT/p/s/gone"
	mount_stop
	mount_start
	[ "$(ls "$MNT/p/s")" = k ]
	mount_stop
	rm "$DIR/disk/filler"
	nothing_is_lost
}

@test "a database that finds no room to start says so and is whole afterwards" {
	disk_start 260M
	: >"$DB/RESERVE" # what is kept back for that
	head -c 1G /dev/zero >"$DIR/disk/filler" || true
	refused 3 "$DB" "No space left on device" --
	mount_start -o ro
	[ "$(cat "$MNT/p/s/k")" = value ]
	mount_stop
	rm "$DIR/disk/filler"
	nothing_is_lost
}

# ---- files -----------------------------------------------------------------

# edit_header FILE OFFSET BYTE: one byte of a file's header, its checksum made
# right again.
edit_header() {
	python3 - "$@" <<'END'
import sys
path, offset, byte = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF

with open(path, "r+b") as f:
    header = bytearray(f.read(512))
    old = crc32c(header[:508]).to_bytes(4, "little")
    assert old == header[508:], "checksum not understood"
    header[offset] = byte
    header[508:] = crc32c(header[:508]).to_bytes(4, "little")
    f.seek(0)
    f.write(header)
END
}

# flip FILE OFFSET
flip() {
	local byte
	byte=$(xxd -s "$2" -l 1 -p "$1")
	printf '%b' "\\x$(printf '%02x' $((0x$byte ^ 0x55)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

newest() { find "$DB/$1" -type f -size +0 | sort -V | tail -1; }

# The log file with the last commit: the closing frame is in it too.
log_with_commits() {
	local file
	for file in $(find "$DB/wal" -name '*.wal' | sort -V); do
		aedb show "$file" | grep -q '^byte ' && echo "$file"
	done | tail -1
}

@test "a file of a newer format is named, with its version" {
	head -c 1M /dev/zero | tr '\0' x | aedb put "$DB" p/s large
	cp -r "$DB" "$DIR/saved"
	# older log files are kept only for who asks what was committed
	for file in $(cat "$DB/CURRENT") wal/$(cd "$DB/wal" && printf '%s\n' *.wal | sort -n | tail -1); do
		edit_header "$DB/$file" 8 9
		refused 5 "${file##*/}" "version 9" --
		run -5 aedb get "$DB" p/s k
		[[ $output == "aedb: $DB: "*"${file##*/}"*"version 9"* ]]
		cp "$DIR/saved/$file" "$DB/$file"
	done
	nothing_is_lost
}

@test "a value file of a newer format is named when it is needed" {
	head -c 1M /dev/zero | tr '\0' x | aedb put "$DB" p/s large
	file=$(newest val)
	edit_header "$file" 8 9
	run aedb get "$DB" p/s large
	[[ $status == [35] ]]
	[[ $output == "aedb: $DB: "*"${file##*/}"* ]]
	edit_header "$file" 8 1
	[ "$(aedb get "$DB" p/s large | tr -d x | wc -c)" = 0 ]
	nothing_is_lost
}

@test "an encrypted file and one of another database are named" {
	cp -r "$DB" "$DIR/saved"
	manifest=$(cat "$DB/CURRENT")
	edit_header "$DB/$manifest" 56 1
	refused 5 "$manifest" cipher --
	cp "$DIR/saved/$manifest" "$DB/$manifest"
	aedb init "$DIR/other"
	cp "$DIR/other/$(cat "$DIR/other/CURRENT")" "$DB/$manifest"
	refused 5 "$DB" --
	cp "$DIR/saved/$manifest" "$DB/$manifest"
	nothing_is_lost
}

@test "damage in the log is named with file and position, and nothing is thrown away" {
	mount_start
	for i in $(seq 50); do echo "$i" >"$MNT/p/s/n-$i"; done
	mount_stop
	log=$(log_with_commits)
	cp -r "$DB" "$DIR/saved"
	# in the first bytes, the middle and the payload of every eighth frame
	for at in $(aedb show "$log" | sed -n 's/^byte \([0-9]*\):.*/\1/p' | head -n -2 |
		awk 'NR % 8 == 1 { print $1 + 1; print $1 + 20; print $1 + 42 }'); do
		flip "$log" "$at"
		refused 5 "${log##*/}" --
		[[ ${stderr_lines[0]} =~ ${log##*/}.*[0-9]{4} ]]
		flip "$log" "$at"
	done
	nothing_is_lost
	for i in $(seq 50); do
		[ "$(aedb get "$DB" p/s "n-$i")" = "$i" ]
	done
}

@test "damaged headers, a missing log file and a missing manifest are named" {
	cp -r "$DB" "$DIR/saved"
	log=$(log_with_commits)
	manifest=$DB/$(cat "$DB/CURRENT")
	flip "$log" 40
	refused 5 "${log##*/}" --
	flip "$log" 40
	flip "$manifest" 20
	refused 5 "${manifest##*/}" --
	flip "$manifest" 20
	flip "$manifest" 12292	# in the first edit
	refused 5 "${manifest##*/}" --
	flip "$manifest" 12292
	mv "$manifest" "$DIR/away"
	refused 5 "${manifest##*/}" --
	mv "$DIR/away" "$manifest"
	mv "$log" "$DIR/away"
	refused 5 "${log##*/}" --
	mv "$DIR/away" "$log"
	echo nonsense >"$DB/CURRENT"
	refused 5 CURRENT --
	cp "$DIR/saved/CURRENT" "$DB/CURRENT"
	nothing_is_lost
}

@test "a damaged value is EIO where it is damaged, and nothing else is" {
	mount_start
	head -c 1M /dev/urandom >"$DIR/large"
	cp "$DIR/large" "$MNT/p/s/large"
	cp "$DIR/large" "$MNT/p/s/other"
	mount_stop
	file=$(newest val)
	flip "$file" $((4096 + 500000))
	mount_start
	run ! cat "$MNT/p/s/large" "$MNT/p/s/other" >/dev/null
	run cmp "$DIR/large" "$MNT/p/s/large"
	first=$status
	run cmp "$DIR/large" "$MNT/p/s/other"
	[ $((first + status)) -gt 0 ]
	[ "$first" = 0 ] || [ "$status" = 0 ]
	[ "$(cat "$MNT/p/s/k")" = value ]
	mount_stop
	run aedb get "$DB" p/s large
	first=$status
	run aedb get "$DB" p/s other
	[ $((first + status)) = 5 ]
	flip "$file" $((4096 + 500000))
	mount_start
	cmp "$DIR/large" "$MNT/p/s/large"
	cmp "$DIR/large" "$MNT/p/s/other"
}
