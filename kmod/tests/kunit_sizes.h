/* SPDX-License-Identifier: GPL-2.0 */
/* A parameter of KUnit cases: the size of an element, in bytes. */
#ifndef _SPSCRING_KUNIT_SIZES_H
#define _SPSCRING_KUNIT_SIZES_H

static const u32 sizes[] = {
	1, 2, 3, 4, 7, 8, 9, 12, 16, 24, 31, 32, 33, 48, 56, 57, 64, 100, 128, 200, 256,
	512, 1000, 1024, 4096, 4097, 65535, 65536,
};

static inline void size_desc(const u32 *size, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u", *size);
}

KUNIT_ARRAY_PARAM(size, sizes, size_desc);

#endif
