/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of oom.c: what a guest that is out of memory gets, and for how long.
 */
#include "step.h"

#define MORE	H(8)		/* 16 MiB */

/* Somebody is about to be killed. Returns what the balloon says that it freed. */
static unsigned long run_out(unsigned long freed)
{
	on_oom(&sim.xb->oom.nb, 0, &freed);
	sim_check("after the guest was out of memory");

	return freed;
}

/* 24 MiB are ballooned out, and may come back. */
static int oom_init(struct kunit *test)
{
	step_init(test);
	balloon_out(test, H(12));
	sim.xb->oom.deflates = true;

	return 0;
}

static unsigned long guest(void)
{
	return balloon_figures(&sim.xb->queue).guest;
}

static void a_guest_gets_nothing_beyond_its_target_unless_it_may(struct kunit *test)
{
	sim.xb->oom.deflates = false;
	KUNIT_EXPECT_EQ(test, run_out(0), 0UL);
	KUNIT_EXPECT_EQ(test, guest(), FULL - H(12));
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_POPULATE], 0UL);
}

static void a_guest_gets_16_mib_at_a_time_and_keeps_its_target(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, run_out(0), MORE);
	KUNIT_EXPECT_EQ(test, guest(), FULL - H(4));
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FULL - H(4));
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_pages, FULL - H(12));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_OOM_RELIEVED), MORE);
	KUNIT_EXPECT_TRUE(test, said("more than its target of 40960 KiB"));

	/* That is said once. */
	KUNIT_EXPECT_EQ(test, run_out(0), H(4));
	KUNIT_EXPECT_EQ(test, sim.nr_said, 1U);
	KUNIT_EXPECT_EQ(test, run_out(0), 0UL);
}

static void it_keeps_that_for_10_s_and_gives_it_back(struct kunit *test)
{
	u64 start;

	run_out(0);
	start = sim.now;
	while (sim.now < start + 10 * NSEC_PER_SEC) {
		KUNIT_EXPECT_EQ(test, guest(), FULL - H(4));
		sim_turn();
	}
	KUNIT_EXPECT_LE(test, sim.now, start + 15 * NSEC_PER_SEC);
	sim_settle(50);
	KUNIT_EXPECT_EQ(test, guest(), FULL - H(12));
	KUNIT_EXPECT_EQ(test, sim.xb->target.relieved, 0UL);
}

static void the_10_s_begin_when_it_was_short_last(struct kunit *test)
{
	run_out(0);
	sim.now += 10 * NSEC_PER_SEC - 1;
	run_out(0);
	sim.now += 10 * NSEC_PER_SEC - 1;
	sim_turn();
	KUNIT_EXPECT_EQ(test, guest(), FULL);
}

/* It has no more to give than is available. */
static void it_keeps_what_is_in_use_for_as_long_as_that_is_so(struct kunit *test)
{
	run_out(0);
	sim_programs_take(sim.nr_free);
	sim.now += 10 * NSEC_PER_SEC;
	sim_settle(50);
	KUNIT_EXPECT_EQ(test, guest(), FULL - H(4));

	sim_programs_drop(FULL);
	sim_settle(50);
	KUNIT_EXPECT_EQ(test, guest(), FULL - H(12));
}

static void another_target_is_the_last_word(struct kunit *test)
{
	run_out(0);
	sim_target(FULL - H(11));
	sim_settle(50);
	KUNIT_EXPECT_EQ(test, guest(), FULL - H(11));
}

static void what_is_on_its_way_comes_at_once_and_goes_no_further(struct kunit *test)
{
	sim.xb->oom.deflates = false;
	sim_target(FULL - H(12) + 700);
	mutex_lock(&sim.xb->step_lock);
	sim.xb->kernel->follow(sim.xb);
	mutex_unlock(&sim.xb->step_lock);

	KUNIT_EXPECT_EQ(test, run_out(0), 700UL);
	KUNIT_EXPECT_EQ(test, run_out(0), 0UL);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);
}

struct limit_case {
	const char *name;
	long dynamic_max;		/* beyond what Xen counts */
	long max_pages;			/* the same */
	unsigned long got;
};

static const struct limit_case limit_cases[] = {
	{ "nothing above", 1000000, 1000000, MORE },
	{ "the toolstack's", 100, 1000000, 100 },
	{ "the toolstack's, reached", 0, 1000000, 0 },
	{ "the toolstack's, passed", -5, 1000000, 0 },
	{ "Xen's", 1000000, 600, 600 },
	{ "Xen's, reached", 1000000, 0, 0 },
};

STEP_PARAMS(limit);

static void it_gets_no_more_than_is_allowed(struct kunit *test)
{
	const struct limit_case *c = test->param_value;

	sim.xb->target.dynamic_max = sim.tot_pages + c->dynamic_max;
	sim.max_pages = sim.tot_pages + c->max_pages;
	KUNIT_EXPECT_EQ(test, run_out(0), c->got);
	KUNIT_EXPECT_EQ(test, guest(), FULL - H(12) + c->got);
	KUNIT_EXPECT_EQ(test, sim.nr_said, !!c->got);
}

static void a_toolstack_whose_limit_cannot_be_read_allows_nothing(struct kunit *test)
{
	sim.xb->target.dynamic_max = 0;
	KUNIT_EXPECT_EQ(test, run_out(0), 0UL);
}

static void nothing_comes_where_xen_has_nothing(struct kunit *test)
{
	sim_fail(SIM_POPULATE, 1, 1000, 0);
	KUNIT_EXPECT_EQ(test, run_out(0), 0UL);
	KUNIT_EXPECT_EQ(test, guest(), FULL - H(12));
	KUNIT_EXPECT_EQ(test, sim.xb->target.relieved, 0UL);
}

static void nothing_comes_where_others_had_some(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, run_out(5), 5UL);
	KUNIT_EXPECT_EQ(test, guest(), FULL - H(12));
}

static void nothing_comes_in_a_domain_that_is_not_known_yet(struct kunit *test)
{
	sim.xb->resumed = true;
	KUNIT_EXPECT_EQ(test, run_out(0), 0UL);
	sim.xb->resumed = false;
}

static void end_step(void)
{
	mutex_unlock(&sim.xb->step_lock);
}

static void a_step_that_is_under_way_is_waited_for(struct kunit *test)
{
	mutex_lock(&sim.xb->step_lock);
	sim.meanwhile = end_step;
	KUNIT_EXPECT_EQ(test, run_out(0), MORE);
}

static void a_step_is_not_waited_for_longer_than_a_second(struct kunit *test)
{
	unsigned long freed = 0;
	u64 start = sim.now;

	mutex_lock(&sim.xb->step_lock);
	on_oom(&sim.xb->oom.nb, 0, &freed);
	mutex_unlock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, freed, 0UL);
	KUNIT_EXPECT_EQ(test, sim.now - start, (u64)NSEC_PER_SEC);
}

static void end_some(void)
{
	sim.meanwhile = NULL;
	KUNIT_EXPECT_EQ(sim.test, balloon_deflate(sim.xb, 100), 100UL);
	sim.xb->kernel->publish(sim.xb);
}

/* It takes the lock again and again, as long as it is at it. */
static void what_the_worker_gave_meanwhile_is_enough(struct kunit *test)
{
	unsigned long freed = 0;
	u64 start = sim.now;

	mutex_lock(&sim.xb->step_lock);
	sim.meanwhile = end_some;
	on_oom(&sim.xb->oom.nb, 0, &freed);
	mutex_unlock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, freed, 100UL);
	KUNIT_EXPECT_LT(test, sim.now - start, (u64)NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, guest(), FULL - H(12) + 100);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_OOM_RELIEVED), 0UL);
}

static void what_was_held_back_is_free_again(struct kunit *test)
{
	struct balloon_alloc *a = &sim.xb->alloc;
	unsigned long nr_free = sim.nr_free;

	list_add(&sim_get_page(SIM_DRIVER)->lru, &a->held);
	a->nr_held = 1;
	sim.xb->oom.deflates = false;
	KUNIT_EXPECT_EQ(test, run_out(0), 1UL);
	KUNIT_EXPECT_EQ(test, a->nr_held, 0U);
	KUNIT_EXPECT_EQ(test, sim.nr_free, nr_free);
}

/* Who is out of memory may be a filesystem, or a disk's driver, with locks of its own. */
static void nothing_is_written_to_a_disk_for_it(struct kunit *test)
{
	sim.xb->target.dynamic_max = sim.tot_pages + 100;
	KUNIT_EXPECT_EQ(test, run_out(0), 100UL);
	KUNIT_EXPECT_GT(test, sim.calls[SIM_KZALLOC], 0UL);
	KUNIT_EXPECT_FALSE(test, !!(sim.gfp & (__GFP_IO | __GFP_FS)));
	KUNIT_EXPECT_FALSE(test, current->flags & PF_MEMALLOC_NOIO);
}

/* Its owner may wait for memory itself, with a lock that it needs. */
static void nothing_is_asked_of_the_in_tree_driver(struct kunit *test)
{
	sim_target(FULL);
	sim_settle(50);
	sim_intree_take(200);
	mutex_lock(&sim.xb->step_lock);
	sim.xb->kernel->follow(sim.xb);
	mutex_unlock(&sim.xb->step_lock);
	memset(sim.calls, 0, sizeof(sim.calls));
	KUNIT_EXPECT_EQ(test, run_out(0), 0UL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_INTREE], 0UL);
}

static struct kunit_case oom_cases[] = {
	KUNIT_CASE(a_guest_gets_nothing_beyond_its_target_unless_it_may),
	KUNIT_CASE(a_guest_gets_16_mib_at_a_time_and_keeps_its_target),
	KUNIT_CASE(it_keeps_that_for_10_s_and_gives_it_back),
	KUNIT_CASE(the_10_s_begin_when_it_was_short_last),
	KUNIT_CASE(it_keeps_what_is_in_use_for_as_long_as_that_is_so),
	KUNIT_CASE(another_target_is_the_last_word),
	KUNIT_CASE(what_is_on_its_way_comes_at_once_and_goes_no_further),
	KUNIT_CASE_PARAM(it_gets_no_more_than_is_allowed, limit_gen_params),
	KUNIT_CASE(a_toolstack_whose_limit_cannot_be_read_allows_nothing),
	KUNIT_CASE(nothing_comes_where_xen_has_nothing),
	KUNIT_CASE(nothing_comes_where_others_had_some),
	KUNIT_CASE(nothing_comes_in_a_domain_that_is_not_known_yet),
	KUNIT_CASE(a_step_that_is_under_way_is_waited_for),
	KUNIT_CASE(a_step_is_not_waited_for_longer_than_a_second),
	KUNIT_CASE(what_the_worker_gave_meanwhile_is_enough),
	KUNIT_CASE(what_was_held_back_is_free_again),
	KUNIT_CASE(nothing_is_written_to_a_disk_for_it),
	KUNIT_CASE(nothing_is_asked_of_the_in_tree_driver),
	{}
};

static struct kunit_suite oom_suite = {
	.name = "oom",
	.init = oom_init,
	.exit = sim_exit,
	.test_cases = oom_cases,
};

kunit_test_suite(oom_suite);
