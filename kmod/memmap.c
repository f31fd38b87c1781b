// SPDX-License-Identifier: GPL-2.0
/*
 * Who may map what, decided here and nowhere else.  The rights are those of
 * the mapping: what an end must not write is a section that its mapping of it
 * may never have written, by mprotect() or otherwise.
 */
#include <linux/delay.h>
#include <linux/mm.h>

#include "ring.h"

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

/* The pages that a role may write: [first, first + n), to the end if n is 0. */
static const struct { unsigned long first, n; } memmap_rights[] = {
	[SPSCRING_PRODUCER] = { RING_PAGE_PRODUCER, 0 },
	[SPSCRING_CONSUMER] = { RING_PAGE_CONSUMER, 1 },
};

/**
 * memmap_writable() - may a role write these pages?
 * @role: SPSCRING_PRODUCER, SPSCRING_CONSUMER, or 0 for the ring fd
 * @first: the first page of the ring's
 * @n: how many
 *
 * Return: whether it may write all of them.
 */
bool memmap_writable(u32 role, unsigned long first, unsigned long n)
{
	if (!role || first < memmap_rights[role].first)
		return false;
	return !memmap_rights[role].n ||
		first + n <= memmap_rights[role].first + memmap_rights[role].n;
}

/*
 * A page that MADV_DONTNEED dropped comes back.  The mapping holds the file,
 * and the file the ring.
 */
static vm_fault_t memmap_fault(struct vm_fault *vmf)
{
	struct spscring *ring = vmf->vma->vm_private_data;

	if (vmf->pgoff >= ring->nr_mapped)
		return VM_FAULT_SIGBUS;
	get_page(ring->pages[vmf->pgoff]);
	vmf->page = ring->pages[vmf->pgoff];
	return 0;
}

static const struct vm_operations_struct memmap_vm_ops = {
	.fault = memmap_fault,
};

/**
 * memmap_mmap() - map a part of a ring
 * @ring: the ring
 * @role: SPSCRING_PRODUCER, SPSCRING_CONSUMER, or 0 for the ring fd
 * @vma: what is asked
 *
 * Return: 0; -EINVAL a private mapping; -EACCES rights that the role has not;
 * -ENXIO past the end; -ENOMEM.
 */
int memmap_mmap(struct spscring *ring, u32 role, struct vm_area_struct *vma)
{
	unsigned long first = vma->vm_pgoff, n = vma_pages(vma);
	bool writable;

	/* a read-only open has VM_MAYSHARE and no VM_SHARED */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (first >= ring->nr_mapped || n > ring->nr_mapped - first)
		return -ENXIO;
	writable = memmap_writable(role, first, n);
	if (vma->vm_flags & VM_EXEC || (vma->vm_flags & VM_WRITE && !writable))
		return -EACCES;

	vm_flags_clear(vma, VM_MAYEXEC | (writable ? 0 : VM_MAYWRITE));
	/* DONTCOPY: a fork does not keep writing */
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = ring;
	vma->vm_ops = &memmap_vm_ops;
	return vm_insert_pages(vma, vma->vm_start, ring->pages + first, &n);
}

/*
 * More references than the ring's own one and the mappings' explain: somebody
 * else (a pipe that was vmsplice()d to, I/O in flight) may still write it.
 */
static bool memmap_page_pinned(struct page *page)
{
	int mapped = atomic_read(&page->_mapcount), refs;

	/*
	 * The peer maps and unmaps meanwhile: only what stood still counts.  No
	 * pair: its barriers are those of rmap and of put_page().
	 */
	smp_rmb(); /* mapcount, then references */
	refs = page_ref_count(page);
	smp_rmb(); /* references, then mapcount */
	return atomic_read(&page->_mapcount) != mapped || refs - (mapped + 1) > 1;
}

/**
 * memmap_pinned() - can a dead holder's pages still be written?
 * @ring: the ring
 * @role: the end that has no holder
 *
 * An unmapping in progress looks the same for a moment, so it asks again for
 * a few milliseconds.  Context: may sleep.
 *
 * Return: 0, or -EBUSY.
 */
int memmap_pinned(struct spscring *ring, u32 role)
{
	unsigned long i;
	int tries = 10;

	for (i = 0; i < ring->nr_pages; i++) {
		if (!memmap_writable(role, i, 1))
			continue;
		while (memmap_page_pinned(ring->pages[i])) {
			if (!tries--)
				return -EBUSY;
			usleep_range(500, 1000);
		}
		cond_resched();
	}
	return 0;
}
