/* SPDX-License-Identifier: GPL-2.0 */
/*
 * <linux/balloon_compaction.h> for all kernels. How a page leaves the hands of
 * balloon compaction was one function, balloon_page_delete(), whether or not it
 * is isolated; now the caller takes it off the list, unless it is isolated, and
 * then calls balloon_page_finalize().
 */
#ifndef _COMPAT_BALLOON_COMPACTION_H
#define _COMPAT_BALLOON_COMPACTION_H

#include <linux/balloon_compaction.h>
#include <linux/vmstat.h>

/* What /proc/vmstat counts, in a kernel that has any balloon. */
#if defined(CONFIG_MEMORY_BALLOON) || defined(CONFIG_BALLOON)
#define count_balloon_inflate(pages)	count_vm_events(BALLOON_INFLATE, pages)
#define count_balloon_deflate(pages)	count_vm_events(BALLOON_DEFLATE, pages)
#else
#define count_balloon_inflate(pages)	((void)(pages))
#define count_balloon_deflate(pages)	((void)(pages))
#endif
#if defined(CONFIG_BALLOON_COMPACTION) || defined(CONFIG_BALLOON_MIGRATION)
#define count_balloon_migrate()		count_vm_event(BALLOON_MIGRATE)
#else
#define count_balloon_migrate()		do { } while (0)
#endif

#ifdef HAVE_BALLOON_PAGE_FINALIZE
/* Take a page that is not isolated out of the list; it is PageOffline no more. */
static inline void balloon_page_remove(struct page *page)
{
	list_del(&page->lru);
	balloon_page_finalize(page);
}
#else
#define balloon_page_remove(page)	balloon_page_delete(page)
#define balloon_page_finalize(page)	balloon_page_delete(page)
#endif

#endif
