"""A user who tries calls at random on a mount: hostile_user.py MNT UID SEED CALLS.

Whatever holds SECRET was not granted to him; that he reads it anywhere is an error, as
are errors that no hostile call may cause. Begun as root, whose open directories he is
given. Names are of what is there and of what is not, in every part of the mount.
"""
import ctypes
import errno
import mmap
import os
import random
import sys

MNT, UID, SEED, CALLS = sys.argv[1], *map(int, sys.argv[2:5])
TOPS = ("", "p", "p/s", "p/s/inbox", "p/s/private", "p/other", "q", ".snap/one/p/s",
        "p/.snap/one/s", ".snap/@5/p", ".backup", ".batch", ".batch/mine",
        ".batch/mine/p/s", ".batch/mine/p/s/inbox", ".batch/roots/p/s")
NAMES = ("p", "s", "inbox", "private", "other", "q", "a", "b", "c", "gap", "deep",
         "new", "link", ".snap", ".batch", ".backup", "one", "mine", "roots", "full",
         ".control", ".status", ".changes", ".metrics", ".diff", ".conflicts", "%")
FLAGS = (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_PATH, os.O_WRONLY | os.O_CREAT,
         os.O_RDWR | os.O_TRUNC, os.O_WRONLY | os.O_APPEND)
HELD_MAX = 40
UNEXPECTED = (errno.EIO, errno.ENOTCONN, errno.EFAULT, errno.EBADMSG)

libc = ctypes.CDLL(None, use_errno=True)
rand = random.Random(SEED)
given = [os.open(f"{MNT}/{d}", os.O_RDONLY) for d in TOPS
         if "mine" not in d and "@" not in d]
held = list(given)


def path():
    names = rand.choices(NAMES, k=rand.choice((0, 1, 1, 2)))
    return "/".join([MNT, rand.choice(TOPS), *names])


def somewhere():
    """A path, or a name in a directory that is held."""
    if rand.random() < 0.6:
        return path(), None
    return rand.choice(NAMES), rand.choice(held)


def by_descriptor():
    return f"/proc/self/fd/{rand.choice(held)}"


def look(content, where):
    assert b"SECRET" not in content, (where, content[:80])


def look_at_text(name):
    with open(f"{MNT}/.batch/{rand.choice(('mine', 'roots'))}/{name}", "rb") as text:
        for line in text:
            assert b" p/s/" not in line or b" p/s/inbox" in line, line


def open_one():
    name, directory = somewhere()
    held.append(os.open(name, rand.choice(FLAGS), 0o666, dir_fd=directory))


def rename():
    (old, a), (new, b) = somewhere(), somewhere()
    if libc.renameat2(-100 if a is None else a, old.encode(),
                      -100 if b is None else b, new.encode(), rand.choice((0, 1, 2))):
        raise OSError(ctypes.get_errno(), old)


def map_one():
    with mmap.mmap(rand.choice(held), 0, mmap.MAP_PRIVATE, mmap.PROT_READ) as m:
        look(m[:], "a mapping")


def command():
    with open(path().rsplit("/", 1)[0] + "/.control", "wb", buffering=0) as f:
        f.write(rand.choice((b"commit", b"check", b"abort", b"grants", b"tables")))


def at(call, *arguments):
    name, directory = somewhere()
    call(name, *arguments, dir_fd=directory)


ACTS = (
    open_one, open_one, open_one, rename, rename, map_one, command,
    lambda: held.append(os.open(by_descriptor(), rand.choice(FLAGS[:3]))),
    lambda: look(os.pread(rand.choice(held), 4096, 0), "a file"),
    lambda: os.write(rand.choice(held), b"mine"),
    lambda: os.truncate(rand.choice((rand.choice(held), path())), 2),
    lambda: os.listdir(path()),
    lambda: look(os.getxattr(path(), "user.word"), "an attribute"),
    lambda: os.setxattr(path(), "user.mine", b"1"),
    lambda: look(os.readlink(path()).encode(), "a link"),
    lambda: os.symlink("../private/b", path()),
    lambda: os.link(path(), path()),
    lambda: os.mkdir(f"{MNT}/.batch/mine"),
    lambda: look_at_text(rand.choice((".diff", ".conflicts", ".status"))),
    lambda: at(os.stat), lambda: at(os.mkdir), lambda: at(os.rmdir),
    lambda: at(os.unlink), lambda: at(os.utime), lambda: at(os.chmod, 0o777),
)


def let_go():
    while len(held) > HELD_MAX:
        try:
            os.close(held.pop(rand.randrange(len(given), len(held))))
        except OSError as e:
            assert e.errno == errno.ESTALE, e


os.setgroups([])
os.setgid(UID)
os.setuid(UID)
done = 0
for _ in range(CALLS):
    try:
        rand.choice(ACTS)()
        done += 1
    except OSError as e:
        assert e.errno not in UNEXPECTED, e
    except ValueError:
        pass  # a mapping of nothing
    let_go()
assert done > CALLS / 50, f"only {done} of {CALLS} calls did anything"
