/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of hotplug.c: a guest of 64 MiB that may grow to twice that, in blocks of
 * 8 MiB.
 */
#include "step.h"

#define BLOCK		((unsigned long)SIM_BLOCK_REGIONS * SIM_REGION_PAGES)
/* What the struct pages of a block take. */
#define COST		32UL

static const struct sim_config hotplug_world = {
	.regions = REGIONS,
	.host_pieces = REGIONS + 8,
	.extra = EXTRA,
	.slack = FULL,
};

static int hotplug_init(struct kunit *test)
{
	sim_build(test, &hotplug_world);

	return 0;
}

/* So much is the most that Xen lets the guest have. */
static void limit_to(unsigned long pages)
{
	sim.max_pages = pages + EXTRA;
}

static unsigned long added(void)
{
	return balloon_counted(sim.xb, COUNT_HOTPLUGGED);
}

static void expect_size(struct kunit *test, unsigned long pages)
{
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, pages);
	KUNIT_EXPECT_EQ(test, sim_populated(), pages);
}

/* Until the worker waits, and is not woken. */
static void settle(void)
{
	unsigned int i;

	for (i = 0; i < 20 && (!i || READ_ONCE(sim.xb->kicked)); i++)
		sim_settle(100);
}

struct grow_case {
	const char *name;
	unsigned long target;
	unsigned long limit;
	unsigned long size;	/* that it gets to */
	unsigned long blocks;	/* that are added for it */
};

static const struct grow_case grow_cases[] = {
	{ "what it was booted with", FULL, 2 * FULL, FULL, 0 },
	{ "a page more", FULL + 1, 2 * FULL, FULL + 1, 1 },
	{ "a block more", FULL + BLOCK, 2 * FULL, FULL + BLOCK, 1 },
	{ "a page more than a block more", FULL + BLOCK + 1, 2 * FULL, FULL + BLOCK + 1, 2 },
	{ "twice as much", 2 * FULL, 2 * FULL, 2 * FULL, 8 },
	{ "more than it may, at its limit", 2 * FULL, FULL, FULL, 0 },
	{ "more than it may, for less than a block takes", 2 * FULL, FULL + COST, FULL, 0 },
	{ "more than it may, for a page", 2 * FULL, FULL + COST + 1, FULL + COST + 1, 1 },
	{ "more than it may, but for a page", FULL + BLOCK + 1, FULL + BLOCK, FULL + BLOCK, 1 },
	{ "a page more, which is all it may", FULL + 1, FULL + 1, FULL + 1, 1 },
};

STEP_PARAMS(grow);

static void guest_grows_to_its_target_by_as_many_blocks_as_that_takes(struct kunit *test)
{
	const struct grow_case *c = test->param_value;

	KUNIT_ASSERT_EQ(test, block_cost(), COST);
	limit_to(c->limit);
	sim_target(c->target);
	settle();
	expect_size(test, c->size);
	KUNIT_EXPECT_EQ(test, added(), c->blocks * BLOCK);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ADD], c->blocks);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.total_pages, FULL + c->blocks * BLOCK);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL + c->blocks * BLOCK);

	/* And it stays so. */
	sim.now += 100 * NSEC_PER_SEC;
	settle();
	expect_size(test, c->size);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ADD], c->blocks);
}

static void what_was_ballooned_out_is_back_before_a_block_is_added(struct kunit *test)
{
	balloon_out(test, 5 * BLOCK / 4);
	sim_target(FULL + BLOCK / 2);
	while (!sim.calls[SIM_ADD])
		sim_turn();
	expect_size(test, FULL);
	settle();
	expect_size(test, FULL + BLOCK / 2);
	expect_figures(test, FULL + BLOCK / 2, SIM_BLOCK_REGIONS / 2, 0, 0);
}

static void what_was_added_is_ballooned_out_as_any_other(struct kunit *test)
{
	sim_target(FULL + BLOCK);
	settle();
	sim_target(FULL - BLOCK + 77);
	settle();
	expect_size(test, FULL - BLOCK + 77);
	sim_target(FULL + BLOCK - 5);
	settle();
	expect_size(test, FULL + BLOCK - 5);
	KUNIT_EXPECT_EQ(test, added(), BLOCK);
}

static void what_was_added_is_in_superpages(struct kunit *test)
{
	unsigned int before = sim_superpages();

	sim_target(FULL + BLOCK);
	settle();
	KUNIT_EXPECT_EQ(test, sim_superpages(), before + SIM_BLOCK_REGIONS);
}

static void what_was_added_is_healed_as_any_other(struct kunit *test)
{
	unsigned int i;

	sim_target(FULL + BLOCK);
	settle();
	sim_queue_base(REGIONS + 1, 0, 70);
	settle();
	KUNIT_EXPECT_FALSE(test, sim.region[REGIONS + 1].superpage);
	for (i = 0; i < 20; i++) {
		sim.now += 5 * NSEC_PER_SEC;
		settle();
	}
	KUNIT_EXPECT_TRUE(test, sim.region[REGIONS + 1].superpage);
	expect_size(test, FULL + BLOCK);
}

static void what_was_added_is_moved_by_compaction_as_any_other(struct kunit *test)
{
	unsigned int i;

	sim_target(FULL + BLOCK);
	settle();
	sim_queue_base(REGIONS + 1, 0, 70);
	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_TRUE(test, sim_isolate_page(sim_page(REGIONS + 1, i)));
	KUNIT_EXPECT_EQ(test, sim_move_isolated(NULL), 16U);
	settle();
	sim_check("compacted");
	expect_size(test, FULL + BLOCK);
}

static void nobody_hibernates_while_a_block_is_added(struct kunit *test)
{
	WRITE_ONCE(sim.xb->hotplug.adding, true);
	KUNIT_EXPECT_FALSE(test, sim_tell_sleep(PM_HIBERNATION_PREPARE));
	KUNIT_EXPECT_TRUE(test, said("memory that is just being added"));
	WRITE_ONCE(sim.xb->hotplug.adding, false);
	KUNIT_EXPECT_TRUE(test, sim_tell_sleep(PM_HIBERNATION_PREPARE));
}

static void a_target_that_lent_pages_are_missing_for_takes_no_block(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, sim_borrow(100), 100U);
	sim_target(FULL);
	settle();
	expect_size(test, FULL - 100);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ADD], 0UL);
	KUNIT_EXPECT_TRUE(test, said("is out of range"));

	sim_target(FULL + 1);
	settle();
	expect_size(test, FULL + 1);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ADD], 1UL);
	sim_return(100);
	settle();
}

static void nothing_is_said_of_a_target_that_is_reached(struct kunit *test)
{
	sim_target(FULL + 2 * BLOCK);
	settle();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);
}

static void a_limit_of_xens_is_told_of_once_with_each_target(struct kunit *test)
{
	limit_to(FULL + 10);
	sim_target(FULL + BLOCK);
	settle();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 2U);
	KUNIT_EXPECT_TRUE(test, said("xl mem-max"));
	settle();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 2U);
	sim_target(FULL + BLOCK + 1);
	settle();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 4U);

	/* The toolstack raises it. */
	limit_to(FULL + BLOCK + 1);
	settle();
	expect_size(test, FULL + BLOCK + 1);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 4U);
}

static void a_limit_of_xens_is_told_of_again_when_it_matters_again(struct kunit *test)
{
	limit_to(FULL + 10);
	sim_target(FULL + BLOCK);
	settle();
	sim_target(FULL);
	settle();
	KUNIT_ASSERT_EQ(test, sim.nr_said, 2U);
	sim_target(FULL + BLOCK);
	settle();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 3U);
}

static void the_log_is_not_flooded_by_targets_beyond_xens_limit(struct kunit *test)
{
	unsigned int i;

	limit_to(FULL + 10);
	for (i = 0; i < 100; i++) {
		sim_target(FULL + BLOCK + i);
		settle();
	}
	KUNIT_EXPECT_EQ(test, sim.nr_said, 2U * SAY_BURST);
}

static void a_kernel_that_would_take_new_memory_for_populated_gets_none(struct kunit *test)
{
	struct sim_config config = hotplug_world;

	config.bare = true;
	sim_build(test, &config);
	sim_target(FULL + BLOCK);
	settle();
	expect_size(test, FULL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_PLACE], 0UL);
	KUNIT_EXPECT_TRUE(test, said("boot the guest with a larger maxmem"));
	KUNIT_EXPECT_EQ(test, sim.nr_said, 2U);
}

static void a_block_that_stays_offline_is_told_of_once_and_is_the_last(struct kunit *test)
{
	unsigned long first = sim.first_pfn + FULL;
	char file[80];

	snprintf(file, sizeof(file), "/sys/devices/system/memory/memory%lu/state", first / BLOCK);
	sim.stays_offline = true;
	sim_target(FULL + 2 * BLOCK);
	sim_turn();
	KUNIT_ASSERT_EQ(test, sim.calls[SIM_ADD], 1UL);
	sim.now = sim.xb->hotplug.added_at + NSEC_PER_SEC;
	sim_turn();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);
	sim.now += 5 * NSEC_PER_SEC;
	settle();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 2U);
	KUNIT_EXPECT_TRUE(test, said(file));
	KUNIT_EXPECT_TRUE(test, said("8192 KiB of memory"));
	sim.now += 100 * NSEC_PER_SEC;
	settle();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 2U);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ADD], 1UL);
	expect_size(test, FULL);

	/* Each is told of, since each has a file of its own. */
	sim_set_online();
	settle();
	expect_size(test, FULL + BLOCK);
	sim.now += 5 * NSEC_PER_SEC;
	settle();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 3U);
	sim_set_online();
	settle();
	expect_size(test, FULL + 2 * BLOCK);
}

static void what_is_offline_at_unloading_is_known_at_the_next_load(struct kunit *test)
{
	sim.stays_offline = true;
	sim_target(FULL + BLOCK);
	settle();
	sim_hand_back();
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.total_pages, FULL + BLOCK);

	balloon_queue_destroy(&sim.xb->queue);
	sim_load_driver(test);
	settle();
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ADD], 1UL);
	sim.now += 5 * NSEC_PER_SEC;
	settle();
	KUNIT_EXPECT_TRUE(test, said("/sys/devices/system/memory/memory*/state"));
	sim_set_online();
	settle();
	expect_size(test, FULL + BLOCK);
}

struct refuse_case {
	const char *name;
	enum sim_op op;
};

static const struct refuse_case refuse_cases[] = {
	{ "no place", SIM_PLACE },
	{ "no place in the p2m", SIM_HOLES },
	{ "not 4 KiB of the host's", SIM_REACH },
	{ "no memory", SIM_ADD },
};

STEP_PARAMS(refuse);

static void a_block_that_cannot_be_added_is_told_of_once_and_tried_again(struct kunit *test)
{
	const struct refuse_case *c = test->param_value;
	struct sim_config config = hotplug_world;
	unsigned int i;

	config.pv = c->op == SIM_HOLES;
	sim_build(test, &config);
	sim_fail(c->op, 1, 2, 0);
	sim_target(FULL + BLOCK);
	sim_turn();
	expect_size(test, FULL);
	KUNIT_EXPECT_EQ(test, sim.calls[c->op], 1UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.total_pages, FULL);
	KUNIT_EXPECT_FALSE(test, sim.place_taken);
	settle();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 2U);
	KUNIT_EXPECT_TRUE(test, said("cannot add 8192 KiB of memory"));

	/* The second try is in vain, too. */
	for (i = 0; i < 10; i++) {
		sim.now += 3 * NSEC_PER_SEC;
		settle();
	}
	KUNIT_EXPECT_EQ(test, sim.calls[c->op], 3UL);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 2U);
	expect_size(test, FULL + BLOCK);
}

static void no_block_is_added_while_the_guest_is_migrated(struct kunit *test)
{
	sim_begin_migration();
	sim_target(FULL + BLOCK);
	settle();
	expect_size(test, FULL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_PLACE], 0UL);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);

	sim.logs_writes = false;
	sim.now += 3 * NSEC_PER_SEC;
	settle();
	expect_size(test, FULL + BLOCK);
}

/* Else the simulated Xen minds. */
static void a_block_that_was_added_is_sent_whenever_it_gets_its_memory(struct kunit *test)
{
	sim_target(FULL + BLOCK);
	while (!sim.calls[SIM_ADD])
		sim_turn();
	expect_size(test, FULL);
	sim_begin_migration();
	settle();
	expect_size(test, FULL + BLOCK);
	sim.logs_writes = false;
}

static void a_block_that_takes_for_ever_holds_up_no_target(struct kunit *test)
{
	sim.contig_hangs = true;
	sim_target(FULL + BLOCK);
	settle();
	KUNIT_ASSERT_NOT_NULL(test, sim.hung);
	sim_target(FULL - 700);
	settle();
	expect_size(test, FULL - 700);
	sim_target(FULL + 7);
	settle();
	expect_size(test, FULL);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);

	sim_device_answers();
	settle();
	expect_size(test, FULL + 7);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ADD], 1UL);
}

static void no_block_is_added_once_the_module_is_about_to_go(struct kunit *test)
{
	balloon_hotplug_end(sim.xb);
	sim_target(FULL + BLOCK);
	settle();
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_PLACE], 0UL);
	expect_size(test, FULL);
}

static void the_worker_is_woken_when_a_block_was_added(struct kunit *test)
{
	sim.contig_hangs = true;
	sim_target(FULL + BLOCK);
	settle();
	WRITE_ONCE(sim.xb->kicked, false);
	sim_device_answers();
	KUNIT_EXPECT_TRUE(test, sim.xb->kicked);
	settle();
}

static struct kunit_case hotplug_cases[] = {
	KUNIT_CASE_PARAM(guest_grows_to_its_target_by_as_many_blocks_as_that_takes,
			 grow_gen_params),
	KUNIT_CASE(what_was_ballooned_out_is_back_before_a_block_is_added),
	KUNIT_CASE(what_was_added_is_ballooned_out_as_any_other),
	KUNIT_CASE(what_was_added_is_in_superpages),
	KUNIT_CASE(what_was_added_is_healed_as_any_other),
	KUNIT_CASE(what_was_added_is_moved_by_compaction_as_any_other),
	KUNIT_CASE(nobody_hibernates_while_a_block_is_added),
	KUNIT_CASE(a_target_that_lent_pages_are_missing_for_takes_no_block),
	KUNIT_CASE(nothing_is_said_of_a_target_that_is_reached),
	KUNIT_CASE(a_limit_of_xens_is_told_of_once_with_each_target),
	KUNIT_CASE(a_limit_of_xens_is_told_of_again_when_it_matters_again),
	KUNIT_CASE(the_log_is_not_flooded_by_targets_beyond_xens_limit),
	KUNIT_CASE(a_kernel_that_would_take_new_memory_for_populated_gets_none),
	KUNIT_CASE(a_block_that_stays_offline_is_told_of_once_and_is_the_last),
	KUNIT_CASE(what_is_offline_at_unloading_is_known_at_the_next_load),
	KUNIT_CASE_PARAM(a_block_that_cannot_be_added_is_told_of_once_and_tried_again,
			 refuse_gen_params),
	KUNIT_CASE(no_block_is_added_while_the_guest_is_migrated),
	KUNIT_CASE(a_block_that_was_added_is_sent_whenever_it_gets_its_memory),
	KUNIT_CASE(a_block_that_takes_for_ever_holds_up_no_target),
	KUNIT_CASE(no_block_is_added_once_the_module_is_about_to_go),
	KUNIT_CASE(the_worker_is_woken_when_a_block_was_added),
	{}
};

static struct kunit_suite hotplug_suite = {
	.name = "hotplug",
	.init = hotplug_init,
	.exit = sim_exit,
	.test_cases = hotplug_cases,
};

kunit_test_suite(hotplug_suite);
