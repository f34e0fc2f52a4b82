// SPDX-License-Identifier: GPL-2.0
/*
 * What the in-tree driver holds and shows: the pages that it ballooned out, and
 * balloon_stats, through which it keeps its face: target_kb, current_kb and
 * memory/target read and write that, whichever driver is at work.
 *
 * Its balloon_mutex is out of reach. A counter that it changes too is changed
 * here through a function of its own where there is one, else by one atomic
 * instruction; since its own changes are plain ones, one of the two can still
 * be lost when both fall on the same instant. balloon_check_current() repairs
 * that in what concerns current_pages.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/ioport.h>
#include <linux/kprobes.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/math64.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <xen/balloon.h>
#include <xen/page.h>
#include <xen/xen.h>

#include "balloon.h"

/*
 * The in-tree driver doubles its wait up to 32 s, and gives up after four
 * attempts. Ours never does, so it need not wait longer than this: attempts so
 * far apart cost nothing that can be measured.
 */
#define MAX_DELAY_MS		2000

#define BATCH			XENMEM_MAX_BASE

/* To learn how long a call of Xen takes: the shortest of so many times so many. */
#define CALL_TRIES		16
#define CALLS			8

/* Our probe was not heard, or before the target was stored. */
static bool intree_must_look(const struct xen_balloon *xb)
{
	return !xb->intree.hears || xb->intree.unsettled;
}

/* The attribute max_schedule_delay, but at most two seconds. */
static unsigned int intree_max_delay_ms(void)
{
	unsigned long delay = READ_ONCE(balloon_stats.max_schedule_delay);

	return clamp(delay, 1UL, MAX_DELAY_MS / MSEC_PER_SEC) * MSEC_PER_SEC;
}

/* What is on the in-tree list: to be lent, or just returned. */
static unsigned long intree_spare(void)
{
	return READ_ONCE(balloon_stats.balloon_low) +
	       READ_ONCE(balloon_stats.balloon_high);
}

static unsigned long intree_lent(const struct xen_balloon *xb)
{
	return READ_ONCE(balloon_stats.target_unpopulated) - xb->intree.adopted;
}

/**
 * intree_published - what current_kb says
 *
 * Return: pages.
 */
unsigned long intree_published(void)
{
	return READ_ONCE(balloon_stats.current_pages);
}

/**
 * intree_unseen - what the in-tree driver gave the guest by itself since the last look
 * @xb: the driver
 *
 * Return: pages; below 0 when it took some.
 */
long intree_unseen(const struct xen_balloon *xb)
{
	return READ_ONCE(balloon_stats.current_pages) - xb->intree.published;
}

/*
 * When its list is empty and a driver asks for pages, the in-tree driver
 * balloons some out by itself and lowers current_pages: those are lent now.
 */
static void note_intree_change(struct xen_balloon *xb)
{
	long delta = intree_unseen(xb);

	if (!delta)
		return;

	xb->intree.published += delta;
	balloon_count(xb, COUNT_FOREIGN_TAKEN, max(-delta, 0L));
	balloon_correct_guest(&xb->queue, delta);
}

/* Make current_kb and schedule_delay say what is. */
static void intree_publish(struct xen_balloon *xb)
{
	struct balloon_intree *it = &xb->intree;
	unsigned long guest;

	lockdep_assert_held(&xb->step_lock);

	do {
		note_intree_change(xb);
		guest = balloon_figures(&xb->queue).guest;
	} while (cmpxchg(&balloon_stats.current_pages, it->published, guest) !=
		 it->published);
	it->published = guest;

	WRITE_ONCE(balloon_stats.schedule_delay,
		   max(DIV_ROUND_UP(xb->delay_ms, MSEC_PER_SEC), 1UL));
	WRITE_ONCE(balloon_stats.retry_count,
		   xb->delay_ms ? balloon_stats.retry_count + 1 : 1);
}

/**
 * intree_hear - a target is about to be stored
 * @xb: the driver
 * @target: in pages
 *
 * What is no target hides none that was heard and not looked at yet.
 *
 * Context: any; that of a probe.
 */
void intree_hear(struct xen_balloon *xb, unsigned long target)
{
	if (balloon_is_target(target))
		atomic_long_set(&xb->intree.heard, target);
	else
		atomic_long_cmpxchg(&xb->intree.heard, -1, 0);
}

NOKPROBE_SYMBOL(intree_hear);

/*
 * The probe hears of a target before it is stored, so a look may still find
 * the former one: a look counts only where it differs from the look before.
 */
static void intree_follow(struct xen_balloon *xb)
{
	unsigned long seen = READ_ONCE(balloon_stats.target_pages);
	struct balloon_intree *it = &xb->intree;
	long heard = atomic_long_xchg(&it->heard, -1);

	lockdep_assert_held(&xb->step_lock);

	it->unsettled = heard >= 0 && seen != heard;

	if (heard > 0)
		balloon_target_set(xb, heard);

	if ((!balloon_is_target(seen) || (heard <= 0 && seen != it->seen_target)) &&
	    !balloon_target_set(xb, seen)) {
		/* Let target_kb say where we are going. */
		if (cmpxchg(&balloon_stats.target_pages, seen, xb->target.wanted) == seen)
			seen = xb->target.wanted;
	}
	it->seen_target = seen;

	note_intree_change(xb);
}

/*
 * Take @nr unpopulated pages in xb->pages over into the queues. Returns how
 * many; for others there was no memory to keep account of them.
 */
static unsigned int adopt(struct xen_balloon *xb, unsigned int nr,
			  void (*give_back)(struct xen_balloon *xb,
					    unsigned int nr, struct page **pages))
{
	struct balloon_queue *q = &xb->queue;
	unsigned int i, kept = 0;

	for (i = 0; i < nr; i++) {
		if (balloon_region_prepare(q, xb->pages[i])) {
			give_back(xb, 1, &xb->pages[i]);
			continue;
		}
		balloon_region_suspect(q, xb->pages[i]);
		balloon_adopt(q, xb->pages[i]);
		balloon_enqueue(q, xb->pages[i], 0);
		kept++;
	}

	return kept;
}

static void give_back_adopted(struct xen_balloon *xb, unsigned int nr,
			      struct page **pages)
{
	xb->intree.adopted -= nr;
	xen_free_ballooned_pages(nr, pages);
}

/*
 * Not all on the in-tree list is unpopulated: memory that was set offline and
 * online again comes there as it is, and after a migration there may be memory
 * where there was none. Such pages of the @nr in xb->pages go to the kernel;
 * those that the guest's figure has all the time are @twice at most. Returns how
 * many pages are left.
 */
static unsigned int keep_holes(struct xen_balloon *xb, unsigned int nr, unsigned long *twice)
{
	struct balloon_queue *q = &xb->queue;
	unsigned int i, holes = 0;

	for (i = 0; i < nr; i++) {
		if (!xb->ops->populated(xb->pages[i])) {
			xb->pages[holes++] = xb->pages[i];
			continue;
		}
		balloon_adopt(q, xb->pages[i]);
		balloon_give_found(xb, xb->pages[i]);
		balloon_count(xb, COUNT_FOREIGN_POPULATED, 1);
		if (*twice) {
			balloon_correct_guest(q, -1);
			--*twice;
		}
	}

	return holes;
}

/*
 * When a driver borrows from the list between our look at it and our call, the
 * in-tree driver balloons out what is missing: the guest is smaller by that,
 * and no page is lost. What turns out to be populated goes to the kernel. While a block
 * comes online nobody can tell how much of that the guest's figure has already.
 */
static unsigned int intree_take_spare(struct xen_balloon *xb, unsigned int max)
{
	unsigned long twice = balloon_counted_twice(xb), nr;
	unsigned int holes;

	if (xb->blocks.onlining)
		return 0;

	do {
		nr = min_t(unsigned long, max, intree_spare());
		if (!nr || xen_alloc_ballooned_pages(nr, xb->pages))
			return 0;

		xb->intree.adopted += nr;
		holes = keep_holes(xb, nr, &twice);
		cond_resched();
	} while (!holes);

	return holes;
}

/* Adopt up to @max pages from the in-tree list. Returns how many. */
static unsigned int reclaim_spare(struct xen_balloon *xb, unsigned int max)
{
	return adopt(xb, intree_take_spare(xb, max), give_back_adopted);
}

/* They go there later, as intree_settle() says. */
static void give_back_region(struct xen_balloon *xb, unsigned int nr,
			     struct page **pages)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		SetPageReserved(pages[i]);
		list_add_tail(&pages[i]->lru, &xb->intree.region);
	}
	xb->intree.region_pages -= nr;
}

/* Those that a migration has put memory behind are the guest's, the others are adopted. */
static void adopt_region(struct xen_balloon *xb)
{
	unsigned long twice = 0;
	struct page *page;
	unsigned int nr;
	LIST_HEAD(region);

	list_splice_init(&xb->intree.region, &region);
	while (!list_empty(&region)) {
		for (nr = 0; nr < BATCH && !list_empty(&region); nr++) {
			page = list_first_entry(&region, struct page, lru);
			list_del(&page->lru);
			xb->pages[nr] = page;
		}
		xb->intree.region_pages += nr;
		adopt(xb, keep_holes(xb, nr, &twice), give_back_region);
		cond_resched();
	}
}

#ifdef CONFIG_XEN_PV
/* What is on the in-tree list is marked as offline. */
static int count_region(struct resource *memory, void *data)
{
	unsigned long pfn, end = PHYS_PFN(memory->end + 1), *nr = data;
	struct page *page;

	for (pfn = PFN_UP(memory->start); pfn < end; pfn++) {
		page = pfn_to_online_page(pfn);
		*nr += page && PageReserved(page) && !PageOffline(page) &&
		       pfn_to_mfn(pfn) == INVALID_P2M_ENTRY;
		cond_resched();
	}

	return 0;
}

/*
 * Take @nr pages from the allocator, but no device memory: that is none to populate. Those
 * that have no memory are counted down in @left. Returns false when there are no more.
 */
static bool collect(struct xen_balloon *xb, unsigned int nr, unsigned long *left)
{
	bool more = true;
	unsigned int i;

	if (xen_alloc_unpopulated_pages(nr, xb->pages))
		return false;

	for (i = 0; i < nr; i++) {
		struct page *page = xb->pages[i];

		if (is_zone_device_page(page)) {
			xen_free_unpopulated_pages(1, &page);
			more = false;
			continue;
		}
		list_add_tail(&page->lru, &xb->intree.region);
		*left -= pfn_to_mfn(page_to_pfn(page)) == INVALID_P2M_ENTRY;
	}

	return more;
}

/*
 * Since Linux 6.9 the region of a PV guest between its memory and its maximum
 * is not on the in-tree list: arch_xen_unpopulated_init() gave it to the allocator of
 * unpopulated pages, whose first pages it is. Asked for more, that makes device memory, so
 * they are counted before: what it has lent has a foreign frame behind it, if it is in use
 * already. Device memory would be on top of what is left. So half of that is asked for each
 * time, and no more is missed than is lent and not in use yet.
 */
static void take_region(struct xen_balloon *xb)
{
	unsigned long left = 0;

	if (!IS_ENABLED(CONFIG_XEN_UNPOPULATED_ALLOC) || !xen_pv_domain())
		return;

	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0, -1,
			    &left, count_region);
	while (left && collect(xb, min_t(unsigned long, (left + 1) / 2, BATCH), &left))
		cond_resched();
}
#else
static void take_region(struct xen_balloon *xb)
{
}
#endif

/**
 * intree_prepare - take what only the allocator of unpopulated pages knows of
 * @xb: the driver, with its pages not in use
 *
 * To make device memory it would wait for whoever sets memory online just now, who waits
 * for step_lock.
 *
 * Context: before intree_begin(), without step_lock; may sleep.
 */
void intree_prepare(struct xen_balloon *xb)
{
	INIT_LIST_HEAD(&xb->intree.region);
	take_region(xb);
}

/**
 * intree_settle - let the allocator of unpopulated pages have what is its
 * @xb: the driver
 *
 * Context: after intree_begin() or intree_end(), without step_lock, for which who has the
 * allocator's lock may be waiting; may sleep.
 */
void intree_settle(struct xen_balloon *xb)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &xb->intree.region, lru) {
		list_del(&page->lru);
		xen_free_unpopulated_pages(1, &page);
		cond_resched();
	}
}

/* What a migration has put memory behind is the guest's. Returns how many pages are left. */
static unsigned int give_populated(struct xen_balloon *xb, unsigned int nr)
{
	unsigned int i, holes = 0;

	for (i = 0; i < nr; i++) {
		if (xb->ops->populated(xb->pages[i]))
			balloon_give_found(xb, xb->pages[i]);
		else
			xb->pages[holes++] = xb->pages[i];
	}

	return holes;
}

/*
 * As many as came from the allocator of unpopulated pages go back there, whichever these
 * are, and the others to the in-tree list. In a new domain that was not seen to yet they
 * may be no holes: see intree_end().
 */
static void intree_give(struct xen_balloon *xb, unsigned int nr)
{
	struct balloon_intree *it = &xb->intree;
	unsigned int unlisted;

	if (xb->resumed)
		nr = give_populated(xb, nr);
	balloon_disown(&xb->queue, xb->pages, nr);

	unlisted = min_t(unsigned long, nr, it->region_pages);
	give_back_region(xb, unlisted, xb->pages);

	/* The in-tree driver subtracts what it gets from target_unpopulated. */
	it->adopted -= nr - unlisted;
	xen_free_ballooned_pages(nr - unlisted, xb->pages + unlisted);
}

static void return_all(struct xen_balloon *xb)
{
	struct balloon_intree *it = &xb->intree;
	struct page *page;
	unsigned int nr;

	while (balloon_dequeue_huge(&xb->queue, &page, 1, NUMA_NO_NODE)) {
		balloon_foreign_give_huge(xb, page);
		cond_resched();
	}
	while (balloon_figures(&xb->queue).base) {
		nr = balloon_dequeue_base(&xb->queue, xb->pages, BATCH, NUMA_NO_NODE);
		if (nr)
			intree_give(xb, nr);
		else
			fsleep(USEC_PER_MSEC);	/* compaction has some just now */
		cond_resched();
	}

	/* Those that were adopted and are the kernel's memory now. */
	memset(xb->pages, 0, sizeof(xb->pages));
	for (; it->adopted > 0; it->adopted -= nr) {
		nr = min_t(long, it->adopted, BATCH);
		xen_free_ballooned_pages(nr, xb->pages);
		cond_resched();
	}
	/* Those that it got beyond those. */
	xadd(&balloon_stats.target_unpopulated, -it->adopted);
	it->adopted = 0;

	/* Memory that the in-tree driver did not know of. */
	balloon_stats.total_pages += it->region_pages;
	it->seen_total += it->region_pages;
	it->region_pages = 0;
}

/* How long the cheapest call of Xen takes at least. */
static u64 least_call_ns(const struct xen_balloon *xb)
{
	u64 start, least = U64_MAX;
	unsigned int i, j;

	for (i = 0; i < CALL_TRIES; i++) {
		start = ktime_get_ns();
		for (j = 0; j < CALLS; j++)
			xb->ops->current_pages();
		least = min(least, ktime_get_ns() - start);
	}

	return max(least / CALLS, 1ULL);
}

/*
 * What the in-tree driver gave back to the guest, it had taken page by page before,
 * and it came from anywhere in the host. Each time Xen looks up and writes its
 * tables, and goes to its allocator: both times together take longer than half of a
 * call that reads a number, also where it is the call itself that is slow. So the
 * CPU time of its thread tells how many pages it can have been, and each may have
 * broken another 2 MiB.
 */
static void suspect_moved(struct xen_balloon *xb)
{
	u64 call_ns = least_call_ns(xb);
	unsigned long most = div64_u64(2 * xb->intree.ran_ns, call_ns);
	bool whole = most < XENMEM_HUGE_PAGES;

	pr_info("the in-tree driver ran for %llu us, where a call of Xen takes %llu ns: %lu KiB at most went and came back, %s\n",
		div_u64(xb->intree.ran_ns, NSEC_PER_USEC), call_ns, PAGES_TO_KB(most),
		whole ? "which is next to nothing" : "any 2 MiB may be in pieces");
	if (!whole)
		balloon_heal_suspect_some(xb, most);
}

#ifdef CONFIG_XEN_BALLOON_MEMORY_HOTPLUG
/* The in-tree driver counts what is added, and gets it once that is online. */
static void intree_expect(long nr)
{
	xadd(&balloon_stats.total_pages, nr);
}

static unsigned long intree_expected(const struct xen_balloon *xb)
{
	long more = READ_ONCE(balloon_stats.total_pages) - xb->intree.seen_total;

	return max(more, 0L);
}

static void intree_online(struct xen_balloon *xb, long nr)
{
	xb->intree.seen_total += nr;
}
#endif

const struct balloon_kernel_ops intree_ops = {
	.follow = intree_follow,
	.must_look = intree_must_look,
	.publish = intree_publish,
	.max_delay_ms = intree_max_delay_ms,
	.spare = intree_spare,
	.lent = intree_lent,
	.take_spare = intree_take_spare,
	.give = intree_give,
#ifdef CONFIG_XEN_BALLOON_MEMORY_HOTPLUG
	.expect = intree_expect,
	.expected = intree_expected,
	.online = intree_online,
#endif
};

/**
 * intree_begin - the in-tree driver stands still: take its pages over
 * @xb: the driver, with nothing in its queues
 *
 * Context: step_lock held; may sleep.
 */
void intree_begin(struct xen_balloon *xb)
{
	struct balloon_intree *it = &xb->intree;

	lockdep_assert_held(&xb->step_lock);

	it->seen_target = READ_ONCE(balloon_stats.target_pages);
	it->schedule_delay = READ_ONCE(balloon_stats.schedule_delay);
	it->retry_count = READ_ONCE(balloon_stats.retry_count);
	it->published = READ_ONCE(balloon_stats.current_pages);
	balloon_correct_guest(&xb->queue, it->published);

	while (reclaim_spare(xb, BATCH))
		cond_resched();
	adopt_region(xb);
	suspect_moved(xb);
	xb->total = balloon_sum(xb);
	it->seen_total = READ_ONCE(balloon_stats.total_pages) - balloon_blocks_holes(xb);
	balloon_target_begin(xb, it->seen_target);
	balloon_check_current(xb);
}

/**
 * intree_end - give the in-tree driver back what is its
 * @xb: the driver, its worker stopped
 *
 * Context: step_lock held; may sleep.
 */
void intree_end(struct xen_balloon *xb)
{
	lockdep_assert_held(&xb->step_lock);

	intree_follow(xb);
	if (xb->resumed)
		balloon_restored(xb);
	return_all(xb);
	intree_publish(xb);

	balloon_stats.schedule_delay = xb->intree.schedule_delay;
	balloon_stats.retry_count = xb->intree.retry_count;
}

/**
 * intree_park - give the in-tree driver a target that it has reached already
 * @xb: the driver
 *
 * It may have given up before we came: then it sleeps until its credit changes,
 * so its thread starts with none.
 *
 * Return: where it shall go, for intree_unpark().
 */
unsigned long intree_park(struct xen_balloon *xb)
{
	xb->intree.parked = READ_ONCE(balloon_stats.current_pages);

	return xchg(&balloon_stats.target_pages, xb->intree.parked);
}

/**
 * intree_unpark - have the in-tree driver's thread go where it shall
 * @xb: the driver
 * @target: what intree_park() returned; a target that was set since wins, and where
 *	that is none, the last one that was
 */
void intree_unpark(struct xen_balloon *xb, unsigned long target)
{
	unsigned long stored = READ_ONCE(balloon_stats.target_pages);
	long heard = atomic_long_read(&xb->intree.heard);

	/* Set since the worker stopped: it is stored by now, or will be. */
	if (heard > 0)
		target = heard;
	else if (!balloon_is_target(target))
		target = xb->target.wanted;

	if (balloon_is_target(stored) && stored != xb->intree.parked)
		return;
	if (cmpxchg(&balloon_stats.target_pages, stored, target) == stored)
		xen_free_ballooned_pages(0, NULL);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/intree-kunit.h"
#endif
