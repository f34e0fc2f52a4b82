/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of elastic.c: what a guest of 64 MiB gives of its own accord, and what comes back.
 */
#include "step.h"

#define SECOND	((u64)NSEC_PER_SEC)
#define LOWEST	H(8)

/* It may go down to 16 MiB. */
static void build(struct kunit *test, const struct sim_config *config)
{
	sim_build(test, config);
	sim.xb->target.floor = LOWEST;
	sim.xb->target.reserve = H(2);
	sim.xb->heal.enabled = false;
	sim_settle(20);
	balloon_elastic_enable(sim.xb, true);
}

static int elastic_init(struct kunit *test)
{
	build(test, &step_world);
	return 0;
}

static unsigned long guest(void)
{
	return balloon_figures(&sim.xb->queue).guest;
}

static void go_on_for(u64 ns)
{
	u64 end = sim.now + ns;

	while (sim.now < end)
		sim_turn();
}

/* All that is idle has gone: returns what the guest has then. */
static unsigned long give_all(void)
{
	go_on_for(120 * SECOND);
	return guest();
}

static void what_is_free_beyond_the_headroom_goes_in_2_mib(struct kunit *test)
{
	unsigned int region, index;
	unsigned long left;

	for (region = 0; region < 10; region++)
		for (index = 0; index < SIM_REGION_PAGES; index++)
			sim_use(region, index, SIM_PROGRAM);
	/* And what was taken just now is forgotten. */
	give_all();
	left = give_all();
	KUNIT_EXPECT_EQ(test, left, H(12));
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).huge, FULL / 512 - 12);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).base, 0UL);
	KUNIT_EXPECT_EQ(test, sim.xb->elastic.given, H(20));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_GIVEN), H(20));
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_pages, FULL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, left);
}

static void nothing_goes_while_it_may_not(struct kunit *test)
{
	balloon_elastic_enable(sim.xb, false);
	KUNIT_EXPECT_EQ(test, give_all(), FULL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_RELEASE], 0UL);
}

static void what_is_free_for_a_moment_does_not_go(struct kunit *test)
{
	int i;

	/* In use at each second look */
	sim_programs_take(sim.nr_free - H(2));
	while (sim.now < sim.xb->elastic.hold_until)
		sim_turn();
	for (i = 0; i < 20; i++) {
		u64 looked = sim.xb->elastic.look_at;

		if (i % 2)
			sim_programs_drop(FULL);
		else
			sim_programs_take(sim.nr_free - H(2));
		while (sim.xb->elastic.look_at == looked)
			sim_turn();
	}
	KUNIT_EXPECT_EQ(test, guest(), FULL);
}

static void no_more_goes_in_a_second_than_it_may(struct kunit *test)
{
	unsigned long before, most = 0;

	sim.xb->elastic.rate_mb = 4;
	while (guest() == FULL)
		sim_turn();
	while (sim.xb->elastic.allowance) {
		before = guest();
		go_on_for(SECOND);
		most = max(most, before - guest());
	}
	/* A step of 16 MiB is no less. */
	KUNIT_EXPECT_LE(test, most, H(XENMEM_MAX_HUGE));
	KUNIT_EXPECT_GT(test, most, 0UL);
}

struct lower_case {
	const char *name;
	unsigned long floor, min, dynamic_min;
};

static const struct lower_case lowers[] = {
	{ "floor", H(20), 0, 0 },
	{ "min_kb", 0, H(20), 0 },
	{ "dynamic-min", 0, 0, H(20) },
};

KUNIT_ARRAY_PARAM_DESC(lower, lowers, name);

static void no_more_goes_than_down_to_the_lower_limit(struct kunit *test)
{
	const struct lower_case *lower = test->param_value;

	sim.xb->target.floor = lower->floor;
	sim.xb->elastic.min = lower->min;
	sim.xb->target.dynamic_min = lower->dynamic_min;
	KUNIT_EXPECT_EQ(test, give_all(), H(20));

	/* Where it is raised some comes back. */
	sim.xb->elastic.min = H(24) - 7;
	sim_settle(50);
	KUNIT_EXPECT_EQ(test, guest(), H(24));
}

static void some_comes_back_by_itself_when_little_is_free(struct kunit *test)
{
	unsigned long less = give_all();

	KUNIT_ASSERT_EQ(test, less, LOWEST);
	sim_programs_take(sim.nr_free - 100);
	/* How fast that was is seen at the next look. */
	go_on_for(12 * SECOND);
	KUNIT_EXPECT_GT(test, guest(), less);
	KUNIT_EXPECT_GE(test, sim.nr_free, sim.xb->elastic.headroom / 2);
	KUNIT_EXPECT_GT(test, balloon_counted(sim.xb, COUNT_RETURNED_LOW), 0UL);
}

static void it_is_looked_at_seldom_while_nobody_takes_memory(struct kunit *test)
{
	struct balloon_elastic *e = &sim.xb->elastic;
	unsigned int i;

	give_all();
	KUNIT_EXPECT_EQ(test, e->watch_delay, 1U * HZ);
	sim_programs_take(e->headroom / 4);
	for (i = 1; i <= 4; i *= 2) {
		watch(&e->watch.work);
		KUNIT_EXPECT_EQ(test, e->watch_delay, i * HZ / 10);
	}
	sim_programs_drop(e->headroom / 4);
	watch(&e->watch.work);
	KUNIT_EXPECT_EQ(test, e->watch_delay, 8U * HZ / 10);
}

static void twice_as_much_comes_back_each_time(struct kunit *test)
{
	unsigned long before = give_all(), got, last = 0;
	u64 now = sim.now;
	int i;

	for (i = 0; i < 3; i++) {
		sim.now = now;
		balloon_elastic_signal(sim.xb, SIGNAL_KSWAPD);
		sim_settle(20);
		got = guest() - before;
		before = guest();
		KUNIT_EXPECT_EQ(test, got, last ? 2 * last : BURST_MIN);
		last = got;
	}
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_RETURNED_KSWAPD), 7 * BURST_MIN);

	sim.now += 2 * SECOND;
	balloon_elastic_signal(sim.xb, SIGNAL_KSWAPD);
	sim_settle(20);
	KUNIT_EXPECT_EQ(test, guest() - before, BURST_MIN);
}

static void nothing_goes_for_a_while_after_that_and_longer_each_time(struct kunit *test)
{
	unsigned long before;
	u64 held, last = 0;
	int i;

	for (i = 0; i < 6; i++) {
		before = balloon_counted(sim.xb, COUNT_GIVEN);
		while (balloon_counted(sim.xb, COUNT_GIVEN) == before)
			sim_turn();
		balloon_elastic_signal(sim.xb, SIGNAL_LOW);
		sim_turn();
		held = sim.xb->elastic.hold_until - sim.now;
		KUNIT_EXPECT_GE(test, held, last);
		KUNIT_EXPECT_LE(test, held, 300 * SECOND);
		last = held;
	}
	KUNIT_EXPECT_GT(test, last, 290 * SECOND);

	sim.xb->elastic.hold_s = 7;
	balloon_elastic_hold_anew(sim.xb);
	KUNIT_EXPECT_EQ(test, sim.xb->elastic.hold_until, sim.now + 7 * SECOND);
}

static void a_higher_target_is_reached_and_stays_so_for_a_while(struct kunit *test)
{
	sim_target(FULL - H(4));
	give_all();
	KUNIT_ASSERT_EQ(test, guest(), LOWEST);
	sim_target(FULL - H(3) - 7);
	sim_settle(50);
	KUNIT_EXPECT_EQ(test, guest(), FULL - H(3) - 7);
	go_on_for(29 * SECOND);
	KUNIT_EXPECT_EQ(test, guest(), FULL - H(3) - 7);
	give_all();
	KUNIT_EXPECT_EQ(test, guest(), LOWEST + 512 - 7);
}

static void for_a_lower_target_nothing_comes_back(struct kunit *test)
{
	unsigned long less = give_all();

	sim_target(FULL - H(3) - 7);
	give_all();
	KUNIT_EXPECT_EQ(test, guest(), less);
	KUNIT_EXPECT_EQ(test, sim.xb->elastic.given, FULL - H(3) - 7 - less);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_PAGES), 0UL);

	/* And one below what it has it goes down to. */
	sim.xb->target.floor = 0;
	sim_target(less - 100);
	sim_settle(50);
	KUNIT_EXPECT_EQ(test, guest(), less - 100);
	KUNIT_EXPECT_EQ(test, sim.xb->elastic.given, 0UL);
}

static void all_comes_back_when_it_may_give_no_more(struct kunit *test)
{
	give_all();
	balloon_elastic_enable(sim.xb, false);
	sim_settle(50);
	KUNIT_EXPECT_EQ(test, guest(), FULL);
	KUNIT_EXPECT_EQ(test, sim.xb->elastic.given, 0UL);
}

static void memtotal_counts_what_is_on_its_way_back(struct kunit *test)
{
	unsigned long less = give_all();
	unsigned int turns;

	KUNIT_EXPECT_EQ(test, sim.promised, (long)(FULL - less));
	balloon_elastic_enable(sim.xb, false);
	for (turns = 0; guest() < FULL && turns < 50; turns++) {
		KUNIT_EXPECT_EQ(test, sim.promised, (long)(FULL - guest()));
		sim_turn();
	}
	KUNIT_EXPECT_GT(test, turns, 2U);
	KUNIT_EXPECT_EQ(test, sim.promised, 0L);
}

static void what_is_free_for_cma_is_not_at_hand(struct kunit *test)
{
	give_all();
	KUNIT_EXPECT_FALSE(test, balloon_elastic_is_short(sim.xb));
	sim.cma = sim.nr_free - 100;
	KUNIT_EXPECT_TRUE(test, balloon_elastic_is_short(sim.xb));
}

static void nothing_goes_once_the_driver_is_to_go(struct kunit *test)
{
	sim.xb->elastic.over = true;
	balloon_elastic_enable(sim.xb, true);
	KUNIT_EXPECT_EQ(test, give_all(), FULL);
}

static void how_long_it_took_is_counted(struct kunit *test)
{
	struct balloon_latency *latency = &sim.xb->elastic.latency;
	unsigned long first = 0, eased = 0;
	int i;

	balloon_elastic_signal(sim.xb, SIGNAL_LOW);
	KUNIT_EXPECT_EQ(test, atomic64_read(&latency->asked_at), 0LL);

	give_all();
	balloon_elastic_signal(sim.xb, SIGNAL_LOW);
	KUNIT_EXPECT_EQ(test, atomic64_read(&latency->asked_at), (s64)sim.now);
	sim_settle(20);
	KUNIT_EXPECT_EQ(test, atomic64_read(&latency->asked_at), 0LL);
	for (i = 0; i < BALLOON_LATENCIES; i++) {
		first += latency->first[i];
		eased += latency->eased[i];
	}
	KUNIT_EXPECT_EQ(test, first, 1UL);
	KUNIT_EXPECT_EQ(test, eased, 1UL);
}

static void while_xen_has_none_it_asks_as_ever_and_gives_nothing(struct kunit *test)
{
	unsigned long less = give_all(), stalls;

	sim_rivals_take(sim.nr_pieces, sim.nr_rival_frames);
	/* It is short of memory all the time. */
	sim_programs_take(sim.nr_free - 100);
	go_on_for(25 * SECOND);
	KUNIT_EXPECT_EQ(test, guest(), less);
	stalls = balloon_counted(sim.xb, COUNT_STALLS);
	KUNIT_EXPECT_LE(test, stalls, 60UL);
	KUNIT_EXPECT_GT(test, balloon_counted(sim.xb, COUNT_RETURN_REFUSED), 0UL);
	KUNIT_EXPECT_EQ(test, sim.xb->elastic.wanted, BURST_MIN);
	KUNIT_EXPECT_GT(test, stalls, 5UL);

	sim_rivals_give(sim.nr_pieces, sim.nr_rival_frames);
	go_on_for(3 * SECOND);
	KUNIT_EXPECT_GE(test, guest(), less + BURST_MIN);
}

static void what_it_could_do_without_it_asks_for_no_longer(struct kunit *test)
{
	unsigned long less = give_all();

	sim_rivals_take(sim.nr_pieces, sim.nr_rival_frames);
	balloon_elastic_signal(sim.xb, SIGNAL_LOW);
	go_on_for(60 * SECOND);
	sim_rivals_give(sim.nr_pieces, sim.nr_rival_frames);
	go_on_for(3 * SECOND);
	KUNIT_EXPECT_EQ(test, guest(), less);
	KUNIT_EXPECT_EQ(test, sim.xb->elastic.given, FULL - less);
}

static void nothing_goes_while_the_guest_is_migrated(struct kunit *test)
{
	sim.logs_writes = true;
	KUNIT_EXPECT_EQ(test, give_all(), FULL);
	sim.logs_writes = false;
	KUNIT_EXPECT_LT(test, give_all(), FULL);
}

static void the_headroom_goes_by_what_was_taken_lately(struct kunit *test)
{
	unsigned long before;

	go_on_for(20 * SECOND);
	before = sim.xb->elastic.headroom;
	KUNIT_EXPECT_EQ(test, before, H(2));
	sim_programs_take(H(8));
	go_on_for(11 * SECOND);
	KUNIT_EXPECT_GE(test, sim.xb->elastic.headroom, H(10));
	go_on_for(300 * SECOND);
	KUNIT_EXPECT_EQ(test, sim.xb->elastic.headroom, H(2));
}

static const struct sim_config on_two_nodes = {
	.regions = REGIONS, .host_pieces = 16, .slack = 256, .nodes = 2,
};

static void while_a_node_is_short_nothing_goes_and_nobody_spins(struct kunit *test)
{
	unsigned int region, index, turns = 0;
	u64 end;

	build(test, &on_two_nodes);
	for (region = 0; region < REGIONS / 2; region++)
		for (index = 0; index < SIM_REGION_PAGES; index++)
			sim_use(region, index, SIM_PROGRAM);
	KUNIT_EXPECT_EQ(test, give_all(), FULL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_RELEASE], 0UL);
	for (end = sim.now + 100 * SECOND; sim.now < end; turns++)
		sim_turn();
	/* There is a look each 10 s, and upkeep may have been due. */
	KUNIT_EXPECT_LE(test, turns, 20U);
}

static struct kunit_case elastic_cases[] = {
	KUNIT_CASE(what_is_free_beyond_the_headroom_goes_in_2_mib),
	KUNIT_CASE(nothing_goes_while_it_may_not),
	KUNIT_CASE(what_is_free_for_a_moment_does_not_go),
	KUNIT_CASE(no_more_goes_in_a_second_than_it_may),
	KUNIT_CASE_PARAM(no_more_goes_than_down_to_the_lower_limit, lower_gen_params),
	KUNIT_CASE(some_comes_back_by_itself_when_little_is_free),
	KUNIT_CASE(it_is_looked_at_seldom_while_nobody_takes_memory),
	KUNIT_CASE(twice_as_much_comes_back_each_time),
	KUNIT_CASE(nothing_goes_for_a_while_after_that_and_longer_each_time),
	KUNIT_CASE(a_higher_target_is_reached_and_stays_so_for_a_while),
	KUNIT_CASE(for_a_lower_target_nothing_comes_back),
	KUNIT_CASE(all_comes_back_when_it_may_give_no_more),
	KUNIT_CASE(how_long_it_took_is_counted),
	KUNIT_CASE(while_xen_has_none_it_asks_as_ever_and_gives_nothing),
	KUNIT_CASE(what_it_could_do_without_it_asks_for_no_longer),
	KUNIT_CASE(nothing_goes_while_the_guest_is_migrated),
	KUNIT_CASE(the_headroom_goes_by_what_was_taken_lately),
	KUNIT_CASE(memtotal_counts_what_is_on_its_way_back),
	KUNIT_CASE(what_is_free_for_cma_is_not_at_hand),
	KUNIT_CASE(nothing_goes_once_the_driver_is_to_go),
	KUNIT_CASE(while_a_node_is_short_nothing_goes_and_nobody_spins),
	{}
};

static struct kunit_suite elastic_suite = {
	.name = "elastic",
	.init = elastic_init,
	.exit = sim_exit,
	.test_cases = elastic_cases,
};

kunit_test_suite(elastic_suite);
