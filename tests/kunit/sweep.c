// SPDX-License-Identifier: GPL-2.0
/*
 * Each failure at each call: a step is run once to see what the driver calls, and
 * then once for each of these calls and each way that it can fail in. Nothing is lost
 * after any turn, by what is counted in the p2m; once all is mended the step comes to
 * its end, and the guest gets back to its full size but for what had to be quarantined.
 */

#include "balloon.h"
#include "sim.h"

/* A guest as small as can be, which can give up all but a huge page. */
#define REGIONS		10U
#define FULL		(REGIONS * (unsigned long)SIM_REGION_PAGES)
#define H(huge)		((huge) * 512UL)
#define MAX_CALLS	16384U

#define SMALL		.regions = REGIONS, .host_pieces = 4, .slack = 256

static const struct sim_config translated = { SMALL };

static const struct sim_config hvm = { SMALL, .device_model = true };

static const struct sim_config pv = { SMALL, .pv = true };

static const struct sim_config full_host = { .regions = REGIONS, .slack = 256, .pv = true };

static const struct sim_config restored = { SMALL, .restores_whole = true };

static const struct sim_config two_nodes = { SMALL, .nodes = 2 };

static const struct sim_config booted_small = { SMALL, .unpopulated = 2 };

static const struct sim_config booted_small_pv = {
	SMALL, .unpopulated = 4, .unlisted = 2, .pv = true,
};

/**
 * struct step - a step to be swept
 * @name: what it is
 * @config: the world that it is done in
 * @prepare: before it, when nothing fails
 * @run: the step, once more as often as it is called
 * @reached: is it done, so that it need not be run again?
 * @absent: the driver is not there, but comes by @run
 */
struct step {
	const char *name;
	const struct sim_config *config;
	void (*prepare)(void);
	void (*run)(void);
	bool (*reached)(void);
	bool absent;
};

static unsigned long goal;

static void settle(unsigned long target)
{
	sim_target(target);
	sim_settle(60);
}

/* What is quarantined the guest does not get back. */
static bool at_goal(void)
{
	struct balloon_figures n = balloon_figures(&sim.xb->queue);

	return n.guest == min(goal, sim.xb->total - n.quarantined);
}

/* Some turns towards the goal. */
static void go(void)
{
	unsigned int i;

	sim_target(goal);
	for (i = 0; i < 8 && !at_goal() && !sim.violations; i++)
		sim_turn();
}

/* Inflate and deflate */

static void want_huge(void)
{
	goal = FULL - H(7);
}

static void want_base(void)
{
	goal = FULL - 300;
}

static void use_each_region(void)
{
	unsigned int i;

	for (i = 0; i < REGIONS; i++)
		sim_use(i, 30, SIM_PROGRAM);
	goal = FULL - H(2);
}

static void pin_each_region(void)
{
	unsigned int i;

	for (i = 0; i < REGIONS; i++)
		sim_use(i, 30, SIM_PINNED);
	goal = FULL - 700;
}

static void want_back_huge(void)
{
	settle(FULL - H(7));
	goal = FULL;
}

static void want_back_base(void)
{
	settle(FULL - 300);
	goal = FULL - 10;
}

static void want_back_part(void)
{
	settle(FULL - H(1));
	goal = FULL - 100;
}

/* Other guests have so much that there is no 2 MiB in one piece. */
static void want_back_from_scraps(void)
{
	settle(FULL - H(1));
	sim_rivals_take(4, 1);
	sim.max_pages -= sim.config.slack;
	goal = FULL - 1;
}

/* Upkeep */

static void do_upkeep(void)
{
	unsigned int i;

	for (i = 0; i < 4 && !sim.violations; i++) {
		sim.now += 10 * NSEC_PER_SEC;
		sim_turn();
	}
}

/* One that Xen took a part of is not there any more. */
static bool is_coalesced(void)
{
	struct balloon_figures n = balloon_figures(&sim.xb->queue);

	return (n.huge || n.quarantined) && at_goal();
}

/* A region that could not be emptied is tried again when more or less of it is free. */
static void heal(void)
{
	unsigned int i, used = 0;

	do_upkeep();
	for (i = 0; i < SIM_REGION_PAGES && used < 16; i++)
		used += sim_use(3, i, SIM_PROGRAM);
}

static bool is_healed(void)
{
	unsigned int quarantined = balloon_figures(&sim.xb->queue).quarantined;

	return sim_superpages() == REGIONS - !!quarantined && at_goal();
}

/* There are base pages of one huge page and some more, here and there. */
static void scatter(void)
{
	unsigned int i;

	for (i = 0; i < REGIONS - 1; i++)
		sim_queue_base(i, 0, 58);
	goal = FULL - (REGIONS - 1) * 58;
	sim.xb->heal.enabled = false;
	sim.xb->coalesce = false;
	settle(goal);
	sim.xb->coalesce = true;
}

static void scatter_on_full_host(void)
{
	scatter();
	sim_rivals_take(0, sim.host_free);
}

static void scatter_beyond_limit(void)
{
	scatter();
	sim.max_pages = sim.tot_pages - 1;
}

static void shatter(void)
{
	sim.xb->heal.enabled = false;
	sim_queue_base(3, 0, 40);
	sim_rivals_take(0, 1);
	goal = FULL;
	settle(FULL);
	sim.xb->heal.enabled = true;
}

static void shatter_in_use(void)
{
	shatter();
	sim_use(3, 100, SIM_PROGRAM);
}

/* Nodes */

/* Of the second one other guests have all that the guest has not. */
static void want_back_on_full_node(void)
{
	settle(FULL - H(4) - 70);
	sim_rivals_take_node(1, sim.nr_pieces);
	goal = FULL;
}

static void be_uneven(void)
{
	unsigned long wish[SIM_NODES] = { H(2), H(4), ULONG_MAX, ULONG_MAX };

	settle(FULL - H(4));
	goal = FULL - H(4);
	balloon_nodes_wish(sim.xb, wish);
	balloon_worker_again(sim.xb);
}

/* Within 2 MiB, as each was before. */
static bool is_even(void)
{
	struct balloon_node_figures n = balloon_node_figures(sim.xb, 0);

	return n.has < n.target + H(1) && n.target < n.has + H(1) && at_goal();
}

static void be_away(void)
{
	want_back_on_full_node();
	settle(FULL);
	sim_rivals_give(sim.nr_pieces, 0);
	balloon_worker_again(sim.xb);
}

/* As for heal(). */
static void renew(void)
{
	unsigned int region, i, used;

	do_upkeep();
	for (region = 0; region < REGIONS; region++) {
		if (!balloon_region_away(&sim.xb->queue, region_index(sim_page(region, 0))))
			continue;
		for (i = 0, used = 0; i < SIM_REGION_PAGES && used < 16; i++)
			used += sim_use(region, i, SIM_PROGRAM);
	}
}

/* What is out of use is nowhere. */
static bool is_renewed(void)
{
	struct balloon_figures n = balloon_figures(&sim.xb->queue);

	return sim.xb->queue.regions.away <= n.quarantined && at_goal();
}

/* Compaction */

static void queue_some(void)
{
	sim_queue_base(2, 0, 200);
	sim_queue_base(4, 0, 200);
	goal = FULL - 400;
	sim_target(goal);
	sim_turn();
}

static void queue_some_on_full_host(void)
{
	queue_some();
	sim_rivals_take(0, sim.host_free);
}

static void compact(void)
{
	sim_compact(8);
	sim_turn();
}

static bool has_moved(void)
{
	return sim.moved && at_goal();
}

/* Lending */

static void want_stock(void)
{
	settle(FULL - H(2));
	goal = FULL - H(2);
	sim.xb->foreign.low = 700;
}

static void want_stock_of_guests(void)
{
	goal = FULL;
	sim.xb->foreign.low = 200;
}

static void stock(void)
{
	unsigned int i;

	balloon_worker_again(sim.xb);
	for (i = 0; i < 4 && !sim.violations; i++)
		sim_turn();
}

static bool is_stocked(void)
{
	return !balloon_foreign_is_low(sim.xb);
}

static void stock_too_much(void)
{
	want_stock();
	stock();
	sim.xb->foreign.low = 0;
	sim.xb->foreign.high = 0;
}

static bool is_trimmed(void)
{
	return !sim.xb->kernel->spare();
}

/* Of what is on the list drivers have a part: the guest grows from what is left. */
static void lend_a_part(void)
{
	stock_too_much();
	sim_borrow(5);
	goal = FULL - 5;
}

/* Give memory of its own accord, and get it back */

static void may_give(void)
{
	sim.xb->target.floor = H(3);
	sim.xb->target.reserve = H(1);
	sim.xb->heal.enabled = false;
	sim_turn();
	balloon_elastic_enable(sim.xb, true);
	goal = FULL;
}

static void let_be(void)
{
	u64 end = sim.now + 60 * NSEC_PER_SEC;

	while (sim.now < end && !sim.violations)
		sim_turn();
}

static bool has_given(void)
{
	return sim.xb->elastic.given >= H(3);
}

static void have_given(void)
{
	may_give();
	let_be();
	let_be();
}

static void need_it(void)
{
	balloon_elastic_signal(sim.xb, SIGNAL_KSWAPD);
	sim_turn();
	balloon_elastic_enable(sim.xb, false);
	go();
}

/* Take over and hand back */

static bool has_all(void)
{
	struct balloon_figures n = balloon_figures(&sim.xb->queue);

	return sim.xb->total == n.guest + n.huge * SIM_REGION_PAGES + n.base + n.quarantined +
			       sim.xb->kernel->spare();
}

static void have_something(void)
{
	settle(FULL - H(2) - 70);
	goal = FULL - H(2) - 70;
}

static bool is_handed_back(void)
{
	struct balloon_figures n = balloon_figures(&sim.xb->queue);

	return !n.huge && !n.base;
}

static void load_driver(void)
{
	unsigned long had = sim.kmalloced;

	if (!sim_load())
		sim_take_over();
	else if (sim.kmalloced != had || sim.notifiers)
		sim_violation("%lu bytes and %u notifiers leaked where it cannot be loaded",
			      sim.kmalloced - had, sim.notifiers);
}

static bool is_loaded(void)
{
	return sim.xb->total && has_all();
}

static bool worker_ran;

static void have_no_worker(void)
{
	worker_ran = false;
}

/* Whether it runs before it is stopped would be left to chance. */
static void run_worker(void)
{
	sim.thread_sleeps = true;
	if (balloon_worker_start(sim.xb))
		return;
	balloon_worker_stop(sim.xb);
	worker_ran = true;
}

static bool has_run(void)
{
	return worker_ran;
}

/* Reclaim */

static void fill_guest(void)
{
	unsigned int i;

	for (i = 0; i < FULL - H(1) - 20; i++)
		sim_use(i / 512, i % 512, SIM_PROGRAM);
	sim.swap = 2000;
	goal = FULL - H(3);
}

static void squeeze(void)
{
	unsigned int i;

	sim_target(goal);
	for (i = 0; i < 6 && !at_goal() && !sim.violations; i++) {
		sim.now += 2 * NSEC_PER_SEC;
		sim_turn();
	}
}

/* Growth beyond all that there is: memory is added. */

static void be_allowed_more(void)
{
	sim.max_pages += H(8);
}

static bool has_grown(void)
{
	return balloon_figures(&sim.xb->queue).guest == FULL + H(1) + 55;
}

/* A block that the kernel did not take is tried again after 10 seconds. */
static void grow(void)
{
	unsigned int i;

	sim_target(FULL + H(1) + 55);
	sim.now += 10 * NSEC_PER_SEC;
	for (i = 0; i < 8 && !has_grown() && !sim.violations; i++)
		sim_turn();
}

/* Out of memory */

static void be_small(void)
{
	settle(FULL - H(3) - 70);
	sim.xb->oom.deflates = true;
}

static void run_out(void)
{
	unsigned long freed = 0;

	sim.xb->oom.nb.notifier_call(&sim.xb->oom.nb, 0, &freed);
}

static bool has_some(void)
{
	return balloon_counted(sim.xb, COUNT_OOM_RELIEVED);
}

/* Another kernel begins; to try again is to tell of it again */

static bool is_whole(void)
{
	return balloon_figures(&sim.xb->queue).guest == sim.xb->total;
}

/* Restore: there is memory behind a page of each queue, and one on the list. */
static void come_to_new_domain(void)
{
	struct page *page;

	settle(FULL - H(3) - 70);
	sim.xb->foreign.low = 1;
	stock();
	sim.xb->foreign.low = 0;
	sim.xb->foreign.high = H(1);
	sim_refill(list_first_entry(&sim.xb->queue.nodes[0].huge, struct page, lru));
	page = list_first_entry(&sim.listed, struct page, lru);
	sim_refill(page);
	balloon_dequeue_base(&sim.xb->queue, &page, 1, NUMA_NO_NODE);
	sim_refill(page);
	balloon_enqueue(&sim.xb->queue, page, 0);
	sim.xb->resumed = true;
	goal = FULL - H(3) - 70;
}

static void restore(void)
{
	unsigned int i;

	/* Before that is done nobody knows what is a hole. */
	sim.unchecked = true;
	for (i = 0; i < 8 && sim.xb->resumed; i++)
		sim_turn();
	sim.unchecked = sim.xb->resumed;
	for (i = 0; i < 8 && !sim.violations; i++)
		sim_turn();
}

static bool is_restored(void)
{
	return !sim.xb->resumed && at_goal();
}

static const struct step steps[] = {
	{ "inflate, huge", &translated, want_huge, go, at_goal },
	{ "inflate, base", &translated, want_base, go, at_goal },
	{ "inflate by emptying regions", &translated, use_each_region, go, at_goal },
	{ "inflate, nothing but base", &translated, pin_each_region, go, at_goal },
	{ "inflate, HVM", &hvm, want_base, go, at_goal },
	{ "deflate, huge", &translated, want_back_huge, go, at_goal },
	{ "deflate, base", &translated, want_back_base, go, at_goal },
	{ "deflate, part of a huge page", &translated, want_back_part, go, at_goal },
	{ "deflate, no 2 MiB in one piece", &translated, want_back_from_scraps, go, at_goal },
	{ "coalesce", &translated, scatter, do_upkeep, is_coalesced },
	{ "coalesce beyond the limit", &translated, scatter_beyond_limit, do_upkeep, is_coalesced },
	{ "coalesce in PV", &pv, scatter, do_upkeep, is_coalesced },
	{ "coalesce in PV, full host", &full_host, scatter_on_full_host, do_upkeep, is_coalesced },
	{ "heal", &translated, shatter, heal, is_healed },
	{ "heal a region in use", &translated, shatter_in_use, heal, is_healed },
	{ "heal in PV", &pv, shatter, heal, is_healed },
	{ "deflate on a full node", &two_nodes, want_back_on_full_node, go, at_goal },
	{ "even out", &two_nodes, be_uneven, do_upkeep, is_even },
	{ "renew what is away", &two_nodes, be_away, renew, is_renewed },
	{ "compaction", &translated, queue_some, compact, has_moved },
	{ "compaction in PV", &pv, queue_some, compact, has_moved },
	{ "compaction in PV, full host", &full_host, queue_some_on_full_host, compact, has_moved },
	{ "lend", &translated, want_stock, stock, is_stocked },
	{ "lend of the guest's", &translated, want_stock_of_guests, stock, is_stocked },
	{ "take back what was to be lent", &translated, stock_too_much, stock, is_trimmed },
	{ "grow by what was to be lent", &translated, lend_a_part, go, at_goal },
	{ "give", &translated, may_give, let_be, has_given },
	{ "give in PV", &pv, may_give, let_be, has_given },
	{ "get back", &translated, have_given, need_it, at_goal },
	{ "load and take over", &booted_small, NULL, load_driver, is_loaded, true },
	{ "load and take over in PV", &booted_small_pv, NULL, load_driver, is_loaded, true },
	{ "hand back", &translated, have_something, sim_give_all_back, is_handed_back },
	{ "hand back in a new domain", &translated, come_to_new_domain, sim_give_all_back,
	  is_handed_back },
	{ "start the worker", &translated, have_no_worker, run_worker, has_run },
	{ "reclaim", &translated, fill_guest, squeeze, at_goal },
	{ "grow by added memory", &translated, be_allowed_more, grow, has_grown },
	{ "grow by added memory in PV", &pv, be_allowed_more, grow, has_grown },
	{ "out of memory", &translated, be_small, run_out, has_some },
	{ "kexec", &translated, be_small, sim_begin_kexec, is_whole },
	{ "restore", &translated, come_to_new_domain, restore, is_restored },
	{ "restore in superpages", &restored, come_to_new_domain, restore, is_restored },
	{ "restore in PV", &pv, come_to_new_domain, restore, is_restored },
};

static void name_step(const struct step *step, char *name)
{
	strscpy(name, step->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(step, steps, name_step);

/* What an undisturbed run calls */

static struct call {
	u8 op;
	u16 nr;
	u16 size;
} calls[MAX_CALLS];
static unsigned int nr_calls;

static void note_call(enum sim_op op, unsigned int nr, unsigned int size)
{
	if (nr_calls < MAX_CALLS)
		calls[nr_calls] = (struct call){ .op = op, .nr = nr, .size = size };
	nr_calls++;
}

static void begin(struct kunit *test, const struct step *step)
{
	sim_build_world(test, step->config);
	if (!step->absent) {
		sim_load_driver(test);
		sim.xb->target.floor = 0;
		sim.xb->target.reserve = 1;
		step->prepare();
	}
	memset(sim.calls, 0, sizeof(sim.calls));
}

/* An undisturbed run, to see what is called. */
static void look_at(struct kunit *test, const struct step *step)
{
	begin(test, step);
	nr_calls = 0;
	sim.called = note_call;
	step->run();
	sim.called = NULL;
	KUNIT_EXPECT_TRUE(test, step->reached());
	KUNIT_ASSERT_LE(test, nr_calls, MAX_CALLS);
}

/* A guest that has its driver, and nothing lent, gets back all that it can have. */
static bool is_whole_again(void)
{
	unsigned long quarantined = balloon_figures(&sim.xb->queue).quarantined;
	unsigned int tries = 20;

	sim_rivals_give(sim.nr_pieces, sim.nr_rival_frames);
	sim.max_pages = sim_total() + sim.config.extra + sim.config.slack + quarantined;
	sim_return(FULL);
	sim.xb->foreign.low = 0;
	sim.xb->foreign.high = 0;
	balloon_elastic_enable(sim.xb, false);
	goal = sim.xb->total - quarantined;
	sim.xb->target.floor = 0;
	while (tries-- && !at_goal())
		go();

	return at_goal();
}

/* Return: false when there is something to look at. */
static bool recovers(struct kunit *test, const struct step *step)
{
	unsigned int tries = 20;
	bool reached, whole;

	sim_mend();
	/* What a guest beyond its limit has lost it gets back when that is raised. */
	sim.max_pages += max(sim.config.slack, 1U) + balloon_figures(&sim.xb->queue).quarantined;
	while (tries-- && !step->reached() && !sim.violations)
		step->run();
	reached = step->reached();
	whole = is_whole_again();
	sim_check("in the end");
	KUNIT_EXPECT_TRUE(test, reached);
	KUNIT_EXPECT_TRUE(test, whole);

	return reached && whole && !sim.violations;
}

/* Ways to fail */

/* More than any number of calls. */
#define ALL	ULONG_MAX

static const char *const names[] = {
	[SIM_RELEASE] = "release", [SIM_POPULATE] = "populate", [SIM_MOVE] = "move",
	[SIM_EXCHANGE] = "exchange", [SIM_CURRENT] = "current", [SIM_MAXIMUM] = "maximum",
	[SIM_POPULATED] = "populated",
	[SIM_LOGS_WRITES] = "logs_writes", [SIM_RESTORES_WHOLE] = "restores_whole",
	[SIM_ALLOC] = "alloc_pages", [SIM_CONTIG] = "alloc_contig_range",
	[SIM_KZALLOC] = "kzalloc", [SIM_XARRAY] = "xarray", [SIM_INTREE] = "ballooned pages",
	[SIM_UNPOPULATED] = "unpopulated pages", [SIM_THREAD] = "thread",
	[SIM_NOTIFIER] = "notifier", [SIM_PLACE] = "place", [SIM_HOLES] = "make_holes",
	[SIM_REACH] = "reach",
	[SIM_ADD] = "add_memory",
};

static_assert(ARRAY_SIZE(names) == SIM_NR_OPS);

static unsigned long points[SIM_NR_OPS];
static unsigned long failed[SIM_NR_OPS];
static unsigned long pairs;

/* The n-th call of an operation fails, and so many after it. */
static bool fails_at(struct kunit *test, const struct step *step, enum sim_op op, unsigned long n,
		     struct sim_fault fault)
{
	bool good;

	begin(test, step);
	fault.from = n;
	sim.fault[op] = fault;
	step->run();
	KUNIT_EXPECT_GE(test, sim.failed[op], 1UL);
	good = recovers(test, step) && sim.failed[op];
	if (!good)
		kunit_err(test, "%s: call %lu of %s, %lu in a row, done %u, partial %u\n",
			  step->name, n, names[op], fault.count, fault.done, fault.partial);
	points[op]++;
	failed[op] += sim.failed[op];

	return good;
}

/* 0, 1, half, and all but one of @nr. Returns how many different ones. */
static unsigned int parts(unsigned int nr, unsigned int *part)
{
	const unsigned int all[] = { 0, 1, nr / 2, nr - 1 };
	unsigned int i, n = 0;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		if (!n || (all[i] > part[n - 1] && all[i] < nr))
			part[n++] = all[i];

	return n;
}

/*
 * Nothing is moved any more once a move has failed. Where nothing can be looked up, nobody
 * knows what is a hole.
 */
static bool goes_on_failing(enum sim_op op)
{
	return op != SIM_MOVE && op != SIM_POPULATED;
}

/* Each way in which the n-th call of an operation may fail. */
static bool sweep_call(struct kunit *test, const struct step *step, const struct call *call,
		       unsigned long n)
{
	unsigned int done[5], partial[5], nr_done, nr_partial = 1, i, j;
	struct sim_fault fault;

	nr_done = parts(call->nr, done);
	partial[0] = 0;
	if (call->size) {
		nr_partial = parts(call->size, partial);
		partial[nr_partial++] = call->size;
	}
	/* What moves may be lost; what was exchanged may be of no use. */
	if (call->op == SIM_MOVE || (call->op == SIM_EXCHANGE && call->size))
		done[nr_done++] = call->nr;

	for (i = 0; i < nr_done; i++) {
		for (j = 0; j < nr_partial; j++) {
			fault = (struct sim_fault){ .done = done[i], .partial = partial[j] };
			fault.count = 1;
			if (!fails_at(test, step, call->op, n, fault))
				return false;
		}
	}

	return !goes_on_failing(call->op) ||
	       fails_at(test, step, call->op, n, (struct sim_fault){ .count = ALL });
}

/*
 * Of many calls of one kind a part is enough with KASAN, which makes all slow, and of the
 * look-ups, of which there is one for each page.
 */
static bool is_swept(enum sim_op op, unsigned long n)
{
	return n <= 20 || n % (op == SIM_POPULATED ? 131 : IS_ENABLED(CONFIG_KASAN) ? 13 : 1) == 0;
}

static void nothing_is_lost_whichever_call_fails(struct kunit *test)
{
	const struct step *step = test->param_value;
	unsigned long n[SIM_NR_OPS] = {}, sum = 0;
	unsigned int i;
	bool good;

	look_at(test, step);
	good = recovers(test, step);

	memset(points, 0, sizeof(points));
	for (i = 0; good && i < nr_calls; i++) {
		n[calls[i].op]++;
		if (is_swept(calls[i].op, n[calls[i].op]))
			good = sweep_call(test, step, &calls[i], n[calls[i].op]);
	}

	for (i = 0; i < SIM_NR_OPS; i++) {
		sum += points[i];
		if (points[i])
			kunit_info(test, "%s: %s: %lu calls, %lu fault points\n", step->name,
				   names[i], n[i], points[i]);
	}
	kunit_info(test, "%s: %lu fault points\n", step->name, sum);
}

/* Two calls fail: one, and of another kind the next one after it */

static struct pair {
	enum sim_op first;
	struct sim_fault fault;
	enum sim_op second;
	unsigned long count;
} pair;
static DECLARE_BITMAP(followed, SIM_NR_OPS);

static void note_followers(enum sim_op op, unsigned int nr, unsigned int size)
{
	if (sim.calls[pair.first])
		__set_bit(op, followed);
}

static void fail_second(enum sim_op op, unsigned int nr, unsigned int size)
{
	if (op == pair.first && sim.calls[op] == 1)
		sim_fail(pair.second, 1, pair.count, 0);
}

static void run_pair(struct kunit *test, const struct step *step,
		     void (*called)(enum sim_op op, unsigned int nr, unsigned int size))
{
	begin(test, step);
	sim.fault[pair.first] = pair.fault;
	sim.called = called;
	step->run();
	sim.called = NULL;
}

/* Return: false when there is something to look at. */
static bool both_fail(struct kunit *test, const struct step *step, unsigned long count,
		      unsigned long *sum)
{
	bool good;

	pair.count = count;
	run_pair(test, step, fail_second);
	KUNIT_EXPECT_GE(test, sim.failed[pair.second], 1UL);
	good = recovers(test, step) && sim.failed[pair.second];
	if (!good)
		kunit_err(test, "%s: first %s, done %u, partial %u, then %lu of %s\n", step->name,
			  names[pair.first], pair.fault.done, pair.fault.partial, count,
			  names[pair.second]);
	++*sum;

	return good;
}

/* The first call of a kind fails, and with it each kind of call that comes after it. */
static bool sweep_pairs(struct kunit *test, const struct step *step, enum sim_op op,
			struct sim_fault fault, unsigned long *sum)
{
	unsigned int second;

	pair = (struct pair){ .first = op, .fault = fault };
	bitmap_zero(followed, SIM_NR_OPS);
	run_pair(test, step, note_followers);
	for_each_set_bit(second, followed, SIM_NR_OPS) {
		/* What cannot be looked up is found by Xen's count, if nothing else fails. */
		if (second == pair.first || second == SIM_POPULATED)
			continue;
		pair.second = second;
		if (!both_fail(test, step, 1, sum) || !both_fail(test, step, ALL, sum))
			return false;
	}

	return true;
}

static void nothing_is_lost_when_two_calls_fail(struct kunit *test)
{
	const struct step *step = test->param_value;
	DECLARE_BITMAP(seen, SIM_NR_OPS) = {};
	unsigned long sum = 0;
	struct sim_fault fault;
	const struct call *call;
	bool good = true;

	look_at(test, step);
	for (call = calls; good && call < calls + nr_calls; call++) {
		if (__test_and_set_bit(call->op, seen))
			continue;
		fault = (struct sim_fault){ .from = 1, .count = 1 };
		good = sweep_pairs(test, step, call->op, fault, &sum);
		if (good && call->size) {
			fault.partial = 1;
			good = sweep_pairs(test, step, call->op, fault, &sum);
		}
		fault.done = call->nr / 2;
		if (good && fault.done)
			good = sweep_pairs(test, step, call->op, fault, &sum);
	}
	pairs += sum;
	kunit_info(test, "%s: %lu pairs of faults\n", step->name, sum);
}

static void each_kind_of_call_was_failed(struct kunit *test)
{
	unsigned int op;

	for (op = 0; op < SIM_NR_OPS; op++)
		KUNIT_EXPECT_NE_MSG(test, failed[op], 0UL, "in no step %s fails", names[op]);
	KUNIT_EXPECT_NE(test, pairs, 0UL);
}

/* Which operation of the simulation stands for one of struct xenmem_ops. */
#define NEVER_FAILS	(SIM_NR_OPS + 1)
#define AT(member)	(offsetof(struct xenmem_ops, member) / sizeof(void *))

static const u8 swept[sizeof(struct xenmem_ops) / sizeof(void *)] = {
	[AT(release)] = 1 + SIM_RELEASE,
	[AT(populate)] = 1 + SIM_POPULATE,
	[AT(move)] = 1 + SIM_MOVE,
	[AT(exchange)] = 1 + SIM_EXCHANGE,
	[AT(populated)] = 1 + SIM_POPULATED,
	[AT(logs_writes)] = 1 + SIM_LOGS_WRITES,
	[AT(restores_whole)] = 1 + SIM_RESTORES_WHOLE,
	[AT(make_holes)] = 1 + SIM_HOLES,
	[AT(reach)] = 1 + SIM_REACH,
	[AT(current_pages)] = 1 + SIM_CURRENT,
	[AT(maximum_pages)] = 1 + SIM_MAXIMUM,
	/* Not the engine's, or it is told of no failure: see the suites pv and translated. */
	[AT(name)] = NEVER_FAILS,
	[AT(init)] = NEVER_FAILS,
	[AT(exit)] = NEVER_FAILS,
	[AT(has_nodes)] = NEVER_FAILS,
	[AT(node_of)] = NEVER_FAILS,
	[AT(whole)] = NEVER_FAILS,
	[AT(resumed)] = NEVER_FAILS,
};

static void each_operation_of_xen_fails_in_the_sweep(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(swept); i++)
		KUNIT_EXPECT_NE_MSG(test, swept[i], 0,
				    "operation %u of struct xenmem_ops is not known here", i);
}

static struct kunit_case sweep_cases[] = {
	KUNIT_CASE_PARAM(nothing_is_lost_whichever_call_fails, step_gen_params),
	KUNIT_CASE_PARAM(nothing_is_lost_when_two_calls_fail, step_gen_params),
	KUNIT_CASE(each_kind_of_call_was_failed),
	KUNIT_CASE(each_operation_of_xen_fails_in_the_sweep),
	{}
};

static struct kunit_suite sweep_suite = {
	.name = "sweep",
	.init = sim_init,
	.exit = sim_exit,
	.test_cases = sweep_cases,
};

kunit_test_suite(sweep_suite);
