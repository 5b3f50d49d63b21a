#!/bin/bash
# The mount benchmark against all its peers: starts the floor daemon, the
# product's mount if it is built, a directory of the local file system and
# bindfs over another one, runs bench_mount, in the product's mount bench_batch
# and bench_views, and removes everything again, also when something fails.
#
#	bench/mount.sh [BUILD_DIR] [options of the program]
#
# BENCH_DIR: where its files go (default /tmp; should be the local file system).
# BIG=1:     bench_bigfile instead of bench_mount, without bindfs: a file of
#            8 GiB, which each of the others has on the disk at once.
# BENCH_CPU: the CPU that client and receivers are pinned to (default 0; empty:
#            not pinned, which measures the scheduler's choices as well).
set -eu

build=build
if [ $# -gt 0 ] && [ -d "$1" ]; then
	build=$1
	shift
fi
build=$(realpath "$build")
cpu=${BENCH_CPU-0}
work=$(mktemp -d "${BENCH_DIR:-/tmp}/bench-mount.XXXXXX")
pids=()
mounts=()

cleanup() {
	for m in "${mounts[@]}"; do
		umount -l "$m" 2>/dev/null || true
	done
	for p in "${pids[@]}"; do
		kill "$p" 2>/dev/null || true
		wait "$p" 2>/dev/null || true
	done
	rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# start NAME COMMAND...: runs it in the background, waits for $work/NAME to be
# a mount, pins its first thread, and leaves its process id in $started.
start() {
	local name=$1 tries=0
	shift
	mounts+=("$work/$name")
	"$@" &
	started=$!
	pids+=("$started")
	until mountpoint -q "$work/$name"; do
		tries=$((tries + 1))
		if [ $tries = 500 ] || ! kill -0 "$started" 2>/dev/null; then
			echo "mount.sh: $name did not start" >&2
			exit 1
		fi
		sleep 0.02
	done
	[ -z "$cpu" ] || taskset -pc "$cpu" "$started" >/dev/null
}

backing=2G memory=256M
program=("$build/bench/bench_mount" --drop-caches)
if [ "${BIG-}" = 1 ]; then
	backing=9G
	program=("$build/bench/bench_bigfile" --memory=$((256 << 20)))
fi

mkdir "$work"/{floor,local,bindfs,bindfs.below}
fallocate -l "$backing" "$work/backing"
targets=()

start floor "$build/bench/floor" --backing="$work/backing" "$work/floor"
targets+=("floor@$started=$work/floor")

if [ -x "$build/aedbfs" ]; then
	mkdir "$work/aedbfs"
	start aedbfs "$build/aedbfs" -f -o "create,memory=$memory" \
		"$work/db" "$work/aedbfs"
	mkdir -p "$work/aedbfs/bench/bench"
	targets+=("aedbfs@$started=$work/aedbfs/bench/bench")
	root="aedbfs@$started=$work/aedbfs"
fi

targets+=("$(df --output=fstype "$work/local" | tail -1)=$work/local")

if [ "${BIG-}" != 1 ] && command -v bindfs >/dev/null; then
	start bindfs bindfs -f -s "$work/bindfs.below" "$work/bindfs"
	targets+=("bindfs@$started=$work/bindfs")
fi

pin=()
[ -z "$cpu" ] || pin=(--cpu="$cpu")
"${program[@]}" "${pin[@]}" "$@" "${targets[@]}"

if [ "${BIG-}" != 1 ] && [ -n "${root-}" ]; then
	json=()
	for option; do
		case $option in --json=*) json+=("$option") ;; esac
	done
	echo
	"$build/bench/bench_batch" "${pin[@]}" "${json[@]}" \
		--library="$work/library" "$root"
	echo
	"$build/bench/bench_views" "${pin[@]}" "${json[@]}" "$root" \
		"$(df --output=fstype "$work/local" | tail -1)=$work/local"
fi
