// SPDX-License-Identifier: GPL-2.0
/*
 * To be told when the guest goes on in a new domain: restored from a file, or
 * migrated. After a suspend that was cancelled, or was a checkpoint (xl save -c, a
 * migration that failed), it goes on in the one that it had, where nothing is
 * other than it was. Xen's own resume notifier is called for both, the restore
 * callback of a device for the former alone, and after hibernation: see
 * do_suspend() in drivers/xen/manage.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/printk.h>

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
 * A kernel thread that nobody freezes may have memory back just now, for which it reclaims; from
 * here on none begins to, since the worker is frozen: see shrink.c.
 */
static int wait_for_step(struct device *dev)
{
	mutex_lock(&told->step_lock);
	mutex_unlock(&told->step_lock);

	return 0;
}

/*
 * The early one, since do_suspend() has the others called also where it failed
 * before it came to Xen. All tasks are frozen, the worker among them.
 */
static const struct dev_pm_ops pm_ops = {
	.freeze = wait_for_step,
	.restore_early = note_restore,
};

static struct platform_driver driver = {
	.driver = {
		.name = KBUILD_MODNAME,
		.pm = &pm_ops,
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
		.suppress_bind_attrs = true,
	},
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

	/* For want of memory it is there without the driver, and no error is told. */
	ret = device->dev.driver ? 0 : -ENOMEM;
	if (!ret)
		return 0;

	platform_device_unregister(device);
err_driver:
	platform_driver_unregister(&driver);
err:
	pr_err("cannot register what tells of a restore (%d)\n", ret);
	return ret;
}

/**
 * balloon_resume_exit - undo balloon_resume_init()
 */
void balloon_resume_exit(void)
{
	platform_device_unregister(device);
	platform_driver_unregister(&driver);
}
