#!/usr/bin/env bats
# Files made, copied, moved, edited and removed by coreutils, text tools and
# python, beside the same in a plain directory.

bats_require_minimum_version 1.5.0
load beside

setup_file() { beside_prepare; }
teardown_file() { mount_cleanup "$BATS_FILE_TMPDIR"; }

@test "cp keeps attributes, links and holes, and makes backups, as in a plain directory" {
	alike <<'END'
mkdir src src/d src/e
echo a > src/a; echo b > src/d/b; ln -s a src/l; mkfifo src/d/p; ln -s nowhere src/dang
chmod 751 src/d; chmod 4755 src/a; chmod 600 src/d/b; chown 12:34 src/d/b
setfattr -n user.x -v y src/d/b
touch -d 2001-02-03T04:05:06.789 src/a src/d/b
touch -h -d 2002-02-03T04:05:06.789 src/l
touch -d 2003-01-01 src/d src/e
cp -a src dst
cp -a src/. dst2
cp -r src dst3
cp -p src/d/b pb
cp --preserve=all src/d/b pall
cp --preserve=xattr src/d/b px
getfattr --only-values -n user.x px pall dst/d/b
cp -T src/a T
cp src/a src/d/b dst/e
for r in auto never; do cp --reflink=$r src/a re-$r; done
for s in always never auto; do
  truncate -s 1M sp; printf x | dd of=sp seek=500000 bs=1 conv=notrunc status=none
  cp --sparse=$s sp sp-$s; cmp sp sp-$s
done
cp -u src/a dst/a; cp -n src/d/b T
cat T
echo new > new
cp --backup=numbered new T; cp --backup=numbered new T; cp -b new T
cat T T.~1~ T.~2~
cp -s $PWD/src/a sym; readlink sym | grep -c src/a
rm sym
cp -f new T; cp --remove-destination new T
cp -v new v
cp -rL src/l Lcopy; cp -P src/l Pcopy
cp --attributes-only --preserve=mode src/a ao
cp --parents src/d/b dst/e
cp -i new inew </dev/null
cp /dev/null null
cp -rp src/d dd
cp -x -a src xcopy
END
}

@test "mv within, between scopes and projects, in and out, does as in a plain directory" {
	alike <<'END'
echo a > a; echo b > b; mkdir d d/e; echo c > d/c
mv a aa; mv -n aa b; cat b; mv -f aa b; cat b
echo x > x; mv -b x b; cat b b~
echo x > x; mv --backup=numbered x b; ls
echo x > x; mv -t d x b; ls d
mv d D; mv D/e .
mv -T e E
mv D ../../other/D$(basename $PWD); cat ../../other/D*/c
mv ../../other/D$(basename $PWD) .
mv D* ../../../q/s/Q; cat ../../../q/s/Q/c; mv ../../../q/s/Q back
t=$(mktemp -d)
mv back $t/out
cat $t/out/c
echo more >> $t/out/c
touch -d 2001-01-01 $t/out/c
chmod 700 $t/out
mv $t/out in; rmdir $t; cat in/c; ls in
echo 1 > 1; echo 2 > 2; mv -v 1 2; mv -u 2 3
END
}

@test "install, ln, touch, truncate, dd, split and shred do as in a plain directory" {
	alike <<'END'
echo a > a
install -m 751 a i
install -D -m 600 a p/q/r/i
install -d -m 700 x/y
install -o 12 -g 34 a own
install -b a i
install -S .old -b -m 644 a i
install -p a ip
install -t x a i
install -C a i
install -s -m 755 /bin/true true; ./true
ln -s a s; ln -sf b s; ln -sr p/q/r/i rel; cat rel; ln -sfn x s; readlink s
touch t
touch -d 2001-01-01 t
touch -r t u
touch -c none
[ ! -e none ]
touch -a -d 2002-01-01 u
touch -m -d 2003-01-01 u
stat -c '%X %Y' u t
ln -s none dang; touch -h -d 2001-02-02 dang; touch -t 200202020202.02 t
touch -d @0 zero
touch -d 1960-01-01 old
touch -d 2250-01-01 late
stat -c %Y zero old late
truncate -s 10 t
truncate -s +5 t
truncate -s -3 t
truncate -s %8 t
truncate -s '<4' t
truncate -r a t
truncate -c -s 5 none
truncate -s 3M big; stat -c %s big
dd if=/dev/zero bs=1M count=3 of=z status=none
printf abc | dd of=z conv=notrunc seek=5 bs=1 status=none
printf abc | dd of=z oflag=append conv=notrunc status=none
dd if=z of=z2 bs=1M conv=fsync status=none; cmp z z2
dd if=z of=z3 bs=64k conv=fdatasync,sparse status=none; cmp z z3
dd if=z of=z4 bs=1M oflag=direct iflag=direct status=none 2>/dev/null || true; rm -f z4
dd if=z of=z5 bs=4k oflag=dsync count=20 status=none
dd if=z of=z6 bs=1k seek=100 count=1 status=none
dd if=z of=z6 bs=1k seek=1 count=1 status=none; stat -c %s z6
dd if=z of=z7 oflag=nofollow,sync bs=1M status=none
dd if=a of=z8 conv=excl,ucase status=none; cat z8
dd if=z of=z9 bs=10 count=1 conv=nocreat status=none 2>/dev/null && exit 1
seq 100 > lines
split -l 30 lines part-; cat part-* | cmp - lines
split -n 3 lines n-
split -b 50 -d lines b-
split -n l/4 lines l-
split -n r/4 lines r-
split -l 50 --filter='sort -r > $FILE' lines f-
csplit -s lines 20 40 '/60/' ; cat xx0? | cmp - lines
csplit -s -z -f c- lines '/5$/' '{*}'
shred -x -u lines; [ ! -e lines ]
shred -x -n 1 z5; : > z5; shred -x -z -n 0 z7; shred -x -v -u a 2>/dev/null; ls
END
}

@test "text tools and editors of streams read and rewrite keys" {
	alike <<'END'
seq 1 1000 | sed 's/$/ line/' > t
wc t
head -3 t
tail -3 t
tail -c 20 t
tail -n +998 t
head -n -997 t
head -c -5000 t
sort t -o s
uniq -c s | tail -1
comm -12 s s | wc -l
join s s | head -2
paste t s | tail -1
tac t | head -1
od -c t | tail -2
md5sum t s > sums
md5sum -c sums
sha256sum t | sha256sum -c -
cksum t
b2sum t | wc -c
nl t | tail -1
fold -w 3 t | wc -l
fmt t | tail -1
expand t > t2
unexpand -a t2 > t3
cut -c 1-3 t | tail -1
rev t | tail -1
tr a-z A-Z < t > up
cmp t t2
cmp t up | head -1 || true
grep -c 5 t; grep -r 999 . | sort ; grep -l 'line' t s t2 | sort
diff t s > patch1 || true
cp t orig
patch -s t patch1
cmp t s
patch -s -R t patch1
cmp t orig
mkdir A B
echo 1 > A/x
echo 2 > B/x
echo o > A/only
diff -ru A B | sed 's,\t.*,,' > p || true
diff -rq A B || true
(cd A && patch -s -p1 -b -V numbered < <(sed 's/^Only.*//' ../p)); cat A/x; ls -A A
printf '1\n' > e; ed -s e <<E
a
two
three
.
1d
w
q
E
cat e
ed -s e <<E
,s/t/T/
w copy
w
r copy
W copy
q
q
E
cat e copy
sed -i s/T/X/ e copy; sed -i.bak -e s/X/Y/ e copy; cat e copy e.bak; ls
sed -n -i p e
sed -i '1!G;h;$!d' e
cat e
sed -s -i 1d e copy
sed -i --follow-symlinks s/a/b/ e
ln -s e ln; sed -i --follow-symlinks s/Y/Z/ ln; cat e; readlink ln
sed 'w out' e > /dev/null; cat out
perl -pi -e 's/Z/P/' e
perl -pi.orig -e 's/P/Q/' e copy
perl -i -ne 'print unless /x/' e
perl -0777 -pi -e 's/\n/;/g' e
cat e
ls
gawk -i inplace '{print NR, $0}' t
tail -n 1 t
gawk -i inplace '{print $2}' t s
tail -n 1 t s
echo '{"a":1}' > j; jq .a=2 j > j.t && mv j.t j; cat j; jq -c . j
awk '{print > ("w" NR % 3)}' s; cat w0 w1 w2 | sort -u | wc -l
awk '{print >> "ap"; close("ap")}' w0 ; cmp ap w0
xargs -n 100 -a t2 echo | wc -l; seq 5 | xargs -P 3 -I{} sh -c 'echo {} > x{}'; cat x?
timeout 5 sh -c 'echo in time > to'; cat to
sync t .; sync -d t; sync -f t
cat t | sponge -a up; tail -1 up; vis=$(ts < e | wc -l)
zip=1
gzip -k t
gzip -t t.gz
gunzip -c t.gz | cmp - t
gzip -f s
gunzip s.gz
bzip2 -k t 2>/dev/null || true
xz -k t
xz -t t.xz
zstd -q -k t 2>/dev/null || true
rm -f t.bz2 t.zst t.gz t.xz
END
}

@test "directories are made, listed, searched, changed and removed as a whole" {
	alike <<'END'
mkdir -p a/b/c; mkdir -m 700 m; mkdir -p -m 711 n/o; rmdir -p a/b/c; mkdir -vp v/w
for i in $(seq 300); do echo $i > m/$i; : > n/$i; done
find m -type f | wc -l
find . -empty -type f | wc -l
find m -type f -size +0 | wc -l
touch -d 2001-01-01 ref
find m -newer ref | wc -l
find n -type f -name '1*' -delete; ls n | wc -l; find n -type f -exec rm {} +; ls n
i=$(stat -c %i m/7)
find . -inum $i
find m -name 2?? -exec sh -c 'echo x >> $1' _ {} \; 
cat m/222
find m -type f -printf '%f\n' | sort -n | tail -1
find . -maxdepth 1 -type d | sort
find m -perm 644 | wc -l
find m -links 1 -type f | wc -l
find . -samefile m/7
find m -mmin -60 | wc -l
ls -la m > /dev/null
ls -laR . | wc -l
ls -1U m | wc -l
ls -i m | wc -l
ls -lS m | head -2 | wc -l
ls -F .
ls -ln m/7 | cut -c 1-10
du -s --apparent-size m/7
du --apparent-size -b m/7
du -a m | wc -l
du -sh m > /dev/null
du -s --inodes m
df . > /dev/null; df -i . >/dev/null; df --output=target,size . | wc -l
chmod -R u+rwX,go-rwx m
chown -R 12:34 m
chgrp 56 m/8
chmod 2755 n
mkdir n/s
echo > n/s/g
chmod --reference=m n/s
stat -c '%a %u %g' m/7 m/8 n/s/g
realpath -e m/7 | sed 's,.*/m,m,'
ln -s m/7 l
readlink l
readlink -f l | sed 's,.*/m,m,'
realpath --relative-to=n m/7
namei l | wc -l
unlink l; touch 'sp ace' -- -dash; rm -- -dash 'sp ace'
t=$(mktemp -p .)
echo x > $t
stat -c %a $t
rm $t
t=$(mktemp -d -p .)
stat -c %a $t
rmdir $t
t=$(mktemp --suffix=.x ./aXXXXXX)
rm $t
mkdir many; for i in $(seq 300); do : > many/$i; done; rm -rf many; [ ! -e many ]
mkdir -p deep/{1,2,3}/{4,5,6}/{7,8}
touch deep/{1,2,3}/{4,5,6}/{7,8}/f
find deep -depth -type d -exec sh -c 'rm -rf $1/*' _ {} \; 
find deep -type d | wc -l
rm -r deep
mkdir i
cd i
touch a b c
rm -I * 
rm -f none
rm -df ../i/none
cd ..
rmdir --ignore-fail-on-non-empty i m
mkdir r
rm -d r
pathchk m/7
dirname m/7
basename m/7
test m/7 -ef m/7
install -d i j
tree . >/dev/null 2>&1 || true
chattr 2>/dev/null || true
mknod ff p; ls -l ff | cut -c 1-10; mkfifo -m 600 gg; dircolors -b >/dev/null
END
}

@test "python writes, replaces, locks, maps, packs and copies files" {
	alike env -u PYTHONDONTWRITEBYTECODE python3 <<'END'
import bz2, configparser, csv, dbm.dumb, fcntl, fileinput, filecmp, glob, gzip, hashlib
import io, json, logging, logging.handlers, lzma, mmap, os, pathlib, shelve, shutil
import subprocess, sys, tarfile, tempfile, zipfile
open("w", "w").write("one\n")
with open("w", "a") as f:
    f.write("two\n")
    f.flush()
    assert open("w").read() == "one\ntwo\n"
with open("w", "r+") as f:
    f.seek(0)
    f.write("ONE")
    f.flush()
    f.seek(0)
    assert f.read() == "ONE\ntwo\n"
    f.truncate(3)
    f.seek(0)
    assert f.read() == "ONE"
with open("w+", "w+") as f: f.write("abc"); f.seek(0); assert f.read() == "abc"
with open("a+", "a+") as f:
    f.write("abc")
    f.seek(0)
    assert f.read() == "abc"
    f.write("def")
    f.seek(0)
    assert f.read() == "abcdef"
    assert os.fstat(f.fileno()).st_size == 6
    assert f.tell() == 6
with open("x", "x") as f:
    f.write("x")
    assert os.path.getsize("x") == 0
    f.flush()
    assert os.path.getsize("x") == 1
try: open("x", "x"); assert False
except FileExistsError: pass
with open("rb", "wb", buffering=0) as f:
    for i in range(100): f.write(bytes([i]))
    assert f.tell() == i + 1
    assert os.stat("rb").st_size == i + 1
with open("pw", "wb") as f:
    f.seek(1000)
    f.write(b"x")
    f.seek(0)
    f.write(b"y")
    f.flush()
    f.truncate(500)
    assert os.fstat(f.fileno()).st_size == 500
pathlib.Path("t").write_text("tmp")
os.replace("t", "r")
pathlib.Path("r").rename("r2")
assert pathlib.Path("r2").read_text() == "tmp"
p = pathlib.Path("dir/sub")
p.mkdir(parents=True)
(p / "f").touch(mode=0o640)
(p / "f").chmod(0o600)
(p / "ln").symlink_to("f")
assert (p / "ln").resolve() == (p / "f").resolve()
assert (p / "f").samefile(p / "ln")
(p / "g").write_bytes(b"g" * 100000)
print(sorted(str(x) for x in pathlib.Path("dir").rglob("*")))
with tempfile.NamedTemporaryFile(dir=".") as f:
    f.write(b"x")
    f.flush()
    assert os.path.getsize(f.name) == 1
    os.fsync(f.fileno())
    subprocess.run(["cmp", f.name, "-"], input=b"x", check=True)
with tempfile.TemporaryFile(dir=".") as f:
    f.write(b"x" * 100)
    f.seek(0)
    assert f.read() == b"x" * 100
    assert os.fstat(f.fileno()).st_size == 100
with tempfile.SpooledTemporaryFile(10, dir=".") as f:
    f.write(b"x" * 100)
    f.seek(0)
    assert f.read() == b"x" * 100
with tempfile.TemporaryDirectory(dir=".") as d: open(d + "/x", "w").write("x")
fd, n = tempfile.mkstemp(dir=".")
os.write(fd, b"atomic")
os.fsync(fd)
os.fchmod(fd, 0o644)
os.close(fd)
os.rename(n, "atomic")
shutil.copytree("dir", "tree", symlinks=True)
shutil.copy("w", "c1")
shutil.copy2("w", "c2")
assert os.stat("w").st_mtime_ns == os.stat("c2").st_mtime_ns
shutil.copyfile("tree/sub/g", "c3")
shutil.move("c3", "tree/c3")
shutil.move("tree", "tree2")
shutil.copytree("dir", "dir2")
shutil.rmtree("dir2")
shutil.make_archive("arch", "tar", "dir")
shutil.unpack_archive("arch.tar", "unp")
os.remove("arch.tar")
assert filecmp.cmp("unp/sub/g", "dir/sub/g", shallow=False)
json.dump({"a": [1, 2, 3]}, open("j.json", "w"))
assert json.load(open("j.json")) == {"a": [1, 2, 3]}
with open("c.csv", "w", newline="") as f:
    csv.writer(f).writerows([[i, i * i] for i in range(1000)])
with open("mm", "wb") as f: f.write(b"0123456789" * 1000)
with open("mm", "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY) as m:
    m[0:2] = b"XX"
    assert m[:4] == b"XX23"
with open("mm", "r+b") as f, mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE) as m:
    m[0:2] = b"XX"
    assert m.find(b"9") == 9
with zipfile.ZipFile("z.zip", "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr(zipfile.ZipInfo("w"), open("w").read())
    z.writestr(zipfile.ZipInfo("m"), b"m" * 5000)
with zipfile.ZipFile("z.zip", "a") as z: z.writestr(zipfile.ZipInfo("more"), b"more")
with zipfile.ZipFile("z.zip") as z:
    assert z.testzip() is None
    z.extractall("unz")
    print(z.namelist())
with gzip.GzipFile("g.gz", "w", mtime=0) as f: f.write(b"hello" * 1000)
with gzip.GzipFile("g.gz", "a", mtime=0) as f: f.write(b"more")
assert gzip.open("g.gz").read() == b"hello" * 1000 + b"more"
with lzma.open("l.xz", "w") as f: f.write(b"x" * 1000)
with bz2.open("b.bz2", "w") as f: f.write(b"x" * 1000)
with tarfile.open("tt.tar", "w") as t:
    ti = tarfile.TarInfo("q")
    ti.size = 3
    t.addfile(ti, io.BytesIO(b"abc"))
with tarfile.open("tt.tar", "a") as t:
    ti = tarfile.TarInfo("q2")
    ti.size = 3
    t.addfile(ti, io.BytesIO(b"def"))
d = dbm.dumb.open("dumb", "c")
d["a"] = "1"
d["b"] = "2"
d["a"] = "3"
d.sync()
del d["b"]
d.close()
d = dbm.dumb.open("dumb")
print(d["a"], list(d.keys()))
d.close()
with shelve.Shelf(dbm.dumb.open("shelf", "c")) as s: s["k"] = [1, 2]; s["k2"] = {"x": 1}
with shelve.Shelf(dbm.dumb.open("shelf", "w")) as s:
    s["k"] = s["k"] + [3]
    print(s["k"])
pathlib.Path("mod.py").write_text("X = 1\n")
sys.path.insert(0, ".")
import mod
print(mod.X, os.listdir("__pycache__"))
other = "import mod; print(mod.__cached__.split('/')[-1], mod.X)"
r = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True)
print(r.stdout, r.stderr)
shutil.rmtree("__pycache__")
with open("child", "w") as f:
    subprocess.run(["sh", "-c", "echo a; echo b >&2; echo c"], stdout=f, stderr=subprocess.STDOUT)
print(open("child").read())
p = subprocess.Popen("cat; echo end", shell=True, stdin=open("child"), stdout=open("child2", "w"))
p.wait()
print(open("child2").read())
h = logging.handlers.RotatingFileHandler("log", maxBytes=200, backupCount=3)
lg = logging.getLogger("x")
lg.addHandler(h)
for i in range(40): lg.warning("line %d", i)
h.close(); print(sorted(glob.glob("log*")))
h = logging.handlers.WatchedFileHandler("wlog")
lg.handlers = [h]
lg.warning("a")
os.rename("wlog", "wlog.1")
lg.warning("b")
h.close()
print(open("wlog").read(), open("wlog.1").read())
with fileinput.input("w", inplace=True, backup=".bak") as f:
    for line in f: print(line.upper().strip() + "!")
with fileinput.input("w", inplace=True) as f:
    for line in f: print(line.strip() + "?")
c = configparser.ConfigParser()
c["a"] = {"b": "c"}
c.write(open("ini", "w"))
print(open("ini").read())
fd = os.open("d", os.O_RDWR | os.O_CREAT)
os.pwrite(fd, b"abc", 5)
assert os.pread(fd, 9, 0) == b"\0\0\0\0\0abc"
os.ftruncate(fd, 6)
os.lseek(fd, 0, os.SEEK_END)
os.write(fd, b"Z")
print(os.lseek(fd, 0, os.SEEK_END))
os.close(fd)
fd = os.open("d", os.O_RDONLY)
print(os.lseek(fd, 0, os.SEEK_HOLE) >= 0, os.lseek(fd, 0, os.SEEK_DATA))
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
os.close(fd)
fd = os.open("cfr", os.O_RDWR | os.O_CREAT)
s = os.open("mm", os.O_RDONLY)
print(os.copy_file_range(s, fd, 5000))
print(os.sendfile(fd, s, 5000, 5000))
os.close(fd)
os.close(s)
print(hashlib.md5(open("cfr", "rb").read()).hexdigest())
fd = os.open("falloc", os.O_RDWR | os.O_CREAT)
os.posix_fallocate(fd, 0, 5000)
os.close(fd)
print(os.path.getsize("falloc"))
fd = os.open("vec", os.O_RDWR | os.O_CREAT)
os.writev(fd, [b"a", b"b" * 5000, b"c"])
os.preadv(fd, [bytearray(3)], 0)
os.close(fd)
fd = os.open(".", os.O_RDONLY)
print("w" in os.listdir(fd))
f2 = os.open("w", os.O_RDONLY, dir_fd=fd)
os.close(f2)
os.mkdir("at", dir_fd=fd)
os.rename("at", "at2", src_dir_fd=fd, dst_dir_fd=fd)
os.fsync(fd)
os.close(fd)
print(sorted(e.name for e in os.scandir("dir")), sum(len(f) for _, _, f in os.walk(".")))
with open("lk", "w") as f:
    fcntl.flock(f, fcntl.LOCK_EX)
    fcntl.lockf(f, fcntl.LOCK_EX)
    f.write("x")
    fcntl.lockf(f, fcntl.LOCK_UN)
f1 = open("two2", "w")
f1.close()
f1 = open("two2", "w")
f2 = open("two2")
f1.write("hello")
f1.flush()
print(f2.read())
f1.write(" world")
f1.flush()
print(f2.read())
f1.close()
f2.close()
try: os.open(".", os.O_TMPFILE | os.O_RDWR)
except OSError as e: pass
END
}

@test "a time that cannot be kept becomes the nearest that can" {
	cd "$MNT/p/other"
	touch -d 2300-01-01 late
	touch -d 1600-01-01 early
	[ "$(TZ=UTC stat -c %y late)" = '2262-04-11 23:47:15.000000000 +0000' ]
	[ "$(TZ=UTC stat -c %y early)" = '1677-09-21 00:12:45.000000000 +0000' ]
}

@test "a hard link fails clearly, and nothing is left of it" {
	cd "$MNT/p/other"
	echo x >k
	run ln k hard
	[ "$status" = 1 ]
	[[ $output == *"Operation not permitted" ]]
	run cp -l k hard
	[ "$status" = 1 ]
	[ ! -e hard ]
}

@test "after kill -9 and a new mount everything is as it was" {
	objects "$MNT" >"$DIR/before"
	mount_kill
	mount_start
	objects "$MNT" | diff "$DIR/before" -
	[ "$(wc -l <"$DIR/before")" -gt 300 ]
}
