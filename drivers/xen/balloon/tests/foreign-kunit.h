/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of foreign.c: loans to other drivers come out of whole huge pages,
 * which come back when they are whole again.
 */
#include "assert.h"

#define FOREIGN_REGIONS	32U
#define FOREIGN_FULL	((unsigned long)FOREIGN_REGIONS * SIM_REGION_PAGES)
#define HUGE		SIM_REGION_PAGES

static const struct sim_config foreign_world = {
	.regions = FOREIGN_REGIONS, .host_pieces = 8, .slack = 256,
};

static int foreign_init(struct kunit *test)
{
	int ret = sim_init(test);

	if (!ret)
		sim_build(test, &foreign_world);
	return ret;
}

static void set_marks(unsigned long low, unsigned long high)
{
	sim.xb->foreign.low = low;
	sim.xb->foreign.high = high;
}

/* A guest that has ballooned out some huge pages, with these watermarks. */
static void go_down(unsigned int huge, unsigned long low, unsigned long high)
{
	sim_target(FOREIGN_FULL - huge * HUGE);
	sim_settle(20);
	set_marks(low, high);
}

/* Pages of one region come back from another driver. */
static void come_back(unsigned int region, unsigned int from, unsigned int nr)
{
	struct page *page;

	while (nr--) {
		page = sim_page(region, from++);
		sim_free_ballooned(1, &page);
	}
}

/* Another driver has all of some huge pages. */
static void lend_all(struct kunit *test, unsigned int huge)
{
	unsigned int i;

	go_down(huge, huge * HUGE, 0);
	sim_turn();
	KUNIT_ASSERT_EQ(test, sim.xb->kernel->spare(), (unsigned long)huge * HUGE);
	for (i = 0; i < huge; i++)
		KUNIT_ASSERT_EQ(test, sim_borrow(HUGE), HUGE);
	set_marks(0, 0);
	KUNIT_ASSERT_EQ(test, sim.xb->kernel->spare(), 0UL);
}

/* The n-th region that another driver has. */
static unsigned int lent_region(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < FOREIGN_REGIONS; i++)
		if (sim.region[i].owner[0] == SIM_LENT && !n--)
			break;

	return i;
}

static unsigned long trim(bool scraps)
{
	unsigned long kept;

	mutex_lock(&sim.xb->step_lock);
	kept = balloon_foreign_trim(sim.xb, scraps);
	sim.xb->kernel->publish(sim.xb);
	mutex_unlock(&sim.xb->step_lock);
	sim_check("with a shorter list");

	return kept;
}

static void expect_spare(struct kunit *test, unsigned long huge, unsigned long base,
			 unsigned long spare, unsigned long lent)
{
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).huge, huge);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).base, base);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->spare(), spare);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->lent(sim.xb), lent);
}

static void expect_foreign_counts(struct kunit *test, unsigned long stocked,
				  unsigned long whole, unsigned long scraps)
{
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_FOREIGN_STOCKED), stocked);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_FOREIGN_WHOLE), whole);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_FOREIGN_SCRAPS), scraps);
}

static void only_a_kernel_that_lends_ballooned_pages_keeps_some(struct kunit *test)
{
	bool lends = !IS_ENABLED(CONFIG_XEN_UNPOPULATED_ALLOC);

	balloon_foreign_init(sim.xb);
	KUNIT_EXPECT_EQ(test, sim.xb->foreign.low, lends ? 512UL : 0UL);
	KUNIT_EXPECT_EQ(test, sim.xb->foreign.high, lends ? 2048UL : 0UL);
}

struct mark_case {
	const char *name;
	unsigned long low;
	unsigned long high;
	unsigned int spare;
	bool is_low;
	unsigned long excess;
};

static const struct mark_case mark_cases[] = {
	{ "none", 0, 0, 0, false, 0 },
	{ "all too much", 0, 0, 1, false, 1 },
	{ "kept if it comes", 0, 10, 11, false, 1 },
	{ "one page missing", 10, 0, 9, true, 0 },
	{ "enough", 10, 0, 10, false, 0 },
	{ "a huge page above low", 10, 0, 522, false, 0 },
	{ "more than a huge page above low", 10, 100, 523, false, 1 },
	{ "at high", 10, 700, 700, false, 0 },
	{ "above high", 10, 700, 702, false, 2 },
};

static void name_mark_case(const struct mark_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mark, mark_cases, name_mark_case);

static void watermarks_tell_what_is_missing_and_what_is_too_much(struct kunit *test)
{
	const struct mark_case *c = test->param_value;

	sim_intree_take(c->spare);
	mutex_lock(&sim.xb->step_lock);
	sim.xb->kernel->publish(sim.xb);
	mutex_unlock(&sim.xb->step_lock);
	set_marks(c->low, c->high);
	KUNIT_EXPECT_EQ(test, balloon_foreign_is_low(sim.xb), c->is_low);
	KUNIT_EXPECT_EQ(test, balloon_foreign_excess(sim.xb), c->excess);
}

static void what_is_lent_comes_out_of_a_huge_page(struct kunit *test)
{
	unsigned int superpages;

	go_down(3, 100, 0);
	superpages = sim_superpages();
	sim_turn();
	expect_spare(test, 2, 0, HUGE, 0);
	expect_foreign_counts(test, 1, 0, 0);

	KUNIT_EXPECT_EQ(test, sim_borrow(400), 400U);
	expect_spare(test, 2, 0, HUGE - 400, 400);
	KUNIT_EXPECT_EQ(test, sim_borrow(13), 13U);
	sim_turn();
	expect_spare(test, 1, 0, 2 * HUGE - 413, 413);
	KUNIT_EXPECT_EQ(test, sim_superpages(), superpages);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FOREIGN_FULL - 3 * HUGE);
}

static void a_guest_with_nothing_ballooned_out_gives_a_huge_page(struct kunit *test)
{
	sim_target(FOREIGN_FULL);
	set_marks(100, 0);
	sim_settle(20);
	expect_spare(test, 0, 0, HUGE, 0);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FOREIGN_FULL - HUGE);
	KUNIT_EXPECT_EQ(test, sim_superpages(), FOREIGN_REGIONS - 1);
	KUNIT_EXPECT_STREQ(test, sim.said,
			   "target of 65536 KiB is out of range, going to 63488 KiB: floor 40960 KiB, ceiling 63488 KiB, with 2048 KiB lent or kept to be lent\n");

	/* No more than that, however little of it is left. */
	KUNIT_EXPECT_EQ(test, sim_borrow(412), 412U);
	sim_settle(20);
	expect_spare(test, 0, 0, 100, 412);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FOREIGN_FULL - HUGE);
}

static void base_pages_come_back_in_place_of_the_huge_page(struct kunit *test)
{
	sim_queue_base(9, 0, 100);
	set_marks(100, 0);
	sim_target(FOREIGN_FULL);
	sim_settle(20);
	expect_spare(test, 0, 0, HUGE, 0);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FOREIGN_FULL - HUGE);
	KUNIT_EXPECT_EQ(test, sim_populated(), FOREIGN_FULL - HUGE);
}

static void a_guest_without_2_mib_in_one_piece_gives_nothing(struct kunit *test)
{
	unsigned long calls;
	unsigned int i;

	for (i = 0; i < FOREIGN_REGIONS; i++)
		KUNIT_ASSERT_TRUE(test, sim_use(i, 7, SIM_PINNED));
	set_marks(100, 0);
	sim_target(FOREIGN_FULL);
	sim_settle(20);
	expect_spare(test, 0, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FOREIGN_FULL);

	/* And is not asked again and again. */
	calls = sim.calls[SIM_ALLOC];
	sim.xb->heal.enabled = false;
	sim_turn();
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ALLOC], calls);
	sim_drop(20, 7);
	sim.now += 30 * NSEC_PER_SEC;
	sim_turn();
	expect_spare(test, 0, 0, HUGE, 0);
}

static void a_guest_keeps_what_it_needs_to_live(struct kunit *test)
{
	unsigned long least;

	set_marks(FOREIGN_FULL, 0);
	sim_target(FOREIGN_FULL);
	sim_settle(100);
	least = sim_balloon_stats.current_pages;
	KUNIT_EXPECT_GT(test, least, FOREIGN_FULL / 2);
	KUNIT_EXPECT_LT(test, least, FOREIGN_FULL);
	set_marks(0, 0);
	sim_settle(100);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FOREIGN_FULL);
}

static void a_huge_page_that_is_whole_again_comes_back(struct kunit *test)
{
	lend_all(test, 2);
	come_back(lent_region(0), 0, HUGE);
	expect_spare(test, 0, 0, HUGE, HUGE);

	KUNIT_EXPECT_EQ(test, trim(false), (unsigned long)HUGE);
	expect_spare(test, 1, 0, 0, HUGE);
	expect_foreign_counts(test, 2, 1, 0);
	KUNIT_EXPECT_EQ(test, trim(false), 0UL);
}

static void the_worker_takes_back_what_is_whole(struct kunit *test)
{
	lend_all(test, 2);
	come_back(lent_region(1), 0, HUGE);
	sim_settle(1);
	sim.now += 2 * NSEC_PER_SEC;
	sim_turn();
	expect_spare(test, 1, 0, 0, HUGE);
}

static void what_is_lent_in_part_stays_on_the_list(struct kunit *test)
{
	unsigned int first, second, third;

	lend_all(test, 3);
	first = lent_region(0);
	second = lent_region(1);
	third = lent_region(2);
	come_back(first, 0, HUGE - 1);
	come_back(second, 5, 1);
	come_back(third, 0, HUGE);
	KUNIT_EXPECT_EQ(test, trim(false), (unsigned long)HUGE);
	expect_spare(test, 1, 0, HUGE, HUGE);
	expect_foreign_counts(test, 3, 1, 0);
}

static void what_the_intree_driver_took_becomes_base_pages(struct kunit *test)
{
	sim_borrow(30);
	sim_return(30);
	KUNIT_EXPECT_EQ(test, trim(false), 30UL);
	expect_spare(test, 0, 30, 0, 0);
	expect_foreign_counts(test, 0, 0, 30);
}

static void of_regions_without_an_entry_all_parts_are_taken_back(struct kunit *test)
{
	struct balloon_regions *r = &sim.xb->queue.regions;
	unsigned long number;

	for (number = r->start; number < r->end; number++)
		xa_erase(&r->all, number);
	lend_all(test, 1);
	come_back(lent_region(0), 0, 7);
	KUNIT_EXPECT_EQ(test, trim(false), 7UL);
	expect_spare(test, 0, 7, 0, HUGE - 7);
}

static bool upkeep_gains(void)
{
	enum balloon_upkeep result;

	mutex_lock(&sim.xb->step_lock);
	result = balloon_foreign_upkeep(sim.xb);
	mutex_unlock(&sim.xb->step_lock);

	return result == UPKEEP_GAINED;
}

static void upkeep_looks_less_often_each_time_in_vain(struct kunit *test)
{
	unsigned int region;

	lend_all(test, 1);
	region = lent_region(0);
	come_back(region, 0, HUGE - 1);
	/* In vain, after which it looks again in 1 s, and then in 2 s. */
	KUNIT_EXPECT_FALSE(test, upkeep_gains());
	sim.now += NSEC_PER_SEC;
	KUNIT_EXPECT_FALSE(test, upkeep_gains());
	come_back(region, HUGE - 1, 1);
	sim.now += 2 * NSEC_PER_SEC - 1;
	KUNIT_EXPECT_FALSE(test, upkeep_gains());
	expect_spare(test, 0, 0, HUGE, 0);
	sim.now += 1;
	KUNIT_EXPECT_TRUE(test, upkeep_gains());
	expect_spare(test, 1, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->foreign.trim_delay_ns, (u64)NSEC_PER_SEC);
}

static void no_look_is_spent_on_a_list_that_is_not_too_long(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, upkeep_gains());
	KUNIT_EXPECT_EQ(test, sim.xb->foreign.trim_at, 0ULL);
}

static void pages_that_make_nothing_whole_become_base_pages(struct kunit *test)
{
	lend_all(test, 1);
	come_back(lent_region(0), 1, HUGE - 1);
	KUNIT_EXPECT_EQ(test, trim(true), HUGE - 1UL);
	expect_spare(test, 0, HUGE - 1, 0, 1);
	expect_foreign_counts(test, 1, 0, HUGE - 1);

	/* With the last one they are whole all the same. */
	come_back(lent_region(0), 0, 1);
	KUNIT_EXPECT_EQ(test, trim(true), 1UL);
	expect_spare(test, 1, 0, 0, 0);
}

static void regions_with_the_most_pages_are_kept(struct kunit *test)
{
	unsigned int region[4], i;

	lend_all(test, 4);
	for (i = 0; i < 4; i++)
		region[i] = lent_region(i);
	come_back(region[0], 0, 30);
	come_back(region[1], 0, 200);
	come_back(region[2], 0, 100);
	come_back(region[3], 0, HUGE);
	set_marks(0, 250);

	/* The whole one, and those that with the largest are too many. */
	KUNIT_EXPECT_EQ(test, trim(true), HUGE + 100UL);
	expect_spare(test, 1, 100, 230, 3 * HUGE - 330);
	KUNIT_EXPECT_EQ(test, sim.region[region[0]].owner[0], (u8)SIM_LISTED);
	KUNIT_EXPECT_EQ(test, sim.region[region[1]].owner[0], (u8)SIM_LISTED);
	KUNIT_EXPECT_EQ(test, sim.region[region[2]].owner[0], (u8)SIM_DRIVER);
}

static unsigned long seen_spare;

static void look(void)
{
	seen_spare = sim.xb->kernel->spare();
}

static void the_list_never_falls_below_low(struct kunit *test)
{
	lend_all(test, 3);
	come_back(lent_region(1), 100, 300);
	come_back(lent_region(2), 100, 300);
	come_back(lent_region(0), 0, HUGE);
	set_marks(100, 0);
	seen_spare = 0;
	sim.meanwhile = look;
	sim.calls[SIM_INTREE] = 0;
	KUNIT_EXPECT_EQ(test, trim(false), (unsigned long)HUGE);
	KUNIT_EXPECT_EQ(test, seen_spare, 1112UL);
	/* 1012 pages in two calls, and no third one for the others. */
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_INTREE], 2UL);
	expect_spare(test, 1, 0, 600, 3 * HUGE - 1112);
}

static void what_is_below_low_is_taken_when_nothing_else_is_whole(struct kunit *test)
{
	unsigned int region;

	lend_all(test, 2);
	region = lent_region(0);
	/* What comes first is at the end of the list. */
	come_back(region, 0, 100);
	come_back(region + 1, 0, 50);
	come_back(region, 100, HUGE - 100);
	come_back(region + 1, 50, 200);
	set_marks(50, 0);
	KUNIT_EXPECT_EQ(test, trim(false), (unsigned long)HUGE);
	expect_spare(test, 1, 0, 250, HUGE - 250);
}

static void borrow_some(void)
{
	sim_borrow(100);
}

static void a_loan_in_the_midst_of_it_is_accounted_for(struct kunit *test)
{
	lend_all(test, 1);
	come_back(lent_region(0), 0, HUGE);
	sim.meanwhile = borrow_some;
	trim(true);
	/* The in-tree driver has ballooned out by itself what was missing. */
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->lent(sim.xb), 100UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_FOREIGN_TAKEN), 100UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FOREIGN_FULL - HUGE - 100);
	sim_settle(20);
	sim_check("at the target again");
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FOREIGN_FULL - HUGE);
}

static void what_no_account_can_be_kept_of_stays_on_the_list(struct kunit *test)
{
	lend_all(test, 2);
	come_back(lent_region(0), 0, HUGE);
	come_back(lent_region(0), 0, 10);
	sim_fail(SIM_KZALLOC, 1, 2, 0);
	KUNIT_EXPECT_EQ(test, trim(true), 0UL);
	expect_spare(test, 0, 0, HUGE + 10, HUGE - 10);
	sim_mend();
	KUNIT_EXPECT_EQ(test, trim(true), HUGE + 10UL);
	expect_spare(test, 1, 10, 0, HUGE - 10);
}

static void nothing_comes_back_when_the_list_cannot_be_taken_from(struct kunit *test)
{
	lend_all(test, 1);
	come_back(lent_region(0), 0, 20);
	sim_fail(SIM_INTREE, 1, 2, 0);
	KUNIT_EXPECT_EQ(test, trim(true), 0UL);
	expect_spare(test, 0, 0, 20, HUGE - 20);
}

static void a_guest_that_needs_it_gets_what_is_too_much(struct kunit *test)
{
	lend_all(test, 1);
	come_back(lent_region(0), 0, 300);
	set_marks(0, 100);
	sim_target(FOREIGN_FULL);
	sim_settle(20);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FOREIGN_FULL - HUGE + 300);
	expect_spare(test, 0, 0, 0, HUGE - 300);
}

static void loans_do_not_keep_the_guest_from_its_target(struct kunit *test)
{
	unsigned int i;

	go_down(6, 256, 1024);
	for (i = 0; i < 20; i++) {
		sim_borrow(sim_random(250));
		if (i % 3 == 2)
			sim_return(sim_random(400));
		sim_target(FOREIGN_FULL - 12 * HUGE + sim_random(3 * HUGE));
		sim_settle(30);
		KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages,
				sim_balloon_stats.target_pages);
		KUNIT_EXPECT_GE(test, sim.xb->kernel->spare(), 256UL);
	}
	sim_return(FOREIGN_FULL);
	sim_settle(1);
	for (i = 0; i < 10; i++) {
		sim.now += 2 * NSEC_PER_SEC;
		sim_turn();
	}
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->lent(sim.xb), 0UL);
	KUNIT_EXPECT_LE(test, sim.xb->kernel->spare(), 1024UL);
}

static void memory_that_was_set_online_again_is_the_guests(struct kunit *test)
{
	go_down(2, 0, 0);
	sim.unchecked = true;
	KUNIT_ASSERT_EQ(test, sim_set_offline(20, 2), 0);
	sim_online_again(20, 2);
	sim_settle(200);
	sim.unchecked = false;
	sim_check("online again");
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->spare(), 0UL);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->lent(sim.xb), 0UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FOREIGN_FULL - 2 * HUGE);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_FOREIGN_POPULATED), 2UL * HUGE);

	sim_target(FOREIGN_FULL);
	sim_settle(20);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FOREIGN_FULL);
}

static void it_is_found_where_nothing_is_too_much_to_be_lent(struct kunit *test)
{
	sim_queue_base(21, 0, HUGE);
	sim.xb->target.wanted = FOREIGN_FULL - HUGE;
	sim.unchecked = true;
	KUNIT_ASSERT_EQ(test, sim_set_offline(20, 2), 0);
	set_marks(HUGE, 2 * HUGE);
	sim_online_again(20, 2);
	sim_settle(200);
	sim.unchecked = false;
	sim_check("online again");
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_FOREIGN_POPULATED), 1UL * HUGE);
	KUNIT_EXPECT_EQ(test, balloon_sum(sim.xb), sim.xb->total);
	set_marks(0, 0);
	sim_settle(20);
}

static void holes_among_memory_that_was_set_online_again_are_kept(struct kunit *test)
{
	sim.unchecked = true;
	KUNIT_ASSERT_EQ(test, sim_intree_take(9), 9U);
	KUNIT_ASSERT_EQ(test, sim_set_offline(20, 1), 0);
	sim_online_again(20, 1);
	KUNIT_ASSERT_EQ(test, sim_intree_take(5), 5U);
	sim_settle(200);
	sim.unchecked = false;
	sim_check("online again");
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->spare(), 0UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_FOREIGN_POPULATED), 1UL * HUGE);
}

static struct kunit_case foreign_cases[] = {
	KUNIT_CASE(only_a_kernel_that_lends_ballooned_pages_keeps_some),
	KUNIT_CASE_PARAM(watermarks_tell_what_is_missing_and_what_is_too_much, mark_gen_params),
	KUNIT_CASE(what_is_lent_comes_out_of_a_huge_page),
	KUNIT_CASE(a_guest_with_nothing_ballooned_out_gives_a_huge_page),
	KUNIT_CASE(base_pages_come_back_in_place_of_the_huge_page),
	KUNIT_CASE(a_guest_without_2_mib_in_one_piece_gives_nothing),
	KUNIT_CASE(a_guest_keeps_what_it_needs_to_live),
	KUNIT_CASE(a_huge_page_that_is_whole_again_comes_back),
	KUNIT_CASE(the_worker_takes_back_what_is_whole),
	KUNIT_CASE(what_is_lent_in_part_stays_on_the_list),
	KUNIT_CASE(what_the_intree_driver_took_becomes_base_pages),
	KUNIT_CASE(of_regions_without_an_entry_all_parts_are_taken_back),
	KUNIT_CASE(upkeep_looks_less_often_each_time_in_vain),
	KUNIT_CASE(no_look_is_spent_on_a_list_that_is_not_too_long),
	KUNIT_CASE(pages_that_make_nothing_whole_become_base_pages),
	KUNIT_CASE(regions_with_the_most_pages_are_kept),
	KUNIT_CASE(the_list_never_falls_below_low),
	KUNIT_CASE(what_is_below_low_is_taken_when_nothing_else_is_whole),
	KUNIT_CASE(a_loan_in_the_midst_of_it_is_accounted_for),
	KUNIT_CASE(what_no_account_can_be_kept_of_stays_on_the_list),
	KUNIT_CASE(nothing_comes_back_when_the_list_cannot_be_taken_from),
	KUNIT_CASE(a_guest_that_needs_it_gets_what_is_too_much),
	KUNIT_CASE(loans_do_not_keep_the_guest_from_its_target),
	KUNIT_CASE(memory_that_was_set_online_again_is_the_guests),
	KUNIT_CASE(it_is_found_where_nothing_is_too_much_to_be_lent),
	KUNIT_CASE(holes_among_memory_that_was_set_online_again_are_kept),
	{}
};

static struct kunit_suite foreign_suite = {
	.name = "foreign",
	.init = foreign_init,
	.exit = sim_exit,
	.test_cases = foreign_cases,
};

kunit_test_suite(foreign_suite);
