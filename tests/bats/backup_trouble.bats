#!/usr/bin/env bats
# Backups and restores when the disk is full, when what they work on vanishes, and
# several at once: each says what was wrong, leaves nothing, and can be had again.
# timeout: 300 s
bats_require_minimum_version 1.5.0
load mount

setup() {
	mount_prepare
	cd "$DIR" || return 1
	aedb put -p db p/s
	head -c 6000000 /dev/urandom >large
	aedb put db p/s k1 <large
	aedb put db p/s k2 <large
}
teardown() {
	cd /
	mount_cleanup
}

# In a mount namespace of its own, with 8 MB at small/.
on_a_small_disk() {
	needs_namespaces
	mkdir -p small
	cat >common <<-'SCRIPT'
		mount -t tmpfs -o size=8m none small
		# fails TEXT COMMAND...
		fails() {
			local text=$1 status=0
			shift
			timeout 60 "$@" >out 2>&1 || status=$?
			[ "$status" = 3 ] && grep -q "$text" out || { cat out; exit 1; }
		}
		empty() { [ -z "$(find small -mindepth 1 ! -name LOCK ! -path small/b)" ] || { find small; exit 1; }; }
		room() { mount -o remount,size=60m small; }
	SCRIPT
	unshare -m bash -euc ". ./common; $1"
}

@test "a backup for which the disk has no room leaves nothing and is made when it has" {
	on_a_small_disk '
		fails "No space" aedb backup full --to=small/b db x
		empty
		room
		aedb backup full --to=small/b db x
		aedb backup verify small/b'
	aedb verify db
}

@test "a restore for which the disk has no room leaves nothing and is made when it has" {
	aedb backup full db x
	on_a_small_disk '
		fails "No space" aedb restore db.backups/x --to=small/r
		empty
		fails "No space" aedb restore db.backups/x --to=small
		empty
		room
		aedb restore db.backups/x --to=small
		aedb get small p/s k2 | cmp - large'
}

@test "an archive for which the disk has no room leaves nothing, packed and unpacked" {
	aedb backup full db x
	aedb backup archive db.backups/x file
	on_a_small_disk '
		fails "No space" aedb backup archive db.backups/x small/file
		empty
		fails "No space" aedb restore file --to=small/r
		empty
		fails "No space" aedb restore file --to=small
		empty
		TMPDIR=$PWD/small aedb backup verify file
		empty
		room
		aedb restore file --to=small
		aedb get small p/s k1 | cmp - large'
}

@test "a directory of backups that vanishes meanwhile ends the backup, and no more" {
	local ended=0 i
	for i in 1 2 3 4 5 6 7 8; do
		aedb backup full db "b$i" >out 2>&1 3>&- &
		backup=$!
		until [ -e "db.backups/.b$i.partial/val" ] || process_is_gone $backup; do :; done
		# files are added meanwhile
		until rm -rf db.backups 2>/dev/null; do :; done
		status=0
		wait $backup || status=$?
		[ "$status" -lt 128 ]
		if [ "$status" != 0 ]; then
			ended=$((ended + 1))
			[ -s out ]
		fi
		rm -rf db.backups
	done
	[ $ended -gt 0 ]
	aedb verify db
	aedb backup full db again
	aedb backup verify db again
}

@test "backups that vanish while they are read are missed, and nothing is made of them" {
	local i status
	aedb backup full db a
	cp -r db.backups whole
	for i in 1 2 3 4 5 6; do
		rm -rf set
		cp -r whole set
		aedb restore set/a --to=r >out 2>&1 3>&- &
		restore=$!
		until [ -e .r.restoring ] || process_is_gone $restore; do :; done
		rm -rf set/a
		status=0
		wait $restore || status=$?
		[ "$status" -lt 128 ]
		[ ! -e .r.restoring ]
		if [ "$status" = 0 ]; then
			aedb get r p/s k2 | cmp - large
		else
			[ ! -e r ]
		fi
		rm -rf r
	done
}

@test "of backups at the same time, by the tool and the mount, each is whole or refused" {
	local i status
	mount_start
	for i in 1 2 3 4 5 6; do
		aedb backup full mnt "m$i" >"out$i" 2>&1 3>&- &
		echo $! >"pid$i"
	done
	aedb init other
	for i in 7 8 9; do
		aedb backup full --to=db.backups other "o$i" >"out$i" 2>&1 3>&- &
		echo $! >"pid$i"
	done
	for i in 1 2 3 4 5 6 7 8 9; do
		status=0
		wait "$(cat "pid$i")" || status=$?
		[ "$status" = 0 ] || [ "$status" = 4 ] || { cat "out$i"; false; }
		echo "$status" >"status$i"
	done
	aedb umount mnt
	[ "$(aedb backup list --json db | jq -r .state | sort -u)" = finished ]
	[ "$(aedb backup list db | wc -l)" = "$(cat status* | grep -c '^0$')" ]
	aedb backup verify db
}
