#!/usr/bin/env bats
# Values and numbers of keys far over the memory budget.
# timeout: 240 s

bats_require_minimum_version 1.5.0
load mount

STRESS=$AEDB_BUILD/tests/stress
MIB=1048576

setup() {
	mount_prepare
	cd "$DIR" || return 1
}

teardown() {
	cd /
	mount_cleanup
}

# mount_with MEMORY-MIB: a mount with that budget and a scope, S.
mount_with() {
	mount_start -o "memory=$1M"
	S=$MNT/p/s
	mkdir -p "$S"
}

# stays_within MIB: what the daemon had resident at most is not over the budget,
# beside the program itself. Other builds take other memory.
stays_within() {
	local kib
	[ -z "${MODE-}" ] || [ "$MODE" = release ] || return 0
	kib=$(awk '/^VmHWM/ { print $2 }' "/proc/$(mount_pid)/status")
	echo "resident at most: $kib KiB"
	[ "$kib" -le $((($1 + 8) * 1024)) ]
}

# count DIRECTORY: its entries.
count() { find "$1" -mindepth 1 -maxdepth 1 | wc -l; }

# Bytes the daemon has had the kernel write to the disk.
written_bytes() {
	awk '/^write_bytes/ { w = $2 } /^cancelled/ { w -= $2 } END { print w }' \
		"/proc/$(mount_pid)/io"
}

# overwrite FILE OTHER COUNT: 4 KiB at random places of both, with an fsync of
# the first after each.
overwrite() {
	python3 - "$@" <<-'EOF'
	import os, random, sys
	file, other, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
	pages = os.path.getsize(other) // 4096
	f, o = os.open(file, os.O_RDWR), os.open(other, os.O_RDWR)
	for i in range(count):
	    at, new = random.randrange(pages) * 4096, os.urandom(4096)
	    assert os.pwrite(f, new, at) == os.pwrite(o, new, at) == 4096
	    os.fsync(f)
	os.close(f)
	EOF
}

@test "128 MiB go in and out of 8 MiB of memory; 4 KiB changed write little" {
	head -c $((128 * MIB)) /dev/urandom >plain
	mount_with 8
	cp plain "$S/big"
	cmp plain "$S/big"
	before=$(written_bytes)
	overwrite "$S/big" plain 100
	each=$((($(written_bytes) - before) / 100))
	echo "$each bytes written for each 4 KiB"
	[ "$each" -le 65536 ]
	cmp plain "$S/big"
	stays_within 8
	mount_kill
	mount_start -o memory=8M
	cmp plain "$S/big"
	stays_within 8
}

@test "three streams at once and a reader of an older version stay within the memory" {
	for i in 1 2 3; do head -c $((24 * MIB)) /dev/urandom >plain$i; done
	mount_with 8
	cp plain1 "$S/a"
	exec 5<"$S/a"
	cmp - plain1 <&5 & reader=$!
	for i in 1 2 3; do cp plain$i "$S/b$i" & copiers[i]=$!; done
	cp plain2 "$S/a"
	for job in "$reader" "${copiers[@]}"; do wait "$job"; done
	exec 5<&-
	for i in 1 2 3; do cmp plain$i "$S/b$i"; done
	cmp plain2 "$S/a"
	stays_within 8
}

@test "what many files held that were written at once is given back when they are closed" {
	[ -z "${MODE-}" ] || [ "$MODE" = release ] || skip "other memory in a build for checks"
	mount_with 16
	python3 - "$S" <<-'EOF'
	import os, resource, sys
	resource.setrlimit(resource.RLIMIT_NOFILE, [resource.getrlimit(resource.RLIMIT_NOFILE)[1]] * 2)
	os.chdir(sys.argv[1])
	files = [os.open(f'k{i}', os.O_CREAT | os.O_RDWR) for i in range(900)]
	for f in files:
	    os.write(f, os.urandom(60000))
	for f in files:
	    os.close(f)
	EOF
	is_small() { [ "$(awk '/^RssAnon/ { print $2 }' "/proc/$(mount_pid)/status")" -le $((32 * 1024)) ]; }
	wait_for 60 is_small
	find "$S" -type f -size -60001c -size +59999c | wc -l | grep -qx 900
}

@test "the space of a large file comes back soon after rm, among many small keys" {
	mount_with 16
	mount_stop
	"$STRESS/fill" "$DB" p s 100000
	mount_start -o memory=16M
	head -c $((320 * MIB)) /dev/urandom >"$S/d050/large"
	mount_stop
	mount_start -o memory=16M
	[ "$(du -sm "$DB/val" | cut -f1)" -ge 320 ]
	rm "$S/d050/large"
	is_free() { [ "$(du -sm "$DB/val" | cut -f1)" -le 32 ]; }
	wait_for 60 is_free
	[ "$(count "$S/d050")" = 1000 ]
}

@test "100,000 keys under 4 MiB of memory: list, read, edit, rename, remove, also after a kill" {
	mount_with 4
	mount_stop
	"$STRESS/fill" "$DB" p s 100000
	mount_start -o memory=4M
	cd "$S"
	ls d050 >"$DIR/listing"
	[ "$(wc -l <"$DIR/listing")" = 1000 ]
	[ "$(cat d051/user:0051500)" = value ]
	echo new >d051/user:0051501
	sed -i s/value/edited/ d051/user:0051502
	vim -es -c 's/$/ of vim/' -c wq d051/user:0051503
	mv d052 moved
	rm -r d053
	ls -lR d06? >"$DIR/listing"
	[ "$(grep -c user: "$DIR/listing")" = 10000 ]
	cd "$DIR"
	stays_within 4
	mount_kill
	mount_start -o memory=4M
	cd "$S"
	[ "$(cat d051/user:0051501)" = new ]
	[ "$(cat d051/user:0051502)" = edited ]
	[ "$(cat d051/user:0051503)" = 'value of vim' ]
	[ "$(count .)" = 99 ]
	[ "$(count moved)" = 1000 ]
	[ "$(find . -type f | wc -l)" = 99000 ]
	cd "$DIR"
	stays_within 4
}

@test "a directory too large for one commit of the memory budget is not renamed" {
	mount_with 1
	mount_stop
	"$STRESS/fill" "$DB" p s 8000 8000
	mount_start -o memory=1M
	run -1 python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$S/d000" "$S/moved"
	[[ $output == *"Invalid cross-device link"* ]]
	[ "$(count "$S/d000")" = 8000 ]
	stays_within 1
	mount_stop
	mount_start
	python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$S/d000" "$S/moved"
	[ "$(ls "$S")" = moved ]
	[ "$(count "$S/moved")" = 8000 ]
}

@test "a checkpoint is made in the background after as many operations as the option says" {
	mount_start -o checkpoint_ops=1000
	mkdir -p "$MNT/p/s"
	cd "$MNT/p/s"
	for i in {1..200}; do echo "$i" >"k$i"; done
	[ -z "$(ls -A "$DB/seg")" ]
	for i in {201..600}; do echo "$i" >"k$i"; done
	has_segment() { [ -n "$(ls -A "$DB/seg")" ]; }
	wait_for 60 has_segment
}
