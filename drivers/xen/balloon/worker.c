// SPDX-License-Identifier: GPL-2.0
/*
 * The one thread: it goes to the target in bounded steps, each of which leaves
 * every page in a queue or with the guest, and waits without burning CPU when
 * there is nothing to do or nothing to be had. It never gives up.
 */
#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched/isolation.h>

#include "balloon.h"
#include "trace.h"

/* The first wait after a step that stalled; each further one is twice as long. */
#define DELAY_MIN_MS	16U

/*
 * The wait after a step that got all that Xen had: what comes free meanwhile, if only a page
 * at a time, is asked for together, and other guests get their share of it.
 */
#define DELAY_SCARCE_MS	125U

/*
 * How often to look for what nobody tells us of: see intree_follow(). Seldom is
 * often enough for a target that was not heard: a probe that is in place is deaf
 * while the administrator has kprobes or ftrace off.
 */
#define LOOK_OFTEN	HZ
#define LOOK_SELDOM	(5 * HZ)

/*
 * Upkeep begins when the guest has been at its target for so long, takes at most
 * one part in so many of one CPU, from all of them together, and waits from so
 * long to so long when there is nothing to gain.
 */
#define UPKEEP_QUIET_NS		NSEC_PER_SEC
#define UPKEEP_SHARE		5
#define UPKEEP_MIN_NS		(5 * NSEC_PER_SEC)
#define UPKEEP_MAX_NS		(300 * NSEC_PER_SEC)

/* When to look again for a huge page of the guest to be lent. */
#define GIVE_AGAIN_NS		(30 * NSEC_PER_SEC)

/*
 * The guest gives a huge page more than its target says, if it can do without:
 * what is kept to be lent is missing from the ceiling then.
 */
static bool give_huge(struct xen_balloon *xb)
{
	u64 now = ktime_get_ns();

	if (now < xb->give_at || balloon_inflatable(xb) < XENMEM_HUGE_PAGES ||
	    balloon_figures(&xb->queue).guest <
	    READ_ONCE(xb->target.floor) + XENMEM_HUGE_PAGES)
		return false;
	if (balloon_alloc_huge(xb, 1, NUMA_NO_NODE) && balloon_release(xb, 1, XENMEM_HUGE_ORDER))
		return true;

	/* To look for one, and to make one, takes long. */
	xb->give_at = now + GIVE_AGAIN_NS;
	return false;
}

/* Stock what other drivers borrow from. Returns whether there was need and way. */
static bool stock(struct xen_balloon *xb)
{
	unsigned int n;

	for (n = 0; n < XENMEM_MAX_HUGE && balloon_foreign_is_low(xb); n++)
		if (!balloon_foreign_stock(xb) && !give_huge(xb))
			break;

	return n;
}

/**
 * balloon_upkeep_init - evening out, coalescing and healing are on, unless there are isolated CPUs
 * @xb: the driver
 *
 * Xen interrupts all CPUs of the guest for them, and so does the kernel, which empties
 * the CPUs' lists of pages.
 *
 * Return: false where the kernel was told at boot to keep some CPUs undisturbed.
 */
bool balloon_upkeep_init(struct xen_balloon *xb)
{
	bool may_interrupt = !housekeeping_enabled(HK_TYPE_DOMAIN) &&
			     !housekeeping_enabled(HK_TYPE_TICK);

	xb->even = may_interrupt;
	xb->coalesce = may_interrupt;
	xb->heal.enabled = may_interrupt;
	return may_interrupt;
}

/*
 * What CPU time a step has cost the guest. In PVH and HVM Xen interrupts the
 * other CPUs for each frame that it takes, and waits for them: until it has
 * taken all, they are taken to get nothing done.
 */
static u64 cost(const struct xen_balloon *xb, u64 start, u64 release_ns)
{
	return ktime_get_ns() - start +
	       (xb->release_ns - release_ns) * (num_online_cpus() - 1);
}

/*
 * The guest is at its target: one short step of what makes its memory, and the
 * host's, better than it is.
 */
static enum balloon_step upkeep(struct xen_balloon *xb)
{
	u64 start = ktime_get_ns(), release_ns = xb->release_ns;
	enum balloon_upkeep result;

	if (start < xb->upkeep_at)
		return BALLOON_AT_TARGET;

	result = balloon_foreign_upkeep(xb);
	if (result == UPKEEP_NOTHING && balloon_is_watched(xb)) {
		balloon_count(xb, COUNT_UPKEEP_WATCHED, 1);
		xb->upkeep_at = ktime_get_ns() + UPKEEP_MIN_NS;
		return BALLOON_AT_TARGET;
	}
	if (result == UPKEEP_NOTHING)
		result = balloon_even(xb);
	if (result == UPKEEP_NOTHING)
		result = balloon_coalesce(xb);
	if (result == UPKEEP_NOTHING)
		result = balloon_heal(xb);

	if (result == UPKEEP_NOTHING) {
		xb->upkeep_delay_ns = clamp_t(u64, xb->upkeep_delay_ns * 2, UPKEEP_MIN_NS,
					      UPKEEP_MAX_NS);
		xb->upkeep_at = ktime_get_ns() + xb->upkeep_delay_ns;
		return BALLOON_AT_TARGET;
	}

	if (result == UPKEEP_GAINED)
		xb->upkeep_delay_ns = 0;
	xb->upkeep_at = start + cost(xb, start, release_ns) * UPKEEP_SHARE;
	return BALLOON_UPKEEP;
}

static void put_off_upkeep(struct xen_balloon *xb)
{
	WRITE_ONCE(xb->at_target, false);
	xb->upkeep_delay_ns = 0;
	xb->upkeep_at = ktime_get_ns() + UPKEEP_QUIET_NS;
}

/* Put away what was needed to get to the target. */
static void arrive(struct xen_balloon *xb)
{
	if (xb->at_target)
		return;

	WRITE_ONCE(xb->at_target, true);
	xb->pace = 0;
	balloon_elastic_tell(xb);
	balloon_alloc_settle(&xb->alloc);
	balloon_contig_restart(xb);
}

/* One bounded step towards the target; may sleep. */
static enum balloon_step step(struct xen_balloon *xb)
{
	unsigned long moved;
	long credit;

	lockdep_assert_held(&xb->step_lock);

	if (xb->ended || xb->hibernates)
		return BALLOON_STALLED;

	balloon_regions_grow(&xb->queue);
	if (READ_ONCE(xb->resumed) && !balloon_restored(xb))
		return BALLOON_STALLED;
	if (stock(xb))
		return BALLOON_PROGRESS;
	balloon_elastic_follow(xb);
	credit = balloon_target(xb) - balloon_figures(&xb->queue).guest;

	if (!credit) {
		balloon_check_current(xb);
		balloon_hotplug(xb);
		arrive(xb);
		balloon_queue_tidy(&xb->queue);
		return balloon_elastic_give(xb) ? BALLOON_PROGRESS : upkeep(xb);
	}

	put_off_upkeep(xb);
	moved = balloon_resize(xb, credit);
	if (moved)
		return xb->scarce ? BALLOON_SCARCE : BALLOON_PROGRESS;

	/* What is online again is on the list, and the guest's. */
	balloon_foreign_upkeep(xb);
	if (credit < 0 && balloon_reclaim(xb))
		xb->delay_ms = 0;
	balloon_check_current(xb);
	return BALLOON_STALLED;
}

static void back_off(struct xen_balloon *xb, enum balloon_step result)
{
	if (result != BALLOON_STALLED) {
		xb->delay_ms = 0;
		return;
	}

	balloon_count(xb, COUNT_STALLS, 1);
	xb->delay_ms = clamp(xb->delay_ms * 2, DELAY_MIN_MS,
			     xb->kernel->max_delay_ms());
}

/* How long it is until there is time for upkeep, in jiffies, rounded up. */
static long until_upkeep(const struct xen_balloon *xb)
{
	s64 left = xb->upkeep_at - ktime_get_ns();

	return nsecs_to_jiffies(max(left, 0LL)) + 1;
}

/* How long it may be until the next look, in jiffies. */
static long until_look(const struct xen_balloon *xb)
{
	return xb->kernel->must_look(xb) || xb->drift ? LOOK_OFTEN : LOOK_SELDOM;
}

/* How long to wait after a step, in jiffies; 0 after one that may go on at once. */
static long wait_for(struct xen_balloon *xb, enum balloon_step result)
{
	long look = until_look(xb);

	switch (result) {
	case BALLOON_PROGRESS:
		return 0;
	case BALLOON_SCARCE:
		return msecs_to_jiffies(DELAY_SCARCE_MS);
	case BALLOON_STALLED:
		return min_t(long, look, msecs_to_jiffies(xb->delay_ms));
	default:
		/* Where it came too late for this step, nobody may have been woken. */
		if (READ_ONCE(xb->elastic.signals))
			return 1;
		return min3(look, until_upkeep(xb), balloon_elastic_wait(xb));
	}
}

/* See what there is to do, and do one step of it. Returns how long to wait. */
static long iterate(struct xen_balloon *xb)
{
	enum balloon_step result;
	struct balloon_figures n;
	long timeout;

	mutex_lock(&xb->step_lock);
	WRITE_ONCE(xb->kicked, false);
	xb->kernel->follow(xb);
	result = step(xb);
	back_off(xb, result);
	xb->kernel->publish(xb);
	n = balloon_figures(&xb->queue);
	trace_xen_balloon_step(xb, &n, result);
	timeout = wait_for(xb, result);
	mutex_unlock(&xb->step_lock);

	return timeout;
}

static int balloon_worker(void *data)
{
	struct xen_balloon *xb = data;
	long timeout;

	set_freezable();
	while (!kthread_should_stop()) {
		timeout = iterate(xb);
		if (!timeout) {
			cond_resched();
			try_to_freeze();
			continue;
		}
		wait_event_freezable_timeout(xb->wait, READ_ONCE(xb->kicked) ||
					     kthread_should_stop(), timeout);
	}

	return 0;
}

/**
 * balloon_worker_again - upkeep may do more than before: see at once what there is
 *	to do
 * @xb: the driver
 *
 * Context: may sleep.
 */
void balloon_worker_again(struct xen_balloon *xb)
{
	mutex_lock(&xb->step_lock);
	xb->upkeep_delay_ns = 0;
	xb->upkeep_at = 0;
	xb->foreign.trim_delay_ns = 0;
	xb->foreign.trim_at = 0;
	xb->give_at = 0;
	mutex_unlock(&xb->step_lock);
	balloon_worker_kick(xb);
}

/**
 * balloon_worker_start - start the thread
 * @xb: the driver, with pages and target in place
 *
 * Return: 0 or a negative errno.
 */
int balloon_worker_start(struct xen_balloon *xb)
{
	struct task_struct *worker;

	put_off_upkeep(xb);
	worker = kthread_run(balloon_worker, xb, "xen-balloon");
	if (IS_ERR(worker))
		return PTR_ERR(worker);

	xb->worker = worker;
	return 0;
}

/**
 * balloon_worker_stop - stop the thread; no page is in transit after it
 * @xb: the driver
 */
void balloon_worker_stop(struct xen_balloon *xb)
{
	kthread_stop(xb->worker);
	xb->worker = NULL;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/worker-kunit.h"
#endif
