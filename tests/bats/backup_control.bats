#!/usr/bin/env bats
# Backups made through the mount: the commands, what `.backup` has then, and what
# comes of it when it is restored.
# timeout: 300 s

bats_require_minimum_version 1.5.0
load mount

setup() {
	scope_setup
	B=$MNT/.backup
}
teardown() { scope_teardown; }

control() { echo "$*" >"$MNT/.control"; }

# restore NAME: mounts what the backup has, at $DIR/restored/mnt.
restore() {
	mkdir -p "$DIR/restored/mnt"
	aedb restore "$DB.backups/$1" --to "$DIR/restored/db"
	aedbfs "$DIR/restored/db" "$DIR/restored/mnt" 3>&- 4>&-
}

@test "a full backup is what was there, and is whole" {
	mkdir dir
	echo one >k
	seq 100000 >dir/large
	setfattr -n user.note -v text k
	control backup full first
	[ "$(ls -A "$B")" = first ]
	[ "$(jq -r .kind "$B/first/backup.json")" = full ]
	grep -q 'command 1 done .*backup full first: first: to commit ' "$MNT/.status"
	control backup verify first
	echo later >k
	restore first
	[ "$(cat "$DIR/restored/mnt/p/s/k")" = one ]
	seq 100000 | cmp - "$DIR/restored/mnt/p/s/dir/large"
	[ "$(getfattr --only-values -n user.note "$DIR/restored/mnt/p/s/k")" = text ]
}

@test "an incremental backup has what came since, and is restored with its parent" {
	head -c 3000000 /dev/urandom >large
	control backup full
	echo one >k
	rm large
	control backup incremental
	echo two >k
	control backup incremental last
	backups=("$B"/*)
	[ ${#backups[@]} = 3 ]
	[ "$(du -sk "$B/last" | cut -f1)" -lt 1000 ]
	restore last
	[ "$(ls -A "$DIR/restored/mnt/p/s")" = k ]
	[ "$(cat "$DIR/restored/mnt/p/s/k")" = two ]
}

@test "what cannot be done is refused, and nothing is left of it" {
	run ! control backup incremental
	grep -q 'backup incremental: ENOENT: ' "$MNT/.status"
	control backup full a
	run ! control backup full a
	grep -q 'backup full a: EEXIST: ' "$MNT/.status"
	for name in ../b a/b . .. .x "$(printf 'a%0200d' 1)"; do
		run ! control backup full "$name"
	done
	run ! control backup
	run ! control backup full a b
	run ! control backup verify
	run ! control backup verify none
	run ! control backup daily
	[ "$(cd "$DB.backups" && echo .[!.]* *)" = '.[!.]* LOCK a' ]
	[ "$(cd "$DIR" && echo *)" = 'db db.backups mnt' ]
}

@test "damage of a backup is told with the file it is in" {
	seq 100000 >k
	control backup full a
	chmod u+w "$DB.backups/a/backup.json"
	file=$(cd "$DB.backups/a" && find seg val -type f -size +4k | head -1)
	[ -n "$file" ]
	cp "$DB.backups/a/$file" "$DIR/copy"
	printf X | dd of="$DIR/copy" bs=1 seek=5000 conv=notrunc status=none
	mv "$DIR/copy" "$DB.backups/a/$file"
	run ! control backup verify a
	grep -q "backup verify a: EBADMSG: .*$file" "$MNT/.status"
	seq 100000 | cmp - k
}

@test "a backup goes on beside changes, and ends at its head" {
	for i in $(seq 200); do echo "$i" >"k$i"; done
	control backup full a &
	backup=$!
	for i in $(seq 200); do echo "new $i" >"k$i"; done
	wait "$backup"
	restore a
	cd "$DIR/restored/mnt/p/s"
	keys=(*)
	[ ${#keys[@]} = 200 ]
	# what is new is so from the first key on: one state, and no mixture
	state=new
	for i in $(seq 200); do
		case $(cat "k$i") in
		"new $i") [ $state = new ] ;;
		"$i") state=old ;;
		*) false ;;
		esac
	done
}

@test "others than the owner and root may not make any" {
	[ "$(id -u)" = 0 ] || skip "only root can become another user"
	cd /
	mount_stop
	mount_start -o allow_other
	run ! setpriv --reuid=65534 --clear-groups sh -c \
		'echo backup full x >"$1"' sh "$MNT/.control"
	run ! setpriv --reuid=65534 --clear-groups ls "$B"
	[ ! -e "$DB.backups" ]
}
