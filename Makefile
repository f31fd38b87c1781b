# SPDX-License-Identifier: GPL-2.0
#
# make			spscring.ko for KDIR (the running kernel's headers)
# make install		modules_install and depmod; make uninstall undoes it
# make run		the benchmark's short form: out/bench.json, out/bench-*.svg, a table
# make bench		the whole benchmark, half an hour: out/bench-full.json; ONLY=rtt,... for some tests
# make rivals		the user-space contenders beside the ring, on this machine
# make trace		how long elements stay in a ring, measured by its tracepoints
# make test		run every suite in every machine
# make profile		where the time goes: flame graphs, counters
# make soak		move 10^9 elements each way and check each; sleep and wake 10^7 times
# make litmus		check the orderings in the kernel's memory model
# make model		check sleep and wake in every interleaving of small rings
# make mutate		weaken each ordering in turn; some check must find each
# make coverage		which lines of the module the suites run: out/coverage/index.html
# make check		checkpatch --strict, kernel-doc, codespell, sparse, clang, the headers in programs
# make man		the manual pages: out/man
# make clean		remove what was built here, but not the cache of machines

KDIR ?= /lib/modules/$(shell uname -r)/build
kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR)

all: modules

modules: $(KDIR)/Makefile
	$(kbuild) modules

$(KDIR)/Makefile:
	@echo 'spscring: no kernel headers in $(KDIR).' >&2
	@echo 'On Debian: apt-get install linux-headers-$(shell uname -r); or name them: make KDIR=...' >&2
	@exit 1

install: modules
	$(kbuild) modules_install

release = $(shell cat $(KDIR)/include/config/kernel.release)
uninstall: $(KDIR)/Makefile
	find $(INSTALL_MOD_PATH)/lib/modules/$(release) -name 'spscring*.ko*' -print -delete
	depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(release)

run:
	@tools/bench/run

rivals:
	@tools/bench/rivals/run

bench:
	@tools/bench/run full

profile:
	@tools/profile/run

trace:
	@tools/trace/run

test:
	@tools/test

soak:
	@tools/test soak

litmus:
	@tools/litmus

model:
	@tools/model

mutate:
	@tools/mutate

coverage:
	@tools/coverage

check:
	@tools/test static

man:
	$(MAKE) -C tools/man

clean:
	$(if $(wildcard $(KDIR)/Makefile),$(kbuild) clean)
	rm -rf out

.PHONY: all modules install uninstall run bench rivals profile trace test soak litmus model mutate coverage check man clean
