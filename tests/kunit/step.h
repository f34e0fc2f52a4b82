/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites of worker.c, sizing.c and reservation.c share: a guest of 64 MiB, which
 * can give up 24 MiB, the surroundings of one step in it, and what to look at
 * after it: how the pages are spread over the states, and what Xen was called
 * for.
 */
#ifndef _KUNIT_STEP_H
#define _KUNIT_STEP_H

#include "assert.h"

#define REGIONS		32U
#define FULL		((unsigned long)REGIONS * SIM_REGION_PAGES)
#define EXTRA		300L
#define H(huge)		((huge) * 512UL)

static const struct sim_config step_world = {
	.regions = REGIONS,
	.host_pieces = 16,
	.extra = EXTRA,
	.slack = 256,
};

static inline int step_init(struct kunit *test)
{
	sim_build(test, &step_world);
	return 0;
}

/* A part of a step, with what goes around it in a step. */
#define IN_STEP(call)							\
({									\
	typeof(call) _ret;						\
									\
	mutex_lock(&sim.xb->step_lock);					\
	sim.xb->kernel->follow(sim.xb);					\
	_ret = (call);							\
	sim.xb->kernel->publish(sim.xb);					\
	mutex_unlock(&sim.xb->step_lock);				\
	_ret;								\
})

static inline void check_current(void)
{
	mutex_lock(&sim.xb->step_lock);
	balloon_check_current(sim.xb);
	mutex_unlock(&sim.xb->step_lock);
}

/* The guest has given up so much, and nothing was counted yet. */
static inline void balloon_out(struct kunit *test, unsigned long pages)
{
	sim_target(sim_balloon_stats.current_pages - pages);
	sim_settle(50);
	KUNIT_ASSERT_EQ(test, balloon_figures(&sim.xb->queue).guest, FULL - pages);
	memset(sim.calls, 0, sizeof(sim.calls));
	memset(sim.xb->counters, 0, sizeof(sim.xb->counters));
}

/* So much is kept to be lent; 0: nothing is. */
static inline void keep_to_be_lent(unsigned long pages)
{
	sim.xb->foreign.low = !!pages;
	sim.xb->foreign.high = pages;
}

static inline void expect_figures(struct kunit *test, unsigned long guest, unsigned long huge,
				  unsigned long base, unsigned long quarantined)
{
	struct balloon_figures n = balloon_figures(&sim.xb->queue);

	KUNIT_EXPECT_EQ(test, n.guest, guest);
	KUNIT_EXPECT_EQ(test, n.huge, huge);
	KUNIT_EXPECT_EQ(test, n.base, base);
	KUNIT_EXPECT_EQ(test, n.transit, 0UL);
	KUNIT_EXPECT_EQ(test, n.quarantined, quarantined);
}

static inline void expect_released(struct kunit *test, unsigned long calls, unsigned long extents,
				   unsigned long pages)
{
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_RELEASE], calls);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_RELEASE_CALLS), calls);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_RELEASE_EXTENTS), extents);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_RELEASE_PAGES), pages);
}

static inline void expect_populated(struct kunit *test, unsigned long calls, unsigned long extents,
				    unsigned long pages, unsigned long refused)
{
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_POPULATE], calls);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_CALLS), calls);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_EXTENTS), extents);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_PAGES), pages);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_REFUSED), refused);
}

static inline bool said(const char *what)
{
	return strstr(sim.said, what);
}

#define STEP_PARAMS(what)							\
	static void name_##what(const struct what##_case *c, char *name)	\
	{									\
		strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);			\
	}									\
	KUNIT_ARRAY_PARAM(what, what##_cases, name_##what)

#endif
