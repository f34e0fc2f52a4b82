// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that does not count as available, and can be had all the same: what can be
 * swapped out, and what the kernel's caches give when they are asked to shrink.
 * Nobody can tell how much that is. So kswapd is made to look for some: what it
 * finds is available then, and what it does not find is still there.
 */
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "balloon.h"

/*
 * As for a program's huge page where these are made with "defer": when none is free,
 * kswapd is woken. It reclaims twice as much as was asked for, and no more.
 */
#define GFP_WAKE	(GFP_TRANSHUGE_LIGHT | __GFP_KSWAPD_RECLAIM)
#define RECLAIMED	(2 * XENMEM_HUGE_PAGES)
/* How long kswapd is given, and how often it is looked at. */
#define PATIENCE_US	(100 * USEC_PER_MSEC)
#define LOOK_US		(5 * USEC_PER_MSEC)
/* When to try again after it was in vain: twice as long each time. */
#define AGAIN_MIN_NS	NSEC_PER_SEC
#define AGAIN_MAX_NS	(60 * NSEC_PER_SEC)

static bool hold_huge(struct balloon_reclaim *r)
{
	struct page *page = alloc_pages(GFP_WAKE, XENMEM_HUGE_ORDER);

	if (!page)
		return false;

	spin_lock(&r->lock);
	list_add(&page->lru, &r->held);
	spin_unlock(&r->lock);

	return true;
}

/* Returns how many pages that were. */
static unsigned long let_go(struct balloon_reclaim *r)
{
	struct page *page, *next;
	unsigned long nr = 0;
	LIST_HEAD(held);

	spin_lock(&r->lock);
	list_splice_init(&r->held, &held);
	spin_unlock(&r->lock);

	list_for_each_entry_safe(page, next, &held, lru) {
		list_del(&page->lru);
		__free_pages(page, XENMEM_HUGE_ORDER);
		nr += XENMEM_HUGE_PAGES;
	}

	return nr;
}

/*
 * Hold what is free in 2 MiB, until none is, and kswapd for a moment more: it has nothing
 * to do while there is one.
 */
static void squeeze(struct balloon_reclaim *r)
{
	unsigned long nr_free = nr_free_pages(), left = nr_free / XENMEM_HUGE_PAGES + 1;
	unsigned long us;

	while (left-- && hold_huge(r))
		nr_free -= XENMEM_HUGE_PAGES;

	for (us = 0; us < PATIENCE_US && nr_free_pages() < nr_free + RECLAIMED; us += LOOK_US)
		fsleep(LOOK_US);
	let_go(r);
}

/* How many pages somebody needed again that had been reclaimed. */
static unsigned long refaults(void)
{
	return global_node_page_state(WORKINGSET_REFAULT_ANON) +
	       global_node_page_state(WORKINGSET_REFAULT_FILE);
}

/**
 * balloon_reclaim - have kswapd find memory that is not available yet
 * @xb: the driver, whose guest shall be smaller, and cannot
 *
 * That is put off when it was in vain: kswapd found next to nothing, or programs
 * fetch back what it finds.
 *
 * Context: the worker, under step_lock; sleeps for up to 100 ms.
 * Return: whether there is more than before, and more to be had perhaps.
 */
bool balloon_reclaim(struct xen_balloon *xb)
{
	struct balloon_reclaim *r = &xb->reclaim;
	unsigned long before = nr_free_pages(), found, came_back;

	/* There is enough, so that all that is free may be much: it is for other reasons. */
	if (balloon_available() >= (long)(balloon_reserve(xb) + XENMEM_HUGE_PAGES))
		return false;
	if (ktime_get_ns() < r->again_at)
		return false;

	balloon_count(xb, COUNT_RECLAIM_TRIES, 1);
	squeeze(r);

	found = nr_free_pages();
	found -= min(found, before);
	came_back = refaults() - r->refaults;
	r->refaults += came_back;
	if (found >= SWAP_CLUSTER_MAX && came_back < found / 2) {
		r->delay_ns = 0;
		return true;
	}

	r->delay_ns = clamp_t(u64, r->delay_ns * 2, AGAIN_MIN_NS, AGAIN_MAX_NS);
	r->again_at = ktime_get_ns() + r->delay_ns;
	return false;
}

/* Somebody is about to be killed for want of memory. */
static int give_way(struct notifier_block *nb, unsigned long unused, void *freed)
{
	*(unsigned long *)freed += let_go(container_of(nb, struct balloon_reclaim, oom));

	return NOTIFY_OK;
}

/**
 * balloon_reclaim_init - hear of who is in need
 * @xb: the driver
 *
 * Return: 0 or a negative errno.
 */
int balloon_reclaim_init(struct xen_balloon *xb)
{
	struct balloon_reclaim *r = &xb->reclaim;

	spin_lock_init(&r->lock);
	INIT_LIST_HEAD(&r->held);
	r->refaults = refaults();
	r->oom.notifier_call = give_way;

	return register_oom_notifier(&r->oom);
}

/**
 * balloon_reclaim_exit - undo balloon_reclaim_init()
 * @xb: the driver, its worker stopped
 */
void balloon_reclaim_exit(struct xen_balloon *xb)
{
	unregister_oom_notifier(&xb->reclaim.oom);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/reclaim-kunit.h"
#endif
