/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of blocks.c: of a guest of 64 MiB memory is set offline and online, of which a
 * part is ballooned out.
 */
#include "step.h"

#define BLOCK		((unsigned long)SIM_BLOCK_REGIONS * SIM_REGION_PAGES)
/* The regions that blocks begin with in these tests. */
#define FIRST		8U
#define SECOND		(FIRST + SIM_BLOCK_REGIONS)

static int blocks_init(struct kunit *test)
{
	sim_build(test, &step_world);

	return 0;
}

/* Until all that came to the in-tree driver's list is sorted. */
static void settle(void)
{
	sim_settle(200);
}

/* So many pages of a block are ballooned out: whole regions first. */
static void balloon_out_of(struct kunit *test, unsigned int region, unsigned int pages)
{
	unsigned long guest = balloon_figures(&sim.xb->queue).guest;
	unsigned int nr;

	sim_balloon_stats.target_pages -= pages;
	mutex_lock(&sim.xb->step_lock);
	balloon_target_set(sim.xb, sim_balloon_stats.target_pages);
	mutex_unlock(&sim.xb->step_lock);
	for (; pages; pages -= nr, region++) {
		nr = min(pages, SIM_REGION_PAGES);
		sim_queue_base(region, 0, nr);
		guest -= nr;
	}
	sim_turn();
	KUNIT_ASSERT_EQ(test, balloon_figures(&sim.xb->queue).guest, guest);
	sim_check("ballooned out");
}

static void expect_total(struct kunit *test, unsigned long pages)
{
	KUNIT_EXPECT_EQ(test, sim.xb->total, pages);
	KUNIT_EXPECT_EQ(test, balloon_sum(sim.xb), pages);
}

static int tell(unsigned long action, unsigned int region)
{
	struct memory_notify range = {
		.start_pfn = page_to_pfn(sim_page(region, 0)),
		.nr_pages = BLOCK,
	};

	return sim.memory_nb->notifier_call(sim.memory_nb, action, &range);
}

static void online_again(unsigned int region)
{
	/* What is on the list is counted twice until it is sorted. */
	sim.unchecked = true;
	sim_online_again(region, SIM_BLOCK_REGIONS);
	sim.now += 300 * NSEC_PER_SEC;
	settle();
	sim.unchecked = false;
	sim_check("online again");
}

struct out_case {
	const char *name;
	unsigned int pages;
};

static const struct out_case out_cases[] = {
	{ "nothing", 0 },
	{ "a base page", 1 },
	{ "a huge page", SIM_REGION_PAGES },
	{ "a huge page and base pages", SIM_REGION_PAGES + 70 },
	{ "the whole block", BLOCK },
};

STEP_PARAMS(out);

static void what_is_ballooned_out_goes_offline_and_comes_back_with_its_block(struct kunit *test)
{
	const struct out_case *c = test->param_value;
	unsigned long guest = FULL - c->pages;

	balloon_out_of(test, FIRST, c->pages);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	sim_check("offline");
	expect_figures(test, guest, 0, 0, 0);
	expect_total(test, guest);
	settle();
	sim_check("offline for a while");
	expect_figures(test, guest, 0, 0, 0);

	online_again(FIRST);
	expect_figures(test, guest, c->pages / 512, c->pages % 512, 0);
	expect_total(test, FULL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, guest);

	sim_target(FULL);
	settle();
	expect_figures(test, FULL, 0, 0, 0);
}

static void what_is_elsewhere_stays(struct kunit *test)
{
	balloon_out_of(test, FIRST - 1, 512 + 3);
	balloon_out_of(test, SECOND, 512 + 5);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST + 1, SIM_BLOCK_REGIONS - 1), 0);
	expect_figures(test, FULL - 2 * 512 - 8, 2, 8, 0);
}

static void memory_that_stays_online_has_all_that_was_ballooned_out(struct kunit *test)
{
	struct page *page = sim_page(FIRST, 0), *base = sim_page(FIRST + 1, 69);
	unsigned long out = 512 + 70;

	balloon_out_of(test, FIRST, out);
	sim_use(FIRST + 3, 100, SIM_PINNED);
	KUNIT_EXPECT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), -EBUSY);
	sim_check("not offline");
	expect_figures(test, FULL - out, 1, 70, 0);
	expect_total(test, FULL);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	KUNIT_EXPECT_EQ(test, page_ref_count(base), 1);
	KUNIT_EXPECT_TRUE(test, base->mapping);

	sim_target(FULL);
	settle();
	expect_figures(test, FULL, 0, 0, 0);
}

struct ref_case {
	const char *name;
	unsigned int pages;
};

static const struct ref_case ref_cases[] = {
	{ "a base page", 70 },
	{ "a huge page", 512 },
};

STEP_PARAMS(ref);

static void a_page_that_somebody_has_a_reference_to_does_not_go(struct kunit *test)
{
	const struct ref_case *c = test->param_value;
	struct page *page = sim_page(FIRST, 0);

	balloon_out_of(test, FIRST, c->pages);
	page_ref_inc(page);
	KUNIT_EXPECT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), -EBUSY);
	KUNIT_EXPECT_EQ(test, page_ref_dec_return(page), 1);
	sim_check("not offline");
	expect_figures(test, FULL - c->pages, c->pages / 512, c->pages % 512, 0);

	KUNIT_EXPECT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
}

static void what_is_lent_or_kept_for_that_does_not_go(struct kunit *test)
{
	unsigned int i = 0, region;

	keep_to_be_lent(H(1));
	sim_turn();
	KUNIT_ASSERT_EQ(test, sim_borrow(1), 1U);
	while (i < FULL && sim.region[i / 512].frame[i % 512] != SIM_FOREIGN)
		i++;
	region = i / BLOCK * SIM_BLOCK_REGIONS;

	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, sim_set_offline(region, SIM_BLOCK_REGIONS), -EBUSY);
		sim_check("not offline");
		sim_return(1);
	}
	keep_to_be_lent(0);
	sim.now += 300 * NSEC_PER_SEC;
	settle();
	KUNIT_EXPECT_EQ(test, sim_set_offline(region, SIM_BLOCK_REGIONS), 0);
}

/* The kernel may try for long, and the worker goes on. */
static void what_is_about_to_go_offline_can_come_back_after_steps_of_the_worker(struct kunit *test)
{
	unsigned long out = 512 + 70;

	balloon_out_of(test, FIRST, out);
	tell(MEM_GOING_OFFLINE, FIRST);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).leaving, out);
	expect_total(test, FULL);
	sim_target(FULL - out - 700);
	settle();
	sim_target(FULL - out);
	settle();
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, FULL - out);

	tell(MEM_CANCEL_OFFLINE, FIRST);
	sim_check("back");
	expect_figures(test, FULL - out, 1, 70, 0);
	sim_target(FULL);
	settle();
	expect_figures(test, FULL, 0, 0, 0);
}

static void of_two_blocks_that_are_offline_each_brings_back_its_own(struct kunit *test)
{
	balloon_out_of(test, FIRST, 512 + 70);
	balloon_out_of(test, SECOND, 3 * 512 + 9);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	KUNIT_ASSERT_EQ(test, sim_set_offline(SECOND, SIM_BLOCK_REGIONS), 0);
	expect_total(test, FULL - 4 * 512 - 79);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->expected(sim.xb), 4UL * 512 + 79);

	online_again(FIRST);
	expect_total(test, FULL - 3 * 512 - 9);
	expect_figures(test, FULL - 4 * 512 - 79, 1, 70, 0);
	online_again(SECOND);
	expect_total(test, FULL);
	expect_figures(test, FULL - 4 * 512 - 79, 4, 79, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->expected(sim.xb), 0UL);
}

static void a_target_that_offline_memory_is_missing_for_is_told_how_to_get_it(struct kunit *test)
{
	unsigned long first = page_to_pfn(sim_page(FIRST, 0));
	char file[80];

	snprintf(file, sizeof(file), "/sys/devices/system/memory/memory%lu/state", first / BLOCK);
	balloon_out_of(test, FIRST, 512 + 70);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	sim.now += 10 * NSEC_PER_SEC;
	sim_target(FULL);
	settle();
	expect_figures(test, FULL - 512 - 70, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_ADD], 0UL);
	KUNIT_EXPECT_TRUE(test, said(file));

	online_again(FIRST);
	expect_figures(test, FULL, 0, 0, 0);
}

static void what_is_offline_at_unloading_comes_back_after_the_next_load(struct kunit *test)
{
	unsigned long guest = FULL - 512 - 70;

	balloon_out_of(test, FIRST, 512 + 70);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	sim_hand_back();
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.total_pages, FULL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, guest);
	balloon_queue_destroy(&sim.xb->queue);

	sim_load_driver(test);
	expect_total(test, guest);
	sim_target(guest);
	online_again(FIRST);
	expect_total(test, FULL);
	expect_figures(test, guest, 1, 70, 0);
}

static void what_is_offline_at_loading_is_expected_until_it_comes(struct kunit *test)
{
	balloon_out_of(test, FIRST, 512 + 70);
	balloon_out_of(test, SECOND, 5);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	sim_reload_driver(test);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->expected(sim.xb), 512UL + 70);
	KUNIT_ASSERT_EQ(test, sim_set_offline(SECOND, SIM_BLOCK_REGIONS), 0);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->expected(sim.xb), 512UL + 70 + 5);
	online_again(FIRST);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->expected(sim.xb), 5UL);
	online_again(SECOND);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->expected(sim.xb), 0UL);
}

static void nothing_goes_once_the_module_is_about_to_go(struct kunit *test)
{
	balloon_out_of(test, FIRST, 512 + 70);
	balloon_blocks_end(sim.xb);
	tell(MEM_GOING_OFFLINE, FIRST);
	expect_figures(test, FULL - 512 - 70, 1, 70, 0);
	balloon_blocks_exit(sim.xb);
	KUNIT_EXPECT_NULL(test, sim.memory_nb);
}

static void next_region_comes(void)
{
	sim_online_region(FIRST + 1);
}

/* A part of it is on the list when the worker looks, and some of that is the guest's. */
static void a_block_that_is_coming_online_is_taken_when_it_is_there(struct kunit *test)
{
	const struct out_case *c = test->param_value;
	unsigned int i;

	balloon_out_of(test, FIRST, c->pages);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	sim.unchecked = true;
	tell(MEM_GOING_ONLINE, FIRST);
	for (i = 0; i < SIM_BLOCK_REGIONS; i++) {
		if (i != 1)
			sim_online_region(FIRST + i);
		sim.meanwhile = i ? NULL : next_region_comes;
		settle();
		KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, FULL - c->pages);
	}
	tell(MEM_ONLINE, FIRST);
	settle();
	sim.unchecked = false;
	sim_check("online again");
	expect_total(test, FULL);
	expect_figures(test, FULL - c->pages, c->pages / 512, c->pages % 512, 0);
}

static void memory_that_does_not_come_online_after_all_is_not_counted(struct kunit *test)
{
	balloon_out_of(test, FIRST, 512 + 70);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	tell(MEM_GOING_ONLINE, FIRST);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);
	tell(MEM_CANCEL_ONLINE, FIRST);
	expect_total(test, FULL - 512 - 70);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->expected(sim.xb), 512UL + 70);

	/* Somebody else was against it, before we were told. */
	tell(MEM_CANCEL_ONLINE, FIRST);
	expect_total(test, FULL - 512 - 70);
	online_again(FIRST);
	expect_total(test, FULL);
}

static void the_guest_boots_as_a_whole_where_memory_is_offline(struct kunit *test)
{
	balloon_out_of(test, FIRST, 512 + 70);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	sim_begin_kexec();
	KUNIT_EXPECT_EQ(test, sim.restarts, 1U);
	KUNIT_EXPECT_TRUE(test, said("found 0 KiB that do not come back, and 2328 KiB"));
}

static void what_is_offline_does_not_hibernate(struct kunit *test)
{
	balloon_out_of(test, FIRST, 512 + 70);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	sim_target(FULL);
	sim_settle(50);
	KUNIT_EXPECT_FALSE(test, sim_tell_sleep(PM_HIBERNATION_PREPARE));
	KUNIT_EXPECT_TRUE(test, said("and 2328 KiB of what is offline"));

	/* Nothing of it is on the list yet, nor is it offline any more. */
	tell(MEM_GOING_ONLINE, FIRST);
	KUNIT_EXPECT_FALSE(test, sim_tell_sleep(PM_HIBERNATION_PREPARE));
	KUNIT_EXPECT_TRUE(test, said("found 2328 KiB ballooned out"));
	tell(MEM_CANCEL_ONLINE, FIRST);
}

/* Nothing of it is on the list yet, nor is it offline any more. */
static void the_guest_boots_as_a_whole_where_memory_is_coming(struct kunit *test)
{
	unsigned int i;

	balloon_out_of(test, FIRST, BLOCK);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	tell(MEM_GOING_ONLINE, FIRST);
	sim.unchecked = true;
	for (i = 0; i < SIM_BLOCK_REGIONS; i++)
		sim_build_region(FIRST + i);
	sim_begin_kexec();
	KUNIT_EXPECT_EQ(test, sim.restarts, 1U);
	KUNIT_EXPECT_TRUE(test, said("found 8192 KiB that do not come back"));
	for (i = 0; i < SIM_BLOCK_REGIONS; i++)
		sim_intree_online(FIRST + i);
	tell(MEM_ONLINE, FIRST);
	sim.unchecked = false;
	sim_check("online again");
}

static void the_guest_boots_as_a_whole_where_memory_was_offline_at_loading(struct kunit *test)
{
	balloon_out_of(test, FIRST, 512 + 70);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	sim_reload_driver(test);
	sim_begin_kexec();
	KUNIT_EXPECT_EQ(test, sim.restarts, 1U);
	KUNIT_EXPECT_TRUE(test, said("and 2328 KiB of what is offline"));
	sim.xb->ended = false;
	online_again(FIRST);
}

static void another_kernel_boots_where_what_is_offline_has_memory(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	sim_begin_kexec();
	KUNIT_EXPECT_EQ(test, sim.restarts, 0U);
}

/* Of what was ballooned out before, some cannot come, and no more can go. */
static void what_is_online_again_is_the_guests_wherever_the_target_is(struct kunit *test)
{
	unsigned int at;

	for (at = 0; at < 2; at++) {
		KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
		balloon_out_of(test, SECOND, 512);
		sim.max_pages = sim.tot_pages;
		sim_target(at ? FULL : 1);
		settle();
		sim.unchecked = true;
		sim_online_again(FIRST, SIM_BLOCK_REGIONS);
		sim.now += NSEC_PER_SEC;
		settle();
		sim.unchecked = false;
		KUNIT_EXPECT_EQ(test, sim_balloon_stats.balloon_low, 0UL);
		sim_check("online again");
		sim.max_pages = FULL + EXTRA;
		sim_target(FULL);
		settle();
	}
}

static void memory_that_is_offline_is_named_where_it_is_known_which(struct kunit *test)
{
	char file[80];

	snprintf(file, sizeof(file), "/sys/devices/system/memory/memory%lu/state",
		 page_to_pfn(sim_page(SECOND, 0)) / BLOCK);
	balloon_out_of(test, FIRST, 10);
	balloon_out_of(test, SECOND, 20);
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	KUNIT_ASSERT_EQ(test, sim_set_offline(SECOND, SIM_BLOCK_REGIONS), 0);
	sim_target(FULL);
	sim.now += 10 * NSEC_PER_SEC;
	settle();
	KUNIT_EXPECT_TRUE(test, said("/sys/devices/system/memory/memory*/state"));

	online_again(SECOND);
	sim.nr_said = 0;
	sim_target(FULL + 1);
	settle();
	KUNIT_EXPECT_FALSE(test, said(file));
}

static void a_kernel_that_takes_what_is_online_for_populated_keeps_it_so(struct kunit *test)
{
	struct sim_config config = step_world;

	config.bare = true;
	sim_build(test, &config);
	balloon_out_of(test, FIRST, 512);
	KUNIT_EXPECT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), -EBUSY);
	KUNIT_EXPECT_EQ(test, sim_set_offline(SECOND, SIM_BLOCK_REGIONS), 0);
	expect_figures(test, FULL - 512, 1, 0, 0);
}

static void the_worker_is_woken_by_memory_that_is_online(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, sim_set_offline(FIRST, SIM_BLOCK_REGIONS), 0);
	sim_turn();
	WRITE_ONCE(sim.xb->kicked, false);
	sim.xb->upkeep_at = U64_MAX;
	KUNIT_EXPECT_EQ(test, tell(MEM_ONLINE, FIRST), NOTIFY_OK);
	KUNIT_EXPECT_TRUE(test, sim.xb->kicked);
	KUNIT_EXPECT_EQ(test, sim.xb->upkeep_at, 0ULL);
}

static struct kunit_case blocks_cases[] = {
	KUNIT_CASE_PARAM(what_is_ballooned_out_goes_offline_and_comes_back_with_its_block,
			 out_gen_params),
	KUNIT_CASE(what_is_elsewhere_stays),
	KUNIT_CASE(memory_that_stays_online_has_all_that_was_ballooned_out),
	KUNIT_CASE_PARAM(a_page_that_somebody_has_a_reference_to_does_not_go, ref_gen_params),
	KUNIT_CASE(what_is_lent_or_kept_for_that_does_not_go),
	KUNIT_CASE(what_is_about_to_go_offline_can_come_back_after_steps_of_the_worker),
	KUNIT_CASE(of_two_blocks_that_are_offline_each_brings_back_its_own),
	KUNIT_CASE(a_target_that_offline_memory_is_missing_for_is_told_how_to_get_it),
	KUNIT_CASE(what_is_offline_at_unloading_comes_back_after_the_next_load),
	KUNIT_CASE(what_is_offline_at_loading_is_expected_until_it_comes),
	KUNIT_CASE(nothing_goes_once_the_module_is_about_to_go),
	KUNIT_CASE_PARAM(a_block_that_is_coming_online_is_taken_when_it_is_there, out_gen_params),
	KUNIT_CASE(memory_that_does_not_come_online_after_all_is_not_counted),
	KUNIT_CASE(the_guest_boots_as_a_whole_where_memory_is_offline),
	KUNIT_CASE(what_is_offline_does_not_hibernate),
	KUNIT_CASE(the_guest_boots_as_a_whole_where_memory_is_coming),
	KUNIT_CASE(the_guest_boots_as_a_whole_where_memory_was_offline_at_loading),
	KUNIT_CASE(another_kernel_boots_where_what_is_offline_has_memory),
	KUNIT_CASE(what_is_online_again_is_the_guests_wherever_the_target_is),
	KUNIT_CASE(memory_that_is_offline_is_named_where_it_is_known_which),
	KUNIT_CASE(a_kernel_that_takes_what_is_online_for_populated_keeps_it_so),
	KUNIT_CASE(the_worker_is_woken_by_memory_that_is_online),
	{}
};

static struct kunit_suite blocks_suite = {
	.name = "blocks",
	.init = blocks_init,
	.exit = sim_exit,
	.test_cases = blocks_cases,
};

kunit_test_suite(blocks_suite);
