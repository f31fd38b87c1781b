# SPDX-License-Identifier: GPL-2.0
#
# For the Kbuild file of a driver that uses rings and is built apart from spscring:
#
#	include /usr/src/spscring-headers/spscring.mk
#
# It adds the headers, as <linux/spscring_kapi.h>, and the versions of the exported symbols for the
# kernel that the driver is built for, which "make install" or DKMS has left.  "make install-headers"
# leaves none: a driver compiles with it, but does not link.
spscring_headers := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
spscring_symbols := $(firstword $(wildcard $(spscring_headers)/$(KERNELRELEASE)/Module.symvers \
	/var/lib/dkms/spscring/*/$(KERNELRELEASE)/*/Module.symvers))
# Kbuild reads this for compiling, and again for linking
ifneq ($(filter %/Makefile.modpost,$(MAKEFILE_LIST)),)
$(if $(spscring_symbols),,$(warning spscring is not installed for kernel $(KERNELRELEASE): run \
	"make install" in its sources (KDIR=...), or install spscring-dkms))
endif
ccflags-y += -I$(spscring_headers)/include
KBUILD_EXTRA_SYMBOLS += $(spscring_symbols)
