/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of ending.c: what the guest has when the next kernel begins, or this one goes on
 * in a domain that was built anew.
 */
#include "step.h"

/* Also base pages, and some that are kept to be lent. */
static int ending_init(struct kunit *test)
{
	step_init(test);
	balloon_out(test, H(9) + 100);

	return 0;
}

/* This kernel is about to end. Tests go on as if it was not. */
static void end_by(unsigned long action, const char *command)
{
	sim.xb->reboot.notifier_call(&sim.xb->reboot, action, (void *)command);
	sim_check("after this kernel was told that it ends");
}

static void all_comes_back_before_the_next_kernel_begins(struct kunit *test)
{
	end_by(SYS_RESTART, "kexec reboot");
	expect_figures(test, FULL, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.restarts, 0U);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);
}

static void what_is_kept_to_be_lent_comes_back_too(struct kunit *test)
{
	keep_to_be_lent(H(1));
	sim_turn();
	KUNIT_ASSERT_GT(test, sim.xb->kernel->spare(), 0UL);

	end_by(SYS_RESTART, "kexec reboot");
	expect_figures(test, FULL, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->kernel->spare(), 0UL);
	KUNIT_EXPECT_EQ(test, sim.restarts, 0U);
}

static void nothing_is_given_up_after_that(struct kunit *test)
{
	end_by(SYS_RESTART, "kexec reboot");
	/* A device that is shut down may need it. */
	KUNIT_EXPECT_FALSE(test, mutex_is_locked(&sim.xb->step_lock));
	sim_target(FULL - H(3));
	sim_settle(50);
	expect_figures(test, FULL, 0, 0, 0);
}

static void what_a_new_domain_has_is_seen_to_first(struct kunit *test)
{
	sim.xb->resumed = true;
	end_by(SYS_RESTART, "kexec reboot");
	KUNIT_EXPECT_FALSE(test, sim.xb->resumed);
	expect_figures(test, FULL, 0, 0, 0);
}

static void the_guest_boots_as_a_whole_where_xen_gives_nothing(struct kunit *test)
{
	u64 start = sim.now;

	sim.max_pages = sim.tot_pages + 600;
	end_by(SYS_RESTART, "kexec reboot");
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, FULL - H(9) + 500);
	KUNIT_EXPECT_EQ(test, sim.restarts, 1U);
	KUNIT_EXPECT_TRUE(test, said("found 16432 KiB that do not come back, and 0 KiB"));
	KUNIT_EXPECT_GE(test, sim.now, start + 10 * NSEC_PER_SEC);
	KUNIT_EXPECT_LE(test, sim.now, start + 12 * NSEC_PER_SEC);
}

static void what_xen_gives_late_is_waited_for(struct kunit *test)
{
	sim_fail(SIM_POPULATE, 1, 30, 0);
	end_by(SYS_RESTART, "kexec reboot");
	expect_figures(test, FULL, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.restarts, 0U);
}

static void the_guest_boots_as_a_whole_where_a_page_is_lent(struct kunit *test)
{
	keep_to_be_lent(H(1));
	sim_turn();
	KUNIT_ASSERT_EQ(test, sim_borrow(1), 1U);
	end_by(SYS_RESTART, "kexec reboot");
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, FULL - 1);
	KUNIT_EXPECT_EQ(test, sim.restarts, 1U);
}

struct end_case {
	const char *name;
	unsigned long action;
	const char *command;
};

static const struct end_case end_cases[] = {
	{ "it boots as a whole", SYS_RESTART, NULL },
	{ "it boots as a whole, and says how", SYS_RESTART, "now" },
	{ "it halts", SYS_HALT, NULL },
	{ "it is switched off", SYS_POWER_OFF, NULL },
};

STEP_PARAMS(end);

static void a_guest_that_ends_otherwise_keeps_its_size(struct kunit *test)
{
	const struct end_case *c = test->param_value;

	end_by(c->action, c->command);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, FULL - H(9) - 100);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_POPULATE], 0UL);
}

struct sleep_case {
	const char *name;
	unsigned long before, after;
};

static const struct sleep_case sleep_cases[] = {
	{ "it hibernates", PM_HIBERNATION_PREPARE, PM_POST_HIBERNATION },
	{ "it reads an image", PM_RESTORE_PREPARE, PM_POST_RESTORE },
};

STEP_PARAMS(sleep);

static void what_is_whole_hibernates_and_stays_so_until_it_goes_on(struct kunit *test)
{
	const struct sleep_case *c = test->param_value;

	sim_target(FULL);
	sim_settle(50);
	KUNIT_EXPECT_TRUE(test, sim_tell_sleep(c->before));
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);

	sim_target(FULL - H(3));
	sim_settle(50);
	expect_figures(test, FULL, 0, 0, 0);

	KUNIT_EXPECT_TRUE(test, sim_tell_sleep(c->after));
	sim_settle(50);
	expect_figures(test, FULL - H(3), 3, 0, 0);
}

static void what_is_ballooned_out_does_not_hibernate(struct kunit *test)
{
	const struct sleep_case *c = test->param_value;

	KUNIT_EXPECT_FALSE(test, sim_tell_sleep(c->before));
	KUNIT_EXPECT_TRUE(test, said("found 18832 KiB ballooned out, lent or out of use"));

	/* Nothing is put off. */
	sim_target(FULL);
	sim_settle(50);
	expect_figures(test, FULL, 0, 0, 0);
}

static void what_is_lent_does_not_hibernate(struct kunit *test)
{
	keep_to_be_lent(H(1));
	sim_turn();
	KUNIT_ASSERT_EQ(test, sim_borrow(1), 1U);
	keep_to_be_lent(0);
	sim_target(FULL - 1);
	sim_settle(50);
	expect_figures(test, FULL - 1, 0, 0, 0);

	KUNIT_EXPECT_FALSE(test, sim_tell_sleep(PM_HIBERNATION_PREPARE));
	KUNIT_EXPECT_TRUE(test, said("found 4 KiB ballooned out, lent or out of use, and 0 KiB"));
}

static struct kunit_case ending_cases[] = {
	KUNIT_CASE(all_comes_back_before_the_next_kernel_begins),
	KUNIT_CASE(what_is_kept_to_be_lent_comes_back_too),
	KUNIT_CASE(nothing_is_given_up_after_that),
	KUNIT_CASE(what_a_new_domain_has_is_seen_to_first),
	KUNIT_CASE(the_guest_boots_as_a_whole_where_xen_gives_nothing),
	KUNIT_CASE(what_xen_gives_late_is_waited_for),
	KUNIT_CASE(the_guest_boots_as_a_whole_where_a_page_is_lent),
	KUNIT_CASE_PARAM(what_is_whole_hibernates_and_stays_so_until_it_goes_on, sleep_gen_params),
	KUNIT_CASE_PARAM(what_is_ballooned_out_does_not_hibernate, sleep_gen_params),
	KUNIT_CASE(what_is_lent_does_not_hibernate),
	KUNIT_CASE_PARAM(a_guest_that_ends_otherwise_keeps_its_size, end_gen_params),
	{}
};

static struct kunit_suite ending_suite = {
	.name = "ending",
	.init = ending_init,
	.exit = sim_exit,
	.test_cases = ending_cases,
};

kunit_test_suite(ending_suite);
