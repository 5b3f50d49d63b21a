#!/usr/bin/env bats
# Editors on a terminal and without one.

bats_require_minimum_version 1.5.0
load beside

setup_file() { beside_prepare; }
teardown_file() { mount_cleanup "$BATS_FILE_TMPDIR"; }

setup() {
	mkdir "$MNT/p/s/t$BATS_TEST_NUMBER"
	cd "$MNT/p/s/t$BATS_TEST_NUMBER" || return 1
	OUT=$BATS_TEST_TMPDIR
	export HOME=$OUT
}

teardown() {
	terminal kill-server 2>/dev/null || true
	cd /
}

terminal() { tmux -L "aedb$BATS_ROOT_PID.$BATS_TEST_NUMBER" -f /dev/null "$@"; }

# start COMMAND: on a terminal; OUT/left holds its status when it has ended.
start() {
	terminal new-session -d -x 100 -y 24 \
		"$1 2>$OUT/err; echo \$? >$OUT/left" 3>&- 4>&-
}

keys() { terminal send-keys "$@"; }
shows() { terminal capture-pane -p | grep -qF -- "$1"; }

# vim types and saves; the mark is written when that was accepted.
vim_saves() {
	keys "Go$1" Escape ':w' Enter ":call writefile([], '$OUT/mark')" Enter
	wait_for 20 test -e "$OUT/mark"
	rm "$OUT/mark"
}

start_vim() {
	start "vim -N -u NONE -i NONE --cmd 'set directory=. updatecount=1 $2' $1"
	wait_for 20 test -e ".${1##*/}.swp"
}

vim_quits() {
	keys ":redir! >$OUT/messages | silent messages | redir END" Enter ':checktime' Enter ':wq' Enter
	wait_for 20 test -e "$OUT/left"
	[ "$(cat "$OUT/left")" = 0 ]
	run ! grep -E '^(W|E)[0-9]+:|warning' -i "$OUT/messages"
}

@test "vim saves again and again with every backupcopy, undo file and swap file, and never warns" {
	for copy in auto yes no auto,breakhardlink auto,breaksymlink; do
		mkdir "$copy"
		cd "$copy"
		printf 'one\ntwo\n' >text
		ln -s text link
		chmod 640 text
		for name in text link; do
			rm -f "$OUT"/*
			start "vim -N -u NONE -i NONE --cmd 'set backupcopy=$copy directory=. \
				undofile undodir=. updatecount=1 autoread' $name"
			wait_for 20 test -e .text.swp
			vim_saves "$copy first"
			vim_saves "$copy second"
			vim_quits
			[ "$(tail -n 2 text)" = "$copy first"$'\n'"$copy second" ]
			[ "$(ls -A)" = $'.text.un~\nlink\ntext' ]
			[ "$(stat -c %a text)" = 640 ]
			[ -L link ]
		done
		vim -N -u NONE -i NONE -es -c 'set undofile undodir=.' \
			-c 'rundo .text.un~' -c 'normal uu' -c wq text
		[ "$(wc -l <text)" = 4 ]
		cd "$MNT/p/s/t$BATS_TEST_NUMBER"
	done
}

@test "vim recovers from its swap file on the mount after it was killed" {
	printf 'one\n' >text
	start_vim text 'updatetime=10'
	keys 'onot saved' Escape ':preserve' Enter ":call writefile([string(getpid())], '$OUT/pid')" Enter
	wait_for 20 test -s "$OUT/pid"
	kill -KILL "$(cat "$OUT/pid")"
	wait_for 20 test -e "$OUT/left"
	[ "$(cat text)" = one ]
	[ -s .text.swp ]
	vim -N -u NONE -i NONE -es -r -c wq text || true
	[ "$(cat text)" = $'one\nnot saved' ]
}

@test "vim warns when somebody else changed the key, and only then" {
	printf 'one\n' >text
	start_vim text 'noautoread'
	vim_saves 'by vim'
	echo 'by another' >>text
	keys ':checktime' Enter
	wait_for 20 shows W11
	keys L
	keys ':' Escape "Gomore" Escape ':w' Enter
	wait_for 20 grep -qx more text
	[ "$(cat text)" = $'one\nby vim\nby another\nmore' ]
	keys ':q' Enter
	wait_for 20 test -e "$OUT/left"
}

@test "vim writes a read-only key when forced, and a large one" {
	echo one >text
	chmod 444 text
	vim -N -u NONE -i NONE -es -c 'normal Gotwo' -c 'w!' -c q text
	[ "$(cat text)" = $'one\ntwo' ]
	[ "$(stat -c %a text)" = 444 ]
	seq 300000 >large
	vim -N -u NONE -i NONE -es -c '%s/$/ x/' -c wq large
	seq 300000 | sed 's/$/ x/' | cmp - large
	ex -s large <<'END'
2,$d
s/x/y/
x
END
	[ "$(cat large)" = '1 y' ]
	[ "$(ls -A)" = $'large\ntext' ]
}

@test "emacs saves with and without backups, its lock is a link while it has changes" {
	[ -n "$(command -v emacs)" ] || skip "no emacs here"
	printf 'one\n' >text
	chmod 640 text
	for backup in t nil; do
		emacs --batch -Q --eval "(setq make-backup-files $backup create-lockfiles t
			backup-enable-predicate (lambda (name) t))" \
			text --eval '(progn (goto-char (point-max)) (insert "two\n")
				(princ (file-symlink-p ".#text")) (save-buffer)
				(insert "three\n") (save-buffer))' \
			>"$OUT/lock" 2>"$OUT/err"
		grep -q "@.*\.[0-9]" "$OUT/lock"
		run ! grep -iE 'changed|error|warning' "$OUT/err"
	done
	[ "$(cat text)" = $'one\ntwo\nthree\ntwo\nthree' ]
	[ "$(cat text~)" = one ]
	[ "$(stat -c %a text)" = 640 ]
	[ "$(ls -A)" = $'text\ntext~' ]
	emacs --batch -Q text --eval '(setq backup-by-copying t file-precious-flag t)' \
		--eval '(progn (insert "zero\n") (save-buffer))' 2>"$OUT/err"
	[ "$(head -n 1 text)" = zero ]
}

@test "nano saves with a backup" {
	printf 'one\n' >text
	start "nano --ignorercfiles -B text"
	wait_for 20 shows 'one'
	keys 'zero' Enter C-o Enter
	wait_for 20 grep -qx zero text
	keys 'half' Enter C-o Enter
	wait_for 20 grep -qx half text
	keys C-x
	wait_for 20 test -e "$OUT/left"
	[ "$(cat text)" = $'zero\nhalf\none' ]
	[ -e text~ ]
	[ ! -s "$OUT/err" ]
}

@test "after kill -9 and a new mount everything is as it was" {
	cd /
	objects "$MNT" >"$DIR/before"
	mount_kill
	mount_start
	objects "$MNT" | diff "$DIR/before" -
	[ -s "$DIR/before" ]
}
