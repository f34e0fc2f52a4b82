/* SPDX-License-Identifier: GPL-2.0 */
/*
 * is_migrate_cma_page() for modules, which cannot call get_pfnblock_flags_mask().
 * What type a pageblock is of stands in the lowest three of its bits.
 */
#ifndef _COMPAT_PAGEBLOCK_H
#define _COMPAT_PAGEBLOCK_H

#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/pageblock-flags.h>

#ifdef CONFIG_CMA
static inline bool page_in_cma(struct page *page)
{
	unsigned long pfn = page_to_pfn(page), *bits, at;

	if (!zone_cma_pages(page_zone(page)))
		return false;

	bits = section_to_usemap(__pfn_to_section(pfn));
	at = (pfn % PAGES_PER_SECTION >> pageblock_order) * NR_PAGEBLOCK_BITS;

	return (READ_ONCE(bits[at / BITS_PER_LONG]) >> at % BITS_PER_LONG & MIGRATETYPE_MASK) ==
	       MIGRATE_CMA;
}
#else
static inline bool page_in_cma(struct page *page)
{
	return false;
}
#endif

#endif
