#!/bin/bash
# Every script, known by its name or its first line, against shellcheck.
set -u
scripts=$(find . -name .git -prune -o -path ./build -prune -o -type f -print |
	while read -r file; do
		case $file in
		*.sh | *.bash | *.bats | */completions/bash/*) echo "$file" ;;
		*.*/run | */run) head -n 1 "$file" | grep -qE '^#!.*sh$' && echo "$file" ;;
		esac
	done)
# Not asked: files and variables that come from elsewhere (SC1091, SC2154), what
# BATS does with subshells (SC2030, SC2031), $ meant for another shell (SC2016).
# shellcheck disable=SC2086 # a list of names
echo $scripts |
	xargs -P 2 -n 8 shellcheck -x -e SC1091,SC2154,SC2030,SC2031,SC2016
