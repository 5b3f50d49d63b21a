#!/usr/bin/env bats
# aedb stats, checkpoint, compact and verify.
load mount
bats_require_minimum_version 1.5.0

setup() {
	mount_prepare
	cd "$DIR" || return 1
	aedb put -p db p/s small 'a value'
	head -c 20000 /dev/urandom >medium
	head -c 300000 /dev/urandom >large
	aedb put db p/s medium -f medium
	aedb put db p/s large -f large
}

teardown() {
	cd / && mount_cleanup
}

# stat_of FILTER: what jq makes of the statistics.
stat_of() {
	aedb stats --json db | jq "$1"
}

# The values are what setup put there.
reads_well() {
	[ "$(aedb get db p/s small)" = 'a value' ]
	aedb get db p/s medium | cmp - medium
	aedb get db p/s large | cmp - large
}

@test "a checkpoint moves what the log holds into segments" {
	[ "$(stat_of .segments)" = 0 ]
	[ "$(stat_of .checkpoint_seq)" = 0 ]
	local newest
	newest=$(stat_of .visible_seq)
	[ "$(aedb checkpoint db)" = "checkpoint $newest" ]
	[ "$(stat_of .segments)" = 1 ]
	[ "$(stat_of .checkpoint_seq)" = "$newest" ]
	[ "$(stat_of .keys)" = 3 ]
	[ "$(aedb checkpoint --json db)" = "{\"checkpoint_seq\":$newest}" ]
	reads_well
}

@test "compact gives back the space of what was deleted and overwritten" {
	local before after
	aedb put db p/s gone -f large
	aedb checkpoint db
	aedb put db p/s gone2 -f large
	aedb checkpoint db
	aedb del db p/s gone gone2
	read -r before after < <(aedb compact --json db |
		jq -r '"\(.bytes_before) \(.bytes_after)"')
	[ "$before" -gt 900000 ]
	[ "$after" -lt 400000 ]
	[ "$(stat_of '.segment_bytes + .value_bytes')" = "$after" ]
	[ "$(stat_of '[.levels[] | select(.segments > 0)] | length')" = 1 ]
	reads_well
	[[ $(aedb compact db) =~ ^[0-9.]+\ KiB\ before,\ [0-9.]+\ KiB\ now$ ]]
	reads_well
}

@test "stats tell sizes, levels and amplification as text and as JSON" {
	aedb compact db
	aedb put db p/s more x
	aedb checkpoint db
	aedb stats db >text
	grep -qE '^keys +4$' text
	grep -qE '^segments +[0-9.]+ KiB in 2$' text
	grep -qE '^  level 0 +[0-9.]+ KiB in 1$' text
	grep -qE '^value files +[0-9.]+ KiB, [0-9.]+ KiB of them live$' text
	grep -qE '^space amplification +1\.[0-9]+$' text
	grep -qE '^write amplification +-$' text
	aedb stats --json db >json
	jq -e '.keys == 4 and .segments == 2 and .write_amplification == null and
		.space_amplification >= 1 and .value_live_bytes > 320000 and
		(.levels | length) == 7 and .levels[0].segments == 1 and
		.wal_disk_bytes > 0 and .memory_bytes > 0' json
	jq -e '.metrics.visible_head_seq == .visible_seq and
		.metrics.startup_recovered_seq == .visible_seq and
		.metrics.estimated_memory_bytes > 0' json
}

@test "verify finds nothing in a whole database, at every stage of its life" {
	aedb init fresh
	aedb verify fresh
	aedb verify db
	aedb checkpoint db
	aedb put db p/s more -f medium
	aedb verify db >said
	grep -qE '^[0-9]+ files, [0-9.]+ KiB: [0-9]+ entries, 2 values, 1 commits in the log$' said
	[ "$(tail -n 1 said)" = 'no damage found' ]
	aedb compact db
	aedb verify db
	[ "$(aedb verify --json db | jq -c '[.findings, .harmless, .commits, .values]')" = '[0,0,0,3]' ]
}

# damage FILE OFFSET: changes a byte of the copy.
damage() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	# shellcheck disable=SC2059 # the byte
	printf "\\x$(printf %x $((byte ^ 0x55)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "verify names file and position of damage in every kind of file, with status 5" {
	aedb checkpoint db
	aedb put db p/s small 'another value'
	local file kind
	for kind in seg val wal MANIFEST-; do
		rm -rf copy
		cp -r db copy
		case $kind in
		MANIFEST-) file=$(cat copy/CURRENT) offset=12310 ;;
		wal)
			# the newest that holds a commit: none is needed before it
			file=$(cd copy && du -b wal/*.wal | awk '$1 > 4136' |
				sort -t/ -k2n | tail -1)
			file=wal/${file#*wal/} offset=4140
			;;
		*) file=$(cd copy && echo $kind/*.$kind) file=${file%% *} offset=4140 ;;
		esac
		damage "copy/$file" $offset
		run -5 --separate-stderr aedb verify copy
		[[ ${lines[0]} =~ ^"$file: "[0-9]+": "[a-z] ]]
		[[ $stderr == 'aedb: copy: damaged: '[1-9]*' finding'* ]]
		run -5 --separate-stderr aedb verify --json copy
		jq -e --arg file "$file" '.file == $file and .position > 0 and
			.harmless == false' <<<"${lines[0]}"
		jq -e '.status == 5' <<<"$stderr"
	done
}

@test "verify goes on after damage, and finds all of it" {
	aedb checkpoint db
	aedb put db p/s medium2 -f medium
	aedb checkpoint db
	damage db/seg/1.seg 4140
	damage db/seg/2.seg 4140
	run -5 aedb verify db
	[[ $output == *'seg/1.seg: 4096: '* ]]
	[[ $output == *'seg/2.seg: 4096: '* ]]
}

@test "files that nothing refers to are harmless, and named" {
	aedb checkpoint db
	echo left >db/seg/77.seg
	echo mine >db/letter
	aedb verify db >said
	grep -qx 'seg/77.seg: 0: harmless: nothing refers to it' said
	grep -qx 'letter: 0: harmless: nothing refers to it' said
	aedb verify --json db | jq -se 'length == 3 and .[0].harmless and
		.[2].harmless == 2 and .[2].findings == 0'
}

@test "all four name the process that has the database open, with status 4" {
	mkfifo pipe
	aedb put db p/s other <pipe 3>&- &
	exec 9>pipe
	wait_for 20 grep -qx $! db/LOCK
	for command in stats checkpoint compact verify; do
		run -4 aedb $command db
		[ "${#lines[@]}" = 1 ]
		[[ $output == "aedb: db: "*"$!"* ]]
	done
	exec 9>&-
	wait $!
}

@test "all four say of a mounted database where it is mounted" {
	mount_start
	for command in stats checkpoint compact verify; do
		run -4 aedb $command "$DB"
		[ "${#lines[@]}" = 1 ]
		[[ $output == "aedb: $DB: "*"it is mounted on $MNT: 'aedb umount' it first" ]]
	done
	run -4 aedb verify "$MNT"
	[ "$output" = "aedb: $MNT: it is in the mount of $DB: 'aedb umount' that first, and name its directory" ]
	aedb umount "$MNT"
	aedb verify "$DB"
	reads_well
}

@test "checkpoint and compact of a mount do the same, and say so" {
	mount_start
	echo value >"$MNT/p/s/more"
	newest=$(awk '$1 == "visible_seq" { print $2 }' "$MNT/.status")
	[ "$(aedb checkpoint "$MNT")" = "checkpoint $newest" ]
	[ "$(aedb checkpoint --json "$MNT/p/s")" = "{\"checkpoint_seq\":$newest}" ]
	[[ $(aedb compact "$MNT") == *" before, "*" now" ]]
	aedb compact --json "$MNT" | jq -e '.bytes_before > 0 and .bytes_after > 0'
	aedb status "$MNT" | grep -q '^command 4 done .* compact: '
	aedb stats "$MNT" | grep -qx 'keys  *4'
	aedb stats --json "$MNT" | jq -e --argjson seq "$newest" \
		'.visible_seq == $seq and .checkpoint_seq == $seq and .segments == 1 and
		(.levels | map(.segments) | add) == 1 and .metrics.current_seq == $seq and
		.metrics.commits_total > 0 and .metrics.avg_wal_append_micros > 0'
	aedb status --json "$MNT" |
		jq -e '.commands | map(.state) == ["done", "done", "done", "done"]'
	mkdir "$DIR/part"
	if mount --bind "$MNT/p" "$DIR/part" 2>/dev/null; then
		run -2 aedb checkpoint "$DIR/part"
		[[ $output == *"a part of the database only"* ]]
		umount "$DIR/part"
	fi
	run -2 aedb status db
	[[ $output == *"is not in a mounted database"* ]]
}

@test "changes of a mount and of a closed database are the same, and can be followed" {
	mount_start
	echo one >"$MNT/p/s/k1"
	mv "$MNT/p/s/k1" "$MNT/p/s/$(printf 'k\377')"
	aedb changes "$MNT" >"$DIR/mounted"
	aedb changes --json "$MNT" | jq -s -e '.[-1].op == "move"'
	grep -q ' put p/s k1$' "$DIR/mounted"
	grep -q ' move p/s k1 -> p/s base64:a/8=$' "$DIR/mounted"
	aedb changes --follow "$MNT" >"$DIR/followed" 3>&- &
	echo two >"$MNT/p/s/k2"
	wait_for 20 grep -q ' put p/s k2$' "$DIR/followed"
	kill $!
	wait $! || true
	aedb umount "$MNT"
	aedb changes "$DB" >"$DIR/closed"
	cmp <(head -n "$(wc -l <"$DIR/mounted")" "$DIR/closed") "$DIR/mounted"
	cmp "$DIR/followed" "$DIR/closed"
	[ -z "$(aedb changes --from 1000000 "$DB")" ]
	mount_start -o log_keep=0
	aedb checkpoint "$MNT"
	run -3 aedb changes --from 1 "$MNT"
	[[ $output == *"in the log any more" ]]
	aedb umount "$MNT"
	run -2 aedb changes --follow "$DB"
	run -2 aedb changes --from 0 "$DB"
}

@test "changes of rows and of keys with NULs are told of a mounted database as of a closed one" {
	aedb init "$DIR/rows"
	aedb put -p "$DIR/rows" p/s
	aedb table create "$DIR/rows" p/s t '{"columns":[{"name":"id","type":"u64"}],"key":["id"]}'
	aedb table put "$DIR/rows" p/s t '{"id":7}'
	aedb table put "$DIR/rows" p/s t '{"id":"18446744073709551615"}'
	aedb changes "$DIR/rows" >"$DIR/closed"
	grep -qF 'put p/s.tables/t [7]' "$DIR/closed"
	grep -qF 'put p/s.tables/t ["18446744073709551615"]' "$DIR/closed"
	mkdir "$DIR/other"
	aedbfs "$DIR/rows" "$DIR/other" 3>&- 4>&-
	aedb changes "$DIR/other" | diff "$DIR/closed" -
	aedb umount "$DIR/other"
}

@test "what is mounted read-only can be verified" {
	mount_start -o ro
	aedb verify "$DB"
	[ "$(stat_of .keys)" = 3 ]
	run -4 aedb compact "$DB"
}

@test "a signed database is opened with its key only, by every command and a mount" {
	head -c 32 /dev/urandom >key
	head -c 32 /dev/urandom >other
	aedb init --key-file=key signed
	aedb put --key-file key -p signed p/s k value
	[ "$(aedb get --key-file=key signed p/s k)" = value ]
	[ "$(aedb ls --key-file=key signed p/s)" = k ]
	[ "$(aedb scan --key-file=key signed p/s)" = k ]
	aedb mv --key-file=key signed p/s k l
	for command in stats checkpoint compact verify; do
		aedb $command --key-file=key signed
		run -3 aedb $command signed
		run -3 aedb $command --key-file=other signed
	done
	run -3 aedb get signed p/s l
	run -3 aedb put signed p/s l lost
	DB=$PWD/signed mount_start -o key_file=key
	[ "$(cat "$MNT/p/s/l")" = value ]
	aedb umount "$MNT"
	aedb del --key-file=key signed p/s l
	run -3 aedbfs signed "$MNT"
	run -3 aedbfs -o key_file=other signed "$MNT"
}

@test "a key file that cannot be one is refused, naming it" {
	head -c 15 /dev/urandom >short
	head -c 65 /dev/urandom >long
	for file in short long; do
		run -2 aedb verify --key-file=$file db
		[ "$output" = "aedb: $file: a key has 16 to 64 bytes" ]
	done
	run -1 aedb verify --key-file=missing db
	[ "$output" = "aedb: missing: not found" ]
	run -1 aedbfs -o key_file=missing db "$MNT"
	[[ $output == *"missing: No such file"* ]]
	run -1 aedbfs -o key_file=short db "$MNT"
	[[ $output == *"short: a key has 16 to 64 bytes" ]]
}

@test "wrong arguments and missing databases are told, and nothing is made" {
	for command in stats checkpoint compact verify; do
		run -2 aedb $command
		run -2 aedb $command db more
		run -3 aedb $command nodb
		[ "$output" = "aedb: nodb: there is no database here ('aedb init' makes one)" ]
		[ ! -e nodb ]
		run -3 bash -c "aedb $command db >/dev/full"
	done
}

@test "with a terminal the results are the same" {
	aedb verify db >plain
	timeout 60 script -qfec 'aedb verify db; echo "status $?"' terminal >/dev/null
	tr -d '\r' <terminal | sed 's/.*\x1b\[K//' | grep -v '^Script \|^$' >shown
	diff <(cat plain; echo 'status 0') shown
}
