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

/* XENMEMF_exact_node and XENMEMF_vnode; what is above these bits is the node, and one. */
#define FAKE_EXACT	BIT(17)
#define FAKE_VNODE	BIT(18)
#define FAKE_NODE_SHIFT	8

static struct fake {
	struct page *pages;
	DECLARE_BITMAP(ram, FAKE_PAGES);
	DECLARE_BITMAP(dirty, FAKE_PAGES);
	unsigned int free;		/* frames that it still has */
	bool has_vnodes;		/* two: the first half of the pages is of the first */
	unsigned int on[2];		/* so many frames are on the machine's nodes for them */
	DECLARE_BITMAP(far, FAKE_PAGES); /* pages whose frame is of the other one */
	unsigned int leaked;
	unsigned int told;		/* base pages that it was given with data in them */
	bool no_move, takes_away;	/* add_to_physmap fails, and half-way */
	bool no_release;
	bool no_tables;			/* nor does it map a single page any more */
	bool claims;			/* and does not say so */
	unsigned int stray;		/* frames that it took for that */
	unsigned int others;		/* frames that somebody else has it count meanwhile */
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

static unsigned int fake_vnode(unsigned long i)
{
	return i >= FAKE_PAGES / 2;
}

/* On the node that is asked for, or else, if that may be, on the other one. */
static bool fake_find(unsigned int nr, unsigned int flags, unsigned int *node)
{
	*node = flags & FAKE_VNODE ? ((flags >> FAKE_NODE_SHIFT) & 0xff) - 1 : 0;
	if (*node >= ARRAY_SIZE(fake.on))
		return false;
	if (fake.on[*node] >= nr)
		return true;

	*node = !*node;
	return !(flags & FAKE_EXACT) && fake.on[*node] >= nr;
}

static bool fake_populate(xen_pfn_t frame, unsigned int nr, unsigned int flags)
{
	unsigned long i = fake_index(frame);
	unsigned int node = 0;

	if (fake.free < nr || (fake.has_vnodes && !fake_find(nr, flags, &node)))
		return false;
	fake.free -= nr;
	fake.on[node] -= fake.has_vnodes ? nr : 0;
	if (nr == 1 && fake.no_tables) {
		fake.stray += 1 + fake.others;
		return fake.claims;
	}
	for (; nr--; i++) {
		fake.leaked += __test_and_set_bit(i, fake.ram);
		__assign_bit(i, fake.far, fake.has_vnodes && node != fake_vnode(i));
	}

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
		fake.on[fake_vnode(i) != __test_and_clear_bit(i, fake.far)] += fake.has_vnodes;
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

static long fake_tell_vnodes(struct sim_vnumainfo *info)
{
	unsigned long pfn = page_to_pfn(fake.pages);
	unsigned int i;

	if (!fake.has_vnodes)
		return -EOPNOTSUPP;

	info->nr_vnodes = 2;
	info->nr_vmemranges = 2;
	for (i = 0; i < 2; i++, pfn += FAKE_PAGES / 2)
		info->vmemrange[i] = (struct sim_vmemrange){
			.start = PFN_PHYS(pfn), .end = PFN_PHYS(pfn + FAKE_PAGES / 2), .nid = i };

	return 0;
}

static bool fake_change(unsigned int cmd, xen_pfn_t frame, const struct xen_memory_reservation *r)
{
	unsigned int nr = 1U << r->extent_order;

	/* Its name in Xen is mem_flags. */
	return cmd == XENMEM_populate_physmap ? fake_populate(frame, nr, r->address_bits) :
						fake_release(frame, nr);
}

static long fake_memory_op(unsigned int cmd, void *arg)
{
	const struct xen_memory_reservation *r = arg;
	unsigned int i;

	if (cmd == SIM_GET_VNUMAINFO)
		return fake_tell_vnodes(arg);
	if (cmd == XENMEM_add_to_physmap)
		return fake_move(arg);
	if (cmd == XENMEM_current_reservation || cmd == XENMEM_maximum_reservation)
		return bitmap_weight(fake.ram, FAKE_PAGES) + fake.stray;

	for (i = 0; i < r->nr_extents; i++)
		if (!fake_change(cmd, r->extent_start[i], r))
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

	return xenmem_translated_ops.populate(pages, nr, order, NULL);
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

static void what_costs_two_frames_is_somebody_elses_doing_too(struct kunit *test)
{
	unsigned int i;

	fake.no_tables = true;
	fake.others = 1;
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, fake_fill(300, 0), 0U);
	KUNIT_EXPECT_EQ(test, fake.stray, 20U);
	fake.no_tables = false;
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

/* Virtual nodes */

/* There are two, and Xen has so many frames for each. */
static void fake_have_vnodes(unsigned int first, unsigned int second)
{
	fake.has_vnodes = true;
	fake.on[0] = first;
	fake.on[1] = second;
	fake.free = first + second;
	bitmap_zero(fake.ram, FAKE_PAGES);
	bitmap_zero(fake.far, FAKE_PAGES);
	bitmap_zero(fake.dirty, FAKE_PAGES);
	xenmem_translated_ops.resumed();
}

static DECLARE_BITMAP(fake_away, XENMEM_MAX_BASE);

/* Populate @nr pages of an order from @first on, from wherever Xen has some. */
static unsigned int fake_fill_away(unsigned int first, unsigned int nr, unsigned int order)
{
	static struct page *pages[XENMEM_MAX_BASE];
	unsigned int i;

	for (i = 0; i < nr; i++)
		pages[i] = fake.pages + first + (i << order);
	/* What it says of none of them is to be nothing. */
	bitmap_fill(fake_away, XENMEM_MAX_BASE);

	return xenmem_translated_ops.populate(pages, nr, order, fake_away);
}

/* Just those are said to be of the other node that are. */
static void fake_check_away(struct kunit *test, unsigned int first, unsigned int nr,
			    unsigned int order)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		KUNIT_EXPECT_EQ_MSG(test, test_bit(i, fake_away),
				    test_bit(first + (i << order), fake.far), "extent %u", i);
	KUNIT_EXPECT_TRUE(test, all_marked());
	KUNIT_EXPECT_EQ(test, fake.leaked, 0U);
}

static void a_guest_has_nodes_where_xen_tells_of_some(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, xenmem_translated_ops.has_nodes());
	fake_have_vnodes(0, 0);
	KUNIT_EXPECT_TRUE(test, xenmem_translated_ops.has_nodes());

	/* And in the next domain none. */
	fake.has_vnodes = false;
	xenmem_translated_ops.resumed();
	KUNIT_EXPECT_FALSE(test, xenmem_translated_ops.has_nodes());
	fake.free = 300;
	KUNIT_EXPECT_EQ(test, fake_fill_away(0, 300, 0), 300U);
	fake_check_away(test, 0, 300, 0);
}

static void memory_of_its_own_node_comes_first_and_the_rest_from_elsewhere(struct kunit *test)
{
	fake_have_vnodes(100, 600);
	KUNIT_EXPECT_EQ(test, fake_fill_away(0, 300, 0), 300U);
	KUNIT_EXPECT_EQ(test, bitmap_weight(fake.far, FAKE_PAGES), 200);
	KUNIT_EXPECT_EQ(test, find_first_bit(fake.far, FAKE_PAGES), 100UL);
	fake_check_away(test, 0, 300, 0);

	/* Of the other one, which has some. */
	KUNIT_EXPECT_EQ(test, fake_fill_away(600, 300, 0), 300U);
	fake_check_away(test, 600, 300, 0);
	KUNIT_EXPECT_EQ(test, bitmap_weight(fake.far, FAKE_PAGES), 200);
}

static void what_is_to_be_local_comes_from_nowhere_else(struct kunit *test)
{
	fake_have_vnodes(100, 600);
	KUNIT_EXPECT_EQ(test, fake_fill(300, 0), 100U);
	KUNIT_EXPECT_EQ(test, marked(), 100U);
	KUNIT_EXPECT_TRUE(test, all_marked());
	KUNIT_EXPECT_TRUE(test, bitmap_empty(fake.far, FAKE_PAGES));

	fake_have_vnodes(100, 600);
	KUNIT_EXPECT_EQ(test, fake_fill(1, XENMEM_HUGE_ORDER), 0U);
	fake_have_vnodes(600, 0);
	KUNIT_EXPECT_EQ(test, fake_fill(2, XENMEM_HUGE_ORDER), 1U);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(fake.far, FAKE_PAGES));
}

static void pages_of_two_nodes_come_in_one_go(struct kunit *test)
{
	fake_have_vnodes(30, 600);
	KUNIT_EXPECT_EQ(test, fake_fill_away(412, 200, 0), 200U);
	KUNIT_EXPECT_EQ(test, bitmap_weight(fake.far, FAKE_PAGES), 70);
	KUNIT_EXPECT_EQ(test, find_first_bit(fake.far, FAKE_PAGES), 442UL);
	fake_check_away(test, 412, 200, 0);
}

static void pages_of_two_nodes_come_by_turns(struct kunit *test)
{
	static struct page *pages[300];
	unsigned int i;

	for (i = 0; i < 300; i++)
		pages[i] = fake.pages + i % 2 * (FAKE_PAGES / 2) + i / 2;

	fake_have_vnodes(150, 150);
	KUNIT_EXPECT_EQ(test, xenmem_translated_ops.populate(pages, 300, 0, NULL), 300U);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(fake.far, FAKE_PAGES));
	KUNIT_EXPECT_TRUE(test, all_marked());

	/* The first page that is not there is the end. */
	fake_have_vnodes(150, 10);
	KUNIT_EXPECT_EQ(test, xenmem_translated_ops.populate(pages, 300, 0, NULL), 21U);
	KUNIT_EXPECT_TRUE(test, all_marked());
}

static void huge_pages_come_from_elsewhere_one_by_one(struct kunit *test)
{
	fake_have_vnodes(511, 1024);
	KUNIT_EXPECT_EQ(test, fake_fill_away(0, 2, XENMEM_HUGE_ORDER), 2U);
	KUNIT_EXPECT_TRUE(test, test_bit(0, fake_away));
	KUNIT_EXPECT_FALSE(test, test_bit(1, fake_away));
	fake_check_away(test, 0, 2, XENMEM_HUGE_ORDER);
	KUNIT_EXPECT_EQ(test, marked(), FAKE_PAGES);

	fake_have_vnodes(512, 511);
	KUNIT_EXPECT_EQ(test, fake_fill_away(0, 2, XENMEM_HUGE_ORDER), 1U);
	fake_check_away(test, 0, 1, XENMEM_HUGE_ORDER);
	KUNIT_EXPECT_EQ(test, marked(), 512U);
}

static void nothing_comes_where_no_node_has_any(struct kunit *test)
{
	fake_have_vnodes(0, 0);
	KUNIT_EXPECT_EQ(test, fake_fill_away(0, 300, 0), 0U);
	KUNIT_EXPECT_EQ(test, fake_fill_away(0, 2, XENMEM_HUGE_ORDER), 0U);
	KUNIT_EXPECT_EQ(test, marked(), 0U);
}

static void where_xen_has_no_tables_few_frames_are_lost_of_any_node(struct kunit *test)
{
	unsigned int i;

	fake_have_vnodes(300, 300);
	fake.no_tables = true;
	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_EQ(test, fake_fill_away(0, 300, 0), 0U);
	/* It is asked for the node, and then for any. */
	KUNIT_EXPECT_EQ(test, fake.stray, 2 * (POOL_EMPTY + 1U));
	fake.logs = false;
	KUNIT_EXPECT_EQ(test, xenmem_translated_ops.move(fake.pages, fake.pages + 600), -EBUSY);
}

static void what_was_taken_away_half_way_comes_from_its_own_node_or_not(struct kunit *test)
{
	fake_have_vnodes(0, 600);
	fake.takes_away = true;
	KUNIT_EXPECT_EQ(test, fake_try_move(), -ENODATA);
	KUNIT_EXPECT_EQ(test, fake.leaked, 0U);

	fake_have_vnodes(1, 0);
	KUNIT_EXPECT_EQ(test, fake_try_move(), 0);
	KUNIT_EXPECT_TRUE(test, test_bit(1, fake.ram));
	KUNIT_EXPECT_TRUE(test, bitmap_empty(fake.far, FAKE_PAGES));
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

/* Enough for each node, so that all that is answered can be done. */
static void fake_build_vnodes(struct kunit *test)
{
	fake.logs = true;
	fake.leaked = 0;
	fake_have_vnodes(FAKE_PAGES / 2, FAKE_PAGES / 2);
}

static void fake_try_populate_vnodes(struct kunit *test)
{
	unsigned int done = fake_fill_away(412, 200, 0), i;

	KUNIT_ASSERT_LE(test, done, 200U);
	KUNIT_EXPECT_TRUE(test, fake_has_none(0, 412));
	KUNIT_EXPECT_TRUE(test, fake_has(412, 412 + done));
	KUNIT_EXPECT_TRUE(test, fake_has_none(412 + done, FAKE_PAGES));
	KUNIT_EXPECT_TRUE(test, all_marked());
	KUNIT_EXPECT_EQ(test, fake.leaked, 0U);
	for (i = 0; i < done; i++)
		KUNIT_EXPECT_TRUE(test, test_bit(i, fake_away) || !test_bit(412 + i, fake.far));
}

static void fake_try_populate_huge_vnodes(struct kunit *test)
{
	unsigned int done = fake_fill_away(0, 2, XENMEM_HUGE_ORDER);

	KUNIT_ASSERT_LE(test, done, 2U);
	KUNIT_EXPECT_TRUE(test, fake_has(0, done << XENMEM_HUGE_ORDER));
	KUNIT_EXPECT_TRUE(test, fake_has_none(done << XENMEM_HUGE_ORDER, FAKE_PAGES));
	KUNIT_EXPECT_TRUE(test, all_marked());
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
	{ "populate base of two nodes", fake_build_vnodes, fake_try_populate_vnodes },
	{ "populate huge of two nodes", fake_build_vnodes, fake_try_populate_huge_vnodes },
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
	KUNIT_CASE(what_costs_two_frames_is_somebody_elses_doing_too),
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
	KUNIT_CASE(a_guest_has_nodes_where_xen_tells_of_some),
	KUNIT_CASE(memory_of_its_own_node_comes_first_and_the_rest_from_elsewhere),
	KUNIT_CASE(what_is_to_be_local_comes_from_nowhere_else),
	KUNIT_CASE(pages_of_two_nodes_come_in_one_go),
	KUNIT_CASE(pages_of_two_nodes_come_by_turns),
	KUNIT_CASE(huge_pages_come_from_elsewhere_one_by_one),
	KUNIT_CASE(nothing_comes_where_no_node_has_any),
	KUNIT_CASE(where_xen_has_no_tables_few_frames_are_lost_of_any_node),
	KUNIT_CASE(what_was_taken_away_half_way_comes_from_its_own_node_or_not),
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
