// SPDX-License-Identifier: GPL-2.0
/*
 * A guest of 1 TiB: what the driver does and has for each GiB does not grow with
 * the guest, nor with what is ballooned out already. Of the guest 4 windows of
 * 1 GiB are simulated; all else is programs'.
 */
#include <linux/sizes.h>

#include "balloon.h"
#include "sim.h"

#define GIB_PAGES	(SZ_1G >> PAGE_SHIFT)
#define NR_GIB		3U
/* The first three steps move 1, 2 and 4 huge pages, all others 8, the last one what is left. */
#define TURNS_PER_GIB	(GIB_PAGES / SIM_REGION_PAGES / XENMEM_MAX_HUGE + 3)

static const struct sim_config tebibyte = {
	.regions = 4 * 512,
	.window = 512,
	.stride = 256 * 512,
	.slack = 256,
};

static s64 took_us;

static int have_windows(struct kunit_suite *suite)
{
	return sim_arena_init(tebibyte.regions / tebibyte.window);
}

static int build_tebibyte(struct kunit *test)
{
	sim_build(test, &tebibyte);
	sim.unchecked = true;

	return 0;
}

/* Go to a target and return in how many steps; how long that took is in took_us. */
static unsigned int turns_to(struct kunit *test, unsigned long target)
{
	ktime_t start = ktime_get();
	unsigned int turns;

	sim_target(target);
	turns = sim_settle(100000) - 1;
	took_us = ktime_us_delta(ktime_get(), start);
	KUNIT_ASSERT_EQ(test, sim_balloon_stats.current_pages, target);
	sim_check("at the target");

	return turns;
}

/* What is known of regions is kept by their number, whatever is known. */
static unsigned long regions_known(void)
{
	unsigned long number, nr = 0;
	void *entry;

	xa_for_each(&sim.xb->queue.regions.all, number, entry)
		nr++;

	return nr;
}

static void each_gib_takes_the_same_steps_and_memory(struct kunit *test)
{
	unsigned long kmalloced = sim.kmalloced, known = regions_known();
	unsigned int gib, turns;

	KUNIT_ASSERT_EQ(test, sim_total(), SZ_1T >> PAGE_SHIFT);

	for (gib = 1; gib <= NR_GIB; gib++) {
		turns = turns_to(test, sim_total() - gib * GIB_PAGES);
		KUNIT_EXPECT_EQ(test, turns, TURNS_PER_GIB);
		KUNIT_EXPECT_EQ(test, sim.kmalloced, kmalloced);
		KUNIT_EXPECT_EQ(test, regions_known(), known);
		kunit_info(test, "GiB %u in huge pages: %u steps, %lu bytes, %lld us\n", gib,
			   turns, sim.kmalloced - kmalloced, took_us);
	}
	for (gib = NR_GIB; gib-- > 0;)
		KUNIT_EXPECT_EQ(test, turns_to(test, sim_total() - gib * GIB_PAGES),
				TURNS_PER_GIB);
	KUNIT_EXPECT_EQ(test, sim_superpages(), tebibyte.regions);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_RELEASE], NR_GIB * TURNS_PER_GIB);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_POPULATE], NR_GIB * TURNS_PER_GIB);
}

/* How many regions the base pages come from. */
static unsigned int balloon_regions(void)
{
	struct balloon_region *region;
	unsigned long number;
	unsigned int nr = 0;

	xa_for_each_marked(&sim.xb->queue.regions.all, number, region, XA_MARK_0)
		nr++;

	return nr;
}

/* Every 2 MiB has a page in it that stays: the balloon gets 4 KiB pages. */
static void each_gib_of_base_pages_takes_the_same_memory(struct kunit *test)
{
	unsigned int regions_per_gib = GIB_PAGES / SIM_REGION_PAGES;
	unsigned long before, grown, first = 0, known = regions_known();
	unsigned int region, gib, turns;

	for (region = 0; region < sim.config.regions; region++)
		sim_use(region, sim_random(SIM_REGION_PAGES), SIM_PINNED);

	for (gib = 1; gib <= NR_GIB; gib++) {
		before = sim.kmalloced;
		turns = turns_to(test, sim_total() - gib * (GIB_PAGES - 512));
		grown = sim.kmalloced - before;
		if (gib == 1)
			first = grown;
		KUNIT_EXPECT_LE(test, grown, first + first / 10);
		KUNIT_EXPECT_EQ(test, regions_known(), known);
		/* No more regions than it must break, and 0.05 % for them. */
		KUNIT_EXPECT_LE(test, balloon_regions(), gib * (regions_per_gib + 1));
		KUNIT_EXPECT_LE(test, grown, (GIB_PAGES << PAGE_SHIFT) / 2000);
		KUNIT_EXPECT_LE(test, turns, GIB_PAGES / XENMEM_MAX_BASE * 11 / 10);
		kunit_info(test, "GiB %u in base pages: %u steps, %lu bytes, %lld us\n", gib,
			   turns, grown, took_us);
	}
}

/*
 * A search of 250 ms sees some 50 GiB, and all but the last window, at 768 GiB, is
 * in use. Each target is 16 steps of 20 ms below the one before.
 */
static void huge_pages_are_found_wherever_they_are(struct kunit *test)
{
	unsigned int busy = tebibyte.regions - tebibyte.window, region, index, targets = 0;

	for (region = 0; region < tebibyte.regions; region++)
		for (index = 0; index < (region < busy ? SIM_REGION_PAGES : 1); index++)
			sim_use(region, index, SIM_PROGRAM);
	sim.look_ns = 10 * NSEC_PER_USEC;

	while (!balloon_counted(sim.xb, COUNT_CONTIG_HUGE) && targets < 22) {
		turns_to(test, sim_balloon_stats.current_pages - 16 * SIM_REGION_PAGES);
		sim.now += 5 * NSEC_PER_SEC;
		targets++;
	}
	kunit_info(test, "target %u found 2 MiB in the last GiB\n", targets);
	KUNIT_EXPECT_LE(test, targets, 17U);
}

static struct kunit_case scale_cases[] = {
	KUNIT_CASE(each_gib_takes_the_same_steps_and_memory),
	KUNIT_CASE(each_gib_of_base_pages_takes_the_same_memory),
	KUNIT_CASE(huge_pages_are_found_wherever_they_are),
	{}
};

static struct kunit_suite scale_suite = {
	.name = "scale",
	.suite_init = have_windows,
	.init = build_tebibyte,
	.exit = sim_exit,
	.test_cases = scale_cases,
};

kunit_test_suite(scale_suite);
