/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of movable.c: which regions can be emptied.
 */
#include "fill.h"

static void only_what_programs_have_can_be_moved(struct kunit *test)
{
	unsigned long pfn = page_to_pfn(sim_page(2, 0));
	unsigned int at;

	KUNIT_EXPECT_EQ(test, balloon_region_movable(pfn, 64, &at), 0);
	occupy(test, 2, 0, 7, SIM_PROGRAM);
	occupy(test, 2, 300, 5, SIM_PROGRAM);
	occupy(test, 2, 511, 1, SIM_PROGRAM);
	KUNIT_EXPECT_EQ(test, balloon_region_movable(pfn, 64, &at), 0);

	/* One on its way to the free list. */
	set_page_count(sim_page(2, 3), 0);
	ClearPageLRU(sim_page(2, 3));
	KUNIT_EXPECT_EQ(test, balloon_region_movable(pfn, 64, &at), 0);
	set_page_count(sim_page(2, 3), 1);

	pfn = page_to_pfn(sim_page(0, 0)) - 512;
	KUNIT_EXPECT_EQ(test, balloon_region_movable(pfn, 64, &at), -EBUSY);
}

/* What it holds is nobody's. */
static void inside_of_a_free_block_is_not_looked_at(struct kunit *test)
{
	static const unsigned int stale[] = { 256, 300, 511 };
	unsigned int i, at;

	occupy(test, 2, 0, 1, SIM_PROGRAM);
	for (i = 0; i < ARRAY_SIZE(stale); i++)
		SetPageReserved(sim_page(2, stale[i]));
	KUNIT_EXPECT_EQ(test, balloon_region_movable(page_to_pfn(sim_page(2, 0)), 64, &at), 0);
	for (i = 0; i < ARRAY_SIZE(stale); i++)
		ClearPageReserved(sim_page(2, stale[i]));
}

struct flag_case {
	const char *name;
	unsigned int index;
	void (*set)(struct page *page);
	void (*clear)(struct page *page);
};

static void set_reserved(struct page *page)
{
	SetPageReserved(page);
}

static void clear_reserved(struct page *page)
{
	ClearPageReserved(page);
}

static void set_ballooned(struct page *page)
{
	set_page_count(page, 0);
	atomic_set(&page->_mapcount, -1);
	__SetPageOffline(page);
}

static void clear_ballooned(struct page *page)
{
	__ClearPageOffline(page);
	atomic_set(&page->_mapcount, 0);
	set_page_count(page, 1);
}

static void set_locked(struct page *page)
{
	folio_set_mlocked(page_folio(page));
}

static void clear_locked(struct page *page)
{
	folio_clear_mlocked(page_folio(page));
}

static void set_unevictable(struct page *page)
{
	folio_set_unevictable(page_folio(page));
}

static void clear_unevictable(struct page *page)
{
	folio_clear_unevictable(page_folio(page));
}

/* In a pipe, or under the hands of a device. */
static void set_held(struct page *page)
{
	page_ref_inc(page);
}

static void clear_held(struct page *page)
{
	page_ref_dec(page);
}

static void set_kernel(struct page *page)
{
	ClearPageLRU(page);
}

static void clear_kernel(struct page *page)
{
	SetPageLRU(page);
}

static void set_dirty(struct page *page)
{
	folio_clear_swapbacked(page_folio(page));
	SetPageDirty(page);
}

static void clear_dirty(struct page *page)
{
	ClearPageDirty(page);
}

static void set_unread(struct page *page)
{
	folio_clear_swapbacked(page_folio(page));
	ClearPageUptodate(page);
}

static void clear_unread(struct page *page)
{
	SetPageUptodate(page);
}

static const struct flag_case flag_cases[] = {
	{ "reserved", 200, set_reserved, clear_reserved },
	{ "reserved first", 0, set_reserved, clear_reserved },
	{ "reserved last", 511, set_reserved, clear_reserved },
	{ "ballooned", 200, set_ballooned, clear_ballooned },
	{ "ballooned last", 511, set_ballooned, clear_ballooned },
	{ "the kernel's", 200, set_kernel, clear_kernel },
	{ "the kernel's, last", 511, set_kernel, clear_kernel },
	{ "locked in memory", 200, set_locked, clear_locked },
	{ "not to be evicted", 511, set_unevictable, clear_unevictable },
	{ "held", 200, set_held, clear_held },
	{ "of a file, and dirty", 200, set_dirty, clear_dirty },
	{ "of a file that could not be read", 200, set_unread, clear_unread },
};

static void flag_case_name(const struct flag_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(flag, flag_cases, flag_case_name);

static void page_that_cannot_be_moved_bars_its_region(struct kunit *test)
{
	const struct flag_case *c = test->param_value;
	struct page *page = sim_page(2, c->index);
	unsigned long pfn = page_to_pfn(sim_page(2, 0));
	unsigned int at;

	occupy(test, 2, 0, 512, SIM_PROGRAM);
	KUNIT_EXPECT_EQ(test, balloon_region_movable(pfn, 64, &at), 0);
	c->set(page);
	KUNIT_EXPECT_EQ(test, balloon_region_movable(pfn, 64, &at), -EBUSY);
	KUNIT_EXPECT_EQ(test, at, c->index);
	c->clear(page);
}

/* A clean page of a file is dropped, and not moved. */
static void clean_cache_bars_its_region_while_it_is_in_use(struct kunit *test)
{
	struct folio *folio = page_folio(sim_page(2, 200));
	unsigned long pfn = page_to_pfn(sim_page(2, 0));
	unsigned int at;

	occupy(test, 2, 0, 512, SIM_PROGRAM);
	folio_set_active(folio);
	KUNIT_EXPECT_EQ(test, balloon_region_movable(pfn, 512, &at), 0);
	folio_clear_swapbacked(folio);
	KUNIT_EXPECT_EQ(test, balloon_region_movable(pfn, 512, &at), -EBUSY);
	KUNIT_EXPECT_EQ(test, at, 200U);
	folio_clear_active(folio);
	KUNIT_EXPECT_EQ(test, balloon_region_movable(pfn, 512, &at), 0);
	folio_set_workingset(folio);
	KUNIT_EXPECT_EQ(test, balloon_region_movable(pfn, 512, &at), -EBUSY);
	folio_clear_workingset(folio);
	folio_set_swapbacked(folio);
}

static struct kunit_case movable_cases[] = {
	KUNIT_CASE(only_what_programs_have_can_be_moved),
	KUNIT_CASE(inside_of_a_free_block_is_not_looked_at),
	KUNIT_CASE_PARAM(page_that_cannot_be_moved_bars_its_region, flag_gen_params),
	KUNIT_CASE(clean_cache_bars_its_region_while_it_is_in_use),
	{}
};

static struct kunit_suite movable_suite = {
	.name = "movable",
	.init = fill_init,
	.exit = sim_exit_part,
	.test_cases = movable_cases,
};

kunit_test_suite(movable_suite);
