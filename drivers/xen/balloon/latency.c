// SPDX-License-Identifier: GPL-2.0
/*
 * How long the guest waits for what it has given: from the first sign that memory gets short
 * until some is back, and until all is that was to be. Counted for debugfs.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/ktime.h>
#include <linux/minmax.h>

#include "balloon.h"

static void count(unsigned long *counts, u64 ns)
{
	counts[min(fls64(ns / NSEC_PER_MSEC), BALLOON_LATENCIES - 1)]++;
}

/**
 * balloon_latency_asked - somebody has seen that memory gets short
 * @latency: of the driver
 *
 * Context: any, but for NMI.
 */
void balloon_latency_asked(struct balloon_latency *latency)
{
	atomic64_cmpxchg(&latency->asked_at, 0, ktime_get_ns());
}

/**
 * balloon_latency_got - Xen was asked for memory
 * @xb: the driver
 * @got: and gave so many pages
 *
 * Context: step_lock held.
 */
void balloon_latency_got(struct xen_balloon *xb, unsigned long got)
{
	struct balloon_latency *latency = &xb->elastic.latency;
	u64 asked_at = atomic64_read(&latency->asked_at);

	if (!asked_at)
		return;
	if (!got)
		balloon_count(xb, COUNT_RETURN_REFUSED, 1);
	if (!got || latency->got)
		return;

	latency->got = true;
	count(latency->first, ktime_get_ns() - asked_at);
}

/**
 * balloon_latency_end - nobody waits any more
 * @latency: of the driver
 * @eased: since all is back that was to be
 *
 * Context: step_lock held.
 */
void balloon_latency_end(struct balloon_latency *latency, bool eased)
{
	u64 asked_at = atomic64_xchg(&latency->asked_at, 0);

	if (asked_at && latency->got && eased)
		count(latency->eased, ktime_get_ns() - asked_at);
	latency->got = false;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/latency-kunit.h"
#endif
