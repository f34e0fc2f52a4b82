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
 * Ballooning must never wake the OOM killer or touch the reserves. A huge page
 * is a whole pageblock, which need not be retyped for us: it counts as movable,
 * but without __GFP_HIGHMEM, since what lies in ZONE_MOVABLE must be able to
 * leave it. Base pages stay where
 * they are, so they go with what cannot move.
 */
#define GFP_BASE	(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC)
#define GFP_HUGE	(GFP_BASE | __GFP_MOVABLE)
#define GFP_CONTIG	(GFP_KERNEL | __GFP_NOWARN)

/* A search that found nothing for so long is over. */
#define CONTIG_WASTE_NS	(250 * NSEC_PER_MSEC)
/* The longest that one step searches. */
#define CONTIG_STEP_NS	(20 * NSEC_PER_MSEC)
/*
 * How many base pages are held back at most while better ones are looked for,
 * and how many free pages make a region a good one to take them from.
 */
#define SIEVE_BROKEN		64
#define SIEVE_FREEST		1024
#define REGION_MOSTLY_FREE	256

static gfp_t scrub_flag(void)
{
	return takeover_scrub_pages() ? __GFP_ZERO : 0;
}

/* For pages that were not asked for with __GFP_ZERO. */
static void scrub(struct page *page, unsigned long nr)
{
	if (!takeover_scrub_pages() || want_init_on_alloc(0) || want_init_on_free())
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
		scrub(found, XENMEM_HUGE_PAGES);
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
	struct page *page;
	unsigned int n;

	for (n = 0; n < max; n++) {
		page = alloc_pages(GFP_HUGE | scrub_flag(), XENMEM_HUGE_ORDER);
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

	scrub(page, max);
	split_page(page, XENMEM_HUGE_ORDER);
	for (i = 0; i < max; i++)
		pages[i] = page + i;
	for (; i < XENMEM_HUGE_PAGES; i++)
		__free_page(page + i);

	return max;
}

/* A base page as the allocator has it; NULL when it has none. */
static struct page *any_page(void)
{
	return alloc_page(GFP_BASE | scrub_flag());
}

static void hold(struct balloon_alloc *a, struct page *page)
{
	list_add(&page->lru, &a->held);
	a->nr_held++;
}

/*
 * Free pages of regions that the balloon has broken already. The allocator
 * hands out the smallest free blocks first, and what was left over when a
 * region was broken is among those: it does not take long to find them.
 */
static unsigned int sieve_broken(struct xen_balloon *xb, struct page **pages,
				 unsigned int max)
{
	unsigned int n = 0, tries = max + SIEVE_BROKEN;
	struct page *page;

	while (n < max && tries-- && (page = any_page())) {
		if (balloon_region_broken(&xb->queue, page))
			pages[n++] = page;
		else
			hold(&xb->alloc, page);
	}
	balloon_alloc_settle(&xb->alloc);

	return n;
}

/*
 * Free pages of regions that are broken or mostly free. When the allocator has
 * used up the scraps of its unmovable pageblocks it turns to the next pageblock
 * as a whole, so it comes to such regions by itself and stays with them; the
 * scraps are held back meanwhile.
 */
static unsigned int sieve_freest(struct xen_balloon *xb, struct page **pages,
				 unsigned int max)
{
	struct balloon_alloc *a = &xb->alloc;
	unsigned long region, chosen = ULONG_MAX;
	unsigned int n = 0;
	struct page *page;

	while (n < max && (page = any_page())) {
		region = page_to_pfn(page) >> XENMEM_HUGE_ORDER;
		if (region != chosen && a->nr_held < SIEVE_FREEST &&
		    !balloon_region_broken(&xb->queue, page) &&
		    region_free_pages(page_to_pfn(page)) < REGION_MOSTLY_FREE) {
			hold(a, page);
			continue;
		}
		pages[n++] = page;
		chosen = region;
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
 * regions that are mostly free go first.
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
			n = sieve_broken(xb, pages, max);
		if (!n)
			n = break_huge(pages, max);
	}
	if (!n)
		n = sieve_freest(xb, pages, max);

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
