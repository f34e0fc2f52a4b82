/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of free.c: what is seen of free memory.
 */
#include "fill.h"

static void free_run_is_the_block_that_begins_here(struct kunit *test)
{
	struct page *page = sim_page(0, 0);

	/* Of order 10, of which a region has a half. */
	KUNIT_EXPECT_EQ(test, balloon_free_run(page), 512U);
	KUNIT_EXPECT_EQ(test, balloon_free_run(page + 1), 0U);

	occupy(test, 0, 0, 1, SIM_PROGRAM);
	KUNIT_EXPECT_EQ(test, balloon_free_run(page), 0U);
	KUNIT_EXPECT_EQ(test, balloon_free_run(page + 1), 1U);
	KUNIT_EXPECT_EQ(test, balloon_free_run(page + 2), 2U);
	KUNIT_EXPECT_EQ(test, balloon_free_run(page + 3), 0U);
	KUNIT_EXPECT_EQ(test, balloon_free_run(page + 256), 256U);

	/* Read without a lock, it may be anything. */
	set_page_private(page + 256, ULONG_MAX);
	KUNIT_EXPECT_EQ(test, balloon_free_run(page + 256), 512U);
	set_page_private(page + 256, 8);
}

static void free_pages_of_a_region_are_counted(struct kunit *test)
{
	unsigned long pfn = page_to_pfn(sim_page(2, 0));

	KUNIT_EXPECT_EQ(test, balloon_free_in_region(pfn), 512U);
	KUNIT_EXPECT_EQ(test, balloon_free_in_region(pfn + 511), 512U);

	occupy(test, 2, 100, 37, SIM_PROGRAM);
	KUNIT_EXPECT_EQ(test, balloon_free_in_region(pfn), 475U);
	KUNIT_EXPECT_EQ(test, balloon_free_in_region(pfn + 300), 475U);

	occupy(test, 2, 0, 100, SIM_PINNED);
	occupy(test, 2, 137, 375, SIM_PINNED);
	KUNIT_EXPECT_EQ(test, balloon_free_in_region(pfn), 0U);

	KUNIT_EXPECT_EQ(test, balloon_free_in_region(page_to_pfn(sim_page(0, 0)) - 512), 0U);
	KUNIT_EXPECT_EQ(test, balloon_free_in_region(0), 0U);
}

static void no_region_has_more_free_pages_than_pages(struct kunit *test)
{
	struct page *last = sim_page(2, 511);

	occupy(test, 2, 510, 1, SIM_PROGRAM);
	set_page_private(last, 5);
	KUNIT_EXPECT_EQ(test, balloon_free_in_region(page_to_pfn(last)), 512U);
	set_page_private(last, 0);
}

struct slab_case {
	const char *name;
	unsigned long slab;
	unsigned long low;
	unsigned long boost;
};

static const struct slab_case slab_cases[] = {
	{ "nothing", 0, 100 },
	{ "of which a half does not count anyway", 150, 100 },
	{ "of which the low watermark does not", 1000, 100 },
	{ "more than all that is available", 20 * FILL_GUEST, 100 },
	{ "and watermarks that are raised", 1000, 100, 50 },
};

static void slab_case_name(const struct slab_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(slab, slab_cases, slab_case_name);

static void what_the_kernels_caches_may_give_is_not_available(struct kunit *test)
{
	const struct slab_case *c = test->param_value;

	sim_node[0].node_zones[ZONE_NORMAL]._watermark[WMARK_LOW] = c->low;
	sim_node[0].node_zones[ZONE_NORMAL].watermark_boost = c->boost;
	sim.slab = c->slab;
	sim.cache = 77;
	KUNIT_EXPECT_EQ(test, balloon_available(), (long)(sim.nr_free + 77 - c->boost));
	sim.slab = 0;
	sim.cache = 0;
}

static struct kunit_case free_cases[] = {
	KUNIT_CASE(free_run_is_the_block_that_begins_here),
	KUNIT_CASE(free_pages_of_a_region_are_counted),
	KUNIT_CASE(no_region_has_more_free_pages_than_pages),
	KUNIT_CASE_PARAM(what_the_kernels_caches_may_give_is_not_available, slab_gen_params),
	{}
};

static struct kunit_suite free_suite = {
	.name = "free",
	.init = fill_init,
	.exit = sim_exit_part,
	.test_cases = free_cases,
};

kunit_test_suite(free_suite);
