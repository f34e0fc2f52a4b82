// SPDX-License-Identifier: GPL-2.0
/*
 * The simulated in-tree driver: its list of ballooned pages, the functions that
 * it exports, and balloon_stats. They keep account as drivers/xen/balloon.c of
 * Linux does, shortcomings included.
 */
#include <linux/mm.h>
#include <linux/page-flags.h>

#include "balloon.h"
#include "sim.h"

struct balloon_stats sim_balloon_stats;

static void set_owner(struct page *page, enum sim_owner owner)
{
	unsigned int index;
	struct sim_region *region = sim_region_of(page_to_pfn(page), &index);

	region->owner[index] = owner;
	region->changed = true;
}

/* balloon_append() there */
static void append(struct page *page)
{
	set_owner(page, SIM_LISTED);
	__SetPageOffline(page);
	list_add(&page->lru, &sim.listed);
	sim_balloon_stats.balloon_low++;
}

/* balloon_retrieve() there */
static struct page *retrieve(void)
{
	struct page *page = list_first_entry_or_null(&sim.listed, struct page, lru);

	if (!page)
		return NULL;

	list_del(&page->lru);
	sim_balloon_stats.balloon_low--;
	__ClearPageOffline(page);
	return page;
}

/*
 * Balloon out one page from anywhere, as it does on its own account. Its way to
 * Xen is not the driver's, so it is not judged.
 */
static struct page *decrease(void)
{
	struct page *page = sim_get_page(SIM_LISTED);
	struct sim_region *region;
	unsigned int index;

	if (!page)
		return NULL;

	region = sim_region_of(page_to_pfn(page), &index);
	sim_host_give(region->frame[index]);
	region->frame[index] = SIM_HOLE;
	region->superpage = false;
	region->changed = true;
	sim.tot_pages--;
	sim.managed--;
	sim.node_managed[sim_page_nid(page)]--;
	return page;
}

/**
 * sim_intree_take - it has ballooned out some pages
 * @pages: how many
 *
 * Return: how many there were.
 */
unsigned int sim_intree_take(unsigned int pages)
{
	struct page *page;
	unsigned int n;

	for (n = 0; n < pages && (page = decrease()); n++) {
		append(page);
		sim_balloon_stats.current_pages--;
	}

	return n;
}

/* The one that comes last is lent first. */
static void push_unlisted(struct page *page)
{
	if (!sim_is_zone_device(page))
		set_owner(page, SIM_UNLISTED);
	list_add(&page->lru, &sim.unlisted);
	sim.nr_unlisted++;
}

/**
 * sim_intree_build - it knows of all of the guest's memory but what is unlisted,
 *	and has the part that has no memory yet on its list, as at boot
 */
void sim_intree_build(void)
{
	unsigned int populated = sim.config.regions - sim.config.unpopulated;
	unsigned int known = sim.config.regions - sim.config.unlisted;
	unsigned int i, j;

	INIT_LIST_HEAD(&sim.listed);
	INIT_LIST_HEAD(&sim.unlisted);
	INIT_LIST_HEAD(&sim.borrowed);
	sim.nr_unlisted = 0;
	sim.nr_device = 0;
	sim.woken = 0;
	sim.meanwhile = NULL;
	memset(&sim_balloon_stats, 0, sizeof(sim_balloon_stats));
	sim_balloon_stats.total_pages = sim_total() -
		sim.config.unlisted * SIM_REGION_PAGES;
	sim_balloon_stats.current_pages = sim_total() -
		sim.config.unpopulated * SIM_REGION_PAGES;
	sim_balloon_stats.target_pages = sim_balloon_stats.current_pages;
	sim_balloon_stats.schedule_delay = 1;
	sim_balloon_stats.max_schedule_delay = 32;
	sim_balloon_stats.retry_count = 1;
	sim_balloon_stats.max_retry_count = 4;

	for (i = populated; i < sim.config.regions; i++) {
		for (j = 0; j < SIM_REGION_PAGES; j++) {
			SetPageReserved(sim_page(i, j));
			set_page_count(sim_page(i, j), 1);
			if (i < known)
				append(sim_page(i, j));
			else
				push_unlisted(sim_page(i, j));
		}
	}
}

/**
 * sim_intree_online - xen_online_page() there: memory is online, and may be unpopulated
 * @region: which
 */
void sim_intree_online(unsigned int region)
{
	unsigned int i;

	for (i = 0; i < SIM_REGION_PAGES; i++)
		append(sim_page(region, i));
}

static int lend(unsigned int nr, struct page **pages, enum sim_owner owner)
{
	struct page *page;
	unsigned int n;

	sim_balloon_stats.target_unpopulated += nr;
	for (n = 0; n < nr; n++) {
		page = retrieve();
		if (!page) {
			page = decrease();
			if (!page)
				break;
			sim_balloon_stats.current_pages--;
		}
		set_owner(page, owner);
		pages[n] = page;
	}
	if (n == nr)
		return 0;

	while (n--)
		append(pages[n]);
	sim_balloon_stats.target_unpopulated -= nr;
	return -ENOMEM;
}

/* xen_alloc_ballooned_pages() there */
int sim_alloc_ballooned(unsigned int nr, struct page **pages)
{
	if (sim_fails(SIM_INTREE, NULL, NULL))
		return -ENOMEM;

	sim_meanwhile();
	return lend(nr, pages, SIM_DRIVER);
}

/* xen_free_ballooned_pages() there */
void sim_free_ballooned(unsigned int nr, struct page **pages)
{
	struct sim_region *region;
	unsigned int i, index;

	for (i = 0; i < nr; i++) {
		if (!pages[i])
			continue;
		region = sim_region_of(page_to_pfn(pages[i]), &index);
		if (!region || (region->owner[index] != SIM_DRIVER &&
				region->owner[index] != SIM_LENT))
			sim_violation("gave the in-tree driver a page that was not lent");
		else if (region->frame[index] < SIM_FOREIGN)
			sim_violation("gave the in-tree driver a populated page");
		else if (PageOffline(pages[i]) || page_count(pages[i]) != 1)
			sim_violation("gave the in-tree driver a page with marks of ours");
		if (!region)
			continue;
		region->frame[index] = SIM_HOLE;
		append(pages[i]);
	}
	sim_balloon_stats.target_unpopulated -= nr;
	if (sim_balloon_stats.target_pages != sim_balloon_stats.current_pages)
		sim.woken++;
}

/**
 * sim_borrow - another driver borrows pages and maps foreign frames there
 * @nr: how many, up to 512
 *
 * Return: how many it got: all or none.
 */
unsigned int sim_borrow(unsigned int nr)
{
	static struct page *pages[SIM_REGION_PAGES];
	unsigned int i, index;

	if (lend(nr, pages, SIM_LENT))
		return 0;

	for (i = 0; i < nr; i++)
		sim_region_of(page_to_pfn(pages[i]), &index)->frame[index] = SIM_FOREIGN;
	return nr;
}

/**
 * sim_return - another driver gives back some of what it borrowed
 * @nr: how many
 *
 * Return: how many it had.
 */
unsigned int sim_return(unsigned int nr)
{
	unsigned int pages = sim.config.regions * SIM_REGION_PAGES;
	unsigned int start = sim_random(pages), i, at, n = 0;
	struct page *page;

	for (i = 0; i < pages && n < nr; i++) {
		at = (start + i) % pages;
		if (sim.region[at / SIM_REGION_PAGES].owner[at % SIM_REGION_PAGES] != SIM_LENT)
			continue;
		page = sim_page(at / SIM_REGION_PAGES, at % SIM_REGION_PAGES);
		sim_free_ballooned(1, &page);
		n++;
	}

	return n;
}

/**
 * sim_meanwhile - what somebody else does just now, if anything
 */
void sim_meanwhile(void)
{
	void (*meanwhile)(void) = sim.meanwhile;

	sim.meanwhile = NULL;
	if (meanwhile)
		meanwhile();
}

/* The allocator of unpopulated pages: drivers/xen/unpopulated-alloc.c there */

/* fill_list() there: it maps a piece of unused address space as device memory. */
static bool make_device_pages(void)
{
	unsigned int i;

	if (!sim_device_page(sim.nr_device + SIM_REGION_PAGES - 1))
		return false;

	for (i = 0; i < SIM_REGION_PAGES; i++)
		push_unlisted(sim_device_page(sim.nr_device++));
	return true;
}

/* Who has its lock may wait for who sets memory online, and he for step_lock. */
static void check_no_step(const char *what)
{
	if (mutex_is_locked(&sim.xb->step_lock))
		sim_violation("%s under step_lock", what);
}

/**
 * sim_shuffle_unlisted - others have borrowed all of it, and given it back
 */
void sim_shuffle_unlisted(void)
{
	struct page *page, *next;
	LIST_HEAD(mixed);

	list_for_each_entry_safe(page, next, &sim.unlisted, lru) {
		if (sim_random(2))
			list_move(&page->lru, &mixed);
		else
			list_move_tail(&page->lru, &mixed);
	}
	list_splice(&mixed, &sim.unlisted);
}

/**
 * sim_borrow_unlisted - another driver has borrowed some of it, and mapped nothing yet
 * @nr: how many pages
 */
void sim_borrow_unlisted(unsigned int nr)
{
	struct page *page;

	for (; nr--; sim.nr_unlisted--) {
		page = list_first_entry(&sim.unlisted, struct page, lru);
		list_move(&page->lru, &sim.borrowed);
		set_owner(page, SIM_LENT);
	}
}

/**
 * sim_return_unlisted - and gives them back
 */
void sim_return_unlisted(void)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &sim.borrowed, lru) {
		list_del(&page->lru);
		push_unlisted(page);
	}
}

int sim_alloc_unpopulated(unsigned int nr, struct page **pages)
{
	struct page *page;
	unsigned int n;

	check_no_step("asked for unpopulated pages");
	if (sim_fails(SIM_UNPOPULATED, NULL, NULL))
		return -ENOMEM;

	while (sim.nr_unlisted < nr)
		if (!make_device_pages())
			return -ENOMEM;

	for (n = 0; n < nr; n++) {
		page = list_first_entry(&sim.unlisted, struct page, lru);
		list_del_init(&page->lru);
		sim.nr_unlisted--;
		if (!sim_is_zone_device(page))
			set_owner(page, SIM_DRIVER);
		pages[n] = page;
	}
	return 0;
}

void sim_free_unpopulated(unsigned int nr, struct page **pages)
{
	struct sim_region *region;
	unsigned int i, index;

	check_no_step("gave back unpopulated pages");
	for (i = 0; i < nr; i++) {
		region = sim_region_of(page_to_pfn(pages[i]), &index);
		if (region && region->owner[index] != SIM_DRIVER)
			sim_violation("gave back an unpopulated page that was not lent");
		else if (region && region->frame[index] < SIM_FOREIGN)
			sim_violation("gave back an unpopulated page that is populated");
		else if (region && (!PageReserved(pages[i]) || PageOffline(pages[i]) ||
				    page_count(pages[i]) != 1))
			sim_violation("gave back an unpopulated page not as it was lent");
		push_unlisted(pages[i]);
	}
}
