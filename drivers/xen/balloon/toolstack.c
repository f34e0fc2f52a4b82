// SPDX-License-Identifier: GPL-2.0
/*
 * What the toolstack writes about the guest's memory, beside its target, in KiB in xenstore:
 * memory/dynamic-max is the most that it may have of its own accord, memory/dynamic-min the
 * least. xapi writes both. Where the former is missing Xen's maximum alone says how much; the
 * latter counts as 0 then.
 *
 * And what it can read: data/elastic tells whether the guest gives memory of its own accord,
 * how much it has given, and down to what: "1 131072 262144", both in KiB. It is there once the
 * guest did so. xapi asks those for memory that have control/feature-balloon, and takes what a
 * guest has more than its target at that moment for none of the balloon's.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/container_of.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/workqueue.h>
#include <xen/xenbus.h>

#include "balloon.h"

/* Others need not know sooner. */
#define TELL_AFTER	HZ

static struct xen_balloon *told;
static DEFINE_RATELIMIT_STATE(often, SAY_INTERVAL, SAY_BURST);

static bool has_told;

static void tell_elastic(void)
{
	bool enabled = READ_ONCE(told->elastic.enabled);

	if (!enabled && !has_told)
		return;

	has_told = true;
	xenbus_printf(XBT_NIL, "data", "elastic", "%d %lu %lu", enabled,
		      PAGES_TO_KB(READ_ONCE(told->elastic.given)),
		      PAGES_TO_KB(min(balloon_elastic_lower(told), READ_ONCE(told->total))));
}

/* Nobody but xapi, which writes limits, reads it; and not everywhere the guest may write it. */
static void tell_xapi(void)
{
	if (READ_ONCE(told->target.dynamic_max) == ULONG_MAX ||
	    xenbus_exists(XBT_NIL, "control", "feature-balloon"))
		return;
	/* In a new domain it is not yet known what is there. */
	if (READ_ONCE(told->resumed) || !READ_ONCE(told->at_target) ||
	    READ_ONCE(told->elastic.given))
		return;

	xenbus_printf(XBT_NIL, "control", "feature-balloon", "1");
}

static void tell(struct work_struct *work)
{
	tell_elastic();
	tell_xapi();
}

static DECLARE_DELAYED_WORK(telling, tell);

static void tell_soon(void)
{
	schedule_delayed_work(&telling, TELL_AFTER);
}

/*
 * One key. The guest gives itself down to 2 MiB more than dynamic-min: xapi spreads all memory
 * anew when one has just that.
 */
struct limit {
	struct xenbus_watch watch;
	const char *key;
	const char *comes_of_it;
	unsigned long where_missing;
	unsigned long where_unknown;
	unsigned long more;
	unsigned long *pages;
	bool watches;
	bool unreadable;
};

static void look(struct xenbus_watch *watch, const char *path, const char *token)
{
	struct limit *limit = container_of(watch, struct limit, watch);
	unsigned long long kb;
	int ret = xenbus_scanf(XBT_NIL, "memory", limit->key, "%llu", &kb);
	bool unreadable = ret != 1 && ret != -ENOENT;

	if (ret == 1)
		WRITE_ONCE(*limit->pages, kb / PAGES_TO_KB(1ULL) + limit->more);
	else
		WRITE_ONCE(*limit->pages, unreadable ? limit->where_unknown : limit->where_missing);

	if (unreadable && !limit->unreadable && __ratelimit(&often))
		pr_warn("memory/%s cannot be read as a number of KiB (%d): the guest %s\n",
			limit->key, ret, limit->comes_of_it);
	limit->unreadable = unreadable;
	balloon_worker_kick(told);
	tell_soon();
}

static struct limit limits[] = {
	{
		.watch = { .node = "memory/dynamic-max", .callback = look },
		.key = "dynamic-max",
		.comes_of_it = "gets no more than its target",
		.where_missing = ULONG_MAX,
		.where_unknown = 0,
	}, {
		.watch = { .node = "memory/dynamic-min", .callback = look },
		.key = "dynamic-min",
		.comes_of_it = "gives nothing of its own accord",
		.where_missing = 0,
		.where_unknown = ULONG_MAX,
		.more = XENMEM_HUGE_PAGES,
	},
};

/**
 * balloon_toolstack_init - know from now on what it allows
 * @xb: the driver
 *
 * Where that cannot be known, which is told, the guest gets nothing of its own accord, nor
 * gives any. So it is with -EEXIST where an earlier load's watch is still there, since the
 * kernel had no memory to take it back.
 *
 * Context: may sleep.
 */
void balloon_toolstack_init(struct xen_balloon *xb)
{
	struct limit *limit;
	int ret;

	told = xb;
	xb->elastic.changed = tell_soon;
	limits[0].pages = &xb->target.dynamic_max;
	limits[1].pages = &xb->target.dynamic_min;
	for (limit = limits; limit < limits + ARRAY_SIZE(limits); limit++) {
		WRITE_ONCE(*limit->pages, limit->where_missing);
		ret = register_xenbus_watch(&limit->watch);
		limit->watches = !ret;
		if (!ret)
			continue;

		WRITE_ONCE(*limit->pages, limit->where_unknown);
		pr_warn("cannot watch memory/%s (%d): the guest %s\n", limit->key, ret,
			limit->comes_of_it);
	}
	balloon_toolstack_nodes_init(xb);
	tell_soon();
}

static DECLARE_COMPLETION(unwatched);

static void unwatch(struct work_struct *work)
{
	struct limit *limit;

	for (limit = limits; limit < limits + ARRAY_SIZE(limits); limit++)
		if (limit->watches)
			unregister_xenbus_watch(&limit->watch);
	balloon_toolstack_nodes_exit();
	complete(&unwatched);
}

static DECLARE_WORK(unwatching, unwatch);

/**
 * balloon_toolstack_exit - undo balloon_toolstack_init()
 *
 * To give a watch back takes waiting for whoever is told of one just now. Where that is who
 * suspends the guest, he waits for all tasks to be frozen: so this one can be, and who waits
 * for him is none that is.
 *
 * Context: a task that unloads the module, or cannot load it; may sleep, while the guest is
 * suspended too.
 */
void balloon_toolstack_exit(void)
{
	queue_work(system_unbound_wq, &unwatching);
	wait_for_completion_state(&unwatched, TASK_UNINTERRUPTIBLE | TASK_FREEZABLE);
	flush_work(&unwatching);

	told->elastic.changed = NULL;
	cancel_delayed_work_sync(&telling);
	/* Nobody gives any more: it is as it was before. */
	if (has_told)
		xenbus_rm(XBT_NIL, "data", "elastic");
}
