#!/bin/bash
# Lines of 100 columns with tabs of 8, functions of 70 lines, files of 1,000,
# internal headers of 120; C is indented with tabs. Exceptions stand with their
# reasons in tests/lint/sizes-allowed, and one that is no longer needed goes.
set -u
shopt -s nullglob
sources=({engine,fs,tools,tools/text,bench,tests,tests/unit,tests/stress,tests/conformance}/*.[ch])
[ ${#sources[@]} -gt 0 ] || exit 0

# A function starts at a { in column 0 and ends at a } in column 0.
LC_ALL=C awk '
function bad(key, line, text) {
	if (key in allowed) { used[key] = 1; return }
	printf "%s:%d: %s\n", FILENAME, line, text
	failed = 1
}
function columns(text,    i, c, n) {
	n = 0
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c ~ /[\200-\277]/)	# not the first byte of a character
			continue
		n = c == "\t" ? n - n % 8 + 8 : n + 1
	}
	return n
}
function end_of_file(path, lines) {
	if (lines > 1000 && !(path in allowed))
		{ print path ": " lines " lines, 1,000 at most"; failed = 1 }
	else if (path ~ /^(engine|fs)\/.*\.h$/ && path !~ /^engine\/aedb[a-z_]*\.h$/ &&
		 lines > 120 && !(path in allowed))
		{ print path ": " lines " lines, an internal header has 120"; failed = 1 }
	else if (lines > 1000 || (path ~ /\.h$/ && lines > 120))
		used[path] = 1
}
FILENAME ~ /sizes-allowed$/ {
	if ($0 ~ /^#/ || NF == 0)
		next
	key = $1
	if ($2 ~ /\(\)$/)
		key = key " " $2
	allowed[key] = 1
	next
}
FNR == 1 {
	if (last) end_of_file(last, count)
	last = FILENAME
	signature = ""
}
{ count = FNR }
length($0) > 60 && columns($0) > 100 { bad(FILENAME, FNR, columns($0) " columns, 100 at most") }
/[ \t]$/ { bad(FILENAME, FNR, "space at the end of the line") }
/^        / || /^\t* \t/ { bad(FILENAME, FNR, "indented with spaces") }
/^[A-Za-z_].*\(/ && !/;[ \t]*$/ { signature = $0 }
/^[{]/ { start = FNR; name = signature; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
/^[}]/ && start {
	lines = FNR - start - 1
	if (name != "" && lines > 70)
		bad(FILENAME " " name "()", start, name "() has " lines " lines, 70 at most")
	start = 0
	signature = ""
}
END {
	end_of_file(last, count)
	for (key in allowed)
		if (!(key in used)) {
			print "tests/lint/sizes-allowed: not needed: " key
			failed = 1
		}
	exit failed
}' tests/lint/sizes-allowed "${sources[@]}"
