// SPDX-License-Identifier: GPL-2.0
/*
 * Somebody is about to be killed for want of memory, while the balloon has some. What is on
 * its way to the guest anyway comes at once. Beyond its target the guest gets some when the
 * administrator wants that (limits/deflate_on_oom), as far as Xen and the toolstack allow; it
 * keeps that for a while, and then goes back to its target, as far as it can do without.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/oom.h>
#include <linux/printk.h>
#include <linux/sched/mm.h>

#include "balloon.h"

/* How long to wait for a step of the worker, and how often to look. */
#define PATIENCE_US	USEC_PER_SEC
#define LOOK_US		(5 * USEC_PER_MSEC)
/* How long the guest keeps it after it was short the last time. */
#define HOLD_NS		(10 * NSEC_PER_SEC)

/* How much more the guest may have than now, of what Xen would give. */
static unsigned long allowed(struct xen_balloon *xb)
{
	unsigned long most = READ_ONCE(xb->target.dynamic_max);
	long now = xb->ops->current_pages();

	if (!READ_ONCE(xb->oom.deflates))
		return 0;
	if (most == ULONG_MAX)
		return BALLOON_RELIEF;
	if (now < 0 || now >= most)
		return 0;

	return min(most - now, BALLOON_RELIEF);
}

/* From now on the guest is not to be smaller than it is, for a while. */
static void stay(struct xen_balloon *xb)
{
	if (balloon_target_relieve(xb, ktime_get_ns() + HOLD_NS))
		pr_info("the guest is out of memory: it gets more than its target of %lu KiB for the time being\n",
			PAGES_TO_KB(xb->target.wanted));
}

/* What is on its way comes first, and what was given, and is no more than the target says. */
static unsigned long relieve(struct xen_balloon *xb)
{
	unsigned long got;

	balloon_elastic_return(xb, BALLOON_RELIEF, SIGNAL_OOM);
	got = balloon_get_coming(xb);
	if (got)
		return got;

	got = balloon_get(xb, allowed(xb));
	if (got)
		stay(xb);

	return got;
}

/* Does the balloon have anything that the guest may get? */
static bool may_give(struct xen_balloon *xb)
{
	if (READ_ONCE(xb->resumed) || READ_ONCE(xb->ended))
		return false;

	return READ_ONCE(xb->oom.deflates) || READ_ONCE(xb->alloc.nr_held) ||
	       READ_ONCE(xb->target.wanted) > balloon_figures(&xb->queue).guest;
}

/*
 * Whoever asks for memory may hold what the worker waits for, and the kernel lets nobody
 * else out of an allocation meanwhile: so nothing is waited for with no limit. Returns false
 * also once the worker, which is at it, has given the guest some: @got tells how much.
 */
static bool lock_soon(struct xen_balloon *xb, unsigned long *got)
{
	unsigned long before = balloon_figures(&xb->queue).guest, us;

	*got = 0;
	for (us = 0; us < PATIENCE_US; us += LOOK_US) {
		if (mutex_trylock(&xb->step_lock))
			return true;
		fsleep(LOOK_US);
		*got = max(balloon_figures(&xb->queue).guest, before) - before;
		if (*got)
			break;
	}

	return false;
}

static int on_oom(struct notifier_block *nb, unsigned long unused, void *freed)
{
	struct xen_balloon *xb = container_of(nb, struct xen_balloon, oom.nb);
	unsigned long got, held;
	unsigned int flags;

	/* Others had some. */
	if (*(unsigned long *)freed || !may_give(xb))
		return NOTIFY_OK;

	balloon_elastic_signal(xb, SIGNAL_OOM);
	if (!lock_soon(xb, &got)) {
		balloon_count(xb, COUNT_OOM_WAITS, !!got);
		*(unsigned long *)freed += got;
		return NOTIFY_OK;
	}

	/* It may have been suspended meanwhile. */
	if (READ_ONCE(xb->resumed) || READ_ONCE(xb->ended)) {
		mutex_unlock(&xb->step_lock);
		return NOTIFY_OK;
	}

	/* Who asks for memory may be a filesystem, or a disk's driver, with locks of its own. */
	flags = memalloc_noio_save();
	held = balloon_alloc_settle(&xb->alloc);
	got = relieve(xb);
	/* That is what the worker would do. */
	clear_bit(SIGNAL_OOM, &xb->elastic.signals);
	if (got)
		xb->kernel->publish(xb);
	memalloc_noio_restore(flags);
	mutex_unlock(&xb->step_lock);

	balloon_count(xb, COUNT_OOM_RELIEVED, got);
	*(unsigned long *)freed += held + got;

	return NOTIFY_OK;
}

/**
 * balloon_oom_init - hear of it
 * @xb: the driver
 *
 * Return: 0 or a negative errno.
 */
int balloon_oom_init(struct xen_balloon *xb)
{
	xb->oom.nb.notifier_call = on_oom;
	/* After those who have memory that is of no use to anybody. */
	xb->oom.nb.priority = -1;

	return register_oom_notifier(&xb->oom.nb);
}

/**
 * balloon_oom_exit - undo balloon_oom_init()
 * @xb: the driver
 */
void balloon_oom_exit(struct xen_balloon *xb)
{
	unregister_oom_notifier(&xb->oom.nb);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/oom-kunit.h"
#endif
