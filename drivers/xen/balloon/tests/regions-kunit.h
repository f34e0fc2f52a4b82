/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of regions.c: of which regions account is kept, and in what memory.
 */
#include "account.h"

#define NR_REGIONS	8U

static const struct sim_config regions_config = {
	.regions = NR_REGIONS,
	.host_pieces = 1,
	.extra = 3,
	.slack = 5,
};

static int regions_init(struct kunit *test)
{
	sim_build(test, &regions_config);

	return 0;
}

static void region_is_found_by_each_of_its_pages_and_by_no_other(struct kunit *test)
{
	static const unsigned int order[] = { 3, 1, 5, 0, 6 };
	struct balloon_queue *q = &sim.xb->queue;
	unsigned int i, region;

	for (i = 0; i < ARRAY_SIZE(order); i++)
		KUNIT_ASSERT_EQ(test, balloon_region_prepare(q, sim_page(order[i], 77)), 0);

	for (region = 0; region < NR_REGIONS; region++) {
		bool expected = region != 2 && region != 4 && region != 7;
		struct balloon_region *found = find_region(region);

		KUNIT_EXPECT_EQ(test, exists(q, sim_page(region, 0)), expected);
		KUNIT_EXPECT_EQ(test, exists(q, sim_page(region, 511)), expected);
		if (expected) {
			KUNIT_ASSERT_NOT_NULL(test, found);
			KUNIT_EXPECT_EQ(test, found->start_pfn,
					page_to_pfn(sim_page(region, 0)));
		} else {
			KUNIT_EXPECT_NULL(test, found);
		}
	}
}

static void prepared_region_is_empty_and_in_the_lowest_class(struct kunit *test)
{
	struct balloon_region *region;

	KUNIT_ASSERT_EQ(test, balloon_region_prepare(&sim.xb->queue, sim_page(2, 511)), 0);

	region = find_region(2);
	KUNIT_ASSERT_NOT_NULL(test, region);
	KUNIT_EXPECT_EQ(test, region->nr, 0U);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(region->base, XENMEM_HUGE_PAGES));
	KUNIT_EXPECT_TRUE(test, filed_under(2, 0));
}

static void prepare_needs_memory_for_the_first_page_of_a_region_only(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;

	KUNIT_EXPECT_EQ(test, balloon_region_prepare(q, sim_page(2, 5)), 0);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_KZALLOC], 1UL);

	sim_fail(SIM_KZALLOC, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, balloon_region_prepare(q, sim_page(2, 0)), 0);
	KUNIT_EXPECT_EQ(test, balloon_region_prepare(q, sim_page(2, 511)), 0);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_KZALLOC], 1UL);

	KUNIT_EXPECT_EQ(test, balloon_region_prepare(q, sim_page(3, 0)), -ENOMEM);
	KUNIT_EXPECT_FALSE(test, exists(q, sim_page(3, 0)));
	KUNIT_EXPECT_EQ(test, balloon_region_prepare(q, sim_page(3, 0)), 0);
}

/* A balloon that grows must not have others killed for its books. */
static void memory_for_regions_is_not_insisted_on(struct kunit *test)
{
	gfp_t humble = GFP_KERNEL | __GFP_NORETRY | __GFP_NOMEMALLOC | __GFP_NOWARN;
	struct balloon_queue *q = &sim.xb->queue;

	balloon_region_prepare(q, sim_page(2, 0));
	KUNIT_EXPECT_EQ(test, (__force u32)sim.gfp, (__force u32)humble);

	sim.gfp = 0;
	kfree(q->regions.spare);
	q->regions.spare = NULL;
	balloon_queue_tidy(q);
	KUNIT_EXPECT_EQ(test, (__force u32)sim.gfp, (__force u32)humble);
}

static void region_that_is_there_already_is_kept(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct balloon_region *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL), *former;

	KUNIT_ASSERT_NOT_NULL(test, fresh);
	sim_queue_base(2, 9, 1);
	former = find_region(2);

	KUNIT_EXPECT_PTR_EQ(test, add(q, sim_page(2, 300), fresh), fresh);
	KUNIT_EXPECT_PTR_EQ(test, find_region(2), former);
	KUNIT_EXPECT_EQ(test, former->nr, 1U);
	kfree(fresh);
}

static void no_region_is_made_of_nothing(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;

	KUNIT_EXPECT_NULL(test, add(q, sim_page(2, 0), NULL));
	KUNIT_EXPECT_NULL(test, find_region(2));
}

static void trim_frees_the_regions_without_base_pages_only(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	long before = sim.kmalloced, size = ksize(q->regions.spare);

	KUNIT_ASSERT_EQ(test, balloon_region_prepare(q, sim_page(0, 0)), 0);
	sim_queue_base(1, 17, 1);
	KUNIT_ASSERT_EQ(test, balloon_region_prepare(q, sim_page(2, 0)), 0);
	KUNIT_ASSERT_EQ(test, sim.kmalloced, before + 3 * size);

	balloon_queue_tidy(q);
	KUNIT_EXPECT_NULL(test, find_region(0));
	KUNIT_EXPECT_NOT_NULL(test, find_region(1));
	KUNIT_EXPECT_NULL(test, find_region(2));
	KUNIT_EXPECT_TRUE(test, list_empty(&q->nodes[0].by_fill[0]));
	KUNIT_EXPECT_TRUE(test, filed_under(1, 1));
	KUNIT_EXPECT_EQ(test, sim.kmalloced, before + size);
}

static void trim_sees_to_one_spare_region(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct balloon_region *spare = q->regions.spare;

	balloon_queue_tidy(q);
	KUNIT_EXPECT_PTR_EQ(test, q->regions.spare, spare);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_KZALLOC], 0UL);

	kfree(spare);
	q->regions.spare = NULL;
	sim_fail(SIM_KZALLOC, 1, 1, 0);
	balloon_queue_tidy(q);
	KUNIT_EXPECT_NULL(test, q->regions.spare);

	balloon_queue_tidy(q);
	KUNIT_ASSERT_NOT_NULL(test, q->regions.spare);
	KUNIT_EXPECT_EQ(test, q->regions.spare->nr, 0U);
}

static void region_with_a_base_page_in_the_queue_is_broken(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct page *page;

	KUNIT_EXPECT_FALSE(test, balloon_region_broken(q, sim_page(2, 0)));

	KUNIT_ASSERT_EQ(test, balloon_region_prepare(q, sim_page(2, 0)), 0);
	KUNIT_EXPECT_FALSE(test, balloon_region_broken(q, sim_page(2, 0)));

	sim_queue_base(2, 17, 1);
	KUNIT_EXPECT_TRUE(test, balloon_region_broken(q, sim_page(2, 0)));
	KUNIT_EXPECT_TRUE(test, balloon_region_broken(q, sim_page(2, 511)));
	KUNIT_EXPECT_FALSE(test, balloon_region_broken(q, sim_page(1, 511)));
	KUNIT_EXPECT_FALSE(test, balloon_region_broken(q, sim_page(3, 0)));

	KUNIT_ASSERT_EQ(test, balloon_dequeue_base(q, &page, 1, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_FALSE(test, balloon_region_broken(q, sim_page(2, 17)));
}

static void add_region(void)
{
	sim_balloon_stats.total_pages += SIM_REGION_PAGES;
	sim_online_again(sim_add_region(), 1);
}

static unsigned long number_of(unsigned int region)
{
	return region_index(sim_page(region, 0));
}

static void what_is_known_of_memory_that_was_added_is_remembered(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	unsigned int i;

	for (i = 0; i < 3; i++)
		add_region();
	KUNIT_EXPECT_EQ(test, q->regions.end, number_of(NR_REGIONS));
	KUNIT_EXPECT_EQ(test, balloon_regions_grow(q), 0);
	KUNIT_EXPECT_EQ(test, q->regions.end, number_of(NR_REGIONS + 3));

	for (i = NR_REGIONS; i < NR_REGIONS + 3; i++) {
		KUNIT_EXPECT_EQ(test, balloon_region_state(q, number_of(i)), REGION_WHOLE);
		balloon_region_suspect(q, sim_page(i, 300));
		KUNIT_EXPECT_EQ(test, balloon_region_state(q, number_of(i)), REGION_SUSPECT);
		balloon_region_set_stocked(q, sim_page(i, 0), true);
		KUNIT_EXPECT_TRUE(test, balloon_region_is_stocked(q, sim_page(i, 511)));
	}
	KUNIT_EXPECT_EQ(test, balloon_regions_grow(q), 0);
	KUNIT_EXPECT_EQ(test, balloon_region_state(q, number_of(NR_REGIONS)), REGION_SUSPECT);
}

static void regions_that_there_was_no_memory_for_are_remembered_later(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;

	add_region();
	add_region();
	sim_fail(SIM_XARRAY, 2, 1, 0);
	KUNIT_EXPECT_EQ(test, balloon_regions_grow(q), -ENOMEM);
	KUNIT_EXPECT_EQ(test, q->regions.end, number_of(NR_REGIONS + 1));
	KUNIT_EXPECT_EQ(test, balloon_regions_grow(q), 0);
	balloon_region_suspect(q, sim_page(NR_REGIONS + 1, 0));
	KUNIT_EXPECT_EQ(test, balloon_region_state(q, number_of(NR_REGIONS + 1)), REGION_SUSPECT);
}

static void base_pages_that_were_there_first_stay_known(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct balloon_region *first;

	add_region();
	KUNIT_ASSERT_EQ(test, balloon_region_prepare(q, sim_page(NR_REGIONS, 5)), 0);
	first = find_region(NR_REGIONS);
	KUNIT_EXPECT_EQ(test, balloon_regions_grow(q), 0);
	KUNIT_EXPECT_PTR_EQ(test, find_region(NR_REGIONS), first);
	KUNIT_EXPECT_EQ(test, q->regions.end, number_of(NR_REGIONS + 1));
}

/* What is not on its node */

static const struct sim_config regions_nodes = {
	.regions = NR_REGIONS, .host_pieces = 8, .slack = 5, .nodes = 2,
};

static void expect_away(struct kunit *test, unsigned int region, unsigned int away)
{
	KUNIT_EXPECT_EQ(test, balloon_region_away(&sim.xb->queue, number_of(region)), away);
}

static void of_a_region_no_more_is_away_than_it_has(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;

	expect_away(test, 2, 0);
	balloon_region_came(q, sim_page(2, 0), XENMEM_HUGE_ORDER, true);
	expect_away(test, 2, 512);
	sim_queue_base(2, 0, 100);
	expect_away(test, 2, 412);
	balloon_region_came(q, sim_page(2, 200), 0, true);
	expect_away(test, 2, 412);
	KUNIT_EXPECT_EQ(test, q->nodes[0].away, 412UL);
	KUNIT_EXPECT_EQ(test, q->regions.away, 412UL);
	expect_away(test, 1, 0);
	expect_away(test, 3, 0);

	/* Then it is a huge page. */
	sim_queue_base(2, 100, 412);
	expect_away(test, 2, 0);
	KUNIT_EXPECT_EQ(test, q->regions.away, 0UL);
}

static void what_comes_as_a_whole_is_all_there_is(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	unsigned int i;

	for (i = 0; i < 3; i++)
		balloon_region_came(q, sim_page(3, i), 0, true);
	expect_away(test, 3, 3);
	/* Of which pages that is nobody knows. */
	balloon_region_came(q, sim_page(3, 0), 0, false);
	expect_away(test, 3, 3);
	balloon_region_came(q, sim_page(3, 0), XENMEM_HUGE_ORDER, false);
	expect_away(test, 3, 0);
	balloon_region_came(q, sim_page(3, 0), XENMEM_HUGE_ORDER, true);
	balloon_region_came(q, sim_page(3, 0), XENMEM_HUGE_ORDER, true);
	expect_away(test, 3, 512);
	KUNIT_EXPECT_EQ(test, q->nodes[0].away, 512UL);
}

static void what_is_away_goes_with_the_huge_page(struct kunit *test)
{
	gfp_t gfp = GFP_KERNEL | __GFP_NORETRY | __GFP_NOMEMALLOC | __GFP_NOWARN;
	struct page *page = sim_alloc_pages(gfp, XENMEM_HUGE_ORDER);
	struct balloon_queue *q = &sim.xb->queue;

	KUNIT_ASSERT_NOT_NULL(test, page);
	balloon_region_came(q, page, XENMEM_HUGE_ORDER, true);
	KUNIT_EXPECT_EQ(test, q->regions.away, 512UL);
	balloon_take(q, page, XENMEM_HUGE_ORDER);
	mutex_lock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, sim.xb->ops->release(&page, 1, XENMEM_HUGE_ORDER), 1U);
	mutex_unlock(&sim.xb->step_lock);
	balloon_enqueue(q, page, XENMEM_HUGE_ORDER);
	KUNIT_EXPECT_EQ(test, q->regions.away, 0UL);
}

static void what_is_away_is_remembered_beside_all_else(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;

	KUNIT_ASSERT_EQ(test, balloon_region_prepare(q, sim_page(3, 0)), 0);
	balloon_region_suspect(q, sim_page(3, 0));
	balloon_region_set_stocked(q, sim_page(3, 0), true);
	balloon_region_came(q, sim_page(3, 7), 0, true);
	balloon_queue_tidy(q);
	KUNIT_EXPECT_NULL(test, find_region(3));
	expect_away(test, 3, 1);
	balloon_region_came(q, sim_page(3, 8), 0, true);
	KUNIT_ASSERT_EQ(test, balloon_region_prepare(q, sim_page(3, 0)), 0);
	expect_away(test, 3, 2);
	KUNIT_EXPECT_EQ(test, balloon_region_state(q, number_of(3)), REGION_SUSPECT);
	KUNIT_EXPECT_TRUE(test, balloon_region_is_stocked(q, sim_page(3, 0)));

	balloon_region_set_state(q, number_of(3), 0xffff);
	balloon_region_set_stocked(q, sim_page(3, 0), false);
	expect_away(test, 3, 2);
	KUNIT_EXPECT_EQ(test, q->nodes[0].away, 2UL);
}

static void what_is_away_is_counted_by_node(struct kunit *test)
{
	struct sim_config config = regions_nodes;
	struct balloon_queue *q = &sim.xb->queue;

	config.border = 255;
	sim_build(test, &config);
	balloon_region_came(q, sim_page(1, 0), XENMEM_HUGE_ORDER, true);
	balloon_region_came(q, sim_page(6, 9), 0, true);
	/* In which they meet. */
	balloon_region_came(q, sim_page(4, 0), 0, true);
	balloon_region_came(q, sim_page(4, 511), 0, true);
	KUNIT_EXPECT_EQ(test, q->nodes[0].away, 512UL);
	KUNIT_EXPECT_EQ(test, q->nodes[1].away, 1UL);
	KUNIT_EXPECT_EQ(test, q->nodes[SIM_NODES].away, 2UL);
	KUNIT_EXPECT_EQ(test, q->regions.away, 515UL);
}

static void after_a_move_all_that_has_memory_is_away_or_nothing(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;

	sim_build(test, &regions_nodes);
	sim_queue_base(1, 0, 512);
	sim_queue_base(2, 0, 100);
	sim_queue_base(3, 0, 512);
	balloon_region_set_stocked(q, sim_page(3, 0), true);
	balloon_regions_moved(q, true);
	expect_away(test, 0, 512);
	expect_away(test, 1, 0);
	expect_away(test, 2, 412);
	/* A part of what is lent may have come back. */
	expect_away(test, 3, 512);
	expect_away(test, NR_REGIONS - 1, 512);
	KUNIT_EXPECT_EQ(test, q->nodes[0].away, 512UL + 412 + 512);
	KUNIT_EXPECT_EQ(test, q->nodes[1].away, 4UL * 512);

	balloon_regions_moved(q, false);
	KUNIT_EXPECT_EQ(test, q->regions.away, 0UL);
	KUNIT_EXPECT_EQ(test, q->nodes[1].away, 0UL);
	expect_away(test, 7, 0);
}

static struct kunit_case regions_cases[] = {
	KUNIT_CASE(region_is_found_by_each_of_its_pages_and_by_no_other),
	KUNIT_CASE(prepared_region_is_empty_and_in_the_lowest_class),
	KUNIT_CASE(prepare_needs_memory_for_the_first_page_of_a_region_only),
	KUNIT_CASE(memory_for_regions_is_not_insisted_on),
	KUNIT_CASE(region_that_is_there_already_is_kept),
	KUNIT_CASE(no_region_is_made_of_nothing),
	KUNIT_CASE(trim_frees_the_regions_without_base_pages_only),
	KUNIT_CASE(trim_sees_to_one_spare_region),
	KUNIT_CASE(region_with_a_base_page_in_the_queue_is_broken),
	KUNIT_CASE(what_is_known_of_memory_that_was_added_is_remembered),
	KUNIT_CASE(regions_that_there_was_no_memory_for_are_remembered_later),
	KUNIT_CASE(base_pages_that_were_there_first_stay_known),
	KUNIT_CASE(of_a_region_no_more_is_away_than_it_has),
	KUNIT_CASE(what_comes_as_a_whole_is_all_there_is),
	KUNIT_CASE(what_is_away_goes_with_the_huge_page),
	KUNIT_CASE(what_is_away_is_remembered_beside_all_else),
	KUNIT_CASE(what_is_away_is_counted_by_node),
	KUNIT_CASE(after_a_move_all_that_has_memory_is_away_or_nothing),
	{}
};

static struct kunit_suite regions_suite = {
	.name = "regions",
	.init = regions_init,
	.exit = sim_exit_part,
	.test_cases = regions_cases,
};

kunit_test_suite(regions_suite);
