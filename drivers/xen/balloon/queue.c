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
 *
 * Return: 0 or -ENOMEM.
 */
int balloon_queue_init(struct balloon_queue *q)
{
	unsigned int i;

	spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->huge);
	q->regions = RB_ROOT;
	for (i = 0; i < QUEUE_FILL_CLASSES; i++)
		INIT_LIST_HEAD(&q->by_fill[i]);
	q->spare = kzalloc(sizeof(*q->spare), GFP_KERNEL);

	return q->spare ? 0 : -ENOMEM;
}

static int region_cmp_start(const void *start_pfn, const struct rb_node *node)
{
	const struct balloon_region *region =
		rb_entry(node, struct balloon_region, node);
	unsigned long start = *(const unsigned long *)start_pfn;

	return start < region->start_pfn ? -1 : start > region->start_pfn;
}

static int region_cmp(struct rb_node *new, const struct rb_node *node)
{
	return region_cmp_start(&rb_entry(new, struct balloon_region, node)->start_pfn, node);
}

/* The region of a page; NULL when it has none. */
static struct balloon_region *region_of(struct balloon_queue *q, struct page *page)
{
	unsigned long start = round_down(page_to_pfn(page), XENMEM_HUGE_PAGES);
	struct rb_node *node;

	lockdep_assert_held(&q->lock);

	node = rb_find(&start, &q->regions, region_cmp_start);
	return node ? rb_entry(node, struct balloon_region, node) : NULL;
}

static void region_file(struct balloon_queue *q, struct balloon_region *region)
{
	list_move(&region->list, &q->by_fill[fls(region->nr)]);
}

/* Have a region for a page, made of @fresh unless there is one already. */
static struct balloon_region *region_add(struct balloon_queue *q, struct page *page,
					 struct balloon_region *fresh)
{
	spin_lock(&q->lock);
	if (fresh && !region_of(q, page)) {
		fresh->start_pfn = round_down(page_to_pfn(page), XENMEM_HUGE_PAGES);
		rb_find_add(&fresh->node, &q->regions, region_cmp);
		list_add(&fresh->list, &q->by_fill[0]);
		fresh = NULL;
	}
	spin_unlock(&q->lock);

	return fresh;
}

static bool region_exists(struct balloon_queue *q, struct page *page)
{
	bool exists;

	spin_lock(&q->lock);
	exists = region_of(q, page);
	spin_unlock(&q->lock);

	return exists;
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
	struct balloon_region *fresh;

	if (region_exists(q, page))
		return 0;

	fresh = kzalloc(sizeof(*fresh), GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
	if (!fresh)
		return -ENOMEM;

	kfree(region_add(q, page, fresh));
	return 0;
}

/**
 * balloon_queue_trim - free what is kept for regions without a base page
 * @q: the queue, with no page in transit: it could not come back
 *
 * Context: may sleep; no lock held.
 */
void balloon_queue_trim(struct balloon_queue *q)
{
	struct balloon_region *region, *next;

	spin_lock(&q->lock);
	list_for_each_entry_safe(region, next, &q->by_fill[0], list) {
		list_del(&region->list);
		rb_erase(&region->node, &q->regions);
		kfree(region);
	}
	spin_unlock(&q->lock);

	if (!q->spare)
		q->spare = kzalloc(sizeof(*q->spare),
				   GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
}

/**
 * balloon_queue_destroy - free what belongs to the queue
 * @q: the queue, empty
 */
void balloon_queue_destroy(struct balloon_queue *q)
{
	balloon_queue_trim(q);
	kfree(q->spare);
	q->spare = NULL;
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

/**
 * balloon_take - the allocator gave us a page: guest to transit
 * @q: the queue
 * @page: its first page
 * @order: its order
 */
void balloon_take(struct balloon_queue *q, struct page *page, unsigned int order)
{
	adjust_managed_page_count(page, -(1L << order));
	set_offline(page, 1U << order);

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
	set_offline(page, 1);

	spin_lock(&q->lock);
	q->n.transit++;
	spin_unlock(&q->lock);
}

/**
 * balloon_disown - unpopulated base pages in transit go to the in-tree driver
 * @q: the queue
 * @pages: the pages
 * @nr: how many
 */
void balloon_disown(struct balloon_queue *q, struct page **pages, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		clear_offline(pages[i], 1);

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

	clear_offline(page, 1U << order);
	/* In this order, as free_reserved_page() does. */
	__free_pages(page, order);
	adjust_managed_page_count(page, 1L << order);
}

/**
 * balloon_join_pages - make 512 base pages look as one page of order 9
 * @page: the first of them; each has one reference, ours
 *
 * Return: false, with nothing changed, when one has another reference.
 */
bool balloon_join_pages(struct page *page)
{
	unsigned int i;

	for (i = 1; i < XENMEM_HUGE_PAGES; i++)
		if (!page_ref_freeze(page + i, 1))
			break;
	if (i == XENMEM_HUGE_PAGES)
		return true;

	while (--i)
		page_ref_unfreeze(page + i, 1);
	return false;
}

/*
 * 512 base pages of one region are a huge page. Should somebody who walks over
 * all pages have a reference on one of them just now, they stay base pages.
 */
static void region_join(struct balloon_queue *q, struct balloon_region *region)
{
	struct page *page = pfn_to_page(region->start_pfn);

	lockdep_assert_held(&q->lock);

	if (!balloon_join_pages(page))
		return;

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

	spin_lock(&q->lock);
	q->n.transit -= 1UL << order;
	if (order) {
		list_add(&page->lru, &q->huge);
		q->n.huge++;
	} else {
		region = region_of(q, page);
		__set_bit(page_to_pfn(page) - region->start_pfn, region->base);
		region->nr++;
		q->n.base++;
		region_file(q, region);
		if (region->nr == XENMEM_HUGE_PAGES)
			region_join(q, region);
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
	unsigned int n = 0;
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
	unsigned int bit, n = 0;

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

	return n;
}

/**
 * balloon_dequeue_split - take out a huge page that may be broken up: huge to
 *	transit
 * @q: the queue
 *
 * Its base pages have their place prepared: after split_page() each may come
 * back by balloon_enqueue() on its own.
 *
 * Context: may sleep; no lock held.
 * Return: the page; NULL when there is none, or no memory to break it up.
 */
struct page *balloon_dequeue_split(struct balloon_queue *q)
{
	struct page *page;

	if (!balloon_dequeue_huge(q, &page, 1))
		return NULL;

	if (balloon_queue_prepare(q, page)) {
		/* A guest short of memory is the one that has to get some. */
		if (!q->spare) {
			balloon_enqueue(q, page, XENMEM_HUGE_ORDER);
			return NULL;
		}
		q->spare = region_add(q, page, q->spare);
	}

	return page;
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
	struct rb_node *node;
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
	for (node = rb_first(&q->regions); node; node = rb_next(node)) {
		region = rb_entry(node, struct balloon_region, node);
		for_each_set_bit(bit, region->base, XENMEM_HUGE_PAGES) {
			n.base++;
			*bad += !looks_queued(pfn_to_page(region->start_pfn + bit));
		}
	}
	spin_unlock(&q->lock);

	return n;
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
	region = region_of(q, page);
	broken = region && region->nr;
	spin_unlock(&q->lock);

	return broken;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/queue-kunit.h"
#endif
