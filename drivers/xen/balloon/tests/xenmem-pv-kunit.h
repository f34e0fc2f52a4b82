/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A Xen of these tests' own for PV guests: it maps no frame that is not the guest's,
 * takes none that is mapped, and gives frames in order. What the guest's tables say,
 * and what Xen counts, is compared page by page after each operation.
 */
#include <linux/bitmap.h>

#include "assert.h"

#define PV_PAGES	1024U
#define PV_FRAMES	2048U
/* No frame has the number of a page. */
#define PV_FIRST_MFN	0x40000000UL

static struct pv_fake {
	struct page *pages;
	unsigned long p2m[PV_PAGES];
	unsigned long m2p[PV_FRAMES];
	pte_t pte[PV_PAGES];
	u8 mapped[PV_FRAMES];		/* how often */
	DECLARE_BITMAP(owned, PV_FRAMES);
	unsigned int reserved;		/* frames that others have */
	unsigned int stolen;		/* frames that were taken while they were mapped */
	bool stale;			/* a processor may still have a mapping that is gone */
	unsigned int placeless;		/* there is no memory for the p2m from this page on */
	struct sim_hypercalls calls;
} *pv;

static bool pv_owns(unsigned long mfn)
{
	return mfn >= PV_FIRST_MFN && mfn - PV_FIRST_MFN < PV_FRAMES &&
	       test_bit(mfn - PV_FIRST_MFN, pv->owned);
}

static unsigned int pv_owned(void)
{
	return bitmap_weight(pv->owned, PV_FRAMES);
}

/* Returns false when there are not so many. */
static bool pv_take_frames(unsigned int nr, unsigned long *mfn)
{
	unsigned long first;

	if (PV_FRAMES - pv->reserved - pv_owned() < nr)
		return false;
	first = bitmap_find_next_zero_area(pv->owned, PV_FRAMES, 0, nr, nr - 1);
	if (first >= PV_FRAMES)
		return false;

	bitmap_set(pv->owned, first, nr);
	*mfn = PV_FIRST_MFN + first;
	return true;
}

static bool pv_free_frame(unsigned long mfn)
{
	if (!pv_owns(mfn))
		return false;

	pv->stolen += pv->mapped[mfn - PV_FIRST_MFN];
	__clear_bit(mfn - PV_FIRST_MFN, pv->owned);
	return true;
}

static bool pv_decrease_one(unsigned long mfn, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < 1U << order; i++)
		if (!pv_free_frame(mfn + i))
			return false;

	return true;
}

static bool pv_populate_one(xen_pfn_t *extent, unsigned int order)
{
	unsigned long mfn;
	unsigned int i;

	if (!pv_take_frames(1U << order, &mfn))
		return false;
	for (i = 0; i < 1U << order; i++)
		pv->m2p[mfn + i - PV_FIRST_MFN] = *extent + i;
	*extent = mfn;

	return true;
}

static bool pv_exchange_one(xen_pfn_t in, unsigned int order, xen_pfn_t *out)
{
	static unsigned long given[XENMEM_HUGE_PAGES];
	unsigned int i;

	for (i = 0; i < 1U << order; i++)
		if (!pv_owns(in + i) || pv->mapped[in + i - PV_FIRST_MFN])
			return false;
	if (PV_FRAMES - pv->reserved - pv_owned() < 1U << order)
		return false;
	pv->stolen += pv->stale;
	for (i = 0; i < 1U << order; i++)
		pv_take_frames(1, &given[i]);
	for (i = 0; i < 1U << order; i++) {
		pv_free_frame(in + i);
		pv->m2p[given[i] - PV_FIRST_MFN] = out[i];
		out[i] = given[i];
	}

	return true;
}

static long pv_memory_op(unsigned int cmd, void *arg)
{
	struct xen_memory_exchange *x = arg;
	struct xen_memory_reservation *r = arg;
	unsigned int i;

	switch (cmd) {
	case XENMEM_decrease_reservation:
		for (i = 0; i < r->nr_extents; i++)
			if (!pv_decrease_one(r->extent_start[i], r->extent_order))
				break;
		return i;
	case XENMEM_populate_physmap:
		for (i = 0; i < r->nr_extents; i++)
			if (!pv_populate_one(&r->extent_start[i], r->extent_order))
				break;
		return i;
	case XENMEM_exchange:
		for (i = 0; i < x->in.nr_extents; i++)
			if (!pv_exchange_one(x->in.extent_start[i], x->in.extent_order,
					     &x->out.extent_start[i << x->in.extent_order]))
				break;
		x->nr_exchanged = i;
		return i < x->in.nr_extents ? -ENOMEM : 0;
	default:
		return pv_owned();
	}
}

static int pv_set_pte(pte_t *pte, u64 val)
{
	unsigned long mfn = (val & PTE_PFN_MASK) >> PAGE_SHIFT;
	unsigned long old = (pte_val(*pte) & PTE_PFN_MASK) >> PAGE_SHIFT;

	if (val && !pv_owns(mfn))
		return -EINVAL;
	if (pte_val(*pte))
		pv->mapped[old - PV_FIRST_MFN]--;
	if (val)
		pv->mapped[mfn - PV_FIRST_MFN]++;
	*pte = __pte(val);

	return 0;
}

static int pv_mmu_update(struct mmu_update *updates, unsigned int count, unsigned int *done)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < count && !ret; i++) {
		if ((updates[i].ptr & 3) == MMU_NORMAL_PT_UPDATE)
			ret = pv_set_pte((pte_t *)(unsigned long)updates[i].ptr, updates[i].val);
		else if (pv_owns(PHYS_PFN(updates[i].ptr)))
			pv->m2p[PHYS_PFN(updates[i].ptr) - PV_FIRST_MFN] = updates[i].val;
		else
			ret = -EINVAL;
	}
	if (done)
		*done = ret ? i - 1 : i;

	return ret;
}

static int pv_mmuext_op(struct mmuext_op *op)
{
	if (op->cmd != MMUEXT_TLB_FLUSH_ALL)
		return -EINVAL;

	pv->stale = false;
	return 0;
}

static unsigned int pv_index(struct page *page)
{
	return page - pv->pages;
}

static pte_t *pv_lookup(unsigned long va)
{
	return &pv->pte[pv_index(virt_to_page((void *)va))];
}

static int pv_update_va_mapping(unsigned long va, pte_t pte, unsigned long flags)
{
	int ret = pv_set_pte(pv_lookup(va), pte_val(pte));

	if (!ret && flags == (UVMF_TLB_FLUSH | UVMF_ALL))
		pv->stale = false;
	return ret;
}

static int pv_alloc_p2m_entry(unsigned long pfn)
{
	return pfn - page_to_pfn(pv->pages) < pv->placeless ? 0 : -ENOMEM;
}

/* The world: all pages are populated, each 2 MiB in one piece. */

static void pv_map(unsigned int index, unsigned long mfn)
{
	pv_set_pte(&pv->pte[index], mfn_pte(mfn, PAGE_KERNEL).pte);
	pv->p2m[index] = mfn;
	pv->m2p[mfn - PV_FIRST_MFN] = page_to_pfn(pv->pages) + index;
}

static void pv_make_hole(unsigned int first, unsigned int nr)
{
	for (; nr--; first++) {
		pv_set_pte(&pv->pte[first], 0);
		pv_free_frame(pv->p2m[first]);
		pv->p2m[first] = INVALID_P2M_ENTRY;
	}
}

static void pv_build(struct kunit *test)
{
	unsigned long mfn;
	unsigned int i;

	bitmap_zero(pv->owned, PV_FRAMES);
	memset(pv->pte, 0, sizeof(pv->pte));
	memset(pv->mapped, 0, sizeof(pv->mapped));
	pv->stolen = 0;
	pv->stale = true;
	pv->reserved = 0;
	for (i = 0; i < PV_PAGES; i++) {
		if (!(i % XENMEM_HUGE_PAGES))
			pv_take_frames(XENMEM_HUGE_PAGES, &mfn);
		pv_map(i, mfn + i % XENMEM_HUGE_PAGES);
	}
}

static void pv_build_holes(struct kunit *test)
{
	pv_build(test);
	pv_make_hole(0, PV_PAGES);
}

static void pv_build_half(struct kunit *test)
{
	pv_build(test);
	pv_make_hole(XENMEM_HUGE_PAGES, XENMEM_HUGE_PAGES);
}

static void pv_build_half_scattered(struct kunit *test)
{
	unsigned long near, far;

	pv_build_half(test);
	pv_make_hole(1, 1);
	pv_take_frames(1, &near);
	pv_take_frames(1, &far);
	pv_map(1, far);
	pv_free_frame(near);
}

static void pv_build_half_on_full_host(struct kunit *test)
{
	pv_build_half(test);
	pv->reserved = PV_FRAMES - pv_owned();
}

static int pv_test_init(struct kunit *test)
{
	pv = kvzalloc(sizeof(*pv), GFP_KERNEL);
	if (!pv)
		return -ENOMEM;
	pv->pages = alloc_pages(GFP_KERNEL, get_order(PV_PAGES << PAGE_SHIFT));
	if (!pv->pages)
		return -ENOMEM;

	pv->calls = (struct sim_hypercalls){
		.memory_op = pv_memory_op,
		.mmu_update = pv_mmu_update,
		.mmuext_op = pv_mmuext_op,
		.update_va_mapping = pv_update_va_mapping,
		.lookup = pv_lookup,
		.alloc_p2m_entry = pv_alloc_p2m_entry,
		.p2m = pv->p2m - page_to_pfn(pv->pages),
		.p2m_size = page_to_pfn(pv->pages) + PV_PAGES,
	};
	sim_hypercalls = &pv->calls;
	pv_build(test);
	return xenmem_pv_ops.init();
}

static void pv_test_exit(struct kunit *test)
{
	xenmem_pv_ops.exit();
	sim_hypercalls = NULL;
	if (pv && pv->pages)
		__free_pages(pv->pages, get_order(PV_PAGES << PAGE_SHIFT));
	kvfree(pv);
}

/* What is to hold after each operation */

static bool pv_has(unsigned int index)
{
	unsigned long mfn = pv->p2m[index];

	return pv_owns(mfn) && pte_val(pv->pte[index]) == mfn_pte(mfn, PAGE_KERNEL).pte &&
	       pv->mapped[mfn - PV_FIRST_MFN] == 1;
}

static bool pv_is_hole(unsigned int index)
{
	return pv->p2m[index] == INVALID_P2M_ENTRY && !pte_val(pv->pte[index]);
}

static bool pv_all(bool (*is)(unsigned int index), unsigned int first, unsigned int last)
{
	for (; first < last; first++)
		if (!is(first))
			return false;

	return true;
}

/* Each page has a frame of its own or none, and each frame a page, but for @lost of them. */
static void pv_check(struct kunit *test, unsigned int lost)
{
	unsigned int i, has = 0;

	for (i = 0; i < PV_PAGES; i++) {
		has += pv_has(i);
		if (!pv_has(i) && !pv_is_hole(i))
			KUNIT_FAIL(test, "page %u has mfn 0x%lx and pte 0x%lx\n", i, pv->p2m[i],
				   (unsigned long)pte_val(pv->pte[i]));
	}
	KUNIT_EXPECT_EQ(test, pv->stolen, 0U);
	KUNIT_EXPECT_EQ(test, pv_owned(), has + lost);
}

static void pv_pages(struct page **pages, unsigned int first, unsigned int nr, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		pages[i] = pv->pages + first + (i << order);
}

/*
 * The first page that was not taken is in doubt, unless Xen counts as it would without
 * it: then the kernel gets it back, as it does those after it.
 */
static void pv_try_release(struct kunit *test, unsigned int nr, unsigned int order)
{
	static struct page *pages[XENMEM_MAX_BASE];
	unsigned int before = pv_owned(), done, kept;

	pv_pages(pages, 0, nr, order);
	done = xenmem_pv_ops.release(pages, nr, order);
	KUNIT_ASSERT_LE(test, done, nr);
	kept = done + (done < nr && pv_owned() != before - (done << order));

	KUNIT_EXPECT_TRUE(test, pv_all(pv_is_hole, 0, done << order));
	KUNIT_EXPECT_TRUE(test, pv_all(pv_has, kept << order, PV_PAGES));
	KUNIT_EXPECT_EQ(test, pv->stolen, 0U);
}

static void pv_try_release_huge(struct kunit *test)
{
	pv_try_release(test, 2, XENMEM_HUGE_ORDER);
}

static void pv_try_release_base(struct kunit *test)
{
	pv_try_release(test, 300, 0);
}

static void pv_try_populate(struct kunit *test, unsigned int nr, unsigned int order)
{
	static struct page *pages[XENMEM_MAX_BASE];
	unsigned int done;

	pv_pages(pages, 0, nr, order);
	done = xenmem_pv_ops.populate(pages, nr, order, NULL);
	KUNIT_ASSERT_LE(test, done, nr);
	KUNIT_EXPECT_TRUE(test, pv_all(pv_has, 0, done << order));
	KUNIT_EXPECT_TRUE(test, pv_all(pv_is_hole, done << order, PV_PAGES));
	pv_check(test, 0);
}

static void pv_try_populate_huge(struct kunit *test)
{
	pv_try_populate(test, 2, XENMEM_HUGE_ORDER);
}

static void pv_try_populate_base(struct kunit *test)
{
	pv_try_populate(test, 300, 0);
}

static void pv_try_move(struct kunit *test)
{
	int ret = xenmem_pv_ops.move(pv->pages, pv->pages + XENMEM_HUGE_PAGES);

	KUNIT_EXPECT_EQ(test, pv_has(0), ret == -EBUSY);
	KUNIT_EXPECT_EQ(test, pv_has(XENMEM_HUGE_PAGES), !ret);
	KUNIT_EXPECT_TRUE(test, !ret || ret == -EBUSY || ret == -ENODATA);
	pv_check(test, 0);
	if (pv_has(XENMEM_HUGE_PAGES))
		KUNIT_EXPECT_EQ(test, pv->m2p[pv->p2m[XENMEM_HUGE_PAGES] - PV_FIRST_MFN],
				page_to_pfn(pv->pages) + XENMEM_HUGE_PAGES);
}

static void pv_try_exchange(struct kunit *test)
{
	static struct page *holes[XENMEM_HUGE_PAGES];
	unsigned int gone, got = 0;

	pv_pages(holes, XENMEM_HUGE_PAGES, XENMEM_HUGE_PAGES, 0);
	gone = xenmem_pv_ops.exchange(pv->pages, holes, &got);
	KUNIT_ASSERT_LE(test, gone, (unsigned int)XENMEM_HUGE_PAGES);
	KUNIT_ASSERT_LE(test, got, gone);
	KUNIT_EXPECT_TRUE(test, pv_all(pv_is_hole, 0, gone));
	KUNIT_EXPECT_TRUE(test, pv_all(pv_has, gone, XENMEM_HUGE_PAGES + got));
	KUNIT_EXPECT_TRUE(test, pv_all(pv_is_hole, XENMEM_HUGE_PAGES + got, PV_PAGES));
	pv_check(test, 0);
}

static void pv_try_populated(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, xenmem_pv_ops.populated(pv->pages + XENMEM_HUGE_PAGES));
	if (xenmem_pv_ops.populated(pv->pages))
		KUNIT_EXPECT_TRUE(test, pv_has(0));
	pv_check(test, 0);
}

/* An answer that cannot be told from a count is none. */
static void pv_try_counts(struct kunit *test)
{
	long current_pages = xenmem_pv_ops.current_pages(), maximum = xenmem_pv_ops.maximum_pages();

	KUNIT_EXPECT_TRUE(test, current_pages < 0 || current_pages == PV_PAGES);
	KUNIT_EXPECT_TRUE(test, maximum < 0 || maximum == PV_PAGES);
}

static const struct pv_step {
	const char *name;
	void (*prepare)(struct kunit *test);
	void (*run)(struct kunit *test);
} pv_steps[] = {
	{ "release huge", pv_build, pv_try_release_huge },
	{ "release base", pv_build, pv_try_release_base },
	{ "populate huge", pv_build_holes, pv_try_populate_huge },
	{ "populate base", pv_build_holes, pv_try_populate_base },
	{ "move", pv_build_half, pv_try_move },
	{ "move on a full host", pv_build_half_on_full_host, pv_try_move },
	{ "exchange", pv_build_half, pv_try_exchange },
	{ "exchange what is scattered", pv_build_half_scattered, pv_try_exchange },
	{ "populated", pv_build_half, pv_try_populated },
	{ "counts", pv_build, pv_try_counts },
};

static void name_pv_step(const struct pv_step *step, char *name)
{
	strscpy(name, step->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(pv_step, pv_steps, name_pv_step);

static void no_frame_is_lost_whatever_xen_answers(struct kunit *test)
{
	const struct pv_step *step = test->param_value;

	sim_sweep_hypercalls(test, step->name, step->prepare, step->run);
}

static void what_xen_does_not_take_is_mapped_again(struct kunit *test)
{
	struct page *page = pv->pages;

	/* A frame of the second page is somebody else's. */
	__clear_bit(pv->p2m[XENMEM_HUGE_PAGES + 7] - PV_FIRST_MFN, pv->owned);
	KUNIT_EXPECT_EQ(test, xenmem_pv_ops.release((struct page *[]){
				page, page + XENMEM_HUGE_PAGES }, 2, XENMEM_HUGE_ORDER), 1U);
	KUNIT_EXPECT_TRUE(test, pv_all(pv_is_hole, 0, XENMEM_HUGE_PAGES + 8));
	KUNIT_EXPECT_TRUE(test, pv_all(pv_has, XENMEM_HUGE_PAGES + 8, PV_PAGES));
}

/* A live migration brought it. */
static void nothing_moves_to_where_memory_is(struct kunit *test)
{
	pv_build(test);
	KUNIT_EXPECT_EQ(test, xenmem_pv_ops.move(pv->pages, pv->pages + XENMEM_HUGE_PAGES), -EBUSY);
	KUNIT_EXPECT_TRUE(test, pv_all(pv_has, 0, PV_PAGES));
	pv_check(test, 0);
}

static void what_is_in_one_piece_is_whole(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, xenmem_pv_ops.whole(pv->pages));
	pv_build_half_scattered(test);
	KUNIT_EXPECT_FALSE(test, xenmem_pv_ops.whole(pv->pages));
}

/* What never was the kernel's is taken for a device, as long as nothing else is said. */
static void new_pages_are_holes_as_far_as_there_is_a_place_to_say_so(struct kunit *test)
{
	unsigned long pfn = page_to_pfn(pv->pages);
	unsigned int i;

	pv_make_hole(0, PV_PAGES);
	for (i = 0; i < PV_PAGES; i++)
		pv->p2m[i] = IDENTITY_FRAME(pfn + i);

	KUNIT_EXPECT_EQ(test, xenmem_pv_ops.make_holes(pfn, PV_PAGES + 1), -ERANGE);
	pv->placeless = 700;
	KUNIT_EXPECT_EQ(test, xenmem_pv_ops.make_holes(pfn, PV_PAGES), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, pv_all(pv_is_hole, 0, 700));
	KUNIT_EXPECT_FALSE(test, pv_is_hole(700));
	pv->placeless = PV_PAGES;
	KUNIT_EXPECT_EQ(test, xenmem_pv_ops.make_holes(pfn, PV_PAGES), 0);
	KUNIT_EXPECT_TRUE(test, pv_all(pv_is_hole, 0, PV_PAGES));
}

static void without_memory_it_is_not_loaded(struct kunit *test)
{
	xenmem_pv_ops.exit();
	sim_no_memory = true;
	KUNIT_EXPECT_EQ(test, xenmem_pv_ops.init(), -ENOMEM);
	sim_no_memory = false;
	KUNIT_EXPECT_EQ(test, xenmem_pv_ops.init(), 0);
}

static struct kunit_case pv_cases[] = {
	KUNIT_CASE_PARAM(no_frame_is_lost_whatever_xen_answers, pv_step_gen_params),
	KUNIT_CASE(what_xen_does_not_take_is_mapped_again),
	KUNIT_CASE(nothing_moves_to_where_memory_is),
	KUNIT_CASE(what_is_in_one_piece_is_whole),
	KUNIT_CASE(new_pages_are_holes_as_far_as_there_is_a_place_to_say_so),
	KUNIT_CASE(without_memory_it_is_not_loaded),
	{}
};

static struct kunit_suite pv_suite = {
	.name = "pv",
	.init = pv_test_init,
	.exit = pv_test_exit,
	.test_cases = pv_cases,
};

kunit_test_suite(pv_suite);
