/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of nodes.c: what each node is to have, whose turn it is, and what can be said
 * of that.
 */
#include "nodes.h"

static int nodes_init(struct kunit *test)
{
	/* What the tests before have said is of no matter. */
	ratelimit_state_init(&often, SAY_INTERVAL, SAY_BURST);
	build_nodes(test, &nodes_worlds[0]);
	return 0;
}

static void begin(long credit, unsigned int order)
{
	mutex_lock(&sim.xb->step_lock);
	balloon_nodes_begin(sim.xb, credit, order);
	mutex_unlock(&sim.xb->step_lock);
}

static unsigned long share_of(int nid)
{
	return node_at(sim.xb, nid)->share;
}

/* Shares */

/* Two nodes, of which one is twice as large as the other. */
static const struct sim_config uneven_world = {
	.regions = NODES_REGIONS, .host_pieces = 24, .slack = 256, .nodes = 2,
	.border = 8 * SIM_REGION_PAGES, .fake = true,
};

static void each_node_is_to_have_as_much_of_all_as_of_its_size(struct kunit *test)
{
	build_nodes(test, &uneven_world);
	begin(-(long)H(12), XENMEM_HUGE_ORDER);
	KUNIT_EXPECT_EQ(test, node_at(sim.xb, 0)->have, H(32));
	KUNIT_EXPECT_EQ(test, node_at(sim.xb, 1)->have, H(16));
	KUNIT_EXPECT_EQ(test, share_of(0), H(24));
	KUNIT_EXPECT_EQ(test, share_of(1), H(12));

	go_to(test, H(36));
	expect_nodes_have(test, (unsigned long[]){ 24, 12 });
	go_to(test, H(42));
	expect_nodes_have(test, (unsigned long[]){ 28, 14 });
}

static void shares_add_up_to_what_the_guest_is_to_have(struct kunit *test)
{
	unsigned long guest = NODES_FULL / 2, wanted, sum;
	unsigned int i, nid;

	build_nodes(test, test->param_value);
	go_to(test, guest);
	for (i = 0; i < 1000; i++) {
		for (nid = 0; nid < sim_nr_nodes(); nid++)
			node_at(sim.xb, nid)->wish = sim_random(4) ?
				sim_random(NODES_FULL / sim_nr_nodes()) : ULONG_MAX;
		wanted = sim_random(NODES_FULL + 1);
		begin(wanted - guest, 0);

		for (sum = 0, nid = 0; nid < sim_nr_nodes(); nid++) {
			sum += share_of(nid);
			KUNIT_ASSERT_LE(test, share_of(nid), node_at(sim.xb, nid)->size);
		}
		KUNIT_ASSERT_EQ(test, sum, wanted);
	}
}

static void after_any_target_each_node_is_within_2_mib_of_its_share(struct kunit *test)
{
	unsigned int i;

	build_nodes(test, test->param_value);
	for (i = 0; i < 60; i++) {
		go_to(test, H(6) + sim_random(NODES_FULL - H(6)));
		expect_shares(test);
	}
	go_to(test, NODES_FULL);
	expect_shares(test);
}

/* Where all nodes of the machine have room. */
static void nodes_get_their_own_memory_back(struct kunit *test)
{
	unsigned int i;

	build_nodes(test, test->param_value);
	for (i = 0; i < 10; i++)
		go_to(test, H(6) + sim_random(NODES_FULL - H(6)));
	go_to(test, NODES_FULL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_AWAY), 0UL);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 0UL);
}

/* Turns */

static void expect_turns(struct kunit *test, long credit)
{
	long last = LONG_MAX, far;
	unsigned long seen = 0;
	int nid;

	mutex_lock(&sim.xb->step_lock);
	balloon_nodes_begin(sim.xb, credit, 0);
	while (balloon_nodes_next(sim.xb, &nid)) {
		far = credit > 0 ? -balloon_node_excess(sim.xb, nid) :
				   balloon_node_excess(sim.xb, nid);
		KUNIT_EXPECT_LE(test, far, last);
		KUNIT_EXPECT_FALSE(test, __test_and_set_bit(nid, &seen));
		last = far;
	}
	KUNIT_EXPECT_FALSE(test, balloon_nodes_next(sim.xb, &nid));
	mutex_unlock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, hweight_long(seen), (unsigned long)sim_nr_nodes());
}

static void each_node_has_one_turn_and_the_farthest_is_the_first(struct kunit *test)
{
	unsigned int nid;

	build_nodes(test, test->param_value);
	go_to(test, H(36));
	for (nid = 0; nid < sim_nr_nodes(); nid++)
		node_at(sim.xb, nid)->wish = 1000 * (nid + 1);
	expect_turns(test, -(long)H(10));
	expect_turns(test, H(4));
	for (nid = 0; nid < sim_nr_nodes(); nid++)
		node_at(sim.xb, nid)->wish = 5000 / (nid + 1);
	expect_turns(test, -(long)H(10));
	expect_turns(test, H(4));
}

static void the_one_node_of_a_guest_has_one_turn(struct kunit *test)
{
	int nid = 5;

	sim_build(test, &step_world);
	mutex_lock(&sim.xb->step_lock);
	balloon_nodes_begin(sim.xb, -100, 0);
	KUNIT_EXPECT_TRUE(test, balloon_nodes_next(sim.xb, &nid));
	KUNIT_EXPECT_EQ(test, nid, NUMA_NO_NODE);
	KUNIT_EXPECT_FALSE(test, balloon_nodes_next(sim.xb, &nid));
	balloon_nodes_begin(sim.xb, 0, XENMEM_HUGE_ORDER);
	KUNIT_EXPECT_TRUE(test, balloon_nodes_next(sim.xb, &nid));
	mutex_unlock(&sim.xb->step_lock);
}

static void set_distance(long excess, bool grow)
{
	node_at(sim.xb, 1)->have = 5000;
	node_at(sim.xb, 1)->share = 5000 - excess;
	sim.xb->nodes_grow = grow;
}

static void a_node_goes_no_farther_than_to_its_share(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, balloon_node_huge(sim.xb, NUMA_NO_NODE), ULONG_MAX);
	set_distance(H(3), false);
	KUNIT_EXPECT_EQ(test, balloon_node_huge(sim.xb, 1), 3UL);
	set_distance(1, false);
	KUNIT_EXPECT_EQ(test, balloon_node_huge(sim.xb, 1), 1UL);
	set_distance(-(long)H(2), true);
	KUNIT_EXPECT_EQ(test, balloon_node_huge(sim.xb, 1), 2UL);
	/* But where no other has any. */
	set_distance(0, false);
	KUNIT_EXPECT_EQ(test, balloon_node_huge(sim.xb, 1), ULONG_MAX);
	set_distance(-700, false);
	KUNIT_EXPECT_EQ(test, balloon_node_huge(sim.xb, 1), ULONG_MAX);
	set_distance(700, true);
	KUNIT_EXPECT_EQ(test, balloon_node_huge(sim.xb, 1), ULONG_MAX);
}

/* Nodes that have nothing */

static void make_barren(int nid)
{
	mutex_lock(&sim.xb->step_lock);
	balloon_node_barren(sim.xb, nid);
	mutex_unlock(&sim.xb->step_lock);
}

static void expect_two_shares(struct kunit *test, long credit, unsigned int order,
			      unsigned long first, unsigned long second)
{
	begin(credit, order);
	KUNIT_EXPECT_EQ(test, share_of(0), first);
	KUNIT_EXPECT_EQ(test, share_of(1), second);
}

static void a_node_without_2_mib_is_passed_over_for_a_second(struct kunit *test)
{
	long credit = -(long)H(12);

	make_barren(NUMA_NO_NODE);
	expect_two_shares(test, credit, XENMEM_HUGE_ORDER, H(18), H(18));
	make_barren(0);
	expect_two_shares(test, credit, XENMEM_HUGE_ORDER, H(24), H(12));
	/* It may have single pages. */
	expect_two_shares(test, credit, 0, H(18), H(18));
	/* And the other one may have none either. */
	make_barren(1);
	expect_two_shares(test, credit, XENMEM_HUGE_ORDER, H(18), H(18));

	sim.now += NSEC_PER_SEC;
	make_barren(1);
	expect_two_shares(test, credit, XENMEM_HUGE_ORDER, H(12), H(24));
	sim.now += NSEC_PER_SEC - 1;
	expect_two_shares(test, credit, XENMEM_HUGE_ORDER, H(12), H(24));
	sim.now++;
	expect_two_shares(test, credit, XENMEM_HUGE_ORDER, H(18), H(18));
}

static void a_node_without_2_mib_is_to_grow_all_the_same(struct kunit *test)
{
	go_to(test, H(24));
	make_barren(0);
	expect_two_shares(test, H(12), XENMEM_HUGE_ORDER, H(18), H(18));
	expect_two_shares(test, 0, XENMEM_HUGE_ORDER, H(12), H(12));
}

static void a_node_with_nothing_free_is_left_alone_and_the_others_give(struct kunit *test)
{
	build_nodes(test, &nodes_worlds[1]);
	pin_node(0);
	go_to(test, H(36));
	expect_nodes_have(test, (unsigned long[]){ 16, 10, 10 });
	expect_targets(test, (unsigned long[]){ 12, 12, 12 });

	/* Nor do base pages wait for it. */
	go_to(test, H(36) - 100);
	KUNIT_EXPECT_EQ(test, balloon_node_figures(sim.xb, 0).has, H(16));
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).base, 100UL);
}

/* What is said */

/* Three nodes of 16 huge pages each, which have 12. */
static void build_three(struct kunit *test)
{
	build_nodes(test, &nodes_worlds[1]);
	go_to(test, H(36));
	expect_nodes_have(test, (unsigned long[]){ 12, 12, 12 });
}

static const struct wish_case {
	const char *name;
	unsigned long said[3];
	unsigned long after[3];
} wish_cases[] = {
	{ "nothing", { NOT_SAID, NOT_SAID, NOT_SAID }, { 12, 12, 12 } },
	{ "of one", { 6, NOT_SAID, NOT_SAID }, { 6, 15, 15 } },
	{ "of two", { 11, NOT_SAID, 10 }, { 11, 15, 10 } },
	{ "of all", { 10, 11, 15 }, { 10, 11, 15 } },
	{ "less than the guest is to have", { 4, 6, 8 }, { 8, 12, 16 } },
	{ "more than the guest is to have", { 16, 16, 16 }, { 12, 12, 12 } },
	{ "all for two", { 20, 16, NOT_SAID }, { 15, 12, 9 } },
	{ "all for two, of which one is full", { 12, 24, NOT_SAID }, { 12, 16, 8 } },
	{ "all for one", { 36, NOT_SAID, NOT_SAID }, { 16, 10, 10 } },
	{ "more than all for two", { NOT_SAID, 30, 30 }, { 6, 15, 15 } },
	{ "so little that the others are full", { 3, NOT_SAID, NOT_SAID }, { 4, 16, 16 } },
	{ "more than a node can have", { 20, NOT_SAID, NOT_SAID }, { 16, 10, 10 } },
};

STEP_PARAMS(wish);

static void nodes_are_to_have_what_is_said_and_the_others_what_is_left(struct kunit *test)
{
	const struct wish_case *c = test->param_value;

	build_three(test);
	say((unsigned long[]){ 16, 4, 16 });
	say(c->said);
	expect_targets(test, c->after);
	balloon_nodes_wish(sim.xb, NULL);
	expect_targets(test, (unsigned long[]){ 12, 12, 12 });
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);
}

static const struct set_case {
	const char *name;
	unsigned long guest;
	unsigned long before[3];
	int nid;
	unsigned long huge;
	unsigned long after[3];
} set_cases[] = {
	{ "less", 36, { 12, 12, 12 }, 0, 6, { 6, 15, 15 } },
	{ "more", 36, { 12, 12, 12 }, 1, 16, { 10, 16, 10 } },
	{ "the others keep their proportion", 36, { 12, 8, 16 }, 0, 15, { 15, 7, 14 } },
	{ "as it is", 36, { 12, 8, 16 }, 2, 16, { 12, 8, 16 } },
	{ "as little as can be", 36, { 12, 12, 12 }, 0, 4, { 4, 16, 16 } },
	{ "nothing", 24, { 8, 8, 8 }, 2, 0, { 12, 12, 0 } },
	{ "all", 16, { 4, 4, 8 }, 1, 16, { 0, 16, 0 } },
	{ "another cannot take its part", 36, { 16, 4, 16 }, 0, 6, { 6, 14, 16 } },
	{ "the others had nothing", 16, { 16, 0, 0 }, 0, 8, { 8, 4, 4 } },
};

STEP_PARAMS(set);

static void one_node_is_set_and_the_others_have_the_rest_in_proportion(struct kunit *test)
{
	const struct set_case *c = test->param_value;

	build_three(test);
	go_to(test, H(c->guest));
	say(c->before);
	expect_targets(test, c->before);
	KUNIT_EXPECT_EQ(test, balloon_node_set(sim.xb, c->nid, H(c->huge)), 0);
	expect_targets(test, c->after);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);
}

static const struct refused_set_case {
	const char *name;
	int nid;
	unsigned long pages;
	const char *told;
} refused_set_cases[] = {
	{ "more than it can have", 0, H(16) + 1, "target of node 0, expected 8192 to 32768" },
	{ "the others can have no more", 1, H(4) - 1, "target of node 1, expected 8192 to 32768" },
	{ "more than there are", 2, ULONG_MAX >> 10, "target of node 2, expected" },
	{ "of a node without memory", 3, 1, "target of node 3, expected 0 to 0" },
};

STEP_PARAMS(refused_set);

static void what_a_node_cannot_have_is_told_and_changes_nothing(struct kunit *test)
{
	const struct refused_set_case *c = test->param_value;
	static const unsigned long before[] = { 12, 8, 16 };

	build_three(test);
	say(before);
	KUNIT_EXPECT_EQ(test, balloon_node_set(sim.xb, c->nid, c->pages), -ERANGE);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 1U);
	KUNIT_EXPECT_TRUE(test, said(c->told));
	expect_targets(test, before);
}

static void what_was_set_is_kept_in_proportion(struct kunit *test)
{
	build_three(test);
	KUNIT_EXPECT_EQ(test, balloon_node_set(sim.xb, 0, H(6)), 0);
	go_to(test, H(24));
	expect_targets(test, (unsigned long[]){ 4, 10, 10 });
	expect_nodes_have(test, (unsigned long[]){ 4, 10, 10 });

	/* As far as they are large enough. */
	go_to(test, H(42));
	expect_targets(test, (unsigned long[]){ 10, 16, 16 });
	go_to(test, H(24));
	expect_targets(test, (unsigned long[]){ 4, 10, 10 });

	balloon_nodes_wish(sim.xb, NULL);
	expect_targets(test, (unsigned long[]){ 8, 8, 8 });
}

static void what_is_said_of_a_node_stays_while_the_others_follow_the_guest(struct kunit *test)
{
	build_three(test);
	say((unsigned long[]){ 15, NOT_SAID, NOT_SAID });
	go_to(test, H(25));
	expect_targets(test, (unsigned long[]){ 15, 5, 5 });
	go_to(test, H(47));
	expect_targets(test, (unsigned long[]){ 15, 16, 16 });
	/* Where that is all that there is, the others are as large as any. */
	go_to(test, H(15));
	expect_targets(test, (unsigned long[]){ 9, 3, 3 });
	expect_nodes_have(test, (unsigned long[]){ 9, 3, 3 });
	go_to(test, H(35));
	expect_targets(test, (unsigned long[]){ 15, 10, 10 });
}

static void it_is_known_whether_what_is_said_is_new(struct kunit *test)
{
	unsigned long wish[SIM_NODES] = { H(12), NOT_SAID, NOT_SAID, NOT_SAID };

	KUNIT_EXPECT_FALSE(test, balloon_nodes_wish(sim.xb, NULL));
	KUNIT_EXPECT_TRUE(test, balloon_nodes_wish(sim.xb, wish));
	KUNIT_EXPECT_FALSE(test, balloon_nodes_wish(sim.xb, wish));
	wish[1] = 0;
	KUNIT_EXPECT_TRUE(test, balloon_nodes_wish(sim.xb, wish));
	wish[0]++;
	KUNIT_EXPECT_TRUE(test, balloon_nodes_wish(sim.xb, wish));
	KUNIT_EXPECT_TRUE(test, balloon_nodes_wish(sim.xb, NULL));
	KUNIT_EXPECT_FALSE(test, balloon_nodes_wish(sim.xb, NULL));
}

static void nodes_that_are_to_have_nothing_get_what_no_other_can_take(struct kunit *test)
{
	build_three(test);
	go_to(test, H(16));
	say((unsigned long[]){ 0, 0, 16 });
	expect_targets(test, (unsigned long[]){ 0, 0, 16 });
	go_to(test, H(40));
	expect_targets(test, (unsigned long[]){ 12, 12, 16 });
}

/* What the guest gives of its own accord is not taken off what a node is to have. */
static void targets_are_those_of_who_set_them(struct kunit *test)
{
	build_three(test);
	sim.xb->elastic.limit = H(30);
	expect_targets(test, (unsigned long[]){ 12, 12, 12 });
	sim.xb->elastic.limit = ULONG_MAX;
}

/* Rests */

static void expect_rest(struct kunit *test, u64 ns)
{
	balloon_node_asked(sim.xb, 1, false);
	KUNIT_EXPECT_FALSE(test, balloon_node_rests(sim.xb, 0));
	sim.now += ns - 1;
	KUNIT_EXPECT_TRUE(test, balloon_node_rests(sim.xb, 1));
	sim.now++;
	KUNIT_EXPECT_FALSE(test, balloon_node_rests(sim.xb, 1));
}

static void a_node_that_xen_had_nothing_for_rests_twice_as_long_each_time(struct kunit *test)
{
	static const unsigned int seconds[] = { 5, 10, 20, 40, 80, 160, 300, 300 };
	unsigned int i;

	mutex_lock(&sim.xb->step_lock);
	KUNIT_EXPECT_FALSE(test, balloon_node_rests(sim.xb, 1));
	for (i = 0; i < ARRAY_SIZE(seconds); i++)
		expect_rest(test, seconds[i] * NSEC_PER_SEC);

	balloon_node_asked(sim.xb, 1, true);
	expect_rest(test, 5 * NSEC_PER_SEC);
	balloon_node_asked(sim.xb, 1, false);
	balloon_nodes_forget(sim.xb);
	KUNIT_EXPECT_FALSE(test, balloon_node_rests(sim.xb, 1));
	expect_rest(test, 5 * NSEC_PER_SEC);
	mutex_unlock(&sim.xb->step_lock);
}

/* What is shown */

static void expect_node(struct kunit *test, int nid, struct balloon_node_figures expected)
{
	struct balloon_node_figures n = balloon_node_figures(sim.xb, nid);

	KUNIT_EXPECT_EQ(test, n.target, expected.target);
	KUNIT_EXPECT_EQ(test, n.has, expected.has);
	KUNIT_EXPECT_EQ(test, n.huge, expected.huge);
	KUNIT_EXPECT_EQ(test, n.base, expected.base);
	KUNIT_EXPECT_EQ(test, n.away, expected.away);
}

static void the_figures_of_the_only_node_are_those_of_the_guest(struct kunit *test)
{
	sim_build(test, &step_world);
	balloon_out(test, H(3) + 77);
	expect_node(test, 0, (struct balloon_node_figures){
		.target = FULL - H(3) - 77, .has = FULL - H(3) - 77, .huge = H(3), .base = 77 });
	expect_node(test, 1, (struct balloon_node_figures){ });

	sim.xb->target.wanted = FULL - H(1);
	expect_node(test, 0, (struct balloon_node_figures){
		.target = FULL - H(1), .has = FULL - H(3) - 77, .huge = H(3), .base = 77 });
	sim.xb->target.wanted = FULL - H(3) - 77;
}

static void the_figures_of_all_nodes_add_up(struct kunit *test)
{
	struct balloon_node_figures n, sum = {};
	int nid;

	build_nodes(test, test->param_value);
	go_to(test, H(36) - 100);
	for (nid = 0; nid < sim_nr_nodes(); nid++) {
		n = balloon_node_figures(sim.xb, nid);
		KUNIT_EXPECT_EQ(test, n.has + n.huge + n.base, NODES_FULL / sim_nr_nodes());
		/* A remainder is of one node. */
		KUNIT_EXPECT_TRUE(test, n.base == 0 || n.base == 100);
		sum.target += n.target;
		sum.has += n.has;
		sum.huge += n.huge;
		sum.base += n.base;
	}
	KUNIT_EXPECT_EQ(test, sum.target, H(36) - 100);
	KUNIT_EXPECT_EQ(test, sum.has, H(36) - 100);
	KUNIT_EXPECT_EQ(test, sum.huge, H(12));
	KUNIT_EXPECT_EQ(test, sum.base, 100UL);
}

static void what_is_away_is_shown_for_its_node(struct kunit *test)
{
	go_to(test, H(44));
	sim_rivals_take_node(1, sim.nr_pieces);
	go_to(test, NODES_FULL);
	expect_node(test, 0, (struct balloon_node_figures){ .target = H(24), .has = H(24) });
	expect_node(test, 1, (struct balloon_node_figures){
		.target = H(24), .has = H(24), .away = H(2) });
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_AWAY), H(2));
}

/* Nodes that only the kernel knows of */

static const struct sim_config fake_world = {
	.regions = NODES_REGIONS, .host_pieces = 24, .slack = 256, .nodes = 2, .fake = true,
};

static void nodes_that_xen_does_not_know_have_shares_and_nothing_away(struct kunit *test)
{
	unsigned int i;

	build_nodes(test, &fake_world);
	/* Which is of no matter. */
	sim.closed = 3;
	for (i = 0; i < 20; i++) {
		go_to(test, H(6) + sim_random(NODES_FULL - H(6)));
		expect_shares(test);
	}
	go_to(test, NODES_FULL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_AWAY), 0UL);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 0UL);
}

static struct kunit_case nodes_cases[] = {
	KUNIT_CASE(each_node_is_to_have_as_much_of_all_as_of_its_size),
	KUNIT_CASE_PARAM(shares_add_up_to_what_the_guest_is_to_have, nodes_world_gen_params),
	KUNIT_CASE_PARAM(after_any_target_each_node_is_within_2_mib_of_its_share,
			 nodes_world_gen_params),
	KUNIT_CASE_PARAM(nodes_get_their_own_memory_back, nodes_world_gen_params),
	KUNIT_CASE_PARAM(each_node_has_one_turn_and_the_farthest_is_the_first,
			 nodes_world_gen_params),
	KUNIT_CASE(the_one_node_of_a_guest_has_one_turn),
	KUNIT_CASE(a_node_goes_no_farther_than_to_its_share),
	KUNIT_CASE(a_node_without_2_mib_is_passed_over_for_a_second),
	KUNIT_CASE(a_node_without_2_mib_is_to_grow_all_the_same),
	KUNIT_CASE(a_node_with_nothing_free_is_left_alone_and_the_others_give),
	KUNIT_CASE_PARAM(nodes_are_to_have_what_is_said_and_the_others_what_is_left,
			 wish_gen_params),
	KUNIT_CASE_PARAM(one_node_is_set_and_the_others_have_the_rest_in_proportion,
			 set_gen_params),
	KUNIT_CASE_PARAM(what_a_node_cannot_have_is_told_and_changes_nothing,
			 refused_set_gen_params),
	KUNIT_CASE(what_was_set_is_kept_in_proportion),
	KUNIT_CASE(what_is_said_of_a_node_stays_while_the_others_follow_the_guest),
	KUNIT_CASE(it_is_known_whether_what_is_said_is_new),
	KUNIT_CASE(nodes_that_are_to_have_nothing_get_what_no_other_can_take),
	KUNIT_CASE(targets_are_those_of_who_set_them),
	KUNIT_CASE(a_node_that_xen_had_nothing_for_rests_twice_as_long_each_time),
	KUNIT_CASE(the_figures_of_the_only_node_are_those_of_the_guest),
	KUNIT_CASE_PARAM(the_figures_of_all_nodes_add_up, nodes_world_gen_params),
	KUNIT_CASE(what_is_away_is_shown_for_its_node),
	KUNIT_CASE(nodes_that_xen_does_not_know_have_shares_and_nothing_away),
	{}
};

static struct kunit_suite nodes_suite = {
	.name = "nodes",
	.init = nodes_init,
	.exit = sim_exit,
	.test_cases = nodes_cases,
};

kunit_test_suite(nodes_suite);
