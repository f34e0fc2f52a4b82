// SPDX-License-Identifier: GPL-2.0
/*
 * What is free in the kernel's memory, and whether it can do without some of it. That is
 * a hint: nothing is locked, so that all may change, and the allocator has the last word.
 */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "balloon.h"

/* The zone below, of 16 MiB, is kept for old devices. */
#define FIRST_ZONE	IS_ENABLED(CONFIG_ZONE_DMA)

/**
 * balloon_is_for_devices - is a page of the memory that is kept for old devices?
 * @page: the page
 *
 * Context: any.
 */
bool balloon_is_for_devices(struct page *page)
{
	return zone_idx(page_zone(page)) < FIRST_ZONE;
}

/**
 * balloon_free_run - how long the free block at a page is
 * @page: the page
 *
 * Context: any.
 * Return: pages, up to those of a region; 0 when it is in use.
 */
unsigned int balloon_free_run(struct page *page)
{
	if (!PageBuddy(page))
		return 0;

	return 1U << min_t(unsigned long, READ_ONCE(page->private), XENMEM_HUGE_ORDER);
}

/* Is a region the second half of a free block of twice its size? */
static bool in_large_block(struct page *page)
{
	struct page *first = page - (page_to_pfn(page) & XENMEM_HUGE_PAGES);

	return first != page && PageBuddy(first) &&
	       READ_ONCE(first->private) > XENMEM_HUGE_ORDER;
}

/**
 * balloon_free_in_region - how many pages of a region are free just now
 * @pfn: any pfn of the region
 *
 * Context: any.
 */
unsigned int balloon_free_in_region(unsigned long pfn)
{
	struct page *page = pfn_to_online_page(round_down(pfn, XENMEM_HUGE_PAGES));
	unsigned int i, run, nr_free = 0;

	if (page && in_large_block(page))
		return XENMEM_HUGE_PAGES;

	for (i = 0; page && i < XENMEM_HUGE_PAGES; i += max(run, 1U)) {
		run = balloon_free_run(page + i);
		nr_free += run;
	}

	return min_t(unsigned int, nr_free, XENMEM_HUGE_PAGES);
}

/**
 * balloon_free_in_blocks - how much of the guest is free in large blocks
 * @least: of this order and more
 * @last: up to this zone of each node
 *
 * Context: any.
 * Return: pages.
 */
unsigned long balloon_free_in_blocks(unsigned int least, enum zone_type last)
{
	unsigned int i, order;
	unsigned long pages = 0;
	struct zone *zone;
	int nid;

	for_each_online_node(nid) {
		for (i = FIRST_ZONE; i <= last; i++) {
			zone = &NODE_DATA(nid)->node_zones[i];
			for (order = least; order < ARRAY_SIZE(zone->free_area); order++)
				pages += READ_ONCE(zone->free_area[order].nr_free) << order;
		}
	}

	return pages;
}

/**
 * balloon_node_free_at_ease - how much of a node is free that the allocator hands out without
 *	waking anybody
 * @nid: the node, but for its movable memory
 *
 * Context: any.
 * Return: pages.
 */
unsigned long balloon_node_free_at_ease(int nid)
{
	unsigned long pages = 0, nr_free, kept;
	struct zone *zone;
	unsigned int i;

	for (i = FIRST_ZONE; i <= ZONE_NORMAL; i++) {
		zone = &NODE_DATA(nid)->node_zones[i];
		nr_free = zone_page_state(zone, NR_FREE_PAGES);
		/* Not everybody may have that. */
		nr_free -= min(nr_free, zone_page_state(zone, NR_FREE_CMA_PAGES));
		kept = high_wmark_pages(zone) + zone->lowmem_reserve[ZONE_NORMAL];
		pages += nr_free - min(nr_free, kept);
	}

	return pages;
}

/**
 * balloon_free_at_ease - how much is that of all nodes?
 *
 * Context: any.
 * Return: pages.
 */
unsigned long balloon_free_at_ease(void)
{
	unsigned long pages = 0;
	int nid;

	for_each_online_node(nid)
		pages += balloon_node_free_at_ease(nid);

	return pages;
}

/**
 * balloon_available - how much programs can get before anything has to be swapped out, or to
 *	be had of the kernel's caches, but for that of files
 *
 * Nobody can tell how much these would give: of what is named in memory alone, as in an
 * initramfs, it is nothing. Nor does anybody get by how much the kernel has raised its
 * watermarks since pages of different kinds mix (vm.watermark_boost_factor), which stays so
 * where kswapd has nothing to reclaim. si_mem_available() counts both.
 *
 * Context: any.
 * Return: pages; may be below 0.
 */
long balloon_available(void)
{
	unsigned long slab = global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B) +
			     global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE);
	unsigned long low = 0, boost = 0;
	struct zone *zone;
	unsigned int i;
	int nid;

	for_each_online_node(nid) {
		for (i = 0; i < MAX_NR_ZONES; i++) {
			zone = &NODE_DATA(nid)->node_zones[i];
			low += low_wmark_pages(zone);
			boost += READ_ONCE(zone->watermark_boost);
		}
	}

	return si_mem_available() - (long)(slab - min(slab / 2, low) + boost);
}

/**
 * balloon_zone_has_spare - can a zone do without 2 MiB?
 * @zone: the zone
 *
 * What it keeps for those who can use no other it keeps, as well as the kernel's reserves,
 * as it would if the allocator were asked for them: alloc_contig_range() heeds neither.
 *
 * Context: any.
 */
bool balloon_zone_has_spare(struct zone *zone)
{
	unsigned long kept = zone->lowmem_reserve[ZONE_NORMAL];
	unsigned long least = kept ? high_wmark_pages(zone) + kept : min_wmark_pages(zone);

	return zone_page_state(zone, NR_FREE_PAGES) >= least + XENMEM_HUGE_PAGES;
}

/**
 * balloon_node_has_spare - has a node so much free memory that what is in a region of it
 *	can stay there?
 * @nid: the node
 *
 * Else it would go to another node, whatever programs have asked for.
 *
 * Context: any.
 */
bool balloon_node_has_spare(int nid)
{
	unsigned long spare = 0, nr_free, kept;
	struct zone *zone;
	unsigned int i;

	/* What a zone keeps from programs they do not get, nor does another zone make up for it. */
	for (i = FIRST_ZONE; i <= ZONE_MOVABLE; i++) {
		zone = &NODE_DATA(nid)->node_zones[i];
		nr_free = zone_page_state(zone, NR_FREE_PAGES);
		kept = high_wmark_pages(zone) + zone->lowmem_reserve[ZONE_MOVABLE];
		spare += nr_free - min(nr_free, kept);
	}

	return spare >= 2 * XENMEM_HUGE_PAGES;
}

/**
 * balloon_has_spare - has the guest so much free memory that a huge page
 *	of it would not be missed?
 * @xb: the driver
 *
 * To empty a region takes as much free memory elsewhere.
 *
 * Context: any but under queue.lock.
 */
bool balloon_has_spare(struct xen_balloon *xb)
{
	return nr_free_pages() >= balloon_reserve(xb) + 2 * XENMEM_HUGE_PAGES;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/free-kunit.h"
#endif
