#!/bin/bash
# Manuals: what mandoc and, where it is installed, groff find wrong in them.
set -u
failed=0
for page in docs/man/*; do
	mandoc -Tlint -Wwarning "$page" || failed=1
	if command -v groff >/dev/null &&
		! groff -man -ww -Tutf8 "$page" 2>&1 >/dev/null |
			awk '{ print } END { exit NR > 0 }'; then
		failed=1
	fi
done
exit $failed
