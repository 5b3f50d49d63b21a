#!/usr/bin/env bats
# What two sides did, and whether the later one, a batch, conflicts: case by case.

bats_require_minimum_version 1.5.0
load mount

setup() {
	mount_prepare
	mount_start
	cd "$MNT" || return 1
	mkdir -p p/s/d/sub p/t
	echo base | tee p/s/k p/s/d/k p/s/d/sub/k p/t/k >/dev/null
	failed=0 number=0
}
teardown() {
	cd /
	mount_cleanup
}

# after BATCH LIVE OUTCOME: what a commit says, if the script BATCH ran in the scope
# in a batch and then LIVE in the live one: "committed", or the conflicts in a line.
# Every case has a scope of its own that is as p/s.
after() {
	local outcome
	number=$((number + 1))
	cp -a p/s "p/s$number"
	mkdir .batch/one
	(cd ".batch/one/p/s$number" && bash -eu -c "$1")
	(cd "p/s$number" && bash -eu -c "$2")
	if echo commit 2>/dev/null >.batch/one/.control; then
		outcome=committed
	else
		outcome=$(sed "s,p/s$number/\?,," .batch/one/.conflicts | xargs)
		rmdir .batch/one
	fi
	if [ "$outcome" != "$3" ]; then
		echo "after '$1' and '$2': $outcome, not $3"
		failed=1
	fi
}

# has TEXT: what is in the scope of the case before.
has() {
	local now
	now=$(cd "p/s$number" && find . -type f -printf '%P=' -exec cat {} \; | sort | xargs)
	[ "$now" = "$1" ] && return 0
	echo "there is $now, not $1"
	failed=1
}

# directory_is DIR: mode and access time of one in the scope of the case before.
directory_is() {
	stat -c '%a %X' "p/s$number/$1"
}

@test "changes of one key conflict, whatever they are; of others in its directory they do not" {
	after 'echo 1 >new' 'echo 2 >other' committed
	has 'd/k=base d/sub/k=base k=base new=1 other=2'
	after 'echo 1 >k' 'echo 2 >d/k' committed
	has 'd/k=2 d/sub/k=base k=1'
	after 'echo 1 >d/new' 'echo 2 >d/other; rm d/k' committed
	after 'echo 1 >k' 'echo 2 >k' 'k'
	has 'd/k=base d/sub/k=base k=2'
	after 'echo 1 >k' 'echo 1 >k' 'k'
	after 'echo 1 >k' 'echo 2 >k; echo base >k' 'k'
	after 'echo 1 >k' 'chmod 600 k' 'k'
	after 'chmod 600 k' 'echo 1 >k' 'k'
	after 'chmod 600 k' 'chmod 640 k' 'k'
	after 'echo 1 >>k' 'echo 2 >>k' 'k'
	after 'echo 1 >new' 'echo 2 >new' 'new'
	after 'rm k' 'rm k' 'k'
	after 'rm k' 'echo 1 >k' 'k'
	after 'echo 1 >k' 'rm k' 'k'
	after 'echo 1 >k; echo 1 >new' 'rm k; echo 2 >new; echo 2 >d/k' 'k new'
	after 'ln -s a new' 'echo 1 >new' 'new'
	[ "$failed" = 0 ]
}

@test "what is as it was conflicts with nothing; nor do reading, listing and times of directories" {
	after 'echo 1 >other; cat k; ls -lR .; find . -type f -exec cksum {} +' \
		'echo 2 >k; rm -r d; mkdir new' committed
	after 'echo 1 >new; rm new' 'echo 2 >new' committed
	has 'd/k=base d/sub/k=base k=base new=2'
	after 'echo 1 >k; echo base >k' 'echo 2 >k' committed
	has 'd/k=base d/sub/k=base k=2'
	after 'mv k j; mv j k' 'echo 2 >k' committed
	after 'chmod 600 k; chmod 644 k' 'echo 2 >k' committed
	after 'mkdir new; rmdir new' 'echo 2 >new' committed
	after 'mv d e; mv e d' 'echo 2 >d/new; echo 2 >d/k' committed
	has 'd/k=2 d/new=2 d/sub/k=base k=base'
	after 'echo 1 >k' 'echo 2 >new; rm new' committed
	after 'echo 1 >new' 'echo 2 >new; rm new' committed
	after 'touch -m -d 2020-01-01 d' 'touch -m -d 2021-01-01 d; echo 2 >d/new' committed
	after 'touch -d 2020-01-01 d .' 'touch -d 2021-01-01 d .; echo 2 >d/new' committed
	after 'touch -d 2020-01-01 d .' 'chmod 700 d; chmod 750 .' committed
	[ "$(directory_is d)" = "700 $(date -d 2020-01-01 +%s)" ]
	[ "$(directory_is .)" = "750 $(date -d 2020-01-01 +%s)" ]
	after 'chmod 700 d; chmod 750 .' 'touch -d 2021-01-01 d .' committed
	[ "$(directory_is d | cut -c 1-3)" = 700 ]
	[ "$(directory_is . | cut -c 1-3)" = 750 ]
	after 'touch -d 2020-01-01 d' 'rm -r d' committed
	has 'k=base'
	after 'touch -d 2020-01-01 d' 'mv d e' committed
	has 'e/k=base e/sub/k=base k=base'
	after 'rm -r d' 'touch -d 2021-01-01 d' committed
	after 'mv d e' 'touch -d 2021-01-01 d' committed
	after 'chmod 700 d' 'chmod 750 d; touch -d 2021-01-01 d' 'd/'
	[ "$failed" = 0 ]
}

@test "trees copied with their times into a directory on both sides meet in it" {
	mkdir "$BATS_TEST_TMPDIR/one" "$BATS_TEST_TMPDIR/two"
	echo 1 >"$BATS_TEST_TMPDIR/one/a"
	echo 2 >"$BATS_TEST_TMPDIR/two/b"
	after "cp -a $BATS_TEST_TMPDIR/one/. d" "cp -a $BATS_TEST_TMPDIR/two/. d" \
		committed
	has 'd/a=1 d/b=2 d/k=base d/sub/k=base k=base'
	[ "$failed" = 0 ]
}

@test "renaming a key changes both names" {
	after 'mv k j' 'echo 2 >k' 'k'
	after 'mv k j' 'echo 2 >j' 'j'
	after 'mv k d/k' 'echo 2 >d/k' 'd/k'
	after 'echo 1 >k' 'mv k j' 'k'
	after 'mv k j' 'mv k i' 'k'
	after 'mv k j' 'echo 2 >d/k' committed
	has 'd/k=2 d/sub/k=base j=base'
	after 'mv k d/j' 'echo 2 >d/i; rm d/k' committed
	has 'd/i=2 d/j=base d/sub/k=base'
	[ "$failed" = 0 ]
}

@test "a directory that both make is one; a key where the other has a directory conflicts" {
	after 'mkdir new' 'mkdir new' committed
	after 'mkdir new; echo 1 >new/a' 'mkdir new; echo 2 >new/b' committed
	has 'd/k=base d/sub/k=base k=base new/a=1 new/b=2'
	after 'mkdir -p a/b/c; echo 1 >a/b/c/x' 'mkdir -p a/b/d; echo 2 >a/b/x' committed
	after 'mkdir new; echo 1 >new/a' 'mkdir new; echo 2 >new/a' 'new/a'
	after 'mkdir new' 'echo 2 >new' 'new'
	after 'echo 1 >new' 'mkdir new' 'new/'
	after 'echo 1 >new' 'mkdir new; echo 2 >new/k' 'new/'
	after 'mkdir -p new/dir; echo 1 >new/dir/k' 'echo 2 >new' 'new'
	after 'rm k; mkdir k' 'echo 2 >k' 'k'
	after 'chmod 700 d' 'chmod 750 d' 'd/'
	after 'chmod 700 d' 'echo 2 >d/new; rm d/k' committed
	[ "$failed" = 0 ]
}

@test "removing a directory conflicts with every change in it" {
	after 'rm -r d' 'echo 2 >d/new' 'd/'
	after 'rm -r d' 'echo 2 >d/sub/new' 'd/'
	after 'rm -r d' 'mkdir d/new' 'd/'
	after 'rm -r d' 'echo 2 >d/k' 'd/ d/k'
	after 'rm d/k' 'echo 2 >d/new' committed
	has 'd/new=2 d/sub/k=base k=base'
	after 'echo 1 >d/new' 'rm -r d' 'd/'
	after 'echo 1 >d/sub/new' 'rm -r d' 'd/ d/sub/'
	after 'mkdir d/new' 'rm -r d' 'd/'
	after 'echo 1 >d/k' 'rm -r d' 'd/k'
	after 'rm -r d' 'rm -r d' 'd/ d/k d/sub/ d/sub/k'
	after 'rm -r d' 'echo 2 >new' committed
	has 'k=base new=2'
	[ "$failed" = 0 ]
}

@test "renaming a directory conflicts with every change in it" {
	after 'mv d e' 'echo 2 >d/new' 'd/'
	after 'mv d e' 'echo 2 >d/sub/new' 'd/'
	after 'mv d e' 'echo 2 >d/k' 'd/ d/k'
	after 'mv d e' 'rm d/sub/k' 'd/ d/sub/k'
	after 'echo 1 >d/new' 'mv d e' 'd/'
	after 'echo 1 >d/sub/k' 'mv d e' 'd/sub/k'
	after 'mkdir d/new' 'mv d e' 'd/'
	after 'mv d e' 'echo 2 >new; echo 2 >k' committed
	has 'e/k=base e/sub/k=base k=2 new=2'
	after 'mv d/sub sub' 'echo 2 >d/new' committed
	has 'd/k=base d/new=2 k=base sub/k=base'
	after 'echo 1 >new' 'mv d e' committed
	has 'e/k=base e/sub/k=base k=base new=1'
	[ "$failed" = 0 ]
}

@test "changes of scopes and projects: made, removed and renamed on both sides" {
	after 'mkdir ../new1; echo 1 >../new1/a' 'echo 2 >k' committed
	[ "$(cat p/new1/a)" = 1 ]
	after 'mkdir ../../q; mkdir ../../q/s' 'mkdir ../../r' committed
	after 'rm -r ../t' 'echo 2 >k' committed
	[ ! -e p/t ]
	mkdir p/t
	after 'rm -r ../t' 'echo 2 >../t/new' 'p/t/'
	[ "$(cat p/t/new)" = 2 ]
	after 'echo 1 >../t/a' 'rm -r ../t' 'p/t/'
	mkdir p/t
	after 'mv ../t ../u' 'echo 2 >k' committed
	[ -d p/u ]
	after 'mv ../u ../v' 'rmdir ../u' 'p/u/'
	mkdir p/t
	after 'mv ../t ../w; echo 1 >../w/a' 'echo 2 >../t/b; mkdir ../x' committed
	[ "$(cat p/w/a p/w/b)" = $'1\n2' ]
	after 'echo 1 >../w/c' 'mv ../w ../y; mkdir ../../r/s' committed
	[ "$(cat p/y/c)" = 1 ]
	mkdir p/n
	after 'chmod 700 ../n' 'chmod 711 ../n' 'p/n/'
	after 'chmod 700 ../n' 'echo 2 >../n/a' committed
	[ "$failed" = 0 ]
}

@test "a project or scope that both make is one, as a directory is" {
	after 'mkdir ../n; echo 1 >../n/a' 'mkdir ../n' committed
	[ "$(cat p/n/a)" = 1 ]
	after 'mkdir ../../o' 'mkdir ../../o' committed
	[ -d o ]
	after 'mkdir ../m; echo 1 >../m/a' 'mkdir ../m; echo 2 >../m/b' committed
	[ "$(cat p/m/a p/m/b)" = $'1\n2' ]
	after 'mkdir -p ../../q/s/d ../../q/t; echo 1 >../../q/s/d/a' \
		'mkdir -p ../../q/s/d ../../q/u; echo 2 >../../q/s/d/b' committed
	[ "$(find q | sort | xargs)" = "q q/s q/s/d q/s/d/a q/s/d/b q/t q/u" ]
	after 'mkdir ../j; touch -d 2020-01-01 ../j' 'mkdir ../j; touch -d 2021-01-01 ../j' \
		committed
	after 'mkdir ../../r; mv ../t ../../r/t' 'mkdir ../../r; echo 2 >../t/new' committed
	[ "$(cat r/t/new)" = 2 ]
	after 'mkdir ../f; echo 1 >../f/a' 'mkdir ../f; mv ../f ../g' committed
	[ "$(cat p/f/a; ls -A p/g)" = 1 ]
	[ "$failed" = 0 ]
}

@test "in a scope that both make conflicts what does in a directory that both make" {
	after 'mkdir ../n; echo 1 >../n/a' 'mkdir ../n; echo 2 >../n/a' 'p/n/a'
	[ "$(cat p/n/a)" = 2 ]
	after 'mkdir -p ../../q/s; echo 1 >../../q/s/a' \
		'mkdir -p ../../q/s; echo 2 >../../q/s/a' 'q/s/a'
	after 'mkdir ../m; mkdir ../m/d; echo 1 >../m/d/k' 'mkdir ../m; echo 2 >../m/d' 'p/m/d'
	after 'mkdir ../l; echo 1 >../l/d' 'mkdir ../l; mkdir ../l/d' 'p/l/d/'
	after 'mkdir ../i; mv d ../i' 'mkdir -p ../i/d/sub; echo 2 >../i/d/sub/new' \
		'p/i/d/ p/i/d/sub/'
	after 'mkdir -m 700 ../h' 'mkdir ../h' 'p/h/'
	after 'mkdir ../../x; chmod 700 ../../x' 'mkdir ../../x' 'x/'
	after 'mkdir ../g' 'mv ../t ../g' 'p/g/'
	after 'mkdir ../../y; mv ../g ../../y/s' 'mkdir -p ../../y/s' 'y/s/'
	after 'rmdir ../h; mkdir ../h' 'rmdir ../h; mkdir ../h' 'p/h/'
	[ "$failed" = 0 ]
}

@test "who is in a scope that the batch made, too, is in what it brought" {
	local before
	mkdir .batch/one .batch/one/q .batch/one/q/new .batch/one/q/new/d
	echo 1 | tee .batch/one/q/new/a >.batch/one/q/new/d/a
	mkdir q q/new q/new/d
	echo 2 | tee q/new/b >q/new/d/b
	before=$(stat -c %i q q/new q/new/d q/new/b)
	ls -lR q >/dev/null
	exec 5<q/new/b
	cd q/new/d
	echo commit >"$MNT/.batch/one/.control"
	[ "$(cat a b)" = $'1\n2' ]
	[ "$(echo *)" = 'a b' ]
	[ "$(cat <&5)" = 2 ]
	cd "$MNT"
	[ "$(stat -c %i q q/new q/new/d q/new/b)" = "$before" ]
	[ "$(find q | sort | xargs)" = 'q q/new q/new/a q/new/b q/new/d q/new/d/a q/new/d/b' ]
	[ "$(stat -c %y q/new)" = "$(stat -c %y q)" ]
	exec 5<&-
}
