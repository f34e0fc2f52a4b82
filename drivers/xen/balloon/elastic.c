// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest has no use for goes to the host of its own accord, and is back before it is
 * missed: its target is what it may have at most, and with elastic/enabled it has less.
 *
 * Given is what is free in 2 MiB, and stays so for a while, beyond a headroom that goes by
 * how fast memory was taken lately. Nothing is reclaimed nor moved for it. Xen cannot bring
 * it back when somebody touches it, so it has to be here before: who sees that memory gets
 * short says so, and some comes back, more each time for as long as that goes on. After that
 * nothing is given for a while.
 *
 * What the guest has given is told from what it lacks by its limit: from there up to the
 * target is given, and what it has less than the limit is on its way to it.
 */
#include <linux/bitops.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/math.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/workqueue.h>

#include "balloon.h"

#define AGE_MS		(10 * MSEC_PER_SEC)
#define RATE_MB		256
#define HOLD_S		30

/*
 * By one part in so many fades, from look to look, what was taken at most between two, of
 * which the headroom is one and a half.
 */
#define FADES		8
/* What is needed again within so long after something was given was given too early. */
#define SOON_NS		(300 * NSEC_PER_SEC)
/* Then nothing is given for twice as long as the last time, up to that. */
#define HOLD_MAX_NS	(300 * NSEC_PER_SEC)
/* So much comes back at once; twice as much each time within a second, up to that. */
#define BURST_MIN	(SZ_4M / PAGE_SIZE)
#define BURST_MAX	(SZ_1G / PAGE_SIZE)
#define BURST_NS	NSEC_PER_SEC
/* A look that is so much later than it was to be has nothing to do with the one before. */
#define STALE_NS	(10 * NSEC_PER_SEC)
/* From look to look whether there is enough, while anything is given: see watch(). */
#define WATCH_MIN	(HZ / 10U)
#define WATCH_MAX	(1U * HZ)
/* How long it may take that all comes back, while nothing does, and how often to look. */
#define PATIENCE	(2 * HZ)
#define LOOK		(HZ / 50)

/**
 * balloon_elastic_lower - the least that the guest gives itself down to
 * @xb: the driver
 *
 * Context: any.
 * Return: in pages.
 */
unsigned long balloon_elastic_lower(const struct xen_balloon *xb)
{
	return max3(READ_ONCE(xb->target.floor), READ_ONCE(xb->elastic.min),
		    READ_ONCE(xb->target.dynamic_min));
}

/**
 * balloon_elastic_tell - others are to know what is given now
 * @xb: the driver
 *
 * Context: any.
 */
void balloon_elastic_tell(const struct xen_balloon *xb)
{
	typeof(xb->elastic.changed) changed = READ_ONCE(xb->elastic.changed);

	if (changed)
		changed();
}

/*
 * What is given can be had again, and so can what is on its way back: who maps more than all
 * that there is would be refused.
 */
static void promise(struct xen_balloon *xb)
{
	unsigned long most = balloon_target_most(xb), guest = balloon_figures(&xb->queue).guest;
	struct balloon_elastic *e = &xb->elastic;
	unsigned long promised = max(e->given, min(e->promised, most - min(guest, most)));

	if (promised == e->promised)
		return;

	totalram_pages_add((long)promised - (long)e->promised);
	e->promised = promised;
}

static void set_limit(struct xen_balloon *xb, unsigned long limit)
{
	struct balloon_elastic *e = &xb->elastic;
	unsigned long most = balloon_target_most(xb);
	unsigned long given = most - min(limit, most);

	e->limit = given ? limit : ULONG_MAX;
	if (e->given != given) {
		WRITE_ONCE(e->given, given);
		balloon_elastic_tell(xb);
	}
	promise(xb);
}

/* Nothing is given for a while. */
static void rest(struct balloon_elastic *e, u64 ns)
{
	e->hold_until = max(e->hold_until, ktime_get_ns() + ns);
	e->allowance = 0;
	e->idle = 0;
}

static u64 shortest_hold(const struct balloon_elastic *e)
{
	return (u64)READ_ONCE(e->hold_s) * NSEC_PER_SEC;
}

/* For longer each time, where what is given is always needed again. */
static void hold(struct balloon_elastic *e)
{
	u64 now = ktime_get_ns(), least = shortest_hold(e);

	if (now >= e->hold_until)
		e->hold_ns = now - e->gave_at < SOON_NS ? e->hold_ns * 2 : 0;
	e->hold_ns = clamp(e->hold_ns, least, max_t(u64, least, HOLD_MAX_NS));
	rest(e, e->hold_ns);
}

/**
 * balloon_elastic_hold_anew - how long nothing is given counts from now on by hold_s as it is
 * @xb: the driver
 *
 * Context: may sleep.
 */
void balloon_elastic_hold_anew(struct xen_balloon *xb)
{
	struct balloon_elastic *e = &xb->elastic;

	mutex_lock(&xb->step_lock);
	e->hold_ns = 0;
	e->hold_until = min(e->hold_until, ktime_get_ns() + shortest_hold(e));
	mutex_unlock(&xb->step_lock);
	balloon_worker_kick(xb);
}

/**
 * balloon_elastic_enable - may the guest give anything of its own accord?
 * @xb: the driver
 * @on: if not, what it has given comes back
 *
 * Context: any.
 */
void balloon_elastic_enable(struct xen_balloon *xb, bool on)
{
	WRITE_ONCE(xb->elastic.enabled, on && !READ_ONCE(xb->elastic.over));
	balloon_elastic_tell(xb);
	balloon_worker_kick(xb);
}

/**
 * balloon_elastic_signal - memory gets short: some of what is given is to come back
 * @xb: the driver
 * @signal: who saw it
 *
 * While Xen has none the worker goes on as it does, and sees it then.
 *
 * Context: any, but for NMI.
 */
void balloon_elastic_signal(struct xen_balloon *xb, enum balloon_signal signal)
{
	if (READ_ONCE(xb->elastic.active))
		balloon_latency_asked(&xb->elastic.latency);
	set_bit(signal, &xb->elastic.signals);
	if (!READ_ONCE(xb->delay_ms))
		balloon_worker_kick(xb);
}

/* In pages: what is given is not of movable memory, which has its own. */
static unsigned long free_huge_at_ease(void)
{
	return min(balloon_free_at_ease(),
		   balloon_free_in_blocks(XENMEM_HUGE_ORDER, ZONE_NORMAL));
}

/**
 * balloon_elastic_is_short - is less at hand than there is to be?
 * @xb: the driver
 *
 * That is so when half of the headroom is gone; then all of it is to be there once more.
 *
 * Context: any.
 */
bool balloon_elastic_is_short(const struct xen_balloon *xb)
{
	const struct balloon_elastic *e = &xb->elastic;
	unsigned long least = READ_ONCE(e->headroom);

	if (ktime_get_ns() - READ_ONCE(e->signalled_at) >= BURST_NS)
		least /= 2;

	return free_huge_at_ease() < least;
}

/**
 * balloon_elastic_return - some of what is given is to come back now
 * @xb: the driver
 * @want: so many pages; 0 is twice as many as the last time within a second
 * @signal: why
 *
 * From then on it is what the guest lacks of its target.
 *
 * Context: step_lock held.
 */
void balloon_elastic_return(struct xen_balloon *xb, unsigned long want,
			    enum balloon_signal signal)
{
	struct balloon_elastic *e = &xb->elastic;
	u64 now = ktime_get_ns();

	lockdep_assert_held(&xb->step_lock);

	hold(e);
	if (now - e->signalled_at >= BURST_NS)
		e->burst = 0;
	if (!want) {
		e->burst = clamp(e->burst * 2, BURST_MIN, BURST_MAX);
		want = e->burst;
	}
	e->signalled_at = now;
	if (e->limit == ULONG_MAX)
		return;

	balloon_latency_asked(&e->latency);
	want = min(round_up(want, XENMEM_HUGE_PAGES), e->given);
	set_limit(xb, e->limit + want);
	e->wishes = true;
	balloon_count(xb, COUNT_RETURNED_LOW + signal, want);
}

/* What the guest lacks it has done without: it is given. */
static void forgo(struct xen_balloon *xb)
{
	xb->elastic.wishes = false;
	balloon_latency_end(&xb->elastic.latency, false);
	set_limit(xb, balloon_figures(&xb->queue).guest);
}

/* All is to come back. */
static void give_up(struct xen_balloon *xb)
{
	if (xb->elastic.limit == ULONG_MAX)
		return;

	xb->elastic.wishes = true;
	set_limit(xb, ULONG_MAX);
}

/*
 * The guest gets to a new target, and is seen there, before it gives anything. With a lower one
 * it has given the more already the less it has: nothing comes back to go again.
 */
static void begin_anew(struct xen_balloon *xb)
{
	struct balloon_elastic *e = &xb->elastic;
	bool lower = xb->target.wanted < e->of;

	e->of = xb->target.wanted;
	e->landed = false;
	if (lower)
		return;

	e->wishes = false;
	balloon_latency_end(&e->latency, false);
	set_limit(xb, ULONG_MAX);
}

/* Of that, what is beyond the headroom. */
static unsigned long idle(const struct balloon_elastic *e)
{
	unsigned long pages = free_huge_at_ease();

	return pages - min(pages, e->headroom);
}

/* How fast memory is taken, and how much is idle now and was at the last look. */
static void look(struct xen_balloon *xb, unsigned long guest)
{
	unsigned long nr_free = nr_free_pages(), used, taken;
	struct balloon_elastic *e = &xb->elastic;
	u64 age = (u64)READ_ONCE(e->age_ms) * NSEC_PER_MSEC;
	u64 now = ktime_get_ns();
	bool begins = !e->look_at || now - e->look_at > age + STALE_NS;

	/* What came back was wanted, though it may be free again by now. */
	if (e->wishes)
		e->returned += guest - min(guest, e->had);
	e->had = guest;
	if (now < e->look_at && e->look_at - now <= age)
		return;

	used = guest - min(guest, nr_free);
	taken = begins ? 0 : max(used - min(used, e->used), e->returned);
	e->used = used;
	e->returned = 0;
	e->fastest = max(taken, e->fastest - DIV_ROUND_UP(e->fastest, FADES));
	WRITE_ONCE(e->headroom,
		   round_up(max(balloon_reserve(xb),
				min(e->fastest * 3 / 2, (nr_free + e->given) / 2)),
			    XENMEM_HUGE_PAGES));

	taken = idle(e);
	e->allowance = begins ? 0 : min(taken, e->idle);
	e->idle = taken;
	e->look_at = now + age;
}

/**
 * balloon_elastic_follow - see what of what is given is to come back
 * @xb: the driver, about to make a step
 *
 * Context: step_lock held.
 */
void balloon_elastic_follow(struct xen_balloon *xb)
{
	unsigned long guest = balloon_figures(&xb->queue).guest, most, lower;
	struct balloon_elastic *e = &xb->elastic;
	unsigned long signals = xchg(&e->signals, 0);

	lockdep_assert_held(&xb->step_lock);

	if (e->of != xb->target.wanted)
		begin_anew(xb);
	if (READ_ONCE(e->enabled))
		look(xb, guest);

	/*
	 * What came with a new domain, for example, is not taken again by force. What is given is
	 * whole pieces.
	 */
	if (e->limit != ULONG_MAX) {
		lower = balloon_elastic_lower(xb);
		if (lower < balloon_target_most(xb) && lower > guest)
			lower = guest + round_up(lower - guest, XENMEM_HUGE_PAGES);
		set_limit(xb, max3(e->limit, lower, guest));
	} else if (e->promised) {
		promise(xb);
	}
	/* What Xen has not got it is asked for already. */
	if (!READ_ONCE(e->enabled))
		give_up(xb);
	else if (signals && xb->delay_ms)
		e->signalled_at = ktime_get_ns();
	else if (signals && (e->limit != ULONG_MAX || e->wishes))
		balloon_elastic_return(xb, 0, __ffs(signals));

	most = min(balloon_target_most(xb), e->limit);
	if (guest >= most) {
		e->wishes = false;
		balloon_latency_end(&e->latency, true);
	} else if (e->wishes && READ_ONCE(e->enabled) && !balloon_elastic_is_short(xb) &&
		   ktime_get_ns() - e->signalled_at > shortest_hold(e)) {
		forgo(xb);
	}
	WRITE_ONCE(e->wanted, e->wishes ? most - guest : 0);
	WRITE_ONCE(e->active, e->given || e->wishes);
}

/* The less often the longer nobody has taken memory; what is given counts as taken. */
static void watch(struct work_struct *work)
{
	struct balloon_elastic *e = container_of(to_delayed_work(work), struct balloon_elastic,
						 watch);
	struct xen_balloon *xb = container_of(e, struct xen_balloon, elastic);
	unsigned long nr_free = nr_free_pages();

	if (!READ_ONCE(e->active))
		return;
	if (balloon_elastic_is_short(xb))
		balloon_elastic_signal(xb, SIGNAL_LOW);

	e->watch_delay = nr_free + READ_ONCE(e->headroom) / 8 < e->watched ? WATCH_MIN :
			 clamp(e->watch_delay * 2, WATCH_MIN, WATCH_MAX);
	e->watched = nr_free;
	schedule_delayed_work(&e->watch, e->watch_delay);
}

/* Is a node without its part of the headroom? Who wants memory of it is not helped by another's. */
static bool a_node_is_short(const struct balloon_elastic *e)
{
	unsigned long part = e->headroom / num_node_state(N_NORMAL_MEMORY);
	int nid;

	for_each_node_state(nid, N_NORMAL_MEMORY)
		if (balloon_node_free_at_ease(nid) < part)
			return true;

	return false;
}

/* How much may be given now. */
static unsigned long allowed(struct xen_balloon *xb, u64 now)
{
	unsigned long guest = balloon_figures(&xb->queue).guest, most;
	struct balloon_elastic *e = &xb->elastic;

	if (now < e->give_at || now < e->hold_until)
		return 0;

	most = guest - min(guest, balloon_elastic_lower(xb));
	e->allowance = round_down(min3(e->allowance, idle(e), most), XENMEM_HUGE_PAGES);
	/* Xen is not asked in vain. */
	if (e->allowance && (xb->target.relieved || READ_ONCE(e->signals) ||
			     a_node_is_short(e) || balloon_is_watched(xb)))
		e->allowance = 0;

	return e->allowance;
}

/**
 * balloon_elastic_got - Xen was asked for memory
 * @xb: the driver
 * @got: and gave so many pages
 *
 * Context: step_lock held.
 */
void balloon_elastic_got(struct xen_balloon *xb, unsigned long got)
{
	if (xb->elastic.promised)
		promise(xb);
	balloon_latency_got(xb, got);
}

/**
 * balloon_elastic_give - give some of what is idle
 * @xb: the driver, whose guest is where it is to be
 *
 * Context: the worker, under step_lock; may sleep, but waits for nobody's memory.
 * Return: whether some was given.
 */
bool balloon_elastic_give(struct xen_balloon *xb)
{
	struct balloon_elastic *e = &xb->elastic;
	u64 now = ktime_get_ns();
	unsigned long given;
	unsigned int nr;

	lockdep_assert_held(&xb->step_lock);

	if (!READ_ONCE(e->enabled))
		return false;
	/* It is not yet where it is to be, as far as it has memory that it was not booted with. */
	if (!e->given && balloon_hotplug_may(xb, balloon_figures(&xb->queue).guest)) {
		e->allowance = 0;
		return false;
	}
	if (!e->landed) {
		e->landed = true;
		rest(e, shortest_hold(e));
	}
	if (e->given && balloon_elastic_is_short(xb))
		balloon_elastic_signal(xb, SIGNAL_LOW);

	nr = min(allowed(xb, now) / XENMEM_HUGE_PAGES, XENMEM_MAX_HUGE);
	if (!nr)
		return false;

	nr = balloon_alloc_idle(xb, nr, e->headroom);
	given = nr ? balloon_release(xb, nr, XENMEM_HUGE_ORDER) : 0;
	if (!given) {
		/* What Xen does not take is not offered again soon. */
		rest(e, nr ? HOLD_MAX_NS : 0);
		return false;
	}

	e->allowance -= min(given, e->allowance);
	e->gave_at = now;
	e->give_at = now + given * PAGE_SIZE * NSEC_PER_SEC / ((u64)READ_ONCE(e->rate_mb) * SZ_1M);
	set_limit(xb, balloon_figures(&xb->queue).guest);
	WRITE_ONCE(e->active, true);
	balloon_count(xb, COUNT_GIVEN, given);
	schedule_delayed_work(&e->watch, WATCH_MIN);

	return true;
}

/**
 * balloon_elastic_wait - how long it is until there may be something to be given
 * @xb: the driver
 *
 * Context: step_lock held.
 * Return: in jiffies.
 */
long balloon_elastic_wait(const struct xen_balloon *xb)
{
	const struct balloon_elastic *e = &xb->elastic;
	u64 at = e->look_at;
	s64 left;

	if (!READ_ONCE(e->enabled))
		return MAX_SCHEDULE_TIMEOUT;

	if (e->allowance)
		at = max(e->give_at, e->hold_until);
	left = at - ktime_get_ns();

	return nsecs_to_jiffies(max(left, 0LL)) + 1;
}

/**
 * balloon_elastic_init - nothing is given
 * @xb: the driver
 */
void balloon_elastic_init(struct xen_balloon *xb)
{
	struct balloon_elastic *e = &xb->elastic;

	e->limit = ULONG_MAX;
	e->age_ms = AGE_MS;
	e->rate_mb = RATE_MB;
	e->hold_s = HOLD_S;
	/* Who takes memory is awake, and wakes kswapd where it is another CPU that is. */
	INIT_DEFERRABLE_WORK(&e->watch, watch);
}

/**
 * balloon_elastic_end - nothing is given any more, and what was comes back, if Xen has it
 * @xb: the driver, its worker at work
 *
 * Context: may sleep, for as long as some comes back, and two seconds more; can be frozen.
 */
void balloon_elastic_end(struct xen_balloon *xb)
{
	struct balloon_elastic *e = &xb->elastic;
	unsigned long had = 0, has, at = jiffies;

	WRITE_ONCE(e->over, true);
	balloon_elastic_enable(xb, false);
	while (READ_ONCE(e->active) && time_before(jiffies, at + PATIENCE)) {
		has = balloon_figures(&xb->queue).guest;
		if (has != had)
			at = jiffies;
		had = has;
		set_current_state(TASK_IDLE | TASK_FREEZABLE);
		schedule_timeout(LOOK);
	}
}

/**
 * balloon_elastic_exit - nobody looks any more
 * @xb: the driver, its worker stopped
 */
void balloon_elastic_exit(struct xen_balloon *xb)
{
	struct balloon_elastic *e = &xb->elastic;

	cancel_delayed_work_sync(&e->watch);
	mutex_lock(&xb->step_lock);
	e->wishes = false;
	set_limit(xb, ULONG_MAX);
	totalram_pages_add(-(long)e->promised);
	e->promised = 0;
	mutex_unlock(&xb->step_lock);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/elastic-kunit.h"
#endif
