// SPDX-License-Identifier: GPL-2.0
/*
 * The virtual nodes of an auto-translated guest, as Xen has them: which of them a page is
 * of, and how to ask for memory of it. The kernel's own nodes may be others (numa=fake=),
 * or have other numbers, or there may be none (numa=off). Which of the machine's nodes
 * stands behind one only Xen knows, and it can be another one after a migration.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/align.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/printk.h>
#include <xen/interface/xen.h>
#include <xen/interface/memory.h>
#include <asm/xen/hypercall.h>

#include "xenmem.h"

/* From Xen's public/memory.h, not in linux-headers. */
#define XENMEMF_node(node)	(((node) + 1) << 8)
#define XENMEMF_exact_node	BIT(17)
#define XENMEMF_vnode		BIT(18)
#define XENMEM_get_vnumainfo	26

struct xen_vmemrange {
	u64 start;		/* of the guest's physical addresses */
	u64 end;
	u32 flags;
	u32 nid;		/* virtual node */
};

struct xen_vnuma_topology_info {
	domid_t domid;
	u16 pad;
	u32 nr_vnodes;		/* how many there is room for; and then how many there are */
	u32 nr_vcpus;
	u32 nr_vmemranges;
	u32 *vdistance;
	u32 *vcpu_to_vnode;
	struct xen_vmemrange *vmemrange;
};

static_assert(sizeof(struct xen_vnuma_topology_info) == 40);

/* What a node field of the flags has room for is more than any machine has. */
#define MAX_VNODES	64U
#define MAX_RANGES	256U
/* Those of an HVM guest. */
#define MAX_VCPUS	1024U

/* Written at load, and in a new domain before any task runs there. */
static struct {
	u32 nr_vnodes;
	u32 nr_ranges;
	struct xen_vmemrange range[MAX_RANGES];
} known;

/* Xen tells all or nothing. */
static u32 distances[MAX_VNODES * MAX_VNODES];
static u32 vcpus[MAX_VCPUS];

static bool is_sensible(const struct xen_vnuma_topology_info *info)
{
	unsigned int i;

	if (!info->nr_vnodes || info->nr_vnodes > MAX_VNODES || !info->nr_vmemranges ||
	    info->nr_vmemranges > MAX_RANGES)
		return false;
	for (i = 0; i < info->nr_vmemranges; i++)
		if (known.range[i].nid >= info->nr_vnodes ||
		    known.range[i].start >= known.range[i].end)
			return false;

	return true;
}

/**
 * xenmem_vnode_learn - learn from Xen which virtual nodes there are
 *
 * To be called again in a new domain.
 *
 * Context: does not sleep; nothing is populated meanwhile.
 */
void xenmem_vnode_learn(void)
{
	struct xen_vnuma_topology_info info = {
		.domid = DOMID_SELF,
		.nr_vnodes = MAX_VNODES,
		.nr_vcpus = MAX_VCPUS,
		.nr_vmemranges = MAX_RANGES,
		.vdistance = distances,
		.vcpu_to_vnode = vcpus,
		.vmemrange = known.range,
	};
	int ret = HYPERVISOR_memory_op(XENMEM_get_vnumainfo, &info);

	known.nr_vnodes = 0;
	known.nr_ranges = 0;
	/* It has none. */
	if (ret == -EOPNOTSUPP)
		return;
	if (ret) {
		pr_warn("Xen does not tell which virtual nodes there are (%d), expected some or none: memory comes from any node of the machine\n",
			ret);
		return;
	}
	if (!is_sensible(&info)) {
		pr_warn("found %u virtual nodes in %u ranges, expected up to %u in up to %u: memory comes from any node of the machine\n",
			info.nr_vnodes, info.nr_vmemranges, MAX_VNODES, MAX_RANGES);
		return;
	}

	known.nr_vnodes = info.nr_vnodes;
	known.nr_ranges = info.nr_vmemranges;
	pr_info("%u virtual nodes: memory comes from the node of the machine that stands for each, where it has some\n",
		known.nr_vnodes);
}

/**
 * xenmem_vnode_known - does memory have a node of its own?
 *
 * Context: any.
 */
bool xenmem_vnode_known(void)
{
	return known.nr_vnodes;
}

/* The virtual node of the memory that the kernel was booted with of one of its own nodes. */
static unsigned int vnode_of_node(int nid)
{
	const struct xen_vmemrange *range;
	struct page *page;

	for (range = known.range; range < known.range + known.nr_ranges; range++) {
		page = pfn_to_online_page(PHYS_PFN(range->end - 1)) ?:
		       pfn_to_online_page(PHYS_PFN(range->start));
		if (page && page_to_nid(page) == nid)
			return range->nid;
	}

	return known.range[0].nid;
}

/**
 * xenmem_vnode_of - of which virtual node is a page?
 * @pfn: the page, which the kernel has
 *
 * What was added later is in none of Xen's ranges: then the kernel's node tells.
 *
 * Context: any; there are some.
 * Return: its number.
 */
unsigned int xenmem_vnode_of(unsigned long pfn)
{
	const struct xen_vmemrange *range;

	for (range = known.range; range < known.range + known.nr_ranges; range++)
		if (PFN_PHYS(pfn) >= range->start && PFN_PHYS(pfn) < range->end)
			return range->nid;

	return vnode_of_node(page_to_nid(pfn_to_page(pfn)));
}

/**
 * xenmem_vnode_flags - what asks Xen for memory of a virtual node
 * @vnode: the node
 * @exact: and of no other
 *
 * Context: any.
 * Return: XENMEMF_*
 */
unsigned int xenmem_vnode_flags(unsigned int vnode, bool exact)
{
	return XENMEMF_vnode | XENMEMF_node(vnode) | (exact ? XENMEMF_exact_node : 0);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/xenmem-vnode-kunit.h"
#endif
