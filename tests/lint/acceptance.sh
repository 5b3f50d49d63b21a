#!/bin/bash
# Every test that docs/acceptance.md names exists: `FILE` "SENTENCE".
set -u
table=docs/acceptance.md
failed=0 named=0

# sentences FILE: what stands in it, pieces of one string joined.
sentences() {
	tr '\n' ' ' <"$1" | sed 's/"[[:space:]]\{1,\}"//g'
}

while IFS=$'\t' read -r file sentence; do
	named=$((named + 1))
	case $file in
	*.c) path=tests/unit/$file ;;
	*) path=tests/bats/$file ;;
	esac
	if [ ! -e "$path" ]; then
		echo "$table: there is no $path"
		failed=1
	elif ! sentences "$path" | grep -qF "\"$sentence\""; then
		echo "$table: $path has no test \"$sentence\""
		failed=1
	fi
done < <(grep -o '`[a-z_]*\.[a-z]*` "[^"]*"' "$table" |
	sed 's/^`\(.*\)` "\(.*\)"$/\1\t\2/')
[ $named -gt 0 ] || { echo "$table names no test"; failed=1; }
# a line of a table without a test
if grep -n '^| [A-Z`0-9].* |$' "$table" | grep -v '` "'; then
	echo "$table: lines without a test"
	failed=1
fi
exit $failed
