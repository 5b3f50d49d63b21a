#!/usr/bin/env bats
# git on a mount: what it does to a repository of many commits, and what it
# remembers of files (inode numbers, times) over closes, kills and new mounts.
# timeout: 240 s

bats_require_minimum_version 1.5.0
load mount

COMMITS=210

setup_file() {
	scope_setup_file
	export GIT_CONFIG_GLOBAL=$DIR/gitconfig GIT_CONFIG_SYSTEM=/dev/null HOME=$DIR
	git config --global user.name tester
	git config --global user.email tester@example.org
	git config --global init.defaultBranch main
	git config --global advice.detachedHead false
	git init -q "$SCOPE/repo"
}

teardown_file() { mount_cleanup "$BATS_FILE_TMPDIR"; }

setup() { cd "$SCOPE/repo" || return 1; }
teardown() { cd /; }

is_clean() {
	[ -z "$(git "$@" status --porcelain)" ]
}

# Without a look at any content: no other inode, size, mtime or ctime.
is_known() {
	[ -z "$(git "$@" diff-files)" ]
}

# The ctime, mtime and inode of every file of the index: as it remembers them, and
# as they are.
remembered() {
	git ls-files --debug | awk -F '[:\t ]+' '
	/^[^ ]/ { name = $0 }
	/time:/ { time[$2] = sprintf("%d.%09d", $3, $4) }
	/ino:/ { print name, time["ctime"], time["mtime"], $5 }' | sort
}
present() {
	git ls-files -z | xargs -0 stat -c '%n %.9Z %.9Y %i' | sort
}

is_sound() {
	quietly git "$@" fsck --full --strict --no-progress
	[ -z "$(find . -name '*.lock' -o -name 'tmp_obj_*')" ]
}

@test "two hundred commits leave a repository that is clean and sound" {
	for i in $(seq $COMMITS); do
		mkdir -p "d$((i % 7))"
		echo "$i" >"d$((i % 7))/f$i"
		echo "line $i" >>log
		quietly git add .
		quietly git commit -qm "number $i"
	done
	[ "$(git rev-list --count HEAD)" = $COMMITS ]
	[ "$(git show HEAD~100:log | tail -n 1)" = "line $((COMMITS - 100))" ]
	is_clean
	is_sound
}

# git asks for the times before it closes a file. Not all have to be the same
# afterwards, for on a busy machine a close may come late.
@test "after a checkout the index knows the files' times and inodes" {
	for _ in $(seq 5); do
		quietly git checkout -q HEAD~150
		is_clean
		quietly git checkout -q main
		is_clean
	done
	git rm -q --cached log
	quietly git reset -q --hard
	rm -r d?
	quietly git checkout -q .
	same=$(comm -12 <(remembered) <(present) | wc -l)
	[ "$same" -gt $((COMMITS / 2)) ]
}

@test "gc, repack and prune leave one pack and no loose object" {
	quietly git gc -q
	quietly git repack -adq
	quietly git prune
	[ "$(git count-objects -v | sed -n 's/^count: //p')" = 0 ]
	[ "$(find .git/objects/pack -name '*.pack' | wc -l)" = 1 ]
	is_sound
	is_clean
}

@test "clones are made without hard links, by copy, by protocol and shared" {
	cd ..
	quietly git clone -q repo copied
	quietly git clone -q --no-hardlinks repo linkless
	quietly git clone -q "file://$PWD/repo" fetched
	quietly git clone -q --shared repo shared
	quietly git clone -q --bare repo bare.git
	for clone in copied linkless fetched shared; do
		diff -r --exclude=.git repo $clone
		is_clean -C $clone
		is_sound -C $clone
	done
	git -C copied commit -q --allow-empty -m pushed
	quietly git -C copied push -q ../bare.git main:pushed
	[ "$(git -C bare.git log -1 --format=%s pushed)" = pushed ]
}

@test "worktrees come and go" {
	quietly git worktree add --quiet ../other HEAD~50
	is_clean -C ../other
	[ "$(tail -n 1 ../other/log)" = "line $((COMMITS - 50))" ]
	quietly git worktree remove ../other
	[ ! -e ../other ]
	[ "$(git worktree list | wc -l)" = 1 ]
}

@test "rebase moves commits, and joins, reorders and drops them" {
	quietly git checkout -q -b topic HEAD~20
	for i in 1 2 3 4; do
		echo "$i" >"topic$i"
		git add "topic$i"
		git commit -qm "topic $i"
	done
	quietly git rebase -q main
	GIT_SEQUENCE_EDITOR='sed -i -e 2s/^pick/fixup/ -e 4s/^pick/drop/' \
		git rebase -qi HEAD~4
	[ "$(git log --format=%s -3)" = "topic 3
topic 1
number $COMMITS" ]
	[ "$(cat topic1 topic2 topic3)" = $'1\n2\n3' ]
	[ ! -e topic4 ]
	is_clean
}

@test "a merge stops at a conflict and goes on when that is resolved" {
	quietly git checkout -q -b left main
	echo left >>log
	git commit -qam left
	quietly git checkout -q -b right main
	echo right >>log
	git commit -qam right
	run ! git merge -q left
	[ "$(git status --porcelain)" = 'UU log' ]
	grep -q '^<<<<<<< HEAD' log
	sed -i '/^[<=>]\{7\}/d' log
	git add log
	quietly git commit -qm merged
	[ "$(tail -n 2 log | sort | xargs)" = 'left right' ]
	[ "$(git rev-list --parents -1 HEAD | wc -w)" = 3 ]
	is_clean
}

@test "stash puts away and brings back, untracked files too" {
	echo more >>log
	echo new >untracked
	quietly git stash -qu
	is_clean
	[ ! -e untracked ]
	quietly git stash pop -q
	[ "$(git status --porcelain)" = $' M log\n?? untracked' ]
	rm untracked
	quietly git checkout -q log
	is_clean
}

@test "bisect finds the commit" {
	quietly git checkout -q main
	git bisect start HEAD HEAD~200 >"$DIR/bisect"
	git bisect run sh -c 'test $(wc -l <log) -lt 150' >>"$DIR/bisect"
	grep -q "$(git rev-parse "main~$((COMMITS - 150))") is the first bad" "$DIR/bisect"
	git bisect reset >>"$DIR/bisect" 2>&1
	[ "$(git symbolic-ref --short HEAD)" = main ]
	is_clean
}

@test "references are packed, and the reflog expires" {
	git tag one
	quietly git pack-refs --all
	grep -q refs/tags/one .git/packed-refs
	git tag -d one >"$DIR/tag"
	run ! grep refs/tags/one .git/packed-refs
	[ "$(git reflog main | wc -l)" -ge $COMMITS ]
	git reflog expire --expire=now --all
	[ -z "$(git reflog)" ]
	quietly git gc -q --prune=now
	is_sound
}

@test "of two gits at once one gets the index, the other says so" {
	: >.git/index.lock
	run -128 git add log
	[[ $output == *index.lock*"File exists"* ]]
	rm .git/index.lock
	many() {
		for i in $(seq 20); do
			git -C "$1" commit -q --allow-empty -m "$1 $i" || return 1
		done
	}
	quietly git worktree add --quiet -b beside ../beside
	many . 3>&- & a=$!
	many ../beside 3>&- & b=$!
	wait $a
	wait $b
	git log --oneline main...beside >"$DIR/both"
	[ "$(wc -l <"$DIR/both")" = 40 ]
	is_sound
}

@test "a git that was killed leaves its lock at most, and the old index" {
	for i in $(seq 500); do echo "$i" >"many$i"; done
	git ls-files --stage >"$DIR/staged"
	git add . 3>&- & adding=$!
	wait_for 20 test -e .git/index.lock
	kill -KILL $adding
	wait $adding || true
	rm -f .git/index.lock
	git ls-files --stage | diff - "$DIR/staged"
	quietly git add .
	quietly git commit -qm many
	is_clean
	quietly git fsck --full --strict --no-progress
}

TREES='. ../copied ../linkless ../fetched ../shared ../beside'

look_at_all() {
	git for-each-ref >"$DIR/refs"
	for tree in $TREES; do
		git -C "$tree" update-index --refresh
	done
}

all_as_it_was() {
	git for-each-ref | diff - "$DIR/refs"
	for tree in $TREES; do
		is_known -C "$tree"
		is_clean -C "$tree"
		quietly git -C "$tree" fsck --full --strict --no-progress
	done
	quietly git checkout -q right
	is_clean
	quietly git checkout -q main
	is_clean
}

@test "after kill -9 of the daemon every index still agrees with its files" {
	look_at_all
	cd /
	mount_kill
	mount_start
	cd "$SCOPE/repo"
	all_as_it_was
}

@test "after an unmount and a mount every index still agrees with its files" {
	look_at_all
	cd /
	mount_stop
	mount_start
	cd "$SCOPE/repo"
	all_as_it_was
}
