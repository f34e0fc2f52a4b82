/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pages that go offline while they are PageOffline and have no reference: since 6.11 the
 * kernel takes them for what they are, before it counts all of a block as its own.
 */
#ifndef _COMPAT_MEMORY_HOTPLUG_H
#define _COMPAT_MEMORY_HOTPLUG_H

#include <linux/mm.h>

/**
 * count_leaving - so many pages are about to go offline so, or, below 0, do not after all
 * @page: a page of their zone
 * @nr: how many
 */
static inline void count_leaving(struct page *page, long nr)
{
#ifndef HAVE_UNMANAGED_PAGE_OFFLINE
	adjust_managed_page_count(page, nr);
#endif
}

#endif
