#!/bin/bash
# Prints which programs notice that a save into a mount failed, one a line:
# name, exit status, last line of what it said, separated by tabs. The commit
# fails for a real reason: the disk beneath the database is full.
#
#	tests/failed_saves.sh DIRECTORY KEY
#
# DIRECTORY is a scope of such a mount, in which files "k" and "f.c" hold the line
# "old"; KEY "k". Programs that are not there are left out.
set -u
scope=$1 key=$2
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export K=$scope/$key W=$work
printf 'one\ntwo\n' >"$work/in"
printf 'old\n' >"$work/old"
printf 'new\n' >"$work/new"
printf '{"a": 1}\n' >"$work/json"
printf 'int main(void) { return 0; }\n' >"$work/f.c"
printf 'all:\n\techo new >"$(K)"\n' >"$work/Makefile"
diff -u "$work/old" "$work/new" >"$work/patch"
mkdir "$work/tar" && cp "$work/new" "$work/tar/$key" && tar -C "$work/tar" -cf "$work/t.tar" "$key"

# row NAME PROGRAM COMMAND: runs it in a shell that adds nothing of its own.
row() {
	command -v "$2" >/dev/null || return 0
	local status
	timeout 20 bash -c "$3" >"$work/out" 2>&1 </dev/null
	status=$?
	printf '%s\t%d\t%s\n' "$1" "$status" \
		"$(grep -a . "$work/out" | tail -1 | tr '\t\r' '  ' | sed "s,$scope/,,g; s,$work/,,g" | cut -c1-90)"
}

for shell in bash dash zsh; do
	row "$shell: echo >" $shell "exec $shell -c 'echo new >\"\$K\"'"
	row "$shell: echo >>" $shell "exec $shell -c 'echo new >>\"\$K\"'"
done
row 'awk: print >' awk 'exec awk "{ print >ENVIRON[\"K\"] }" "$W/in"'
row 'cat >' cat 'exec cat "$W/in" >"$K"'
row cp cp 'exec cp "$W/in" "$K"'
row dd dd 'exec dd if="$W/in" of="$K" status=none'
row ed ed 'printf "a\nnew\n.\nw\nq\n" | ed -s "$K"'
row 'git add' git 'cd "${K%/*}/repo" && exec git add file'
row 'jq >' jq 'exec jq . "$W/json" >"$K"'
row 'make: echo >' make 'exec make -s -f "$W/Makefile"'
row 'node: writeFileSync' node 'exec node -e "require(\"fs\").writeFileSync(process.env.K, \"new\")"'
row 'patch' patch 'exec patch -s "$K" "$W/patch"'
row 'perl: close unchecked' perl 'exec perl -e "open F, q(>), \$ENV{K}; print F 1; close F"'
row 'perl: close or die' perl 'exec perl -e "open F, q(>), \$ENV{K}; print F 1; close F or die \$!"'
row 'perl -pi' perl 'exec perl -pi -e s/old/new/ "$K"'
row 'python3: close()' python3 'exec python3 -c "import os; f = open(os.environ[\"K\"], \"w\"); f.write(\"new\"); f.close()"'
row 'python3: never closed' python3 'exec python3 -c "import os; f = open(os.environ[\"K\"], \"w\"); f.write(\"new\")"'
row 'rsync' rsync 'exec rsync -I "$W/in" "$K"'
row 'sed -i' sed 'exec sed -i s/old/new/ "$K"'
row 'sort -o' sort 'exec sort -o "$K" "$W/in"'
row 'sqlite3 .output' sqlite3 'exec sqlite3 :memory: ".output $K" "select 1"'
row 'tee' tee 'exec tee "$K" <"$W/in"'
row 'vim' vim 'exec vim -u NONE -es -c "normal onew" -c wq "$K"'
# These remove what is there before they write, which a full disk allows.
row 'gcc -o' gcc 'exec gcc -o "$K" "$W/f.c"'
row install install 'exec install -m 644 "$W/in" "$K"'
row 'mv from outside' mv 'cp "$W/in" "$W/moved" && exec mv "$W/moved" "$K"'
row 'tar x' tar 'cd "${K%/*}" && exec tar -xf "$W/t.tar"'
