/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites of nodes.c and even.c share: guests of 96 MiB on 2, 3 and 4 nodes, of
 * which all but little may go, and what their nodes are said to have and have.
 */
#ifndef _KUNIT_NODES_H
#define _KUNIT_NODES_H

#include "step.h"

#define NODES_REGIONS	48U
#define NODES_FULL	((unsigned long)NODES_REGIONS * SIM_REGION_PAGES)

static const struct sim_config nodes_worlds[] = {
	{ .regions = NODES_REGIONS, .host_pieces = 24, .slack = 256, .nodes = 2 },
	{ .regions = NODES_REGIONS, .host_pieces = 24, .slack = 256, .nodes = 3 },
	{ .regions = NODES_REGIONS, .host_pieces = 24, .slack = 256, .nodes = 4 },
};

static void name_nodes_world(const struct sim_config *world, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%u nodes", world->nodes);
}

KUNIT_ARRAY_PARAM(nodes_world, nodes_worlds, name_nodes_world);

static inline void build_nodes(struct kunit *test, const struct sim_config *world)
{
	sim_build(test, world);
	sim.xb->target.floor = 0;
	sim.xb->target.reserve = 1;
}

/* The guest has another target, and gets there. */
static inline void go_to(struct kunit *test, unsigned long target)
{
	sim_target(target);
	sim_settle(200);
	KUNIT_ASSERT_EQ(test, sim_balloon_stats.current_pages, target);
	memset(sim.calls, 0, sizeof(sim.calls));
}

/* All that is free of a node is in use from now on, and stays where it is. */
static inline void pin_node(int nid)
{
	unsigned int region, i;

	for (region = 0; region < NODES_REGIONS; region++)
		for (i = 0; i < SIM_REGION_PAGES; i++)
			if (sim_page_nid(sim_page(region, i)) == nid)
				sim_use(region, i, SIM_PINNED);
}

#define NOT_SAID	ULONG_MAX

/* Say in huge pages what nodes are to have. */
static inline void say(const unsigned long *huge)
{
	unsigned long wish[SIM_NODES];
	unsigned int nid;

	for (nid = 0; nid < SIM_NODES; nid++)
		wish[nid] = ULONG_MAX;
	for (nid = 0; nid < sim_nr_nodes(); nid++)
		if (huge[nid] != NOT_SAID)
			wish[nid] = H(huge[nid]);
	balloon_nodes_wish(sim.xb, wish);
}

/* In huge pages, what nodes are to have. */
static inline void expect_targets(struct kunit *test, const unsigned long *huge)
{
	unsigned int nid;

	for (nid = 0; nid < sim_nr_nodes(); nid++)
		KUNIT_EXPECT_EQ_MSG(test, balloon_node_figures(sim.xb, nid).target, H(huge[nid]),
				    "node %u", nid);
}

/* And what they have. */
static inline void expect_nodes_have(struct kunit *test, const unsigned long *huge)
{
	unsigned int nid;

	for (nid = 0; nid < sim_nr_nodes(); nid++)
		KUNIT_EXPECT_EQ_MSG(test, balloon_node_figures(sim.xb, nid).has, H(huge[nid]),
				    "node %u", nid);
}

/* Nodes have together what the guest has, and each is within 2 MiB of its share. */
static inline void expect_shares(struct kunit *test)
{
	struct balloon_node_figures n;
	unsigned long has = 0;
	unsigned int nid;

	for (nid = 0; nid < sim_nr_nodes(); nid++) {
		n = balloon_node_figures(sim.xb, nid);
		has += n.has;
		KUNIT_EXPECT_LE_MSG(test, max(n.has, n.target) - min(n.has, n.target), H(1),
				    "node %u of a guest of %lu pages", nid,
				    sim_balloon_stats.current_pages);
	}
	KUNIT_EXPECT_EQ(test, has, sim_balloon_stats.current_pages);
}

#endif
