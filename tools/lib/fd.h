/* SPDX-License-Identifier: MIT */
/* What goes over a socket, within the library. */
#ifndef _SPSCRING_FD_H
#define _SPSCRING_FD_H

#include "spscring.h"

/* The first byte of a message: 0 beside an fd, or this, and an errno in the second. */
#define FD_REFUSED	0xff

#endif
