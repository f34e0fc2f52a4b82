// SPDX-License-Identifier: GPL-2.0
/*
 * What is otherwise than before when the guest goes on in a new domain, restored
 * or migrated: how its memory lies in the host, what Xen counts for it, and what
 * is a hole. A live migration has memory in the new domain behind each page that
 * was ever sent, also where compaction or coalescing took it away meanwhile; then
 * Xen counts more than it did. Such memory belongs to the guest, which gives it
 * back as after any change of the target.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/freezer.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/printk.h>

#include "balloon.h"

/* Does Xen count more for the guest than is known, or does it not tell? */
static bool has_unknown(struct xen_balloon *xb)
{
	unsigned long guest = balloon_figures(&xb->queue).guest;
	long now = xb->ops->current_pages();

	return !xb->offset_known || now < 0 || now - xb->offset > (long)guest;
}

/* Another suspend has to wait for us: it shall not have to for long. */
static bool may_go_on(struct xen_balloon *xb)
{
	cond_resched();
	return !freezing(current) && has_unknown(xb);
}

static unsigned int find_populated(struct xen_balloon *xb, struct page *page,
				   unsigned long *populated)
{
	unsigned int i;

	for (i = 0; i < XENMEM_HUGE_PAGES; i++)
		__assign_bit(i, populated, xb->ops->populated(page + i));

	return bitmap_weight(populated, XENMEM_HUGE_PAGES);
}

/*
 * What of a huge page is populated goes to the guest. Returns how many base pages;
 * -ENOMEM when there was no memory to break the page up.
 */
static int sort_huge(struct xen_balloon *xb, struct page *page)
{
	DECLARE_BITMAP(populated, XENMEM_HUGE_PAGES);
	unsigned int i, nr = find_populated(xb, page, populated);

	if (!nr)
		return 0;
	if (nr == XENMEM_HUGE_PAGES) {
		balloon_region_came(&xb->queue, page, XENMEM_HUGE_ORDER, balloon_has_nodes(xb));
		balloon_give(&xb->queue, page, XENMEM_HUGE_ORDER);
		return nr;
	}
	if (balloon_region_prepare(&xb->queue, page))
		return -ENOMEM;

	split_page(page, XENMEM_HUGE_ORDER);
	for (i = 0; i < XENMEM_HUGE_PAGES; i++) {
		if (test_bit(i, populated))
			balloon_give_found(xb, page + i);
		else
			balloon_enqueue(&xb->queue, page + i, 0);
	}

	return nr;
}

/* Returns whether all is done that can be. */
static bool sweep_huge(struct xen_balloon *xb)
{
	struct page *page, *next;
	LIST_HEAD(holes);
	int ret = 0;

	while (ret >= 0 && may_go_on(xb) &&
	       balloon_dequeue_huge(&xb->queue, &page, 1, NUMA_NO_NODE)) {
		ret = sort_huge(xb, page);
		if (ret <= 0)
			list_add(&page->lru, &holes);
	}

	list_for_each_entry_safe(page, next, &holes, lru) {
		list_del(&page->lru);
		balloon_enqueue(&xb->queue, page, XENMEM_HUGE_ORDER);
	}

	return ret >= 0;
}

/* The same. What compaction has just now comes back, since it may not move it. */
static bool sweep_base(struct xen_balloon *xb)
{
	struct page *page, *next;
	unsigned int i, nr = 1;
	LIST_HEAD(holes);
	bool done;

	while (nr && may_go_on(xb)) {
		nr = balloon_dequeue_base(&xb->queue, xb->pages, XENMEM_MAX_BASE, NUMA_NO_NODE);
		for (i = 0; i < nr; i++) {
			if (xb->ops->populated(xb->pages[i]))
				balloon_give_found(xb, xb->pages[i]);
			else
				list_add(&xb->pages[i]->lru, &holes);
		}
	}
	done = !balloon_figures(&xb->queue).base || !has_unknown(xb);

	list_for_each_entry_safe(page, next, &holes, lru) {
		list_del(&page->lru);
		balloon_enqueue(&xb->queue, page, 0);
	}

	return done;
}

/* What was taken for holes is looked at, as long as Xen counts too much. */
static bool sweep(struct xen_balloon *xb)
{
	unsigned long guest = balloon_figures(&xb->queue).guest, found;
	bool done;

	if (may_go_on(xb))
		balloon_foreign_sweep(xb);
	done = sweep_huge(xb) && sweep_base(xb);

	found = balloon_figures(&xb->queue).guest - guest;
	if (found)
		pr_info("%lu KiB that were ballooned out came with memory: the guest has them again\n",
			PAGES_TO_KB(found));

	return done && !freezing(current);
}

/* The last page of the kernel's that is the end of a region. */
static struct page *last_page(void)
{
	unsigned long region = balloon_regions_end();
	struct page *page = NULL;

	while (!page && region > balloon_regions_start())
		page = pfn_to_online_page(region-- * XENMEM_HUGE_PAGES - 1);

	return page;
}

/**
 * balloon_reach - see that all of the guest is sent when it is saved or migrated
 * @xb: the driver, in a domain that may not know of the guest's last page
 *
 * That is so where the page is ballooned out, and was in the domain before. While it
 * is locked nobody moves it.
 *
 * Context: step_lock held.
 */
void balloon_reach(struct xen_balloon *xb)
{
	struct page *page = xb->ops->reach ? last_page() : NULL;

	if (!page || !trylock_page(page))
		return;
	if (PageOffline(page) && !xb->ops->populated(page) &&
	    xb->ops->reach(page_to_pfn(page)))
		pr_warn("the host has no 4 KiB to reserve what is ballooned out at the guest's end: grown by it while it is saved or migrated, the guest would lose that\n");
	unlock_page(page);
}

/**
 * balloon_restored - the guest goes on in a new domain: see what is otherwise there
 * @xb: the driver, @xb->resumed set, with no page in transit
 *
 * Before it is done nothing may be populated nor moved, and @xb->resumed stays set.
 *
 * Context: the worker, under step_lock; may sleep.
 * Return: false when it is not, and has to be called again.
 */
bool balloon_restored(struct xen_balloon *xb)
{
	lockdep_assert_held(&xb->step_lock);

	balloon_heal_restored(xb);
	if (!sweep(xb) || !balloon_take_offset(xb))
		return false;

	balloon_reach(xb);
	WRITE_ONCE(xb->resumed, false);
	balloon_elastic_tell(xb);
	return true;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/restore-kunit.h"
#endif
