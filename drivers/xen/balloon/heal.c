// SPDX-License-Identifier: GPL-2.0
/*
 * Healing: 2 MiB of the guest that Xen has in single pages is emptied, given
 * back and populated as a whole, so that the processor can map it as one. Pages
 * are scattered by what ballooned out single pages before (the in-tree driver,
 * this one, boot with populate-on-demand), and by Xen's tools, which build a
 * guest page by page when it is restored or migrated.
 *
 * The worker does it one region at a time, when there is nothing else to do:
 * those first that are free, then those from which the fewest pages have to be
 * moved away.
 *
 * What came from another of the machine's nodes than it should comes anew, too: in 2 MiB of
 * its own, if Xen has them now, else it is as it was.
 */
#include <linux/err.h>
#include <linux/mm.h>

#include "balloon.h"
#include "trace.h"

/* What is known of a region, beside REGION_WHOLE and REGION_SUSPECT. */
#define GIVEN_UP	2	/* in vain; and so much of it was free then: */
#define FREE_STEP	8U	/* pages */
#define STUCK		(GIVEN_UP + XENMEM_HUGE_PAGES / FREE_STEP + 1)
				/* by this page of it, from 0 on */
#define MAYBE		BIT(15)	/* with one of the others: or it is one superpage */

/*
 * How many pages one step looks at, where mostly one tells all of a region. That
 * is not by the clock, which takes longer to read than a page in some guests.
 */
#define LOOK_PAGES	(64 * XENMEM_HUGE_PAGES)

static u16 state_of(struct xen_balloon *xb, unsigned long region)
{
	return balloon_region_state(&xb->queue, region);
}

static void set_state(struct xen_balloon *xb, unsigned long region, u16 state)
{
	balloon_region_set_state(&xb->queue, region, state);
}

static struct page *first_page(unsigned long region)
{
	return pfn_to_page(region * XENMEM_HUGE_PAGES);
}

static void search_anew(struct xen_balloon *xb)
{
	struct balloon_heal *h = &xb->heal;

	h->cursor = xb->queue.regions.start;
	h->min_free = XENMEM_HUGE_PAGES;
}

/**
 * balloon_heal_suspect_all - nobody knows how the guest's memory came about
 * @xb: the driver
 *
 * Context: may sleep.
 */
void balloon_heal_suspect_all(struct xen_balloon *xb)
{
	struct balloon_regions *r = &xb->queue.regions;
	unsigned long region;

	for (region = r->start; region < r->end; region++)
		set_state(xb, region, REGION_SUSPECT);
	search_anew(xb);
}

/**
 * balloon_heal_suspect_some - some regions may be in pieces, and nobody knows which
 * @xb: the driver
 * @nr: how many at most
 *
 * Any of those that are not known to be suspect may be one of them; after so many
 * the others are left alone.
 *
 * Context: may sleep.
 */
void balloon_heal_suspect_some(struct xen_balloon *xb, unsigned long nr)
{
	struct balloon_regions *r = &xb->queue.regions;
	unsigned long region;

	for (region = r->start; region < r->end; region++)
		if (state_of(xb, region) == REGION_WHOLE)
			set_state(xb, region, REGION_SUSPECT | MAYBE);
	xb->heal.maybe = nr;
	search_anew(xb);
}

/**
 * balloon_heal_restored - Xen's tools built the guest anew
 * @xb: the driver
 *
 * Page by page, or in superpages but for those regions that have holes; and on whichever of
 * the machine's nodes they had memory.
 *
 * Context: may sleep.
 */
void balloon_heal_restored(struct xen_balloon *xb)
{
	struct balloon_regions *r = &xb->queue.regions;
	unsigned long region;

	balloon_regions_moved(&xb->queue, balloon_has_nodes(xb));
	balloon_nodes_forget(xb);
	balloon_heal_suspect_all(xb);
	if (!xb->ops->restores_whole || !xb->ops->restores_whole())
		return;

	for (region = r->start; region < r->end; region++)
		if (!balloon_region_broken(&xb->queue, first_page(region)))
			set_state(xb, region, REGION_WHOLE);
}

/**
 * balloon_heal_enable - switch healing on or off
 * @xb: the driver
 * @on: when it is switched on, even if it is on, all is suspect
 *
 * Context: may sleep.
 */
void balloon_heal_enable(struct xen_balloon *xb, bool on)
{
	mutex_lock(&xb->step_lock);
	xb->heal.enabled = on;
	if (on)
		balloon_heal_suspect_all(xb);
	mutex_unlock(&xb->step_lock);
}

static u16 given_up(unsigned int nr_free)
{
	return GIVEN_UP + nr_free / FREE_STEP;
}

/* Is there still in the way what was when a region was tried? */
static bool still_stuck(unsigned long region, u16 state)
{
	state &= ~MAYBE;

	return state >= STUCK && balloon_is_stuck(first_page(region) + state - STUCK);
}

/* Had Xen no 2 MiB on the node of a page a moment ago? */
static bool rests(struct xen_balloon *xb, struct page *page)
{
	return balloon_has_nodes(xb) && balloon_node_rests(xb, page_to_nid(page));
}

/* Is there nothing to be gained of a region, as far as one page of it tells? */
static bool is_settled(struct xen_balloon *xb, unsigned long region)
{
	struct page *page = first_page(region);
	u16 state = state_of(xb, region);
	bool away = balloon_region_away(&xb->queue, region);

	if ((state == REGION_WHOLE || ((state & MAYBE) && !xb->heal.maybe)) && !away)
		return true;
	if (!pfn_to_online_page(page_to_pfn(page)))
		return true;
	/*
	 * Only what is away and in pieces gains by any 2 MiB at all; of what was tried in
	 * vain nobody knows whether it is.
	 */
	if (rests(xb, page) && ((state & ~MAYBE) != REGION_SUSPECT || !away))
		return true;
	if (!PageOffline(page) && (away || !(xb->ops->whole && xb->ops->whole(page))))
		return still_stuck(region, state);

	/*
	 * Ballooned out, or known to be one piece: what comes back otherwise than
	 * as a whole is suspect then.
	 */
	set_state(xb, region, REGION_WHOLE);
	return true;
}

/* Empty a region, if so much of it is free that it is its turn. */
static struct page *try_region(struct xen_balloon *xb, unsigned long region)
{
	struct balloon_heal *h = &xb->heal;
	unsigned long pfn = region * XENMEM_HUGE_PAGES;
	unsigned int nr_free = balloon_free_in_region(pfn), at;
	u16 state = state_of(xb, region), maybe = state & MAYBE;
	struct page *page;
	bool stuck;

	if (nr_free < h->min_free || (state & ~MAYBE) == given_up(nr_free))
		return ERR_PTR(-EAGAIN);

	page = balloon_alloc_region(xb, pfn, &at);
	if (!IS_ERR(page) && maybe && h->maybe)
		h->maybe--;
	if (!IS_ERR(page) || PTR_ERR(page) == -EAGAIN)
		return page;

	stuck = PTR_ERR(page) == -EBUSY;
	/* Where too much would have been dropped, no one page is in the way. */
	set_state(xb, region, maybe | (stuck && balloon_is_stuck(pfn_to_page(pfn + at)) ?
				       STUCK + at : given_up(nr_free)));
	balloon_count(xb, stuck ? COUNT_HEAL_STUCK : COUNT_HEAL_GIVEN_UP, 1);
	trace_xen_balloon_heal(pfn, stuck ? HEAL_STUCK : HEAL_GIVEN_UP);

	return page;
}

/*
 * Empty the next region that is worth it. Each pass over memory lowers what is
 * asked of a region. Returns NULL with *@over when no pass is left.
 */
static struct page *next_region(struct xen_balloon *xb, bool *over)
{
	struct balloon_heal *h = &xb->heal;
	unsigned long region, looked = 0;
	struct page *page;

	*over = false;
	while (looked < LOOK_PAGES) {
		if (h->cursor >= xb->queue.regions.end) {
			*over = !h->min_free;
			h->min_free = *over ? XENMEM_HUGE_PAGES :
				      h->min_free > 64 ? h->min_free / 2 : 0;
			h->cursor = xb->queue.regions.start;
			if (*over)
				break;
			continue;
		}

		region = h->cursor++;
		looked++;
		if (is_settled(xb, region))
			continue;

		looked += XENMEM_HUGE_PAGES;
		page = try_region(xb, region);
		if (!IS_ERR(page))
			return page;
		/* That took long, and was in vain. */
		if (PTR_ERR(page) == -ENOMEM)
			break;
	}

	return NULL;
}

/* Give an empty region to Xen and get it back in one piece, if Xen has one on its node. */
static enum balloon_heal_result renew(struct xen_balloon *xb, struct page *page)
{
	bool away = balloon_region_away(&xb->queue, region_index(page)), got = false;
	int nid = page_to_nid(page);

	xb->pages[0] = page;
	if (!balloon_release(xb, 1, XENMEM_HUGE_ORDER))
		return HEAL_NOT_TAKEN;

	if (!rests(xb, page)) {
		got = balloon_populate_one(xb, nid, true);
		if (balloon_has_nodes(xb))
			balloon_node_asked(xb, nid, got);
	}
	if (got) {
		balloon_count(xb, COUNT_HEALED, 1);
		return HEAL_DONE;
	}
	if (away && balloon_populate_one(xb, nid, false)) {
		balloon_count(xb, COUNT_HEAL_AWAY, 1);
		return HEAL_AWAY;
	}

	/*
	 * In single pages then, of its node as far as there are some; the worker gets what is
	 * missing even so.
	 */
	balloon_populate_part(xb, XENMEM_HUGE_PAGES, nid);
	balloon_count(xb, COUNT_HEAL_REFUSED, 1);
	return away || !balloon_has_nodes(xb) ? HEAL_REFUSED : HEAL_NOT_THERE;
}

/**
 * balloon_heal - make one region a superpage again
 * @xb: the driver, at its target
 *
 * Pages in use are moved. At most one region is with Xen at a time: should
 * another guest be faster, this one is short of 2 MiB, which the worker gets back
 * as after any change of the target.
 *
 * Context: the worker, under step_lock; may sleep and move pages.
 * Return: UPKEEP_GAINED when it made one; UPKEEP_SEARCHED when it is not at the
 * end of its search, since other nodes may have what one has not; UPKEEP_NOTHING when there
 * is nothing to be done, Xen has no 2 MiB in one piece, or it is switched off.
 */
enum balloon_upkeep balloon_heal(struct xen_balloon *xb)
{
	enum balloon_heal_result result;
	struct page *page;
	bool over;

	if (!xb->heal.enabled ||
	    !balloon_has_spare(xb) || balloon_over_limit(xb))
		return UPKEEP_NOTHING;

	page = next_region(xb, &over);
	if (!page)
		return over ? UPKEEP_NOTHING : UPKEEP_SEARCHED;

	result = renew(xb, page);
	trace_xen_balloon_heal(page_to_pfn(page), result);
	if (result == HEAL_DONE)
		return UPKEEP_GAINED;

	return result == HEAL_AWAY || result == HEAL_NOT_THERE ? UPKEEP_SEARCHED : UPKEEP_NOTHING;
}

/**
 * balloon_heal_init - the guest's memory is taken for whole
 * @xb: the driver, with an empty queue
 */
void balloon_heal_init(struct xen_balloon *xb)
{
	search_anew(xb);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/heal-kunit.h"
#endif
