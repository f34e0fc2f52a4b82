// SPDX-License-Identifier: GPL-2.0
/*
 * What can be moved out of a region, so that all of it is one free huge page: seen before
 * alloc_contig_range() is asked, which moves whatever it can, whoever minds, and waits for
 * devices with no limit. What is seen is a hint: nothing is locked.
 */
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>

#include "balloon.h"

/*
 * Of a file: alloc_contig_range() drops it rather than move it when it is clean, see
 * reclaim_clean_pages_from_list().
 */
static bool is_cache(struct folio *folio)
{
	return folio_test_lru(folio) && !folio_test_swapbacked(folio);
}

/*
 * Does a page wait for a device, or will who touches it? Then alloc_contig_range()
 * would wait as well, with no limit.
 */
static bool is_under_io(struct folio *folio)
{
	return folio_test_locked(folio) || folio_test_writeback(folio) ||
	       (is_cache(folio) && (folio_test_dirty(folio) || !folio_test_uptodate(folio)));
}

/* Is it cache that somebody uses, so that it would have to be read again? */
static bool is_in_use(struct folio *folio)
{
	return folio_test_active(folio) || folio_test_workingset(folio);
}

/* Would a program's huge page be split, for want of a place to move it to? */
static bool would_split(struct page *page)
{
	return PageHead(page) && folio_order(page_folio(page)) >= XENMEM_HUGE_ORDER &&
	       !balloon_free_in_blocks(XENMEM_HUGE_ORDER, ZONE_MOVABLE);
}

/*
 * Has somebody a page who is no page table: a pipe, a device that it is pinned for?
 * Then it cannot be moved. Of a large folio it is told by pins alone.
 */
static bool is_held(struct folio *folio)
{
	int expected = atomic_read(&folio->_mapcount) + 1 + folio_test_swapcache(folio);

	if (folio_test_large(folio))
		return folio_maybe_dma_pinned(folio);
	/* The page cache has it, and a filesystem that keeps something with it. */
	if (!folio_test_anon(folio))
		expected += !!READ_ONCE(folio->mapping) + folio_test_private(folio);

	return folio_ref_count(folio) > expected;
}

/*
 * Is a page locked in memory? Whoever did that may be a real-time program, which does
 * not bear that its pages are moved: vm.compact_unevictable_allowed = 0 keeps the
 * kernel's own compaction from it, but alloc_contig_range() does not ask.
 */
static bool is_mlocked(struct folio *folio)
{
	return folio_test_mlocked(folio) || folio_test_unevictable(folio);
}

/**
 * balloon_is_stuck - can a page not be moved just now, without waiting for a
 *	device, or is it not to be?
 * @page: the page, in use or not
 *
 * Context: any.
 */
bool balloon_is_stuck(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (!IS_ENABLED(CONFIG_CONTIG_ALLOC))
		return true;
	/* A base page of ours goes, a page of a huge one does not. */
	if (PageBuddy(page) || __PageMovable(page))
		return false;
	if (PageReserved(page) || PageOffline(page))
		return true;
	/* Of the kernel, or of hugetlb's pool. */
	if ((page_count(page) || PageCompound(page)) && !PageLRU(page))
		return true;
	if (PageLRU(page) && (is_mlocked(folio) || is_held(folio)))
		return true;

	return is_under_io(folio);
}

/**
 * balloon_region_movable - can all that is in use in a region be moved?
 * @start_pfn: its first pfn
 * @max_cache: how many clean pages of files may be dropped for it, none of them in use
 * @at: with -EBUSY, which of its pages is in the way, from 0 on
 *
 * Context: any.
 * Return: 0 if so; -EAGAIN when it could with more free memory in one piece; -EBUSY.
 */
int balloon_region_movable(unsigned long start_pfn, unsigned int max_cache, unsigned int *at)
{
	struct page *page = pfn_to_online_page(start_pfn);
	unsigned int i, run, cache = 0;
	int ret = 0;

	*at = 0;
	if (!page || !balloon_region_is_plain(page))
		return -EBUSY;

	for (i = 0; i < XENMEM_HUGE_PAGES; i += max(run, 1U)) {
		struct folio *folio = page_folio(page + i);

		*at = i;
		run = balloon_free_run(page + i);
		if (run || __PageMovable(page + i))
			continue;
		if (balloon_is_stuck(page + i))
			return -EBUSY;
		if (is_cache(folio) && (is_in_use(folio) || ++cache > max_cache))
			return -EBUSY;
		if (would_split(page + i))
			ret = -EAGAIN;
	}

	return ret;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/movable-kunit.h"
#endif
