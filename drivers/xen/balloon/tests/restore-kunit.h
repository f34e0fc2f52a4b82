/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of restore.c: what a migration has put behind ballooned pages is the
 * guest's, and no page is populated twice.
 */
#include "step.h"

static bool restored(void)
{
	bool done;

	mutex_lock(&sim.xb->step_lock);
	sim.xb->kernel->follow(sim.xb);
	done = balloon_restored(sim.xb);
	sim.xb->kernel->publish(sim.xb);
	mutex_unlock(&sim.xb->step_lock);

	return done;
}

static void reach(void)
{
	mutex_lock(&sim.xb->step_lock);
	balloon_reach(sim.xb);
	mutex_unlock(&sim.xb->step_lock);
}

static struct page *nth_huge(unsigned int n)
{
	struct page *page;

	list_for_each_entry(page, &sim.xb->queue.nodes[0].huge, lru)
		if (!n--)
			return page;

	return NULL;
}

/* Three huge pages, 40 base pages in one region and 3 in another. */
static void balloon_out_some(struct kunit *test)
{
	balloon_out(test, H(3));
	sim_queue_base(20, 0, 40);
	sim_queue_base(21, 100, 3);
	sim.xb->target.wanted = FULL - H(3) - 43;
	mutex_lock(&sim.xb->step_lock);
	sim.xb->kernel->publish(sim.xb);
	mutex_unlock(&sim.xb->step_lock);
	sim.xb->resumed = true;
	sim.nr_said = 0;
}

struct refill_case {
	const char *name;
	unsigned int whole;	/* of the first huge pages are populated */
	unsigned int part;	/* pages of the last huge page */
	unsigned int base;	/* of those in region 20 */
	long extra;		/* and Xen counts so many more */
	unsigned long huge;
	unsigned long left;	/* base pages */
};

static const struct refill_case refill_cases[] = {
	{ "nothing", 0, 0, 0, 0, 3, 43 },
	{ "nothing, but Xen counts more", 0, 0, 0, 9, 3, 43 },
	{ "nothing, and Xen counts less", 0, 0, 0, -9, 3, 43 },
	{ "a base page", 0, 0, 1, 0, 3, 42 },
	{ "base pages", 0, 0, 40, 0, 3, 3 },
	{ "a huge page", 1, 0, 0, 0, 2, 43 },
	{ "two huge pages", 2, 0, 0, 0, 1, 43 },
	{ "a page of a huge page", 0, 1, 0, 0, 2, 43 + 511 },
	{ "most of a huge page", 0, 511, 0, 0, 2, 43 + 1 },
	{ "of all something, and more", 1, 100, 7, 5, 1, 36 + 412 },
};

STEP_PARAMS(refill);

static void what_has_memory_after_a_migration_is_the_guests(struct kunit *test)
{
	const struct refill_case *c = test->param_value;
	unsigned long found = H(c->whole) + c->part + c->base;
	unsigned int i;

	balloon_out_some(test);
	for (i = 0; i < H(c->whole); i++)
		sim_refill(nth_huge(i / 512) + i % 512);
	for (i = 0; i < c->part; i++)
		sim_refill(nth_huge(2) + i);
	for (i = 0; i < c->base; i++)
		sim_refill(sim_page(20, i));
	sim.tot_pages += c->extra;
	sim.config.extra += c->extra;

	KUNIT_EXPECT_TRUE(test, restored());
	KUNIT_EXPECT_FALSE(test, sim.xb->resumed);
	expect_figures(test, FULL - H(3) - 43 + found, c->huge, c->left, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->offset, EXTRA + c->extra);
	KUNIT_EXPECT_EQ(test, sim.nr_said, !!found + !!c->extra);
	sim_check("restored");

	/* The guest is as large as it shall be again. */
	sim.xb->foreign.trim_at = U64_MAX;
	sim_settle(100);
	expect_figures(test, FULL - H(3) - 43, balloon_figures(&sim.xb->queue).huge,
		       H(3) + 43 - H(balloon_figures(&sim.xb->queue).huge), 0);
	sim_target(FULL);
	sim_settle(100);
	expect_figures(test, FULL, 0, 0, 0);
}

static void it_is_not_searched_for_when_xen_counts_no_more(struct kunit *test)
{
	balloon_out_some(test);
	sim_refill(sim_page(20, 0));
	sim.tot_pages--;
	KUNIT_EXPECT_TRUE(test, restored());
	expect_figures(test, FULL - H(3) - 43, 3, 43, 0);
	sim.tot_pages++;
	sim.provoked = true;
}

static void it_is_searched_for_when_it_is_not_known_what_xen_counts(struct kunit *test)
{
	balloon_out_some(test);
	sim_refill(sim_page(20, 0));
	sim.xb->offset_known = false;
	KUNIT_EXPECT_TRUE(test, restored());
	expect_figures(test, FULL - H(3) - 42, 3, 42, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->offset, EXTRA);
}

static void what_is_kept_to_be_lent_is_looked_at(struct kunit *test)
{
	balloon_out_some(test);
	KUNIT_ASSERT_EQ(test, sim_intree_take(20), 20U);
	sim_refill(list_first_entry(&sim.listed, struct page, lru));
	KUNIT_EXPECT_TRUE(test, restored());
	expect_figures(test, FULL - H(3) - 43 - 19, 3, 43, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->spare(), 19UL);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->lent(sim.xb), 0UL);
}

static void it_is_done_again_when_a_huge_page_could_not_be_broken_up(struct kunit *test)
{
	balloon_out_some(test);
	sim_refill(nth_huge(1));
	sim_fail(SIM_KZALLOC, 1, 1, 0);
	KUNIT_EXPECT_FALSE(test, restored());
	KUNIT_EXPECT_TRUE(test, sim.xb->resumed);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).huge, 3UL);
	KUNIT_EXPECT_TRUE(test, restored());
	expect_figures(test, FULL - H(3) - 42, 2, 43 + 511, 0);
}

static void it_is_done_again_after_what_compaction_has_came_back(struct kunit *test)
{
	balloon_out_some(test);
	sim_refill(sim_page(20, 3));
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(sim_page(20, 3)));
	KUNIT_EXPECT_FALSE(test, restored());
	KUNIT_EXPECT_TRUE(test, sim.xb->resumed);
	/* Nobody moves memory to where there is some. */
	sim_move_isolated(NULL);
	KUNIT_EXPECT_EQ(test, sim.leaked, 0UL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_MOVE], 0UL);
	KUNIT_EXPECT_TRUE(test, restored());
	expect_figures(test, FULL - H(3) - 42, 3, 42, 0);
}

static void a_suspend_does_not_wait_for_it(struct kunit *test)
{
	balloon_out_some(test);
	sim_refill(nth_huge(0));
	sim.freezing = true;
	KUNIT_EXPECT_FALSE(test, restored());
	expect_figures(test, FULL - H(3) - 43, 3, 43, 0);
	sim.freezing = false;
	KUNIT_EXPECT_TRUE(test, restored());
	expect_figures(test, FULL - H(3) - 42, 2, 43 + 511, 0);
}

static void it_is_not_done_while_xen_does_not_tell_its_count(struct kunit *test)
{
	balloon_out_some(test);
	sim_fail(SIM_CURRENT, 1, 100, 0);
	KUNIT_EXPECT_FALSE(test, restored());
	KUNIT_EXPECT_TRUE(test, sim.xb->resumed);
	sim_mend();
	KUNIT_EXPECT_TRUE(test, restored());
}

static void it_is_searched_for_when_xen_does_not_tell_its_count(struct kunit *test)
{
	balloon_out_some(test);
	sim_refill(nth_huge(0));
	sim_fail(SIM_CURRENT, 2, 1, 0);
	KUNIT_EXPECT_TRUE(test, restored());
	expect_figures(test, FULL - H(3) - 42, 2, 43 + 511, 0);
}

static void the_worker_populates_nothing_before_it_is_done(struct kunit *test)
{
	balloon_out_some(test);
	sim_refill(nth_huge(1));
	sim_fail(SIM_KZALLOC, 1, 1, 0);
	sim_target(FULL);
	sim.unchecked = true;
	sim_turn();
	sim.unchecked = false;
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_POPULATE], 0UL);
	KUNIT_EXPECT_TRUE(test, sim.xb->resumed);
	sim_settle(100);
	expect_figures(test, FULL, 0, 0, 0);
}

/* Else the simulated Xen minds. */
static void the_guests_end_is_sent_after_a_restore_with_a_hole_there(struct kunit *test)
{
	sim_queue_base(REGIONS - 1, 100, 412);
	sim.xb->target.wanted = FULL - 412;
	sim_forget_reached();
	sim.xb->resumed = true;
	KUNIT_EXPECT_TRUE(test, restored());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_REACH], 1UL);

	sim_begin_migration();
	sim_target(FULL - 1);
	sim_settle(100);
	expect_figures(test, FULL - 1, 0, 1, 0);
	sim.logs_writes = false;
}

static void the_guests_end_is_left_alone_where_it_has_memory_or_moves(struct kunit *test)
{
	struct page *page = sim_page(REGIONS - 1, 511);

	reach();
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_REACH], 0UL);

	sim_queue_base(REGIONS - 1, 100, 412);
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(page));
	lock_page(page);
	reach();
	unlock_page(page);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_REACH], 0UL);
	sim_put_back_isolated();
	sim_refill(page);
	reach();
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_REACH], 0UL);
	sim.xb->resumed = true;
	sim.xb->target.wanted = FULL - 411;
	KUNIT_EXPECT_TRUE(test, restored());
}

static const struct sim_config restore_nodes = {
	.regions = REGIONS, .host_pieces = 16, .extra = EXTRA, .slack = 256, .nodes = 2,
};

static void of_what_came_with_memory_nobody_knows_the_node(struct kunit *test)
{
	struct page *huge, *page;

	sim_build(test, &restore_nodes);
	balloon_out(test, H(4));
	sim_queue_base(20, 0, 40);
	sim.xb->target.wanted = FULL - H(4) - 40;
	page = list_first_entry(&sim.xb->queue.nodes[0].huge, struct page, lru);
	huge = list_first_entry(&sim.xb->queue.nodes[1].huge, struct page, lru);
	sim_refill(page + 3);
	sim_refill(page + 5);
	sim_refill(sim_page(20, 7));
	sim_scatter_nodes();
	sim.xb->resumed = true;

	KUNIT_EXPECT_TRUE(test, restored());
	KUNIT_EXPECT_EQ(test, balloon_region_away(&sim.xb->queue, region_index(page)), 2U);
	KUNIT_EXPECT_EQ(test, balloon_region_away(&sim.xb->queue, region_index(huge)), 0U);
	/* With it what was there before. */
	KUNIT_EXPECT_EQ(test, balloon_region_away(&sim.xb->queue, region_index(sim_page(20, 0))),
			512U - 39);
}

static struct kunit_case restore_cases[] = {
	KUNIT_CASE_PARAM(what_has_memory_after_a_migration_is_the_guests, refill_gen_params),
	KUNIT_CASE(it_is_not_searched_for_when_xen_counts_no_more),
	KUNIT_CASE(it_is_searched_for_when_it_is_not_known_what_xen_counts),
	KUNIT_CASE(what_is_kept_to_be_lent_is_looked_at),
	KUNIT_CASE(it_is_done_again_when_a_huge_page_could_not_be_broken_up),
	KUNIT_CASE(it_is_done_again_after_what_compaction_has_came_back),
	KUNIT_CASE(a_suspend_does_not_wait_for_it),
	KUNIT_CASE(it_is_not_done_while_xen_does_not_tell_its_count),
	KUNIT_CASE(it_is_searched_for_when_xen_does_not_tell_its_count),
	KUNIT_CASE(the_worker_populates_nothing_before_it_is_done),
	KUNIT_CASE(the_guests_end_is_sent_after_a_restore_with_a_hole_there),
	KUNIT_CASE(the_guests_end_is_left_alone_where_it_has_memory_or_moves),
	KUNIT_CASE(of_what_came_with_memory_nobody_knows_the_node),
	{}
};

static struct kunit_suite restore_suite = {
	.name = "restore",
	.init = step_init,
	.exit = sim_exit,
	.test_cases = restore_cases,
};

kunit_test_suite(restore_suite);
