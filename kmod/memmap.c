// SPDX-License-Identifier: GPL-2.0
/*
 * Who may map what, decided here and nowhere else.  The rights are those of
 * the mapping: what an end must not write is a section that its mapping of it
 * may never have written, by mprotect() or otherwise.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

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

#define RING_HUGE_PAGES	(1UL << RING_HUGE_ORDER)

/*
 * Who puts a PMD entry into a module's mapping?  From 6.15 on its own .huge_fault; in
 * 6.1 the page fault code, for the page that .fault returns; between them nobody, as
 * that code came to look at the size of the file, and a device has none.
 */
#define MEMMAP_HUGE_FAULT (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && \
			   LINUX_VERSION_CODE >= KERNEL_VERSION(6, 15, 0))
#define MEMMAP_HUGE	(MEMMAP_HUGE_FAULT || (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) && \
			 LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)))

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

/**
 * memmap_lay_out() - decide how a new ring is mapped
 * @ring: the ring, with its pages
 *
 * Where the data, but for what is left over at their end, are chunks that a PMD
 * entry can map, they are: they are put where it takes an fd's offset to be a
 * multiple of its size, as for any file, and the control pages right before.  The
 * data's second half is at such an offset only if the first is whole chunks.
 */
void memmap_lay_out(struct spscring *ring)
{
	struct spscring_geometry *g = &ring->geometry;
	unsigned long i = RING_PAGE_DATA, shift;

	if (!MEMMAP_HUGE || g->data_bytes < PMD_SIZE ||
	    (ring->nr_mapped > ring->nr_pages && !IS_ALIGNED(g->data_bytes, PMD_SIZE)))
		return;
	for (; i + RING_HUGE_PAGES <= ring->nr_pages; i += RING_HUGE_PAGES) {
		if (compound_order(ring->pages[i]) != RING_HUGE_ORDER)
			return;
	}
	g->features |= SPSCRING_FEATURE_HUGE;
	ring->pgoff = RING_HUGE_PAGES - RING_PAGE_DATA;
	shift = ring->pgoff << PAGE_SHIFT;
	g->consumer_offset += shift;
	g->info_offset += shift;
	g->producer_offset += shift;
	g->data_offset += shift;
}

/* The page at an fd's offset; NULL past the end. */
static struct page *memmap_page(const struct spscring *ring, unsigned long pgoff)
{
	pgoff -= ring->pgoff;
	return pgoff < ring->nr_mapped ? ring->pages[pgoff] : NULL;
}

/*
 * A page that MADV_DONTNEED dropped comes back.  The mapping holds the file,
 * and the file the ring.
 *
 * Not by vmf->page: some kernels would put all of a chunk there by one PMD entry,
 * whether this mapping is laid out for it or not, and in a mapping with pages
 * inserted they lose count of that.
 */
static vm_fault_t memmap_fault(struct vm_fault *vmf)
{
	struct page *page = memmap_page(vmf->vma->vm_private_data, vmf->pgoff);
	int err;

	if (!page)
		return VM_FAULT_SIGBUS;
	err = vm_insert_page(vmf->vma, vmf->address, page);
	if (err == -ENOMEM)
		return VM_FAULT_OOM;
	/* EBUSY: another thread was faster */
	return err && err != -EBUSY ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

static const struct vm_operations_struct memmap_vm_ops = {
	.fault = memmap_fault,
};

/*
 * Of a ring laid out for PMD entries: pages come as they are touched, whole chunks
 * by such an entry if they can.
 */
static vm_fault_t memmap_huge_fault_page(struct vm_fault *vmf)
{
	struct page *page = memmap_page(vmf->vma->vm_private_data, vmf->pgoff);

	if (!page)
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

#if MEMMAP_HUGE_FAULT
static vm_fault_t memmap_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long at = vmf->address & PMD_MASK;
	struct page *page;

	if (order != RING_HUGE_ORDER || at < vma->vm_start || at + PMD_SIZE > vma->vm_end)
		return VM_FAULT_FALLBACK;
	page = memmap_page(vma->vm_private_data, linear_page_index(vma, at));
	/* not where the mapping's address does not agree with its offset */
	if (!page || compound_order(page) != RING_HUGE_ORDER)
		return VM_FAULT_FALLBACK;
	return vmf_insert_folio_pmd(vmf, page_folio(page), vmf->flags & FAULT_FLAG_WRITE);
}
#endif

static const struct vm_operations_struct memmap_huge_vm_ops = {
	.fault = memmap_huge_fault_page,
#if MEMMAP_HUGE_FAULT
	.huge_fault = memmap_huge_fault,
#endif
};

/**
 * memmap_mmap() - map a part of a ring
 * @ring: the ring
 * @role: SPSCRING_PRODUCER, SPSCRING_CONSUMER, or 0 for the ring fd
 * @vma: what is asked
 *
 * Return: 0; -EINVAL a private mapping; -EACCES rights that the role has not;
 * -ENXIO before the first page or past the end; -ENOMEM.
 */
int memmap_mmap(struct spscring *ring, u32 role, struct vm_area_struct *vma)
{
	unsigned long first = vma->vm_pgoff - ring->pgoff, n = vma_pages(vma);
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
	if (ring->geometry.features & SPSCRING_FEATURE_HUGE && n >= RING_HUGE_PAGES) {
		/* as if by madvise(): the chunks are there already */
		vm_flags_set(vma, VM_HUGEPAGE);
		vma->vm_ops = &memmap_huge_vm_ops;
		return 0;
	}
	vma->vm_ops = &memmap_vm_ops;
	return vm_insert_pages(vma, vma->vm_start, ring->pages + first, &n);
}

/* How many page table entries map a chunk, or any of its pages: a reference each. */
static int memmap_mapcount(struct page *page)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	return folio_mapcount(page_folio(page));
#else
	unsigned long i, n = compound_nr(page);
	int huge = n > 1 ? folio_entire_mapcount(page_folio(page)) : 0, mapped = huge;

	for (i = 0; i < n; i++)
		mapped += atomic_read(&page[i]._mapcount) + 1;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
	/* where a PMD entry counts once more in each page */
	mapped -= huge * (int)n;
#endif
	return mapped;
#endif
}

/*
 * More references than the ring's own one and the mappings' explain: somebody
 * else (a pipe that was vmsplice()d to, I/O in flight) may still write it.
 */
static bool memmap_chunk_pinned(struct page *page)
{
	int mapped = memmap_mapcount(page), refs;

	/*
	 * The peer maps and unmaps meanwhile: only what stood still counts.  No
	 * pair: its barriers are those of rmap and of put_page().
	 */
	smp_rmb(); /* mapcount, then references */
	refs = page_ref_count(page);
	smp_rmb(); /* references, then mapcount */
	return memmap_mapcount(page) != mapped || refs - mapped > 1;
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

	for (i = 0; i < ring->nr_pages; i += compound_nr(ring->pages[i])) {
		if (!memmap_writable(role, i, 1))
			continue;
		while (memmap_chunk_pinned(ring->pages[i])) {
			if (!tries--)
				return -EBUSY;
			usleep_range(500, 1000);
		}
		cond_resched();
	}
	return 0;
}
