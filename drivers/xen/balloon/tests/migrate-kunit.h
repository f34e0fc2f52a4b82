/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of migrate.c, and of what it does with the base queue: the
 * simulated compaction isolates pages and moves them.
 */
#include "assert.h"

static const struct sim_config migrate_worlds[] = {
	{ .regions = 8, .host_pieces = 1, .slack = 5 },
	{ .regions = 8, .host_pieces = 1, .slack = 5, .pv = true },
	{ .regions = 8, .pv = true },	/* and Xen has no frame to exchange */
};

static void name_world(const struct sim_config *world, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%s, %u MiB on the host",
		 world->pv ? "PV" : "auto-translated", 2 * world->host_pieces);
}

KUNIT_ARRAY_PARAM(world, migrate_worlds, name_world);

static int migrate_init(struct kunit *test)
{
	sim_build(test, &migrate_worlds[0]);
	return 0;
}

/* A base page in the queue, ballooned out while nothing was in the way. */
static struct page *base_page(unsigned int region, unsigned int index)
{
	sim_queue_base(region, index, 1);
	return sim_page(region, index);
}

static void expect_pages(struct kunit *test, unsigned long huge, unsigned long base)
{
	struct balloon_figures n = balloon_figures(&sim.xb->queue);

	KUNIT_EXPECT_EQ(test, n.huge, huge);
	KUNIT_EXPECT_EQ(test, n.base, base);
	KUNIT_EXPECT_EQ(test, n.transit, 0UL);
}

static bool in_base_queue(struct page *page)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct balloon_region *region;
	bool queued;

	spin_lock(&q->lock);
	region = balloon_region_of(q, page);
	queued = region && test_bit(page_to_pfn(page) - region->start_pfn, region->base);
	spin_unlock(&q->lock);

	return queued;
}

static bool is_populated(unsigned int region, unsigned int index)
{
	return sim.region[region].frame[index] < SIM_FOREIGN;
}

static void check(const char *when)
{
	/* What it compares with the driver's figures. */
	mutex_lock(&sim.xb->step_lock);
	sim.xb->kernel->publish(sim.xb);
	mutex_unlock(&sim.xb->step_lock);
	sim_check(when);
}

static void a_base_page_and_another_change_places(struct kunit *test)
{
	struct page *page;

	sim_build(test, test->param_value);
	page = base_page(3, 7);
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(page));
	KUNIT_ASSERT_EQ(test, sim_move_isolated(NULL), 1U);

	expect_pages(test, 0, 1);
	KUNIT_EXPECT_FALSE(test, in_base_queue(page));
	KUNIT_EXPECT_TRUE(test, is_populated(3, 7));
	KUNIT_EXPECT_EQ(test, (int)sim.region[3].owner[7], (int)SIM_FREE);
	KUNIT_EXPECT_FALSE(test, PageOffline(page));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_MIGRATED), 1UL);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.movable.isolated_pages, 0UL);
}

static void what_was_moved_moves_again_and_comes_out(struct kunit *test)
{
	struct page *page;
	unsigned int i;

	sim_build(test, test->param_value);
	base_page(3, 7);
	for (i = 0; i < 20; i++) {
		while (!sim_isolate(1))
			;
		KUNIT_ASSERT_EQ(test, sim_move_isolated(NULL), 1U);
		check("after a move");
		}

	KUNIT_ASSERT_EQ(test, balloon_dequeue_base(&sim.xb->queue, &page, 1, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_TRUE(test, PageOffline(page));
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	KUNIT_EXPECT_NULL(test, page->mapping);
	KUNIT_EXPECT_EQ(test, page_private(page), 0UL);
	balloon_enqueue(&sim.xb->queue, page, 0);
}

static void pages_stay_as_they_are_when_xen_refuses(struct kunit *test)
{
	struct page *page = base_page(3, 7);

	sim_fail(SIM_MOVE, 1, 1, 0);
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(page));
	KUNIT_EXPECT_EQ(test, sim_move_isolated(NULL), 0U);

	expect_pages(test, 0, 1);
	KUNIT_EXPECT_TRUE(test, in_base_queue(page));
	KUNIT_EXPECT_TRUE(test, PageOffline(page));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_MIGRATED), 0UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_MIGRATE_REFUSED), 1UL);
	KUNIT_EXPECT_TRUE(test, sim_isolate_page(page));
	KUNIT_EXPECT_EQ(test, sim_move_isolated(NULL), 1U);
}

static void a_bad_page_is_not_moved(struct kunit *test)
{
	struct page *page = base_page(3, 5);

	sim.bad = page;
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(page));
	KUNIT_EXPECT_EQ(test, sim_move_isolated(NULL), 0U);
	sim_put_back_isolated();
	expect_pages(test, 0, 1);
	KUNIT_EXPECT_TRUE(test, in_base_queue(page));
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_MOVE], 0UL);
}

static void pages_stay_as_they_are_when_one_cannot_be_kept_account_of(struct kunit *test)
{
	struct page *page = base_page(3, 7);
	unsigned int i;

	/* So that only another region has room. */
	for (i = 0; i < SIM_REGION_PAGES; i++)
		sim_use(3, i, SIM_PROGRAM);
	sim_fail(SIM_KZALLOC, 1, 1, 0);
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(page));
	KUNIT_EXPECT_EQ(test, sim_move_isolated(NULL), 0U);

	KUNIT_EXPECT_TRUE(test, in_base_queue(page));
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_MOVE], 0UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_MIGRATE_NO_MEMORY), 1UL);
}

static void memory_that_gets_lost_on_the_way_comes_back(struct kunit *test)
{
	const struct sim_config world = { .regions = 32, .host_pieces = 1, .slack = 5 };
	unsigned long full = 32 * SIM_REGION_PAGES;
	struct page *page;

	sim_build(test, &world);
	sim_target(full - 1);
	sim_settle(10);
	KUNIT_ASSERT_EQ(test, balloon_dequeue_base(&sim.xb->queue, &page, 1, NUMA_NO_NODE), 1U);
	balloon_enqueue(&sim.xb->queue, page, 0);

	sim_fail(SIM_MOVE, 1, 1, 1);
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(page));
	KUNIT_EXPECT_EQ(test, sim_move_isolated(NULL), 1U);
	expect_pages(test, 0, 2);
	KUNIT_EXPECT_TRUE(test, in_base_queue(page));
	KUNIT_EXPECT_TRUE(test, PageOffline(page));
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	KUNIT_EXPECT_FALSE(test, sim_isolate_page(page));
	KUNIT_EXPECT_TRUE(test, sim.xb->kicked);
	check("after the loss");

	sim_settle(10);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, full - 1);
	expect_pages(test, 0, 1);
}

static void a_page_that_is_being_moved_is_not_taken_out(struct kunit *test)
{
	struct page *first = base_page(3, 7), *second = base_page(5, 8), *got[2];

	KUNIT_ASSERT_TRUE(test, sim_isolate_page(first));
	KUNIT_ASSERT_EQ(test, balloon_dequeue_base(&sim.xb->queue, got, 2, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_PTR_EQ(test, got[0], second);
	balloon_enqueue(&sim.xb->queue, second, 0);

	sim_put_back_isolated();
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(&sim.xb->queue, got, 2, NUMA_NO_NODE), 2U);
	balloon_enqueue(&sim.xb->queue, first, 0);
	balloon_enqueue(&sim.xb->queue, second, 0);
}

static void a_page_that_somebody_has_locked_is_not_taken_out(struct kunit *test)
{
	struct page *page = base_page(3, 7), *got;

	lock_page(page);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(&sim.xb->queue, &got, 1, NUMA_NO_NODE), 0U);
	unlock_page(page);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(&sim.xb->queue, &got, 1, NUMA_NO_NODE), 1U);

	/* Queued while it is locked, it stays where it is. */
	lock_page(page);
	balloon_enqueue(&sim.xb->queue, page, 0);
	unlock_page(page);
	KUNIT_EXPECT_FALSE(test, sim_isolate_page(page));
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(&sim.xb->queue, &got, 1, NUMA_NO_NODE), 1U);
	balloon_enqueue(&sim.xb->queue, page, 0);
}

static void a_whole_region_becomes_a_huge_page_once_nobody_moves_it(struct kunit *test)
{
	sim_queue_base(3, 0, SIM_REGION_PAGES - 1);
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(sim_page(3, 300)));
	sim_queue_base(3, SIM_REGION_PAGES - 1, 1);
	expect_pages(test, 0, SIM_REGION_PAGES);

	balloon_queue_tidy(&sim.xb->queue);
	expect_pages(test, 0, SIM_REGION_PAGES);
	/* All but that one can still be moved. */
	KUNIT_EXPECT_TRUE(test, sim_isolate_page(sim_page(3, 0)));
	KUNIT_EXPECT_TRUE(test, sim_isolate_page(sim_page(3, 301)));

	sim_put_back_isolated();
	balloon_queue_tidy(&sim.xb->queue);
	expect_pages(test, 1, 0);
	KUNIT_EXPECT_FALSE(test, sim_isolate_page(sim_page(3, 0)));
}

static void pages_of_a_huge_page_stay_movable_when_somebody_holds_one(struct kunit *test)
{
	sim_queue_base(3, 0, SIM_REGION_PAGES - 1);
	get_page(sim_page(3, 5));
	sim_queue_base(3, SIM_REGION_PAGES - 1, 1);
	expect_pages(test, 0, SIM_REGION_PAGES);
	put_page(sim_page(3, 5));

	KUNIT_EXPECT_TRUE(test, sim_isolate_page(sim_page(3, 0)));
	KUNIT_EXPECT_TRUE(test, sim_isolate_page(sim_page(3, 5)));
	KUNIT_EXPECT_TRUE(test, sim_isolate_page(sim_page(3, 511)));
	sim_put_back_isolated();
}

static void a_region_that_a_page_may_come_to_stays(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct page *newpage = sim_page(6, 1);

	KUNIT_ASSERT_EQ(test, balloon_move_begin(q, newpage), 0);
	KUNIT_ASSERT_EQ(test, balloon_move_begin(q, newpage), 0);
	balloon_move_cancel(q, newpage);
	balloon_queue_tidy(q);
	balloon_move_cancel(q, newpage);
	KUNIT_EXPECT_FALSE(test, sim_no_account(q));
	balloon_queue_tidy(q);
	KUNIT_EXPECT_TRUE(test, sim_no_account(q));
}

/* Each move that Xen does not make leaves a region without a base page. */
static void moves_that_fail_again_and_again_hold_nobody_up(struct kunit *test)
{
	unsigned int region;

	for (region = 0; region < 6; region++)
		sim_queue_base(region, 0, SIM_REGION_PAGES - 1);
	sim.compacts = 4;
	sim_fail(SIM_MOVE, 1, 1000, 0);

	balloon_queue_tidy(&sim.xb->queue);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_MOVE], 4UL);
	KUNIT_EXPECT_FALSE(test, list_empty(&sim.xb->queue.nodes[0].by_fill[0]));
	balloon_queue_tidy(&sim.xb->queue);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_MOVE], 8UL);

	sim.compacts = 0;
	balloon_queue_tidy(&sim.xb->queue);
	KUNIT_EXPECT_TRUE(test, list_empty(&sim.xb->queue.nodes[0].by_fill[0]));
}

static void unloading_waits_for_what_is_being_moved(struct kunit *test)
{
	sim_queue_base(3, 0, 40);
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(sim_page(3, 5)));
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(sim_page(3, 39)));

	sim_give_all_back();

	expect_pages(test, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.moved, 2UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.balloon_low, 40UL);
}

/* There each move would have QEMU wait for its disks. */
static void base_pages_stay_where_they_are_with_a_device_model(struct kunit *test)
{
	const struct sim_config config = { .regions = 8, .host_pieces = 1, .device_model = true };
	struct page *page;

	sim_build(test, &config);
	page = base_page(3, 7);
	KUNIT_EXPECT_FALSE(test, sim_isolate_page(page));
	KUNIT_EXPECT_TRUE(test, PageOffline(page));
	check("with a base page");

	KUNIT_ASSERT_EQ(test, balloon_dequeue_base(&sim.xb->queue, &page, 1, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_PTR_EQ(test, page, sim_page(3, 7));
	balloon_enqueue(&sim.xb->queue, page, 0);
	sim_queue_base(3, 0, 7);
	sim_queue_base(3, 8, SIM_REGION_PAGES - 8);
	expect_pages(test, 1, 0);
}

/* Between nodes */

static const struct sim_config migrate_nodes = {
	.regions = 8, .host_pieces = 8, .slack = 5, .nodes = 2,
};

/* Programs have all that is free of some regions. */
static void fill_regions(unsigned int first, unsigned int last)
{
	unsigned int i;

	for (; first <= last; first++)
		for (i = 0; i < SIM_REGION_PAGES; i++)
			sim_use(first, i, SIM_PROGRAM);
}

static void move_away(struct kunit *test, struct page *page)
{
	unsigned int tries = 100;
	bool moved = false;

	while (!moved && tries--) {
		KUNIT_ASSERT_TRUE(test, sim_isolate_page(page));
		moved = sim_move_isolated(NULL);
	}
	KUNIT_ASSERT_TRUE(test, moved);
}

static void expect_away(struct kunit *test, unsigned long first, unsigned long second)
{
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[0].away, first);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[1].away, second);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, first + second);
}

static void memory_that_moves_to_another_node_is_away_there(struct kunit *test)
{
	sim_build(test, &migrate_nodes);
	base_page(6, 0);
	base_page(6, 1);
	fill_regions(4, 7);
	move_away(test, sim_page(6, 0));
	expect_away(test, 0, 1);
	KUNIT_EXPECT_EQ(test, sim_away(&sim.region[6], 1), 1U);
	fill_regions(6, 6);
	move_away(test, sim_page(6, 1));
	expect_away(test, 0, 2);
	check("after two moves");
}

static void memory_that_moves_on_its_node_is_not(struct kunit *test)
{
	sim_build(test, &migrate_nodes);
	base_page(6, 0);
	fill_regions(0, 3);
	move_away(test, sim_page(6, 0));
	expect_away(test, 0, 0);
	KUNIT_EXPECT_EQ(test, sim_away(&sim.region[6], 1), 0U);
}

/* Of which the region had none before. */
static void the_first_memory_of_a_region_may_be_away(struct kunit *test)
{
	sim_build(test, &migrate_nodes);
	fill_regions(4, 5);
	fill_regions(7, 7);
	sim_queue_base(6, 0, SIM_REGION_PAGES - 1);
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(sim_page(6, 300)));
	sim_queue_base(6, SIM_REGION_PAGES - 1, 1);
	expect_pages(test, 0, SIM_REGION_PAGES);
	KUNIT_ASSERT_EQ(test, sim_move_isolated(NULL), 1U);
	KUNIT_EXPECT_EQ(test, sim_away(&sim.region[6], 1), 1U);
	expect_away(test, 0, 1);
}

/* A huge page of the second node that has memory of the first. Returns its region. */
static unsigned int region_that_is_away(struct kunit *test)
{
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC;
	struct page *page = sim_alloc_pages_node(1, gfp | __GFP_THISNODE, XENMEM_HUGE_ORDER);
	unsigned long away = 0;

	KUNIT_ASSERT_NOT_NULL(test, page);
	balloon_take(&sim.xb->queue, page, XENMEM_HUGE_ORDER);
	mutex_lock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, sim.xb->ops->release(&page, 1, XENMEM_HUGE_ORDER), 1U);
	sim_rivals_take_node(1, sim.nr_pieces);
	KUNIT_EXPECT_EQ(test, sim.xb->ops->populate(&page, 1, XENMEM_HUGE_ORDER, &away), 1U);
	mutex_unlock(&sim.xb->step_lock);
	KUNIT_ASSERT_EQ(test, away, 1UL);
	balloon_region_came(&sim.xb->queue, page, XENMEM_HUGE_ORDER, true);
	balloon_give(&sim.xb->queue, page, XENMEM_HUGE_ORDER);

	return (page_to_pfn(page) - sim.first_pfn) / SIM_REGION_PAGES;
}

static void memory_that_is_away_is_so_wherever_it_moves(struct kunit *test)
{
	unsigned int from, to;

	sim_build(test, &migrate_nodes);
	from = region_that_is_away(test);
	to = from == 7 ? 6 : 7;
	base_page(to, 0);
	if (from)
		fill_regions(0, from - 1);
	fill_regions(from + 1, 7);
	move_away(test, sim_page(to, 0));
	KUNIT_EXPECT_EQ(test, sim_away(&sim.region[to], 1), 1U);
	KUNIT_EXPECT_EQ(test, balloon_region_away(&sim.xb->queue, region_index(sim_page(to, 0))),
			1U);
}

static void where_xen_knows_of_no_nodes_nothing_is_away(struct kunit *test)
{
	struct sim_config config = migrate_nodes;

	config.fake = true;
	sim_build(test, &config);
	base_page(6, 0);
	fill_regions(4, 7);
	move_away(test, sim_page(6, 0));
	expect_away(test, 0, 0);
}

static const struct vnode_case {
	const char *name;
	unsigned int nodes;		/* that the kernel has */
	unsigned int first;		/* of 8 regions, so many are of the first of Xen's two */
	unsigned int from, to;		/* regions */
	unsigned int away;
} vnode_cases[] = {
	{ "two of Xen's are one of the kernel's", 2, 6, 5, 6, 1 },
	{ "one of Xen's is two of the kernel's", 2, 6, 1, 5, 0 },
	{ "the kernel has but one", 1, 4, 1, 6, 1 },
	{ "the kernel has but one, and it is one of Xen's", 1, 4, 5, 6, 0 },
};

static void name_vnode(const struct vnode_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vnode, vnode_cases, name_vnode);

static void it_is_xens_nodes_that_memory_is_away_from(struct kunit *test)
{
	const struct vnode_case *c = test->param_value;
	unsigned int region;

	sim_build(test, &(struct sim_config){
		.regions = 8, .host_pieces = 8, .slack = 5, .nodes = c->nodes,
		.first = c->first });
	base_page(c->to, 0);
	for (region = 0; region < 8; region++)
		if (region != c->from)
			fill_regions(region, region);
	move_away(test, sim_page(c->to, 0));
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, (unsigned long)c->away);
	KUNIT_EXPECT_EQ(test, balloon_region_away(&sim.xb->queue,
						  region_index(sim_page(c->to, 0))), c->away);
	KUNIT_EXPECT_EQ(test, sim_away(&sim.region[c->to], c->to >= c->first), c->away);
	check("after a move");
}

static struct kunit_case migrate_cases[] = {
	KUNIT_CASE_PARAM(a_base_page_and_another_change_places, world_gen_params),
	KUNIT_CASE_PARAM(what_was_moved_moves_again_and_comes_out, world_gen_params),
	KUNIT_CASE(pages_stay_as_they_are_when_xen_refuses),
	KUNIT_CASE(a_bad_page_is_not_moved),
	KUNIT_CASE(pages_stay_as_they_are_when_one_cannot_be_kept_account_of),
	KUNIT_CASE(memory_that_gets_lost_on_the_way_comes_back),
	KUNIT_CASE(a_page_that_is_being_moved_is_not_taken_out),
	KUNIT_CASE(a_page_that_somebody_has_locked_is_not_taken_out),
	KUNIT_CASE(a_whole_region_becomes_a_huge_page_once_nobody_moves_it),
	KUNIT_CASE(pages_of_a_huge_page_stay_movable_when_somebody_holds_one),
	KUNIT_CASE(a_region_that_a_page_may_come_to_stays),
	KUNIT_CASE(moves_that_fail_again_and_again_hold_nobody_up),
	KUNIT_CASE(unloading_waits_for_what_is_being_moved),
	KUNIT_CASE(base_pages_stay_where_they_are_with_a_device_model),
	KUNIT_CASE(memory_that_moves_to_another_node_is_away_there),
	KUNIT_CASE(memory_that_moves_on_its_node_is_not),
	KUNIT_CASE(the_first_memory_of_a_region_may_be_away),
	KUNIT_CASE(memory_that_is_away_is_so_wherever_it_moves),
	KUNIT_CASE(where_xen_knows_of_no_nodes_nothing_is_away),
	KUNIT_CASE_PARAM(it_is_xens_nodes_that_memory_is_away_from, vnode_gen_params),
	{}
};

static struct kunit_suite migrate_suite = {
	.name = "migrate",
	.init = migrate_init,
	.exit = sim_exit_part,
	.test_cases = migrate_cases,
};

kunit_test_suite(migrate_suite);
