// SPDX-License-Identifier: GPL-2.0
/*
 * Memory beyond what the kernel booted with: when all that was ballooned out is back
 * and the target is still above that, a block of memory is added to the kernel, as if
 * it had been plugged in. It has nothing behind it. Once it is online its pages are on
 * the in-tree driver's list, and from there they are ballooned out pages as any others.
 *
 * That is one block at a time: what the kernel needs for the struct pages of the next
 * may come from the one before. A work of its own does it, which holds nothing of the
 * driver's: add_memory() waits for whoever sets memory online or offline just now, and
 * that may take for ever. Targets are followed meanwhile.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ioport.h>
#include <linux/ktime.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/numa.h>
#include <linux/printk.h>
#include <linux/range.h>
#include <linux/ratelimit.h>

#include "balloon.h"

/* How long who sets new memory online may take for it, before that is said. */
#define PATIENCE_NS	(4 * NSEC_PER_SEC)
/* When to try again to add a block that could not be added. */
#define AGAIN_NS	(10 * NSEC_PER_SEC)

static unsigned long block_pages(void)
{
	return memory_block_size_bytes() / PAGE_SIZE;
}

/* What the struct pages of a block take. */
static unsigned long block_cost(void)
{
	return PFN_UP(block_pages() * sizeof(struct page));
}

#ifdef CONFIG_MEMORY_HOTPLUG
/*
 * The block goes where neither memory nor a device is. add_memory() claims that place
 * itself, so it is let go of before: should somebody be faster, nothing is added.
 */
static int add_block(struct xen_balloon *xb)
{
	u64 size = memory_block_size_bytes();
	struct range range = mhp_get_pluggable_range(true);
	struct resource place = { .name = KBUILD_MODNAME, .flags = IORESOURCE_SYSTEM_RAM };
	unsigned long block;
	int ret;

	ret = allocate_resource(&iomem_resource, &place, size, range.start, range.end, size,
				NULL, NULL);
	if (ret)
		return ret;
	if (xb->ops->make_holes)
		ret = xb->ops->make_holes(PHYS_PFN(place.start), block_pages());
	if (!ret && xb->ops->reach)
		ret = xb->ops->reach(PHYS_PFN(place.end));
	release_resource(&place);
	if (ret)
		return ret;

	/* The kernel may pass its pages on before it says that they were added. */
	block = PHYS_PFN(place.start) / block_pages();
	WRITE_ONCE(xb->hotplug.block, block);
	WRITE_ONCE(xb->hotplug.fresh, block);
	xb->kernel->expect(block_pages());
	ret = add_memory(memory_add_physaddr_to_nid(place.start), place.start, size,
			 MHP_MERGE_RESOURCE);
	if (ret)
		xb->kernel->expect(-block_pages());
	else
		balloon_count(xb, COUNT_HOTPLUGGED, block_pages());

	return ret;
}
#else
static int add_block(struct xen_balloon *xb)
{
	return -EOPNOTSUPP;
}
#endif

static void add_work(struct work_struct *work)
{
	struct balloon_hotplug *h = container_of(work, struct balloon_hotplug, add);
	struct xen_balloon *xb = container_of(h, struct xen_balloon, hotplug);

	h->error = add_block(xb);
	h->added_at = ktime_get_ns();
	/* Pairs with that of balloon_hotplug_is_adding(). */
	smp_store_release(&h->adding, false);
	balloon_worker_kick(xb);
}

/*
 * Does Xen let the guest have what is wanted beyond @ceiling? When it does not let it have
 * all of it, the target cannot be reached: then a block has to be worth what it takes.
 */
static bool is_allowed(const struct xen_balloon *xb, unsigned long ceiling, unsigned long guest)
{
	unsigned long room = balloon_headroom(xb);

	/* Nobody knows. */
	if (room == ULONG_MAX)
		return false;

	room -= min(room, ceiling - guest);
	return room >= xb->target.wanted - ceiling || room > block_cost();
}

/**
 * balloon_hotplug_is_adding - is a block being added just now?
 * @xb: the driver
 *
 * Context: step_lock held, under which it begins.
 */
bool balloon_hotplug_is_adding(const struct xen_balloon *xb)
{
	lockdep_assert_held(&xb->step_lock);

	/* Pairs with that of add_work(). */
	return smp_load_acquire(&xb->hotplug.adding);
}

/* Where it stands, for a guest that can have @ceiling without. */
static enum balloon_hotplug_state look(struct xen_balloon *xb, unsigned long ceiling)
{
	struct balloon_hotplug *h = &xb->hotplug;
	u64 since;

	lockdep_assert_held(&xb->step_lock);

	/* What is lent may come back. */
	if (xb->target.wanted <= xb->total)
		return HOTPLUG_NOT_NEEDED;
	if (!xb->kernel->expect)
		return HOTPLUG_UNSUPPORTED;
	if (balloon_hotplug_is_adding(xb))
		return HOTPLUG_UNDER_WAY;

	since = ktime_get_ns() - h->added_at;
	if (xb->kernel->expected(xb))
		return since < PATIENCE_NS ? HOTPLUG_UNDER_WAY : HOTPLUG_OFFLINE;
	if (h->error && since < AGAIN_NS)
		return HOTPLUG_FAILED;
	/* What lies beyond what Xen's tools saw when they began would not be sent. */
	if (balloon_is_watched(xb))
		return HOTPLUG_UNDER_WAY;
	if (!is_allowed(xb, ceiling, balloon_figures(&xb->queue).guest))
		return HOTPLUG_LIMITED;

	return HOTPLUG_POSSIBLE;
}

/**
 * balloon_hotplug_may - may there soon be more than a guest can have now?
 * @xb: the driver
 * @ceiling: what it can have now, in pages, which is less than its target
 *
 * Context: step_lock held.
 */
bool balloon_hotplug_may(struct xen_balloon *xb, unsigned long ceiling)
{
	enum balloon_hotplug_state state = look(xb, ceiling);

	return state == HOTPLUG_POSSIBLE || state == HOTPLUG_UNDER_WAY;
}

static void say(const struct xen_balloon *xb, enum balloon_hotplug_state state)
{
	unsigned long block = READ_ONCE(xb->hotplug.block);
	const struct balloon_hotplug *h = &xb->hotplug;
	char name[32] = "memory*";

	switch (state) {
	case HOTPLUG_OFFLINE:
		/* There may be more than one, or one from before this driver was loaded. */
		if (block)
			snprintf(name, sizeof(name), "memory%lu", block);
		pr_warn("%lu KiB of memory are offline: write online to /sys/devices/system/memory/%s/state, and to /sys/devices/system/memory/auto_online_blocks for what will be added\n",
			PAGES_TO_KB(xb->kernel->expected(xb)), name);
		break;
	case HOTPLUG_LIMITED:
		pr_warn("Xen does not let this guest have more, as far as it tells: xl mem-max sets how much it may have\n");
		break;
	case HOTPLUG_FAILED:
		pr_warn("cannot add %lu KiB of memory (%d), for which %lu KiB are needed: trying again\n",
			PAGES_TO_KB(block_pages()), h->error, PAGES_TO_KB(block_cost()));
		break;
	case HOTPLUG_UNSUPPORTED:
		pr_warn("this kernel cannot get more memory than at boot, expected CONFIG_XEN_BALLOON_MEMORY_HOTPLUG: boot the guest with a larger maxmem\n");
		break;
	default:
		break;
	}
}

/**
 * balloon_hotplug - see that there is more memory, for a target above what the guest can have
 * @xb: the driver, in a guest that has all that it can have now
 *
 * When there will be none, what would help is said, once.
 *
 * Context: the worker, under step_lock.
 */
void balloon_hotplug(struct xen_balloon *xb)
{
	struct balloon_hotplug *h = &xb->hotplug;
	enum balloon_hotplug_state state = look(xb, balloon_figures(&xb->queue).guest +
						    xb->elastic.given);
	unsigned long of = state == HOTPLUG_OFFLINE ? READ_ONCE(h->block) : xb->target.wanted;

	if (state == HOTPLUG_POSSIBLE && !h->over) {
		WRITE_ONCE(h->adding, true);
		queue_work(system_unbound_wq, &h->add);
	}
	/* Should it come to the same once more, that is news again. */
	if (state == HOTPLUG_NOT_NEEDED)
		h->said = state;
	if (state >= HOTPLUG_UNSUPPORTED && (state != h->said || of != h->said_of) &&
	    __ratelimit(&h->often)) {
		say(xb, state);
		h->said = state;
		h->said_of = of;
	}
}

/**
 * balloon_hotplug_is_fresh - is a block online for the first time, so that nothing of it
 *	has memory?
 * @xb: the driver
 * @pfn: its first pfn
 *
 * Context: it is about to be online.
 * Return: true at most once for each block that was added, and for none that this driver
 * did not add.
 */
bool balloon_hotplug_is_fresh(struct xen_balloon *xb, unsigned long pfn)
{
	unsigned long block = pfn / block_pages();

	return cmpxchg(&xb->hotplug.fresh, block, 0) == block;
}

/**
 * balloon_hotplug_init - memory can be added
 * @xb: the driver
 */
void balloon_hotplug_init(struct xen_balloon *xb)
{
	INIT_WORK(&xb->hotplug.add, add_work);
	ratelimit_state_init(&xb->hotplug.often, SAY_INTERVAL, SAY_BURST);
}

/**
 * balloon_hotplug_end - no memory is added any more
 * @xb: the driver, which otherwise goes on
 *
 * Context: may sleep, as long as somebody sets other memory online or offline.
 */
void balloon_hotplug_end(struct xen_balloon *xb)
{
	mutex_lock(&xb->step_lock);
	xb->hotplug.over = true;
	mutex_unlock(&xb->step_lock);
	flush_work(&xb->hotplug.add);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/hotplug-kunit.h"
#endif
