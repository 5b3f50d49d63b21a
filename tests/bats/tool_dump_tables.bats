#!/usr/bin/env bats
# aedb dump and aedb load of tables, and of what is granted.
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

PEOPLE='{"columns":[{"name":"id","type":"u64"},{"name":"name","type":"text"},
	{"name":"age","type":"u8","nullable":true},{"name":"town","type":"text","default":"Rom"}],
	"key":["id"],"indexes":[{"name":"by_age","columns":["age"],"where":{"age":{"ge":18}}},
	{"name":"by_name","columns":["name"],"unique":true}]}'

people() {
	aedb put -p "$1" p/s k v
	aedb table create "$1" p/s people "$PEOPLE"
	aedb table put "$1" p/s people <<-'END'
		{"id": 1, "name": "Ada", "age": 36}
		{"id": 2, "name": "Bert", "age": 17, "town": "Bonn"}
		{"id": 3, "name": "Cleo", "town": "Oslo"}
	END
}

# content DUMP: its lines but the first and the last.
content() { sed '1d;$d' "$1"; }

# comes_back DUMP NAME: loaded into a new database, it is dumped the same.
comes_back() {
	aedb init "$2"
	aedb load "$2" "$1"
	aedb dump "$2" >"$2.dump"
	[ -n "$(content "$1")" ]
	diff <(content "$1") <(content "$2.dump")
	aedb verify "$2" | tail -1 | grep -q 'no damage'
}

@test "tables come back with values of every type, indexes, and rows of any size" {
	python3 - >rows <<-'END'
		import base64, json, random, struct
		random.seed(11)
		def integer(low, high):
		    n = random.choice([low, high, 0, random.randint(low, high)])
		    return n if -2**53 <= n <= 2**53 else str(n)
		def real():
		    while True:
		        x = random.choice([0.1, 1e300, 5e-324, struct.unpack("d", random.randbytes(8))[0]])
		        if x == x and abs(x) != float("inf"):
		            return x
		texts = ["", "a\0b", "\u00e4\U0001f600\n\"\\", "x" * 100000, "\u20ac" * 65536, "\u0001" * 30000]
		for i in range(200):
		    row = {"id": str(2**64 - 1 - i), "part": base64.b64encode(random.randbytes(i % 5)).decode(),
		        "ok": bool(i % 2), "u8": integer(0, 255), "i64": integer(-2**63, 2**63 - 1),
		        "u256": integer(0, 2**256 - 1), "i256": integer(-2**255, 2**255 - 1),
		        "time": integer(-2**63 + 1, 2**63 - 1), "real": real(),
		        "text": random.choice(texts), "json": "{\"a\" : 1e5}",
		        "blob": base64.b64encode(random.randbytes(random.choice([0, 7, 70000]))).decode()}
		    for name in list(row)[3:]:
		        if random.randrange(8) == 0:
		            row[name] = None
		    print(json.dumps(row))
	END
	aedb put -p db p/s
	aedb table create db p/s all '{"columns":[{"name":"id","type":"u64"},
		{"name":"part","type":"blob"},{"name":"ok","type":"bool"},
		{"name":"u8","type":"u8","nullable":true,"default":7},{"name":"gone","type":"u8","nullable":true},
		{"name":"i64","type":"i64","nullable":true},{"name":"u256","type":"u256","nullable":true},
		{"name":"i256","type":"i256","nullable":true},{"name":"time","type":"timestamp","nullable":true},
		{"name":"real","type":"float","nullable":true},{"name":"text","type":"text","nullable":true},
		{"name":"json","type":"json","nullable":true},{"name":"blob","type":"blob","nullable":true}],
		"key":["part","id"],"indexes":[{"name":"by_real","columns":["real","i256"],
		"where":{"$or":[{"u8":{"in":[1,2,255]}},{"real":{"lt":0.1}}]}}]}'
	aedb table alter db p/s all '{"drop_column":"gone"}'
	aedb table put db p/s all -f rows
	aedb table create db p/s none '{"columns":[{"name":"a","type":"u8"}],"key":["a"]}'
	aedb dump db >dump
	grep -q '"row":null,"bytes":' dump
	comes_back dump copy
	[ "$(aedb table list copy p/s | xargs)" = "$(aedb table list db p/s | xargs)" ]
	diff <(aedb table scan db p/s all) <(aedb table scan copy p/s all)
	diff <(aedb table scan db p/s all --order=real,id) <(aedb table scan copy p/s all --order=real,id)
	[ "$(aedb table scan copy p/s all | wc -l)" = 200 ]
	aedb dump --comparable db >one
	aedb dump --comparable copy | cmp one -
}

@test "lines of tables are JSON: a schema as it is described, and the rows by key" {
	people db
	aedb dump db >dump
	jq -e . dump >/dev/null
	[ "$(jq -c 'select(.table).schema' dump)" = "$(aedb table describe db p/s people | jq -c .)" ]
	diff <(jq -c 'select(.row).row' dump) <(aedb table scan db p/s people)
	[ "$(head -1 dump | jq .aedb_dump)" = 2 ]
	[ "$(aedb dump db -o file --json | jq -c '[.keys,.rows]')" = '[1,3]' ]
	aedb init copy
	[ "$(aedb load copy dump --json | jq -c '[.keys,.rows]')" = '[1,3]' ]
}

@test "a dump has the tables of the scopes that are dumped, of a snapshot those it had, and none if told so" {
	people db
	aedb put -p db q/t k v
	aedb table create db q/t other "$PEOPLE"
	aedb snapshot create db A
	aedb table put db p/s people '{"id":4,"name":"Dora"}'
	aedb table drop db q/t other
	[ "$(aedb dump db | jq -r '.table // empty' | xargs)" = people ]
	[ "$(aedb dump db --snapshot=A | jq -r '.table // empty' | xargs)" = 'people other' ]
	[ "$(aedb dump db --snapshot=A | grep -c '"row"')" = 3 ]
	[ "$(aedb dump db q --snapshot=A | jq -r '.table // empty' | xargs)" = other ]
	[ "$(aedb dump db p/s | grep -c '"row"')" = 4 ]
	[ "$(aedb dump db q/t | grep -c '"table"')" = 0 ]
	[ "$(aedb dump db --no-tables | grep -c '"table"\|"row"')" = 0 ]
}

@test "tables that are there are replaced, or merged into if their schema is the same" {
	people db
	aedb dump db >dump
	aedb init copy
	people copy
	aedb table put copy p/s people '{"id":1,"name":"Other"}' '{"id":9,"name":"Zoe"}'
	aedb table create copy p/s mine "$PEOPLE"
	run -1 aedb load copy dump
	aedb load copy dump --merge
	[ "$(aedb table scan copy p/s people --select=name | jq -r .name | xargs)" = 'Ada Bert Cleo Zoe' ]
	[ "$(aedb table list copy p/s | wc -l)" = 2 ]
	aedb load copy dump --replace
	[ "$(aedb table scan copy p/s people --select=name | jq -r .name | xargs)" = 'Ada Bert Cleo' ]
	[ "$(aedb table list copy p/s | wc -l)" = 1 ]
	aedb table alter copy p/s people '{"drop_column":"town"}'
	run -1 aedb load copy dump --merge
	[[ $output == *"p/s: table people: it is there, with another schema" ]]
	aedb verify copy | tail -1 | grep -q 'no damage'
}

# reseal FILE: its last line made right for what stands before it.
reseal() {
	python3 - "$1" <<'END'
import hashlib, sys
with open(sys.argv[1], "r+b") as f:
    lines = f.read().splitlines(True)[:-1]
    keys = sum(line.startswith(b'{"key"') for line in lines)
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    lines.append(b'{"end":%d,"keys":%d,"sha256":"%s"}\n' % (len(lines), keys, digest.encode()))
    f.seek(0)
    f.writelines(lines)
    f.truncate()
END
}

@test "rows that cannot be are refused, and nothing of the dump is there" {
	people db
	aedb dump db >dump
	aedb init copy
	aedb put -p copy q/s k v
	for edit in 's/"id":2/"id":-2/' 's/"name":"Bert"/"name":"Ada"/' 's/"name":"Bert"/"no":1/' \
		's/"type":"u64"/"type":"u65"/' 's/"to":"ann"/"to":"system"/' 's/"grant":"kv-read"/"grant":"all"/'; do
		sed '$d' dump | sed '/^{"scope"/a{"grant":"kv-read","to":"ann"}' | sed "$edit" >edited
		echo >>edited
		reseal edited
		run ! aedb load copy edited
		[[ $output == "aedb: copy: "* ]]
		[ "$(aedb ls copy)" = q/ ]
	done
}

@test "a dump of the format before is loaded, and one that is newer is refused" {
	people db
	aedb dump db --no-tables --no-grants >dump
	sed '1s/"aedb_dump":2/"aedb_dump":1/' dump >old
	reseal old
	aedb init copy
	aedb load copy old
	[ "$(aedb get copy p/s k)" = v ]
	sed '1s/"aedb_dump":2/"aedb_dump":3/' dump >new
	reseal new
	run -5 aedb load --replace copy new
	[[ $output == *"line 1: the dump is of a newer format" ]]
}

@test "what is granted comes back, on all that is made, and only then" {
	people db
	aedb grant db global-admin / root
	aedb grant db owner p ann
	aedb grant db kv-write p//pre bob
	aedb grant db kv-read p/s/$'pre\tx' bob
	aedb grant db kv-read p/s/pre ann
	aedb grant db table-read p/s bob
	aedb dump db >dump
	[ "$(grep -c '"grant"' dump)" = 6 ]
	comes_back dump copy
	diff <(aedb grants db | sort) <(aedb grants copy | sort)
	[ "$(aedb dump --no-grants db | grep -c '"grant"')" = 0 ]
	[ "$(aedb dump --comparable db | grep -c '"grant"')" = 0 ]
	aedb snapshot create db A
	[ "$(aedb dump --snapshot=A db | grep -c '"grant"')" = 0 ]
	aedb init bare
	aedb load --no-grants bare dump
	[ -z "$(aedb grants bare)" ]
	# what is there keeps its own
	aedb load --merge bare dump
	[ -z "$(aedb grants bare)" ]
	aedb load --replace bare dump
	diff <(aedb grants db | sort) <(aedb grants bare | sort)
	aedb init merged
	aedb put -p merged p/t
	aedb load --merge merged dump
	[ "$(aedb grants merged | sort | xargs)" = "$(aedb grants db | grep " \"\?p/s" | sort | xargs)" ]
}

@test "many rows need little memory, and both ways" {
	[ -z "${MODE-}" ] || [ "$MODE" = release ] || skip "other memory in a build for checks"
	aedb put -p db p/s
	aedb table create db p/s people "$PEOPLE"
	aedb dump db >empty
	python3 - >dump <<'END'
import hashlib
with open("empty") as f:
    lines = f.readlines()[:-1]
lines += ['{"row":{"id":%d,"name":"%s-%d","age":%d}}\n' % (i, "x" * 200, i, i % 90) for i in range(250000)]
text = "".join(lines)
print(text + '{"end":%d,"keys":0,"sha256":"%s"}' % (len(lines), hashlib.sha256(text.encode()).hexdigest()))
END
	aedb init copy
	within_memory aedb load copy dump --json >result
	[ "$(jq .rows result)" = 250000 ]
	[ "$(jq .commits result)" -gt 5 ]
	within_memory aedb dump copy -o again
	[ "$(grep -c '"row"' again)" = 250000 ]
	aedb table scan copy p/s people --where='{"age":89}' --limit=1 | grep -q '"age":89'
}

@test "a dump of a mount says that it cannot have the tables there are, and what is granted it has" {
	people db
	aedb put -p db q/t k v
	mount_start
	mkdir mnt/.snap/A
	aedb grant mnt kv-read p/s/pre uid:7
	aedb grant mnt kv-write q uid:8
	for args in mnt 'mnt p' 'mnt p/s' mnt/p/s 'mnt --snapshot=A' 'mnt -o file'; do
		# shellcheck disable=SC2086 # several words
		run -3 --separate-stderr aedb dump $args
		[[ $stderr == *"it has 1 tables, which a mount does not show"* ]]
		[ -z "$output" ]
	done
	[ ! -e file ] && [ "$(ls mnt/.snap)" = A ]
	aedb dump mnt q -o q-mounted
	aedb dump mnt --no-tables -o mounted
	run -1 aedb dump mnt --snapshot=B
	mount_stop
	aedb dump db q >q-dump
	lines() { jq -c '[.project, .scope, .key, .value, .grant, .to]' "$1" | sed '1d;$d'; }
	diff <(lines q-dump) <(lines q-mounted)
	diff <(aedb dump db --no-tables | grep '"grant"') <(grep '"grant"' mounted)
	[ "$(grep -c '"grant"' mounted)" -ge 2 ]
}
