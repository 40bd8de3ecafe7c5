# xbdsnap: what to type
#
#   make               build ./xbdsnap (WITHOUT_XEN=1: without libxenctrl, no --domid; WITHOUT_XML=1:
#                      without libxml2, libvirt's configuration is not read; WITHOUT_SECCOMP=1: without
#                      libseccomp, the sandbox has no list of system calls; WITHOUT_NBD=1: without the
#                      header of libnbd, disks must be raw; WITHOUT_EXT2FS=1: without libext2fs, what
#                      lies in ext2, ext3 and ext4 is not known; ARGP_LIBS=-largp: a libc without argp)
#   make demo          install what is missing, build, dump a real checkpoint
#   make check         install what tests need, build with ASan and UBSan, run the tests, those aside
#                      that take long; of a long series of cases one in SAMPLE (8)
#   make check-all     all tests with all of their cases, and what bounds memory with the optimised build
#   make lint          clang-format, the dependency law, dead and long functions, cppcheck, mandoc
#   make bench         the speed and memory budgets, as ratios in one run
#   make fuzz          libFuzzer on stream parsing and ring decoding (FUZZ_SECONDS=60)
#   make fuzz-long     each fuzzer until it has run 10 million times (FUZZ_RUNS=); fuzz-keep keeps
#                      what it learned
#   make mutate        every command on real checkpoints with changes where it hurts (MUTATE_RUNS=,
#                      MUTATE_SEED=)
#   make coverage      the share of the parsers' lines that tests and corpora reach
#   make lab           a real Xen, emulated, makes and restores checkpoints (VARIANT=name, or all)
#   make lab-check     the same for a short table; three minutes
#   make generated     write completions and the pages of the rules from the tables
#   make matrix        build with each optional library left out, for musl, and as an RPM
#   make deb           Debian packages in obj/deb, built twice and compared, lintian, their own test
#   make install       PREFIX=/usr/local, DESTDIR=
#   make clean
#
# V=1 shows commands. CFLAGS, CPPFLAGS and LDFLAGS are yours. `make check ONLY=name` runs the test
# files with that in their name, whole; D=asan, opt or fuzz with another target chooses the flavour. The
# tests run on the checkpoints of the repository; CHECKPOINTS=folder takes others of that shape
# (tests/fixtures/real/NOTES).

PREFIX ?= /usr/local
DESTDIR ?=
ZSH_FOLDER ?= site-functions
CHECKPOINTS ?= tests/fixtures/real
FUZZ_SECONDS ?= 60
FUZZ_RUNS ?= 10000000
MUTATE_RUNS ?= 100000
SAMPLE ?= $(if $(ONLY),1,8)
VERSION := 0.2.0

Q := $(if $(V),,@)
CC ?= gcc
PKG_CONFIG ?= pkg-config

LIBS := libelf libdw zlib libzstd libbpf json-c smartcols libarchive blkid
ifndef WITHOUT_NBD
# Loaded when it is needed: src/io/nbd_lib.h.
LIBS_LATE := libnbd
NBD_CPPFLAGS := -DHAVE_NBD=1
endif
ifndef WITHOUT_EXT2FS
LIBS += ext2fs
EXT2FS_CPPFLAGS := -DHAVE_EXT2FS=1
endif
ifndef WITHOUT_SECCOMP
LIBS += libseccomp
SECCOMP_CPPFLAGS := -DHAVE_SECCOMP=1
endif
ifndef WITHOUT_XEN
LIBS += xencontrol xenguest xengnttab xenstore
XEN_CPPFLAGS := -DHAVE_XEN=1
endif
ifndef WITHOUT_XML
LIBS += libxml-2.0
XML_CPPFLAGS := -DHAVE_XML=1
endif

# Debian's hardening flags, so that what is tested is what a package ships.
HARDENING := -fstack-protector-strong -Wformat -Werror=format-security -fPIE
HARDENING_LD := -pie -Wl,-z,relro -Wl,-z,now
WARN := -Wall -Wextra -Wshadow -Wvla -Wundef -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wpointer-arith -Wimplicit-fallthrough -fno-common
# WERROR= turns it off for compilers that we have not met.
WERROR ?= -Werror

# A flavour has its own object directory: opt (what is installed), asan (what is tested), fuzz.
D ?= opt
NO := $(if $(WITHOUT_XEN),-noxen)$(if $(WITHOUT_XML),-noxml)$(if $(WITHOUT_SECCOMP),-noseccomp)$(if $(WITHOUT_NBD),-nonbd)$(if $(WITHOUT_EXT2FS),-noext2fs)
O := obj/$(D)$(NO)
CFLAGS ?= -O2 -g
ifeq ($(D),opt)
FLAVOUR_C := -D_FORTIFY_SOURCE=2 $(HARDENING)
FLAVOUR_LD := $(HARDENING_LD)
endif
ifeq ($(D),asan)
FLAVOUR_C := -O1 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAVOUR_LD := -fsanitize=address,undefined
endif
# Counts which lines are reached.
ifeq ($(D),gcov)
FLAVOUR_C := -O0 --coverage
FLAVOUR_LD := --coverage -Wl,--wrap=_exit
LIB_MORE := tests/tools/count_exit.c
endif
# Without libFuzzer a fuzzer replays the inputs that it is given.
FUZZ_MAIN := tests/fuzz/replay_main.c
ifeq ($(D),fuzz)
CC := clang
FUZZ_MAIN :=
FLAVOUR_C := -O2 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
FLAVOUR_LD := -fsanitize=fuzzer,address,undefined
WARN += -Wno-unknown-warning-option
endif

XB_CPPFLAGS = -D_GNU_SOURCE -Isrc -DXBDSNAP_VERSION='"$(VERSION)"' $(XEN_CPPFLAGS) $(XML_CPPFLAGS) $(NBD_CPPFLAGS) \
	$(SECCOMP_CPPFLAGS) $(EXT2FS_CPPFLAGS)
XB_CFLAGS = -std=c11 $(WARN) $(WERROR) $(FLAVOUR_C) $(shell $(PKG_CONFIG) --cflags $(LIBS) $(LIBS_LATE) 2>/dev/null)
XB_LDLIBS = $(shell $(PKG_CONFIG) --libs $(LIBS) 2>/dev/null) $(ARGP_LIBS) -ldl -lm -pthread
ARGP_LIBS ?=
# Asked once a run, not once a file.
XB_CFLAGS := $(XB_CFLAGS)
XB_LDLIBS := $(XB_LDLIBS)
ifeq ($(D),fuzz)
# To report each comparison to the fuzzer helps with magic numbers and lengths, which the formats
# have; in loops over all memory it takes half of the time.
$(addprefix $(O)/src/,base/% check/% frontend/% kernel/% guest/% ondisk/% checkpoint/pagetable.o): \
	XB_CFLAGS += -fno-sanitize-coverage=trace-cmp
$(addprefix $(O)/fuzz_,domu eras ondisk ring who): FUZZ_C := -fno-sanitize-coverage=trace-cmp
endif
# Xen's public headers refuse strict C: anonymous structures, aligned members.
$(O)/src/xenhost/xen_%.o: XB_CFLAGS := $(XB_CFLAGS) -std=gnu11

LIB_SRC := $(filter-out src/xbdsnap.c $(if $(WITHOUT_EXT2FS),src/ondisk/ext/%),$(wildcard src/*.c src/*/*.c src/*/*/*.c))
LIB_OBJ := $(LIB_SRC:%.c=$(O)/%.o) $(LIB_MORE:%.c=$(O)/%.o)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(O)/unit/%)
FUZZ_SRC := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(O)/%)
DEPS := $(LIB_OBJ:.o=.d) $(O)/src/xbdsnap.d $(UNIT_BIN:=.d) $(FUZZ_BIN:=.d)

.PHONY: all demo check check-all lint bench fuzz fuzz-long fuzz-keep mutate coverage deb generated matrix install clean deps-% unit fuzz-bin FORCE
.DELETE_ON_ERROR:

all: xbdsnap

xbdsnap: $(O)/xbdsnap
	$(Q)cp -f $< $@

$(O)/xbdsnap: $(O)/src/xbdsnap.o $(O)/libxbdsnap.a
	@echo "  LD      $@"
	$(Q)$(CC) $(FLAVOUR_LD) $(LDFLAGS) -o $@ $^ $(XB_LDLIBS)

# The list of objects is a prerequisite too: a deleted source must leave the archive.
$(O)/libxbdsnap.a: $(LIB_OBJ) $(O)/objects
	@echo "  AR      $@"
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

$(O)/objects: FORCE
	$(Q)mkdir -p $(O) && echo '$(LIB_OBJ)' | cmp -s - $@ || echo '$(LIB_OBJ)' > $@

$(O)/%.o: %.c
	@echo "  CC      $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(XB_CPPFLAGS) $(CPPFLAGS) $(CFLAGS) $(XB_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/unit/%: tests/unit/%.c $(O)/libxbdsnap.a
	@echo "  UNIT    $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(XB_CPPFLAGS) $(CPPFLAGS) $(CFLAGS) $(XB_CFLAGS) -MMD -MP -MF $@.d \
		$(FLAVOUR_LD) $(LDFLAGS) -o $@ $< $(O)/libxbdsnap.a $(XB_LDLIBS) -lcmocka

$(O)/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_MAIN) $(O)/libxbdsnap.a
	@echo "  FUZZ    $@"
	$(Q)$(CC) $(XB_CPPFLAGS) $(CPPFLAGS) $(CFLAGS) $(XB_CFLAGS) $(FUZZ_C) -MMD -MP -MF $@.d \
		$(FLAVOUR_LD) $(LDFLAGS) $(FUZZ_LD) -o $@ $< $(FUZZ_MAIN) $(O)/libxbdsnap.a $(XB_LDLIBS)

# Answers of the first time stand: see there.
$(O)/fuzz_ondisk: FUZZ_LD := -Wl,--wrap=probe_content,--wrap=probe_table
$(O)/fuzz_who: FUZZ_LD := -Wl,--wrap=layout_fill_known,--wrap=layout_enum_value,--wrap=symbols_get

unit: $(UNIT_BIN)
fuzz-bin: $(FUZZ_BIN)

# Packages by purpose: build, test, lint, lab. Does nothing when all are there.
deps-%:
	$(Q)tests/tools/install-deps.sh $*

# On all processors, where nobody said on how many.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
MAKE_ALL = $(Q)$(MAKE) $(JOBS) --no-print-directory

demo: deps-build
	$(MAKE_ALL) D=opt all
	$(Q)tests/tools/demo.sh ./xbdsnap

check: deps-build deps-test
	$(MAKE_ALL) D=opt all
	$(MAKE_ALL) D=asan obj/asan$(NO)/xbdsnap unit
	$(Q)CHECKPOINTS='$(CHECKPOINTS)' SAMPLE=$(SAMPLE) tests/run.sh obj/asan$(NO)

# The bounds of memory are those of a build without sanitizers.
check-all: SAMPLE := 1
check-all: check
	$(MAKE_ALL) D=asan fuzz-bin
	$(Q)tests/fuzz/run.sh obj/asan$(NO) 0
	$(Q)CHECKPOINTS='$(CHECKPOINTS)' ONLY='/@(cli|diff|fleet|replay|sandbox|worst).bats' \
		tests/run.sh obj/opt$(NO)

lint: deps-build deps-lint
	$(MAKE_ALL) D=opt all
	$(Q)tests/tools/lint.sh obj/opt$(if $(WITHOUT_XEN),-noxen)

bench: deps-build deps-test
	$(MAKE_ALL) D=opt all
	$(Q)CHECKPOINTS='$(CHECKPOINTS)' tests/tools/bench.sh ./xbdsnap

fuzz: deps-build deps-test
	$(MAKE_ALL) D=fuzz fuzz-bin
	$(Q)tests/fuzz/run.sh obj/fuzz$(NO) $(FUZZ_SECONDS)

# Until each has run so often, in turns; goes on where it was interrupted. fuzz-keep puts the
# inputs that reach more than those of the repository there.
fuzz-long: deps-build deps-test
	$(MAKE_ALL) D=fuzz fuzz-bin
	$(Q)tests/fuzz/long.sh obj/fuzz$(NO) $(FUZZ_RUNS)

fuzz-keep:
	$(Q)tests/fuzz/long.sh obj/fuzz$(NO) keep

# All commands on real checkpoints that are changed where it hurts: half of the runs with sanitizers,
# which see more, half as users run it, ten times faster and within its bounds. Goes on where it was
# interrupted.
MUTATE_FIXTURES := $(addprefix tests/fixtures/linux-,5.10 6.1-base 6.1-ext4 6.1-hvm 6.1-mq 6.1-pvh \
	6.12-discard 6.12-rt-pvh 7.3-mq)
MUTATE_SEED ?= 1
mutate: deps-build deps-test
	$(MAKE_ALL) D=opt all
	$(MAKE_ALL) D=asan obj/asan$(NO)/xbdsnap
	$(Q)for d in opt asan; do tests/tools/mutate.py --runs $$(($(MUTATE_RUNS) / 2)) --seed $(MUTATE_SEED) \
		--keep obj/$$d$(NO)/mutants --count obj/$$d$(NO)/mutated obj/$$d$(NO)/xbdsnap $(MUTATE_FIXTURES) || exit 1; done

coverage: deps-build deps-test
	$(MAKE_ALL) D=gcov obj/gcov$(NO)/xbdsnap unit fuzz-bin
	$(Q)CHECKPOINTS='$(CHECKPOINTS)' tests/tools/coverage.sh obj/gcov$(NO)

deb: deps-build deps-deb
	$(Q)tests/tools/deb.sh obj/deb

# What is written from the tables of options and rules, and kept.
generated: all
	$(Q)tests/tools/man-rules.py ./xbdsnap man/xbdsnap-rules.7
	$(Q)tests/tools/completions.py ./xbdsnap completions
	$(Q)tests/tools/docs-rules.py ./xbdsnap docs/what-can-go-wrong.md

# What is built where something is missing, and the recipes of packages but Debian's.
matrix: deps-build deps-matrix
	$(Q)tests/tools/matrix.sh

install: all
	install -D -m 0755 xbdsnap $(DESTDIR)$(PREFIX)/bin/xbdsnap
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man7
	install -m 0644 man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 0644 man/*.7 $(DESTDIR)$(PREFIX)/share/man/man7
	install -D -m 0644 docs/xbdsnap.schema.json $(DESTDIR)$(PREFIX)/share/xbdsnap/xbdsnap.schema.json
	install -D -m 0644 magic/xbdsnap $(DESTDIR)$(PREFIX)/share/xbdsnap/xbdsnap.magic
	install -D -m 0644 completions/xbdsnap.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/xbdsnap
	install -D -m 0644 completions/_xbdsnap $(DESTDIR)$(PREFIX)/share/zsh/$(ZSH_FOLDER)/_xbdsnap
	install -D -m 0644 completions/xbdsnap.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/xbdsnap.fish

clean:
	rm -rf obj xbdsnap

-include $(wildcard tests/lab/lab.mk)
-include $(wildcard $(DEPS))
