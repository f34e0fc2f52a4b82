// SPDX-License-Identifier: GPL-2.0
/*
 * The operations table for auto-translated guests (PVH and HVM), where a frame
 * number is the guest's own and Xen keeps the mapping.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/highmem.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <xen/interface/xen.h>
#include <xen/interface/hvm/hvm_op.h>
#include <xen/interface/memory.h>
#include <asm/xen/hypercall.h>

#include "xenmem.h"

/* From this version on the tools restore a guest in superpages, where they can. */
#define RESTORES_WHOLE		(4 << 16 | 21)

/* Only the holder of step_lock uses it: see struct xenmem_ops. */
static xen_pfn_t frames[XENMEM_MAX_BASE];

/*
 * To map a single page Xen may need one more for the guest's tables, of a pool that xl
 * fills as maxmem or shadow_memory say. Where that is empty Xen has taken a frame for the
 * guest already, and counts it as the guest's for good: see populate_physmap() in
 * common/memory.c. Before Xen 4.16 it even says that it was populated.
 *
 * @refused: it populated none of the single pages that it was asked for last
 * @times: how often in a row that has cost a frame
 * @again_at: when to ask again for a single page
 */
static struct pool {
	bool refused;
	unsigned int times;
	u64 again_at;
} pool;

/* Nobody else's doing has Xen count one more each time. */
#define POOL_EMPTY	3
#define POOL_REST_NS	(600 * NSEC_PER_SEC)

static bool pool_is_empty(void)
{
	return ktime_get_ns() < READ_ONCE(pool.again_at);
}

/* Xen refused to populate a single page once more: did it cost a frame? @before it counted that. */
static void judge_refusal(long before)
{
	long cost = xenmem_current_pages() - before;

	/* Of its own node, and of any. */
	pool.times = cost == 1 || (cost == 2 && xenmem_vnode_known()) ?
		     min(pool.times + 1, POOL_EMPTY) : 0;
	if (pool.times < POOL_EMPTY)
		return;

	WRITE_ONCE(pool.again_at, ktime_get_ns() + POOL_REST_NS);
	pr_warn_once("Xen has no page left for this guest's tables, as far as it can tell: memory comes in 2 MiB only from now on; boot the guest with more shadow_memory\n");
}

static unsigned int change(unsigned int cmd, struct page **pages,
			   unsigned int nr, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		frames[i] = page_to_pfn(pages[i]);

	return xenmem_reservation(cmd, frames, nr, order, 0);
}

/*
 * Xen takes a huge page apart, frame by frame, and meanwhile nobody else runs on
 * this CPU: not more than one with each call.
 */
static unsigned int translated_release(struct page **pages, unsigned int nr,
				       unsigned int order)
{
	unsigned int done = 0;

	if (!order)
		return change(XENMEM_decrease_reservation, pages, nr, order);

	while (done < nr && change(XENMEM_decrease_reservation, pages + done, 1, order)) {
		done++;
		cond_resched();
	}

	return done;
}

/* How many of the first pages are of one virtual node: @vnode. */
static unsigned int on_one_vnode(struct page **pages, unsigned int nr, unsigned int vnode)
{
	unsigned int i;

	for (i = 1; i < nr; i++)
		if (xenmem_vnode_of(page_to_pfn(pages[i])) != vnode)
			break;

	return i;
}

/*
 * First of their own node, and what Xen has not got there from elsewhere. That Xen refuses an
 * extent of its own node, and gives one without that, is all that a guest can know of the
 * machine's nodes. Without XENMEMF_exact_node the node is a wish: see get_free_buddy() in
 * Xen's common/page_alloc.c.
 */
static unsigned int populate(struct page **pages, unsigned int nr, unsigned int order,
			     unsigned long *away)
{
	unsigned int i, part, got, vnode, done = 0;

	if (away)
		bitmap_zero(away, nr);
	if (!xenmem_vnode_known())
		return change(XENMEM_populate_physmap, pages, nr, order);

	for (i = 0; i < nr; i++)
		frames[i] = page_to_pfn(pages[i]);

	while (done < nr) {
		vnode = xenmem_vnode_of(frames[done]);
		part = on_one_vnode(pages + done, nr - done, vnode);
		got = xenmem_reservation(XENMEM_populate_physmap, frames + done, part, order,
					 xenmem_vnode_flags(vnode, true));
		done += got;
		part -= got;
		if (!part)
			continue;
		if (!away)
			break;

		got = xenmem_reservation(XENMEM_populate_physmap, frames + done, part, order,
					 xenmem_vnode_flags(vnode, false));
		bitmap_set(away, done, got);
		done += got;
		if (got < part)
			break;
	}

	return done;
}

/*
 * As xen_vmcore_pfn_is_ram() in the kernel's arch/x86/xen/mmu_hvm.c asks. What is to
 * be populated on demand passes for memory, and what was given back does not. False when
 * Xen does not tell.
 */
static bool is_of_type(unsigned long pfn, bool memory)
{
	struct xen_hvm_get_mem_type query = { .domid = DOMID_SELF, .pfn = pfn };

	return !HYPERVISOR_hvm_op(HVMOP_get_mem_type, &query) &&
	       (query.mem_type != HVMMEM_mmio_dm) == memory;
}

static bool translated_populated(struct page *page)
{
	return is_of_type(page_to_pfn(page), true);
}

static unsigned int populate_base(struct page **pages, unsigned int nr, unsigned long *away)
{
	bool again = pool.refused;
	unsigned int done;
	long before;

	if (pool_is_empty())
		return 0;

	before = again ? xenmem_current_pages() : 0;
	done = populate(pages, nr, 0, away);
	while (done && is_of_type(page_to_pfn(pages[done - 1]), false))
		done--;

	pool.refused = !done;
	if (again && !done)
		judge_refusal(before);

	return done;
}

static unsigned int translated_populate(struct page **pages, unsigned int nr,
					unsigned int order, unsigned long *away)
{
	unsigned int done = order ? populate(pages, nr, order, away) :
				    populate_base(pages, nr, away);

	xenmem_mark_dirty(frames, done, order);
	return done;
}

/* Of its own node only: nobody is told of any other. */
static bool populate_one(xen_pfn_t frame)
{
	unsigned int flags = 0;

	if (xenmem_vnode_known())
		flags = xenmem_vnode_flags(xenmem_vnode_of(frame), true);
	if (!xenmem_reservation(XENMEM_populate_physmap, &frame, 1, 0, flags))
		return false;

	xenmem_mark_dirty_one(frame);
	return true;
}

static int translated_reach(unsigned long pfn)
{
	xen_pfn_t frame = pfn;

	if (!xenmem_reservation(XENMEM_populate_physmap, &frame, 1, 0, 0))
		return -ENOMEM;
	if (!xenmem_reservation(XENMEM_decrease_reservation, &frame, 1, 0, 0))
		pr_err("Xen does not take back what it gave for pfn 0x%lx: 4 KiB out of use for good\n",
		       pfn);

	return 0;
}

/*
 * xenmem_add_to_physmap_one() in Xen's arch/x86/mm/p2m.c moves the frame: nothing
 * is freed for it, and nothing needed. Should it fail, it may have taken the
 * frame away from @from already, which is then no longer populated; or nothing has
 * changed, and may not be changed otherwise either.
 */
static int translated_move(struct page *from, struct page *to)
{
	xen_pfn_t old = page_to_pfn(from), new = page_to_pfn(to);
	struct xen_add_to_physmap map = {
		.domid = DOMID_SELF,
		.space = XENMAPSPACE_gmfn,
		.idx = old,
		.gpfn = new,
	};

	if (xenmem_logs_writes() || pool_is_empty())
		return -EBUSY;

	if (!HYPERVISOR_memory_op(XENMEM_add_to_physmap, &map)) {
		xenmem_mark_dirty_one(new);
		return 0;
	}

	clear_highpage(from);
	if (!xenmem_reservation(XENMEM_decrease_reservation, &old, 1, 0, 0) &&
	    translated_populated(from))
		return -EBUSY;
	if (populate_one(new))
		return 0;

	return populate_one(old) ? -EBUSY : -ENODATA;
}

static bool translated_restores_whole(void)
{
	return xenmem_version() >= RESTORES_WHOLE;
}

static int translated_init(void)
{
	/* Who is not told would take each page for a hole. */
	if (!translated_populated(ZERO_PAGE(0))) {
		pr_err("found that Xen does not tell what is memory, expected it to: allow HVMOP_get_mem_type to the guest in its security policy\n");
		return -ENODEV;
	}

	pool = (struct pool){ };
	xenmem_dirty_learn();
	xenmem_vnode_learn();
	return 0;
}

static void translated_resumed(void)
{
	/* Xen's tools have filled it anew. */
	WRITE_ONCE(pool.again_at, 0);
	xenmem_dirty_learn();
	xenmem_vnode_learn();
}

static void translated_exit(void)
{
}

const struct xenmem_ops xenmem_translated_ops = {
	.name = "auto-translated",
	.init = translated_init,
	.exit = translated_exit,
	.release = translated_release,
	.populate = translated_populate,
	.has_nodes = xenmem_vnode_known,
	.node_of = xenmem_vnode_of,
	.move = translated_move,
	.populated = translated_populated,
	.reach = translated_reach,
	.logs_writes = xenmem_logs_writes,
	.resumed = translated_resumed,
	.restores_whole = translated_restores_whole,
	.current_pages = xenmem_current_pages,
	.maximum_pages = xenmem_maximum_pages,
};

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/xenmem-translated-kunit.h"
#endif
