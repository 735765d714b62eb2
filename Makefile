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
BENCHES := $(BENCH_SRC:%.c=$(B)/%)
C_FILES = $(sort $(LIB_SRC) $(MAIN) $(SUPPORT_SRC) $(TEST_SRC) $(BENCH_SRC))
H_FILES = $(sort $(foreach d,$(FOLDERS) tests/support tests/unit tests/api tests/contract bench,\
            $(wildcard $(d)/*.h)))

# ---- with what ----------------------------------------------------------------------------

PACKAGES := libmicrohttpd jansson sqlite3 libcyaml libsodium
TEST_PACKAGES := cmocka libcurl
# Asked once, and only when something is compiled: `make help` needs no package.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null))$(PKG_LIBS)
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
MODE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
WARN_CC := $(WARN_GCC) -Wno-null-dereference -Wno-maybe-uninitialized
else ifeq ($(VARIANT),tsan)
MODE := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
WARN_CC := $(WARN_GCC) -Wno-null-dereference -Wno-maybe-uninitialized
else
$(error VARIANT=$(VARIANT) is not one of release, asan, tsan, clang)
endif
ifneq ($(filter -fsanitize=%,$(MODE)),)
LDMODE := $(filter -fsanitize=%,$(MODE))
endif

CPPFLAGS_ALL = -D_GNU_SOURCE -DJOBD_VERSION='"$(VERSION)"' -I. $(CPPFLAGS)
CFLAGS_ALL = -std=c17 -fPIE -pthread $(MODE) $(WARN) $(WARN_CC) $(WERROR) $(CFLAGS)
LDFLAGS_ALL = -pie -pthread $(LDMODE) -Wl,--as-needed $(LDFLAGS)
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
	$(Q)rm -f $@
	$(Q)ar rcsD $@ $(LIB_OBJ)

# -Wl,--whole-archive is not needed: a test names what it uses.
$(B)/tests/% $(B)/bench/%: LIBS = $(PKG_LIBS) $(TEST_LIBS)
$(TESTS): $(B)/%: $(O)/%.o $(SUPPORT_OBJ) $(LIB)
	$(SAY) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< $(SUPPORT_OBJ) $(LIB) $(PKG_LIBS) $(TEST_LIBS)

$(BENCHES): $(B)/%: $(O)/%.o $(LIB)
	$(SAY) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< $(LIB) $(PKG_LIBS) $(TEST_LIBS)

$(LIB_OBJ) $(MAIN_OBJ): $(O)/%.o: %.c $(B)/flags
	$(SAY) CC $<
	@mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

$(SUPPORT_OBJ) $(TEST_OBJ) $(BENCH_OBJ): $(O)/%.o: %.c $(B)/flags
	$(SAY) CC $<
	@mkdir -p $(@D)
	$(Q)$(COMPILE) $(TEST_CFLAGS) -c -o $@ $<

# Files that base/embed.h puts into the program; -MMD does not see them.
$(O)/store/sqlite/%.o: $(wildcard store/migrations/*.sql)
$(O)/handlers/%.o $(O)/server/%.o $(O)/server/http/%.o: $(wildcard openapi/openapi.yaml openapi/openapi.json)

# Changes when the compiler or its flags change, and then everything is compiled again.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@$(PKG_CONFIG) --print-errors --exists $(PACKAGES) || { \
	    echo 'Missing libraries. On Debian: apt-get install $$(script/packages build)' >&2; exit 1; }
	$(file >$@.new,$(COMPILE) $(TEST_CFLAGS))
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
.PHONY: FORCE
FORCE:

-include $(LIB_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(SUPPORT_OBJ:.o=.d) $(TEST_OBJ:.o=.d) $(BENCH_OBJ:.o=.d)

# ---- tests --------------------------------------------------------------------------------

.PHONY: test test-build test-release
test-build: $(TESTS) $(PROGRAM) ## build the test programs of one VARIANT

test-release: test-build ## run the tests of one VARIANT, without the sanitizer passes
	tools/run-tests $(TESTS)

test: test-build ## build and run every test, then the sanitizer passes
	tools/run-tests $(TESTS)

# ---- housekeeping -------------------------------------------------------------------------

.PHONY: clean help
clean: ## remove build/
	rm -rf build

help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1\t/p' Makefile | while IFS='	' read -r t d; do \
	    printf '  make %-14s %s\n' "$$t" "$$d"; done
