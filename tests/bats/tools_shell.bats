#!/usr/bin/env bats
# Shells: redirections, pipelines, logs, files that are not what they seem.

bats_require_minimum_version 1.5.0
load beside

setup_file() { beside_prepare; }
teardown_file() { mount_cleanup "$BATS_FILE_TMPDIR"; }

@test "redirections of every form do as in a plain directory, in bash and dash" {
	for shell in bash dash; do
		alike $shell -eu <<'END'
echo one > k
echo two >> k
cat k
: > e; [ ! -s e ]; [ -e e ]
> e2
echo x <> k
cat k
echo abc 1<> k
cat k
set -C
(echo no > k) 2>err && exit 1
[ -s err ]
rm err
echo yes >| k
cat k
set +C
{ echo a; echo b >&2; } > both 2>&1
cat both
ls nonexist 2> errs || true
[ -s errs ]
rm errs
exec 3> f
echo one >&3
echo two >&3
cat f >/dev/null
exec 3>&-
cat f
exec 4<f
read a <&4
read b <&4
echo "$a-$b"
exec 4<&-
( echo sub; ( echo subsub ) ) > g
cat g
cat > here <<HERE
here $a
HERE
cat here
cat <<HERE > here2
x
HERE
i=0
while read -r line; do i=$((i+1)); printf '%s\n' "$line" >> loop; done < f
cat loop
for i in 1 2 3 4 5; do printf '%s\n' $i; done > list
while read -r n; do echo $((n*n)); done < list > squares
cat squares
sort -r -o list list
cat list
seq 5 | tee a b c | tac | tee -a a > d
cat a b c d
(sleep 0.01; echo bg) >> bg &
wait
cat bg
exec 5<>k
echo zz >&5
exec 5>&-
cat k
END
	done
}

@test "what bash adds to redirections does as in a plain directory" {
	alike <<'END'
echo both &> k
cat k
echo more &>> k
cat k
cat <<< "string" > h
cat h
diff <(sort <(printf 'b\na\n')) <(printf 'a\nb\n') > dd
tee >(cat > sub) <<< x > main
while [ ! -s sub ]; do sleep 0.01; done
mapfile -t lines < k
echo ${#lines[@]}
exec {fd}> v
echo v >&$fd
exec {fd}>&-
cat v
printf '%s\n' {1..50} > fifty
sort -rn -o fifty fifty
head -1 fifty
seq 10 > s
sort -rn s | sponge s
cat s
coproc cat
echo hi >&"${COPROC[1]}"
eval "exec ${COPROC[1]}>&-"
cat <&"${COPROC[0]}" > co
cat co
x=$(< s)
echo "$x"
echo >> s x
END
}

@test "here-documents and sort have their temporary files on the mount" {
	alike <<'END'
export TMPDIR=$PWD
x=$(head -c 200000 /dev/zero | tr '\0' x)
cat <<<"$x" | wc -c
cat <<HERE | wc -c
a document of $x
HERE
read -r y <<<"$x"
echo ${#y}
seq 200000 | sort -S 200k | sha1sum
END
}

@test "no reader ever sees a part of what a group, subshell, make or pipeline writes" {
	cd "$MNT/p/other"
	printf 'a\nb\nc\n' >k
	printf 'all:\n\t@echo a\n\t@echo b\n\t@echo c\n' >"$DIR/Makefile"
	while [ ! -e "$DIR/written" ]; do cat k; done >"$DIR/seen" 3>&- &
	for _ in 1 2; do
		{ echo a; /bin/echo b; (echo c); } >k
		(echo a; { /bin/echo b; sh -c 'echo c'; }) >k
		env -u MAKEFLAGS -u MAKELEVEL make -s -f "$DIR/Makefile" >k
		printf 'c\nb\na\n' | sort | tee k >/dev/null
		python3 -c 'import subprocess
with open("k", "w") as k:
    for word in "abc":
        subprocess.run(["echo", word], stdout=k)'
	done
	touch "$DIR/written"
	wait
	[ "$(paste -d '' - - - <"$DIR/seen" | sort -u)" = abc ]
}

@test "appenders, copytruncate, and rotation by rename beside writers that go on" {
	alike <<'END'
logger() { for i in $(seq 200); do echo "$1 $i"; done; }
logger a >> log & logger b >> log & logger c >> log; wait; sort -o log log
# copytruncate
exec 3>>app
echo 1 >&3
cp app app.1
: > app
echo 2 >&3
cat app app.1
truncate -s 0 app
echo 3 >&3
cat app
mv app app.2
echo 4 >&3
: > app
cat app app.2
exec 3>>app
echo 5 >&3
cat app
exec 3>&-
rm app
exec 3>>app
echo 1 >&3
rm app
echo 2 >&3
cat /proc/self/fd/3
exec 3>&-
[ ! -e app ]
exec 3>tr; echo 1 >&3; echo 2 >&3; exec 3>&-; 
yes | head -c 300000 >> big
wc -c big
tail -c 10 big
yes abc | head -c 200000 >> big
wc -c big
cksum big
dd if=/dev/zero bs=1M count=4 status=none | cat >> big; stat -c %s big
nohup sh -c 'echo hup' > nh 2>&1
cat nh
script -qc 'echo typescript' /dev/null | tr -d '\r'
stdbuf -oL seq 3 > sb
time=1
(trap '' HUP; echo t >> sb)
seq 3 | tee -a sb > /dev/null
cat sb
END
}

@test "removed files are read on by those who have them" {
	alike <<'END'
exec 3>>app
echo 1 >&3
exec 4<app
cat <&4
rm app
cat <&4
stat -Lc %s /dev/fd/4
echo 2 >&3
cat <&4
stat -Lc %s /dev/fd/4
cat /dev/fd/3
exec 3>&-
cat /dev/fd/4
exec 5>w
exec 6<w
rm w
echo whole >&5
cat <&6
exec 5>&-
cat <&6
cat /dev/fd/6
echo again >/dev/fd/6
cat /dev/fd/6
echo more >>/dev/fd/6
cat /dev/fd/6
END
}

@test "FIFOs, sockets, programs, libraries, locks and lost directories do as in a plain directory" {
	alike <<'END'
mkfifo p; echo through > p & cat p; wait
cat p > got & seq 3 > p; wait; cat got
{ head -n 1 p; } & exec 7>p; echo line >&7; exec 7>&-; wait
[ -p p ]; stat -c %F p
python3 - <<'P'
import socket, os, threading, subprocess
s = socket.socket(socket.AF_UNIX); s.bind("sock"); s.listen()
c = socket.socket(socket.AF_UNIX)
c.connect("sock")
a, _ = s.accept()
c.sendall(b"hello")
print(a.recv(9))
d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
d.bind("dg")
e = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
e.sendto(b"x", "dg")
print(d.recv(9))
try: socket.socket(socket.AF_UNIX).bind("sock")
except OSError as x: print(x.errno)
os.rename("sock", "sock2")
c = socket.socket(socket.AF_UNIX)
c.connect("sock2")
a, _ = s.accept()
s.close(); a.close()
try: c = socket.socket(socket.AF_UNIX); c.connect("sock2")
except OSError as x: print(x.errno)
os.unlink("sock2")
P
printf '#!/bin/sh\necho script "$@"\ncat "$0" | wc -l\n' > s
chmod +x s
./s a b
sh s c
printf '#!/usr/bin/env python3\nimport sys; print(sys.argv)\n' > py
chmod 755 py
./py x
chmod -x s; ./s 2>/dev/null && exit 1; rm -f t
cp /bin/sleep prog; ./prog 30 & pid=$!
while [ "$(readlink /proc/$pid/exe)" != "$PWD/prog" ]; do :; done
if echo x > prog; then echo written; fi 2> busy
sed 's/.*: //' busy
if dd if=/dev/null of=prog conv=notrunc status=none; then echo opened; fi 2> busy
rm busy
cp -f /bin/true prog; ./prog; kill $pid; wait $pid || true
cmp prog /bin/true
rm prog; cp /bin/echo prog; ./prog ok; mv prog prog2; ./prog2 moved
cp prog2 suid; chmod 4755 suid; chown 12 suid; chmod 4755 suid; stat -c %a suid
lib=$(ldconfig -p | sed -n 's/.*libz.so.1 .*=> //p' | head -n 1); cp -L $lib libz.so
python3 - <<'P'
import ctypes
print(ctypes.CDLL("./libz.so").crc32(0, b"abc", 3))
print(any("r-xp" in line and line.endswith("/libz.so\n") for line in open("/proc/self/maps")))
P
LD_PRELOAD=$PWD/libz.so ./prog2 preloaded
printf 'int f(void){return 42;}' > l.c
printf '#include <stdio.h>\nint f(void);int main(){printf("%%d\\n",f());}' > m.c
gcc -shared -fPIC -o libl.so l.c
gcc -o m m.c -L. -ll -Wl,-rpath,'$ORIGIN'
./m
rm libl.so m

mkdir -p a/b
cd a/b
(cd ..; rmdir b)
ls | wc -l
pwd -P 2>/dev/null | wc -l
/bin/pwd 2>/dev/null && exit 1
touch x 2>/dev/null && exit 1
mkdir y 2>/dev/null && exit 1
cd ..
pwd -P | sed 's,.*/,,'
cd ..
mkdir -p a/b
cd a/b
mv ../../a ../../A
pwd -P | sed 's,.*/\(A/\),\1,'
/bin/pwd | sed 's,.*/\(A/\),\1,'
echo x > here
cd ../..
cat A/b/here
mkdir r; exec 9<r; rmdir r; ls /proc/self/fd/9/ | wc -l; exec 9<&-
(flock -n 9; flock -n k -c 'echo got' || echo held) 9> k
flock k2 sh -c 'echo in; flock -n k2 true || echo busy'
flock -s k sh -c 'flock -s -n k echo shared; flock -x -n k true || echo no'
flock -w 5 k echo waited
flock -u 8 8<k
[ -e k2 ]
flock A/b echo dirlock
flock . echo dot
END
}

@test "after kill -9 and a new mount everything is as it was" {
	objects "$MNT" >"$DIR/before"
	mount_kill
	mount_start
	objects "$MNT" | diff "$DIR/before" -
	[ "$(wc -l <"$DIR/before")" -gt 20 ]
}
