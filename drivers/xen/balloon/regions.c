// SPDX-License-Identifier: GPL-2.0
/*
 * What is known of each aligned 2 MiB of the guest, a region: which of its pages
 * are ballooned base pages, whether Xen has it in one piece, how much of it is not on
 * its node, and whether it was put as a whole where drivers borrow.
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
#define INFO_AWAY	GENMASK(26, 17)

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
 * balloon_node_of - the queues that a region is in, or would be
 * @q: the queue
 * @page: its first page
 *
 * Context: any.
 * Return: those of its node; one in which nodes meet has others.
 */
struct balloon_node *balloon_node_of(struct balloon_queue *q, struct page *page)
{
	int nid = page_to_nid(page);

	return &q->nodes[nid == page_to_nid(page + XENMEM_HUGE_PAGES - 1) ? nid : nr_node_ids];
}

/* Of a region so much is away: no more than it has. */
static void set_away(struct balloon_queue *q, struct balloon_node *node, unsigned long *info,
		     unsigned int away)
{
	lockdep_assert_held(&q->lock);

	node->away += away - FIELD_GET(INFO_AWAY, *info);
	q->regions.away += away - FIELD_GET(INFO_AWAY, *info);
	*info = (*info & ~INFO_AWAY) | FIELD_PREP(INFO_AWAY, away);
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
	struct balloon_node *node = region->node;

	lockdep_assert_held(&q->lock);

	node->base = node->base + nr - region->nr;
	node->whole -= region->nr == XENMEM_HUGE_PAGES;
	node->whole += nr == XENMEM_HUGE_PAGES;
	region->nr = nr;
	list_move(&region->list, &node->by_fill[fls(nr)]);
	if (FIELD_GET(INFO_AWAY, region->info) > XENMEM_HUGE_PAGES - nr)
		set_away(q, node, &region->info, XENMEM_HUGE_PAGES - nr);
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
	fresh->node = balloon_node_of(q, pfn_to_page(fresh->start_pfn));
	list_add(&fresh->list, &fresh->node->by_fill[0]);

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
static bool cut_empty(struct balloon_queue *q, struct balloon_node *node, struct list_head *cut)
{
	struct balloon_regions *r = &q->regions;
	struct balloon_region *region, *next;
	unsigned int nr = 0;

	spin_lock(&q->lock);
	list_for_each_entry_safe(region, next, &node->by_fill[0], list) {
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

static void tidy_node(struct balloon_queue *q, struct balloon_node *node)
{
	struct balloon_region *region, *next;
	LIST_HEAD(cut);
	bool more;

	do {
		INIT_LIST_HEAD(&cut);
		more = cut_empty(q, node, &cut);
		list_for_each_entry_safe(region, next, &cut, list)
			kfree(region);
		if (more)
			cond_resched();
	} while (more);
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
	unsigned int i;

	for (i = 0; i <= nr_node_ids; i++)
		tidy_node(q, &q->nodes[i]);
	cond_resched();

	if (!q->regions.spare)
		q->regions.spare = kzalloc(sizeof(*q->regions.spare), GFP_REGION);
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

/**
 * balloon_base_on - how many base pages are of one node
 * @q: the queue
 * @nid: the node
 *
 * Those of regions that are whole, and must stay base pages, do not count.
 */
unsigned long balloon_base_on(struct balloon_queue *q, int nid)
{
	struct balloon_node *node = &q->nodes[nid];
	unsigned long n;

	spin_lock(&q->lock);
	n = node->base - node->whole * XENMEM_HUGE_PAGES;
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

/* So many more pages of a region are away, or, below 0, fewer: as far as it has them. */
static void change_away(struct balloon_queue *q, unsigned long number, int by)
{
	struct balloon_node *node = balloon_node_of(q, pfn_to_page(number * XENMEM_HUGE_PAGES));
	struct balloon_region *region;
	unsigned long info;
	void *entry;
	int away;

	spin_lock(&q->lock);
	entry = xa_load(&q->regions.all, number);
	region = to_region(entry);
	info = info_of(entry);
	away = (int)FIELD_GET(INFO_AWAY, info) + by;
	if (entry)
		set_away(q, node, &info, clamp_t(int, away, 0, XENMEM_HUGE_PAGES -
						 (region ? region->nr : 0)));
	if (region)
		region->info = info;
	else if (entry && xa_mk_value(info) != entry)
		xa_store(&q->regions.all, number, xa_mk_value(info), GFP_NOWAIT);
	spin_unlock(&q->lock);
}

/**
 * balloon_region_away - how much of a region's memory is of another node of the machine's
 * @q: the queue
 * @number: which region
 *
 * Of which pages that is nobody knows: those that are released are taken to be others.
 *
 * Context: any; queue.lock not held.
 * Return: pages, at most.
 */
unsigned int balloon_region_away(struct balloon_queue *q, unsigned long number)
{
	return READ_ONCE(q->regions.away) ? FIELD_GET(INFO_AWAY, read_info(q, number)) : 0;
}

/**
 * balloon_region_came - memory came for a page, or for a huge page
 * @q: the queue
 * @page: its first page
 * @order: its order
 * @away: is it of another node than it should?
 *
 * Context: any; queue.lock not held.
 */
void balloon_region_came(struct balloon_queue *q, struct page *page, unsigned int order, bool away)
{
	unsigned long number = region_index(page);

	if (away)
		change_away(q, number, order ? XENMEM_HUGE_PAGES : 1);
	else if (order && READ_ONCE(q->regions.away))
		change_away(q, number, -(int)XENMEM_HUGE_PAGES);
}

/* As a whole a region has none when its first page has none, and is no base page, nor lent. */
static bool has_memory(struct balloon_queue *q, struct page *page)
{
	return !PageOffline(page) || balloon_region_broken(q, page) ||
	       balloon_region_is_stocked(q, page);
}

/**
 * balloon_regions_moved - the guest's memory is somewhere else now
 * @q: the queue
 * @away: on which nodes of the machine nobody knows; or there are none that matter
 *
 * Context: may sleep; no lock held.
 */
void balloon_regions_moved(struct balloon_queue *q, bool away)
{
	struct balloon_regions *r = &q->regions;
	unsigned long number;
	struct page *page;

	if (!away && !READ_ONCE(r->away))
		return;

	for (number = r->start; number < r->end; number++) {
		page = pfn_to_online_page(number * XENMEM_HUGE_PAGES);
		if (page)
			change_away(q, number, away && has_memory(q, page) ? XENMEM_HUGE_PAGES :
							       -(int)XENMEM_HUGE_PAGES);
		cond_resched();
	}
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

	xa_init(&r->all);
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
