// SPDX-License-Identifier: GPL-2.0
/*
 * The queues of ballooned pages and the accounting. A page changes state here
 * and nowhere else, and each change moves its count from one state to another
 * under queue.lock, so that the sum over all states never changes:
 *
 *	guest --take--> transit --enqueue--> huge, base
 *	huge, base --dequeue--> transit --give--> guest
 *	base <--move--> guest
 *	in-tree list --adopt--> transit --disown--> in-tree list
 *	transit --quarantine--> quarantined
 *	huge, base --dequeue--> quarantined, when it was reported as bad
 *	huge, base --leave--> leaving --leave_end--> (offline)
 *
 * A page of order 9 looks as the allocator gave it: not compound, one
 * reference on its first page, none on the others. Its base pages have one
 * reference each when it is split. How an unpopulated page is marked: see mark.c.
 *
 * What is in the base queue may be moved by the kernel's memory compaction (see
 * migrate.c) at any time, until it is taken out: a page that is just being moved
 * cannot be.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/nodemask.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>
#include <linux/printk.h>
#include <linux/slab.h>

#include <compat/balloon_compaction.h>

#include "balloon.h"

/**
 * balloon_queue_init - an empty queue
 * @q: the queue
 *
 * Return: 0 or -ENOMEM.
 */
int balloon_queue_init(struct balloon_queue *q)
{
	unsigned int i, class;
	int ret;

	spin_lock_init(&q->lock);
	INIT_LIST_HEAD(&q->leaving_huge);
	INIT_LIST_HEAD(&q->leaving_base);
	balloon_devinfo_init(&q->movable);
	q->nodes = kcalloc(nr_node_ids + 1, sizeof(*q->nodes), GFP_KERNEL);
	if (!q->nodes)
		return -ENOMEM;
	for (i = 0; i <= nr_node_ids; i++) {
		q->nodes[i].wish = ULONG_MAX;
		INIT_LIST_HEAD(&q->nodes[i].huge);
		for (class = 0; class < QUEUE_FILL_CLASSES; class++)
			INIT_LIST_HEAD(&q->nodes[i].by_fill[class]);
	}

	ret = balloon_regions_init(q);
	if (ret) {
		kfree(q->nodes);
		q->nodes = NULL;
	}

	return ret;
}

/* A huge page comes to its node's, or goes from there. */
static void add_huge(struct balloon_queue *q, struct page *page)
{
	struct balloon_node *node = &q->nodes[page_to_nid(page)];

	list_add(&page->lru, &node->huge);
	node->nr_huge++;
	q->n.huge++;
}

static void del_huge(struct balloon_queue *q, struct page *page)
{
	list_del(&page->lru);
	q->nodes[page_to_nid(page)].nr_huge--;
	q->n.huge--;
}

/* A page comes to the base pages of its region, or goes from there. */
static void count_base(struct balloon_queue *q, struct balloon_region *region,
		       struct page *page, int by)
{
	__change_bit(page_to_pfn(page) - region->start_pfn, region->base);
	balloon_region_fill(q, region, region->nr + by);
	if (region->start_pfn < q->recounted_to)
		q->recounted += by;
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
	balloon_mark(page, 1U << order);

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
	/* Of a page without a reference nobody can get one. */
	if (!page_count(page))
		set_page_count(page, 1);
	balloon_mark(page, 1);

	spin_lock(&q->lock);
	q->n.transit++;
	spin_unlock(&q->lock);
}

/**
 * balloon_disown - unpopulated base pages in transit go to the in-tree driver
 * @q: the queue
 * @pages: the pages
 * @nr: how many
 *
 * Context: may sleep; no lock held.
 */
void balloon_disown(struct balloon_queue *q, struct page **pages, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		balloon_forget(pages[i]);

	spin_lock(&q->lock);
	q->n.transit -= nr;
	spin_unlock(&q->lock);
}

/**
 * balloon_give - free a populated page to the kernel: transit to guest
 * @q: the queue
 * @page: its first page
 * @order: its order
 *
 * Context: may sleep; no lock held.
 */
void balloon_give(struct balloon_queue *q, struct page *page, unsigned int order)
{
	spin_lock(&q->lock);
	q->n.transit -= 1UL << order;
	q->n.guest += 1UL << order;
	spin_unlock(&q->lock);

	/* Nobody can get a reference to those without one. */
	balloon_unmark(page + 1, (1U << order) - 1);
	balloon_forget(page);
	/* In this order, as free_reserved_page() does. */
	__free_pages(page, order);
	adjust_managed_page_count(page, 1L << order);
}

/*
 * 512 base pages of one region are a huge page, unless they must be able to leave it.
 * Should compaction or somebody who walks over all pages have one of them just now,
 * they stay base pages for the time being: see balloon_queue_tidy().
 */
static void region_join(struct balloon_queue *q, struct balloon_region *region)
{
	struct page *page = pfn_to_page(region->start_pfn);

	lockdep_assert_held(&q->lock);

	if (!balloon_region_may_stay(page) || !balloon_join_region(q, page))
		return;

	bitmap_zero(region->base, XENMEM_HUGE_PAGES);
	balloon_region_fill(q, region, 0);
	q->n.base -= XENMEM_HUGE_PAGES;
	add_huge(q, page);
}

/* Make huge pages of all regions that are whole, and may be one. */
static void join_whole(struct balloon_queue *q, struct balloon_node *node)
{
	struct list_head *whole = &node->by_fill[fls(XENMEM_HUGE_PAGES)];
	unsigned long left = READ_ONCE(node->whole);
	struct balloon_region *region;
	unsigned int i;

	while (left) {
		spin_lock(&q->lock);
		for (i = 0; left && i < BALLOON_LOCKED_REGIONS; i++, left--) {
			region = list_first_entry_or_null(whole, struct balloon_region, list);
			if (!region)
				break;
			list_move_tail(&region->list, whole);
			region_join(q, region);
		}
		spin_unlock(&q->lock);
		if (!i)
			break;
		cond_resched();
	}
}

/**
 * balloon_queue_tidy - free what is kept for regions without a base page, and
 *	make huge pages of those that are whole
 * @q: the queue, with no page in transit: it could not come back
 *
 * Context: may sleep; no lock held.
 */
void balloon_queue_tidy(struct balloon_queue *q)
{
	unsigned int i;

	for (i = 0; i <= nr_node_ids; i++)
		join_whole(q, &q->nodes[i]);
	balloon_regions_tidy(q);
}

/**
 * balloon_queue_destroy - free what belongs to the queue
 * @q: the queue, empty
 */
void balloon_queue_destroy(struct balloon_queue *q)
{
	balloon_queue_tidy(q);
	balloon_regions_exit(q);
	kfree(q->nodes);
	q->nodes = NULL;
}

/**
 * balloon_enqueue - queue an unpopulated page: transit to huge or base
 * @q: the queue
 * @page: its first page; of order 0 it has been through balloon_region_prepare()
 * @order: 0 or XENMEM_HUGE_ORDER
 *
 * The base page that makes an aligned 2 MiB whole turns it into a huge page.
 */
void balloon_enqueue(struct balloon_queue *q, struct page *page, unsigned int order)
{
	struct balloon_region *region;

	/* What has no memory is nowhere. */
	balloon_region_came(q, page, order, false);

	spin_lock(&q->lock);
	q->n.transit -= 1UL << order;
	if (order) {
		add_huge(q, page);
	} else {
		region = balloon_region_of(q, page);
		count_base(q, region, page, 1);
		q->n.base++;
		balloon_let_move(q, page);
		if (region->nr == XENMEM_HUGE_PAGES)
			region_join(q, region);
	}
	spin_unlock(&q->lock);
}

/* Take out the huge page of a node that came last. */
static struct page *pop_huge(struct balloon_queue *q, struct balloon_node *node)
{
	struct page *page;

	spin_lock(&q->lock);
	page = list_first_entry_or_null(&node->huge, struct page, lru);
	if (page) {
		del_huge(q, page);
		q->n.transit += XENMEM_HUGE_PAGES;
	}
	spin_unlock(&q->lock);

	return page;
}

/*
 * A page that the machine reported as bad (memory_failure()) while it was ballooned out
 * goes to nobody any more. That was of no harm to anybody: it had no memory.
 */
static void set_apart(struct balloon_queue *q, struct page *page, unsigned int order)
{
	lockdep_assert_held(&q->lock);

	pr_warn_ratelimited("pfn 0x%lx of order %u was reported as bad while it was ballooned out: %lu KiB out of use for good\n",
			    page_to_pfn(page), order, PAGES_TO_KB(1UL << order));
	q->n.quarantined += 1UL << order;
	q->n.bad += 1UL << order;
}

static void set_apart_in_transit(struct balloon_queue *q, struct page *page, unsigned int order)
{
	spin_lock(&q->lock);
	q->n.transit -= 1UL << order;
	set_apart(q, page, order);
	spin_unlock(&q->lock);
}

static bool has_bad(struct page *page)
{
	unsigned int i;

	for (i = 0; i < XENMEM_HUGE_PAGES; i++)
		if (PageHWPoison(page + i))
			return true;

	return false;
}

/* Of a huge page with bad ones in it the others are base pages from now on. */
static void break_bad(struct balloon_queue *q, struct page *page)
{
	unsigned int i;

	/* Without memory for that, all of it is out of use. */
	if (balloon_region_prepare_last(q, page)) {
		set_apart_in_transit(q, page, XENMEM_HUGE_ORDER);
		return;
	}

	split_page(page, XENMEM_HUGE_ORDER);
	for (i = 0; i < XENMEM_HUGE_PAGES; i++) {
		if (PageHWPoison(page + i))
			set_apart_in_transit(q, page + i, 0);
		else
			balloon_enqueue(q, page + i, 0);
	}
}

static unsigned int dequeue_node(struct balloon_queue *q, struct balloon_node *node,
				 struct page **pages, unsigned int max)
{
	unsigned int n = 0;
	struct page *page;

	while (n < max && (page = pop_huge(q, node))) {
		if (has_bad(page))
			break_bad(q, page);
		else
			pages[n++] = page;
	}

	return n;
}

/**
 * balloon_dequeue_huge - take huge pages out: huge to transit
 * @q: the queue
 * @pages: where to put them
 * @max: how many at most
 * @nid: of which node, or NUMA_NO_NODE
 *
 * Context: may sleep; no lock held.
 * Return: how many there were.
 */
unsigned int balloon_dequeue_huge(struct balloon_queue *q, struct page **pages,
				  unsigned int max, int nid)
{
	unsigned int i, n = 0;

	if (nid != NUMA_NO_NODE)
		return dequeue_node(q, &q->nodes[nid], pages, max);

	for (i = 0; n < max && i < nr_node_ids; i++)
		n += dequeue_node(q, &q->nodes[i], pages + n, max - n);

	return n;
}

/* Take up to @max base pages out of one region. Returns how many. */
static unsigned int dequeue_region(struct balloon_queue *q, struct balloon_region *region,
				   struct page **pages, unsigned int max)
{
	unsigned int bit, n = 0;
	struct page *page;

	for_each_set_bit(bit, region->base, XENMEM_HUGE_PAGES) {
		if (n == max)
			break;
		page = pfn_to_page(region->start_pfn + bit);
		if (!balloon_keep_still(q, page))
			continue;
		count_base(q, region, page, -1);
		if (PageHWPoison(page)) {
			q->n.base--;
			set_apart(q, page, 0);
			continue;
		}
		pages[n++] = page;
	}

	return n;
}

/* Take up to @max base pages out of the regions of one node. Returns how many. */
static unsigned int dequeue_node_base(struct balloon_queue *q, struct balloon_node *node,
				      struct page **pages, unsigned int max)
{
	struct balloon_region *region, *next;
	unsigned int class, n = 0;

	for (class = 1; n < max && class < QUEUE_FILL_CLASSES; class++) {
		list_for_each_entry_safe(region, next, &node->by_fill[class], list) {
			if (n == max)
				break;
			n += dequeue_region(q, region, pages + n, max - n);
		}
	}

	return n;
}

/**
 * balloon_dequeue_base - take base pages out: base to transit
 * @q: the queue
 * @pages: where to put them
 * @max: how many at most
 * @nid: of which node, or NUMA_NO_NODE; a region in which nodes meet is of none
 *
 * The regions of a node with the fewest ballooned pages, to within a factor of two, go
 * first: so the most regions are whole again the soonest. What compaction is
 * moving just now stays.
 *
 * Return: how many there were.
 */
unsigned int balloon_dequeue_base(struct balloon_queue *q, struct page **pages,
				  unsigned int max, int nid)
{
	unsigned int i, n = 0;

	spin_lock(&q->lock);
	for (i = 0; i <= nr_node_ids; i++)
		if (nid == NUMA_NO_NODE || i == nid)
			n += dequeue_node_base(q, &q->nodes[i], pages + n, max - n);
	q->n.base -= n;
	q->n.transit += n;
	spin_unlock(&q->lock);

	return n;
}

/**
 * balloon_dequeue_split - take out a huge page that may be broken up: huge to
 *	transit
 * @q: the queue
 * @nid: of which node, or NUMA_NO_NODE
 *
 * Its base pages have their place prepared: after split_page() each may come
 * back by balloon_enqueue() on its own.
 *
 * Context: may sleep; no lock held.
 * Return: the page; NULL when there is none, or no memory to break it up.
 */
struct page *balloon_dequeue_split(struct balloon_queue *q, int nid)
{
	struct page *page;

	if (!balloon_dequeue_huge(q, &page, 1, nid))
		return NULL;

	if (balloon_region_prepare_last(q, page)) {
		balloon_enqueue(q, page, XENMEM_HUGE_ORDER);
		return NULL;
	}

	return page;
}

/**
 * balloon_move_begin - a base page may change places with another page soon
 * @q: the queue
 * @newpage: that other one
 *
 * Context: any task, with no lock of ours held; does not sleep.
 * Return: 0, to be followed by balloon_move_end() or balloon_move_cancel(); or
 * -ENOMEM.
 */
int balloon_move_begin(struct balloon_queue *q, struct page *newpage)
{
	return balloon_region_await(q, newpage);
}

/**
 * balloon_move_cancel - they did not
 * @q: the queue
 * @newpage: as for balloon_move_begin()
 */
void balloon_move_cancel(struct balloon_queue *q, struct page *newpage)
{
	spin_lock(&q->lock);
	balloon_region_of(q, newpage)->awaited--;
	spin_unlock(&q->lock);
}

static void move_in(struct balloon_queue *q, struct page *newpage)
{
	struct balloon_region *region = balloon_region_of(q, newpage);

	lockdep_assert_held(&q->lock);

	region->awaited--;
	count_base(q, region, newpage, 1);
	get_page(newpage);
	spin_lock_irq(&q->movable.pages_lock);
	balloon_page_insert(&q->movable, newpage);
	q->movable.isolated_pages--;
	spin_unlock_irq(&q->movable.pages_lock);
}

/**
 * balloon_move_end - a base page is the kernel's, and another one is a base page
 *	in its place
 * @q: the queue
 * @newpage: unpopulated, from now on in the base queue; locked
 * @page: populated; locked, and isolated by the kernel, which frees it
 */
void balloon_move_end(struct balloon_queue *q, struct page *newpage, struct page *page)
{
	if (page_zone(page) != page_zone(newpage)) {
		adjust_managed_page_count(newpage, -1);
		adjust_managed_page_count(page, 1);
	}

	spin_lock(&q->lock);
	move_in(q, newpage);
	count_base(q, balloon_region_of(q, page), page, -1);
	spin_unlock(&q->lock);

	balloon_page_finalize(page);
	put_page(page);
}

/**
 * balloon_move_lose - the other one is a base page, and the first one still is:
 *	guest to base
 * @q: the queue
 * @newpage: unpopulated, from now on in the base queue; locked
 * @page: unpopulated as before; locked, and isolated by the kernel, which lets
 *	go of it
 *
 * The kernel still has @page on a list of its own: it may not be moved from now
 * on, and not be taken out before the kernel has let go of it.
 */
void balloon_move_lose(struct balloon_queue *q, struct page *newpage, struct page *page)
{
	adjust_managed_page_count(newpage, -1);

	spin_lock(&q->lock);
	move_in(q, newpage);
	q->n.guest--;
	q->n.base++;
	spin_unlock(&q->lock);

	balloon_page_finalize(page);
	balloon_mark(page, 1);
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

/* One that somebody has a reference to just now stays. */
static void leave_huge(struct balloon_queue *q, struct page *page)
{
	if (!page_ref_freeze(page, 1))
		return;

	spin_lock(&q->lock);
	del_huge(q, page);
	list_add(&page->lru, &q->leaving_huge);
	q->n.leaving += XENMEM_HUGE_PAGES;
	spin_unlock(&q->lock);
}

/* The same; what compaction has stays, too. */
static void leave_base(struct balloon_queue *q, struct balloon_region *region,
		       struct page *page)
{
	lockdep_assert_held(&q->lock);

	if (!balloon_keep_still(q, page))
		return;
	if (!page_ref_freeze(page, 1)) {
		balloon_let_move(q, page);
		return;
	}

	count_base(q, region, page, -1);
	/* So that it can come back in any case. */
	region->awaited++;
	list_add(&page->lru, &q->leaving_base);
	q->n.base--;
	q->n.leaving++;
}

static void leave_region(struct balloon_queue *q, unsigned long pfn)
{
	struct balloon_region *region;
	unsigned int bit;

	spin_lock(&q->lock);
	region = balloon_region_of(q, pfn_to_page(pfn));
	if (region)
		for_each_set_bit(bit, region->base, XENMEM_HUGE_PAGES)
			leave_base(q, region, pfn_to_page(pfn + bit));
	spin_unlock(&q->lock);
}

/**
 * balloon_leave - what is in the queues of memory that is about to be offline goes with it:
 *	huge, base to leaving
 * @q: the queue
 * @start_pfn: where that begins: the first pfn of a region
 * @end_pfn: where it ends
 *
 * The kernel takes pages offline that are PageOffline and have no reference, as they are.
 *
 * Context: step_lock held; may sleep.
 * Return: how many base pages leave.
 */
unsigned long balloon_leave(struct balloon_queue *q, unsigned long start_pfn,
			    unsigned long end_pfn)
{
	struct page *page, *next;
	unsigned long pfn;
	unsigned int i;

	for (i = 0; i < nr_node_ids; i++) {
		list_for_each_entry_safe(page, next, &q->nodes[i].huge, lru) {
			if (page_to_pfn(page) >= start_pfn && page_to_pfn(page) < end_pfn)
				leave_huge(q, page);
			cond_resched();
		}
	}
	for (pfn = start_pfn; pfn < end_pfn; pfn += XENMEM_HUGE_PAGES) {
		leave_region(q, pfn);
		cond_resched();
	}

	return balloon_figures(q).leaving;
}

static void come_back(struct balloon_queue *q, struct page *page)
{
	struct balloon_region *region;

	page_ref_unfreeze(page, 1);

	spin_lock(&q->lock);
	list_del(&page->lru);
	region = balloon_region_of(q, page);
	region->awaited--;
	count_base(q, region, page, 1);
	q->n.leaving--;
	q->n.base++;
	balloon_let_move(q, page);
	spin_unlock(&q->lock);
}

/**
 * balloon_leave_cancel - it is not taken offline: leaving to huge, base
 * @q: the queue
 *
 * Context: step_lock held; may sleep.
 * Return: how many base pages came back.
 */
unsigned long balloon_leave_cancel(struct balloon_queue *q)
{
	unsigned long nr = balloon_figures(q).leaving;
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &q->leaving_huge, lru) {
		page_ref_unfreeze(page, 1);
		spin_lock(&q->lock);
		list_del(&page->lru);
		q->n.leaving -= XENMEM_HUGE_PAGES;
		add_huge(q, page);
		spin_unlock(&q->lock);
		cond_resched();
	}
	list_for_each_entry_safe(page, next, &q->leaving_base, lru) {
		come_back(q, page);
		cond_resched();
	}

	return nr;
}

/**
 * balloon_leave_end - it is offline
 * @q: the queue, whose pages that were there are no pages any more
 *
 * Context: step_lock held; may sleep.
 * Return: how many base pages they were.
 */
unsigned long balloon_leave_end(struct balloon_queue *q)
{
	unsigned long nr = balloon_figures(q).leaving;
	struct page *page, *next;

	INIT_LIST_HEAD(&q->leaving_huge);
	list_for_each_entry_safe(page, next, &q->leaving_base, lru) {
		spin_lock(&q->lock);
		list_del(&page->lru);
		balloon_region_of(q, page)->awaited--;
		spin_unlock(&q->lock);
		cond_resched();
	}

	spin_lock(&q->lock);
	q->n.leaving = 0;
	spin_unlock(&q->lock);

	return nr;
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

/* Count the base pages of some more regions. Returns false when all are counted. */
static bool recount_some(struct balloon_queue *q, unsigned long *bad)
{
	struct balloon_region *region;
	unsigned int i, bit;

	for (i = 0; i < BALLOON_LOCKED_REGIONS; i++) {
		region = balloon_region_next(q, q->recounted_to / XENMEM_HUGE_PAGES);
		if (!region)
			return false;
		for_each_set_bit(bit, region->base, XENMEM_HUGE_PAGES) {
			q->recounted++;
			*bad += !balloon_looks_queued(pfn_to_page(region->start_pfn + bit), 1);
		}
		q->recounted_to = region->start_pfn + XENMEM_HUGE_PAGES;
	}

	return true;
}

static unsigned long base_on_nodes(const struct balloon_queue *q)
{
	unsigned long base = 0;
	unsigned int i;

	for (i = 0; i <= nr_node_ids; i++)
		base += q->nodes[i].base;

	return base;
}

/* Count the huge pages of a node. */
static unsigned long recount_huge(struct balloon_node *node, unsigned long *bad)
{
	unsigned long huge = 0;
	struct page *page;

	list_for_each_entry(page, &node->huge, lru) {
		huge++;
		*bad += !balloon_looks_queued(page, 0);
		cond_resched();
	}

	return huge;
}

/**
 * balloon_recount - the same figures, but counted page by page in the queues
 * @q: the queue
 * @bad: set to how many queued pages do not look as such, or are not counted for a node
 *
 * Context: step_lock held, so that nobody but compaction changes the queues, which
 * keeps up the count of what is counted already; may sleep.
 * Return: the huge and base figures as counted; the others as kept.
 */
struct balloon_figures balloon_recount(struct balloon_queue *q, unsigned long *bad)
{
	unsigned long huge = 0, here;
	struct balloon_figures n;
	bool more = true;
	unsigned int i;

	*bad = 0;
	for (i = 0; i <= nr_node_ids; i++) {
		here = recount_huge(&q->nodes[i], bad);
		*bad += here != q->nodes[i].nr_huge;
		huge += here;
	}

	q->recounted = 0;
	q->recounted_to = 0;
	while (more) {
		spin_lock(&q->lock);
		more = recount_some(q, bad);
		n = q->n;
		n.base = q->recounted;
		if (!more) {
			q->recounted_to = 0;
			*bad += base_on_nodes(q) != q->recounted;
		}
		spin_unlock(&q->lock);
		cond_resched();
	}
	n.huge = huge;

	return n;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/queue-kunit.h"
#endif
