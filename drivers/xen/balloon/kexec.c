// SPDX-License-Identifier: GPL-2.0
/*
 * Another kernel is about to be booted by kexec. It takes for memory all that this one had
 * at boot, and cannot know that some of that is not there: what it writes to it is lost. So
 * all comes back before. Where it does not, since Xen gives none or another driver has it,
 * the guest boots as a whole instead, and gets its memory anew.
 *
 * A kernel that saves what a crashed one left has memory of its own, which was never
 * ballooned out, and leaves out of the dump what was: the page is offline.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/printk.h>
#include <linux/reboot.h>

#include "balloon.h"

/* How long to ask while nothing at all comes back, and how often. */
#define PATIENCE_NS	(10ULL * NSEC_PER_SEC)
#define ASK_US		(100 * USEC_PER_MSEC)

/* What kernel_kexec() has the notifiers told: its kexec_in_progress is not exported. */
#define KEXEC		"kexec reboot"

/* Of what the next kernel takes for memory: what is offline is so for this one only. */
static unsigned long missing(struct xen_balloon *xb)
{
	unsigned long offline = xb->kernel->expected ? xb->kernel->expected(xb) : 0;

	return balloon_sum(xb) - balloon_figures(&xb->queue).guest + offline;
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
			continue;
		}
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
	unsigned long left;

	if (action != SYS_RESTART || !command || strcmp(command, KEXEC))
		return NOTIFY_DONE;

	/* This kernel balloons nothing out any more. */
	mutex_lock(&xb->step_lock);
	WRITE_ONCE(xb->ended, true);
	left = take_all_back(xb);
	mutex_unlock(&xb->step_lock);
	if (left) {
		pr_err("found %lu KiB that do not come back, expected none for kexec: the guest boots as a whole instead\n",
		       PAGES_TO_KB(left));
		emergency_restart();
	}

	return NOTIFY_DONE;
}

/**
 * balloon_kexec_init - be told when another kernel is about to be booted by kexec
 * @xb: the driver
 *
 * Return: 0, to be undone by balloon_kexec_exit(); or a negative errno.
 */
int balloon_kexec_init(struct xen_balloon *xb)
{
	xb->reboot.notifier_call = on_reboot;
	return register_reboot_notifier(&xb->reboot);
}

/**
 * balloon_kexec_exit - undo balloon_kexec_init()
 * @xb: the driver
 */
void balloon_kexec_exit(struct xen_balloon *xb)
{
	unregister_reboot_notifier(&xb->reboot);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/kexec-kunit.h"
#endif
