/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of reservation.c: whatever Xen takes, gives or counts, each page ends
 * up in a queue or with the guest.
 */
#include "step.h"

/* How much may come back */

struct headroom_case {
	const char *name;
	enum sim_op fault;
	long below_max;
	unsigned long headroom;
};

static const struct headroom_case headroom_cases[] = {
	{ "at the maximum", SIM_NR_OPS, 0, 0 },
	{ "a page below", SIM_NR_OPS, 1, 1 },
	{ "700 pages below", SIM_NR_OPS, 700, 700 },
	{ "above the maximum", SIM_NR_OPS, -1, 0 },
	{ "count unknown", SIM_CURRENT, 5, ULONG_MAX },
	{ "maximum unknown", SIM_MAXIMUM, 5, ULONG_MAX },
};

STEP_PARAMS(headroom);

static void headroom_is_what_xens_limit_leaves(struct kunit *test)
{
	const struct headroom_case *c = test->param_value;

	sim.max_pages = sim.tot_pages + c->below_max;
	if (c->fault != SIM_NR_OPS)
		sim_fail(c->fault, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, balloon_headroom(sim.xb), c->headroom);
}

static void headroom_is_there_when_xen_counts_nothing(struct kunit *test)
{
	unsigned long tot_pages = sim.tot_pages, max_pages = sim.max_pages;

	sim.tot_pages = 0;
	sim.max_pages = 0;
	KUNIT_EXPECT_EQ(test, balloon_headroom(sim.xb), 0UL);
	sim.max_pages = 9;
	KUNIT_EXPECT_EQ(test, balloon_headroom(sim.xb), 9UL);
	sim.tot_pages = tot_pages;
	sim.max_pages = max_pages;
}

static void a_guest_is_over_its_limit_unless_xen_denies_it(struct kunit *test)
{
	sim.max_pages = sim.tot_pages;
	KUNIT_EXPECT_FALSE(test, balloon_over_limit(sim.xb));
	sim.max_pages--;
	KUNIT_EXPECT_TRUE(test, balloon_over_limit(sim.xb));
	sim.max_pages = 0;
	KUNIT_EXPECT_TRUE(test, balloon_over_limit(sim.xb));
	sim.max_pages = sim.tot_pages;
	sim_fail(SIM_MAXIMUM, 1, 1, 0);
	KUNIT_EXPECT_TRUE(test, balloon_over_limit(sim.xb));
	sim_fail(SIM_CURRENT, 1, 1, 0);
	KUNIT_EXPECT_TRUE(test, balloon_over_limit(sim.xb));
	KUNIT_EXPECT_FALSE(test, balloon_over_limit(sim.xb));
}

/* Giving pages to Xen */

struct release_case {
	const char *name;
	unsigned int order;
	unsigned int nr;
	unsigned int done;
	unsigned int partial;
	bool deaf;			/* Xen does not tell its count after it */
	unsigned int quarantined;	/* pages */
	unsigned int left;		/* of which Xen goes on counting */
};

static const struct release_case release_cases[] = {
	{ "all base pages", 0, 10, 10 },
	{ "some base pages", 0, 10, 3 },
	{ "no base page", 0, 10, 0 },
	{ "all but one", 0, 10, 9 },
	{ "a base page in doubt", 0, 10, 3, 1, false, 1, 0 },
	{ "the first in doubt", 0, 10, 0, 1, false, 1, 0 },
	{ "the last in doubt", 0, 10, 9, 1, false, 1, 0 },
	{ "base pages, by asking for each", 0, 10, 3, 0, true, 0, 0 },
	{ "one gone, by asking for each", 0, 10, 3, 1, true, 1, 0 },
	{ "all huge pages", 9, 4, 4 },
	{ "some huge pages", 9, 4, 2 },
	{ "no huge page", 9, 4, 0 },
	{ "a page of a huge page gone", 9, 4, 2, 1, false, 512, 511 },
	{ "a part of a huge page gone", 9, 4, 0, 100, false, 512, 412 },
	{ "a huge page gone", 9, 4, 3, 512, false, 512, 0 },
	{ "huge pages, by asking for each", 9, 4, 1, 0, true, 0, 0 },
	{ "part gone, by asking for each", 9, 4, 1, 511, true, 512, 1 },
};

STEP_PARAMS(release);

static unsigned long alloc_and_release(struct kunit *test, const struct release_case *c,
				       struct page **pages)
{
	unsigned int nr = c->order ? balloon_alloc_huge(sim.xb, c->nr, NUMA_NO_NODE) :
				     balloon_alloc_base(sim.xb, c->nr, NUMA_NO_NODE);

	KUNIT_ASSERT_EQ(test, nr, c->nr);
	memcpy(pages, sim.xb->pages, nr * sizeof(*pages));
	return balloon_release(sim.xb, nr, c->order);
}

static void what_xen_does_not_take_is_the_guests_but_for_one_in_doubt(struct kunit *test)
{
	const struct release_case *c = test->param_value;
	unsigned long given = c->done << c->order;
	struct page *pages[10];
	unsigned int i;
	char pfn[40];

	sim_fail(SIM_RELEASE, 1, 1, c->done);
	sim.fault[SIM_RELEASE].partial = c->partial;
	if (c->deaf)
		sim_fail(SIM_CURRENT, 1, 3, 0);
	KUNIT_EXPECT_EQ(test, IN_STEP(alloc_and_release(test, c, pages)), given);

	expect_released(test, 1, c->done, given);
	expect_figures(test, FULL - given - c->quarantined, c->order ? c->done : 0,
		       c->order ? 0 : c->done, c->quarantined);
	for (i = 0; i < c->nr; i++)
		KUNIT_EXPECT_EQ(test, !!PageOffline(pages[i]),
				i < c->done || (i == c->done && c->quarantined));

	/* What Xen goes on counting is none of the guest's. */
	KUNIT_EXPECT_TRUE(test, sim.xb->offset_known);
	KUNIT_EXPECT_EQ(test, sim.xb->offset, EXTRA + c->left);
	KUNIT_EXPECT_EQ(test, sim.nr_said, !!c->quarantined);
	if (c->quarantined) {
		snprintf(pfn, sizeof(pfn), "pfn 0x%lx of order %u", page_to_pfn(pages[c->done]),
			 c->order);
		KUNIT_EXPECT_TRUE(test, said(pfn));
		KUNIT_EXPECT_TRUE(test, said(c->order ? " 2048 KiB" : " 4 KiB"));
	}
	sim_check("after the release");
}

/* As it is in a guest that was booted with populate-on-demand. */
static void xen_is_asked_of_all_pages_while_the_offset_is_unknown(struct kunit *test)
{
	const struct release_case c = { .order = 9, .nr = 3, .done = 1 };
	struct page *pages[3];

	sim.xb->offset_known = false;
	sim_fail(SIM_RELEASE, 1, 1, c.done);
	KUNIT_EXPECT_EQ(test, IN_STEP(alloc_and_release(test, &c, pages)), 512UL);
	expect_figures(test, FULL - H(1), 1, 0, 0);

	sim.xb->offset_known = false;
	sim_fail(SIM_RELEASE, 1, 1, c.done);
	sim_fail(SIM_POPULATED, 512, 1, 0);
	KUNIT_EXPECT_EQ(test, IN_STEP(alloc_and_release(test, &c, pages)), 512UL);
	expect_figures(test, FULL - H(3), 2, 0, 512);
}

static void a_page_in_doubt_does_not_pass_for_drift(struct kunit *test)
{
	const struct release_case c = { .order = 9, .nr = 2, .done = 1 };
	struct page *pages[2];
	unsigned int i;

	sim_fail(SIM_RELEASE, 1, 1, c.done);
	sim.fault[SIM_RELEASE].partial = 100;
	sim_fail(SIM_CURRENT, 1, 4, 0);
	IN_STEP(alloc_and_release(test, &c, pages));
	KUNIT_EXPECT_FALSE(test, sim.xb->offset_known);

	sim_target(FULL - H(2));
	for (i = 0; i < 5; i++)
		sim_turn();
	KUNIT_EXPECT_EQ(test, sim.xb->offset, EXTRA + 412);
	expect_figures(test, FULL - H(2), 1, 0, 512);
}

/* Getting pages from Xen */

struct populate_case {
	const char *name;
	unsigned int order;
	unsigned int nr;
	unsigned int done;
};

static const struct populate_case populate_cases[] = {
	{ "all base pages", 0, 10, 10 },
	{ "some base pages", 0, 10, 4 },
	{ "no base page", 0, 10, 0 },
	{ "all huge pages", 9, 3, 3 },
	{ "some huge pages", 9, 3, 1 },
	{ "no huge page", 9, 3, 0 },
};

STEP_PARAMS(populate);

static unsigned long dequeue_and_populate(struct kunit *test, const struct populate_case *c)
{
	struct balloon_queue *q = &sim.xb->queue;
	unsigned int nr = c->order ? balloon_dequeue_huge(q, sim.xb->pages, c->nr, NUMA_NO_NODE) :
				     balloon_dequeue_base(q, sim.xb->pages, c->nr, NUMA_NO_NODE);

	KUNIT_ASSERT_EQ(test, nr, c->nr);
	return balloon_populate(sim.xb, nr, c->order, false);
}

static void what_xen_does_not_populate_is_queued_again(struct kunit *test)
{
	const struct populate_case *c = test->param_value;
	unsigned long got = c->done << c->order;

	balloon_out(test, H(3) + 20);
	sim_fail(SIM_POPULATE, 1, 1, c->done);
	KUNIT_EXPECT_EQ(test, IN_STEP(dequeue_and_populate(test, c)), got);

	expect_populated(test, 1, c->done, got, !c->done);
	expect_figures(test, FULL - H(3) - 20 + got, c->order ? 3 - c->done : 3,
		       c->order ? 20 : 20 - c->done, 0);
	sim_check("after populating");
}

struct part_case {
	const char *name;
	unsigned int want;
	unsigned int done;
};

static const struct part_case part_cases[] = {
	{ "all that is wanted", 77, 77 },
	{ "one page", 1, 1 },
	{ "some of it", 77, 30 },
	{ "all but one", 511, 511 },
	{ "all of the huge page", 512, 512 },
};

STEP_PARAMS(part);

static void a_part_of_a_huge_page_comes_back(struct kunit *test)
{
	const struct part_case *c = test->param_value;

	balloon_out(test, H(2));
	sim_fail(SIM_POPULATE, 1, 1, c->done);
	KUNIT_EXPECT_EQ(test, IN_STEP(balloon_populate_part(sim.xb, c->want, NUMA_NO_NODE)),
			(unsigned long)c->done);

	expect_populated(test, 1, c->done, c->done, 0);
	expect_figures(test, FULL - H(2) + c->done, 1, 512 - c->done, 0);
	sim_check("after populating a part");
}

static void the_last_huge_page_stays_whole_when_xen_gives_nothing(struct kunit *test)
{
	struct page *page;

	balloon_out(test, H(1));
	sim_fail(SIM_POPULATE, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, IN_STEP(balloon_populate_part(sim.xb, 77, NUMA_NO_NODE)), 0UL);

	expect_populated(test, 1, 0, 0, 1);
	expect_figures(test, FULL - H(1), 1, 0, 0);
	page = list_first_entry(&sim.xb->queue.nodes[0].huge, struct page, lru);
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	KUNIT_EXPECT_EQ(test, page_count(page + 1), 0);
	KUNIT_EXPECT_EQ(test, page_count(page + 511), 0);
}

static void a_huge_page_that_cannot_be_broken_up_stays(struct kunit *test)
{
	balloon_out(test, H(1));
	kfree(sim.xb->queue.regions.spare);
	sim.xb->queue.regions.spare = NULL;
	sim_fail(SIM_KZALLOC, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, IN_STEP(balloon_populate_part(sim.xb, 77, NUMA_NO_NODE)), 0UL);

	expect_populated(test, 0, 0, 0, 0);
	expect_figures(test, FULL - H(1), 1, 0, 0);
}

/* The sum, and Xen's count */

static void the_sum_has_all_states_and_all_foreign_pages(struct kunit *test)
{
	unsigned long sum = balloon_sum(sim.xb);
	struct balloon_figures *n = &sim.xb->queue.n;

	KUNIT_EXPECT_EQ(test, sum, FULL);
	sim_build(test, &(struct sim_config){ .regions = 1, .lenient = true });
	*n = (struct balloon_figures){ 1, 1, 10, 100, 1000 };
	sim_balloon_stats.balloon_low = 10000;
	sim_balloon_stats.target_unpopulated = 100007;
	sim.xb->intree.adopted = 7;
	KUNIT_EXPECT_EQ(test, balloon_sum(sim.xb), 111111UL + 512);
}

struct offset_case {
	const char *name;
	bool known;
	long change;
	long offset;
	bool known_then;
};

static const struct offset_case offset_cases[] = {
	{ "became known", false, -7, EXTRA - 7, true },
	{ "just known", false, -256 - EXTRA, -256, true },
	{ "still unknown", false, -257 - EXTRA, -257, false },
	{ "known, drift of one look", true, 5, EXTRA, true },
};

STEP_PARAMS(offset);

static void the_offset_is_taken_while_it_is_unknown(struct kunit *test)
{
	const struct offset_case *c = test->param_value;

	sim.xb->offset_known = c->known;
	sim.xb->drift = 3;
	sim.tot_pages += c->change;
	check_current();
	sim.tot_pages -= c->change;

	KUNIT_EXPECT_EQ(test, sim.xb->offset, c->offset);
	KUNIT_EXPECT_EQ(test, sim.xb->offset_known, c->known_then);
	KUNIT_EXPECT_EQ(test, sim.xb->drift, c->known ? c->change : 0);
	expect_figures(test, FULL, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);
}

static void nothing_is_taken_from_a_count_that_xen_does_not_tell(struct kunit *test)
{
	sim.xb->offset_known = false;
	sim.xb->drift = 3;
	sim_fail(SIM_CURRENT, 1, 1, 0);
	check_current();
	KUNIT_EXPECT_FALSE(test, sim.xb->offset_known);
	KUNIT_EXPECT_EQ(test, sim.xb->offset, EXTRA);
	KUNIT_EXPECT_EQ(test, sim.xb->drift, 3L);
	sim.xb->offset_known = true;
	sim.xb->drift = 0;
}

static void a_count_of_zero_is_a_count(struct kunit *test)
{
	unsigned long tot_pages = sim.tot_pages;

	sim.tot_pages = 0;
	check_current();
	sim.tot_pages = tot_pages;
	KUNIT_EXPECT_EQ(test, sim.xb->drift, -(long)FULL - EXTRA);
}

/* An update of the in-tree driver's was lost: we are wrong by so much. */
static void lose(long pages)
{
	balloon_correct_guest(&sim.xb->queue, -pages);
}

struct drift_case {
	const char *name;
	long lost;
	const char *said;
};

static const struct drift_case drift_cases[] = {
	{ "Xen counts more", 7, "28 KiB more" },
	{ "Xen counts less", -7, "28 KiB less" },
};

STEP_PARAMS(drift);

static void drift_counts_after_it_lasted_a_second(struct kunit *test)
{
	const struct drift_case *c = test->param_value;

	sim.now = 5 * NSEC_PER_SEC;
	lose(c->lost);
	check_current();
	KUNIT_EXPECT_EQ(test, sim.xb->drift, c->lost);
	KUNIT_EXPECT_EQ(test, sim.xb->drift_since, 5 * NSEC_PER_SEC);

	sim.now += NSEC_PER_SEC;
	check_current();
	expect_figures(test, FULL - c->lost, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);

	sim.now += 1;
	check_current();
	expect_figures(test, FULL, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);
	KUNIT_EXPECT_EQ(test, sim.xb->drift, 0L);
	KUNIT_EXPECT_EQ(test, sim.xb->offset, EXTRA);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 1U);
	KUNIT_EXPECT_TRUE(test, said(c->said));
}

static void drift_that_changes_has_its_second_anew(struct kunit *test)
{
	lose(7);
	check_current();
	sim.now += NSEC_PER_SEC;
	lose(1);
	check_current();
	sim.now += NSEC_PER_SEC;
	check_current();
	expect_figures(test, FULL - 8, 0, 0, 0);
	sim.now += 1;
	check_current();
	expect_figures(test, FULL, 0, 0, 0);
}

static void drift_that_passes_is_none(struct kunit *test)
{
	lose(7);
	check_current();
	sim.now += NSEC_PER_SEC / 2;
	lose(-7);
	check_current();
	KUNIT_EXPECT_EQ(test, sim.xb->drift, 0L);
	sim.now += 10 * NSEC_PER_SEC;
	check_current();
	expect_figures(test, FULL, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 0U);
}

static void what_others_add_to_the_domain_is_none_of_the_guests(struct kunit *test)
{
	const struct drift_case *c = test->param_value;

	/* A ROM for a device, or a page that dom0 holds on to. */
	sim.tot_pages += c->lost;
	check_current();
	sim.now += NSEC_PER_SEC + 1;
	check_current();
	expect_figures(test, FULL, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->offset, EXTRA + c->lost);
	KUNIT_EXPECT_EQ(test, sim.xb->drift, 0L);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 1U);
	KUNIT_EXPECT_TRUE(test, said(c->said));

	sim.now += 10 * NSEC_PER_SEC;
	check_current();
	KUNIT_EXPECT_EQ(test, sim.nr_said, 1U);
	sim.tot_pages -= c->lost;
}

static struct kunit_case reservation_cases[] = {
	KUNIT_CASE_PARAM(headroom_is_what_xens_limit_leaves, headroom_gen_params),
	KUNIT_CASE(headroom_is_there_when_xen_counts_nothing),
	KUNIT_CASE(a_guest_is_over_its_limit_unless_xen_denies_it),
	KUNIT_CASE_PARAM(what_xen_does_not_take_is_the_guests_but_for_one_in_doubt,
			 release_gen_params),
	KUNIT_CASE(xen_is_asked_of_all_pages_while_the_offset_is_unknown),
	KUNIT_CASE(a_page_in_doubt_does_not_pass_for_drift),
	KUNIT_CASE_PARAM(what_xen_does_not_populate_is_queued_again, populate_gen_params),
	KUNIT_CASE_PARAM(a_part_of_a_huge_page_comes_back, part_gen_params),
	KUNIT_CASE(the_last_huge_page_stays_whole_when_xen_gives_nothing),
	KUNIT_CASE(a_huge_page_that_cannot_be_broken_up_stays),
	KUNIT_CASE(the_sum_has_all_states_and_all_foreign_pages),
	KUNIT_CASE_PARAM(the_offset_is_taken_while_it_is_unknown, offset_gen_params),
	KUNIT_CASE(nothing_is_taken_from_a_count_that_xen_does_not_tell),
	KUNIT_CASE(a_count_of_zero_is_a_count),
	KUNIT_CASE_PARAM(drift_counts_after_it_lasted_a_second, drift_gen_params),
	KUNIT_CASE(drift_that_changes_has_its_second_anew),
	KUNIT_CASE(drift_that_passes_is_none),
	KUNIT_CASE_PARAM(what_others_add_to_the_domain_is_none_of_the_guests, drift_gen_params),
	{}
};

static struct kunit_suite reservation_suite = {
	.name = "reservation",
	.init = step_init,
	.exit = sim_exit,
	.test_cases = reservation_cases,
};

kunit_test_suite(reservation_suite);
