# SPDX-License-Identifier: GPL-2.0
# Find out which of the rivals from packages can be built: sets RIVAL_OBJ and RIVAL_LIBS.
RIVALS :=
RIVAL_DIR := $(O)/rivals.build
RIVAL_HEADERS := rivals/rival.h rivals/fds.h
PKG_CONFIG ?= pkg-config
# Debian's crates are built by Debian's rustc
RUSTC := /usr/bin/rustc
CRATES := /usr/share/cargo/registry

# call if_works, NAME, COMMAND
if_works = $(shell { $(2); } >/dev/null 2>&1 </dev/null && echo $(1))
RIVALS += $(call if_works,boost,$(CXX) -E -x c++ -include boost/lockfree/spsc_queue.hpp -)
RIVALS += $(call if_works,ck,$(CC) -E -x c -include ck_ring.h -)
RIVALS += $(call if_works,dpdk,$(PKG_CONFIG) --exists libdpdk)
RIVALS += $(call if_works,crossbeam,$(RUSTC) --version && ls $(CRATES)/crossbeam-queue-[0-9]*)

RIVAL_OBJ := $(RIVALS:%=$(RIVAL_DIR)/%.o)
ifneq ($(filter dpdk,$(RIVALS)),)
RIVAL_LIBS += -lrte_ring
$(RIVAL_DIR)/dpdk.o: private RIVAL_OWN := $(shell $(PKG_CONFIG) --cflags libdpdk)
endif
ifneq ($(filter crossbeam,$(RIVALS)),)
RIVAL_OBJ += $(RIVAL_DIR)/libcrossbeam.a
endif

$(RIVAL_DIR)/%.o: rivals/%.c $(HEADERS) $(RIVAL_HEADERS) rivals/rivals.mk
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(RIVAL_OWN) -c -o $@ $<

# the file throws no exceptions, so the C++ library is not needed
$(RIVAL_DIR)/%.o: rivals/%.cpp $(HEADERS) $(RIVAL_HEADERS) rivals/rivals.mk
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 -Wall -Wextra -Wno-missing-field-initializers -D_GNU_SOURCE $(CFLAGS) $(INCLUDES) -fno-exceptions -fno-rtti -c -o $@ $<

# call rust, CRATES IT NEEDS: compile with the flags of cargo's release profile
rust = $(RUSTC) --edition=2018 -C opt-level=3 -C panic=abort \
	$(foreach crate,$(1),--extern $(crate)=$(@D)/lib$(crate).rlib)
# call crate, NAME, CRATES IT NEEDS, MORE
crate = $(call rust,$(2)) --cap-lints=allow --crate-type=rlib --crate-name=$(1) $(3) \
	-o $(@D)/lib$(1).rlib $(CRATES)/$(subst _,-,$(1))-[0-9]*/src/lib.rs

$(RIVAL_DIR)/libcrossbeam.a: rivals/crossbeam.rs rivals/rivals.mk
	@mkdir -p $(@D)
	$(call crate,cfg_if)
	$(call crate,crossbeam_utils,cfg_if)
	$(call crate,crossbeam_queue,cfg_if crossbeam_utils,--cfg 'feature="alloc"')
	$(call rust,crossbeam_queue) -L $(@D) --crate-type=staticlib -o $@ $<
