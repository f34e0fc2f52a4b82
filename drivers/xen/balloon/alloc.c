// SPDX-License-Identifier: GPL-2.0
/*
 * Where the pages for inflation come from: which free memory of the kernel is
 * taken, so that the fewest superpages break. Pages come out zeroed (when the
 * administrator wants them scrubbed), once: Xen does not scrub what a running
 * guest gives back.
 */
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/log2.h>
#include <linux/mm.h>

#include "balloon.h"

/*
 * Ballooning must never wake the OOM killer or touch the reserves. A huge page
 * is a whole pageblock, which need not be retyped for us: it counts as movable,
 * but without __GFP_HIGHMEM, since what lies in ZONE_MOVABLE must be able to
 * leave it. Base pages can, where compaction moves them: see base_gfp().
 */
#define GFP_POLITE	(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC)
#define GFP_HUGE	(GFP_POLITE | __GFP_MOVABLE)
#define GFP_SPARE	(GFP_HUGE & ~__GFP_RECLAIM)

/* How many clean pages of files may be dropped to empty a region, for upkeep. */
#define FEW_CACHE	64U
/* How many base pages of other regions to go through for one of a broken one. */
#define MORE_TRIES	64
/* One part in so many of what is left free shall not be in small blocks. */
#define BLOCKS_SHARE	4
/* How many base pages are held back until it is their region's turn. */
#define MAX_HELD	1024

static gfp_t only(int nid)
{
	return nid == NUMA_NO_NODE ? 0 : __GFP_THISNODE;
}

static gfp_t base_gfp(const struct xen_balloon *xb, int nid)
{
	gfp_t gfp = GFP_POLITE | only(nid);

	return balloon_moves(&xb->queue) ? gfp | __GFP_MOVABLE | __GFP_HIGHMEM : gfp;
}

/*
 * While enough is free, though in small pieces, it is moved together, and nothing is
 * reclaimed: kswapd would drop 4 MiB of page cache for each 2 MiB that was not there.
 */
static gfp_t huge_gfp(struct xen_balloon *xb)
{
	return balloon_has_spare(xb) ? GFP_HUGE & ~__GFP_KSWAPD_RECLAIM : GFP_HUGE;
}

/* To have the allocator zero what goes to Xen, if it is to be. */
static gfp_t scrubbed(const struct xen_balloon *xb, gfp_t gfp)
{
	return READ_ONCE(*xb->scrub_pages) ? gfp | __GFP_ZERO : gfp;
}

/* For pages that were not asked for with __GFP_ZERO; the allocator may zero all. */
static void scrub(struct xen_balloon *xb, struct page *page, unsigned long nr)
{
	if (!READ_ONCE(*xb->scrub_pages) || want_init_on_alloc(0) || want_init_on_free())
		return;
	while (nr--)
		clear_highpage(page++);
}

static struct page *alloc_on(int nid, gfp_t gfp, unsigned int order)
{
	return nid == NUMA_NO_NODE ? alloc_pages(gfp, order) : alloc_pages_node(nid, gfp, order);
}

/* A free huge page that may stay one, if the allocator has such a page first. */
static struct page *free_huge(int nid, gfp_t gfp)
{
	struct page *page = alloc_on(nid, gfp, XENMEM_HUGE_ORDER);

	if (!page || (balloon_region_may_stay(page) && !balloon_is_for_devices(page)))
		return page;

	__free_pages(page, XENMEM_HUGE_ORDER);
	return NULL;
}

/* A huge page that is made by moving pages away. */
static struct page *contig_huge(struct xen_balloon *xb, unsigned int max_cache, int nid)
{
	struct page *page = balloon_contig_huge(xb, max_cache, nid);

	if (page)
		scrub(xb, page, XENMEM_HUGE_PAGES);

	return page;
}

/**
 * balloon_alloc_huge - take huge pages from the kernel into xb->pages
 * @xb: the driver
 * @max: how many at most, up to XENMEM_MAX_HUGE
 * @nid: of which node, or NUMA_NO_NODE
 *
 * Context: the worker, under step_lock; may sleep, compact and move pages.
 * Return: how many; they are in transit.
 */
unsigned int balloon_alloc_huge(struct xen_balloon *xb, unsigned int max, int nid)
{
	gfp_t gfp = scrubbed(xb, huge_gfp(xb)) | only(nid);
	struct page *page;
	unsigned int n;

	for (n = 0; n < max; n++) {
		page = free_huge(nid, gfp);
		if (!page && !n)
			page = contig_huge(xb, XENMEM_HUGE_PAGES, nid);
		if (!page)
			break;
		balloon_take(&xb->queue, page, XENMEM_HUGE_ORDER);
		xb->pages[n] = page;
	}

	return n;
}

/**
 * balloon_alloc_region - empty one region of what is in use, and take it
 * @xb: the driver
 * @pfn: its first pfn
 * @at: with -EBUSY, which of its pages is in the way, from 0 on
 *
 * Context: the worker, under step_lock; may sleep and move pages, so that
 * balloon_has_spare() shall be true.
 * Return: its first page, in transit; an ERR_PTR() as of balloon_contig_region().
 */
struct page *balloon_alloc_region(struct xen_balloon *xb, unsigned long pfn, unsigned int *at)
{
	struct page *page = balloon_contig_region(xb, pfn, FEW_CACHE, at);

	if (IS_ERR(page))
		return page;

	scrub(xb, page, XENMEM_HUGE_PAGES);
	balloon_take(&xb->queue, page, XENMEM_HUGE_ORDER);

	return page;
}

/**
 * balloon_alloc_spare - take one huge page that the guest has no use for
 * @xb: the driver, for which balloon_has_spare() is true
 * @nid: of which node
 *
 * Context: the worker, under step_lock; may sleep and move pages, but nothing
 * is reclaimed.
 * Return: the page, in transit; NULL when the guest has none to spare.
 */
struct page *balloon_alloc_spare(struct xen_balloon *xb, int nid)
{
	gfp_t gfp = scrubbed(xb, GFP_SPARE) | __GFP_THISNODE;
	struct page *page;

	page = free_huge(nid, gfp);
	if (!page)
		page = contig_huge(xb, FEW_CACHE, nid);
	if (page)
		balloon_take(&xb->queue, page, XENMEM_HUGE_ORDER);

	return page;
}

/**
 * balloon_alloc_idle - take huge pages that are free as they are into xb->pages
 * @xb: the driver
 * @max: how many at most, up to XENMEM_MAX_HUGE
 * @kept: so many pages stay free in all, the same part of them on each node
 *
 * Of the nodes, by turns, and no zone below what somebody is woken for.
 *
 * Context: the worker, under step_lock; nothing is reclaimed nor moved.
 * Return: how many; they are in transit.
 */
unsigned int balloon_alloc_idle(struct xen_balloon *xb, unsigned int max, unsigned long kept)
{
	gfp_t gfp = scrubbed(xb, GFP_SPARE) | __GFP_THISNODE;
	unsigned int n = 0, before;
	struct page *page;
	int nid;

	kept = kept / num_node_state(N_NORMAL_MEMORY) + XENMEM_HUGE_PAGES;
	do {
		before = n;
		for_each_node_state(nid, N_NORMAL_MEMORY) {
			if (n == max || balloon_node_free_at_ease(nid) < kept)
				continue;
			page = free_huge(nid, gfp);
			if (!page)
				continue;
			balloon_take(&xb->queue, page, XENMEM_HUGE_ORDER);
			xb->pages[n++] = page;
		}
	} while (n > before);

	return n;
}

/* A free block to take base pages from, split; compaction can move them away again. */
static struct page *free_block(int nid, gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_on(nid, gfp, order);

	if (page && balloon_is_for_devices(page)) {
		__free_pages(page, order);
		return NULL;
	}
	if (page)
		split_page(page, order);

	return page;
}

/* Break one huge page: keep the first @max of it, free the others. */
static unsigned int break_huge(struct xen_balloon *xb, struct page **pages, unsigned int max,
			       int nid)
{
	struct page *page = free_block(nid, base_gfp(xb, nid), XENMEM_HUGE_ORDER);
	unsigned int i;

	if (!page)
		return 0;

	for (i = 0; i < max; i++)
		pages[i] = page + i;
	for (; i < XENMEM_HUGE_PAGES; i++)
		__free_page(page + i);

	return max;
}

static void hold(struct balloon_alloc *a, struct page *page, unsigned int nr)
{
	while (nr--) {
		list_add_tail(&page++->lru, &a->held);
		a->nr_held++;
	}
}

/**
 * balloon_alloc_settle - free what was held back
 * @a: what is held
 *
 * Return: how many pages that was.
 */
unsigned long balloon_alloc_settle(struct balloon_alloc *a)
{
	unsigned long nr = a->nr_held;
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &a->held, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
	a->nr_held = 0;

	return nr;
}

/*
 * Free pages of regions that the balloon has broken already. The allocator
 * hands out the smallest free blocks first, and what was left over when a
 * region was broken is among those: it does not take long to find them.
 */
static unsigned int more_of_broken(struct xen_balloon *xb, struct page **pages,
				   unsigned int max, int nid)
{
	unsigned int n = 0, tries = max + MORE_TRIES;
	struct page *page;

	while (n < max && tries-- && (page = alloc_on(nid, base_gfp(xb, nid), 0))) {
		if (balloon_region_broken(&xb->queue, page))
			pages[n++] = page;
		else
			hold(&xb->alloc, page, 1);
	}
	balloon_alloc_settle(&xb->alloc);

	return n;
}

/* Take what is held of the region of the page that is held longest. */
static unsigned int take_held(struct balloon_alloc *a, struct page **pages,
			      unsigned int max, unsigned long *region)
{
	struct page *page, *next;
	unsigned int n = 0;

	list_for_each_entry_safe(page, next, &a->held, lru) {
		if (!n)
			*region = region_index(page);
		if (n < max && region_index(page) == *region) {
			list_del(&page->lru);
			pages[n++] = page;
		}
	}
	a->nr_held -= n;

	return n;
}

/* Can the kernel get what it needs in one piece, as stacks and roots of page tables? */
static bool large_blocks_left(struct xen_balloon *xb)
{
	return balloon_free_in_blocks(PAGE_ALLOC_COSTLY_ORDER, ZONE_NORMAL) >=
	       balloon_reserve(xb) / BLOCKS_SHARE;
}

/*
 * Empty region after region of its free pages: from the one with the largest
 * free block, all blocks down to the smallest. The allocator cannot be asked
 * for the blocks of one region; but those that were freed together come out
 * together, so mostly the next block is of the region that is being emptied.
 * Others are held back until it is their turn.
 *
 * When few large blocks are left, only single pages go: a guest with nothing
 * but single pages free cannot even fork.
 */
static unsigned int by_region(struct xen_balloon *xb, struct page **pages,
			      unsigned int max, int nid)
{
	struct balloon_alloc *a = &xb->alloc;
	unsigned long region = ULONG_MAX;
	unsigned int i, n = 0;
	struct page *page;
	int order;

	/* What is held of another node has had its turn. */
	page = list_first_entry_or_null(&a->held, struct page, lru);
	if (page && nid != NUMA_NO_NODE && page_to_nid(page) != nid)
		balloon_alloc_settle(a);
	order = a->nr_held ? -1 : XENMEM_HUGE_ORDER - 1;

	while (n < max) {
		if (order < 0 || a->nr_held > MAX_HELD) {
			i = take_held(a, pages + n, max - n, &region);
			if (!i)
				break;
			n += i;
			order = XENMEM_HUGE_ORDER - 1;
			continue;
		}

		order = min(order, ilog2(max - n));
		if (order && !large_blocks_left(xb))
			order = 0;
		page = free_block(nid, base_gfp(xb, nid) & ~__GFP_RECLAIM, order);
		if (!page) {
			order--;
			continue;
		}

		if (region == ULONG_MAX)
			region = region_index(page);
		if (region_index(page) == region ||
		    balloon_region_broken(&xb->queue, page)) {
			for (i = 0; i < 1U << order; i++)
				pages[n++] = page + i;
		} else {
			hold(a, page, 1U << order);
			order--;
		}
	}

	return n;
}

/* Pages as the allocator hands them out, from anywhere: see base_only. */
static unsigned int singles(struct xen_balloon *xb, struct page **pages, unsigned int max,
			    int nid)
{
	unsigned int n;

	for (n = 0; n < max; n++) {
		pages[n] = alloc_on(nid, base_gfp(xb, nid), 0);
		if (!pages[n])
			break;
	}

	return n;
}

/**
 * balloon_alloc_base - take base pages from the kernel into xb->pages
 * @xb: the driver
 * @max: how many at most, 1 to XENMEM_MAX_BASE
 * @nid: of which node, or NUMA_NO_NODE
 *
 * They lie side by side where that can be: in a region that the balloon has
 * broken already, else at the front of a huge page that is broken for them, so
 * that a remainder costs one superpage and not many. Where no 2 MiB is free,
 * region after region is emptied of its free pages.
 *
 * Context: the worker, under step_lock; may sleep and compact.
 * Return: how many; they are in transit, with their place in the queue ready.
 */
unsigned int balloon_alloc_base(struct xen_balloon *xb, unsigned int max, int nid)
{
	unsigned int i, n = 0, kept = 0;
	struct page **pages = xb->pages;

	/* Whoever wants 2 MiB and more has found no huge page just now. */
	if (READ_ONCE(xb->base_only)) {
		n = singles(xb, pages, max, nid);
	} else if (max < XENMEM_HUGE_PAGES) {
		if (balloon_figures(&xb->queue).base)
			n = more_of_broken(xb, pages, max, nid);
		if (!n)
			n = break_huge(xb, pages, max, nid);
	}
	if (!n)
		n = by_region(xb, pages, max, nid);
	if (!n) {
		/* What is not free yet, but can be reclaimed. */
		pages[0] = alloc_on(nid, base_gfp(xb, nid), 0);
		n = !!pages[0];
	}

	for (i = 0; i < n; i++) {
		scrub(xb, pages[i], 1);
		if (balloon_region_prepare(&xb->queue, pages[i])) {
			__free_page(pages[i]);
			continue;
		}
		balloon_take(&xb->queue, pages[i], 0);
		pages[kept++] = pages[i];
	}

	return kept;
}

/**
 * balloon_alloc_init - nothing is held back yet
 * @xb: the driver
 */
void balloon_alloc_init(struct xen_balloon *xb)
{
	INIT_LIST_HEAD(&xb->alloc.held);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/alloc-kunit.h"
#endif
