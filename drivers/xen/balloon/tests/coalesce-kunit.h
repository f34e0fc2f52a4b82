/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of coalesce.c: 512 base pages, strewn over the guest or not, and a
 * huge page change places, whatever Xen says.
 */
#include "assert.h"

#define COALESCE_FULL	(32UL * SIM_REGION_PAGES)

static const struct coalesce_world {
	const char *name;
	struct sim_config config;
	bool full;		/* other guests have all that the host had to spare */
	bool over_limit;	/* the guest has more than it may */
} coalesce_worlds[] = {
	{ "auto-translated", { .regions = 32, .host_pieces = 4, .slack = 5 } },
	{ "auto-translated, full host", { .regions = 32, .slack = 5 }, .full = true },
	{ "auto-translated, over its limit", { .regions = 32, .host_pieces = 4 },
	  .over_limit = true },
	{ "PV", { .regions = 32, .host_pieces = 4, .slack = 5, .pv = true } },
	{ "PV, full host", { .regions = 32, .slack = 5, .pv = true }, .full = true },
	{ "PV, over its limit", { .regions = 32, .host_pieces = 4, .pv = true },
	  .over_limit = true },
};

static void name_coalesce_world(const struct coalesce_world *world, char *name)
{
	strscpy(name, world->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(coalesce_world, coalesce_worlds, name_coalesce_world);

/* Build a guest with base pages in @regions regions, @each in each. */
static void build(struct kunit *test, const struct coalesce_world *world,
		  unsigned int regions, unsigned int each)
{
	unsigned int i, j;

	sim_build(test, &world->config);
	for (i = 0; i < regions; i++)
		for (j = 0; j < each; j++)
			sim_queue_base(2 + i, j * (SIM_REGION_PAGES / each), 1);
	if (world->full)
		sim_rivals_take(world->config.regions, COALESCE_FULL);
	if (world->over_limit)
		sim.max_pages = sim.tot_pages - 1;
	memset(sim.calls, 0, sizeof(sim.calls));
}

static bool coalesce(void)
{
	enum balloon_upkeep done;

	mutex_lock(&sim.xb->step_lock);
	done = balloon_coalesce(sim.xb);
	sim.xb->kernel->publish(sim.xb);
	mutex_unlock(&sim.xb->step_lock);

	return done == UPKEEP_GAINED;
}

static void expect_queues(struct kunit *test, unsigned long guest, unsigned long huge,
			  unsigned long base)
{
	struct balloon_figures n = balloon_figures(&sim.xb->queue);

	KUNIT_EXPECT_EQ(test, n.guest, guest);
	KUNIT_EXPECT_EQ(test, n.huge, huge);
	KUNIT_EXPECT_EQ(test, n.base, base);
	KUNIT_EXPECT_EQ(test, n.quarantined, 0UL);
}

/* How many regions have all their memory. */
static unsigned int whole_regions(void)
{
	unsigned int i, j, nr = 0;

	for (i = 0; i < sim.config.regions; i++) {
		for (j = 0; j < SIM_REGION_PAGES; j++)
			if (sim.region[i].frame[j] >= SIM_FOREIGN)
				break;
		nr += j == SIM_REGION_PAGES;
	}

	return nr;
}

static void base_pages_here_and_there_become_a_huge_page(struct kunit *test)
{
	const struct coalesce_world *world = test->param_value;
	unsigned long tot_pages;

	build(test, world, 16, 32);
	KUNIT_ASSERT_EQ(test, whole_regions(), 16U);
	tot_pages = sim.tot_pages;

	KUNIT_EXPECT_TRUE(test, coalesce());
	expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 1, 0);
	KUNIT_EXPECT_EQ(test, whole_regions(), 31U);
	KUNIT_EXPECT_EQ(test, sim.tot_pages, tot_pages);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_COALESCED), 1UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_COALESCE_TRIES), 1UL);
}

static void regions_with_the_fewest_base_pages_become_whole_first(struct kunit *test)
{
	build(test, &coalesce_worlds[0], 16, 32);
	sim_queue_base(20, 0, 400);

	KUNIT_EXPECT_TRUE(test, coalesce());
	expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES - 400, 1, 400);
	/* But for the one with 400 and the huge one. */
	KUNIT_EXPECT_EQ(test, whole_regions(), 30U);
}

static const struct sim_config two_nodes = {
	.regions = 32, .host_pieces = 4, .slack = 5, .nodes = 2,
};

static void the_huge_page_is_of_the_node_of_the_base_pages(struct kunit *test)
{
	struct page *huge;
	unsigned int i;

	sim_build(test, &two_nodes);
	for (i = 0; i < 8; i++) {
		sim_queue_base(2 + i, 0, 60);
		sim_queue_base(16 + i, 0, 64);
	}
	KUNIT_EXPECT_EQ(test, balloon_base_on(&sim.xb->queue, 0), 480UL);
	KUNIT_EXPECT_EQ(test, balloon_base_on(&sim.xb->queue, 1), 512UL);

	KUNIT_EXPECT_TRUE(test, coalesce());
	KUNIT_EXPECT_EQ(test, balloon_base_on(&sim.xb->queue, 0), 480UL);
	KUNIT_EXPECT_EQ(test, balloon_base_on(&sim.xb->queue, 1), 0UL);
	KUNIT_ASSERT_EQ(test, balloon_dequeue_huge(&sim.xb->queue, &huge, 1, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_EQ(test, sim_page_nid(huge), 1);
	balloon_enqueue(&sim.xb->queue, huge, XENMEM_HUGE_ORDER);
}

#ifdef CONFIG_CONTIG_ALLOC
static void the_huge_page_is_made_on_that_node(struct kunit *test)
{
	struct page *huge;
	unsigned int i, j;

	sim_build(test, &two_nodes);
	/* So little is free in each region that the last pass is the one. */
	for (i = 0; i < 14; i++)
		for (j = 0; j < 440; j++)
			KUNIT_ASSERT_TRUE(test, sim_use(16 + i, 64 + j, SIM_PROGRAM));
	/* But for two where something is in the way. */
	for (; i < 16; i++)
		KUNIT_ASSERT_TRUE(test, sim_use(16 + i, 7, SIM_PINNED));
	for (i = 0; i < 8; i++)
		sim_queue_base(16 + i, 0, 64);

	while (!coalesce())
		KUNIT_ASSERT_FALSE(test, balloon_contig_rests(sim.xb, 1));
	KUNIT_ASSERT_EQ(test, balloon_dequeue_huge(&sim.xb->queue, &huge, 1, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_EQ(test, sim_page_nid(huge), 1);
	balloon_enqueue(&sim.xb->queue, huge, XENMEM_HUGE_ORDER);
}
#endif

static void a_node_without_a_huge_page_does_not_stand_in_the_others_way(struct kunit *test)
{
	unsigned int i;

	sim_build(test, &two_nodes);
	for (i = 0; i < 16; i++)
		KUNIT_ASSERT_TRUE(test, sim_use(i, 500, SIM_PINNED));
	for (i = 0; i < 8; i++) {
		sim_queue_base(i, 0, 64);
		sim_queue_base(16 + i, 0, 128);
	}
	KUNIT_EXPECT_FALSE(test, coalesce());
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_COALESCE_NO_HUGE), 1UL);
	KUNIT_EXPECT_TRUE(test, coalesce());
	KUNIT_EXPECT_TRUE(test, coalesce());
	KUNIT_EXPECT_EQ(test, balloon_base_on(&sim.xb->queue, 0), 512UL);
	KUNIT_EXPECT_EQ(test, balloon_base_on(&sim.xb->queue, 1), 0UL);
}

/* What the guest has free is on the other one. */
static void a_node_short_of_memory_is_tried_and_then_there_is_rest(struct kunit *test)
{
	unsigned int i, j, first;

	sim_build(test, &two_nodes);
	for (i = 0; i < 8; i++)
		sim_queue_base(i, 0, 64);
	for (i = 0; i < 16; i++) {
		first = i < 8 ? 64 : 0;
		for (j = first; j < first + 388 + 64 * (i >= 8); j++)
			KUNIT_ASSERT_TRUE(test, sim_use(i, j, SIM_PROGRAM));
	}
	KUNIT_ASSERT_TRUE(test, balloon_has_spare(sim.xb));

	mutex_lock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, (int)balloon_coalesce(sim.xb), (int)UPKEEP_NOTHING);
	mutex_unlock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, sim.xb->coalesce_failed_on, 0);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_COALESCE_NO_HUGE), 1UL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);
	KUNIT_EXPECT_EQ(test, balloon_base_on(&sim.xb->queue, 0), 512UL);

	/* Nor does it keep the other one from anything. */
	for (i = 16; i < 24; i++)
		sim_queue_base(i, 0, 64);
	KUNIT_EXPECT_TRUE(test, coalesce());
	KUNIT_EXPECT_EQ(test, balloon_base_on(&sim.xb->queue, 1), 0UL);
}

/* Two nodes of Xen's that are one of the kernel's. */
static void change_places_on_second_node(struct kunit *test, unsigned int first)
{
	unsigned int i;

	sim_build(test, &(struct sim_config){
		.regions = 32, .host_pieces = 16, .nodes = 2, .first = first });
	for (i = 24; i < 32; i++)
		sim_queue_base(i, 0, 64);
	/* Each page has the memory of another one. */
	sim.max_pages = sim.tot_pages - 1;
	KUNIT_EXPECT_TRUE(test, coalesce());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_MOVE], 512UL);
	KUNIT_EXPECT_EQ(test, balloon_base_on(&sim.xb->queue, 1), 0UL);
}

static void memory_of_another_of_xens_nodes_is_away(struct kunit *test)
{
	change_places_on_second_node(test, 24);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[1].away, 512UL);
	KUNIT_EXPECT_EQ(test, sim_away(&sim.region[24], 1), 64U);
	sim_check("after pages of two nodes changed places");
	sim.max_pages = sim.tot_pages;
}

static void memory_of_the_same_of_xens_nodes_is_not_away(struct kunit *test)
{
	change_places_on_second_node(test, 16);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 0UL);
	KUNIT_EXPECT_EQ(test, sim_away(&sim.region[24], 1), 0U);
	sim.max_pages = sim.tot_pages;
}

static void a_node_is_tried_again_once_it_has_a_huge_page(struct kunit *test)
{
	unsigned int i;

	build(test, &coalesce_worlds[0], 16, 32);
	for (i = 0; i < 32; i++)
		sim_use(i, 500, SIM_PINNED);
	KUNIT_EXPECT_FALSE(test, coalesce());
	sim_drop(20, 500);
	KUNIT_EXPECT_TRUE(test, coalesce());
}

static void base_pages_of_two_nodes_do_not_make_512(struct kunit *test)
{
	unsigned int i;

	sim_build(test, &two_nodes);
	for (i = 0; i < 8; i++) {
		sim_queue_base(2 + i, 0, 60);
		sim_queue_base(16 + i, 0, 60);
	}
	KUNIT_EXPECT_FALSE(test, coalesce());
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_COALESCE_TRIES), 0UL);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).base, 960UL);
}

static void fewer_than_512_base_pages_stay(struct kunit *test)
{
	build(test, &coalesce_worlds[0], 1, 1);
	sim_queue_base(20, 0, 510);
	sim.calls[SIM_RELEASE] = 0;

	KUNIT_EXPECT_FALSE(test, coalesce());
	expect_queues(test, COALESCE_FULL - 511, 0, 511);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 0UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_COALESCE_TRIES), 0UL);
}

static void a_guest_short_of_memory_keeps_what_it_has(struct kunit *test)
{
	unsigned int spare;

	build(test, &coalesce_worlds[0], 16, 32);
	/* What is left free, and twice 2 MiB. */
	spare = SZ_4M / PAGE_SIZE + 2 * SIM_REGION_PAGES;
	sim_programs_take(sim.nr_free - spare + 1);
	KUNIT_ASSERT_EQ(test, sim.nr_free, spare - 1UL);

	/* Which is not a search that goes on: upkeep backs off. */
	mutex_lock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, (int)balloon_coalesce(sim.xb), (int)UPKEEP_NOTHING);
	mutex_unlock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 0UL);
	expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 0, SIM_REGION_PAGES);

	sim_programs_drop(1);
	KUNIT_EXPECT_TRUE(test, coalesce());
	KUNIT_EXPECT_FALSE(test, !!(sim.gfp & __GFP_DIRECT_RECLAIM) && !sim.calls[SIM_CONTIG]);
}

static void nothing_changes_without_a_huge_page(struct kunit *test)
{
	build(test, &coalesce_worlds[0], 16, 32);
	sim_fail(SIM_ALLOC, 1, 1, 0);
	sim_fail(SIM_CONTIG, 1, 1000, 0);

	KUNIT_EXPECT_FALSE(test, coalesce());
	expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 0, SIM_REGION_PAGES);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_RELEASE], 0UL);
}

static void nothing_changes_when_xen_does_not_take_the_huge_page(struct kunit *test)
{
	build(test, &coalesce_worlds[0], 16, 32);
	sim_fail(SIM_RELEASE, 1, 1, 0);

	KUNIT_EXPECT_FALSE(test, coalesce());
	expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 0, SIM_REGION_PAGES);
	KUNIT_EXPECT_EQ(test, whole_regions(), 16U);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_COALESCED), 0UL);
}

static const unsigned int parts[] = { 0, 1, 100, 511 };

static void name_part(const unsigned int *part, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%u of 512", *part);
}

KUNIT_ARRAY_PARAM(part, parts, name_part);

static void what_xen_does_not_populate_comes_back_later(struct kunit *test)
{
	unsigned int done = *(const unsigned int *)test->param_value;

	build(test, &coalesce_worlds[0], 16, 32);
	sim_fail(SIM_POPULATE, 1, 1, done);

	KUNIT_EXPECT_TRUE(test, coalesce());
	expect_queues(test, COALESCE_FULL - 2 * SIM_REGION_PAGES + done, 1,
		      SIM_REGION_PAGES - done);
	sim_check("after a part");

	sim_target(COALESCE_FULL - SIM_REGION_PAGES);
	sim_settle(10);
	/* As a whole, if it is 2 MiB: then all is as before. */
	if (done)
		expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 1, 0);
	else
		expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 0, SIM_REGION_PAGES);
}

static void a_partial_exchange_leaves_each_page_somewhere(struct kunit *test)
{
	unsigned int done = *(const unsigned int *)test->param_value;

	build(test, &coalesce_worlds[3], 16, 32);
	sim_fail(SIM_EXCHANGE, 1, 1, done);
	/* With nothing exchanged, the memory is moved. */
	KUNIT_EXPECT_TRUE(test, coalesce());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_MOVE], 0UL);
	if (done)
		expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 0, SIM_REGION_PAGES);
	else
		expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 1, 0);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_COALESCED), 1UL);
}

static void memory_that_could_not_be_mapped_comes_back_later(struct kunit *test)
{
	build(test, &coalesce_worlds[3], 16, 32);
	sim_fail(SIM_EXCHANGE, 1, 1, SIM_REGION_PAGES);
	sim.fault[SIM_EXCHANGE].partial = 30;

	KUNIT_EXPECT_TRUE(test, coalesce());
	expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES - 30, 1, 30);
	sim_check("after an exchange");

	sim_target(COALESCE_FULL - SIM_REGION_PAGES);
	sim_settle(10);
	expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 1, 0);
}

static void a_move_that_fails_on_the_way_leaves_each_page_somewhere(struct kunit *test)
{
	unsigned int done = *(const unsigned int *)test->param_value;

	build(test, &coalesce_worlds[2], 16, 32);
	sim_fail(SIM_MOVE, done + 1, 1, 0);

	KUNIT_EXPECT_EQ(test, coalesce(), done > 0);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_MOVE], done + 1UL);
	expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 0, SIM_REGION_PAGES);
}

static void a_move_that_loses_memory_leaves_each_page_somewhere(struct kunit *test)
{
	unsigned int done = *(const unsigned int *)test->param_value;

	build(test, &coalesce_worlds[2], 16, 32);
	sim_fail(SIM_MOVE, done + 1, 1, 1);

	KUNIT_EXPECT_EQ(test, coalesce(), done > 0);
	if (done < SIM_REGION_PAGES - 1)
		expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES - 1, 0, SIM_REGION_PAGES + 1);
	else
		expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES - 1, 1, 1);
}

static const struct migration_case {
	const char *name;
	bool over_limit;	/* page by page, else in two calls */
	unsigned int after;	/* calls it begins */
} migration_cases[] = {
	{ "before all", false, 0 },
	{ "after the huge page was taken", false, 1 },
	{ "after base pages were populated", false, 2 },
	{ "before all, page by page", true, 0 },
	{ "after a page", true, 1 },
	{ "half-way", true, 256 },
};

static void name_migration(const struct migration_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(migration, migration_cases, name_migration);

static void a_migration_sends_no_more_than_the_guest_has(struct kunit *test)
{
	const struct migration_case *c = test->param_value;

	build(test, &coalesce_worlds[c->over_limit ? 2 : 0], 16, 32);
	sim.migrates_after = c->after;
	if (!c->after)
		sim_begin_migration();

	coalesce();
	KUNIT_EXPECT_TRUE(test, sim.logs_writes);
	KUNIT_EXPECT_EQ(test, sim_sent(), COALESCE_FULL - SIM_REGION_PAGES);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest,
			COALESCE_FULL - SIM_REGION_PAGES);
}

static void base_pages_that_are_being_moved_are_left_alone(struct kunit *test)
{
	build(test, &coalesce_worlds[3], 16, 32);
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(sim_page(5, 16)));

	KUNIT_EXPECT_FALSE(test, coalesce());
	expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 0, SIM_REGION_PAGES);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_EXCHANGE] + sim.calls[SIM_RELEASE], 0UL);

	sim_put_back_isolated();
	KUNIT_EXPECT_TRUE(test, coalesce());
	expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 1, 0);
}

static void without_memory_to_keep_account_nothing_changes_places(struct kunit *test)
{
	build(test, &coalesce_worlds[3], 16, 32);
	sim_fail(SIM_KZALLOC, 1, 1, 0);

	KUNIT_EXPECT_FALSE(test, coalesce());
	expect_queues(test, COALESCE_FULL - SIM_REGION_PAGES, 0, SIM_REGION_PAGES);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_EXCHANGE] + sim.calls[SIM_MOVE], 0UL);
}

static struct kunit_case coalesce_cases[] = {
	KUNIT_CASE_PARAM(base_pages_here_and_there_become_a_huge_page, coalesce_world_gen_params),
	KUNIT_CASE(regions_with_the_fewest_base_pages_become_whole_first),
	KUNIT_CASE(the_huge_page_is_of_the_node_of_the_base_pages),
#ifdef CONFIG_CONTIG_ALLOC
	KUNIT_CASE(the_huge_page_is_made_on_that_node),
#endif
	KUNIT_CASE(a_node_without_a_huge_page_does_not_stand_in_the_others_way),
	KUNIT_CASE(a_node_short_of_memory_is_tried_and_then_there_is_rest),
	KUNIT_CASE(memory_of_another_of_xens_nodes_is_away),
	KUNIT_CASE(memory_of_the_same_of_xens_nodes_is_not_away),
	KUNIT_CASE(a_node_is_tried_again_once_it_has_a_huge_page),
	KUNIT_CASE(base_pages_of_two_nodes_do_not_make_512),
	KUNIT_CASE(fewer_than_512_base_pages_stay),
	KUNIT_CASE(a_guest_short_of_memory_keeps_what_it_has),
	KUNIT_CASE(nothing_changes_without_a_huge_page),
	KUNIT_CASE(nothing_changes_when_xen_does_not_take_the_huge_page),
	KUNIT_CASE_PARAM(what_xen_does_not_populate_comes_back_later, part_gen_params),
	KUNIT_CASE_PARAM(a_partial_exchange_leaves_each_page_somewhere, part_gen_params),
	KUNIT_CASE(memory_that_could_not_be_mapped_comes_back_later),
	KUNIT_CASE_PARAM(a_move_that_fails_on_the_way_leaves_each_page_somewhere, part_gen_params),
	KUNIT_CASE_PARAM(a_move_that_loses_memory_leaves_each_page_somewhere, part_gen_params),
	KUNIT_CASE_PARAM(a_migration_sends_no_more_than_the_guest_has, migration_gen_params),
	KUNIT_CASE(base_pages_that_are_being_moved_are_left_alone),
	KUNIT_CASE(without_memory_to_keep_account_nothing_changes_places),
	{}
};

static struct kunit_suite coalesce_suite = {
	.name = "coalesce",
	.init = sim_init,
	.exit = sim_exit,
	.test_cases = coalesce_cases,
};

kunit_test_suite(coalesce_suite);
