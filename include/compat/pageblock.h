/* SPDX-License-Identifier: GPL-2.0 */
/*
 * get_pageblock_migratetype() for modules, which cannot call get_pfnblock_flags_mask():
 * what type a pageblock is of stands in the lowest three of its bits.
 */
#ifndef _COMPAT_PAGEBLOCK_H
#define _COMPAT_PAGEBLOCK_H

#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/pageblock-flags.h>

static inline unsigned int pageblock_type(struct page *page)
{
	unsigned long pfn = page_to_pfn(page), *bits, at;

	bits = section_to_usemap(__pfn_to_section(pfn));
	at = (pfn % PAGES_PER_SECTION >> pageblock_order) * NR_PAGEBLOCK_BITS;

	return READ_ONCE(bits[at / BITS_PER_LONG]) >> at % BITS_PER_LONG & MIGRATETYPE_MASK;
}

/* Is a pageblock kept for allocations of many pages, CMA's or those that cannot wait? */
static inline bool pageblock_is_kept(struct page *page)
{
	unsigned int type = pageblock_type(page);

#ifdef CONFIG_CMA
	/* While cma_alloc() is at work its block is isolated. */
	if (zone_cma_pages(page_zone(page)) && (type == MIGRATE_CMA || type == MIGRATE_ISOLATE))
		return true;
#endif
	return type == MIGRATE_HIGHATOMIC;
}

#endif
