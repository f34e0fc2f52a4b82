/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of intree.c: taking over what the in-tree driver holds, giving it
 * back, and the face that is kept. Most run in a guest of 16 MiB of which a part
 * is unpopulated. The test of a rule that is about figures alone sets them by
 * hand, in a lenient world.
 */
#include "assert.h"

#define FULL		4096UL

static struct balloon_intree *it(void)
{
	return &sim.xb->intree;
}

static int intree_init(struct kunit *test)
{
	sim_build(test, &(struct sim_config){
		.regions = FULL / SIM_REGION_PAGES, .unpopulated = 2, .host_pieces = 4,
		.extra = 300, .slack = 256 });
	return 0;
}

/* A world in which nothing has to add up. */
static void build_lenient(struct kunit *test)
{
	sim_build(test, &(struct sim_config){ .regions = 1, .lenient = true });
}

#define LOCKED(call)							\
do {									\
	mutex_lock(&sim.xb->step_lock);					\
	call;								\
	mutex_unlock(&sim.xb->step_lock);				\
} while (0)

#define INTREE_PARAMS(what)							\
	static void name_##what(const struct what##_case *c, char *name)	\
	{									\
		strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);			\
	}									\
	KUNIT_ARRAY_PARAM(what, what##_cases, name_##what)

static void expect_pages(struct kunit *test, unsigned long guest, unsigned long huge,
			 unsigned long base)
{
	struct balloon_figures n = balloon_figures(&sim.xb->queue);

	KUNIT_EXPECT_EQ(test, n.guest, guest);
	KUNIT_EXPECT_EQ(test, n.huge, huge);
	KUNIT_EXPECT_EQ(test, n.base, base);
	KUNIT_EXPECT_EQ(test, n.transit, 0UL);
}

static unsigned int count_reserved(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < FULL; i++)
		nr += !!PageReserved(sim_page(i / SIM_REGION_PAGES, i % SIM_REGION_PAGES));

	return nr;
}

/* As balloon_unload() does. What others have then is what is not ours. */
static void unload(void)
{
	sim_hand_back();
	balloon_queue_destroy(&sim.xb->queue);
	sim.xb->total = balloon_sum(sim.xb);
}

/* A guest of 16 MiB has all of it for its floor. */
static void go_to(struct kunit *test, unsigned long target)
{
	sim.xb->target.floor = 0;
	sim_target(target);
	sim_settle(50);
	KUNIT_ASSERT_EQ(test, sim_balloon_stats.current_pages, target);
	sim_check("where it shall be");
}

/* Looking */

struct look_case {
	const char *name;
	bool hears;
	bool unsettled;
	bool must;
};

static const struct look_case look_cases[] = {
	{ "told of each target", true, false, false },
	{ "told, but not stored", true, true, true },
	{ "deaf", false, false, true },
	{ "deaf and not stored", false, true, true },
};

INTREE_PARAMS(look);

static void the_worker_looks_when_it_may_not_have_been_told(struct kunit *test)
{
	const struct look_case *c = test->param_value;

	it()->hears = c->hears;
	it()->unsettled = c->unsettled;
	KUNIT_EXPECT_EQ(test, intree_must_look(sim.xb), c->must);
}

struct max_delay_case {
	const char *name;
	unsigned long attribute;
	unsigned int ms;
};

static const struct max_delay_case max_delay_cases[] = {
	{ "0 s", 0, 1000 },
	{ "1 s", 1, 1000 },
	{ "2 s", 2, 2000 },
	{ "3 s", 3, 2000 },
	{ "32 s", 32, 2000 },
	{ "without end", ULONG_MAX, 2000 },
};

INTREE_PARAMS(max_delay);

static void the_longest_wait_is_the_attributes_within_bounds(struct kunit *test)
{
	const struct max_delay_case *c = test->param_value;

	sim_balloon_stats.max_schedule_delay = c->attribute;
	KUNIT_EXPECT_EQ(test, intree_max_delay_ms(), c->ms);
}

static void foreign_pages_are_those_listed_and_those_lent_that_are_not_ours(struct kunit *test)
{
	build_lenient(test);
	sim_balloon_stats.balloon_low = 20;
	sim_balloon_stats.balloon_high = 3;
	sim_balloon_stats.target_unpopulated = 50;
	sim_balloon_stats.current_pages = 77;
	it()->adopted = 42;
	KUNIT_EXPECT_EQ(test, intree_spare(), 23UL);
	KUNIT_EXPECT_EQ(test, intree_lent(sim.xb), 8UL);
	KUNIT_EXPECT_EQ(test, intree_published(), 77UL);
}

/* What it shows */

struct face_case {
	const char *name;
	unsigned int delay_ms;
	unsigned long retries;
	unsigned long schedule_delay;
	unsigned long retry_count;
};

static const struct face_case face_cases[] = {
	{ "no wait", 0, 9, 1, 1 },
	{ "a short wait", 16, 1, 1, 2 },
	{ "a second", 1000, 4, 1, 5 },
	{ "more than a second", 1001, 5, 2, 6 },
	{ "two seconds", 2000, 6, 2, 7 },
};

INTREE_PARAMS(face);

static void the_attributes_show_the_wait_and_how_often(struct kunit *test)
{
	const struct face_case *c = test->param_value;

	sim.xb->delay_ms = c->delay_ms;
	sim_balloon_stats.retry_count = c->retries;
	LOCKED(intree_publish(sim.xb));
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.schedule_delay, c->schedule_delay);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.retry_count, c->retry_count);
}

static void current_kb_is_what_the_guest_has(struct kunit *test)
{
	build_lenient(test);
	balloon_correct_guest(&sim.xb->queue, -12);
	LOCKED(intree_publish(sim.xb));
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, 500UL);
	KUNIT_EXPECT_EQ(test, it()->published, 500UL);
	expect_pages(test, 500, 0, 0);
}

static void it_balloons_out_three(void)
{
	sim_intree_take(3);
}

static void what_the_intree_driver_does_while_we_publish_is_kept(struct kunit *test)
{
	sim.meanwhile = it_balloons_out_three;
	LOCKED(intree_publish(sim.xb));
	expect_pages(test, FULL - 1027, 2, 0);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FULL - 1027);
	KUNIT_EXPECT_EQ(test, it()->published, FULL - 1027);
	sim_check("after publishing");
}

static void what_the_intree_driver_balloons_out_for_others_is_lent(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, sim_borrow(10), 10U);
	LOCKED(intree_follow(sim.xb));
	expect_pages(test, FULL - 1034, 2, 0);
	KUNIT_EXPECT_EQ(test, it()->published, FULL - 1034);
	KUNIT_EXPECT_EQ(test, intree_lent(sim.xb), 10UL);
	sim_check("with pages lent");

	KUNIT_EXPECT_EQ(test, sim_return(10), 10U);
	LOCKED(intree_follow(sim.xb));
	expect_pages(test, FULL - 1034, 2, 0);
	KUNIT_EXPECT_EQ(test, intree_lent(sim.xb), 0UL);
	KUNIT_EXPECT_EQ(test, intree_spare(), 10UL);
}

/* What was changed from outside */

struct follow_case {
	const char *name;
	long heard;
	unsigned long seen_before;
	unsigned long stored;
	unsigned long wanted;		/* is 500 before */
	unsigned long stored_then;
	bool unsettled;
	unsigned long targets;
};

static const struct follow_case follow_cases[] = {
	{ "nothing new", -1, 500, 500, 500, 500, false, 0 },
	{ "nothing new, going elsewhere", -1, 400, 400, 500, 400, false, 0 },
	{ "heard before it is stored", 300, 500, 500, 300, 500, true, 1 },
	{ "heard and stored", 300, 500, 300, 300, 300, false, 1 },
	{ "heard again", 500, 500, 500, 500, 500, false, 0 },
	{ "stored as heard before", -1, 400, 500, 500, 500, false, 0 },
	{ "seen only", -1, 500, 300, 300, 300, false, 1 },
	{ "one page", 1, 500, 500, 1, 500, true, 1 },
	{ "heard wins over seen", 300, 500, 200, 300, 200, true, 1 },
	{ "junk seen", -1, 500, 0, 500, 500, false, 0 },
	{ "junk heard", 0, 500, 500, 500, 500, true, 0 },
	{ "junk heard and seen", 0, 500, 0, 500, 500, false, 0 },
	{ "seen, and junk heard", 0, 500, 300, 300, 300, true, 1 },
	{ "heard, and junk seen", 300, 500, 0, 300, 300, true, 1 },
	{ "too large seen", -1, 500, 2 * BALLOON_MAX_PAGES, 500, 500, false, 0 },
	{ "junk seen, below 0", -1, 500, -7UL, 500, 500, false, 0 },
	{ "junk that was there before", -1, 0, 0, 500, 500, false, 0 },
};

INTREE_PARAMS(follow);

static void a_look_counts_only_where_it_differs_from_the_one_before(struct kunit *test)
{
	const struct follow_case *c = test->param_value;

	build_lenient(test);
	sim.xb->target.wanted = 500;
	atomic_long_set(&it()->heard, c->heard);
	it()->unsettled = !c->unsettled;
	it()->seen_target = c->seen_before;
	sim_balloon_stats.target_pages = c->stored;
	LOCKED(intree_follow(sim.xb));

	KUNIT_EXPECT_EQ(test, sim.xb->target.wanted, c->wanted);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_pages, c->stored_then);
	KUNIT_EXPECT_EQ(test, it()->seen_target, c->stored_then);
	KUNIT_EXPECT_EQ(test, it()->unsettled, c->unsettled);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_TARGETS), c->targets);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&it()->heard), -1L);
}

struct hear_case {
	const char *name;
	long before;
	unsigned long target;
	long heard;
};

static const struct hear_case hear_cases[] = {
	{ "a target", -1, 300, 300 },
	{ "a newer target", 500, 300, 300 },
	{ "a target after junk", 0, 300, 300 },
	{ "junk", -1, 0, 0 },
	{ "more than can be", -1, BALLOON_MAX_PAGES + 1, 0 },
	{ "less than nothing", -1, -7UL, 0 },
	{ "junk after a target", 300, 0, 300 },
	{ "more than can be, after a target", 300, BALLOON_MAX_PAGES + 1, 300 },
};

INTREE_PARAMS(hear);

static void junk_hides_no_target_that_was_heard(struct kunit *test)
{
	const struct hear_case *c = test->param_value;

	build_lenient(test);
	atomic_long_set(&it()->heard, c->before);
	intree_hear(sim.xb, c->target);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&it()->heard), c->heard);
}

static void store_300(void)
{
	sim_balloon_stats.target_pages = 300;
}

static void a_target_stored_while_junk_is_mended_is_seen_next(struct kunit *test)
{
	build_lenient(test);
	sim_balloon_stats.target_pages = 0;
	sim.meanwhile = store_300;
	LOCKED(intree_follow(sim.xb));
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_pages, 300UL);
	KUNIT_EXPECT_EQ(test, sim.xb->target.wanted, 512UL);
	KUNIT_EXPECT_EQ(test, it()->seen_target, 0UL);

	LOCKED(intree_follow(sim.xb));
	KUNIT_EXPECT_EQ(test, sim.xb->target.wanted, 300UL);
}

/* The in-tree list */

struct spare_case {
	const char *name;
	unsigned int listed;
	unsigned int max;
	unsigned int got;
	enum sim_op fault;
	unsigned int count;
};

static const struct spare_case spare_cases[] = {
	{ "all of the list", 40, 512, 40, SIM_NR_OPS },
	{ "a part of it", 40, 15, 15, SIM_NR_OPS },
	{ "one", 40, 1, 1, SIM_NR_OPS },
	{ "an empty list", 0, 512, 0, SIM_NR_OPS },
	{ "it refuses", 40, 40, 0, SIM_INTREE, 1 },
	{ "no memory for one", 40, 40, 39, SIM_KZALLOC, 1 },
	{ "no memory for three", 40, 40, 37, SIM_KZALLOC, 3 },
	{ "no memory for any", 40, 40, 0, SIM_KZALLOC, 40 },
};

INTREE_PARAMS(spare);

static void pages_of_the_list_become_base_pages(struct kunit *test)
{
	const struct spare_case *c = test->param_value;
	unsigned int got;

	sim_intree_take(c->listed);
	LOCKED(intree_follow(sim.xb));
	if (c->fault != SIM_NR_OPS)
		sim_fail(c->fault, 1, c->count, 0);
	LOCKED(got = reclaim_spare(sim.xb, c->max));

	KUNIT_EXPECT_EQ(test, got, c->got);
	expect_pages(test, FULL - 1024 - c->listed, 2, c->got);
	KUNIT_EXPECT_EQ(test, it()->adopted, 1024UL + c->got);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_unpopulated, 1024UL + c->got);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.balloon_low, (unsigned long)c->listed - c->got);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_INTREE], (unsigned long)!!c->listed);
	sim_check("after reclaiming");
}

static const struct found_case {
	const char *name;
	unsigned int nodes;
	bool fake;
	unsigned long away;
} found_cases[] = {
	{ "one node", 1, false, 0 },
	{ "two nodes", 2, false, 1 },
	{ "two that only the kernel knows of", 2, true, 0 },
};

INTREE_PARAMS(found);

/* A migration has put memory behind it, and nobody knows of which node that is. */
static void a_page_of_the_list_that_has_memory_may_be_away(struct kunit *test)
{
	const struct found_case *c = test->param_value;
	unsigned int got;

	sim_build(test, &(struct sim_config){
		.regions = FULL / SIM_REGION_PAGES, .host_pieces = 4, .slack = 256,
		.nodes = c->nodes, .fake = c->fake });
	sim_intree_take(40);
	LOCKED(intree_follow(sim.xb));
	sim_refill(list_first_entry(&sim.listed, struct page, lru));
	LOCKED(got = reclaim_spare(sim.xb, 512));
	LOCKED(intree_publish(sim.xb));

	KUNIT_EXPECT_EQ(test, got, 39U);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_FOREIGN_POPULATED), 1UL);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, c->away);
	expect_pages(test, FULL - 39, 0, 39);
	sim_check("after reclaiming");
}

static void another_driver_borrows_ten(void)
{
	sim_borrow(10);
}

static void what_is_borrowed_while_we_reclaim_is_not_lost(struct kunit *test)
{
	unsigned int got;

	sim_intree_take(40);
	LOCKED(intree_follow(sim.xb));
	sim.meanwhile = another_driver_borrows_ten;
	LOCKED(got = reclaim_spare(sim.xb, 512));
	LOCKED(intree_publish(sim.xb));

	KUNIT_EXPECT_EQ(test, got, 40U);
	expect_pages(test, FULL - 1024 - 50, 2, 40);
	KUNIT_EXPECT_EQ(test, intree_lent(sim.xb), 10UL);
	sim_check("after reclaiming");
}

/* Loading and unloading */

static void loading_takes_over_what_the_intree_driver_has(struct kunit *test)
{
	expect_pages(test, FULL - 1024, 2, 0);
	KUNIT_EXPECT_EQ(test, it()->adopted, 1024UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_unpopulated, 1024UL);
	KUNIT_EXPECT_EQ(test, intree_spare(), 0UL);
	KUNIT_EXPECT_EQ(test, count_reserved(), 0U);
	KUNIT_EXPECT_EQ(test, it()->seen_target, FULL - 1024);
	KUNIT_EXPECT_EQ(test, it()->seen_total, FULL);
	KUNIT_EXPECT_EQ(test, it()->published, FULL - 1024);
	KUNIT_EXPECT_EQ(test, sim.xb->target.wanted, FULL - 1024);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);
	KUNIT_EXPECT_EQ(test, sim.xb->offset, 300L);
	KUNIT_EXPECT_TRUE(test, sim.xb->offset_known);
}

static void loading_takes_pages_that_were_ballooned_out_later(struct kunit *test)
{
	unload();
	sim_intree_take(700);
	sim_balloon_stats.target_pages = 2000;
	sim_load_driver(test);

	expect_pages(test, FULL - 1724, 3, 188);
	KUNIT_EXPECT_EQ(test, it()->adopted, 1724UL);
	KUNIT_EXPECT_EQ(test, sim.xb->target.wanted, 2000UL);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);
}

static void loading_leaves_what_is_lent(struct kunit *test)
{
	unload();
	KUNIT_ASSERT_EQ(test, sim_borrow(100), 100U);
	sim_load_driver(test);

	expect_pages(test, FULL - 1024, 1, 412);
	KUNIT_EXPECT_EQ(test, intree_lent(sim.xb), 100UL);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);
}

static void loading_without_memory_leaves_the_list_alone(struct kunit *test)
{
	unload();
	/* The first are for the nodes and the spare region. */
	sim_fail(SIM_KZALLOC, 3, 10000, 0);
	sim_load_driver(test);
	sim_mend();

	expect_pages(test, FULL - 1024, 0, 0);
	KUNIT_EXPECT_EQ(test, it()->adopted, 0UL);
	KUNIT_EXPECT_EQ(test, intree_spare(), 1024UL);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);
}

struct unload_case {
	const char *name;
	unsigned long borrowed;
	unsigned long target;
};

static const struct unload_case unload_cases[] = {
	{ "as it was found", 0, FULL - 1024 },
	{ "larger", 0, FULL - 900 },
	{ "full", 0, FULL },
	{ "smaller, of pages of our own", 0, FULL - 1024 - 100 },
	{ "smaller by huge pages", 0, FULL - 1024 - 600 },
	{ "with pages lent", 10, FULL - 1024 - 10 },
	{ "smaller, with pages lent", 10, FULL - 1024 - 100 },
	{ "full but for pages lent", 10, FULL - 10 },
};

INTREE_PARAMS(unload);

static void unloading_gives_each_page_back(struct kunit *test)
{
	const struct unload_case *c = test->param_value;

	sim_borrow(c->borrowed);
	go_to(test, c->target);
	unload();

	expect_pages(test, c->target, 0, 0);
	KUNIT_EXPECT_EQ(test, it()->adopted, 0UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_unpopulated, c->borrowed);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.balloon_low, FULL - c->target - c->borrowed);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, c->target);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.total_pages, FULL);
	KUNIT_EXPECT_EQ(test, sim.kmalloced, 0UL);
	sim_check("after unloading");
}

static void unloading_gives_nobody_a_bad_page(struct kunit *test)
{
	struct page *page;

	go_to(test, FULL - 1024 - 100);
	LOCKED(({
		KUNIT_ASSERT_EQ(test, balloon_dequeue_base(&sim.xb->queue, &page, 1,
							   NUMA_NO_NODE), 1U);
		balloon_enqueue(&sim.xb->queue, page, 0);
	}));
	sim.bad = page;
	sim_hand_back();
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).quarantined, 1UL);
	KUNIT_EXPECT_TRUE(test, PageOffline(page));
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.balloon_low, 1123UL);
	sim_check("after unloading");
}

static void what_is_shown_is_as_it_was_after_unloading(struct kunit *test)
{
	unload();
	sim_balloon_stats.schedule_delay = 7;
	sim_balloon_stats.retry_count = 3;
	sim_load_driver(test);
	LOCKED(intree_publish(sim.xb));
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.schedule_delay, 1UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.retry_count, 1UL);

	sim_balloon_stats.target_pages = 0;
	unload();
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.schedule_delay, 7UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.retry_count, 3UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_pages, FULL - 1024);
}

static void what_is_shown_is_right_when_a_page_is_lent_at_the_last_moment(struct kunit *test)
{
	sim.meanwhile = another_driver_borrows_ten;
	unload();
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages,
			balloon_figures(&sim.xb->queue).guest);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_unpopulated, 10UL);
	sim_check("after unloading");
}

/* Parking */

struct park_case {
	const char *name;
	unsigned long parked_at;
	long heard;
	unsigned long stored;		/* after it was parked */
	unsigned long target;
	unsigned int woken;
};

#define PARKED	(FULL - 1024)

static const struct park_case park_cases[] = {
	{ "nothing new", 2500, -1, PARKED, 2500, 1 },
	{ "a new one stored", 2500, -1, 2600, 2600, 0 },
	{ "heard, not yet stored", 2500, 2600, PARKED, 2600, 1 },
	{ "heard and stored", 2500, 2600, 2600, 2600, 0 },
	{ "one page heard", 2500, 1, PARKED, 1, 1 },
	{ "junk heard", 2500, 0, PARKED, 2500, 1 },
	{ "junk heard and stored", 2500, 0, 0, 2500, 1 },
	{ "heard, and junk stored", 2500, 2600, -7UL, 2600, 1 },
	{ "junk before", 0, -1, PARKED, 2400, 1 },
	{ "junk before, and after", 0, -1, 2 * BALLOON_MAX_PAGES, 2400, 1 },
	{ "where it is", 2500, PARKED, PARKED, PARKED, 0 },
};

INTREE_PARAMS(park);

static void the_thread_goes_where_it_shall_once_it_was_parked(struct kunit *test)
{
	const struct park_case *c = test->param_value;
	unsigned long target;

	sim.xb->target.wanted = 2400;
	sim_balloon_stats.target_pages = c->parked_at;
	target = intree_park(sim.xb);
	KUNIT_EXPECT_EQ(test, target, c->parked_at);
	KUNIT_EXPECT_EQ(test, it()->parked, PARKED);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_pages, PARKED);

	sim_balloon_stats.target_pages = c->stored;
	atomic_long_set(&it()->heard, c->heard);
	intree_unpark(sim.xb, target);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_pages, c->target);
	KUNIT_EXPECT_EQ(test, sim.woken, c->woken);
}

/* A region that the list does not know */

#if IS_ENABLED(CONFIG_XEN_PV) && IS_ENABLED(CONFIG_XEN_UNPOPULATED_ALLOC)

static void build_pv(struct kunit *test, unsigned int unpopulated, unsigned int unlisted)
{
	sim_build(test, &(struct sim_config){
		.regions = FULL / SIM_REGION_PAGES, .unpopulated = unpopulated,
		.unlisted = unlisted, .host_pieces = 8, .extra = 300, .slack = 256,
		.pv = true });
}

struct region_case {
	const char *name;
	unsigned int unpopulated;
	unsigned int unlisted;
};

static const struct region_case region_cases[] = {
	{ "all of it", 3, 3 },
	{ "with listed pages below it", 5, 2 },
	{ "there is none", 3, 0 },
};

INTREE_PARAMS(region);

static void a_region_is_taken_to_its_end_and_given_back(struct kunit *test)
{
	const struct region_case *c = test->param_value;
	unsigned long unpopulated = c->unpopulated * 512UL, unlisted = c->unlisted * 512UL;

	build_pv(test, c->unpopulated, c->unlisted);
	expect_pages(test, FULL - unpopulated, c->unpopulated, 0);
	KUNIT_EXPECT_EQ(test, it()->region_pages, unlisted);
	KUNIT_EXPECT_EQ(test, it()->adopted, unpopulated - unlisted);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);
	KUNIT_EXPECT_EQ(test, sim.nr_device, 0U);
	KUNIT_EXPECT_EQ(test, sim.nr_unlisted, 0U);

	unload();
	KUNIT_EXPECT_EQ(test, sim.nr_unlisted, unlisted);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.balloon_low, unpopulated - unlisted);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_unpopulated, 0UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.total_pages, FULL - unlisted);
	KUNIT_EXPECT_EQ(test, it()->region_pages, 0UL);
	KUNIT_EXPECT_EQ(test, count_reserved(), unlisted);
}

/* As drivers leave it that map other guests' memory, and balloons. */
static void a_region_is_taken_in_whatever_order_it_is(struct kunit *test)
{
	build_pv(test, 3, 3);
	unload();
	sim_shuffle_unlisted();
	sim_load_driver(test);
	expect_pages(test, FULL - 1536, 3, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);
	KUNIT_EXPECT_EQ(test, sim.nr_device, 0U);
}

/* Which pages of the guest's these are is all the same. */
static void a_region_that_was_the_guests_is_one_again(struct kunit *test)
{
	build_pv(test, 3, 3);
	go_to(test, FULL);
	go_to(test, FULL - 1536);
	unload();
	KUNIT_EXPECT_EQ(test, sim.nr_unlisted, 1536U);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.balloon_low, 0UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.total_pages, FULL - 1536);

	sim_load_driver(test);
	expect_pages(test, FULL - 1536, 3, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);
}

static void what_others_are_about_to_map_is_left_as_is_device_memory(struct kunit *test)
{
	build_pv(test, 3, 3);
	unload();
	sim_borrow_unlisted(70);
	sim_load_driver(test);
	/* 512, 512, 256, 128, and then there are not 64 any more. */
	KUNIT_EXPECT_EQ(test, it()->region_pages, 1408UL);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL - 70 - 58);
	KUNIT_EXPECT_EQ(test, sim.nr_device, 512U);
	KUNIT_EXPECT_EQ(test, sim.nr_unlisted, 58U + 512U);
	sim_return_unlisted();
}

/* It was sent before it was ballooned out and handed back. */
static void what_a_migration_brought_of_a_region_is_the_guests(struct kunit *test)
{
	build_pv(test, 3, 3);
	unload();
	sim_refill(sim_page(7, 500));
	sim_refill(sim_page(6, 3));
	sim_load_driver(test);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, FULL - 1534);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);
	unload();
	KUNIT_EXPECT_EQ(test, sim.nr_unlisted, 1534U);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.total_pages, FULL - 1534);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FULL - 1534);
}

static void only_a_pv_guest_has_such_a_region(struct kunit *test)
{
	build_pv(test, 3, 3);
	unload();
	sim.config.pv = false;
	memset(sim.calls, 0, sizeof(sim.calls));
	sim_load_driver(test);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_UNPOPULATED], 0UL);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL - 1536);
}

static void without_unpopulated_pages_there_is_no_region(struct kunit *test)
{
	build_pv(test, 3, 3);
	unload();
	sim_fail(SIM_UNPOPULATED, 2, 1, 0);
	sim_load_driver(test);
	/* One batch, and then no more. */
	KUNIT_EXPECT_EQ(test, it()->region_pages, 512UL);
	KUNIT_EXPECT_EQ(test, sim.nr_unlisted, 1024U);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL - 1024);
}

static void a_page_that_cannot_be_kept_account_of_goes_back_to_its_region(struct kunit *test)
{
	build_pv(test, 3, 3);
	unload();
	sim_fail(SIM_KZALLOC, 3, 1, 0);
	sim_load_driver(test);
	KUNIT_EXPECT_EQ(test, it()->region_pages, 1535UL);
	KUNIT_EXPECT_EQ(test, sim.nr_unlisted, 1U);
	expect_pages(test, FULL - 1536, 2, 511);
}

static void a_region_becomes_the_guests_and_the_intree_driver_learns_of_it(struct kunit *test)
{
	build_pv(test, 3, 3);
	go_to(test, FULL - 1436);
	KUNIT_EXPECT_EQ(test, it()->region_pages, 1536UL);

	unload();
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.total_pages, FULL - 1436);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, FULL - 1436);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.balloon_low, 0UL);
	KUNIT_EXPECT_EQ(test, sim.nr_unlisted, 1436U);

	sim_load_driver(test);
	expect_pages(test, FULL - 1436, 2, 412);
	KUNIT_EXPECT_EQ(test, it()->region_pages, 1436UL);
	KUNIT_EXPECT_EQ(test, sim.nr_unlisted, 0U);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);

	go_to(test, FULL);
	unload();
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.total_pages, FULL);
	KUNIT_EXPECT_EQ(test, sim.nr_unlisted, 0U);
}

/* Those come first that the allocator got last. */
static void however_much_it_brought_the_rest_is_taken(struct kunit *test)
{
	unsigned int nr = 0;
	struct page *page;

	build_pv(test, 3, 3);
	unload();
	list_for_each_entry(page, &sim.unlisted, lru) {
		if (nr++ == 512)
			break;
		sim_refill(page);
	}
	sim_load_driver(test);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, FULL - 1024);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);
	unload();
	KUNIT_EXPECT_EQ(test, sim.nr_unlisted, 1024U);
}

#endif

static void loading_gives_the_guest_what_was_set_online_again(struct kunit *test)
{
	unsigned long guest = FULL - 2 * SIM_REGION_PAGES;

	unload();
	KUNIT_ASSERT_EQ(test, sim_set_offline(3, 1), 0);
	sim_online_again(3, 1);
	sim_load_driver(test);
	expect_pages(test, guest, 2, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->total, FULL);
	KUNIT_EXPECT_EQ(test, intree_spare(), 0UL);
	sim_check("loaded");
	sim_give_all_back();
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_unpopulated, 0UL);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, guest);
	sim.xb->total = balloon_sum(sim.xb);
}

static void what_has_memory_in_a_new_domain_is_not_handed_back(struct kunit *test)
{
	unsigned long guest = FULL - 3 * SIM_REGION_PAGES;

	go_to(test, guest);
	sim_refill(list_first_entry(&sim.xb->queue.nodes[0].huge, struct page, lru) + 5);
	sim.xb->resumed = true;
	/* Nor is there memory to break the huge page up. */
	sim_fail(SIM_KZALLOC, 1, ULONG_MAX, 0);
	unload();
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.current_pages, guest + 1);
	KUNIT_EXPECT_EQ(test, sim_balloon_stats.target_unpopulated, 0UL);
}

static struct kunit_case intree_cases[] = {
	KUNIT_CASE_PARAM(the_worker_looks_when_it_may_not_have_been_told, look_gen_params),
	KUNIT_CASE_PARAM(the_longest_wait_is_the_attributes_within_bounds,
			 max_delay_gen_params),
	KUNIT_CASE(foreign_pages_are_those_listed_and_those_lent_that_are_not_ours),
	KUNIT_CASE_PARAM(the_attributes_show_the_wait_and_how_often, face_gen_params),
	KUNIT_CASE(current_kb_is_what_the_guest_has),
	KUNIT_CASE(what_the_intree_driver_does_while_we_publish_is_kept),
	KUNIT_CASE(what_the_intree_driver_balloons_out_for_others_is_lent),
	KUNIT_CASE_PARAM(a_look_counts_only_where_it_differs_from_the_one_before,
			 follow_gen_params),
	KUNIT_CASE(a_target_stored_while_junk_is_mended_is_seen_next),
	KUNIT_CASE_PARAM(pages_of_the_list_become_base_pages, spare_gen_params),
	KUNIT_CASE_PARAM(a_page_of_the_list_that_has_memory_may_be_away, found_gen_params),
	KUNIT_CASE(what_is_borrowed_while_we_reclaim_is_not_lost),
	KUNIT_CASE(loading_takes_over_what_the_intree_driver_has),
	KUNIT_CASE(loading_takes_pages_that_were_ballooned_out_later),
	KUNIT_CASE(loading_leaves_what_is_lent),
	KUNIT_CASE(loading_gives_the_guest_what_was_set_online_again),
	KUNIT_CASE(what_has_memory_in_a_new_domain_is_not_handed_back),
	KUNIT_CASE(loading_without_memory_leaves_the_list_alone),
	KUNIT_CASE_PARAM(unloading_gives_each_page_back, unload_gen_params),
	KUNIT_CASE(unloading_gives_nobody_a_bad_page),
	KUNIT_CASE(what_is_shown_is_as_it_was_after_unloading),
	KUNIT_CASE(what_is_shown_is_right_when_a_page_is_lent_at_the_last_moment),
	KUNIT_CASE_PARAM(junk_hides_no_target_that_was_heard, hear_gen_params),
	KUNIT_CASE_PARAM(the_thread_goes_where_it_shall_once_it_was_parked, park_gen_params),
#if IS_ENABLED(CONFIG_XEN_PV) && IS_ENABLED(CONFIG_XEN_UNPOPULATED_ALLOC)
	KUNIT_CASE_PARAM(a_region_is_taken_to_its_end_and_given_back, region_gen_params),
	KUNIT_CASE(a_region_is_taken_in_whatever_order_it_is),
	KUNIT_CASE(a_region_that_was_the_guests_is_one_again),
	KUNIT_CASE(what_others_are_about_to_map_is_left_as_is_device_memory),
	KUNIT_CASE(what_a_migration_brought_of_a_region_is_the_guests),
	KUNIT_CASE(however_much_it_brought_the_rest_is_taken),
	KUNIT_CASE(only_a_pv_guest_has_such_a_region),
	KUNIT_CASE(without_unpopulated_pages_there_is_no_region),
	KUNIT_CASE(a_page_that_cannot_be_kept_account_of_goes_back_to_its_region),
	KUNIT_CASE(a_region_becomes_the_guests_and_the_intree_driver_learns_of_it),
#endif
	{}
};

static struct kunit_suite intree_suite = {
	.name = "intree",
	.init = intree_init,
	.exit = sim_exit,
	.test_cases = intree_cases,
};

kunit_test_suite(intree_suite);
