#!/usr/bin/env bats
# Where a database is restored, and where backups are made: mount points, places
# that are taken or are somebody's already, two at once, and kills.
# timeout: 300 s
bats_require_minimum_version 1.5.0
load mount

setup() {
	DIR=$BATS_TEST_TMPDIR
	cd "$DIR" || return 1
	aedb init db
	aedb put -p db p/s
	head -c 300000 /dev/urandom >large
	aedb put db p/s k1 <large
	aedb backup full db a
	aedb put db p/s k2 two
	aedb backup incremental db b
	aedb backup archive db.backups/a file.a
	aedb backup archive db.backups/b file.b
}

keys() {
	aedb ls "$1" p/s | xargs
}

# ends STATUS PID
ends() {
	local status=0
	wait "$2" || status=$?
	[ "$status" = "$1" ]
}

@test "a database is restored where a file system is mounted, with what mkfs made there" {
	needs_namespaces
	mkdir point
	# shellcheck disable=SC2016 # of the inner one
	unshare -m bash -ec '
		mount -t tmpfs -o size=40m none point
		mkdir point/lost+found
		aedb restore db.backups/b --to point
		[ "$(aedb ls point p/s | xargs)" = "k1 k2" ]
		aedb verify point
		[ "$(ls -A point | grep -c "^\.")" = 0 ]
		umount point
		mount -t tmpfs -o size=40m none point
		aedb restore file.b file.a --to=point
		[ "$(aedb ls point p/s | xargs)" = "k1 k2" ]
		[ "$(ls -A point | grep -c "^\.")" = 0 ]
		umount point
		mount --bind "$(mktemp -d -p .)" point
		aedb restore db.backups/b --to point/
		[ "$(aedb ls point p/s | xargs)" = "k1 k2" ]
	'
}

@test "the working directory, a link to a directory and a path with dots are places, too" {
	mkdir here there
	ln -s there link
	(cd here && aedb restore ../db.backups/b --to=.)
	[ "$(keys here)" = 'k1 k2' ]
	aedb restore db.backups/b --to=link
	[ "$(keys there)" = 'k1 k2' ]
	[ -L link ]
	(cd db.backups/b && aedb restore . --to=../../again)
	[ "$(keys again)" = 'k1 k2' ]
	ln -s nothing dangling
	fails 1 'exists and is no directory' aedb restore db.backups/b --to=dangling
	chmod 755 here
	rm -r here/*
	aedb restore db.backups/b --to=here
	[ "$(stat -c %a here)" = 755 ]
}

@test "no database is made in a backup, a directory of backups or a database" {
	before=$(find db db.backups | sort)
	fails 2 "lies in the backup $DIR/db.backups/a" aedb restore db.backups/b --to=db.backups/a/r
	fails 2 "lies in the backup $DIR/db.backups/a" aedb restore db.backups/b --to=db.backups/a/seg/r
	fails 2 "lies in the directory of backups $DIR/db.backups" \
		aedb restore db.backups/b --to=db.backups/r
	fails 2 "lies in the database $DIR/db" aedb restore db.backups/b --to=db/r
	fails 2 "lies in the database $DIR/db" aedb restore db.backups/b --to=db/seg/r
	fails 2 "lies in the directory of backups" bash -c 'cd db.backups && aedb restore b --to=r'
	fails 2 "lies in the directory of backups" aedb restore file.a --to=db.backups/r
	# a source in the target is one more that is there
	mkdir outer
	cp -r db.backups/a outer/a
	fails 1 'not an empty directory' aedb restore outer/a --to=outer
	fails 1 'not an empty directory' aedb restore db.backups/a --to=db.backups
	fails 1 'not an empty directory' aedb restore db.backups/a --to=db.backups/a
	[ "$(find db db.backups | sort)" = "$before" ]
	# copies that somebody works with are no directory of backups
	mkdir copies
	cp -r db.backups/a db.backups/b copies
	aedb restore copies/b --to=copies/r
	[ "$(keys copies/r)" = 'k1 k2' ]
}

@test "no backup is made in a database, a backup or a directory of backups" {
	before=$(find db.backups | sort)
	for to in db db/seg db/more db/more/; do
		fails 2 "the database $DIR/db" aedb backup full --to=$to db
		fails 2 "the database $DIR/db" aedb backup full -n --to=$to db
	done
	fails 2 "is the backup $DIR/db.backups/a" aedb backup full --to=db.backups/a db
	fails 2 "lies in the backup $DIR/db.backups/a" aedb backup full --to=db.backups/a/more db
	fails 2 'lies in the directory of backups' aedb backup full --to=db.backups/more db
	aedb init other
	fails 2 "the database $DIR/db" aedb backup full --to=db/more other
	[ "$(find db.backups | sort)" = "$before" ]
	[ ! -e db/more ]
	aedb verify db
}

@test "what somebody else has under the name of a restore is named and left alone" {
	mkdir .r.restoring
	touch .r.restoring/mine
	fails 1 '.r.restoring is in the way' aedb restore db.backups/b --to=r
	[ -e .r.restoring/mine ]
	[ ! -e r ]
	rm -r .r.restoring
	mkdir .r.restoring
	aedb restore db.backups/b --to=r
	[ ! -e .r.restoring ]
}

@test "what a restore left that was whole goes when the database is opened" {
	aedb restore db.backups/b --to=r
	mkdir .r.restoring
	printf '1 0123456789abcdef\naedb restore\n' >.r.restoring/RESTORING
	# somebody works there
	exec {lock}>>.r.restoring/RESTORING
	flock "$lock"
	aedb put r p/s k9 eight
	[ -e .r.restoring ]
	exec {lock}>&-
	# something else is there
	touch .r.restoring/mine
	aedb put r p/s k9 nine
	[ -e .r.restoring/mine ]
	[ -e .r.restoring/RESTORING ]
	rm .r.restoring/mine
	aedb put r p/s k9 ten
	[ ! -e .r.restoring ]
}

# What is seen of a restore, in this order.
MOMENTS=(.restoring .restoring/db/seg/1.seg .restoring/db/val/1.val
	.restoring/db/CURRENT)

@test "a restore that was killed is made again, beside its place and in it" {
	for i in 1 2 3 4 5 6 7 8; do aedb put db p/s "l$i" <large; done
	aedb backup incremental db c
	aedb backup archive db.backups/c file.c
	local middle=0
	for moment in "${MOMENTS[@]}"; do
		for beside in '' x; do
			[ -n "$beside" ] || mkdir r
			base=${beside:+.r}${beside:-r/}
			base=${base/x/}
			aedb restore db.backups/c --to=r 3>&- &
			restorer=$!
			until [ -e "$base$moment" ] || process_is_gone $restorer; do :; done
			kill -KILL $restorer 2>/dev/null || true
			wait $restorer || true
			if [ -e r/CURRENT ]; then
				[ "$(keys r)" = "$(keys db)" ]
			else
				middle=$((middle + 1))
				fails 3 'no database' aedb ls r
				aedb restore db.backups/c --to=r
			fi
			aedb put r p/s more x
			[ "$(aedb get r p/s l8 | cmp - large)" = '' ]
			[ ! -e r/.restoring ]
			rm -rf r .r.restoring
		done
	done
	[ $middle -gt 0 ]
	# and what archives were unpacked into
	mkfifo pipe
	aedb restore file.a - pipe --to=r <file.b 3>&- &
	restorer=$!
	wait_for 20 eval '[ -n "$(find . -path "./.unpacked-*/.3")" ]'
	kill -KILL $restorer
	ends 137 $restorer
	[ -n "$(find . -name '.unpacked-*')" ]
	aedb restore file.a file.b file.c --to=r
	[ "$(keys r)" = "$(keys db)" ]
	[ -z "$(find . -name '.unpacked-*')" ]
}

@test "of two restores into one place at the same time one is made and one refused" {
	aedb restore db.backups/b --to=r 3>&- 2>first &
	first=$!
	aedb restore db.backups/b --to=r 3>&- 2>second &
	second=$!
	one=0 two=0
	wait $first || one=$?
	wait $second || two=$?
	[ "$one" = 0 ] || [ "$two" = 0 ]
	[ "$one" = 0 ] || grep -qE 'another|not an empty' first
	[ "$two" = 0 ] || grep -qE 'another|not an empty' second
	[ "$(keys r)" = 'k1 k2' ]
	[ ! -e .r.restoring ]
}
