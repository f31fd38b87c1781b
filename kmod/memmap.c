// SPDX-License-Identifier: GPL-2.0
/*
 * Which pages a role may map, and write; decided here and nowhere else.  The kernel enforces
 * the rights by the mapping: one that an end must not write can never become writable, by
 * mprotect() or otherwise.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "list.h"
#include "ring.h"

#define RING_HUGE_PAGES	(1UL << RING_HUGE_ORDER)

/* The pages that a role may write: n from first on; if n is 0, all from first on. */
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
 * If all data pages, except for a rest at the end, are chunks of the size that a PMD entry maps,
 * lay the ring out for PMD entries.  The data then begin at an offset in the fd that is a
 * multiple of that size, as the kernel requires for any file, and the control pages come
 * right before.  The second mapping of the data is at such an offset only if the data are
 * whole chunks.
 */
void memmap_lay_out(struct spscring *ring)
{
	struct spscring_geometry *g = &ring->geometry;
	unsigned long i = RING_PAGE_DATA, shift;

	if ((!COMPAT_HUGE_FAULT && !COMPAT_FAULT_MAPS_HUGE) || g->data_bytes < PMD_SIZE ||
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
 * The folio lock of a chunk is held while a mapping of the chunk, with its reference, is added:
 * by the functions below, and by core code for the page that .fault returns.
 * memmap_chunk_pinned() takes the lock, and no mapping is added while it counts.
 */

/*
 * vm_insert_page() found an entry: mostly another thread was faster, and the access finds that
 * one's.  But an entry that was there when the fault began and is no page (userfaultfd's marker
 * of a write-protected page, say) stays.  Then fail: kernel code would fault here for ever, and
 * not handle its signals.
 *
 * GCOVR_EXCL_START: two threads in one fault are rare, and only QEMU's machines have such markers
 */
static vm_fault_t memmap_busy(const struct vm_fault *vmf)
{
	if (vmf->flags & FAULT_FLAG_ORIG_PTE_VALID && !pte_none(vmf->orig_pte))
		return VM_FAULT_SIGBUS;
	return fatal_signal_pending(current) ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

/* GCOVR_EXCL_STOP */

/*
 * Bring back a page that MADV_DONTNEED dropped.  The mapping holds a reference to the file, and
 * the file one to the ring.
 *
 * Do not return vmf->page: some kernels would then map the whole chunk by one PMD entry, whether
 * or not this mapping is laid out for that, and miscount it in a mapping with inserted pages.
 */
static vm_fault_t memmap_fault(struct vm_fault *vmf)
{
	struct page *page = memmap_page(vmf->vma->vm_private_data, vmf->pgoff);
	int err;

	if (!page || folio_lock_killable(page_folio(page)))
		return VM_FAULT_SIGBUS;	/* GCOVR_EXCL_LINE: killed while a claim has the lock */
	err = vm_insert_page(vmf->vma, vmf->address, page);
	folio_unlock(page_folio(page));
	if (err == -EBUSY)
		return memmap_busy(vmf);	/* GCOVR_EXCL_LINE: as above */
	if (err == -ENOMEM)
		return VM_FAULT_OOM;
	return err ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

/*
 * The end whose words a mapping may write, or NULL.  Only the consumer's mapping is writable
 * from the consumer's page; any other writable one is the producer's.
 */
static struct ring_end *memmap_writes(struct vm_area_struct *vma)
{
	struct spscring *ring = vma->vm_private_data;

	if (!(vma->vm_flags & VM_MAYWRITE))
		return NULL;
	return vma->vm_pgoff - ring->pgoff == RING_PAGE_CONSUMER ? &ring->consumer :
		&ring->producer;
}

static void memmap_open(struct vm_area_struct *vma)
{
	struct ring_end *end = memmap_writes(vma);

	if (end)
		fence_map(end, vma->vm_mm);
}

static void memmap_close(struct vm_area_struct *vma)
{
	struct ring_end *end = memmap_writes(vma);

	if (end)
		fence_unmap(end, vma->vm_mm);
}

static const struct vm_operations_struct memmap_vm_ops = {
	.open = memmap_open,
	.close = memmap_close,
	.fault = memmap_fault,
};

/*
 * A ring that is laid out for PMD entries is mapped as it is touched: by a whole chunk where
 * possible, otherwise by a page.
 *
 * GCOVR_EXCL_START: no huge pages where coverage is measured; selftests/large.c has them in QEMU
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

#if COMPAT_HUGE_FAULT
static vm_fault_t memmap_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long at = vmf->address & PMD_MASK;
	struct page *page;
	vm_fault_t ret;

	if (order != RING_HUGE_ORDER || at < vma->vm_start || at + PMD_SIZE > vma->vm_end)
		return VM_FAULT_FALLBACK;
	/* userfaultfd's protection bit would stay in an accessible PMD entry: map single pages */
	if (pmd_uffd(vmf->orig_pmd))
		return VM_FAULT_FALLBACK;
	page = memmap_page(vma->vm_private_data, linear_page_index(vma, at));
	/* the mapping's address may not be aligned as its offset is */
	if (!page || compound_order(page) != RING_HUGE_ORDER)
		return VM_FAULT_FALLBACK;
	if (folio_lock_killable(page_folio(page)))
		return VM_FAULT_SIGBUS;
	ret = vmf_insert_folio_pmd(vmf, page_folio(page), vmf->flags & FAULT_FLAG_WRITE);
	folio_unlock(page_folio(page));
	return ret == VM_FAULT_NOPAGE && fatal_signal_pending(current) ? VM_FAULT_SIGBUS : ret;
}
#endif

/* GCOVR_EXCL_STOP */

static const struct vm_operations_struct memmap_huge_vm_ops = {
	.open = memmap_open,
	.close = memmap_close,
	.fault = memmap_huge_fault_page,
#if COMPAT_HUGE_FAULT
	.huge_fault = memmap_huge_fault,
#endif
};

/* Map all pages at once; lock each chunk while its pages are added. */
static int memmap_insert(struct vm_area_struct *vma, struct page **pages, unsigned long n)
{
	unsigned long at = vma->vm_start, some, left;
	int err = 0;

	for (; n && !err; n -= some, pages += some, at += some << PAGE_SHIFT) {
		struct folio *folio = page_folio(*pages);

		cond_resched();
		if (fatal_signal_pending(current) || folio_lock_killable(folio))
			return -EINTR;
		/* 6.1's folio_page_idx() is signed */
		some = min_t(unsigned long, n,
			     folio_nr_pages(folio) - folio_page_idx(folio, *pages));
		left = some;
		err = vm_insert_pages(vma, at, pages, &left);
		folio_unlock(folio);
	}
	return err;
}

/**
 * memmap_mmap() - map a part of a ring
 * @ring: the ring
 * @role: SPSCRING_PRODUCER, SPSCRING_CONSUMER, or 0 for the ring fd
 * @vma: the mapping that is asked for
 *
 * Return: 0; -EINVAL a private mapping; -EACCES rights that the role does not have;
 * -ENXIO before the first page or past the end; -ENOMEM; -EINTR killed; or as watch_map().
 */
int memmap_mmap(struct spscring *ring, u32 role, struct vm_area_struct *vma)
{
	unsigned long first = vma->vm_pgoff - ring->pgoff, n = vma_pages(vma);
	bool writable;
	int err;

	/* a shared mapping of a read-only file has VM_MAYSHARE, but not VM_SHARED */
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (first >= ring->nr_mapped || n > ring->nr_mapped - first)
		return -ENXIO;
	writable = memmap_writable(role, first, n);
	if (vma->vm_flags & VM_EXEC || (vma->vm_flags & VM_WRITE && !writable))
		return -EACCES;

	err = watch_map(ring, role);
	if (err)
		return err;
	vm_flags_clear(vma, VM_MAYEXEC | (writable ? 0 : VM_MAYWRITE));
	/* DONTCOPY: a forked child must not be able to write after the end's holder has died */
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = ring;
	memmap_open(vma);
	if (memmap_writes(vma))
		list_held(memmap_writes(vma));
	if (ring->geometry.features & SPSCRING_FEATURE_HUGE && n >= RING_HUGE_PAGES) {
		/* as if by madvise(): the chunks are there already; GCOVR_EXCL_START: as above */
		vm_flags_set(vma, VM_HUGEPAGE);
		vma->vm_ops = &memmap_huge_vm_ops;
		return 0;
		/* GCOVR_EXCL_STOP */
	}
	vma->vm_ops = &memmap_vm_ops;
	err = memmap_insert(vma, ring->pages + first, n);
	/* the kernel does not call ->close of a mapping that fails */
	if (err)
		memmap_close(vma);
	return err;
}

/* How often in a row the counts are taken; a chunk is free if none of them shows a pin. */
#define MEMMAP_LOOKS	8

/*
 * A chunk is pinned if it has more references than the ring's own one and those of its
 * mappings: somebody else (a pipe after vmsplice(), I/O in flight) may still write it.
 *
 * The two counts cannot be read at once.  Read the references first: a mapping takes its
 * reference before it is counted, and drops it after.  No mapping is added while the chunk is
 * locked, so the references read include one for each mapping counted later.  The difference
 * is never too small, and a pin always shows: its reference may be handed on, but is not
 * dropped in between.  An unmapping in progress (munmap(), mremap(), the split of a PMD
 * entry) looks like a pin for a moment.
 *
 * Only fork() copies page tables without the lock, and only after MADV_DOFORK, which newer
 * kernels refuse for such a mapping.  To hide a pin, forks would have to map as many pages as
 * are pinned between the two counts of each round, and unmap them between the rounds.
 */
static bool memmap_chunk_pinned(struct page *page)
{
	int looks, refs, mapped, before = INT_MAX;
	bool pinned = false;

	/* somebody is mapping the chunk, say */
	if (!folio_trylock(page_folio(page)))
		return true;
	for (looks = 0; looks < MEMMAP_LOOKS && !pinned; looks++) {
		refs = page_ref_count(compound_head(page));
		/* No pair: its barriers are those of rmap and of put_page() */
		smp_rmb(); /* references, then mapcount */
		mapped = folio_mapcount(page_folio(page));
		pinned = refs - mapped != 1 || mapped > before;
		before = mapped;
		smp_rmb(); /* this round, then the next */
	}
	folio_unlock(page_folio(page));
	return pinned;
}

/**
 * memmap_pinned() - does somebody still pin the pages of an end's last holder?
 * @ring: the ring
 * @role: the end that has no holder
 *
 * Checks the pages that the end may write.  In a driver's ring, whose users follow each other,
 * it also checks all data pages: a user who has left must not read what the next one gets.
 *
 * An unmapping in progress looks like a pin for a moment, so it tries again for a few
 * milliseconds.  Context: may sleep.
 *
 * Return: 0; -EBUSY pages are pinned; -EINTR the caller is killed.
 */
int memmap_pinned(struct spscring *ring, u32 role)
{
	unsigned long i;
	int tries = 10;

	for (i = 0; i < ring->nr_pages; i += compound_nr(ring->pages[i])) {
		if (!memmap_writable(role, i, 1) && (ring->of_user || i < RING_PAGE_DATA))
			continue;
		while (memmap_chunk_pinned(ring->pages[i])) {
			if (!tries--)
				return -EBUSY;
			usleep_range(500, 1000);
		}
		cond_resched();
		if (ring_killed(ring))
			return -EINTR;
	}
	return 0;
}
