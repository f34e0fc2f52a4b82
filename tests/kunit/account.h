/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites of queue.c and regions.c share: how a region is kept account of.
 */
#ifndef _KUNIT_ACCOUNT_H
#define _KUNIT_ACCOUNT_H

#include "assert.h"

static inline struct balloon_region *find_region(unsigned int region)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct balloon_region *found;

	spin_lock(&q->lock);
	found = balloon_region_of(q, sim_page(region, 0));
	spin_unlock(&q->lock);

	return found;
}

static inline bool filed_under(unsigned int region, unsigned int class)
{
	struct balloon_region *entry;

	list_for_each_entry(entry, &sim.xb->queue.nodes[0].by_fill[class], list)
		if (entry->start_pfn == page_to_pfn(sim_page(region, 0)))
			return true;

	return false;
}

#endif
