/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of worker.c: steps towards the target, upkeep at it, and waiting.
 */
#include "step.h"

/**
 * sim_turn - one turn of the worker, with the check after it
 *
 * The clock goes on by what the worker waits then.
 *
 * Return: how long that is, in jiffies; 0 when it is still at work.
 */
long sim_turn(void)
{
	long timeout = iterate(sim.xb);

	sim_do_works();
	if (!sim.unchecked)
		sim_check("after a turn of the worker");
	if (!sim.xb->kicked)
		sim_pass((u64)jiffies_to_usecs(timeout) * NSEC_PER_USEC);
	return timeout;
}

/* One step */

static enum balloon_step step_to(unsigned long target)
{
	enum balloon_step result;

	mutex_lock(&sim.xb->step_lock);
	sim.xb->target.wanted = target;
	result = step(sim.xb);
	sim.xb->kernel->publish(sim.xb);
	mutex_unlock(&sim.xb->step_lock);

	return result;
}

static struct balloon_search *search(void)
{
	return balloon_contig_search(sim.xb, NUMA_NO_NODE);
}

/* What a search leaves behind: a page held back, and where it stands. */
static void leave_search(void)
{
	struct balloon_alloc *a = &sim.xb->alloc;
	struct page *page = sim_get_page(SIM_DRIVER);

	list_add(&page->lru, &a->held);
	a->nr_held = 1;
	search()->cursor = 1;
	search()->min_free = 48;
}

static void at_the_target_all_is_put_away(struct kunit *test)
{
	balloon_out(test, 77);
	sim_target(FULL);
	sim_turn();
	KUNIT_EXPECT_FALSE(test, list_empty(&sim.xb->queue.nodes[0].by_fill[0]));
	leave_search();
	sim.xb->resumed = true;

	KUNIT_EXPECT_EQ(test, step_to(FULL), BALLOON_AT_TARGET);
	KUNIT_EXPECT_EQ(test, sim.xb->alloc.nr_held, 0U);
	KUNIT_EXPECT_EQ(test, search()->min_free, 384U);
	KUNIT_EXPECT_EQ(test, search()->cursor, 1UL);
	KUNIT_EXPECT_TRUE(test, list_empty(&sim.xb->queue.nodes[0].by_fill[0]));
	KUNIT_EXPECT_FALSE(test, sim.xb->resumed);
}

static void the_search_goes_on_while_inflating_makes_progress(struct kunit *test)
{
	leave_search();
	KUNIT_EXPECT_EQ(test, step_to(FULL - 600), BALLOON_PROGRESS);
	KUNIT_EXPECT_EQ(test, sim.xb->alloc.nr_held, 1U);
	KUNIT_EXPECT_EQ(test, search()->cursor, 1UL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CURRENT], 0UL);
	expect_figures(test, FULL - 512, 1, 0, 0);
	step_to(FULL - 512);
}

static void a_search_that_rests_goes_on_where_it_was_whatever_is_reached(struct kunit *test)
{
	leave_search();
	search()->again_at = NSEC_PER_SEC;
	KUNIT_EXPECT_EQ(test, step_to(FULL), BALLOON_AT_TARGET);
	KUNIT_EXPECT_EQ(test, search()->min_free, 48U);
}

static void what_is_held_back_is_free_after_inflating_in_vain(struct kunit *test)
{
	sim.low_water = sim.nr_free;
	leave_search();
	KUNIT_EXPECT_EQ(test, step_to(FULL - 600), BALLOON_STALLED);
	KUNIT_EXPECT_EQ(test, sim.xb->alloc.nr_held, 0U);
	KUNIT_EXPECT_EQ(test, search()->cursor, 1UL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CURRENT], 1UL);
}

static void what_is_held_back_is_free_after_deflating(struct kunit *test)
{
	balloon_out(test, 77);
	leave_search();
	KUNIT_EXPECT_EQ(test, step_to(FULL - 76), BALLOON_PROGRESS);
	KUNIT_EXPECT_EQ(test, sim.xb->alloc.nr_held, 0U);
	/* For the headroom only. */
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CURRENT], 1UL);
}

static void xens_count_is_looked_at_after_deflating_in_vain(struct kunit *test)
{
	balloon_out(test, 77);
	sim_fail(SIM_POPULATE, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, step_to(FULL - 1), BALLOON_STALLED);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CURRENT], 2UL);
	KUNIT_EXPECT_EQ(test, step_to(FULL - 1), BALLOON_PROGRESS);
	expect_figures(test, FULL - 1, 0, 1, 0);
}

/* Waiting */

struct delay_case {
	const char *name;
	unsigned long max_delay;
	unsigned int last;
};

static const struct delay_case delay_cases[] = {
	{ "as the in-tree driver has it", 32, 2000 },
	{ "two seconds", 2, 2000 },
	{ "one second", 1, 1000 },
};

STEP_PARAMS(delay);

static void the_wait_doubles_up_to_its_limit(struct kunit *test)
{
	const struct delay_case *c = test->param_value;
	unsigned int i;

	sim_balloon_stats.max_schedule_delay = c->max_delay;
	for (i = 0; i < 9; i++) {
		back_off(sim.xb, BALLOON_STALLED);
		KUNIT_EXPECT_EQ(test, sim.xb->delay_ms, min(16U << i, c->last));
		KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_STALLS), i + 1UL);
	}
}

static void the_wait_is_over_after_any_other_step(struct kunit *test)
{
	sim.xb->delay_ms = 64;
	back_off(sim.xb, BALLOON_PROGRESS);
	KUNIT_EXPECT_EQ(test, sim.xb->delay_ms, 0U);
	sim.xb->delay_ms = 64;
	back_off(sim.xb, BALLOON_AT_TARGET);
	KUNIT_EXPECT_EQ(test, sim.xb->delay_ms, 0U);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_STALLS), 0UL);
}

static long wait_after(enum balloon_step result)
{
	long timeout;

	mutex_lock(&sim.xb->step_lock);
	timeout = wait_for(sim.xb, result);
	mutex_unlock(&sim.xb->step_lock);

	return timeout;
}

struct wait_case {
	const char *name;
	enum balloon_step result;
	bool hears;
	bool unsettled;
	unsigned int delay_ms;
	long wait;
};

static const struct wait_case wait_cases[] = {
	{ "progress", BALLOON_PROGRESS, false, true, 16, 0 },
	{ "at target", BALLOON_AT_TARGET, true, false, 0, 5 * HZ },
	{ "at target, deaf", BALLOON_AT_TARGET, false, false, 0, HZ },
	{ "at target, unsettled", BALLOON_AT_TARGET, true, true, 0, HZ },
	{ "stalled", BALLOON_STALLED, true, false, 1000, HZ },
	{ "stalled for long", BALLOON_STALLED, true, false, 2000, 2 * HZ },
	{ "stalled for very long", BALLOON_STALLED, true, false, 90000, 5 * HZ },
	{ "stalled for long, deaf", BALLOON_STALLED, false, false, 2000, HZ },
	{ "stalled for long, unsettled", BALLOON_STALLED, true, true, 2000, HZ },
};

STEP_PARAMS(wait);

static void the_wait_is_that_of_the_step(struct kunit *test)
{
	const struct wait_case *c = test->param_value;

	sim.xb->intree.hears = c->hears;
	sim.xb->intree.unsettled = c->unsettled;
	sim.xb->delay_ms = c->delay_ms;
	sim.xb->upkeep_at = sim.now + UPKEEP_MAX_NS;
	KUNIT_EXPECT_EQ(test, wait_after(c->result), c->wait);
}

static void a_stall_waits_longer_each_time_until_there_is_a_new_target(struct kunit *test)
{
	balloon_out(test, H(2));
	sim.max_pages = sim.tot_pages;
	sim_target(FULL);
	KUNIT_EXPECT_EQ(test, sim_turn(), (long)msecs_to_jiffies(16));
	KUNIT_EXPECT_EQ(test, sim_turn(), (long)msecs_to_jiffies(32));
	KUNIT_EXPECT_EQ(test, sim_turn(), (long)msecs_to_jiffies(64));
	sim_target(FULL - 1);
	KUNIT_EXPECT_EQ(test, sim_turn(), (long)msecs_to_jiffies(16));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_STALLS), 4UL);
	sim.max_pages += H(2);
	KUNIT_EXPECT_EQ(test, sim_turn(), 0L);
	KUNIT_EXPECT_EQ(test, sim.xb->delay_ms, 0U);
}

/* A host that is short, and others who want memory too */

#define WANTED		(H(4) + 100)
#define WHOLE_PIECES	5U

/* Others have all of the host's memory but so much, and the guest wants more than that. */
static void want_from(struct kunit *test, unsigned int pieces, unsigned int frames)
{
	sim_build(test, &step_world);
	balloon_out(test, WANTED);
	sim_rivals_take(WHOLE_PIECES, 0);
	sim_rivals_take(0, sim.host_free);
	sim_rivals_give(pieces, frames);
	sim_target(FULL);
}

static void go_on_for(u64 ns)
{
	u64 end = sim.now + ns;

	while (sim.now < end)
		sim_turn();
}

static void all_that_the_host_has_is_taken_whatever_its_pieces(struct kunit *test)
{
	static const unsigned int frames[] = { 0, 1, 8, 9, 99, 100, 101, 511, 512, 513 };
	unsigned long free, want;
	unsigned int i, pieces;

	for (pieces = 0; pieces <= WHOLE_PIECES; pieces++) {
		for (i = 0; i < ARRAY_SIZE(frames); i++) {
			want_from(test, pieces, frames[i]);
			free = sim.host_free;
			want = min(free, WANTED);
			go_on_for(NSEC_PER_SEC);
			KUNIT_EXPECT_EQ_MSG(test, sim_populated(), FULL - WANTED + want,
					    "of %u pieces and %u pages", pieces, frames[i]);
			KUNIT_EXPECT_EQ(test, sim.host_free, free - want);
		}
	}
}

static void whoever_has_nothing_to_get_asks_seldom(struct kunit *test)
{
	want_from(test, 0, 0);
	go_on_for(60 * NSEC_PER_SEC);
	/* For 2 MiB and for a few pages each time, which is each two seconds in the end. */
	KUNIT_EXPECT_LE(test, sim.calls[SIM_POPULATE], 2 * (30 + 8UL));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_REFUSED),
			sim.calls[SIM_POPULATE]);
}

static void a_page_that_comes_free_is_had_within_2_s_however_long_there_was_none(struct kunit *test)
{
	unsigned long had;
	unsigned int waits, i;
	u64 start;

	for (waits = 0; waits < 12; waits++) {
		want_from(test, 0, 0);
		for (i = 0; i < waits; i++)
			KUNIT_EXPECT_GT(test, sim_turn(), 0L);
		had = sim_populated();
		/* The last wait has just begun. */
		start = sim.now - (u64)sim.xb->delay_ms * NSEC_PER_MSEC;
		sim_rivals_give(0, 1);
		sim_turn();
		KUNIT_EXPECT_EQ(test, sim_populated(), had + 1);
		KUNIT_EXPECT_LE(test, sim.now - start, 2 * NSEC_PER_SEC + NSEC_PER_SEC / 4);
	}
}

struct trickle_case {
	const char *name;
	unsigned int each_ms;		/* a page comes free */
};

static const struct trickle_case trickle_cases[] = {
	{ "a page each millisecond", 1 },
	{ "100 a second", 10 },
	{ "10 a second", 100 },
	{ "one a second", 1000 },
};

STEP_PARAMS(trickle);

/* A look at the world after each try, and what came free until then: nothing is missed. */
static void what_comes_a_page_at_a_time_is_taken_by_few_calls(struct kunit *test)
{
	const struct trickle_case *c = test->param_value;
	unsigned long given = 0, had, passed;
	u64 start;

	want_from(test, 0, 0);
	had = sim_populated();
	start = sim.now;
	while (given < 1000 && sim.now - start < 10 * NSEC_PER_SEC) {
		sim_turn();
		passed = div_u64(sim.now - start, c->each_ms * NSEC_PER_MSEC);
		sim_rivals_give(0, passed - given);
		given = passed;
	}
	passed = div_u64(sim.now - start, NSEC_PER_MSEC);
	KUNIT_EXPECT_LE(test, sim.calls[SIM_POPULATE], 10 + passed * 20 / MSEC_PER_SEC);
	go_on_for(3 * NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, sim_populated(), had + given);
}

static void what_rivals_leave_of_what_comes_free_is_taken(struct kunit *test)
{
	unsigned long free = 0, had;
	unsigned int i;

	want_from(test, 0, 0);
	had = sim_populated();
	for (i = 0; i < 200; i++) {
		sim_rivals_give(sim_random(2), sim_random(20));
		sim_rivals_take(sim_random(2), sim_random(20));
		free = sim.host_free;
		sim_turn();
		KUNIT_EXPECT_LE(test, sim_populated(), FULL);
		if (sim_populated() == FULL)
			break;
		KUNIT_EXPECT_TRUE(test, !free || sim_populated() > had);
		had = sim_populated();
	}
	KUNIT_EXPECT_EQ(test, sim_populated(), FULL);
}

struct lowered_case {
	const char *name;
	long room;			/* of the limit above what the guest has */
};

static const struct lowered_case lowered_cases[] = {
	{ "far below", -(long)H(3) }, { "2 MiB below", -512 }, { "a page below", -1 },
	{ "at it", 0 }, { "a page above", 1 }, { "a page short of 2 MiB", 511 },
	{ "2 MiB above", 512 }, { "2 MiB and a page", 513 }, { "all but a page", WANTED - 1 },
};

STEP_PARAMS(lowered);

static void whoever_is_beyond_a_lowered_limit_keeps_that_and_asks_for_nothing(struct kunit *test)
{
	const struct lowered_case *c = test->param_value;
	unsigned long low = FULL - WANTED, limit;

	balloon_out(test, WANTED);
	sim.max_pages = sim.tot_pages + c->room;
	limit = low + c->room;
	sim_target(FULL);
	go_on_for(20 * NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, sim_populated(), max(low, limit));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_POPULATE_REFUSED), 0UL);
	KUNIT_EXPECT_EQ(test, !sim.calls[SIM_POPULATE], c->room <= 0);

	/* It goes down as ever, and comes back as far as it may. */
	sim_target(low - H(4));
	go_on_for(NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, sim_populated(), low - H(4));
	sim_target(FULL);
	go_on_for(3 * NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, sim_populated(), limit);
	sim.max_pages += WANTED - c->room;
	go_on_for(3 * NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, sim_populated(), FULL);
}

/* Upkeep: what there is to do are @pieces times 512 base pages. */

static void strew_base_pages(struct kunit *test, unsigned int pieces)
{
	unsigned int i;

	for (i = 0; i < 8 * pieces; i++)
		sim_queue_base(i, 0, 64);
	sim_target(FULL - H(pieces));
}

static void upkeep_begins_after_a_second_at_the_target(struct kunit *test)
{
	strew_base_pages(test, 2);
	sim_target(FULL - H(2) - 1);
	KUNIT_ASSERT_EQ(test, sim_turn(), 0L);

	sim.now += UPKEEP_QUIET_NS - 1;
	KUNIT_EXPECT_EQ(test, sim_turn(), 1L);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).huge, 0UL);
	KUNIT_EXPECT_GT(test, sim_turn(), 0L);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).huge, 1UL);
}

static void upkeep_takes_a_fifth_of_a_cpu(struct kunit *test)
{
	strew_base_pages(test, 2);
	sim.call_ns = 10 * NSEC_PER_MSEC;

	KUNIT_EXPECT_EQ(test, (int)IN_STEP(step(sim.xb)), (int)BALLOON_UPKEEP);
	/* It gave 2 MiB and got 512 pages, in one call each. */
	KUNIT_EXPECT_EQ(test, sim.now, 20 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, sim.xb->upkeep_at, 100 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, wait_after(BALLOON_UPKEEP), (long)msecs_to_jiffies(80) + 1);

	sim.now = 100 * NSEC_PER_MSEC - 1;
	KUNIT_EXPECT_EQ(test, (int)IN_STEP(step(sim.xb)), (int)BALLOON_AT_TARGET);
	/* Who is awake too early is not kept waiting for the next look. */
	KUNIT_EXPECT_EQ(test, wait_after(BALLOON_AT_TARGET), 1L);
	sim.now++;
	KUNIT_EXPECT_EQ(test, (int)IN_STEP(step(sim.xb)), (int)BALLOON_UPKEEP);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).huge, 2UL);
}

static void upkeep_counts_what_a_release_costs_the_other_cpus(struct kunit *test)
{
	strew_base_pages(test, 2);
	sim.call_ns = 10 * NSEC_PER_MSEC;
	sim.cpus = 4;

	/* Two calls, of which one keeps three other CPUs: together 50 ms. */
	KUNIT_EXPECT_EQ(test, (int)IN_STEP(step(sim.xb)), (int)BALLOON_UPKEEP);
	KUNIT_EXPECT_EQ(test, sim.xb->upkeep_at, 250 * NSEC_PER_MSEC);

	/* What was released on the way to a target is not upkeep's. */
	sim.xb->release_ns += NSEC_PER_SEC;
	sim.now = 250 * NSEC_PER_MSEC;
	KUNIT_EXPECT_EQ(test, (int)IN_STEP(step(sim.xb)), (int)BALLOON_UPKEEP);
	KUNIT_EXPECT_EQ(test, sim.xb->upkeep_at, 500 * NSEC_PER_MSEC);
}

static void upkeep_rests_while_the_guest_is_migrated(struct kunit *test)
{
	u64 at;

	strew_base_pages(test, 1);
	sim_begin_migration();
	at = sim.now;
	KUNIT_EXPECT_EQ(test, (int)IN_STEP(step(sim.xb)), (int)BALLOON_AT_TARGET);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_COALESCE_TRIES), 0UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_UPKEEP_WATCHED), 1UL);

	/* It goes on soon after, however often it rested. */
	KUNIT_EXPECT_EQ(test, sim.xb->upkeep_at, at + UPKEEP_MIN_NS);
	sim.now = sim.xb->upkeep_at;
	IN_STEP(step(sim.xb));
	sim.now = sim.xb->upkeep_at;
	sim.logs_writes = false;
	KUNIT_EXPECT_EQ(test, (int)IN_STEP(step(sim.xb)), (int)BALLOON_UPKEEP);
	KUNIT_EXPECT_EQ(test, sim.now, at + 2 * UPKEEP_MIN_NS);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).huge, 1UL);
}

static void upkeep_is_off_where_cpus_are_isolated(struct kunit *test)
{
	struct sim_config world = sim_default;
	unsigned int types[] = { BIT(HK_TYPE_DOMAIN), BIT(HK_TYPE_TICK) }, i;

	KUNIT_EXPECT_TRUE(test, sim.xb->heal.enabled && sim.xb->coalesce);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		world.isolated = types[i];
		sim_build(test, &world);
		KUNIT_EXPECT_FALSE(test, sim.xb->heal.enabled || sim.xb->coalesce);
	}
}

static void upkeep_waits_at_least_a_jiffy_and_at_most_for_the_next_look(struct kunit *test)
{
	sim.now = NSEC_PER_SEC;
	sim.xb->upkeep_at = sim.now;
	KUNIT_EXPECT_EQ(test, wait_after(BALLOON_UPKEEP), 1L);
	sim.xb->upkeep_at = 100 * NSEC_PER_SEC;
	KUNIT_EXPECT_EQ(test, wait_after(BALLOON_UPKEEP), (long)LOOK_SELDOM);
	/* By then it will be known whether Xen's count is off for good. */
	sim.xb->drift = 1;
	KUNIT_EXPECT_EQ(test, wait_after(BALLOON_AT_TARGET), (long)LOOK_OFTEN);
}

static void upkeep_that_gains_nothing_waits_longer_and_longer(struct kunit *test)
{
	u64 at, delay = UPKEEP_MIN_NS;
	unsigned int i;

	sim.xb->heal.enabled = false;
	for (i = 0; i < 9; i++) {
		at = sim.now;
		KUNIT_EXPECT_EQ(test, (int)IN_STEP(step(sim.xb)), (int)BALLOON_AT_TARGET);
		KUNIT_EXPECT_EQ(test, sim.xb->upkeep_at, at + delay);
		delay = min_t(u64, 2 * delay, UPKEEP_MAX_NS);
		sim.now = sim.xb->upkeep_at;
	}
}

static void upkeep_heals_when_there_is_nothing_to_coalesce(struct kunit *test)
{
	/* A region that came back in pieces. */
	sim_target(FULL - 5);
	sim_settle(10);
	sim_rivals_take(0, 1);
	sim_target(FULL);
	sim_settle(10);
	KUNIT_ASSERT_EQ(test, sim_superpages(), REGIONS - 1);

	sim.now += UPKEEP_QUIET_NS + UPKEEP_MAX_NS;
	sim_turn();
	KUNIT_EXPECT_EQ(test, sim_superpages(), REGIONS);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEALED), 1UL);
}

static void a_new_target_ends_and_restarts_upkeep(struct kunit *test)
{
	strew_base_pages(test, 2);
	sim.xb->upkeep_delay_ns = UPKEEP_MAX_NS;
	sim_target(FULL - H(2) + 1);
	sim.now = 7 * NSEC_PER_SEC;
	KUNIT_EXPECT_EQ(test, sim_turn(), 0L);
	KUNIT_EXPECT_EQ(test, sim.xb->upkeep_delay_ns, 0ULL);
	KUNIT_EXPECT_EQ(test, sim.xb->upkeep_at, 7 * NSEC_PER_SEC + UPKEEP_QUIET_NS);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_COALESCE_TRIES), 0UL);
}

/* Of 256 MiB it has 40, where a guest with all of it is left 104. */
static const struct sim_config small_world = {
	.regions = 128,
	.unpopulated = 108,
	.host_pieces = 1,
	.slack = 256,
};

static void a_guest_that_was_small_stays_so_and_rests_until_its_floor_is_lowered(struct kunit *test)
{
	unsigned long small = H(20);

	sim_build(test, &small_world);
	sim_target(small - H(3));
	while (sim.now < UPKEEP_QUIET_NS + 2 * UPKEEP_MIN_NS)
		sim_turn();
	KUNIT_EXPECT_EQ(test, sim_populated(), small);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_STALLS), 0UL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_POPULATE], 0UL);
	KUNIT_EXPECT_GT(test, sim.xb->upkeep_delay_ns, 0ULL);

	sim.xb->target.floor = small - H(2) - 77;
	balloon_worker_again(sim.xb);
	sim_settle(20);
	KUNIT_EXPECT_EQ(test, sim_populated(), small - H(2) - 77);
}

/* One turn, and the thread */

static void a_turn_goes_to_a_target_set_before_it_and_shows_what_it_did(struct kunit *test)
{
	sim_target(FULL - 77);
	KUNIT_EXPECT_TRUE(test, sim.xb->kicked);
	KUNIT_EXPECT_EQ(test, iterate(sim.xb), 0L);
	KUNIT_EXPECT_FALSE(test, sim.xb->kicked);
	KUNIT_EXPECT_FALSE(test, mutex_is_locked(&sim.xb->step_lock));
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FULL - 77);
	KUNIT_EXPECT_EQ(test, iterate(sim.xb), HZ + 1L);
}

/* The probe is there and says nothing. */
static void a_target_that_was_not_heard_is_followed_within_5_s(struct kunit *test)
{
	long longest = 0;

	while (sim.now < 3 * UPKEEP_MAX_NS)
		longest = max(longest, sim_turn());
	KUNIT_EXPECT_LE(test, longest, 5L * HZ);

	sim_balloon_stats.target_pages = FULL - 77;
	sim_turn();
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FULL - 77);
}

static void a_turn_shows_how_long_it_waits(struct kunit *test)
{
	sim_target(FULL - 77);
	sim_fail(SIM_ALLOC, 1, 1000, 0);
	sim.xb->delay_ms = 1999;
	sim.xb->target.wanted = FULL - 77;
	KUNIT_EXPECT_EQ(test, sim_turn(), (long)msecs_to_jiffies(2000));
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.schedule_delay, 2UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.retry_count, 2UL);
}

struct traced {
	struct balloon_figures n;
	enum balloon_step result;
	unsigned int steps;
};

static void see_step(void *data, const struct xen_balloon *xb,
		     const struct balloon_figures *n, enum balloon_step result)
{
	struct traced *traced = data;

	traced->n = *n;
	traced->result = result;
	traced->steps++;
}

static void the_trace_tells_what_each_step_came_to(struct kunit *test)
{
	struct traced traced = {};

	KUNIT_ASSERT_EQ(test, register_trace_xen_balloon_step(see_step, &traced), 0);
	sim_target(FULL - H(1) - 77);
	sim_turn();
	KUNIT_EXPECT_EQ(test, traced.result, BALLOON_PROGRESS);
	KUNIT_EXPECT_EQ(test, traced.n.guest, FULL - H(1));
	KUNIT_EXPECT_EQ(test, traced.n.huge, 1UL);
	sim_turn();
	sim_turn();
	unregister_trace_xen_balloon_step(see_step, &traced);
	tracepoint_synchronize_unregister();

	KUNIT_EXPECT_EQ(test, traced.steps, 3U);
	KUNIT_EXPECT_EQ(test, traced.result, BALLOON_AT_TARGET);
	KUNIT_EXPECT_EQ(test, traced.n.base, 77UL);
}

/* Until the guest is as large: by the thread, so in real time. */
static bool is_current_within(unsigned long pages, unsigned long timeout)
{
	unsigned long end = jiffies + timeout;

	while (READ_ONCE(sim_balloon_stats.current_pages) != pages) {
		if (time_after(jiffies, end))
			return false;
		schedule_timeout_idle(1);
	}

	return true;
}

static void the_thread_lands_and_is_woken_by_a_kick_and_stops(struct kunit *test)
{
	unsigned long target = FULL - H(3) - 77, start;

	sim.unchecked = true;
	sim_target(target);
	KUNIT_ASSERT_EQ(test, balloon_worker_start(sim.xb), 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sim.xb->worker);
	KUNIT_EXPECT_STREQ(test, sim.xb->worker->comm, "xen-balloon");
	KUNIT_EXPECT_GE(test, READ_ONCE(sim.xb->upkeep_at), (u64)UPKEEP_QUIET_NS);
	KUNIT_EXPECT_TRUE(test, is_current_within(target, 60 * HZ));
	KUNIT_EXPECT_FALSE(test, sim.xb->worker->flags & PF_NOFREEZE);

	/* It waits for a second and more, or until it is told of something. */
	schedule_timeout_idle(HZ / 20);
	sim_target(target + 1);
	KUNIT_EXPECT_TRUE(test, is_current_within(target + 1, 4 * HZ));

	schedule_timeout_idle(HZ / 20);
	start = jiffies;
	balloon_worker_stop(sim.xb);
	KUNIT_EXPECT_LT(test, jiffies - start, 4UL * HZ);
	KUNIT_EXPECT_PTR_EQ(test, sim.xb->worker, (struct task_struct *)NULL);
	expect_figures(test, target + 1, 3, 76, 0);
}

static void no_thread_is_told_of_when_none_can_be_started(struct kunit *test)
{
	sim_fail(SIM_THREAD, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, balloon_worker_start(sim.xb), -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, sim.xb->worker, (struct task_struct *)NULL);
}

static struct kunit_case worker_cases[] = {
	KUNIT_CASE(at_the_target_all_is_put_away),
	KUNIT_CASE(a_search_that_rests_goes_on_where_it_was_whatever_is_reached),
	KUNIT_CASE(the_search_goes_on_while_inflating_makes_progress),
	KUNIT_CASE(what_is_held_back_is_free_after_inflating_in_vain),
	KUNIT_CASE(what_is_held_back_is_free_after_deflating),
	KUNIT_CASE(xens_count_is_looked_at_after_deflating_in_vain),
	KUNIT_CASE_PARAM(the_wait_doubles_up_to_its_limit, delay_gen_params),
	KUNIT_CASE(the_wait_is_over_after_any_other_step),
	KUNIT_CASE_PARAM(the_wait_is_that_of_the_step, wait_gen_params),
	KUNIT_CASE(a_stall_waits_longer_each_time_until_there_is_a_new_target),
	KUNIT_CASE(all_that_the_host_has_is_taken_whatever_its_pieces),
	KUNIT_CASE(whoever_has_nothing_to_get_asks_seldom),
	KUNIT_CASE(a_page_that_comes_free_is_had_within_2_s_however_long_there_was_none),
	KUNIT_CASE_PARAM(what_comes_a_page_at_a_time_is_taken_by_few_calls, trickle_gen_params),
	KUNIT_CASE(what_rivals_leave_of_what_comes_free_is_taken),
	KUNIT_CASE_PARAM(whoever_is_beyond_a_lowered_limit_keeps_that_and_asks_for_nothing,
			 lowered_gen_params),
	KUNIT_CASE(upkeep_begins_after_a_second_at_the_target),
	KUNIT_CASE(upkeep_takes_a_fifth_of_a_cpu),
	KUNIT_CASE(upkeep_counts_what_a_release_costs_the_other_cpus),
	KUNIT_CASE(upkeep_rests_while_the_guest_is_migrated),
	KUNIT_CASE(upkeep_is_off_where_cpus_are_isolated),
	KUNIT_CASE(upkeep_waits_at_least_a_jiffy_and_at_most_for_the_next_look),
	KUNIT_CASE(upkeep_that_gains_nothing_waits_longer_and_longer),
	KUNIT_CASE(upkeep_heals_when_there_is_nothing_to_coalesce),
	KUNIT_CASE(a_new_target_ends_and_restarts_upkeep),
	KUNIT_CASE(a_guest_that_was_small_stays_so_and_rests_until_its_floor_is_lowered),
	KUNIT_CASE(a_turn_goes_to_a_target_set_before_it_and_shows_what_it_did),
	KUNIT_CASE(a_target_that_was_not_heard_is_followed_within_5_s),
	KUNIT_CASE(a_turn_shows_how_long_it_waits),
	KUNIT_CASE(the_trace_tells_what_each_step_came_to),
	KUNIT_CASE(the_thread_lands_and_is_woken_by_a_kick_and_stops),
	KUNIT_CASE(no_thread_is_told_of_when_none_can_be_started),
	{}
};

static struct kunit_suite worker_suite = {
	.name = "worker",
	.init = step_init,
	.exit = sim_exit,
	.test_cases = worker_cases,
};

kunit_test_suite(worker_suite);
