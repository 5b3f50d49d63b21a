#!/bin/sh
# Installs what is missing of the packages for the purposes named:
#   tools/packages.sh build test
# Contacts nothing while nothing is missing. Where packages cannot be
# installed, it names them, and fails only if what they bring is not there.
#
# The lists here are of names, and meant to fall into words:
# shellcheck disable=SC2046,SC2086
set -eu
table=$(dirname "$0")/packages

names() {	# the packages for some purposes, one a line
	for purpose; do
		awk -v p="$purpose" '$1 == p { print $2 }' "$table"
	done | sort -u
}

not_installed() {	# which of the packages given dpkg does not have
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
		awk -v wanted="$*" '
		$1 == "installed" { has[$2] = 1 }
		END {
			n = split(wanted, name, " ")
			for (i = 1; i <= n; i++)
				if (!(name[i] in has)) print name[i]
		}'
}

is_present() {	# does this system have what the package brings?
	probe=$(awk -v n="$1" '$2 == n { print $3; exit }' "$table")
	case $probe in
	cmd:*) command -v "${probe#cmd:}" >/dev/null ;;
	pc:*) pkg-config --exists "${probe#pc:}" 2>/dev/null ;;
	file:*) [ -e "${probe#file:}" ] ;;
	*) return 1 ;;
	esac
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "packages: neither root nor sudo here" >&2
		return 1
	fi
}

install() {
	command -v apt-get >/dev/null || return 1
	echo "packages: installing $*"
	# A machine that is thrown away need not wait for the disk.
	[ -z "${CI-}" ] || set -- -o Dpkg::Options::=--force-unsafe-io "$@"
	as_root apt-get -qq update &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
			install --no-install-recommends "$@" >/dev/null
}

not_present() {
	for name; do
		is_present "$name" || echo "$name"
	done
}

missing_of() {
	if command -v dpkg-query >/dev/null; then
		not_installed "$@"
	else
		not_present "$@"
	fi
}

missing=$(missing_of $(names "$@"))
[ -n "$missing" ] || exit 0

install $missing && exit 0

absent=$(not_present $missing)
if [ -n "$absent" ]; then
	echo "packages: please install what Debian 12 calls:" $absent >&2
	exit 1
fi
echo "packages: not installed as Debian packages, but found here:" $missing
