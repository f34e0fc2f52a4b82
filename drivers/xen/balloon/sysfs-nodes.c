// SPDX-License-Identifier: GPL-2.0
/*
 * On the device xen_memory0, node/nodeN/ for each node that there can be: what it has, what
 * it is to have, and what of it is where. Described in
 * Documentation/ABI/testing/sysfs-devices-system-xen_memory-node.
 */
#include <linux/device.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/nodemask.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "balloon.h"

static struct xen_balloon *shown;
/* node/, and what is in there by number of node. */
static struct kobject *top;
static struct kobject **dirs;

static int nid_of(struct kobject *kobj)
{
	int nid;

	for_each_node(nid)
		if (dirs[nid] == kobj)
			return nid;

	return NUMA_NO_NODE;
}

static struct balloon_node_figures figures(struct kobject *kobj)
{
	return balloon_node_figures(shown, nid_of(kobj));
}

#define NODE_SHOW(_name, _field)						\
static ssize_t _name##_show(struct kobject *kobj, struct kobj_attribute *attr,	\
			    char *buf)						\
{										\
	return sysfs_emit(buf, "%lu\n", PAGES_TO_KB(figures(kobj)._field));	\
}

NODE_SHOW(target_kb, target)
NODE_SHOW(current_kb, has)
NODE_SHOW(huge_kb, huge)
NODE_SHOW(base_kb, base)
NODE_SHOW(away_kb, away)

/* A number of KiB, or "auto": then all nodes go by their size again. */
static ssize_t target_kb_store(struct kobject *kobj, struct kobj_attribute *attr,
			       const char *buf, size_t count)
{
	unsigned long kb;
	int ret;

	if (sysfs_streq(buf, "auto")) {
		balloon_nodes_wish(shown, NULL);
	} else {
		ret = kstrtoul(buf, 0, &kb);
		if (!ret)
			ret = balloon_node_set(shown, nid_of(kobj), kb / PAGES_TO_KB(1UL));
		if (ret)
			return ret;
	}

	balloon_worker_again(shown);
	return count;
}

static struct kobj_attribute target_kb_attr = __ATTR_RW(target_kb);
static struct kobj_attribute current_kb_attr = __ATTR_RO(current_kb);
static struct kobj_attribute huge_kb_attr = __ATTR_RO(huge_kb);
static struct kobj_attribute base_kb_attr = __ATTR_RO(base_kb);
static struct kobj_attribute away_kb_attr = __ATTR_RO(away_kb);

static struct attribute *node_attrs[] = {
	&target_kb_attr.attr,
	&current_kb_attr.attr,
	&huge_kb_attr.attr,
	&base_kb_attr.attr,
	&away_kb_attr.attr,
	NULL
};

static const struct attribute_group node_group = {
	.attrs = node_attrs,
};

/**
 * balloon_sysfs_nodes_exit - undo balloon_sysfs_nodes_init(), or a part of it
 */
void balloon_sysfs_nodes_exit(void)
{
	unsigned int nid;

	for (nid = 0; nid < nr_node_ids; nid++)
		kobject_put(dirs[nid]);
	kfree(dirs);
	kobject_put(top);
}

static int add_dir(int nid)
{
	char name[16];

	snprintf(name, sizeof(name), "node%d", nid);
	dirs[nid] = kobject_create_and_add(name, top);
	if (!dirs[nid])
		return -ENOMEM;

	return sysfs_create_group(dirs[nid], &node_group);
}

/**
 * balloon_sysfs_nodes_init - show what each node has
 * @xb: the driver
 * @dev: the device xen_memory0
 *
 * Context: may sleep.
 * Return: 0 or a negative errno.
 */
int balloon_sysfs_nodes_init(struct xen_balloon *xb, struct device *dev)
{
	int nid, ret = 0;

	shown = xb;
	dirs = kcalloc(nr_node_ids, sizeof(*dirs), GFP_KERNEL);
	if (!dirs)
		return -ENOMEM;

	top = kobject_create_and_add("node", &dev->kobj);
	if (!top)
		ret = -ENOMEM;
	for_each_node(nid)
		ret = ret ?: add_dir(nid);
	if (ret)
		balloon_sysfs_nodes_exit();

	return ret;
}
