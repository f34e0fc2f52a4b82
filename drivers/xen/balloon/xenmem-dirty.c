// SPDX-License-Identifier: GPL-2.0
/*
 * Live migration of auto-translated guests, of which a guest is not told, but which
 * it can see: Xen's tools send again what was written to since it was sent last, and
 * Xen knows that by having each page trap at its first write. A page that nobody
 * writes to is read-only as long as Xen logs writes.
 *
 * What a guest populates meanwhile does not trap, and older Xen does not take it for
 * written to either: what the kernel puts there might never be sent. See "x86/mm:
 * update log-dirty bitmap when manipulating P2M" in Xen's history. So Xen itself is
 * made to write to each page that it populated or moved, before the kernel has it:
 * that counts. What was populated before the log began is sent anyway.
 *
 * PV guests need none of this. They are migrated by shadow page tables, in which a
 * page that is mapped anew traps as any other. So does it in a guest that has them
 * for want of nested ones, which sees nothing of a log.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <xen/interface/xen.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/version.h>
#include <xen/interface/hvm/hvm_op.h>
#include <asm/xen/hypercall.h>

#include "xenmem.h"

/* Does Xen not take what it populates for written to? */
static bool unlogged = true;

/* Only the holder of step_lock uses it: see struct xenmem_ops. */
static struct gnttab_copy batch[XENMEM_MAX_BASE];

/*
 * Does Xen of this version take what it populates for written to? Of what a vendor
 * or a developer calls otherwise than a release, that is not known.
 */
static bool logs_populated(unsigned int major, unsigned int minor, const char *extra)
{
	static const unsigned int since[] = { [19] = 5, [20] = 3, [21] = 1, [22] = 0 };
	unsigned int release;
	int length;

	if (major != 4 || minor >= ARRAY_SIZE(since))
		return major >= 4;
	if (minor < 19 || sscanf(extra, ".%3u%n", &release, &length) != 1)
		return false;

	return release > since[minor] || (release == since[minor] && !extra[length]);
}

/**
 * xenmem_logs_writes - does Xen log what the guest writes to, as for its migration?
 *
 * By what Xen says of the kernel's page of zeroes: a page that is to trap at its first
 * write is p2m_ram_logdirty, one of P2M_RO_TYPES in Xen's asm/p2m.h, which
 * hvmop_get_mem_type() in arch/x86/hvm/hvm.c calls read-only.
 *
 * Context: any.
 * Return: true also when Xen does not tell.
 */
bool xenmem_logs_writes(void)
{
	struct xen_hvm_get_mem_type query = {
		.domid = DOMID_SELF,
		.pfn = page_to_pfn(ZERO_PAGE(0)),
	};
	int ret = HYPERVISOR_hvm_op(HVMOP_get_mem_type, &query);

	if (ret)
		pr_warn_once("Xen does not tell the type of a page (%d), and so not whether this guest is being migrated: evening out, coalescing and healing rest\n",
			     ret);

	return ret || query.mem_type == HVMMEM_ram_ro;
}

/**
 * xenmem_dirty_learn - learn from Xen's version whether pages have to be marked
 *
 * To be called again where the guest may have come to another host.
 */
void xenmem_dirty_learn(void)
{
	int version = HYPERVISOR_xen_version(XENVER_version, NULL);
	char extra[sizeof(struct xen_extraversion) + 1] = "";

	HYPERVISOR_xen_version(XENVER_extraversion, extra);
	unlogged = version < 0 || !logs_populated(version >> 16, version & 0xffff, extra);
	pr_info("live migration: Xen %d.%d%s %s\n", version >> 16, version & 0xffff, extra,
		unlogged ? "may miss what is populated meanwhile, which is marked for it" :
			   "sends what is populated meanwhile");
}

static void prepare(struct gnttab_copy *op, xen_pfn_t from, xen_pfn_t to)
{
	*op = (struct gnttab_copy) {
		.source = { .u.gmfn = from, .domid = DOMID_SELF },
		.dest = { .u.gmfn = to, .domid = DOMID_SELF },
		.len = 1,
		.status = GNTST_general_error,
	};
}

/*
 * No grant is needed to copy between a guest's own frames: see gnttab_copy_one()
 * in Xen's common/grant_table.c. But a policy of Xen's may forbid it; then Xen is
 * made to write an answer to the page, which each guest may ask for.
 */
static void mark(struct gnttab_copy *ops, unsigned int nr)
{
	unsigned int i;

	HYPERVISOR_grant_table_op(GNTTABOP_copy, ops, nr);

	for (i = 0; i < nr; i++)
		if (ops[i].status != GNTST_okay &&
		    HYPERVISOR_xen_version(XENVER_platform_parameters,
					   __va(PFN_PHYS(ops[i].dest.u.gmfn))))
			pr_warn_once("cannot have Xen write to pfn 0x%lx (%d): it may be lost if this guest is just being migrated\n",
				     (unsigned long)ops[i].dest.u.gmfn, ops[i].status);
}

/**
 * xenmem_mark_dirty - have pages sent that were populated just now, if the guest is
 *	being migrated
 * @frames: first frame of each extent; what the pages hold may be lost
 * @nr: extents
 * @order: order of each: 0 or XENMEM_HUGE_ORDER
 *
 * Context: step_lock held; may sleep.
 */
void xenmem_mark_dirty(const xen_pfn_t *frames, unsigned int nr, unsigned int order)
{
	unsigned int i, n, done;

	if (!unlogged || !xenmem_logs_writes())
		return;

	for (done = 0; done < nr << order; done += n) {
		n = min_t(unsigned int, (nr << order) - done, ARRAY_SIZE(batch));
		/* With one source for all, Xen looks it up once. */
		for (i = 0; i < n; i++)
			prepare(&batch[i], frames[done >> order],
				frames[(done + i) >> order] + ((done + i) & (BIT(order) - 1)));
		mark(batch, n);
		cond_resched();
	}
}

/**
 * xenmem_mark_dirty_one - the same, for one page
 * @frame: its frame
 *
 * Context: any.
 */
void xenmem_mark_dirty_one(xen_pfn_t frame)
{
	struct gnttab_copy op;

	if (!unlogged || !xenmem_logs_writes())
		return;

	prepare(&op, frame, frame);
	mark(&op, 1);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/xenmem-dirty-kunit.h"
#endif
