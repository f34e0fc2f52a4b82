/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A Xen of these tests' own, of the real one's manners: what it populates or moves
 * is not logged as written to, and a page that is populated a second time loses
 * its frame. It logs what the guest writes to, if a test does not say otherwise.
 */
#include <linux/bitmap.h>
#include <xen/interface/grant_table.h>
#include <xen/interface/version.h>

#include "assert.h"

#define FAKE_PAGES	1024U

static struct fake {
	struct page *pages;
	DECLARE_BITMAP(ram, FAKE_PAGES);
	DECLARE_BITMAP(dirty, FAKE_PAGES);
	unsigned int free;		/* frames that it still has */
	unsigned int leaked;
	unsigned int told;		/* base pages that it was given with data in them */
	bool no_move, takes_away;	/* add_to_physmap fails, and half-way */
	bool no_release;
	bool no_tables;			/* nor does it map a single page any more */
	bool claims;			/* and does not say so */
	unsigned int stray;		/* frames that it took for that */
	bool no_copy;
	bool logs;
	bool logs_from_move;		/* it begins to while it moves a page */
	bool tells_nothing;
	int version;
	const char *extra;
} fake;

static unsigned long fake_index(xen_pfn_t frame)
{
	return frame - page_to_pfn(fake.pages);
}

static bool fake_populate(xen_pfn_t frame, unsigned int nr)
{
	unsigned long i = fake_index(frame);

	if (fake.free < nr)
		return false;
	fake.free -= nr;
	if (nr == 1 && fake.no_tables) {
		fake.stray++;
		return fake.claims;
	}
	for (; nr--; i++)
		fake.leaked += __test_and_set_bit(i, fake.ram);

	return true;
}

static bool fake_release(xen_pfn_t frame, unsigned int nr)
{
	unsigned long i = fake_index(frame);

	if (fake.no_release)
		return false;
	fake.told += nr == 1 && memchr_inv(page_address(fake.pages + i), 0, PAGE_SIZE);
	for (; nr--; i++) {
		if (!__test_and_clear_bit(i, fake.ram))
			return false;
		fake.free++;
	}

	return true;
}

static long fake_move(const struct xen_add_to_physmap *map)
{
	fake.logs |= fake.logs_from_move;
	if (fake.takes_away)
		__clear_bit(fake_index(map->idx), fake.ram);
	if (fake.no_move || fake.takes_away)
		return -ENOMEM;

	__clear_bit(fake_index(map->idx), fake.ram);
	__set_bit(fake_index(map->gpfn), fake.ram);
	return 0;
}

static long fake_memory_op(unsigned int cmd, void *arg)
{
	const struct xen_memory_reservation *r = arg;
	unsigned int i;

	if (cmd == XENMEM_add_to_physmap)
		return fake_move(arg);
	if (cmd == XENMEM_current_reservation || cmd == XENMEM_maximum_reservation)
		return bitmap_weight(fake.ram, FAKE_PAGES) + fake.stray;

	for (i = 0; i < r->nr_extents; i++)
		if (!(cmd == XENMEM_populate_physmap ? fake_populate : fake_release)
		    (r->extent_start[i], 1U << r->extent_order))
			break;

	return i;
}

static int fake_grant_table_op(unsigned int cmd, void *uop, unsigned int count)
{
	struct gnttab_copy *op = uop;

	if (cmd != GNTTABOP_copy)
		return -EINVAL;
	for (; count--; op++) {
		bool good = op->source.domid == DOMID_SELF && op->dest.domid == DOMID_SELF &&
			    test_bit(fake_index(op->source.u.gmfn), fake.ram) &&
			    test_bit(fake_index(op->dest.u.gmfn), fake.ram);

		op->status = fake.no_copy ? GNTST_permission_denied :
			     good ? GNTST_okay : GNTST_bad_page;
		if (op->status == GNTST_okay && op->len)
			__set_bit(fake_index(op->dest.u.gmfn), fake.dirty);
	}

	return 0;
}

static int fake_hvm_op(int op, void *arg)
{
	struct xen_hvm_get_mem_type *query = arg;

	if (op != HVMOP_get_mem_type)
		return -EINVAL;
	if (fake.tells_nothing)
		return -EPERM;
	if (query->pfn == page_to_pfn(ZERO_PAGE(0)))
		query->mem_type = fake.logs ? HVMMEM_ram_ro : HVMMEM_ram_rw;
	else
		query->mem_type = test_bit(fake_index(query->pfn), fake.ram) ?
				  HVMMEM_ram_rw : HVMMEM_mmio_dm;
	return 0;
}

static int fake_xen_version(int cmd, void *arg)
{
	switch (cmd) {
	case XENVER_version:
		return fake.version;
	case XENVER_extraversion:
		strscpy(arg, fake.extra, XEN_EXTRAVERSION_LEN);
		return 0;
	default:
		__set_bit(fake_index(page_to_pfn(virt_to_page(arg))), fake.dirty);
		return 0;
	}
}

static const struct sim_hypercalls fake_hypercalls = {
	.memory_op = fake_memory_op,
	.grant_table_op = fake_grant_table_op,
	.hvm_op = fake_hvm_op,
	.xen_version = fake_xen_version,
};

static int translated_test_init(struct kunit *test)
{
	fake = (struct fake){
		.free = FAKE_PAGES, .logs = true, .version = 4 << 16 | 17, .extra = ".7",
	};
	fake.pages = alloc_pages(GFP_KERNEL, get_order(FAKE_PAGES << PAGE_SHIFT));
	if (!fake.pages)
		return -ENOMEM;

	sim_hypercalls = &fake_hypercalls;
	return xenmem_translated_ops.init();
}

static void translated_test_exit(struct kunit *test)
{
	sim_hypercalls = NULL;
	if (fake.pages)
		__free_pages(fake.pages, get_order(FAKE_PAGES << PAGE_SHIFT));
}

/* Populate @nr pages of an order, from the front. Returns how many were. */
static unsigned int fake_fill(unsigned int nr, unsigned int order)
{
	static struct page *pages[XENMEM_MAX_BASE];
	unsigned int i;

	for (i = 0; i < nr; i++)
		pages[i] = fake.pages + (i << order);

	return xenmem_translated_ops.populate(pages, nr, order);
}

static unsigned int marked(void)
{
	return bitmap_weight(fake.dirty, FAKE_PAGES);
}

static bool all_marked(void)
{
	return bitmap_equal(fake.dirty, fake.ram, FAKE_PAGES);
}

static void what_is_populated_is_marked(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, fake_fill(300, 0), 300U);
	KUNIT_EXPECT_EQ(test, marked(), 300U);
	KUNIT_EXPECT_TRUE(test, all_marked());
}

static void each_page_of_a_huge_page_is_marked(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, fake_fill(2, XENMEM_HUGE_ORDER), 2U);
	KUNIT_EXPECT_EQ(test, marked(), 1024U);
}

static void what_xen_did_not_populate_is_not_marked(struct kunit *test)
{
	fake.free = 100;
	KUNIT_EXPECT_EQ(test, fake_fill(300, 0), 100U);
	KUNIT_EXPECT_TRUE(test, all_marked());
	KUNIT_EXPECT_EQ(test, fake_fill(1, XENMEM_HUGE_ORDER), 0U);
	KUNIT_EXPECT_EQ(test, marked(), 100U);
}

static void where_xen_has_no_tables_few_frames_are_lost(struct kunit *test)
{
	unsigned int i;

	fake.no_tables = true;
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, fake_fill(300, 0), 0U);
	KUNIT_EXPECT_EQ(test, fake.stray, POOL_EMPTY + 1U);
	KUNIT_EXPECT_EQ(test, fake_fill(1, XENMEM_HUGE_ORDER), 1U);
	KUNIT_EXPECT_EQ(test, xenmem_translated_ops.move(fake.pages, fake.pages + 600), -EBUSY);
	KUNIT_EXPECT_EQ(test, fake.stray, POOL_EMPTY + 1U);

	/* It is asked once in a while. */
	pool.again_at = 0;
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, fake_fill(300, 0), 0U);
	KUNIT_EXPECT_EQ(test, fake.stray, POOL_EMPTY + 2U);

	/* A new domain has tables of its own. */
	fake.no_tables = false;
	xenmem_translated_ops.resumed();
	bitmap_zero(fake.ram, FAKE_PAGES);
	KUNIT_EXPECT_EQ(test, fake_fill(300, 0), 300U);
}

static void a_full_host_is_asked_as_ever(struct kunit *test)
{
	unsigned int i;

	fake.free = 0;
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, fake_fill(300, 0), 0U);
	fake.free = 300;
	KUNIT_EXPECT_EQ(test, fake_fill(300, 0), 300U);
}

/* As Xen did before 4.16. */
static void what_xen_did_not_map_is_not_taken_for_populated(struct kunit *test)
{
	fake.no_tables = true;
	fake.claims = true;
	KUNIT_EXPECT_EQ(test, fake_fill(300, 0), 0U);
	KUNIT_EXPECT_EQ(test, marked(), 0U);
}

static void where_xen_forbids_a_copy_the_page_is_marked_all_the_same(struct kunit *test)
{
	fake.no_copy = true;
	fake_fill(300, 0);
	KUNIT_EXPECT_EQ(test, marked(), 300U);
	KUNIT_EXPECT_TRUE(test, all_marked());
}

static void nothing_is_marked_while_xen_logs_nothing(struct kunit *test)
{
	fake.logs = false;
	KUNIT_EXPECT_EQ(test, fake_fill(1, XENMEM_HUGE_ORDER), 1U);
	KUNIT_EXPECT_EQ(test, marked(), 0U);
	KUNIT_EXPECT_FALSE(test, xenmem_translated_ops.logs_writes());
}

static void a_xen_that_does_not_tell_is_taken_to_log(struct kunit *test)
{
	fake.logs = false;
	fake.tells_nothing = true;
	KUNIT_EXPECT_TRUE(test, xenmem_translated_ops.logs_writes());
	fake_fill(300, 0);
	KUNIT_EXPECT_EQ(test, marked(), 300U);
}

static void another_host_decides_anew_what_is_marked(struct kunit *test)
{
	fake.version = 4 << 16 | 20;
	fake.extra = ".3";
	xenmem_translated_ops.resumed();
	fake_fill(10, 0);
	KUNIT_EXPECT_EQ(test, marked(), 0U);

	fake.extra = ".2";
	xenmem_translated_ops.resumed();
	bitmap_zero(fake.ram, FAKE_PAGES);
	fake_fill(10, 0);
	KUNIT_EXPECT_EQ(test, marked(), 10U);
}

static void the_tools_restore_superpages_from_xen_4_21_on(struct kunit *test)
{
	static const struct {
		int version;
		bool restores;
	} cases[] = { { 4 << 16 | 17, false }, { 4 << 16 | 20, false }, { 4 << 16 | 21, true },
		      { 5 << 16, true }, { -EPERM, false } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		fake.version = cases[i].version;
		KUNIT_EXPECT_EQ(test, xenmem_translated_ops.restores_whole(), cases[i].restores);
	}
}

/*
 * Move the memory of the first page to the second, while Xen begins to log; only that
 * of the first is there.
 */
static int fake_try_move(void)
{
	fake.logs = false;
	fake.logs_from_move = true;
	bitmap_zero(fake.dirty, FAKE_PAGES);
	__set_bit(0, fake.ram);

	return xenmem_translated_ops.move(fake.pages, fake.pages + 1);
}

static void what_is_moved_is_marked(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, fake_try_move(), 0);
	KUNIT_EXPECT_TRUE(test, test_bit(1, fake.dirty));
	KUNIT_EXPECT_FALSE(test, test_bit(0, fake.ram));
	KUNIT_EXPECT_TRUE(test, all_marked());
}

static void nothing_is_moved_while_xen_logs_writes(struct kunit *test)
{
	__set_bit(0, fake.ram);
	KUNIT_EXPECT_EQ(test, xenmem_translated_ops.move(fake.pages, fake.pages + 1), -EBUSY);
	KUNIT_EXPECT_TRUE(test, test_bit(0, fake.ram));
	KUNIT_EXPECT_FALSE(test, test_bit(1, fake.ram));
}

static void what_cannot_be_moved_is_released_and_populated(struct kunit *test)
{
	fake.no_move = true;
	KUNIT_EXPECT_EQ(test, fake_try_move(), 0);
	KUNIT_EXPECT_TRUE(test, test_bit(1, fake.ram));
	KUNIT_EXPECT_FALSE(test, test_bit(0, fake.ram));
	KUNIT_EXPECT_TRUE(test, all_marked());
	KUNIT_EXPECT_EQ(test, fake.free, FAKE_PAGES);
}

static void what_cannot_be_moved_tells_nothing_when_it_is_released(struct kunit *test)
{
	memset(page_address(fake.pages), 0x5e, PAGE_SIZE);
	fake.no_move = true;
	KUNIT_EXPECT_EQ(test, fake_try_move(), 0);
	KUNIT_EXPECT_EQ(test, fake.told, 0U);
}

static void what_can_be_neither_moved_nor_released_stays_as_it_is(struct kunit *test)
{
	fake.no_move = true;
	fake.no_release = true;
	KUNIT_EXPECT_EQ(test, fake_try_move(), -EBUSY);
	KUNIT_EXPECT_TRUE(test, test_bit(0, fake.ram));
	KUNIT_EXPECT_FALSE(test, test_bit(1, fake.ram));
	KUNIT_EXPECT_EQ(test, fake.free, FAKE_PAGES);
	KUNIT_EXPECT_EQ(test, fake.leaked, 0U);
}

static void what_was_taken_away_half_way_is_populated_where_it_was_to_go(struct kunit *test)
{
	fake.takes_away = true;
	KUNIT_EXPECT_EQ(test, fake_try_move(), 0);
	KUNIT_EXPECT_TRUE(test, test_bit(1, fake.ram));
	KUNIT_EXPECT_FALSE(test, test_bit(0, fake.ram));
	KUNIT_EXPECT_TRUE(test, all_marked());
}

static void what_was_taken_away_and_cannot_be_populated_is_told(struct kunit *test)
{
	fake.takes_away = true;
	fake.free = 0;
	KUNIT_EXPECT_EQ(test, fake_try_move(), -ENODATA);
	KUNIT_EXPECT_EQ(test, fake.leaked, 0U);
}

static void what_has_memory_is_populated(struct kunit *test)
{
	__set_bit(3, fake.ram);
	KUNIT_EXPECT_TRUE(test, xenmem_translated_ops.populated(fake.pages + 3));
	KUNIT_EXPECT_FALSE(test, xenmem_translated_ops.populated(fake.pages + 4));
}

/* Each hypercall answered in each way */

static void fake_build(struct kunit *test)
{
	bitmap_fill(fake.ram, FAKE_PAGES);
	bitmap_zero(fake.dirty, FAKE_PAGES);
	fake.free = 0;
	fake.logs = true;
	fake.leaked = 0;
	xenmem_translated_ops.resumed();
}

static void fake_build_holes(struct kunit *test)
{
	fake_build(test);
	bitmap_zero(fake.ram, FAKE_PAGES);
	fake.free = FAKE_PAGES;
}

static void fake_build_one(struct kunit *test)
{
	fake_build_holes(test);
	__set_bit(0, fake.ram);
	fake.free--;
	fake.logs = false;
	fake.logs_from_move = true;
}

static bool fake_has(unsigned int first, unsigned int last)
{
	return find_next_zero_bit(fake.ram, last, first) >= last;
}

static bool fake_has_none(unsigned int first, unsigned int last)
{
	return find_next_bit(fake.ram, last, first) >= last;
}

/* The first that was not taken is in doubt, unless Xen counts as it would without it. */
static void fake_try_release(struct kunit *test, unsigned int nr, unsigned int order)
{
	static struct page *pages[XENMEM_MAX_BASE];
	unsigned int i, done, kept;

	for (i = 0; i < nr; i++)
		pages[i] = fake.pages + (i << order);
	done = xenmem_translated_ops.release(pages, nr, order);
	KUNIT_ASSERT_LE(test, done, nr);
	kept = done + (done < nr && fake.free != done << order);
	KUNIT_EXPECT_TRUE(test, fake_has_none(0, done << order));
	KUNIT_EXPECT_TRUE(test, fake_has(kept << order, FAKE_PAGES));
}

static void fake_try_release_huge(struct kunit *test)
{
	fake_try_release(test, 2, XENMEM_HUGE_ORDER);
}

static void fake_try_release_base(struct kunit *test)
{
	fake_try_release(test, 300, 0);
}

static void fake_try_populate(struct kunit *test, unsigned int nr, unsigned int order)
{
	unsigned int done = fake_fill(nr, order);

	KUNIT_ASSERT_LE(test, done, nr);
	KUNIT_EXPECT_TRUE(test, fake_has(0, done << order));
	KUNIT_EXPECT_TRUE(test, fake_has_none(done << order, FAKE_PAGES));
	KUNIT_EXPECT_TRUE(test, all_marked());
	KUNIT_EXPECT_EQ(test, fake.leaked, 0U);
}

static void fake_try_populate_huge(struct kunit *test)
{
	fake_try_populate(test, 2, XENMEM_HUGE_ORDER);
}

static void fake_try_populate_base(struct kunit *test)
{
	fake_try_populate(test, 300, 0);
}

static void fake_try_move_one(struct kunit *test)
{
	int ret = xenmem_translated_ops.move(fake.pages, fake.pages + 1);

	KUNIT_EXPECT_EQ(test, fake_has(0, 1), ret == -EBUSY);
	KUNIT_EXPECT_EQ(test, fake_has(1, 2), !ret);
	KUNIT_EXPECT_TRUE(test, ret || !fake.logs || all_marked());
	KUNIT_EXPECT_EQ(test, fake.leaked, 0U);
	KUNIT_EXPECT_EQ(test, fake.free + bitmap_weight(fake.ram, FAKE_PAGES), FAKE_PAGES);
}

/* Xen does not move it, so that it is released and populated. */
static void fake_build_one_unmovable(struct kunit *test)
{
	fake_build_one(test);
	fake.no_move = true;
}

/* Xen has taken it away already. */
static void fake_build_one_taken(struct kunit *test)
{
	fake_build_one(test);
	fake.takes_away = true;
}

static void fake_try_move_taken(struct kunit *test)
{
	int ret = xenmem_translated_ops.move(fake.pages, fake.pages + 1);

	KUNIT_EXPECT_EQ(test, fake_has(0, 1), ret == -EBUSY);
	KUNIT_EXPECT_EQ(test, fake_has(1, 2), !ret);
	KUNIT_EXPECT_EQ(test, fake.leaked, 0U);
}

/* What cannot be told is a hole, a migration, and no superpage. */
static void fake_try_questions(struct kunit *test)
{
	long current_pages = xenmem_translated_ops.current_pages();
	long maximum = xenmem_translated_ops.maximum_pages();

	KUNIT_EXPECT_TRUE(test, current_pages < 0 || current_pages == 1);
	KUNIT_EXPECT_TRUE(test, maximum < 0 || maximum == 1);
	KUNIT_EXPECT_FALSE(test, xenmem_translated_ops.populated(fake.pages + 1));
	KUNIT_EXPECT_FALSE(test, xenmem_translated_ops.restores_whole());
	xenmem_translated_ops.resumed();
	fake.logs = true;
	KUNIT_EXPECT_TRUE(test, xenmem_translated_ops.logs_writes());
}

static const struct fake_step {
	const char *name;
	void (*prepare)(struct kunit *test);
	void (*run)(struct kunit *test);
} fake_steps[] = {
	{ "release huge", fake_build, fake_try_release_huge },
	{ "release base", fake_build, fake_try_release_base },
	{ "populate huge", fake_build_holes, fake_try_populate_huge },
	{ "populate base", fake_build_holes, fake_try_populate_base },
	{ "move", fake_build_one, fake_try_move_one },
	{ "move what Xen does not move", fake_build_one_unmovable, fake_try_move_one },
	{ "move what Xen has taken away", fake_build_one_taken, fake_try_move_taken },
	{ "questions", fake_build_one, fake_try_questions },
};

static void name_fake_step(const struct fake_step *step, char *name)
{
	strscpy(name, step->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fake_step, fake_steps, name_fake_step);

static void no_memory_is_lost_whatever_xen_answers(struct kunit *test)
{
	const struct fake_step *step = test->param_value;

	sim_sweep_hypercalls(test, step->name, step->prepare, step->run);
}

/* Those of PV came before. */
static void each_hypercall_was_answered_in_each_way(struct kunit *test)
{
	const char *missing;

	KUNIT_EXPECT_TRUE_MSG(test, sim_hypercalls_were_swept(&missing),
			      "no step makes the hypercall %s", missing);
}

static void no_guest_is_taken_over_that_xen_does_not_tell_what_is_memory(struct kunit *test)
{
	fake.tells_nothing = true;
	KUNIT_EXPECT_EQ(test, xenmem_translated_ops.init(), -ENODEV);
}

static struct kunit_case translated_cases[] = {
	KUNIT_CASE_PARAM(no_memory_is_lost_whatever_xen_answers, fake_step_gen_params),
	KUNIT_CASE(each_hypercall_was_answered_in_each_way),
	KUNIT_CASE(what_is_populated_is_marked),
	KUNIT_CASE(each_page_of_a_huge_page_is_marked),
	KUNIT_CASE(what_xen_did_not_populate_is_not_marked),
	KUNIT_CASE(where_xen_has_no_tables_few_frames_are_lost),
	KUNIT_CASE(a_full_host_is_asked_as_ever),
	KUNIT_CASE(what_xen_did_not_map_is_not_taken_for_populated),
	KUNIT_CASE(where_xen_forbids_a_copy_the_page_is_marked_all_the_same),
	KUNIT_CASE(nothing_is_marked_while_xen_logs_nothing),
	KUNIT_CASE(a_xen_that_does_not_tell_is_taken_to_log),
	KUNIT_CASE(another_host_decides_anew_what_is_marked),
	KUNIT_CASE(the_tools_restore_superpages_from_xen_4_21_on),
	KUNIT_CASE(what_is_moved_is_marked),
	KUNIT_CASE(nothing_is_moved_while_xen_logs_writes),
	KUNIT_CASE(what_cannot_be_moved_is_released_and_populated),
	KUNIT_CASE(what_cannot_be_moved_tells_nothing_when_it_is_released),
	KUNIT_CASE(what_can_be_neither_moved_nor_released_stays_as_it_is),
	KUNIT_CASE(what_was_taken_away_half_way_is_populated_where_it_was_to_go),
	KUNIT_CASE(what_was_taken_away_and_cannot_be_populated_is_told),
	KUNIT_CASE(what_has_memory_is_populated),
	KUNIT_CASE(no_guest_is_taken_over_that_xen_does_not_tell_what_is_memory),
	{}
};

static struct kunit_suite translated_suite = {
	.name = "translated",
	.init = translated_test_init,
	.exit = translated_test_exit,
	.test_cases = translated_cases,
};

kunit_test_suite(translated_suite);
