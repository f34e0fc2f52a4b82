// SPDX-License-Identifier: GPL-2.0
/*
 * The simulated guest's memory manager: a buddy allocator over pages that have
 * a struct page (device private memory brings it) and nothing else: no memory,
 * no entry in the direct map. What a page holds is only known as zeroes, a
 * secret, or whatever Xen left; who touches one faults.
 */
#include <linux/gfp.h>
#include <linux/ioport.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/page_ref.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "balloon.h"
#include "sim.h"

/*
 * Where the guest's memory lies: above what the machine has. The struct pages
 * are those of a guest of 1 TiB that is simulated in windows, of which a small
 * guest has the first.
 */
#define ARENA_START	(256UL * SZ_1G)
#define ARENA_WINDOWS	4U
#define ARENA_WINDOW	SZ_1G
#define ARENA_STRIDE	(256UL * SZ_1G)

static struct dev_pagemap arena[ARENA_WINDOWS];
static unsigned int nr_windows;

static vm_fault_t arena_fault(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static void arena_page_free(struct page *page)
{
}

static const struct dev_pagemap_ops arena_ops = {
	.page_free = arena_page_free,
	.migrate_to_ram = arena_fault,
};

/**
 * sim_arena_init - have struct pages for guests
 * @windows: in so many windows; one serves all but the largest guest
 *
 * Return: 0, or a negative errno with nothing to be undone.
 */
int sim_arena_init(unsigned int windows)
{
	void *ret;

	for (; nr_windows < min(windows, ARENA_WINDOWS); nr_windows++) {
		struct dev_pagemap *window = &arena[nr_windows];

		window->type = MEMORY_DEVICE_PRIVATE;
		window->range.start = ARENA_START + nr_windows * ARENA_STRIDE;
		window->range.end = window->range.start + ARENA_WINDOW - 1;
		window->nr_range = 1;
		window->ops = &arena_ops;
		window->owner = arena;

		ret = memremap_pages(window, NUMA_NO_NODE);
		if (IS_ERR(ret)) {
			sim_arena_exit();
			return PTR_ERR(ret);
		}
	}

	return 0;
}

/**
 * sim_arena_exit - undo sim_arena_init()
 */
void sim_arena_exit(void)
{
	while (nr_windows)
		memunmap_pages(&arena[--nr_windows]);
}

/**
 * sim_page - a page of the guest
 * @region: its region
 * @index: its place in it
 */
struct page *sim_page(unsigned int region, unsigned int index)
{
	unsigned int window = sim.config.window, at = region;

	if (window)
		at = region / window * sim.config.stride + region % window;

	return pfn_to_page(sim.first_pfn + (unsigned long)at * SIM_REGION_PAGES + index);
}

/**
 * sim_device_page - a page of device memory: above what the guest has
 * @index: which
 *
 * Return: the page; NULL when there are not so many.
 */
struct page *sim_device_page(unsigned int index)
{
	index += sim.config.regions * SIM_REGION_PAGES;
	if (sim.config.window || index >= ARENA_WINDOW / PAGE_SIZE)
		return NULL;

	return pfn_to_page(sim.first_pfn + index);
}

static unsigned long nth_pfn(unsigned long n)
{
	return page_to_pfn(sim_page(n / SIM_REGION_PAGES, n % SIM_REGION_PAGES));
}

/**
 * sim_region_of - where a page is
 * @pfn: the page
 * @index: set to its place in the region
 *
 * Return: its region; NULL when it is none of the guest's.
 */
struct sim_region *sim_region_of(unsigned long pfn, unsigned int *index)
{
	unsigned long at = (pfn - sim.first_pfn) / SIM_REGION_PAGES;
	unsigned int window = sim.config.window;

	if (pfn < sim.first_pfn)
		return NULL;
	if (window) {
		if (at % sim.config.stride >= window)
			return NULL;
		at = at / sim.config.stride * window + at % sim.config.stride;
	}
	if (at >= sim.config.regions)
		return NULL;

	*index = pfn % SIM_REGION_PAGES;
	return &sim.region[at];
}

/**
 * sim_total - all of the guest's memory, what is not simulated included
 *
 * Return: pages.
 */
unsigned long sim_total(void)
{
	unsigned int regions = sim.config.regions;

	if (sim.config.window)
		regions = regions / sim.config.window * sim.config.stride;

	return (unsigned long)regions * SIM_REGION_PAGES;
}

static enum sim_owner owner_of(unsigned long pfn)
{
	unsigned int index;

	return sim_region_of(pfn, &index)->owner[index];
}

/* The region that a range begins in, and how much of it the range has. */
static struct sim_region *first_part(unsigned long pfn, unsigned long nr,
				     unsigned int *index, unsigned int *part)
{
	struct sim_region *region = sim_region_of(pfn, index);

	*part = min_t(unsigned long, nr, SIM_REGION_PAGES - *index);
	return region;
}

static void set_owner(unsigned long pfn, unsigned long nr, enum sim_owner owner)
{
	struct sim_region *region;
	unsigned int index, part;

	for (; nr; pfn += part, nr -= part) {
		region = first_part(pfn, nr, &index, &part);
		memset(region->owner + index, owner, part);
		region->changed = true;
	}
}

static void set_content(unsigned long pfn, unsigned long nr, enum sim_content content)
{
	struct sim_region *region;
	unsigned int index, part;

	for (; nr; pfn += part, nr -= part) {
		region = first_part(pfn, nr, &index, &part);
		memset(region->content + index, content, part);
	}
}

/* Free blocks, of one node or two, in up to three zones */

struct pglist_data sim_node[SIM_NODES];

static struct free_area *area(struct page *page, unsigned int order)
{
	return &sim_page_zone(page)->free_area[order];
}

static void link_block(unsigned long pfn, unsigned int order)
{
	struct page *page = pfn_to_page(pfn);

	__SetPageBuddy(page);
	set_page_private(page, order);
	list_add(&page->lru, &sim.blocks[order]);
	area(page, order)->nr_free++;
	sim.nr_free += 1UL << order;
}

static void unlink_block(unsigned long pfn, unsigned int order)
{
	struct page *page = pfn_to_page(pfn);

	list_del(&page->lru);
	area(page, order)->nr_free--;
	set_page_private(page, 0);
	__ClearPageBuddy(page);
	sim.nr_free -= 1UL << order;
}

static bool is_block(unsigned long pfn, unsigned int order)
{
	unsigned int index;

	return sim_region_of(pfn, &index) && PageBuddy(pfn_to_page(pfn)) &&
	       page_private(pfn_to_page(pfn)) == order;
}

static void free_block(unsigned long pfn, unsigned int order)
{
	set_owner(pfn, 1UL << order, SIM_FREE);
	for (; order < SIM_TOP_ORDER; order++) {
		unsigned long buddy = pfn ^ (1UL << order);

		if (!is_block(buddy, order) ||
		    sim_page_zone(pfn_to_page(buddy)) != sim_page_zone(pfn_to_page(pfn)))
			break;
		unlink_block(buddy, order);
		pfn &= ~(1UL << order);
	}
	link_block(pfn, order);
}

/* Take the first 2^@to pages of a block; the rest stays free. */
static void split_block(unsigned long pfn, unsigned int order, unsigned int to)
{
	unlink_block(pfn, order);
	while (order > to) {
		order--;
		link_block(pfn + (1UL << order), order);
	}
}

/* The free block that a page is in: its first page and its order. */
static unsigned long find_block(unsigned long pfn, unsigned int *order)
{
	unsigned long first;

	for (*order = 0; *order <= SIM_TOP_ORDER; (*order)++) {
		first = round_down(pfn, 1UL << *order);
		if (is_block(first, *order))
			return first;
	}

	return 0;
}

/* Take one certain free page out of its block. */
static bool take_exactly(unsigned long pfn)
{
	unsigned int order;
	unsigned long first = find_block(pfn, &order);

	if (!first)
		return false;

	unlink_block(first, order);
	while (order) {
		order--;
		if (pfn & (1UL << order)) {
			link_block(first, order);
			first += 1UL << order;
		} else {
			link_block(first + (1UL << order), order);
		}
	}

	return true;
}

static void hand_out(unsigned long pfn, enum sim_owner owner)
{
	struct page *page = pfn_to_page(pfn);

	set_owner(pfn, 1, owner);
	set_page_count(page, 1);
	if (owner == SIM_PROGRAM) {
		set_content(pfn, 1, SIM_SECRET);
		SetPageLRU(page);
		folio_set_swapbacked(page_folio(page));
		atomic_set(&page->_mapcount, 0);
		SetPageUptodate(page);
	}
}

static void off_lru(struct page *page)
{
	ClearPageLRU(page);
	folio_clear_swapbacked(page_folio(page));
	atomic_set(&page->_mapcount, -1);
	ClearPageUptodate(page);
}

/**
 * sim_use - have a certain page used by somebody
 * @region: its region
 * @index: its place there
 * @owner: SIM_PROGRAM, SIM_PINNED or, as alloc_page() would, SIM_DRIVER
 *
 * Return: false when it is not free.
 */
bool sim_use(unsigned int region, unsigned int index, enum sim_owner owner)
{
	unsigned long pfn = page_to_pfn(sim_page(region, index));

	if (!take_exactly(pfn))
		return false;

	hand_out(pfn, owner);
	return true;
}

/**
 * sim_drop - have a page freed that sim_use() or sim_get_page() got
 * @region: its region
 * @index: its place there
 */
void sim_drop(unsigned int region, unsigned int index)
{
	struct page *page = sim_page(region, index);

	off_lru(page);
	set_page_count(page, 0);
	set_content(page_to_pfn(page), 1, SIM_SECRET);
	free_block(page_to_pfn(page), 0);
}

/* The smallest free block of at least @order of a zone, which is taken apart for it. */
static unsigned long take_from_zone(struct zone *zone, unsigned int order)
{
	unsigned int from;
	struct page *page;

	for (from = order; from <= SIM_TOP_ORDER; from++) {
		if (!zone->free_area[from].nr_free)
			continue;
		list_for_each_entry(page, &sim.blocks[from], lru) {
			if (sim_page_zone(page) != zone)
				continue;
			split_block(page_to_pfn(page), from, order);
			return page_to_pfn(page);
		}
	}

	return 0;
}

/* From the zone @last, or else one below, of one node or, with NUMA_NO_NODE, any. */
static unsigned long take_block(unsigned int order, int nid, enum zone_type last)
{
	unsigned long pfn;
	int zone, node;

	for (zone = last; zone >= 0; zone--) {
		for_each_set_bit(node, sim_nodes(N_MEMORY), MAX_NUMNODES) {
			if (nid != NUMA_NO_NODE && nid != node)
				continue;
			pfn = take_from_zone(&sim_node[node].node_zones[zone], order);
			if (pfn)
				return pfn;
		}
	}

	return 0;
}

/**
 * sim_get_page - any free page, for somebody
 * @owner: who
 *
 * Return: the page, or NULL.
 */
struct page *sim_get_page(enum sim_owner owner)
{
	unsigned long pfn = take_block(0, NUMA_NO_NODE, ZONE_MOVABLE);

	if (!pfn)
		return NULL;

	hand_out(pfn, owner);
	return pfn_to_page(pfn);
}

/**
 * sim_programs_take - programs allocate pages here and there, some side by side
 * @pages: how many
 *
 * Return: how many they got.
 */
unsigned int sim_programs_take(unsigned int pages)
{
	unsigned int region = 0, index = 0, got, run = 0;

	for (got = 0; got < pages && sim.nr_free > sim.low_water; got++) {
		if (!run || index == SIM_REGION_PAGES) {
			region = sim_random(sim.config.regions);
			index = sim_random(SIM_REGION_PAGES);
			run = 1 + sim_random(64);
		}
		run--;
		if (!sim_use(region, index++, SIM_PROGRAM) &&
		    !sim_get_page(SIM_PROGRAM))
			break;
	}

	return got;
}

/**
 * sim_programs_drop - programs free pages
 * @pages: how many
 *
 * Return: how many they had.
 */
unsigned int sim_programs_drop(unsigned int pages)
{
	unsigned long nr = sim.config.regions * SIM_REGION_PAGES;
	unsigned long at = sim_random(nr), seen;
	unsigned int dropped = 0;

	for (seen = 0; seen < nr && dropped < pages; seen++, at = (at + 1) % nr) {
		if (owner_of(nth_pfn(at)) != SIM_PROGRAM)
			continue;
		sim_drop(at / SIM_REGION_PAGES, at % SIM_REGION_PAGES);
		dropped++;
	}

	return dropped;
}

static bool huge_is_free(void)
{
	if (sim.nr_free < sim.low_water + SIM_REGION_PAGES)
		return false;

	return !list_empty(&sim.blocks[SIM_HUGE_ORDER]) || !list_empty(&sim.blocks[SIM_TOP_ORDER]);
}

/**
 * sim_kswapd - there is time for kswapd
 *
 * If there is no huge page, it swaps out, or drops page cache: twice as much as that.
 */
void sim_kswapd(void)
{
	unsigned int left = 2 * SIM_REGION_PAGES;
	unsigned long *from;

	while (sim.kswapd && !huge_is_free() && left--) {
		from = sim.swap ? &sim.swap : &sim.cache;
		if (*from)
			*from -= sim_programs_drop(1);
	}
	sim.kswapd = false;
}

/* What the kernel must never get back as free memory. */
static const char *unfit(struct page *page, unsigned int references)
{
	struct sim_region *region;
	unsigned int index;

	region = sim_region_of(page_to_pfn(page), &index);
	if (!region)
		return "none of the guest's";
	if (region->owner[index] != SIM_DRIVER)
		return "not the driver's";
	if (region->frame[index] >= SIM_FOREIGN)
		return "without memory behind it";
	if (PageOffline(page))
		return "PageOffline";
	if (PageReserved(page))
		return "PageReserved";
	if (page_count(page) != references)
		return "with a wrong number of references";
	return NULL;
}

/**
 * sim_claim - a free page is taken, to move something there
 * @pfn: the page
 *
 * Return: false when it is not free.
 */
bool sim_claim(unsigned long pfn)
{
	if (!take_exactly(pfn))
		return false;

	set_owner(pfn, 1, SIM_DRIVER);
	set_content(pfn, 1, SIM_SECRET);
	set_page_count(pfn_to_page(pfn), 1);
	return true;
}

/**
 * sim_unclaim - the last reference to a page is gone, and it is free
 * @page: the page, populated
 */
void sim_unclaim(struct page *page)
{
	const char *why = unfit(page, 0);

	if (why)
		sim_violation("let go of a page that is %s", why);
	page->mapping = NULL;
	free_block(page_to_pfn(page), 0);
}

static void build_page(struct page *page)
{
	page->flags &= ~PAGEFLAGS_MASK;
	page->mapping = NULL;
	page->index = 0;
	atomic_set(&page->_mapcount, -1);
	set_page_private(page, 0);
	set_page_count(page, 0);
	INIT_LIST_HEAD(&page->lru);
}

/* No block lies across a zone's border. */
static void free_region(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	unsigned int i;

	if (sim_page_zone(page) == sim_page_zone(page + SIM_REGION_PAGES - 1)) {
		free_block(pfn, SIM_HUGE_ORDER);
		return;
	}
	for (i = 0; i < SIM_REGION_PAGES; i++)
		free_block(pfn + i, 0);
}

/**
 * sim_guest_build - all of the guest's memory is free, and was used before
 */
void sim_guest_build(void)
{
	unsigned long nr = sim.config.regions * SIM_REGION_PAGES;
	unsigned long populated = nr - sim.config.unpopulated * SIM_REGION_PAGES;
	unsigned long i;

	sim.first_pfn = PHYS_PFN(ARENA_START);
	sim.node_pages = sim_total() / sim_nr_nodes();
	for (i = 0; i <= SIM_TOP_ORDER; i++)
		INIT_LIST_HEAD(&sim.blocks[i]);
	memset(&sim_node, 0, sizeof(sim_node));
	for (i = 0; i < SIM_NODES * MAX_NR_ZONES; i++)
		sim_node[i / MAX_NR_ZONES].node_zones[i % MAX_NR_ZONES].zone_pgdat =
			&sim_node[i / MAX_NR_ZONES];
	sim_node[0].node_zones[ZONE_NORMAL].free_area[SIM_TOP_ORDER].nr_free = sim.config.unseen;
	sim.nr_free = 0;

	for (i = 0; i < nr; i++)
		build_page(pfn_to_page(nth_pfn(i)));
	/* From the top, so that the lowest comes out first. */
	for (i = populated; i; ) {
		i -= SIM_REGION_PAGES;
		set_content(nth_pfn(i), SIM_REGION_PAGES, SIM_SECRET);
		free_region(nth_pfn(i));
	}
	sim.managed = sim_total() - (nr - populated);
	memset(sim.node_managed, 0, sizeof(sim.node_managed));
	if (sim_nr_nodes() == 1)
		sim.node_managed[0] = sim.managed;
	for (i = 0; sim_nr_nodes() > 1 && i < populated; i++)
		sim.node_managed[sim_page_nid(pfn_to_page(nth_pfn(i)))]++;
}

/**
 * sim_build_region - the pages of a region are as those of memory that was just added
 * @region: which
 */
void sim_build_region(unsigned int region)
{
	unsigned int i;

	for (i = 0; i < SIM_REGION_PAGES; i++) {
		build_page(sim_page(region, i));
		SetPageReserved(sim_page(region, i));
		set_page_count(sim_page(region, i), 1);
	}
}

/**
 * sim_add_region - the guest's memory goes on for one region more, unpopulated
 *
 * Return: which.
 */
unsigned int sim_add_region(void)
{
	unsigned int region = sim.config.regions++;

	if (sim.nr_device || sim.config.window)
		sim_violation("there is no place for more memory");
	memset(&sim.region[region], 0, sizeof(sim.region[region]));
	memset32(sim.region[region].frame, SIM_HOLE, SIM_REGION_PAGES);
	sim_build_region(region);

	return region;
}

/* What seam.h puts in place of the kernel's own */

/* What is asked for in vain with such flags, somebody is killed for. */
static bool may_kill(gfp_t gfp)
{
	return (gfp & __GFP_DIRECT_RECLAIM) && !(gfp & __GFP_NORETRY);
}

/*
 * Ballooning must not wake the OOM killer, touch the reserves, or fill the log;
 * and nobody allocates under a spinlock.
 */
static void check_gfp(gfp_t gfp)
{
	if (gfp & (__GFP_NOFAIL | __GFP_RETRY_MAYFAIL | __GFP_MEMALLOC | __GFP_HIGH))
		sim_violation("allocation that insists: gfp 0x%x", (__force u32)gfp);
	if (may_kill(gfp))
		sim_violation("allocation that may wake the OOM killer: gfp 0x%x",
			      (__force u32)gfp);
	if (!(gfp & __GFP_NOWARN) || !(gfp & __GFP_NOMEMALLOC))
		sim_violation("allocation that warns, or takes reserves: gfp 0x%x",
			      (__force u32)gfp);
	sim_may_sleep("allocation");
}

struct page *sim_alloc_pages_node(int nid, gfp_t gfp, unsigned int order)
{
	bool zero = (gfp & __GFP_ZERO) || sim_init_on_alloc(gfp) || sim_init_on_free();
	unsigned long pfn;
	struct page *page;

	check_gfp(gfp);
	if (gfp & __GFP_DIRECT_RECLAIM)
		sim_compact(sim.compacts);
	sim.gfp = gfp;
	if (sim_fails(SIM_ALLOC, NULL, NULL))
		return NULL;

	/* Reclaim gives single pages only, one at a time. */
	if (!order && sim.nr_free <= sim.low_water && sim.cache &&
	    (gfp & __GFP_DIRECT_RECLAIM))
		sim.cache -= sim_programs_drop(1);
	pfn = sim.nr_free < sim.low_water + (1UL << order) ? 0 :
	      take_block(order, gfp & __GFP_THISNODE ? nid : NUMA_NO_NODE,
			 (gfp & GFP_ZONEMASK) == (__GFP_HIGHMEM | __GFP_MOVABLE) ?
			 ZONE_MOVABLE : ZONE_NORMAL);
	if (!pfn) {
		sim.kswapd |= order == SIM_HUGE_ORDER && (gfp & __GFP_KSWAPD_RECLAIM);
		return NULL;
	}

	page = pfn_to_page(pfn);
	set_owner(pfn, 1UL << order, SIM_DRIVER);
	set_content(pfn, 1UL << order, zero ? SIM_ZERO : SIM_SECRET);
	set_page_count(page, 1);

	return page;
}

struct page *sim_alloc_pages(gfp_t gfp, unsigned int order)
{
	return sim_alloc_pages_node(NUMA_NO_NODE, gfp, order);
}

void sim_free_pages(struct page *page, unsigned int order)
{
	unsigned long pfn = page_to_pfn(page);
	unsigned int i;
	const char *why;

	sim_may_sleep("freed a page");
	if (page == sim.walker) {
		page_ref_dec(page);
		sim.walker = NULL;
	}
	for (i = 0; i < 1U << order; i++) {
		why = unfit(page + i, !i);
		if (why) {
			sim_violation("freed page %u of order %u at region %lu: it is %s",
				      i, order, (pfn - sim.first_pfn) / SIM_REGION_PAGES,
				      why);
			return;
		}
	}

	set_page_count(page, 0);
	free_block(pfn, order);
}

/* Move what a program has in a page to another place. */
static bool move_away(unsigned long pfn, unsigned long start, unsigned long end)
{
	unsigned long to;
	unsigned int i;

	for (i = 0; i < sim.config.regions * SIM_REGION_PAGES; i++) {
		to = nth_pfn(i);
		if (to >= start && to < end)
			continue;
		if (owner_of(to) == SIM_FREE && take_exactly(to)) {
			hand_out(to, SIM_PROGRAM);
			off_lru(pfn_to_page(pfn));
			set_owner(pfn, 1, SIM_DRIVER);
			return true;
		}
	}

	return false;
}

int sim_alloc_contig_range(unsigned long start, unsigned long end,
			   unsigned int migratetype, gfp_t gfp)
{
	unsigned long pfn, moved = 0, free_elsewhere;
	struct sim_region *region;
	unsigned int index;

	sim.now += sim.contig_ns;
	sim.gfp = gfp;
	if (migratetype != MIGRATE_MOVABLE)
		sim_violation("alloc_contig_range() that retypes the pageblock");
	region = sim_region_of(start, &index);
	if (!region || index || end - start != SIM_REGION_PAGES)
		sim_violation("alloc_contig_range() of a range that is no region");
	else if (region->program_huge && list_empty(&sim.blocks[SIM_HUGE_ORDER]) &&
		 list_empty(&sim.blocks[SIM_TOP_ORDER]))
		sim_violation("alloc_contig_range() that splits a program's huge page");
	else if (sim_is_kept(pfn_to_page(start)))
		sim_violation("alloc_contig_range() of what the kernel keeps");
	else if (sim_zone_free(sim_page_zone(pfn_to_page(start))) <
		 sim.low_water + SIM_REGION_PAGES)
		sim_violation("alloc_contig_range() that takes the kernel's reserves");
	if (!(gfp & __GFP_NOWARN))
		sim_violation("alloc_contig_range() that warns");
	if (sim_fails(SIM_CONTIG, NULL, NULL))
		return -EBUSY;

	for (pfn = start; pfn < end; pfn++) {
		if (owner_of(pfn) != SIM_FREE && owner_of(pfn) != SIM_PROGRAM &&
		    !__PageMovable(pfn_to_page(pfn)))
			return -EBUSY;
		moved += owner_of(pfn) != SIM_FREE;
	}
	free_elsewhere = sim.nr_free - (SIM_REGION_PAGES - moved);
	if (free_elsewhere < moved)
		return -EBUSY;

	for (pfn = start; pfn < end; pfn++) {
		if (owner_of(pfn) != SIM_DRIVER)
			continue;
		if (!sim_isolate_page(pfn_to_page(pfn)))
			return -EBUSY;
		sim_move_isolated(sim_region_of(start, &index));
		if (owner_of(pfn) != SIM_FREE)
			return -EBUSY;
	}
	if (region->program_huge)
		__ClearPageHead(pfn_to_page(start));
	region->program_huge = false;
	for (pfn = start; pfn < end; pfn++) {
		if (owner_of(pfn) == SIM_PROGRAM)
			move_away(pfn, start, end);
		else
			take_exactly(pfn);
		set_owner(pfn, 1, SIM_DRIVER);
		set_page_count(pfn_to_page(pfn), 1);
		set_content(pfn, 1, sim_init_on_alloc(gfp) || sim_init_on_free() ?
				    SIM_ZERO : SIM_SECRET);
	}
	if (sim.walker && page_to_pfn(sim.walker) - start < end - start)
		page_ref_inc(sim.walker);

	return 0;
}

void sim_free_contig_range(unsigned long pfn, unsigned long nr)
{
	while (nr--)
		sim_free_pages(pfn_to_page(pfn++), 0);
}

void sim_clear_page(struct page *page)
{
	unsigned long pfn = page_to_pfn(page);
	unsigned int index;
	struct sim_region *region = sim_region_of(pfn, &index);

	if (owner_of(pfn) != SIM_DRIVER)
		sim_violation("zeroed a page that is not the driver's");
	else if (region->content[index] == SIM_ZERO)
		sim_violation("zeroed a page that is zero already");
	set_content(pfn, 1, SIM_ZERO);
	sim.cleared++;
}

bool sim_init_on_alloc(gfp_t gfp)
{
	return !sim.config.no_init;
}

bool sim_init_on_free(void)
{
	return sim.config.init_on_free;
}

void sim_adjust_managed(struct page *page, long count)
{
	bool ours = owner_of(page_to_pfn(page)) == SIM_DRIVER;
	bool rises = count > 0;

	/* As free_reserved_page() does: MemTotal counts what nobody has only while it is moved. */
	if (ours == rises && !PageIsolated(page))
		sim_violation("MemTotal counts a page before it is there, or after it has gone");
	sim.managed += count;
	sim.node_managed[sim_page_nid(page)] += count;
}

/* As si_mem_available() in Linux's mm/show_mem.c, of which page cache counts as a whole here. */
long sim_available_pages(void)
{
	unsigned long low = low_wmark_pages(&sim_node[0].node_zones[ZONE_NORMAL]);

	return sim.nr_free + sim.cache + sim.slab - min(sim.slab / 2, low) - sim.low_water;
}

struct page *sim_online_page(unsigned long pfn)
{
	struct sim_region *region;
	unsigned int index;

	sim.now += sim.look_ns;
	/* There may be some more pages, but they are no region. */
	if (pfn >= sim.first_pfn + sim_total() + sim.nr_offline * sim_block_size() / PAGE_SIZE)
		sim_violation("looked for a region beyond the last one");
	region = sim_region_of(pfn, &index);
	return region && region->owner[index] != SIM_OFFLINE ? pfn_to_page(pfn) : NULL;
}

unsigned long sim_end_pfn(const struct pglist_data *node)
{
	return sim.first_pfn + sim_total() + sim.config.tail;
}

unsigned int sim_nr_nodes(void)
{
	return sim.config.nodes ?: 1;
}

/* Each node has as much memory as the others, and so it is in each state. */
const unsigned long *sim_nodes(enum node_states unused)
{
	static unsigned long nodes[BITS_TO_LONGS(MAX_NUMNODES)];

	nodes[0] = GENMASK(sim_nr_nodes() - 1, 0);
	return nodes;
}

int sim_page_nid(struct page *page)
{
	unsigned long at;

	if (!sim_online_page(page_to_pfn(page)))
		sim_violation("asked for the node of a page that is not there");
	if (sim_nr_nodes() == 1)
		return 0;

	/* What is added goes to the last. */
	at = page_to_pfn(page) - sim.first_pfn;
	at -= min_t(unsigned long, at, sim.config.border);
	return min_t(unsigned long, at / sim.node_pages, sim_nr_nodes() - 1);
}

struct zone *sim_page_zone(struct page *page)
{
	unsigned long region = (page_to_pfn(page) - sim.first_pfn) / SIM_REGION_PAGES;
	enum zone_type zone = ZONE_NORMAL;

	if (region < sim.config.dma)
		zone = 0;
	else if (sim.config.movable && region >= sim.config.regions - sim.config.movable)
		zone = ZONE_MOVABLE;

	return &sim_node[sim_page_nid(page)].node_zones[zone];
}

unsigned long sim_zone_free(const struct zone *zone)
{
	unsigned long pages = 0;
	unsigned int order;

	for (order = 0; order <= SIM_TOP_ORDER; order++)
		pages += zone->free_area[order].nr_free << order;

	return pages;
}

/* All of a node is in one of its zones, as far as anybody asks. */
unsigned long sim_zone_managed(const struct zone *zone)
{
	unsigned int nid = zone->zone_pgdat - sim_node;

	return zone == &sim_node[nid].node_zones[ZONE_NORMAL] ? sim.node_managed[nid] : 0;
}

bool sim_is_kept(struct page *page)
{
	unsigned long region = (page_to_pfn(page) - sim.first_pfn) / SIM_REGION_PAGES;

	return sim.config.kept && region >= sim.config.regions - sim.config.kept;
}

unsigned int sim_page_order(struct page *page)
{
	unsigned int index;
	struct sim_region *region = sim_region_of(page_to_pfn(page), &index);

	return region && region->program_huge ? SIM_HUGE_ORDER : 0;
}

bool sim_is_zone_device(struct page *page)
{
	unsigned int index;

	return !sim_region_of(page_to_pfn(page), &index);
}

/* The OOM killer asks the balloon first, which would want the lock. */
static void check_small(gfp_t gfp)
{
	sim_may_sleep("allocation");
	if (mutex_is_locked(&sim.xb->step_lock) && may_kill(gfp))
		sim_violation("small allocation in a step that may wake the OOM killer: gfp 0x%x",
			      (__force u32)gfp);
}

void *sim_kzalloc(size_t size, gfp_t gfp)
{
	void *p;

	check_small(gfp);
	sim.gfp = current_gfp_context(gfp);
	if (sim_fails(SIM_KZALLOC, NULL, NULL))
		return NULL;

	p = kzalloc(size, gfp);
	sim.kmalloced += p ? ksize(p) : 0;
	return p;
}

int sim_xa_reserve(struct xarray *xa, unsigned long index, gfp_t gfp)
{
	check_small(gfp);
	return sim_fails(SIM_XARRAY, NULL, NULL) ? -ENOMEM : xa_reserve(xa, index, gfp);
}

int sim_xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	check_small(gfp);
	return sim_fails(SIM_XARRAY, NULL, NULL) ? -ENOMEM : xa_insert(xa, index, entry, gfp);
}

/* Under a spinlock it has a place already: nobody looks at what it returns. */
void *sim_xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	if (gfpflags_allow_blocking(gfp)) {
		check_small(gfp);
		if (sim_fails(SIM_XARRAY, NULL, NULL))
			return XA_ERROR(-ENOMEM);
	}

	entry = xa_store(xa, index, entry, gfp);
	if (!gfpflags_allow_blocking(gfp) && xa_is_err(entry))
		sim_violation("stored in an xarray where there is no place");
	return entry;
}

int sim_register_notifier(void)
{
	if (sim_fails(SIM_NOTIFIER, NULL, NULL))
		return -ENOMEM;

	sim.notifiers++;
	return 0;
}

void sim_kfree(const void *p)
{
	sim.kmalloced -= p ? ksize(p) : 0;
	kfree(p);
}

struct shrinker *sim_shrinker_alloc(void)
{
	static struct shrinker shrinker;

	return sim_fails(SIM_KZALLOC, NULL, NULL) ? NULL : &shrinker;
}

u64 sim_now(void)
{
	return sim.now;
}

bool sim_is_pv(void)
{
	return sim.config.pv;
}
