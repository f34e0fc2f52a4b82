// SPDX-License-Identifier: GPL-2.0
/*
 * What marks a page as the balloon's, for who walks over all pages and for the kernel's
 * memory compaction: that it is PageOffline, as long as it is unpopulated, so that no dump
 * and no /proc/kcore reads it; and, of a base page, whether it may be moved. Only who has
 * locked a page changes that, since compaction asks at any time.
 */
#include <linux/delay.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>

#include <compat/balloon_compaction.h>

#include "balloon.h"

/**
 * balloon_mark - pages are the balloon's
 * @page: the first of them
 * @nr: how many
 */
void balloon_mark(struct page *page, unsigned int nr)
{
	while (nr--)
		__SetPageOffline(page++);
}

/**
 * balloon_unmark - they are not any more; nobody can have a reference to them
 * @page: the first of them
 * @nr: how many
 */
void balloon_unmark(struct page *page, unsigned int nr)
{
	while (nr--)
		__ClearPageOffline(page++);
}

/**
 * balloon_forget - a page is the balloon's no longer, once nobody else has a reference to it
 * @page: the page, with one reference of ours
 *
 * What marks it goes while nobody can get a reference to it. Who walks over all pages may
 * have one just now, and may ask what kind of page it is: that takes a moment, and is
 * waited for.
 *
 * Where compaction itself has the page, in balloon_move_end(), what it expects of a
 * driver goes without that.
 *
 * Context: may sleep.
 */
void balloon_forget(struct page *page)
{
	while (!page_ref_freeze(page, 1))
		fsleep(USEC_PER_MSEC);

	balloon_unmark(page, 1);
	page->mapping = NULL;
	set_page_private(page, 0);
	page_ref_unfreeze(page, 1);
}

/**
 * balloon_let_move - let compaction move a base page
 * @q: the queue
 * @page: the page
 *
 * Should somebody who walks over all pages have it locked just now, it stays where it is.
 *
 * Context: queue.lock held.
 */
void balloon_let_move(struct balloon_queue *q, struct page *page)
{
	lockdep_assert_held(&q->lock);

	set_page_private(page, 0);
	if (!balloon_moves(q) || !trylock_page(page))
		return;

	spin_lock_irq(&q->movable.pages_lock);
	balloon_unmark(page, 1);
	balloon_page_insert(&q->movable, page);
	spin_unlock_irq(&q->movable.pages_lock);
	unlock_page(page);
}

/**
 * balloon_keep_still - keep compaction from moving a base page
 * @q: the queue
 * @page: the page
 *
 * Context: queue.lock held.
 * Return: false when it does just now.
 */
bool balloon_keep_still(struct balloon_queue *q, struct page *page)
{
	lockdep_assert_held(&q->lock);

	if (!balloon_moves(q))
		return true;
	if (!trylock_page(page))
		return false;
	/* Being moved, or moved in vain and still on a list of the kernel's. */
	if (PageIsolated(page) || (!page_private(page) && page_count(page) != 1)) {
		unlock_page(page);
		return false;
	}

	if (page_private(page)) {	/* balloon_let_move() did it */
		spin_lock_irq(&q->movable.pages_lock);
		balloon_page_remove(page);
		spin_unlock_irq(&q->movable.pages_lock);
		balloon_mark(page, 1);
	}
	page->mapping = NULL;
	unlock_page(page);

	return true;
}

/**
 * balloon_join_pages - make 512 base pages look as one page of order 9
 * @page: the first of them; each has one reference, ours
 *
 * Return: false, with nothing changed, when one has another reference.
 */
bool balloon_join_pages(struct page *page)
{
	unsigned int i;

	for (i = 1; i < XENMEM_HUGE_PAGES; i++)
		if (!page_ref_freeze(page + i, 1))
			break;
	if (i == XENMEM_HUGE_PAGES)
		return true;

	while (--i)
		page_ref_unfreeze(page + i, 1);
	return false;
}

/* Keep compaction from moving any page of a region, or none. */
static bool keep_region_still(struct balloon_queue *q, struct page *page)
{
	unsigned int i;

	for (i = 0; i < XENMEM_HUGE_PAGES; i++)
		if (!balloon_keep_still(q, page + i))
			break;
	if (i == XENMEM_HUGE_PAGES)
		return true;

	while (i--)
		balloon_let_move(q, page + i);
	return false;
}

/**
 * balloon_join_region - make 512 base pages of the queue look as one huge page
 * @q: the queue
 * @page: the first of them
 *
 * Context: queue.lock held.
 * Return: false, with nothing changed, when compaction or somebody who walks over all pages
 * has one of them just now.
 */
bool balloon_join_region(struct balloon_queue *q, struct page *page)
{
	unsigned int i;

	if (!keep_region_still(q, page))
		return false;
	if (balloon_join_pages(page))
		return true;

	for (i = 0; i < XENMEM_HUGE_PAGES; i++)
		balloon_let_move(q, page + i);
	return false;
}

/**
 * balloon_looks_queued - is this how an unpopulated page of the balloon looks?
 * @page: the page
 * @others: how many others may have a reference: of a base page compaction, too
 */
bool balloon_looks_queued(struct page *page, unsigned int others)
{
	unsigned int count = page_count(page);

	return PageOffline(page) && count >= 1 && count <= 1 + others;
}

