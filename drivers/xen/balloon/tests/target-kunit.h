/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of target.c. The figures of the queue and the totals are set by
 * hand here, to sizes that no simulated guest has, so the world is a lenient
 * one: nothing adds up in the end.
 */
#include "assert.h"

/* 256 MiB: its floor is 104 MiB. */
#define TOTAL		MB_TO_PAGES(256)
#define FLOOR		MB_TO_PAGES(104)

static int target_init(struct kunit *test)
{
	static const struct sim_config config = { .regions = 1, .lenient = true };

	sim_build(test, &config);
	sim.xb->total = TOTAL;
	sim.xb->queue.n = (struct balloon_figures){ .guest = TOTAL };
	sim.xb->target.wanted = TOTAL;
	sim.xb->target.floor = FLOOR;

	return 0;
}

static bool set_target(unsigned long wanted)
{
	bool ret;

	mutex_lock(&sim.xb->step_lock);
	ret = balloon_target_set(sim.xb, wanted);
	mutex_unlock(&sim.xb->step_lock);

	return ret;
}

static unsigned long get_target(void)
{
	unsigned long target;

	mutex_lock(&sim.xb->step_lock);
	target = balloon_target(sim.xb);
	mutex_unlock(&sim.xb->step_lock);

	return target;
}

/* Was this part of the last message? */
static bool said(const char *text)
{
	return strstr(sim.said, text);
}

struct floor_case {
	const char *name;
	unsigned long total;
	unsigned long floor;
};

static const struct floor_case floor_cases[] = {
	{ "no memory", 0, 0 },
	{ "one page", 1, 1 },
	{ "8 MiB", MB_TO_PAGES(8), MB_TO_PAGES(8) },
	{ "a page below 16 MiB", MB_TO_PAGES(16) - 1, MB_TO_PAGES(16) - 1 },
	{ "16 MiB", MB_TO_PAGES(16), MB_TO_PAGES(16) },
	{ "a page above 16 MiB", MB_TO_PAGES(16) + 1, MB_TO_PAGES(16) },
	{ "two pages above 16 MiB", MB_TO_PAGES(16) + 2, MB_TO_PAGES(16) + 1 },
	{ "24 MiB", MB_TO_PAGES(24), MB_TO_PAGES(20) },
	{ "32 MiB", MB_TO_PAGES(32), MB_TO_PAGES(24) },
	{ "80 MiB", MB_TO_PAGES(80), MB_TO_PAGES(48) },
	{ "128 MiB", MB_TO_PAGES(128), MB_TO_PAGES(72) },
	{ "320 MiB", MB_TO_PAGES(320), MB_TO_PAGES(120) },
	{ "512 MiB", MB_TO_PAGES(512), MB_TO_PAGES(168) },
	{ "1280 MiB", MB_TO_PAGES(1280), MB_TO_PAGES(264) },
	{ "2 GiB", MB_TO_PAGES(2048), MB_TO_PAGES(360) },
	{ "5 GiB", MB_TO_PAGES(5120), MB_TO_PAGES(456) },
	{ "8 GiB", MB_TO_PAGES(8192), MB_TO_PAGES(552) },
	{ "20 GiB", MB_TO_PAGES(20480), MB_TO_PAGES(936) },
	{ "32 GiB", MB_TO_PAGES(32768), MB_TO_PAGES(1320) },
	{ "80 GiB", MB_TO_PAGES(81920), MB_TO_PAGES(2856) },
	{ "128 GiB", MB_TO_PAGES(131072), MB_TO_PAGES(4392) },
	{ "32 pages above 128 GiB", MB_TO_PAGES(131072) + 32, MB_TO_PAGES(4392) + 1 },
	{ "256 GiB", MB_TO_PAGES(262144), MB_TO_PAGES(8488) },
	{ "16 TiB", MB_TO_PAGES(16777216), MB_TO_PAGES(524584) },
	{ "all that x86-64 can address", BIT(52 - PAGE_SHIFT), MB_TO_PAGES(134218024) },
};

static void floor_case_name(const struct floor_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(floor, floor_cases, floor_case_name);

static void floor_is_what_the_table_says(struct kunit *test)
{
	const struct floor_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, balloon_floor(c->total), c->floor);
}

static void a_reserve_that_was_set_is_kept(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, balloon_reserve(sim.xb), TOTAL / 64);
	sim.xb->target.reserve = 77;
	KUNIT_EXPECT_EQ(test, balloon_reserve(sim.xb), 77UL);
	sim.xb->target.reserve = 0;
	KUNIT_EXPECT_EQ(test, balloon_reserve(sim.xb), TOTAL / 64);
}

static void set_target_is_remembered_as_it_is(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, set_target(1));
	KUNIT_EXPECT_EQ(test, sim.xb->target.wanted, 1UL);
	KUNIT_EXPECT_TRUE(test, set_target(BALLOON_MAX_PAGES));
	KUNIT_EXPECT_EQ(test, sim.xb->target.wanted, BALLOON_MAX_PAGES);

	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_TARGETS), 2UL);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);
}

/* A search that rests, and a worker that waits long. */
static void tire(struct xen_balloon *xb)
{
	xb->delay_ms = 2000;
	balloon_contig_search(xb, NUMA_NO_NODE)->again_at = NSEC_PER_SEC;
}

static void new_target_ends_waiting_and_not_the_rest_of_the_search(struct kunit *test)
{
	struct xen_balloon *xb = sim.xb;

	tire(xb);
	KUNIT_EXPECT_TRUE(test, set_target(TOTAL / 2));

	KUNIT_EXPECT_EQ(test, xb->delay_ms, 0U);
	KUNIT_EXPECT_TRUE(test, balloon_contig_rests(xb, NUMA_NO_NODE));
}

static void same_target_again_changes_nothing(struct kunit *test)
{
	struct xen_balloon *xb = sim.xb;

	tire(xb);
	KUNIT_EXPECT_TRUE(test, set_target(TOTAL));

	KUNIT_EXPECT_EQ(test, xb->delay_ms, 2000U);
	KUNIT_EXPECT_EQ(test, balloon_counted(xb, COUNT_TARGETS), 0UL);
}

struct junk_case {
	const char *name;
	unsigned long pages;
	bool target;
	const char *said;
};

static const struct junk_case junk_cases[] = {
	{ "nothing", 0, false, "target of 0 pages ignored" },
	{ "one page", 1, true },
	{ "all that can be addressed", BALLOON_MAX_PAGES, true },
	{ "a page more", BALLOON_MAX_PAGES + 1, false, "target of 1099511627777 pages ignored" },
	{ "less than nothing", -7UL, false, "target of -7 pages ignored" },
	{ "the most negative", BIT(63), false, "target of -9223372036854775808 pages ignored" },
};

static void junk_case_name(const struct junk_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(junk, junk_cases, junk_case_name);

static void nothing_and_more_than_can_be_are_no_targets(struct kunit *test)
{
	const struct junk_case *c = test->param_value;
	struct xen_balloon *xb = sim.xb;

	tire(xb);
	KUNIT_EXPECT_EQ(test, set_target(c->pages), c->target);
	KUNIT_EXPECT_EQ(test, xb->target.wanted, c->target ? c->pages : TOTAL);
	KUNIT_EXPECT_EQ(test, xb->delay_ms, c->target ? 0U : 2000U);
	KUNIT_EXPECT_EQ(test, balloon_counted(xb, COUNT_TARGETS), c->target ? 1UL : 0UL);
	KUNIT_EXPECT_EQ(test, sim.nr_said, c->target ? 0U : 1U);
	if (c->target)
		return;
	KUNIT_EXPECT_TRUE(test, said(c->said));
	KUNIT_EXPECT_TRUE(test, said("staying with 262144 KiB"));
	KUNIT_EXPECT_TRUE(test, said("expected from 4 to 4398046511104 KiB"));
}

struct clamp_case {
	const char *name;
	unsigned long wanted;
	unsigned long target;
};

static const struct clamp_case clamp_cases[] = {
	{ "one page", 1, FLOOR },
	{ "a page below the floor", FLOOR - 1, FLOOR },
	{ "the floor", FLOOR, FLOOR },
	{ "a page above the floor", FLOOR + 1, FLOOR + 1 },
	{ "a page below the ceiling", TOTAL - 1, TOTAL - 1 },
	{ "the ceiling", TOTAL, TOTAL },
	{ "a page above the ceiling", TOTAL + 1, TOTAL },
	{ "all there is, and more", ULONG_MAX, TOTAL },
};

static void clamp_case_name(const struct clamp_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(clamp, clamp_cases, clamp_case_name);

static void target_is_kept_between_floor_and_ceiling(struct kunit *test)
{
	const struct clamp_case *c = test->param_value;
	bool clamped = c->target != c->wanted;

	sim.xb->target.wanted = c->wanted;

	KUNIT_EXPECT_EQ(test, get_target(), c->target);
	KUNIT_EXPECT_EQ(test, sim.xb->target.wanted, c->wanted);
	KUNIT_EXPECT_EQ(test, sim.xb->target.said, clamped ? c->wanted : 0);
	KUNIT_EXPECT_EQ(test, sim.nr_said, clamped ? 1U : 0U);
}

static void target_out_of_range_is_told_once(struct kunit *test)
{
	sim.xb->target.wanted = TOTAL + 256;
	get_target();
	KUNIT_EXPECT_EQ(test, get_target(), TOTAL);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 1U);
	KUNIT_EXPECT_TRUE(test, said("target of 263168 KiB is out of range"));
	KUNIT_EXPECT_TRUE(test, said("going to 262144 KiB"));
	KUNIT_EXPECT_TRUE(test, said("floor 106496 KiB, ceiling 262144 KiB"));
}

static void another_target_out_of_range_is_told_again(struct kunit *test)
{
	sim.xb->target.wanted = TOTAL + 1;
	get_target();
	sim.xb->target.wanted = 1;
	get_target();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 2U);
	KUNIT_EXPECT_EQ(test, sim.xb->target.said, 1UL);
}

static void begin(unsigned long wanted)
{
	mutex_lock(&sim.xb->step_lock);
	balloon_target_begin(sim.xb, wanted);
	mutex_unlock(&sim.xb->step_lock);
}

#define MANY	10000U

static void many_bad_targets_of_one_kind_are_told_of_ten_times(struct kunit *test)
{
	unsigned int i;

	begin(TOTAL);
	for (i = 0; i < MANY; i++)
		set_target(0);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 10U);

	for (i = 0; i < MANY; i++) {
		set_target(1 + i % 2);
		get_target();
	}
	KUNIT_EXPECT_EQ(test, sim.nr_said, 20U);
	KUNIT_EXPECT_TRUE(test, said("target of 8 KiB is out of range"));

	for (i = 0; i < MANY; i++) {
		set_target(TOTAL + 1 + i % 2);
		get_target();
	}
	KUNIT_EXPECT_EQ(test, sim.nr_said, 30U);
}

static void the_bad_target_that_stays_is_told_of_in_the_end(struct kunit *test)
{
	unsigned int i;

	begin(TOTAL);
	for (i = 0; i < 11; i++) {
		set_target(11 - i);
		get_target();
	}
	get_target();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 10U);
	KUNIT_EXPECT_TRUE(test, said("target of 8 KiB is out of range"));

	/* A minute later. */
	sim.xb->target.low.interval = 0;
	get_target();
	get_target();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 11U);
	KUNIT_EXPECT_TRUE(test, said("target of 4 KiB is out of range"));
}

static void ceiling_is_all_that_can_be_had(struct kunit *test)
{
	sim.xb->queue.n = (struct balloon_figures){
		.guest = 60000,
		.huge = 3,
		.base = 500,
		.transit = 20,
		.quarantined = 7,
	};
	sim_balloon_stats.balloon_low = 1000;
	sim_balloon_stats.target_unpopulated = 4000;
	sim.xb->target.wanted = ULONG_MAX;

	KUNIT_EXPECT_EQ(test, get_target(), 60000UL + 3 * 512 + 500 + 20 + 1000);
}

struct begin_case {
	const char *name;
	unsigned long guest;
	unsigned long wanted;
	unsigned long floor;
	unsigned long target;		/* where it is not @wanted */
};

static const struct begin_case begin_cases[] = {
	{ "all of its total", TOTAL, TOTAL, FLOOR },
	{ "a page above the floor", FLOOR + 1, FLOOR + 1, FLOOR },
	{ "a page below the floor", FLOOR - 1, FLOOR - 1, FLOOR - 1 },
	{ "a small part, and to grow", 1000, TOTAL, 1000 },
	{ "on its way below the floor", TOTAL, 1000, 1000 },
	{ "no target", 1000, 0, 1000, 1000 },
	{ "no target, and a large guest", TOTAL, 0, FLOOR, TOTAL },
	{ "less than nothing", TOTAL - 5, -7UL, FLOOR, TOTAL - 5 },
};

static void begin_case_name(const struct begin_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(begin, begin_cases, begin_case_name);

static void floor_is_not_above_what_the_guest_had_or_was_going_to(struct kunit *test)
{
	const struct begin_case *c = test->param_value;

	sim.xb->queue.n = (struct balloon_figures){ .guest = c->guest };
	begin(c->wanted);
	KUNIT_EXPECT_EQ(test, sim.xb->target.floor, c->floor);
	KUNIT_EXPECT_EQ(test, sim.xb->target.wanted, c->target ?: c->wanted);
}

static void floor_does_not_rise_with_the_total(struct kunit *test)
{
	begin(TOTAL);
	sim.xb->total = 2 * TOTAL;
	sim.xb->target.wanted = 1;

	KUNIT_EXPECT_EQ(test, get_target(), FLOOR);
}

static void floor_that_was_lowered_counts(struct kunit *test)
{
	sim.xb->target.wanted = 1;
	sim.xb->target.floor = 1000;

	KUNIT_EXPECT_EQ(test, get_target(), 1000UL);
	KUNIT_EXPECT_TRUE(test, said("floor 4000 KiB"));
}

static void ceiling_below_the_floor_is_the_target(struct kunit *test)
{
	sim.xb->queue.n = (struct balloon_figures){ .guest = FLOOR - 1000, .base = 10 };
	sim.xb->target.wanted = 1;
	KUNIT_EXPECT_EQ(test, get_target(), FLOOR - 990);

	sim.xb->target.wanted = TOTAL;
	KUNIT_EXPECT_EQ(test, get_target(), FLOOR - 990);
}

static void guest_of_16_tib_has_its_target(struct kunit *test)
{
	unsigned long total = MB_TO_PAGES(16777216);

	sim.xb->total = total;
	sim.xb->queue.n = (struct balloon_figures){
		.guest = total - 512 * BIT(20),
		.huge = BIT(20),
	};
	begin(total);

	sim.xb->target.wanted = 1;
	KUNIT_EXPECT_EQ(test, get_target(), MB_TO_PAGES(524584));
	sim.xb->target.wanted = ULONG_MAX;
	KUNIT_EXPECT_EQ(test, get_target(), total);
}

static struct kunit_case target_cases[] = {
	KUNIT_CASE_PARAM(floor_is_what_the_table_says, floor_gen_params),
	KUNIT_CASE(a_reserve_that_was_set_is_kept),
	KUNIT_CASE(set_target_is_remembered_as_it_is),
	KUNIT_CASE(new_target_ends_waiting_and_not_the_rest_of_the_search),
	KUNIT_CASE(same_target_again_changes_nothing),
	KUNIT_CASE_PARAM(nothing_and_more_than_can_be_are_no_targets, junk_gen_params),
	KUNIT_CASE_PARAM(target_is_kept_between_floor_and_ceiling, clamp_gen_params),
	KUNIT_CASE(target_out_of_range_is_told_once),
	KUNIT_CASE(another_target_out_of_range_is_told_again),
	KUNIT_CASE(many_bad_targets_of_one_kind_are_told_of_ten_times),
	KUNIT_CASE(the_bad_target_that_stays_is_told_of_in_the_end),
	KUNIT_CASE(ceiling_is_all_that_can_be_had),
	KUNIT_CASE_PARAM(floor_is_not_above_what_the_guest_had_or_was_going_to, begin_gen_params),
	KUNIT_CASE(floor_does_not_rise_with_the_total),
	KUNIT_CASE(floor_that_was_lowered_counts),
	KUNIT_CASE(ceiling_below_the_floor_is_the_target),
	KUNIT_CASE(guest_of_16_tib_has_its_target),
	{}
};

static struct kunit_suite target_suite = {
	.name = "target",
	.init = target_init,
	.exit = sim_exit,
	.test_cases = target_cases,
};

kunit_test_suite(target_suite);
