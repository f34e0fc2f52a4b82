// SPDX-License-Identifier: GPL-2.0
/*
 * What is known of each aligned 2 MiB of the guest, a region: which of its pages
 * are ballooned base pages, whether Xen has it in one piece, and whether it was put
 * as a whole where drivers borrow.
 *
 * There is an entry for each region of the kernel's memory, and for each in which base
 * pages were. It is no more than a number as long as no page of it is in the base queue.
 */
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include <compat/pageblock.h>

#include "balloon.h"

/* Compaction or a shrinker works for who is to free memory: his reserves are not for us. */
#define GFP_REGION	(GFP_KERNEL | __GFP_NORETRY | __GFP_NOMEMALLOC | __GFP_NOWARN)
#define GFP_SPARE	(GFP_NOWAIT | __GFP_NOMEMALLOC | __GFP_NOWARN)

/* What an entry says beside the base pages: see struct balloon_region. */
#define INFO_STATE	GENMASK(15, 0)
#define INFO_STOCKED	BIT(16)

/**
 * balloon_regions_start - where the kernel's memory begins
 *
 * Return: number of the first region.
 */
unsigned long balloon_regions_start(void)
{
	unsigned long start = ULONG_MAX;
	int nid;

	for_each_online_node(nid)
		start = min(start, node_start_pfn(nid));

	return start / XENMEM_HUGE_PAGES;
}

/**
 * balloon_regions_end - where the kernel's memory ends
 *
 * Return: number of the region after the last that is there as a whole.
 */
unsigned long balloon_regions_end(void)
{
	unsigned long end = 0;
	int nid;

	for_each_online_node(nid)
		end = max(end, pgdat_end_pfn(NODE_DATA(nid)));

	return end / XENMEM_HUGE_PAGES;
}

/**
 * balloon_region_is_plain - is a region of one zone, and not kept for who needs it in
 *	one piece?
 * @page: its first page
 *
 * alloc_contig_range() would have the kernel forget that it keeps it, even in vain.
 *
 * Context: any.
 */
bool balloon_region_is_plain(struct page *page)
{
	return page_zone(page) == page_zone(page + XENMEM_HUGE_PAGES - 1) &&
	       !pageblock_is_kept(page);
}

/**
 * balloon_region_may_stay - may a region be one huge page of the balloon?
 * @page: its first page
 *
 * Not where pages must be able to leave, as a huge page cannot; nor where two zones
 * meet in it, since a huge page is given back to one.
 *
 * Context: any.
 */
bool balloon_region_may_stay(struct page *page)
{
	return zone_idx(page_zone(page)) < ZONE_MOVABLE && balloon_region_is_plain(page);
}

/* Only those with base pages are marked so, to find them among all others. */
#define HAS_BASE	XA_MARK_0

static struct balloon_region *to_region(void *entry)
{
	return entry && !xa_is_value(entry) ? entry : NULL;
}

/**
 * balloon_region_of - the region of a page
 * @q: the queue
 * @page: the page
 *
 * Context: queue.lock held.
 * Return: NULL when no account is kept of its base pages.
 */
struct balloon_region *balloon_region_of(struct balloon_queue *q, struct page *page)
{
	lockdep_assert_held(&q->lock);

	return to_region(xa_load(&q->regions.all, region_index(page)));
}

/**
 * balloon_region_next - the first region of whose base pages account is kept
 * @q: the queue
 * @number: from this one on
 *
 * Context: queue.lock held.
 * Return: NULL when there is none.
 */
struct balloon_region *balloon_region_next(struct balloon_queue *q, unsigned long number)
{
	lockdep_assert_held(&q->lock);

	return xa_find(&q->regions.all, &number, ULONG_MAX, HAS_BASE);
}

/**
 * balloon_region_fill - a region has so many base pages now
 * @q: the queue
 * @region: the region
 * @nr: how many
 *
 * Context: queue.lock held.
 */
void balloon_region_fill(struct balloon_queue *q, struct balloon_region *region,
			 unsigned int nr)
{
	struct balloon_regions *r = &q->regions;

	lockdep_assert_held(&q->lock);

	r->whole -= region->nr == XENMEM_HUGE_PAGES;
	r->whole += nr == XENMEM_HUGE_PAGES;
	region->nr = nr;
	list_move(&region->list, &r->by_fill[fls(nr)]);
}

/* Put @fresh in the place of what was known of the region of a page. */
static struct balloon_region *insert(struct balloon_queue *q, struct page *page,
				     struct balloon_region *fresh)
{
	struct balloon_regions *r = &q->regions;
	unsigned long number = region_index(page);
	void *entry;

	lockdep_assert_held(&q->lock);

	/* There is a place for it: see have_place(). */
	entry = xa_store(&r->all, number, fresh, GFP_NOWAIT);
	xa_set_mark(&r->all, number, HAS_BASE);
	fresh->info = xa_is_value(entry) ? xa_to_value(entry) : 0;
	fresh->start_pfn = number * XENMEM_HUGE_PAGES;
	list_add(&fresh->list, &r->by_fill[0]);

	return fresh;
}

/* From now on a region for a page can be inserted without any memory. */
static int have_place(struct balloon_queue *q, struct page *page, gfp_t gfp)
{
	return xa_reserve(&q->regions.all, region_index(page), gfp);
}

/* Have a region for a page, made of @fresh unless there is one already. */
static struct balloon_region *add(struct balloon_queue *q, struct page *page,
				  struct balloon_region *fresh)
{
	spin_lock(&q->lock);
	if (fresh && !balloon_region_of(q, page)) {
		insert(q, page, fresh);
		fresh = NULL;
	}
	spin_unlock(&q->lock);

	return fresh;
}

static bool exists(struct balloon_queue *q, struct page *page)
{
	bool exists;

	spin_lock(&q->lock);
	exists = balloon_region_of(q, page);
	spin_unlock(&q->lock);

	return exists;
}

/**
 * balloon_region_prepare - make sure that a base page can be queued
 * @q: the queue
 * @page: a page that balloon_enqueue() will be called for, by the same task
 *
 * Context: may sleep; no lock held.
 * Return: 0, or -ENOMEM when there is no memory to keep account of the page.
 */
int balloon_region_prepare(struct balloon_queue *q, struct page *page)
{
	struct balloon_region *fresh;

	if (exists(q, page))
		return 0;

	fresh = kzalloc(sizeof(*fresh), GFP_REGION);
	if (!fresh || have_place(q, page, GFP_REGION)) {
		kfree(fresh);
		return -ENOMEM;
	}

	kfree(add(q, page, fresh));
	return 0;
}

/**
 * balloon_region_prepare_last - the same, with memory that was put aside for it
 * @q: the queue
 * @page: the page
 *
 * A guest short of memory is the one that has to get some.
 *
 * Context: may sleep; no lock held.
 * Return: 0, or -ENOMEM when that is used up.
 */
int balloon_region_prepare_last(struct balloon_queue *q, struct page *page)
{
	struct balloon_regions *r = &q->regions;

	if (!balloon_region_prepare(q, page))
		return 0;
	if (!r->spare || have_place(q, page, GFP_REGION))
		return -ENOMEM;

	r->spare = add(q, page, r->spare);
	return 0;
}

/* Have the region of a page stay, be it @fresh. Returns it, or NULL without one. */
static struct balloon_region *await(struct balloon_queue *q, struct page *page,
				    struct balloon_region *fresh)
{
	struct balloon_region *region;

	spin_lock(&q->lock);
	region = balloon_region_of(q, page);
	if (!region && fresh)
		region = insert(q, page, fresh);
	if (region)
		region->awaited++;
	spin_unlock(&q->lock);

	return region;
}

/**
 * balloon_region_await - a base page may come to a region soon
 * @q: the queue
 * @page: that page
 *
 * Context: any task, with no lock of ours held; does not sleep.
 * Return: 0, and the region's @awaited is to be counted down; or -ENOMEM.
 */
int balloon_region_await(struct balloon_queue *q, struct page *page)
{
	struct balloon_region *fresh;

	if (await(q, page, NULL))
		return 0;

	fresh = kzalloc(sizeof(*fresh), GFP_SPARE);
	if (!fresh || have_place(q, page, GFP_SPARE)) {
		kfree(fresh);
		return -ENOMEM;
	}

	if (await(q, page, fresh) != fresh)
		kfree(fresh);
	return 0;
}

/*
 * Of some regions without a base page no account is kept any more. Returns whether there
 * are more.
 */
static bool cut_empty(struct balloon_queue *q, struct list_head *cut)
{
	struct balloon_regions *r = &q->regions;
	struct balloon_region *region, *next;
	unsigned int nr = 0;

	spin_lock(&q->lock);
	list_for_each_entry_safe(region, next, &r->by_fill[0], list) {
		if (region->awaited)
			continue;
		if (nr++ == BALLOON_LOCKED_REGIONS)
			break;
		xa_store(&r->all, region->start_pfn / XENMEM_HUGE_PAGES,
			 xa_mk_value(region->info), GFP_NOWAIT);
		xa_clear_mark(&r->all, region->start_pfn / XENMEM_HUGE_PAGES, HAS_BASE);
		list_move(&region->list, cut);
	}
	spin_unlock(&q->lock);

	return nr > BALLOON_LOCKED_REGIONS;
}

/**
 * balloon_regions_tidy - free what is kept for regions without a base page
 * @q: the queue, with no page in transit: it could not come back
 *
 * What compaction empties meanwhile may stay until the next time: it can go on for as
 * long as it likes.
 *
 * Context: may sleep; no lock held.
 */
void balloon_regions_tidy(struct balloon_queue *q)
{
	struct balloon_region *region, *next;
	LIST_HEAD(cut);
	bool more;

	do {
		INIT_LIST_HEAD(&cut);
		more = cut_empty(q, &cut);
		list_for_each_entry_safe(region, next, &cut, list)
			kfree(region);
		cond_resched();
	} while (more);

	if (!q->regions.spare)
		q->regions.spare = kzalloc(sizeof(*region), GFP_REGION);
}

/**
 * balloon_region_broken - did the balloon break the 2 MiB around a page?
 * @q: the queue
 * @page: any page
 *
 * Return: true when a base page of that region is in the queue.
 */
bool balloon_region_broken(struct balloon_queue *q, struct page *page)
{
	struct balloon_region *region;
	bool broken;

	spin_lock(&q->lock);
	region = balloon_region_of(q, page);
	broken = region && region->nr;
	spin_unlock(&q->lock);

	return broken;
}

/* One in which two nodes meet is on none. */
bool balloon_region_is_on(const struct balloon_region *region, int nid)
{
	struct page *page = pfn_to_page(region->start_pfn);

	return nid == NUMA_NO_NODE || (nid == page_to_nid(page) &&
				       nid == page_to_nid(page + XENMEM_HUGE_PAGES - 1));
}

/**
 * balloon_base_on - how many base pages are of one node
 * @q: the queue
 * @nid: the node
 *
 * Those of regions that are whole, and must stay base pages, do not count.
 */
unsigned long balloon_base_on(struct balloon_queue *q, int nid)
{
	struct balloon_regions *r = &q->regions;
	struct balloon_region *region;
	unsigned int class;
	unsigned long n = 0;

	spin_lock(&q->lock);
	if (num_online_nodes() == 1) {
		n = q->n.base - r->whole * XENMEM_HUGE_PAGES;
		spin_unlock(&q->lock);
		return n;
	}
	for (class = 1; class < fls(XENMEM_HUGE_PAGES); class++)
		list_for_each_entry(region, &r->by_fill[class], list)
			n += balloon_region_is_on(region, nid) ? region->nr : 0;
	spin_unlock(&q->lock);

	return n;
}

static unsigned long info_of(void *entry)
{
	struct balloon_region *region = to_region(entry);

	if (region)
		return region->info;

	return xa_is_value(entry) ? xa_to_value(entry) : 0;
}

static unsigned long read_info(struct balloon_queue *q, unsigned long number)
{
	void *entry;
	unsigned long info;

	spin_lock(&q->lock);
	entry = xa_load(&q->regions.all, number);
	info = info_of(entry);
	spin_unlock(&q->lock);

	return info;
}

/* Of regions that have no entry nothing is remembered. */
static void write_info(struct balloon_queue *q, unsigned long number, unsigned long mask,
		       unsigned long value)
{
	struct balloon_region *region;
	void *entry;

	spin_lock(&q->lock);
	entry = xa_load(&q->regions.all, number);
	region = to_region(entry);
	if (region)
		region->info = (region->info & ~mask) | value;
	else if (entry)
		xa_store(&q->regions.all, number,
			 xa_mk_value((xa_to_value(entry) & ~mask) | value), GFP_NOWAIT);
	spin_unlock(&q->lock);
}

/**
 * balloon_region_state - is a region a superpage? See heal.c
 * @q: the queue
 * @number: which region
 *
 * Context: any; queue.lock not held.
 */
u16 balloon_region_state(struct balloon_queue *q, unsigned long number)
{
	return FIELD_GET(INFO_STATE, read_info(q, number));
}

/**
 * balloon_region_set_state - remember that
 * @q: the queue
 * @number: which region
 * @state: REGION_WHOLE, REGION_SUSPECT or one of heal.c
 *
 * Context: any; queue.lock not held.
 */
void balloon_region_set_state(struct balloon_queue *q, unsigned long number, u16 state)
{
	write_info(q, number, INFO_STATE, FIELD_PREP(INFO_STATE, state));
}

/**
 * balloon_region_suspect - a base page was populated: its region is no superpage
 * @q: the queue
 * @page: the page
 *
 * Context: any; queue.lock not held.
 */
void balloon_region_suspect(struct balloon_queue *q, struct page *page)
{
	balloon_region_set_state(q, region_index(page), REGION_SUSPECT);
}

/**
 * balloon_region_whole - a huge page was populated as a whole
 * @q: the queue
 * @page: its first page
 *
 * Context: any; queue.lock not held.
 */
void balloon_region_whole(struct balloon_queue *q, struct page *page)
{
	balloon_region_set_state(q, region_index(page), REGION_WHOLE);
}

/**
 * balloon_region_is_stocked - was a region put as a whole where drivers borrow, so that
 *	what is missing of it is lent?
 * @q: the queue
 * @page: any page of it
 */
bool balloon_region_is_stocked(struct balloon_queue *q, struct page *page)
{
	return FIELD_GET(INFO_STOCKED, read_info(q, region_index(page)));
}

/**
 * balloon_region_set_stocked - remember that
 * @q: the queue
 * @page: any page of the region
 * @stocked: whether it was
 */
void balloon_region_set_stocked(struct balloon_queue *q, struct page *page, bool stocked)
{
	write_info(q, region_index(page), INFO_STOCKED, FIELD_PREP(INFO_STOCKED, stocked));
}

/**
 * balloon_regions_grow - an entry for each region of memory that was added
 * @q: the queue
 *
 * Without memory for all of them the others get one the next time.
 *
 * Context: step_lock held, but at load; may sleep.
 * Return: 0 or -ENOMEM.
 */
int balloon_regions_grow(struct balloon_queue *q)
{
	struct balloon_regions *r = &q->regions;
	unsigned long end = balloon_regions_end();
	int ret;

	for (; r->end < end; r->end++) {
		/* Compaction may have brought base pages there already. */
		ret = xa_insert(&r->all, r->end, xa_mk_value(REGION_WHOLE), GFP_REGION);
		if (ret == -ENOMEM)
			return ret;
		cond_resched();
	}

	return 0;
}

/**
 * balloon_regions_init - an entry for each region, of which nothing is known
 * @q: the queue
 *
 * Return: 0, or -ENOMEM with nothing to be undone.
 */
int balloon_regions_init(struct balloon_queue *q)
{
	struct balloon_regions *r = &q->regions;
	unsigned int i;

	xa_init(&r->all);
	for (i = 0; i < QUEUE_FILL_CLASSES; i++)
		INIT_LIST_HEAD(&r->by_fill[i]);
	r->start = balloon_regions_start();
	r->end = r->start;
	r->spare = kzalloc(sizeof(*r->spare), GFP_KERNEL);
	if (!r->spare)
		return -ENOMEM;
	if (!balloon_regions_grow(q))
		return 0;

	balloon_regions_exit(q);
	return -ENOMEM;
}

/**
 * balloon_regions_exit - undo balloon_regions_init()
 * @q: the queue, empty
 */
void balloon_regions_exit(struct balloon_queue *q)
{
	balloon_regions_tidy(q);
	kfree(q->regions.spare);
	q->regions.spare = NULL;
	xa_destroy(&q->regions.all);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/regions-kunit.h"
#endif
