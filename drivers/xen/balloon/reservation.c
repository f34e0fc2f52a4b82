// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's reservation: pages in transit that go to Xen, memory for others
 * that comes from there, and what Xen counts for this domain. Whatever Xen
 * says, each page ends up in a queue or with the guest.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/sizes.h>

#include <compat/balloon_compaction.h>

#include "balloon.h"

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

/**
 * balloon_headroom - how much may come back by Xen's limit
 * @xb: the driver
 *
 * Asking for more fills Xen's log.
 *
 * Return: pages; 0 also when the guest has more than it may.
 */
unsigned long balloon_headroom(const struct xen_balloon *xb)
{
	long current_pages = xb->ops->current_pages();
	long maximum = xb->ops->maximum_pages();

	if (current_pages < 0 || maximum < 0)
		return ULONG_MAX;

	return max(maximum - current_pages, 0L);
}

/**
 * balloon_over_limit - does the guest have more than it may, so that Xen would
 *	not populate again what it gets?
 * @xb: the driver
 *
 * Return: true also when Xen does not tell.
 */
bool balloon_over_limit(const struct xen_balloon *xb)
{
	long current_pages = xb->ops->current_pages();
	long maximum = xb->ops->maximum_pages();

	return current_pages < 0 || maximum < 0 || current_pages > maximum;
}

/**
 * balloon_is_watched - is the guest just being migrated, as far as it can tell?
 * @xb: the driver
 *
 * Then what upkeep populates would be sent as well as what was sent before it was
 * released: the new domain has no room for both.
 */
bool balloon_is_watched(const struct xen_balloon *xb)
{
	return xb->ops->logs_writes && xb->ops->logs_writes();
}

/**
 * balloon_reserve - what the balloon leaves available: enough for what runs to go on
 * @xb: the driver
 *
 * Unless it was set it goes by what the guest has: of its maximum most may never have
 * been populated.
 *
 * Context: any but under queue.lock.
 * Return: pages.
 */
unsigned long balloon_reserve(struct xen_balloon *xb)
{
	unsigned long guest = balloon_figures(&xb->queue).guest;

	return READ_ONCE(xb->target.reserve) ?:
	       clamp(guest / 64, SZ_4M / PAGE_SIZE, SZ_256M / PAGE_SIZE);
}

/**
 * balloon_give_base - a base page that Xen populated goes to the guest
 * @xb: the driver
 * @page: the page
 */
void balloon_give_base(struct xen_balloon *xb, struct page *page)
{
	balloon_region_suspect(&xb->queue, page);
	balloon_give(&xb->queue, page, 0);
}

/**
 * balloon_give_found - a base page that was taken for a hole has memory, and goes to the guest
 * @xb: the driver
 * @page: the page, in transit
 *
 * Of which of the machine's nodes that is nobody knows.
 */
void balloon_give_found(struct xen_balloon *xb, struct page *page)
{
	balloon_region_came(&xb->queue, page, 0, balloon_has_nodes(xb));
	balloon_give_base(xb, page);
}

/*
 * Xen took fewer pages than it was given. By its count it can be told whether
 * it took a part of the first that it did not take. A page that compaction is
 * moving may be counted twice or not at all for a moment, and other domains have
 * some counted: then Xen is asked for each page.
 */
static bool is_untouched(struct xen_balloon *xb, struct page *page, unsigned int order)
{
	unsigned int i, tries = 3;

	while (xb->offset_known && tries--) {
		struct balloon_figures n = balloon_figures(&xb->queue);

		if (xb->ops->current_pages() == xb->offset + n.guest + n.transit)
			return true;
	}

	for (i = 0; i < 1U << order; i++)
		if (!xb->ops->populated(page + i))
			return false;

	return true;
}

/**
 * balloon_release - give xb->pages to Xen
 * @xb: the driver
 * @nr: how many of them: populated and in transit
 * @order: their order
 *
 * What Xen does not take goes back to the guest.
 *
 * Context: step_lock held; may sleep.
 * Return: base pages given, which are in the queues now.
 */
unsigned long balloon_release(struct xen_balloon *xb, unsigned int nr, unsigned int order)
{
	struct balloon_queue *q = &xb->queue;
	u64 start = ktime_get_ns();
	unsigned int i, done;
	bool in_doubt;

	done = xb->ops->release(xb->pages, nr, order);
	xb->release_ns += ktime_get_ns() - start;

	balloon_count(xb, COUNT_RELEASE_CALLS, 1);
	balloon_count(xb, COUNT_RELEASE_EXTENTS, done);
	balloon_count(xb, COUNT_RELEASE_PAGES, done << order);
	count_balloon_inflate(done << order);

	for (i = 0; i < done; i++)
		balloon_enqueue(q, xb->pages[i], order);

	in_doubt = done < nr && !is_untouched(xb, xb->pages[done], order);
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

/*
 * Ask Xen to populate xb->pages, each from its own node, or else, unless it is @local, from
 * any; which those are is in xb->away. Returns how many of them it did.
 */
static unsigned int ask(struct xen_balloon *xb, unsigned int nr, unsigned int order, bool local)
{
	unsigned int done;

	bitmap_zero(xb->away, nr);
	done = xb->ops->populate(xb->pages, nr, order, local ? NULL : xb->away);

	balloon_count(xb, COUNT_POPULATE_AWAY,
		      (unsigned long)bitmap_weight(xb->away, done) << order);
	balloon_count(xb, COUNT_POPULATE_CALLS, 1);
	balloon_count(xb, COUNT_POPULATE_EXTENTS, done);
	balloon_count(xb, COUNT_POPULATE_PAGES, done << order);
	count_balloon_deflate(done << order);
	balloon_count(xb, COUNT_POPULATE_REFUSED, !done);

	return done;
}

/* What was asked for has come for the first @done of xb->pages. */
static void take_in(struct xen_balloon *xb, unsigned int done, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < done; i++) {
		balloon_region_came(&xb->queue, xb->pages[i], order, test_bit(i, xb->away));
		if (order) {
			balloon_region_whole(&xb->queue, xb->pages[i]);
			balloon_give(&xb->queue, xb->pages[i], order);
		} else {
			balloon_give_base(xb, xb->pages[i]);
		}
	}
}

/**
 * balloon_populate - ask Xen for memory behind xb->pages
 * @xb: the driver
 * @nr: how many of them: unpopulated and in transit
 * @order: their order
 * @local: from nowhere but their own nodes, where the guest has virtual ones; else from there
 *	first
 *
 * What Xen does not populate goes back to the queues.
 *
 * Context: step_lock held; may sleep.
 * Return: base pages got, which are the guest's now.
 */
unsigned long balloon_populate(struct xen_balloon *xb, unsigned int nr, unsigned int order,
			       bool local)
{
	unsigned int i, done = ask(xb, nr, order, local);

	take_in(xb, done, order);
	for (i = done; i < nr; i++)
		balloon_enqueue(&xb->queue, xb->pages[i], order);

	return (unsigned long)done << order;
}

/**
 * balloon_populate_one - ask Xen for memory behind the huge page of a node that was queued last
 * @xb: the driver, which may just have released one
 * @nid: the node
 * @local: as of balloon_populate()
 *
 * Context: step_lock held; may sleep.
 * Return: base pages got, which are the guest's now.
 */
unsigned long balloon_populate_one(struct xen_balloon *xb, int nid, bool local)
{
	/* What was queued last comes out first. */
	if (!balloon_dequeue_huge(&xb->queue, xb->pages, 1, nid))
		return 0;

	return balloon_populate(xb, 1, XENMEM_HUGE_ORDER, local);
}

/**
 * balloon_populate_part - ask Xen for memory behind a part of a huge page
 * @xb: the driver
 * @nr: how many of its base pages
 * @nid: of which node, or NUMA_NO_NODE
 *
 * It is broken up only when Xen gives some.
 *
 * Context: step_lock held; may sleep.
 * Return: base pages got, which are the guest's now.
 */
unsigned long balloon_populate_part(struct xen_balloon *xb, unsigned int nr, int nid)
{
	struct page *page = balloon_dequeue_split(&xb->queue, nid);
	unsigned int i, done;

	if (!page)
		return 0;

	for (i = 0; i < nr; i++)
		xb->pages[i] = page + i;
	done = ask(xb, nr, 0, false);
	if (!done) {
		balloon_enqueue(&xb->queue, page, XENMEM_HUGE_ORDER);
		return 0;
	}

	split_page(page, XENMEM_HUGE_ORDER);
	take_in(xb, done, 0);
	for (i = done; i < XENMEM_HUGE_PAGES; i++)
		balloon_enqueue(&xb->queue, page + i, 0);

	return done;
}

/**
 * balloon_sum - all pages in all states, which is xb->total
 * @xb: the driver
 */
unsigned long balloon_sum(struct xen_balloon *xb)
{
	struct balloon_figures n = balloon_figures(&xb->queue);

	return n.guest + n.huge * XENMEM_HUGE_PAGES + n.base + n.transit +
	       n.leaving + n.quarantined + xb->kernel->spare() + xb->kernel->lent(xb);
}

/**
 * balloon_counted_twice - how much is the guest's, and on the in-tree driver's list as well
 * @xb: the driver
 *
 * That is what was set online again, until it is taken from there.
 *
 * Context: step_lock held.
 * Return: pages.
 */
unsigned long balloon_counted_twice(struct xen_balloon *xb)
{
	unsigned long sum = balloon_sum(xb);

	return sum - min(sum, xb->total);
}

static void set_offset(struct xen_balloon *xb, long offset)
{
	if (xb->offset_known && offset != xb->offset)
		pr_info("Xen counts %ld KiB %s for this guest than before, which the guest has no part in: from now on that is expected\n",
			PAGES_TO_KB(abs(offset - xb->offset)),
			offset > xb->offset ? "more" : "less");

	xb->offset = offset;
	xb->offset_known = offset >= OFFSET_MIN;
	xb->drift = 0;
}

/**
 * balloon_take_offset - see what Xen counts beyond what the kernel has as its memory
 * @xb: the driver
 *
 * Context: step_lock held.
 * Return: false when Xen does not tell.
 */
bool balloon_take_offset(struct xen_balloon *xb)
{
	long now = xb->ops->current_pages();

	lockdep_assert_held(&xb->step_lock);

	if (now < 0)
		return false;

	set_offset(xb, now - balloon_figures(&xb->queue).guest);
	return true;
}

/*
 * Xen counts other than expected, and that stays so. When our own accounting does
 * not add up, since the in-tree driver and we wrote to a counter at the same
 * instant, Xen knows what the guest has. Else somebody outside has added pages to
 * the domain, or holds on to some that the guest has given back: that is none of
 * the guest's, which is as large as it was.
 */
static void settle_drift(struct xen_balloon *xb, long drift)
{
	if (balloon_sum(xb) == xb->total) {
		set_offset(xb, xb->offset + drift);
		return;
	}

	pr_warn("Xen counts %ld KiB %s than expected: going by Xen\n",
		PAGES_TO_KB(abs(drift)), drift > 0 ? "more" : "less");
	balloon_correct_guest(&xb->queue, drift);
	xb->total = balloon_sum(xb);
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
	if (!xb->offset_known) {
		balloon_take_offset(xb);
		return;
	}

	drift = now - xb->offset - guest;
	if (drift != xb->drift) {
		xb->drift = drift;
		xb->drift_since = ktime_get_ns();
	} else if (drift && ktime_get_ns() - xb->drift_since > DRIFT_LASTS_NS) {
		settle_drift(xb, drift);
	}
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/reservation-kunit.h"
#endif
