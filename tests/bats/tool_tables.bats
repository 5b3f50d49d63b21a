#!/usr/bin/env bats
# aedb table: typed tables of a database that is not mounted.
load mount
bats_require_minimum_version 1.5.0

ALL='{"columns":[{"name":"id","type":"u64"},{"name":"ok","type":"bool"},
	{"name":"u8","type":"u8","nullable":true},{"name":"u64","type":"u64","nullable":true},
	{"name":"i64","type":"i64","nullable":true},{"name":"u256","type":"u256","nullable":true},
	{"name":"i256","type":"i256","nullable":true},{"name":"time","type":"timestamp","nullable":true},
	{"name":"real","type":"float","nullable":true},{"name":"text","type":"text","nullable":true},
	{"name":"json","type":"json","nullable":true},{"name":"blob","type":"blob","nullable":true}],
	"key":["id"]}'
PEOPLE='{"columns":[{"name":"id","type":"u64"},{"name":"name","type":"text"},
	{"name":"age","type":"u8","nullable":true},{"name":"town","type":"text","default":"Rom"}],
	"key":["id"],"indexes":[{"name":"by_age","columns":["age"],"where":{"age":{"ge":18}}},
	{"name":"by_name","columns":["name"],"unique":true}]}'

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	aedb init db
	aedb put -p db p/s
}

people() {
	aedb table create db p/s people "$PEOPLE"
	aedb table put db p/s people <<-'END'
		{"id": 1, "name": "Ada", "age": 36}
		{"id": 2, "name": "Bert", "age": 17, "town": "Bonn"}
		{"id": 3, "name": "Cleo", "town": "Oslo"}
		{"id": 4, "name": "Abel", "age": 80, "town": "Bonn"}
	END
}

# The ids of the rows that a scan with these options prints.
ids() {
	aedb table scan --select=id "$@" db p/s people | tr -dc '0-9\n' | xargs
}

@test "values of every type are printed as what reads them again" {
	aedb table create db p/s a "$ALL"
	python3 - >rows <<-'END'
		import base64, json, random, struct
		random.seed(7)
		def integer(low, high):
		    n = random.choice([low, high, 0, 1, random.randint(low, high),
		                       random.randint(max(low, -300), min(high, 300))])
		    return n if -2**53 <= n <= 2**53 else str(n)
		def real():
		    while True:
		        x = random.choice([0.1, 1e300, -2.5, 5e-324,
		            struct.unpack("d", random.randbytes(8))[0]])
		        if x == x and abs(x) != float("inf"):
		            return x
		for i in range(300):
		    row = {"id": i, "ok": bool(i % 2), "u8": integer(0, 255),
		        "u64": integer(0, 2**64 - 1), "i64": integer(-2**63, 2**63 - 1),
		        "u256": integer(0, 2**256 - 1), "i256": integer(-2**255, 2**255 - 1),
		        "time": "20%02d-02-28T23:59:59.%09dZ" % (i % 100, random.randrange(10**9)),
		        "real": real(), "text": random.choice(["", "a\0b", "\u00e4\U0001f600\n\"\\", "x"]),
		        "json": random.choice(["[1, 2]", "{\"a\" : 1e5}", "123456789012345678901"]),
		        "blob": base64.b64encode(random.randbytes(i % 9)).decode()}
		    for name in row:
		        if name not in ("id", "ok") and random.random() < 0.1:
		            row[name] = None
		    print(json.dumps(row))
	END
	aedb table put db p/s a <rows
	aedb table scan db p/s a >first
	python3 - <<-'END'
		import json
		want = [json.loads(line) for line in open("rows")]
		got = [json.loads(line) for line in open("first")]
		assert got == want, [(a, b) for a, b in zip(got, want) if a != b][:1]
	END
	aedb table create db p/s b "$ALL"
	aedb table put -f first db p/s b
	aedb table scan db p/s b >second
	cmp first second
}

@test "integers, times, JSON and floats are read in every form that is told" {
	aedb table create db p/s a "$ALL"
	aedb table put db p/s a '{"id":"7","ok":false,"u8":"255","i64":"-9","time":-1,
		"real":3,"json":{"a":[1, null]},"u256":"00012"}'
	[ "$(aedb table get db p/s a 7)" = '{"id":7,"ok":false,"u8":255,"u64":null,"i64":-9,"u256":12,"i256":null,"time":"1969-12-31T23:59:59.999999999Z","real":3.0,"text":null,"json":"{\"a\":[1,null]}","blob":null}' ]
	for time in 2026-01-31T23:59:59Z 2026-01-31T23:59:59.25Z 2026-01-31T23:59:59.000000001Z; do
		aedb table put --update db p/s a "{\"id\":7,\"time\":\"$time\"}"
		aedb table get db p/s a 7 | grep -q "\"${time%Z}0*Z\"\|${time%Z}\\.0*Z\""
	done
}

@test "a value that its column cannot have is refused with column, row and reason" {
	aedb table create db p/s a "$ALL"
	while IFS='|' read -r value reason; do
		run -2 aedb table put db p/s a "{\"id\":1,\"ok\":true,$value}"
		[[ $output == "aedb: db: p/s: table a: row 1: $reason"* ]] ||
			{ echo "$value: $output"; return 1; }
	done <<-'END'
		"u8":256|column "u8": a U8 is at most 255
		"u8":-1|column "u8": not an integer of this type
		"u8":1.5|column "u8": not an integer, nor a string
		"u64":"18446744073709551616"|column "u64": not an integer of this type
		"i64":"-9223372036854775809"|column "i64": not an integer of this type
		"u256":"115792089237316195423570985008687907853269984665640564039457584007913129639936"|column "u256": not an integer of this type
		"i256":"57896044618658097711785492504343953926634992332820282019728792003956564819968"|column "i256": not an integer of this type
		"u64":" 1"|column "u64": not an integer of this type
		"u64":""|column "u64": not an integer of this type
		"real":"1"|column "real": not a number
		"real":9007199254740993|column "real": an integer that no FLOAT is
		"time":"2026-02-30T00:00:00Z"|column "time": not a time
		"time":"2026-01-01 00:00:00Z"|column "time": not a time
		"text":1|column "text": not a string
		"json":"{"|column "json": no JSON
		"json":1|column "json": not a string with JSON
		"blob":"AA"|column "blob": not a string of base64
		"ok":null|no JSON: duplicate object key
		"u64":9223372036854775808|the integer that ends in line 1, column 43 has more than 63 bits: it is to be a string of its digits
		"i64":-9223372036854775809|the integer that ends in line 1, column 44 has more than 63 bits: it is to be a string of its digits
		"real":1e999|no JSON: real number overflow near '1e999'
		"none":1|there is no column "none"
	END
	run -2 aedb table put db p/s a '{"id":1,"ok":null}'
	[[ $output == *'column "ok" cannot be NULL' ]]
	run -2 aedb table put db p/s a '{"id":1}'
	[[ $output == *'column "ok" needs a value' ]]
	run -2 aedb table put db p/s a '[1]'
	[[ $output == *'row 1: a row is an object' ]]
	[ -z "$(aedb table scan db p/s a)" ]
}

@test "a table is made, described, listed, renamed and dropped" {
	aedb table create db p/s people "$PEOPLE"
	aedb --json table describe db p/s people >schema
	aedb table create --file schema db p/s b
	aedb table describe db p/s people | aedb table create db p/s c
	for table in b c; do
		aedb --json table describe db p/s $table | cmp - schema
	done
	[ "$(aedb table list db p/s | xargs)" = 'b c people' ]
	[ "$(aedb --json table list db p/s | head -1)" = '{"table":"b"}' ]
	aedb table rename db p/s b other
	aedb table drop db p/s c
	[ "$(aedb table list db p/s | xargs)" = 'other people' ]
	run -1 aedb table create db p/s people "$PEOPLE"
	run -1 aedb table rename db p/s people other
	run -1 aedb table drop db p/s c
	[ "$output" = 'aedb: db: p/s: table c: not found' ]
	run -1 aedb table scan db p/s c
	run -1 aedb table list db p/none
}

@test "a schema that cannot be is refused with its reason" {
	while IFS='|' read -r schema reason; do
		run -2 aedb table create db p/s t "$schema"
		[[ $output == *"$reason" ]] || { echo "$schema: $output"; return 1; }
	done <<-'END'
		[]|JSON: a table is an object
		{"columns":[]}|a table needs an array "key" of columns
		{"key":["a"]}|a table needs an array "columns"
		{"columns":[{"name":"a","type":"u9"}],"key":["a"]}|column "a": there is no type "u9"; bool u8 u64 i64 u256 i256 timestamp float text json blob are
		{"columns":[{"name":"a","type":"u8","size":3}],"key":["a"]}|a column has no "size"
		{"columns":[{"name":"a b","type":"u8"}],"key":["a b"]}|column name "a b": only A-Z a-z 0-9 _ - may occur
		{"columns":[{"name":"a","type":"u8"}],"key":["b"]}|there is no column "b"
		{"columns":[{"name":"a","type":"u8","nullable":true}],"key":["a"]}|column "a" is of the key and cannot be nullable
		{"columns":[{"name":"a","type":"u8","default":"x"}],"key":["a"]}|column "a": default: not an integer of this type
		{"columns":[{"name":"a","type":"u8"}],"key":["a"],"indexes":[{"name":"i","columns":["c"]}]}|there is no column "c"
		{"columns":[{"name":"a","type":"u8"}],"key":["a"],"indexes":[{"columns":["a"]}]}|an index needs a string "name"
		{"columns":[{"name":"a","type":"u8"}],"key":["a"],"indexes":[{"name":"i","columns":["a"],"where":{"a":{"like":"x"}}}]}|condition on "a": "like" is for text and json
		{"columns":|no JSON: unexpected token near end of file
	END
	[ -z "$(aedb table list db p/s)" ]
}

@test "a name or time with a NUL is refused, and not what stands before the NUL taken" {
	run -2 aedb table create db p/s t '{"columns":[{"name":"a\u0000b","type":"u8"}],"key":["a"]}'
	[[ $output == *'a column needs a string "name"' ]]
	run -2 aedb table create db p/s t '{"columns":[{"name":"a","type":"u8\u0000b"}],"key":["a"]}'
	run -2 aedb table create db p/s t '{"columns":[{"name":"a","type":"u8"}],"key":["a\u0000b"]}'
	[ -z "$(aedb table list db p/s)" ]
	people
	run -2 aedb table alter db p/s people '{"drop_index":"by_age\u0000"}'
	[[ $output == *'"drop_index" takes a name' ]]
	run -2 aedb table alter db p/s people '{"rename_column":{"from":"age","to":"years\u0000"}}'
	[ "$(aedb table scan --explain --where='{"age":20}' db p/s people)" = 'index by_age by 1 column' ]
	aedb table create db p/s a "$ALL"
	run -2 aedb table put db p/s a '{"id":1,"ok":true,"time":"2026-01-01T00:00:00Z\u0000"}'
	[[ $output == *'column "time": not a time'* ]]
}

@test "keys are a value, an array or an object, and get says which row is not there" {
	aedb table create db p/s two '{"columns":[{"name":"a","type":"text"},
		{"name":"b","type":"i64"},{"name":"c","type":"bool"}],"key":["b","a"]}'
	aedb table put db p/s two '{"a":"x","b":-1,"c":true}' '{"a":"y","b":2,"c":false}'
	[ "$(aedb table get db p/s two '[-1,"x"]')" = '{"a":"x","b":-1,"c":true}' ]
	[ "$(aedb table get db p/s two '{"a":"y","b":2}')" = '{"a":"y","b":2,"c":false}' ]
	run -1 aedb table get db p/s two '[2,"x"]'
	[ "$output" = 'aedb: db: p/s: table two: key [2,"x"]: not found' ]
	run -2 aedb table get db p/s two 2
	[[ $output == *'KEY 2: the key has 2 columns' ]]
	run -2 aedb table get db p/s two '{"a":"y","c":true}'
	[[ $output == *'column "b": it is missing' ]]
	run -2 aedb table get db p/s two x
	[[ $output == *'KEY x: no JSON'* ]]
}

@test "the longest line that a row can be is read again" {
	aedb table create db p/s a '{"columns":[{"name":"id","type":"u64"},{"name":"t","type":"text"}],"key":["id"]}'
	python3 -c 'print("{\"id\":1,\"t\":\"" + "\\u0001" * (2**24 - 100) + "\"}")' >row
	aedb table put -f row db p/s a
	aedb table scan db p/s a | cmp - row
}

@test "many keys are deleted at once or not at all" {
	people
	run -1 aedb table delete db p/s people 1 9 2
	[[ $output == *'key 9: not found' ]]
	[ "$(ids)" = '1 2 3 4' ]
	[ "$(aedb --json table delete db p/s people 1 '[3]' '{"id":2}')" = '{"deleted":3}' ]
	[ "$(ids)" = 4 ]
}

@test "put replaces a row, --insert refuses it, --update changes what is given" {
	people
	aedb table put db p/s people '{"id":2,"name":"Berta"}'
	[ "$(aedb table get db p/s people 2)" = '{"id":2,"name":"Berta","age":null,"town":"Rom"}' ]
	run -1 aedb table put --insert db p/s people '{"id":2,"name":"Bob"}'
	aedb table put --update db p/s people '{"id":2,"age":9}'
	[ "$(aedb table get db p/s people 2)" = '{"id":2,"name":"Berta","age":9,"town":"Rom"}' ]
	run -1 aedb table put --update db p/s people '{"id":7,"age":9}'
	[ "$output" = 'aedb: db: p/s: table people: row 1: not found' ]
	run -2 aedb table put --update db p/s people '{"age":9}'
	[[ $output == *'column "id" of the key is missing' ]]
	run -1 aedb table put db p/s people '{"id":7,"name":"Ada"}'
	[[ $output == *by_name* ]]
	run -2 aedb table put --insert --update db p/s people '{"id":2}'
}

@test "put commits so many rows at a time, and says how many stay when one is refused" {
	people
	for i in $(seq 100 349); do
		echo "{\"id\":$i,\"name\":\"n$i\"}"
	done >rows
	[ "$(aedb --json table put --batch=100 db p/s people <rows)" = '{"rows":250,"commits":3}' ]
	aedb table delete db p/s people $(seq 100 349)
	sed -i '231s/.*/{"id":"x"}/' rows
	run -2 aedb table put --batch 100 -f rows db p/s people
	[[ $output == *'rows: line 231: column "id": not an integer of this type; the first 200 rows are stored' ]]
	[ "$(aedb table scan db p/s people | wc -l)" = 204 ]
	aedb table delete db p/s people $(seq 100 299)
	run -2 aedb table put -f rows db p/s people
	[[ $output != *stored* ]]
	[ "$(ids)" = '1 2 3 4' ]
}

@test "a scan prints the rows for which its condition is true" {
	people
	while IFS='|' read -r where want; do
		[ "$(ids --order=id --where="$where")" = "$want" ] ||
			{ echo "$where: $(ids --where="$where")"; return 1; }
	done <<-'END'
		{}|1 2 3 4
		{"age":36}|1
		{"age":"36"}|1
		{"age":36.0}|1
		{"age":36.5}|
		{"age":{"ge":17.5}}|1 4
		{"age":{"gt":17,"lt":80}}|1
		{"age":{"ne":36}}|2 4
		{"age":{"gt":-1}}|1 2 4
		{"age":{"lt":"99999999999999999999999999"}}|1 2 4
		{"age":{"between":[17,36]}}|1 2
		{"age":{"in":[80,17,3]}}|2 4
		{"age":null}|3
		{"age":{"null":false}}|1 2 4
		{"$not":{"age":36}}|2 4
		{"$not":{"age":{"null":true}}}|1 2 4
		{"name":{"like":"A%"}}|1 4
		{"name":{"like":"_e%"}}|2
		{"name":{"like":"A%"},"town":"Bonn"}|4
		{"$or":[{"name":"Ada"},{"town":"Bonn","age":{"lt":18}}]}|1 2
		{"$and":[{"age":{"ge":17}},{"$not":{"town":{"in":["Rom"]}}}]}|2 4
		{"town":{"gt":"Bonn","le":"Oslo"}}|3
		{"$or":[{"id":3},{"name":"Ada"},{"id":1}]}|1 3
		{"$or":[]}|
	END
	[ "$(aedb table scan --explain --where='{"$or":[{"id":3},{"name":"Ada"}]}' db p/s people)" = \
		'union of key by 1 column and index by_name by 1 column' ]
}

@test "a pattern is matched with the text of JSON, too" {
	aedb table create db p/s notes '{"columns":[{"name":"id","type":"u8"},{"name":"j","type":"json"}],"key":["id"],
		"indexes":[{"name":"lists","columns":["j"],"where":{"j":{"like":"[%"}}}]}'
	aedb table describe db p/s notes | aedb table create db p/s same
	for table in notes same; do
		aedb table put db p/s "$table" '{"id":1,"j":"[1,2]"}' '{"id":2,"j":"{\"a\":1}"}'
		run -0 aedb table scan --where='{"j":{"like":"[%"}}' --select=id db p/s "$table"
		[ "$output" = '{"id":1}' ]
		run -0 aedb table scan --where='{"j":{"like":"%a%"}}' --select=id db p/s "$table"
		[ "$output" = '{"id":2}' ]
	done
}

@test "a condition is as deep as the library's, however it is written" {
	people
	nested() {
		printf '{"$not":%.0s' $(seq "$1")
		printf '%s' "$2"
		printf '}%.0s' $(seq "$1")
	}
	for leaf in '{"id":2}' '{"id":{"eq":2}}'; do
		[ "$(ids --where="$(nested 31 "$leaf")")" = '1 3 4' ]
		run -2 aedb table scan --where="$(nested 32 "$leaf")" db p/s people
		[[ $output == *'nested'*'deep'* ]]
	done
}

@test "a condition that means nothing is refused with its reason" {
	people
	while IFS='|' read -r where reason; do
		run -2 aedb table scan --where="$where" db p/s people
		[[ $output == "aedb: "*"$reason"* ]] || { echo "$where: $output"; return 1; }
	done <<-'END'
		{"none":1}|--where: there is no column "none"
		{"age":{"is":1}}|condition on "age": there is no "is"; eq ne lt le gt ge in between like null are
		{"age":{"eq":null}}|condition on "age": nothing compares with null
		{"age":"x"}|condition on "age": not an integer
		{"age":[1]}|condition on "age": one value is needed, not an array
		{"age":{"between":[1]}}|"between" takes an array of two values
		{"age":{"in":1}}|"in" takes an array of values
		{"age":{"like":"a"}}|condition on "age": "like" is for text and json
		{"name":{"like":"a\\b"}}|a backslash stands before %, _ or another backslash
		{"name":{"like":1}}|"like" takes a string
		{"$xor":[]}|there are $and, $or and $not
		{"$or":{}}|it takes an array of conditions
		[]|a condition is an object
		{"age"|--where: no JSON
		{"age":9223372036854775808}|--where: the integer that ends in line 1, column 26 has more than 63 bits: it is to be a string of its digits
	END
	deep='{"age":1}'
	for ((i = 0; i < 40; i++)); do deep="{\"\$not\":$deep}"; done
	run -2 aedb table scan --where="$deep" db p/s people
	[[ $output == *'conditions are nested too deep' ]]
	many=$(seq -s, 10001)
	run -2 aedb table scan --where="{\"age\":{\"in\":[$many]}}" db p/s people
	[ "$output" = 'aedb: --where: condition on column "age": 10001 values, at most 10000 are allowed' ]
	many=$(seq -f '{"id":%.0f}' -s, 10001)
	run -2 aedb table scan --where="{\"\$or\":[$many]}" db p/s people
	[ "$output" = 'aedb: --where: a condition has at most 10000 parts' ]
	many=$(seq -s, 10000)
	[ "$(ids --where="{\"age\":{\"in\":[$many]}}")" = '1 2 4' ]
}

@test "a scan has an order, some of the columns, and a limit" {
	people
	[ "$(ids --order=name)" = '4 1 2 3' ]
	[ "$(ids --order=age:desc,name)" = '4 1 2 3' ]
	[ "$(ids --order=age)" = '3 2 1 4' ]
	[ "$(ids --order=town:asc,name:desc)" = '2 4 3 1' ]
	[ "$(ids --order=id:desc --limit=2)" = '4 3' ]
	[ "$(aedb table scan --select=town,id --limit 1 db p/s people)" = '{"town":"Rom","id":1}' ]
	run -2 aedb table scan --order=age:up db p/s people
	[[ $output == *'"up" is neither asc nor desc' ]]
	run -2 aedb table scan --order=none db p/s people
	run -2 aedb table scan --select=id, db p/s people
	[[ $output == *'--select: there is no column ""' ]]
	# a reader of JSON would see one of the two
	run -2 aedb table scan --select=id,name,id db p/s people
	[[ $output == *'--select: column "id" is given twice' ]]
}

@test "a scan uses an index for what it selects, and tells so" {
	people
	[[ $(aedb table scan --explain --where '{"age":{"ge":20}}' db p/s people) == 'index by_age'* ]]
	[[ $(aedb table scan --explain --where '{"id":2}' db p/s people) == key* ]]
	[[ $(aedb --json table scan --explain --where '{"age":{"ge":2}}' db p/s people) == '{"plan":"scan'* ]]
}

@test "cursors of a database with a key lead through all rows, and only in its own scan" {
	head -c 32 /dev/urandom >key
	aedb init --key-file=key signed
	aedb put -p --key-file=key signed p/s
	aedb table create --key-file=key signed p/s people "$PEOPLE"
	for i in $(seq 1 25); do
		echo "{\"id\":$i,\"name\":\"n$i\"}"
	done | aedb table put --key-file=key signed p/s people
	scan() {
		aedb table scan --key-file=key --limit=7 --order=id:desc "$@" signed p/s people
	}
	cursor='' got=''
	for pages in 1 2 3 4 5; do
		scan --cursor="$cursor" >page
		got+=" $(sed '$d' page | grep -o '"id":[0-9]*' | tr -dc '0-9\n' | xargs)"
		cursor=$(tail -1 page | sed 's/{"cursor":"*\([^"]*\)"*}/\1/')
		[ "$cursor" != null ] || break
		first=$cursor
	done
	[ "$pages" = 4 ]
	[ "${got# }" = "$(seq 25 -1 1 | xargs)" ]
	run -2 scan --cursor="$first" --where '{"id":1}'
	run -2 scan --cursor="${first%?}$([ "${first: -1}" = 0 ] && echo 1 || echo 0)"
	run -2 scan --cursor=xyz
	people
	aedb table scan --limit=1 --cursor= db p/s people | tail -1 >page
	cursor=$(sed 's/{"cursor":"*\([^"]*\)"*}/\1/' page)
	run -2 aedb table scan --limit=1 --cursor="$cursor" db p/s people
}

@test "columns and indexes are added, renamed and dropped" {
	people
	aedb table alter db p/s people '{"add_column":{"name":"size","type":"float","default":1.5}}'
	aedb table alter db p/s people '{"add_column":{"name":"note","type":"text","nullable":true}}'
	aedb table alter db p/s people '{"rename_column":{"from":"size","to":"height"}}'
	echo '{"add_index":{"name":"by_height","columns":["height","id"]}}' |
		aedb table alter db p/s people
	[ "$(aedb table get db p/s people 3)" = '{"id":3,"name":"Cleo","age":null,"town":"Oslo","height":1.5,"note":null}' ]
	aedb table put --update db p/s people '{"id":3,"height":2}'
	[ "$(ids --where '{"height":{"gt":1.7}}')" = 3 ]
	[[ $(aedb table scan --explain --where '{"height":{"gt":1.7}}' db p/s people) == 'index by_height'* ]]
	run -2 aedb table alter db p/s people '{"drop_column":"height"}'
	[[ $output == *'column "height" is used by index "by_height"' ]]
	aedb table alter db p/s people '{"drop_index":"by_height"}'
	aedb table alter db p/s people '{"drop_column":"height"}'
	[ "$(aedb table get db p/s people 3)" = '{"id":3,"name":"Cleo","age":null,"town":"Oslo","note":null}' ]
	run -1 aedb table alter db p/s people '{"drop_column":"height"}'
	[[ $output == *'there is no column "height"' ]]
	run -1 aedb table alter db p/s people '{"add_index":{"name":"twice","columns":["town"],"unique":true}}'
	run -1 aedb table alter db p/s people '{"drop_index":"twice"}'
	run -2 aedb table alter db p/s people '{"add_column":{"name":"x","type":"u8"}}'
	[[ $output == *'needs a value for the rows there are, or to be nullable' ]]
	run -2 aedb table alter db p/s people '{"drop":"x"}'
	[[ $output == *'there is no change "drop"'* ]]
	run -2 aedb table alter db p/s people '{}'
	[ "$(ids)" = '1 2 3 4' ]
}

@test "a snapshot shows the tables and rows of its time" {
	people
	aedb snapshot create db past
	aedb table put --update db p/s people '{"id":1,"age":37}'
	aedb table delete db p/s people 2
	aedb table alter db p/s people '{"drop_column":"town"}'
	aedb table rename db p/s people humans
	[ "$(aedb table list --snapshot=past db p/s)" = people ]
	[ "$(aedb table get --snapshot=past db p/s people 1)" = '{"id":1,"name":"Ada","age":36,"town":"Rom"}' ]
	[ "$(ids --snapshot=past)" = '1 2 3 4' ]
	[ "$(ids --snapshot=past --where '{"age":{"ge":18}}')" = '1 4' ]
	aedb --json table describe --snapshot=past db p/s people | grep -q '"name":"town"'
	[ "$(aedb table list db p/s)" = humans ]
	run -1 aedb table list --snapshot=never db p/s
}

@test "an action takes its own options, and a mounted database is left alone" {
	people
	run -2 aedb table scan --batch=3 db p/s people
	run -2 aedb table put --where='{}' db p/s people '{}'
	run -2 aedb table get db p/s people
	run -2 aedb table drop db p/s people more
	run -2 aedb table prune db p/s people
	[[ $output == *'there is no "aedb table prune"'* ]]
	run -2 aedb table list db p
	run -2 aedb table put -f rows db p/s people '{}'
	mkdir mnt
	aedb mount db mnt
	run -4 aedb table scan db p/s people
	run -4 aedb table scan mnt p/s people
	aedb umount mnt
	[ "$(ids)" = '1 2 3 4' ]
}

@test "lines that are no rows are refused by number, and empty ones passed over" {
	people
	printf '\n  \t\n{"id":5,"name":"Eve"}\n\n' | aedb table put db p/s people
	for line in '\0' '\0{"id":6,"name":"x"}' '{"id":6' '{"id":6,"name":"\xff"}' 'x' '7' \
		'{"id":6,"name":"x"} {"id":7,"name":"y"}'; do
		printf '\n%b\n' "$line" >rows
		run -2 aedb table put -f rows db p/s people
		[[ $output == 'aedb: rows: line 2: '* ]] || { echo "$line: $output"; return 1; }
	done
	run -3 aedb table put -f none db p/s people
	run -3 aedb table put -f . db p/s people
	[ "$(ids)" = '1 2 3 4 5' ]
}

# The commands under EXAMPLES, and the texts in the sections before it.
examples() {
	awk -v heading="$1" '/^\.S[HS]/ { here = $0 == heading }
		/^\.EE/ { printing = 0 }
		printing { print }
		/^\.EX/ && here { printing = 1 }' "$BATS_TEST_DIRNAME/../../docs/man/aedb-tables.7" |
		sed 's/\\-/-/g; s/\\(aq/'\''/g; s/\\(dq/"/g; s/\\e/\\/g'
}

@test "the examples of the manual do what they say" {
	echo '[{"id":2,"name":"Bo","age":20},{"id":3,"name":"Abe","age":40}]' >people.json
	examples '.SH EXAMPLES' >commands
	grep -q 'aedb table scan' commands
	bash -eu commands >printed
	[ "$(xargs -d '\n' <printed)" = '{"id":1,"name":"Ada","age":36} {"name":"Abe","age":40} {"name":"Ada","age":36}' ]
	examples '.SS Schemas' | aedb table create db p/s t
	examples '.SS Changes' >changes
	[ "$(wc -l <changes)" = 5 ]
	sed -n 1p changes | aedb table alter db p/s t
	sed -n 4p changes | aedb table alter db p/s t
	sed -n 5p changes | aedb table alter db p/s t
	sed -n 3p changes | aedb table alter db p/s t
	sed 's/"size"/"height"/' changes | sed -n 2p | aedb table alter db p/s t
	aedb table put db p/s t "$(examples '.SS Rows and values')"
	[ "$(aedb table get db p/s t 7)" = '{"id":7,"age":null,"town":"Bonn"}' ]
}

@test "changes tells of tables and of rows by the values of their keys" {
	aedb table create db p/s a '{"columns":[{"name":"who","type":"text"},
		{"name":"at","type":"timestamp"},{"name":"n","type":"i64"},
		{"name":"bytes","type":"blob"}],"key":["who","at","n","bytes"]}'
	aedb table put db p/s a <<-'END'
		{"who": "a\u0000\u00e4 b", "at": "2026-01-02T03:04:05Z", "n": -7, "bytes": "AP8A"}
	END
	aedb table alter db p/s a '{"add_column": {"name": "more", "type": "u8", "nullable": true}}'
	aedb table delete db p/s a '["a\u0000\u00e4 b", "2026-01-02T03:04:05Z", -7, "AP8A"]'
	aedb changes db | tail -n +3 | cut -d ' ' -f 3- >told
	local row='["a\u0000ä b", "2026-01-02T03:04:05.000000000Z", -7, "AP8A"]'
	diff - told <<-END
		create p/s.tables/a
		put p/s.tables/a
		put p/s.tables/a $row
		put p/s.tables/a
		delete p/s.tables/a $row
	END
	aedb changes --json db >objects
	python3 - "$row" <<-'END'
		import json, sys
		rows = [c for c in map(json.loads, open("objects")) if "row_key" in c]
		assert [c["op"] for c in rows] == ["put", "delete"], rows
		for c in rows:
		    assert (c["project"], c["scope"], c["table"]) == ("p", "s", "a"), c
		    assert c["row_key"] == json.loads(sys.argv[1]) and "row" not in c, c
	END
}

# All that the log has.
logs() {
	find db/wal -name '*.wal' -exec aedb show '{}' ';'
}

@test "show tells what of a table the log, segments and the manifest have" {
	people
	aedb table alter db p/s people '{"drop_index": "by_age"}'
	logs >log
	grep -Eq '^    create scope [0-9]+ table people id [0-9]+$' log
	grep -Eq '^    put table [0-9]+ columns and indexes value [0-9]+ bytes$' log
	[ "$(grep -Ec '^    put table [0-9]+ row ".*" value [0-9]+ bytes$' log)" = 4 ]
	[ "$(grep -Ec '^    put table [0-9]+ index 1 entry "' log)" = 2 ]
	[ "$(grep -Ec '^    put table [0-9]+ index 2 entry ".*Cleo.*" value [0-9]+ bytes new$' log)" = 1 ]
	[ "$(grep -Ec '^    delete table [0-9]+ index 1 entry "' log)" = 2 ]
	aedb table rename db p/s people folk
	aedb table drop db p/s folk
	logs >log
	grep -Eq '^    rename scope ([0-9]+) table people to scope \1 table folk$' log
	grep -Eq '^    drop scope [0-9]+ table folk with its keys$' log
	people
	aedb checkpoint db
	aedb show db/seg/1.seg >segment
	grep -q '^    .*people seq .* id ' segment
	grep -q '^    .*Cleo.* seq .* value ' segment
	for manifest in db/MANIFEST-*; do
		aedb show "$manifest"
	done | grep -Eq '^  segment 1: level [0-9]+, .* keys .* to '
}
