// SPDX-License-Identifier: GPL-2.0
/*
 * What the toolstack writes about the guest's memory, beside its target: memory/dynamic-max
 * in xenstore, in KiB, is the most that it may have of its own accord. xapi writes it; where
 * it is missing Xen's maximum alone says how much.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/workqueue.h>
#include <xen/xenbus.h>

#include "balloon.h"

static struct xen_balloon *told;
static bool watches;
static bool unreadable;
static DEFINE_RATELIMIT_STATE(often, SAY_INTERVAL, SAY_BURST);

static void look(struct xenbus_watch *watch, const char *path, const char *token)
{
	unsigned long long kb;
	int ret = xenbus_scanf(XBT_NIL, "memory", "dynamic-max", "%llu", &kb);

	if (ret == -ENOENT)
		WRITE_ONCE(told->target.dynamic_max, ULONG_MAX);
	else
		WRITE_ONCE(told->target.dynamic_max, ret == 1 ? kb / PAGES_TO_KB(1ULL) : 0);

	if (ret < 0 && ret != -ENOENT && !unreadable && __ratelimit(&often))
		pr_warn("memory/dynamic-max cannot be read as a number of KiB (%d): the guest gets no more than its target\n",
			ret);
	unreadable = ret < 0 && ret != -ENOENT;
}

static struct xenbus_watch watch = {
	.node = "memory/dynamic-max",
	.callback = look,
};

/**
 * balloon_toolstack_init - know from now on what it allows
 * @xb: the driver
 *
 * Where that cannot be known, which is told, the guest gets nothing of its own accord. So it is
 * with -EEXIST where an earlier load's watch is still there, since the kernel had no memory to
 * take it back.
 *
 * Context: may sleep.
 */
void balloon_toolstack_init(struct xen_balloon *xb)
{
	int ret;

	told = xb;
	ret = register_xenbus_watch(&watch);
	watches = !ret;
	if (!ret)
		return;

	WRITE_ONCE(xb->target.dynamic_max, 0);
	pr_warn("cannot watch memory/dynamic-max (%d): the guest gets no more than its target\n",
		ret);
}

static DECLARE_COMPLETION(unwatched);

static void unwatch(struct work_struct *work)
{
	unregister_xenbus_watch(&watch);
	complete(&unwatched);
}

static DECLARE_WORK(unwatching, unwatch);

/**
 * balloon_toolstack_exit - undo balloon_toolstack_init()
 *
 * To give the watch back takes waiting for whoever is told of one just now. Where that is who
 * suspends the guest, he waits for all tasks to be frozen: so this one can be, and who waits
 * for him is none that is.
 *
 * Context: a task that unloads the module, or cannot load it; may sleep, while the guest is
 * suspended too.
 */
void balloon_toolstack_exit(void)
{
	if (!watches)
		return;

	queue_work(system_unbound_wq, &unwatching);
	wait_for_completion_state(&unwatched, TASK_UNINTERRUPTIBLE | TASK_FREEZABLE);
	flush_work(&unwatching);
}
