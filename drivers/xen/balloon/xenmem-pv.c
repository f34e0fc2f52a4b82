// SPDX-License-Identifier: GPL-2.0
/*
 * The operations table for PV guests, which keep their own mapping: a page's
 * entry in the direct map and in the p2m go before its machine frame does and
 * come after it. The direct map of a PV guest is made of 4 KiB entries, and
 * the 512 of an aligned 2 MiB lie side by side in one page table.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <xen/interface/xen.h>
#include <xen/interface/memory.h>
#include <xen/page.h>
#include <asm/pgtable.h>
#include <asm/xen/hypercall.h>

#include "xenmem.h"

#define PV_MAX_FRAMES	(XENMEM_MAX_HUGE * XENMEM_HUGE_PAGES)

static_assert(PV_MAX_FRAMES >= XENMEM_MAX_BASE);

/* Only the holder of step_lock uses it: see struct xenmem_ops. */
static struct pv_batch {
	xen_pfn_t mfn[PV_MAX_FRAMES];		/* frame behind each base page */
	xen_pfn_t scratch[XENMEM_MAX_BASE];	/* what a hypercall may overwrite */
	struct mmu_update update[XENMEM_MAX_BASE];
} *batch;

/* The i-th base page of an array of pages of @order. */
static unsigned long nth_pfn(struct page **pages, unsigned int order,
			     unsigned int i)
{
	return page_to_pfn(pages[i >> order]) + (i & ((1U << order) - 1));
}

/* The machine address of the entry that maps @pfn in the direct map. */
static int direct_map_entry(unsigned long pfn, u64 *maddr)
{
	unsigned int level;
	pte_t *pte = lookup_address((unsigned long)__va(PFN_PHYS(pfn)), &level);

	if (!pte || level != PG_LEVEL_4K)
		return -EFAULT;

	*maddr = arbitrary_virt_to_machine(pte).maddr;
	return 0;
}

/*
 * Write the direct map and the p2m of base pages [@first, @last): with the
 * frames in batch->mfn where @present, else with nothing. Returns where it
 * stopped, which is @last when all went well.
 */
static unsigned int write_mappings(struct page **pages, unsigned int order,
				   unsigned int first, unsigned int last,
				   bool present)
{
	unsigned int i, n, done;
	unsigned long pfn;
	u64 maddr = 0;

	while (first < last) {
		n = min_t(unsigned int, last - first, XENMEM_MAX_BASE);

		for (i = 0; i < n; i++) {
			pfn = nth_pfn(pages, order, first + i);
			if (i && order && pfn % PTRS_PER_PTE)
				maddr += sizeof(pte_t);
			else if (direct_map_entry(pfn, &maddr))
				return first;
			batch->update[i].ptr = maddr | MMU_NORMAL_PT_UPDATE;
			batch->update[i].val = !present ? 0 :
				mfn_pte(batch->mfn[first + i], PAGE_KERNEL).pte;
		}

		/* The p2m follows the direct map, entry by entry. */
		done = 0;
		if (HYPERVISOR_mmu_update(batch->update, n, &done, DOMID_SELF))
			n = min(done, n);
		for (i = 0; i < n; i++) {
			pfn = nth_pfn(pages, order, first + i);
			xen_p2m_addr[pfn] = present ? batch->mfn[first + i] :
						      INVALID_P2M_ENTRY;
		}

		first += n;
		if (n < XENMEM_MAX_BASE)
			break;
	}

	return first;
}

/*
 * Of mappings that are gone a processor may still have something: of ours, and of others,
 * since vfree() is lazy. Xen sees to that itself for what is given back, as its
 * free_heap_pages() does, but not for what is exchanged.
 */
static bool flush_tlb_everywhere(void)
{
	struct mmuext_op op = { .cmd = MMUEXT_TLB_FLUSH_ALL };

	if (!HYPERVISOR_mmuext_op(&op, 1, NULL, DOMID_SELF))
		return true;

	pr_err_once("Xen refused a TLB flush\n");
	return false;
}

static unsigned int decrease(unsigned int first, unsigned int last)
{
	unsigned int n, done;

	while (first < last) {
		n = min_t(unsigned int, last - first, XENMEM_MAX_BASE);
		memcpy(batch->scratch, batch->mfn + first, n * sizeof(xen_pfn_t));
		done = xenmem_reservation(XENMEM_decrease_reservation,
					  batch->scratch, n, 0, 0);
		first += done;
		if (done < n)
			break;
	}

	return first;
}

/*
 * Have base pages [@first, @last) mapped as before, where their frames are still ours: a
 * frame that Xen does not map is passed over.
 */
static void map_again(struct page **pages, unsigned int order, unsigned int first,
		      unsigned int last)
{
	unsigned int failed = 0;

	while ((first = write_mappings(pages, order, first, last, true)) < last) {
		first++;
		failed++;
	}
	if (failed)
		pr_err("cannot map again %u frames that Xen did not take\n", failed);
}

static unsigned int pv_release(struct page **pages, unsigned int nr,
			       unsigned int order)
{
	unsigned int i, last = nr << order, unmapped, done;

	for (i = 0; i < last; i++)
		batch->mfn[i] = pfn_to_mfn(nth_pfn(pages, order, i));

	unmapped = write_mappings(pages, order, 0, last, false);
	flush_tlb_everywhere();

	/* Whole pages only: one that is partly mapped stays the guest's. */
	done = decrease(0, round_down(unmapped, 1U << order));

	/*
	 * What Xen did not take is mapped again; of a page in doubt only those
	 * frames that are still ours.
	 */
	map_again(pages, order, done, unmapped);

	return done >> order;
}

/*
 * Map the frames in batch->mfn that Xen gave for the first @last base pages.
 * Without a mapping a frame is of no use, and goes back to Xen. Returns how
 * many base pages are mapped, of whole pages.
 */
static unsigned int map_or_return(struct page **pages, unsigned int order,
				  unsigned int last)
{
	unsigned int mapped = round_down(write_mappings(pages, order, 0, last, true),
					 1U << order);

	if (mapped < last) {
		write_mappings(pages, order, mapped, last, false);
		flush_tlb_everywhere();
		if (decrease(mapped, last) < last)
			pr_err("cannot map what Xen gave, nor give it back\n");
	}

	return mapped;
}

static unsigned int pv_populate(struct page **pages, unsigned int nr,
				unsigned int order, unsigned long *away)
{
	unsigned int i, done, last;

	/* Xen's tools build no virtual nodes for a PV guest. */
	if (away)
		bitmap_zero(away, nr);

	for (i = 0; i < nr; i++)
		batch->scratch[i] = page_to_pfn(pages[i]);

	done = xenmem_reservation(XENMEM_populate_physmap, batch->scratch, nr,
				  order, 0);
	last = done << order;
	for (i = 0; i < last; i++)
		batch->mfn[i] = batch->scratch[i >> order] +
				(i & ((1U << order) - 1));

	return map_or_return(pages, order, last) >> order;
}

/*
 * Xen takes the frames behind @nr extents of @in_order and puts others behind
 * the base pages whose numbers are in @pfns, where it leaves the new frames.
 * Returns how many of the extents. What is taken must not be mapped.
 */
static unsigned int exchange(xen_pfn_t *frames, unsigned int nr, unsigned int in_order,
			     xen_pfn_t *pfns)
{
	struct xen_memory_exchange op = {
		.in = { .nr_extents = nr, .extent_order = in_order, .domid = DOMID_SELF },
		.out = { .nr_extents = nr << in_order, .domid = DOMID_SELF },
	};

	set_xen_guest_handle(op.in.extent_start, frames);
	set_xen_guest_handle(op.out.extent_start, pfns);
	if (HYPERVISOR_memory_op(XENMEM_exchange, &op))
		return min_t(unsigned int, op.nr_exchanged, nr);

	return nr;
}

/* Write the direct map and the p2m of one page; @mfn may be INVALID_P2M_ENTRY. */
static bool write_mapping(struct page *page, unsigned long mfn)
{
	unsigned long va = (unsigned long)page_address(page);
	bool present = mfn != INVALID_P2M_ENTRY;
	pte_t pte = present ? mfn_pte(mfn, PAGE_KERNEL) : __pte_ma(0);

	if (HYPERVISOR_update_va_mapping(va, pte, present ? 0 : UVMF_TLB_FLUSH | UVMF_ALL))
		return false;
	xen_p2m_addr[page_to_pfn(page)] = mfn;

	return true;
}

/* Say that a frame belongs to another page: Xen's table of that. */
static bool write_m2p(unsigned long mfn, struct page *page)
{
	struct mmu_update update = {
		.ptr = PFN_PHYS(mfn) | MMU_MACHPHYS_UPDATE,
		.val = page_to_pfn(page),
	};

	return !HYPERVISOR_mmu_update(&update, 1, NULL, DOMID_SELF);
}

/*
 * An exchange gives Xen a frame, maybe the last one of 2 MiB; when it has none
 * to give for it the frame moves.
 */
static int pv_move(struct page *from, struct page *to)
{
	xen_pfn_t mfn = pfn_to_mfn(page_to_pfn(from)), frame = mfn, pfn = page_to_pfn(to);

	/* In a new domain, before we hear of it, there may be memory already. */
	if (pfn_to_mfn(page_to_pfn(to)) != INVALID_P2M_ENTRY)
		return -EBUSY;
	if (!write_mapping(from, INVALID_P2M_ENTRY))
		return -EBUSY;

	if (exchange(&frame, 1, 0, &pfn)) {
		if (write_mapping(to, pfn))
			return 0;
		/* Without a mapping a frame is of no use: give it back. */
		xenmem_reservation(XENMEM_decrease_reservation, &pfn, 1, 0, 0);
		return -ENODATA;
	}

	if (write_m2p(mfn, to)) {
		if (write_mapping(to, mfn))
			return 0;
		write_m2p(mfn, from);
	}
	if (write_mapping(from, mfn))
		return -EBUSY;

	/* Without a mapping it cannot be zeroed, so it is not for Xen to give away. */
	pr_err("cannot map again what Xen did not exchange: 4 KiB out of use for good\n");
	return -ENODATA;
}

static bool pv_whole(struct page *page)
{
	unsigned long pfn = page_to_pfn(page), mfn = pfn_to_mfn(pfn);
	unsigned int i;

	for (i = 1; i < XENMEM_HUGE_PAGES; i++)
		if (pfn_to_mfn(pfn + i) != mfn + i)
			return false;

	return IS_ALIGNED(mfn, XENMEM_HUGE_PAGES);
}

/* What a live migration brought has no mapping, since there was none in the end. */
static bool pv_populated(struct page *page)
{
	unsigned long mfn = pfn_to_mfn(page_to_pfn(page));

	if (mfn == INVALID_P2M_ENTRY)
		return false;
	if (!write_mapping(page, mfn)) {
		pr_err("cannot map what is behind pfn 0x%lx\n", page_to_pfn(page));
		return false;
	}

	return true;
}

/*
 * The kernel maps new memory by what the p2m says of it, which for what never was memory
 * is that it may be a device.
 */
static int pv_make_holes(unsigned long pfn, unsigned long nr)
{
	unsigned long end = pfn + nr;
	int ret;

	/* xen_alloc_p2m_entry() does not look, and stops the machine. */
	if (end > xen_p2m_size)
		return -ERANGE;

	for (; pfn < end; pfn++) {
		ret = xen_alloc_p2m_entry(pfn);
		if (ret)
			return ret;
		xen_p2m_addr[pfn] = INVALID_P2M_ENTRY;
		cond_resched();
	}

	return 0;
}

static unsigned int pv_exchange(struct page *huge, struct page **holes, unsigned int *got)
{
	unsigned int i, done, mapped, order = pv_whole(huge) ? XENMEM_HUGE_ORDER : 0;

	for (i = 0; i < XENMEM_HUGE_PAGES; i++) {
		batch->mfn[i] = pfn_to_mfn(page_to_pfn(huge) + i);
		batch->mfn[XENMEM_HUGE_PAGES + i] = batch->mfn[i];
		batch->scratch[i] = page_to_pfn(holes[i]);
	}

	mapped = write_mappings(&huge, XENMEM_HUGE_ORDER, 0, XENMEM_HUGE_PAGES, false);

	/* As one extent where it is one: Xen need not put it together again. */
	done = !flush_tlb_everywhere() || mapped < XENMEM_HUGE_PAGES ? 0 :
	       exchange(batch->mfn + XENMEM_HUGE_PAGES, XENMEM_HUGE_PAGES >> order, order,
			batch->scratch) << order;

	map_again(&huge, XENMEM_HUGE_ORDER, done, mapped);

	memcpy(batch->mfn, batch->scratch, done * sizeof(*batch->mfn));
	*got = map_or_return(holes, 0, done);
	return done;
}

static int pv_init(void)
{
	batch = kvzalloc(sizeof(*batch), GFP_KERNEL);

	return batch ? 0 : -ENOMEM;
}

static void pv_exit(void)
{
	kvfree(batch);
	batch = NULL;
}

const struct xenmem_ops xenmem_pv_ops = {
	.name = "PV",
	.init = pv_init,
	.exit = pv_exit,
	.release = pv_release,
	.populate = pv_populate,
	.move = pv_move,
	.exchange = pv_exchange,
	.whole = pv_whole,
	.populated = pv_populated,
	.make_holes = pv_make_holes,
	.current_pages = xenmem_current_pages,
	.maximum_pages = xenmem_maximum_pages,
};

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/xenmem-pv-kunit.h"
#endif
