#!/usr/bin/env bats
# kill -9 in the middle of a backup, by the tool and through the mount: nothing
# that looks finished is there unless it is whole, and the next backup is made and
# takes away what was left.
# timeout: 300 s

bats_require_minimum_version 1.5.0
load mount

# What is seen of a backup while it is made, in this order.
MOMENTS=(.new.partial .new.partial/wal .new.partial/seg/1.seg
	.new.partial/val/1.val .new.partial/MANIFEST-1 .new.partial/backup.json)

setup() {
	mount_prepare
	B=$DB.backups
	aedb put "$DB" p
	aedb put "$DB" p/s
	head -c 20000000 /dev/urandom >"$DIR/large"
	for i in 1 2 3 4 5; do aedb put "$DB" p/s "k$i" <"$DIR/large"; done
	aedb backup full "$DB" first
}
teardown() { mount_cleanup; }

# kill_at MOMENT KILLED ENDS: as soon as that is there, or a process has ended.
kill_at() {
	until [ -e "$B/$1" ] || process_is_gone "$3"; do :; done
	kill -KILL "$2" 2>/dev/null || true
}

# After one was killed: 1 is added to middle, unless it had ended before.
left_check() {
	aedb backup verify "$DB"
	if [ -e "$B/new" ]; then
		rm -r "$B/new"
		return
	fi
	[ "$(aedb backup list --json "$DB" |
		jq -r 'select(.state == "finished").backup')" = first ]
	middle=$((middle + 1))
}

# The next one, of either kind, and a restore.
next_is_whole() {
	local kind=$1
	aedb backup "$kind" "$DB" next
	[ "$(cd "$B" && find . -mindepth 1 -maxdepth 1 | sort | xargs)" = \
		'./LOCK ./first ./next' ]
	aedb backup verify "$DB"
	aedb restore "$B/next" --to "$DIR/restored"
	aedb get "$DIR/restored" p/s k5 | cmp - "$DIR/large"
	rm -r "$B/next" "$DIR/restored"
}

tool_killed_at() {
	local pid
	aedb backup full "$DB" new 3>&- &
	pid=$!
	kill_at "$1" $pid $pid
	wait $pid || true
}

mount_killed_at() {
	local pid writer
	mount_start
	pid=$(mount_pid)
	{ echo backup full new >"$MNT/.control"; } 2>/dev/null 3>&- &
	writer=$!
	kill_at "$1" "$pid" "$writer"
	wait $writer || true
	kill -KILL "$pid" 2>/dev/null || true
	wait_for 20 process_is_gone "$pid"
	mount_detach "$MNT"
}

# killed_in_turn FUNCTION: at each moment; most of them are met in the middle.
killed_in_turn() {
	local moment kind=full middle=0
	for moment in "${MOMENTS[@]}"; do
		"$1" "$moment"
		left_check
		next_is_whole $kind
		[ $kind = full ] && kind=incremental || kind=full
	done
	echo "$middle of ${#MOMENTS[@]} in the middle"
	# the machine may let one end before it is killed, but hardly all
	[ $middle -gt 0 ]
}

@test "the tool is killed in the middle of a backup" {
	killed_in_turn tool_killed_at
}

@test "the daemon is killed in the middle of a backup" {
	killed_in_turn mount_killed_at
}
