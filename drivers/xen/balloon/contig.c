// SPDX-License-Identifier: GPL-2.0
/*
 * Huge pages where the kernel has none free: a region is emptied of what is in use by
 * alloc_contig_range(). The search for one that is worth it is bounded, in each step and
 * in all, and goes on where it was.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>

#include "balloon.h"

#define GFP_CONTIG	(GFP_KERNEL | __GFP_NOWARN)

/*
 * A search that found nothing for so long rests, and for so long for each node that there is:
 * all together take no more time than one.
 */
#define WASTE_NS	(250 * NSEC_PER_MSEC)
#define REST_NS		(5 * NSEC_PER_SEC)
/* The longest that one step searches. */
#define STEP_NS		(20 * NSEC_PER_MSEC)
/* How long a step waits for a region to be emptied. */
#define PATIENCE	HZ

static unsigned long nr_regions(void)
{
	return balloon_regions_end() - balloon_regions_start();
}

/**
 * balloon_contig_search - where the search for huge pages of a node stands
 * @xb: the driver
 * @nid: the node, or NUMA_NO_NODE: where there is but one that is the same
 *
 * Context: step_lock held.
 */
struct balloon_search *balloon_contig_search(struct xen_balloon *xb, int nid)
{
	if (nid == NUMA_NO_NODE || num_node_state(N_MEMORY) == 1)
		nid = nr_node_ids;

	return &xb->queue.nodes[nid].search;
}

static bool rests(const struct balloon_search *s)
{
	return ktime_get_ns() < s->again_at;
}

/**
 * balloon_contig_rests - did a search for huge pages end in vain a moment ago?
 * @xb: the driver
 * @nid: of which node, or NUMA_NO_NODE
 *
 * Context: step_lock held.
 */
bool balloon_contig_rests(struct xen_balloon *xb, int nid)
{
	return rests(balloon_contig_search(xb, nid));
}

static void begin_anew(struct balloon_search *s)
{
	s->min_free = XENMEM_HUGE_PAGES * 3 / 4;
	s->left = nr_regions();
}

/**
 * balloon_contig_restart - search for the freest regions first, the next time
 * @xb: the driver
 *
 * What rests goes on where it was all the same.
 *
 * Context: step_lock held.
 */
void balloon_contig_restart(struct xen_balloon *xb)
{
	struct balloon_node *node;

	for (node = xb->queue.nodes; node <= xb->queue.nodes + nr_node_ids; node++)
		if (!rests(&node->search))
			begin_anew(&node->search);
}

/* May a region, if so much of it is free, be made a huge page, of one node or any? */
static bool may_be_huge(unsigned long pfn, unsigned int min_free, int nid)
{
	struct page *page = pfn_to_online_page(pfn);

	if (!page || (nid != NUMA_NO_NODE && nid != page_to_nid(page)) ||
	    balloon_free_in_region(pfn) < min_free)
		return false;
	if (!balloon_region_may_stay(page) || balloon_is_for_devices(page))
		return false;
	if (nid != NUMA_NO_NODE && !balloon_node_has_spare(nid))
		return false;

	return balloon_zone_has_spare(page_zone(page));
}

/* Empty one region of what is in use. */
static struct page *contig_region(unsigned long pfn)
{
#ifdef CONFIG_CONTIG_ALLOC
	struct page *page = pfn_to_page(pfn);
	unsigned int i;

	if (alloc_contig_range(pfn, pfn + XENMEM_HUGE_PAGES, MIGRATE_MOVABLE, GFP_CONTIG))
		return NULL;
	if (balloon_join_pages(page))
		return page;

	/* Somebody who walks over all pages has one: they go one by one. */
	for (i = 0; i < XENMEM_HUGE_PAGES; i++)
		__free_page(page + i);
#endif
	return NULL;
}

/*
 * It is done by a work, since it may take for ever: a page that was fine at a look may
 * be locked by somebody who waits for a device when it is to be moved. Nothing of the
 * driver's is held meanwhile.
 */
static void empty_work(struct work_struct *work)
{
	struct balloon_contig *c = container_of(work, struct balloon_contig, empty);
	struct page *page = contig_region(c->region);

	c->huge = page;
	if (atomic_cmpxchg(&c->emptying, EMPTYING, EMPTYING_DONE) == EMPTYING) {
		complete(&c->emptied);
		return;
	}

	/* Nobody waits any more. */
	if (page)
		__free_pages(page, XENMEM_HUGE_ORDER);
	atomic_cmpxchg(&c->emptying, EMPTYING_LATE, EMPTYING_NOTHING);
}

/* Empty one region of what is in use, but do not wait longer than one is patient. */
static struct page *empty_region(struct balloon_contig *c, unsigned long pfn)
{
	if (atomic_cmpxchg(&c->emptying, EMPTYING_NOTHING, EMPTYING) != EMPTYING_NOTHING)
		return NULL;

	c->region = pfn;
	reinit_completion(&c->emptied);
	queue_work(system_unbound_wq, &c->empty);
	if (!wait_for_completion_timeout(&c->emptied, PATIENCE)) {
		if (atomic_cmpxchg(&c->emptying, EMPTYING, EMPTYING_LATE) == EMPTYING) {
			if (__ratelimit(&c->late))
				pr_warn("emptying pfn 0x%lx to 0x%lx takes longer than %u s, as if something in it waits for a device: until it ends no 2 MiB are made free\n",
					pfn, pfn + XENMEM_HUGE_PAGES - 1, PATIENCE / HZ);
			return NULL;
		}
		/* Just now: it shall not be told of the next one. */
		wait_for_completion(&c->emptied);
	}
	atomic_cmpxchg(&c->emptying, EMPTYING_DONE, EMPTYING_NOTHING);

	return c->huge;
}

/* Can no region be emptied, since the last one is not yet? */
static bool is_late(const struct balloon_contig *c)
{
	return atomic_read(&c->emptying) != EMPTYING_NOTHING;
}

/**
 * balloon_contig_region - empty one region of what is in use
 * @xb: the driver
 * @pfn: its first pfn
 * @max_cache: how many clean pages of files may be dropped for it
 * @at: with -EBUSY, which of its pages is in the way, from 0 on
 *
 * Context: the worker, under step_lock; may sleep and move pages, so that
 * balloon_has_spare() shall be true.
 * Return: its first page, allocated; an ERR_PTR(): -EAGAIN when it can be emptied
 * once 2 MiB are free in one piece, or more is free on its node, or a region is that
 * was to be emptied before; -EBUSY when something in it cannot be moved, or
 * too much would be dropped; -ENOMEM when the kernel did not manage.
 */
struct page *balloon_contig_region(struct xen_balloon *xb, unsigned long pfn,
				   unsigned int max_cache, unsigned int *at)
{
	struct balloon_contig *c = &xb->contig;
	int ret = balloon_region_movable(pfn, max_cache, at);

	if (!ret && (!balloon_node_has_spare(page_to_nid(pfn_to_page(pfn))) || is_late(c)))
		ret = -EAGAIN;
	if (ret)
		return ERR_PTR(ret);

	return empty_region(c, pfn) ?: ERR_PTR(-ENOMEM);
}

/* Each pass over memory lowers what is asked of a region; after the last is the first. */
static void next_pass(struct balloon_search *s)
{
	if (!s->min_free)
		s->min_free = XENMEM_HUGE_PAGES * 3 / 4;
	else
		s->min_free = s->min_free > 64 ? s->min_free / 2 : 0;
	s->left = nr_regions();
}

/* Where memory is so large that time was up first, the pass goes on after the rest. */
static void rest(struct xen_balloon *xb, struct balloon_search *s)
{
	balloon_count(xb, COUNT_CONTIG_RESTS, 1);
	if (s->looked >= nr_regions())
		begin_anew(s);
	s->looked = 0;
	s->wasted_ns = 0;
	s->again_at = ktime_get_ns() + REST_NS * num_node_state(N_MEMORY);
}

/* The region to look at, by its first pfn: round and round. */
static unsigned long next_region(struct balloon_search *s)
{
	unsigned long start = balloon_regions_start() * XENMEM_HUGE_PAGES;
	unsigned long pfn = s->cursor;

	if (pfn < start || pfn >= balloon_regions_end() * XENMEM_HUGE_PAGES)
		pfn = start;

	s->cursor = pfn + XENMEM_HUGE_PAGES;
	s->left--;
	s->looked++;

	return pfn;
}

/**
 * balloon_contig_huge - empty the next region that is free to some part
 * @xb: the driver
 * @max_cache: how many clean pages of files may be dropped for it
 * @nid: of which node, or NUMA_NO_NODE
 *
 * The freest go first.
 *
 * Context: the worker, under step_lock; may sleep and move pages.
 * Return: its first page, allocated; NULL when none was found in the time that a step has,
 * or the search rests.
 */
struct page *balloon_contig_huge(struct xen_balloon *xb, unsigned int max_cache, int nid)
{
	struct balloon_search *s = balloon_contig_search(xb, nid);
	struct balloon_contig *c = &xb->contig;
	u64 start = ktime_get_ns(), spent = 0;
	struct page *found = NULL;
	bool over = false;
	unsigned long pfn;
	unsigned int at;

	if (!rests(s) && (!IS_ENABLED(CONFIG_CONTIG_ALLOC) || is_late(c) ||
			  (nid != NUMA_NO_NODE && !balloon_node_has_spare(nid))))
		rest(xb, s);
	if (rests(s))
		return NULL;

	while (!over && !found && spent < STEP_NS) {
		if (!s->left) {
			over = !s->min_free;
			next_pass(s);
			continue;
		}

		pfn = next_region(s);
		if (may_be_huge(pfn, s->min_free, nid) &&
		    !balloon_region_movable(pfn, max_cache, &at)) {
			balloon_count(xb, COUNT_CONTIG_TRIES, 1);
			found = empty_region(c, pfn);
		}
		spent = ktime_get_ns() - start;
	}

	if (found) {
		balloon_count(xb, COUNT_CONTIG_HUGE, 1);
		s->wasted_ns = 0;
	} else {
		s->wasted_ns += spent;
		if (over || s->wasted_ns > WASTE_NS)
			rest(xb, s);
	}

	return found;
}

/**
 * balloon_contig_init - nothing is searched for yet
 * @xb: the driver, with queues
 */
void balloon_contig_init(struct xen_balloon *xb)
{
	struct balloon_contig *c = &xb->contig;

	INIT_WORK(&c->empty, empty_work);
	init_completion(&c->emptied);
	atomic_set(&c->emptying, EMPTYING_NOTHING);
	ratelimit_state_init(&c->late, SAY_INTERVAL, 1);
	balloon_contig_restart(xb);
}

/**
 * balloon_contig_end - no region is emptied any more
 * @xb: the driver, which otherwise goes on
 *
 * Context: may sleep, as long as a device does not answer.
 */
void balloon_contig_end(struct xen_balloon *xb)
{
	mutex_lock(&xb->step_lock);
	atomic_set(&xb->contig.emptying, EMPTYING_NO_MORE);
	mutex_unlock(&xb->step_lock);
	flush_work(&xb->contig.empty);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/contig-kunit.h"
#endif
