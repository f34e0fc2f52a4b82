/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam between the operations tables and Xen: included before anything else in
 * each of xenmem-*.c when that is built for the unit tests. Hypercalls, and what a PV
 * guest has of its own mapping, go to a test's own Xen while there is one (see
 * tests/xenmem-*-kunit.h), else to the real one (see answers.c). Any of them can be
 * made to fail: see sim_sweep_hypercalls().
 */
#ifndef _KUNIT_SEAM_XEN_H
#define _KUNIT_SEAM_XEN_H

/* As in xenmem-*.c, which come too late to say so. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/slab.h>
#include <xen/interface/xen.h>
#include <xen/interface/memory.h>
#include <xen/page.h>
#include <asm/pgtable.h>
#include <asm/xen/hypercall.h>

struct kunit;

/*
 * XENMEM_get_vnumainfo and what it takes, as in Xen's public/memory.h: Linux's headers
 * have none of it. Xen's handles are the addresses here.
 */
#define SIM_GET_VNUMAINFO	26

struct sim_vmemrange {
	u64 start;
	u64 end;
	u32 flags;
	u32 nid;
};

struct sim_vnumainfo {
	domid_t domid;
	u16 pad;
	u32 nr_vnodes;
	u32 nr_vcpus;
	u32 nr_vmemranges;
	u32 *vdistance;
	u32 *vcpu_to_vnode;
	struct sim_vmemrange *vmemrange;
};

/*
 * What a test has in place of Xen, of the direct map, whose entries are of 4 KiB, and of
 * xen_p2m_addr.
 */
struct sim_hypercalls {
	long (*memory_op)(unsigned int cmd, void *arg);
	int (*grant_table_op)(unsigned int cmd, void *uop, unsigned int count);
	int (*hvm_op)(int op, void *arg);
	int (*xen_version)(int cmd, void *arg);
	int (*mmu_update)(struct mmu_update *updates, unsigned int count, unsigned int *done);
	int (*mmuext_op)(struct mmuext_op *op);
	int (*update_va_mapping)(unsigned long va, pte_t pte, unsigned long flags);
	pte_t *(*lookup)(unsigned long va);
	int (*alloc_p2m_entry)(unsigned long pfn);
	unsigned long *p2m;
	unsigned long p2m_size;
};

extern const struct sim_hypercalls *sim_hypercalls;

long sim_memory_op(unsigned int cmd, void *arg);
int sim_grant_table_op(unsigned int cmd, void *uop, unsigned int count);
int sim_hvm_op(int op, void *arg);
int sim_xen_version(int cmd, void *arg);
int sim_mmu_update(struct mmu_update *updates, int count, int *done, domid_t domid);
int sim_mmuext_op(struct mmuext_op *op, int count, int *done, domid_t domid);
int sim_update_va_mapping(unsigned long va, pte_t pte, unsigned long flags);
pte_t *sim_lookup_address(unsigned long va, unsigned int *level);
xmaddr_t sim_virt_to_machine(void *va);
unsigned long *sim_p2m(void);
unsigned long sim_p2m_size(void);
unsigned long sim_p2m_entry(unsigned long pfn);
int sim_alloc_p2m_entry(unsigned long pfn);

extern bool sim_no_memory;
void *sim_kvzalloc(size_t size, gfp_t gfp);

bool sim_hypercalls_were_swept(const char **missing);
void sim_sweep_hypercalls(struct kunit *test, const char *name, void (*prepare)(struct kunit *test),
			  void (*run)(struct kunit *test));

/* As in seam.h: what the driver says is in sim.said. */
__printf(1, 2) void sim_say(const char *fmt, ...);
#undef pr_warn
#define pr_warn(fmt, ...)		sim_say(fmt, ##__VA_ARGS__)

#define HYPERVISOR_memory_op		sim_memory_op
#define HYPERVISOR_grant_table_op	sim_grant_table_op
#define HYPERVISOR_hvm_op		sim_hvm_op
#define HYPERVISOR_xen_version		sim_xen_version
#define HYPERVISOR_mmu_update		sim_mmu_update
#define HYPERVISOR_mmuext_op		sim_mmuext_op
#define HYPERVISOR_update_va_mapping	sim_update_va_mapping
#define lookup_address			sim_lookup_address
#define arbitrary_virt_to_machine	sim_virt_to_machine
#define xen_p2m_addr			sim_p2m()
#define xen_p2m_size			sim_p2m_size()
#define xen_alloc_p2m_entry		sim_alloc_p2m_entry
#define pfn_to_mfn			sim_p2m_entry
#undef kvzalloc
#define kvzalloc			sim_kvzalloc

#endif
