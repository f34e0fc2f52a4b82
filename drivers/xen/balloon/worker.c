// SPDX-License-Identifier: GPL-2.0
/*
 * The one thread: it goes to the target in bounded steps, each of which leaves
 * every page in a queue or with the guest, and waits without burning CPU when
 * there is nothing to do or nothing to be had. It never gives up.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/freezer.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/sizes.h>

#include "balloon.h"
#include "trace.h"

/* The first wait after a step that stalled; each further one is twice as long. */
#define DELAY_MIN_MS	16U

/* How often to look for what nobody tells us of: see intree_follow(). */
#define LOOK_OFTEN	HZ
#define LOOK_SELDOM	(5 * HZ)

/*
 * The in-tree driver and Xen change their counts one after the other: only a
 * difference that stays for so long is one.
 */
#define DRIFT_LASTS_NS	NSEC_PER_SEC

/*
 * Xen's count of a populate-on-demand guest that has not reached its first
 * target is below the guest's own by far more than this many pages.
 */
#define OFFSET_MIN	(-256L)

/*
 * What inflation leaves available: enough for what runs to go on while the
 * balloon waits.
 */
static unsigned long inflatable(const struct xen_balloon *xb)
{
	long reserve = clamp(xb->total / 64, SZ_4M / PAGE_SIZE, SZ_256M / PAGE_SIZE);

	return max(si_mem_available() - reserve, 0L);
}

/* How much may come back by Xen's limit: asking for more fills Xen's log. */
static unsigned long headroom(const struct xen_balloon *xb)
{
	long current_pages = xb->ops->current_pages();
	long maximum = xb->ops->maximum_pages();

	if (current_pages < 0 || maximum < 0)
		return ULONG_MAX;

	return max(maximum - current_pages, 0L);
}

/*
 * Xen took fewer pages than it was given. By its count it can be told whether
 * it took a part of the first that it did not take.
 */
static bool is_untouched(struct xen_balloon *xb)
{
	struct balloon_figures n = balloon_figures(&xb->queue);

	return xb->offset_known &&
	       xb->ops->current_pages() == xb->offset + n.guest + n.transit;
}

/* Give xb->pages to Xen. Returns base pages given. */
static unsigned long release(struct xen_balloon *xb, unsigned int nr, unsigned int order)
{
	struct balloon_queue *q = &xb->queue;
	unsigned int i, done;
	bool in_doubt;

	done = xb->ops->release(xb->pages, nr, order);

	xb->counters[COUNT_RELEASE_CALLS]++;
	xb->counters[COUNT_RELEASE_EXTENTS] += done;
	xb->counters[COUNT_RELEASE_PAGES] += done << order;

	for (i = 0; i < done; i++)
		balloon_enqueue(q, xb->pages[i], order);

	in_doubt = done < nr && !is_untouched(xb);
	if (in_doubt) {
		pr_err_ratelimited("Xen did not take pfn 0x%lx of order %u, whose state is unknown now: %lu KiB out of use for good\n",
				   page_to_pfn(xb->pages[done]), order,
				   PAGES_TO_KB(1UL << order));
		balloon_quarantine(q, xb->pages[i++], order);
	}
	for (; i < nr; i++)
		balloon_give(q, xb->pages[i], order);

	/* What Xen did not take of it goes on being counted for this domain. */
	if (in_doubt) {
		xb->offset_known = false;
		balloon_check_current(xb);
	}

	return (unsigned long)done << order;
}

/* Ask Xen to populate xb->pages. Returns how many of them it did. */
static unsigned int ask(struct xen_balloon *xb, unsigned int nr, unsigned int order)
{
	unsigned int done = xb->ops->populate(xb->pages, nr, order);

	xb->counters[COUNT_POPULATE_CALLS]++;
	xb->counters[COUNT_POPULATE_EXTENTS] += done;
	xb->counters[COUNT_POPULATE_PAGES] += done << order;
	xb->counters[COUNT_POPULATE_REFUSED] += !done;

	return done;
}

/* Have xb->pages populated. Returns base pages got. */
static unsigned long populate(struct xen_balloon *xb, unsigned int nr, unsigned int order)
{
	unsigned int i, done = ask(xb, nr, order);

	for (i = 0; i < done; i++)
		balloon_give(&xb->queue, xb->pages[i], order);
	for (; i < nr; i++)
		balloon_enqueue(&xb->queue, xb->pages[i], order);

	return (unsigned long)done << order;
}

/*
 * Have the first @nr base pages of a huge page populated. It is broken up only
 * when Xen gives some. Returns base pages got.
 */
static unsigned long populate_part(struct xen_balloon *xb, unsigned int nr)
{
	struct page *page = balloon_dequeue_split(&xb->queue);
	unsigned int i, done;

	if (!page)
		return 0;

	for (i = 0; i < nr; i++)
		xb->pages[i] = page + i;
	done = ask(xb, nr, 0);
	if (!done) {
		balloon_enqueue(&xb->queue, page, XENMEM_HUGE_ORDER);
		return 0;
	}

	split_page(page, XENMEM_HUGE_ORDER);
	for (i = 0; i < done; i++)
		balloon_give(&xb->queue, page + i, 0);
	for (; i < XENMEM_HUGE_PAGES; i++)
		balloon_enqueue(&xb->queue, page + i, 0);

	return done;
}

/* One step towards a smaller guest, by up to @want. Returns pages given. */
static unsigned long inflate(struct xen_balloon *xb, unsigned long want)
{
	unsigned long room = inflatable(xb), given;
	unsigned int nr = 0;

	/* Short of memory, whole huge pages or nothing: do not nibble. */
	if (room < want)
		want = round_down(room, XENMEM_HUGE_PAGES);

	if (want >= XENMEM_HUGE_PAGES)
		nr = balloon_alloc_huge(xb, min(want / XENMEM_HUGE_PAGES,
						(unsigned long)XENMEM_MAX_HUGE));
	if (nr) {
		given = release(xb, nr, XENMEM_HUGE_ORDER);
		if (given)
			return given;
	}

	if (want)
		nr = balloon_alloc_base(xb, min(want, (unsigned long)XENMEM_MAX_BASE));

	return nr ? release(xb, nr, 0) : 0;
}

/* One step towards a larger guest, by up to @want. Returns pages got. */
static unsigned long deflate(struct xen_balloon *xb, unsigned long want)
{
	struct balloon_queue *q = &xb->queue;
	unsigned long got;
	unsigned int nr = 0;

	want = min(want, headroom(xb));
	if (!want)
		return 0;

	if (want >= XENMEM_HUGE_PAGES)
		nr = balloon_dequeue_huge(q, xb->pages,
					  min(want / XENMEM_HUGE_PAGES,
					      (unsigned long)XENMEM_MAX_HUGE));
	if (nr) {
		got = populate(xb, nr, XENMEM_HUGE_ORDER);
		if (got)
			return got;
	}

	/* No 2 MiB wanted, or none to be had from Xen. */
	want = min(want, (unsigned long)XENMEM_MAX_BASE);
	nr = balloon_dequeue_base(q, xb->pages, want);
	if (nr)
		return populate(xb, nr, 0);
	if (balloon_figures(q).huge)
		return populate_part(xb, want);

	return intree_reclaim_spare(xb, want);
}

/**
 * balloon_sum - all pages in all states, which is xb->total
 * @xb: the driver
 */
unsigned long balloon_sum(struct xen_balloon *xb)
{
	struct balloon_figures n = balloon_figures(&xb->queue);

	return n.guest + n.huge * XENMEM_HUGE_PAGES + n.base + n.transit +
	       n.quarantined + intree_foreign_spare() + intree_foreign_lent(xb);
}

/* What Xen counts beyond what the kernel has as its memory. */
static void take_offset(struct xen_balloon *xb, long now, unsigned long guest)
{
	long offset = now - guest;

	if (xb->offset_known && offset != xb->offset)
		pr_info("Xen counts %ld KiB %s for this guest since it was resumed\n",
			PAGES_TO_KB(abs(offset - xb->offset)),
			offset > xb->offset ? "more" : "less");

	xb->offset = offset;
	xb->offset_known = offset >= OFFSET_MIN;
	xb->drift = 0;
}

/**
 * balloon_check_current - compare the accounting with Xen's, which has the
 *	last word on how much the guest has
 * @xb: the driver
 *
 * Context: step_lock held.
 */
void balloon_check_current(struct xen_balloon *xb)
{
	unsigned long guest = balloon_figures(&xb->queue).guest;
	long now = xb->ops->current_pages();
	long drift;

	lockdep_assert_held(&xb->step_lock);

	if (now < 0)
		return;

	if (xb->resumed || !xb->offset_known) {
		WRITE_ONCE(xb->resumed, false);
		take_offset(xb, now, guest);
		return;
	}

	drift = now - xb->offset - guest;
	if (drift != xb->drift) {
		xb->drift = drift;
		xb->drift_since = ktime_get_ns();
	} else if (drift && ktime_get_ns() - xb->drift_since > DRIFT_LASTS_NS) {
		pr_warn("Xen counts %ld KiB %s than expected: going by Xen\n",
			PAGES_TO_KB(abs(drift)), drift > 0 ? "more" : "less");
		balloon_correct_guest(&xb->queue, drift);
		xb->total = balloon_sum(xb);
		xb->drift = 0;
	}
}

/* One bounded step towards the target; may sleep. */
static enum balloon_step step(struct xen_balloon *xb)
{
	unsigned long target = balloon_target(xb), moved;
	long credit = target - balloon_figures(&xb->queue).guest;

	lockdep_assert_held(&xb->step_lock);

	if (!credit) {
		balloon_check_current(xb);
		balloon_alloc_settle(&xb->alloc);
		balloon_alloc_reset(&xb->alloc);
		balloon_queue_trim(&xb->queue);
		return BALLOON_AT_TARGET;
	}

	if (credit < 0)
		moved = inflate(xb, -credit);
	else
		moved = deflate(xb, credit);

	if (credit > 0 || !moved)
		balloon_alloc_settle(&xb->alloc);
	if (!moved)
		balloon_check_current(xb);

	return moved ? BALLOON_PROGRESS : BALLOON_STALLED;
}

static void back_off(struct xen_balloon *xb, enum balloon_step result)
{
	if (result != BALLOON_STALLED) {
		xb->delay_ms = 0;
		return;
	}

	xb->counters[COUNT_STALLS]++;
	xb->delay_ms = clamp(xb->delay_ms * 2, DELAY_MIN_MS,
			     intree_max_delay_ms());
}

/* How long to wait after a step, in jiffies; 0 after one that made progress. */
static long wait_for(const struct xen_balloon *xb, enum balloon_step result)
{
	long look = intree_must_look(xb) ? LOOK_OFTEN : LOOK_SELDOM;

	switch (result) {
	case BALLOON_PROGRESS:
		return 0;
	case BALLOON_STALLED:
		return min_t(long, look, msecs_to_jiffies(xb->delay_ms));
	default:
		return look;
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
	intree_follow(xb);
	result = step(xb);
	back_off(xb, result);
	intree_publish(xb);
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
 * balloon_worker_kick - there is something new: look at once
 * @xb: the driver
 *
 * Context: any.
 */
void balloon_worker_kick(struct xen_balloon *xb)
{
	WRITE_ONCE(xb->kicked, true);
	wake_up(&xb->wait);
}

/**
 * balloon_worker_start - start the thread
 * @xb: the driver, with pages and target in place
 *
 * Return: 0 or a negative errno.
 */
int balloon_worker_start(struct xen_balloon *xb)
{
	struct task_struct *worker = kthread_run(balloon_worker, xb, "xen-balloon");

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
