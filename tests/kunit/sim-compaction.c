// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's memory compaction, as far as it meets pages of the driver: it
 * isolates them, holds them for a while, and moves them or puts them back. Each
 * step is done as mm/migrate.c does it, by way of the page's own operations; only
 * where to is decided here.
 */
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>
#include <linux/pagemap.h>

#include "balloon.h"
#include "sim.h"

/**
 * sim_isolate_page - isolate_movable_page()
 * @page: a page
 *
 * Return: false when it cannot be moved.
 */
bool sim_isolate_page(struct page *page)
{
	bool done = false;

	if (sim.nr_isolated == SIM_ISOLATED || !__PageMovable(page) ||
	    !get_page_unless_zero(page))
		return false;
	if (!trylock_page(page)) {
		page_ref_dec(page);
		return false;
	}

	/* What __ClearPageMovable() leaves is no table of operations. */
	if (page_movable_ops(page) && !PageIsolated(page))
		done = page_movable_ops(page)->isolate_page(page, 0);
	if (done) {
		SetPageIsolated(page);
		sim.isolated[sim.nr_isolated++] = page;
	} else {
		page_ref_dec(page);
	}
	unlock_page(page);

	return done;
}

/**
 * sim_isolate - isolate base pages here and there
 * @nr: how many at most
 *
 * Return: how many it could.
 */
unsigned int sim_isolate(unsigned int nr)
{
	unsigned int tries = 8 * nr, done = 0;

	while (done < nr && tries--)
		done += sim_isolate_page(sim_page(sim_random(sim.config.regions),
						  sim_random(SIM_REGION_PAGES)));

	return done;
}

static void put_back(struct page *page)
{
	lock_page(page);
	page_movable_ops(page)->putback_page(page);
	ClearPageIsolated(page);
	unlock_page(page);
	page_ref_dec(page);
}

/* A free page to move something to, but not in @avoid; NULL when there is none. */
static struct page *find_target(const struct sim_region *avoid)
{
	unsigned int tries = 64;

	while (tries--) {
		unsigned int region = sim_random(sim.config.regions);
		struct page *page = sim_page(region, sim_random(SIM_REGION_PAGES));

		if (&sim.region[region] != avoid && sim_claim(page_to_pfn(page)))
			return page;
	}

	return NULL;
}

/* migrate_movable_ops_page(), and what is around it. */
static bool move(struct page *page, struct page *newpage)
{
	int ret;

	lock_page(newpage);
	lock_page(page);
	ret = page_movable_ops(page)->migrate_page(newpage, page, MIGRATE_SYNC);
	if (ret == MIGRATEPAGE_SUCCESS)
		ClearPageIsolated(page);
	unlock_page(page);
	unlock_page(newpage);

	if (page_ref_dec_and_test(newpage))
		sim_unclaim(newpage);
	if (ret) {
		put_back(page);
		return false;
	}

	if (page_ref_dec_and_test(page))
		sim_unclaim(page);
	sim.moved++;
	return true;
}

/**
 * sim_move_isolated - move what is isolated, as far as that can be done
 * @avoid: a region to move nothing to, or NULL
 *
 * Return: how many pages.
 */
unsigned int sim_move_isolated(const struct sim_region *avoid)
{
	unsigned int moved = 0;

	while (sim.nr_isolated) {
		struct page *page = sim.isolated[--sim.nr_isolated];
		struct page *newpage = find_target(avoid);

		if (newpage)
			moved += move(page, newpage);
		else
			put_back(page);
	}

	return moved;
}

/**
 * sim_put_back_isolated - think better of it
 */
void sim_put_back_isolated(void)
{
	while (sim.nr_isolated)
		put_back(sim.isolated[--sim.nr_isolated]);
}

/**
 * sim_compact - move base pages from here and there to here and there
 * @nr: how many at most
 *
 * Return: how many it could.
 */
unsigned int sim_compact(unsigned int nr)
{
	sim_isolate(nr);
	return sim_move_isolated(NULL);
}

void sim_resched(void)
{
	if (sim.compacts)
		sim_compact(sim.compacts);
}

/**
 * sim_sleep - the driver waits for somebody who has a page, or for kswapd
 * @us: for so long
 */
void sim_sleep(unsigned long us)
{
	sim.now += us * NSEC_PER_USEC;
	sim_meanwhile();
	sim_kswapd();
	sim_move_isolated(NULL);
	if (sim.walker && PageOffline(sim.walker)) {
		page_ref_dec(sim.walker);
		sim.walker = NULL;
	}
}
