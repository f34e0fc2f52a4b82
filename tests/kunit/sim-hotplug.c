// SPDX-License-Identifier: GPL-2.0
/*
 * The simulated kernel's memory hot-plug: blocks are added right after what the guest has,
 * and set online at once or later. Then they are the in-tree driver's, by the callback
 * that it has registered. And what is online can be set offline.
 */
#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/mm.h>

#include "balloon.h"
#include "sim.h"

static u64 block_size(void)
{
	return (u64)SIM_BLOCK_REGIONS * SIM_REGION_PAGES * PAGE_SIZE;
}

/* Where the next block can be. */
static u64 next_place(void)
{
	return PFN_PHYS(sim.first_pfn + sim_total()) + sim.nr_offline * block_size();
}

static void notify(unsigned long action, unsigned int region, unsigned int nr)
{
	struct memory_notify range = {
		.start_pfn = page_to_pfn(sim_page(region, 0)),
		.nr_pages = nr * SIM_REGION_PAGES,
	};

	if (sim.memory_nb)
		sim.memory_nb->notifier_call(sim.memory_nb, action, &range);
}

int sim_register_memory_notifier(struct notifier_block *nb)
{
	int ret = sim_register_notifier();

	if (!ret)
		sim.memory_nb = nb;
	return ret;
}

unsigned long sim_block_size(void)
{
	return block_size();
}

/* Where windows are all that is simulated, of these. */
int sim_walk_memory(int (*func)(struct resource *memory, void *data), void *data)
{
	unsigned long start = sim.first_pfn, end = start + sim_total();
	unsigned long stride = sim.config.stride * SIM_REGION_PAGES ?: end - start;
	unsigned long nr = sim.config.window * SIM_REGION_PAGES ?: stride;
	struct resource memory;
	int ret = 0;

	for (; start < end && !ret; start += stride) {
		memory.start = PFN_PHYS(start);
		memory.end = PFN_PHYS(start + nr) - 1;
		if (start + stride >= end)
			memory.end += sim.nr_offline * block_size();
		ret = func(&memory, data);
	}

	return ret;
}

int sim_find_place(struct resource *place, u64 size, u64 align)
{
	if (size != block_size() || align != size)
		sim_violation("looked for a place that is not one of a block");
	if (place->flags != IORESOURCE_SYSTEM_RAM)
		sim_violation("looked for a place that is not one of memory");
	if (sim_fails(SIM_PLACE, NULL, NULL))
		return -EBUSY;

	sim.place_taken = true;
	place->start = next_place();
	place->end = place->start + size - 1;
	return 0;
}

void sim_leave_place(void)
{
	sim.place_taken = false;
}

/* xenmem_ops.make_holes of a PV guest */
int sim_make_holes(unsigned long pfn, unsigned long nr)
{
	if (sim_fails(SIM_HOLES, NULL, NULL))
		return -ENOMEM;

	if (!sim.place_taken)
		sim_violation("changed the p2m where somebody else may be");
	sim.holes_end = pfn + nr;
	return 0;
}

int sim_add_memory(u64 start, u64 size, mhp_t flags)
{
	if (flags != MHP_MERGE_RESOURCE)
		sim_violation("adds memory otherwise than as plain memory");
	if (sim.place_taken)
		sim_violation("adds memory where something is");
	if (size != block_size() || start != next_place())
		sim_violation("adds memory that is no block");
	if (sim.config.pv && sim.holes_end != PHYS_PFN(start + size))
		sim_violation("adds memory that has no place in the p2m");
	if (sim_fails(SIM_ADD, NULL, NULL))
		return -ENOMEM;

	sim.nr_offline++;
	if (!sim.stays_offline)
		sim_set_online();
	return 0;
}

/**
 * sim_set_online - somebody sets the block online that was added first
 */
void sim_set_online(void)
{
	unsigned int first = sim.config.regions, i;

	sim.nr_offline--;
	for (i = 0; i < SIM_BLOCK_REGIONS; i++)
		sim_add_region();
	notify(MEM_GOING_ONLINE, first, SIM_BLOCK_REGIONS);
	for (i = 0; i < SIM_BLOCK_REGIONS; i++)
		sim_intree_online(first + i);
	notify(MEM_ONLINE, first, SIM_BLOCK_REGIONS);
}

/* Pages that may go are those that nobody has: see scan_movable_pages(). */
static bool may_go(struct page *page, enum sim_owner owner)
{
	return owner == SIM_FREE || (PageOffline(page) && !page_ref_count(page));
}

static bool may_all_go(unsigned int region, unsigned int nr)
{
	unsigned int i, j;

	for (i = region; i < region + nr; i++)
		for (j = 0; j < SIM_REGION_PAGES; j++)
			if (!may_go(sim_page(i, j), sim.region[i].owner[j]))
				return false;

	return true;
}

/**
 * sim_set_offline - somebody sets memory offline, as offline_pages() does
 * @region: the first region of it
 * @nr: how many
 *
 * What would have to be moved for it makes it fail.
 *
 * Return: 0 or -EBUSY.
 */
int sim_set_offline(unsigned int region, unsigned int nr)
{
	unsigned int i, j;
	int nid;

	notify(MEM_GOING_OFFLINE, region, nr);
	if (!may_all_go(region, nr)) {
		notify(MEM_CANCEL_OFFLINE, region, nr);
		return -EBUSY;
	}

	for (i = region; i < region + nr; i++) {
		for (j = 0; j < SIM_REGION_PAGES; j++) {
			nid = sim_page_nid(sim_page(i, j));
			if (sim_use(i, j, SIM_OFFLINE)) {
				sim.managed--;
				sim.node_managed[nid]--;
			}
			sim.region[i].owner[j] = SIM_OFFLINE;
		}
		sim.region[i].changed = true;
	}
	notify(MEM_OFFLINE, region, nr);
	return 0;
}

/**
 * sim_online_region - a region that was offline is online
 * @region: its number
 */
void sim_online_region(unsigned int region)
{
	sim_build_region(region);
	sim_intree_online(region);
}

/**
 * sim_online_again - somebody sets it online again
 * @region: the first region
 * @nr: how many
 */
void sim_online_again(unsigned int region, unsigned int nr)
{
	unsigned int i;

	notify(MEM_GOING_ONLINE, region, nr);
	for (i = region; i < region + nr; i++)
		sim_online_region(i);
	notify(MEM_ONLINE, region, nr);
}
