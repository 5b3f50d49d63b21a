"""Damages every file of backups in every way, one at a time.

backup_damage.py DIRECTORY NAME [PARENT...]: of a copy of the directory of backups
these are damaged; each time "aedb restore" and "aedb backup verify" of NAME must
refuse it with the status of damage and name backup and file, and nothing may be
made. Prints what was not so; fails if anything was not.
"""
import os
import shutil
import subprocess
import sys

DAMAGED = 5
NOT_THERE = 1


class Attack:
    def __init__(self, source, name):
        self.source = os.path.abspath(source)
        self.work = self.source + '.damaged'
        self.target = self.source + '.restored'
        self.name = name
        self.attacks = self.failures = 0
        shutil.copytree(self.source, self.work)

    def run(self, *args):
        done = subprocess.run(args, capture_output=True, text=True, timeout=30,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    def complain(self, what, path, tool, problem, output):
        self.failures += 1
        print(f'{what} {path}: {tool}: {problem}: {output}')

    def refused(self, what, path, statuses=(DAMAGED,)):
        """Both refuse, name the place and make nothing."""
        self.attacks += 1
        backup, _, file = path.partition('/')
        before = sorted(os.listdir(os.path.dirname(self.target)))
        tools = (('restore', f'{self.work}/{self.name}', f'--to={self.target}'),
                 ('backup', 'verify', self.work, self.name))
        for tool in tools:
            status, output = self.run('aedb', *tool)
            if status not in statuses and not (tool[0] == 'backup' and
                                               status == DAMAGED):
                self.complain(what, path, tool[0], f'status {status}', output)
            elif backup not in output or file not in output:
                self.complain(what, path, tool[0], 'no place', output)
            if sorted(os.listdir(os.path.dirname(self.target))) != before:
                self.complain(what, path, tool[0], 'something was made', output)
                shutil.rmtree(self.target, ignore_errors=True)

    def with_file(self, what, path, change, statuses=(DAMAGED,)):
        """`change` makes of the file, which is a copy of its own, another one."""
        at = os.path.join(self.work, path)
        change(at)
        self.refused(what, path, statuses)
        if os.path.isdir(at) and not os.path.islink(at):
            os.rmdir(at)
        elif os.path.lexists(at):
            os.unlink(at)
        shutil.copyfile(os.path.join(self.source, path), at)


def flip(place):
    def change(path):
        with open(path, 'r+b') as file:
            at = int(place * (os.path.getsize(path) - 1))
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))
    return change


def cut(path):
    os.truncate(path, os.path.getsize(path) - 1)


def extend(path):
    with open(path, 'ab') as file:
        file.write(b'\0')


def instead(make):
    def change(path):
        os.unlink(path)
        make(path)
    return change


def damage_files(attack, files):
    for i, path in enumerate(files):
        original = os.path.join(attack.source, path)
        other = os.path.join(attack.source, files[i - 1])
        gone = path.endswith('/backup.json')
        for place in (0, 0.3, 0.7, 1):
            attack.with_file(f'bit at {place} of', path, flip(place))
        for what, change in (
                ('cut', cut), ('emptied', lambda at: os.truncate(at, 0)),
                ('extended', extend), ('pipe', instead(os.mkfifo)),
                ('directory', instead(os.mkdir)),
                ('link to itself', instead(lambda at, to=original:
                                           os.symlink(to, at))),
                ('link to nothing', instead(lambda at:
                                            os.symlink('nothing', at))),
                ('hard link to another',
                 instead(lambda at, to=other: os.link(to, at)))):
            # the manifest of the parent is a backup: this one's twin
            if gone and what.startswith('hard'):
                continue
            attack.with_file(what, path, change)
        if not gone:
            attack.with_file('removed', path, os.unlink)


def add_files(attack, backups):
    for backup in backups:
        for directory in ('', 'seg/', 'val/', 'wal/'):
            for name in ('99.seg', '99.val', '99.wal', '.hidden', 'LOCK',
                         'MANIFEST-2', 'backup.json.new'):
                path = f'{backup}/{directory}{name}'
                at = os.path.join(attack.work, path)
                with open(at, 'w', encoding='ascii') as file:
                    file.write('x')
                attack.refused('added', path)
                os.unlink(at)
        path = f'{backup}/more'
        os.mkdir(os.path.join(attack.work, path))
        attack.refused('added directory', path)
        os.rmdir(os.path.join(attack.work, path))


def link_directories(attack, backups):
    for path in (f'{b}/{d}' for b in backups for d in ('seg', 'val', 'wal')):
        at = os.path.join(attack.work, path)
        aside = attack.work + '.aside'
        os.rename(at, aside)
        os.symlink(aside, at)
        attack.refused('link in place of', path)
        os.unlink(at)
        os.rename(aside, at)
    for backup in backups:
        at = os.path.join(attack.work, backup)
        aside = attack.work + '.aside'
        os.rename(at, aside)
        attack.refused('no', '/', (NOT_THERE,))
        os.rename(aside, at)


def main():
    attack = Attack(sys.argv[1], sys.argv[2])
    backups = sys.argv[2:]
    files = [os.path.relpath(os.path.join(directory, name), attack.source)
             for backup in backups
             for directory, _, names in os.walk(os.path.join(attack.source, backup))
             for name in sorted(names)]
    damage_files(attack, files)
    add_files(attack, backups)
    link_directories(attack, backups)
    status, output = attack.run('aedb', 'restore', f'{attack.work}/{attack.name}',
                                f'--to={attack.target}')
    if status != 0:
        attack.complain('nothing', '/', 'restore', f'status {status}', output)
    print(f'{attack.attacks} damages, {attack.failures} not refused as they must be')
    return attack.failures > 0


sys.exit(main())
