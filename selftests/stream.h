/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A stream of bytes, whose values follow from their places, from one fd to another.
 */
#ifndef _SPSCRING_SELFTEST_STREAM_H
#define _SPSCRING_SELFTEST_STREAM_H

#include <sys/ioctl.h>

#include "sleep.h"

#define LOOP_IN		"/dev/spscring-loop-in"
#define LOOP_OUT	"/dev/spscring-loop-out"
#define SIZE		24	/* of an element */
#define CAPACITY	16
#define ROOM		8192	/* for any record of these rings */

/* The result of FIONREAD. */
static inline long readable(int fd)
{
	int n = -1;

	return ioctl(fd, FIONREAD, &n) ? -errno : n;
}

/* The byte at a place of the stream. */
static inline unsigned char byte_at(size_t at)
{
	return at * 7 + at / 251;
}

static inline void fill(unsigned char *to, size_t at, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = byte_at(at + i);
}

static inline bool is_filled(const unsigned char *from, size_t at, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (from[i] != byte_at(at + i))
			return false;
	return true;
}

/* Write @n bytes of the stream, from @at on. */
static inline long put(int fd, size_t at, size_t n)
{
	unsigned char bytes[ROOM];

	fill(bytes, at, n);
	return negative_errno(write(fd, bytes, n));
}

/* Read up to @room bytes and check that they are those from @at on.  Return: bytes, or an error. */
static inline long get(int fd, size_t at, size_t room)
{
	unsigned char bytes[ROOM];
	long n = negative_errno(read(fd, bytes, room));

	return n > 0 && !is_filled(bytes, at, n) ? -EILSEQ : n;
}

#endif
