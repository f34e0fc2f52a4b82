// SPDX-License-Identifier: GPL-2.0
/*
 * The queues/ group on the device xen_memory0: how much memory is in each
 * queue. Described in
 * Documentation/ABI/testing/sysfs-devices-system-xen_memory-queues.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "balloon.h"

static struct xen_balloon *shown;

static struct balloon_figures figures(void)
{
	return balloon_figures(&shown->queue);
}

#define QUEUE_ATTR(_name, _pages)						\
static ssize_t _name##_show(struct device *dev, struct device_attribute *attr,	\
			    char *buf)						\
{										\
	return sysfs_emit(buf, "%lu\n", PAGES_TO_KB(_pages));			\
}										\
static DEVICE_ATTR_RO(_name)

QUEUE_ATTR(huge_kb, figures().huge * XENMEM_HUGE_PAGES);
QUEUE_ATTR(base_kb, figures().base);
QUEUE_ATTR(foreign_spare_kb, intree_foreign_spare());
QUEUE_ATTR(foreign_lent_kb, intree_foreign_lent(shown));
QUEUE_ATTR(quarantined_kb, figures().quarantined);

static struct attribute *queue_attrs[] = {
	&dev_attr_huge_kb.attr,
	&dev_attr_base_kb.attr,
	&dev_attr_foreign_spare_kb.attr,
	&dev_attr_foreign_lent_kb.attr,
	&dev_attr_quarantined_kb.attr,
	NULL
};

static const struct attribute_group queue_group = {
	.name = "queues",
	.attrs = queue_attrs,
};

/**
 * balloon_sysfs_init - show the queues
 * @xb: the driver
 * @dev: the device xen_memory0
 *
 * Return: 0 or a negative errno.
 */
int balloon_sysfs_init(struct xen_balloon *xb, struct device *dev)
{
	shown = xb;
	return sysfs_create_group(&dev->kobj, &queue_group);
}

/**
 * balloon_sysfs_exit - show them no more; nobody reads them after it
 * @dev: the device xen_memory0
 */
void balloon_sysfs_exit(struct device *dev)
{
	sysfs_remove_group(&dev->kobj, &queue_group);
}
