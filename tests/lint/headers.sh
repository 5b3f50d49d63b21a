#!/bin/bash
# Every header compiles with nothing included before it.
set -u
shopt -s nullglob
export CC=${CC:-gcc}
FLAGS="-std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
	-Iengine -Itools/text -Ifs -Itests -Itests/unit $(pkg-config --cflags fuse3)"
export FLAGS

printf '%s\n' {engine,fs,tools,tools/text,bench,tests,tests/unit,tests/conformance}/*.h |
	xargs -P 2 -I{} sh -c '
		printf "#include \"%s\"\n" "${1##*/}" |
			$CC $FLAGS -I"${1%/*}" -x c -fsyntax-only - ||
			{ echo "$1 does not compile alone"; exit 1; }' sh {}
