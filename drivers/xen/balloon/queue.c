// SPDX-License-Identifier: GPL-2.0
/*
 * The queues of ballooned pages and the accounting. A page changes state here
 * and nowhere else, and each change moves its count from one state to another
 * under queue.lock, so that the sum over all states never changes:
 *
 *	guest --take--> transit --enqueue--> huge, base
 *	huge, base --dequeue--> transit --give--> guest
 *	in-tree list --adopt--> transit --disown--> in-tree list
 *	transit --quarantine--> quarantined
 *
 * A page of order 9 looks as the allocator gave it: not compound, one
 * reference on its first page, none on the others. Its base pages have one
 * reference each when it is split. Unpopulated pages are PageOffline, so that
 * no dump and no /proc/kcore reads them.
 */
#include <linux/bitmap.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>
#include <linux/slab.h>

#include "balloon.h"

/**
 * balloon_queue_init - an empty queue
 * @q: the queue
 */
void balloon_queue_init(struct balloon_queue *q)
{
	unsigned int i;

	spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->huge);
	xa_init(&q->regions);
	for (i = 0; i < QUEUE_FILL_CLASSES; i++)
		INIT_LIST_HEAD(&q->by_fill[i]);
}

/**
 * balloon_queue_destroy - free what belongs to the queue
 * @q: the queue, empty
 */
void balloon_queue_destroy(struct balloon_queue *q)
{
	balloon_queue_trim(q);
	xa_destroy(&q->regions);
}

static unsigned long region_index(struct page *page)
{
	return page_to_pfn(page) >> XENMEM_HUGE_ORDER;
}

static void region_file(struct balloon_queue *q, struct balloon_region *region)
{
	list_move(&region->list, &q->by_fill[fls(region->nr)]);
}

/**
 * balloon_queue_prepare - make sure that a base page can be queued
 * @q: the queue
 * @page: a page that balloon_enqueue() will be called for, by the same task
 *
 * Context: may sleep; no lock held.
 * Return: 0, or -ENOMEM when there is no memory to keep account of the page.
 */
int balloon_queue_prepare(struct balloon_queue *q, struct page *page)
{
	unsigned long index = region_index(page);
	struct balloon_region *region;
	int ret;

	if (xa_load(&q->regions, index))
		return 0;

	region = kzalloc(sizeof(*region), GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (!region)
		return -ENOMEM;
	region->start_pfn = index << XENMEM_HUGE_ORDER;

	ret = xa_err(xa_store(&q->regions, index, region, GFP_KERNEL));
	if (ret) {
		kfree(region);
		return ret;
	}

	spin_lock(&q->lock);
	list_add(&region->list, &q->by_fill[0]);
	spin_unlock(&q->lock);

	return 0;
}

/**
 * balloon_queue_trim - free what is kept for regions without a base page
 * @q: the queue, with no page in transit: it could not come back
 */
void balloon_queue_trim(struct balloon_queue *q)
{
	struct balloon_region *region, *next;

	spin_lock(&q->lock);
	list_for_each_entry_safe(region, next, &q->by_fill[0], list) {
		list_del(&region->list);
		xa_erase(&q->regions, region->start_pfn >> XENMEM_HUGE_ORDER);
		kfree(region);
	}
	spin_unlock(&q->lock);
}

/**
 * balloon_take - the allocator gave us a page: guest to transit
 * @q: the queue
 * @page: its first page
 * @order: its order
 */
void balloon_take(struct balloon_queue *q, struct page *page, unsigned int order)
{
	adjust_managed_page_count(page, -(1L << order));

	spin_lock(&q->lock);
	q->n.guest -= 1UL << order;
	q->n.transit += 1UL << order;
	spin_unlock(&q->lock);
}

/**
 * balloon_adopt - the in-tree driver gave us an unpopulated base page
 * @q: the queue
 * @page: the page, to be passed to balloon_enqueue() next
 *
 * Such a page is reserved when it was never populated since boot.
 */
void balloon_adopt(struct balloon_queue *q, struct page *page)
{
	ClearPageReserved(page);
	set_page_count(page, 1);

	spin_lock(&q->lock);
	q->n.transit++;
	spin_unlock(&q->lock);
}

/**
 * balloon_disown - unpopulated base pages in transit go to the in-tree driver
 * @q: the queue
 * @nr: how many
 */
void balloon_disown(struct balloon_queue *q, unsigned int nr)
{
	spin_lock(&q->lock);
	q->n.transit -= nr;
	spin_unlock(&q->lock);
}

/**
 * balloon_give - free a populated page to the kernel: transit to guest
 * @q: the queue
 * @page: its first page
 * @order: its order
 */
void balloon_give(struct balloon_queue *q, struct page *page, unsigned int order)
{
	spin_lock(&q->lock);
	q->n.transit -= 1UL << order;
	q->n.guest += 1UL << order;
	spin_unlock(&q->lock);

	/* In this order, as free_reserved_page() does. */
	__free_pages(page, order);
	adjust_managed_page_count(page, 1L << order);
}

static void set_offline(struct page *page, unsigned int nr)
{
	while (nr--)
		__SetPageOffline(page++);
}

static void clear_offline(struct page *page, unsigned int nr)
{
	while (nr--)
		__ClearPageOffline(page++);
}

/* 512 base pages of one region are a huge page. */
static void region_join(struct balloon_queue *q, struct balloon_region *region)
{
	struct page *page = pfn_to_page(region->start_pfn);
	unsigned int i;

	lockdep_assert_held(&q->lock);

	for (i = 1; i < XENMEM_HUGE_PAGES; i++)
		set_page_count(page + i, 0);

	bitmap_zero(region->base, XENMEM_HUGE_PAGES);
	region->nr = 0;
	region_file(q, region);
	list_add(&page->lru, &q->huge);

	q->n.base -= XENMEM_HUGE_PAGES;
	q->n.huge++;
}

/**
 * balloon_enqueue - queue an unpopulated page: transit to huge or base
 * @q: the queue
 * @page: its first page; of order 0 it has been through balloon_queue_prepare()
 * @order: 0 or XENMEM_HUGE_ORDER
 *
 * The base page that makes an aligned 2 MiB whole turns it into a huge page.
 */
void balloon_enqueue(struct balloon_queue *q, struct page *page, unsigned int order)
{
	struct balloon_region *region;

	set_offline(page, 1U << order);

	spin_lock(&q->lock);
	q->n.transit -= 1UL << order;
	if (order) {
		list_add(&page->lru, &q->huge);
		q->n.huge++;
	} else {
		region = xa_load(&q->regions, region_index(page));
		__set_bit(page_to_pfn(page) - region->start_pfn, region->base);
		region->nr++;
		q->n.base++;
		if (region->nr == XENMEM_HUGE_PAGES)
			region_join(q, region);
		else
			region_file(q, region);
	}
	spin_unlock(&q->lock);
}

/**
 * balloon_dequeue_huge - take huge pages out: huge to transit
 * @q: the queue
 * @pages: where to put them
 * @max: how many at most
 *
 * Return: how many there were.
 */
unsigned int balloon_dequeue_huge(struct balloon_queue *q, struct page **pages,
				  unsigned int max)
{
	unsigned int i, n = 0;
	struct page *page;

	spin_lock(&q->lock);
	while (n < max) {
		page = list_first_entry_or_null(&q->huge, struct page, lru);
		if (!page)
			break;
		list_del(&page->lru);
		pages[n++] = page;
	}
	q->n.huge -= n;
	q->n.transit += n * XENMEM_HUGE_PAGES;
	spin_unlock(&q->lock);

	for (i = 0; i < n; i++)
		clear_offline(pages[i], XENMEM_HUGE_PAGES);

	return n;
}

/* The region with the fewest base pages, to within a factor of two. */
static struct balloon_region *emptiest_region(struct balloon_queue *q)
{
	unsigned int class;

	for (class = 1; class < QUEUE_FILL_CLASSES; class++)
		if (!list_empty(&q->by_fill[class]))
			return list_first_entry(&q->by_fill[class],
						struct balloon_region, list);
	return NULL;
}

/**
 * balloon_dequeue_base - take base pages out: base to transit
 * @q: the queue
 * @pages: where to put them
 * @max: how many at most
 *
 * The regions with the fewest ballooned pages go first: so the most regions
 * are whole again the soonest.
 *
 * Return: how many there were.
 */
unsigned int balloon_dequeue_base(struct balloon_queue *q, struct page **pages,
				  unsigned int max)
{
	struct balloon_region *region;
	unsigned int i, bit, n = 0;

	spin_lock(&q->lock);
	while (n < max && (region = emptiest_region(q))) {
		for_each_set_bit(bit, region->base, XENMEM_HUGE_PAGES) {
			if (n == max)
				break;
			__clear_bit(bit, region->base);
			region->nr--;
			pages[n++] = pfn_to_page(region->start_pfn + bit);
		}
		region_file(q, region);
	}
	q->n.base -= n;
	q->n.transit += n;
	spin_unlock(&q->lock);

	for (i = 0; i < n; i++)
		clear_offline(pages[i], 1);

	return n;
}

/**
 * balloon_dequeue_split - break a huge page up: huge to transit and base
 * @q: the queue
 * @pages: where to put its first base pages, which are in transit then
 * @max: how many of them, 1 to 512; the rest goes to the base queue
 *
 * Whatever of it comes back by balloon_enqueue() finds its place prepared.
 *
 * Context: may sleep; no lock held.
 * Return: @max; 0 when there is no huge page, or no memory to split it.
 */
unsigned int balloon_dequeue_split(struct balloon_queue *q, struct page **pages,
				   unsigned int max)
{
	struct page *page;
	unsigned int i;

	if (!balloon_dequeue_huge(q, &page, 1))
		return 0;

	if (balloon_queue_prepare(q, page)) {
		balloon_enqueue(q, page, XENMEM_HUGE_ORDER);
		return 0;
	}

	split_page(page, XENMEM_HUGE_ORDER);
	for (i = 0; i < max; i++)
		pages[i] = page + i;
	for (; i < XENMEM_HUGE_PAGES; i++)
		balloon_enqueue(q, page + i, 0);

	return max;
}

/**
 * balloon_quarantine - a page whose state cannot be trusted: it stays away
 *	from the kernel and from Xen for good
 * @q: the queue
 * @page: its first page
 * @order: its order
 */
void balloon_quarantine(struct balloon_queue *q, struct page *page, unsigned int order)
{
	set_offline(page, 1U << order);

	spin_lock(&q->lock);
	q->n.transit -= 1UL << order;
	q->n.quarantined += 1UL << order;
	spin_unlock(&q->lock);
}

/**
 * balloon_correct_guest - what the guest has was changed by somebody else
 * @q: the queue
 * @delta: pages that it has more, or fewer
 */
void balloon_correct_guest(struct balloon_queue *q, long delta)
{
	spin_lock(&q->lock);
	q->n.guest += delta;
	spin_unlock(&q->lock);
}

/**
 * balloon_figures - how many pages are in each state, all at one moment
 * @q: the queue
 */
struct balloon_figures balloon_figures(struct balloon_queue *q)
{
	struct balloon_figures n;

	spin_lock(&q->lock);
	n = q->n;
	spin_unlock(&q->lock);

	return n;
}

/* Is this how an unpopulated page of ours looks? */
static bool looks_queued(struct page *page)
{
	return PageOffline(page) && page_count(page) == 1;
}

/**
 * balloon_recount - the same figures, but counted page by page in the queues
 * @q: the queue
 * @bad: set to how many queued pages do not look as such
 *
 * Return: the huge and base figures as counted; the others as kept.
 */
struct balloon_figures balloon_recount(struct balloon_queue *q, unsigned long *bad)
{
	struct balloon_figures n;
	struct balloon_region *region;
	unsigned long index;
	struct page *page;
	unsigned int bit;

	spin_lock(&q->lock);
	n = q->n;
	n.huge = 0;
	n.base = 0;
	*bad = 0;

	list_for_each_entry(page, &q->huge, lru) {
		n.huge++;
		*bad += !looks_queued(page);
	}
	xa_for_each(&q->regions, index, region) {
		for_each_set_bit(bit, region->base, XENMEM_HUGE_PAGES) {
			n.base++;
			*bad += !looks_queued(pfn_to_page(region->start_pfn + bit));
		}
	}
	spin_unlock(&q->lock);

	return n;
}

/**
 * balloon_fullest_region - a region that the balloon has broken already
 * @q: the queue
 * @start_pfn: set to its first pfn
 *
 * Asked again, it names another one of those that hold about as many.
 *
 * Return: false when there is no base page at all.
 */
bool balloon_fullest_region(struct balloon_queue *q, unsigned long *start_pfn)
{
	struct balloon_region *region = NULL;
	unsigned int class = QUEUE_FILL_CLASSES;

	spin_lock(&q->lock);
	while (--class && !region)
		region = list_first_entry_or_null(&q->by_fill[class],
						  struct balloon_region, list);
	if (region) {
		*start_pfn = region->start_pfn;
		list_move_tail(&region->list, &q->by_fill[fls(region->nr)]);
	}
	spin_unlock(&q->lock);

	return region;
}
