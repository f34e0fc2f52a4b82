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
#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>

#include "balloon.h"

/*
 * Ballooning must never wake the OOM killer or touch the reserves. Movable, so
 * that no pageblock is retyped for us; but without __GFP_HIGHMEM, since what
 * lies in ZONE_MOVABLE must be able to leave it.
 */
#define GFP_BALLOON	(GFP_KERNEL | __GFP_MOVABLE | __GFP_NOWARN | \
			 __GFP_NORETRY | __GFP_NOMEMALLOC)
#define GFP_CONTIG	(GFP_KERNEL | __GFP_NOWARN)

/* A search that found nothing for so long is over. */
#define CONTIG_WASTE_NS	(250 * NSEC_PER_MSEC)
/* The longest that one step searches. */
#define CONTIG_STEP_NS	(20 * NSEC_PER_MSEC)
/* Broken regions to look at before a fresh one is broken. */
#define BROKEN_REGION_TRIES	4
/* Of how many regions the freest is taken, and how free it must be. */
#define FREEST_OF	256
#define FREEST_MIN	32

static gfp_t scrub_flag(void)
{
	return takeover_scrub_pages() ? __GFP_ZERO : 0;
}

/* For pages that were not asked for with __GFP_ZERO. */
static void scrub(struct page *page, unsigned long nr)
{
	if (!takeover_scrub_pages() || want_init_on_alloc(0))
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
	a->base_cursor = 0;
	a->end = span_end();
	a->min_free = XENMEM_HUGE_PAGES * 3 / 4;
	a->wasted_ns = 0;
	a->exhausted = false;
}

#ifdef CONFIG_CONTIG_ALLOC
/*
 * What these two find is a hint: nothing is locked, so all may change, and
 * alloc_contig_range() has the last word.
 */

/* How long the free block at @page is; 0 when it is in use. */
static unsigned int free_run(struct page *page)
{
	if (!PageBuddy(page))
		return 0;

	return 1U << min_t(unsigned long, READ_ONCE(page->private), XENMEM_HUGE_ORDER);
}

/* How many pages of a region are free. */
static unsigned int region_free_pages(unsigned long start_pfn)
{
	struct page *page = pfn_to_online_page(start_pfn);
	unsigned int i, run, nr_free = 0;

	for (i = 0; page && i < XENMEM_HUGE_PAGES; i += max(run, 1U)) {
		run = free_run(page + i);
		nr_free += run;
	}

	return min_t(unsigned int, nr_free, XENMEM_HUGE_PAGES);
}

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

/* Base pages that lie in one order-9 block become one page of that order. */
static void join_pages(struct page *page)
{
	unsigned int i;

	for (i = 1; i < XENMEM_HUGE_PAGES; i++)
		set_page_count(page + i, 0);
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
			if (!alloc_contig_range(pfn, pfn + XENMEM_HUGE_PAGES,
						MIGRATE_MOVABLE, GFP_CONTIG))
				found = pfn_to_page(pfn);
		}
		spent = ktime_get_ns() - start;
	}

	if (found) {
		xb->counters[COUNT_CONTIG_HUGE]++;
		a->wasted_ns = 0;
		scrub(found, XENMEM_HUGE_PAGES);
		join_pages(found);
	} else {
		a->wasted_ns += spent;
		if (a->wasted_ns > CONTIG_WASTE_NS)
			a->exhausted = true;
	}

	return found;
}

/*
 * Take free pages of one region, side by side as they are. What is in use
 * stays where it is.
 */
static unsigned int harvest_region(unsigned long start_pfn, struct page **pages,
				   unsigned int max)
{
	unsigned long pfn = start_pfn, end = start_pfn + XENMEM_HUGE_PAGES, run;
	unsigned int n = 0;

	if (!pfn_to_online_page(pfn))
		return 0;

	while (pfn < end && n < max) {
		run = pfn;
		while (run < end && free_run(pfn_to_page(run)))
			run += free_run(pfn_to_page(run));
		run = min3(run, end, pfn + max - n);
		if (run > pfn &&
		    !alloc_contig_range(pfn, run, MIGRATE_MOVABLE, GFP_CONTIG)) {
			scrub(pfn_to_page(pfn), run - pfn);
			for (; pfn < run; pfn++)
				pages[n++] = pfn_to_page(pfn);
		}
		pfn = max(run, pfn) + 1;
	}

	return n;
}

/*
 * The region with the most free pages of the next few: where no 2 MiB is free
 * any more, emptying one region after the other breaks the fewest.
 */
static bool freest_region(struct balloon_alloc *a, unsigned long *start_pfn)
{
	unsigned int i, nr_free, most = 0;

	for (i = 0; i < FREEST_OF; i++) {
		if (a->base_cursor >= a->end)
			a->base_cursor = 0;
		nr_free = region_free_pages(a->base_cursor);
		if (nr_free > most) {
			most = nr_free;
			*start_pfn = a->base_cursor;
		}
		a->base_cursor += XENMEM_HUGE_PAGES;
	}

	return most >= FREEST_MIN;
}
#else
static struct page *contig_huge(struct xen_balloon *xb)
{
	return NULL;
}

static unsigned int harvest_region(unsigned long start_pfn, struct page **pages,
				   unsigned int max)
{
	return 0;
}

static bool freest_region(struct balloon_alloc *a, unsigned long *start_pfn)
{
	return false;
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
	struct page *page;
	unsigned int n;

	for (n = 0; n < max; n++) {
		page = alloc_pages(GFP_BALLOON | scrub_flag(), XENMEM_HUGE_ORDER);
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
	struct page *page = alloc_pages(GFP_BALLOON, XENMEM_HUGE_ORDER);
	unsigned int i;

	if (!page)
		return 0;

	scrub(page, max);
	split_page(page, XENMEM_HUGE_ORDER);
	for (i = 0; i < max; i++)
		pages[i] = page + i;
	for (; i < XENMEM_HUGE_PAGES; i++)
		__free_page(page + i);

	return max;
}

/* Any free pages. */
static unsigned int scattered(struct page **pages, unsigned int max)
{
	unsigned int n;

	for (n = 0; n < max; n++) {
		pages[n] = alloc_page(GFP_BALLOON | scrub_flag());
		if (!pages[n])
			break;
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
 * that a remainder costs one superpage and not many.
 *
 * Context: the worker, under step_lock; may sleep, compact and move pages.
 * Return: how many; they are in transit, with their place in the queue ready.
 */
unsigned int balloon_alloc_base(struct xen_balloon *xb, unsigned int max)
{
	unsigned int i, n = 0, kept = 0, tries = BROKEN_REGION_TRIES;
	struct page **pages = xb->pages;
	unsigned long region;

	while (!n && tries-- && balloon_fullest_region(&xb->queue, &region))
		n = harvest_region(region, pages, max);
	if (!n)
		n = break_huge(pages, max);
	if (!n && freest_region(&xb->alloc, &region))
		n = harvest_region(region, pages, max);
	if (!n)
		n = scattered(pages, max);

	for (i = 0; i < n; i++) {
		if (balloon_queue_prepare(&xb->queue, pages[i])) {
			__free_page(pages[i]);
			continue;
		}
		balloon_take(&xb->queue, pages[i], 0);
		pages[kept++] = pages[i];
	}

	return kept;
}
