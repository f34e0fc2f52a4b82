/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of latency.c: from a sign that memory gets short until it is back.
 */
#include "step.h"

#define MS	((u64)NSEC_PER_MSEC)

/* No time is none at all. */
static int latency_init(struct kunit *test)
{
	step_init(test);
	sim.now += MS;

	return 0;
}

static unsigned long sum(const unsigned long *counts)
{
	unsigned long all = 0;
	int i;

	for (i = 0; i < BALLOON_LATENCIES; i++)
		all += counts[i];

	return all;
}

static void the_first_page_and_the_last_are_counted_by_how_long_they_took(struct kunit *test)
{
	struct balloon_latency *latency = &sim.xb->elastic.latency;

	balloon_latency_asked(latency);
	sim.now += 3 * MS;
	/* Who asks again waits for as long. */
	balloon_latency_asked(latency);
	sim.now += 2 * MS;
	balloon_latency_got(sim.xb, 1);
	sim.now += 4000 * MS;
	balloon_latency_got(sim.xb, 512);
	balloon_latency_end(latency, true);
	KUNIT_EXPECT_EQ(test, latency->first[3], 1UL);
	KUNIT_EXPECT_EQ(test, sum(latency->first), 1UL);
	KUNIT_EXPECT_EQ(test, latency->eased[12], 1UL);
	KUNIT_EXPECT_EQ(test, sum(latency->eased), 1UL);

	/* And then anew. */
	sim.now += MS;
	balloon_latency_asked(latency);
	balloon_latency_got(sim.xb, 1);
	KUNIT_EXPECT_EQ(test, latency->first[0], 1UL);
	sim.now += 1000000 * MS;
	balloon_latency_end(latency, true);
	KUNIT_EXPECT_EQ(test, latency->eased[BALLOON_LATENCIES - 1], 1UL);
}

static void what_nobody_waits_for_is_not_counted(struct kunit *test)
{
	struct balloon_latency *latency = &sim.xb->elastic.latency;

	balloon_latency_got(sim.xb, 512);
	balloon_latency_got(sim.xb, 0);
	balloon_latency_end(latency, true);
	KUNIT_EXPECT_EQ(test, sum(latency->first) + sum(latency->eased), 0UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_RETURN_REFUSED), 0UL);
}

static void what_xen_refuses_is_counted_and_goes_on_to_be_waited_for(struct kunit *test)
{
	struct balloon_latency *latency = &sim.xb->elastic.latency;

	balloon_latency_asked(latency);
	balloon_latency_got(sim.xb, 0);
	sim.now += 100 * MS;
	balloon_latency_got(sim.xb, 0);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_RETURN_REFUSED), 2UL);
	KUNIT_EXPECT_EQ(test, sum(latency->first), 0UL);
	balloon_latency_got(sim.xb, 1);
	KUNIT_EXPECT_EQ(test, latency->first[7], 1UL);

	/* Who does without it was not eased. */
	balloon_latency_end(latency, false);
	KUNIT_EXPECT_EQ(test, sum(latency->eased), 0UL);
}

static struct kunit_case latency_cases[] = {
	KUNIT_CASE(the_first_page_and_the_last_are_counted_by_how_long_they_took),
	KUNIT_CASE(what_nobody_waits_for_is_not_counted),
	KUNIT_CASE(what_xen_refuses_is_counted_and_goes_on_to_be_waited_for),
	{}
};

static struct kunit_suite latency_suite = {
	.name = "latency",
	.init = latency_init,
	.exit = sim_exit,
	.test_cases = latency_cases,
};

kunit_test_suite(latency_suite);
