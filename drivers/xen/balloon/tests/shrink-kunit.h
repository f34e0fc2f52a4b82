/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of shrink.c: what the kernel gets when it reclaims.
 */
#include "step.h"

#define MORE	H(8)		/* 16 MiB */

/* The guest has given 48 of its 64 MiB. */
static int shrink_init(struct kunit *test)
{
	u64 end;

	step_init(test);
	KUNIT_ASSERT_EQ(test, balloon_shrink_init(sim.xb), 0);
	sim.xb->target.floor = H(8);
	sim.xb->target.reserve = H(2);
	sim.xb->heal.enabled = false;
	sim_settle(20);
	balloon_elastic_enable(sim.xb, true);
	end = sim.now + 120 * NSEC_PER_SEC;
	while (sim.now < end)
		sim_turn();
	KUNIT_ASSERT_EQ(test, sim.xb->elastic.given, FULL - H(8));
	memset(sim.calls, 0, sizeof(sim.calls));

	return 0;
}

static void shrink_exit(struct kunit *test)
{
	balloon_shrink_exit();
	sim_exit(test);
}

static unsigned long guest(void)
{
	return balloon_figures(&sim.xb->queue).guest;
}

static unsigned long reclaim(unsigned long nr)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL, .nr_to_scan = nr };
	unsigned long got = scan(shrinker, &sc);

	sim_check("after the kernel has reclaimed");
	return got;
}

static unsigned long offered(void)
{
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL };

	return count(shrinker, &sc);
}

static void what_is_given_is_offered_when_little_is_free(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, offered(), SHRINK_EMPTY);
	sim_programs_take(sim.nr_free - 100);
	KUNIT_EXPECT_EQ(test, offered(), 2 * MORE);
	KUNIT_EXPECT_EQ(test, shrinker->seeks, 0);

	balloon_elastic_enable(sim.xb, false);
	sim_settle(20);
	KUNIT_EXPECT_EQ(test, offered(), SHRINK_EMPTY);
	KUNIT_EXPECT_EQ(test, reclaim(MORE), SHRINK_STOP);
}

static void whoever_reclaims_gets_16_mib_at_once(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, reclaim(MORE), MORE);
	KUNIT_EXPECT_EQ(test, guest(), H(16));
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, H(16));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_RETURNED_SHRINKER), MORE);
	KUNIT_EXPECT_EQ(test, sim.xb->elastic.given, FULL - H(16));
}

static void he_waits_for_nobody(struct kunit *test)
{
	mutex_lock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, reclaim(MORE), SHRINK_STOP);
	mutex_unlock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, guest(), H(8));
}

static void nothing_is_populated_in_a_new_domain_before_it_is_known(struct kunit *test)
{
	sim.xb->resumed = true;
	KUNIT_EXPECT_EQ(test, reclaim(MORE), SHRINK_STOP);
	sim.xb->resumed = false;
	sim.xb->ended = true;
	KUNIT_EXPECT_EQ(test, reclaim(MORE), SHRINK_STOP);
	sim.xb->ended = false;
	sim.xb->hibernates = true;
	KUNIT_EXPECT_EQ(test, reclaim(MORE), SHRINK_STOP);
	sim.xb->hibernates = false;
	sim.freezing = true;
	KUNIT_EXPECT_EQ(test, reclaim(MORE), SHRINK_STOP);
	sim.freezing = false;
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_POPULATE], 0UL);
}

static void where_xen_has_none_the_kernel_goes_on(struct kunit *test)
{
	sim_programs_take(sim.nr_free - 100);
	sim_rivals_take(sim.nr_pieces, sim.nr_rival_frames);
	KUNIT_EXPECT_EQ(test, offered(), 2 * MORE);
	KUNIT_EXPECT_EQ(test, reclaim(MORE), SHRINK_STOP);
	KUNIT_EXPECT_EQ(test, guest(), H(8));

	/* The worker, too, has seen that, and asks again by and by. */
	sim_turn();
	KUNIT_EXPECT_EQ(test, offered(), SHRINK_EMPTY);
}

static void the_worker_goes_on_from_there(struct kunit *test)
{
	u64 start = sim.now;
	int i;

	sim_programs_take(sim.nr_free - 100);
	KUNIT_EXPECT_EQ(test, reclaim(512), 512UL);
	for (i = 0; i < 100 && sim.now == start; i++)
		sim_turn();
	/* It neither turns in circles nor has the guest wait for the next second. */
	KUNIT_EXPECT_LT(test, i, 100);
	KUNIT_EXPECT_FALSE(test, balloon_elastic_is_short(sim.xb));
}

static struct kunit_case shrink_cases[] = {
	KUNIT_CASE(what_is_given_is_offered_when_little_is_free),
	KUNIT_CASE(whoever_reclaims_gets_16_mib_at_once),
	KUNIT_CASE(he_waits_for_nobody),
	KUNIT_CASE(nothing_is_populated_in_a_new_domain_before_it_is_known),
	KUNIT_CASE(where_xen_has_none_the_kernel_goes_on),
	KUNIT_CASE(the_worker_goes_on_from_there),
	{}
};

static struct kunit_suite shrink_suite = {
	.name = "shrink",
	.init = shrink_init,
	.exit = shrink_exit,
	.test_cases = shrink_cases,
};

kunit_test_suite(shrink_suite);
