// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that is set offline and online, block by block.
 *
 * Of what is ballooned out there is nothing to be moved: it goes offline as it is, and the
 * guest has as much memory as before. What of a block has memory keeps it, and is the
 * guest's all the time, as Xen counts it and the in-tree driver shows it. When the block is
 * online again the whole of it comes to the in-tree driver's list: see keep_holes().
 *
 * Base pages that compaction has just now stay, and the kernel moves them as it moves
 * programs' pages. What is lent, or kept for that, cannot go: the kernel gives up then.
 */
#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/pfn.h>
#include <linux/wait.h>

#include <compat/memory_hotplug.h>

#include "balloon.h"

static void going_offline(struct xen_balloon *xb, const struct memory_notify *range)
{
	unsigned long nr;

	if (xb->blocks.over)
		return;

	balloon_alloc_settle(&xb->alloc);
	nr = balloon_leave(&xb->queue, range->start_pfn, range->start_pfn + range->nr_pages);
	count_leaving(pfn_to_page(range->start_pfn), nr);
}

static void stays_online(struct xen_balloon *xb, const struct memory_notify *range)
{
	long nr = balloon_leave_cancel(&xb->queue);

	count_leaving(pfn_to_page(range->start_pfn), -nr);
}

/* So many pages without memory come; below 0, they are gone. */
static void comes(struct xen_balloon *xb, long nr)
{
	xb->total += nr;
	xb->kernel->online(xb, nr);
}

static unsigned long number_of(const struct memory_notify *range)
{
	return PFN_PHYS(range->start_pfn) / memory_block_size_bytes();
}

static void is_offline(struct xen_balloon *xb, const struct memory_notify *range)
{
	long nr = balloon_leave_end(&xb->queue);

	comes(xb, -nr);
	if (nr)
		WRITE_ONCE(xb->hotplug.block,
			   xb->kernel->expected(xb) == nr ? number_of(range) : 0);
}

/* How much of a block has no memory behind it. */
static unsigned long count_holes(struct xen_balloon *xb, const struct memory_notify *range)
{
	unsigned long i, nr = 0;

	if (balloon_hotplug_is_fresh(xb, range->start_pfn))
		return range->nr_pages;

	for (i = 0; i < range->nr_pages; i++) {
		nr += !xb->ops->populated(pfn_to_page(range->start_pfn + i));
		cond_resched();
	}

	return nr;
}

static int note(struct notifier_block *nb, unsigned long action, void *data)
{
	struct xen_balloon *xb = container_of(nb, struct xen_balloon, blocks.nb);
	const struct memory_notify *range = data;

	mutex_lock(&xb->step_lock);
	switch (action) {
	case MEM_GOING_OFFLINE:
		going_offline(xb, range);
		break;
	case MEM_CANCEL_OFFLINE:
		stays_online(xb, range);
		break;
	case MEM_OFFLINE:
		is_offline(xb, range);
		break;
	case MEM_GOING_ONLINE:
		xb->blocks.onlining = true;
		xb->blocks.coming = count_holes(xb, range);
		comes(xb, xb->blocks.coming);
		cmpxchg(&xb->hotplug.block, number_of(range), 0);
		break;
	case MEM_CANCEL_ONLINE:
		/* Of what nothing was told before, too: another notifier was against it. */
		comes(xb, -xb->blocks.coming);
		fallthrough;
	case MEM_ONLINE:
		xb->blocks.onlining = false;
		xb->blocks.coming = 0;
		break;
	default:
		break;
	}
	mutex_unlock(&xb->step_lock);

	/* All that is online now is on the in-tree driver's list, and what of it is the guest's. */
	if (action == MEM_ONLINE)
		balloon_worker_again(xb);
	else
		balloon_worker_kick(xb);

	return NOTIFY_OK;
}

#ifdef CONFIG_MEMORY_HOTPLUG
/*
 * Whoever sets memory online just now may have begun before he was heard. The call
 * changes nothing, since nobody has that callback; but it waits for him.
 */
static void wait_for_onlining(void)
{
	restore_online_page_callback(NULL);
}
#else
static void wait_for_onlining(void)
{
}
#endif

struct holes {
	const struct xen_balloon *xb;
	unsigned long nr;
};

static int count_offline(struct resource *memory, void *data)
{
	unsigned long end = PHYS_PFN(memory->end + 1), block = PHYS_PFN(memory_block_size_bytes());
	unsigned long pfn = PFN_UP(memory->start);
	struct holes *holes = data;

	while (pfn < end) {
		if (pfn_to_online_page(pfn)) {
			pfn = ALIGN(pfn + 1, block);
			continue;
		}
		holes->nr += !holes->xb->ops->populated(pfn_to_page(pfn));
		pfn++;
		cond_resched();
	}

	return 0;
}

/**
 * balloon_blocks_holes - how much of what is offline has no memory behind it?
 * @xb: the driver, which need not have been told when it went
 *
 * Context: may sleep; asks Xen for each page of it.
 * Return: in pages.
 */
unsigned long balloon_blocks_holes(const struct xen_balloon *xb)
{
	struct holes holes = { .xb = xb };

	walk_iomem_res_desc(IORES_DESC_NONE, IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY, 0, -1,
			    &holes, count_offline);

	return holes.nr;
}

/**
 * balloon_blocks_init - be told of memory that is set offline or online
 * @xb: the driver
 *
 * A kernel that does not leave it to a balloon driver what comes online would take what
 * has no memory for its own: there nothing that is ballooned out goes offline.
 *
 * Context: before the in-tree driver's pages are taken over, so that none is missed; may
 * sleep, as long as somebody sets memory online.
 * Return: 0, to be undone by balloon_blocks_exit(); or a negative errno.
 */
int balloon_blocks_init(struct xen_balloon *xb)
{
	int ret;

	xb->blocks.nb.notifier_call = note;
	if (!xb->kernel->online)
		return 0;

	ret = register_memory_notifier(&xb->blocks.nb);
	if (!ret)
		wait_for_onlining();
	return ret;
}

/**
 * balloon_blocks_end - nothing that is ballooned out goes offline any more
 * @xb: the driver, its worker not yet stopped
 *
 * Context: may sleep, as long as somebody tries to set memory offline.
 */
void balloon_blocks_end(struct xen_balloon *xb)
{
	mutex_lock(&xb->step_lock);
	xb->blocks.over = true;
	mutex_unlock(&xb->step_lock);
	wait_event_idle(xb->wait, !balloon_figures(&xb->queue).leaving);
}

/**
 * balloon_blocks_exit - undo balloon_blocks_init()
 * @xb: the driver, which has nothing any more
 */
void balloon_blocks_exit(struct xen_balloon *xb)
{
	if (xb->kernel->online)
		unregister_memory_notifier(&xb->blocks.nb);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/blocks-kunit.h"
#endif
