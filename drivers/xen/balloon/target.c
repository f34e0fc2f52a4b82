// SPDX-License-Identifier: GPL-2.0
/*
 * Where the guest shall be: the target as it was set, kept between what the
 * guest needs to live and what it could have at most.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ktime.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>

#include "balloon.h"

#define MB_TO_PAGES(mb)	((unsigned long)(mb) << (20 - PAGE_SHIFT))

/**
 * balloon_floor - what a guest needs to live: the least that the balloon leaves it
 * @total: all that it may have, in pages
 *
 * Its kernel's own tables and caches are sized for that, and they do not shrink
 * with the balloon. Linear between the points of the table; the shape is that of
 * the balloon driver of the Xen 3 and 4 kernels.
 *
 * Return: pages.
 */
unsigned long balloon_floor(unsigned long total)
{
	static const struct {
		unsigned int total_mb;
		unsigned int floor_mb;
	} table[] = {
		{ 0, 0 }, { 16, 16 }, { 32, 24 }, { 128, 72 }, { 512, 168 },
		{ 2048, 360 }, { 8192, 552 }, { 32768, 1320 }, { 131072, 4392 },
	};
	unsigned long span, rise;
	unsigned int i;

	/* Above the table the last slope goes on. */
	for (i = 1; i < ARRAY_SIZE(table) - 1; i++)
		if (total <= MB_TO_PAGES(table[i].total_mb))
			break;

	span = table[i].total_mb - table[i - 1].total_mb;
	rise = table[i].floor_mb - table[i - 1].floor_mb;

	return MB_TO_PAGES(table[i - 1].floor_mb) +
	       (total - MB_TO_PAGES(table[i - 1].total_mb)) * rise / span;
}

/**
 * balloon_target_begin - go on to where the in-tree driver was going
 * @xb: the driver, with what it took over in place
 * @wanted: its target, in pages; where that is none, the guest stays as it is
 *
 * What the guest lived on, or was about to, is no less than what it needs: most
 * of a large total may never have been populated. So the floor is none that a
 * guest would have to grow to; nor does it rise when memory is hot-added.
 *
 * Context: step_lock held.
 */
void balloon_target_begin(struct xen_balloon *xb, unsigned long wanted)
{
	unsigned long guest = balloon_figures(&xb->queue).guest;
	struct balloon_target *t = &xb->target;

	lockdep_assert_held(&xb->step_lock);

	t->wanted = balloon_is_target(wanted) ? wanted : guest;
	t->floor = min3(balloon_floor(xb->total), guest, t->wanted);
	ratelimit_state_init(&t->refused, SAY_INTERVAL, SAY_BURST);
	ratelimit_state_init(&t->low, SAY_INTERVAL, SAY_BURST);
	ratelimit_state_init(&t->high, SAY_INTERVAL, SAY_BURST);
}

/**
 * balloon_target_set - a new target was set
 * @xb: the driver
 * @wanted: the target, in pages
 *
 * Some toolstacks write the same one again and again: that is none. Below 0 it is
 * where memory/target is less than what the in-tree driver subtracts from it.
 *
 * Context: step_lock held.
 * Return: false when it cannot be one; the former target stays then.
 */
bool balloon_target_set(struct xen_balloon *xb, unsigned long wanted)
{
	lockdep_assert_held(&xb->step_lock);

	if (!balloon_is_target(wanted)) {
		if (__ratelimit(&xb->target.refused))
			pr_err("target of %ld pages ignored, staying with %lu KiB: expected from %lu to %lu KiB\n",
			       (long)wanted, PAGES_TO_KB(xb->target.wanted), PAGES_TO_KB(1UL),
			       PAGES_TO_KB(BALLOON_MAX_PAGES));
		return false;
	}

	if (wanted == xb->target.wanted)
		return true;

	xb->target.wanted = wanted;
	xb->target.relieved = 0;
	xb->delay_ms = 0;
	balloon_count(xb, COUNT_TARGETS, 1);

	return true;
}

/* Whether to say that a target was clamped: once for each, and not too often in all. */
static bool may_say_clamped(struct balloon_target *t, unsigned long target)
{
	return t->said != t->wanted &&
	       __ratelimit(t->wanted < target ? &t->low : &t->high);
}

/**
 * balloon_target_not_taken - Xen takes nothing of the guest, which is above its target
 * @xb: the driver
 *
 * That is said once for each target. To take 4 KiB out of 2 MiB of a PVH or HVM guest, Xen
 * needs a page for its tables, and keeps it there; how many it has for a guest depends on
 * what that could have at most when it was built.
 *
 * Context: step_lock held.
 */
void balloon_target_not_taken(struct xen_balloon *xb)
{
	struct balloon_target *t = &xb->target;

	lockdep_assert_held(&xb->step_lock);

	if (t->not_taken == t->wanted || !__ratelimit(&t->low))
		return;

	pr_warn("Xen takes nothing of this guest's %lu KiB, expected to get to %lu KiB: where it lacks pages for the guest's tables, shadow_memory in the guest's configuration sets how many it has\n",
		PAGES_TO_KB(balloon_figures(&xb->queue).guest), PAGES_TO_KB(t->wanted));
	t->not_taken = t->wanted;
}

/**
 * balloon_target_relieve - the guest was short: it is not to be smaller than it is now
 * @xb: the driver
 * @until: before this moment, by ktime_get_ns(), or before there is another target
 *
 * Context: step_lock held.
 * Return: whether that is news.
 */
bool balloon_target_relieve(struct xen_balloon *xb, u64 until)
{
	bool news = !xb->target.relieved;

	lockdep_assert_held(&xb->step_lock);

	xb->target.relieved = balloon_figures(&xb->queue).guest;
	xb->target.relieved_until = until;

	return news;
}

/* What the guest can have, in pages. */
static unsigned long ceiling_of(struct xen_balloon *xb)
{
	struct balloon_figures n = balloon_figures(&xb->queue);

	return n.guest + n.transit + n.base + n.huge * XENMEM_HUGE_PAGES +
	       balloon_foreign_excess(xb);
}

/**
 * balloon_target_most - how much the guest is to have, if it gives nothing of its own accord
 * @xb: the driver
 *
 * What can be had changes as drivers borrow and return pages, so a target out
 * of range is remembered, and asked for again each time.
 *
 * Context: step_lock held.
 * Return: the target in pages, between floor and ceiling.
 */
unsigned long balloon_target_most(struct xen_balloon *xb)
{
	struct balloon_figures n = balloon_figures(&xb->queue);
	unsigned long ceiling = ceiling_of(xb);
	unsigned long floor = min(READ_ONCE(xb->target.floor), ceiling);
	unsigned long target = clamp(xb->target.wanted, floor, ceiling);

	lockdep_assert_held(&xb->step_lock);

	if (target != xb->target.wanted && !balloon_hotplug_may(xb, ceiling) &&
	    may_say_clamped(&xb->target, target)) {
		pr_warn("target of %lu KiB is out of range, going to %lu KiB: floor %lu KiB, ceiling %lu KiB, with %lu KiB lent or kept to be lent\n",
			PAGES_TO_KB(xb->target.wanted), PAGES_TO_KB(target),
			PAGES_TO_KB(floor), PAGES_TO_KB(ceiling),
			PAGES_TO_KB(balloon_sum(xb) - n.quarantined - n.leaving - ceiling));
		xb->target.said = xb->target.wanted;
	}

	return target;
}

/**
 * balloon_target - where to go now
 * @xb: the driver
 *
 * Context: step_lock held.
 * Return: in pages: that of balloon_target_most(), less what is given; more, while the guest
 * is short.
 */
unsigned long balloon_target(struct xen_balloon *xb)
{
	unsigned long target = min(balloon_target_most(xb), xb->elastic.limit);

	if (ktime_get_ns() >= xb->target.relieved_until)
		xb->target.relieved = 0;

	return max(target, min(xb->target.relieved, ceiling_of(xb)));
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/target-kunit.h"
#endif
