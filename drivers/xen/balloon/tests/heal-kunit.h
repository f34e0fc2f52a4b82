/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of heal.c: regions that Xen has in single pages become superpages,
 * in the nested page table or, in PV, in the machine's frames.
 */
#include <linux/sizes.h>

#include "assert.h"

#define HEAL_REGIONS	32U
#define HEAL_FULL	((unsigned long)HEAL_REGIONS * SIM_REGION_PAGES)

static const struct sim_config heal_worlds[] = {
	{ .regions = HEAL_REGIONS, .host_pieces = 8, .slack = 5 },
	{ .regions = HEAL_REGIONS, .host_pieces = 8, .slack = 5, .pv = true },
};

static void name_heal_world(const struct sim_config *world, char *name)
{
	strscpy(name, world->pv ? "PV" : "auto-translated", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(heal_world, heal_worlds, name_heal_world);

/* Have one page of a region come from anywhere in the host. */
static void shatter(unsigned int region)
{
	struct page *page = sim_page(region, 100);
	unsigned int index = 100;

	sim.region[region].owner[index] = SIM_DRIVER;
	sim.region[region].content[index] = SIM_ZERO;
	__SetPageOffline(page);
	set_page_count(page, 1);
	mutex_lock(&sim.xb->step_lock);
	sim.xb->ops->release(&page, 1, 0);
	/* So that the same frame does not come back. */
	sim_rivals_take(0, 1);
	sim.xb->ops->populate(&page, 1, 0, NULL);
	mutex_unlock(&sim.xb->step_lock);
	__ClearPageOffline(page);
	set_page_count(page, 0);
	sim.region[region].owner[index] = SIM_FREE;
	sim.region[region].content[index] = SIM_SECRET;
	sim.region[region].changed = true;
}

/* A world with some regions shattered, of which the driver knows nothing else. */
static void build_shattered(struct kunit *test, const struct sim_config *world, unsigned int nr)
{
	unsigned int i;

	sim_build(test, world);
	for (i = 0; i < nr; i++) {
		shatter(4 + i);
		balloon_region_suspect(&sim.xb->queue, sim_page(4 + i, 0));
	}
	KUNIT_ASSERT_EQ(test, sim_superpages(), HEAL_REGIONS - nr);
	memset(sim.calls, 0, sizeof(sim.calls));
}

static int heal_init(struct kunit *test)
{
	build_shattered(test, &heal_worlds[0], 1);
	return 0;
}

static enum balloon_upkeep heal_step(void)
{
	enum balloon_upkeep result;

	mutex_lock(&sim.xb->step_lock);
	result = balloon_heal(sim.xb);
	sim.xb->kernel->publish(sim.xb);
	mutex_unlock(&sim.xb->step_lock);

	return result;
}

/* Search on until there is a result. */
static bool heal(void)
{
	enum balloon_upkeep result;

	do {
		result = heal_step();
	} while (result == UPKEEP_SEARCHED);

	return result == UPKEEP_GAINED;
}

static u16 heal_state(struct page *page)
{
	return balloon_region_state(&sim.xb->queue, region_index(page));
}

static void expect_healed(struct kunit *test, unsigned long healed, unsigned long refused,
			  unsigned long given_up)
{
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEALED), healed);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEAL_REFUSED), refused);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEAL_GIVEN_UP), given_up);
}

static void free_regions_become_superpages_and_then_there_is_rest(struct kunit *test)
{
	const struct sim_config *world = test->param_value;

	build_shattered(test, world, 3);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS - 2);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_RELEASE], 3UL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_POPULATE], 3UL);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, HEAL_FULL);
	expect_healed(test, 3, 0, 0);
}

static void the_whole_guest_is_suspect_after_it_was_restored(struct kunit *test)
{
	const struct sim_config *world = test->param_value;
	unsigned int i;

	sim_build(test, world);
	for (i = 0; i < 20; i++)
		shatter(i);
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);

	sim.xb->resumed = true;
	mutex_lock(&sim.xb->step_lock);
	KUNIT_EXPECT_TRUE(test, balloon_restored(sim.xb));
	mutex_unlock(&sim.xb->step_lock);
	while (heal())
		;
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
	/* In PV it can be told which are to be healed. */
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEALED), world->pv ? 20UL : 32UL);
}

static void the_whole_guest_is_suspect_when_healing_is_switched_on(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, heal());
	shatter(9);
	KUNIT_EXPECT_FALSE(test, heal());
	sim.xb->upkeep_at = 5;
	/* As sysfs.c does. */
	balloon_heal_enable(sim.xb, true);
	balloon_worker_again(sim.xb);
	KUNIT_EXPECT_EQ(test, sim.xb->upkeep_at, 0ULL);
	KUNIT_EXPECT_TRUE(test, sim.xb->kicked);
	while (heal())
		;
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

struct ran_case {
	const char *name;
	u64 ran_ns;
	u64 count_ns;
	unsigned long healed;
};

static const struct ran_case ran_cases[] = {
	{ "never", 0, 1000, 0 },
	{ "too short for 2 MiB", 255999, 1000, 0 },
	{ "long enough for 2 MiB", 256000, 1000, HEAL_REGIONS },
	{ "as long, on a slower machine", 256000, 1010, 0 },
	{ "on a machine without a clock", 256, 0, HEAL_REGIONS },
};

static void name_ran(const struct ran_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ran, ran_cases, name_ran);

static void a_guest_is_left_alone_when_less_than_2_mib_can_have_moved(struct kunit *test)
{
	const struct ran_case *c = test->param_value;
	const struct sim_config world = { .regions = HEAL_REGIONS, .ran_ns = c->ran_ns,
					  .count_ns = c->count_ns };

	sim_build(test, &world);
	KUNIT_EXPECT_NOT_NULL(test, strstr(sim.said, c->healed ? "may be in pieces" :
								 "next to nothing"));
	while (heal())
		;
	expect_healed(test, c->healed, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_RELEASE], c->healed);
}

static void of_some_regions_that_may_be_in_pieces_only_so_many_are_healed(struct kunit *test)
{
	unsigned int i;

	/* One that is known to be is none of them. */
	balloon_heal_suspect_some(sim.xb, 5);
	for (i = 0; i < 6; i++)
		KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
	expect_healed(test, 6, 0, 0);

	shatter(20);
	balloon_region_suspect(&sim.xb->queue, sim_page(20, 0));
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

static void what_may_be_in_pieces_and_cannot_be_emptied_is_left_alone_later(struct kunit *test)
{
	unsigned int i;

	sim_build(test, &heal_worlds[0]);
	for (i = 0; i < HEAL_REGIONS - 3; i++)
		sim_use(i, 7, SIM_PINNED);
	balloon_heal_suspect_some(sim.xb, 4);
	while (heal())
		;
	expect_healed(test, 3, 0, 0);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEAL_STUCK), HEAL_REGIONS - 3UL);
	for (i = 0; i < HEAL_REGIONS - 3; i++)
		sim_drop(i, 7);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_FALSE(test, heal());
	expect_healed(test, 4, 0, 0);
}

static void where_tools_restore_superpages_regions_with_holes_are_suspect(struct kunit *test)
{
	struct sim_config world = heal_worlds[0];

	world.restores_whole = true;
	sim_build(test, &world);
	sim_queue_base(3, 100, 40);
	balloon_region_suspect(&sim.xb->queue, sim_page(7, 0));
	mutex_lock(&sim.xb->step_lock);
	balloon_heal_restored(sim.xb);
	mutex_unlock(&sim.xb->step_lock);

	KUNIT_EXPECT_EQ(test, heal_state(sim_page(3, 0)), (u16)REGION_SUSPECT);
	KUNIT_EXPECT_EQ(test, heal_state(sim_page(7, 0)), (u16)REGION_WHOLE);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_FALSE(test, heal());
	expect_healed(test, 1, 0, 0);
}

static void a_region_in_use_is_emptied_first(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < 300; i++)
		KUNIT_ASSERT_TRUE(test, sim_use(4, i, SIM_PROGRAM));

	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 1UL);
	expect_healed(test, 1, 0, 0);
}

/* A program has all of a region as a huge page. */
static void use_huge(struct kunit *test, unsigned int region)
{
	unsigned int i;

	for (i = 0; i < SIM_REGION_PAGES; i++)
		KUNIT_ASSERT_TRUE(test, sim_use(region, i, SIM_PROGRAM));
	sim.region[region].program_huge = true;
	__SetPageHead(sim_page(region, 0));
}

static void a_programs_huge_page_is_moved_as_a_whole(struct kunit *test)
{
	use_huge(test, 4);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
	expect_healed(test, 1, 0, 0);
}

static void a_programs_huge_page_waits_for_2_mib_to_be_free(struct kunit *test)
{
	unsigned int i;

	use_huge(test, 4);
	for (i = 0; i < HEAL_REGIONS; i++)
		if (i != 4)
			KUNIT_ASSERT_TRUE(test, sim_use(i, 7, SIM_PINNED));
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);
	expect_healed(test, 0, 0, 0);

	sim_drop(20, 7);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

static void the_freest_regions_come_first(struct kunit *test)
{
	unsigned int i;

	build_shattered(test, &heal_worlds[0], 3);
	for (i = 0; i < 400; i++)
		sim_use(4, i, SIM_PROGRAM);
	for (i = 0; i < 100; i++)
		sim_use(5, i, SIM_PROGRAM);

	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_TRUE(test, sim.region[6].superpage);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_TRUE(test, sim.region[5].superpage);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_TRUE(test, sim.region[4].superpage);
	KUNIT_EXPECT_FALSE(test, heal());
}

/* What pins a page is not to be seen before it is tried. */
static void look_movable(struct page *page)
{
	SetPageLRU(page);
	folio_set_swapbacked(page_folio(page));
	atomic_set(&page->_mapcount, 0);
}

static void a_region_with_a_pinned_page_is_tried_again_only_when_it_changed(struct kunit *test)
{
	sim_use(4, 9, SIM_PINNED);
	look_movable(sim_page(4, 9));

	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 1UL);
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 1UL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_RELEASE], 0UL);
	expect_healed(test, 0, 0, 1);

	ClearPageLRU(sim_page(4, 9));
	sim_drop(4, 9);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

static void a_region_that_cannot_be_emptied_is_not_even_tried(struct kunit *test)
{
	sim_use(4, 9, SIM_PINNED);

	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEAL_STUCK), 1UL);
	expect_healed(test, 0, 0, 0);
}

static void a_region_is_looked_at_again_when_what_was_in_the_way_is_gone(struct kunit *test)
{
	unsigned int i;

	sim_use(4, 9, SIM_PINNED);
	sim_use(4, 200, SIM_PINNED);
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, heal_state(sim_page(4, 0)), (u16)(STUCK + 9));

	/* Whatever else is used or free of it. */
	for (i = 10; i < 100; i++)
		sim_use(4, i, SIM_PROGRAM);
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEAL_STUCK), 1UL);

	sim_drop(4, 9);
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, heal_state(sim_page(4, 0)), (u16)(STUCK + 200));
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEAL_STUCK), 2UL);

	sim_drop(4, 200);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

/* Which may be for good: the others of its region are not moved again and again. */
static void a_page_that_somebody_holds_is_waited_for(struct kunit *test)
{
	struct page *page = sim_page(4, 9);
	unsigned int i;

	for (i = 0; i < 20; i++)
		sim_use(4, i, SIM_PROGRAM);
	page_ref_inc(page);
	KUNIT_EXPECT_FALSE(test, heal());
	for (i = 20; i < 100; i++)
		sim_use(4, i, SIM_PROGRAM);
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);
	KUNIT_EXPECT_EQ(test, heal_state(sim_page(4, 0)), (u16)(STUCK + 9));
	expect_healed(test, 0, 0, 0);

	page_ref_dec(page);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

/* Programs are bound to the nodes that their pages are on. */
static void a_region_waits_for_its_node_to_have_free_memory(struct kunit *test)
{
	static const struct sim_config world = {
		.regions = HEAL_REGIONS, .host_pieces = 4, .slack = 5, .nodes = 2,
	};
	unsigned int i, j;

	sim_build(test, &world);
	for (i = HEAL_REGIONS / 2; i < HEAL_REGIONS; i++)
		for (j = 0; j < SIM_REGION_PAGES - 63; j++)
			KUNIT_ASSERT_TRUE(test, sim_use(i, j, SIM_PROGRAM));
	balloon_region_suspect(&sim.xb->queue, sim_page(HEAL_REGIONS - 1, 0));
	balloon_region_suspect(&sim.xb->queue, sim_page(3, 0));

	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 1UL);
	expect_healed(test, 1, 0, 0);

	for (j = 0; j < 16; j++)
		sim_drop(HEAL_REGIONS / 2, j);
	KUNIT_EXPECT_TRUE(test, heal());
	expect_healed(test, 2, 0, 0);
}

/* Each page could be moved, but that clean pages of files are dropped instead. */
static void use_cache(unsigned int region)
{
	unsigned int i;

	for (i = 0; i < 65; i++) {
		sim_use(region, i, SIM_PROGRAM);
		folio_clear_swapbacked(page_folio(sim_page(region, i)));
	}
}

static void a_region_full_of_clean_cache_is_looked_at_again_when_it_changed(struct kunit *test)
{
	unsigned int i;

	use_cache(4);
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEAL_STUCK), 1UL);
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_CONTIG], 0UL);

	for (i = 0; i < FREE_STEP; i++)
		sim_drop(4, i);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

static void single_pages_come_when_xen_has_no_2_mib(struct kunit *test)
{
	sim_fail(SIM_POPULATE, 1, 1, 0);

	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS - 1);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, HEAL_FULL);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).huge, 0UL);
	expect_healed(test, 0, 1, 0);

	/* Which is no reason to give the region up. */
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

static void what_xen_cannot_give_back_comes_later(struct kunit *test)
{
	sim_fail(SIM_POPULATE, 1, 2, 0);

	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, HEAL_FULL - SIM_REGION_PAGES);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).huge, 1UL);
	sim_check("without 2 MiB");

	sim_target(HEAL_FULL);
	sim_settle(10);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, HEAL_FULL);
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

static void nothing_changes_when_xen_does_not_take_the_region(struct kunit *test)
{
	sim_fail(SIM_RELEASE, 1, 1, 0);

	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_POPULATE], 0UL);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, HEAL_FULL);
	expect_healed(test, 0, 0, 0);
}

static void what_the_driver_populates_page_by_page_is_suspect(struct kunit *test)
{
	while (heal())
		;
	sim_target(HEAL_FULL - 5);
	sim_settle(10);
	sim_target(HEAL_FULL);
	sim_settle(10);
	KUNIT_ASSERT_EQ(test, sim_superpages(), HEAL_REGIONS - 1);

	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

static void what_compaction_leaves_populated_is_suspect(struct kunit *test)
{
	struct page *page;

	while (heal())
		;
	sim_queue_base(9, 0, 1);
	page = sim_page(9, 0);
	KUNIT_ASSERT_TRUE(test, sim_isolate_page(page));
	KUNIT_ASSERT_EQ(test, sim_move_isolated(NULL), 1U);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_TRUE(test, sim.region[9].superpage);
}

static void regions_with_a_base_page_are_left_alone(struct kunit *test)
{
	while (heal())
		;
	balloon_heal_suspect_all(sim.xb);
	sim_queue_base(9, 0, 1);
	sim_fail(SIM_MOVE, 1, 100, 0);
	while (heal())
		;
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS - 1);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).base, 1UL);
}

static void what_is_ballooned_out_is_suspect_when_it_comes_back_in_parts(struct kunit *test)
{
	struct page *page;

	sim_target(HEAL_FULL - SIM_REGION_PAGES);
	sim_settle(10);
	balloon_heal_suspect_all(sim.xb);
	while (heal())
		;
	page = list_first_entry(&sim.xb->queue.nodes[0].huge, struct page, lru);
	KUNIT_EXPECT_EQ(test, heal_state(page), (u16)REGION_WHOLE);

	sim_target(HEAL_FULL - 5);
	sim_settle(10);
	sim_target(HEAL_FULL);
	sim_settle(10);
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS - 1);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

static void a_guest_without_memory_to_spare_is_left_alone(struct kunit *test)
{
	unsigned long spare = SZ_4M / PAGE_SIZE + 2 * SIM_REGION_PAGES;

	sim_programs_take(sim.nr_free - spare + 1);
	KUNIT_ASSERT_EQ(test, sim.nr_free, spare - 1);
	KUNIT_EXPECT_FALSE(test, heal());
	sim_programs_drop(1);
	KUNIT_EXPECT_TRUE(test, heal());
}

static void a_guest_over_its_limit_is_left_alone(struct kunit *test)
{
	sim.max_pages = sim.tot_pages - 1;
	KUNIT_EXPECT_FALSE(test, heal());
	sim.max_pages++;
	KUNIT_EXPECT_TRUE(test, heal());
}

static void healing_can_be_switched_off(struct kunit *test)
{
	sim.xb->heal.enabled = false;
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS - 1);
	sim.xb->heal.enabled = true;
	KUNIT_EXPECT_TRUE(test, heal());
}

static void the_search_goes_on_in_the_next_step_when_it_takes_long(struct kunit *test)
{
	unsigned int i, steps = 0;

	build_shattered(test, &heal_worlds[0], 20);
	for (i = 0; i < 20; i++) {
		sim_use(4 + i, 9, SIM_PINNED);
		look_movable(sim_page(4 + i, 9));
	}
	/* One after each try in vain. */
	while (heal_step() == UPKEEP_SEARCHED)
		steps++;
	KUNIT_EXPECT_EQ(test, steps, 20U);
	expect_healed(test, 0, 0, 20);
	for (i = 0; i < 20; i++)
		ClearPageLRU(sim_page(4 + i, 9));
}

static void the_search_goes_on_in_the_next_step_when_there_is_much_to_look_at(struct kunit *test)
{
	unsigned int i, j, steps = 0;

	build_shattered(test, &heal_worlds[0], 20);
	for (i = 0; i < 20; i++)
		use_cache(4 + i);
	/* 20 regions in each of 5 passes, at most 64 of them a step. */
	while (heal_step() == UPKEEP_SEARCHED)
		steps++;
	KUNIT_EXPECT_EQ(test, steps, 1U);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEAL_STUCK), 20UL);

	/* What is whole, or known to be stuck, takes one look at a page. */
	for (i = 0; i < 20; i++) {
		sim_drop(4 + i, 0);
		sim_use(4 + i, 0, SIM_PINNED);
		for (j = 0; j < FREE_STEP; j++)
			sim_use(4 + i, 100 + j, SIM_PROGRAM);
	}
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, (int)heal_step(), (int)UPKEEP_NOTHING);
}

static void pages_beyond_the_table_are_no_harm(struct kunit *test)
{
	balloon_region_suspect(&sim.xb->queue, pfn_to_page(sim.first_pfn + HEAL_FULL));
	balloon_region_whole(&sim.xb->queue, pfn_to_page(sim.first_pfn - 1));
	KUNIT_EXPECT_EQ(test, heal_state(pfn_to_page(sim.first_pfn + HEAL_FULL)),
			(u16)REGION_WHOLE);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.start, sim.first_pfn / SIM_REGION_PAGES);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.end,
			sim.first_pfn / SIM_REGION_PAGES + HEAL_REGIONS);
}

/* Memory of another node of the machine */

static const struct sim_config heal_nodes[] = {
	{ .regions = HEAL_REGIONS, .host_pieces = 8, .slack = 5, .nodes = 2 },
	{ .regions = HEAL_REGIONS, .host_pieces = 8, .slack = 5, .nodes = 2,
	  .restores_whole = true },
};

static void name_heal_nodes(const struct sim_config *world, char *name)
{
	strscpy(name, world->restores_whole ? "restored in superpages" : "restored in pages",
		KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(heal_node_world, heal_nodes, name_heal_nodes);

/* The guest gives so much, and gets it back after what is to happen meanwhile. */
static void give_and_take(struct kunit *test, unsigned long pages, void (*meanwhile)(void))
{
	sim_target(HEAL_FULL - pages);
	sim_settle(20);
	meanwhile();
	sim_target(HEAL_FULL);
	sim_settle(20);
	KUNIT_ASSERT_EQ(test, balloon_figures(&sim.xb->queue).guest, HEAL_FULL);
	memset(sim.calls, 0, sizeof(sim.calls));
}

static void fill_first_node(void)
{
	sim_rivals_take_node(0, sim.nr_pieces);
}

static void fill_second_node(void)
{
	sim_rivals_take_node(1, sim.nr_pieces);
}

static void close_both_nodes(void)
{
	sim.closed = 3;
}

/* Of a node that others have filled two regions are away. */
static void build_away(struct kunit *test, unsigned int node)
{
	sim_build(test, &heal_nodes[0]);
	give_and_take(test, 4 * SIM_REGION_PAGES, node ? fill_second_node : fill_first_node);
	KUNIT_ASSERT_EQ(test, sim.xb->queue.nodes[node].away, 2UL * SIM_REGION_PAGES);
	KUNIT_ASSERT_EQ(test, sim.xb->queue.regions.away, 2UL * SIM_REGION_PAGES);
	KUNIT_ASSERT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

static void expect_tries(struct kunit *test, unsigned long released, unsigned long away)
{
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_RELEASE], released);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEAL_AWAY), away);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, HEAL_FULL);
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

static void what_is_away_is_renewed_once_its_node_has_room_and_not_before(struct kunit *test)
{
	unsigned int i;

	build_away(test, 1);
	KUNIT_EXPECT_FALSE(test, heal());
	expect_tries(test, 1, 1);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[1].away, 2UL * SIM_REGION_PAGES);

	/* There is room for one, but it rests. */
	sim_rivals_give(1, 0);
	KUNIT_EXPECT_FALSE(test, heal());
	expect_tries(test, 1, 1);
	sim.now += 5 * NSEC_PER_SEC;
	KUNIT_EXPECT_TRUE(test, heal());
	expect_tries(test, 2, 1);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[1].away, 1UL * SIM_REGION_PAGES);
	KUNIT_EXPECT_FALSE(test, heal());
	expect_tries(test, 3, 2);

	sim_rivals_give(sim.nr_pieces, 0);
	sim.now += 5 * NSEC_PER_SEC;
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_FALSE(test, heal());
	expect_tries(test, 4, 2);
	expect_healed(test, 2, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 0UL);
	for (i = 0; i < HEAL_REGIONS; i++)
		KUNIT_EXPECT_EQ(test, sim_away(&sim.region[i], i / (HEAL_REGIONS / 2)), 0U);
}

static void what_there_is_never_room_for_costs_less_and_less(struct kunit *test)
{
	u64 end;

	build_away(test, 1);
	end = sim.now + 3600ULL * NSEC_PER_SEC;
	while (sim.now < end)
		sim_turn();
	/* 5, 10, 20, 40, 80 and 160 seconds after each other, then 300. */
	KUNIT_EXPECT_LE(test, sim.calls[SIM_RELEASE], 18UL);
	KUNIT_EXPECT_GE(test, sim.calls[SIM_RELEASE], 5UL);
	expect_tries(test, sim.calls[SIM_RELEASE], sim.calls[SIM_RELEASE]);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[1].away, 2UL * SIM_REGION_PAGES);
}

static void a_full_node_does_not_keep_another_from_being_healed(struct kunit *test)
{
	build_away(test, 0);
	shatter(20);
	balloon_region_suspect(&sim.xb->queue, sim_page(20, 0));

	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_TRUE(test, sim.region[20].superpage);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEAL_AWAY), 1UL);
	expect_healed(test, 1, 0, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[0].away, 2UL * SIM_REGION_PAGES);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[1].away, 0UL);
}

static void what_is_in_pieces_on_a_full_node_stays_there(struct kunit *test)
{
	sim_build(test, &heal_nodes[0]);
	shatter(20);
	balloon_region_suspect(&sim.xb->queue, sim_page(20, 0));
	/* So that none of its pieces is whole when it is with Xen. */
	sim_rivals_take(0, 1);
	fill_second_node();
	memset(sim.calls, 0, sizeof(sim.calls));

	KUNIT_EXPECT_FALSE(test, heal());
	expect_healed(test, 0, 1, 0);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 0UL);
	KUNIT_EXPECT_EQ(test, sim_away(&sim.region[20], 1), 0U);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, HEAL_FULL);

	/* And is left alone for a while. */
	KUNIT_EXPECT_FALSE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.calls[SIM_RELEASE], 1UL);
	sim_rivals_give(1, 0);
	sim.now += 5 * NSEC_PER_SEC;
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS);
}

static void what_is_in_pieces_and_away_becomes_a_superpage_at_least(struct kunit *test)
{
	sim_build(test, &heal_nodes[0]);
	give_and_take(test, 5, close_both_nodes);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 5UL);
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS - 1);

	KUNIT_EXPECT_FALSE(test, heal());
	expect_tries(test, 1, 1);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 1UL * SIM_REGION_PAGES);

	sim.closed = 0;
	sim.now += 5 * NSEC_PER_SEC;
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 0UL);
	expect_tries(test, 2, 1);
}

static void close_both_nodes_and_take_a_frame(void)
{
	sim.closed = 3;
	sim_rivals_take(0, 1);
}

/* It would be tried once in each pass of the search, and all is as before. */
static void what_is_in_pieces_and_away_waits_where_no_2_mib_are_in_one_piece(struct kunit *test)
{
	u64 end;

	sim_build(test, &heal_nodes[0]);
	give_and_take(test, 5, close_both_nodes_and_take_a_frame);
	/* What the region is made of is no whole piece, whatever comes free with it. */
	sim_rivals_take(0, 1);
	sim_rivals_take(sim.nr_pieces, 0);
	KUNIT_ASSERT_EQ(test, sim.xb->queue.regions.away, 5UL);

	end = sim.now + 3600ULL * NSEC_PER_SEC;
	while (sim.now < end)
		sim_turn();
	KUNIT_EXPECT_GE(test, sim.calls[SIM_RELEASE], 1UL);
	KUNIT_EXPECT_LE(test, sim.calls[SIM_RELEASE], 18UL);
	KUNIT_EXPECT_EQ(test, balloon_figures(&sim.xb->queue).guest, HEAL_FULL);
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS - 1);
}

/* A page in it is pinned. */
static void what_is_away_and_in_use_stays_where_it_is(struct kunit *test)
{
	unsigned int i;

	build_away(test, 1);
	sim_rivals_give(sim.nr_pieces, 0);
	for (i = 0; i < HEAL_REGIONS; i++)
		KUNIT_ASSERT_TRUE(test, sim_use(i, 7, SIM_PINNED));
	KUNIT_EXPECT_FALSE(test, heal());
	expect_tries(test, 0, 0);
	KUNIT_EXPECT_EQ(test, balloon_counted(sim.xb, COUNT_HEAL_STUCK), 2UL);

	for (i = 0; i < HEAL_REGIONS; i++)
		sim_drop(i, 7);
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 0UL);
}

static const struct vain_case {
	const char *name;
	enum sim_owner in_the_way;	/* a page of whose; such as cannot be emptied for once */
} vain_cases[] = {
	{ "something was in the way", SIM_PINNED },
	{ "the kernel did not manage", SIM_PROGRAM },
};

static void name_vain(const struct vain_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vain, vain_cases, name_vain);

/* The first of the two is tried in vain, and after the second one their node rests. */
static void what_was_tried_in_vain_is_left_alone_while_its_node_rests(struct kunit *test)
{
	const struct vain_case *c = test->param_value;
	unsigned int first = 0, second, i;

	build_away(test, 1);
	while (!balloon_region_away(&sim.xb->queue, region_index(sim_page(first, 0))))
		first++;
	second = first + 1;
	while (!balloon_region_away(&sim.xb->queue, region_index(sim_page(second, 0))))
		second++;
	KUNIT_ASSERT_TRUE(test, sim_use(first, 7, c->in_the_way));
	KUNIT_ASSERT_TRUE(test, sim_use(second, 7, SIM_PROGRAM));
	if (c->in_the_way == SIM_PROGRAM)
		sim_fail(SIM_CONTIG, 1, 1, 0);
	KUNIT_EXPECT_FALSE(test, heal());
	expect_tries(test, 1, 1);
	KUNIT_EXPECT_GE(test, heal_state(sim_page(first, 0)), GIVEN_UP);
	KUNIT_EXPECT_TRUE(test, balloon_node_rests(sim.xb, 1));

	/* Now it could be emptied. */
	sim_drop(first, 7);
	for (i = 100; i < 120; i++)
		KUNIT_ASSERT_TRUE(test, sim_use(first, i, SIM_PROGRAM));
	KUNIT_EXPECT_FALSE(test, heal());
	expect_tries(test, 1, 1);

	sim_rivals_give(sim.nr_pieces, 0);
	sim.now += 5 * NSEC_PER_SEC;
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_TRUE(test, heal());
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 0UL);
}

static void in_a_new_domain_all_is_away_and_is_renewed(struct kunit *test)
{
	sim_build(test, test->param_value);
	sim_target(HEAL_FULL - 4 * SIM_REGION_PAGES);
	sim_settle(20);
	sim_scatter_nodes();
	sim.xb->resumed = true;
	mutex_lock(&sim.xb->step_lock);
	balloon_node_asked(sim.xb, 1, false);
	KUNIT_EXPECT_TRUE(test, balloon_restored(sim.xb));
	KUNIT_EXPECT_FALSE(test, balloon_node_rests(sim.xb, 1));
	mutex_unlock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, HEAL_FULL - 4 * SIM_REGION_PAGES);

	while (heal())
		;
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 0UL);
	KUNIT_EXPECT_EQ(test, sim_superpages(), HEAL_REGIONS - 4);
	expect_healed(test, HEAL_REGIONS - 4, 0, 0);
}

static void in_a_new_domain_without_nodes_nothing_is_away(struct kunit *test)
{
	build_away(test, 1);
	/* From now on nodes are the kernel's alone. */
	sim.config.fake = true;
	sim.config.restores_whole = true;
	sim.xb->resumed = true;
	mutex_lock(&sim.xb->step_lock);
	KUNIT_EXPECT_TRUE(test, balloon_restored(sim.xb));
	mutex_unlock(&sim.xb->step_lock);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.regions.away, 0UL);
	KUNIT_EXPECT_EQ(test, sim.xb->queue.nodes[1].away, 0UL);
	KUNIT_EXPECT_FALSE(test, heal());
	expect_tries(test, 0, 0);
}

static struct kunit_case heal_cases[] = {
	KUNIT_CASE_PARAM(free_regions_become_superpages_and_then_there_is_rest,
			 heal_world_gen_params),
	KUNIT_CASE_PARAM(the_whole_guest_is_suspect_after_it_was_restored, heal_world_gen_params),
	KUNIT_CASE(the_whole_guest_is_suspect_when_healing_is_switched_on),
	KUNIT_CASE_PARAM(a_guest_is_left_alone_when_less_than_2_mib_can_have_moved,
			 ran_gen_params),
	KUNIT_CASE(of_some_regions_that_may_be_in_pieces_only_so_many_are_healed),
	KUNIT_CASE(what_may_be_in_pieces_and_cannot_be_emptied_is_left_alone_later),
	KUNIT_CASE(where_tools_restore_superpages_regions_with_holes_are_suspect),
	KUNIT_CASE(a_region_in_use_is_emptied_first),
	KUNIT_CASE(a_programs_huge_page_is_moved_as_a_whole),
	KUNIT_CASE(a_programs_huge_page_waits_for_2_mib_to_be_free),
	KUNIT_CASE(the_freest_regions_come_first),
	KUNIT_CASE(a_region_with_a_pinned_page_is_tried_again_only_when_it_changed),
	KUNIT_CASE(a_region_that_cannot_be_emptied_is_not_even_tried),
	KUNIT_CASE(a_region_is_looked_at_again_when_what_was_in_the_way_is_gone),
	KUNIT_CASE(a_page_that_somebody_holds_is_waited_for),
	KUNIT_CASE(a_region_waits_for_its_node_to_have_free_memory),
	KUNIT_CASE(a_region_full_of_clean_cache_is_looked_at_again_when_it_changed),
	KUNIT_CASE(single_pages_come_when_xen_has_no_2_mib),
	KUNIT_CASE(what_xen_cannot_give_back_comes_later),
	KUNIT_CASE(nothing_changes_when_xen_does_not_take_the_region),
	KUNIT_CASE(what_the_driver_populates_page_by_page_is_suspect),
	KUNIT_CASE(what_compaction_leaves_populated_is_suspect),
	KUNIT_CASE(regions_with_a_base_page_are_left_alone),
	KUNIT_CASE(what_is_ballooned_out_is_suspect_when_it_comes_back_in_parts),
	KUNIT_CASE(a_guest_without_memory_to_spare_is_left_alone),
	KUNIT_CASE(a_guest_over_its_limit_is_left_alone),
	KUNIT_CASE(healing_can_be_switched_off),
	KUNIT_CASE(the_search_goes_on_in_the_next_step_when_it_takes_long),
	KUNIT_CASE(the_search_goes_on_in_the_next_step_when_there_is_much_to_look_at),
	KUNIT_CASE(pages_beyond_the_table_are_no_harm),
	KUNIT_CASE(what_is_away_is_renewed_once_its_node_has_room_and_not_before),
	KUNIT_CASE(what_there_is_never_room_for_costs_less_and_less),
	KUNIT_CASE(a_full_node_does_not_keep_another_from_being_healed),
	KUNIT_CASE(what_is_in_pieces_on_a_full_node_stays_there),
	KUNIT_CASE(what_is_in_pieces_and_away_becomes_a_superpage_at_least),
	KUNIT_CASE(what_is_in_pieces_and_away_waits_where_no_2_mib_are_in_one_piece),
	KUNIT_CASE(what_is_away_and_in_use_stays_where_it_is),
	KUNIT_CASE_PARAM(what_was_tried_in_vain_is_left_alone_while_its_node_rests,
			 vain_gen_params),
	KUNIT_CASE_PARAM(in_a_new_domain_all_is_away_and_is_renewed, heal_node_world_gen_params),
	KUNIT_CASE(in_a_new_domain_without_nodes_nothing_is_away),
	{}
};

static struct kunit_suite heal_suite = {
	.name = "heal",
	.init = heal_init,
	.exit = sim_exit,
	.test_cases = heal_cases,
};

kunit_test_suite(heal_suite);
