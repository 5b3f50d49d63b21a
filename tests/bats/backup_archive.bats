#!/usr/bin/env bats
# Backups as archives, by file and by pipe, and the command line of backups of a
# mounted database.
# timeout: 300 s
load mount
bats_require_minimum_version 1.5.0

setup() {
	mount_prepare
	cd "$DIR" || return 1
	printf 0123456789abcdef0123456789abcdef >key
	printf 0123456789abcdef0123456789abcdeF >other
}
teardown() {
	cd /
	mount_cleanup
}

# fill [OPTION...] DATABASE
fill() {
	local db=${*: -1} options=("${@:1:$#-1}")
	aedb put "${options[@]}" -p "$db" p/s
	head -c 3000000 /dev/urandom >large
	aedb put "${options[@]}" "$db" p/s random <large
	aedb put "${options[@]}" "$db" p/s k one
}

# What lies in the directory.
names() {
	find . -mindepth 1 -maxdepth 1 -printf '%f\n' | sort | xargs
}

keys() {
	aedb ls "$@" p/s | xargs
}

@test "a full backup goes into a file, and nothing else stays of it" {
	fill db
	aedb backup full --archive=file db >out
	[[ $(cat out) == 'file: backup 20'* ]]
	[ -z "$(aedb backup list db)" ]
	[ "$(stat -c %s file)" -lt 3200000 ]
	aedb restore file --to=r
	[ "$(keys r)" = 'k random' ]
	aedb get r p/s random | cmp - large
	[ "$(names)" = 'db db.backups file key large mnt other out r' ]
	aedb backup full --archive=kept --keep --json db a >out
	[ "$(jq -r .backup out | xargs)" = 'a a' ]
	[ "$(jq -sr '.[1] | .archive, .encrypted' out | xargs)" = 'kept false' ]
	[ "$(jq -s '.[1].archive_bytes' out)" = "$(stat -c %s kept)" ]
	aedb backup verify db a
}

@test "a full backup and those that go on from it go through pipes" {
	fill db
	aedb backup full --archive=- --keep db a | cat >first
	aedb put db p/s k2 two
	aedb backup incremental --archive=- db b | cat >second
	aedb put db p/s k3 three
	aedb backup incremental --archive=third db c
	tail -c +1 first | aedb restore - --to=r
	[ "$(keys r)" = 'k random' ]
	aedb restore first - third --to=r2 <second
	[ "$(keys r2)" = 'k k2 k3 random' ]
	aedb restore third second first --to=r3 --at-seq="$(aedb backup list --json db |
		jq 'select(.backup == "b").head_seq')"
	[ "$(keys r3)" = 'k k2 random' ]
	# parents may be directories, too
	aedb restore second db.backups/a --to=r4
	[ "$(keys r4)" = 'k k2 random' ]
	fails 1 parent aedb restore second --to=none
	fails 2 'once only' aedb restore - - --to=none
	[ ! -e none ]
	[ -z "$(find . -name '.unpacked-*')" ]
}

@test "a backup that is there is archived, and verified as an archive" {
	fill db
	aedb backup full db a
	aedb backup archive db.backups/a file
	aedb backup archive db.backups/a - | cmp -n 96 - file || true
	[ "$(aedb backup verify --json file | jq .findings)" = 0 ]
	[ "$(aedb backup archive db.backups/a - | aedb backup verify - | tail -n 1)" = \
		'no damage found' ]
	[ "$(aedb backup verify --json file file | jq .backups)" = 2 ]
	fails 1 'no finished backup' aedb backup archive db.backups file2
	fails 1 none aedb backup archive db.backups/none file2
	fails 2 'too few' aedb backup archive db.backups/a
	fails 2 'makes none' aedb backup list --archive=x db
	fails 2 'makes none' aedb backup archive --keep db.backups/a x
	fails 2 'for --archive' aedb backup full --keep db
	file=$(find db.backups/a/val -type f | head -n 1)
	printf x >byte
	cp "$file" copy
	dd if=byte of=copy bs=1 seek=50000 conv=notrunc status=none
	rm "$file"
	cp copy "$file"
	fails 5 'has another content' aedb backup archive db.backups/a file2
	rm "$file"
	fails 5 'is missing' aedb backup archive db.backups/a file2
	[ ! -e file2 ]
	[ -z "$(find . -name 'file2*')" ]
}

@test "an archive is not made in a database, a backup or a directory of backups" {
	fill db
	aedb init another
	# of a directory of backups that has none yet, too
	fails 2 'lies in the directory of backups' \
		aedb backup full --to=new --archive=new/file db
	aedb backup full db a
	mkdir x
	find db another db.backups | sort >before
	for place in db another db/seg db.backups/a db.backups/a/val db.backups; do
		fails 2 "choose another place" aedb backup archive db.backups/a $place/file
		fails 2 "choose another place" aedb backup full --archive=$place/file db
		fails 2 "choose another place" \
			aedb backup incremental --archive="$PWD/x/../$place/file" db
	done
	find db another db.backups | sort | diff before -
	ln -s db.backups link
	fails 2 "lies in the directory of backups $DIR/db.backups" \
		aedb backup archive db.backups/a link/file
	# a name that leads there is itself elsewhere: it is replaced
	ln -s db/file outside
	aedb backup archive db.backups/a outside
	[ ! -L outside ]
	[ ! -e db/file ]
}

@test "with a key archives are encrypted, and there is none to be had of them without" {
	fill db
	aedb backup full db a
	aedb backup archive --key-file=key db.backups/a file
	aedb backup verify --key-fd=7 file 7<key
	aedb restore --key-file=key file --to=r
	[ "$(keys r)" = 'k random' ]
	fails 3 '' aedb restore --key-file=other file --to=none
	fails 3 '' aedb restore file --to=none
	fails 3 '' aedb backup verify file
	# the key of a signed database does both
	aedb init --key-file=key signed
	fill --key-file=key signed
	aedb backup full --key-file=key --keep --archive=s signed a
	aedb backup archive signed.backups/a plain
	aedb put --key-file=key signed p/s k2 two
	aedb backup incremental --key-file=key --archive=s2 signed b
	fails 3 '' aedb restore --key-file=other s s2 --to=none
	aedb restore --key-file=key s s2 --to=r2
	[ "$(keys --key-file=key r2)" = 'k k2 random' ]
	# an archive that is not encrypted is believed for its signature
	aedb restore --key-file=key plain --to=r3
	[ "$(keys --key-file=key r3)" = 'k random' ]
	aedb backup archive db.backups/a unsigned
	fails 3 'not signed' aedb backup verify --key-file=key unsigned
	[ ! -e none ]
}

@test "a key of archives alone encrypts them, whatever the database is signed with" {
	fill db
	aedb backup full --archive=file --archive-key-file=other db
	fails 3 'a key is needed' aedb backup verify file
	fails 3 'wrong key' aedb backup verify --archive-key-file=key file
	aedb backup verify --archive-key-file=other file
	aedb restore --archive-key-file=other file --to=r
	[ "$(keys r)" = 'k random' ]
	# the database's own key is another one, and is required of its signature
	aedb init --key-file=key signed
	fill --key-file=key signed
	aedb backup full --key-file=key --archive-key-file=other --archive=s signed
	fails 3 '' aedb restore --archive-key-file=other s --to=none
	fails 3 '' aedb restore --archive-key-file=other --key-file=other s --to=none
	fails 3 '' aedb restore --key-file=key s --to=none
	fails 3 'not signed' aedb restore --archive-key-file=other --key-file=key file --to=none
	aedb restore --archive-key-file=other --key-file=key s --to=r2
	[ "$(keys --key-file=key r2)" = 'k random' ]
	# nothing else than an archive under that key is taken
	aedb backup full --archive=plain db
	fails 2 'not encrypted' aedb restore --archive-key-file=other plain --to=none
	[ ! -e none ]
}

@test "archives go through age, as the manual has it" {
	command -v age >/dev/null || skip "no age"
	fill db
	age-keygen -o identity 2>keygen
	recipient=$(sed -n 's/^Public key: //p' keygen)
	aedb backup full --archive=- --keep db | age -r "$recipient" >monday.age
	aedb put db p/s k2 two
	aedb backup incremental --archive=- db | age -r "$recipient" >tuesday.age
	age -d -i identity monday.age >monday
	age -d -i identity tuesday.age | aedb restore monday - --to=r
	[ "$(keys r)" = 'k k2 random' ]
}

@test "a stream that ends early, is changed or is something else makes nothing" {
	fill db
	aedb backup full --archive=file db
	for n in 0 1 50 96 5000 1000000 $(($(stat -c %s file) - 1)); do
		head -c "$n" file >part
		fails 5 '' aedb restore - --to=r <part
		fails 5 '' aedb backup verify part
	done
	fails 5 '' aedb restore key --to=r
	{ cat file; echo; } >longer
	fails 5 'follows the archive' aedb restore longer --to=r
	cp file changed
	printf '\377\377' | dd of=changed bs=1 seek=400000 conv=notrunc status=none
	fails 5 '' aedb restore changed --to=r
	[ ! -e r ]
	mkdir full
	touch full/file
	fails 1 'not an empty directory' aedb restore file --to=full
	[ "$(ls -A full)" = file ]
	[ -z "$(find . -name '.*')" ] || [ "$(find . -name '.*')" = . ]
	# and what cannot be written is said
	fails 3 '' aedb backup full --archive=none/file db
	fails 3 'No space' aedb backup full --archive=/dev/full db
	# shellcheck disable=SC2016 # of the inner one
	fails 3 'Broken pipe' bash -c 'aedb backup full --archive=- db | true
		exit "${PIPESTATUS[0]}"'
	[ -z "$(aedb backup list db)" ]
}

@test "a restoring that waits for its stream ends with a signal, and leaves nothing" {
	fill db
	aedb backup full --archive=file db
	mkfifo pipe
	aedb restore - --to=r <pipe 3>&- &
	restorer=$!
	exec {out}>pipe
	head -c 1500000 file >&"$out"
	wait_for 20 eval '[ -n "$(find . -path "./.unpacked-*/seg")" ]'
	kill -TERM $restorer
	status=0
	wait $restorer || status=$?
	exec {out}>&-
	[ "$status" = 143 ]
	[ ! -e r ]
	[ -z "$(find . -name '.unpacked-*')" ]
}

# holds DESCRIPTOR: as much stands in the pipe as the smallest has room for.
holds() {
	python3 -c "import array, fcntl, termios
n = array.array('i', [0])
fcntl.ioctl($1, termios.FIONREAD, n)
raise SystemExit(n[0] < 60000)"
}

# ends STATUS PID
ends() {
	local status=0
	wait "$2" || status=$?
	[ "$status" = "$1" ]
}

@test "an archive that nobody takes ends with a signal, and so does a named pipe nobody reads" {
	fill db
	aedb backup full db a
	mkfifo pipe
	exec {in}<>pipe
	aedb backup archive db.backups/a - >pipe 3>&- &
	packer=$!
	wait_for 20 holds "$in"
	kill -TERM $packer
	ends 143 $packer
	exec {in}>&-
	# one that nobody has opened yet
	aedb backup full --archive=pipe db 3>&- &
	packer=$!
	wait_for 20 eval '[ "$(find db.backups -name backup.json | wc -l)" = 2 ]'
	kill -TERM $packer
	ends 143 $packer
	aedb restore pipe --to=r 3>&- &
	restorer=$!
	wait_for 20 eval '[ -n "$(find . -path "./.unpacked-*/.1")" ]'
	kill -INT $restorer || true
	kill -TERM $restorer
	ends 143 $restorer
	[ "$(aedb backup list --json db | jq -r .backup)" = a ]
	[ "$(find db.backups -mindepth 1 -maxdepth 1 | sort | xargs)" = 'db.backups/LOCK db.backups/a' ]
	[ -z "$(find . -name '.unpacked-*')" ]
	# and both are used when somebody comes
	aedb backup full --archive=pipe db 3>&- &
	aedb restore pipe --to=r
	[ "$(keys r)" = 'k random' ]
	wait
}

@test "a mounted database is backed up by its daemon, listed, verified and archived" {
	mount_start -o backup_dir="$DIR/the backups"
	mkdir -p mnt/p/s
	echo one >mnt/p/s/k
	seq 100000 >mnt/p/s/large
	aedb backup full -n --json mnt first >out
	[ "$(jq -r '.backup, .dry_run, .kind, .form' out | xargs)" = 'first true full files' ]
	dry=$(jq .stored_bytes out)
	[ ! -e 'the backups' ]
	aedb backup full --json mnt first >out
	made=$(jq .stored_bytes out)
	[ "$dry" -gt 500000 ]
	# without CURRENT and MANIFEST-1
	[ "$made" -gt "$dry" ]
	[ "$made" -lt $((dry + 20000)) ]
	[ "$(jq -r '.backup, .kind, .state' out | xargs)" = 'first full finished' ]
	[ "$(ls mnt/.backup)" = first ]
	echo two >mnt/p/s/k
	aedb backup incremental --dry-run mnt more >out
	grep -q '^more would be made up to number' out
	fails 1 'backup first exists' aedb backup full -n mnt first
	[ "$(ls mnt/.backup)" = first ]
	aedb backup incremental mnt >out
	grep -q incremental out
	[ "$(aedb backup list mnt | wc -l)" = 2 ]
	[ "$(aedb backup list mnt/.backup | wc -l)" = 2 ]
	[ "$(aedb backup verify --json mnt | jq .backups)" = 2 ]
	aedb backup verify mnt first
	echo three >mnt/p/s/k
	aedb backup incremental --archive=more mnt last
	aedb backup archive mnt/.backup/first full
	aedb backup full --key-file=key --archive=- mnt >encrypted
	[ "$(aedb backup list mnt | wc -l)" = 3 ]
	aedb restore encrypted --key-file=key --to=r
	[ "$(aedb get r p/s k)" = three ]
	seq 100000 | cmp - <(aedb get r p/s large)
	fails 1 'backup first exists' aedb backup full mnt first
	fails 2 'backup_dir=' aedb backup full --to=elsewhere mnt
	aedb backup full mnt alone
	aedb backup prune --keep-last=1 mnt
	[ "$(ls mnt/.backup)" = alone ]
	[ -d "the backups/alone" ]
	[ ! -e "$DB.backups" ]
}

@test "a backup by the daemon ends with the signal that its command gets" {
	mount_start
	mkdir -p mnt/p/s
	head -c 60000000 /dev/urandom >mnt/p/s/large
	sync mnt/p/s/large
	# somebody else changes the directory: what waits is the lock's, at once
	mkdir "$DB.backups"
	exec {lock}>"$DB.backups/LOCK"
	flock "$lock"
	fails 4 LOCK aedb backup full mnt
	exec {lock}>&-
	# one that is done before the signal comes is tried again
	for i in $(seq 100); do
		aedb backup full mnt "b$i" 3>&- &
		backup=$!
		wait_for 20 grep -q "command .* uid .*: backup full b$i" mnt/.status
		kill -TERM $backup || true
		status=0
		wait $backup || status=$?
		! grep -q "backup full b$i: ECANCELED" mnt/.status || break
	done
	grep -q "backup full b$i: ECANCELED" mnt/.status
	[ "$status" = 143 ]
	[ ! -e "$DB.backups/b$i" ]
	[ -z "$(find "$DB.backups" -name '.*.partial')" ]
	[ "$i" = 1 ] || aedb backup verify "$DB.backups"
}
