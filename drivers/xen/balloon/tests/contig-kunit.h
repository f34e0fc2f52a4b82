/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of contig.c: which region is emptied, and when it is given up.
 */
#include "fill.h"

static void a_pass_has_all_whole_regions(struct kunit *test)
{
	static const struct sim_config config = { .regions = 3, .tail = 300 };
	struct balloon_search *s;

	sim_build(test, &config);
	s = balloon_contig_search(sim.xb, NUMA_NO_NODE);
	s->min_free = 0;
	s->left = 0;
	balloon_contig_restart(sim.xb);

	KUNIT_EXPECT_EQ(test, s->left, 3UL);
	KUNIT_EXPECT_EQ(test, s->min_free, 384U);
}

static void zone_keeps_what_others_could_not_do_without(struct kunit *test)
{
	struct zone *zone = &sim_node[0].node_zones[ZONE_NORMAL];
	unsigned int region, at;

	sim_build(test, &fill_world);
	for (region = 0; region < FILL_REGIONS; region++)
		occupy(test, region, 0, 112, SIM_PROGRAM);
	KUNIT_EXPECT_EQ(test, balloon_region_movable(page_to_pfn(sim_page(3, 0)), 64, &at), 0);

	/* Of these, 512 would go, and more than 2200 be left. */
	zone->_watermark[WMARK_HIGH] = 200;
	zone->lowmem_reserve[ZONE_NORMAL] = sim_zone_free(zone) - 512 - 200 + 1;
	KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);

	zone->lowmem_reserve[ZONE_NORMAL]--;
	sim.now = balloon_contig_search(sim.xb, NUMA_NO_NODE)->again_at;
	KUNIT_EXPECT_EQ(test, take_huge(1), 1U);
}

static void the_kernels_reserves_are_not_taken(struct kunit *test)
{
	unsigned int region;

	sim_build(test, &fill_world);
	for (region = 0; region < FILL_REGIONS; region++)
		occupy(test, region, 0, 112, SIM_PROGRAM);

	sim.low_water = sim_zone_free(sim_page_zone(sim_page(0, 0))) - 512 + 1;
	KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);

	sim.low_water--;
	sim.now = balloon_contig_search(sim.xb, NUMA_NO_NODE)->again_at;
	KUNIT_EXPECT_EQ(test, take_huge(1), 1U);
	sim.low_water = 0;
}

static void emptied_region_looks_like_a_huge_page(struct kunit *test)
{
	struct page *first = sim_page(2, 0), *page;
	unsigned int i;

	occupy(test, 2, 100, 37, SIM_PROGRAM);
	page = contig_region(page_to_pfn(first));

	KUNIT_ASSERT_PTR_EQ(test, page, first);
	for (i = 0; i < 512; i++)
		KUNIT_ASSERT_EQ(test, page_count(page + i), !i);
	KUNIT_EXPECT_EQ(test, sim.nr_free, FILL_GUEST - 512UL - 37);
	KUNIT_EXPECT_EQ(test, (__force u32)sim.gfp, (__force u32)(GFP_KERNEL | __GFP_NOWARN));

	sim_free_pages(page, XENMEM_HUGE_ORDER);
}

static void region_that_cannot_be_emptied_is_none(struct kunit *test)
{
	sim_fail(SIM_CONTIG, 1, 1, 0);
	KUNIT_EXPECT_NULL(test, contig_region(page_to_pfn(sim_page(2, 0))));
	KUNIT_EXPECT_EQ(test, sim.nr_free, (unsigned long)FILL_GUEST);
}

static void emptied_region_with_another_reference_is_free_again(struct kunit *test)
{
	sim.walker = sim_page(2, 300);
	KUNIT_EXPECT_NULL(test, contig_region(page_to_pfn(sim_page(2, 0))));
	KUNIT_EXPECT_NULL(test, sim.walker);
	KUNIT_EXPECT_EQ(test, sim.nr_free, (unsigned long)FILL_GUEST);
	KUNIT_EXPECT_EQ(test, balloon_free_in_region(page_to_pfn(sim_page(2, 0))), 512U);
}

static void freest_region_is_emptied_first(struct kunit *test)
{
	static const unsigned int nr_free[] = { 0, 200, 0, 450, 0, 390, 0, 0 };

	fill_with_programs(test, nr_free);

	/* Whatever is asked for, moving gives one at a time. */
	KUNIT_EXPECT_EQ(test, take_huge(8), 1U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 1), "3:0+1");
	expect_taken(test, 1, XENMEM_HUGE_ORDER);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 2UL);

	KUNIT_EXPECT_EQ(test, take_huge(8), 1U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 1), "5:0+1");
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_CONTIG_TRIES), 2UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_CONTIG_HUGE), 2UL);
	KUNIT_EXPECT_EQ(test, sim.nr_free, 1040UL - 2 * 512);

	/* What is left is not enough. */
	KUNIT_EXPECT_EQ(test, take_huge(8), 0U);
	KUNIT_EXPECT_TRUE(test, balloon_contig_rests(sim.xb, NUMA_NO_NODE));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_CONTIG_HUGE), 2UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_CONTIG_TRIES), sim.calls[SIM_CONTIG]);
}

/* One region is tried in each step; which, by pass? */
static void each_pass_asks_for_fewer_free_pages(struct kunit *test)
{
	static const unsigned int nr_free[] = { 0, 60, 47, 96, 384, 383, 192, 191 };
	struct balloon_search *s = balloon_contig_search(sim.xb, NUMA_NO_NODE);
	unsigned int min_free = s->min_free, len = 0;
	unsigned long tries = 0;
	char tried[80] = "";

	fill_with_programs(test, nr_free);
	sim_fail(SIM_CONTIG, 1, ULONG_MAX, 0);
	sim.contig_ns = 20 * NSEC_PER_MSEC;

	while (!take_huge(1) && sim.calls[SIM_CONTIG] == tries + 1) {
		tries++;
		len += scnprintf(tried + len, sizeof(tried) - len, "%s%u",
				 s->min_free == min_free ? "" : " ",
				 region_nr(pfn_to_page(s->cursor)) - 1);
		min_free = s->min_free;
		s->wasted_ns = 0;
	}

	KUNIT_EXPECT_STREQ(test, tried, "4 456 34567 134567 01234567");
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], tries);
	KUNIT_EXPECT_TRUE(test, balloon_contig_rests(sim.xb, NUMA_NO_NODE));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_CONTIG_TRIES), tries);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_CONTIG_HUGE), 0UL);
}

static void pinned_regions_are_left_alone(struct kunit *test)
{
	unsigned int region;

	for (region = 0; region < FILL_REGIONS; region++)
		occupy(test, region, 77 * region % 512, 1, SIM_PINNED);

	KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_CONTIG_TRIES), 0UL);
	KUNIT_EXPECT_TRUE(test, balloon_contig_rests(sim.xb, NUMA_NO_NODE));
}

struct time_case {
	unsigned long ns;
	unsigned int tries;
};

static const struct time_case time_cases[] = {
	{ 30000000, 1 }, { 20000000, 1 }, { 19999999, 2 }, { 10000000, 2 }, { 9999999, 3 },
	{ 5000000, 4 }, { 4999999, 5 },
};

static void time_case_name(const struct time_case *c, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%lu ns for a try", c->ns);
}

KUNIT_ARRAY_PARAM(time, time_cases, time_case_name);

static void step_searches_for_20_ms_at_most(struct kunit *test)
{
	static const unsigned int nr_free[] = { 400, 400, 400, 400, 400, 400, 400, 400 };
	const struct time_case *c = test->param_value;

	fill_with_programs(test, nr_free);
	sim_fail(SIM_CONTIG, 1, ULONG_MAX, 0);
	sim.now = 10 * NSEC_PER_SEC;
	sim.contig_ns = c->ns;

	KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], (unsigned long)c->tries);
	KUNIT_EXPECT_EQ(test, balloon_contig_search(sim.xb, NUMA_NO_NODE)->wasted_ns,
			(u64)c->tries * c->ns);
	KUNIT_EXPECT_FALSE(test, balloon_contig_rests(sim.xb, NUMA_NO_NODE));
}

static void search_that_found_nothing_for_250_ms_rests_for_5_s(struct kunit *test)
{
	static const unsigned int nr_free[] = { 400, 400, 400, 400, 400, 400, 400, 400 };
	struct balloon_search *s = balloon_contig_search(sim.xb, NUMA_NO_NODE);
	unsigned int i;

	fill_with_programs(test, nr_free);
	sim_fail(SIM_CONTIG, 1, 11, 0);
	sim.contig_ns = 25 * NSEC_PER_MSEC;

	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_EQ(test, s->wasted_ns, 250ULL * NSEC_PER_MSEC);
	KUNIT_EXPECT_FALSE(test, balloon_contig_rests(sim.xb, NUMA_NO_NODE));

	KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_TRUE(test, balloon_contig_rests(sim.xb, NUMA_NO_NODE));
	KUNIT_EXPECT_EQ(test, s->wasted_ns, 0ULL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_CONTIG_RESTS), 1UL);
	sim.now += 5 * NSEC_PER_SEC - 1;
	KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 11UL);

	sim.now++;
	KUNIT_EXPECT_EQ(test, take_huge(1), 1U);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 12UL);
}

/* Somebody waits for a device, with a page locked that was not so at a look. */
static void step_does_not_wait_for_a_device_that_does_not_answer(struct kunit *test)
{
	static const unsigned int nr_free[] = { 400, 400, 400, 400, 400, 400, 400, 400 };
	struct balloon_search *s = balloon_contig_search(sim.xb, NUMA_NO_NODE);
	unsigned long nr_free_before;

	fill_with_programs(test, nr_free);
	nr_free_before = sim.nr_free;
	sim.contig_hangs = true;
	KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_EQ(test, sim.now, (u64)NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 1U);

	/* Nothing else is emptied until it does. */
	sim.now = s->again_at;
	sim.contig_hangs = false;
	KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);
	KUNIT_EXPECT_EQ(test, sim.now, 6ULL * NSEC_PER_SEC);

	/* What comes of it then is nobody's. */
	sim_device_answers();
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 1UL);
	KUNIT_EXPECT_EQ(test, sim.nr_free, nr_free_before);
	sim.now = s->again_at;
	KUNIT_EXPECT_EQ(test, take_huge(1), 1U);

	/* A guest that is slow with each does not have its log filled. */
	sim.contig_hangs = true;
	KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 1U);
	sim_device_answers();
}

/* All 8 regions are tried once and some again, or 6 of them. */
static void search_that_did_not_get_around_goes_on_where_it_was(struct kunit *test)
{
	static const unsigned int nr_free[] = { 200, 200, 200, 200, 200, 200, 200, 200 };
	struct balloon_search *s = balloon_contig_search(sim.xb, NUMA_NO_NODE);

	fill_with_programs(test, nr_free);
	sim_fail(SIM_CONTIG, 1, ULONG_MAX, 0);
	sim.contig_ns = 50 * NSEC_PER_MSEC;
	next_pass(s);
	while (!balloon_contig_rests(sim.xb, NUMA_NO_NODE))
		KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 6UL);
	KUNIT_EXPECT_EQ(test, s->min_free, 192U);
	KUNIT_EXPECT_EQ(test, s->left, 2UL);
	KUNIT_EXPECT_EQ(test, s->cursor, page_to_pfn(sim_page(6, 0)));

	sim.now = s->again_at;
	sim.contig_ns = 25 * NSEC_PER_MSEC;
	while (!balloon_contig_rests(sim.xb, NUMA_NO_NODE))
		KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 6UL + 11);
	KUNIT_EXPECT_EQ(test, s->min_free, 384U);
	KUNIT_EXPECT_EQ(test, s->left, 8UL);
	KUNIT_EXPECT_EQ(test, s->cursor, page_to_pfn(sim_page(1, 0)));
}

static void success_gives_the_search_its_time_back(struct kunit *test)
{
	static const unsigned int nr_free[] = { 400, 400, 400, 400, 400, 400, 400, 400 };
	struct balloon_search *s = balloon_contig_search(sim.xb, NUMA_NO_NODE);

	fill_with_programs(test, nr_free);
	sim.contig_ns = 100 * NSEC_PER_MSEC;
	s->wasted_ns = 240 * NSEC_PER_MSEC;

	KUNIT_EXPECT_EQ(test, take_huge(1), 1U);
	KUNIT_EXPECT_EQ(test, s->wasted_ns, 0ULL);
	KUNIT_EXPECT_FALSE(test, balloon_contig_rests(sim.xb, NUMA_NO_NODE));
}

static void search_goes_on_where_it_was(struct kunit *test)
{
	static const unsigned int nr_free[] = { 400, 400, 400, 400, 400, 400, 400, 400 };

	fill_with_programs(test, nr_free);
	sim_fail(SIM_CONTIG, 1, 2, 0);

	KUNIT_EXPECT_EQ(test, take_huge(1), 1U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 1), "2:0+1");
	KUNIT_EXPECT_EQ(test, balloon_contig_search(sim.xb, NUMA_NO_NODE)->cursor,
			page_to_pfn(sim_page(3, 0)));
	KUNIT_EXPECT_EQ(test, take_huge(1), 1U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 1), "3:0+1");
}

/* Nodes, of four regions each */

static const struct sim_config contig_nodes = {
	.regions = FILL_REGIONS, .host_pieces = 1, .nodes = 2,
};

static struct balloon_search *search_of(int nid)
{
	return balloon_contig_search(sim.xb, nid);
}

static unsigned int take_huge_of(int nid)
{
	unsigned int n;

	mutex_lock(&sim.xb->step_lock);
	n = balloon_alloc_huge(sim.xb, 1, nid);
	mutex_unlock(&sim.xb->step_lock);

	return n;
}

static void that_one_node_has_none_ends_no_search_but_its_own(struct kunit *test)
{
	static const unsigned int nr_free[] = { 400, 400, 400, 400, 400, 400, 400, 400 };
	unsigned int region;

	sim_build(test, &contig_nodes);
	fill_with_programs(test, nr_free);
	for (region = 0; region < FILL_REGIONS / 2; region++)
		occupy(test, region, 7, 1, SIM_PINNED);

	KUNIT_EXPECT_EQ(test, take_huge_of(0), 0U);
	KUNIT_EXPECT_TRUE(test, balloon_contig_rests(sim.xb, 0));
	KUNIT_EXPECT_FALSE(test, balloon_contig_rests(sim.xb, 1));
	KUNIT_EXPECT_FALSE(test, balloon_contig_rests(sim.xb, NUMA_NO_NODE));

	KUNIT_EXPECT_EQ(test, take_huge_of(1), 1U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 1), "4:0+1");
	KUNIT_EXPECT_EQ(test, take_huge(1), 1U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 1), "5:0+1");
	KUNIT_EXPECT_EQ(test, search_of(1)->cursor, page_to_pfn(sim_page(5, 0)));
	KUNIT_EXPECT_EQ(test, search_of(NUMA_NO_NODE)->cursor, page_to_pfn(sim_page(6, 0)));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_CONTIG_RESTS), 1UL);
}

static void the_search_on_the_only_node_is_that_for_all(struct kunit *test)
{
	unsigned int region;

	KUNIT_EXPECT_PTR_EQ(test, search_of(0), search_of(NUMA_NO_NODE));
	for (region = 0; region < FILL_REGIONS; region++)
		occupy(test, region, 7, 1, SIM_PINNED);
	KUNIT_EXPECT_EQ(test, take_huge_of(0), 0U);
	KUNIT_EXPECT_TRUE(test, balloon_contig_rests(sim.xb, NUMA_NO_NODE));

	sim_build(test, &contig_nodes);
	KUNIT_EXPECT_PTR_NE(test, search_of(0), search_of(1));
	KUNIT_EXPECT_PTR_NE(test, search_of(0), search_of(NUMA_NO_NODE));
	KUNIT_EXPECT_PTR_NE(test, search_of(1), search_of(NUMA_NO_NODE));
}

static const unsigned int rest_nodes[] = { 1, 2, 4 };

static void name_rest_nodes(const unsigned int *nodes, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%u nodes", *nodes);
}

KUNIT_ARRAY_PARAM(rest_nodes, rest_nodes, name_rest_nodes);

static void search_rests_for_5_s_for_each_node(struct kunit *test)
{
	unsigned int nodes = *(const unsigned int *)test->param_value, region;

	sim_build(test, &(struct sim_config){
		.regions = FILL_REGIONS, .host_pieces = 1, .nodes = nodes });
	for (region = 0; region < FILL_REGIONS; region++)
		occupy(test, region, 7, 1, SIM_PINNED);

	KUNIT_EXPECT_EQ(test, take_huge_of(nodes - 1), 0U);
	KUNIT_EXPECT_EQ(test, search_of(nodes - 1)->again_at - sim.now, nodes * 5 * NSEC_PER_SEC);
}

static void each_search_begins_anew_but_what_rests(struct kunit *test)
{
	int nid;

	sim_build(test, &contig_nodes);
	for (nid = NUMA_NO_NODE; nid < 2; nid++) {
		search_of(nid)->min_free = 48;
		search_of(nid)->left = 1;
	}
	search_of(0)->again_at = sim.now + 1;
	balloon_contig_restart(sim.xb);

	KUNIT_EXPECT_EQ(test, search_of(0)->min_free, 48U);
	KUNIT_EXPECT_EQ(test, search_of(0)->left, 1UL);
	KUNIT_EXPECT_EQ(test, search_of(1)->min_free, 384U);
	KUNIT_EXPECT_EQ(test, search_of(1)->left, (unsigned long)FILL_REGIONS);
	KUNIT_EXPECT_EQ(test, search_of(NUMA_NO_NODE)->min_free, 384U);
}

/* What is in a region can stay on its node where that has twice 2 MiB free. */
static void on_a_node_without_memory_to_spare_nothing_is_searched(struct kunit *test)
{
	static const unsigned int nr_free[] = { 256, 256, 256, 255, 400, 400, 400, 400 };

	sim_build(test, &contig_nodes);
	fill_with_programs(test, nr_free);
	KUNIT_EXPECT_EQ(test, take_huge_of(0), 0U);
	KUNIT_EXPECT_TRUE(test, balloon_contig_rests(sim.xb, 0));
	KUNIT_EXPECT_EQ(test, search_of(0)->cursor, 0UL);
	KUNIT_EXPECT_EQ(test, take_huge_of(0), 0U);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_CONTIG_RESTS), 1UL);
	KUNIT_EXPECT_FALSE(test, balloon_contig_rests(sim.xb, 1));

	sim_drop(3, 255);
	KUNIT_EXPECT_EQ(test, take_huge_of(0), 0U);
	sim.now = search_of(0)->again_at;
	KUNIT_EXPECT_EQ(test, take_huge_of(0), 1U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 1), "0:0+1");
}

static struct kunit_case contig_cases[] = {
	KUNIT_CASE(a_pass_has_all_whole_regions),
	KUNIT_CASE(zone_keeps_what_others_could_not_do_without),
	KUNIT_CASE(the_kernels_reserves_are_not_taken),
	KUNIT_CASE(emptied_region_looks_like_a_huge_page),
	KUNIT_CASE(region_that_cannot_be_emptied_is_none),
	KUNIT_CASE(emptied_region_with_another_reference_is_free_again),
	KUNIT_CASE(freest_region_is_emptied_first),
	KUNIT_CASE(each_pass_asks_for_fewer_free_pages),
	KUNIT_CASE(pinned_regions_are_left_alone),
	KUNIT_CASE_PARAM(step_searches_for_20_ms_at_most, time_gen_params),
	KUNIT_CASE(search_that_found_nothing_for_250_ms_rests_for_5_s),
	KUNIT_CASE(search_that_did_not_get_around_goes_on_where_it_was),
	KUNIT_CASE(step_does_not_wait_for_a_device_that_does_not_answer),
	KUNIT_CASE(success_gives_the_search_its_time_back),
	KUNIT_CASE(search_goes_on_where_it_was),
	KUNIT_CASE(that_one_node_has_none_ends_no_search_but_its_own),
	KUNIT_CASE(the_search_on_the_only_node_is_that_for_all),
	KUNIT_CASE_PARAM(search_rests_for_5_s_for_each_node, rest_nodes_gen_params),
	KUNIT_CASE(each_search_begins_anew_but_what_rests),
	KUNIT_CASE(on_a_node_without_memory_to_spare_nothing_is_searched),
	{}
};

static struct kunit_suite contig_suite = {
	.name = "contig",
	.init = fill_init,
	.exit = sim_exit_part,
	.test_cases = contig_cases,
};

kunit_test_suite(contig_suite);
