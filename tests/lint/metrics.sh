#!/bin/bash
# Every figure of the library stands in its table of the documentation, and what
# stands there is one.
set -u
source=engine/metrics.c table=docs/metrics.md
failed=0

# names HEADING: of the first column of the table beneath it.
names() {
	awk -F '|' -v heading="$1" '
		/^#/ { here = $0 == heading }
		here && /^\|/ { print $2 }' "$table" | grep -o '`[^`]*`' | tr -d '`'
}

shown=$(grep -o 'METRIC("[a-z0-9_]*"' "$source" | cut -d '"' -f 2 | sort)
told=$(names '# Figures by name' | sort)
missing=$(names '## Names without a counterpart' | sort)
[ -n "$shown" ] || { echo "no figure in $source"; failed=1; }
if ! diff <(echo "$shown") <(echo "$told"); then
	echo "$source (<) and $table (>) differ"
	failed=1
fi
if comm -12 <(echo "$shown") <(echo "$missing") | grep .; then
	echo "shown, and yet told to be missing"
	failed=1
fi
exit $failed
