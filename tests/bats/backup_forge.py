"""Changes a backup.json and gives it the SHA-256 that it has to end with.

backup_forge.py FILE PATTERN REPLACEMENT [PATTERN REPLACEMENT]...: regular
expressions, of which each must be found. Who has no key can do no more than that.
"""
import hashlib
import os
import re
import sys

path, changes = sys.argv[1], sys.argv[2:]
with open(path, encoding='ascii') as file:
    text = file.read()
for pattern, replacement in zip(changes[::2], changes[1::2]):
    text, n = re.subn(pattern, replacement, text, flags=re.M)
    if n == 0:
        sys.exit(f'{path}: no {pattern}')
body = text[:text.rindex(',\n"sha256":')]
digest = hashlib.sha256(body.encode()).hexdigest()
# a name of its own: others may be linked to the file
os.unlink(path)
with open(path, 'w', encoding='ascii') as file:
    file.write(f'{body},\n"sha256":"{digest}",\n"hmac":null}}\n')
