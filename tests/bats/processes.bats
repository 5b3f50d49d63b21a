#!/usr/bin/env bats
# Programs of several threads and processes, and their ends.

bats_require_minimum_version 1.5.0
load mount

setup() { scope_setup; }
teardown() { scope_teardown; }

# A mount that waits for a process which waits for it is ended by nothing but
# the death of the daemon.
act_or_end() {
	local daemon actors
	daemon=$(mount_pid)
	act 3>&- 4>&- &
	actors=$!
	wait_for 30 process_is_gone $actors || kill -KILL "$daemon"
	wait $actors
}

@test "a descriptor that execve closes is one that a process closed" {
	echo -n old >k
	act_or_end <<'END'
a, b = actor(), actor()
a("f = os.open('k', os.O_WRONLY | os.O_TRUNC); os.write(f, b'new')")
a("os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)")
same(b("get('k')"), b"old")
a("os.write(f, b' value')")
a("os.close(f)")
same(b("get('k')"), b"new value")
a("""
pid = os.fork()
if pid == 0:
    f = os.open('k', os.O_WRONLY | os.O_TRUNC)
    os.write(f, b'by a child')
    os.execv('/bin/true', ['true'])
os.waitpid(pid, 0)
""")
same(b("get('k')"), b"by a child")
END
}

@test "a thread that calls execve, or ends the process, has closed what it wrote" {
	act_or_end <<'END'
b = actor()
for end in "os.execv('/bin/true', ['true'])", "os._exit(1)":
    a = actor()
    a("import threading; f = os.open('k', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)")
    a("os.write(f, b'one ')")
    a(f"""
pid = os.fork()
if pid == 0:
    def run():
        os.write(f, b'two')
        {end}
    threading.Thread(target=run).start()
    signal.pause()
os.waitpid(pid, 0)
os.close(f)
""")
    same(b("get('k')"), b"one two")
    b("os.unlink('k')")
END
}

@test "threads of a process see its view, though those that opened or wrote have ended" {
	act <<'END'
a, b = actor(), actor()
a("""
import threading
def hop(call):
    result = []
    thread = threading.Thread(target=lambda: result.append(call()))
    thread.start()
    thread.join()
    return result[0]
""")
def hop(text):
    return a(f"hop(lambda: {text})")
for flags, before, after in (
        ("os.O_WRONLY | os.O_TRUNC", b"", b"new!"),
        ("os.O_RDWR | os.O_TRUNC", b"", b"new!"),
        ("os.O_WRONLY | os.O_CREAT | os.O_EXCL", b"", b"new!"),
        ("os.O_RDWR | os.O_CREAT | os.O_EXCL", b"", b"new!"),
        ("os.O_RDWR", b"old", b"new!"),
        ("os.O_WRONLY | os.O_APPEND", b"old", b"oldnew!")):
    b("os.unlink('k')" if "EXCL" in flags else "put('k', b'old')")
    a(f"f = hop(lambda: os.open('k', {flags}, 0o644))")
    same((flags, hop("os.fstat(f).st_size")), (flags, len(before)))
    a("r = hop(lambda: os.open('k', os.O_RDONLY))")
    hop("os.write(f, b'new!')")
    same((flags, hop("(os.fstat(f).st_size, size('k'), os.fstat(r).st_size)")), (flags, (len(after),) * 3))
    same((flags, hop("os.pread(r, 99, 0)")), (flags, after))
    hop("os.close(f)")
    same((flags, b("get('k')")), (flags, after))
    hop("os.close(r)")
b("put('k', b'old')")
a("f = hop(lambda: os.open('k', os.O_RDWR))")
hop("os.ftruncate(f, 9)")
same(hop("(os.fstat(f).st_size, size('k'))"), (9, 9))
same(b("size('k')"), 3)
END
}

writes() { [ "$(awk '/^wchar/ { print $2 }' "/proc/$1/io")" -gt 1000 ]; }

@test "a tool that is killed leaves the old value, and no new key" {
	echo old >k
	mkfifo "$DIR/source"
	for signal in KILL TERM INT HUP PIPE SEGV; do
		for target in k new; do
			env --default-signal cat <"$DIR/source" >$target 3>&- 4>&- &
			writer=$!
			exec {hold}>"$DIR/source"
			head -c 4000 /dev/zero >&"$hold"
			wait_for 20 writes $writer
			kill -$signal $writer
			wait $writer || true
			exec {hold}>&-
			[ "$(cat k)" = old ]
			[ "$(ls)" = k ]
		done
	done
}

@test "tee whose reader has gone keeps what it wrote only if it was not killed" {
	echo old >k
	seq 100000 | (env --default-signal tee k || true) | head -n 1
	[ "$(cat k)" = old ]
	seq 100000 | tee -p k | head -n 1
	[ "$(tail -n 1 k)" = 100000 ]
}

@test "a program without memory left commits what it closes and nothing else" {
	echo old >k
	run python3 -c '
import resource
f = open("k", "wb", buffering=0)
f.write(b"half")
resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
b"x" * (1 << 29)'
	[ "$status" = 1 ]
	[[ $output == *MemoryError* ]]
	[ "$(cat k)" = half ]
}
