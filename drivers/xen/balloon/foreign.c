// SPDX-License-Identifier: GPL-2.0
/*
 * The foreign queue: unpopulated pages that are kept to be lent to drivers which
 * map other guests' memory. It is the in-tree driver's list, since those drivers
 * call xen_alloc_ballooned_pages() in the kernel. When that finds the list empty,
 * it balloons out pages from anywhere, which breaks superpages: so the list is
 * stocked with whole huge pages in good time, and those that are whole again
 * come back.
 *
 * The list is out of reach: it can be taken from and given to, at its head. What
 * is on it, or is lent, is in nobody's way but neither moved nor populated.
 */
#include <linux/ktime.h>
#include <linux/list_sort.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "balloon.h"
#include "trace.h"

/*
 * On x86 a kernel with CONFIG_XEN_UNPOPULATED_ALLOC has address space of its own
 * for what is mapped, and does not ask for ballooned pages.
 */
#define LOW_PAGES	(IS_ENABLED(CONFIG_XEN_UNPOPULATED_ALLOC) ? 0 : SZ_2M / PAGE_SIZE)
#define HIGH_PAGES	(LOW_PAGES * 4)

/* How long to wait at least before looking again for what is whole. */
#define TRIM_MIN_NS	NSEC_PER_SEC
#define TRIM_MAX_NS	(64 * NSEC_PER_SEC)
/* What one step takes for a guest that is to grow. */
#define TRIM_PAGES	(SZ_64M / PAGE_SIZE)

/* The most that is kept: what is stocked at once must not be too much. */
static unsigned long most(const struct xen_balloon *xb)
{
	unsigned long low = READ_ONCE(xb->foreign.low);
	unsigned long high = READ_ONCE(xb->foreign.high);

	return low ? max(high, low + XENMEM_HUGE_PAGES) : high;
}

/**
 * balloon_foreign_is_low - is there too little left to be lent?
 * @xb: the driver
 *
 * Context: any.
 */
bool balloon_foreign_is_low(const struct xen_balloon *xb)
{
	return xb->kernel->spare() < READ_ONCE(xb->foreign.low);
}

/**
 * balloon_foreign_excess - how much more is on the list than is kept there
 * @xb: the driver
 *
 * Return: pages.
 */
unsigned long balloon_foreign_excess(const struct xen_balloon *xb)
{
	unsigned long spare = xb->kernel->spare();

	return spare - min(spare, most(xb));
}

/* Was a region stocked as a whole, so that what is missing of it is lent? */
static bool is_stocked(struct xen_balloon *xb, struct list_head *region)
{
	return balloon_region_is_stocked(&xb->queue,
					 list_first_entry(region, struct page, lru));
}

/**
 * balloon_foreign_give_huge - let go of an unpopulated huge page: it can be lent
 * @xb: the driver
 * @page: its first page, in transit
 *
 * Context: step_lock held; may sleep.
 */
void balloon_foreign_give_huge(struct xen_balloon *xb, struct page *page)
{
	unsigned int i;

	split_page(page, XENMEM_HUGE_ORDER);
	for (i = 0; i < XENMEM_HUGE_PAGES; i++)
		xb->pages[i] = page + i;
	xb->kernel->give(xb, XENMEM_HUGE_PAGES);
}

/**
 * balloon_foreign_stock - keep a huge page of the huge queue to be lent
 * @xb: the driver
 *
 * Context: the worker, under step_lock; may sleep.
 * Return: false when there is none.
 */
bool balloon_foreign_stock(struct xen_balloon *xb)
{
	struct page *page;

	if (!balloon_dequeue_huge(&xb->queue, &page, 1, NUMA_NO_NODE))
		return false;

	trace_xen_balloon_foreign(page_to_pfn(page), XENMEM_HUGE_PAGES, FOREIGN_STOCKED);
	balloon_region_set_stocked(&xb->queue, page, true);
	balloon_foreign_give_huge(xb, page);
	balloon_count(xb, COUNT_FOREIGN_STOCKED, 1);

	return true;
}

static int by_pfn(void *unused, const struct list_head *a, const struct list_head *b)
{
	return page_to_pfn(list_entry(a, struct page, lru)) >
	       page_to_pfn(list_entry(b, struct page, lru));
}

/* Cut the pages of the first region off a sorted list. Returns how many. */
static unsigned int cut_region(struct list_head *from, struct list_head *region)
{
	struct page *page, *first = list_first_entry(from, struct page, lru);
	struct list_head *last = &first->lru;
	unsigned int nr = 0;

	list_for_each_entry(page, from, lru) {
		if (region_index(page) != region_index(first))
			break;
		last = &page->lru;
		nr++;
	}
	list_cut_position(region, from, last);

	return nr;
}

/* Take from the list what is above @low, but @max pages at most, and sort it. */
static void take_above(struct xen_balloon *xb, unsigned long low, unsigned long max,
		       struct list_head *taken)
{
	unsigned long spare;
	unsigned int i, nr;

	for (; max; max -= nr) {
		spare = xb->kernel->spare();
		nr = xb->kernel->take_spare(xb, min3(spare - min(spare, low), max,
						(unsigned long)XENMEM_MAX_BASE));
		if (!nr)
			break;
		for (i = 0; i < nr; i++) {
			balloon_adopt(&xb->queue, xb->pages[i]);
			list_add(&xb->pages[i]->lru, taken);
		}
		cond_resched();
	}
	list_sort(NULL, taken, by_pfn);
}

/* Are all pages of a region on a sorted list? */
static bool has_whole(const struct list_head *taken)
{
	unsigned long region = ULONG_MAX;
	unsigned int nr = 0;
	struct page *page;

	list_for_each_entry(page, taken, lru) {
		nr = region_index(page) == region ? nr + 1 : 1;
		region = region_index(page);
		if (nr == XENMEM_HUGE_PAGES)
			return true;
	}

	return false;
}

/* Pages of one region go back to the list. */
static void put_back(struct xen_balloon *xb, struct list_head *region)
{
	struct page *page, *next;
	unsigned int nr = 0;

	list_for_each_entry_safe(page, next, region, lru) {
		list_del(&page->lru);
		xb->pages[nr++] = page;
	}
	xb->kernel->give(xb, nr);
	cond_resched();
}

/*
 * Pages of one region become base pages, and 512 of them a huge page. Those
 * that no account can be kept of go back to the list. Returns how many stayed.
 */
static unsigned int keep(struct xen_balloon *xb, struct list_head *region, unsigned int nr)
{
	struct page *page = list_first_entry(region, struct page, lru), *next;
	bool whole = nr == XENMEM_HUGE_PAGES;

	if (balloon_region_prepare(&xb->queue, page)) {
		put_back(xb, region);
		return 0;
	}

	balloon_region_set_stocked(&xb->queue, page, false);
	trace_xen_balloon_foreign(page_to_pfn(page), nr, whole ? FOREIGN_WHOLE : FOREIGN_SCRAPS);
	list_for_each_entry_safe(page, next, region, lru) {
		list_del(&page->lru);
		balloon_enqueue(&xb->queue, page, 0);
	}
	balloon_count(xb, whole ? COUNT_FOREIGN_WHOLE : COUNT_FOREIGN_SCRAPS, whole ? 1 : nr);
	cond_resched();

	return nr;
}

/**
 * balloon_foreign_sweep - make sure that what is kept to be lent is unpopulated
 * @xb: the driver
 *
 * What is not, intree_take_spare() gives to the guest.
 *
 * Context: the worker, under step_lock; may sleep.
 */
void balloon_foreign_sweep(struct xen_balloon *xb)
{
	LIST_HEAD(taken);
	LIST_HEAD(region);

	take_above(xb, 0, ULONG_MAX, &taken);
	while (!list_empty(&taken)) {
		cut_region(&taken, &region);
		put_back(xb, &region);
	}
}

/**
 * balloon_foreign_trim - take back what is kept too much of
 * @xb: the driver
 * @scraps: also what is left of huge pages of which a part is lent
 *
 * Huge pages that are whole come back, and what never was of one. What is left of
 * others is of little use elsewhere: it stays, or comes back from those with the
 * fewest pages first. What is not whole becomes base pages, to be coalesced.
 *
 * Context: the worker, under step_lock; may sleep.
 * Return: pages, which are in the other queues now.
 */
unsigned long balloon_foreign_trim(struct xen_balloon *xb, bool scraps)
{
	unsigned int size = scraps ? XENMEM_HUGE_PAGES / 2 : 1, nr;
	unsigned long kept = 0;
	LIST_HEAD(taken);
	LIST_HEAD(region);
	LIST_HEAD(parts);

	if (!balloon_foreign_excess(xb))
		return 0;

	take_above(xb, READ_ONCE(xb->foreign.low), scraps ? TRIM_PAGES : ULONG_MAX, &taken);
	/* What is at the end of the list may be what a region lacks. */
	if (!scraps && !has_whole(&taken))
		take_above(xb, 0, ULONG_MAX, &taken);

	while (!list_empty(&taken)) {
		nr = cut_region(&taken, &region);
		if (nr == XENMEM_HUGE_PAGES || !is_stocked(xb, &region))
			kept += keep(xb, &region, nr);
		else
			list_splice_tail_init(&region, &parts);
	}
	for (; size; size /= 2) {
		list_splice_init(&parts, &taken);
		while (!list_empty(&taken)) {
			nr = cut_region(&taken, &region);
			if (nr >= size && (!scraps || xb->kernel->spare() + nr <= most(xb)))
				put_back(xb, &region);
			else
				list_splice_tail_init(&region, &parts);
		}
	}
	while (!list_empty(&parts)) {
		nr = cut_region(&parts, &region);
		kept += keep(xb, &region, nr);
	}

	return kept;
}

/**
 * balloon_foreign_upkeep - take back what is whole again, now and then
 * @xb: the driver, at its target, or where it can get no further
 *
 * To see what is on the list it has to be taken down, and who borrows in that
 * moment finds too little: so the next look comes later each time that there was
 * nothing.
 *
 * Context: the worker, under step_lock; may sleep.
 * Return: UPKEEP_GAINED when something came back, else UPKEEP_NOTHING.
 */
enum balloon_upkeep balloon_foreign_upkeep(struct xen_balloon *xb)
{
	struct balloon_foreign *f = &xb->foreign;
	u64 now = ktime_get_ns();
	bool gained, twice;

	if (now < f->trim_at)
		return UPKEEP_NOTHING;

	twice = balloon_counted_twice(xb);
	if (!twice && !balloon_foreign_excess(xb))
		return UPKEEP_NOTHING;
	if (twice)
		balloon_foreign_sweep(xb);
	gained = balloon_foreign_trim(xb, false);
	f->trim_delay_ns = gained ? TRIM_MIN_NS :
			   clamp_t(u64, f->trim_delay_ns * 2, TRIM_MIN_NS, TRIM_MAX_NS);
	f->trim_at = now + f->trim_delay_ns;

	return gained ? UPKEEP_GAINED : UPKEEP_NOTHING;
}

/**
 * balloon_foreign_init - the watermarks as they are unless somebody changes them
 * @xb: the driver
 */
void balloon_foreign_init(struct xen_balloon *xb)
{
	xb->foreign.low = LOW_PAGES;
	xb->foreign.high = HIGH_PAGES;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/foreign-kunit.h"
#endif
