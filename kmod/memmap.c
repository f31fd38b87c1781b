// SPDX-License-Identifier: GPL-2.0
/*
 * Who may map what, decided here and nowhere else.  The rights are those of
 * the mapping: what an end must not write is a section that its mapping of it
 * may never have written, by mprotect() or otherwise.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "ring.h"

#define RING_HUGE_PAGES	(1UL << RING_HUGE_ORDER)

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
 * A chunk's lock, of the kind that every folio has, is held while a mapping of it, and
 * the reference that goes with it, is added: here, and by core code for the page that
 * .fault returns.  memmap_chunk_pinned() takes it, so that none comes while it looks.
 */

/*
 * No entry was added, since there is one: another thread was faster, and the access finds
 * it.  But what was there when the fault began, and is no page (userfaultfd's marker of a
 * write-protected page, say), stays there; kernel code would take this fault for ever, and
 * not see its signals meanwhile.
 */
static vm_fault_t memmap_busy(const struct vm_fault *vmf)
{
	if (vmf->flags & FAULT_FLAG_ORIG_PTE_VALID && !pte_none(vmf->orig_pte))
		return VM_FAULT_SIGBUS;
	return fatal_signal_pending(current) ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
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

	if (!page || folio_lock_killable(page_folio(page)))
		return VM_FAULT_SIGBUS;
	err = vm_insert_page(vmf->vma, vmf->address, page);
	folio_unlock(page_folio(page));
	if (err == -EBUSY)
		return memmap_busy(vmf);
	if (err == -ENOMEM)
		return VM_FAULT_OOM;
	return err ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
}

/* Whose words a mapping may write, if any: its end is the consumer's page, or all that follows. */
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

#if COMPAT_HUGE_FAULT
static vm_fault_t memmap_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long at = vmf->address & PMD_MASK;
	struct page *page;
	vm_fault_t ret;

	if (order != RING_HUGE_ORDER || at < vma->vm_start || at + PMD_SIZE > vma->vm_end)
		return VM_FAULT_FALLBACK;
	/* userfaultfd's bit would stay in an entry that is made writable: page by page */
	if (pmd_uffd_wp(vmf->orig_pmd))
		return VM_FAULT_FALLBACK;
	page = memmap_page(vma->vm_private_data, linear_page_index(vma, at));
	/* not where the mapping's address does not agree with its offset */
	if (!page || compound_order(page) != RING_HUGE_ORDER)
		return VM_FAULT_FALLBACK;
	if (folio_lock_killable(page_folio(page)))
		return VM_FAULT_SIGBUS;
	ret = vmf_insert_folio_pmd(vmf, page_folio(page), vmf->flags & FAULT_FLAG_WRITE);
	folio_unlock(page_folio(page));
	return ret == VM_FAULT_NOPAGE && fatal_signal_pending(current) ? VM_FAULT_SIGBUS : ret;
}
#endif

static const struct vm_operations_struct memmap_huge_vm_ops = {
	.open = memmap_open,
	.close = memmap_close,
	.fault = memmap_huge_fault_page,
#if COMPAT_HUGE_FAULT
	.huge_fault = memmap_huge_fault,
#endif
};

/* All pages at once; each chunk's while it is locked. */
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
 * @vma: what is asked
 *
 * Return: 0; -EINVAL a private mapping; -EACCES rights that the role has not;
 * -ENXIO before the first page or past the end; -ENOMEM; -EINTR killed.
 */
int memmap_mmap(struct spscring *ring, u32 role, struct vm_area_struct *vma)
{
	unsigned long first = vma->vm_pgoff - ring->pgoff, n = vma_pages(vma);
	bool writable;
	int err;

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
	memmap_open(vma);
	if (ring->geometry.features & SPSCRING_FEATURE_HUGE && n >= RING_HUGE_PAGES) {
		/* as if by madvise(): the chunks are there already */
		vm_flags_set(vma, VM_HUGEPAGE);
		vma->vm_ops = &memmap_huge_vm_ops;
		return 0;
	}
	vma->vm_ops = &memmap_vm_ops;
	err = memmap_insert(vma, ring->pages + first, n);
	/* nobody else does, of a mapping that fails */
	if (err)
		memmap_close(vma);
	return err;
}

/* In a row, each of which must find nothing. */
#define MEMMAP_LOOKS	8

/*
 * More references than the ring's own one and the mappings' explain: somebody
 * else (a pipe that was vmsplice()d to, I/O in flight) may still write it.
 *
 * The two counts are two moments, so the references are read first: a mapping has its
 * reference before it is counted, and loses it after.  While the chunk is locked none is
 * added, so of the references that were read those of mappings are no fewer than the
 * mappings counted later: what is left over can only be too many, and a pin, whose reference
 * is handed on but never let go of in between, is always among them.  What unmaps meanwhile
 * (munmap(), mremap(), the split of a PMD entry) looks like a pin for a moment.
 *
 * Only fork() copies page tables without the lock, and only after MADV_DOFORK, which
 * kernels came to refuse to such a mapping.  It would have to fall between the two counts
 * in each look, by as many pages as are pinned, with as many unmapped between each two.
 */
static bool memmap_chunk_pinned(struct page *page)
{
	int looks, refs, mapped, before = INT_MAX;
	bool pinned = false;

	/* being mapped, say */
	if (!folio_trylock(page_folio(page)))
		return true;
	for (looks = 0; looks < MEMMAP_LOOKS && !pinned; looks++) {
		refs = page_ref_count(compound_head(page));
		/* No pair: its barriers are those of rmap and of put_page() */
		smp_rmb(); /* references, then mapcount */
		mapped = folio_mapcount(page_folio(page));
		pinned = refs - mapped != 1 || mapped > before;
		before = mapped;
		smp_rmb(); /* this look, then the next */
	}
	folio_unlock(page_folio(page));
	return pinned;
}

/**
 * memmap_pinned() - can a dead holder's pages still be written?
 * @ring: the ring
 * @role: the end that has no holder
 *
 * Of a driver's ring, whose users follow each other, nor may one who has left read what
 * the next one is sent: there all of the data are looked at.
 *
 * An unmapping in progress looks the same for a moment, so it asks again for
 * a few milliseconds.  Context: may sleep.
 *
 * Return: 0, -EBUSY, or -EINTR the caller is killed.
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
