// SPDX-License-Identifier: GPL-2.0
/*
 * Where the pages for inflation come from: which free memory of the kernel is
 * taken, so that the fewest superpages break. Pages come out zeroed (when the
 * administrator wants them scrubbed), once: Xen does not scrub what a running
 * guest gives back.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>
#include <linux/printk.h>
#include <linux/swap.h>

#include <compat/pageblock.h>

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
#define GFP_CONTIG	(GFP_KERNEL | __GFP_NOWARN)

/* The zone below, of 16 MiB, is kept for old devices. */
#define FIRST_ZONE	IS_ENABLED(CONFIG_ZONE_DMA)

/* A search that found nothing for so long rests, and for so long. */
#define CONTIG_WASTE_NS	(250 * NSEC_PER_MSEC)
#define CONTIG_REST_NS	(5 * NSEC_PER_SEC)
/* The longest that one step searches. */
#define CONTIG_STEP_NS	(20 * NSEC_PER_MSEC)
/* How long a step waits for a region to be emptied. */
#define CONTIG_PATIENCE	HZ
/* How many clean pages of files may be dropped to empty a region, for upkeep. */
#define FEW_CACHE	64U
/* How many base pages of other regions to go through for one of a broken one. */
#define MORE_TRIES	64
/* One part in so many of what is left free shall not be in small blocks. */
#define BLOCKS_SHARE	4
/* How many base pages are held back until it is their region's turn. */
#define MAX_HELD	1024

static gfp_t base_gfp(const struct xen_balloon *xb)
{
	return balloon_moves(&xb->queue) ? GFP_POLITE | __GFP_MOVABLE | __GFP_HIGHMEM : GFP_POLITE;
}

/*
 * While enough is free, though in small pieces, it is moved together, and nothing is
 * reclaimed: kswapd would drop 4 MiB of page cache for each 2 MiB that was not there.
 */
static gfp_t huge_gfp(struct xen_balloon *xb)
{
	return balloon_alloc_has_spare(xb) ? GFP_HUGE & ~__GFP_KSWAPD_RECLAIM : GFP_HUGE;
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

static unsigned long nr_regions(void)
{
	return balloon_regions_end() - balloon_regions_start();
}

/**
 * balloon_alloc_rests - did a search for huge pages end in vain a moment ago?
 * @a: the search
 */
bool balloon_alloc_rests(const struct balloon_alloc *a)
{
	return ktime_get_ns() < a->again_at;
}

/**
 * balloon_alloc_restart - search for the freest regions first, the next time
 * @a: the search
 *
 * One that rests goes on where it was all the same.
 */
void balloon_alloc_restart(struct balloon_alloc *a)
{
	if (balloon_alloc_rests(a))
		return;

	a->min_free = XENMEM_HUGE_PAGES * 3 / 4;
	a->left = nr_regions();
}

/* Is a page of the memory that is kept for old devices? */
static bool is_for_devices(struct page *page)
{
	return zone_idx(page_zone(page)) < FIRST_ZONE;
}

/* A free huge page that may stay one, if the allocator has such a page first. */
static struct page *free_huge(int nid, gfp_t gfp)
{
	struct page *page = nid == NUMA_NO_NODE ? alloc_pages(gfp, XENMEM_HUGE_ORDER) :
			    alloc_pages_node(nid, gfp, XENMEM_HUGE_ORDER);

	if (!page || (balloon_region_may_stay(page) && !is_for_devices(page)))
		return page;

	__free_pages(page, XENMEM_HUGE_ORDER);
	return NULL;
}

/* A free block to take base pages from, split; compaction can move them away again. */
static struct page *free_block(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_pages(gfp, order);

	if (page && is_for_devices(page)) {
		__free_pages(page, order);
		return NULL;
	}
	if (page)
		split_page(page, order);

	return page;
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

/* Is a region the second half of a free block of twice its size? */
static bool in_large_block(struct page *page)
{
	struct page *first = page - (page_to_pfn(page) & XENMEM_HUGE_PAGES);

	return first != page && PageBuddy(first) &&
	       READ_ONCE(first->private) > XENMEM_HUGE_ORDER;
}

/**
 * balloon_alloc_region_free - how many pages of a region are free just now
 * @pfn: any pfn of the region
 */
unsigned int balloon_alloc_region_free(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(round_down(pfn, XENMEM_HUGE_PAGES));
	unsigned int i, run, nr_free = 0;

	if (page && in_large_block(page))
		return XENMEM_HUGE_PAGES;

	for (i = 0; page && i < XENMEM_HUGE_PAGES; i += max(run, 1U)) {
		run = free_run(page + i);
		nr_free += run;
	}

	return min_t(unsigned int, nr_free, XENMEM_HUGE_PAGES);
}

/* Free pages in blocks of @least order and more, up to the zone @last. */
static unsigned long free_in_blocks(unsigned int least, enum zone_type last)
{
	unsigned int i, order;
	unsigned long pages = 0;
	struct zone *zone;
	int nid;

	for_each_online_node(nid) {
		for (i = FIRST_ZONE; i <= last; i++) {
			zone = &NODE_DATA(nid)->node_zones[i];
			for (order = least; order < ARRAY_SIZE(zone->free_area); order++)
				pages += READ_ONCE(zone->free_area[order].nr_free) << order;
		}
	}

	return pages;
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
/*
 * Of a file: alloc_contig_range() drops it rather than move it when it is clean, see
 * reclaim_clean_pages_from_list().
 */
static bool is_cache(struct folio *folio)
{
	return folio_test_lru(folio) && !folio_test_swapbacked(folio);
}

/*
 * Does a page wait for a device, or will who touches it? Then alloc_contig_range()
 * would wait as well, with no limit.
 */
static bool is_under_io(struct folio *folio)
{
	return folio_test_locked(folio) || folio_test_writeback(folio) ||
	       (is_cache(folio) && (folio_test_dirty(folio) || !folio_test_uptodate(folio)));
}

/* Is it cache that somebody uses, so that it would have to be read again? */
static bool is_in_use(struct folio *folio)
{
	return folio_test_active(folio) || folio_test_workingset(folio);
}

/* Would a program's huge page be split, for want of a place to move it to? */
static bool would_split(struct page *page)
{
	return PageHead(page) && folio_order(page_folio(page)) >= XENMEM_HUGE_ORDER &&
	       !free_in_blocks(XENMEM_HUGE_ORDER, ZONE_MOVABLE);
}

/*
 * Has somebody a page who is no page table: a pipe, a device that it is pinned for?
 * Then it cannot be moved. Of a large folio it is told by pins alone.
 */
static bool is_held(struct folio *folio)
{
	int expected = atomic_read(&folio->_mapcount) + 1 + folio_test_swapcache(folio);

	if (folio_test_large(folio))
		return folio_maybe_dma_pinned(folio);
	/* The page cache has it, and a filesystem that keeps something with it. */
	if (!folio_test_anon(folio))
		expected += !!READ_ONCE(folio->mapping) + folio_test_private(folio);

	return folio_ref_count(folio) > expected;
}

/*
 * Is a page locked in memory? Whoever did that may be a real-time program, which does
 * not bear that its pages are moved: vm.compact_unevictable_allowed = 0 keeps the
 * kernel's own compaction from it, but alloc_contig_range() does not ask.
 */
static bool is_mlocked(struct folio *folio)
{
	return folio_test_mlocked(folio) || folio_test_unevictable(folio);
}

/**
 * balloon_alloc_stuck - can a page not be moved just now, without waiting for a
 *	device, or is it not to be?
 * @page: the page, in use or not
 */
bool balloon_alloc_stuck(struct page *page)
{
	struct folio *folio = page_folio(page);

	/* A base page of ours goes, a page of a huge one does not. */
	if (PageBuddy(page) || __PageMovable(page))
		return false;
	if (PageReserved(page) || PageOffline(page))
		return true;
	/* Of the kernel, or of hugetlb's pool. */
	if ((page_count(page) || PageCompound(page)) && !PageLRU(page))
		return true;
	if (PageLRU(page) && (is_mlocked(folio) || is_held(folio)))
		return true;

	return is_under_io(folio);
}

/*
 * Can all that is in use in a region be moved, with no more than @max_cache pages
 * dropped, and none of these in use? Returns 0 if so; -EAGAIN when it could with more
 * free memory in one piece; -EBUSY and the number of the page in the way.
 */
static int region_movable(unsigned long start_pfn, unsigned int max_cache, unsigned int *at)
{
	struct page *page = pfn_to_online_page(start_pfn);
	unsigned int i, run, cache = 0;
	int ret = 0;

	*at = 0;
	if (!page || !balloon_region_is_plain(page))
		return -EBUSY;

	for (i = 0; i < XENMEM_HUGE_PAGES; i += max(run, 1U)) {
		struct folio *folio = page_folio(page + i);

		*at = i;
		run = free_run(page + i);
		if (run || __PageMovable(page + i))
			continue;
		if (balloon_alloc_stuck(page + i))
			return -EBUSY;
		if (is_cache(folio) && (is_in_use(folio) || ++cache > max_cache))
			return -EBUSY;
		if (would_split(page + i))
			ret = -EAGAIN;
	}

	return ret;
}

/*
 * Can a zone do without 2 MiB? What it keeps for those who can use no other it keeps,
 * as it would if the kernel asked the allocator for them.
 */
static bool has_spare(struct zone *zone)
{
	long kept = zone->lowmem_reserve[ZONE_NORMAL];

	return !kept || zone_page_state(zone, NR_FREE_PAGES) >=
			high_wmark_pages(zone) + kept + XENMEM_HUGE_PAGES;
}

/*
 * Has a node so much free memory that what is in a region of it can stay there? Else it
 * would go to another node, whatever programs have asked for.
 */
static bool node_has_spare(int nid)
{
	long spare = 0;
	unsigned int i;

	for (i = FIRST_ZONE; i <= ZONE_MOVABLE; i++) {
		struct zone *zone = &NODE_DATA(nid)->node_zones[i];

		spare += zone_page_state(zone, NR_FREE_PAGES) - high_wmark_pages(zone);
	}

	return spare >= (long)(2 * XENMEM_HUGE_PAGES);
}

/* May a region be made a huge page, of one node or, with NUMA_NO_NODE, any? */
static bool may_be_huge(unsigned long pfn, int nid)
{
	struct page *page = pfn_to_online_page(pfn);

	if (!page || (nid != NUMA_NO_NODE && (nid != page_to_nid(page) || !node_has_spare(nid))))
		return false;

	return balloon_region_may_stay(page) && !is_for_devices(page) && has_spare(page_zone(page));
}

/* Empty one region of what is in use. */
static struct page *contig_region(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	unsigned int i;

	if (alloc_contig_range(pfn, pfn + XENMEM_HUGE_PAGES, MIGRATE_MOVABLE, GFP_CONTIG))
		return NULL;

	/* Somebody who walks over all pages has one: they go one by one. */
	if (!balloon_join_pages(page)) {
		for (i = 0; i < XENMEM_HUGE_PAGES; i++)
			__free_page(page + i);
		return NULL;
	}

	return page;
}

/*
 * It is done by a work, since it may take for ever: a page that was fine at a look may
 * be locked by somebody who waits for a device when it is to be moved. Nothing of the
 * driver's is held meanwhile.
 */
static void empty_work(struct work_struct *work)
{
	struct balloon_alloc *a = container_of(work, struct balloon_alloc, empty);
	struct page *page = contig_region(a->region);

	a->huge = page;
	if (atomic_cmpxchg(&a->emptying, EMPTYING, EMPTYING_DONE) == EMPTYING) {
		complete(&a->emptied);
		return;
	}

	/* Nobody waits any more. */
	if (page)
		__free_pages(page, XENMEM_HUGE_ORDER);
	atomic_cmpxchg(&a->emptying, EMPTYING_LATE, EMPTYING_NOTHING);
}

/* Empty one region of what is in use, but do not wait longer than one is patient. */
static struct page *empty_region(struct balloon_alloc *a, unsigned long pfn)
{
	if (atomic_cmpxchg(&a->emptying, EMPTYING_NOTHING, EMPTYING) != EMPTYING_NOTHING)
		return NULL;

	a->region = pfn;
	reinit_completion(&a->emptied);
	queue_work(system_unbound_wq, &a->empty);
	if (!wait_for_completion_timeout(&a->emptied, CONTIG_PATIENCE)) {
		if (atomic_cmpxchg(&a->emptying, EMPTYING, EMPTYING_LATE) == EMPTYING) {
			pr_warn("something at pfn 0x%lx to 0x%lx waits for a device: until that answers no 2 MiB are made free\n",
				pfn, pfn + XENMEM_HUGE_PAGES - 1);
			return NULL;
		}
		/* Just now: it shall not be told of the next one. */
		wait_for_completion(&a->emptied);
	}
	atomic_cmpxchg(&a->emptying, EMPTYING_DONE, EMPTYING_NOTHING);

	return a->huge;
}

/* Can no region be emptied, since the last one is not yet? */
static bool is_late(const struct balloon_alloc *a)
{
	return atomic_read(&a->emptying) != EMPTYING_NOTHING;
}

/**
 * balloon_alloc_region - empty one region of what is in use, and take it
 * @xb: the driver
 * @pfn: its first pfn
 * @at: with -EBUSY, which of its pages is in the way, from 0 on
 *
 * Context: the worker, under step_lock; may sleep and move pages, so that
 * balloon_alloc_has_spare() shall be true.
 * Return: its first page, in transit; an ERR_PTR(): -EAGAIN when it can be emptied
 * once 2 MiB are free in one piece, or more is free on its node, or a region is that
 * was to be emptied before; -EBUSY when something in it cannot be moved, or
 * too much would be dropped; -ENOMEM when the kernel did not manage.
 */
struct page *balloon_alloc_region(struct xen_balloon *xb, unsigned long pfn, unsigned int *at)
{
	int ret = region_movable(pfn, FEW_CACHE, at);
	struct page *page;

	if (!ret && (!node_has_spare(page_to_nid(pfn_to_page(pfn))) || is_late(&xb->alloc)))
		ret = -EAGAIN;
	if (ret)
		return ERR_PTR(ret);

	page = empty_region(&xb->alloc, pfn);
	if (!page)
		return ERR_PTR(-ENOMEM);

	scrub(xb, page, XENMEM_HUGE_PAGES);
	balloon_take(&xb->queue, page, XENMEM_HUGE_ORDER);

	return page;
}

/* Each pass over memory lowers what is asked of a region; after the last is the first. */
static void next_pass(struct balloon_alloc *a)
{
	if (!a->min_free)
		a->min_free = XENMEM_HUGE_PAGES * 3 / 4;
	else
		a->min_free = a->min_free > 64 ? a->min_free / 2 : 0;
	a->left = nr_regions();
}

/* Where memory is so large that time was up first, the pass goes on after the rest. */
static void rest(struct xen_balloon *xb)
{
	struct balloon_alloc *a = &xb->alloc;

	balloon_count(xb, COUNT_CONTIG_RESTS, 1);
	if (a->looked >= nr_regions())
		balloon_alloc_restart(a);
	a->looked = 0;
	a->wasted_ns = 0;
	a->again_at = ktime_get_ns() + CONTIG_REST_NS;
}

/* The region to look at, by its first pfn: round and round. */
static unsigned long next_region(struct balloon_alloc *a)
{
	unsigned long start = balloon_regions_start() * XENMEM_HUGE_PAGES;
	unsigned long pfn = a->cursor;

	if (pfn < start || pfn >= balloon_regions_end() * XENMEM_HUGE_PAGES)
		pfn = start;

	a->cursor = pfn + XENMEM_HUGE_PAGES;
	a->left--;
	a->looked++;

	return pfn;
}

/*
 * Make a huge page: empty a region that is free to some part, of one node or,
 * with NUMA_NO_NODE, any. The freest go first.
 */
static struct page *contig_huge(struct xen_balloon *xb, unsigned int max_cache, int nid)
{
	struct balloon_alloc *a = &xb->alloc;
	u64 start = ktime_get_ns(), spent = 0;
	struct page *found = NULL;
	bool over = false;
	unsigned long pfn;
	unsigned int at;

	if (!balloon_alloc_rests(a) && is_late(a))
		rest(xb);
	if (balloon_alloc_rests(a))
		return NULL;

	while (!over && !found && spent < CONTIG_STEP_NS) {
		if (!a->left) {
			over = !a->min_free;
			next_pass(a);
			continue;
		}

		pfn = next_region(a);
		if (balloon_alloc_region_free(pfn) >= a->min_free &&
		    may_be_huge(pfn, nid) && !region_movable(pfn, max_cache, &at)) {
			balloon_count(xb, COUNT_CONTIG_TRIES, 1);
			found = empty_region(a, pfn);
		}
		spent = ktime_get_ns() - start;
	}

	if (found) {
		balloon_count(xb, COUNT_CONTIG_HUGE, 1);
		a->wasted_ns = 0;
		scrub(xb, found, XENMEM_HUGE_PAGES);
	} else {
		a->wasted_ns += spent;
		if (over || a->wasted_ns > CONTIG_WASTE_NS)
			rest(xb);
	}

	return found;
}
#else
bool balloon_alloc_stuck(struct page *page)
{
	return true;
}

struct page *balloon_alloc_region(struct xen_balloon *xb, unsigned long pfn, unsigned int *at)
{
	*at = 0;
	return ERR_PTR(-EBUSY);
}

static struct page *contig_huge(struct xen_balloon *xb, unsigned int max_cache, int nid)
{
	xb->alloc.again_at = ktime_get_ns() + CONTIG_REST_NS;
	return NULL;
}

static void empty_work(struct work_struct *work)
{
}
#endif

/**
 * balloon_alloc_init - nothing is searched for yet
 * @xb: the driver
 */
void balloon_alloc_init(struct xen_balloon *xb)
{
	struct balloon_alloc *a = &xb->alloc;

	INIT_LIST_HEAD(&a->held);
	INIT_WORK(&a->empty, empty_work);
	init_completion(&a->emptied);
	atomic_set(&a->emptying, EMPTYING_NOTHING);
	balloon_alloc_restart(a);
}

/**
 * balloon_alloc_end - no region is emptied any more
 * @xb: the driver, which otherwise goes on
 *
 * Context: may sleep, as long as a device does not answer.
 */
void balloon_alloc_end(struct xen_balloon *xb)
{
	mutex_lock(&xb->step_lock);
	atomic_set(&xb->alloc.emptying, EMPTYING_NO_MORE);
	mutex_unlock(&xb->step_lock);
	flush_work(&xb->alloc.empty);
}

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
	gfp_t gfp = scrubbed(xb, huge_gfp(xb));
	struct page *page;
	unsigned int n;

	for (n = 0; n < max; n++) {
		page = free_huge(NUMA_NO_NODE, gfp);
		if (!page && !n)
			page = contig_huge(xb, XENMEM_HUGE_PAGES, NUMA_NO_NODE);
		if (!page)
			break;
		balloon_take(&xb->queue, page, XENMEM_HUGE_ORDER);
		xb->pages[n] = page;
	}

	return n;
}

/**
 * balloon_alloc_has_spare - has the guest so much free memory that a huge page
 *	of it would not be missed?
 * @xb: the driver
 *
 * To empty a region takes as much free memory elsewhere.
 */
bool balloon_alloc_has_spare(struct xen_balloon *xb)
{
	return nr_free_pages() >= balloon_reserve(xb) + 2 * XENMEM_HUGE_PAGES;
}

/**
 * balloon_alloc_spare - take one huge page that the guest has no use for
 * @xb: the driver, for which balloon_alloc_has_spare() is true
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

/* Break one huge page: keep the first @max of it, free the others. */
static unsigned int break_huge(struct xen_balloon *xb, struct page **pages, unsigned int max)
{
	struct page *page = free_block(base_gfp(xb), XENMEM_HUGE_ORDER);
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

	while (n < max && tries-- && (page = alloc_page(base_gfp(xb)))) {
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
	return free_in_blocks(PAGE_ALLOC_COSTLY_ORDER, ZONE_NORMAL) >=
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
		if (order && !large_blocks_left(xb))
			order = 0;
		page = free_block(base_gfp(xb) & ~__GFP_RECLAIM, order);
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
static unsigned int singles(struct xen_balloon *xb, struct page **pages, unsigned int max)
{
	unsigned int n;

	for (n = 0; n < max; n++) {
		pages[n] = alloc_page(base_gfp(xb));
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
	if (READ_ONCE(xb->base_only)) {
		n = singles(xb, pages, max);
	} else if (max < XENMEM_HUGE_PAGES) {
		if (balloon_figures(&xb->queue).base)
			n = more_of_broken(xb, pages, max);
		if (!n)
			n = break_huge(xb, pages, max);
	}
	if (!n)
		n = by_region(xb, pages, max);
	if (!n) {
		/* What is not free yet, but can be reclaimed. */
		pages[0] = alloc_page(base_gfp(xb));
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

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/alloc-kunit.h"
#endif
