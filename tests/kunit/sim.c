// SPDX-License-Identifier: GPL-2.0
/*
 * The simulated world put together: building it for a test, faults on demand,
 * and the check that nothing was lost or doubled.
 */
#include <linux/bitmap.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/suspend.h>

#include "balloon.h"
#include "sim.h"

/* What is simulated of the largest guest of a test, and the host for it. */
#define MAX_REGIONS	2048
#define MAX_PIECES	(MAX_REGIONS + 64)

struct sim sim;

/* A guest of 256 MiB on a host with 64 MiB to spare. */
const struct sim_config sim_default = {
	.regions = 128,
	.host_pieces = 32,
	.extra = 300,
	.slack = 256,
};

/* Loading */

static void unload(void)
{
	kvfree(sim.xb);
	kvfree(sim.region);
	kvfree(sim.piece);
	kvfree(sim.rival_frames);
	sim.xb = NULL;
	sim.region = NULL;
	sim.piece = NULL;
	sim.rival_frames = NULL;
	sim_arena_exit();
}

/* KUnit of Linux 6.1 runs the suites of a module before its init function. */
static int load(void)
{
	int ret;

	if (sim.xb)
		return 0;

	ret = sim_arena_init(1);
	if (ret)
		return ret;

	sim.xb = kvzalloc(sizeof(*sim.xb), GFP_KERNEL);
	sim.region = kvcalloc(MAX_REGIONS, sizeof(*sim.region), GFP_KERNEL);
	sim.piece = kvcalloc(MAX_PIECES, sizeof(*sim.piece), GFP_KERNEL);
	sim.rival_frames = kvcalloc(MAX_PIECES * SIM_REGION_PAGES, sizeof(u32), GFP_KERNEL);
	if (sim.xb && sim.region && sim.piece && sim.rival_frames)
		return 0;

	unload();
	return -ENOMEM;
}

/* Building */

/* 2 MiB of the node that a region is of, as Xen's tools build a guest. */
static u32 piece_for(unsigned int region)
{
	unsigned int nodes = sim_nr_nodes(), node = region * nodes / sim.config.regions, i = 0;
	u32 frame;

	if (sim.config.first) {
		nodes = 2;
		node = region >= sim.config.first;
	}
	while (nodes > 1 && (sim.piece[i].node != node || !sim.piece[i].nr_free))
		i++;
	if (nodes > 1)
		list_move(&sim.piece[i].list, &sim.whole);
	sim_host_take_piece(&frame);

	return frame;
}

static void build_p2m(void)
{
	unsigned int i, j, populated = sim.config.regions - sim.config.unpopulated;
	u32 frame = 0;

	for (i = 0; i < sim.config.regions; i++) {
		struct sim_region *region = &sim.region[i];

		if (i < populated)
			frame = piece_for(i);
		for (j = 0; j < SIM_REGION_PAGES; j++)
			region->frame[j] = i < populated ? frame + j : SIM_HOLE;
		region->superpage = i < populated;
		region->changed = true;
	}
	sim.max_pages = sim_total() + sim.config.extra + sim.config.slack;
	sim.tot_pages = sim_total() + sim.config.extra -
			sim.config.unpopulated * SIM_REGION_PAGES;
}

/**
 * sim_load - bring the driver up, as balloon_load() does, up to where it takes over
 *
 * Return: 0 or a negative errno, with nothing to be undone.
 */
int sim_load(void)
{
	struct xen_balloon *xb = sim.xb;
	int ret;

	memset(xb, 0, sizeof(*xb));
	xb->ops = sim.config.pv ? &sim_pv_ops : &sim_ops;
	xb->kernel = sim.config.bare ? &sim_bare_ops : &intree_ops;
	xb->scrub_pages = &sim.scrub_pages;
	mutex_init(&xb->step_lock);
	init_waitqueue_head(&xb->wait);
	balloon_alloc_init(xb);
	atomic_long_set(&xb->intree.heard, -1);
	xb->intree.hears = true;
	xb->intree.ran_ns = sim.config.ran_ns;
	ret = balloon_queue_init(&xb->queue);
	if (ret)
		return ret;
	balloon_contig_init(xb);
	balloon_migrate_init(xb);
	balloon_heal_init(xb);
	balloon_foreign_init(xb);
	xb->foreign.low = sim.config.low;
	xb->foreign.high = sim.config.high;
	balloon_coalesce_init(xb);
	balloon_elastic_init(xb);
	xb->target.dynamic_max = ULONG_MAX;
	balloon_upkeep_init(xb);
	ret = balloon_reclaim_init(xb);
	if (ret)
		goto err_queue;
	ret = balloon_oom_init(xb);
	if (ret)
		goto err_reclaim;
	balloon_hotplug_init(xb);
	ret = balloon_blocks_init(xb);
	if (ret)
		goto err_oom;
	ret = balloon_ending_init(xb);
	if (ret)
		goto err_blocks;

	return 0;

err_blocks:
	balloon_blocks_exit(xb);
err_oom:
	balloon_oom_exit(xb);
err_reclaim:
	balloon_reclaim_exit(xb);
err_queue:
	balloon_queue_destroy(&xb->queue);
	return ret;
}

/**
 * sim_take_over - take over what there is
 */
void sim_take_over(void)
{
	if (!sim.config.bare)
		intree_prepare(sim.xb);
	mutex_lock(&sim.xb->step_lock);
	if (sim.config.bare)
		sim_bare_begin(sim.xb);
	else
		intree_begin(sim.xb);
	balloon_reach(sim.xb);
	mutex_unlock(&sim.xb->step_lock);
	if (!sim.config.bare)
		intree_settle(sim.xb);
}

/**
 * sim_give_all_back - the in-tree driver has everything again
 */
void sim_give_all_back(void)
{
	mutex_lock(&sim.xb->step_lock);
	intree_end(sim.xb);
	mutex_unlock(&sim.xb->step_lock);
	intree_settle(sim.xb);
}

/**
 * sim_load_driver - bring the driver up
 * @test: the test that it is for
 */
void sim_load_driver(struct kunit *test)
{
	KUNIT_ASSERT_EQ(test, sim_load(), 0);
	sim_take_over();
}

/**
 * sim_hand_back - as at unloading, but for the queue, which is empty then
 */
void sim_hand_back(void)
{
	balloon_blocks_end(sim.xb);
	balloon_ending_exit(sim.xb);
	balloon_oom_exit(sim.xb);
	balloon_elastic_exit(sim.xb);
	balloon_alloc_settle(&sim.xb->alloc);
	sim_give_all_back();
	balloon_blocks_exit(sim.xb);
}

/**
 * sim_reload_driver - the driver goes, and comes again
 * @test: the test that it is for
 */
void sim_reload_driver(struct kunit *test)
{
	sim_hand_back();
	balloon_queue_destroy(&sim.xb->queue);
	sim_load_driver(test);
}

/**
 * sim_begin_kexec - another kernel is about to be booted
 */
void sim_begin_kexec(void)
{
	sim.xb->reboot.notifier_call(&sim.xb->reboot, SYS_RESTART, (void *)"kexec reboot");
}

/**
 * sim_tell_sleep - tell the driver of hibernation
 * @action: PM_HIBERNATION_PREPARE or PM_RESTORE_PREPARE, or what follows it
 *
 * Return: whether it may be.
 */
bool sim_tell_sleep(unsigned long action)
{
	int ret = sim.xb->sleep.notifier_call(&sim.xb->sleep, action, NULL);

	return !notifier_to_errno(ret);
}

/* Give up what the driver has, without asking it. */
static void tear_down(void)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct balloon_region *region;
	unsigned long number;

	if (!q->nodes)
		return;

	xa_for_each_marked(&q->regions.all, number, region, XA_MARK_0)
		kfree(region);
	kfree(q->nodes);
	kfree(q->regions.spare);
	xa_destroy(&q->regions.all);
	memset(sim.xb, 0, sizeof(*sim.xb));
}

/**
 * sim_build_world - build a world without the driver
 * @test: the test that it is for
 * @config: what it shall be like
 */
void sim_build_world(struct kunit *test, const struct sim_config *config)
{
	KUNIT_ASSERT_EQ(test, load(), 0);
	tear_down();
	KUNIT_ASSERT_LE(test, config->regions, MAX_REGIONS);
	KUNIT_ASSERT_LE(test, config->regions + config->host_pieces, MAX_PIECES);
	/* Each of Xen's two nodes has half of the host. */
	KUNIT_ASSERT_LE(test, config->first, (config->regions + config->host_pieces) / 2);

	sim.test = test;
	sim.config = *config;
	sim.scrub_pages = !config->no_scrub;
	sim.cache = 0;
	sim.slab = 0;
	sim.swap = 0;
	sim.refaults = 0;
	sim.kswapd = false;
	sim.low_water = 0;
	sim.leaked = 0;
	sim.crashed = false;
	sim.logs_writes = false;
	sim.reached = sim.first_pfn + sim_total();
	sim.migrates_after = 0;
	sim.nr_rival_frames = 0;
	sim.now = 0;
	sim.contig_ns = NSEC_PER_MSEC;
	sim.call_ns = 0;
	sim.cpus = 1;
	sim.look_ns = 0;
	sim.violations = 0;
	sim.provoked = false;
	sim.unchecked = false;
	sim.freezing = false;
	sim.cleared = 0;
	sim.cma = 0;
	sim.closed = 0;
	sim.promised = 0;
	sim.delayed = NULL;
	sim.bad = NULL;
	sim.walker = NULL;
	sim.longest_hold = 0;
	sim.place_taken = false;
	sim.holes_end = 0;
	sim.stays_offline = false;
	sim.nr_offline = 0;
	sim.memory_nb = NULL;
	sim.thread_sleeps = false;
	sim.later = NULL;
	sim.contig_hangs = false;
	sim.hung = NULL;
	sim.nr_isolated = 0;
	sim.compacts = 0;
	sim.moved = 0;
	sim.said[0] = '\0';
	sim.nr_said = 0;
	sim.restarts = 0;
	prandom_seed_state(&sim.rnd, 1);
	sim.kmalloced = 0;
	sim.notifiers = 0;
	memset(sim.region, 0, config->regions * sizeof(*sim.region));
	memset(sim.sum, 0, sizeof(sim.sum));
	memset(sim.calls, 0, sizeof(sim.calls));
	memset(sim.failed, 0, sizeof(sim.failed));
	sim.called = NULL;
	sim_mend();

	sim_host_build(config->regions + config->host_pieces,
		       config->first ? 2 : sim_nr_nodes());
	build_p2m();
	sim_guest_build();
	sim_intree_build();
}

/**
 * sim_build - build a world, with the driver in it
 * @test: the test that it is for
 * @config: what it shall be like
 *
 * A test whose suite has sim_init() gets the default one; it may build another.
 */
void sim_build(struct kunit *test, const struct sim_config *config)
{
	sim_build_world(test, config);
	sim_load_driver(test);

	memset(sim.calls, 0, sizeof(sim.calls));
	sim.nr_said = 0;
	sim.extents = 0;
	sim.flushes = 0;
}

/**
 * sim_init - .init of a suite: the default world
 * @test: the test
 *
 * Return: 0.
 */
int sim_init(struct kunit *test)
{
	sim_build(test, &sim_default);

	return 0;
}

/**
 * sim_exit - .exit of a suite: nothing was lost in the test
 * @test: the test
 */
void sim_exit(struct kunit *test)
{
	if (!sim.config.lenient && !sim.provoked)
		sim_check("at the end");
	tear_down();
}

/**
 * sim_exit_part - .exit of a suite that tests a part of the engine without the
 *	worker: what was left in transit is out of use
 * @test: the test
 */
void sim_exit_part(struct kunit *test)
{
	struct balloon_figures *n = &sim.xb->queue.n;

	n->quarantined += n->transit;
	n->transit = 0;
	mutex_lock(&sim.xb->step_lock);
	sim.xb->kernel->publish(sim.xb);
	mutex_unlock(&sim.xb->step_lock);
	sim_exit(test);
}

/* Chance, and faults */

/**
 * sim_random - a number from the test's seed
 * @below: is above it
 */
u32 sim_random(u32 below)
{
	return below ? prandom_u32_state(&sim.rnd) % below : 0;
}

/**
 * sim_fail - let calls fail
 * @op: which
 * @from: the first, 1 being the next
 * @count: how many in a row
 * @done: extents that each does all the same
 */
void sim_fail(enum sim_op op, unsigned long from, unsigned long count,
	      unsigned int done)
{
	sim.fault[op] = (struct sim_fault){
		.from = from,
		.count = count,
		.done = done,
	};
}

/**
 * sim_mend - nothing fails any more
 */
void sim_mend(void)
{
	memset(sim.fault, 0, sizeof(sim.fault));
}

/**
 * sim_fails - count a call: is it one that fails?
 * @op: which
 * @done: how many extents it is for; set to how many it does all the same, if it fails;
 *	NULL where it does one thing
 * @partial: of how many base pages of an extent Xen may do a part; set to how many of
 *	the next extent it does, if the call fails; NULL where it does no part
 */
bool sim_fails(enum sim_op op, unsigned int *done, unsigned int *partial)
{
	struct sim_fault *fault = &sim.fault[op];

	sim.calls[op]++;
	if (sim.called)
		sim.called(op, done ? *done : 1, partial ? *partial : 0);
	if (!fault->from || --fault->from)
		return false;

	sim.failed[op]++;
	/* The next one is the first of what is left. */
	fault->from = --fault->count ? 1 : 0;
	if (done)
		*done = fault->done;
	if (partial)
		*partial = fault->partial;
	return true;
}

/**
 * sim_may_sleep - the driver does something that is not done under a spinlock
 * @what: what it does
 */
void sim_may_sleep(const char *what)
{
	if (!spin_trylock(&sim.xb->queue.lock))
		sim_violation("%s under queue.lock", what);
	else
		spin_unlock(&sim.xb->queue.lock);
}

void sim_begin_hold(void)
{
	sim.held = 0;
}

void sim_held(void)
{
	if (spin_trylock(&sim.xb->queue.lock))
		spin_unlock(&sim.xb->queue.lock);
	else
		sim.longest_hold = max(sim.longest_hold, ++sim.held);
}

/**
 * sim_violation - the driver did what it must never do
 * @fmt: what, as for printk()
 *
 * The test fails, with a stack. Only the first is told: more follow from it.
 */
void sim_violation(const char *fmt, ...)
{
	va_list args;

	if (sim.config.lenient || sim.violations++)
		return;

	va_start(args, fmt);
	vscnprintf(sim.said, sizeof(sim.said), fmt, args);
	va_end(args);
	if (!sim.provoked) {
		KUNIT_FAIL(sim.test, "%s\n", sim.said);
		dump_stack();
	}
}

/* The check */

static void expect(const char *when, const char *what, long found, long expected)
{
	if (found != expected)
		sim_violation("%s: %s: found %ld, expected %ld", when, what, found,
			      expected);
}

static void recount(struct sim_region *region)
{
	unsigned int i, owner, has;

	for (owner = 0; owner < SIM_NR_OWNERS; owner++)
		for (has = 0; has < 2; has++)
			sim.sum[owner][has] -= region->nr[owner][has];

	memset(region->nr, 0, sizeof(region->nr));
	for (i = 0; i < SIM_REGION_PAGES; i++)
		region->nr[region->owner[i]][region->frame[i] < SIM_FOREIGN]++;

	for (owner = 0; owner < SIM_NR_OWNERS; owner++)
		for (has = 0; has < 2; has++)
			sim.sum[owner][has] += region->nr[owner][has];
}

/* Each huge page is a whole region without memory, and is queued once. */
static unsigned int count_huge(const char *when, unsigned int nid)
{
	struct page *page;
	unsigned int nr = 0, index;

	if (!sim.xb->queue.nodes)
		return 0;

	list_for_each_entry(page, &sim.xb->queue.nodes[nid].huge, lru) {
		struct sim_region *region = sim_region_of(page_to_pfn(page), &index);

		if (!region || index || region->queued++ ||
		    region->nr[SIM_DRIVER][0] != SIM_REGION_PAGES) {
			sim_violation("%s: a huge page in the queue is none", when);
			break;
		}
		if (sim_page_nid(page) != nid)
			sim_violation("%s: a huge page is in another node's queue", when);
		nr++;
	}
	expect(when, "figure of a node's huge pages", sim.xb->queue.nodes[nid].nr_huge, nr);

	return nr;
}

/* Of a region no more is on another node than the driver knows of. */
static void check_away(const char *when, unsigned int region)
{
	struct page *page = sim_page(region, 0);
	unsigned long pfn = page_to_pfn(page);

	if (!sim_online_page(pfn) || sim.region[region].elsewhere || !sim.xb->queue.nodes ||
	    sim_vnode_of(pfn + SIM_REGION_PAGES - 1) != sim_vnode_of(pfn))
		return;
	if (sim_away(&sim.region[region], sim_vnode_of(pfn)) >
	    balloon_region_away(&sim.xb->queue, region_index(page)))
		sim_violation("%s: of region %u more is on another node than is known", when,
			      region);
}

/* What is known of each node adds up. */
static void check_nodes(const char *when, unsigned int counted)
{
	struct balloon_queue *q = &sim.xb->queue;
	unsigned long base = 0, away = 0;
	unsigned int i;

	/* None after it was unloaded. */
	if (!q->nodes)
		return;

	for (i = 0; i <= SIM_NODES; i++) {
		base += q->nodes[i].base;
		away += q->nodes[i].away;
	}
	expect(when, "base pages of all nodes", base, counted);
	expect(when, "pages of all nodes that are away", away, q->regions.away);
}

/**
 * sim_no_account - is account kept of no base pages at all?
 * @q: the queue
 */
bool sim_no_account(struct balloon_queue *q)
{
	struct balloon_region *region;

	spin_lock(&q->lock);
	region = balloon_region_next(q, 0);
	spin_unlock(&q->lock);

	return !region;
}

/* Each base page is one without memory, and not in a huge page too. */
static unsigned int count_base(const char *when)
{
	struct balloon_region *base;
	unsigned int nr = 0, bit, index, here;
	unsigned long number;

	xa_for_each_marked(&sim.xb->queue.regions.all, number, base, XA_MARK_0) {
		struct sim_region *region = sim_region_of(base->start_pfn, &index);

		here = bitmap_weight(base->base, SIM_REGION_PAGES);
		expect(when, "base pages of a region", base->nr, here);
		if (here && (!region || region->queued || here > region->nr[SIM_DRIVER][0])) {
			sim_violation("%s: base pages of a region that are none", when);
			break;
		}
		for_each_set_bit(bit, base->base, SIM_REGION_PAGES) {
			if (!region->changed)
				break;
			if (region->owner[bit] != SIM_DRIVER || region->frame[bit] < SIM_FOREIGN) {
				sim_violation("%s: a base page in the queue is none", when);
				break;
			}
		}
		nr += here;
	}

	return nr;
}

/**
 * sim_check - nothing is lost or doubled
 * @when: for the message
 *
 * Counts in the p2m and in the queues, page by page, between two turns of the
 * worker. Of the driver's own figures it uses none but that of the quarantine.
 */
void sim_check(const char *when)
{
	struct balloon_figures n = balloon_figures(&sim.xb->queue);
	unsigned long beyond = sim_total() - sim.config.regions * SIM_REGION_PAGES;
	unsigned long populated = 0, owned, huge, base, rivals;
	struct list_head *entry;
	unsigned int i;

	for (i = 0; i < sim.config.regions; i++) {
		if (sim.region[i].changed)
			recount(&sim.region[i]);
		if (sim.region[i].changed && sim.xb->ops->has_nodes && sim.xb->ops->has_nodes())
			check_away(when, i);
		sim.region[i].queued = 0;
	}
	for (i = 0; i < SIM_NR_OWNERS; i++)
		populated += sim.sum[i][1];
	rivals = sim.nr_rival_frames;
	list_for_each(entry, &sim.rivals)
		rivals += SIM_REGION_PAGES;
	owned = sim.sum[SIM_FREE][1] + sim.sum[SIM_PROGRAM][1] + sim.sum[SIM_PINNED][1] +
		sim.xb->alloc.nr_held + beyond + sim.sum[SIM_OFFLINE][1];
	huge = 0;
	for (i = 0; i < SIM_NODES; i++)
		huge += count_huge(when, i);
	base = count_base(when);
	check_nodes(when, base);
	for (i = 0; i < sim.config.regions; i++)
		sim.region[i].changed = false;

	expect(when, "destroyed by Xen", sim.crashed, 0);
	expect(when, "frames leaked", sim.leaked, 0);
	expect(when, "frames of the host",
	       sim.host_free + populated + rivals, sim.nr_pieces * SIM_REGION_PAGES);
	expect(when, "pages by Xen's count", sim.tot_pages,
	       populated + beyond + sim.config.extra);
	expect(when, "pages without memory that the kernel has",
	       sim.sum[SIM_FREE][0] + sim.sum[SIM_PROGRAM][0] + sim.sum[SIM_PINNED][0], 0);
	expect(when, "pages that the driver has",
	       sim.sum[SIM_DRIVER][0] + sim.sum[SIM_DRIVER][1],
	       huge * SIM_REGION_PAGES + base + sim.xb->alloc.nr_held + n.leaving +
	       n.quarantined);
	expect(when, "MemTotal", sim.managed, owned - sim.sum[SIM_OFFLINE][1]);
	expect(when, "MemTotal for what is given", sim.promised, sim.xb->elastic.promised);

	expect(when, "figure of the guest", n.guest, owned);
	expect(when, "figure of huge pages", n.huge, huge);
	expect(when, "figure of base pages", n.base, base);
	expect(when, "pages in transit", n.transit, 0);
	expect(when, "pages in all states", balloon_sum(sim.xb), sim.xb->total);
	expect(when, "total", sim.xb->total + sim.sum[SIM_UNLISTED][0] + sim.sum[SIM_OFFLINE][0],
	       sim_total());
	if (sim.xb->kernel->expected)
		expect(when, "pages that are offline", sim.xb->kernel->expected(sim.xb),
		       sim.nr_offline * sim_block_size() / PAGE_SIZE +
		       sim.sum[SIM_OFFLINE][0]);
	expect(when, "current_kb in pages", sim_balloon_stats.current_pages, owned);
}

/* Parts of the driver at work */

/**
 * sim_balloon_page - balloon out a certain page that is free
 * @region: its region
 * @index: its place there
 *
 * Return: the page, unpopulated and in transit.
 */
struct page *sim_balloon_page(unsigned int region, unsigned int index)
{
	struct page *page = sim_page(region, index);
	unsigned int done;

	KUNIT_ASSERT_TRUE(sim.test, sim_use(region, index, SIM_DRIVER));
	sim.region[region].content[index] = SIM_ZERO;
	balloon_take(&sim.xb->queue, page, 0);

	mutex_lock(&sim.xb->step_lock);
	done = sim.xb->ops->release(&page, 1, 0);
	mutex_unlock(&sim.xb->step_lock);
	KUNIT_ASSERT_EQ(sim.test, done, 1U);

	return page;
}

/**
 * sim_queue_base - balloon out certain pages that are free, into the base queue
 * @region: their region
 * @index: the place of the first
 * @nr: how many
 */
void sim_queue_base(unsigned int region, unsigned int index, unsigned int nr)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct page *page;

	for (; nr--; index++) {
		page = sim_balloon_page(region, index);
		KUNIT_ASSERT_EQ(sim.test, balloon_region_prepare(q, page), 0);
		balloon_enqueue(q, page, 0);
	}
}

/* The driver at work */

struct task_struct *sim_kthread_run(int (*fn)(void *data), void *data, const char *name)
{
	if (sim_fails(SIM_THREAD, NULL, NULL))
		return ERR_PTR(-ENOMEM);

	/* Told to stop before it ran, it never does. */
	return sim.thread_sleeps ? kthread_create(fn, data, "%s", name) :
				   kthread_run(fn, data, "%s", name);
}

/* A work is done at once, unless it waits for a device or for the end of the step. */
bool sim_queue_work(struct work_struct *work)
{
	if (sim.contig_hangs)
		sim.hung = work;
	else if (work == &sim.xb->hotplug.add)
		sim.later = work;
	else
		work->func(work);

	return true;
}

bool sim_schedule_work(struct delayed_work *work, unsigned long delay)
{
	if (sim.delayed)
		return false;

	sim.delayed = work;
	sim.delayed_until = sim.now + jiffies_to_nsecs(delay);
	return true;
}

bool sim_cancel_work(struct delayed_work *work)
{
	sim.delayed = NULL;
	return true;
}

/**
 * sim_pass - time goes by, until somebody wakes the worker
 * @ns: so much of it
 */
void sim_pass(u64 ns)
{
	u64 end = sim.now + ns;
	struct delayed_work *work;

	while (sim.delayed && sim.delayed_until <= end) {
		sim.now = max(sim.now, sim.delayed_until);
		work = sim.delayed;
		sim.delayed = NULL;
		work->work.func(&work->work);
		if (sim.xb->kicked)
			return;
	}
	sim.now = end;
}

unsigned long sim_wait_for(struct completion *done, unsigned long timeout)
{
	if (try_wait_for_completion(done))
		return timeout;

	sim.now += jiffies_to_nsecs(timeout);
	return 0;
}

/**
 * sim_do_works - the step is over, and what was queued in it is done
 */
void sim_do_works(void)
{
	struct work_struct *work = sim.later;

	sim.later = NULL;
	if (work)
		work->func(work);
}

/**
 * sim_device_answers - what alloc_contig_range() waited for has come
 */
void sim_device_answers(void)
{
	sim.contig_hangs = false;
	sim.hung->func(sim.hung);
}

/**
 * sim_target - the administrator sets a target
 * @pages: the target
 */
void sim_target(unsigned long pages)
{
	sim_balloon_stats.target_pages = pages;
	balloon_worker_kick(sim.xb);
}

/**
 * sim_settle - let the worker go on until it waits
 * @turns: at most so often
 *
 * Return: how many turns it took; @turns when it is still at work.
 */
unsigned int sim_settle(unsigned int turns)
{
	unsigned int n;

	for (n = 1; n < turns && !sim_turn(); n++)
		;

	return n;
}

/**
 * sim_say - what the driver has to say, instead of to the kernel's log
 * @fmt: as for printk()
 */
void sim_say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vscnprintf(sim.said, sizeof(sim.said), fmt, args);
	va_end(args);
	sim.nr_said++;
}

static int __init sim_begin(void)
{
	return load();
}
module_init(sim_begin);

static void __exit sim_end(void)
{
	unload();
}
module_exit(sim_end);

MODULE_DESCRIPTION("Unit tests of xen-balloon on a simulated Xen");
MODULE_LICENSE("GPL");
