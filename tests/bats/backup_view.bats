#!/usr/bin/env bats
# `.backup`: what is in the backup directory, for reading.
# timeout: 120 s

bats_require_minimum_version 1.5.0
load mount

setup() {
	scope_setup
	B=$MNT/.backup
}
teardown() { scope_teardown; }

# make_backup NAME: a directory with all that one has.
make_backup() {
	mkdir -p "$DB.backups/$1/seg"
	echo '{}' >"$DB.backups/$1/backup.json"
	head -c 300001 /dev/urandom >"$DB.backups/$1/seg/000001.seg"
}

@test "without a backup directory there is an empty one" {
	[ ! -e "$DB.backups" ]
	[ -z "$(ls -A "$B")" ]
	[ "$(stat -c '%F %a' "$B")" = 'directory 500' ]
	[ ! -e "$B/a" ]
	[[ $(ls -A "$MNT") != *.backup* ]]
}

@test "finished backups are shown with the bytes that they have" {
	make_backup a
	make_backup b
	[ "$(ls -A "$B")" = $'a\nb' ]
	diff -r "$DB.backups" "$B"
	cp -r "$B/a" "$DIR/copy"
	diff -r "$DB.backups/a" "$DIR/copy"
	[ "$(stat -c '%s %a' "$B/a/seg/000001.seg")" = '300001 400' ]
	[ "$(tail -c 100001 "$B/a/seg/000001.seg" | cksum)" = \
		"$(tail -c 100001 "$DB.backups/a/seg/000001.seg" | cksum)" ]
	tar -cf - -C "$B" b | tar -xf - -C "$DIR"
	diff -r "$DB.backups/b" "$DIR/b"
	rm -r "$DB.backups/a"
	[ "$(ls -A "$B")" = b ]
	[ ! -e "$B/a" ]
}

@test "what is no finished backup is not shown, nor what leads elsewhere" {
	make_backup a
	mkdir "$DB.backups/.c.partial" "$DB.backups/unfinished"
	echo '{}' >"$DB.backups/.c.partial/backup.json"
	echo text >"$DB.backups/file"
	ln -s a "$DB.backups/link"
	ln -s /etc "$DB.backups/a/etc"
	ln -s /etc/passwd "$DB.backups/a/passwd"
	mkfifo "$DB.backups/a/pipe"
	[ "$(ls -A "$B")" = a ]
	[ "$(ls -A "$B/a")" = $'backup.json\nseg' ]
	for name in .c.partial unfinished file link a/etc a/passwd a/etc/passwd \
		a/pipe; do
		[ ! -e "$B/$name" ]
	done
}

@test "nothing in it can be changed" {
	make_backup a
	run ! touch "$B/new"
	run ! mkdir "$B/new"
	run ! rm "$B/a/backup.json"
	run ! rmdir "$B/a/seg"
	run ! mv "$B/a" "$B/b"
	run ! ln -s x "$B/link"
	run ! chmod 777 "$B/a"
	run ! truncate -s 0 "$B/a/backup.json"
	run ! setfattr -n user.x -v y "$B/a"
	run ! bash -c 'echo >>"$1/a/backup.json"' _ "$B"
	run ! ln "$B/a/backup.json" here
	[ ! -e here ]
	echo k >k
	run ! mv k "$B/a/k"
	[ "$(cat k)" = k ]
	diff -r "$DB.backups" "$B"
}

@test "a backup directory in the mount or the database is refused" {
	cd /
	mount_stop
	run -2 aedbfs -o "backup_dir=$MNT/b" "$DB" "$MNT"
	[[ $output = *"$MNT/b: backups lie neither in the mount nor in the database" ]]
	run -2 aedbfs -o "backup_dir=$DB/b" "$DB" "$MNT"
	run -1 aedbfs -o "backup_dir=$DIR/missing/b" "$DB" "$MNT"
	run -2 aedbfs -o backup_dir= "$DB" "$MNT"
	# by other paths, too
	run -2 aedbfs -o "backup_dir=$MNT" "$DB" "$MNT"
	run -2 aedbfs -o "backup_dir=$MNT/../$(basename "$MNT")/b" "$DB" "$MNT"
	ln -s "$MNT" "$DIR/to_mount"
	run -2 aedbfs -o "backup_dir=$DIR/to_mount" "$DB" "$MNT"
	run -2 aedbfs -o "backup_dir=$DIR/to_mount/b" "$DB" "$MNT"
	run -2 aedbfs -o "backup_dir=$MNT/b" "$DB" "$DIR/to_mount"
	cd "$MNT"
	run -2 aedbfs -o backup_dir=b "$DB" .
	run -2 aedbfs -o backup_dir=./ "$DB" "$MNT"
	cd /
	# a link to what is not there now, and may be when it is mounted
	ln -s "$MNT/later" "$DIR/to_later"
	run -1 aedbfs -o "backup_dir=$DIR/to_later" "$DB" "$MNT"
	[[ $output = *"$DIR/to_later: a link to what is not there" ]]
	ln -s "$DIR/to_later" "$DB.backups"
	run -1 aedbfs "$DB" "$MNT"
	rm "$DB.backups"
	# where the mount would be a name in it
	run -2 aedbfs -o "backup_dir=$(dirname "$MNT")" "$DB" "$MNT"
	[[ $output = *": the mount would lie in the directory of backups" ]]
	make_backup a
	mv "$DB.backups" "$DIR/elsewhere"
	mount_start -o "backup_dir=$DIR/elsewhere"
	[ "$(ls -A "$B")" = a ]
}
