// SPDX-License-Identifier: GPL-2.0
/*
 * Tests with a bug each, planted for scripts/kunit/planted.py: all of them but
 * the healthy ones have to turn the verdict of a boot red. The parameter `bugs`
 * chooses which run, the others are skipped; those that end a boot need one of
 * their own.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "assert.h"

static char *bugs = "";
module_param(bugs, charp, 0444);
MODULE_PARM_DESC(bugs, "comma-separated names of the tests to run");

static int refuse;
module_param(refuse, int, 0444);
MODULE_PARM_DESC(refuse, "error with which the module refuses to load");

static int zero;
module_param(zero, int, 0444);
MODULE_PARM_DESC(zero, "stays 0, which the compiler cannot know");

/* Skips a test that is not among the chosen. */
static int planted_init(struct kunit *test)
{
	size_t length = strlen(test->name);
	const char *found = bugs;

	while ((found = strstr(found, test->name))) {
		if ((found == bugs || found[-1] == ',') && (!found[length] || found[length] == ','))
			return 0;
		found += length;
	}
	kunit_skip(test, "not chosen");
}

static void healthy(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, test->name, "healthy");
}

/* What is no assertion. */
static void asserts_nothing(struct kunit *test)
{
	KUNIT_SUCCEED(test);
}

static void fails(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 2 + 2 + zero, 5);
}

static const int params[] = { 0, 1, 2 };

static void describe(const int *param, char *text)
{
	sprintf(text, "number %d", *param);
}

KUNIT_ARRAY_PARAM(fails_for_one, params, describe);

static void fails_for_one(struct kunit *test)
{
	KUNIT_EXPECT_NE(test, *(const int *)test->param_value, 1);
}

static void healthy_for_all(struct kunit *test)
{
	KUNIT_EXPECT_NOT_NULL(test, test->param_value);
}

static void warns(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, WARN_ON(!zero));
}

/* Nothing but the taint tells of this. */
static void taints(struct kunit *test)
{
	add_taint(TAINT_CRAP, LOCKDEP_STILL_OK);
	KUNIT_EXPECT_TRUE(test, test_taint(TAINT_CRAP));
}

static void takes_locks_in_two_orders(struct kunit *test)
{
	static DEFINE_MUTEX(first);
	static DEFINE_MUTEX(second);

	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	KUNIT_EXPECT_TRUE(test, mutex_is_locked(&first));
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static void sleeps_in_atomic(struct kunit *test)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	might_sleep();
	spin_unlock(&lock);
	KUNIT_EXPECT_EQ(test, zero, 0);
}

static void shifts_too_far(struct kunit *test)
{
	KUNIT_EXPECT_GE(test, 1 << (zero + 40), 0);
}

static void leaks(struct kunit *test)
{
	int i;

	/* More than one: some word may happen to look like a pointer to it. */
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_PTR_NE(test, kmalloc(100, GFP_KERNEL), NULL);
}

static void *kept;

/* What this leaves is found when the module is gone. */
static void leaves_memory(struct kunit *test)
{
	kept = kmalloc(200, GFP_KERNEL);
	KUNIT_EXPECT_NOT_NULL(test, kept);
}

static void writes_beyond_its_end(struct kunit *test)
{
	char *text = kmalloc(16, GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, text);
	text[16 + zero] = 1;
	kfree(text);
}

static void dereferences_null(struct kunit *test)
{
	int *nowhere = (int *)(long)zero;

	KUNIT_EXPECT_EQ(test, READ_ONCE(*nowhere), 0);
}

static void spins_for_ever(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, zero, 0);
	while (!zero)
		cond_resched();
}

static void reboots(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, zero, 0);
	emergency_restart();
}

/* What may spoil a later one comes late: KASAN's report turns lockdep off. */
static struct kunit_case cases[] = {
	KUNIT_CASE(healthy),
	KUNIT_CASE(asserts_nothing),
	KUNIT_CASE(fails),
	KUNIT_CASE_PARAM(fails_for_one, fails_for_one_gen_params),
	KUNIT_CASE_PARAM(healthy_for_all, fails_for_one_gen_params),
	KUNIT_CASE(warns),
	KUNIT_CASE(taints),
	KUNIT_CASE(takes_locks_in_two_orders),
	KUNIT_CASE(sleeps_in_atomic),
	KUNIT_CASE(shifts_too_far),
	KUNIT_CASE(leaks),
	KUNIT_CASE(leaves_memory),
	KUNIT_CASE(writes_beyond_its_end),
	KUNIT_CASE(dereferences_null),
	KUNIT_CASE(spins_for_ever),
	KUNIT_CASE(reboots),
	{}
};

static struct kunit_suite planted = {
	.name = "planted",
	.init = planted_init,
	.test_cases = cases,
};

static int unready_init(struct kunit_suite *suite)
{
	return strstr(bugs, "unready") ? -ENODEV : 0;
}

static struct kunit_case unready_cases[] = {
	KUNIT_CASE(healthy),
	{}
};

/* Where it is chosen, it does not begin. */
static struct kunit_suite unready = {
	.name = "unready",
	.suite_init = unready_init,
	.init = planted_init,
	.test_cases = unready_cases,
};

kunit_test_suites(&planted, &unready);

static int __init planted_load(void)
{
	return refuse;
}
module_init(planted_load);

static void __exit planted_unload(void)
{
}
module_exit(planted_unload);

MODULE_DESCRIPTION("Bugs for the runner of KUnit tests to catch");
MODULE_LICENSE("GPL");
