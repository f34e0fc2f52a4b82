// SPDX-License-Identifier: GPL-2.0
/*
 * What a toolstack says of single nodes, in xenstore: memory/target-node/N is what node N
 * of the guest is to have, in KiB. Nodes of which nothing is said share what is left of the
 * target by their size; where nothing is said of any, all do.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/nodemask.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <xen/xenbus.h>

#include "balloon.h"

#define DIR	"memory/target-node"

static struct xen_balloon *told;
static unsigned long *wish;
static DEFINE_RATELIMIT_STATE(often, SAY_INTERVAL, SAY_BURST);

/* What is there now: whether something is said, and can be read. */
static bool read_wish(bool *said)
{
	unsigned long long kb;
	char key[12];
	int nid, ret;

	*said = false;
	for_each_node(nid) {
		wish[nid] = ULONG_MAX;
		snprintf(key, sizeof(key), "%d", nid);
		ret = xenbus_scanf(XBT_NIL, DIR, key, "%llu", &kb);
		if (ret == -ENOENT)
			continue;
		if (ret != 1 || kb / PAGES_TO_KB(1ULL) > BALLOON_MAX_PAGES) {
			if (__ratelimit(&often))
				pr_warn("%s/%s cannot be read as a number of KiB (%d): the targets of all nodes stay\n",
					DIR, key, ret);
			return false;
		}
		wish[nid] = kb / PAGES_TO_KB(1ULL);
		*said = true;
	}

	return true;
}

/*
 * Not in the thread that tells of watches: a step of the worker may wait for a disk, and that
 * for it.
 */
static void read_all(struct work_struct *work)
{
	static bool had_said;
	bool said;

	/* Where nothing was said and nothing is it may be as the administrator says. */
	if (read_wish(&said) && (said || had_said)) {
		if (balloon_nodes_wish(told, wish))
			balloon_worker_again(told);
		had_said = said;
	}
}

static DECLARE_WORK(reading, read_all);

static void look(struct xenbus_watch *watch, const char *path, const char *token)
{
	schedule_work(&reading);
}

static struct xenbus_watch watch = { .node = DIR, .callback = look };
static bool watches;

/**
 * balloon_toolstack_nodes_init - go from now on by what it says of single nodes
 * @xb: the driver
 *
 * Where that cannot be known, which is told, all go by their size.
 *
 * Context: may sleep.
 */
void balloon_toolstack_nodes_init(struct xen_balloon *xb)
{
	int ret = -ENOMEM;

	told = xb;
	wish = kcalloc(nr_node_ids, sizeof(*wish), GFP_KERNEL);
	if (wish)
		ret = register_xenbus_watch(&watch);
	watches = !ret;
	if (ret)
		pr_warn("cannot watch %s (%d): each node has of the guest's memory in proportion to its size\n",
			DIR, ret);
}

/**
 * balloon_toolstack_nodes_exit - undo balloon_toolstack_nodes_init()
 *
 * Context: may sleep, as long as somebody is told of a watch.
 */
void balloon_toolstack_nodes_exit(void)
{
	if (watches)
		unregister_xenbus_watch(&watch);
	cancel_work_sync(&reading);
	kfree(wish);
}
