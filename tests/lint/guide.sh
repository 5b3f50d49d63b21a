#!/bin/bash
# Every source file of the engine and the mount stands in its table of the guide,
# and what stands there exists.
set -u
guide=docs/architecture.md
failed=0

bad() {
	echo "$guide: $*"
	failed=1
}

# patterns HEADING: of the second column of the table beneath it.
patterns() {
	awk -F '|' -v heading="## $1" '
		/^## / { here = $0 == heading }
		here && /^\|/ { print $3 }' "$guide" | grep -o '`[^`]*`' | tr -d '`'
}

# check DIRECTORY HEADING
check() {
	local dir=$1 file name pattern
	local -a listed
	mapfile -t listed < <(patterns "$2")
	for file in "$dir"/*.c; do
		name=$(basename "$file" .c)
		for pattern in "${listed[@]}"; do
			# shellcheck disable=SC2053 # it is a pattern
			[[ $name == $pattern ]] && continue 2
		done
		bad "$file stands in no line of \"$2\""
	done
	for pattern in "${listed[@]}"; do
		compgen -G "$dir/$pattern.[ch]" >/dev/null ||
			bad "there is no $dir/$pattern"
	done
}

check engine 'The engine, bottom up'
check fs 'The mount, bottom up'
exit $failed
