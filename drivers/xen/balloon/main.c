// SPDX-License-Identifier: GPL-2.0
/*
 * Load and unload: the order in which the parts of the driver come up, and the
 * reverse.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/crash_dump.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <xen/features.h>
#include <xen/xen.h>

#include "balloon.h"

static struct xen_balloon balloon;

static bool elastic;
module_param(elastic, bool, 0444);
MODULE_PARM_DESC(elastic, "the guest gives what is idle to the host of its own accord");

static const struct xenmem_ops *find_ops(void)
{
	if (xen_feature(XENFEAT_auto_translated_physmap))
		return &xenmem_translated_ops;
	if (IS_ENABLED(CONFIG_XEN_PV))
		return &xenmem_pv_ops;
	return NULL;
}

static int __init balloon_load(void)
{
	struct xen_balloon *xb = &balloon;
	struct balloon_figures n;
	bool undisturbed;
	int ret;

	if (!xen_domain() || xen_initial_domain()) {
		pr_err("found %s, expected a guest of Xen\n",
		       xen_domain() ? "the initial domain" : "no Xen");
		return -ENODEV;
	}

	if (is_kdump_kernel()) {
		pr_err("found a kernel that saves what a crashed one left, expected any other: its memory is set apart\n");
		return -ENODEV;
	}

	xb->ops = find_ops();
	if (!xb->ops)
		return -ENODEV;
	xb->kernel = &intree_ops;

	mutex_init(&xb->step_lock);
	init_waitqueue_head(&xb->wait);
	balloon_alloc_init(xb);

	ret = takeover_probe(xb);
	if (ret)
		return ret;

	ret = balloon_queue_init(&xb->queue);
	if (ret)
		goto err_probe;
	balloon_contig_init(xb);
	balloon_migrate_init(xb);
	balloon_heal_init(xb);
	balloon_foreign_init(xb);
	balloon_coalesce_init(xb);
	balloon_elastic_init(xb);
	xb->elastic.enabled = elastic;
	undisturbed = !balloon_upkeep_init(xb);
	ret = balloon_reclaim_init(xb);
	if (ret)
		goto err_queue;
	balloon_hotplug_init(xb);
	ret = xb->ops->init();
	if (ret)
		goto err_reclaim;

	ret = balloon_resume_init(xb);
	if (ret)
		goto err_ops;

	ret = balloon_blocks_init(xb);
	if (ret)
		goto err_resume;

	ret = takeover_begin(xb);
	if (ret)
		goto err_blocks;

	n = balloon_figures(&xb->queue);

	balloon_toolstack_init(xb);
	ret = balloon_sysfs_init(xb, takeover_device());
	if (ret)
		goto err_toolstack;
	balloon_debugfs_init(xb);
	ret = balloon_oom_init(xb);
	if (ret)
		goto err_faces;
	balloon_kswapd_init(xb);
	ret = balloon_shrink_init(xb);
	if (ret)
		goto err_kswapd;
	ret = balloon_ending_init(xb);
	if (ret)
		goto err_shrink;

	ret = balloon_worker_start(xb);
	if (ret)
		goto err_ending;

	pr_info("took over from the in-tree driver: %s guest of %lu KiB, ballooned out %lu huge pages and %lu base pages, target %lu KiB\n",
		xb->ops->name, PAGES_TO_KB(n.guest), n.huge, n.base,
		PAGES_TO_KB(xb->target.wanted));
	if (undisturbed)
		pr_info("some CPUs are isolated, and evening out, coalescing and healing would interrupt them: all are off\n");
	return 0;

err_ending:
	balloon_ending_exit(xb);
err_shrink:
	balloon_shrink_exit();
err_kswapd:
	balloon_kswapd_exit();
	balloon_oom_exit(xb);
err_faces:
	balloon_debugfs_exit();
	balloon_sysfs_exit(takeover_device());
err_toolstack:
	balloon_toolstack_exit();
	balloon_blocks_end(xb);
	takeover_end(xb);
err_blocks:
	balloon_blocks_exit(xb);
err_resume:
	balloon_resume_exit();
err_ops:
	xb->ops->exit();
err_reclaim:
	balloon_reclaim_exit(xb);
err_queue:
	balloon_queue_destroy(&xb->queue);
err_probe:
	takeover_forget();
	return ret;
}
module_init(balloon_load);

static void __exit balloon_unload(void)
{
	struct xen_balloon *xb = &balloon;

	balloon_hotplug_end(xb);
	balloon_blocks_end(xb);
	balloon_elastic_end(xb);
	balloon_shrink_exit();
	balloon_kswapd_exit();
	balloon_contig_end(xb);
	balloon_worker_stop(xb);
	balloon_elastic_exit(xb);
	balloon_ending_exit(xb);
	balloon_oom_exit(xb);
	balloon_alloc_settle(&xb->alloc);
	balloon_debugfs_exit();
	balloon_sysfs_exit(takeover_device());
	balloon_toolstack_exit();
	takeover_end(xb);
	balloon_blocks_exit(xb);
	balloon_resume_exit();
	xb->ops->exit();
	balloon_reclaim_exit(xb);
	balloon_queue_destroy(&xb->queue);
	takeover_forget();
}
module_exit(balloon_unload);

MODULE_DESCRIPTION("Xen balloon driver that keeps superpages");
MODULE_LICENSE("GPL");
