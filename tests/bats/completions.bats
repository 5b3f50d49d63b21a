#!/usr/bin/env bats
# Completions and manuals know every option that --help prints.
# shellcheck disable=SC2034 # read by the completions

: "${AEDB_BUILD:=$(cd "$BATS_TEST_DIRNAME/../../build" && pwd)}"
PATH=$AEDB_BUILD:$PATH
TOP=$BATS_TEST_DIRNAME/../..
COMMANDS='init mount umount get put del mv ls scan dump load table snapshot backup restore batch stats status changes grant revoke grants checkpoint compact verify show help'

# replies LINE: what bash would offer at its end, as one line of words.
replies() {
	local COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS COMP_CWORD COMPREPLY=()
	# As bash divides: at blanks, and at "=", which is a word of its own.
	read -ra COMP_WORDS <<<"${1//=/ = }"
	[[ $1 != *[[:space:]=] ]] || COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	"_${COMP_WORDS[0]}"
	echo "${COMPREPLY[*]}"
}

# Reads the completions into this shell.
bash_prepare() {
	source "$TOP/tools/completions/bash/aedbfs"
	source "$TOP/tools/completions/bash/aedb"
}

@test "bash completes mount options, their values, and lists of them" {
	bash_prepare
	[ "$(replies 'aedbfs -o dur')" = 'durability=batch durability=full durability=os' ]
	[ "$(replies 'aedbfs -o durability=f')" = full ]
	[ "$(replies 'aedbfs -o ro,allow_')" = 'ro,allow_other ro,allow_root' ]
	[ "$(replies 'aedbfs -o umask=077,dur')" = \
		'077,durability=batch 077,durability=full 077,durability=os' ]
	[ "$(replies 'aedbfs --v')" = --version ]
	[ "$(replies 'aedb mount -o noxa')" = noxattr ]
	[ "$(replies 'aedbfs --c')" = --config ]
	touch "$BATS_TEST_TMPDIR/config"
	[ "$(replies "aedbfs --config $BATS_TEST_TMPDIR/con")" = "$BATS_TEST_TMPDIR/config" ]
}

@test "bash completes commands, their options, and directories" {
	bash_prepare
	[ "$(replies 'aedb u')" = umount ]
	[ "$(replies 'aedb --json sc')" = scan ]
	[ "$(replies 'aedb help sh')" = show ]
	[ "$(replies 'aedb snapshot d')" = 'delete diff' ]
	[ "$(replies 'aedb table des')" = describe ]
	[ "$(replies 'aedb table scan --wh')" = --where= ]
	[ "$(replies 'aedb backup p')" = prune ]
	[ "$(replies 'aedb backup full --arc' | xargs)" = '--archive= --archive-key-file=' ]
	[ "$(replies 'aedb backup prune --keep-w')" = '--keep-weekly= --keep-within=' ]
	[ "$(replies 'aedb scan --pre')" = --prefix= ]
	[ "$(replies 'aedb batch --re')" = --retry= ]
	[ "$(replies 'aedb batch mnt -- --re')" = '' ]
	[ "$(replies 'aedb get --r')" = '' ]
	mkdir -p "$BATS_TEST_TMPDIR/one"
	touch "$BATS_TEST_TMPDIR/oneself"
	[ "$(replies "aedbfs $BATS_TEST_TMPDIR/on")" = "$BATS_TEST_TMPDIR/one" ]
}

@test "zsh and fish accept their completions" {
	for shell in zsh fish; do
		command -v $shell >/dev/null || skip "no $shell"
		for file in "$TOP/tools/completions/$shell"/*; do
			$shell -n "$file"
		done
	done
}

# The names of mount options in aedbfs --help, one a line.
mount_options() {
	aedbfs --help | sed -n '/^  -o/,/^  -h/p' |
		grep -oE '^     [a-z_,=A-Z]+|[fd]mask=' | tr -d ' ' | tr , '\n' |
		sed 's/=.*/=/' | grep '^[a-z]'
}

@test "every option of a mount in --help is in each completion and in the manual" {
	[ "$(mount_options | wc -l)" -ge 18 ]
	while read -r option; do
		name=${option%=}
		for file in bash/aedbfs zsh/_aedbfs fish/aedbfs.fish; do
			grep -qE "(^|[^a-z_])$name($|[^a-z_])" "$TOP/tools/completions/$file" ||
				{ echo "$name is not in $file"; return 1; }
		done
		grep -qE "^\.B.*[ \"]$name([ =\",]|$)" "$TOP/docs/man/aedbfs-options.5" ||
			{ echo "$name is not in aedbfs-options(5)"; return 1; }
	done < <(mount_options)
}

@test "every command and option of aedb in --help is in each completion and in the manual" {
	for command in $COMMANDS; do
		for option in "$command" $(aedb help "$command" | sed -n '/^  /p' |
			grep -oE '^  (-[a-z0-9], |    )--[a-z]+' | grep -oE '[a-z]+$'); do
			for file in bash/aedb zsh/_aedb fish/aedb.fish; do
				grep -qE "(^|[^a-z])$option($|[^a-z])" "$TOP/tools/completions/$file" ||
					{ echo "$option is not in $file"; return 1; }
			done
			sed 's/[\]//g' "$TOP/docs/man/aedb.1" | grep -qE "(--|aedb )$option" ||
				{ echo "$option is not in aedb(1)"; return 1; }
		done
	done
	[ "$(aedb --help | awk '/^  [a-z]/ { print $1 }' | xargs)" = "$COMMANDS" ]
}
