"""Processes that act on a mount one step at a time, for BATS files:

	act <<'END'
	a, b = actor(), actor()
	a("f = os.open('k', os.O_WRONLY | os.O_TRUNC)")
	a("os.write(f, b'new')")
	same(b("get('k')"), b"old")
	END

An actor is a process of its own, no child of another actor, in the working
directory. It runs the text it is given and returns the value of an expression;
an OSError comes back as the name of its errno, any other exception ends the
test. kill() sends SIGKILL and waits for its end, leave() lets it exit.
"""
import ctypes
import errno
import fcntl
import mmap
import os
import pickle
import signal
import socket
import stat
import struct
import sys
import time
import traceback

SECONDS_MAX = 30
NOREPLACE, EXCHANGE = 1, 2
AT_FDCWD = -100


def get(path):
    """The content by a fresh descriptor."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return b"".join(iter(lambda: os.read(fd, 65536), b""))
    finally:
        os.close(fd)


def put(path, content, flags=os.O_WRONLY | os.O_CREAT | os.O_TRUNC):
    fd = os.open(path, flags, 0o644)
    try:
        while content:
            content = content[os.write(fd, content):]
    finally:
        os.close(fd)


def size(path):
    return os.stat(path).st_size


def rename(old, new, flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, old.encode(), AT_FDCWD, new.encode(), flags):
        raise OSError(ctypes.get_errno(), old)


def run_text(text, names):
    try:
        return eval(compile(text, "actor", "eval"), names)
    except SyntaxError:
        exec(compile(text, "actor", "exec"), names)
        return None


class actor:
    """One process; calling it runs text there."""

    all = []

    def __init__(self):
        self.end, theirs = socket.socketpair()
        self.end.settimeout(SECONDS_MAX)
        self.pid = os.fork()
        if self.pid == 0:
            self.end.close()
            for other in actor.all:
                other.stream.close()
                other.end.close()
            signal.alarm(SECONDS_MAX)
            actor.serve(theirs.makefile("rwb"))
            os._exit(0)
        theirs.close()
        self.stream = self.end.makefile("rwb")
        actor.all.append(self)

    @staticmethod
    def serve(stream):
        names = dict(globals())
        while True:
            try:
                text = pickle.load(stream)
            except EOFError:
                return
            try:
                answer = ("value", run_text(text, names))
            except OSError as error:
                answer = ("value", errno.errorcode[error.errno])
            except BaseException:
                answer = ("raised", traceback.format_exc())
            pickle.dump(answer, stream)
            stream.flush()

    def __call__(self, text):
        pickle.dump(text, self.stream)
        self.stream.flush()
        kind, value = pickle.load(self.stream)
        if kind == "raised":
            raise SystemExit(f"in an actor, at {text!r}:\n{value}")
        return value

    def leave(self):
        self.stream.close()
        self.end.close()
        os.waitpid(self.pid, 0)
        actor.all.remove(self)

    def kill(self, number=signal.SIGKILL):
        os.kill(self.pid, number)
        self.leave()


def same(got, want):
    if got != want:
        line = traceback.extract_stack()[-2].lineno
        raise SystemExit(f"line {line}: got {got!r}, want {want!r}")


signal.alarm(2 * SECONDS_MAX)
text = sys.stdin.read()
exec(compile(text, "test", "exec"), globals())
for left in list(actor.all):
    left.leave()
