// SPDX-License-Identifier: GPL-2.0
/*
 * Each failure at each call: a script of targets is run once to count what the
 * driver calls, and then once for each of these calls, with that one failing.
 * Nothing is lost after any turn; and once all is mended the guest lands on its
 * target, and gets back to its full size but for what had to be quarantined.
 */
#include "balloon.h"
#include "sim.h"

/* 32 MiB, of which 8 MiB may go. */
#define FULL		(16UL * SIM_REGION_PAGES)
#define TURNS		12

struct sweep {
	const char *name;
	struct sim_config config;
	unsigned int programs;		/* pages that they have */
	unsigned int rivals;		/* pieces that other guests take in the middle */
	unsigned long limit;		/* how far max_pages is below the full size then */
	bool borrows;			/* another driver does */
	bool upkeep;			/* there is some to do */
};

static const struct sweep sweeps[] = {
	{ "auto-translated", { .regions = 16, .host_pieces = 4, .extra = 300, .slack = 256 } },
	{ "PV", { .regions = 16, .host_pieces = 4, .slack = 256, .pv = true }, .borrows = true },
	{ "grown", { .regions = 16, .unpopulated = 2, .host_pieces = 4, .slack = 256 } },
	{ "scarce host", { .regions = 16, .slack = 256 }, .rivals = 3 },
	{ "fragmented guest", { .regions = 16, .host_pieces = 4, .slack = 256 }, .programs = 2000 },
	{ "upkeep", { .regions = 16, .host_pieces = 4, .slack = 256 }, .upkeep = true },
	{ "upkeep in PV", { .regions = 16, .host_pieces = 4, .slack = 256, .pv = true },
	  .upkeep = true },
	{ "upkeep at the limit", { .regions = 16, .host_pieces = 4 }, .limit = 700,
	  .upkeep = true },
	{ "lending", { .regions = 16, .host_pieces = 4, .slack = 256, .low = 100, .high = 600 },
	  .borrows = true },
	{ "low limit", { .regions = 16, .host_pieces = 4, .extra = 300 }, .limit = 700 },
};

static void name_sweep(const struct sweep *sweep, char *name)
{
	strscpy(name, sweep->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(sweep, sweeps, name_sweep);

static void go_to(unsigned long target, unsigned int turns)
{
	sim_target(target);
	while (turns-- && !sim.violations) {
		sim_turn();
		if (sim_balloon_stats.current_pages == target)
			break;
	}
	/* Where it puts away what it has. */
	sim_turn();
}

/* A world in which nothing has failed yet. */
static void build(struct kunit *test, const struct sweep *sweep)
{
	unsigned int i;

	sim_build(test, &sweep->config);
	for (i = 0; sweep->upkeep && i < 8; i++)
		sim_queue_base(i, 0, 70);
	memset(sim.calls, 0, sizeof(sim.calls));
}

/* Compaction, coalescing and healing; the limit comes below what the guest has. */
static void run_upkeep(const struct sweep *sweep)
{
	unsigned int i;

	sim.max_pages -= sweep->limit;
	sim_target(FULL - 8 * 70);
	sim_compact(10);
	for (i = 0; i < 12; i++) {
		sim.now += 10 * NSEC_PER_SEC;
		sim_turn();
	}
	sim.max_pages += sweep->limit;
}

/* Down in huge and base pages, up again, to a part of the last huge page. */
static void run_script(const struct sweep *sweep)
{
	if (sweep->upkeep)
		run_upkeep(sweep);
	sim_programs_take(sweep->programs);
	go_to(FULL - 3 * SIM_REGION_PAGES - 77, TURNS);
	sim_rivals_take(sweep->rivals, 0);
	sim.max_pages -= sweep->limit;
	go_to(FULL - 2 * SIM_REGION_PAGES - 10, TURNS);
	if (sweep->borrows)
		sim_borrow(5);
	go_to(FULL - 100, TURNS);
	sim_return(5);
	go_to(FULL, TURNS);
}

/* Return: false when there is something to look at. */
static bool recovers(struct kunit *test, const struct sweep *sweep)
{
	unsigned long quarantined = balloon_figures(&sim.xb->queue).quarantined;
	unsigned long target = FULL - 2 * SIM_REGION_PAGES - 33;

	sim_mend();
	sim.xb->foreign.low = 0;
	sim.xb->foreign.high = 0;
	sim.max_pages += sweep->limit + quarantined;
	sim_rivals_give(sweep->rivals, 0);
	sim_programs_drop(sweep->programs);
	go_to(target, 60);
	KUNIT_EXPECT_EQ(test, sim_populated() - sim.xb->offset + sim.config.extra, target);
	go_to(FULL - quarantined, 60);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FULL - quarantined);

	return !sim.violations && sim_balloon_stats.current_pages == FULL - quarantined;
}

/* How the n-th call may fail. */
static const struct {
	enum sim_op op;
	unsigned int done;
	unsigned int partial;
} failures[] = {
	{ SIM_RELEASE }, { SIM_RELEASE, 1 }, { SIM_RELEASE, 2 },
	{ SIM_RELEASE, 0, 1 }, { SIM_RELEASE, 1, 1 }, { SIM_RELEASE, 0, 300 },
	{ SIM_POPULATE }, { SIM_POPULATE, 1 }, { SIM_POPULATE, 20 },
	{ SIM_MOVE }, { SIM_MOVE, 1 }, { SIM_EXCHANGE }, { SIM_EXCHANGE, 100 },
	{ SIM_EXCHANGE, 512, 30 }, { SIM_CURRENT }, { SIM_MAXIMUM }, { SIM_ALLOC }, { SIM_CONTIG },
	{ SIM_KZALLOC }, { SIM_INTREE },
};

/* Of hundreds of moves in a row, some. */
static unsigned long stride(enum sim_op op, unsigned long n)
{
	return op == SIM_MOVE && n > 30 ? 29 : 1;
}

static void nothing_is_lost_whichever_call_fails(struct kunit *test)
{
	const struct sweep *sweep = test->param_value;
	unsigned long calls[SIM_NR_OPS], n, points = 0;
	unsigned int i;
	bool good = true;

	build(test, sweep);
	run_script(sweep);
	memcpy(calls, sim.calls, sizeof(calls));
	good = recovers(test, sweep);

	for (i = 0; good && i < ARRAY_SIZE(failures); i++) {
		for (n = 1; good && n <= calls[failures[i].op];
		     n += stride(failures[i].op, n), points++) {
			build(test, sweep);
			sim_fail(failures[i].op, n, 1, failures[i].done);
			sim.fault[failures[i].op].partial = failures[i].partial;
			run_script(sweep);
			KUNIT_EXPECT_EQ(test, sim.fault[failures[i].op].from, 0UL);
			good = recovers(test, sweep);
			if (!good)
				kunit_err(test, "call %lu of operation %u, done %u, partial %u\n",
					  n, failures[i].op, failures[i].done,
					  failures[i].partial);
		}
	}
	KUNIT_EXPECT_TRUE(test, good);
	kunit_info(test, "%s: %lu fault points\n", sweep->name, points);
}

static struct kunit_case sweep_cases[] = {
	KUNIT_CASE_PARAM(nothing_is_lost_whichever_call_fails, sweep_gen_params),
	{}
};

static struct kunit_suite sweep_suite = {
	.name = "sweep",
	.init = sim_init,
	.exit = sim_exit,
	.test_cases = sweep_cases,
};

kunit_test_suite(sweep_suite);
