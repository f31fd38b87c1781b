/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SPSCRING_COMPAT_H
#define _SPSCRING_COMPAT_H

/*
 * Interfaces of the newest kernel that older ones, from 6.1 on, lack; under the newest one's
 * names.  No other file of kmod/ checks the kernel's version (tools/check enforces it).  The
 * number at each shim is the first version that has the interface itself: remove the shim
 * when that version is the oldest one supported.
 */
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/version.h>
#include <linux/workqueue.h>

/* 6.2: a class's devnode() takes a const device */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define COMPAT_DEVNODE_CONST
#else
#define COMPAT_DEVNODE_CONST	const
#endif

/* 6.3 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, unsigned long flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* 6.5 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
#define copy_splice_read	generic_file_splice_read
#endif

/* 6.8; before 6.4 MAX_ORDER is the first order that is too large */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define MAX_PAGE_ORDER	(MAX_ORDER - 1)
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define MAX_PAGE_ORDER	MAX_ORDER
#endif

/* 6.8: the count that is added is always 1 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define eventfd_signal(ctx)	eventfd_signal(ctx, 1)
#endif

/*
 * 6.10: folio_mapcount() counts all mappings of a folio, and modules can use it.  A mapping of
 * a whole large folio by one PMD entry counts once.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
static inline int compat_folio_mapcount(struct folio *folio)
{
	int n = folio_nr_pages(folio), i;
	int entire = n > 1 ? folio_entire_mapcount(folio) : 0, mapped = entire;

	for (i = 0; i < n; i++)
		mapped += atomic_read(&folio_page(folio, i)->_mapcount) + 1;
	/* before 6.2 a PMD entry counts once more in each page */
	return LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0) ? mapped - entire * n : mapped;
}

#define folio_mapcount	compat_folio_mapcount
#endif

/* 6.13 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

/*
 * Which code puts a PMD entry into a module's mapping?  From 6.15 on, the module's own
 * .huge_fault does, by vmf_insert_folio_pmd().  In 6.1 the page fault code does, for the page
 * that .fault returns.  In the versions between, none does: their page fault code checks the
 * size of the file, and a device has none.
 */
#define COMPAT_HUGE_FAULT	(IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && \
				 LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0))
#define COMPAT_FAULT_MAPS_HUGE	(IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && \
				 LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0))

/* 6.19 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define system_dfl_wq	system_unbound_wq
#endif

/* 7.3 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 3, 0)
#define pmd_uffd	pmd_uffd_wp
#endif

#endif
