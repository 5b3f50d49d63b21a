#!/bin/bash
# Holds every #include against engine/LAYERS, fs/LAYERS and the walls between
# the directories.
set -u
shopt -s nullglob
sources=({engine,fs,tools,tools/text,bench}/*.[ch])
[ ${#sources[@]} -gt 0 ] || exit 0

awk '
function bad(text) { printf "%s:%d: %s\n", FILENAME, FNR, text; failed = 1 }
function module(path) { sub(/.*\//, "", path); sub(/\.[ch]$/, "", path); return path }
FILENAME ~ /LAYERS$/ {
	dir = FILENAME; sub(/\/.*/, "", dir)
	if ($0 !~ /^#/)
		for (i = 1; i <= NF; i++) {
			if ((dir, $i) in layer)
				bad($i " stands in two layers")
			layer[dir, $i] = FNR
		}
	next
}
FNR == 1 {
	dir = FILENAME; sub(/\/.*/, "", dir)
	name = module(FILENAME)
	is_layered = dir == "engine" || dir == "fs"
	may_fuse = dir == "bench" || (dir == "fs" && FILENAME ~ /\/(ll_.*|main)\.[ch]$/)
	if (is_layered && !((dir, name) in layer))
		bad("stands in no layer of " dir "/LAYERS")
}
/^[ \t]*#[ \t]*include[ \t]*<fuse/ && !may_fuse { bad("may not include FUSE") }
/^[ \t]*#[ \t]*include[ \t]*<aedb/ { bad("aedb.h is ours: \"aedb.h\"") }
/^[ \t]*#[ \t]*include[ \t]*"/ {
	header = $0
	sub(/^[^"]*"/, "", header); sub(/".*/, "", header)
	if (header ~ /^aedb(_[a-z_]+)?\.h$/ || \
	    (header == "bytes.h" && FILENAME ~ /^tools\/text\//))
		next
	if (header ~ /\//)
		bad("\"" header "\": headers are named without a directory")
	else if (!is_layered && system("test -e " dir "/" header) != 0 && \
		 !(dir == "tools" && system("test -e tools/text/" header) == 0))
		bad("\"" header "\": only aedb*.h from outside " dir)
	else if (is_layered && !((dir, module(header)) in layer))
		bad("\"" header "\" stands in no layer of " dir "/LAYERS" \
			(dir == "fs" ? "; only aedb*.h from the engine" : ""))
	else if (is_layered && layer[dir, module(header)] > layer[dir, name])
		bad("\"" header "\" is of a higher layer")
}
END { exit failed }' engine/LAYERS fs/LAYERS "${sources[@]}"
