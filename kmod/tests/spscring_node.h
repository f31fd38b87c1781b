/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kmod/tests/node.c and its test share.
 */
#ifndef _SPSCRING_NODE_H
#define _SPSCRING_NODE_H

#include <linux/ioctl.h>

#define NODE_CAPACITY	64	/* of each ring, in elements */
#define NODE_LOOP_SIZE	24	/* of an element of the loop, in bytes */

/* On /dev/spscring-node, the driver's own. */
#define NODE_MOVE	_IO(0xEE, 0)	/* move so many elements; returns how many */
#define NODE_OPENED	_IO(0xEE, 1)	/* returns how often the node has been opened */
#define NODE_AGAIN	_IO(0xEE, 2)	/* make and destroy a ring with callbacks and a node */

#endif
