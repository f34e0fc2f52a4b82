// SPDX-License-Identifier: GPL-2.0
/*
 * Seeded random walks: targets, programs, other guests, limits and failures in
 * any order, with a turn of the worker and the check after each. Whatever
 * happened, in the end the guest gets to any target that can be reached.
 *
 * The same seed makes the same walk: module parameters seed= and steps=.
 */
#include <linux/moduleparam.h>

#include "balloon.h"
#include "sim.h"

static unsigned int seed = 1;
module_param(seed, uint, 0444);
MODULE_PARM_DESC(seed, "of the random walks");

static unsigned int steps = 3000;
module_param(steps, uint, 0444);
MODULE_PARM_DESC(steps, "of all random walks together");

struct walk {
	const char *name;
	struct sim_config config;
	bool doubt;			/* Xen may take a part of a page, or one is bad */
};

static const struct walk walks[] = {
	{ "auto-translated", { .regions = 64, .host_pieces = 16, .extra = 300, .slack = 256 } },
	{ "PV", { .regions = 64, .host_pieces = 16, .slack = 256, .pv = true } },
	{ "grown from half", { .regions = 64, .unpopulated = 32, .host_pieces = 40,
			       .slack = 256 } },
	{ "not scrubbed, tight limit", { .regions = 64, .host_pieces = 1, .no_scrub = true,
					 .no_init = true } },
	{ "scrubbed by the driver", { .regions = 64, .host_pieces = 16, .slack = 256,
				      .no_init = true } },
	{ "lending", { .regions = 64, .host_pieces = 16, .slack = 256, .low = 300, .high = 1200 } },
	{ "no in-tree driver", { .regions = 64, .host_pieces = 16, .slack = 256, .bare = true } },
	{ "taken in part", { .regions = 64, .host_pieces = 16, .slack = 256 }, .doubt = true },
	{ "two nodes", { .regions = 64, .host_pieces = 16, .slack = 256, .nodes = 2 } },
	/* Which meet in the midst of regions. */
	{ "three nodes", { .regions = 64, .host_pieces = 16, .extra = 300, .slack = 256,
			   .nodes = 3 } },
	{ "four nodes", { .regions = 64, .host_pieces = 32, .slack = 256, .nodes = 4 } },
	{ "nodes of the kernel's own", { .regions = 64, .host_pieces = 16, .slack = 256,
					 .nodes = 4, .fake = true } },
};

static void name_walk(const struct walk *walk, char *name)
{
	strscpy(name, walk->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(walk, walks, name_walk);

/* What the guest is booted with; targets beyond may add memory. */
static unsigned long booted;

static void new_target(void)
{
	unsigned long target;

	switch (sim_random(8)) {
	case 0:
		target = 0;
		break;
	case 1:
		target = booted + sim_random(1000);
		break;
	case 2:
		target = sim_balloon_stats.current_pages + sim_random(3) - 1;
		break;
	case 3:
		target = sim_random(booted);
		break;
	case 4:
		target = round_down(sim_random(booted), SIM_REGION_PAGES);
		break;
	default:
		target = booted / 2 + sim_random(booted / 2);
	}

	sim_target(target);
	if (sim_random(2))
		atomic_long_set(&sim.xb->intree.heard, target);
}

static void new_fault(bool doubt)
{
	enum sim_op op = sim_random(SIM_NR_OPS);

	sim_fail(op, 1 + sim_random(4), 1 + sim_random(3), sim_random(8));
	if (doubt && op == SIM_RELEASE && !sim_random(50))
		sim.fault[op].partial = sim_random(SIM_REGION_PAGES);
}

/* Somebody says something of some nodes, or takes it back. */
static void new_wishes(unsigned int nodes)
{
	unsigned long wish[SIM_NODES];
	unsigned int nid;

	for (nid = 0; nid < SIM_NODES; nid++)
		wish[nid] = sim_random(2) ? sim_random(2 * booted / nodes) : ULONG_MAX;
	balloon_nodes_wish(sim.xb, sim_random(4) ? wish : NULL);
	balloon_worker_again(sim.xb);
}

/* Something happens to the guest or around it. */
static void happen(const struct walk *walk)
{
	unsigned int nodes = walk->config.nodes;

	switch (sim_random(nodes ? 27 : 22)) {
	case 0:
	case 1:
	case 2:
	case 3:
		new_target();
		break;
	case 4:
		sim_programs_take(sim_random(1000));
		break;
	case 5:
		sim_programs_drop(sim_random(1500));
		break;
	case 6:
		sim_rivals_take(sim_random(8), sim_random(600));
		break;
	case 7:
		sim_rivals_give(sim_random(10), sim_random(800));
		break;
	case 8:
		new_fault(walk->doubt);
		break;
	case 9:
		sim.max_pages = booted + sim.config.extra - sim_random(booted / 4);
		break;
	case 10:
		sim.max_pages = booted + sim.config.extra + sim.config.slack;
		break;
	case 11:
		sim.low_water = sim_random(500);
		break;
	case 12:
		sim_mend();
		break;
	case 13:
		sim_isolate(sim_random(20));
		break;
	case 14:
		if (sim_random(2))
			sim_move_isolated(NULL);
		else
			sim_put_back_isolated();
		break;
	case 15:
		sim.compacts = sim_random(4);
		break;
	case 16:
		/* Nothing, for so long that there is time for upkeep. */
		sim.now += sim_random(100) * NSEC_PER_SEC;
		break;
	case 17:
		if (!walk->config.bare)
			sim_borrow(sim_random(SIM_REGION_PAGES));
		break;
	case 18:
		sim_return(sim_random(2 * SIM_REGION_PAGES));
		break;
	case 19:
		sim.logs_writes = false;
		sim.migrates_after = sim_random(2) * sim_random(10);
		break;
	case 20:
		balloon_elastic_enable(sim.xb, sim_random(4));
		sim.xb->elastic.min = sim_random(booted);
		sim.xb->elastic.age_ms = 1 + sim_random(20000);
		sim.xb->elastic.hold_s = 1 + sim_random(30);
		break;
	case 21:
		balloon_elastic_signal(sim.xb, sim_random(NR_BALLOON_SIGNALS));
		break;
	case 22:
		sim.closed = sim_random(1U << nodes);
		break;
	case 23:
		new_wishes(nodes);
		break;
	case 24:
		balloon_node_set(sim.xb, sim_random(nodes), sim_random(booted / nodes));
		balloon_worker_again(sim.xb);
		break;
	case 25:
		sim.xb->even = sim_random(4);
		break;
	case 26:
		sim_rivals_take_node(sim_random(nodes), sim_random(16));
		break;
	}
}

/* The first region of the block that is offline, if one is. */
static unsigned int offline;
static bool is_offline;

static void set_offline(unsigned int region)
{
	region = round_down(region, SIM_BLOCK_REGIONS);
	if (is_offline || sim_set_offline(region, SIM_BLOCK_REGIONS))
		return;

	offline = region;
	is_offline = true;
}

/* What is on the in-tree driver's list then is counted twice until it is sorted. */
static void set_online(void)
{
	unsigned int looks;

	if (!is_offline)
		return;

	is_offline = false;
	sim_mend();
	sim.unchecked = true;
	sim_online_again(offline, SIM_BLOCK_REGIONS);
	for (looks = 0; looks < 4; looks++) {
		sim.now += 300 * NSEC_PER_SEC;
		sim_settle(200);
	}
	sim.unchecked = false;
	sim_check("online again");
}

/* Some of what is ballooned out has memory there. */
static void go_on_in_a_new_domain(void)
{
	unsigned int tries = sim_random(600), region, index;

	sim_mend();
	sim_put_back_isolated();
	while (tries--) {
		region = sim_random(sim.config.regions);
		index = sim_random(SIM_REGION_PAGES);
		if (sim.host_free && sim.region[region].owner[index] == SIM_DRIVER &&
		    sim.region[region].frame[index] == SIM_HOLE)
			sim_refill(sim_page(region, index));
	}
	sim_scatter_nodes();
	sim.xb->resumed = true;
}

/* What is out of use, or away, is not known of any more after it. */
static void come_and_go(struct kunit *test)
{
	if (sim.bad || balloon_figures(&sim.xb->queue).quarantined)
		return;

	sim_mend();
	sim_put_back_isolated();
	sim_scatter_nodes();
	sim_reload_driver(test);
}

/* Something greater happens. */
static void befall(struct kunit *test, const struct walk *walk)
{
	unsigned int region = sim_random(walk->config.regions);
	unsigned int index = sim_random(SIM_REGION_PAGES);
	unsigned long freed = 0;

	switch (sim_random(6)) {
	case 0:
		sim.xb->oom.deflates = sim_random(2);
		sim.xb->oom.nb.notifier_call(&sim.xb->oom.nb, 0, &freed);
		break;
	case 1:
		set_offline(region);
		break;
	case 2:
		set_online();
		break;
	case 3:
		if (walk->doubt && !sim.bad && sim.region[region].owner[index] == SIM_DRIVER)
			sim.bad = sim_page(region, index);
		break;
	case 4:
		come_and_go(test);
		break;
	case 5:
		if (!walk->config.pv)
			go_on_in_a_new_domain();
		break;
	}
}

/* All troubles are over: the guest can be as large as it ever was. */
static void calm_down(void)
{
	sim_mend();
	sim.xb->oom.deflates = false;
	balloon_elastic_enable(sim.xb, false);
	sim.now += 60 * NSEC_PER_SEC;
	set_online();
	sim_put_back_isolated();
	sim.compacts = 0;
	sim.logs_writes = false;
	sim.migrates_after = 0;
	sim.low_water = 0;
	sim.max_pages = booted + sim.config.extra + sim.config.slack;
	sim_rivals_give(sim.nr_pieces, sim.nr_rival_frames);
	sim_programs_drop(booted);
	sim_return(booted);
	sim.xb->foreign.low = 0;
	sim.xb->foreign.high = 0;
	sim.closed = 0;
	sim.xb->even = true;
	balloon_nodes_wish(sim.xb, NULL);
}

/* There is time, and room on each node: all get to their shares. */
static void expect_even(struct kunit *test)
{
	u64 end = sim.now + 3600ULL * NSEC_PER_SEC;
	struct balloon_node_figures n;
	unsigned int nid;

	balloon_worker_again(sim.xb);
	while (sim.now < end && !sim.violations)
		sim_turn();
	for (nid = 0; nid < sim_nr_nodes(); nid++) {
		n = balloon_node_figures(sim.xb, nid);
		KUNIT_EXPECT_LE_MSG(test, max(n.has, n.target) - min(n.has, n.target),
				    (unsigned long)SIM_REGION_PAGES, "node %u", nid);
	}
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, booted * 3 / 4 + 1);
}

static void nothing_is_lost_whatever_happens(struct kunit *test)
{
	const struct walk *walk = test->param_value;
	unsigned long step, quarantined;

	sim_build(test, &walk->config);
	booted = walk->config.regions * SIM_REGION_PAGES;
	is_offline = false;
	prandom_seed_state(&sim.rnd, seed);

	for (step = 0; step < steps / ARRAY_SIZE(walks) && !sim.violations; step++) {
		if (sim_random(16) || walk->config.bare)
			happen(walk);
		else
			befall(test, walk);
		sim_turn();
	}
	if (sim.violations) {
		kunit_err(test, "at step %lu of seed %u: repeat it by make kunit SUITE=walk SEED=%u STEPS=%u\n",
			  step, seed, seed, steps);
		return;
	}

	calm_down();
	sim_target(booted);
	sim_settle(2000);
	quarantined = balloon_figures(&sim.xb->queue).quarantined;
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages,
			min(booted, sim.xb->total - quarantined));
	sim_target(booted * 3 / 4 + 1);
	sim_settle(2000);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, booted * 3 / 4 + 1);
	if (walk->config.nodes && !quarantined)
		expect_even(test);
	kunit_info(test, "%s: %lu steps of seed %u, %lu calls of Xen, %lu pages moved, %lu huge pages coalesced, %lu evened out, %lu pages quarantined\n",
		   walk->name, step, seed,
		   sim.calls[SIM_RELEASE] + sim.calls[SIM_POPULATE], sim.moved,
		   balloon_counted(sim.xb, COUNT_COALESCED),
		   balloon_counted(sim.xb, COUNT_EVENED), quarantined);
}

static struct kunit_case walk_cases[] = {
	KUNIT_CASE_PARAM(nothing_is_lost_whatever_happens, walk_gen_params),
	{}
};

static struct kunit_suite walk_suite = {
	.name = "walk",
	.init = sim_init,
	.exit = sim_exit,
	.test_cases = walk_cases,
};

kunit_test_suite(walk_suite);
