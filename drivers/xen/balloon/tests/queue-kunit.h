/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of queue.c: states, figures, and how each struct page looks. What a
 * test balloons out has no memory behind it in the simulated p2m either, so the
 * check at the end of each test finds what is lost.
 */
#include <linux/delay.h>
#include <linux/kthread.h>

#include "account.h"

#define QUEUE_REGIONS	8U
#define QUEUE_GUEST	(QUEUE_REGIONS * SIM_REGION_PAGES)
#define QUEUE_GFP	(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC)

static const struct sim_config queue_config = {
	.regions = QUEUE_REGIONS,
	.host_pieces = 1,
	.extra = 3,
	.slack = 5,
};

static int queue_init(struct kunit *test)
{
	sim_build(test, &queue_config);

	return 0;
}

static void expect_figures(struct kunit *test, struct balloon_figures expected)
{
	struct balloon_figures n = balloon_figures(&sim.xb->queue);

	KUNIT_EXPECT_EQ(test, n.guest, expected.guest);
	KUNIT_EXPECT_EQ(test, n.huge, expected.huge);
	KUNIT_EXPECT_EQ(test, n.base, expected.base);
	KUNIT_EXPECT_EQ(test, n.transit, expected.transit);
	KUNIT_EXPECT_EQ(test, n.quarantined, expected.quarantined);
	KUNIT_EXPECT_EQ(test, n.bad, expected.bad);
}

/* Each page of a range is PageOffline, or none. */
static void expect_offline(struct kunit *test, struct page *page, unsigned int nr,
			   bool expected)
{
	unsigned int i, found = 0;

	for (i = 0; i < nr; i++)
		found += PageOffline(page + i);
	KUNIT_EXPECT_EQ(test, found, expected ? nr : 0);
}

/* Each page of a range has so many references. */
static void expect_count(struct kunit *test, struct page *page, unsigned int nr,
			 int expected)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ_MSG(test, page_count(page + i), expected, "page %u", i);
}

/* A page that the allocator gave: populated, and the driver's. */
static struct page *allocated(struct kunit *test, unsigned int order)
{
	struct page *page = sim_alloc_pages(QUEUE_GFP, order);

	KUNIT_ASSERT_NOT_NULL(test, page);
	return page;
}

static void give_huge_to_xen(struct kunit *test, struct page *page)
{
	mutex_lock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, sim.xb->ops->release(&page, 1, XENMEM_HUGE_ORDER), 1U);
	mutex_unlock(&sim.xb->step_lock);
}

/* The first free region as an unpopulated huge page in the queue. */
static struct page *queue_huge(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct page *page = allocated(test, XENMEM_HUGE_ORDER);

	balloon_take(q, page, XENMEM_HUGE_ORDER);
	give_huge_to_xen(test, page);
	balloon_enqueue(q, page, XENMEM_HUGE_ORDER);

	return page;
}

/* A queue of its own, with what it has before balloon_queue_init(). */
static struct balloon_queue *raw_queue(struct kunit *test)
{
	struct balloon_queue *q = kunit_kzalloc(test, sizeof(*q), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, q);
	memset(q, 0x5a, sizeof(*q));
	memset(&q->n, 0, sizeof(q->n));

	return q;
}

static void expect_unlocked(struct kunit *test, struct balloon_queue *q)
{
	if (spin_trylock(&q->lock))
		spin_unlock(&q->lock);
	else
		KUNIT_FAIL(test, "queue.lock is held\n");
}

/* Init, destroy */

static void new_queue_is_empty_and_has_a_spare_region(struct kunit *test)
{
	struct balloon_queue *q = raw_queue(test);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, balloon_queue_init(q), 0);

	expect_unlocked(test, q);
	KUNIT_EXPECT_TRUE(test, list_empty(&q->nodes[0].huge));
	KUNIT_EXPECT_TRUE(test, sim_no_account(q));
	for (i = 0; i < QUEUE_FILL_CLASSES; i++)
		KUNIT_EXPECT_TRUE(test, list_empty(&q->nodes[0].by_fill[i]));
	KUNIT_ASSERT_NOT_NULL(test, q->regions.spare);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(q->regions.spare->base, XENMEM_HUGE_PAGES));
	KUNIT_EXPECT_EQ(test, q->regions.spare->nr, 0U);

	balloon_queue_destroy(q);
}

static void new_queue_without_memory_is_an_error(struct kunit *test)
{
	struct balloon_queue *q = raw_queue(test);
	long before = sim.kmalloced;

	sim_fail(SIM_KZALLOC, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, balloon_queue_init(q), -ENOMEM);
	/* There was some for the nodes, and none for the spare region. */
	sim_fail(SIM_KZALLOC, 2, 1, 0);
	KUNIT_EXPECT_EQ(test, balloon_queue_init(q), -ENOMEM);
	KUNIT_EXPECT_NULL(test, q->regions.spare);
	KUNIT_EXPECT_EQ(test, sim.kmalloced, before);
}

static void destroyed_queue_holds_no_memory(struct kunit *test)
{
	struct balloon_queue *q = raw_queue(test);
	long before = sim.kmalloced;

	KUNIT_ASSERT_EQ(test, balloon_queue_init(q), 0);
	KUNIT_ASSERT_EQ(test, balloon_region_prepare(q, sim_page(0, 0)), 0);
	KUNIT_ASSERT_EQ(test, balloon_region_prepare(q, sim_page(3, 0)), 0);
	KUNIT_EXPECT_GT(test, sim.kmalloced, before);

	balloon_queue_destroy(q);
	KUNIT_EXPECT_EQ(test, sim.kmalloced, before);
	KUNIT_EXPECT_NULL(test, q->regions.spare);
	KUNIT_EXPECT_TRUE(test, sim_no_account(q));
}

/* Single transitions */

static const unsigned int orders[] = { 0, XENMEM_HUGE_ORDER };

static void order_name(const unsigned int *order, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "order %u", *order);
}

KUNIT_ARRAY_PARAM(order, orders, order_name);

static void taken_page_goes_from_guest_to_transit(struct kunit *test)
{
	unsigned int order = *(const unsigned int *)test->param_value, nr = 1U << order;
	struct page *page = allocated(test, order);

	balloon_take(&sim.xb->queue, page, order);

	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - nr, .transit = nr });
	expect_offline(test, page, nr, true);
	KUNIT_EXPECT_FALSE(test, PageOffline(page + nr));
	KUNIT_EXPECT_EQ(test, sim.managed, (long)(QUEUE_GUEST - nr));
	expect_count(test, page, 1, 1);
	expect_count(test, page + 1, nr - 1, 0);
}

static void given_page_is_free_memory_of_the_guest(struct kunit *test)
{
	unsigned int order = *(const unsigned int *)test->param_value, nr = 1U << order;
	struct page *page = allocated(test, order), *neighbour = sim_page(2, 0);

	balloon_take(&sim.xb->queue, page, order);
	sim_balloon_page(2, 0);
	balloon_give(&sim.xb->queue, page, order);

	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 1, .transit = 1 });
	expect_offline(test, page, nr, false);
	KUNIT_EXPECT_TRUE(test, PageOffline(neighbour));
	KUNIT_EXPECT_EQ(test, sim.managed, QUEUE_GUEST - 1L);
	KUNIT_EXPECT_EQ(test, sim.nr_free, QUEUE_GUEST - 1UL);
}

/* Somebody who walks over all pages has one, and may look what it is, until we wait. */
static void page_is_ours_until_nobody_else_has_it(struct kunit *test)
{
	unsigned int order = *(const unsigned int *)test->param_value;
	struct page *page = allocated(test, order), *borrowed;

	balloon_take(&sim.xb->queue, page, order);
	set_page_private(page, 5);
	sim.walker = page;
	page_ref_inc(page);
	balloon_give(&sim.xb->queue, page, order);
	KUNIT_EXPECT_EQ(test, sim.now, (u64)NSEC_PER_MSEC);
	KUNIT_EXPECT_NULL(test, sim.walker);
	expect_figures(test, (struct balloon_figures){ .guest = QUEUE_GUEST });

	KUNIT_ASSERT_EQ(test, sim_intree_take(1), 1U);
	KUNIT_ASSERT_EQ(test, sim_alloc_ballooned(1, &borrowed), 0);
	balloon_adopt(&sim.xb->queue, borrowed);
	set_page_private(borrowed, 5);
	sim.walker = borrowed;
	page_ref_inc(borrowed);
	balloon_disown(&sim.xb->queue, &borrowed, 1);
	KUNIT_EXPECT_EQ(test, sim.now, 2ULL * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, page_private(borrowed), 0UL);
	expect_count(test, borrowed, 1, 1);
	sim_free_ballooned(1, &borrowed);
}

static void quarantined_page_is_of_no_use_to_anybody(struct kunit *test)
{
	unsigned int order = *(const unsigned int *)test->param_value, nr = 1U << order;
	struct page *page = allocated(test, order);

	balloon_take(&sim.xb->queue, page, order);
	balloon_quarantine(&sim.xb->queue, page, order);

	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - nr, .quarantined = nr });
	expect_offline(test, page, nr, true);
	expect_count(test, page, 1, 1);
	KUNIT_EXPECT_EQ(test, sim.nr_free, (unsigned long)(QUEUE_GUEST - nr));
}

/* Pages from the in-tree list, as balloon_adopt() meets them. */
static void borrow(struct kunit *test, unsigned int nr, struct page **pages)
{
	KUNIT_ASSERT_EQ(test, sim_intree_take(nr), nr);
	KUNIT_ASSERT_EQ(test, sim_alloc_ballooned(nr, pages), 0);
	sim.xb->intree.adopted += nr;
}

static void adopted_page_looks_like_one_of_ours(struct kunit *test)
{
	struct page *page;

	borrow(test, 1, &page);
	/* As one that was never populated since boot. */
	SetPageReserved(page);
	set_page_count(page, 0);
	balloon_adopt(&sim.xb->queue, page);

	KUNIT_EXPECT_FALSE(test, PageReserved(page));
	KUNIT_EXPECT_TRUE(test, PageOffline(page));
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	expect_figures(test, (struct balloon_figures){ .guest = QUEUE_GUEST, .transit = 1 });
	KUNIT_EXPECT_EQ(test, sim.managed, QUEUE_GUEST - 1L);
}

static void adopted_page_keeps_the_reference_of_somebody_else(struct kunit *test)
{
	struct page *page;

	borrow(test, 1, &page);
	page_ref_inc(page);
	balloon_adopt(&sim.xb->queue, page);
	KUNIT_EXPECT_EQ(test, page_count(page), 2);
	page_ref_dec(page);
}

static void disowned_pages_leave_and_others_stay(struct kunit *test)
{
	struct page *pages[3];
	unsigned int i;

	borrow(test, 3, pages);
	for (i = 0; i < 3; i++)
		balloon_adopt(&sim.xb->queue, pages[i]);

	balloon_disown(&sim.xb->queue, pages, 2);
	KUNIT_EXPECT_FALSE(test, PageOffline(pages[0]));
	KUNIT_EXPECT_FALSE(test, PageOffline(pages[1]));
	KUNIT_EXPECT_TRUE(test, PageOffline(pages[2]));
	expect_count(test, pages[0], 1, 1);
	expect_figures(test, (struct balloon_figures){ .guest = QUEUE_GUEST, .transit = 1 });

	sim.xb->intree.adopted -= 2;
	sim_free_ballooned(2, pages);
}

static void guest_is_corrected_both_ways(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;

	balloon_correct_guest(q, 7);
	expect_figures(test, (struct balloon_figures){ .guest = QUEUE_GUEST + 7 });
	balloon_correct_guest(q, -10);
	expect_figures(test, (struct balloon_figures){ .guest = QUEUE_GUEST - 3 });
	balloon_correct_guest(q, 3);
}

/* Joining */

static void base_page_that_makes_a_region_whole_makes_a_huge_page(struct kunit *test)
{
	unsigned int last = *(const unsigned int *)test->param_value;
	struct balloon_queue *q = &sim.xb->queue;
	struct balloon_region *region;

	sim_queue_base(3, 0, 5);
	sim_queue_base(2, 0, last);
	sim_queue_base(2, last + 1, 511 - last);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 516, .base = 516 });
	KUNIT_EXPECT_TRUE(test, filed_under(2, 9));

	sim_queue_base(2, last, 1);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 517, .base = 5, .huge = 1 });
	KUNIT_EXPECT_PTR_EQ(test, list_first_entry(&q->nodes[0].huge, struct page, lru),
			    sim_page(2, 0));
	expect_count(test, sim_page(2, 0), 1, 1);
	expect_count(test, sim_page(2, 1), 511, 0);
	expect_offline(test, sim_page(2, 0), 512, true);

	region = find_region(2);
	KUNIT_ASSERT_NOT_NULL(test, region);
	KUNIT_EXPECT_EQ(test, region->nr, 0U);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(region->base, XENMEM_HUGE_PAGES));
	KUNIT_EXPECT_TRUE(test, filed_under(2, 0));
}

static const unsigned int indexes[] = { 1, 2, 255, 256, 510, 511 };

static void index_name(const unsigned int *index, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "page %u", *index);
}

KUNIT_ARRAY_PARAM(index, indexes, index_name);

static void page_with_another_reference_keeps_a_region_from_being_joined(struct kunit *test)
{
	unsigned int index = *(const unsigned int *)test->param_value;
	struct balloon_queue *q = &sim.xb->queue;
	unsigned int last = index == 511 ? 100 : 511;
	struct page *first = sim_page(2, 0), *page;

	sim_queue_base(2, 0, last);
	sim_queue_base(2, last + 1, 511 - last);
	page_ref_inc(first + index);
	page_ref_inc(first);
	sim_queue_base(2, last, 1);

	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 512, .base = 512 });
	KUNIT_EXPECT_TRUE(test, filed_under(2, 10));
	expect_count(test, first, 1, 2);
	expect_count(test, first + 1, index - 1, 1);
	expect_count(test, first + index, 1, 2);
	expect_count(test, first + index + 1, 511 - index, 1);

	/* When that is gone, the next page that comes back makes it whole. */
	page_ref_dec(first + index);
	page_ref_dec(first);
	KUNIT_ASSERT_EQ(test, balloon_dequeue_base(q, &page, 1, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_PTR_EQ(test, page, first);
	balloon_enqueue(q, page, 0);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 512, .huge = 1 });
}

struct stay_case {
	const char *name;
	struct sim_config config;
	unsigned int region;
};

#define STAY_WORLD	.regions = 8, .host_pieces = 8
static const struct stay_case stay_cases[] = {
	{ "where two nodes meet", { STAY_WORLD, .nodes = 2, .border = 255 }, 4 },
	{ "that must be able to leave", { STAY_WORLD, .movable = 1 }, 7 },
	{ "that a device may want", { STAY_WORLD, .kept = 1 }, 7 },
};

static void stay_case_name(const struct stay_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(stay, stay_cases, stay_case_name);

static void base_pages_stay_base_pages(struct kunit *test)
{
	const struct stay_case *c = test->param_value;
	struct balloon_queue *q = &sim.xb->queue;

	sim_build(test, &c->config);
	sim_queue_base(c->region, 0, 512);
	sim_queue_base(1, 0, 7);
	balloon_queue_tidy(q);

	KUNIT_EXPECT_EQ(test, q->n.huge, 0UL);
	KUNIT_EXPECT_EQ(test, q->n.base, 519UL);
	/* There is no better way to have them, and where nodes meet they are of none. */
	KUNIT_EXPECT_EQ(test, balloon_base_on(q, 0), 7UL);
	KUNIT_EXPECT_EQ(test, balloon_base_on(q, 1), 0UL);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(q, sim.xb->pages, 512, 1), 0U);
	KUNIT_EXPECT_EQ(test, q->nodes[c->config.nodes ? SIM_NODES : 0].whole, 1UL);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(q, sim.xb->pages, 512, NUMA_NO_NODE), 512U);
	KUNIT_EXPECT_EQ(test, q->nodes[c->config.nodes ? SIM_NODES : 0].whole, 0UL);
}

/* Huge pages */

static void huge_page_ballooned_last_comes_out_first(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct page *pages[4] = {}, *queued[3];
	unsigned int i;

	for (i = 0; i < 3; i++)
		queued[i] = queue_huge(test);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 3 * 512, .huge = 3 });

	KUNIT_EXPECT_EQ(test, balloon_dequeue_huge(q, pages, 2, NUMA_NO_NODE), 2U);
	KUNIT_EXPECT_PTR_EQ(test, pages[0], queued[2]);
	KUNIT_EXPECT_PTR_EQ(test, pages[1], queued[1]);
	KUNIT_EXPECT_NULL(test, pages[2]);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 3 * 512, .huge = 1, .transit = 1024 });
	KUNIT_EXPECT_TRUE(test, list_is_singular(&q->nodes[0].huge));
}

static void no_more_huge_pages_come_out_than_there_are(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct page *pages[4] = {}, *queued = queue_huge(test);

	sim_queue_base(5, 0, 3);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_huge(q, pages, 0, NUMA_NO_NODE), 0U);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_huge(q, pages, 4, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_PTR_EQ(test, pages[0], queued);
	KUNIT_EXPECT_NULL(test, pages[1]);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_huge(q, pages, 4, NUMA_NO_NODE), 0U);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 515, .base = 3, .transit = 512 });
}

static const struct sim_config queue_nodes = {
	.regions = QUEUE_REGIONS, .host_pieces = 8, .slack = 5, .nodes = 2,
};

static struct page *queue_huge_on(struct kunit *test, int nid)
{
	struct page *page = sim_alloc_pages_node(nid, QUEUE_GFP | __GFP_THISNODE,
						 XENMEM_HUGE_ORDER);

	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_ASSERT_EQ(test, sim_page_nid(page), nid);
	balloon_take(&sim.xb->queue, page, XENMEM_HUGE_ORDER);
	give_huge_to_xen(test, page);
	balloon_enqueue(&sim.xb->queue, page, XENMEM_HUGE_ORDER);

	return page;
}

static void huge_pages_come_out_of_the_node_that_is_asked_for(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct page *first, *second, *third, *pages[4];

	sim_build(test, &queue_nodes);
	first = queue_huge_on(test, 1);
	second = queue_huge_on(test, 0);
	third = queue_huge_on(test, 1);
	KUNIT_EXPECT_EQ(test, q->nodes[0].nr_huge, 1UL);
	KUNIT_EXPECT_EQ(test, q->nodes[1].nr_huge, 2UL);

	KUNIT_EXPECT_EQ(test, balloon_dequeue_huge(q, pages, 4, 1), 2U);
	KUNIT_EXPECT_PTR_EQ(test, pages[0], third);
	KUNIT_EXPECT_PTR_EQ(test, pages[1], first);
	KUNIT_EXPECT_EQ(test, q->nodes[0].nr_huge, 1UL);
	KUNIT_EXPECT_EQ(test, q->nodes[1].nr_huge, 0UL);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_huge(q, pages, 4, 1), 0U);
	KUNIT_EXPECT_NULL(test, balloon_dequeue_split(q, 1));

	balloon_enqueue(q, first, XENMEM_HUGE_ORDER);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_huge(q, pages, 4, NUMA_NO_NODE), 2U);
	KUNIT_EXPECT_PTR_EQ(test, pages[0], second);
	KUNIT_EXPECT_PTR_EQ(test, pages[1], first);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 3 * 512, .transit = 3 * 512 });
}

static void base_pages_are_counted_for_their_node(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct page *pages[8];

	sim_build(test, &queue_nodes);
	sim_queue_base(2, 0, 3);
	sim_queue_base(6, 0, 511);
	KUNIT_EXPECT_EQ(test, q->nodes[0].base, 3UL);
	KUNIT_EXPECT_EQ(test, q->nodes[1].base, 511UL);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(q, pages, 8, 0), 3U);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(q, pages, 8, 0), 0U);
	KUNIT_EXPECT_EQ(test, q->nodes[0].base, 0UL);

	/* And so is the huge page that they are. */
	sim_queue_base(6, 511, 1);
	KUNIT_EXPECT_EQ(test, q->nodes[1].base, 0UL);
	KUNIT_EXPECT_EQ(test, q->nodes[1].nr_huge, 1UL);
	KUNIT_EXPECT_EQ(test, q->nodes[0].nr_huge, 0UL);
}

/* Base pages */

struct fill_case {
	unsigned int nr;
	unsigned int class;
};

static const struct fill_case fill_cases[] = {
	{ 1, 1 }, { 2, 2 }, { 3, 2 }, { 4, 3 }, { 7, 3 }, { 8, 4 }, { 31, 5 }, { 32, 6 },
	{ 127, 7 }, { 128, 8 }, { 255, 8 }, { 256, 9 }, { 511, 9 },
};

static void fill_case_name(const struct fill_case *c, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%u base pages", c->nr);
}

KUNIT_ARRAY_PARAM(fill, fill_cases, fill_case_name);

static void region_is_filed_by_how_many_base_pages_it_has(struct kunit *test)
{
	const struct fill_case *c = test->param_value;
	unsigned int class;

	sim_queue_base(2, 0, c->nr);
	for (class = 0; class < QUEUE_FILL_CLASSES; class++)
		KUNIT_EXPECT_EQ(test, filed_under(2, class), class == c->class);
	KUNIT_EXPECT_EQ(test, find_region(2)->nr, c->nr);
	KUNIT_EXPECT_EQ(test, bitmap_weight(find_region(2)->base, 512), (int)c->nr);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - c->nr, .base = c->nr });
}

static void base_pages_of_the_emptiest_region_go_first(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct page *pages[9] = {};
	unsigned int i;

	sim_queue_base(1, 500, 5);
	sim_queue_base(4, 511, 1);
	sim_queue_base(2, 10, 2);
	KUNIT_ASSERT_EQ(test, balloon_region_prepare(q, sim_page(0, 0)), 0);

	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(q, pages, 5, NUMA_NO_NODE), 5U);
	KUNIT_EXPECT_PTR_EQ(test, pages[0], sim_page(4, 511));
	KUNIT_EXPECT_PTR_EQ(test, pages[1], sim_page(2, 10));
	KUNIT_EXPECT_PTR_EQ(test, pages[2], sim_page(2, 11));
	KUNIT_EXPECT_PTR_EQ(test, pages[3], sim_page(1, 500));
	KUNIT_EXPECT_PTR_EQ(test, pages[4], sim_page(1, 501));
	KUNIT_EXPECT_NULL(test, pages[5]);

	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_TRUE(test, PageOffline(pages[i]));
	KUNIT_EXPECT_TRUE(test, filed_under(4, 0));
	KUNIT_EXPECT_TRUE(test, filed_under(2, 0));
	KUNIT_EXPECT_TRUE(test, filed_under(1, 2));
	KUNIT_EXPECT_EQ(test, find_region(1)->nr, 3U);
	KUNIT_EXPECT_EQ(test, find_first_bit(find_region(1)->base, 512), 502UL);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 8, .base = 3, .transit = 5 });
}

static void of_equal_regions_the_one_changed_last_goes_first(struct kunit *test)
{
	struct page *page;

	sim_queue_base(1, 0, 2);
	sim_queue_base(2, 0, 3);
	KUNIT_ASSERT_EQ(test, balloon_dequeue_base(&sim.xb->queue, &page, 1, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_PTR_EQ(test, page, sim_page(2, 0));
}

static void no_more_base_pages_come_out_than_there_are(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct page *pages[9] = {};

	queue_huge(test);
	sim_queue_base(2, 0, 3);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(q, pages, 0, NUMA_NO_NODE), 0U);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(q, pages, 9, NUMA_NO_NODE), 3U);
	KUNIT_EXPECT_PTR_EQ(test, pages[2], sim_page(2, 2));
	KUNIT_EXPECT_NULL(test, pages[3]);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(q, pages, 9, NUMA_NO_NODE), 0U);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 515, .huge = 1, .transit = 3 });
}

/* Splitting */

static void nothing_is_split_when_there_is_no_huge_page(struct kunit *test)
{
	sim_queue_base(2, 0, 3);
	KUNIT_EXPECT_NULL(test, balloon_dequeue_split(&sim.xb->queue, NUMA_NO_NODE));
	expect_figures(test, (struct balloon_figures){ .guest = QUEUE_GUEST - 3, .base = 3 });
}

static void split_page_has_a_place_for_its_base_pages(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct balloon_region *spare = q->regions.spare;
	struct page *queued = queue_huge(test), *page = balloon_dequeue_split(q, NUMA_NO_NODE);
	unsigned int i;

	KUNIT_ASSERT_PTR_EQ(test, page, queued);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 512, .transit = 512 });
	KUNIT_EXPECT_PTR_EQ(test, q->regions.spare, spare);

	split_page(page, XENMEM_HUGE_ORDER);
	sim_fail(SIM_KZALLOC, 1, 1, 0);
	for (i = 0; i < 511; i++)
		balloon_enqueue(q, page + i, 0);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 512, .base = 511, .transit = 1 });
	balloon_enqueue(q, page + 511, 0);
	expect_figures(test, (struct balloon_figures){ .guest = QUEUE_GUEST - 512, .huge = 1 });
}

static void split_without_memory_takes_the_spare_region(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct balloon_region *spare = q->regions.spare;
	struct page *queued = queue_huge(test);

	sim_fail(SIM_KZALLOC, 1, 1, 0);
	KUNIT_EXPECT_PTR_EQ(test, balloon_dequeue_split(q, NUMA_NO_NODE), queued);
	KUNIT_EXPECT_NULL(test, q->regions.spare);
	KUNIT_EXPECT_PTR_EQ(test, find_region(0), spare);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 512, .transit = 512 });
}

static void split_without_memory_and_spare_changes_nothing(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct page *queued = queue_huge(test), *page = NULL;

	kfree(q->regions.spare);
	q->regions.spare = NULL;
	sim_fail(SIM_KZALLOC, 1, 1, 0);
	KUNIT_EXPECT_NULL(test, balloon_dequeue_split(q, NUMA_NO_NODE));
	expect_figures(test, (struct balloon_figures){ .guest = QUEUE_GUEST - 512, .huge = 1 });
	KUNIT_EXPECT_EQ(test, balloon_dequeue_huge(q, &page, 1, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_PTR_EQ(test, page, queued);
}

/* Recount */

/* 100 regions, each with 50 base pages. */
static struct balloon_queue *many_broken_regions(struct kunit *test)
{
	static const struct sim_config config = { .regions = 100, .host_pieces = 50 };
	unsigned int i;

	sim_build(test, &config);
	for (i = 0; i < 100; i++)
		sim_queue_base(i, 0, 50);

	return &sim.xb->queue;
}

/* Any task that compacts memory waits for the lock. */
static void no_more_than_eight_regions_are_seen_to_at_a_time(struct kunit *test)
{
	struct balloon_queue *q = many_broken_regions(test);
	unsigned long bad;

	sim.longest_hold = 0;
	KUNIT_EXPECT_EQ(test, balloon_recount(q, &bad).base, 5000UL);
	KUNIT_EXPECT_EQ(test, sim.longest_hold, 8U * 50);

	while (balloon_dequeue_base(q, sim.xb->pages, 512, NUMA_NO_NODE))
		;
	sim.longest_hold = 0;
	balloon_queue_tidy(q);
	KUNIT_EXPECT_EQ(test, sim.longest_hold, 8U);
	KUNIT_EXPECT_TRUE(test, sim_no_account(q));
}

static void recount_is_right_while_compaction_moves_pages(struct kunit *test)
{
	struct balloon_queue *q = many_broken_regions(test);
	unsigned long bad;
	unsigned int i;

	sim.compacts = SIM_ISOLATED;
	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_EQ(test, balloon_recount(q, &bad).base, 5000UL);
		KUNIT_EXPECT_EQ(test, bad, 0UL);
	}
	KUNIT_EXPECT_GT(test, sim.moved, 100UL);
}

static void recount_goes_by_the_queues_and_not_by_the_figures(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct balloon_figures n, kept;
	unsigned long bad = 99;

	queue_huge(test);
	queue_huge(test);
	sim_queue_base(3, 100, 5);
	sim_queue_base(6, 0, 2);
	sim_balloon_page(4, 0);

	kept = q->n;
	q->n.huge = 1000;
	q->n.base = 2000;
	q->n.quarantined = 50;
	n = balloon_recount(q, &bad);
	q->n = kept;

	KUNIT_EXPECT_EQ(test, n.guest, QUEUE_GUEST - 1024UL - 7 - 1);
	KUNIT_EXPECT_EQ(test, n.huge, 2UL);
	KUNIT_EXPECT_EQ(test, n.base, 7UL);
	KUNIT_EXPECT_EQ(test, n.transit, 1UL);
	KUNIT_EXPECT_EQ(test, n.quarantined, 50UL);
	KUNIT_EXPECT_EQ(test, bad, 0UL);
}

static void recount_tells_pages_that_do_not_look_queued(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct page *huge[2] = { queue_huge(test), queue_huge(test) };
	unsigned long bad;

	sim_queue_base(3, 100, 5);

	page_ref_inc(huge[0]);
	balloon_recount(q, &bad);
	KUNIT_EXPECT_EQ(test, bad, 1UL);

	__ClearPageOffline(huge[1]);
	balloon_recount(q, &bad);
	KUNIT_EXPECT_EQ(test, bad, 2UL);

	set_page_count(sim_page(3, 100), 0);
	balloon_recount(q, &bad);
	KUNIT_EXPECT_EQ(test, bad, 3UL);

	__ClearPageOffline(sim_page(3, 104));
	balloon_recount(q, &bad);
	KUNIT_EXPECT_EQ(test, bad, 4UL);

	page_ref_dec(huge[0]);
	__SetPageOffline(huge[1]);
	set_page_count(sim_page(3, 100), 1);
	__SetPageOffline(sim_page(3, 104));
	balloon_recount(q, &bad);
	KUNIT_EXPECT_EQ(test, bad, 0UL);
}

static void recount_tells_what_is_counted_wrong_for_a_node(struct kunit *test)
{
	struct balloon_queue *q = &sim.xb->queue;
	struct balloon_figures n;
	unsigned long bad;

	sim_build(test, &queue_nodes);
	queue_huge_on(test, 0);
	queue_huge_on(test, 1);
	queue_huge_on(test, 1);
	sim_queue_base(7, 0, 3);
	n = balloon_recount(q, &bad);
	KUNIT_EXPECT_EQ(test, bad, 0UL);
	KUNIT_EXPECT_EQ(test, n.huge, 3UL);
	KUNIT_EXPECT_EQ(test, n.base, 3UL);

	q->nodes[0].nr_huge++;
	balloon_recount(q, &bad);
	KUNIT_EXPECT_EQ(test, bad, 1UL);
	q->nodes[1].nr_huge--;
	balloon_recount(q, &bad);
	KUNIT_EXPECT_EQ(test, bad, 2UL);
	q->nodes[1].base++;
	balloon_recount(q, &bad);
	KUNIT_EXPECT_EQ(test, bad, 3UL);

	q->nodes[0].nr_huge--;
	q->nodes[1].nr_huge++;
	q->nodes[1].base--;
	balloon_recount(q, &bad);
	KUNIT_EXPECT_EQ(test, bad, 0UL);
}

/* Locking */

/* Calls on @page[0], in transit and with a region, and @page[1], the driver's. */
struct lock_case {
	const char *name;
	void (*call)(struct balloon_queue *q, struct page *page);
};

static void call_prepare(struct balloon_queue *q, struct page *page)
{
	balloon_region_prepare(q, page);
}

static void call_set_state(struct balloon_queue *q, struct page *page)
{
	balloon_region_suspect(q, page);
}

static void call_trim(struct balloon_queue *q, struct page *page)
{
	balloon_queue_tidy(q);
}

static void call_take(struct balloon_queue *q, struct page *page)
{
	balloon_take(q, page + 1, 0);
}

static void call_adopt(struct balloon_queue *q, struct page *page)
{
	balloon_adopt(q, page + 1);
}

static void call_disown(struct balloon_queue *q, struct page *page)
{
	balloon_disown(q, &page, 1);
}

static void call_give(struct balloon_queue *q, struct page *page)
{
	balloon_give(q, page, 0);
}

static void call_enqueue(struct balloon_queue *q, struct page *page)
{
	balloon_enqueue(q, page, 0);
}

static void call_dequeue_huge(struct balloon_queue *q, struct page *page)
{
	balloon_dequeue_huge(q, &page, 1, NUMA_NO_NODE);
}

static void call_dequeue_base(struct balloon_queue *q, struct page *page)
{
	balloon_dequeue_base(q, &page, 1, NUMA_NO_NODE);
}

static void call_quarantine(struct balloon_queue *q, struct page *page)
{
	balloon_quarantine(q, page, 0);
}

static void call_correct_guest(struct balloon_queue *q, struct page *page)
{
	balloon_correct_guest(q, 1);
}

static void call_figures(struct balloon_queue *q, struct page *page)
{
	balloon_figures(q);
}

static void call_recount(struct balloon_queue *q, struct page *page)
{
	unsigned long bad;

	balloon_recount(q, &bad);
}

static void call_region_broken(struct balloon_queue *q, struct page *page)
{
	balloon_region_broken(q, page);
}

static const struct lock_case lock_cases[] = {
	{ "prepare", call_prepare },
	{ "region_suspect", call_set_state },
	{ "trim", call_trim },
	{ "take", call_take },
	{ "adopt", call_adopt },
	{ "disown", call_disown },
	{ "give", call_give },
	{ "enqueue", call_enqueue },
	{ "dequeue_huge", call_dequeue_huge },
	{ "dequeue_base", call_dequeue_base },
	{ "quarantine", call_quarantine },
	{ "correct_guest", call_correct_guest },
	{ "figures", call_figures },
	{ "recount", call_recount },
	{ "region_broken", call_region_broken },
};

static void lock_case_name(const struct lock_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(lock, lock_cases, lock_case_name);

struct caller {
	const struct lock_case *c;
	struct balloon_queue *q;
	struct page *page;
	bool called;
	struct completion returned;
};

static int caller_thread(void *data)
{
	struct caller *caller = data;

	WRITE_ONCE(caller->called, true);
	caller->c->call(caller->q, caller->page);
	kthread_complete_and_exit(&caller->returned, 0);
}

/* Run a call on another CPU while the lock is held. Does it return? */
static bool returns_under_lock(struct kunit *test, struct caller *caller)
{
	struct task_struct *thread = kthread_create(caller_thread, caller, "queue-kunit");
	unsigned int tries = 100;
	bool returned;

	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	migrate_disable();
	kthread_bind(thread, cpumask_any_but(cpu_online_mask, smp_processor_id()));
	spin_lock(&caller->q->lock);
	wake_up_process(thread);
	while (!READ_ONCE(caller->called) && tries--)
		mdelay(1);
	mdelay(2);
	returned = completion_done(&caller->returned);
	spin_unlock(&caller->q->lock);
	migrate_enable();
	wait_for_completion(&caller->returned);

	return returned;
}

static void call_waits_for_the_lock(struct kunit *test)
{
	static const struct sim_config config = { .regions = 1, .lenient = true };
	struct caller caller = { .c = test->param_value, .q = raw_queue(test) };
	struct page *page;

	if (cpumask_weight(cpu_online_mask) < 2)
		kunit_skip(test, "needs two CPUs");

	sim_build(test, &config);
	KUNIT_ASSERT_EQ(test, balloon_queue_init(caller.q), 0);
	caller.page = sim_page(0, 0);
	KUNIT_ASSERT_TRUE(test, sim_use(0, 0, SIM_DRIVER));
	KUNIT_ASSERT_TRUE(test, sim_use(0, 1, SIM_DRIVER));
	balloon_take(caller.q, caller.page, 0);
	KUNIT_ASSERT_EQ(test, balloon_region_prepare(caller.q, caller.page), 0);
	init_completion(&caller.returned);

	KUNIT_EXPECT_FALSE(test, returns_under_lock(test, &caller));
	expect_unlocked(test, caller.q);

	balloon_dequeue_base(caller.q, &page, 1, NUMA_NO_NODE);
	balloon_queue_destroy(caller.q);
}

/* What the machine reported as bad */

static void bad_base_page_comes_back_to_nobody(struct kunit *test)
{
	struct page *pages[8];

	sim_queue_base(2, 100, 5);
	sim.bad = sim_page(2, 102);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(&sim.xb->queue, pages, 8, NUMA_NO_NODE), 4U);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 5, .transit = 4, .quarantined = 1, .bad = 1 });
	KUNIT_EXPECT_TRUE(test, PageOffline(sim.bad));
	KUNIT_EXPECT_EQ(test, sim.nr_said, 1U);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_base(&sim.xb->queue, pages, 8, NUMA_NO_NODE), 0U);
}

static void of_a_huge_page_with_a_bad_one_the_others_are_base_pages(struct kunit *test)
{
	struct page *page = queue_huge(test), *good = queue_huge(test), *found[2];

	sim.bad = page + 511;
	KUNIT_EXPECT_EQ(test, balloon_dequeue_huge(&sim.xb->queue, found, 2, NUMA_NO_NODE), 1U);
	KUNIT_EXPECT_PTR_EQ(test, found[0], good);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 1024, .base = 511, .transit = 512,
		.quarantined = 1, .bad = 1 });
	expect_count(test, page, 512, 1);
}

static void huge_page_with_a_bad_one_is_out_of_use_without_memory_for_its_parts(struct kunit *test)
{
	struct page *page = queue_huge(test), *found;

	sim.bad = page;
	kfree(sim.xb->queue.regions.spare);
	sim.xb->queue.regions.spare = NULL;
	sim_fail(SIM_KZALLOC, 1, 1, 0);
	KUNIT_EXPECT_EQ(test, balloon_dequeue_huge(&sim.xb->queue, &found, 1, NUMA_NO_NODE), 0U);
	expect_figures(test, (struct balloon_figures){
		.guest = QUEUE_GUEST - 512, .quarantined = 512, .bad = 512 });
}

static struct kunit_case queue_cases[] = {
	KUNIT_CASE(bad_base_page_comes_back_to_nobody),
	KUNIT_CASE(of_a_huge_page_with_a_bad_one_the_others_are_base_pages),
	KUNIT_CASE(huge_page_with_a_bad_one_is_out_of_use_without_memory_for_its_parts),
	KUNIT_CASE(new_queue_is_empty_and_has_a_spare_region),
	KUNIT_CASE(new_queue_without_memory_is_an_error),
	KUNIT_CASE(destroyed_queue_holds_no_memory),
	KUNIT_CASE_PARAM(taken_page_goes_from_guest_to_transit, order_gen_params),
	KUNIT_CASE_PARAM(given_page_is_free_memory_of_the_guest, order_gen_params),
	KUNIT_CASE_PARAM(page_is_ours_until_nobody_else_has_it, order_gen_params),
	KUNIT_CASE_PARAM(quarantined_page_is_of_no_use_to_anybody, order_gen_params),
	KUNIT_CASE(adopted_page_keeps_the_reference_of_somebody_else),
	KUNIT_CASE(adopted_page_looks_like_one_of_ours),
	KUNIT_CASE(disowned_pages_leave_and_others_stay),
	KUNIT_CASE(guest_is_corrected_both_ways),
	KUNIT_CASE_PARAM(base_page_that_makes_a_region_whole_makes_a_huge_page, index_gen_params),
	KUNIT_CASE_PARAM(base_pages_stay_base_pages, stay_gen_params),
	KUNIT_CASE_PARAM(page_with_another_reference_keeps_a_region_from_being_joined,
			 index_gen_params),
	KUNIT_CASE(huge_page_ballooned_last_comes_out_first),
	KUNIT_CASE(no_more_huge_pages_come_out_than_there_are),
	KUNIT_CASE(huge_pages_come_out_of_the_node_that_is_asked_for),
	KUNIT_CASE(base_pages_are_counted_for_their_node),
	KUNIT_CASE_PARAM(region_is_filed_by_how_many_base_pages_it_has, fill_gen_params),
	KUNIT_CASE(base_pages_of_the_emptiest_region_go_first),
	KUNIT_CASE(of_equal_regions_the_one_changed_last_goes_first),
	KUNIT_CASE(no_more_base_pages_come_out_than_there_are),
	KUNIT_CASE(nothing_is_split_when_there_is_no_huge_page),
	KUNIT_CASE(split_page_has_a_place_for_its_base_pages),
	KUNIT_CASE(split_without_memory_takes_the_spare_region),
	KUNIT_CASE(split_without_memory_and_spare_changes_nothing),
	KUNIT_CASE(no_more_than_eight_regions_are_seen_to_at_a_time),
	KUNIT_CASE(recount_is_right_while_compaction_moves_pages),
	KUNIT_CASE(recount_goes_by_the_queues_and_not_by_the_figures),
	KUNIT_CASE(recount_tells_pages_that_do_not_look_queued),
	KUNIT_CASE(recount_tells_what_is_counted_wrong_for_a_node),
	KUNIT_CASE_PARAM(call_waits_for_the_lock, lock_gen_params),
	{}
};

static struct kunit_suite queue_suite = {
	.name = "queue",
	.init = queue_init,
	.exit = sim_exit_part,
	.test_cases = queue_cases,
};

kunit_test_suite(queue_suite);
