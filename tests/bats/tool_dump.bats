#!/usr/bin/env bats
# aedb dump and aedb load: everything comes back, and what is no whole dump
# changes nothing.
# timeout: 300 s
# shellcheck disable=SC2034,SC2094 # DB is of mount.bash; a dump is no part of it

bats_require_minimum_version 1.5.0
load mount

setup() {
	mount_prepare
	cd "$DIR" || return 1
}
teardown() {
	cd /
	mount_cleanup
}

# content DUMP: its lines but the first and the last.
content() { sed '1d;$d' "$1"; }

# same_content A B
same_content() {
	content "$1" >content-1
	content "$2" >content-2
	[ -s content-1 ]
	cmp content-1 content-2
}

# Loads DUMP into a new database NAME, which is dumped the same then.
comes_back() {
	aedb init "$2"
	aedb load "$2" "$1"
	aedb dump "$2" >"$2.dump"
	same_content "$1" "$2.dump"
	aedb verify "$2" | tail -1 | grep -q 'no damage'
}

# Every file of a database but LOCK, by content.
sums() { (cd "$1" && find . -type f ! -name LOCK -exec sha256sum {} + | sort); }

# reseal FILE: its last line made right for what stands before it.
reseal() {
	python3 - "$1" <<'END'
import hashlib, sys
with open(sys.argv[1], "r+b") as f:
    lines = f.read().splitlines(True)[:-1]
    keys = sum(line.startswith((b'{"key"', b'{"key_base64"')) for line in lines)
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    lines.append(b'{"end":%d,"keys":%d,"sha256":"%s"}\n' % (len(lines), keys, digest.encode()))
    f.seek(0)
    f.writelines(lines)
    f.truncate()
END
}

@test "keys and values of any bytes come back" {
	aedb put -p db p/s '' 'of the empty key'
	aedb put db p/s empty ''
	aedb put db p/s 'a/b//c/../d/' slashes
	aedb put db p/s $'new\nline\t"\\' $'text\r\n\t"\\ä€\U1F418'
	for key in 00 ff 6100 c3 61ff62 0a00ff; do
		head -c 500 /dev/urandom | aedb put db p/s -x $key
	done
	aedb put db p/s bits $'\001\177\200'
	aedb put db p/s "$(printf 'k%.0s' {1..1024})" 'of the longest key'
	for n in 1023 1024 1025 65535 65536 65537 131072 1048577 3000000; do
		head -c $n /dev/urandom | aedb put db p/s random-$n
		yes 'ünë €' | head -c $n | aedb put db p/s text-$n
		head -c $n /dev/zero | aedb put db p/s zeros-$n
	done
	aedb put -p db p/empty
	aedb put -p db q
	aedb dump db >dump
	comes_back dump copy
	for key in 00 ff 0a00ff; do
		aedb get db p/s -x $key | cmp - <(aedb get copy p/s -x $key)
	done
	for n in 1025 65537 3000000; do
		for kind in random text zeros; do
			aedb get db p/s $kind-$n | cmp - <(aedb get copy p/s $kind-$n)
		done
	done
	[ "$(aedb scan --json db p/s | jq -c '[.key,.key_base64,.mtime,.value_bytes]')" = \
		"$(aedb scan --json copy p/s | jq -c '[.key,.key_base64,.mtime,.value_bytes]')" ]
	[ "$(aedb ls copy | xargs)" = 'p/ q/' ] && [ "$(aedb ls copy p | xargs)" = 'empty/ s/' ]
}

@test "every line is JSON that says what it is, and the last one counts and sums all before" {
	aedb put -p db p/s k v
	aedb put db p/s -x ff v
	head -c 70000 /dev/urandom | aedb put db p/s large
	aedb dump db >dump
	jq -e . dump >/dev/null
	[ "$(jq -r 'keys_unsorted[0]' dump | xargs)" = \
		'aedb_dump database project scope key key part part key_base64 end' ]
	[ "$(sed -n 's/.*"key":"k".*"value":"\(.*\)".*/\1/p' dump)" = v ]
	[ "$(jq -r 'select(.part != null).value_base64 | @base64d | length > 0' dump | sort -u)" = true ]
	[ "$(jq 'select(.bytes).bytes' dump)" = 70000 ]
	[ "$(jq 'select(.end).end' dump)" = "$(($(wc -l <dump) - 1))" ]
	[ "$(jq 'select(.end).keys' dump)" = 3 ]
	[ "$(jq -r 'select(.end).sha256' dump)" = "$(sed '$d' dump | sha256sum | cut -d' ' -f1)" ]
	[ "$(jq -r 'select(.key == "k").mtime' dump)" = \
		"$(aedb scan --json db p/s | jq -r 'select(.key == "k").mtime')" ]
	[ "$(head -1 dump | jq .seq)" = "$(aedb scan --json db p/s | jq -s 'map(.version) | max')" ]
}

# A tree with all that a mount keeps.
make_tree() {
	mkdir -p mnt/p/s/dir/deep mnt/p/s/hollow mnt/p/other mnt/q
	echo text >mnt/p/s/dir/deep/file
	printf 'a\0b' >mnt/p/s/dir/binary
	ln -s ../nowhere mnt/p/s/dir/link
	mkfifo mnt/p/s/dir/pipe
	chmod 640 mnt/p/s/dir/binary
	chmod 2750 mnt/p/s/dir
	chmod 711 mnt/p/s mnt/q
	touch -d '1969-01-01 00:00:00.123456789 UTC' mnt/p/s/dir/binary
	touch -ad '2040-01-01 00:00:00.5 UTC' mnt/p/s/dir/deep/file
	setfattr -n user.note -v 'of a ßile' mnt/p/s/dir/deep/file
	setfattr -n user.bits -v 0x00ff80 mnt/p/s/dir/deep/file
	setfattr -n user.empty mnt/p/s/dir
	[ "$(id -u)" != 0 ] || chown 1234:4321 mnt/p/s/dir/deep/file mnt/p/s/hollow
	truncate -s 1T mnt/p/s/holes
	printf here | dd of=mnt/p/s/holes bs=1 seek=700000000000 conv=notrunc status=none
	mkdir mnt/p/s/hidden
	echo own >'mnt/p/s/hidden/%'
	head -c 3000000 /dev/urandom >mnt/p/s/large
	touch -d '2002-02-02 00:00:00.25 UTC' mnt/p/s/dir/deep mnt/p/s/hollow mnt/p/s mnt/p mnt
}

# What find and getfattr see of a mount.
shape() (
	cd "$1" || return 1
	find . -printf '%P %y %m %U %G %s %l %T@ %A@\n' | sort
	getfattr -hRd -m user . 2>/dev/null | sort
)

@test "attributes, times, holes, links and empty directories of a mount come back" {
	mount_start
	make_tree
	shape mnt >shape
	mount_stop
	aedb dump db -o dump
	[ "$(stat -c %s dump)" -lt 5000000 ]
	[ "$(jq -c 'select(.key == "dir/deep/file") | [.mode, .atime, .xattrs["user.note"], .xattrs["user.bits"]]' dump)" = \
		'["100644","2040-01-01T00:00:00.500000000Z","of a ßile",{"base64":"AP+A"}]' ]
	[ "$(grep -c '"part":' dump)" -lt 60 ]
	comes_back dump copy
	DB=$DIR/copy
	mount_start
	shape mnt | diff shape -
	[ "$(stat -c %b mnt/p/s/holes)" -lt 1000 ]
	[ "$(tail -c +700000000001 mnt/p/s/holes | head -c 4)" = here ]
	[ "$(cat 'mnt/p/s/hidden/%')" = own ]
}

@test "a snapshot, a project or a scope is dumped by itself" {
	aedb put -p db p/s k old
	aedb put -p db p/t k other
	aedb put -p db q/s k third
	aedb snapshot create db A
	aedb put db p/s k new
	aedb del -r db q
	aedb mv db p/t p/u
	aedb dump db --snapshot A >A
	[ "$(jq -r '.project // .scope // .value // empty' A | xargs)" = 'p s old t other q s third' ]
	[ "$(head -1 A | jq -r .snapshot)" = A ]
	[ "$(aedb dump db | jq -r '.project // .scope // .value // empty' | xargs)" = 'p s new u other' ]
	[ "$(aedb dump db p/u | jq -r '.project // .scope // .value // empty' | xargs)" = 'p u other' ]
	[ "$(aedb dump db p/u | head -1 | jq -c .places)" = '["p/u"]' ]
	[ "$(aedb dump db q p/t --snapshot A | jq -r '.project // .scope // .value // empty' | xargs)" = \
		'p t other q s third' ]
	[ "$(aedb dump db p | grep -c '"database"')" = 0 ]
	run -1 aedb dump db q
	run -1 aedb dump db p/t
	run -1 aedb dump db --snapshot B
	run -2 aedb dump db p/s/k
	run -2 aedb dump
	run -3 aedb dump none
}

@test "a dump to a file is there when it is whole, and nothing of it before" {
	aedb put -p db p/s k v
	echo before >file
	run -1 aedb dump db none -o file
	[ "$(cat file)" = before ]
	[ "$(aedb dump db -o file --json | jq -c 'keys')" = '["bytes","keys","lines","rows"]' ]
	aedb dump db | cmp - file
	[ "$(aedb dump db -o /dev/stdout | sha256sum)" = "$(sha256sum <file)" ]
	[ "$(find . -maxdepth 1 -name 'file*')" = ./file ]
	run -3 aedb dump db -o none/file
	run -3 sh -c 'aedb dump db >/dev/full'
}

@test "a scope that is there is refused, replaced or merged into, and others stay" {
	aedb put -p db p/s k dumped
	aedb put db p/s both dumped
	aedb put -p db p/t k dumped
	aedb dump db >dump
	aedb init copy
	aedb put -p copy p/s both there
	aedb put copy p/s mine there
	aedb put -p copy p/u k there
	aedb snapshot create copy A
	sums copy >before
	run -1 aedb load copy dump
	[[ $output == *"copy: p/s: "*"already there"* ]]
	run -1 aedb get copy p/t k
	aedb load copy dump --merge --json | jq -e '.keys == 3 and .scopes == 2 and .commits == 1'
	[ "$(aedb scan copy p/s --values | xargs)" = 'both dumped k dumped mine there' ]
	[ "$(aedb get copy p/t k)" = dumped ]
	aedb put copy p/t more there
	aedb load copy --replace - <dump
	[ "$(aedb scan copy p/s --values | xargs)" = 'both dumped k dumped' ]
	[ "$(aedb scan copy p/t --values | xargs)" = 'k dumped' ]
	[ "$(aedb get copy p/u k)" = there ]
	[ "$(aedb dump copy --snapshot A | jq -r '.value // empty' | xargs)" = 'there there there' ]
	[ "$(aedb ls copy p | xargs)" = 's/ t/ u/' ] && [ "$(aedb ls copy)" = p/ ]
	aedb verify copy | tail -1 | grep -q 'no damage'
	run -2 aedb load copy dump --replace --merge
	run -2 aedb load
	run -3 aedb load copy none
	run -3 aedb load none dump
}

@test "a merge is one commit as long as its values have room in one" {
	mount_start
	mkdir -p mnt/p/s
	for i in {1..300}; do head -c 10000 /dev/urandom >mnt/p/s/"$i"; done
	for i in {1..40}; do head -c 70000 /dev/urandom >mnt/p/s/large-"$i"; done
	mount_stop
	aedb dump db >dump
	aedb init copy
	aedb load copy dump --merge --json | jq -e '.keys == 340 and .commits == 1'
	for i in {41..80}; do head -c 70000 /dev/urandom | aedb put db p/s large-"$i"; done
	aedb dump db >dump
	aedb load copy dump --merge --json | jq -e '.keys == 380 and .commits == 2'
	aedb dump copy >copied
	grep -v '"database"' dump >one
	grep -v '"database"' copied >two
	same_content one two
}

@test "a key that is merged into keeps its id" {
	aedb put -p db p/s k dumped
	aedb dump db >dump
	aedb put db p/s k newer
	id=$(aedb scan --json db p/s | jq .id)
	aedb load --merge db dump
	[ "$(aedb scan --json db p/s | jq .id)" = "$id" ]
	[ "$(aedb get db p/s k)" = dumped ]
}

@test "a dump that is cut or changed anywhere is refused, by line, and changes nothing" {
	aedb put -p db p/s k v
	head -c 100000 /dev/urandom | aedb put db p/s large
	aedb put db p/s z v
	aedb dump db >dump
	aedb init copy
	aedb put -p copy p/other k v
	sums copy >before
	python3 - <<'END'
import random, subprocess
dump = open("dump", "rb").read()
lines = dump.splitlines(True)
random.seed()
seed = random.randrange(1 << 32)
print("seed", seed)
random.seed(seed)

def refused(data, way):
    for option in [], ["--replace"], ["--merge"]:
        with open("bad", "wb") as f:
            f.write(data)
        run = subprocess.run(["aedb", "load", "copy", "bad", *option], capture_output=True, text=True)
        assert run.returncode == 5, (way, run)
        assert run.stderr.startswith("aedb: bad: line "), run
        assert run.stdout == "", run

refused(b"", "empty")
refused(dump + b"\n", "longer")
refused(dump + dump, "twice")
refused(dump[:-1], "one byte less")
refused(b"x" * 3000000, "a long line")
for i in range(len(lines)):
    refused(b"".join(lines[:i] + lines[i + 1:]), "line %d missing" % i)
    refused(b"".join(lines[:i + 1] + lines[i:]), "line %d twice" % i)
for i in range(30):
    at = random.randrange(len(dump))
    refused(dump[:at], "cut at %d" % at)
    refused(dump[:at] + bytes([dump[at] ^ 1 << random.randrange(8)]) + dump[at + 1:], "bit at %d" % at)
END
	sums copy | diff before -
	aedb load copy dump
}

@test "lines that cannot be are named, though the checksum is right" {
	aedb put -p db p/s k v
	aedb dump db >dump
	aedb init copy
	for edit in '5s/"k"/7/' '5s/"value"/"other"/' '4d' '3s/"p"/"p.p"/' '5s/"mtime":"/&1/' \
		'2s/true/false/' '5s/}$/,"mode":"9"}/' '5s/}$/,"part":0}/' '1s/2/3/'; do
		sed "$edit" dump >edited
		reseal edited
		run -5 aedb load copy edited
		[[ $output =~ ^aedb:\ edited:\ line\ [1-5]:\  ]]
	done
	sed '5s/"v"/"other"/' dump >edited
	reseal edited
	aedb load copy edited
	[ "$(aedb get copy p/s k)" = other ]
}

@test "two databases of the same content give the same bytes with --comparable" {
	aedb put -p db p/s k v
	aedb dump db >dump
	aedb init copy
	aedb put -p copy x/y z 1
	aedb del -r copy x
	aedb load --replace copy dump
	aedb snapshot create copy A
	aedb dump copy >other
	run -1 cmp -s dump other
	aedb dump --comparable db >one
	aedb dump --comparable --snapshot A copy | cmp one -
	aedb init again
	aedb load again one
	aedb dump --comparable again | cmp one -
}

@test "large values and many keys need little memory, and both ways" {
	[ -z "${MODE-}" ] || [ "$MODE" = release ] || skip "other memory in a build for checks"
	python3 - >dump <<'END'
import hashlib, json
lines = ['{"aedb_dump":1}\n', '{"project":"p"}\n', '{"scope":"s"}\n']
lines += ['{"key":"key-%07d","value":"%s"}\n' % (i, "x" * 300) for i in range(300000)]
text = "".join(lines)
print(text + '{"end":%d,"keys":%d,"sha256":"%s"}' % (
    len(lines), len(lines) - 3, hashlib.sha256(text.encode()).hexdigest()))
END
	aedb init copy
	within_memory aedb load copy dump
	head -c 200M /dev/urandom >large
	aedb put copy p/s large -f large
	rm large dump
	within_memory aedb dump copy -o dump
	rm -r db && aedb init db
	within_memory sh -c 'cat dump | aedb load db -'
	[ "$(aedb scan db p/s | wc -l)" = 300001 ]
	aedb get db p/s large | cmp - <(aedb get copy p/s large)
}

@test "what a killed load leaves, the next one takes away" {
	for i in {1..20}; do head -c 3M /dev/urandom | aedb put -p db p/s "$i"; done
	aedb dump db >dump
	aedb init copy
	aedb put -p copy q/s k v
	# while it waits for more
	mkfifo pipe
	aedb load copy - <pipe 3>&- & loading=$!
	exec 5>pipe
	head -n 200 dump >&5
	kill -KILL $loading
	wait $loading || true
	exec 5>&-
	[ "$(aedb ls copy)" = q/ ]
	# while it writes
	aedb load copy dump 3>&- & loading=$!
	wait_for 20 sh -c 'for f in copy/val/*.val; do [ "$(stat -c %s "$f")" -gt 1000000 ] && exit; done; exit 1' ||
		! kill -0 $loading
	kill -KILL $loading 2>/dev/null || true
	wait $loading || true
	[ "$(aedb ls copy | grep -cx p/)" = 0 ] || [ "$(aedb scan copy p/s | wc -l)" = 20 ]
	aedb load --replace copy dump
	[ "$(aedb ls copy | xargs)" = 'p/ q/' ]
	aedb dump db p >one
	aedb dump copy p >two
	same_content one two
	# what it leaves in any case
	rm -r db copy && aedb init db && aedb init copy
	DB=$DIR/copy
	mount_start
	mkdir -p mnt/aedb-load/1
	echo half >mnt/aedb-load/1/key
	setfattr -n user.aedb.load -v 1 mnt/aedb-load
	mount_stop
	aedb dump db >dump
	aedb load copy dump
	[ "$(aedb ls copy)" = '' ]
}

@test "on a full disk nothing is loaded, and what was begun is gone" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	for i in 1 2 3; do head -c 40M /dev/urandom | aedb put -p db p/s $i; done
	aedb dump db >dump
	mkdir disk
	mount -t tmpfs -o size=120M none disk
	aedb init disk/copy
	aedb put -p disk/copy q/s k v
	run -3 aedb load disk/copy dump
	[[ $output == "aedb: disk/copy: p/s: "*"No space left on device" ]]
	[ "$(aedb ls disk/copy)" = q/ ]
	run -3 sh -c 'cat dump | aedb load disk/copy'
	[[ $output == *"No space left on device" ]]
	[ "$(find disk -name '*.dump*')" = '' ]
	aedb verify disk/copy | tail -1 | grep -q 'no damage'
	mount -o remount,size=600M disk
	aedb load disk/copy dump
	aedb dump db >dump
	aedb dump disk/copy p >dump-of-copy
	sed -i 2d dump
	same_content dump dump-of-copy
}

@test "a project of somebody's that has the name needed while loading is left alone" {
	aedb put -p db p/s k v
	aedb dump db >dump
	aedb init copy
	aedb put -p copy aedb-load/s k mine
	run -1 aedb load copy dump
	[[ $output == *aedb-load* ]]
	[ "$(aedb get copy aedb-load/s k)" = mine ]
	aedb dump copy >theirs
	run -1 aedb load db theirs
	[[ $output == *aedb-load* ]]
	aedb load --merge db theirs
	[ "$(aedb get db aedb-load/s k)" = mine ]
}

@test "a signed database is dumped and loaded with its key" {
	head -c 32 /dev/urandom >key
	aedb init --key-file key signed
	aedb put --key-file key -p signed p/s k v
	run -3 aedb dump signed
	aedb dump --key-file key signed >dump
	aedb load --key-file key --replace signed dump
	[ "$(aedb get --key-file key signed p/s k)" = v ]
}

@test "a snapshot that rsync copies out, and into a new mount, is the same dump" {
	mount_start
	make_tree
	rm mnt/p/s/holes	# rsync would write a terabyte of zeros
	truncate -s 20M mnt/p/s/holes
	mkdir mnt/.snap/A
	echo later >mnt/p/s/dir/deep/file
	rm -r mnt/p/other
	# rsync takes times of one second for the same, unless told
	quietly rsync -aX --modify-window=-1 mnt/.snap/A/ out/
	mount_stop
	aedb dump --comparable --snapshot A db >dump
	aedb init copy
	DB=$DIR/copy
	mount_start
	quietly rsync -aX --modify-window=-1 out/ mnt/
	mkdir mnt/.snap/B
	mount_stop
	aedb dump --comparable copy >dump-of-copy
	diff dump dump-of-copy
	aedb dump --comparable --snapshot B copy | cmp dump
}

# but_root DUMP: its content without the line of the database itself, whose
# attributes and time a mount shows otherwise.
but_root() { content "$1" | sed 1d; }

@test "a mounted database is dumped as it is when it is not mounted" {
	mount_start
	make_tree
	mkdir -p mnt/a/b mnt/a-b/c "mnt/p/s/100%/%." "mnt/p/s/$(printf 'x%.0s' {1..255})"
	echo key >"mnt/p/s/100%/%./%2500"
	echo key >"mnt/p/s/$(printf 'x%.0s' {1..255})/key"
	aedb dump mnt >whole
	[ -z "$(ls mnt/.snap)" ]
	aedb dump mnt p/s >scope
	aedb dump mnt/p/s | cmp - scope
	mkdir mnt/.snap/A
	echo later >mnt/p/s/later
	aedb dump mnt --snapshot A >snapshot
	run -1 aedb dump mnt --snapshot B
	run -1 aedb dump mnt none
	run -2 aedb dump mnt/p/s/dir
	run -2 aedb dump mnt/p q
	run -2 aedb dump mnt/.snap/A
	mount_stop
	aedb dump db --snapshot A >dump
	but_root dump >expected
	for same in whole snapshot; do
		but_root $same | cmp expected
	done
	aedb dump db p/s --snapshot A >dump-of-scope
	same_content dump-of-scope scope
	aedb init copy
	aedb load copy whole
	aedb dump copy >dump
	but_root dump | cmp expected
}

@test "a dump of a mount that a signal ends leaves no snapshot" {
	mount_start
	mkdir -p mnt/p/s
	head -c 3M /dev/urandom >mnt/p/s/k
	mkfifo pipe
	for signal in INT TERM HUP; do
		# bash has those in the background ignore the first
		env --default-signal aedb dump mnt -o pipe 3>&- & dumping=$!
		exec 5<pipe
		head -c 100 <&5 >/dev/null
		[ "$(find mnt/.snap -mindepth 1 -maxdepth 1 | wc -l)" = 1 ]
		kill -$signal $dumping
		wait $dumping || [ $? -gt 128 ]
		exec 5<&-
		[ -z "$(ls mnt/.snap)" ]
	done
}

@test "keys of any bytes are dumped through a mount, those beside directories too" {
	aedb put -p db p/s '' 'of the empty key'
	aedb put db p/s both key
	aedb put db p/s both/below key
	aedb put db p/s 'a//b/../c/' key
	for key in 00 6100 ff 25; do aedb put db p/s -x $key key; done
	keys() { jq -c 'select(has("key") or has("key_base64")) | [.key, .key_base64, .mtime, .value]' "$1" | sort; }
	aedb dump db >dump
	mount_start
	aedb dump mnt >mounted
	mount_stop
	[ "$(keys dump)" = "$(keys mounted)" ]
	[ "$(keys dump | wc -l)" = 8 ]
	[ "$(grep -c '"directory"' mounted)" = 0 ]
	aedb init copy
	aedb load copy mounted
	[ "$(aedb scan -x copy p/s --values)" = "$(aedb scan -x db p/s --values)" ]
}

@test "a dump is not loaded into a mount" {
	aedb put -p db p/s k v
	aedb dump db >dump
	mount_start
	run -4 aedb load mnt dump
	[[ $output == *"aedb umount"* ]]
	run -4 aedb load db --replace dump
}
