#!/usr/bin/env bats
# What files, directories and their attributes mean in the mount.
# timeout: 200 s

bats_require_minimum_version 1.5.0
load mount

setup() { scope_setup; }
teardown() { scope_teardown; }

# The same database, served by a new daemon; what a power switch leaves to it.
again() {
	local end=$1
	shift
	cd /
	"$end"
	mount_start "$@"
	cd "$MNT/p/s" || return 1
}

# Who sees what.

@test "nobody else sees what is not closed, and everybody what is" {
	echo -n old >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_WRONLY | os.O_TRUNC)")
a("os.write(f, b'longer')")
same(b("get('k')"), b"old")
same(b("size('k')"), 3)
a("os.write(f, b' value')")
same(b("(size('k'), get('k'))"), (3, b"old"))
a("os.close(f)")
same(b("(size('k'), get('k'))"), (12, b"longer value"))
END
}

@test "a reader keeps the version it opened when the key is rewritten, replaced, renamed, deleted" {
	for name in rewritten replaced renamed deleted; do
		echo -n old >$name
	done
	act <<'END'
a, b = actor(), actor()
a("f = {n: os.open(n, os.O_RDONLY) for n in ('rewritten', 'replaced', 'renamed', 'deleted')}")
b("put('rewritten', b'another')")
b("put('new', b'another'); os.rename('new', 'replaced')")
b("os.rename('renamed', 'moved'); put('moved', b'another'); os.unlink('deleted')")
for name in "rewritten", "replaced", "renamed", "deleted":
    same(a(f"os.pread(f['{name}'], 99, 0)"), b"old")
    same(a(f"os.read(f['{name}'], 99)"), b"old")
    same(a(f"os.fstat(f['{name}']).st_size"), 3)
a("to = os.memfd_create('to')")
same(a("os.sendfile(to, f['replaced'], 0, 99)"), 3)
same(a("os.pread(to, 99, 0)"), b"old")
same(b("(get('rewritten'), get('replaced'), get('moved'))"), (b"another",) * 3)
same(b("get('deleted')"), "ENOENT")
END
}

@test "a process that writes sees its own view, by path and by a second descriptor" {
	echo -n old >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_WRONLY | os.O_TRUNC)")
a("os.write(f, b'longer')")
same(a("(size('k'), os.fstat(f).st_size, get('k'))"), (6, 6, b"longer"))
a("import subprocess"), b("import subprocess")
same(a("subprocess.check_output(['stat', '-c', '%s', 'k'])"), b"6\n")
same(b("subprocess.check_output(['stat', '-c', '%s', 'k'])"), b"3\n")
a("os.close(f)")
END
}

@test "a process that has a file open for writing twice sees by path what it wrote last" {
	echo -n old >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_RDWR | os.O_TRUNC); g = os.open('k', os.O_RDWR)")
a("os.write(f, b'longer')")
same(a("(size('k'), os.fstat(f).st_size, get('k'))"), (6, 6, b"longer"))
a("os.rename('k', 'moved')")
same(b("get('moved')"), b"longer")
a("h = os.open('moved', os.O_RDWR | os.O_TRUNC); os.write(g, b'in place')")
same(a("(size('moved'), get('moved'))"), (8, b"in place"))
END
}

@test "in-place writers share one working copy, and one's commit takes all of it" {
	echo -n 0123456789 >k
	act <<'END'
a, b, c = actor(), actor(), actor()
a("f = os.open('k', os.O_RDWR)")
b("f = os.open('k', os.O_RDWR | os.O_CREAT)")
a("os.pwrite(f, b'AA', 0)")
same(b("os.pread(f, 99, 0)"), b"AA23456789")
b("os.pwrite(f, b'BBB', 9)")
same(a("(os.pread(f, 99, 0), os.fstat(f).st_size)"), (b"AA2345678BBB", 12))
same(c("(get('k'), size('k'))"), (b"0123456789", 10))
b("os.close(f)")
same(c("(get('k'), size('k'))"), (b"AA2345678BBB", 12))
a("os.pwrite(f, b'CC', 2)")
a("os.fsync(f)")
same(c("get('k')"), b"AACC45678BBB")
a("os.close(f)")
END
}

@test "a whole value replaces what was staged before it was begun, not what came later" {
	echo -n 0123456789 >k
	act <<'END'
a, b, c = actor(), actor(), actor()
b("f = os.open('k', os.O_RDWR)")
b("os.pwrite(f, b'lost', 0)")
a("f = os.open('k', os.O_WRONLY | os.O_TRUNC)")
a("os.write(f, b'new value')")
same(b("os.pread(f, 99, 0)"), b"lost456789")
b("os.pwrite(f, b'V', 4)")
a("os.close(f)")
same(b("os.pread(f, 99, 0)"), b"new Value")
b("os.close(f)")
same(c("get('k')"), b"new Value")
END
}

@test "a handle stays with its file when the name is given to another" {
	echo -n old >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_RDWR)")
b("os.rename('k', 'moved'); put('k', b'another')")
a("os.pwrite(f, b'NEW', 0); os.close(f)")
same(b("(get('moved'), get('k'))"), (b"NEW", b"another"))
END
}

# What is one commit.

@test "a group of commands redirected to a key is one commit" {
	echo old >k
	mkfifo "$DIR/step"
	{ /bin/echo a; cat "$DIR/step"; /bin/echo b; } >k 3>&- &
	exec {step}>"$DIR/step"		# cat runs: the first echo has ended
	[ "$(cat k)" = old ]
	echo middle >&"$step"
	exec {step}>&-
	wait $!
	[ "$(cat k)" = $'a\nmiddle\nb' ]
}

@test "a program's output into a file that its parent opened is one commit" {
	echo old >k
	act <<'END'
a, b = actor(), actor()
a("import subprocess; f = open('k', 'w')")
a("subprocess.run(['echo', 'one'], stdout=f)")
same(b("get('k')"), b"old\n")
a("subprocess.run(['echo', 'two'], stdout=f)")
a("f.close()")
same(b("get('k')"), b"one\ntwo\n")
END
}

@test "an emptied key is empty once it is closed, not before" {
	echo old >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_WRONLY | os.O_TRUNC)")
same(b("(get('k'), size('k'))"), (b"old\n", 4))
a("os.close(f)")
same(b("(get('k'), size('k'))"), (b"", 0))
END
	echo full >k
	: >k
	[ ! -s k ]
	: >new
	[ -e new ]
}

@test "a fork's close commits what was written in place" {
	echo -n 0123456789 >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_RDWR); os.pwrite(f, b'AA', 0)")
a("pid = os.fork()\nif pid == 0: os._exit(0)")
a("os.waitpid(pid, 0)")
same(b("get('k')"), b"AA23456789")
a("os.close(f)")
END
}

@test "truncate by path is a commit, ftruncate one at the close" {
	echo -n 0123456789 >k
	act <<'END'
a, b = actor(), actor()
a("os.truncate('k', 4)")
same(b("(get('k'), size('k'))"), (b"0123", 4))
a("f = os.open('k', os.O_RDWR); os.ftruncate(f, 6)")
same(b("(get('k'), size('k'))"), (b"0123", 4))
same(a("os.fstat(f).st_size"), 6)
b("os.truncate('k', 2)")
same(a("os.pread(f, 99, 0)"), b"01")
a("os.close(f)")
same(b("get('k')"), b"01")
END
}

@test "chmod, chown, utimens and attributes of a closed key are commits" {
	echo x >k
	chmod 640 k
	touch -d '2001-02-03 04:05:06.123456789 UTC' k
	setfattr -n user.note -v text k
	[ "$(id -u)" != 0 ] || chown 12:34 k
	before=$(stat -c '%a %u %g %y %i' k)
	again mount_kill
	[ "$(stat -c '%a %u %g %y %i' k)" = "$before" ]
	[[ $before == 640*2001-02-03*06.123456789* ]]
	[ "$(getfattr --only-values -n user.note k)" = text ]
}

@test "a commit makes the time later, however soon it follows" {
	last=0
	for i in 1 2 3 4 5 6 7 8 9 10; do
		echo "$i" >k
		now=$(stat -c %.Y k | tr -d .)
		[ "$now" -gt "$last" ]
		last=$now
	done
}

@test "times set after the last write stay, those set before it do not" {
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_WRONLY | os.O_CREAT); os.write(f, b'x')")
a("os.utime(f, ns=(10**18, 10**18 + 1)); os.close(f)")
same(b("os.stat('k').st_mtime_ns"), 10**18 + 1)
a("f = os.open('k', os.O_RDWR); os.utime(f, ns=(10**18, 10**18)); os.write(f, b'y'); os.close(f)")
same(b("os.stat('k').st_mtime_ns > 10**18 + 1"), True)
END
	echo source >"$DIR/source"
	touch -d '2001-02-03 04:05:06.123456789' "$DIR/source"
	cp -p "$DIR/source" copy
	[ "$(stat -c %y copy)" = "$(stat -c %y "$DIR/source")" ]
}

@test "attributes set by a writer are not seen before its data" {
	echo -n old >k
	chmod 644 k
	act <<'END'
a, b = actor(), actor()
before = b("tuple(os.stat('k'))")
a("f = os.open('k', os.O_WRONLY | os.O_TRUNC); os.write(f, b'longer')")
a("os.utime('k', (1, 1)); os.fchmod(f, 0o600)")
same(b("tuple(os.stat('k'))"), before)
same(a("(os.stat('k').st_mtime, os.stat('k').st_mode & 0o777, size('k'))"), (1, 0o600, 6))
a("os.close(f)")
same(b("(os.stat('k').st_mtime, os.stat('k').st_mode & 0o777, size('k'))"), (1, 0o600, 6))
END
}

# Appends.

@test "every append is visible at once, at the end, whoever else appends" {
	act <<'END'
a, b, c = actor(), actor(), actor()
a("f = os.open('k', os.O_WRONLY | os.O_CREAT | os.O_APPEND)")
b("f = os.open('k', os.O_RDWR | os.O_APPEND)")
a("os.write(f, b'1\\n')")
same(c("get('k')"), b"1\n")
b("os.write(f, b'2\\n')")
a("os.write(f, b'3\\n')")
same(c("(get('k'), size('k'))"), (b"1\n2\n3\n", 6))
a("os.close(f)"), b("os.close(f)")
same(c("get('k')"), b"1\n2\n3\n")
END
	echo 4 >>k
	[ "$(tail -n 1 k)" = 4 ]
}

@test "O_APPEND set later by fcntl makes appends" {
	echo -n 0123 >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_WRONLY)")
a("fcntl.fcntl(f, fcntl.F_SETFL, os.O_APPEND); os.write(f, b'4')")
same(b("get('k')"), b"01234")
a("fcntl.fcntl(f, fcntl.F_SETFL, 0); os.pwrite(f, b'A', 0)")
same(b("get('k')"), b"01234")
a("os.close(f)")
same(b("get('k')"), b"A1234")
END
}

@test "on an emptied handle O_APPEND means the end of its view" {
	echo -n old >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_WRONLY | os.O_TRUNC | os.O_APPEND)")
a("os.write(f, b'one '); os.write(f, b'two')")
same(b("get('k')"), b"old")
a("os.close(f)")
same(b("get('k')"), b"one two")
END
}

@test "a reader at its end goes on into appends, and into nothing else" {
	echo -n one >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_RDONLY)")
same(a("os.read(f, 99)"), b"one")
b("put('k', b' two', os.O_WRONLY | os.O_APPEND)")
same(a("os.fstat(f).st_size"), 7)
same(a("os.read(f, 99)"), b" two")
b("put('k', b'quite another value')")
same(a("os.read(f, 99)"), b"")
same(a("os.pread(f, 99, 0)"), b"one two")
b("put('k', b' more', os.O_WRONLY | os.O_APPEND)")
same(a("os.read(f, 99)"), b"")
same(b("get('k')"), b"quite another value more")
END
}

@test "tail -f shows what is appended" {
	echo one >log
	tail -n +1 -s 0.05 -f log >"$DIR/seen" 3>&- &
	tail=$!
	wait_for 20 grep -qx one "$DIR/seen"
	echo two >>log
	wait_for 20 grep -qx two "$DIR/seen"
	printf 'three\nfour\n' >>log
	wait_for 20 grep -qx four "$DIR/seen"
	kill $tail
	[ "$(cat "$DIR/seen")" = $'one\ntwo\nthree\nfour' ]
}

# Creation.

@test "a key being created is exclusive, and appears whole" {
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_WRONLY | os.O_CREAT | os.O_EXCL)")
same(b("os.open('k', os.O_WRONLY | os.O_CREAT | os.O_EXCL)"), "EEXIST")
same(b("(size('k'), os.listdir('.'))"), (0, ["k"]))
a("os.write(f, b'value')")
same(b("os.mkdir('k')"), "EEXIST")
same(b("size('k')"), 0)
a("os.close(f)")
same(b("(size('k'), get('k'))"), (5, b"value"))
END
}

@test "a key that was being created is gone with the daemon, a mode set on it too" {
	cat >"$DIR/make.py" <<'END'
import os, sys, tempfile
fd, name = tempfile.mkstemp(dir=".")
os.fchmod(fd, 0o644)
os.chmod(name, 0o640)
os.utime(name, (1, 1))
print(name, flush=True)
sys.stdin.read()
END
	mkfifo "$DIR/hold"
	python3 "$DIR/make.py" <"$DIR/hold" >"$DIR/name" 3>&- &
	maker=$!
	exec {hold}>"$DIR/hold"
	wait_for 20 test -s "$DIR/name"
	[ "$(stat -c %a "$(cat "$DIR/name")")" = 640 ]
	echo other >other
	again mount_kill
	exec {hold}>&-
	wait $maker || true
	[ "$(ls -A)" = other ]
}

@test "a created key that is deleted before its first commit leaves nothing" {
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_RDWR | os.O_CREAT | os.O_EXCL); os.write(f, b'x')")
a("os.unlink('k')")
same(a("(os.pread(f, 9, 0), os.fstat(f).st_nlink)"), (b"x", 0))
b("put('k', b'another')")
a("os.write(f, b'y'); os.close(f)")
same(b("get('k')"), b"another")
END
}

@test "an unlinked open file has no links, can be written, and does not come back" {
	echo -n old >k
	act <<'END'
a, b = actor(), actor()
same(a("os.stat('k').st_nlink"), 1)
a("f = os.open('k', os.O_RDWR)")
b("os.unlink('k')")
same(a("os.fstat(f).st_nlink"), 0)
a("os.pwrite(f, b'NEW', 0)")
same(a("os.pread(f, 9, 0)"), b"NEW")
a("os.close(f)")
same(b("(os.path.exists('k'), os.listdir('.'))"), (False, []))
END
}

# Killed writers.

@test "a killed writer commits nothing of a whole value, and its creation goes away" {
	echo -n old >k
	act <<'END'
for number in signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV:
    a, b = actor(), actor()
    a("f = os.open('k', os.O_WRONLY | os.O_TRUNC); os.write(f, b'half')")
    a("g = os.open('new', os.O_WRONLY | os.O_CREAT | os.O_EXCL); os.write(g, b'half')")
    a.kill(number)
    same(b("(get('k'), size('k'), os.listdir('.'))"), (b"old", 3, ["k"]))
    b("put('k', b'old')")
END
}

@test "what a killed writer wrote in place or appended stays" {
	echo -n 0123456789 >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_RDWR); os.pwrite(f, b'AA', 0)")
a("g = os.open('log', os.O_WRONLY | os.O_CREAT | os.O_APPEND); os.write(g, b'line\\n')")
a.kill()
same(b("(get('k'), get('log'))"), (b"AA23456789", b"line\n"))
END
}

@test "the last process that wrote decides, whoever closes" {
	echo old >k
	{ printf a; sh -c 'printf b; kill -9 $$' || true; } >k
	[ "$(cat k)" = old ]
	{ sh -c 'printf b; kill -9 $$' || true; printf c; } >k
	[ "$(cat k)" = bc ]
}

# Rename.

@test "rename publishes what was written and not yet closed" {
	echo -n old >k
	echo -n old >j
	act <<'END'
a, b = actor(), actor()
a("f = os.open('t', os.O_WRONLY | os.O_CREAT | os.O_EXCL); os.write(f, b'whole value')")
a("os.rename('t', 'k')")
same(b("(get('k'), size('k'), os.listdir('.'))"), (b"whole value", 11, ["j", "k"]))
a("g = os.open('u', os.O_RDWR | os.O_CREAT); os.write(g, b'another')")
b("os.rename('u', 'j')")
same(b("get('j')"), b"another")
a("os.close(f); os.close(g)")
same(b("(get('k'), get('j'))"), (b"whole value", b"another"))
END
}

@test "rename can refuse to replace, and exchange" {
	echo -n a >a
	echo -n b >b
	mkdir d
	echo -n x >d/x
	act <<'END'
a = actor()
same(a("rename('a', 'b', NOREPLACE)"), "EEXIST")
same(a("(get('a'), get('b'))"), (b"a", b"b"))
a("rename('a', 'c', NOREPLACE)")
same(a("(get('c'), os.path.exists('a'))"), (b"a", False))
a("rename('c', 'b', EXCHANGE)")
same(a("(get('c'), get('b'))"), (b"b", b"a"))
a("rename('c', 'd', EXCHANGE)")
same(a("(get('c/x'), get('d'))"), (b"x", b"b"))
same(a("rename('c', 'none', EXCHANGE)"), "ENOENT")
END
}

@test "renaming a directory moves everything beneath it, also to another scope" {
	mkdir -p d/empty d/sub/deep "$MNT/q/t"
	for i in $(seq 200); do
		echo "$i" >"d/sub/$i"
	done
	ln -s target d/link
	list='%y %m %i %s %T@ %P\n'
	before=$(cd d && find . -type f -printf "$list" | sort; find . -name empty -o -name deep)
	mv d e
	[ ! -e d ]
	[ "$(cd e && find . -type f -printf "$list" | sort; find . -name empty -o -name deep)" = "${before//.\/d/./e}" ]
	act <<'END'
a = actor()
a("os.rename('e', '../../q/t/f')")
END
	[ ! -e e ]
	[ -d "$MNT/q/t/f/empty" ] && [ -d "$MNT/q/t/f/sub/deep" ]
	[ "$(cat "$MNT/q/t/f/sub/77")" = 77 ]
	[ "$(readlink "$MNT/q/t/f/link")" = target ]
	[ "$(find "$MNT/q/t/f" | wc -l)" = 205 ]
}

@test "renames that make no sense are refused and change nothing" {
	mkdir -p d/sub e/full
	echo x >k
	act <<'END'
a = actor()
same(a("os.rename('d', 'd/sub/d')"), "EINVAL")
same(a("os.rename('d', 'e')"), "ENOTEMPTY")
same(a("os.rename('d', 'k')"), "ENOTDIR")
same(a("os.rename('k', 'd')"), "EISDIR")
same(a("os.rename('none', 'k')"), "ENOENT")
a("os.rename('k', 'k')")
END
	[ "$(find . | sort | tr '\n' ' ')" = ". ./d ./d/sub ./e ./e/full ./k " ]
	mkdir empty
	mv -T d empty
	[ -d empty/sub ]
}

@test "projects and scopes are made, renamed and dropped as directories are" {
	mkdir "$MNT/q" "$MNT/q/t"
	echo x >"$MNT/q/t/k"
	run ! rmdir "$MNT/q"
	run ! rmdir "$MNT/q/t"
	mv "$MNT/q/t" "$MNT/q/u"
	mv "$MNT/q" "$MNT/r"
	[ "$(cat "$MNT/r/u/k")" = x ]
	[ "$(ls "$MNT")" = $'p\nr' ]
	mv "$MNT/r/u" "$MNT/p/u"
	rmdir "$MNT/r"
	rm "$MNT/p/u/k"
	rmdir "$MNT/p/u"
	[ "$(ls "$MNT/p")" = s ]
	run ! touch "$MNT/file" "$MNT/p/file"
	[ "$(ls "$MNT" "$MNT/p")" = "$MNT:"$'\np\n\n'"$MNT/p:"$'\ns' ]
}

# Directories.

@test "an empty directory stays, with its attributes" {
	mkdir -p a/b
	chmod 2750 a/b
	setfattr -n user.note -v text a/b
	touch -d '2001-02-03 04:05:06.789' a/b
	before=$(stat -c '%i %a %y %h' a/b)
	again mount_kill
	[ "$(stat -c '%i %a %y %h' a/b)" = "$before" ]
	[ "$(getfattr --only-values -n user.note a/b)" = text ]
	run ! rmdir a
	rmdir a/b a
	[ -z "$(ls -A)" ]
}

@test "a directory is there when a key lies beneath it, and stays when the mount empties it" {
	again mount_stop
	cd /
	mount_stop
	aedb put "$DB" p/s x/y/z value
	aedb put "$DB" p/s x/w value
	mount_start
	cd "$MNT/p/s"
	[ -d x/y ]
	id=$(stat -c %i x/y)
	[ "$(cat x/y/z)" = value ]
	rm x/y/z
	[ -d x/y ]
	[ "$(stat -c %i x/y)" = "$id" ]
	[ -z "$(ls -A x/y)" ]
	rm -r x
	[ -z "$(ls -A)" ]
}

@test "rm -r and find work on a deep tree of many files" {
	mkdir -p tree/{a,b,c}/{d,e,f}
	for dir in tree/*/*; do
		for i in $(seq 30); do : >"$dir/$i"; done
	done
	[ "$(find tree -type f | wc -l)" = 270 ]
	[ "$(find tree | wc -l)" = 283 ]
	rm -r tree
	[ -z "$(ls -A)" ]
}

@test "a directory's time is that of the latest change in it" {
	mkdir d
	touch -d 2001-01-01 d
	[ "$(stat -c %Y d)" -lt 1000000000 ]
	echo x >d/k
	first=$(stat -c %.Y d)
	[ "${first%.*}" -gt 1700000000 ]
	rm d/k
	[ "$(printf '%s\n' "$first" "$(stat -c %.Y d)" | sort -g | tail -1)" = "$(stat -c %.Y d)" ]
}

@test "a directory read while it is changed shows what was there all along, once" {
	for i in $(seq 1000); do : >"stays-$i"; done
	act <<'END'
a, b = actor(), actor()
a("it = os.scandir('.'); seen = [next(it).name for _ in range(10)]")
b("[put(f'new-{i}', b'') for i in range(200)]")
b("[os.unlink(f'new-{i}') for i in range(0, 200, 2)]")
a("seen += [e.name for e in it]")
same(a("sorted(n for n in seen if n.startswith('stays')) == sorted(f'stays-{i}' for i in range(1, 1001))"), True)
same(a("len(set(seen)) == len(seen)"), True)
END
}

@test "links, modes of the type and what is no directory are told apart as anywhere" {
	echo x >k
	mkdir d
	act <<'END'
a = actor()
same(a("os.open('d', os.O_WRONLY)"), "EISDIR")
same(a("os.open('k/x', os.O_RDONLY)"), "ENOTDIR")
same(a("os.rmdir('k')"), "ENOTDIR")
same(a("os.unlink('d')"), "EISDIR")
same(a("os.mkdir('d')"), "EEXIST")
same(a("os.mkdir('none/d')"), "ENOENT")
same(a("os.open('none', os.O_RDONLY)"), "ENOENT")
same(a("os.open('k', os.O_WRONLY | os.O_CREAT | os.O_EXCL)"), "EEXIST")
same(a("os.open('k', os.O_RDONLY | os.O_DIRECTORY)"), "ENOTDIR")
END
}

# Other kinds and attributes.

@test "symbolic links, FIFOs and sockets are kept" {
	ln -s 'a target/ with things' link
	ln -s nowhere dangling
	mkfifo -m 600 pipe
	act <<'END'
a = actor()
a("import socket; s = socket.socket(socket.AF_UNIX); s.bind('socket')")
a("open_end = os.open('pipe', os.O_RDWR); os.write(open_end, b'through'); ")
same(a("os.read(open_end, 99)"), b"through")
END
	echo x >to
	ln -s to good
	[ "$(cat good)" = x ]
	before=$(stat -c '%n %F %a %i %s %y' -- *)
	again mount_kill
	[ "$(stat -c '%n %F %a %i %s %y' -- *)" = "$before" ]
	[ "$(readlink link)" = 'a target/ with things' ]
	[ -p pipe ] && [ -S socket ] && [ -L dangling ]
	rm link dangling pipe socket good to
	[ -z "$(ls -A)" ]
}

@test "hard links and device nodes are refused" {
	echo x >k
	run ! ln k hard
	[[ $output == *"Operation not permitted"* ]]
	[ "$(id -u)" = 0 ] || skip "only root may ask for a device"
	run ! mknod device c 1 3
	[[ $output == *"Operation not permitted"* ]]
	[ "$(ls -A)" = k ]
}

@test "user attributes are kept, others are not supported" {
	echo x >k
	act <<'END'
a, b = actor(), actor()
a("os.setxattr('k', 'user.a', b'1'); os.setxattr('k', 'user.b', b'\\0\\xff' * 500)")
same(b("(os.getxattr('k', 'user.a'), len(os.getxattr('k', 'user.b')))"), (b"1", 1000))
same(b("sorted(os.listxattr('k'))"), ["user.a", "user.b"])
same(a("os.setxattr('k', 'user.a', b'2', os.XATTR_CREATE)"), "EEXIST")
same(a("os.setxattr('k', 'user.c', b'2', os.XATTR_REPLACE)"), "ENODATA")
a("os.setxattr('k', 'user.a', b'2'); os.removexattr('k', 'user.b')")
same(b("os.getxattr('k', 'user.b')"), "ENODATA")
same(b("(os.listxattr('k'), os.getxattr('k', 'user.a'))"), (["user.a"], b"2"))
if os.getuid() == 0:
    same(a("os.setxattr('k', 'trusted.a', b'1')"), "ENOTSUP")
    same(a("os.setxattr('k', 'security.a', b'1')"), "ENOTSUP")
acl = b"\2\0\0\0" + b"".join(bytes([tag, 0, 4, 0]) + b"\xff" * 4 for tag in (1, 4, 32))
same(a(f"os.setxattr('k', 'system.posix_acl_access', {acl!r})"), "ENOTSUP")
a("put('k', b'another')")
same(b("os.getxattr('k', 'user.a')"), b"2")
END
}

@test "new objects belong to the caller; set-gid directories hand on their group" {
	[ "$(id -u)" = 0 ] || skip "needs root to be others"
	cd /
	mount_stop
	mount_start -o allow_other
	cd "$MNT/p/s"
	mkdir open shared
	chmod 777 open
	chown 0:4321 shared
	chmod 2777 shared
	setpriv --reuid=1234 --regid=5678 --clear-groups sh -c '
		umask 027; echo x >open/k && mkdir open/d && ln -s x open/l &&
		echo x >shared/k && mkdir shared/d'
	[ "$(stat -c '%u %g %a' open/k open/d)" = $'1234 5678 640\n1234 5678 750' ]
	[ "$(stat -c '%u %g' open/l)" = '1234 5678' ]
	[ "$(stat -c '%u %g %a' shared/k shared/d)" = $'1234 4321 640\n1234 4321 2750' ]
}

@test "modes decide who may do what, and the sticky bit who may delete" {
	[ "$(id -u)" = 0 ] || skip "needs root to be others"
	cd /
	mount_stop
	mount_start -o allow_other
	cd "$MNT/p/s"
	mkdir sticky closed
	chmod 1777 sticky
	chmod 700 closed
	echo mine >sticky/k
	echo secret >secret
	chmod 600 secret
	nobody() { run setpriv --reuid=1234 --regid=5678 --clear-groups "$@"; }
	nobody cat secret
	[[ $status == 1 && $output == *"Permission denied"* ]]
	nobody ls closed
	[[ $output == *"Permission denied"* ]]
	nobody rm -f sticky/k
	[[ $status == 1 && $output == *"Operation not permitted"* ]]
	nobody chmod 777 sticky/k
	[[ $status == 1 && $output == *"Operation not permitted"* ]]
	nobody sh -c 'echo x >new'
	[[ $status != 0 && $output == *"Permission denied"* ]]
	nobody sh -c 'echo x >sticky/theirs && rm sticky/theirs'
	[ "$status" = 0 ]
	[ "$(cat sticky/k secret)" = $'mine\nsecret' ]
}

@test "set-id bits go when another writes the file or its owner changes" {
	[ "$(id -u)" = 0 ] || skip "needs root to be others"
	cd /
	mount_stop
	mount_start -o allow_other
	cd "$MNT/p/s"
	echo x >k
	chmod 6777 k
	setpriv --reuid=1234 --regid=5678 --clear-groups sh -c 'echo y >>k'
	[ "$(stat -c %a k)" = 777 ]
	chmod 6777 k
	setpriv --reuid=1234 --regid=5678 --clear-groups sh -c ': >k'
	[ "$(stat -c %a k)" = 777 ]
	chmod 6755 k
	chown 12:34 k
	[ "$(stat -c %a k)" = 755 ]
}

@test "a write with O_SYNC is a commit, and so is one by pwritev2 that asks for it" {
	echo -n old >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_WRONLY | os.O_TRUNC | os.O_DSYNC)")
a("os.write(f, b'new')")
same(b("get('k')"), b"new")
a("g = os.open('created', os.O_WRONLY | os.O_CREAT | os.O_SYNC)")
a("os.write(g, b'made')")
same(b("get('created')"), b"made")
a("h = os.open('k', os.O_RDWR)")
a("os.pwritev(h, [b'N'], 0, os.RWF_DSYNC)")
same(b("get('k')"), b"New")
END
}

@test "an id stays over overwrite, rename and remount, and is not used again" {
	echo 1 >k
	id=$(stat -c %i k)
	echo 2 >k
	mv k moved
	echo x >>moved
	[ "$(stat -c %i moved)" = "$id" ]
	again mount_kill
	[ "$(stat -c %i moved)" = "$id" ]
	rm moved
	echo 3 >moved
	[ "$(stat -c %i moved)" != "$id" ]
}

@test "reading changes no time" {
	echo x >k
	touch -a -d 2001-01-01 k
	before=$(stat -c '%x %y %z' k)
	cat k k k >/dev/null
	[ "$(stat -c '%x %y %z' k)" = "$before" ]
	[[ $before == 2001-01-01* ]]
}

# Mappings, holes, sizes.

@test "a private mapping works, a shared one is ENODEV" {
	head -c 10000 /dev/urandom >k
	act <<'END'
a = actor()
a("f = os.open('k', os.O_RDWR)")
same(a("mmap.mmap(f, 10000, mmap.MAP_SHARED)"), "ENODEV")
same(a("mmap.mmap(f, 10000, mmap.MAP_SHARED, mmap.PROT_READ)"), "ENODEV")
same(a("mmap.mmap(f, 10000, mmap.MAP_PRIVATE)[:] == get('k')"), True)
END
	cp /bin/true program
	chmod +x program
	./program
}

@test "programs are told to read large values in large pieces" {
	head -c 65536 /dev/zero >small
	head -c 65537 /dev/zero >large
	[ "$(stat -c %o small large | xargs)" = '4096 65536' ]
}

@test "holes take no space and read as zeros" {
	truncate -s 1T sparse
	[ "$(stat -c '%s %b' sparse)" = '1099511627776 0' ]
	act <<'END'
a, b = actor(), actor()
a("f = os.open('sparse', os.O_RDWR)")
a("os.pwrite(f, b'here', 5 << 38)")
a("os.close(f)")
same(b("size('sparse')"), (5 << 38) + 4)
b("f = os.open('sparse', os.O_RDONLY)")
same(b("os.pread(f, 8, (5 << 38) - 4)"), b"\0\0\0\0here")
same(b("os.pread(f, 5, 1 << 39)"), b"\0" * 5)
same(b("0 < os.fstat(f).st_blocks <= 1024"), True)
same(b("os.pread(f, 5, 1 << 41)"), b"")
END
	[ "$(du -s --block-size=1 "$DB" | cut -f 1)" -lt 300000000 ]
}

@test "zeroing a range up to the end of a huge value keeps nobody waiting" {
	echo other >other
	truncate -s 1T sparse
	printf head | dd of=sparse conv=notrunc status=none
	fallocate -z -o 4096 -l 1T sparse
	[ "$(stat -c %s sparse)" = $(((1 << 40) + 4096)) ]
	fallocate -p -o 2 -l 2T sparse
	[ "$(stat -c %s sparse)" = $(((1 << 40) + 4096)) ]
	[ "$(head -c 4 sparse | xxd -p)" = 68650000 ]
	fallocate -p -o 4096 -l 512G sparse
	run fallocate -c -l 4096 sparse
	[[ $status = 1 && $output == *"supported"* ]]
}

@test "programs find the holes of a huge value, and a range in its midst can be cleared" {
	truncate -s 1T huge
	for at in 1 300 700; do
		echo "at $at" | dd of=huge bs=1G seek=$at conv=notrunc status=none
	done
	cp --sparse=always huge copy
	tar -cSf "$DIR/huge.tar" huge
	mkdir out
	tar -C out -xf "$DIR/huge.tar"
	fallocate -p -o 200G -l 400G huge
	[ "$(stat -c '%s %b' huge)" = '1099511627776 64' ]
	for file in copy out/huge; do
		[ "$(stat -c '%s %b' $file)" = '1099511627776 96' ]
		[ "$(tail -c +$(((700 << 30) + 1)) $file | head -c 6)" = 'at 700' ]
	done
	act <<'END'
a = actor()
a("f = os.open('copy', os.O_RDWR)")
same(a("os.lseek(f, 0, os.SEEK_DATA)"), 1 << 30)
same(a("os.lseek(f, 1 << 30, os.SEEK_HOLE)"), (1 << 30) + 16384)
same(a("os.lseek(f, 701 << 30, os.SEEK_DATA)"), "ENXIO")
same(a("os.lseek(f, 1 << 40, os.SEEK_HOLE)"), "ENXIO")
a("os.pwrite(f, b'staged', 500 << 30)")
same(a("os.lseek(f, 400 << 30, os.SEEK_DATA)"), 500 << 30)
same(a("os.pwrite(f, b'x', 1 << 50)"), "EFBIG")
a("put('small', b'abc'); s = os.open('small', os.O_RDONLY)")
same(a("(os.lseek(s, 1, os.SEEK_DATA), os.lseek(s, 1, os.SEEK_HOLE))"), (1, 3))
END
}

@test "random operations through several handles agree with a copy in memory, over kills of the daemon" {
	for seed in 1 2 3 4; do
		"$AEDB_BUILD/tests/stress/fsx" k "$DIR/shadow" $seed 1000
		again mount_kill
	done
	"$AEDB_BUILD/tests/stress/fsx" k "$DIR/shadow" 5 100
}

@test "a process that truncates by path what it rewrites has truncated its own value" {
	echo -n 0123456789 >k
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_WRONLY | os.O_TRUNC); os.write(f, b'abcdef')")
a("os.truncate('k', 3)")
same(b("get('k')"), b"0123456789")
same(a("os.fstat(f).st_size"), 3)
a("os.close(f)")
same(b("get('k')"), b"abc")
END
}

@test "who has a removed file open sees it rewritten" {
	echo -n 0123456789 >k
	act <<'END'
a = actor()
a("f = os.open('k', os.O_RDWR); os.pwrite(f, b'A', 0); os.unlink('k')")
a("g = os.open(f'/proc/self/fd/{f}', os.O_WRONLY | os.O_TRUNC)")
a("os.write(g, b'new'); os.close(g)")
same(a("os.pread(f, 99, 0)"), b"new")
a("os.close(os.open(f'/proc/self/fd/{f}', os.O_WRONLY | os.O_TRUNC))")
same(a("(os.pread(f, 99, 0), os.fstat(f).st_size, os.listdir())"), (b"", 0, []))
END
}

@test "a file grows and shrinks, and what was cut off does not come back" {
	printf 0123456789 >k
	truncate -s 4 k
	truncate -s 8 k
	[ "$(xxd -p k)" = 3031323300000000 ]
	head -c 200000 /dev/zero | tr '\0' x >k
	truncate -s 100000 k
	truncate -s 200000 k
	[ "$(head -c 100000 k | tr -d x | wc -c)" = 0 ]
	[ "$(tail -c 100000 k | tr -d '\0' | wc -c)" = 0 ]
}

@test "a value larger than the memory budget goes in and out, and a small change writes little" {
	cd /
	mount_stop
	mount_start -o memory=32M
	cd "$MNT/p/s"
	head -c 100M /dev/urandom >"$DIR/large"
	cp "$DIR/large" k
	cmp k "$DIR/large"
	before=$(du -s --block-size=1 "$DB" | cut -f 1)
	for i in 1 20 300 4000; do
		printf changed | dd of=k bs=1 seek=$((i * 4099)) conv=notrunc status=none
		printf changed | dd of="$DIR/large" bs=1 seek=$((i * 4099)) conv=notrunc status=none
	done
	cmp k "$DIR/large"
	[ $(($(du -s --block-size=1 "$DB" | cut -f 1) - before)) -lt 1000000 ]
	again mount_kill
	cmp k "$DIR/large"
}

# Names.

@test "names of projects and scopes are letters, digits, _ and -, at most 128" {
	act <<'END'
a = actor()
for name in "a.b", "a b", ".hidden", "ä", "x" * 129:
    for place in "../..", "..":
        same((name, a(f"os.mkdir('{place}/{name}')")), (name, "ENAMETOOLONG" if len(name) > 128 else "EINVAL"))
same(a("os.mkdir('../a_b-C9'); os.mkdir('../../' + 'x' * 128)"), None)
END
}

@test "long names and long keys are ENAMETOOLONG, and the limit is told" {
	[ "$(stat -f -c %l .)" = 255 ]
	act <<'END'
a = actor()
a("put('n' * 255, b'x')")
same(a("get('n' * 255)"), b"x")
same(a("put('n' * 256, b'x')"), "ENAMETOOLONG")
same(a("os.mkdir('n' * 256)"), "ENAMETOOLONG")
same(a("os.path.exists('n' * 256)"), False)
a("os.makedirs('/'.join(['d' * 250] * 4))")
same(a("put('/'.join(['d' * 250] * 4 + ['k' * 30]), b'x')"), "ENAMETOOLONG")
a("put('/'.join(['d' * 250] * 4 + ['k' * 20]), b'x')")
END
}

@test "names inside a scope are any bytes" {
	act <<'END'
a = actor()
names = [b".hidden", b"100%", b"%41", b"a b", b"\xff\xfe", b"new\nline", b"*", b"-x", b"%", b"..."]
a(f"names = {names!r}")
a("[put(n, n) for n in names]")
same(a("sorted(os.listdir(b'.')) == sorted(names)"), True)
same(a("[get(n) for n in names] == names"), True)
END
	again mount_stop
	act <<'END'
a = actor()
same(a("all(get(n) == n for n in os.listdir(b'.'))"), True)
same(a("len(os.listdir(b'.'))"), 10)
END
	rm -r ./* .hidden ./...
	[ -z "$(ls -A)" ]
}

@test "every name works for files, directories and links, and reads back as it was given" {
	act <<'END'
a = actor()
names = [b"%00", b"%2F", b"%%", b"%25", b"%2500", b"a%", b"%.", b"%..", b"%+x", b"%empty", b"%%empty", b".x",
         b"end ", b"new\nline", b"\xff\xfe", b"n" * 255, b"%" * 255, b"\xff" * 255, b"%00" * 85]
a(f"names = sorted({names!r})")
for place in ".", "dir":
    a(f"os.makedirs('{place}', exist_ok=True); os.chdir('{place}')")
    for make, remove in (("put(n, n)", "unlink"), ("os.mkdir(n)", "rmdir"), ("os.symlink(n, n)", "unlink")):
        a(f"[{make} for n in names]")
        same((place, make, a("sorted(os.listdir(b'.')) == names")), (place, make, True))
        a("[(os.rename(n, b'plain'), os.rename(b'plain', n)) for n in names]")
        same((place, make, a("sorted(os.listdir(b'.')) == names")), (place, make, True))
        a(f"[os.{remove}(n) for n in names]")
    same(a("os.listdir(b'.')"), [])
a("put('%', b'own'); os.mkdir('in')")
same(a("os.mkdir('in/%')"), "EINVAL")
same(a("get('../dir/%')"), b"own")
END
	cd /
	mount_stop
	[ "$(aedb get "$DB" p/s dir)" = own ]
}

@test "a directory removed while it is open is empty, and nothing is made in it" {
	act <<'END'
a, b = actor(), actor()
a("os.mkdir('d'); f = os.open('d', os.O_RDONLY)")
b("os.rmdir('d')")
same(a("os.listdir(f)"), [])
same(a("os.fstat(f).st_nlink"), 0)
same(a("os.open('x', os.O_CREAT | os.O_WRONLY, dir_fd=f)"), "ENOENT")
same(a("os.mkdir('x', dir_fd=f)"), "ENOENT")
same(a("os.symlink('t', 'x', dir_fd=f)"), "ENOENT")
b("os.mkdir('d'); put('d/k', b'new')")
same(a("os.listdir(f)"), [])
END
}

@test "keys that no file name can carry have a path, and the path is the key's" {
	cd /
	mount_stop
	long=$(printf '%0300d' 0)
	for key in . .. a/./b a//b a a/b /rooted ends/ "$long" 100% %2e; do
		aedb put "$DB" p/s "$key" "value of $key"
	done
	aedb put -x "$DB" p/s 6e756c00 'value of nul'
	mount_start
	cd "$MNT/p/s"
	[ "$(cat a/b)" = 'value of a/b' ]
	[ "$(cat a/%)" = 'value of a' ]
	[ "$(cat ./%.)" = 'value of .' ]
	[ "$(cat ./%..)" = 'value of ..' ]
	[ "$(cat a/%./b)" = 'value of a/./b' ]
	[ "$(cat a/%empty/b)" = 'value of a//b' ]
	[ "$(cat nul%00)" = 'value of nul' ]
	[ "$(cat 100%)" = 'value of 100%' ]
	[ "$(cat %2e)" = 'value of %2e' ]
	[ "$(find . -type f | wc -l)" = 12 ]
	find . -type f -print0 | while IFS= read -r -d '' path; do
		[[ $(cat "$path") == "value of "* ]]
	done
	find . -type f -exec sh -c 'printf " by path" >>"$1"' sh {} \;
	cd /
	mount_stop
	for key in . .. a/./b a//b a a/b /rooted ends/ "$long" 100% %2e; do
		[ "$(aedb get "$DB" p/s "$key")" = "value of $key by path" ]
	done
	[ "$(aedb scan "$DB" p/s | wc -l)" = 12 ]
	mount_start
	rm -r "$MNT/p/s/"*
	[ -z "$(ls -A "$MNT/p/s")" ]
}

@test "a plain path is the key" {
	mkdir -p dir/sub
	echo value >dir/sub/k
	cd /
	mount_stop
	[ "$(aedb get "$DB" p/s dir/sub/k)" = value ]
	[ "$(aedb ls "$DB" p/s dir)" = dir/sub/ ] || [ "$(aedb ls "$DB" p/s dir)" = sub/ ]
}

# Durability.

@test "in every durability mode what was closed survives the daemon's death" {
	cd /
	for mode in batch full os; do
		mount_stop
		mount_start -o durability=$mode
		echo "$mode" >"$MNT/p/s/$mode"
		mkdir "$MNT/p/s/dir-$mode"
		mount_kill
		mount_start
		[ "$(cat "$MNT/p/s/$mode")" = $mode ]
		[ -d "$MNT/p/s/dir-$mode" ]
	done
}

@test "fsync commits, of a directory too" {
	act <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_WRONLY | os.O_CREAT | os.O_EXCL); os.write(f, b'half')")
a("os.fsync(f)")
same(b("get('k')"), b"half")
a("os.write(f, b' and half')")
same(b("get('k')"), b"half")
a("d = os.open('.', os.O_RDONLY); os.fsync(d); os.close(f)")
same(b("get('k')"), b"half and half")
END
	sync k .
}

@test "paths are as long as key_bytes_max says, and 1,024 bytes without it" {
	part=$(printf 'd%.0s' {1..199})
	run ! mkdir -p "$part/$part/$part/$part/$part/$part"
	[[ $output == *"File name too long"* ]]
	again mount_stop -o key_bytes_max=4000
	for _ in {1..18}; do
		mkdir -p "$part"
		cd "$part" || return 1
	done
	mkdir "$part"
	cd "$part" || return 1
	printf deep >"$(printf 'f%.0s' {1..200})"
	run ! touch "$(printf 'f%.0s' {1..201})"
	again mount_stop
	[ "$(find . -type f -exec cat {} +)" = deep ]
}
