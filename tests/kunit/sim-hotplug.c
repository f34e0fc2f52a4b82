// SPDX-License-Identifier: GPL-2.0
/*
 * The simulated kernel's memory hot-plug: blocks are added right after what the guest has,
 * and set online at once or later. Then they are the in-tree driver's, by the callback
 * that it has registered.
 */
#include <linux/ioport.h>
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

unsigned long sim_block_size(void)
{
	return block_size();
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
	unsigned int i;

	sim.nr_offline--;
	for (i = 0; i < SIM_BLOCK_REGIONS; i++)
		sim_intree_online(sim_add_region());
}
