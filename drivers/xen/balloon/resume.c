// SPDX-License-Identifier: GPL-2.0
/*
 * To be told when the guest goes on in a new domain: restored from a file, or
 * migrated. After a suspend that was cancelled, or was a checkpoint (xl save -c, a
 * migration that failed), it goes on in the one that it had, where nothing is
 * other than it was. Xen's own resume notifier is called for both, the restore
 * callback of a device for the former alone, and after hibernation: see
 * do_suspend() in drivers/xen/manage.c.
 *
 * A guest that hibernates by itself goes on in a domain that was built anew, with memory
 * where the image knows of none: the guest would never find it. That is refused.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/printk.h>
#include <linux/suspend.h>

#include "balloon.h"

static struct xen_balloon *told;
static struct platform_device *device;

static int note_restore(struct device *dev)
{
	if (told->ops->resumed)
		told->ops->resumed();
	WRITE_ONCE(told->resumed, true);
	balloon_worker_kick(told);

	return 0;
}

/*
 * The early one, since do_suspend() has the others called also where it failed
 * before it came to Xen. All tasks are frozen, the worker among them.
 */
static const struct dev_pm_ops pm_ops = {
	.restore_early = note_restore,
};

static struct platform_driver driver = {
	.driver = {
		.name = KBUILD_MODNAME,
		.pm = &pm_ops,
		.suppress_bind_attrs = true,
	},
};

static int note_sleep(struct notifier_block *nb, unsigned long action, void *unused)
{
	struct balloon_figures n = balloon_figures(&told->queue);

	if (action != PM_HIBERNATION_PREPARE || !(n.huge || n.base))
		return NOTIFY_DONE;

	pr_err("found %lu KiB ballooned out, expected none for hibernation: set the target to all that the guest can have first\n",
	       PAGES_TO_KB(n.huge * XENMEM_HUGE_PAGES + n.base));
	return notifier_from_errno(-EBUSY);
}

static struct notifier_block sleep_nb = {
	.notifier_call = note_sleep,
};

/**
 * balloon_resume_init - have @xb->resumed set when the guest goes on in a new
 *	domain, before any task runs there
 * @xb: the driver
 *
 * Context: may sleep.
 * Return: 0, to be undone by balloon_resume_exit(); or a negative errno.
 */
int balloon_resume_init(struct xen_balloon *xb)
{
	int ret;

	told = xb;
	ret = platform_driver_register(&driver);
	if (ret)
		goto err;

	device = platform_device_register_simple(KBUILD_MODNAME, PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device)) {
		ret = PTR_ERR(device);
		goto err_driver;
	}

	ret = register_pm_notifier(&sleep_nb);
	if (!ret)
		return 0;

	platform_device_unregister(device);
err_driver:
	platform_driver_unregister(&driver);
err:
	pr_err("cannot register what tells of a restore and of hibernation (%d)\n", ret);
	return ret;
}

/**
 * balloon_resume_exit - undo balloon_resume_init()
 */
void balloon_resume_exit(void)
{
	unregister_pm_notifier(&sleep_nb);
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
}
