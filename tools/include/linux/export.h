/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* What the library and the module share is exported by the module alone. */
#ifndef _SPSCRING_TOOLS_EXPORT_H
#define _SPSCRING_TOOLS_EXPORT_H

#define EXPORT_SYMBOL_GPL(name)	_Static_assert(1, #name)

#endif
