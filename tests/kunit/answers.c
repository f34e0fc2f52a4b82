// SPDX-License-Identifier: GPL-2.0
/*
 * That the simulated Xen tells the truth: one script of calls, misuse included,
 * runs on it and, in a guest of a real Xen, on that; the answers are the same.
 * The scenario tests/lab/answers.py loads this into such guests. They are of no
 * use after it: frames have leaked.
 */
#include <linux/mm.h>
#include <xen/features.h>
#include <xen/xen.h>

#include "balloon.h"
#include "sim.h"

/* What the script works on: 4 MiB, side by side. */
#define NR_PAGES	1024U

enum call { RELEASE, POPULATE, MOVE, EXCHANGE };

/* Which kinds of guests can make a call without harm to what comes after. */
#define ANY		0
#define TRANSLATED	1
#define PV		2

/* As many extents as max_pages has room for, and one. */
#define HEADROOM_AND_ONE	0

static const struct line {
	const char *what;
	enum call call;
	unsigned int first, nr, order;
	unsigned int kind;
} script[] = {
	{ "release 2 MiB", RELEASE, 0, 1, 9 },
	{ "populate them", POPULATE, 0, 1, 9 },
	{ "release 2 MiB in base pages", RELEASE, 0, 512, 0 },
	{ "populate them as a whole", POPULATE, 0, 1, 9 },
	{ "release 2 x 2 MiB", RELEASE, 0, 2, 9 },
	{ "populate a part of them in base pages", POPULATE, 0, 500, 0 },
	{ "populate some more", POPULATE, 500, 24, 0 },
	{ "populate the rest of them", POPULATE, 524, 500, 0 },
	{ "release one page", RELEASE, 100, 1, 0 },
	{ "release it again, a hole", RELEASE, 100, 1, 0, TRANSLATED },
	{ "release three pages with the hole in the middle", RELEASE, 99, 3, 0, TRANSLATED },
	{ "populate what that took", POPULATE, 99, 2, 0, TRANSLATED },
	{ "release one page of the second", RELEASE, 612, 1, 0, TRANSLATED },
	{ "release the second with the hole in it", RELEASE, 512, 1, 9, TRANSLATED },
	{ "populate what that took", POPULATE, 512, 101, 0, TRANSLATED },
	{ "release across the two", RELEASE, 256, 512, 0 },
	{ "populate that as one misaligned 2 MiB", POPULATE, 256, 1, 9, TRANSLATED },
	{ "release that as one misaligned 2 MiB", RELEASE, 256, 1, 9, TRANSLATED },
	{ "populate it in base pages", POPULATE, 256, 512, 0 },
	{ "release one page for another", RELEASE, 40, 1, 0 },
	{ "move the memory of a page there", MOVE, 50, 40 },
	{ "populate the page that it came from", POPULATE, 50, 1, 0 },
	{ "release 2 MiB for others", RELEASE, 512, 1, 9 },
	{ "exchange 2 MiB for them", EXCHANGE, 0, 512, 0, PV },
	{ "populate the 2 MiB that were exchanged", POPULATE, 0, 1, 9, PV },
	{ "populate the others", POPULATE, 512, 1, 9, TRANSLATED },
	{ "release order 10", RELEASE, 0, 1, 10, TRANSLATED },
	{ "populate order 10", POPULATE, 0, 1, 10, TRANSLATED },
	{ "populate a populated page", POPULATE, 7, 1, 0 },
	{ "populate it once more", POPULATE, 7, 1, 0 },
	{ "populate populated pages beyond the limit", POPULATE, 0, HEADROOM_AND_ONE, 0 },
	{ "populate one more beyond the limit", POPULATE, 0, 1, 0 },
	{ "populate 2 MiB beyond the limit", POPULATE, 0, 1, 9 },
};

struct answer {
	unsigned int done;
	long grown;
};

static bool is_for(const struct line *line, bool pv)
{
	return line->kind == ANY || line->kind == (pv ? PV : TRANSLATED);
}

/* Make the call of a line, for @nr pages. Returns how many it was done for. */
static unsigned int call(const struct xenmem_ops *ops, const struct line *line,
			 struct page *first, unsigned int nr)
{
	static struct page *pages[XENMEM_MAX_BASE];
	unsigned int j, got;

	/* These two go from the first page of the line to another. */
	if (line->call == MOVE)
		return !ops->move(first + line->first, first + nr);
	if (line->call == EXCHANGE) {
		for (j = 0; j < XENMEM_HUGE_PAGES; j++)
			pages[j] = first + nr + j;
		return ops->exchange(first + line->first, pages, &got) + got;
	}

	for (j = 0; j < nr; j++)
		pages[j] = first + line->first + (j << line->order);
	return line->call == RELEASE ? ops->release(pages, nr, line->order) :
				       ops->populate(pages, nr, line->order, NULL);
}

static void play(const struct xenmem_ops *ops, struct page *first, bool pv,
		 struct answer *answers)
{
	unsigned int i, nr;
	long before;

	for (i = 0; i < ARRAY_SIZE(script); i++) {
		const struct line *line = &script[i];

		if (!is_for(line, pv))
			continue;

		before = ops->current_pages();
		nr = line->nr == HEADROOM_AND_ONE ? ops->maximum_pages() - before + 1 : line->nr;
		answers[i].done = call(ops, line, first, nr);
		answers[i].grown = ops->current_pages() - before;
	}
}

static void play_simulated(struct kunit *test, bool pv, unsigned int headroom,
			   struct answer *answers)
{
	const struct sim_config config = {
		.regions = 64,
		.host_pieces = 32,
		.slack = headroom,
		.pv = pv,
		.lenient = true,
	};

	sim_build(test, &config);
	play(pv ? &sim_pv_ops : &sim_ops, sim_page(0, 0), pv, answers);
}

static void the_simulated_xen_answers_as_the_real_one(struct kunit *test)
{
	bool pv = !xen_feature(XENFEAT_auto_translated_physmap);
	const struct xenmem_ops *real = pv ? &xenmem_pv_ops : &xenmem_translated_ops;
	struct answer simulated[ARRAY_SIZE(script)] = {}, got[ARRAY_SIZE(script)] = {};
	struct page *first;
	unsigned int i;
	long headroom;

	if (!xen_domain() || xen_initial_domain())
		kunit_skip(test, "no guest of a real Xen: make lab KERNEL=base S=answers has some");

	KUNIT_ASSERT_EQ(test, real->init(), 0);
	headroom = real->maximum_pages() - real->current_pages();
	KUNIT_ASSERT_GT(test, headroom, 2);
	KUNIT_ASSERT_LT(test, headroom, (long)XENMEM_MAX_BASE - 1);
	first = alloc_pages(GFP_KERNEL, get_order(NR_PAGES << PAGE_SHIFT));
	KUNIT_ASSERT_NOT_NULL(test, first);

	play(real, first, pv, got);
	real->exit();
	play_simulated(test, pv, headroom, simulated);

	for (i = 0; i < ARRAY_SIZE(script); i++) {
		if (!is_for(&script[i], pv))
			continue;
		kunit_info(test, "%s: %u done, %ld pages more\n", script[i].what,
			   got[i].done, got[i].grown);
		KUNIT_EXPECT_EQ_MSG(test, simulated[i].done, got[i].done, "%s: extents done",
				    script[i].what);
		KUNIT_EXPECT_EQ_MSG(test, simulated[i].grown, got[i].grown, "%s: pages more",
				    script[i].what);
	}
}

static struct kunit_case answers_cases[] = {
	KUNIT_CASE(the_simulated_xen_answers_as_the_real_one),
	{}
};

static struct kunit_suite answers_suite = {
	.name = "answers",
	.init = sim_init,
	.exit = sim_exit,
	.test_cases = answers_cases,
};

kunit_test_suite(answers_suite);
