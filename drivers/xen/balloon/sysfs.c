// SPDX-License-Identifier: GPL-2.0
/*
 * On the device xen_memory0, the groups queues/: how much memory is in each
 * queue, upkeep/: what the worker does at the target, limits/: what the guest
 * is left, elastic/: what it gives of its own accord, and foreign/: how much is kept to
 * be lent; for node/ see sysfs-nodes.c. Described in
 * Documentation/ABI/testing/sysfs-devices-system-xen_memory-queues, -upkeep, -limits, -elastic
 * and -foreign.
 */
#include <linux/device.h>
#include <linux/kstrtox.h>
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
QUEUE_ATTR(foreign_spare_kb, shown->kernel->spare());
QUEUE_ATTR(foreign_lent_kb, shown->kernel->lent(shown));
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

static void enable_evening(bool on)
{
	WRITE_ONCE(shown->even, on);
	if (on)
		balloon_worker_again(shown);
}

static void enable_coalescing(bool on)
{
	WRITE_ONCE(shown->coalesce, on);
	if (on)
		balloon_worker_again(shown);
}

static void enable_healing(bool on)
{
	balloon_heal_enable(shown, on);
	if (on)
		balloon_worker_again(shown);
}

static void enable_relief(bool on)
{
	WRITE_ONCE(shown->oom.deflates, on);
}

#define SWITCH_ATTR(_name, _flag, _enable)						\
static ssize_t _name##_show(struct device *dev, struct device_attribute *attr,	\
			    char *buf)						\
{										\
	return sysfs_emit(buf, "%d\n", READ_ONCE(_flag));			\
}										\
static ssize_t _name##_store(struct device *dev, struct device_attribute *attr,	\
			     const char *buf, size_t count)			\
{										\
	bool on;								\
	int ret = kstrtobool(buf, &on);						\
										\
	if (ret)								\
		return ret;							\
	_enable(on);								\
	return count;								\
}										\
static DEVICE_ATTR_RW(_name)

SWITCH_ATTR(even, shown->even, enable_evening);
SWITCH_ATTR(coalesce, shown->coalesce, enable_coalescing);
SWITCH_ATTR(heal, shown->heal.enabled, enable_healing);
SWITCH_ATTR(deflate_on_oom, shown->oom.deflates, enable_relief);

static struct attribute *upkeep_attrs[] = {
	&dev_attr_even.attr,
	&dev_attr_coalesce.attr,
	&dev_attr_heal.attr,
	NULL
};

static const struct attribute_group upkeep_group = {
	.name = "upkeep",
	.attrs = upkeep_attrs,
};

static ssize_t show_pages(char *buf, unsigned long pages)
{
	return sysfs_emit(buf, "%lu\n", PAGES_TO_KB(pages));
}

static ssize_t store_pages(const char *buf, size_t count, unsigned long *pages,
			   unsigned long max)
{
	unsigned long kb;
	int ret = kstrtoul(buf, 0, &kb);

	if (ret)
		return ret;
	if (kb > PAGES_TO_KB(max))
		return -ERANGE;

	WRITE_ONCE(*pages, kb / PAGES_TO_KB(1UL));
	balloon_worker_again(shown);
	balloon_elastic_tell(shown);
	return count;
}

static ssize_t floor_kb_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return show_pages(buf, READ_ONCE(shown->target.floor));
}

/* No guest has to grow to its floor. */
static ssize_t floor_kb_store(struct device *dev, struct device_attribute *attr,
			      const char *buf, size_t count)
{
	return store_pages(buf, count, &shown->target.floor,
			   figures().guest + READ_ONCE(shown->elastic.given));
}
static DEVICE_ATTR_RW(floor_kb);

static ssize_t reserve_kb_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return show_pages(buf, balloon_reserve(shown));
}

static ssize_t reserve_kb_store(struct device *dev, struct device_attribute *attr,
				const char *buf, size_t count)
{
	return store_pages(buf, count, &shown->target.reserve, shown->total);
}
static DEVICE_ATTR_RW(reserve_kb);

static struct attribute *limit_attrs[] = {
	&dev_attr_floor_kb.attr,
	&dev_attr_reserve_kb.attr,
	&dev_attr_deflate_on_oom.attr,
	NULL
};

static const struct attribute_group limit_group = {
	.name = "limits",
	.attrs = limit_attrs,
};

/* What a guest does not have cannot be lent. */
static ssize_t store_mark(const char *buf, size_t count, unsigned long *mark)
{
	return store_pages(buf, count, mark, shown->total);
}

static ssize_t low_kb_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return show_pages(buf, READ_ONCE(shown->foreign.low));
}

static ssize_t low_kb_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	return store_mark(buf, count, &shown->foreign.low);
}
static DEVICE_ATTR_RW(low_kb);

static ssize_t high_kb_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return show_pages(buf, READ_ONCE(shown->foreign.high));
}

static ssize_t high_kb_store(struct device *dev, struct device_attribute *attr,
			     const char *buf, size_t count)
{
	return store_mark(buf, count, &shown->foreign.high);
}
static DEVICE_ATTR_RW(high_kb);

static struct attribute *foreign_attrs[] = {
	&dev_attr_low_kb.attr,
	&dev_attr_high_kb.attr,
	NULL
};

static const struct attribute_group foreign_group = {
	.name = "foreign",
	.attrs = foreign_attrs,
};

static void enable_elastic(bool on)
{
	balloon_elastic_enable(shown, on);
}

SWITCH_ATTR(enabled, shown->elastic.enabled, enable_elastic);

static ssize_t min_kb_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return show_pages(buf, READ_ONCE(shown->elastic.min));
}

static ssize_t min_kb_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	return store_pages(buf, count, &shown->elastic.min, shown->total);
}
static DEVICE_ATTR_RW(min_kb);

/* A number that is neither 0 nor absurd. */
static ssize_t store_number(const char *buf, size_t count, unsigned int *number,
			    unsigned int max)
{
	unsigned int n;
	int ret = kstrtouint(buf, 0, &n);

	if (ret)
		return ret;
	if (!n || n > max)
		return -ERANGE;

	WRITE_ONCE(*number, n);
	return count;
}

/* An attribute that is one; _tell has the driver go by a new one. */
#define NUMBER_ATTR(_name, _number, _max, _tell)				\
static unsigned int *_name##_value(void)					\
{										\
	return &(_number);							\
}										\
static ssize_t _name##_show(struct device *dev, struct device_attribute *attr,	\
			    char *buf)						\
{										\
	return sysfs_emit(buf, "%u\n", READ_ONCE(*_name##_value()));		\
}										\
static ssize_t _name##_store(struct device *dev, struct device_attribute *attr,	\
			     const char *buf, size_t count)			\
{										\
	ssize_t ret = store_number(buf, count, _name##_value(), _max);	\
										\
	if (ret > 0)								\
		_tell(shown);							\
	return ret;								\
}										\
static DEVICE_ATTR_RW(_name)

NUMBER_ATTR(age_ms, shown->elastic.age_ms, 3600 * MSEC_PER_SEC, balloon_worker_kick);
NUMBER_ATTR(rate_mb, shown->elastic.rate_mb, SZ_1M, balloon_worker_kick);
NUMBER_ATTR(hold_s, shown->elastic.hold_s, 3600, balloon_elastic_hold_anew);
QUEUE_ATTR(given_kb, READ_ONCE(shown->elastic.given));
QUEUE_ATTR(wanted_kb, READ_ONCE(shown->elastic.wanted));
QUEUE_ATTR(lower_kb, min(balloon_elastic_lower(shown), READ_ONCE(shown->total)));
QUEUE_ATTR(headroom_kb, READ_ONCE(shown->elastic.headroom));

static struct attribute *elastic_attrs[] = {
	&dev_attr_enabled.attr,
	&dev_attr_min_kb.attr,
	&dev_attr_age_ms.attr,
	&dev_attr_rate_mb.attr,
	&dev_attr_hold_s.attr,
	&dev_attr_given_kb.attr,
	&dev_attr_wanted_kb.attr,
	&dev_attr_lower_kb.attr,
	&dev_attr_headroom_kb.attr,
	NULL
};

static const struct attribute_group elastic_group = {
	.name = "elastic",
	.attrs = elastic_attrs,
};

static const struct attribute_group *groups[] = {
	&queue_group,
	&upkeep_group,
	&limit_group,
	&elastic_group,
	/* With that, the kernel does not lend ballooned pages. */
	IS_ENABLED(CONFIG_XEN_UNPOPULATED_ALLOC) ? NULL : &foreign_group,
	NULL
};

/**
 * balloon_sysfs_init - show the queues, and have switches for upkeep
 * @xb: the driver
 * @dev: the device xen_memory0
 *
 * Return: 0 or a negative errno.
 */
int balloon_sysfs_init(struct xen_balloon *xb, struct device *dev)
{
	int ret;

	shown = xb;
	ret = sysfs_create_groups(&dev->kobj, groups);
	if (ret)
		return ret;

	ret = balloon_sysfs_nodes_init(xb, dev);
	if (ret)
		sysfs_remove_groups(&dev->kobj, groups);

	return ret;
}

/**
 * balloon_sysfs_exit - show them no more; nobody reads or writes them after it
 * @dev: the device xen_memory0
 */
void balloon_sysfs_exit(struct device *dev)
{
	balloon_sysfs_nodes_exit();
	sysfs_remove_groups(&dev->kobj, groups);
}
