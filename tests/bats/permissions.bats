#!/usr/bin/env bats
# -o secure: users of a mount may what is granted to them, beside what modes say.

load users

ANN=1001 BOB=1002

setup() { users_setup; }
teardown() { users_teardown; }

@test "who has nothing sees nothing, whether it is there or not, also behind root's back" {
	# root has looked everything up just before
	ls -lR "$MNT" >/dev/null
	cat "$MNT/p/s/inbox/a"
	[ "$(as $ANN ls "$MNT")" = "" ]
	denied $ANN ls "$MNT/p"
	denied $ANN ls "$MNT/none"
	denied $ANN cat "$MNT/p/s/inbox/a"
	denied $ANN cat "$MNT/p/s/inbox/none"
	denied $ANN stat "$MNT/p/s"
	denied $ANN stat "$MNT/p/none"
	denied $ANN mkdir "$MNT/mine"
	denied $ANN mkdir "$MNT/p/mine"
	denied $ANN rm "$MNT/p/other/c"
	[ "$(cat "$MNT/p/other/c")" = three ]
}

@test "a prefix that may be read is read and listed, and nothing beside it" {
	aedb grant "$MNT" kv-read p/s/inbox/ uid:$ANN
	[ "$(as $ANN cat "$MNT/p/s/inbox/a")" = one ]
	[ "$(as $ANN find "$MNT" | sort)" = "$MNT
$MNT/p
$MNT/p/s
$MNT/p/s/inbox
$MNT/p/s/inbox/a" ]
	denied $ANN cat "$MNT/p/s/private/b"
	denied $ANN ls "$MNT/p/s/private"
	denied $ANN ls "$MNT/p/other"
	denied $ANN sh -c "echo x >$MNT/p/s/inbox/a"
	denied $ANN sh -c "echo x >$MNT/p/s/inbox/new"
	denied $ANN rm "$MNT/p/s/inbox/a"
	denied $ANN truncate -s 0 "$MNT/p/s/inbox/a"
	denied $ANN touch "$MNT/p/s/inbox/a"
	run as $ANN chmod 777 "$MNT/p/s/inbox/a"
	[ "$status" -ne 0 ]
	denied $ANN mv "$MNT/p/s/inbox/a" "$MNT/p/s/inbox/b"
	denied $BOB cat "$MNT/p/s/inbox/a"
	aedb revoke "$MNT" kv-read p/s/inbox/ uid:$ANN
	denied $ANN cat "$MNT/p/s/inbox/a"
	[ "$(as $ANN ls "$MNT")" = "" ]
}

@test "who may write may write there alone, and not read" {
	aedb grant "$MNT" kv-write p/s/inbox/ uid:$ANN
	as $ANN sh -c "echo new >$MNT/p/s/inbox/new"
	as $ANN mkdir "$MNT/p/s/inbox/sub"
	as $ANN sh -c "echo deep >$MNT/p/s/inbox/sub/x"
	[ "$(cat "$MNT/p/s/inbox/new" "$MNT/p/s/inbox/sub/x")" = "new
deep" ]
	denied $ANN cat "$MNT/p/s/inbox/new"
	denied $ANN sh -c "echo x >$MNT/p/s/out"
	denied $ANN mkdir "$MNT/p/s/out"
	denied $ANN mv "$MNT/p/s/inbox/new" "$MNT/p/s/inbox/newer"
	aedb grant "$MNT" kv-read p/s/inbox/ uid:$ANN
	as $ANN mv "$MNT/p/s/inbox/new" "$MNT/p/s/inbox/newer"
	denied $ANN mv "$MNT/p/s/inbox/newer" "$MNT/p/s/newer"
	as $ANN mv "$MNT/p/s/inbox/sub" "$MNT/p/s/inbox/under"
	as $ANN rm -r "$MNT/p/s/inbox/under" "$MNT/p/s/inbox/newer"
	[ "$(ls "$MNT/p/s/inbox")" = a ]
}

@test "modes count, too" {
	umount "$MNT"
	wait_for 20 eval '! mount_pid >/dev/null'
	mount_start -o secure,allow_other
	chmod 755 "$MNT/p" "$MNT/p/s" "$MNT/p/s/inbox"
	chmod 600 "$MNT/p/s/inbox/a"
	aedb grant "$MNT" kv-read p uid:$ANN
	denied $ANN cat "$MNT/p/s/inbox/a"
	chmod 644 "$MNT/p/s/inbox/a"
	[ "$(as $ANN cat "$MNT/p/s/inbox/a")" = one ]
}

@test "administrators make and drop, and own what they made" {
	aedb grant "$MNT" project-admin p uid:$ANN
	as $ANN mkdir "$MNT/p/mine"
	as $ANN sh -c "echo k >$MNT/p/mine/k"
	denied $ANN mkdir "$MNT/new"
	denied $ANN mkdir "$MNT/q/mine"
	aedb revoke "$MNT" project-admin p uid:$ANN
	[ "$(as $ANN cat "$MNT/p/mine/k")" = k ]
	denied $ANN cat "$MNT/p/s/inbox/a"
	aedb grants "$MNT" | grep -qx "owner p/mine to uid:$ANN"
	as $ANN rm "$MNT/p/mine/k"
	as $ANN rmdir "$MNT/p/mine"
	run aedb grants "$MNT"
	[[ $output != *p/mine* ]]
}

@test "each administrator changes and renames what it is for, and nothing around it" {
	aedb grant "$MNT" scope-admin p/s uid:$ANN
	as $ANN touch "$MNT/p/s"
	as $ANN setfattr -n user.x -v y "$MNT/p/s"
	denied $ANN mv "$MNT/p/s" "$MNT/p/t"
	denied $ANN touch "$MNT/p"
	denied $ANN rmdir "$MNT/p/other"
	as $ANN rm -r "$MNT/p/s"
	[ "$(ls "$MNT/p")" = other ]
	aedb grant "$MNT" project-admin p uid:$ANN
	as $ANN touch "$MNT/p"
	as $ANN mv "$MNT/p/other" "$MNT/p/another"
	denied $ANN mv "$MNT/p/another" "$MNT/q/another"
	denied $ANN mv "$MNT/p" "$MNT/r"
	denied $ANN touch "$MNT"
	aedb grant "$MNT" global-admin / uid:$ANN
	as $ANN touch "$MNT"
	as $ANN mv "$MNT/p" "$MNT/r"
	as $ANN mkdir "$MNT/new"
	as $ANN rm -r "$MNT/r" "$MNT/q"
	[ "$(ls "$MNT")" = new ]
}

@test "a prefix may be of every scope of a project, and of part of a name" {
	echo four >"$MNT/p/other/inside"
	echo five >"$MNT/p/other/out"
	aedb grant "$MNT" kv-read p//in uid:$ANN
	[ "$(cd "$MNT" && as $ANN find p | sort)" = "p
p/other
p/other/inside
p/s
p/s/inbox
p/s/inbox/a" ]
	[ "$(as $ANN cat "$MNT/p/other/inside" "$MNT/p/s/inbox/a")" = "four
one" ]
	denied $ANN cat "$MNT/p/other/out"
	denied $ANN ls "$MNT/q"
}

@test "a batch is its owner's, and its commit is decided by what that one may then" {
	aedb grant "$MNT" kv-write p/s/inbox/ uid:$ANN
	aedb grant "$MNT" kv-read p/s/inbox/ uid:$ANN
	as $ANN mkdir "$MNT/.batch/b"
	as $ANN sh -c "echo batch >$MNT/.batch/b/p/s/inbox/in"
	denied $ANN sh -c "echo batch >$MNT/.batch/b/p/s/out"
	denied $ANN cat "$MNT/.batch/b/p/other/c"
	denied $BOB ls "$MNT/.batch/b/"
	aedb revoke "$MNT" kv-write p/s/inbox/ uid:$ANN
	run as $ANN sh -c "echo commit >$MNT/.batch/b/.control"
	[ "$status" -ne 0 ]
	tail -n 1 "$MNT/.status" | grep -q "permission denied"
	[ ! -e "$MNT/p/s/inbox/in" ]
	aedb grant "$MNT" kv-write p/s/inbox/ uid:$ANN
	as $ANN sh -c "echo commit >$MNT/.batch/b/.control"
	[ "$(cat "$MNT/p/s/inbox/in")" = batch ]
}

@test "snapshots show a user what it may read now" {
	mkdir "$MNT/.snap/one"
	denied $ANN cat "$MNT/.snap/one/p/s/inbox/a"
	aedb grant "$MNT" kv-read p/s/inbox/ uid:$ANN
	[ "$(as $ANN cat "$MNT/.snap/one/p/s/inbox/a")" = one ]
	denied $ANN cat "$MNT/.snap/one/p/s/private/b"
	[ "$(as $ANN ls "$MNT/.snap/one/p/s")" = inbox ]
	aedb revoke "$MNT" kv-read p/s/inbox/ uid:$ANN
	denied $ANN cat "$MNT/.snap/one/p/s/inbox/a"
}

@test "commands say what is wrong, and grants last and are listed" {
	run aedb grant "$MNT" kv-fly p uid:1
	[ "$status" -eq 2 ]
	run aedb grant "$MNT" kv-read none uid:1
	[ "$status" -ne 0 ]
	run aedb revoke "$MNT" kv-read p uid:1
	[ "$status" -ne 0 ]
	denied $ANN sh -c "echo grant kv-read p to uid:$ANN >$MNT/.control"
	echo "grant kv-read p/s/a to b/ to uid:7" >"$MNT/.control"
	aedb grant "$MNT" table-ddl p uid:7
	[ "$(aedb grants "$MNT" | grep uid:7)" = "table-ddl p to uid:7
kv-read p/s/a to b/ to uid:7" ]
	grep -q "grant kv-read p/s/a to b/ to uid:7" "$MNT/.status"
	umount "$MNT"
	wait_for 20 eval '! mount_pid >/dev/null'
	aedb grant "$DB" global-admin / uid:8
	aedb revoke "$DB" table-ddl p uid:7
	aedb grants --json "$DB" | jq -e 'select(.to == "uid:8") | .right == "global-admin"'
	[ "$(aedb grants "$DB" | grep uid:7)" = "kv-read p/s/a to b/ to uid:7" ]
}

@test "without the option grants change nothing" {
	umount "$MNT"
	wait_for 20 eval '! mount_pid >/dev/null'
	mount_start -o allow_other,umask=000
	[ "$(as $ANN cat "$MNT/p/s/inbox/a")" = one ]
	as $ANN sh -c "echo x >$MNT/p/s/inbox/a"
}
