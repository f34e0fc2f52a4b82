/* SPDX-License-Identifier: GPL-2.0 */
#include "assert.h"

static const struct version_case {
	const char *name;
	unsigned int major, minor;
	const char *extra;
	bool logs;
} version_params[] = {
	{ "4.17.7", 4, 17, ".7", false },
	{ "4.18.6", 4, 18, ".6", false },
	{ "4.19.4", 4, 19, ".4", false },
	{ "4.19.5", 4, 19, ".5", true },
	{ "4.19.5 in the making", 4, 19, ".5-pre", false },
	{ "4.19.6 in the making", 4, 19, ".6-pre", true },
	{ "4.19.5 of a vendor", 4, 19, ".5-xs8", false },
	{ "4.20.2", 4, 20, ".2", false },
	{ "4.20.3", 4, 20, ".3", true },
	{ "4.20.10", 4, 20, ".10", true },
	{ "4.21.0", 4, 21, ".0", false },
	{ "4.21.1", 4, 21, ".1", true },
	{ "4.21.1, its first candidate", 4, 21, ".1-rc1", false },
	{ "4.22 in the making", 4, 22, "-unstable", false },
	{ "4.22.0, its first candidate", 4, 22, ".0-rc1", false },
	{ "4.22.0", 4, 22, ".0", true },
	{ "4.23 in the making", 4, 23, "-unstable", true },
	{ "5.0", 5, 0, ".0", true },
	{ "3.4", 3, 4, ".4", false },
	{ "4.20, the rest is not told", 4, 20, "<denied>", false },
	{ "4.20 with nothing", 4, 20, "", false },
	{ "4.20 with a dot", 4, 20, ".", false },
	{ "4.20 with a sign", 4, 20, ".-5", false },
	{ "4.20 with more than fits", 4, 20, ".4294967305", true },
};

KUNIT_ARRAY_PARAM(version, version_params, NULL);

static void only_a_release_known_to_be_mended_needs_no_marking(struct kunit *test)
{
	const struct version_case *c = test->param_value;

	KUNIT_EXPECT_EQ_MSG(test, logs_populated(c->major, c->minor, c->extra), c->logs, "%s",
			    c->name);
}

static struct kunit_case dirty_cases[] = {
	KUNIT_CASE_PARAM(only_a_release_known_to_be_mended_needs_no_marking, version_gen_params),
	{}
};

static struct kunit_suite dirty_suite = {
	.name = "dirty",
	.test_cases = dirty_cases,
};

kunit_test_suite(dirty_suite);
