// SPDX-License-Identifier: GPL-2.0
/*
 * Where the pages for inflation come from: which free memory of the kernel is
 * taken, so that the fewest superpages break. Pages come out zeroed (when the
 * administrator wants them scrubbed), once: Xen does not scrub what a running
 * guest gives back.
 */
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>

#include "balloon.h"

/*
 * Ballooning must never wake the OOM killer or touch the reserves. A huge page
 * is a whole pageblock, which need not be retyped for us: it counts as movable,
 * but without __GFP_HIGHMEM, since what lies in ZONE_MOVABLE must be able to
 * leave it. Base pages stay where
 * they are, so they go with what cannot move.
 */
#define GFP_BASE	(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC)
#define GFP_HUGE	(GFP_BASE | __GFP_MOVABLE)
#define GFP_SCRAPS	(GFP_BASE & ~__GFP_RECLAIM)
#define GFP_CONTIG	(GFP_KERNEL | __GFP_NOWARN)

/* A search that found nothing for so long is over. */
#define CONTIG_WASTE_NS	(250 * NSEC_PER_MSEC)
/* The longest that one step searches. */
#define CONTIG_STEP_NS	(20 * NSEC_PER_MSEC)
/* How many base pages of other regions to go through for one of a broken one. */
#define MORE_TRIES	64
/* How many base pages are held back until it is their region's turn. */
#define MAX_HELD	1024

/* For pages that were not asked for with __GFP_ZERO; the allocator may zero all. */
static void scrub(struct xen_balloon *xb, struct page *page, unsigned long nr)
{
	if (!READ_ONCE(*xb->scrub_pages) || want_init_on_alloc(0) || want_init_on_free())
		return;
	while (nr--)
		clear_highpage(page++);
}

static unsigned long span_end(void)
{
	unsigned long end = 0;
	int nid;

	for_each_online_node(nid)
		end = max(end, pgdat_end_pfn(NODE_DATA(nid)));

	return round_down(end, XENMEM_HUGE_PAGES);
}

/**
 * balloon_alloc_reset - there is reason to search for huge pages again
 * @a: the search
 */
void balloon_alloc_reset(struct balloon_alloc *a)
{
	a->cursor = 0;
	a->end = span_end();
	a->min_free = XENMEM_HUGE_PAGES * 3 / 4;
	a->wasted_ns = 0;
	a->exhausted = false;
}

/*
 * What is found here is a hint: nothing is locked, so all may change, and
 * alloc_contig_range() has the last word.
 */

/* How long the free block at @page is; 0 when it is in use. */
static unsigned int free_run(struct page *page)
{
	if (!PageBuddy(page))
		return 0;

	return 1U << min_t(unsigned long, READ_ONCE(page->private), XENMEM_HUGE_ORDER);
}

/* How many pages of the region around @pfn are free. */
static unsigned int region_free_pages(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(round_down(pfn, XENMEM_HUGE_PAGES));
	unsigned int i, run, nr_free = 0;

	for (i = 0; page && i < XENMEM_HUGE_PAGES; i += max(run, 1U)) {
		run = free_run(page + i);
		nr_free += run;
	}

	return min_t(unsigned int, nr_free, XENMEM_HUGE_PAGES);
}

/**
 * balloon_alloc_settle - free what was held back
 * @a: the search
 */
void balloon_alloc_settle(struct balloon_alloc *a)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &a->held, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
	a->nr_held = 0;
}

#ifdef CONFIG_CONTIG_ALLOC
/* Can all that is in use in a region be moved? */
static bool region_movable(unsigned long start_pfn)
{
	struct page *page = pfn_to_online_page(start_pfn);
	unsigned int i, run;

	for (i = 0; page && i < XENMEM_HUGE_PAGES; i += max(run, 1U)) {
		run = free_run(page + i);
		if (run)
			continue;
		if (PageReserved(page + i) || PageOffline(page + i) ||
		    PageCompound(page + i))
			return false;
		if (page_count(page + i) && !PageLRU(page + i))
			return false;
	}

	return page;
}

/* Empty one region of what is in use. */
static struct page *contig_region(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);

	if (alloc_contig_range(pfn, pfn + XENMEM_HUGE_PAGES, MIGRATE_MOVABLE, GFP_CONTIG))
		return NULL;

	if (!balloon_join_pages(page)) {
		free_contig_range(pfn, XENMEM_HUGE_PAGES);
		return NULL;
	}

	return page;
}

/*
 * Make a huge page: empty a region that is free to some part. The freest go
 * first: each pass over memory lowers what is asked of a region.
 */
static struct page *contig_huge(struct xen_balloon *xb)
{
	struct balloon_alloc *a = &xb->alloc;
	u64 start = ktime_get_ns(), spent = 0;
	struct page *found = NULL;
	unsigned long pfn;

	while (!a->exhausted && !found && spent < CONTIG_STEP_NS) {
		if (a->cursor >= a->end) {
			a->exhausted = !a->min_free;
			a->min_free = a->min_free > 64 ? a->min_free / 2 : 0;
			a->cursor = 0;
			continue;
		}

		pfn = a->cursor;
		a->cursor += XENMEM_HUGE_PAGES;
		if (region_free_pages(pfn) >= a->min_free && region_movable(pfn)) {
			xb->counters[COUNT_CONTIG_TRIES]++;
			found = contig_region(pfn);
		}
		spent = ktime_get_ns() - start;
	}

	if (found) {
		xb->counters[COUNT_CONTIG_HUGE]++;
		a->wasted_ns = 0;
		scrub(xb, found, XENMEM_HUGE_PAGES);
	} else {
		a->wasted_ns += spent;
		if (a->wasted_ns > CONTIG_WASTE_NS)
			a->exhausted = true;
	}

	return found;
}
#else
static struct page *contig_huge(struct xen_balloon *xb)
{
	return NULL;
}
#endif

/**
 * balloon_alloc_huge - take huge pages from the kernel into xb->pages
 * @xb: the driver
 * @max: how many at most, up to XENMEM_MAX_HUGE
 *
 * Context: the worker, under step_lock; may sleep, compact and move pages.
 * Return: how many; they are in transit.
 */
unsigned int balloon_alloc_huge(struct xen_balloon *xb, unsigned int max)
{
	gfp_t gfp = GFP_HUGE | (READ_ONCE(*xb->scrub_pages) ? __GFP_ZERO : 0);
	struct page *page;
	unsigned int n;

	for (n = 0; n < max; n++) {
		page = alloc_pages(gfp, XENMEM_HUGE_ORDER);
		if (!page && !n)
			page = contig_huge(xb);
		if (!page)
			break;
		balloon_take(&xb->queue, page, XENMEM_HUGE_ORDER);
		xb->pages[n] = page;
	}

	return n;
}

/* Break one huge page: keep the first @max of it, free the others. */
static unsigned int break_huge(struct page **pages, unsigned int max)
{
	struct page *page = alloc_pages(GFP_BASE, XENMEM_HUGE_ORDER);
	unsigned int i;

	if (!page)
		return 0;

	split_page(page, XENMEM_HUGE_ORDER);
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

/*
 * Free pages of regions that the balloon has broken already. The allocator
 * hands out the smallest free blocks first, and what was left over when a
 * region was broken is among those: it does not take long to find them.
 */
static unsigned int more_of_broken(struct xen_balloon *xb, struct page **pages,
				   unsigned int max)
{
	unsigned int n = 0, tries = max + MORE_TRIES;
	struct page *page;

	while (n < max && tries-- && (page = alloc_page(GFP_BASE))) {
		if (balloon_region_broken(&xb->queue, page))
			pages[n++] = page;
		else
			hold(&xb->alloc, page, 1);
	}
	balloon_alloc_settle(&xb->alloc);

	return n;
}

static unsigned long region_index(struct page *page)
{
	return page_to_pfn(page) >> XENMEM_HUGE_ORDER;
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

/*
 * Empty region after region of its free pages: from the one with the largest
 * free block, all blocks down to the smallest. The allocator cannot be asked
 * for the blocks of one region; but those that were freed together come out
 * together, so mostly the next block is of the region that is being emptied.
 * Others are held back until it is their turn.
 */
static unsigned int by_region(struct xen_balloon *xb, struct page **pages,
			      unsigned int max)
{
	struct balloon_alloc *a = &xb->alloc;
	unsigned long region = ULONG_MAX;
	int order = a->nr_held ? -1 : XENMEM_HUGE_ORDER - 1;
	unsigned int i, n = 0;
	struct page *page;

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
		page = alloc_pages(GFP_SCRAPS, order);
		if (!page) {
			order--;
			continue;
		}
		split_page(page, order);

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

/**
 * balloon_alloc_base - take base pages from the kernel into xb->pages
 * @xb: the driver
 * @max: how many at most, 1 to XENMEM_MAX_BASE
 *
 * They lie side by side where that can be: in a region that the balloon has
 * broken already, else at the front of a huge page that is broken for them, so
 * that a remainder costs one superpage and not many. Where no 2 MiB is free,
 * region after region is emptied of its free pages.
 *
 * Context: the worker, under step_lock; may sleep and compact.
 * Return: how many; they are in transit, with their place in the queue ready.
 */
unsigned int balloon_alloc_base(struct xen_balloon *xb, unsigned int max)
{
	unsigned int i, n = 0, kept = 0;
	struct page **pages = xb->pages;

	/* Whoever wants 2 MiB and more has found no huge page just now. */
	if (max < XENMEM_HUGE_PAGES) {
		if (balloon_figures(&xb->queue).base)
			n = more_of_broken(xb, pages, max);
		if (!n)
			n = break_huge(pages, max);
	}
	if (!n)
		n = by_region(xb, pages, max);
	if (!n) {
		/* What is not free yet, but can be reclaimed. */
		pages[0] = alloc_page(GFP_BASE);
		n = !!pages[0];
	}

	for (i = 0; i < n; i++) {
		scrub(xb, pages[i], 1);
		if (balloon_queue_prepare(&xb->queue, pages[i])) {
			__free_page(pages[i]);
			continue;
		}
		balloon_take(&xb->queue, pages[i], 0);
		pages[kept++] = pages[i];
	}

	return kept;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/alloc-kunit.h"
#endif
