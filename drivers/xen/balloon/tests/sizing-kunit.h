/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of sizing.c: what one step towards the target moves.
 */
#include "step.h"

/* How much may be given up */

struct reserve_case {
	const char *name;
	unsigned long guest;
	unsigned long available;
	unsigned long inflatable;
};

static const struct reserve_case reserve_cases[] = {
	{ "nothing known", 0, 5000, 5000 - 1024 },
	{ "below the least reserve", 65535, 5000, 5000 - 1024 },
	{ "256 MiB: 4 MiB stay", 65536, 5000, 5000 - 1024 },
	{ "a page more stays", 65536 + 64, 5000, 5000 - 1025 },
	{ "1 GiB: 16 MiB stay", 262144, 5000, 5000 - 4096 },
	{ "15 GiB: 240 MiB stay", 3932160, 100000, 100000 - 61440 },
	{ "16 GiB: 256 MiB stay", 4194304, 100000, 100000 - 65536 },
	{ "1 TiB: no more stays", 268435456, 100000, 100000 - 65536 },
	{ "just what stays", 65536, 1024, 0 },
	{ "a page above what stays", 65536, 1025, 1 },
	{ "less than what stays", 65536, 10, 0 },
};

STEP_PARAMS(reserve);

static void a_sixty_fourth_of_the_guest_stays_available_within_bounds(struct kunit *test)
{
	const struct reserve_case *c = test->param_value;
	unsigned long guest = sim.xb->queue.n.guest, room;

	sim.xb->queue.n.guest = c->guest;
	sim.cache = c->available;
	/* Nobody knows whether that is to be had. */
	sim.slab = 5000;
	sim.low_water = sim.nr_free;
	room = balloon_inflatable(sim.xb);
	sim.slab = 0;
	sim.xb->queue.n.guest = guest;
	sim.cache = 0;
	sim.low_water = 0;

	KUNIT_EXPECT_EQ(test, room, c->inflatable);
}

/* A step towards a smaller guest */

#define PLENTY	ULONG_MAX

struct inflate_case {
	const char *name;
	unsigned long want;
	unsigned long room;
	unsigned long huge;
	unsigned long base;
};

/* At which a step moves as many huge pages as it may. */
#define FULL_PACE	ilog2(XENMEM_MAX_HUGE)

static const struct inflate_case inflate_cases[] = {
	{ "one page", 1, PLENTY, 0, 1 },
	{ "base pages", 77, PLENTY, 0, 77 },
	{ "a page less than 2 MiB", 511, PLENTY, 0, 511 },
	{ "2 MiB", 512, PLENTY, 1, 0 },
	{ "huge pages first", 513, PLENTY, 1, 0 },
	{ "3 huge pages and some", H(3) + 511, PLENTY, 3, 0 },
	{ "8 huge pages at once", H(8), PLENTY, 8, 0 },
	{ "no more than 8 at once", H(9), PLENTY, 8, 0 },
	{ "just enough room", 77, 77, 0, 77 },
	{ "a page short: nothing", 77, 76, 0, 0 },
	{ "no room", 77, 0, 0, 0 },
	{ "less than 2 MiB of room", 600, 511, 0, 0 },
	{ "2 MiB of room", 600, 512, 1, 0 },
	{ "whole huge pages of room", H(3), H(2) + 511, 2, 0 },
	{ "just enough room for huge ones", H(2) + 5, H(2) + 5, 2, 0 },
};

STEP_PARAMS(inflate);

static void inflating_gives_huge_pages_first_and_does_not_nibble(struct kunit *test)
{
	const struct inflate_case *c = test->param_value;
	unsigned long given = H(c->huge) + c->base;

	sim.xb->pace = FULL_PACE;
	if (c->room != PLENTY)
		sim.low_water = sim.nr_free - 1024 - c->room;
	KUNIT_EXPECT_EQ(test, IN_STEP(inflate(sim.xb, c->want)), given);

	expect_figures(test, FULL - given, c->huge, c->base, 0);
	expect_released(test, !!given, c->huge + c->base, given);
	if (!given)
		KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 0UL);
}

static void base_pages_go_when_there_is_no_huge_page(struct kunit *test)
{
	sim_fail(SIM_ALLOC, 1, 1, 0);
	sim_fail(SIM_CONTIG, 1, 1000, 0);
	KUNIT_EXPECT_EQ(test, IN_STEP(inflate(sim.xb, 700)), 512UL);
	expect_released(test, 1, 512, 512);
}

static void base_pages_go_when_xen_takes_no_huge_page(struct kunit *test)
{
	sim.xb->pace = FULL_PACE;
	sim_fail(SIM_RELEASE, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, IN_STEP(inflate(sim.xb, H(2))), 512UL);
	expect_released(test, 2, 512, 512);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, FULL - 512);
}

static void base_pages_from_anywhere_go_when_a_test_wants_that(struct kunit *test)
{
	unsigned long guest = FULL - 600;

	sim_programs_take(2000);
	sim.xb->base_only = true;
	sim_target(guest);
	sim_settle(20);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).base, 600UL);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, guest);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);
}

static void no_base_page_goes_when_xen_takes_some_huge_page(struct kunit *test)
{
	sim.xb->pace = FULL_PACE;
	sim_fail(SIM_RELEASE, 1, 1, 1);
	KUNIT_EXPECT_EQ(test, IN_STEP(inflate(sim.xb, H(3))), 512UL);
	expect_released(test, 1, 1, 512);
	expect_figures(test, FULL - 512, 1, 0, 0);
}

static void nothing_is_released_when_there_is_no_page(struct kunit *test)
{
	sim.xb->pace = FULL_PACE;
	sim_fail(SIM_ALLOC, 1, 1000, 0);
	sim_fail(SIM_CONTIG, 1, 1000, 0);
	KUNIT_EXPECT_EQ(test, IN_STEP(inflate(sim.xb, H(2))), 0UL);
	KUNIT_EXPECT_EQ(test, IN_STEP(inflate(sim.xb, 5)), 0UL);
	expect_released(test, 0, 0, 0);
}

static void inflating_lands_on_the_page(struct kunit *test)
{
	sim_target(FULL - H(11) - 77);
	/* 1, 2, 4 and 4 huge pages; the rest; and a look that all is done. */
	KUNIT_EXPECT_EQ(test, sim_settle(20), 6U);
	KUNIT_EXPECT_EQ(test, sim_populated(), FULL - H(11) - 77);
	expect_figures(test, FULL - H(11) - 77, 11, 77, 0);
	expect_released(test, 5, 11 + 77, H(11) + 77);
}

/* Steps to a target, each of which shall move so many huge pages. */
static void expect_steps(struct kunit *test, unsigned long target, const unsigned int *huge,
			 unsigned int nr)
{
	unsigned long before;
	unsigned int i;

	sim_target(target);
	for (i = 0; i < nr; i++) {
		before = sim_balloon_stats.current_pages;
		sim_turn();
		KUNIT_EXPECT_EQ_MSG(test, abs_diff(sim_balloon_stats.current_pages, before),
				    H(huge[i]), "step %u", i);
	}
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, target);
	sim_turn();
}

static void each_way_begins_with_a_small_step(struct kunit *test)
{
	static const unsigned int all[] = { 1, 2, 4, 5 }, few[] = { 1, 2 };

	expect_steps(test, FULL - H(12), all, ARRAY_SIZE(all));
	expect_steps(test, FULL, all, ARRAY_SIZE(all));
	expect_steps(test, FULL - H(3), few, ARRAY_SIZE(few));
}

static void a_target_that_changes_on_the_way_does_not_slow_it(struct kunit *test)
{
	static const unsigned int more[] = { 4, 3 };

	sim_target(FULL - H(9));
	sim_turn();
	sim_turn();
	expect_steps(test, FULL - H(10), more, ARRAY_SIZE(more));
}

static void to_turn_back_begins_with_a_small_step(struct kunit *test)
{
	static const unsigned int back[] = { 1, 2, 4 };

	sim_target(FULL - H(11));
	sim_turn();
	sim_turn();
	sim_turn();
	expect_steps(test, FULL, back, ARRAY_SIZE(back));
}

static void after_a_step_in_vain_comes_a_small_one(struct kunit *test)
{
	static const unsigned int rest[] = { 1, 2, 4 };

	sim_target(FULL - H(10));
	sim_turn();
	sim_turn();
	sim_fail(SIM_ALLOC, 1, 1000, 0);
	sim_fail(SIM_CONTIG, 1, 1000, 0);
	KUNIT_EXPECT_GT(test, sim_turn(), 0L);
	sim_fail(SIM_ALLOC, 0, 0, 0);
	sim_fail(SIM_CONTIG, 0, 0, 0);
	expect_steps(test, FULL - H(10), rest, ARRAY_SIZE(rest));
}

/* A step towards a larger guest */

struct deflate_case {
	const char *name;
	unsigned long out;
	unsigned long want;
	unsigned long limit;		/* by Xen's maximum */
	unsigned long got;
	unsigned long huge;
	unsigned long base;
	unsigned int calls;
};

static const struct deflate_case deflate_cases[] = {
	{ "huge pages first", H(3) + 77, 600, PLENTY, 512, 2, 77, 1 },
	{ "2 MiB", H(3) + 77, 512, PLENTY, 512, 2, 77, 1 },
	{ "base pages for less", H(3) + 77, 511, PLENTY, 77, 3, 0, 1 },
	{ "some base pages", H(3) + 77, 50, PLENTY, 50, 3, 27, 1 },
	{ "base pages after huge ones", 77, H(2), PLENTY, 77, 0, 0, 1 },
	{ "8 huge pages at once", H(10), H(10), PLENTY, H(8), 2, 0, 1 },
	{ "several", H(10), H(3) + 5, PLENTY, H(3), 7, 0, 1 },
	{ "part of a huge page", H(2), 100, PLENTY, 100, 1, 412, 1 },
	{ "no headroom", H(3) + 77, 600, 0, 0, 3, 77, 0 },
	{ "headroom for base pages", H(3) + 77, 600, 60, 60, 3, 17, 1 },
	{ "headroom for a huge page", H(3) + 77, H(3), 1000, 512, 2, 77, 1 },
	{ "headroom as wanted", H(3) + 77, H(3), H(3), H(3), 0, 77, 1 },
	{ "nothing there", 0, 100, PLENTY, 0, 0, 0, 0 },
};

STEP_PARAMS(deflate);

static void deflating_takes_huge_then_base_then_a_part_within_headroom(struct kunit *test)
{
	const struct deflate_case *c = test->param_value;

	balloon_out(test, c->out);
	sim.xb->pace = FULL_PACE;
	if (c->limit != PLENTY)
		sim.max_pages = sim.tot_pages + c->limit;
	KUNIT_EXPECT_EQ(test, IN_STEP(deflate(sim.xb, c->want)), c->got);

	expect_figures(test, FULL - c->out + c->got, c->huge, c->base, 0);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_POPULATE], (unsigned long)c->calls);
	sim_check("after deflating");
}

struct scarce_case {
	const char *name;
	unsigned long out;
	unsigned long got;
	unsigned long huge;
	unsigned long base;
};

static const struct scarce_case scarce_cases[] = {
	{ "base pages that are queued", H(2) + 77, 77, 2, 0 },
	{ "no more than 512", H(2) + 511, 511, 2, 0 },
	{ "a huge page in parts", H(2), 512, 1, 0 },
};

STEP_PARAMS(scarce);

static void base_pages_come_when_the_host_has_no_2_mib(struct kunit *test)
{
	const struct scarce_case *c = test->param_value;

	balloon_out(test, c->out);
	sim.xb->pace = FULL_PACE;
	/* No piece that is left passes for whole. */
	sim_rivals_take(sim.nr_pieces, 0);
	sim_rivals_give(2, 0);
	while (!list_empty(&sim.whole))
		list_move(sim.whole.next, &sim.broken);
	KUNIT_EXPECT_EQ(test, IN_STEP(deflate(sim.xb, H(2))), c->got);

	expect_populated(test, 2, c->got, c->got, 1);
	expect_figures(test, FULL - c->out + c->got, c->huge, c->base, 0);
}

static void what_came_of_huge_pages_is_enough_for_a_step(struct kunit *test)
{
	balloon_out(test, H(3) + 77);
	sim.xb->pace = FULL_PACE;
	sim_fail(SIM_POPULATE, 1, 1, 1);
	KUNIT_EXPECT_EQ(test, IN_STEP(deflate(sim.xb, H(3))), 512UL);
	expect_populated(test, 1, 1, 512, 0);
}

static void all_is_tried_while_the_limit_is_unknown(struct kunit *test)
{
	balloon_out(test, H(2));
	sim.xb->pace = FULL_PACE;
	sim.max_pages = sim.tot_pages;
	sim_fail(SIM_MAXIMUM, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, IN_STEP(deflate(sim.xb, H(1))), 0UL);
	expect_populated(test, 2, 0, 0, 2);
	expect_figures(test, FULL - H(2), 2, 0, 0);
}

static void spare_pages_are_reclaimed_when_the_queue_is_empty(struct kunit *test)
{
	balloon_out(test, 30);
	sim_intree_take(40);
	KUNIT_EXPECT_EQ(test, IN_STEP(deflate(sim.xb, 100)), 30UL);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->spare(), 40UL);
	KUNIT_EXPECT_EQ(test, IN_STEP(deflate(sim.xb, 25)), 40UL);
	expect_figures(test, FULL - 40, 0, 40, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->spare(), 0UL);
}

static void spare_pages_become_the_guests(struct kunit *test)
{
	sim_intree_take(700);
	sim_target(FULL);
	sim_settle(20);
	KUNIT_EXPECT_EQ(test, sim_populated(), FULL);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->spare(), 0UL);
}

static void deflating_lands_on_the_page(struct kunit *test)
{
	balloon_out(test, H(5));
	sim_target(FULL - H(3) - 77);
	KUNIT_EXPECT_EQ(test, sim_settle(20), 3U);
	KUNIT_EXPECT_EQ(test, sim_populated(), FULL - H(3) - 77);
	expect_figures(test, FULL - H(3) - 77, 3, 77, 0);
}

static void after_a_step_in_vain_xen_is_asked_for_few_base_pages(struct kunit *test)
{
	sim_target(FULL - 100);
	sim_settle(20);
	sim.xb->delay_ms = 16;
	KUNIT_EXPECT_EQ(test, IN_STEP(deflate(sim.xb, 100)), FEW_BASE);
	sim.xb->delay_ms = 0;
	KUNIT_EXPECT_EQ(test, IN_STEP(deflate(sim.xb, 100 - FEW_BASE)), 100 - FEW_BASE);
}

static void what_xen_takes_nothing_for_is_told_of_once_with_each_target(struct kunit *test)
{
	unsigned int i, j;

	for (i = 0; i < 3; i++) {
		sim_target(FULL - H(3) - i);
		sim_fail(SIM_RELEASE, 1, 100, 0);
		for (j = 0; j < 5; j++)
			sim_turn();
		KUNIT_EXPECT_EQ(test, sim.nr_said, i + 1);
		expect_figures(test, FULL, 0, 0, 0);
	}
	KUNIT_EXPECT_TRUE(test, said("shadow_memory"));
}

/* Nodes */

static const struct sim_config sizing_nodes = {
	.regions = REGIONS, .host_pieces = 16, .extra = EXTRA, .slack = 256, .nodes = 2,
};

/* Others leave so many pieces of a node, and such as pass for broken ones. */
static void leave_of_node(unsigned int node, unsigned int whole, unsigned int broken)
{
	struct sim_piece *piece, *next;
	unsigned int nr = 0;

	list_for_each_entry(piece, &sim.whole, list)
		nr += piece->node == node;
	sim_rivals_take_node(node, nr - whole - broken);
	list_for_each_entry_safe(piece, next, &sim.whole, list) {
		if (piece->node != node || !broken)
			continue;
		list_move_tail(&piece->list, &sim.broken);
		broken--;
	}
}

struct source_case {
	const char *name;
	unsigned int whole[2];		/* what each node of the machine has */
	unsigned int broken[2];
	unsigned long closed;
	unsigned long extents;		/* for 2 MiB of the first node */
	unsigned long away;
};

static const struct source_case source_cases[] = {
	{ "there is all", { 1, 1 }, { 1, 1 }, 0, 1, 0 },
	{ "2 MiB of its own", { 1, 0 }, { 0, 1 }, 0, 1, 0 },
	{ "2 MiB of another before pieces of its own", { 0, 1 }, { 2, 0 }, 0, 1, 512 },
	{ "pieces of its own", { 0, 0 }, { 1, 1 }, 0, 512, 0 },
	{ "pieces of another", { 0, 0 }, { 0, 1 }, 0, 512, 512 },
	{ "2 MiB that are kept for others", { 1, 0 }, { 1, 0 }, BIT(0), 1, 512 },
	{ "pieces that are kept for others", { 0, 0 }, { 1, 0 }, BIT(0), 512, 512 },
};

STEP_PARAMS(source);

static void superpages_come_before_nodes_and_both_before_nothing(struct kunit *test)
{
	const struct source_case *c = test->param_value;
	unsigned int node;

	sim_build(test, &sizing_nodes);
	balloon_out(test, H(2));
	KUNIT_ASSERT_EQ(test, sim.xb->queue.nodes[0].nr_huge, 1UL);
	KUNIT_ASSERT_EQ(test, sim.xb->queue.nodes[1].nr_huge, 1UL);
	for (node = 0; node < 2; node++)
		leave_of_node(node, c->whole[node], c->broken[node]);
	sim.closed = c->closed;

	KUNIT_EXPECT_EQ(test, IN_STEP(deflate(sim.xb, H(1))), H(1));
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[0].nr_huge, 0UL);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[1].nr_huge, 1UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_EXTENTS), c->extents);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_AWAY), c->away);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[0].away, c->away);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[1].away, 0UL);
	expect_figures(test, FULL - H(1), 1, 0, 0);
}

static void single_pages_come_partly_from_another_node(struct kunit *test)
{
	sim_build(test, &sizing_nodes);
	balloon_out(test, H(2));
	leave_of_node(0, 0, 1);
	leave_of_node(1, 0, 1);
	/* Of the first node's. */
	sim_rivals_take(0, 412);
	KUNIT_EXPECT_EQ(test, IN_STEP(deflate(sim.xb, H(1))), H(1));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_AWAY), 412UL);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[0].away, 412UL);
	KUNIT_EXPECT_EQ(test, sim_away(&sim.region[0], 0), 412U);
}

static void a_remainder_is_of_one_node(struct kunit *test)
{
	struct balloon_node *nodes;

	sim_build(test, &sizing_nodes);
	balloon_out(test, H(3) + 77);
	nodes = sim.xb->queue.nodes;
	KUNIT_EXPECT_EQ(test, nodes[0].nr_huge + nodes[1].nr_huge, 3UL);
	KUNIT_EXPECT_EQ(test, min(nodes[0].nr_huge, nodes[1].nr_huge), 1UL);
	KUNIT_EXPECT_EQ(test, max(nodes[0].base, nodes[1].base), 77UL);
}

struct remainder_case {
	const char *name;
	unsigned int free[2];		/* of each node, the first of which is to have less */
	unsigned long base[2];
};

/* A node has memory to spare where twice 2 MiB of it are free. */
static const struct remainder_case remainder_cases[] = {
	{ "both have memory to spare", { 1024, 1024 }, { 77, 0 } },
	{ "one has none to spare", { 1023, 1024 }, { 0, 77 } },
	{ "it has none at all", { 0, 1024 }, { 0, 77 } },
	{ "the other one has none to spare", { 1024, 1023 }, { 77, 0 } },
	{ "neither has", { 1023, 1023 }, { 77, 0 } },
};

STEP_PARAMS(remainder);

/* Programs have all of a node but so many pages, the same part of each region. */
static void leave_free(struct kunit *test, unsigned int node, unsigned int pages)
{
	unsigned int i, regions = REGIONS / 2;

	for (i = 0; i < regions * SIM_REGION_PAGES - pages; i++)
		KUNIT_ASSERT_TRUE(test, sim_use(node * regions + i % regions, i / regions,
						SIM_PROGRAM));
}

static void a_remainder_is_of_a_node_that_has_memory_to_spare(struct kunit *test)
{
	const struct remainder_case *c = test->param_value;
	unsigned long wish[SIM_NODES] = { H(8), ULONG_MAX, ULONG_MAX, ULONG_MAX };
	unsigned int node;

	sim_build(test, &sizing_nodes);
	sim.xb->target.reserve = 1;
	for (node = 0; node < 2; node++)
		leave_free(test, node, c->free[node]);
	balloon_nodes_wish(sim.xb, wish);

	KUNIT_EXPECT_EQ(test, IN_STEP(inflate(sim.xb, 77)), 77UL);
	for (node = 0; node < 2; node++)
		KUNIT_EXPECT_EQ_MSG(test, sim.xb->queue.nodes[node].base, c->base[node],
				    "node %u", node);
}

static void pages_of_regions_in_which_nodes_meet_come_back_last(struct kunit *test)
{
	struct sim_config config = sizing_nodes;
	struct balloon_queue *q = &sim.xb->queue;

	config.border = 255;
	sim_build(test, &config);
	sim_queue_base(REGIONS / 2, 250, 10);
	sim_queue_base(3, 0, 4);
	KUNIT_ASSERT_EQ(test, q->nodes[SIM_NODES].base, 10UL);
	KUNIT_EXPECT_EQ(test, IN_STEP(deflate(sim.xb, 14)), 4UL);
	KUNIT_EXPECT_EQ(test, q->nodes[SIM_NODES].base, 10UL);
	KUNIT_EXPECT_EQ(test, IN_STEP(deflate(sim.xb, 10)), 10UL);
	expect_figures(test, FULL, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_AWAY), 0UL);
}

static struct kunit_case sizing_cases[] = {
	KUNIT_CASE_PARAM(a_sixty_fourth_of_the_guest_stays_available_within_bounds,
			 reserve_gen_params),
	KUNIT_CASE_PARAM(inflating_gives_huge_pages_first_and_does_not_nibble,
			 inflate_gen_params),
	KUNIT_CASE(base_pages_go_when_there_is_no_huge_page),
	KUNIT_CASE(base_pages_go_when_xen_takes_no_huge_page),
	KUNIT_CASE(base_pages_from_anywhere_go_when_a_test_wants_that),
	KUNIT_CASE(no_base_page_goes_when_xen_takes_some_huge_page),
	KUNIT_CASE(nothing_is_released_when_there_is_no_page),
	KUNIT_CASE(inflating_lands_on_the_page),
	KUNIT_CASE(each_way_begins_with_a_small_step),
	KUNIT_CASE(a_target_that_changes_on_the_way_does_not_slow_it),
	KUNIT_CASE(to_turn_back_begins_with_a_small_step),
	KUNIT_CASE(after_a_step_in_vain_comes_a_small_one),
	KUNIT_CASE_PARAM(deflating_takes_huge_then_base_then_a_part_within_headroom,
			 deflate_gen_params),
	KUNIT_CASE_PARAM(base_pages_come_when_the_host_has_no_2_mib, scarce_gen_params),
	KUNIT_CASE(what_came_of_huge_pages_is_enough_for_a_step),
	KUNIT_CASE(all_is_tried_while_the_limit_is_unknown),
	KUNIT_CASE(spare_pages_are_reclaimed_when_the_queue_is_empty),
	KUNIT_CASE(spare_pages_become_the_guests),
	KUNIT_CASE(deflating_lands_on_the_page),
	KUNIT_CASE(after_a_step_in_vain_xen_is_asked_for_few_base_pages),
	KUNIT_CASE(what_xen_takes_nothing_for_is_told_of_once_with_each_target),
	KUNIT_CASE_PARAM(superpages_come_before_nodes_and_both_before_nothing, source_gen_params),
	KUNIT_CASE(single_pages_come_partly_from_another_node),
	KUNIT_CASE(a_remainder_is_of_one_node),
	KUNIT_CASE_PARAM(a_remainder_is_of_a_node_that_has_memory_to_spare,
			 remainder_gen_params),
	KUNIT_CASE(pages_of_regions_in_which_nodes_meet_come_back_last),
	{}
};

static struct kunit_suite sizing_suite = {
	.name = "sizing",
	.init = step_init,
	.exit = sim_exit,
	.test_cases = sizing_cases,
};

kunit_test_suite(sizing_suite);
