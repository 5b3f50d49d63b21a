#!/bin/bash
# clang's thread-safety analysis over the engine and the mount.
set -u
shopt -s nullglob
sources=({engine,fs}/*.c)
[ ${#sources[@]} -gt 0 ] || exit 0
flags="-std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Iengine -Itools/text -Ifs
	$(pkg-config --cflags fuse3)"
# shellcheck disable=SC2086 # a list of flags
printf '%s\n' "${sources[@]}" |
	xargs -P 2 -n 8 clang -fsyntax-only -Wno-everything -Wthread-safety \
		-Werror $flags
