# aedbfs: a transactional, durable database that you mount. `make help` tells
# the targets.

MODE ?= release
PREFIX ?= /usr/local
# How long `make fuzz` runs each of its programs.
SECONDS_EACH ?= 600
# mount(8) looks for its helpers here only; empty: they are not installed.
HELPERDIR ?= /sbin
CC = gcc
AR = ar

ifeq ($(MODE),release)
B := build
# Structs of one or two hundred bytes are cleared and copied by plain moves:
# `rep stos` and `rep movs` take longer to begin than those take in all.
PLAIN_MOVES := -mmemset-strategy=unrolled_loop:512:noalign,libcall:-1:noalign \
	-mmemcpy-strategy=unrolled_loop:512:noalign,libcall:-1:noalign
MODE_CFLAGS := -O2 -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
	$(shell $(CC) $(PLAIN_MOVES) -E -x c /dev/null >/dev/null 2>&1 && \
		echo '$(PLAIN_MOVES)')
MODE_LDFLAGS := -pie -Wl,-z,relro,-z,now
else
B := build/$(MODE)
ifeq ($(MODE),debug)
MODE_CFLAGS := -Og -DAEDB_DEBUG
else ifeq ($(MODE),asan)
MODE_CFLAGS := -O1 -DAEDB_DEBUG -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all
# Not static, the second does not know where the first writes its reports.
MODE_LDFLAGS := -fsanitize=address,undefined -static-libasan -static-libubsan
else ifeq ($(MODE),tsan)
MODE_CFLAGS := -O1 -DAEDB_DEBUG -fsanitize=thread
MODE_LDFLAGS := -fsanitize=thread
else ifeq ($(MODE),cov)
MODE_CFLAGS := -O0 -DAEDB_DEBUG --coverage
MODE_LDFLAGS := --coverage
else ifeq ($(MODE),fuzz)
CC := clang
MODE_CFLAGS := -O1 -DAEDB_DEBUG -w -fno-sanitize-recover=all \
	-fsanitize=fuzzer-no-link,address,undefined
else
$(error MODE is release, debug, asan, tsan or cov, not "$(MODE)")
endif
endif

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror
DEFINES := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
ALL_CFLAGS = -std=gnu11 -g $(WARNINGS) $(DEFINES) $(MODE_CFLAGS) -pthread \
	-MMD -MP $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(MODE_LDFLAGS) -pthread -Wl,--as-needed $(LDFLAGS)

# Asked for when a recipe needs them: pkg-config may not be there before
# `make run` or `make test` installed it.
FUSE_CFLAGS = $(shell pkg-config --cflags fuse3)
FUSE_LIBS = $(shell pkg-config --libs fuse3)
ENGINE_LIBS := -lcrypto -lzstd -ljansson
TEXT_LIBS := -ljansson
PEER_LIBS := -llmdb -lsqlite3 -lrocksdb -lwiredtiger
VERSION = $(shell sed -n 's/^.define AEDB_VERSION[[:space:]]*"\(.*\)"$$/\1/p' \
	engine/aedb.h)

# The sources decide: a new file is built where its directory says.
obj = $(patsubst %.c,$(B)/obj/%.o,$(wildcard $(1)))
programs = $(patsubst $(1)/%.c,$(B)/$(1)/%,$(wildcard $(1)/$(2)))

ENGINE_OBJ := $(call obj,engine/*.c)
FS_OBJ := $(call obj,fs/*.c)
# The file tree without FUSE, which unit tests drive.
TREE_OBJ := $(filter-out $(B)/obj/fs/main.o $(B)/obj/fs/ll_%,$(FS_OBJ))
TOOL_OBJ := $(call obj,tools/*.c)
TEXT_OBJ := $(call obj,tools/text/*.c)
TEST_OBJ := $(call obj,tests/*.c)
UNIT := $(call programs,tests/unit,test_*.c)
STRESS := $(call programs,tests/stress,*.c)
CONFORM := $(B)/tests/conformance/conform
CONFORM_OBJ := $(call obj,tests/conformance/*.c)
BENCH := $(call programs,bench,bench_*.c) $(call programs,bench,floor*.c)
BENCH_OBJ := $(filter-out $(BENCH:$(B)/%=$(B)/obj/%.o),$(call obj,bench/*.c))

LIB := $(B)/libaedb.a

# V=1 shows the commands.
ifeq ($(V),)
Q = @echo "  $(1) $(2)";
endif

# As many jobs as processors, unless told otherwise with -j.
ifeq ($(MAKELEVEL),0)
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif
endif

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all tests benches help run test soak lint fuzz bench bench-big install \
	uninstall clean fuzzers packages-run packages-test packages-fuzz packages-bench

all: $(LIB) $(B)/aedb $(B)/aedbfs

$(LIB): $(ENGINE_OBJ)
$(B)/obj/libtree.a: $(TREE_OBJ) $(TEXT_OBJ)
$(B)/obj/libtest.a: $(TEST_OBJ)
$(B)/obj/libbench.a: $(BENCH_OBJ)
%.a:
	@rm -f $@
	$(call Q,AR,$@)$(AR) rcs $@ $^

$(B)/aedb: $(TOOL_OBJ) $(TEXT_OBJ) $(LIB)
	$(call Q,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $(TOOL_OBJ) $(TEXT_OBJ) $(LIB) \
		$(ENGINE_LIBS) $(TEXT_LIBS)

$(B)/aedbfs: $(FS_OBJ) $(TEXT_OBJ) $(LIB)
	$(call Q,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $(FS_OBJ) $(TEXT_OBJ) $(LIB) \
		$(ENGINE_LIBS) $(TEXT_LIBS) $(FUSE_LIBS)

TEST_LIBS := $(B)/obj/libtest.a $(B)/obj/libtree.a $(LIB)
$(UNIT) $(STRESS): $(B)/%: $(B)/obj/%.o $(TEST_LIBS)
	@mkdir -p $(@D)
	$(call Q,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $< $(TEST_LIBS) $(ENGINE_LIBS) \
		$(TEXT_LIBS) -lsqlite3 -lm

$(CONFORM): $(CONFORM_OBJ)
	@mkdir -p $(@D)
	$(call Q,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $^

$(BENCH): $(B)/%: $(B)/obj/%.o $(B)/obj/libbench.a $(LIB)
	@mkdir -p $(@D)
	$(call Q,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $< $(B)/obj/libbench.a $(LIB) \
		$(ENGINE_LIBS) $(PEER_LIBS) $(FUSE_LIBS) -lm

INCLUDE_engine := -Iengine
INCLUDE_fs = -Iengine -Itools/text -Ifs $(FUSE_CFLAGS)
INCLUDE_tools := -Iengine -Itools/text -Itools
INCLUDE_tests := -Iengine -Itools/text -Ifs -Itests -Itests/unit
INCLUDE_bench = -Iengine -Ibench $(FUSE_CFLAGS)

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call Q,CC,$<)$(CC) $(ALL_CFLAGS) \
		$(INCLUDE_$(firstword $(subst /, ,$<))) -c -o $@ $<

-include $(patsubst %.o,%.d,$(ENGINE_OBJ) $(TEXT_OBJ) $(FS_OBJ) $(TOOL_OBJ) $(TEST_OBJ) \
	$(CONFORM_OBJ) $(BENCH_OBJ)) $(patsubst $(B)/%,$(B)/obj/%.d,$(UNIT) $(STRESS) $(BENCH))

tests: all $(UNIT) $(STRESS) $(CONFORM)
	@:

benches: all $(BENCH)

packages-run packages-test packages-fuzz packages-bench: packages-%:
	@tools/packages.sh build $*

run: packages-run
	$(MAKE) all
	tools/demo.sh $(B)

# A test that does not build has failed, and the others run all the same.
test: packages-test
	@mkdir -p $(B)/tests && rm -f $(B)/tests/unbuilt
	@$(MAKE) --no-print-directory -k tests || touch $(B)/tests/unbuilt
	@B=$(B) MODE=$(MODE) CC=$(CC) UNIT='$(UNIT)' tests/run '$(T)'

# Unit tests of random lives, so many times as long. Each prints how to repeat it.
SOAK = $(shell grep -l check_times tests/unit/*.c)
soak: packages-test
	@$(MAKE) --no-print-directory $(SOAK:%.c=$(B)/%)
	@for test in $(SOAK:%.c=$(B)/%); do \
		TIMES=$(or $(TIMES),20) $$test || exit 1; done

lint: packages-test
	@CC=$(CC) tests/lint/run

# With MODE=fuzz, by clang: its fuzzer has to see all that it runs.
FUZZERS := $(B)/fuzz_manifest $(B)/fuzz_archive
$(FUZZERS): $(B)/fuzz_%: tests/fuzz/fuzz.c $(TEST_LIBS)
	$(call Q,LD,$@)$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(INCLUDE_tests) \
		-DFUZZ_TARGET=fuzz_$* -o $@ $< $(TEST_LIBS) $(ENGINE_LIBS)

fuzz: packages-fuzz
	$(MAKE) all
	$(MAKE) MODE=fuzz fuzzers
	B=$(B) SECONDS_EACH=$(SECONDS_EACH) tests/fuzz/run
fuzzers: $(FUZZERS)

bench: packages-bench
	$(MAKE) benches
	B=$(B) bench/run $(if $(T),'$(T)')

bench-big: packages-bench
	$(MAKE) benches
	BIG=1 B=$(B) bench/run $(if $(T),'$(T)')

PUBLIC_HEADERS := $(wildcard engine/aedb*.h)
MAN_PAGES := $(wildcard docs/man/*.[1578])
MOUNT_HELPERS := mount.aedbfs mount.fuse.aedbfs
# Below PREFIX, from tools/.
INSTALLED_TEXTS := lib/systemd/system/aedbfs@.service \
	share/bash-completion/completions/aedb \
	share/bash-completion/completions/aedbfs \
	share/zsh/site-functions/_aedb share/zsh/site-functions/_aedbfs \
	share/fish/vendor_completions.d/aedb.fish \
	share/fish/vendor_completions.d/aedbfs.fish

install: all
	mkdir -p $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include \
		$(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 755 $(B)/aedb $(B)/aedbfs $(DESTDIR)$(PREFIX)/bin
	install -m 644 $(LIB) $(DESTDIR)$(PREFIX)/lib
	install -m 644 $(PUBLIC_HEADERS) $(DESTDIR)$(PREFIX)/include
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: aedb' \
		'Description: Embedded, transactional, durable key-value database' \
		'Version: $(VERSION)' 'Requires: libcrypto libzstd jansson' \
		'Cflags: -I$${prefix}/include' \
		'Libs: -L$${prefix}/lib -laedb -pthread' \
		>$(DESTDIR)$(PREFIX)/lib/pkgconfig/aedb.pc
	for page in $(MAN_PAGES); do \
		dir=$(DESTDIR)$(PREFIX)/share/man/man$${page##*.}; \
		mkdir -p $$dir && install -m 644 $$page $$dir || exit 1; \
	done
	mkdir -p $(addprefix $(DESTDIR)$(PREFIX)/,$(dir $(INSTALLED_TEXTS)))
	sed 's,@bindir@,$(PREFIX)/bin,' tools/aedbfs@.service \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/aedbfs@.service
	for shell in bash zsh fish; do \
		install -m 644 tools/completions/$$shell/* \
			$(DESTDIR)$(PREFIX)/share/$$(case $$shell in \
				bash) echo bash-completion/completions ;; \
				zsh) echo zsh/site-functions ;; \
				fish) echo fish/vendor_completions.d ;; esac) || exit 1; \
	done
ifneq ($(HELPERDIR),)
	mkdir -p $(DESTDIR)$(HELPERDIR)
	for helper in $(MOUNT_HELPERS); do \
		ln -sf $(PREFIX)/bin/aedbfs $(DESTDIR)$(HELPERDIR)/$$helper || exit 1; \
	done
endif

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/aedb $(DESTDIR)$(PREFIX)/bin/aedbfs \
		$(DESTDIR)$(PREFIX)/lib/libaedb.a \
		$(PUBLIC_HEADERS:engine/%=$(DESTDIR)$(PREFIX)/include/%) \
		$(DESTDIR)$(PREFIX)/lib/pkgconfig/aedb.pc \
		$(addprefix $(DESTDIR)$(PREFIX)/,$(INSTALLED_TEXTS))
	for page in $(notdir $(MAN_PAGES)); do \
		rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$$page; \
	done
ifneq ($(HELPERDIR),)
	rm -f $(addprefix $(DESTDIR)$(HELPERDIR)/,$(MOUNT_HELPERS))
endif

# A demonstration that is still mounted would be removed with its data.
clean:
	@if grep -q ' $(CURDIR)/build/' /proc/self/mounts; then \
		echo "clean: something is mounted under build/;" \
			"first: build/aedb umount build/demo/mnt" >&2; exit 1; \
	fi
	rm -rf build

help:
	@printf '%s\n' \
	'make            build/aedb, build/aedbfs and build/libaedb.a' \
	'make run        install what is missing, build, mount a demonstration' \
	'make test       install what is missing, build, run all tests' \
	'                T=TEXT: only files or sentences with TEXT; V=1: all output' \
	'make soak       unit tests of random lives, TIMES=20 times as long' \
	'make fuzz       random bytes for what reads backups; SECONDS_EACH=600' \
	'make lint       layers, headers, sizes, names, shellcheck, locks' \
	'make bench      benchmarks beside their peers; GATES=1: gates decide' \
	'make bench-big  those of 10 M keys and 8 GiB; BENCH_DIR=: where' \
	'make install    DESTDIR=, PREFIX=$(PREFIX), HELPERDIR=$(HELPERDIR);' \
	'                make uninstall' \
	'make clean      remove build/' \
	'MODE=debug|asan|tsan|cov with any of them builds into build/MODE'
