/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam between the operations of auto-translated guests and Xen: included
 * before anything else in each of xenmem-*.c when that is built for the unit
 * tests. Hypercalls go to a test's own Xen while there is one (see
 * tests/xenmem-translated-kunit.h), else to the real one (see answers.c).
 */
#ifndef _KUNIT_SEAM_XEN_H
#define _KUNIT_SEAM_XEN_H

/* As in xenmem-*.c, which come too late to say so. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <xen/interface/xen.h>
#include <xen/interface/memory.h>
#include <asm/xen/hypercall.h>

/* What a test has in place of Xen. */
struct sim_hypercalls {
	long (*memory_op)(unsigned int cmd, void *arg);
	int (*grant_table_op)(unsigned int cmd, void *uop, unsigned int count);
	int (*hvm_op)(int op, void *arg);
	int (*xen_version)(int cmd, void *arg);
};

extern const struct sim_hypercalls *sim_hypercalls;

static inline long sim_memory_op(unsigned int cmd, void *arg)
{
	if (sim_hypercalls)
		return sim_hypercalls->memory_op(cmd, arg);
	return HYPERVISOR_memory_op(cmd, arg);
}

static inline int sim_grant_table_op(unsigned int cmd, void *uop, unsigned int count)
{
	if (sim_hypercalls)
		return sim_hypercalls->grant_table_op(cmd, uop, count);
	return HYPERVISOR_grant_table_op(cmd, uop, count);
}

static inline int sim_hvm_op(int op, void *arg)
{
	if (sim_hypercalls)
		return sim_hypercalls->hvm_op(op, arg);
	return HYPERVISOR_hvm_op(op, arg);
}

static inline int sim_xen_version(int cmd, void *arg)
{
	if (sim_hypercalls)
		return sim_hypercalls->xen_version(cmd, arg);
	return HYPERVISOR_xen_version(cmd, arg);
}

#define HYPERVISOR_memory_op		sim_memory_op
#define HYPERVISOR_grant_table_op	sim_grant_table_op
#define HYPERVISOR_hvm_op		sim_hvm_op
#define HYPERVISOR_xen_version		sim_xen_version

#endif
