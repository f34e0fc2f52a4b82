/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of even.c: one node gives 2 MiB and another one gets them, as long as that makes
 * them more even; whatever Xen says, the guest is as large as before.
 */
#include "nodes.h"

/* Two nodes that have 12 huge pages each. */
static int even_init(struct kunit *test)
{
	build_nodes(test, &nodes_worlds[0]);
	go_to(test, H(24));
	expect_nodes_have(test, (unsigned long[]){ 12, 12 });
	return 0;
}

/* The first node is to have so many huge pages, and the others the rest. */
static void want(unsigned long huge)
{
	say((unsigned long[]){ huge, NOT_SAID, NOT_SAID, NOT_SAID });
	balloon_worker_again(sim.xb);
}

static int step_even(void)
{
	return IN_STEP((int)balloon_even(sim.xb));
}

static void let_be(u64 seconds)
{
	u64 end = sim.now + seconds * NSEC_PER_SEC;

	while (sim.now < end && !sim.violations)
		sim_turn();
}

static void expect_calls(struct kunit *test, unsigned long released, unsigned long populated)
{
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_RELEASE], released);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_POPULATE], populated);
}

static void expect_evened(struct kunit *test, unsigned long evened, unsigned long refused)
{
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_EVENED), evened);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_EVEN_REFUSED), refused);
}

/* All is as even_init() left it. */
static void expect_untouched(struct kunit *test)
{
	expect_nodes_have(test, (unsigned long[]){ 12, 12 });
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, H(24));
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).base, 0UL);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 0UL);
	KUNIT_EXPECT_EQ(test, sim_superpages(), 24U);
}

static void each_step_moves_2_mib_until_all_are_at_their_shares(struct kunit *test)
{
	unsigned int i;

	want(8);
	for (i = 1; i <= 4; i++) {
		KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_GAINED);
		expect_nodes_have(test, (unsigned long[]){ 12 - i, 12 + i });
	}
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	expect_calls(test, 4, 4);
	expect_evened(test, 4, 0);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_AWAY), 0UL);
	KUNIT_EXPECT_EQ(test, sim_superpages(), 24U);
}

static void nodes_get_to_their_shares_while_the_guest_stays_as_it_is(struct kunit *test)
{
	u64 end;

	build_nodes(test, test->param_value);
	go_to(test, H(24));
	want(4);
	end = sim.now + 60 * NSEC_PER_SEC;
	while (sim.now < end) {
		sim_turn();
		KUNIT_ASSERT_EQ(test, sim_balloon_stats.current_pages, H(24));
	}
	expect_shares(test);
	KUNIT_EXPECT_GT(test, balloon_counted(sim.xb, COUNT_EVENED), 0UL);

	/* And that was all. */
	memset(sim.calls, 0, sizeof(sim.calls));
	let_be(600);
	expect_calls(test, 0, 0);
}

static void what_was_said_can_be_taken_back(struct kunit *test)
{
	want(8);
	let_be(60);
	expect_nodes_have(test, (unsigned long[]){ 8, 16 });
	balloon_nodes_wish(sim.xb, NULL);
	balloon_worker_again(sim.xb);
	let_be(60);
	expect_nodes_have(test, (unsigned long[]){ 12, 12 });
	expect_evened(test, 8, 0);
}

static void less_than_2_mib_is_left_as_it_is(struct kunit *test)
{
	unsigned long wish[SIM_NODES] = { H(12) - 511, NOT_SAID, NOT_SAID, NOT_SAID };

	balloon_nodes_wish(sim.xb, wish);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	expect_calls(test, 0, 0);

	wish[0]--;
	balloon_nodes_wish(sim.xb, wish);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_GAINED);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	expect_nodes_have(test, (unsigned long[]){ 11, 13 });
}

static void the_only_node_is_left_alone(struct kunit *test)
{
	sim_build(test, &step_world);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	expect_calls(test, 0, 0);
}

static void nothing_is_done_when_it_must_not_be(struct kunit *test)
{
	want(8);
	sim.xb->even = false;
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	sim.xb->even = true;
	sim.xb->elastic.given = 1;
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	sim.xb->elastic.given = 0;
	sim.max_pages = sim.tot_pages - 1;
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	sim.max_pages = sim.tot_pages;
	sim.xb->target.reserve = sim.nr_free - 2 * SIM_REGION_PAGES + 1;
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	sim.xb->target.reserve--;
	expect_calls(test, 0, 0);
	expect_untouched(test);

	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_GAINED);
}

/* What a node has is in use, and cannot be moved. */
static void a_node_that_cannot_do_without_keeps_what_it_has(struct kunit *test)
{
	pin_node(0);
	want(8);
	/* Another one might. */
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_SEARCHED);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	expect_calls(test, 0, 0);
	expect_untouched(test);
}

/* Three nodes that have 8 huge pages each, of which two are to have less. */
static void build_two_with_more(struct kunit *test)
{
	build_nodes(test, &nodes_worlds[1]);
	go_to(test, H(24));
	say((unsigned long[]){ 4, 6, 14 });
	expect_nodes_have(test, (unsigned long[]){ 8, 8, 8 });
}

static void where_one_node_cannot_give_another_one_does(struct kunit *test)
{
	build_two_with_more(test);
	pin_node(0);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_SEARCHED);
	KUNIT_EXPECT_TRUE(test, balloon_node_is_barren(sim.xb, 0));
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_GAINED);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_GAINED);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	expect_nodes_have(test, (unsigned long[]){ 8, 6, 10 });
	expect_evened(test, 2, 0);

	/* It is tried again, once. */
	sim.now += NSEC_PER_SEC;
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_SEARCHED);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
}

static void where_no_node_can_give_there_is_an_end(struct kunit *test)
{
	build_two_with_more(test);
	pin_node(0);
	pin_node(1);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_SEARCHED);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_SEARCHED);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	expect_nodes_have(test, (unsigned long[]){ 8, 8, 8 });
	expect_calls(test, 0, 0);
}

#ifdef CONFIG_CONTIG_ALLOC
/* Something is in use in each region, and two cannot be emptied. */
static void a_node_whose_search_goes_on_is_not_passed_over(struct kunit *test)
{
	unsigned int region;

	for (region = 0; region < NODES_REGIONS / 2; region++)
		sim_use(region, 7, SIM_PROGRAM);
	want(8);
	sim_fail(SIM_CONTIG, 1, 2, 0);
	sim.contig_ns = 20 * NSEC_PER_MSEC;
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_SEARCHED);
	KUNIT_EXPECT_FALSE(test, balloon_node_is_barren(sim.xb, 0));
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_SEARCHED);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_GAINED);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 3UL);
	expect_nodes_have(test, (unsigned long[]){ 11, 13 });
	sim.contig_ns = 0;
}
#endif

static void a_release_that_xen_does_not_take_changes_nothing(struct kunit *test)
{
	want(8);
	sim_fail(SIM_RELEASE, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	expect_calls(test, 1, 0);
	expect_evened(test, 0, 0);
	expect_untouched(test);
}

static const struct none_case {
	const char *name;
	bool claimed;
} none_cases[] = {
	{ "others have all of it", false },
	{ "it is kept for others", true },
};

STEP_PARAMS(none);

static void where_xen_has_none_for_a_node_all_is_as_before_and_it_rests(struct kunit *test)
{
	const struct none_case *c = test->param_value;

	want(8);
	if (c->claimed)
		sim.closed = BIT(1);
	else
		sim_rivals_take_node(1, sim.nr_pieces);

	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_SEARCHED);
	expect_untouched(test);
	expect_calls(test, 1, 2);
	expect_evened(test, 0, 1);

	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	sim.now += 5 * NSEC_PER_SEC - 1;
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	expect_calls(test, 1, 2);

	sim.closed = 0;
	sim_rivals_give(1, 0);
	sim.now++;
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_GAINED);
	expect_nodes_have(test, (unsigned long[]){ 11, 13 });
	expect_evened(test, 1, 1);
}

static void a_node_that_xen_never_has_any_for_costs_less_and_less(struct kunit *test)
{
	want(8);
	sim.closed = BIT(1);
	let_be(3600);
	/* 5, 10, 20, 40, 80 and 160 seconds after each other, then 300. */
	KUNIT_EXPECT_LE(test, sim.calls[SIM_RELEASE], 18UL);
	KUNIT_EXPECT_GE(test, sim.calls[SIM_RELEASE], 5UL);
	expect_untouched(test);
}

static void another_node_gets_what_one_has_not(struct kunit *test)
{
	build_nodes(test, &nodes_worlds[1]);
	go_to(test, H(24));
	want(4);
	expect_targets(test, (unsigned long[]){ 4, 10, 10 });
	sim.closed = BIT(1);

	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_SEARCHED);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_GAINED);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_GAINED);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
	expect_nodes_have(test, (unsigned long[]){ 6, 8, 10 });
	expect_evened(test, 2, 1);
}

static void base_pages_come_where_a_node_has_no_huge_page_out(struct kunit *test)
{
	unsigned int i;

	build_nodes(test, &nodes_worlds[0]);
	sim.xb->coalesce = false;
	sim.xb->heal.enabled = false;
	for (i = 0; i < 8; i++)
		sim_queue_base(NODES_REGIONS / 2 + i, 0, 64);
	go_to(test, NODES_FULL - 512);
	expect_nodes_have(test, (unsigned long[]){ 24, 23 });

	want(23);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_GAINED);
	expect_nodes_have(test, (unsigned long[]){ 23, 24 });
	expect_figures(test, NODES_FULL - 512, 1, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 0UL);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_NOTHING);
}

/* The 2 MiB may be on their way already. */
static void a_migration_that_begins_meanwhile_sends_no_more_than_there_is(struct kunit *test)
{
	want(8);
	sim.migrates_after = 1;
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_SEARCHED);
	KUNIT_EXPECT_TRUE(test, sim.logs_writes);
	KUNIT_EXPECT_EQ(test, sim_sent(), H(24));
	expect_untouched(test);

	/* Nor does it begin while one is under way. */
	sim.now += 10 * NSEC_PER_SEC;
	memset(sim.calls, 0, sizeof(sim.calls));
	let_be(60);
	expect_calls(test, 0, 0);
	sim.logs_writes = false;
	let_be(60);
	expect_nodes_have(test, (unsigned long[]){ 8, 16 });
}

static void what_another_guest_got_first_comes_back_later(struct kunit *test)
{
	want(8);
	sim.closed = BIT(1);
	/* Neither the one node's memory nor the other's. */
	sim_fail(SIM_POPULATE, 2, 1, 0);
	KUNIT_EXPECT_EQ(test, step_even(), (int)UPKEEP_SEARCHED);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, H(23));
	sim_check("without 2 MiB");

	sim.closed = 0;
	sim_settle(10);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, H(24));
	let_be(60);
	expect_nodes_have(test, (unsigned long[]){ 8, 16 });
}

static struct kunit_case even_cases[] = {
	KUNIT_CASE(each_step_moves_2_mib_until_all_are_at_their_shares),
	KUNIT_CASE_PARAM(nodes_get_to_their_shares_while_the_guest_stays_as_it_is,
			 nodes_world_gen_params),
	KUNIT_CASE(what_was_said_can_be_taken_back),
	KUNIT_CASE(less_than_2_mib_is_left_as_it_is),
	KUNIT_CASE(the_only_node_is_left_alone),
	KUNIT_CASE(nothing_is_done_when_it_must_not_be),
	KUNIT_CASE(a_node_that_cannot_do_without_keeps_what_it_has),
	KUNIT_CASE(where_one_node_cannot_give_another_one_does),
	KUNIT_CASE(where_no_node_can_give_there_is_an_end),
#ifdef CONFIG_CONTIG_ALLOC
	KUNIT_CASE(a_node_whose_search_goes_on_is_not_passed_over),
#endif
	KUNIT_CASE(a_release_that_xen_does_not_take_changes_nothing),
	KUNIT_CASE_PARAM(where_xen_has_none_for_a_node_all_is_as_before_and_it_rests,
			 none_gen_params),
	KUNIT_CASE(a_node_that_xen_never_has_any_for_costs_less_and_less),
	KUNIT_CASE(another_node_gets_what_one_has_not),
	KUNIT_CASE(base_pages_come_where_a_node_has_no_huge_page_out),
	KUNIT_CASE(a_migration_that_begins_meanwhile_sends_no_more_than_there_is),
	KUNIT_CASE(what_another_guest_got_first_comes_back_later),
	{}
};

static struct kunit_suite even_suite = {
	.name = "even",
	.init = even_init,
	.exit = sim_exit,
	.test_cases = even_cases,
};

kunit_test_suite(even_suite);
