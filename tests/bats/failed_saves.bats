#!/usr/bin/env bats
# Which programs notice a save that fails at close: docs/failed-saves.md.

load mount

# A database on a disk of its own, so full that nothing can be committed.
setup() {
	[ "$(id -u)" = 0 ] || skip "only root can make a small disk"
	DIR=$BATS_TEST_TMPDIR MNT=$BATS_TEST_TMPDIR/mnt DB=$BATS_TEST_TMPDIR/disk/db
	mkdir "$DIR/disk" "$MNT"
	mount -t tmpfs -o size=4m none "$DIR/disk"
	aedb init "$DB"
	mount_start
	mkdir -p "$MNT/p/s/repo"
	echo old >"$MNT/p/s/k"
	git -C "$MNT/p/s/repo" init -q
	echo old >"$MNT/p/s/repo/file"
	dd if=/dev/zero of="$DIR/disk/fill" bs=4k 2>/dev/null || true
	for size in 50000 5000 500 50 1; do
		head -c $size /dev/zero >"$DIR/fill"
		while cp "$DIR/fill" "$MNT/p/s/fill" 2>/dev/null; do :; done
	done
}

teardown() { mount_cleanup; }

@test "programs that check close report a failed save, the others are those in the list" {
	"$BATS_TEST_DIRNAME/../failed_saves.sh" "$MNT/p/s" k | tee "$DIR/table"
	silent=$(awk -F'\t' '$2 == 0 { print $1 }' "$DIR/table")
	[ "$(wc -l <"$DIR/table")" -ge 20 ]
	# exactly what the documentation calls silent, of what is installed here
	documented=$(sed -n 's/^| `\{0,1\}\([^|`]*\)`\{0,1\} | 0 |.*/\1/p' \
		"$BATS_TEST_DIRNAME/../../docs/failed-saves.md")
	while read -r name; do
		grep -qxF -- "$name" <<<"$documented" || { echo "silent: $name"; false; }
	done <<<"$silent"
	while read -r name; do
		! grep -qP "^\Q$name\E\t[1-9]" "$DIR/table" || { echo "reports: $name"; false; }
	done <<<"$documented"
	# none of them has published anything
	[ ! -e "$MNT/p/s/k" ] || [ "$(cat "$MNT/p/s/k")" = old ]
}
