// SPDX-License-Identifier: GPL-2.0
/*
 * Evening out: what one of the guest's nodes has more than its share goes to Xen, and as much
 * comes back for the one that has the least of its own. So it is where a node could not be
 * shrunk when it should have been, had nothing to come back, or is to have another share.
 *
 * The worker does it one huge page at a time, when there is nothing else to do, and only as
 * long as each makes the nodes more even: so it comes to an end.
 */
#include <linux/mm.h>
#include <linux/nodemask.h>

#include "balloon.h"
#include "trace.h"

/* The nodes that are farthest from their shares. Returns whether 2 MiB would change that. */
static bool find_nodes(struct xen_balloon *xb, int *from, int *to)
{
	long excess, most = 0, least = 0;
	int nid;

	*from = NUMA_NO_NODE;
	*to = NUMA_NO_NODE;
	balloon_nodes_begin(xb, 0, 0);
	for_each_node_state(nid, N_MEMORY) {
		excess = balloon_node_excess(xb, nid);
		if (excess > most && !balloon_node_is_barren(xb, nid)) {
			*from = nid;
			most = excess;
		}
		if (excess < least && !balloon_node_rests(xb, nid)) {
			*to = nid;
			least = excess;
		}
	}

	return most && least && max(most, -least) >= (long)XENMEM_HUGE_PAGES &&
	       most - least > (long)XENMEM_HUGE_PAGES;
}

/* Have 2 MiB for a node, of its own memory where it has such. */
static unsigned long populate_on(struct xen_balloon *xb, int nid)
{
	unsigned long got = balloon_populate_one(xb, nid, true);
	unsigned int nr;

	if (got || xb->queue.nodes[nid].nr_huge)
		return got;

	nr = balloon_dequeue_base(&xb->queue, xb->pages, XENMEM_HUGE_PAGES, nid);
	return nr ? balloon_populate(xb, nr, 0, true) : 0;
}

/**
 * balloon_even - one node has 2 MiB more, and another one less
 * @xb: the driver, at its target
 *
 * Nothing is reclaimed for it, and nothing done while the guest gives what is idle, which is
 * where it is. Should another guest be faster, this one is short of some pages, which the
 * worker gets back as after any change of the target.
 *
 * Context: the worker, under step_lock; may sleep and move pages.
 * Return: UPKEEP_GAINED when they changed places; UPKEEP_SEARCHED when another node may have
 * what one has not, or the search is not at its end; UPKEEP_NOTHING when there is nothing to
 * be done or to be had, or it is switched off.
 */
enum balloon_upkeep balloon_even(struct xen_balloon *xb)
{
	unsigned long got = 0;
	struct page *page;
	int from, to;

	if (!READ_ONCE(xb->even) || num_node_state(N_MEMORY) == 1 || xb->elastic.given ||
	    !balloon_has_spare(xb) || balloon_over_limit(xb) || !find_nodes(xb, &from, &to))
		return UPKEEP_NOTHING;

	page = balloon_alloc_spare(xb, from);
	if (!page) {
		/* Another one may have some; and where the search is not at its end, so may it. */
		if (balloon_contig_rests(xb, from))
			balloon_node_barren(xb, from);
		return UPKEEP_SEARCHED;
	}

	xb->pages[0] = page;
	if (!balloon_release(xb, 1, XENMEM_HUGE_ORDER))
		return UPKEEP_NOTHING;

	/* As in coalesce.c, should a migration have begun meanwhile. */
	if (!balloon_is_watched(xb)) {
		got = populate_on(xb, to);
		balloon_node_asked(xb, to, got);
		balloon_count(xb, got ? COUNT_EVENED : COUNT_EVEN_REFUSED, 1);
	}
	trace_xen_balloon_even(page_to_pfn(page), from, to, got);
	if (got)
		return UPKEEP_GAINED;

	balloon_populate_one(xb, from, false);
	return UPKEEP_SEARCHED;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/even-kunit.h"
#endif
