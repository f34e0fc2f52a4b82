/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the driver asks of Xen: one table of operations. The engine knows
 * nothing of which table it drives; no other file makes a hypercall.
 */
#ifndef _XEN_BALLOON_XENMEM_H
#define _XEN_BALLOON_XENMEM_H

#include <linux/bits.h>
#include <linux/mm_types.h>
#include <xen/interface/xen.h>

/* The order of a huge page, and its size in base pages. */
#define XENMEM_HUGE_ORDER	9
#define XENMEM_HUGE_PAGES	BIT(XENMEM_HUGE_ORDER)

/*
 * The most that one operation takes: a hypercall is preemptible for Xen, but the
 * calling task is not rescheduled meanwhile.
 */
#define XENMEM_MAX_BASE		512
#define XENMEM_MAX_HUGE		8

/**
 * struct xenmem_ops - the memory operations of one kind of guest
 * @name: kind of guest, for the message at load
 * @init: get what the other operations need; 0 or a negative errno
 * @exit: undo @init
 * @release: give the memory behind @nr pages of @order (0 or
 *	XENMEM_HUGE_ORDER) back to Xen. Every page must be populated, owned by
 *	the caller, and not in use. Returns how many were given back, counted
 *	from the front. When that is below @nr, the first one that was not is in
 *	doubt (Xen may have freed a part of it) and must not be used any more;
 *	those after it are untouched. See decrease_reservation() in Xen's
 *	common/memory.c.
 * @populate: have Xen put memory behind @nr unpopulated pages of @order.
 *	Returns how many were populated, from the front; the others are as
 *	before. Never an errno: Xen says "none" for every refusal. The contents
 *	of the pages are undefined. See populate_physmap() in common/memory.c.
 *	Each has memory of its own node, where the guest has virtual ones; without
 *	@away nothing else does, and with it what came from elsewhere has its bit
 *	set there, all others of the first @nr have not
 * @has_nodes: has it any? NULL where it never has
 * @node_of: of which of them a page is, if it has any
 * @move: put the memory behind a populated base page @from behind an unpopulated
 *	one, @to. Both are the caller's, @from is not in use, and what it holds
 *	may be lost, but nobody else ever sees it. Returns 0; -EBUSY with both as
 *	before, also while Xen logs writes; or -ENODATA when neither has memory any
 *	more. Does not sleep, and is reentrant.
 * @exchange: give the memory behind all of a populated huge page @huge to Xen,
 *	and have it put other memory behind XENMEM_HUGE_PAGES unpopulated base
 *	pages @holes. Returns how many base pages of @huge, from the front, are
 *	unpopulated then, and in @got how many of @holes are populated: as many,
 *	but for what could not be mapped. The others are as before. NULL where
 *	Xen has no such operation. See memory_exchange() in common/memory.c.
 * @populated: is there memory behind a base page? If so the kernel can reach it
 *	from then on. Does not sleep, and is reentrant
 * @whole: is the memory behind an aligned and populated 2 MiB in one piece?
 *	NULL where only Xen knows
 * @make_holes: @nr pages from @pfn on, which never were the kernel's, are about to be
 *	its, with nothing behind them. Returns 0, -ENOMEM, or -ERANGE when there is no
 *	place to say so. NULL where nothing is to be done for it. May sleep, and is
 *	reentrant
 * @reach: have Xen know of page @pfn of the guest's address space, which has no memory:
 *	its tools send a guest's memory up to the highest page that ever had any in
 *	this domain, as it was when they began. Afterwards it has none as before.
 *	Returns 0 or -ENOMEM. NULL where they go by what the guest says. See
 *	x86_hvm_setup() in Xen's tools/libs/guest. Does not sleep, and is reentrant
 * @logs_writes: does Xen log what the guest writes to, as it does while the guest is
 *	migrated? Then what is released and what is populated may both be sent: the
 *	new domain must have room for all of it. NULL where a guest cannot tell. Does
 *	not sleep, and is reentrant
 * @resumed: the guest may have come to another host: learn what Xen does there.
 *	NULL where nothing depends on that. To be called before anything else is
 * @restores_whole: do this host's tools restore a guest in superpages? NULL where
 *	@whole tells
 * @current_pages: XENMEM_current_reservation of this domain, in pages, or a
 *	negative errno
 * @maximum_pages: XENMEM_maximum_reservation of this domain, in pages, or a
 *	negative errno
 *
 * @release, @populate and @exchange may sleep and are not reentrant: the caller
 * holds xen_balloon.step_lock. @nr is at most XENMEM_MAX_BASE for order 0, and
 * XENMEM_MAX_HUGE for XENMEM_HUGE_ORDER.
 */
struct xenmem_ops {
	const char *name;
	int (*init)(void);
	void (*exit)(void);
	unsigned int (*release)(struct page **pages, unsigned int nr,
				unsigned int order);
	unsigned int (*populate)(struct page **pages, unsigned int nr,
				 unsigned int order, unsigned long *away);
	bool (*has_nodes)(void);
	unsigned int (*node_of)(unsigned long pfn);
	int (*move)(struct page *from, struct page *to);
	unsigned int (*exchange)(struct page *huge, struct page **holes, unsigned int *got);
	bool (*populated)(struct page *page);
	bool (*whole)(struct page *page);
	int (*make_holes)(unsigned long pfn, unsigned long nr);
	int (*reach)(unsigned long pfn);
	bool (*logs_writes)(void);
	void (*resumed)(void);
	bool (*restores_whole)(void);
	long (*current_pages)(void);
	long (*maximum_pages)(void);
};

extern const struct xenmem_ops xenmem_translated_ops;
extern const struct xenmem_ops xenmem_pv_ops;

int xenmem_version(void);
long xenmem_current_pages(void);
long xenmem_maximum_pages(void);
unsigned int xenmem_reservation(unsigned int cmd, xen_pfn_t *frames,
				unsigned int nr, unsigned int order, unsigned int mem_flags);

/* xenmem-vnode.c */
void xenmem_vnode_learn(void);
bool xenmem_vnode_known(void);
unsigned int xenmem_vnode_of(unsigned long pfn);
unsigned int xenmem_vnode_flags(unsigned int vnode, bool exact);

/* xenmem-dirty.c */
bool xenmem_logs_writes(void);
void xenmem_dirty_learn(void);
void xenmem_mark_dirty(const xen_pfn_t *frames, unsigned int nr, unsigned int order);
void xenmem_mark_dirty_one(xen_pfn_t frame);

#endif
