// SPDX-License-Identifier: GPL-2.0
/*
 * Coalescing: 512 ballooned base pages and one huge page of the guest change
 * places. The guest is as large as before, the host gets a whole 2 MiB, and the
 * regions that the base pages came from are populated again.
 *
 * The worker does it one huge page at a time, when there is nothing else to do.
 */
#include <linux/mm.h>

#include "balloon.h"
#include "trace.h"

/*
 * The first @gone base pages of @page are unpopulated now, and the first @got of
 * xb->pages populated: all go where they belong.
 */
static void settle(struct xen_balloon *xb, struct page *page, unsigned int gone,
		   unsigned int got)
{
	/* It is its memory that they have now, or what Xen had, if that was asked. */
	unsigned int away = balloon_region_away(&xb->queue, region_index(page));
	struct balloon_queue *q = &xb->queue;
	unsigned int i;

	trace_xen_balloon_coalesce(page_to_pfn(page), gone, got);
	for (i = 0; i < XENMEM_HUGE_PAGES; i++) {
		if (i < got) {
			balloon_region_came(q, xb->pages[i], 0,
					    away || balloon_nodes_differ(xb, page, xb->pages[i]));
			balloon_give_base(xb, xb->pages[i]);
		} else {
			balloon_enqueue(q, xb->pages[i], 0);
		}
	}

	if (!gone) {
		balloon_give(q, page, XENMEM_HUGE_ORDER);
		return;
	}
	if (gone == XENMEM_HUGE_PAGES) {
		balloon_enqueue(q, page, XENMEM_HUGE_ORDER);
		return;
	}
	split_page(page, XENMEM_HUGE_ORDER);
	for (i = 0; i < XENMEM_HUGE_PAGES; i++) {
		if (i < gone)
			balloon_enqueue(q, page + i, 0);
		else
			balloon_give(q, page + i, 0);
	}
}

/* Move the memory behind a huge page, base page by base page. */
static bool move_all(struct xen_balloon *xb, struct page *page)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < XENMEM_HUGE_PAGES; i++) {
		ret = xb->ops->move(page + i, xb->pages[i]);
		if (ret)
			break;
	}
	/* What was lost on the way the worker gets back. */
	settle(xb, page, i + (ret == -ENODATA), i);

	return i;
}

/* Change places in one operation, or without Xen's giving any memory. */
static bool change_places(struct xen_balloon *xb, struct page *page, int nid)
{
	struct balloon_queue *q = &xb->queue;
	unsigned int i, nr, gone = 0, got;

	nr = balloon_dequeue_base(q, xb->pages, XENMEM_HUGE_PAGES, nid);
	if (nr < XENMEM_HUGE_PAGES || balloon_region_prepare(q, page)) {
		for (i = 0; i < nr; i++)
			balloon_enqueue(q, xb->pages[i], 0);
		balloon_give(q, page, XENMEM_HUGE_ORDER);
		return false;
	}

	if (xb->ops->exchange)
		gone = xb->ops->exchange(page, xb->pages, &got);
	if (!gone)
		return move_all(xb, page);

	settle(xb, page, gone, got);
	return true;
}

/*
 * Give the huge page first, and have the base pages populated from what Xen has
 * then. Should another guest be faster, this one is short of some pages, which
 * the worker gets back as after any change of the target.
 *
 * Should a migration begin meanwhile, the huge page may be on its way as well: then
 * all is as it was. One that begins later does not know it but as a hole.
 */
static bool release_and_populate(struct xen_balloon *xb, struct page *page, int nid)
{
	unsigned long got = 0;
	unsigned int nr;

	xb->pages[0] = page;
	if (!balloon_release(xb, 1, XENMEM_HUGE_ORDER))
		return false;
	if (balloon_is_watched(xb)) {
		balloon_populate_one(xb, nid, false);
		return false;
	}

	nr = balloon_dequeue_base(&xb->queue, xb->pages, XENMEM_HUGE_PAGES, nid);
	if (nr)
		got = balloon_populate(xb, nr, 0, false);
	trace_xen_balloon_coalesce(page_to_pfn(page), XENMEM_HUGE_PAGES, got);

	return true;
}

/*
 * A node with base pages enough, which is another one than the last that had no
 * huge page for them, if there are several; NUMA_NO_NODE when there is none.
 */
static int find_node(struct xen_balloon *xb)
{
	int nid, found = NUMA_NO_NODE;

	if (balloon_figures(&xb->queue).base < XENMEM_HUGE_PAGES)
		return NUMA_NO_NODE;

	for_each_online_node(nid) {
		if (balloon_base_on(&xb->queue, nid) < XENMEM_HUGE_PAGES)
			continue;
		if (nid > xb->coalesce_failed_on)
			return nid;
		if (found == NUMA_NO_NODE)
			found = nid;
	}

	return found;
}

/**
 * balloon_coalesce - make one huge page of 512 base pages in the queue
 * @xb: the driver, at its target
 *
 * Takes only what is free: nothing is reclaimed for it. All pages are of one
 * node, so that no node of the guest loses memory to another.
 *
 * Context: the worker, under step_lock; may sleep and move pages.
 * Return: UPKEEP_GAINED when some changed places; UPKEEP_NOTHING when there was
 * nothing to be had, or it is switched off.
 */
enum balloon_upkeep balloon_coalesce(struct xen_balloon *xb)
{
	struct page *page;
	bool done;
	int nid;

	if (!READ_ONCE(xb->coalesce) || !balloon_has_spare(xb))
		return UPKEEP_NOTHING;
	nid = find_node(xb);
	if (nid == NUMA_NO_NODE)
		return UPKEEP_NOTHING;

	balloon_count(xb, COUNT_COALESCE_TRIES, 1);
	page = balloon_alloc_spare(xb, nid);
	if (!page && !balloon_contig_rests(xb, nid))
		return UPKEEP_SEARCHED;
	if (!page) {
		xb->coalesce_failed_on = nid;
		balloon_count(xb, COUNT_COALESCE_NO_HUGE, 1);
		return UPKEEP_NOTHING;
	}

	if (xb->ops->exchange || balloon_over_limit(xb))
		done = change_places(xb, page, nid);
	else
		done = release_and_populate(xb, page, nid);
	balloon_count(xb, COUNT_COALESCED, done);

	return done ? UPKEEP_GAINED : UPKEEP_NOTHING;
}

/**
 * balloon_coalesce_init - no node was found to have no huge page
 * @xb: the driver
 */
void balloon_coalesce_init(struct xen_balloon *xb)
{
	xb->coalesce_failed_on = NUMA_NO_NODE;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/coalesce-kunit.h"
#endif
