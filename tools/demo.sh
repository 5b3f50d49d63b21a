#!/bin/sh
# What `make run` runs: a database with real data in it, mounted.
#	tools/demo.sh BUILD
# Safe to repeat: a mount that lives is left alone, a dead one is detached.
set -eu
build=$1
demo=$build/demo
db=$demo/db mnt=$demo/mnt
words=/usr/share/dict/american-english
PATH=$PWD/$build:$PATH

is_mounted() {	# also when its daemon is gone
	grep -qF " $(printf '%s' "$PWD/$mnt" | sed 's/ /\\040/g') fuse" /proc/self/mounts
}

detach() {
	fusermount3 -u -z "$mnt" 2>/dev/null || umount -l "$mnt"
}

fill() {
	echo "demo: filling it, one key for each of $(wc -l <"$words") words"
	mkdir -p "$mnt/demo/zoneinfo" "$mnt/demo/iso" "$mnt/demo/words"
	rsync -a /usr/share/zoneinfo/ "$mnt/demo/zoneinfo/"
	rsync -a /usr/share/iso-codes/json/ "$mnt/demo/iso/"
	(cd "$mnt/demo/words" && while IFS= read -r word; do
		printf '%s\n' "${#word}" >"$word"
	done) <"$words"
	mkdir "$mnt/demo/scratch"
}

[ -c /dev/fuse ] || {
	echo "demo: no /dev/fuse here: a mount needs the kernel's fuse module" >&2
	exit 1
}
if is_mounted && ! ls "$mnt" >/dev/null 2>&1; then
	echo "demo: detaching a mount whose daemon is gone"
	detach
fi
if is_mounted; then
	echo "demo: already mounted"
else
	mkdir -p "$mnt"
	[ -e "$db/CURRENT" ] || aedb init "$db"
	aedbfs "$db" "$mnt"
fi
[ -d "$mnt/demo/scratch" ] || fill

cat <<END

A database is mounted at $mnt; demo is a project in it, with the scopes
words, zoneinfo, iso and scratch. Every file is a key, closing one is a commit. Try:

  ls $mnt/demo/words | head             keys
  cat $mnt/demo/words/zebra             a value
  echo hello > $mnt/demo/words/mine     a commit
  jq '."3166-1"[0]' $mnt/demo/iso/iso_3166-1.json
  sed -i s/hello/goodbye/ $mnt/demo/words/mine
  vim $mnt/demo/words/mine
  $build/aedb get $mnt/demo/words/mine  the same key, through the tool
  $build/aedb batch $mnt -- sh -c 'cd demo/words; echo a > one; echo b > two'
                                        two commits at once, or none
  git init $mnt/demo/scratch/repo       whatever files can do
  kill -9 \$(cat $db/LOCK); make run  nothing committed is lost

$build/aedb umount $mnt ends it; the database stays in $db.
END
