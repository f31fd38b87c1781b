# SPDX-License-Identifier: GPL-2.0
#
# make			spscring.ko for KDIR (the running kernel's headers)
# make install		modules_install and depmod, and what drivers elsewhere are built with: headers and
#			the symbols' versions, in HEADERSDIR; make uninstall undoes it.  DESTDIR stages
#			all of it, INSTALL_MOD_PATH only the module
# make install-headers	the headers alone, which need no kernel: a driver compiles with them, but links only
#			with what "make install" or DKMS leaves
# make run		the benchmark's short form: out/bench.json, out/bench-*.svg, a table
# make bench		the whole benchmark, half an hour: out/bench-full.json; ONLY=rtt,... for some tests
# make report		the last run's figures, plots and comparison as a page: out/report.html
# make rivals		the user-space contenders beside the ring, on this machine
# make trace		how long elements stay in a ring, measured by its tracepoints
# make check		for each commit, in minutes: all checks of the source and of programs on this host; in
#			User Mode Linux KUnit and the kselftests, with few messages
# make test		for a release: every suite in every machine
# make kernels		build for every kernel that Debian has, by gcc and clang, and boot some: out/kernels.txt;
#			an hour the first time; ONLY=REGEX for some kernels
# make profile		where the time goes: flame graphs, counters
# make soak		move 10^9 elements each way and check each; sleep and wake 10^7 times
# make litmus		check the orderings in the kernel's memory model
# make model		check sleep and wake in every interleaving of small rings
# make mutate		weaken each ordering in turn; some check must find each
# make fuzz		random programs against the module and the library, for FUZZ_SECONDS (an hour)
# make coverage		which lines of the module the suites run: out/coverage/index.html
# make man		the manual pages: out/man
# make deb		Debian packages: out/deb
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

HEADERSDIR ?= /usr/src/spscring-headers
INSTALL_MOD_PATH ?= $(DESTDIR)
headers = $(DESTDIR)$(HEADERSDIR)
# the kernel's name for itself; Debian's include/config/kernel.release has another
release = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h)

# a staged tree gets its modules.dep on the machine that it is for
install: modules install-headers
	$(kbuild) INSTALL_MOD_PATH=$(INSTALL_MOD_PATH) $(if $(DESTDIR),DEPMOD=true) modules_install
	install -d $(headers)/$(release)
	awk -F '\t' -v OFS='\t' '$$3 ~ /(^|\/)spscring$$/ { $$3 = "spscring"; print }' Module.symvers \
		>$(headers)/$(release)/Module.symvers

install-headers:
	install -d $(headers)/include/linux $(headers)/include/spscring
	install -m 644 kmod/spscring.mk $(headers)
	install -m 644 uapi/linux/*.h kmod/spscring_*.h $(headers)/include/linux
	install -m 644 uapi/spscring/*.h $(headers)/include/spscring

# the headers stay while another kernel's module is installed
uninstall: $(KDIR)/Makefile
	find $(INSTALL_MOD_PATH)/lib/modules/$(release) -name 'spscring.ko*' -print -delete
	rm -rf $(headers)/$(release)
	ls $(headers)/*/Module.symvers >/dev/null 2>&1 || rm -rf $(headers)
	$(if $(DESTDIR),,depmod $(if $(INSTALL_MOD_PATH),-b $(INSTALL_MOD_PATH)) $(release))

run:
	@tools/bench/run

report:
	@tools/report/report

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

kernels:
	@tools/kernels/run

soak:
	@tools/test soak

litmus:
	@tools/litmus

model:
	@tools/model

mutate:
	@tools/mutate

fuzz:
	@tools/fuzz/fuzz

coverage:
	@tools/coverage

check:
	@tools/test check

man:
	$(MAKE) -C tools/man

deb:
	@tools/packages/build

clean:
	$(if $(wildcard $(KDIR)/Makefile),$(kbuild) clean)
	rm -rf out

.PHONY: all modules install install-headers uninstall man deb clean
.PHONY: run bench report rivals profile trace
.PHONY: test kernels soak litmus model mutate fuzz coverage check
