/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of alloc.c: which pages are taken, in which order, and how they
 * look then.
 */
#include "fill.h"

static unsigned int take_base(unsigned int max)
{
	unsigned int n;

	mutex_lock(&sim.xb->step_lock);
	n = balloon_alloc_base(sim.xb, max, NUMA_NO_NODE);
	mutex_unlock(&sim.xb->step_lock);

	return n;
}

/* Nothing is free, and nothing can be moved. */
static void occupy_all(struct kunit *test)
{
	unsigned int region;

	for (region = 0; region < FILL_REGIONS; region++)
		occupy(test, region, 0, SIM_REGION_PAGES, SIM_PINNED);
}

/* What was allocated into xb->pages, and not taken. */
static void free_again(unsigned int nr)
{
	while (nr--)
		__free_page(sim.xb->pages[nr]);
}

/* What is held, in words. */
static const char *held_in_words(struct kunit *test)
{
	struct page **pages = kunit_kcalloc(test, 2048, sizeof(*pages), GFP_KERNEL), *page;
	unsigned int n = 0;

	KUNIT_ASSERT_NOT_NULL(test, pages);
	list_for_each_entry(page, &sim.xb->alloc.held, lru)
		pages[n++] = page;
	KUNIT_EXPECT_EQ(test, sim.xb->alloc.nr_held, n);

	return in_words(test, pages, n);
}

/* What is held back */

static void settling_frees_all_that_is_held(struct kunit *test)
{
	struct balloon_alloc *a = &sim.xb->alloc;

	occupy(test, 2, 0, 5, SIM_DRIVER);
	occupy(test, 4, 9, 1, SIM_DRIVER);
	hold(a, sim_page(2, 0), 5);
	hold(a, sim_page(4, 9), 1);
	KUNIT_EXPECT_STREQ(test, held_in_words(test), "2:0+5 4:9+1");

	balloon_alloc_settle(a);
	KUNIT_EXPECT_EQ(test, a->nr_held, 0U);
	KUNIT_EXPECT_TRUE(test, list_empty(&a->held));
	KUNIT_EXPECT_EQ(test, sim.nr_free, (unsigned long)FILL_GUEST);

	balloon_alloc_settle(a);
	KUNIT_EXPECT_EQ(test, sim.nr_free, (unsigned long)FILL_GUEST);
}

/* Huge pages */

static void huge_pages_come_from_what_is_free(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, take_huge(3), 3U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 3), "0:0+1 1:0+1 2:0+1");
	expect_taken(test, 3, XENMEM_HUGE_ORDER);
	KUNIT_EXPECT_NULL(test, sim.xb->pages[3]);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 3UL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);
	KUNIT_EXPECT_EQ(test, take_huge(0), 0U);
}

static void huge_pages_got_before_an_allocation_failed_are_taken(struct kunit *test)
{
	sim_fail(SIM_ALLOC, 3, 1, 0);

	KUNIT_EXPECT_EQ(test, take_huge(5), 2U);
	expect_taken(test, 2, XENMEM_HUGE_ORDER);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);
}

static void no_pages_are_moved_for_more_where_some_were_free(struct kunit *test)
{
	unsigned int region;

	for (region = 2; region < FILL_REGIONS; region++)
		occupy(test, region, 500, 1, SIM_PROGRAM);

	KUNIT_EXPECT_EQ(test, take_huge(8), 2U);
	expect_taken(test, 2, XENMEM_HUGE_ORDER);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 3UL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);
}

/* Movable, but not to ZONE_MOVABLE; nothing insisted on. */
static void huge_pages_are_asked_for_as_movable_ones(struct kunit *test)
{
	gfp_t gfp = (GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC |
		     __GFP_MOVABLE) & ~__GFP_KSWAPD_RECLAIM;

	KUNIT_EXPECT_EQ(test, take_huge(1), 1U);
	KUNIT_EXPECT_EQ(test, (__force u32)sim.gfp, (__force u32)(gfp | __GFP_ZERO));
	sim.scrub_pages = false;
	KUNIT_EXPECT_EQ(test, take_huge(1), 1U);
	KUNIT_EXPECT_EQ(test, (__force u32)sim.gfp, (__force u32)gfp);
}

/* 4 MiB are the reserve, and 4 are two huge pages. */
static void kswapd_is_woken_for_a_huge_page_only_when_little_is_free(struct kunit *test)
{
	unsigned int region;

	for (region = 0; region < FILL_REGIONS; region++)
		occupy(test, region, 500, 1, SIM_PROGRAM);
	sim_fail(SIM_CONTIG, 1, 1000, 0);
	sim_programs_take(sim.nr_free - 2048);
	KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_FALSE(test, sim.kswapd);

	sim_programs_take(1);
	KUNIT_EXPECT_EQ(test, take_huge(1), 0U);
	KUNIT_EXPECT_TRUE(test, sim.kswapd);
}

/* Zones */

struct zone_case {
	const char *name;
	struct sim_config config;
};

#define ZONE_WORLD	.regions = FILL_REGIONS, .host_pieces = 1
static const struct zone_case zone_cases[] = {
	{ "what must be able to leave", { ZONE_WORLD, .movable = 6 } },
	{ "what a device may want", { ZONE_WORLD, .kept = 6 } },
#ifdef CONFIG_ZONE_DMA
	{ "what old devices can use", { ZONE_WORLD, .dma = 6 } },
#endif
};

static void zone_case_name(const struct zone_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(zone, zone_cases, zone_case_name);

static void huge_page_is_none_of(struct kunit *test)
{
	const struct zone_case *c = test->param_value;
	unsigned int ours = c->config.dma ? FILL_REGIONS - 1 : 0;
	unsigned int other = ours ? ours - 1 : 1;
	unsigned long left = FILL_GUEST - 512UL - 400;

	sim_build(test, &c->config);
	/* Not by taking it, nor by making one. What is in use can stay in its zone. */
	occupy(test, ours, 0, 100, SIM_PROGRAM);
	occupy(test, other, 0, 400, SIM_PINNED);
	KUNIT_EXPECT_EQ(test, take_huge(8), 1U);
	KUNIT_EXPECT_EQ(test, region_nr(sim.xb->pages[0]), ours);
	KUNIT_EXPECT_EQ(test, sim.nr_free, left - 100);
	KUNIT_EXPECT_EQ(test, take_huge(8), 0U);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 1UL);
	KUNIT_EXPECT_EQ(test, sim.nr_free, left - 100);
	KUNIT_EXPECT_TRUE(test, balloon_contig_rests(sim.xb, NUMA_NO_NODE));
}

/* Compaction moves those, and somebody who needs the place as well. */
static void base_pages_come_from_what_must_be_able_to_leave(struct kunit *test)
{
	static const struct sim_config config = { ZONE_WORLD, .movable = 4, .kept = 4 };

	sim_build(test, &config);
	occupy(test, 0, 0, 1, SIM_PINNED);
	KUNIT_EXPECT_EQ(test, take_base(500), 500U);
	KUNIT_EXPECT_GE(test, region_nr(sim.xb->pages[0]), 4U);
}

#ifdef CONFIG_ZONE_DMA
static void base_pages_are_what_old_devices_can_use_only_as_the_last_resort(struct kunit *test)
{
	static const struct sim_config config = { ZONE_WORLD, .dma = 4 };
	unsigned int region;

	sim_build(test, &config);
	for (region = 4; region < FILL_REGIONS; region++)
		occupy(test, region, 10, 502, SIM_PINNED);

	KUNIT_EXPECT_EQ(test, take_base(512), 40U);
	KUNIT_EXPECT_EQ(test, take_base(100), 1U);
	KUNIT_EXPECT_EQ(test, region_nr(sim.xb->pages[0]), 0U);
	KUNIT_EXPECT_EQ(test, sim.nr_free, 4 * 512UL - 1);
}
#endif

/* Scrubbing */

struct scrub_case {
	const char *name;
	struct sim_config config;
	enum sim_content content;
	bool by_us;		/* where the allocator was not asked for zeroes */
};

#define SCRUB_WORLD	.regions = FILL_REGIONS, .host_pieces = 1
static const struct scrub_case scrub_cases[] = {
	{ "zeroed at allocation", { SCRUB_WORLD }, SIM_ZERO, false },
	{ "zeroed when freed", { SCRUB_WORLD, .no_init = true, .init_on_free = true },
	  SIM_ZERO, false },
	{ "not zeroed", { SCRUB_WORLD, .no_init = true }, SIM_ZERO, true },
	{ "not to be scrubbed", { SCRUB_WORLD, .no_init = true, .no_scrub = true },
	  SIM_SECRET, false },
	{ "not to be scrubbed, zeroed all the same", { SCRUB_WORLD, .no_scrub = true },
	  SIM_ZERO, false },
};

static void scrub_case_name(const struct scrub_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(scrub, scrub_cases, scrub_case_name);

/* This is what each page of a range holds. */
static void expect_content(struct kunit *test, struct page *page, unsigned int nr,
			   enum sim_content content)
{
	unsigned int i, index, found = 0;

	for (i = 0; i < nr; i++)
		found += sim_region_of(page_to_pfn(page + i), &index)->content[index] == content;
	KUNIT_EXPECT_EQ(test, found, nr);
}

static void pages_are_scrubbed_once_and_only_when_needed(struct kunit *test)
{
	const struct scrub_case *c = test->param_value;

	sim_build(test, &c->config);

	/* The allocator zeroes huge pages itself. */
	KUNIT_EXPECT_EQ(test, take_huge(1), 1U);
	KUNIT_EXPECT_EQ(test, sim.cleared, 0UL);
	expect_content(test, sim.xb->pages[0], 512, c->content);

	KUNIT_EXPECT_EQ(test, take_base(40), 40U);
	KUNIT_EXPECT_EQ(test, sim.cleared, c->by_us ? 40UL : 0UL);
	expect_content(test, sim.xb->pages[0], 40, c->content);
}

#ifdef CONFIG_CONTIG_ALLOC
static void emptied_regions_are_scrubbed_once_and_only_when_needed(struct kunit *test)
{
	static const unsigned int nr_free[] = { 400, 400, 400, 400, 400, 400, 400, 400 };
	const struct scrub_case *c = test->param_value;

	sim_build(test, &c->config);
	fill_with_programs(test, nr_free);

	KUNIT_EXPECT_EQ(test, take_huge(1), 1U);
	KUNIT_EXPECT_EQ(test, sim.cleared, c->by_us ? 512UL : 0UL);
	expect_content(test, sim.xb->pages[0], 512, c->content);
}
#endif

/* Base pages: of a huge page */

static const unsigned int counts[] = { 1, 2, 100, 511 };

static void count_name(const unsigned int *count, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%u pages", *count);
}

KUNIT_ARRAY_PARAM(count, counts, count_name);

static void broken_huge_page_gives_its_front_and_no_more(struct kunit *test)
{
	unsigned int max = *(const unsigned int *)test->param_value;
	char front[20];

	KUNIT_EXPECT_EQ(test, take_base(max), max);
	snprintf(front, sizeof(front), "0:0+%u", max);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, max), front);
	expect_taken(test, max, 0);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 1UL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_KZALLOC], 1UL);
	KUNIT_EXPECT_EQ(test, sim.nr_free, (unsigned long)(FILL_GUEST - max));
	KUNIT_EXPECT_EQ(test, sim.xb->alloc.nr_held, 0U);
}

/* Compaction moves them. */
static void base_pages_are_asked_for_as_movable_ones(struct kunit *test)
{
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC |
		    __GFP_MOVABLE | __GFP_HIGHMEM;
	struct page **pages = sim.xb->pages;

	KUNIT_ASSERT_EQ(test, break_huge(sim.xb, pages, 1, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_EQ(test, (__force u32)sim.gfp, (__force u32)gfp);
	__free_page(pages[0]);

	sim_queue_base(0, 0, 1);
	KUNIT_ASSERT_EQ(test, more_of_broken(sim.xb, pages, 1, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_EQ(test, (__force u32)sim.gfp, (__force u32)gfp);
	__free_page(pages[0]);

	KUNIT_ASSERT_EQ(test, by_region(sim.xb, pages, 1, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_EQ(test, (__force u32)sim.gfp,
			(__force u32)(gfp & ~(__GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM)));
	__free_page(pages[0]);
}

static void base_pages_that_cannot_be_moved_are_asked_for_as_such(struct kunit *test)
{
	const struct sim_config config = { .regions = 8, .device_model = true };
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC;

	sim_build(test, &config);
	KUNIT_ASSERT_EQ(test, break_huge(sim.xb, sim.xb->pages, 1, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_EQ(test, (__force u32)sim.gfp, (__force u32)gfp);
	__free_page(sim.xb->pages[0]);
}

/* Base pages: of regions that are broken already */

static void base_pages_of_a_broken_region_go_first(struct kunit *test)
{
	sim_queue_base(3, 0, 10);

	KUNIT_EXPECT_EQ(test, take_base(20), 20U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 20), "3:10+20");
	expect_taken(test, 20, 0);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 20UL);
}

/* Free single pages of a region that is not broken: @nr of them, found first. */
static void strew(struct kunit *test, unsigned int region, unsigned int nr)
{
	unsigned int i;

	occupy(test, region, 0, SIM_REGION_PAGES, SIM_PINNED);
	for (i = 0; i < nr; i++)
		sim_drop(region, 2 * i);
}

/* What was taken, with how many calls; nothing is held back. */
static void expect_found(struct kunit *test, unsigned int nr, const char *where,
			 unsigned long calls)
{
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, nr), where);
	expect_taken(test, nr, 0);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], calls);
	KUNIT_EXPECT_STREQ(test, held_in_words(test), "");
}

static void other_pages_met_on_the_way_are_free_again(struct kunit *test)
{
	sim_queue_base(3, 0, 10);
	strew(test, 1, 30);

	KUNIT_EXPECT_EQ(test, take_base(10), 10U);
	expect_found(test, 10, "3:10+10", 40UL);
	KUNIT_EXPECT_EQ(test, balloon_free_in_region(page_to_pfn(sim_page(1, 0))), 30U);
}

static void search_in_broken_regions_ends_after_64_vain_tries(struct kunit *test)
{
	sim_queue_base(3, 0, 10);
	strew(test, 1, 70);

	KUNIT_EXPECT_EQ(test, take_base(10), 4U);
	expect_found(test, 4, "3:10+4", 74UL);
}

static void huge_page_is_broken_when_no_broken_region_has_a_page(struct kunit *test)
{
	sim_queue_base(3, 0, 10);
	strew(test, 1, 74);

	KUNIT_EXPECT_EQ(test, take_base(10), 10U);
	expect_found(test, 10, "0:0+10", 75UL);
	KUNIT_EXPECT_EQ(test, balloon_free_in_region(page_to_pfn(sim_page(1, 0))), 74U);
}

static void what_was_found_before_an_allocation_failed_is_taken(struct kunit *test)
{
	sim_queue_base(3, 0, 10);
	sim_fail(SIM_ALLOC, 3, 1, 0);

	KUNIT_EXPECT_EQ(test, take_base(20), 2U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 2), "3:10+2");
	expect_taken(test, 2, 0);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 3UL);
}

/* Base pages: region by region */

static void whole_region_of_base_pages_breaks_no_huge_page_in_vain(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, take_base(512), 512U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 512), "0:0+512");
	expect_taken(test, 512, 0);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 2UL);
}

static void region_with_the_largest_free_block_is_emptied_first(struct kunit *test)
{
	occupy_all(test);
	drop(5, 0, 128);
	drop(5, 200, 3);
	drop(2, 0, 256);
	drop(2, 300, 10);

	KUNIT_EXPECT_EQ(test, take_base(512), 397U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 397),
			   "2:0+256 2:304+4 2:300+4 2:308+2 5:0+128 5:200+3");
	expect_taken(test, 397, 0);
	KUNIT_EXPECT_EQ(test, sim.nr_free, 0UL);
	KUNIT_EXPECT_STREQ(test, held_in_words(test), "");
}

static void a_guest_keeps_some_large_blocks(struct kunit *test)
{
	const struct sim_config config = { .regions = FILL_REGIONS };
	unsigned int i;

	sim_build(test, &config);
	occupy_all(test);
	for (i = 0; i < 100; i += 2)
		drop(7, i, 1);
	drop(2, 0, 256);
	drop(5, 0, 128);

	/* From below 256 pages in large blocks on, single pages. */
	KUNIT_EXPECT_EQ(test, take_base(300), 300U);
	KUNIT_EXPECT_EQ(test, balloon_free_in_region(page_to_pfn(sim_page(2, 0))), 0U);
	KUNIT_EXPECT_EQ(test, balloon_free_in_region(page_to_pfn(sim_page(5, 0))), 128U);
	KUNIT_EXPECT_EQ(test, balloon_free_in_region(page_to_pfn(sim_page(7, 0))), 6U);
	expect_taken(test, 300, 0);
}

/* Step by step: each begins with what the one before held back. */
static void other_regions_are_held_until_it_is_their_turn(struct kunit *test)
{
	occupy_all(test);
	drop(5, 0, 128);
	drop(2, 0, 256);
	drop(2, 300, 4);

	KUNIT_EXPECT_EQ(test, take_base(264), 264U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 264), "2:0+256 2:300+4 5:0+4");
	KUNIT_EXPECT_STREQ(test, held_in_words(test), "5:4+11");
	expect_taken(test, 264, 0);

	KUNIT_EXPECT_EQ(test, take_base(8), 8U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 8), "5:4+8");
	KUNIT_EXPECT_STREQ(test, held_in_words(test), "5:12+3");

	KUNIT_EXPECT_EQ(test, take_base(200), 116U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 116),
			   "5:12+3 5:64+64 5:32+32 5:16+16 5:15+1");
	KUNIT_EXPECT_STREQ(test, held_in_words(test), "");
	KUNIT_EXPECT_EQ(test, sim.nr_free, 0UL);
}

static void block_of_a_broken_region_is_not_held(struct kunit *test)
{
	sim_queue_base(5, 100, 1);
	occupy(test, 5, 0, 100, SIM_PINNED);
	occupy(test, 5, 101, 411, SIM_PINNED);
	occupy(test, 2, 0, 512, SIM_PINNED);
	drop(2, 0, 256);
	drop(5, 8, 8);

	KUNIT_EXPECT_EQ(test, by_region(sim.xb, sim.xb->pages, 264, NUMA_NO_NODE), 264U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 264), "2:0+256 5:8+8");
	KUNIT_EXPECT_STREQ(test, held_in_words(test), "");
	free_again(264);
}

static void region_held_longest_is_taken_first_and_alone(struct kunit *test)
{
	struct balloon_alloc *a = &sim.xb->alloc;
	struct page *pages[8] = {};
	unsigned long region = 99;

	KUNIT_EXPECT_EQ(test, take_held(a, pages, 8, &region), 0U);
	KUNIT_EXPECT_EQ(test, region, 99UL);

	occupy(test, 4, 0, 8, SIM_DRIVER);
	occupy(test, 1, 0, 8, SIM_DRIVER);
	hold(a, sim_page(4, 0), 1);
	hold(a, sim_page(1, 0), 3);
	hold(a, sim_page(4, 1), 7);

	KUNIT_EXPECT_EQ(test, take_held(a, pages, 5, &region), 5U);
	KUNIT_EXPECT_EQ(test, region, region_index(sim_page(4, 0)));
	KUNIT_EXPECT_STREQ(test, in_words(test, pages, 5), "4:0+5");
	KUNIT_EXPECT_NULL(test, pages[5]);
	KUNIT_EXPECT_STREQ(test, held_in_words(test), "1:0+3 4:5+3");

	KUNIT_EXPECT_EQ(test, take_held(a, pages, 8, &region), 3U);
	KUNIT_EXPECT_EQ(test, region, region_index(sim_page(1, 0)));
	KUNIT_EXPECT_STREQ(test, in_words(test, pages, 3), "1:0+3");
	KUNIT_EXPECT_STREQ(test, held_in_words(test), "4:5+3");
	drop(4, 0, 5);
	drop(1, 0, 8);
	balloon_alloc_settle(a);
}

static const unsigned int helds[] = { 1024, 1025 };

static void held_name(const unsigned int *held, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%u pages held", *held);
}

KUNIT_ARRAY_PARAM(held, helds, held_name);

static void no_more_is_held_than_1024_pages(struct kunit *test)
{
	unsigned int held = *(const unsigned int *)test->param_value;
	struct balloon_alloc *a = &sim.xb->alloc;

	/* One page of region 4 is taken first; then it is for the others to go. */
	occupy(test, 4, 0, 1, SIM_DRIVER);
	occupy(test, 5, 0, 512, SIM_DRIVER);
	occupy(test, 6, 0, 512, SIM_DRIVER);
	occupy(test, 7, 0, held - 1024, SIM_DRIVER);
	hold(a, sim_page(4, 0), 1);
	hold(a, sim_page(5, 0), 512);
	hold(a, sim_page(6, 0), 512);
	hold(a, sim_page(7, 0), held - 1024);

	KUNIT_EXPECT_EQ(test, by_region(sim.xb, sim.xb->pages, 65, NUMA_NO_NODE), 65U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 65),
			   held > 1024 ? "4:0+1 5:0+64" : "4:0+1 4:64+64");
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], held > 1024 ? 0UL : 1UL);
	free_again(65);
	balloon_alloc_settle(a);
}

/* Base pages: nothing free, and no memory for the books */

static void page_cache_is_reclaimed_as_the_last_resort(struct kunit *test)
{
	static const unsigned int nr_free[FILL_REGIONS];

	fill_with_programs(test, nr_free);
	sim.cache = 100;

	KUNIT_EXPECT_EQ(test, take_base(512), 1U);
	expect_taken(test, 1, 0);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 10UL);
	KUNIT_EXPECT_EQ(test, sim.cache, 99UL);
}

static void page_cache_is_left_alone_while_a_page_is_free(struct kunit *test)
{
	unsigned int nr_free[FILL_REGIONS] = { 0, 0, 0, 2 };

	fill_with_programs(test, nr_free);
	sim.cache = 100;

	KUNIT_EXPECT_EQ(test, take_base(512), 2U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 2), "3:0+2");
	expect_taken(test, 2, 0);
	KUNIT_EXPECT_EQ(test, sim.cache, 100UL);
}

static void guest_without_a_page_to_spare_gives_none(struct kunit *test)
{
	static const unsigned int nr_free[FILL_REGIONS];

	fill_with_programs(test, nr_free);

	KUNIT_EXPECT_EQ(test, take_base(5), 0U);
	expect_taken(test, 0, 0);
	/* A huge page, orders 2 to 0, and a page with reclaim. */
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], 5UL);
}

static void page_that_cannot_be_kept_account_of_is_free_again(struct kunit *test)
{
	sim_fail(SIM_KZALLOC, 1, 2, 0);

	KUNIT_EXPECT_EQ(test, take_base(5), 3U);
	KUNIT_EXPECT_STREQ(test, in_words(test, sim.xb->pages, 3), "0:2+3");
	expect_taken(test, 3, 0);
	KUNIT_EXPECT_EQ(test, sim.nr_free, FILL_GUEST - 3UL);
	KUNIT_EXPECT_FALSE(test, PageOffline(sim_page(0, 0)));
}

static void no_page_is_taken_that_cannot_be_kept_account_of(struct kunit *test)
{
	sim_fail(SIM_KZALLOC, 1, ULONG_MAX, 0);

	KUNIT_EXPECT_EQ(test, take_base(5), 0U);
	expect_taken(test, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.nr_free, (unsigned long)FILL_GUEST);
}

/* Of two nodes, no region of which is free as a whole. */
static void what_is_held_of_one_node_is_not_given_for_another(struct kunit *test)
{
	static const struct sim_config config = {
		.regions = FILL_REGIONS, .host_pieces = 2, .unseen = 1, .nodes = 2,
	};
	unsigned int region, i, n;

	sim_build(test, &config);
	for (region = 0; region < FILL_REGIONS; region++)
		occupy(test, region, 300, SIM_REGION_PAGES - 300, SIM_PROGRAM);

	mutex_lock(&sim.xb->step_lock);
	n = balloon_alloc_base(sim.xb, 400, 0);
	KUNIT_EXPECT_GT(test, n, 0U);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, sim_page_nid(sim.xb->pages[i]), 0);
	KUNIT_EXPECT_GT(test, sim.xb->alloc.nr_held, 0U);

	n = balloon_alloc_base(sim.xb, 512, 1);
	mutex_unlock(&sim.xb->step_lock);
	KUNIT_EXPECT_GT(test, n, 0U);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, sim_page_nid(sim.xb->pages[i]), 1);
}

static struct kunit_case alloc_cases[] = {
	KUNIT_CASE(settling_frees_all_that_is_held),
	KUNIT_CASE(huge_pages_come_from_what_is_free),
	KUNIT_CASE(huge_pages_got_before_an_allocation_failed_are_taken),
	KUNIT_CASE(no_pages_are_moved_for_more_where_some_were_free),
	KUNIT_CASE(huge_pages_are_asked_for_as_movable_ones),
	KUNIT_CASE(kswapd_is_woken_for_a_huge_page_only_when_little_is_free),
#ifdef CONFIG_CONTIG_ALLOC
	KUNIT_CASE_PARAM(emptied_regions_are_scrubbed_once_and_only_when_needed, scrub_gen_params),
#endif
	KUNIT_CASE_PARAM(pages_are_scrubbed_once_and_only_when_needed, scrub_gen_params),
	KUNIT_CASE_PARAM(broken_huge_page_gives_its_front_and_no_more, count_gen_params),
	KUNIT_CASE(base_pages_are_asked_for_as_movable_ones),
	KUNIT_CASE_PARAM(huge_page_is_none_of, zone_gen_params),
	KUNIT_CASE(base_pages_come_from_what_must_be_able_to_leave),
#ifdef CONFIG_ZONE_DMA
	KUNIT_CASE(base_pages_are_what_old_devices_can_use_only_as_the_last_resort),
#endif
	KUNIT_CASE(base_pages_that_cannot_be_moved_are_asked_for_as_such),
	KUNIT_CASE(base_pages_of_a_broken_region_go_first),
	KUNIT_CASE(other_pages_met_on_the_way_are_free_again),
	KUNIT_CASE(search_in_broken_regions_ends_after_64_vain_tries),
	KUNIT_CASE(huge_page_is_broken_when_no_broken_region_has_a_page),
	KUNIT_CASE(what_was_found_before_an_allocation_failed_is_taken),
	KUNIT_CASE(whole_region_of_base_pages_breaks_no_huge_page_in_vain),
	KUNIT_CASE(region_with_the_largest_free_block_is_emptied_first),
	KUNIT_CASE(a_guest_keeps_some_large_blocks),
	KUNIT_CASE(other_regions_are_held_until_it_is_their_turn),
	KUNIT_CASE(block_of_a_broken_region_is_not_held),
	KUNIT_CASE(region_held_longest_is_taken_first_and_alone),
	KUNIT_CASE(what_is_held_of_one_node_is_not_given_for_another),
	KUNIT_CASE_PARAM(no_more_is_held_than_1024_pages, held_gen_params),
	KUNIT_CASE(page_cache_is_reclaimed_as_the_last_resort),
	KUNIT_CASE(page_cache_is_left_alone_while_a_page_is_free),
	KUNIT_CASE(guest_without_a_page_to_spare_gives_none),
	KUNIT_CASE(page_that_cannot_be_kept_account_of_is_free_again),
	KUNIT_CASE(no_page_is_taken_that_cannot_be_kept_account_of),
	{}
};

static struct kunit_suite alloc_suite = {
	.name = "alloc",
	.init = fill_init,
	.exit = sim_exit_part,
	.test_cases = alloc_cases,
};

kunit_test_suite(alloc_suite);
