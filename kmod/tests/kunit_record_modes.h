/* SPDX-License-Identifier: GPL-2.0 */
/* A parameter of KUnit cases: what a ring of records of variable size does when it is full. */
#ifndef _SPSCRING_KUNIT_RECORD_MODES_H
#define _SPSCRING_KUNIT_RECORD_MODES_H

static const u32 record_modes[] = { 0, SPSCRING_CREATE_DROP, SPSCRING_CREATE_OVERWRITE };

static inline void mode_desc(const u32 *mode, char *desc)
{
	strscpy(desc, *mode & SPSCRING_CREATE_DROP ? "drops" :
		*mode & SPSCRING_CREATE_OVERWRITE ? "overwrites" : "fails",
		KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(record_mode, record_modes, mode_desc);

#endif
