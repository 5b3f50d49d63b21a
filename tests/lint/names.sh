#!/bin/bash
# Names that say nothing, promises in place of work, paths of one machine, and
# what does not belong at the top of the tree.
set -u
failed=0
files=$(find . -name .git -prune -o -path ./build -prune -o -type f -print |
	sed 's,^\./,,')

bad=$(echo "$files" | grep -iE '(^|[/_.-])(utils?|helpers?|common|misc|manager)([_.-]|$)')
if [ -n "$bad" ]; then
	echo "a file is named for what it does, not: $bad"
	failed=1
fi

extra=$(find . -mindepth 1 -maxdepth 1 ! -name '.*' ! -name build |
	grep -vxE '\./(Makefile|fs|engine|tools|tests|bench|docs|README\.md)')
if [ -n "$extra" ]; then
	echo "does not belong at the top of the tree: $extra"
	failed=1
fi

# The brackets keep this file from finding itself.
while read -r pattern; do
	# shellcheck disable=SC2086 # a list of names
	if grep -nE "$pattern" $files; then
		failed=1
	fi
done <<'PATTERNS'
\b[T]ODO\b|\b[F]IXME\b|\b[X]XX\b
(^|[^A-Za-z0-9_.])/[w]ork/
PATTERNS
exit $failed
