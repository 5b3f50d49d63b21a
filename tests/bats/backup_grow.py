"""Makes a backup.json as large as one may be, with the SHA-256 it has to end with.

backup_grow.py FILE WHAT [STORED]: more of WHAT, which is "members" (one that nobody
knows, with very many numbers), "element" (of the list of files, with as many),
"files" or "snapshots" (as they are written, each of which is to be remembered).
The files are stored in the backup of that id, or here.
"""
import hashlib
import os
import re
import sys

path, what, stored = (sys.argv[1:] + ['here'])[:3]
ROOM = (64 << 20) - 4096
ZEROS = '0' * 63

with open(path, encoding='ascii') as file:
    text = file.read()
body = text[:text.rindex(',\n"sha256":')]


def many(line):
    """Lines, of numbers that ascend, up to the room."""
    lines, n = [], len(body)
    while n < ROOM:
        lines.append(line(len(lines)))
        n += len(lines[-1]) + 2
    return ',\n'.join(lines)


def put(place, more):
    """What was grown: more stands where the expression was found, and then that."""
    at = re.search(place, body).start()
    return body[:at] + more + body[at:]


def numbers():
    return '[' + '0,' * ((ROOM - len(body)) // 2) + '0]'


if what == 'members':
    body = put('"id":', f'"more":{numbers()},\n')
elif what == 'element':
    body = put('{"path":', f'{numbers()},\n')
elif what == 'files':
    body = put('{"path":"[^s]', many(
        lambda i: f'{{"path":"seg/{i + 1000}.seg","bytes":1,"sha256":"{ZEROS}0",'
                  f'"incarnation":"{ZEROS[:32]}","stored":"{stored}"}}') + ',\n')
elif what == 'snapshots':
    body = body[:-1] + '\n' + many(
        lambda i: f'{{"name":"{i:07}","seq":0,'
                  f'"time":"2026-11-22T15:52:39.000000Z"}}') + ']'
digest = hashlib.sha256(body.encode()).hexdigest()
# a name of its own: others may be linked to the file
os.unlink(path)
with open(path, 'w', encoding='ascii') as file:
    file.write(f'{body},\n"sha256":"{digest}",\n"hmac":null}}\n')
