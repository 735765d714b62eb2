# jobd: build, test, check, install. One file for the whole tree; `make help` lists the targets.
#
#   make                     build/jobd (the release variant)
#   make VARIANT=asan        build/asan/jobd; the variants are release, asan, tsan and clang
#   make WERROR=             warnings stay warnings
#
# Everything a build writes is under build/. No target installs anything but `install`;
# script/demo and script/test bring the Debian packages that are missing.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

VARIANT ?= release
WERROR ?= -Werror
PREFIX ?= /usr/local
VERSION := $(shell cat VERSION)
PKG_CONFIG ?= pkg-config

B := build/$(VARIANT)
O := $(B)/obj

# ---- what is built ------------------------------------------------------------------------

FOLDERS := base domain store store/sqlite pool engine handlers server server/http
MAIN := $(wildcard server/main.c)
LIB_SRC := $(filter-out $(MAIN),$(foreach d,$(FOLDERS),$(sort $(wildcard $(d)/*.c))))
SUPPORT_SRC := $(sort $(wildcard tests/support/*.c))
TEST_SRC := $(sort $(wildcard tests/unit/test_*.c)) $(sort $(wildcard tests/contract/test_*.c)) \
            $(sort $(wildcard tests/api/test_*.c))
BENCH_SRC := $(sort $(wildcard bench/*.c bench/ceilings/*.c))

LIB := $(B)/libjobd.a
PROGRAM := $(if $(MAIN),$(B)/jobd)
LIB_OBJ := $(LIB_SRC:%.c=$(O)/%.o)
MAIN_OBJ := $(MAIN:%.c=$(O)/%.o)
SUPPORT_OBJ := $(SUPPORT_SRC:%.c=$(O)/%.o)
TEST_OBJ := $(TEST_SRC:%.c=$(O)/%.o)
BENCH_OBJ := $(BENCH_SRC:%.c=$(O)/%.o)
TESTS := $(TEST_SRC:%.c=$(B)/%)
ZOO_SRC := $(sort $(wildcard tests/zoo/*.c))
ZOO := $(ZOO_SRC:tests/zoo/%.c=build/zoo/%)
BENCHES := $(BENCH_SRC:%.c=$(B)/%)
# One parser each: for libFuzzer (VARIANT=fuzz), else fed with its corpus by replay.c.
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_OBJ := $(FUZZ_SRC:%.c=$(O)/%.o) $(O)/tests/fuzz/replay.o
FUZZERS := $(FUZZ_SRC:%.c=$(B)/%)
PRELOADS := $(patsubst %.c,$(B)/%.so,$(wildcard tests/preload/*.c))
C_FILES = $(sort $(LIB_SRC) $(MAIN) $(SUPPORT_SRC) $(TEST_SRC) $(BENCH_SRC) $(ZOO_SRC) $(FUZZ_SRC) \
            tests/fuzz/replay.c \
            $(wildcard tests/preload/*.c))
H_FILES = $(sort $(foreach d,$(FOLDERS) tests/support tests/fuzz tests/unit tests/api tests/contract bench,\
            $(wildcard $(d)/*.h)))

# ---- with what ----------------------------------------------------------------------------

PACKAGES := libmicrohttpd gnutls jansson sqlite3 libcyaml yaml-0.1 libsodium zlib
TEST_PACKAGES := cmocka libcurl
# Asked once, and only when something is compiled: `make help` needs no package.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null) -lm)$(PKG_LIBS)
TEST_CFLAGS = $(eval TEST_CFLAGS := $$(shell $(PKG_CONFIG) --cflags $(TEST_PACKAGES) 2>/dev/null))$(TEST_CFLAGS)
TEST_LIBS = $(eval TEST_LIBS := $$(shell $(PKG_CONFIG) --libs $(TEST_PACKAGES) 2>/dev/null))$(TEST_LIBS)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wformat=2 -Wundef -Wvla -Wcast-qual -Wwrite-strings -Wnull-dereference \
        -Wimplicit-fallthrough
WARN_GCC := -Wlogical-op -Wduplicated-cond -Wduplicated-branches
HARDEN := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection
LDHARDEN := -Wl,-z,relro,-z,now

ifeq ($(origin CC),default)
CC := gcc
endif
AR ?= ar
ifeq ($(VARIANT),release)
MODE := -O2 -g $(HARDEN)
LDMODE := $(LDHARDEN)
WARN_CC := $(WARN_GCC)
else ifeq ($(VARIANT),clang)
override CC := $(shell command -v clang-14 || echo clang)
MODE := -O2 -g $(HARDEN)
LDMODE := $(LDHARDEN)
else ifeq ($(VARIANT),asan)
# The two warnings that are left out report paths which only the instrumentation makes.
MODE := -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
WARN_CC := $(WARN_GCC) -Wno-null-dereference -Wno-maybe-uninitialized
else ifeq ($(VARIANT),tsan)
MODE := -O1 -g1 -fno-omit-frame-pointer -fsanitize=thread
WARN_CC := $(WARN_GCC) -Wno-null-dereference -Wno-maybe-uninitialized
else ifeq ($(VARIANT),fuzz)
override CC := $(shell command -v clang-14 || echo clang)
MODE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
COVERED := -fsanitize=fuzzer-no-link
else
$(error VARIANT=$(VARIANT) is not one of release, asan, tsan, clang, fuzz)
endif
ifneq ($(filter -fsanitize=%,$(MODE)),)
LDMODE := $(filter -fsanitize=%,$(MODE))
endif

CPPFLAGS_ALL = -D_GNU_SOURCE -DJOBD_VERSION='"$(VERSION)"' -I. $(CPPFLAGS)
CFLAGS_ALL = -std=c17 -fPIE -pthread $(MODE) $(COVERED) $(WARN) $(WARN_CC) $(WERROR) $(CFLAGS)
LDFLAGS_ALL = -pie -pthread $(LDMODE) -Wl,--as-needed $(LDFLAGS)
# There are hundreds of test programs; gold links them in a third of the time.
TEST_LD := $(if $(shell command -v ld.gold),-fuse-ld=gold)
# -Wa,-I. lets base/embed.h name a file from the root of the tree.
COMPILE = $(CC) $(CPPFLAGS_ALL) $(PKG_CFLAGS) $(CFLAGS_ALL) -Wa,-I. -MMD -MP

ifneq ($(V),1)
SAY = @printf '  %-5s %s\n'
Q := @
else
SAY = @:
endif

# ---- rules --------------------------------------------------------------------------------

.PHONY: all
all: $(LIB) $(PROGRAM) $(if $(filter release,$(VARIANT)),$(if $(MAIN),build/jobd)) ## build build/jobd (default)

build/jobd: build/release/jobd
	$(SAY) LINK $@
	$(Q)ln -f $< $@

$(B)/jobd: $(MAIN_OBJ) $(LIB)
	$(SAY) LD $@
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(MAIN_OBJ) $(LIB) $(PKG_LIBS)

$(LIB): $(LIB_OBJ)
	$(SAY) AR $@
	$(Q)$(AR) rcsD $@.$$$$ $(LIB_OBJ) && mv $@.$$$$ $@

$(TESTS): $(B)/%: $(O)/%.o $(SUPPORT_OBJ) $(LIB)
	$(SAY) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) $(TEST_LD) -o $@ $< $(SUPPORT_OBJ) $(LIB) $(PKG_LIBS) $(TEST_LIBS)

$(FUZZERS): $(B)/%: $(O)/%.o $(if $(filter fuzz,$(VARIANT)),,$(O)/tests/fuzz/replay.o) $(LIB)
	$(SAY) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) $(TEST_LD) $(if $(filter fuzz,$(VARIANT)),-fsanitize=fuzzer) -o $@ $(filter %.o,$^) $(LIB) $(PKG_LIBS)

# For programs that know nothing of sanitizers, too.
$(PRELOADS): $(B)/%.so: %.c $(B)/flags
	$(SAY) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) -std=c17 -D_GNU_SOURCE -O2 $(WARN) $(WERROR) -fPIC -shared -o $@ $<

$(BENCHES): $(B)/%: $(O)/%.o $(LIB)
	$(SAY) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< $(LIB) $(PKG_LIBS)

# The animals are programs of a job: no library, no sanitizer, one build for every variant.
$(ZOO): build/zoo/%: tests/zoo/%.c tests/zoo/zoo.h
	$(SAY) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -I. -std=c17 -O1 -g -pthread $(WARN) $(WERROR) -o $@ $<

$(LIB_OBJ) $(MAIN_OBJ): $(O)/%.o: %.c $(B)/flags
	$(SAY) CC $<
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

$(SUPPORT_OBJ) $(TEST_OBJ) $(BENCH_OBJ) $(FUZZ_OBJ): $(O)/%.o: %.c $(B)/flags
	$(SAY) CC $<
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(TEST_CFLAGS) -c -o $@ $<

# Files that base/embed.h puts into the program; -MMD does not see them.
$(filter $(O)/store/sqlite/%,$(LIB_OBJ)): $(wildcard store/migrations/*.sql)
$(filter $(O)/handlers/% $(O)/server/%,$(LIB_OBJ)): $(wildcard openapi/openapi.yaml openapi/openapi.json openapi/docs.html)

# Changes when the compiler or its flags change, and then everything is compiled again.
$(B)/flags: FORCE
	$(shell mkdir -p $(@D))
	@$(PKG_CONFIG) --print-errors --exists $(PACKAGES) || { \
	    echo 'Missing libraries. On Debian: apt-get install $$(script/packages build)' >&2; exit 1; }
	$(file >$@.new,$(COMPILE) $(TEST_CFLAGS))
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
.PHONY: FORCE
FORCE:

-include $(LIB_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(SUPPORT_OBJ:.o=.d) $(TEST_OBJ:.o=.d) $(BENCH_OBJ:.o=.d) $(FUZZ_OBJ:.o=.d)

# ---- tests --------------------------------------------------------------------------------

# The sanitizer passes run them again, each with its own jobd: ThreadSanitizer those that have
# threads, which are the tests of the whole program and a few of its parts.
ASAN_TESTS := $(TEST_SRC:%.c=build/asan/%)
THREADED_SRC := $(filter tests/api/%,$(TEST_SRC)) \
    $(shell grep -lE 'pthread\.h|server/http/server\.h|engine/engine\.h' \
        $(filter-out tests/api/%,$(TEST_SRC)))
TSAN_TESTS := $(THREADED_SRC:%.c=build/tsan/%)
ASAN_REPLAYS := $(FUZZ_SRC:%.c=build/asan/%)

.PHONY: test test-release test-build check-packages
test: test-build ## build and run every test, then again under ASan+UBSan and TSan
	@$(MAKE) --no-print-directory VARIANT=asan test-build
	@$(MAKE) --no-print-directory VARIANT=tsan all $(TSAN_TESTS) $(PRELOADS:build/release/%=build/tsan/%)
	@tools/run-tests $(filter-out $(lastword $(TESTS)),$(TESTS)) $(FUZZERS) $(ASAN_TESTS) \
	    $(ASAN_REPLAYS) $(TSAN_TESTS) \
	    $(lastword $(TESTS))

test-release: test-build ## the tests of one VARIANT only, without the sanitizer passes
	@tools/run-tests $(FUZZERS) $(TESTS)

test-build: $(TESTS) $(FUZZERS) $(ZOO) $(PRELOADS) all

.PHONY: zoo
zoo: test-build ## every animal of tests/zoo in every way: canceled, timed out, as root, as nobody, ...
	JOBD_ZOO=full $(B)/tests/api/test_zoo

# ---- the program at work ------------------------------------------------------------------

.PHONY: demo run torture bench bench-growth bench-idle bench-fair bench-waiting bench-peers bench-retention \
    bench-build bench-check recovery fuzz overload gateways
demo: all ## start jobd, give it real work, show what happened, stop it
	tools/demo

run: all ## serve on 127.0.0.1:8080 with the demo's functions, data in ./jobd-data
	build/jobd --config examples/demo.yaml

KILLS ?= 2000
torture: all ## kill every part of jobd under load, KILLS times; then look for what is lost
	tests/torture/torture --kills $(KILLS)

bench: all $(BENCHES) ## measure, next to this machine's own ceilings
	bench/run

gateways: all ## the same smoke through nginx, HAProxy, Caddy and Varnish, those that are installed
	tests/gateways/smoke

overload: all $(BENCHES) ## submit ten times what can be done: do jobs finish at the same rate?
	bench/overload

bench-growth: all $(BENCHES) ## the same figures with 10 million jobs in the ledger, and with none
	bench/growth

bench-retention: all $(BENCHES) ## what it costs submits that old jobs are removed at full load
	bench/retention

bench-idle: all $(BENCHES) ## memory, wake-ups and start of a jobd that has nothing to do
	bench/idle

bench-fair: all $(BENCHES) ## how soon a job of high priority starts on a busy jobd
	bench/fair

bench-waiting: all $(BENCHES) ## what 10,000 long-polls and 2,000 streams of events cost, and how soon they are told
	bench/waiting

bench-peers: all $(BENCHES) ## the same work with other queues, pools and runners, those that are installed
	bench/peers

bench-build: all $(BENCHES)

bench-check: ## does every benchmark still run? Each in its shortest form
	bench/check

recovery: all ## kill the front 100 times under load: how long until it answers again
	bench/recovery

# ---- checks -------------------------------------------------------------------------------

CLANG_FORMAT := $(shell command -v clang-format-14 || command -v clang-format)
CLANG_TIDY := $(shell command -v clang-tidy-14 || command -v clang-tidy)
CLANG := $(shell command -v clang-14 || command -v clang)
SHELLCHECK := $(shell command -v shellcheck)
SH_FILES := $(wildcard script/demo script/test script/install .ci/run tools/demo tools/run-tests \
              tools/check-layers tools/check-style tools/image-check tools/fresh-check bench/check \
              tests/fuzz/run $(addprefix tests/conformance/,tools.sh run lint drift generative client resume))

.PHONY: check check-format check-layers check-style check-headers check-generated check-shell \
        check-clang tidy lint-openapi drift conformance format generate image-check fresh-check
check: check-format check-layers check-style check-headers check-generated check-shell check-clang tidy ## every static check (what is not installed is skipped, and says so)

check-format: ## is the layout what clang-format makes of it?
ifeq ($(CLANG_FORMAT),)
	@echo 'check-format: skipped, there is no clang-format (14)'
else
	@echo '$(CLANG_FORMAT) --dry-run -Werror'
	@$(CLANG_FORMAT) --dry-run -Werror $(C_FILES) $(H_FILES)
endif

check-layers: ## who may include whom
	tools/check-layers --self-test
	tools/check-layers

check-style: ## banned functions, header guards
	tools/check-style --self-test
	tools/check-style

check-headers: $(B)/flags ## does each header compile alone?
	@for h in $(H_FILES); do \
	    echo "#include \"$$h\"" | \
	        $(filter-out -MMD -MP,$(COMPILE)) $(TEST_CFLAGS) -fsyntax-only -x c - || exit 1; \
	done

check-generated: $(B)/flags ## are the generated files what openapi.yaml says?
	@if python3 -c 'import yaml' 2>/dev/null; then \
	    echo python3 tools/generate.py --check; python3 tools/generate.py --check && \
	    tools/test-generate >build/test-generate.log || { cat build/test-generate.log; exit 1; }; \
	else echo 'check-generated: skipped, there is no python3-yaml'; fi

check-shell: ## shellcheck
ifeq ($(SHELLCHECK),)
	@echo 'check-shell: skipped, there is no shellcheck'
else
	$(SHELLCHECK) $(SH_FILES)
endif

check-clang: ## a build with clang 14, without a warning
ifeq ($(CLANG),)
	@echo 'check-clang: skipped, there is no clang (14)'
else
	@$(MAKE) --no-print-directory VARIANT=clang test-build
endif

SECONDS ?= 60
fuzz: ## libFuzzer on every parser that bytes from outside reach, SECONDS each, two at a time (needs clang 14)
ifeq ($(wildcard $(shell $(CLANG) -print-file-name=lib/linux 2>/dev/null)/libclang_rt.fuzzer-*.a),)
	@echo 'fuzz: skipped, there is no clang (14) with libFuzzer: apt-get install clang-14 libclang-rt-14-dev'
else
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzzers
	tests/fuzz/run $(SECONDS) $(FUZZ_SRC:%.c=build/fuzz/%)
endif

.PHONY: fuzzers
fuzzers: $(FUZZERS)

tidy: ## clang-tidy
ifeq ($(CLANG_TIDY),)
	@echo 'tidy: skipped, there is no clang-tidy (14)'
else
tidy: $(patsubst %.c,$(B)/tidy/%.ok,$(LIB_SRC) $(MAIN))
# One file in one process: with several, version 14 mixes up their va_lists.
$(B)/tidy/%.ok: $(O)/%.o .clang-tidy
	$(SAY) TIDY $*.c
	@mkdir -p $(@D)
	$(Q)$(CLANG_TIDY) --quiet $*.c -- -std=c17 $(CPPFLAGS_ALL) $(PKG_CFLAGS) 2>$@.log || \
	    { cat $@.log; exit 1; }
	@touch $@
endif

format: ## lay out every C file
	$(CLANG_FORMAT) -i $(C_FILES) $(H_FILES)

lint-openapi: ## redocly and spectral over openapi.yaml (needs npm)
	tests/conformance/lint

conformance: test-build ## what tools of others say of jobd: lint, drift, specmatic, a typed client, eventsource (needs npm)
	tests/conformance/run $(B)

drift: test-build ## hold the answers that the API tests get against openapi.yaml (needs npm)
	tests/conformance/drift $(B)

generate: ## write what follows from openapi.yaml
	python3 tools/generate.py

image-check: ## build the container image, run it, use it, stop it (needs root, buildah, podman)
	tools/image-check

fresh-check: ## script/demo and script/test in a bare Debian made by debootstrap (needs root)
	tools/fresh-check

# ---- housekeeping -------------------------------------------------------------------------

.PHONY: install clean help
install: all ## install to $(PREFIX), under $(DESTDIR)
	install -D -m 755 build/jobd $(DESTDIR)$(PREFIX)/bin/jobd
	install -D -m 644 README.md $(DESTDIR)$(PREFIX)/share/doc/jobd/README.md
	install -D -m 644 LICENSE $(DESTDIR)$(PREFIX)/share/doc/jobd/LICENSE
	install -D -m 644 CHANGELOG.md $(DESTDIR)$(PREFIX)/share/doc/jobd/CHANGELOG.md
	install -D -m 644 examples/demo.yaml $(DESTDIR)$(PREFIX)/share/doc/jobd/examples/demo.yaml
	install -D -m 755 examples/countdown.sh $(DESTDIR)$(PREFIX)/share/doc/jobd/examples/countdown.sh
	install -D -m 644 examples/score.py $(DESTDIR)$(PREFIX)/share/doc/jobd/examples/score.py
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/jobd/examples/warm $(wildcard examples/warm/*)
	install -D -m 644 docs/jobd.1 $(DESTDIR)$(PREFIX)/share/man/man1/jobd.1

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1 /p' Makefile | while read -r target text; do \
	    printf '  make %-16s %s\n' "$$target" "$$text"; done
	@echo
	@echo '  VARIANT=release|asan|tsan|clang|fuzz, WERROR=, V=1, PREFIX=, DESTDIR='
