// SPDX-License-Identifier: GPL-2.0
/*
 * Another kernel is about to be booted by kexec. It takes for memory all that this one had
 * at boot, and cannot know that some of that is not there: what it writes to it is lost. So
 * all comes back before. Where it does not, since Xen gives none or another driver has it,
 * the guest boots as a whole instead, and gets its memory anew.
 *
 * Or this one is to hibernate. It goes on in a domain that was built anew, with memory where
 * it knows of none, and would never find it. Or it reads what another has left when it did
 * so, which is lost where there is no memory. Both are refused: there is no hurry.
 *
 * A kernel that saves what a crashed one left has memory of its own, which was never
 * ballooned out, and leaves out of the dump what was: the page is offline.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/printk.h>
#include <linux/reboot.h>
#include <linux/suspend.h>

#include "balloon.h"

/* How long to ask while nothing at all comes back, and how often. */
#define PATIENCE_NS	(10ULL * NSEC_PER_SEC)
#define ASK_US		(100 * USEC_PER_MSEC)

/* What kernel_kexec() has the notifiers told: its kexec_in_progress is not exported. */
#define KEXEC		"kexec reboot"

/* What of a block that is about to be online has no memory, nobody has yet. */
static unsigned long missing(struct xen_balloon *xb)
{
	return balloon_sum(xb) - balloon_figures(&xb->queue).guest + xb->blocks.coming;
}

/*
 * Returns how many pages did not come back for a while. Between two tries others may have
 * the lock, who set memory online or offline.
 */
static unsigned long take_all_back(struct xen_balloon *xb)
{
	u64 until = ktime_get_ns() + PATIENCE_NS;

	/* What is kept to be lent, too. */
	WRITE_ONCE(xb->foreign.low, 0);
	WRITE_ONCE(xb->foreign.high, 0);
	xb->kernel->follow(xb);

	while (missing(xb) && ktime_get_ns() < until) {
		if ((!READ_ONCE(xb->resumed) || balloon_restored(xb)) &&
		    balloon_resize(xb, missing(xb))) {
			until = ktime_get_ns() + PATIENCE_NS;
			cond_resched();
			continue;
		}
		balloon_foreign_sweep(xb);
		mutex_unlock(&xb->step_lock);
		fsleep(ASK_US);
		mutex_lock(&xb->step_lock);
	}
	xb->kernel->publish(xb);

	return missing(xb);
}

static int on_reboot(struct notifier_block *nb, unsigned long action, void *command)
{
	struct xen_balloon *xb = container_of(nb, struct xen_balloon, reboot);
	unsigned long left, offline;

	if (action != SYS_RESTART || !command || strcmp(command, KEXEC))
		return NOTIFY_DONE;

	/* This kernel balloons nothing out any more. */
	balloon_hotplug_end(xb);
	mutex_lock(&xb->step_lock);
	WRITE_ONCE(xb->ended, true);
	left = take_all_back(xb);
	offline = balloon_blocks_holes(xb);
	mutex_unlock(&xb->step_lock);
	if (left || offline) {
		pr_err("found %lu KiB that do not come back, and %lu KiB of what is offline without memory, expected none for kexec: the guest boots as a whole instead\n",
		       PAGES_TO_KB(left), PAGES_TO_KB(offline));
		emergency_restart();
	}

	return NOTIFY_DONE;
}

/* May it hibernate, or read an image? If so it gives nothing up until that is over. */
static bool may_sleep(struct xen_balloon *xb)
{
	unsigned long left = missing(xb), offline = balloon_blocks_holes(xb);

	if (balloon_hotplug_is_adding(xb))
		pr_err("found memory that is just being added, expected none for hibernation: try again\n");
	else if (left || offline)
		pr_err("found %lu KiB ballooned out, lent or out of use, and %lu KiB of what is offline without memory, expected none for hibernation: set the target to all that the guest can have, and elastic/enabled to 0, keep nothing to be lent, and set online what is offline\n",
		       PAGES_TO_KB(left), PAGES_TO_KB(offline));
	else
		xb->hibernates = true;

	return xb->hibernates;
}

static int on_sleep(struct notifier_block *nb, unsigned long action, void *unused)
{
	struct xen_balloon *xb = container_of(nb, struct xen_balloon, sleep);
	bool may = true;

	mutex_lock(&xb->step_lock);
	switch (action) {
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		may = may_sleep(xb);
		break;
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		xb->hibernates = false;
		balloon_worker_kick(xb);
		break;
	}
	mutex_unlock(&xb->step_lock);

	return may ? NOTIFY_DONE : notifier_from_errno(-EBUSY);
}

/**
 * balloon_ending_init - be told when another kernel is about to be booted by kexec, or this
 *	one to hibernate
 * @xb: the driver
 *
 * Return: 0, to be undone by balloon_ending_exit(); or a negative errno.
 */
int balloon_ending_init(struct xen_balloon *xb)
{
	int ret;

	xb->reboot.notifier_call = on_reboot;
	ret = register_reboot_notifier(&xb->reboot);
	if (ret)
		return ret;

	xb->sleep.notifier_call = on_sleep;
	ret = register_pm_notifier(&xb->sleep);
	if (ret)
		unregister_reboot_notifier(&xb->reboot);

	return ret;
}

/**
 * balloon_ending_exit - undo balloon_ending_init()
 * @xb: the driver
 */
void balloon_ending_exit(struct xen_balloon *xb)
{
	unregister_pm_notifier(&xb->sleep);
	unregister_reboot_notifier(&xb->reboot);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/ending-kunit.h"
#endif
