# SPDX-License-Identifier: GPL-2.0
# What the library is made of, for whoever builds it into a program: TOP is this tree.
LIB_SRC := $(addprefix $(TOP)/uapi/spscring/,end.c element.c record.c overwrite.c layout.c view.c recover.c) \
	$(addprefix $(TOP)/tools/lib/,spscring.c wait.c memfd.c futex.c fd.c serve.c set.c text.c)
LIB_INCLUDES := -I$(TOP)/uapi -I$(TOP)/tools/lib -I$(TOP)/tools/include
LIB_HEADERS := $(wildcard $(TOP)/uapi/linux/*.h $(TOP)/uapi/spscring/*.h $(TOP)/tools/lib/*.h \
	$(TOP)/tools/include/*/*.h)
