#!/usr/bin/env bats
# rsync, tar, cpio, zip and cp: into the mount, out of it and within it; names
# that need care, sparse files, attributes, owners, copies that are interrupted.
# timeout: 300 s

bats_require_minimum_version 1.5.0
load mount

setup_file() {
	mount_prepare "$BATS_FILE_TMPDIR"
	mount_start
	mkdir -p "$MNT/p/s"
	export SCOPE=$MNT/p/s SOURCE=$DIR/source
	make_source
}

teardown_file() { mount_cleanup "$BATS_FILE_TMPDIR"; }

setup() { cd "$SCOPE" || return 1; }
teardown() { cd /; }

make_names() {
	python3 - <<'PYTHON'
import os
names = [b"%", b"%%", b"a%00", b"%00", b"%.", b"%empty", b"%2500", b"%+REST",
         b"a.", b"a..", b"...", b"x" * 255, b"%" * 255, "ä".encode() * 127,
         b"new\nline", b"\xff\xfe", b"-rf", b"--delete", b" first", b"last ",
         b"tab\t", b"q\"'`$", b"back\\slash", b"100%", b"a:b", b"*?["]
for i, name in enumerate(names):
    with open(b"names/" + name, "wb") as f:
        f.write(name + b" %d" % i)
    if name != b"%":
        os.mkdir(b"directories/" + name)
        with open(b"directories/" + name + b"/key", "wb") as f:
            f.write(name)
PYTHON
}

make_source() {
	mkdir -p "$SOURCE/names" "$SOURCE/directories"
	cd "$SOURCE" || return 1
	make_names
	mkdir linux
	cp -a /usr/include/linux/{can,netfilter,usb} linux
	cp -a /usr/share/zoneinfo/Europe zones
	mkfifo pipe
	ln -s nowhere dangling
	ln -s ../linux zones/link
	head -c 3000000 /dev/urandom >large
	truncate -s 32M sparse
	printf here | dd of=sparse bs=1 seek=15000000 conv=notrunc status=none
	: >empty
	[ "$(id -u)" != 0 ] || chown -R 1234:4321 linux/can
	chmod 4750 linux/can/raw.h
	chmod 2711 zones
	setfattr -n user.note -v 'of a file' large
	setfattr -n user.note -v 'of a directory' zones
	touch -d '1969-01-01 00:00:00.123456789 UTC' zones/Berlin
	touch -d '2040-01-01 00:00:00.999999999 UTC' zones/Paris
	find . -type d -exec touch -d '2002-02-02 00:00:00.25 UTC' '{}' +
	touch -h -d '2001-01-01 00:00:00.5 UTC' dangling pipe zones/link
	cd /
}

# Content, links, types, modes, owners, sizes, times, attributes.
is_copy() {
	diff -r --no-dereference --exclude=pipe "$1" "$2"
	diff <(shape "$1") <(shape "$2")
}
shape() (
	cd "$1" || return 1
	find . ! -type d -printf '%P %y %m %U %G %s %l %T@\n' | sort
	find . -type d -printf '%P %m %U %G %T@\n' | sort
	getfattr -hRd -m user . 2>/dev/null | grep -v '^#' | sort
)

# is_in_step OPTION... FROM TO: nothing is left to transfer.
is_in_step() {
	quietly rsync -aXi "$@" >"$DIR/transferred"
	diff /dev/null "$DIR/transferred"
}

@test "rsync copies in, within and out, and then finds nothing to do" {
	quietly rsync -aX "$SOURCE/" in/
	is_in_step "$SOURCE/" in/
	is_in_step --checksum "$SOURCE/" in/
	is_copy "$SOURCE" in
	quietly rsync -aX in/ within/
	is_in_step in/ within/
	is_copy in within
	quietly rsync -aX in/ "$DIR/out/"
	is_in_step in/ "$DIR/out/"
	is_in_step "$SOURCE/" "$DIR/out/"
	is_copy "$SOURCE" "$DIR/out"
}

# Differs from the source in the middle, at the end and in size.
spoil() {
	printf 'something longer than it was' >"$1/names/100%"
	printf zero | dd of="$1/large" bs=1 seek=2000000 conv=notrunc status=none
	truncate -s 100 "$1/linux/can/bcm.h"
	echo more >>"$1/linux/can/gw.h"
	touch -d 2000-01-01 "$1/names/100%" "$1/large" "$1/linux/can/bcm.h" "$1/linux/can/gw.h"
}

@test "rsync repairs a copy in each of its ways" {
	mkdir temporary
	for option in --whole-file --no-whole-file --inplace '--inplace --no-whole-file' \
		--delay-updates --sparse '-S --inplace' --preallocate --partial-dir=.partial \
		"--temp-dir=$SCOPE/temporary" --checksum; do
		spoil in
		# shellcheck disable=SC2086 # several options
		quietly rsync -aX $option "$SOURCE/" in/
		is_in_step --checksum "$SOURCE/" in/
	done
	is_copy "$SOURCE" in
	[ -z "$(ls -A temporary)" ]
	quietly rsync -rtX --fsync "$SOURCE/linux/" in/linux/
}

@test "rsync keeps holes into the mount and out of it" {
	rm in/sparse
	quietly rsync -aXS "$SOURCE/" in/
	cmp in/sparse "$SOURCE/sparse"
	[ "$(stat -c %b in/sparse)" -lt 1000 ]
	quietly rsync -aXS in/sparse "$DIR/out-sparse"
	[ "$(stat -c %b "$DIR/out-sparse")" -lt 1000 ]
}

@test "rsync appends what is missing, with a check of the rest or without" {
	for option in --append --append-verify; do
		truncate -s 1000000 in/large
		touch -d 2000-01-01 in/large
		quietly rsync -aX $option "$SOURCE/" in/
		cmp in/large "$SOURCE/large"
		is_in_step "$SOURCE/" in/
	done
	printf zero | dd of=in/large bs=1 seek=500000 conv=notrunc status=none
	truncate -s 1000000 in/large
	touch -d 2000-01-01 in/large
	rsync -aX --append-verify "$SOURCE/" in/
	cmp in/large "$SOURCE/large"
}

@test "rsync deletes what is gone and keeps backups of what it replaces" {
	mkdir -p in/extra/deep
	echo one >in/extra/deep/key
	printf other >'in/names/100%'
	quietly rsync -aX --delete --backup --backup-dir="$SCOPE/backups" "$SOURCE/" in/
	[ ! -e in/extra ]
	is_copy "$SOURCE" in
	[ "$(cat backups/extra/deep/key 'backups/names/100%')" = $'one\nother' ]
}

@test "hard links: rsync -H says that it cannot make them, --link-dest copies" {
	mkdir "$DIR/linked"
	echo one >"$DIR/linked/a"
	ln "$DIR/linked/a" "$DIR/linked/b"
	run rsync -aH "$DIR/linked/" linked/
	[ "$status" = 23 ]
	[[ $output == *"Operation not permitted"* ]]
	quietly rsync -a "$DIR/linked/" linked/
	[ "$(cat linked/a linked/b)" = $'one\none' ]
	quietly rsync -aX --link-dest="$SCOPE/in" "$SOURCE/" next/
	is_copy "$SOURCE" next
	rm -r next
}

@test "rsync goes on where it was interrupted" {
	head -c 30000000 /dev/urandom >"$DIR/long"
	rsync -a --partial --bwlimit=2m "$DIR/long" . 2>"$DIR/warnings" 3>&- & copying=$!
	# rsync keeps what it has of a file only if that is some of its data
	wait_for 20 grep -q '^aedb_staged_bytes [1-9][0-9]\{5\}' "$MNT/.metrics"
	kill -TERM $copying
	wait $copying || true
	# the process that receives ends by itself
	wait_for 20 test -e long
	[ "$(stat -c %s long)" -lt 30000000 ]
	[ -z "$(ls -d .long.* 2>/dev/null)" ]
	quietly rsync -a --partial --no-whole-file "$DIR/long" .
	cmp long "$DIR/long"
	is_in_step "$DIR/long" .
}

@test "cp -a copies in, within and out" {
	quietly cp -a "$SOURCE" cp-in
	is_copy "$SOURCE" cp-in
	quietly cp -a cp-in cp-within
	is_copy cp-in cp-within
	quietly cp -a cp-within "$DIR/cp-out"
	is_copy "$SOURCE" "$DIR/cp-out"
	rm -r cp-within
}

@test "tar keeps holes, attributes, owners and names, appends and replaces" {
	quietly tar --xattrs -C cp-in -cSf "$DIR/out.tar" .
	mkdir tar-in
	export TAR_OPTIONS=--warning=no-timestamp
	quietly tar --xattrs -C tar-in -xpf "$DIR/out.tar"
	is_copy "$SOURCE" tar-in
	[ "$(stat -c %b tar-in/sparse)" -lt 1000 ]
	quietly tar --xattrs -C tar-in -xp --overwrite -f "$DIR/out.tar"
	chmod 4750 tar-in/linux/can/raw.h	# tar drops that anywhere
	is_copy "$SOURCE" tar-in
	quietly tar -C tar-in -cf in.tar linux
	echo later >tar-in/linux/added.h
	touch -d '+1 hour' tar-in/linux/added.h
	quietly tar -C tar-in -uf in.tar linux
	quietly tar -C tar-in -df in.tar linux
	[ "$(tar -xOf in.tar linux/added.h)" = later ]
	rm tar-in/linux/added.h
}

# The device number is a new one at every mount.
@test "tar of a second level takes what changed, and nothing after a new mount" {
	export TAR_OPTIONS='--no-check-device --warning=no-timestamp'
	touch -d 2002-02-02 tar-in/zones/Paris	# and not in the future
	quietly tar -C tar-in -g "$DIR/level" -cf one.tar .
	cd /
	mount_stop
	mount_start
	cd "$SCOPE"
	tar -C tar-in -g "$DIR/level" -cvf two.tar . >"$DIR/taken"
	run ! grep -v '/$' "$DIR/taken"
	echo changed >tar-in/names/100%
	mv tar-in/linux/can/gw.h tar-in/linux/moved.h
	[ "$(tar -C tar-in -g "$DIR/level" -cvf three.tar . | grep -v '/$' | sort | xargs)" = \
		'./linux/moved.h ./names/100%' ]
	mkdir levels
	for archive in one two three; do
		quietly tar -C levels -g /dev/null -xf $archive.tar
	done
	diff -r --no-dereference --exclude=pipe tar-in levels
	rm -r levels
}

@test "hard links in an archive are an error that names them, and nothing else is" {
	tar -C "$DIR" -cf linked.tar linked
	mkdir from-tar
	run ! tar -C from-tar -xf linked.tar
	[[ $output == *"Cannot hard link to"*"Operation not permitted"* ]]
	[ "$(cat from-tar/linked/*)" = one ]
	(cd "$DIR" && find linked | cpio -o --quiet -H newc) >linked.cpio
	mkdir from-cpio
	run cpio -id --quiet -D from-cpio <linked.cpio
	[[ $output == *"cannot link"*"Operation not permitted"* ]]
}

@test "cpio and zip go out and in" {
	(cd tar-in && find linux zones -depth -print0 | quietly cpio -o0 --quiet -H newc) >linux.cpio
	mkdir cpio-in copied
	quietly cpio -idm --quiet -D cpio-in <linux.cpio
	diff -r tar-in/linux cpio-in/linux
	is_copy tar-in/zones cpio-in/zones || [ "$(id -u)" = 0 ]
	(cd cpio-in && find . -depth -print0 | quietly cpio -p0dm --quiet ../copied)
	diff -r --no-dereference cpio-in copied
	(cd tar-in && quietly zip -qry ../linux.zip linux zones)
	mkdir unzipped
	quietly unzip -q linux.zip -d unzipped
	diff -r --no-dereference tar-in/linux unzipped/linux
	diff -r --no-dereference tar-in/zones unzipped/zones
}

@test "after kill -9 of the daemon and a new mount rsync still finds nothing to do" {
	cd /
	mount_kill
	mount_start
	cd "$SCOPE"
	is_in_step "$SOURCE/" in/
	is_in_step --checksum "$SOURCE/" in/
	is_in_step in/ within/
	is_in_step in/ "$DIR/out/"
	is_copy "$SOURCE" in
	is_copy "$SOURCE" cp-in
}
