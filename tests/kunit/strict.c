// SPDX-License-Identifier: GPL-2.0
/*
 * That the simulated world is strict: each thing that the driver must never do
 * is done here on purpose, and is found, as is each way to lose a page.
 */
#include <linux/mm.h>
#include <linux/page-flags.h>

#include "balloon.h"
#include "sim.h"

#define GFP_GOOD	(GFP_KERNEL | __GFP_NOWARN | __GFP_NORETRY | __GFP_NOMEMALLOC)

/* A page in the driver's hands, about to be released. */
static struct page *taken(unsigned int order)
{
	struct page *page = sim_alloc_pages(GFP_GOOD, order);

	balloon_take(&sim.xb->queue, page, order);
	return page;
}

/* One that has no memory behind it any more. */
static struct page *released(unsigned int order)
{
	struct page *page = taken(order);

	sim_ops.release(&page, 1, order);
	return page;
}

static void populate(struct page *page)
{
	sim_ops.populate(&page, 1, 0, NULL);
}

/* Misuse of Xen */

static void populate_populated(void)
{
	populate(taken(0));
}

static void populate_lent(void)
{
	struct page *page = released(0);
	unsigned int index;

	sim_region_of(page_to_pfn(page), &index)->frame[index] = SIM_FOREIGN;
	populate(page);
}

static void populate_anothers(void)
{
	populate(sim_page(7, 7));
}

static void populate_in_sight(void)
{
	struct page *page = released(0);

	__ClearPageOffline(page);
	populate(page);
}

static void release_hole(void)
{
	struct page *page = released(0);

	sim_ops.release(&page, 1, 0);
}

static void release_anothers(void)
{
	struct page *page = sim_page(7, 7);

	sim_ops.release(&page, 1, 0);
}

static void release_secret(void)
{
	struct page *page = taken(0);
	unsigned int index;

	sim_region_of(page_to_pfn(page), &index)->content[index] = SIM_SECRET;
	sim_ops.release(&page, 1, 0);
}

static void release_referenced(void)
{
	struct page *page = taken(0);

	get_page(page);
	sim_ops.release(&page, 1, 0);
}

static void release_misaligned(void)
{
	struct page *page = taken(9) + 1;

	sim_ops.release(&page, 1, 9);
}

static void order_10(void)
{
	struct page *page = taken(10);

	sim_ops.release(&page, 1, 10);
}

static void too_many(void)
{
	struct page *pages[XENMEM_MAX_HUGE + 1];

	memset_p((void **)pages, taken(9), ARRAY_SIZE(pages));
	sim_ops.release(pages, ARRAY_SIZE(pages), 9);
}

static void without_step_lock(void)
{
	struct page *page = taken(0);

	mutex_unlock(&sim.xb->step_lock);
	sim_ops.release(&page, 1, 0);
	mutex_lock(&sim.xb->step_lock);
}

static void under_queue_lock(void)
{
	struct page *page = taken(0);

	spin_lock(&sim.xb->queue.lock);
	sim_ops.release(&page, 1, 0);
	spin_unlock(&sim.xb->queue.lock);
}

static void move_hole(void)
{
	sim_ops.move(released(0), released(0));
}

static void move_anothers(void)
{
	sim_ops.move(sim_page(7, 7), released(0));
}

static void move_to_populated(void)
{
	sim_ops.move(taken(0), taken(0));
}

static void move_to_anothers(void)
{
	sim_ops.move(taken(0), sim_page(7, 7));
}

static void move_to_lent(void)
{
	struct page *page = released(0);
	unsigned int index;

	sim_region_of(page_to_pfn(page), &index)->frame[index] = SIM_FOREIGN;
	sim_ops.move(taken(0), page);
}

static void move_to_what_is_in_sight(void)
{
	struct page *page = released(0);

	__ClearPageOffline(page);
	sim_ops.move(taken(0), page);
}

/* Misuse of the memory manager */

static void free_hole(void)
{
	struct page *page = released(0);

	__ClearPageOffline(page);
	sim_free_pages(page, 0);
}

static void let_go_of_hole(void)
{
	struct page *page = released(0);

	__ClearPageOffline(page);
	set_page_count(page, 0);
	sim_unclaim(page);
}

static void free_offline(void)
{
	sim_free_pages(taken(0), 0);
}

static void free_reserved(void)
{
	struct page *page = sim_alloc_pages(GFP_GOOD, 0);

	SetPageReserved(page);
	sim_free_pages(page, 0);
}

static void free_twice(void)
{
	struct page *page = sim_alloc_pages(GFP_GOOD, 0);

	sim_free_pages(page, 0);
	sim_free_pages(page, 0);
}

static void free_referenced(void)
{
	struct page *page = sim_alloc_pages(GFP_GOOD, 0);

	get_page(page);
	sim_free_pages(page, 0);
}

static void wake_oom_killer(void)
{
	sim_alloc_pages(GFP_GOOD & ~__GFP_NORETRY, 0);
}

static void wake_oom_killer_for_little(void)
{
	sim_kfree(sim_kzalloc(8, GFP_KERNEL));
}

static void wake_oom_killer_for_a_place(void)
{
	struct xarray places;

	xa_init(&places);
	sim_xa_reserve(&places, 0, GFP_KERNEL);
	xa_destroy(&places);
}

static void take_reserves(void)
{
	sim_alloc_pages(GFP_GOOD & ~__GFP_NOMEMALLOC, 0);
}

static void insist(void)
{
	sim_alloc_pages(GFP_GOOD | __GFP_NOFAIL, 0);
}

static void allocate_under_lock(void)
{
	spin_lock(&sim.xb->queue.lock);
	sim_alloc_pages(GFP_GOOD & ~__GFP_RECLAIM, 0);
	spin_unlock(&sim.xb->queue.lock);
}

static void zero_anothers(void)
{
	sim_clear_page(sim_page(7, 7));
}

static void zero_twice(void)
{
	struct page *page = sim_alloc_pages(GFP_GOOD, 0);

	sim_clear_page(page);
	sim_clear_page(page);
}

static void warn_of_failure(void)
{
	sim_alloc_pages(GFP_GOOD & ~__GFP_NOWARN, 0);
}

static void contig_part(void)
{
	unsigned long pfn = page_to_pfn(sim_page(0, 0));

	sim_alloc_contig_range(pfn, pfn + 1, MIGRATE_MOVABLE, GFP_GOOD);
}

static void contig_unmovable(void)
{
	unsigned long pfn = page_to_pfn(sim_page(0, 0));

	sim_alloc_contig_range(pfn, pfn + SIM_REGION_PAGES, MIGRATE_UNMOVABLE, GFP_GOOD);
}

static void contig_kept(void)
{
	unsigned long pfn = page_to_pfn(sim_page(3, 0));

	sim.config.kept = sim.config.regions;
	sim_alloc_contig_range(pfn, pfn + SIM_REGION_PAGES, MIGRATE_MOVABLE, GFP_GOOD);
}

static void contig_reserves(void)
{
	unsigned long pfn = page_to_pfn(sim_page(3, 0));

	sim.low_water = sim.nr_free - SIM_REGION_PAGES + 1;
	sim_alloc_contig_range(pfn, pfn + SIM_REGION_PAGES, MIGRATE_MOVABLE, GFP_GOOD);
}

static void contig_aloud(void)
{
	unsigned long pfn = page_to_pfn(sim_page(0, 0));

	sim_alloc_contig_range(pfn, pfn + SIM_REGION_PAGES, MIGRATE_MOVABLE, GFP_KERNEL);
}

static void look_beyond_the_end(void)
{
	sim_online_page(page_to_pfn(sim_page(0, 0)) + sim_total());
}

static void count_too_early(void)
{
	sim_adjust_managed(taken(0), 1);
}

static void count_too_late(void)
{
	struct page *page = sim_alloc_pages(GFP_GOOD, 0);

	sim_free_pages(page, 0);
	sim_adjust_managed(page, -1);
}

/* Misuse of the in-tree driver */

static void give_back_populated(void)
{
	struct page *page = sim_alloc_pages(GFP_GOOD, 0);

	sim_free_ballooned(1, &page);
}

static void give_back_marked(void)
{
	struct page *page = released(0);

	sim_free_ballooned(1, &page);
}

static void give_back_anothers(void)
{
	struct page *page = sim_page(7, 7);

	sim_free_ballooned(1, &page);
}

/* As it has to be. */
static void return_without_lock(struct page *page)
{
	mutex_unlock(&sim.xb->step_lock);
	sim_free_unpopulated(1, &page);
	mutex_lock(&sim.xb->step_lock);
}

static void return_populated(void)
{
	return_without_lock(sim_alloc_pages(GFP_GOOD, 0));
}

static void return_marked(void)
{
	return_without_lock(released(0));
}

static void return_anothers(void)
{
	return_without_lock(sim_page(7, 7));
}

static void return_with_lock(void)
{
	struct page *page = released(0);

	sim_free_unpopulated(1, &page);
}

static void borrow_with_lock(void)
{
	struct page *page;

	sim_alloc_unpopulated(1, &page);
}

static void reach_populated(void)
{
	sim.xb->ops->reach(page_to_pfn(sim_page(3, 3)));
}

static void reach_nowhere(void)
{
	sim.xb->ops->reach(page_to_pfn(sim_page(0, 0)) - 1);
}

static void populate_too_high(void)
{
	struct page *page = released(0);

	sim.reached = page_to_pfn(page);
	sim_begin_migration();
	sim.xb->ops->populate(&page, 1, 0, NULL);
}

/* Ways to lose a page, or to have it twice: found by the check */

static void queue_base(void)
{
	struct page *page = released(0);

	balloon_region_prepare(&sim.xb->queue, page);
	balloon_enqueue(&sim.xb->queue, page, 0);
	sim_balloon_stats.current_pages--;
}

static void queue_huge(void)
{
	balloon_enqueue(&sim.xb->queue, released(9), 9);
	sim_balloon_stats.current_pages -= SIM_REGION_PAGES;
}

static void lose_page(void)
{
	queue_base();
	released(0);
	sim.xb->queue.n.transit--;
	sim_check("now");
}

static void lose_huge_page(void)
{
	struct page *page;

	queue_huge();
	balloon_dequeue_huge(&sim.xb->queue, &page, 1, NUMA_NO_NODE);
	sim.xb->queue.n.transit = 0;
	sim_check("now");
}

static void queue_populated(void)
{
	struct page *page = taken(0);

	balloon_region_prepare(&sim.xb->queue, page);
	balloon_enqueue(&sim.xb->queue, page, 0);
	sim_check("now");
}

static void queue_populated_huge(void)
{
	balloon_enqueue(&sim.xb->queue, taken(9), 9);
	sim_check("now");
}

static void leak_frame(void)
{
	u32 frame;

	sim_host_take_frame(&frame);
	sim_check("now");
}

static void miscount_guest(void)
{
	balloon_correct_guest(&sim.xb->queue, 1);
	sim_check("now");
}

static void miscount_huge(void)
{
	queue_huge();
	sim.xb->queue.n.huge++;
	sim_check("now");
}

static void miscount_base(void)
{
	queue_base();
	sim.xb->queue.n.base--;
	sim_check("now");
}

static void forget_transit(void)
{
	sim.xb->queue.n.transit++;
	sim_check("now");
}

static void miscount_managed(void)
{
	sim.managed--;
	sim_check("now");
}

static void promise_twice(void)
{
	sim.promised++;
	sim_check("now");
}

static void miscount_total(void)
{
	sim.xb->total++;
	sim_check("now");
}

static void publish_wrong(void)
{
	sim_balloon_stats.current_pages++;
	sim_check("now");
}

static void miscount_huge_of_node(void)
{
	queue_huge();
	sim.xb->queue.nodes[0].nr_huge++;
	sim_check("now");
}

static void miscount_base_of_node(void)
{
	queue_base();
	sim.xb->queue.nodes[0].base--;
	sim_check("now");
}

static void miscount_away(void)
{
	sim.xb->queue.nodes[0].away++;
	sim_check("now");
}

static const struct deed {
	void (*do_it)(void);
	const char *found;
} deeds[] = {
	{ populate_populated, "populated a populated page" },
	{ populate_lent, "populated a page on loan" },
	{ populate_anothers, "populated a page that is not the driver's" },
	{ populate_in_sight, "populated a page that is not PageOffline" },
	{ release_hole, "released a hole" },
	{ release_anothers, "released a page that is not the driver's" },
	{ release_secret, "released a page that was not zeroed" },
	{ release_referenced, "released page 0 of order 0: offline 1, references 2" },
	{ release_misaligned, "is not aligned" },
	{ order_10, "call with order 10" },
	{ too_many, "call with 9 extents of order 9" },
	{ without_step_lock, "call without step_lock" },
	{ under_queue_lock, "call under queue.lock" },
	{ move_hole, "moved a hole" },
	{ move_anothers, "moved the memory of a page that is not the driver's" },
	{ move_to_populated, "moved memory to a populated page" },
	{ move_to_anothers, "moved memory to a page that is not the driver's" },
	{ move_to_lent, "moved memory to a page on loan" },
	{ move_to_what_is_in_sight, "moved memory to a page that is not PageOffline" },
	{ let_go_of_hole, "let go of a page that is without memory behind it" },
	{ free_hole, "without memory behind it" },
	{ free_offline, "PageOffline" },
	{ free_reserved, "PageReserved" },
	{ free_twice, "not the driver's" },
	{ free_referenced, "with a wrong number of references" },
	{ wake_oom_killer, "may wake the OOM killer" },
	{ wake_oom_killer_for_little, "small allocation in a step that may wake the OOM killer" },
	{ wake_oom_killer_for_a_place, "small allocation in a step that may wake the OOM killer" },
	{ take_reserves, "takes reserves" },
	{ insist, "allocation that insists" },
	{ allocate_under_lock, "allocation under queue.lock" },
	{ zero_anothers, "zeroed a page that is not the driver's" },
	{ zero_twice, "zeroed a page that is zero already" },
	{ warn_of_failure, "allocation that warns" },
	{ contig_part, "of a range that is no region" },
	{ contig_unmovable, "that retypes the pageblock" },
	{ contig_kept, "of what the kernel keeps" },
	{ contig_reserves, "that takes the kernel's reserves" },
	{ contig_aloud, "alloc_contig_range() that warns" },
	{ look_beyond_the_end, "looked for a region beyond the last one" },
	{ count_too_early, "MemTotal counts a page before it is there" },
	{ count_too_late, "or after it has gone" },
	{ give_back_populated, "gave the in-tree driver a populated page" },
	{ give_back_marked, "gave the in-tree driver a page with marks of ours" },
	{ give_back_anothers, "gave the in-tree driver a page that was not lent" },
	{ return_populated, "gave back an unpopulated page that is populated" },
	{ return_marked, "gave back an unpopulated page not as it was lent" },
	{ return_anothers, "gave back an unpopulated page that was not lent" },
	{ return_with_lock, "gave back unpopulated pages under step_lock" },
	{ borrow_with_lock, "asked for unpopulated pages under step_lock" },
	{ reach_populated, "populated for a moment what is no hole" },
	{ reach_nowhere, "populated for a moment what is no hole" },
	{ populate_too_high, "populated what a migration does not send" },
	{ lose_page, "pages that the driver has" },
	{ lose_huge_page, "pages that the driver has" },
	{ queue_populated, "base page" },
	{ queue_populated_huge, "a huge page in the queue is none" },
	{ leak_frame, "frames of the host" },
	{ miscount_guest, "figure of the guest" },
	{ miscount_huge, "figure of huge pages" },
	{ miscount_base, "figure of base pages" },
	{ forget_transit, "pages in transit" },
	{ miscount_managed, "MemTotal" },
	{ promise_twice, "MemTotal for what is given" },
	{ miscount_total, "pages in all states" },
	{ publish_wrong, "current_kb in pages" },
	{ miscount_huge_of_node, "figure of a node's huge pages" },
	{ miscount_base_of_node, "base pages of all nodes" },
	{ miscount_away, "pages of all nodes that are away" },
};

static void name_deed(const struct deed *deed, char *name)
{
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%ps", deed->do_it);
}

KUNIT_ARRAY_PARAM(deed, deeds, name_deed);

static void what_must_not_be_done_is_found(struct kunit *test)
{
	const struct deed *deed = test->param_value;

	sim_check("before");
	KUNIT_ASSERT_EQ(test, sim.violations, 0U);

	sim.provoked = true;
	mutex_lock(&sim.xb->step_lock);
	deed->do_it();
	mutex_unlock(&sim.xb->step_lock);

	KUNIT_EXPECT_GE(test, sim.violations, 1U);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(sim.said, deed->found), "found: %s", sim.said);
}

/* Where there are two nodes */

static const struct sim_config two_nodes = {
	.regions = 32, .host_pieces = 8, .slack = 5, .nodes = 2,
};

static void get_from_elsewhere(void)
{
	struct page *page = released(9);
	unsigned long away = 0;

	sim_rivals_take_node(sim_page_nid(page), sim.nr_pieces);
	sim_ops.populate(&page, 1, 9, &away);
	balloon_give(&sim.xb->queue, page, 9);
	sim_check("now");
}

static void queue_for_another_node(void)
{
	struct page *page = released(9);
	struct balloon_queue *q = &sim.xb->queue;
	int nid = sim_page_nid(page);

	balloon_enqueue(q, page, 9);
	sim_balloon_stats.current_pages -= SIM_REGION_PAGES;
	list_move(&page->lru, &q->nodes[!nid].huge);
	q->nodes[nid].nr_huge--;
	q->nodes[!nid].nr_huge++;
	sim_check("now");
}

static const struct deed node_deeds[] = {
	{ get_from_elsewhere, "is on another node than is known" },
	{ queue_for_another_node, "a huge page is in another node's queue" },
};

KUNIT_ARRAY_PARAM(node_deed, node_deeds, name_deed);

static void what_must_not_be_done_with_nodes_is_found(struct kunit *test)
{
	sim_build(test, &two_nodes);
	what_must_not_be_done_is_found(test);
}

static struct kunit_case strict_cases[] = {
	KUNIT_CASE_PARAM(what_must_not_be_done_is_found, deed_gen_params),
	KUNIT_CASE_PARAM(what_must_not_be_done_with_nodes_is_found, node_deed_gen_params),
	{}
};

static struct kunit_suite strict_suite = {
	.name = "strict",
	.init = sim_init,
	.exit = sim_exit,
	.test_cases = strict_cases,
};

kunit_test_suite(strict_suite);
