/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of reclaim.c, in a guest whose programs have all but the reserve and some
 * pages more: two huge pages are free, and SCRAPS. What its caches take for reclaimable
 * is not.
 */
#include "step.h"

#define RESERVE		1024UL
#define SCRAPS		300U
#define FREE		(H(2) + SCRAPS)

static int reclaim_init(struct kunit *test)
{
	unsigned int i;

	sim_build(test, &step_world);
	for (i = H(2) + SCRAPS; i < FULL; i++)
		KUNIT_ASSERT_TRUE(test, sim_use(i / 512, i % 512, SIM_PROGRAM));
	KUNIT_ASSERT_EQ(test, sim.nr_free, FREE);
	sim.slab = 5000;

	return 0;
}

static unsigned long tries(void)
{
	return balloon_counted(sim.xb, COUNT_RECLAIM_TRIES);
}

/* Look for memory; returns whether that was not put off. */
static bool reclaim(void)
{
	unsigned long before = tries();

	IN_STEP(balloon_reclaim(sim.xb));
	return tries() > before;
}

static void turn_for(unsigned int seconds)
{
	u64 end = sim.now + seconds * NSEC_PER_SEC;

	while (sim.now < end)
		sim_turn();
}

static void what_can_be_swapped_out_is_got_and_the_reserve_stays(struct kunit *test)
{
	sim.swap = 3000;
	sim_target(FULL - H(4));
	turn_for(10);
	KUNIT_EXPECT_EQ(test, sim_populated(), FULL - H(4));
	KUNIT_EXPECT_GE(test, balloon_available(), (long)RESERVE);
}

/* At 0, 1, 3, 7, 15 and 31 seconds, and some more. */
static void what_is_not_to_be_had_is_looked_for_less_and_less(struct kunit *test)
{
	sim_target(FULL - H(4));
	turn_for(60);
	KUNIT_EXPECT_EQ(test, sim_populated(), FULL);
	KUNIT_EXPECT_EQ(test, sim.nr_free, FREE);
	KUNIT_EXPECT_EQ(test, tries(), 6UL);
}

static void nothing_is_looked_for_at_the_target(struct kunit *test)
{
	turn_for(60);
	KUNIT_EXPECT_EQ(test, tries(), 0UL);
}

static void nothing_is_looked_for_to_grow(struct kunit *test)
{
	sim.swap = 3000;
	sim_target(FULL - H(4));
	turn_for(10);
	sim_programs_take(sim.nr_free - FREE);
	sim_rivals_take(sim.nr_pieces, sim.nr_pieces * SIM_REGION_PAGES);
	memset(sim.xb->counters, 0, sizeof(sim.xb->counters));
	sim_target(FULL);
	turn_for(10);
	KUNIT_EXPECT_LT(test, sim_populated(), FULL);
	KUNIT_EXPECT_GT(test, balloon_counted(sim.xb, COUNT_STALLS), 0UL);
	KUNIT_EXPECT_EQ(test, tries(), 0UL);
}

static void nothing_is_looked_for_while_enough_is_available(struct kunit *test)
{
	sim_programs_drop(RESERVE + 512 - FREE);
	KUNIT_EXPECT_FALSE(test, reclaim());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 0UL);

	KUNIT_EXPECT_EQ(test, sim_programs_take(1), 1U);
	KUNIT_EXPECT_TRUE(test, reclaim());
}

static void a_try_in_vain_puts_off_the_next_ones_up_to_a_minute(struct kunit *test)
{
	u64 delay = NSEC_PER_SEC, end;
	unsigned int i;

	for (i = 0; i < 9; i++) {
		KUNIT_EXPECT_TRUE(test, reclaim());
		end = sim.now + delay;
		sim.now = end - 1;
		KUNIT_EXPECT_FALSE(test, reclaim());
		sim.now = end;
		delay = min_t(u64, 2 * delay, 60 * NSEC_PER_SEC);
	}
}

/* Programs fetch back so much of it that the guest is no better off. */
static void needed_again(void)
{
	sim.refaults += 512;
}

static void what_is_found_puts_off_none_unless_it_is_needed_again(struct kunit *test)
{
	unsigned int i;

	sim.swap = 5000;
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_TRUE(test, IN_STEP(balloon_reclaim(sim.xb)));
		sim_programs_take(sim.nr_free - FREE);
	}
	KUNIT_EXPECT_EQ(test, tries(), 3UL);

	sim.meanwhile = needed_again;
	KUNIT_EXPECT_FALSE(test, IN_STEP(balloon_reclaim(sim.xb)));
	sim_programs_take(sim.nr_free - FREE);
	KUNIT_EXPECT_EQ(test, tries(), 4UL);
	KUNIT_EXPECT_FALSE(test, reclaim());

	sim.now += NSEC_PER_SEC;
	KUNIT_EXPECT_TRUE(test, IN_STEP(balloon_reclaim(sim.xb)));
}

static void less_than_kswapd_takes_at_a_time_is_next_to_nothing(struct kunit *test)
{
	sim.swap = 31;
	KUNIT_EXPECT_FALSE(test, IN_STEP(balloon_reclaim(sim.xb)));
	sim.now += NSEC_PER_SEC;
	sim.swap = 32;
	KUNIT_EXPECT_TRUE(test, IN_STEP(balloon_reclaim(sim.xb)));
}

/* A step that stalled is soon followed by another one, as long as there is more each time. */
static void the_worker_does_not_wait_longer_while_more_is_found(struct kunit *test)
{
	sim.swap = 1200;
	sim_target(FULL - H(4));
	sim_turn();
	KUNIT_EXPECT_EQ(test, sim.xb->delay_ms, 16U);
	sim_programs_take(sim.nr_free - FREE);
	sim_turn();
	KUNIT_EXPECT_EQ(test, sim.xb->delay_ms, 16U);
	KUNIT_EXPECT_EQ(test, tries(), 2UL);
	sim_programs_take(sim.nr_free - FREE);
	sim_turn();
	KUNIT_EXPECT_EQ(test, sim.xb->delay_ms, 32U);
}

static unsigned long free_then;

static void look(void)
{
	free_then = sim.nr_free;
}

static void no_huge_page_is_left_to_keep_kswapd_from_its_work(struct kunit *test)
{
	sim.swap = 3000;
	sim.meanwhile = look;
	KUNIT_EXPECT_TRUE(test, reclaim());
	KUNIT_EXPECT_EQ(test, free_then, (unsigned long)SCRAPS);
	KUNIT_EXPECT_EQ(test, sim.nr_free, FREE + 1024);
	/* No more time than it needs. */
	KUNIT_EXPECT_EQ(test, sim.now, 5ULL * NSEC_PER_MSEC);
}

static void what_is_held_is_free_again_after_100_ms(struct kunit *test)
{
	sim.swap = 1023;
	KUNIT_EXPECT_TRUE(test, reclaim());
	KUNIT_EXPECT_EQ(test, sim.nr_free, FREE + 1023);
	KUNIT_EXPECT_EQ(test, sim.now, 100ULL * NSEC_PER_MSEC);
}

static unsigned long freed;

static void be_in_need(void)
{
	sim.xb->reclaim.oom.notifier_call(&sim.xb->reclaim.oom, 0, &freed);
	free_then = sim.nr_free;
}

static void who_is_in_need_gets_what_is_held_at_once(struct kunit *test)
{
	freed = 7;
	sim.meanwhile = be_in_need;
	KUNIT_EXPECT_TRUE(test, reclaim());
	KUNIT_EXPECT_EQ(test, freed, 7 + H(2));
	KUNIT_EXPECT_EQ(test, free_then, FREE);
	KUNIT_EXPECT_EQ(test, sim.nr_free, FREE);

	/* There is nothing to be let go now. */
	be_in_need();
	KUNIT_EXPECT_EQ(test, freed, 7 + H(2));
}

static struct kunit_case reclaim_cases[] = {
	KUNIT_CASE(what_can_be_swapped_out_is_got_and_the_reserve_stays),
	KUNIT_CASE(what_is_not_to_be_had_is_looked_for_less_and_less),
	KUNIT_CASE(nothing_is_looked_for_at_the_target),
	KUNIT_CASE(nothing_is_looked_for_to_grow),
	KUNIT_CASE(nothing_is_looked_for_while_enough_is_available),
	KUNIT_CASE(a_try_in_vain_puts_off_the_next_ones_up_to_a_minute),
	KUNIT_CASE(what_is_found_puts_off_none_unless_it_is_needed_again),
	KUNIT_CASE(less_than_kswapd_takes_at_a_time_is_next_to_nothing),
	KUNIT_CASE(the_worker_does_not_wait_longer_while_more_is_found),
	KUNIT_CASE(no_huge_page_is_left_to_keep_kswapd_from_its_work),
	KUNIT_CASE(what_is_held_is_free_again_after_100_ms),
	KUNIT_CASE(who_is_in_need_gets_what_is_held_at_once),
	{}
};

static struct kunit_suite reclaim_suite = {
	.name = "reclaim",
	.init = reclaim_init,
	.exit = sim_exit,
	.test_cases = reclaim_cases,
};

kunit_test_suite(reclaim_suite);
