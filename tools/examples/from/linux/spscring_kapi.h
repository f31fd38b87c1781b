/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's header by the name that "make install" gives it. */
#include "../../../../kmod/spscring_kapi.h"
