#!/usr/bin/env bats
# shellcheck disable=SC2016 # scripts for other shells
# mount(8), fstab, remounts, and what mount options show of owners and modes.
# The helpers stand in /sbin of a mount namespace of the test's own.

bats_require_minimum_version 1.5.0
load mount

setup() { mount_prepare "$BATS_TEST_TMPDIR/a b"; }
teardown() { mount_cleanup "$BATS_TEST_TMPDIR/a b"; }

# in_namespace SCRIPT: runs it where mount(8) finds the helpers, with S, the
# database as fstab writes it, and P, the directory in the same way.
in_namespace() {
	[ "$(id -u)" = 0 ] || skip "only root makes mount namespaces"
	needs_namespaces
	[ -c /dev/fuse ] || skip "no /dev/fuse on this machine"
	mkdir -p "$BATS_TEST_TMPDIR/o"
	printf '%s\n' 'set -eu' 'cd "$4"' \
		'mount -t tmpfs none "$1"' 'mkdir "$1/up" "$1/work"' \
		'mount -t overlay -o "lowerdir=$2,upperdir=$1/up,workdir=$1/work" none "$2" || exit 77' \
		'ln -sf "$3/aedbfs" "$2/mount.aedbfs"' \
		'ln -sf "$3/aedbfs" "$2/mount.fuse.aedbfs"' \
		'S=$DIR/db P=$DIR/mnt' "E='a\\040b'" \
		'options() { findmnt -no OPTIONS --mountpoint "$MNT" | tail -1; }' \
		'gone() { aedb umount "$MNT"; }' "$1" >"$BATS_TEST_TMPDIR/script"
	run unshare -m --propagation private bash "$BATS_TEST_TMPDIR/script" \
		"$BATS_TEST_TMPDIR/o" "$(realpath /sbin)" "$AEDB_BUILD" "$DIR" 3>&- 4>&-
	[ "$status" != 77 ] || skip "no overlay mounts here"
	echo "$output"
	[ "$status" = 0 ]
}

@test "mount -t aedbfs and -t fuse.aedbfs mount a database, with mount's letters" {
	in_namespace '
		for type in aedbfs fuse.aedbfs; do
			mount -t $type "$S" "$P" -o nofail,user,x-note=1,noatime
			mountpoint -q "$MNT"
			case ,$(options), in *,noexec,*) ;; *) exit 1 ;; esac
			gone
			mount -n -v -r -t $type "$S" "$P"
			case ,$(options), in ,ro,*) ;; *) exit 1 ;; esac
			gone
			mount -f -t $type "$S" "$P"
			! mountpoint -q "$MNT" || exit 1
			mount -s -t $type -o frob "$S" "$P"
			gone
		done'
}

@test "mount(8) fails with its own status and the reason" {
	in_namespace '
		fails() {
			wanted=$1 text=$2
			shift 2
			status=0
			mount -t aedbfs "$@" >said 2>&1 || status=$?
			cat said
			[ $status = $wanted ] && grep -qF -- "$text" said
		}
		fails 1 "unknown option: frob" -o frob "$S" "$P"
		fails 32 "none: no database is there" none "$P"
		mkdir empty
		fails 32 "empty: no database is there" "$DIR/empty" "$P"'
}

@test "lines of fstab are mounted by mount DIRECTORY and mount -a" {
	in_namespace '
		all=defaults,nofail,_netdev,user,x-systemd.automount,x-gvfs-show,comment=c
		all=$all,auto,rw,exec,suid,dev,async,atime,relatime,lazytime,mand,umask=077
		line="${S// /\\040} ${P// /\\040}"
		echo "$line aedbfs $all 0 0" >fstab
		mount --fstab "$PWD/fstab" "$P"
		[ "$(stat -c %a "$MNT")" = 700 ]
		gone
		echo "$line fuse.aedbfs $all 0 0" >fstab
		mount --fstab "$PWD/fstab" -a
		mountpoint -q "$MNT"
		gone
		echo "$line aedbfs noauto,owner,users 0 0" >fstab
		mount --fstab "$PWD/fstab" -a
		! mountpoint -q "$MNT"'
}

@test "a line of fstab names a configuration file, which mount -s does not make lax" {
	in_namespace '
		printf "umask=077\nnoexec\nro\n" >config
		line="${S// /\\040} ${P// /\\040}"
		echo "$line aedbfs noauto,config=${DIR// /\\040}/config 0 0" >fstab
		mount --fstab "$PWD/fstab" "$P"
		[ "$(stat -c %a "$MNT")" = 700 ]
		case ,$(options), in ,ro,*,noexec,*) ;; *) exit 1 ;; esac
		gone
		echo frob >>config
		status=0
		mount -s -t aedbfs -o config="$DIR/config" "$S" "$P" >said 2>&1 || status=$?
		cat said
		[ $status = 1 ]
		grep -qF "config:4: unknown option: frob" said'
}

@test "a remount changes ro and rw, refuses with open writers, and keeps the rest" {
	in_namespace '
		mount -t aedbfs -o durability=full "$S" "$P"
		mkdir -p "$MNT/p/s"
		exec 9>"$MNT/p/s/open"
		! mount -o remount,ro "$P" || exit 1
		exec 9>&-
		mount -o remount,ro "$P"
		case ,$(options), in ,ro,nosuid,nodev,*) ;; *) exit 1 ;; esac
		! mkdir "$MNT/q" 2>said || exit 1
		grep -q Read-only said
		mount -o remount,rw,noexec "$P"
		case ,$(options), in ,rw,nosuid,nodev,noexec,*) ;; *) exit 1 ;; esac
		mkdir "$MNT/q"
		gone'
	run -1 aedbfs -o remount,ro "$DB" "$MNT"
	[[ $output == *"no database is mounted there" ]]
}

@test "uid, gid and umask change what is shown, and not what is kept" {
	mount_start
	mkdir -p "$MNT/p/s/d"
	echo v >"$MNT/p/s/k"
	ln -s k "$MNT/p/s/l"
	chmod 640 "$MNT/p/s/k"
	chown 7:8 "$MNT/p/s/k"
	mount_stop
	mount_start -o uid=1234,gid=4321,umask=027
	for path in . p p/s p/s/d p/s/k; do
		[ "$(stat -c %u:%g:%a "$MNT/$path")" = 1234:4321:750 ]
	done
	# readdir shows the same as stat
	[ "$(find "$MNT/p/s" -mindepth 1 -printf '%U:%G:%m %f\n' | sort)" = \
		"$(printf '1234:4321:%s\n' '750 d' '750 k' '777 l')" ]
	echo new >"$MNT/p/s/new"
	[ "$(stat -c %u:%g:%a "$MNT/p/s/new")" = 1234:4321:750 ]
	mount_stop
	mount_start -o fmask=133
	[ "$(stat -c %u:%g:%a "$MNT/p/s/k")" = 7:8:644 ]
	[ "$(stat -c %a "$MNT/p/s/d")" = 755 ]
	mount_stop
	mount_start
	[ "$(stat -c %u:%g:%a "$MNT/p/s/k")" = 7:8:640 ]
	[ "$(stat -c %u:%g:%a "$MNT/p/s/new")" = 0:0:644 ]
}

@test "the systemd unit is valid, and stops no sooner than a daemon drains" {
	command -v systemd-analyze >/dev/null || skip "no systemd"
	unit=$BATS_TEST_TMPDIR/aedbfs@.service
	sed "s,@bindir@,$AEDB_BUILD," "$BATS_TEST_DIRNAME/../../tools/aedbfs@.service" >"$unit"
	run systemd-analyze --man=no verify "${unit/@/@srv-notes}"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output != *aedbfs* ]]
	[ "$(sed -n 's/^TimeoutStopSec=//p' "$unit")" -gt 10 ]
}

@test "an abstract socket of systemd is told as well" {
	python3 - "$BATS_TEST_TMPDIR" >"$DIR/told" 3>&- 4>&- <<'END' &
import socket, sys
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind("\0aedbfs-test" + sys.argv[1])
print("bound", flush=True)
print(notify.recv(4096).decode(), flush=True)
END
	listener=$!
	wait_for 20 grep -q bound "$DIR/told"
	NOTIFY_SOCKET=@aedbfs-test$BATS_TEST_TMPDIR mount_start
	wait "$listener"
	grep -q READY=1 "$DIR/told"
	grep -q STATUS=Mounted "$DIR/told"
}

@test "in the background it logs to syslog, as aedbfs, with the facility daemon" {
	in_namespace '
		mkdir dev
		touch dev/null dev/fuse
		mount --bind /dev/null dev/null
		mount --bind /dev/fuse dev/fuse
		mount --rbind dev /dev
		python3 -c "
import socket
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(\"/dev/log\")
for _ in range(2):
    print(log.recv(4096).decode(), flush=True)
" >told &
		until [ -S /dev/log ]; do sleep 0.02; done
		aedbfs "$S" "$P"
		aedb umount "$P"
		wait
		cat told
		# facility 3, priority 5
		grep -qE "^<29>.* aedbfs\[[0-9]+\]: .*/db is mounted on .*/mnt" told
		grep -qE "^<29>.* aedbfs\[[0-9]+\]: .* is unmounted" told'
}
