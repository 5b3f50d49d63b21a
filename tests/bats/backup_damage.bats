#!/usr/bin/env bats
# Backups that somebody, or a disk, changed: refused before anything is made of them.
load mount
bats_require_minimum_version 1.5.0

setup() {
	mount_prepare
	cd "$DIR" || return 1
}

teardown() {
	mount_cleanup
}

random() {
	head -c "$1" /dev/urandom
}

# A full one, two of the log, and one of the files.
make_chain() {
	aedb put db p
	aedb put db p/s
	random 100000 | aedb put db p/s large
	aedb put db p/s k1 one
	aedb backup full db b1
	random 70000 | aedb put db p/s large2
	aedb snapshot create db named
	aedb backup incremental db b2
	aedb del db p/s k1
	aedb put db p/s k2 two
	aedb backup incremental db b3
	mount_start -o backup_log=0,log_keep=0
	random 80000 >"$MNT/p/s/large3"
	aedb umount "$MNT"
	aedb put db p/s k3 three
	aedb backup incremental db b4
	[ "$(aedb backup list --json db | jq -r .form | xargs)" = 'files log log files' ]
}

@test "whatever was done to a file of a chain is refused, with its name" {
	make_chain
	timeout 100 python3 "$BATS_TEST_DIRNAME/backup_damage.py" db.backups b3 b1 b2
	rm -r db.backups.*
	timeout 100 python3 "$BATS_TEST_DIRNAME/backup_damage.py" db.backups b4
}

@test "of parents only what a restore needs must be whole" {
	make_chain
	needed=$(jq -r '.files[] | select(.stored != "here") | .path' db.backups/b4/backup.json |
		head -n 1)
	cp -r db.backups set
	file=$(echo set/b*/"$needed")
	[ -f "$file" ]
	printf x | dd of="$file" bs=1 seek=5000 conv=notrunc status=none
	fails 5 "$needed" aedb restore set/b4 --to=r
	[ ! -e r ]
	rm -r set
	cp -r db.backups set
	printf x >>set/b3/wal/10.wal
	fails 5 'b3: wal/10.wal' aedb backup verify set b4
	fails 5 'b3: wal/10.wal' aedb restore set/b3 --to=r
	aedb restore set/b4 --to=r
	[ "$(aedb ls r p/s | xargs)" = 'k2 k3 large large2 large3' ]
}
