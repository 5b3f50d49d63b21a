#!/usr/bin/env bats
# -o secure against a user of the machine who wants what is not granted to him.

load users

ANN=1001 BOB=1002

setup() { users_setup history=1h,16M; }
teardown() { users_teardown; }

# holding ID FIRST THEN: a shell of the user has done what is said first, and waits.
holding() {
	mkfifo -m 666 "$top/first" "$top/then"
	as "$1" timeout 20 sh -c "$2; echo >'$top/first'; read -r _ <'$top/then'; $3" \
		>"$top/output" 2>&1 3>&- &
	holder=$!
	timeout 20 head -n 1 "$top/first" >/dev/null
}

# It does the rest; what it says is $output.
release() {
	echo >"$top/then"
	wait "$holder" || true
	output=$(cat "$top/output")
	rm "$top/first" "$top/then"
}

@test "a removed file is opened again by who has it open, for no more than that" {
	aedb grant "$MNT" kv-write p/s/inbox/ uid:$ANN
	run as $ANN sh -c "
		exec 3>>'$MNT/p/s/inbox/a'
		rm '$MNT/p/s/inbox/a'
		echo more >>/proc/self/fd/3 && echo written
		cat /proc/self/fd/3"
	[ "$status" -ne 0 ]
	[[ $output == *written*"Stale file handle"* ]]
	[[ $output != *one* ]]
}

@test "a file removed by another user stays as it was opened" {
	aedb grant "$MNT" kv-read p/s/inbox/ uid:$ANN
	holding $ANN "exec 3<'$MNT/p/s/inbox/a'" \
		"cat /proc/self/fd/3; echo more >>/proc/self/fd/3"
	rm "$MNT/p/s/inbox/a"
	release
	[[ $output == one*"Stale file handle"* ]]
}

@test "a file in whose place a directory might be granted is not there" {
	aedb grant "$MNT" kv-read p/s/gap/deep/ uid:$ANN
	not_found $ANN stat "$MNT/p/s/gap"
	echo four >"$MNT/p/s/gap"
	not_found $ANN stat "$MNT/p/s/gap"
	not_found $ANN stat --cached=always "$MNT/p/s/gap"
	not_found $ANN cat "$MNT/p/s/gap"
	[ "$(as $ANN ls "$MNT/p/s")" = "" ]
	rm "$MNT/p/s/gap"
	mkdir -p "$MNT/p/s/gap/deep" "$MNT/p/s/gap/other"
	echo five >"$MNT/p/s/gap/deep/e"
	[ "$(as $ANN cat "$MNT/p/s/gap/deep/e")" = five ]
	[ "$(as $ANN ls "$MNT/p/s/gap")" = deep ]
}

@test "others' batches are not listed, and nothing of them is told but that a name is taken" {
	aedb grant "$MNT" kv-write p/s/inbox/ uid:$ANN
	as $ANN mkdir "$MNT/.batch/mine"
	as $ANN sh -c "echo new >'$MNT/.batch/mine/p/s/inbox/new'"
	[ "$(ls "$MNT/.batch")" = mine ]
	[ "$(as $ANN ls "$MNT/.batch")" = mine ]
	[ "$(as $BOB ls "$MNT/.batch")" = "" ]
	denied $BOB stat "$MNT/.batch/mine"
	denied $BOB stat --cached=always "$MNT/.batch/mine"
	denied $BOB mkdir "$MNT/.batch/mine"
	denied $BOB rmdir "$MNT/.batch/mine"
	denied $BOB mv "$MNT/.batch/mine" "$MNT/.batch/other"
	for file in .control .status .diff .conflicts p/s/inbox/new; do
		denied $BOB cat "$MNT/.batch/mine/$file"
	done
	denied $BOB sh -c "echo commit >'$MNT/.batch/mine/.control'"
	denied $BOB sh -c "echo batch commit mine >'$MNT/.control'"
	for file in .status .diff; do
		as $ANN grep -q . "$MNT/.batch/mine/$file"
	done
	as $ANN sh -c "echo commit >'$MNT/.batch/mine/.control'"
	[ "$(cat "$MNT/p/s/inbox/new")" = new ]
}

@test "of backups users see nothing, not even that there are some" {
	aedb grant "$MNT" global-admin / uid:$ANN
	echo "backup full one" >"$MNT/.control"
	[ "$(ls "$MNT/.backup")" = one ]
	cat "$MNT/.backup/one/backup.json" >/dev/null
	for user in $ANN $BOB; do
		for path in .backup .backup/one .backup/one/backup.json; do
			denied "$user" stat "$MNT/$path"
			denied "$user" stat --cached=always "$MNT/$path"
			denied "$user" cat "$MNT/$path"
		done
		[[ $(as "$user" ls -a "$MNT") != *backup* ]]
	done
}

@test "in a batch projects and scopes are changed by who may change them, and tell others nothing" {
	mkdir "$MNT/p/empty"
	aedb grant "$MNT" kv-read p/empty/mine/ uid:$ANN
	aedb grant "$MNT" kv-read p/s/inbox/ uid:$ANN
	as $ANN mkdir "$MNT/.batch/b"
	for scope in empty s; do
		denied $ANN rmdir "$MNT/.batch/b/p/$scope"
		denied $ANN mv "$MNT/.batch/b/p/$scope" "$MNT/.batch/b/p/moved"
		denied $ANN touch "$MNT/.batch/b/p/$scope"
		denied $ANN setfattr -n user.x -v y "$MNT/.batch/b/p/$scope"
	done
	denied $ANN mkdir "$MNT/.batch/b/p/new"
	denied $ANN mkdir "$MNT/.batch/b/new"
	denied $ANN touch "$MNT/.batch/b/p"
	denied $ANN rmdir "$MNT/.batch/b/p"
	[ "$(as $ANN cat "$MNT/.batch/b/.diff")" = "" ]
}

@test "who administers a project makes, fills, renames and drops scopes of it in a batch" {
	aedb grant "$MNT" project-admin p uid:$ANN
	as $ANN mkdir "$MNT/.batch/b" "$MNT/.batch/b/p/new" "$MNT/.batch/b/p/gone"
	as $ANN sh -c "echo k >'$MNT/.batch/b/p/new/k'"
	as $ANN mv "$MNT/.batch/b/p/new" "$MNT/.batch/b/p/newer"
	as $ANN touch "$MNT/.batch/b/p/newer"
	as $ANN rmdir "$MNT/.batch/b/p/gone"
	as $ANN mv "$MNT/.batch/b/p/s" "$MNT/.batch/b/p/t"
	as $ANN sh -c "echo commit >'$MNT/.batch/b/.control'"
	[ "$(cat "$MNT/p/newer/k" "$MNT/p/t/inbox/a")" = "k
one" ]
	aedb grants "$MNT" | grep -qx "owner p/newer to uid:$ANN"
}

# The Python text on stdin as root; `user()` goes on as ANN, `root(COMMAND...)` runs
# one as root meanwhile, `refused(errno, call, arguments...)` wants it to fail.
acting() {
	python3 - "$MNT" "$ANN" <<END
import errno, mmap, os, subprocess, sys
MNT, ANN = sys.argv[1], int(sys.argv[2])
INBOX = MNT + "/p/s/inbox"

def user(uid=ANN):
    os.setegid(uid)
    os.seteuid(uid)

def root(*command):
    os.seteuid(0)
    os.setegid(0)
    subprocess.run([c.format(mnt=MNT) for c in command], check=True)
    user()

def refused(number, call, *arguments):
    try:
        call(*arguments)
    except OSError as e:
        assert e.errno == number, e
    else:
        raise AssertionError("it was not refused")

$(cat)
END
}

@test "who has a file open goes on when the right is revoked, and opens it no more" {
	aedb grant "$MNT" kv-read p/s/inbox/ uid:$ANN
	aedb grant "$MNT" kv-write p/s/inbox/ uid:$ANN
	acting <<-'END'
		user()
		fd = os.open(INBOX + "/a", os.O_RDWR)
		listing = os.open(INBOX, os.O_RDONLY)
		os.write(fd, b"before")
		root("aedb", "revoke", "{mnt}", "kv-read", "p/s/inbox/", "uid:1001")
		root("aedb", "revoke", "{mnt}", "kv-write", "p/s/inbox/", "uid:1001")
		assert os.pread(fd, 6, 0) == b"before"
		assert os.pwrite(fd, b", after", 6) == 7
		os.ftruncate(fd, 12)
		os.fsync(fd)
		assert os.lseek(fd, 0, os.SEEK_END) == 12
		assert mmap.mmap(fd, 12, mmap.MAP_PRIVATE)[:12] == b"before, afte"
		refused(errno.EACCES, os.listdir, listing)
		refused(errno.EACCES, os.fstat, fd)
		refused(errno.EACCES, os.utime, fd)
		refused(errno.EACCES, os.getxattr, fd, "user.x")
		for flags in os.O_RDONLY, os.O_WRONLY, os.O_PATH:
		    refused(errno.EACCES, os.open, INBOX + "/a", flags)
		refused(errno.EACCES, os.open, "/proc/self/fd/%d" % fd, os.O_RDONLY)
		refused(errno.EACCES, os.open, "/proc/self/fd/%d" % fd, os.O_WRONLY)
		os.close(fd)
	END
	[ "$(cat "$MNT/p/s/inbox/a")" = "before, afte" ]
}

@test "a descriptor that somebody was given is used, and opens nothing else" {
	acting <<-'END'
		fd = os.open(INBOX + "/a", os.O_RDONLY)
		listing = os.open(INBOX, os.O_RDONLY)
		top = os.open(MNT, os.O_RDONLY)
		backups = os.open(MNT + "/.backup", os.O_RDONLY)
		status = os.open(MNT + "/.status", os.O_RDONLY)
		commands = os.open(MNT + "/.control", os.O_RDWR)
		os.mkdir(MNT + "/.batch/roots")
		batch = os.open(MNT + "/.batch/roots", os.O_RDONLY)
		user()
		assert os.read(fd, 10) == b"one\n"
		refused(errno.EACCES, os.listdir, listing)
		assert os.listdir(top) == []
		refused(errno.EACCES, os.write, commands, b"grant global-admin / to uid:1001")
		def inside(name, flags, directory):
		    os.open(name, flags, dir_fd=directory)
		for flags in os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_PATH:
		    refused(errno.EACCES, inside, "a", flags, listing)
		    refused(errno.EACCES, inside, "none", flags, listing)
		    refused(errno.EACCES, inside, "p", flags, top)
		    refused(errno.EACCES, inside, "b1", flags, backups)
		    refused(errno.EACCES, inside, "p", flags, batch)
		    refused(errno.EACCES, inside, ".status", flags, batch)
		for own in fd, listing, backups, status, commands:
		    refused(errno.EACCES, os.open, "/proc/self/fd/%d" % own, os.O_RDONLY)
	END
}

@test "the mount's own files take no command of users and tell them nothing" {
	local file command
	cp "$AEDB_BUILD/aedb" "$top"
	aedb grant "$MNT" global-admin / uid:$ANN
	for file in .control .status .changes .metrics; do
		denied $ANN cat "$MNT/$file"
		denied $ANN sh -c "echo sync >>'$MNT/$file'"
		denied $ANN truncate -s 0 "$MNT/$file"
		[ "$(as $ANN stat --cached=always -c %s "$MNT/$file")" = 0 ]
		run as $ANN unlink "$MNT/$file"
		[ "$status" -ne 0 ]
	done
	denied $ANN mkdir "$MNT/.snap/x"
	for command in grants status stats changes checkpoint compact dump; do
		denied $ANN "$top/aedb" "$command" "$MNT"
	done
	denied $ANN "$top/aedb" grant "$MNT" kv-read p uid:$BOB
	denied $ANN "$top/aedb" snapshot create "$MNT" x
}

@test "no command is taken from who was given .control open" {
	as $ANN mkdir "$MNT/.batch/anns"
	mkdir "$MNT/.batch/roots" "$MNT/.snap/one"
	acting <<-'END'
		top = os.open(MNT + "/.control", os.O_RDWR)
		roots = os.open(MNT + "/.batch/roots/.control", os.O_RDWR)
		user()
		for line in ("help", "sync", "checkpoint", "compact", "changes", "changes 1",
		             "snapshot create x", "snapshot delete one", "backup full x",
		             "backup incremental", "backup verify x", "estimate full",
		             "estimate incremental", "batch commit roots",
		             "batch abort roots", "batch commit anns", "batch abort anns",
		             "cancel 1", "grant kv-read p to uid:1001",
		             "revoke kv-read p from uid:1001", "grants", "grants json",
		             "tables", "tables one", "nonsense", ""):
		    refused(errno.EACCES, os.write, top, line.encode() + b"\n")
		assert os.read(top, 1000) == b""
		for line in "commit", "abort", "check":
		    refused(errno.EACCES, os.write, roots, line.encode() + b"\n")
	END
	[ "$(ls "$MNT/.batch")" = "anns
roots" ]
	[ "$(ls "$MNT/.snap")" = one ]
	[ "$(ls "$MNT/.backup")" = "" ]
	[[ $(aedb grants "$MNT") != *uid:$ANN* ]]
}

rejections() { sed -n 's/^aedb_permission_rejections //p' "$MNT/.metrics"; }

# counts ID COMMAND...: the user's command is denied, and one request of it counts; but
# for the first time, when the kernel asks twice for a name that it had found for others.
counts() {
	local before
	denied "$@"
	before=$(rejections)
	denied "$@"
	[ "$(rejections)" = $((before + 1)) ]
}

@test "each refused request counts, alike whether something is there, and no listing does" {
	local before
	aedb grant "$MNT" kv-read p/s/inbox/ uid:$ANN
	for path in p/s/private p/s/none p/other p/none q none .backup; do
		counts $ANN stat "$MNT/$path"
	done
	counts $ANN sh -c "echo x >'$MNT/p/s/inbox/a'"
	counts $ANN sh -c "echo x >'$MNT/p/s/inbox/new'"
	counts $ANN rm "$MNT/p/s/inbox/a"
	before=$(rejections)
	[ "$(as $ANN find "$MNT" -type f)" = "$MNT/p/s/inbox/a" ]
	[ "$(rejections)" = "$before" ]
	grep -q "uid $ANN: lookup: EACCES: permission denied$" "$MNT/.status"
	run grep -E "^failure.*(private|other|none|inbox)" "$MNT/.status"
	[ "$status" = 1 ]
}

@test "names of snapshots are everybody's, and what is in them, or was once, is who may read it now" {
	local seq state
	aedb checkpoint "$MNT"
	exec 5<>"$MNT/.control"
	echo sync >&5
	read -r _ seq <&5
	exec 5>&-
	mkdir "$MNT/.snap/one"
	rm "$MNT/p/s/inbox/a" "$MNT/p/s/private/b"
	mv "$MNT/p/s/inbox" "$MNT/p/s/private"
	rmdir "$MNT/q/s" "$MNT/q"
	mv "$MNT/p/other" "$MNT/p/another"
	[ "$(as $ANN ls "$MNT/.snap")" = one ]
	for state in one "@$seq" @checkpoint; do
		# root has looked at all of it
		cat "$MNT/.snap/$state/p/s/inbox/a"
		ls -lR "$MNT/.snap/$state" "$MNT/p/.snap/$state" >/dev/null
		[ "$(as $ANN ls "$MNT/.snap/$state")" = "" ]
		for path in p p/none p/s p/s/inbox/a p/s/private q/s none; do
			denied $ANN stat --cached=always "$MNT/.snap/$state/$path"
		done
	done
	aedb grant "$MNT" kv-read p/s/inbox/ uid:$ANN
	for state in one "@$seq"; do
		[ "$(as $ANN cat "$MNT/.snap/$state/p/s/inbox/a")" = one ]
		[ "$(as $ANN find "$MNT/.snap/$state" | sed "s:.*$state::")" = "
/p
/p/s
/p/s/inbox
/p/s/inbox/a" ]
		[ "$(as $ANN ls "$MNT/p/.snap/$state")" = s ]
		for path in p/other p/s/private p/s/private/b p/s/inbox/none q; do
			run as $ANN cat "$MNT/.snap/$state/$path"
			[ "$status" -ne 0 ]
			[[ $output != *two* ]]
		done
		denied $ANN cp "$MNT/.snap/$state/p/s/private/b" "$top"
	done
	aedb revoke "$MNT" kv-read p/s/inbox/ uid:$ANN
	for state in one "@$seq"; do
		denied $ANN cat "$MNT/.snap/$state/p/s/inbox/a"
	done
	denied $ANN rmdir "$MNT/.snap/one"
	denied $ANN mv "$MNT/.snap/one" "$MNT/.snap/two"
}

@test "neither links nor renames lead to what is not granted" {
	aedb grant "$MNT" kv-read p/s/inbox/ uid:$ANN
	aedb grant "$MNT" kv-write p/s/inbox/ uid:$ANN
	aedb grant "$MNT" kv-write p/other/ uid:$ANN
	as $ANN ln -s ../private/b "$MNT/p/s/inbox/link"
	as $ANN ln -s ../../../q "$MNT/p/s/inbox/up"
	denied $ANN cat "$MNT/p/s/inbox/link"
	denied $ANN sh -c "echo x >>'$MNT/p/s/inbox/link'"
	denied $ANN ls "$MNT/p/s/inbox/up/"
	denied $ANN ln "$MNT/p/s/private/b" "$MNT/p/s/inbox/hard"
	denied $ANN mv "$MNT/p/s/private/b" "$MNT/p/s/inbox/b"
	denied $ANN mv "$MNT/p/s/private" "$MNT/p/s/inbox/private"
	denied $ANN mv "$MNT/p/other/c" "$MNT/p/s/inbox/c"
	denied $ANN mv "$MNT/p/s/inbox/a" "$MNT/p/s/private/a"
	denied $ANN mv "$MNT/p/s/inbox/a" "$MNT/p/s/private/b"
	denied $ANN mv "$MNT/p/s/inbox" "$MNT/q/inbox"
	denied $ANN mv "$MNT/p/s/inbox" "$MNT/p/s/outbox"
	acting <<-'END'
		import ctypes
		exchange = ctypes.CDLL(None, use_errno=True).renameat2
		def swap(a, b):
		    if exchange(-100, a.encode(), -100, b.encode(), 2) < 0:
		        raise OSError(ctypes.get_errno(), a)
		user()
		other = MNT + "/p/other/c"
		refused(errno.EACCES, swap, INBOX + "/a", other)
		refused(errno.EACCES, swap, INBOX, MNT + "/p/s/private")
		refused(errno.EACCES, os.rename, other, INBOX + "/c")
		# into what may be written it may go
		os.rename(INBOX + "/a", MNT + "/p/other/a")
	END
	[ "$(cat "$MNT/p/other/c" "$MNT/p/other/a" "$MNT/p/s/private/b")" = "three
one
two" ]
}

@test "what one user read stays out of another's reach, in whichever cache it is" {
	head -c 300000 /dev/zero >"$MNT/p/s/private/large"
	ln -s elsewhere "$MNT/p/s/inbox/link"
	setfattr -n user.secret -v word "$MNT/p/s/inbox/a"
	mkdir "$MNT/.snap/one"
	aedb grant "$MNT" kv-write p/s/inbox/ uid:$ANN
	acting <<-'END'
		private = MNT + "/p/s/private"
		snapshot = MNT + "/.snap/one/p/s/private"
		held = [os.open(p + "/large", os.O_RDONLY) for p in (private, snapshot)]
		maps = [mmap.mmap(fd, 300000, mmap.MAP_PRIVATE, mmap.PROT_READ) for fd in held]
		assert all(len(bytes(m)) == 300000 for m in maps)
		with os.scandir(private) as entries:
		    assert sorted(e.name for e in entries if e.stat()) == ["b", "large"]
		assert os.readlink(INBOX + "/link") == "elsewhere"
		assert os.getxattr(INBOX + "/a", "user.secret") == b"word"
		user()
		for directory in private, snapshot:
		    for name in "b", "large", "none":
		        for flags in os.O_RDONLY, os.O_WRONLY, os.O_PATH:
		            refused(errno.EACCES, os.open, directory + "/" + name, flags)
		        refused(errno.EACCES, os.stat, directory + "/" + name)
		        assert not os.access(directory + "/" + name, os.F_OK,
		                         effective_ids=True)
		    refused(errno.EACCES, os.listdir, directory)
		# what may be written is seen, and not read
		assert os.stat(INBOX + "/a").st_size == 4
		refused(errno.EACCES, os.readlink, INBOX + "/link")
		refused(errno.EACCES, os.getxattr, INBOX + "/a", "user.secret")
		refused(errno.EACCES, os.listxattr, INBOX + "/a")
		refused(errno.EACCES, os.open, INBOX + "/a", os.O_RDWR)
		out = os.open(INBOX + "/a", os.O_WRONLY)
		refused(errno.EBADF, os.read, out, 1)
		refused(errno.EACCES, mmap.mmap, out, 4, mmap.MAP_PRIVATE, mmap.PROT_READ)
		refused(errno.EBADF, os.copy_file_range, out, out, 1, 0, 10)
		os.setxattr(INBOX + "/a", "user.mine", b"1")
	END
	denied $ANN stat --cached=always "$MNT/p/s/private/large"
	denied $ANN stat --cached=always "$MNT/.snap/one/p/s/private/large"
}

@test "root of a user namespace is the user that made it" {
	as $ANN unshare -Ur true || skip "users may make no namespaces here"
	aedb grant "$MNT" kv-read p/s/inbox/ uid:$ANN
	[ "$(as $ANN unshare -Ur cat "$MNT/p/s/inbox/a")" = one ]
	for file in p/s/private/b .status .control .metrics .backup; do
		denied $ANN unshare -Ur cat "$MNT/$file"
	done
	denied $ANN unshare -Ur sh -c "echo x >'$MNT/p/s/inbox/a'"
}

@test "users who may not enter the mount see nothing of it, whatever is granted to them" {
	aedb grant "$MNT" global-admin / uid:$ANN
	mount_stop
	mount_start -o secure
	for file in p p/s/inbox/a .metrics none; do
		denied $ANN stat "$MNT/$file"
	done
	[ "$(cat "$MNT/p/s/inbox/a")" = one ]
}

# All that is not granted in the test below.
protected() {
	cd "$MNT" || return 1
	find . -path ./p/s/inbox -prune -o -printf '%p %y %s %m %i\n' | sort
	find p/s/private p/s/gap p/other q -type f -exec cat {} +
	getfattr -hdR -m- p/s/private p/s/gap p/other q
	ls .snap .backup
}

@test "calls at random find nothing and change nothing that is not granted" {
	local seed=$RANDOM name
	mkdir "$MNT/p/s/private/deep"
	for name in p/s/private/a p/s/private/b p/s/private/deep/c p/s/gap p/other/c q/s/a; do
		echo SECRET >"$MNT/$name"
		setfattr -n user.word -v SECRET "$MNT/$name"
	done
	ln -s SECRET "$MNT/p/s/private/link"
	mkdir "$MNT/.snap/one" "$MNT/.batch/roots"
	echo SECRET >"$MNT/.batch/roots/p/s/private/new"
	echo "backup full full" >"$MNT/.control"
	aedb grant "$MNT" kv-read p/s/inbox/ uid:$ANN
	aedb grant "$MNT" kv-write p/s/inbox/ uid:$ANN
	aedb grant "$MNT" kv-read p/s/gap/deep/ uid:$ANN
	(protected) >"$top/before"
	echo "again: hostile_user.py $MNT $ANN $seed 8000"
	python3 "$BATS_TEST_DIRNAME/hostile_user.py" "$MNT" "$ANN" "$seed" 8000
	(protected) >"$top/after"
	diff "$top/before" "$top/after"
	[ "$(cat "$MNT/.batch/roots/p/s/private/new")" = SECRET ]
}
