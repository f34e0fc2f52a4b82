// SPDX-License-Identifier: GPL-2.0
/*
 * One step towards a smaller or a larger guest: how much of it, in which pieces, and what
 * comes first.
 */
#include <linux/mm.h>

#include "balloon.h"

/* How many base pages to ask for after a step that stalled. */
#define FEW_BASE	8UL

/**
 * balloon_inflatable - how much more can be given up
 * @xb: the driver
 *
 * Context: any but under queue.lock.
 * Return: pages.
 */
unsigned long balloon_inflatable(struct xen_balloon *xb)
{
	long reserve = balloon_reserve(xb);

	return max(balloon_available() - reserve, 0L);
}

/*
 * How many huge pages one step moves, of @want base pages, of the node whose turn it is. The
 * first step on the way to a target moves one, so that there is something soon; each further
 * one twice as many.
 */
static unsigned int huge_at_once(struct xen_balloon *xb, unsigned long want, int nid)
{
	return min3(want / XENMEM_HUGE_PAGES, balloon_node_huge(xb, nid), BIT(xb->pace));
}

/*
 * How many base pages one step asks Xen for. When it had none the last time, not
 * many are taken out of the queue, and put back, to ask again.
 */
static unsigned long base_at_once(const struct xen_balloon *xb)
{
	return xb->delay_ms ? FEW_BASE : XENMEM_MAX_BASE;
}

/* A step towards a larger or smaller guest is about to be made. */
static void keep_pace(struct xen_balloon *xb, bool grow)
{
	if (xb->grow != grow)
		xb->pace = 0;
	xb->grow = grow;
}

static void quicken_pace(struct xen_balloon *xb)
{
	if (BIT(xb->pace) < XENMEM_MAX_HUGE)
		xb->pace++;
}

/* Huge pages into xb->pages, of the node that has the most more than its share. */
static unsigned int alloc_huge(struct xen_balloon *xb, unsigned long want)
{
	unsigned int nr = 0;
	int nid;

	balloon_nodes_begin(xb, -want, XENMEM_HUGE_ORDER);
	while (!nr && balloon_nodes_next(xb, &nid)) {
		nr = balloon_alloc_huge(xb, huge_at_once(xb, want, nid), nid);
		if (!nr)
			balloon_node_barren(xb, nid);
	}

	return nr;
}

/*
 * Likewise base pages: all of one node, so that a remainder costs one superpage; and nothing is
 * reclaimed on one while another has enough that is free.
 */
static unsigned int alloc_base(struct xen_balloon *xb, unsigned long want)
{
	bool reclaim = num_node_state(N_MEMORY) == 1;
	const unsigned long max = XENMEM_MAX_BASE;
	unsigned int nr = 0;
	int nid;

	for (;; reclaim = true) {
		balloon_nodes_begin(xb, -want, 0);
		while (!nr && balloon_nodes_next(xb, &nid))
			if (reclaim || balloon_node_has_spare(nid))
				nr = balloon_alloc_base(xb, min(want, max), nid);
		if (nr || reclaim)
			return nr;
	}
}

/* One step towards a smaller guest, by up to @want. Returns pages given. */
static unsigned long inflate(struct xen_balloon *xb, unsigned long want)
{
	unsigned long room = balloon_inflatable(xb), given;
	unsigned int nr = 0;

	/* Short of memory, whole huge pages or nothing: do not nibble. */
	if (room < want)
		want = round_down(room, XENMEM_HUGE_PAGES);

	if (want >= XENMEM_HUGE_PAGES && !READ_ONCE(xb->base_only))
		nr = alloc_huge(xb, want);
	if (nr) {
		given = balloon_release(xb, nr, XENMEM_HUGE_ORDER);
		if (given)
			return given;
	}

	if (want)
		nr = alloc_base(xb, want);
	if (!nr)
		return 0;

	given = balloon_release(xb, nr, 0);
	if (!given)
		balloon_target_not_taken(xb);

	return given;
}

/* Huge pages of the queue into xb->pages, for the node that lacks the most of its share. */
static unsigned int dequeue_huge(struct xen_balloon *xb, unsigned long want)
{
	unsigned int nr = 0;
	int nid;

	balloon_nodes_begin(xb, want, XENMEM_HUGE_ORDER);
	while (!nr && balloon_nodes_next(xb, &nid))
		nr = balloon_dequeue_huge(&xb->queue, xb->pages, huge_at_once(xb, want, nid), nid);

	return nr;
}

static bool has_huge(struct xen_balloon *xb, int nid)
{
	return nid == NUMA_NO_NODE || READ_ONCE(xb->queue.nodes[nid].nr_huge);
}

/* Likewise base pages; or else a part of a huge page. Returns what Xen gave. */
static unsigned long deflate_base(struct xen_balloon *xb, unsigned long want)
{
	unsigned long got;
	unsigned int nr;
	int nid;

	balloon_nodes_begin(xb, want, 0);
	do {
		/* In the end those of regions in which nodes meet. */
		if (!balloon_nodes_next(xb, &nid))
			nid = NUMA_NO_NODE;
		nr = balloon_dequeue_base(&xb->queue, xb->pages, want, nid);
	} while (!nr && !has_huge(xb, nid));

	if (nr)
		want = nr;
	got = nr ? balloon_populate(xb, nr, 0, false) : balloon_populate_part(xb, want, nid);
	xb->scarce = got < want;

	return got;
}

/**
 * balloon_deflate - some of what is in the queues is the guest's again
 * @xb: the driver
 * @want: how much at most, in pages
 *
 * Context: step_lock held; may sleep, but waits for nobody who may wait for memory.
 * Return: pages.
 */
unsigned long balloon_deflate(struct xen_balloon *xb, unsigned long want)
{
	unsigned long got;
	unsigned int nr = 0;

	want = min(want, balloon_headroom(xb));
	if (!want)
		return 0;

	if (want >= XENMEM_HUGE_PAGES)
		nr = dequeue_huge(xb, want);
	if (nr) {
		got = balloon_populate(xb, nr, XENMEM_HUGE_ORDER, false);
		if (got) {
			balloon_elastic_got(xb, got);
			return got;
		}
	}

	/* No 2 MiB wanted, or none to be had from Xen. */
	got = deflate_base(xb, min(want, base_at_once(xb)));
	balloon_elastic_got(xb, got);

	return got;
}

/**
 * balloon_get - as much of what is in the queues as Xen gives is the guest's again
 * @xb: the driver
 * @want: how much at most, in pages
 *
 * Context: as of balloon_deflate().
 * Return: pages.
 */
unsigned long balloon_get(struct xen_balloon *xb, unsigned long want)
{
	unsigned long got = 0, more;

	for (; got < want; got += more) {
		more = balloon_deflate(xb, want - got);
		if (!more)
			break;
	}

	return got;
}

/**
 * balloon_get_coming - some of what is on its way to the guest comes at once
 * @xb: the driver
 *
 * Up to BALLOON_RELIEF, and no more than the target says.
 *
 * Context: as of balloon_deflate().
 * Return: pages.
 */
unsigned long balloon_get_coming(struct xen_balloon *xb)
{
	long coming = balloon_target(xb) - balloon_figures(&xb->queue).guest;

	return coming > 0 ? balloon_get(xb, min_t(long, coming, BALLOON_RELIEF)) : 0;
}

/* One step towards a larger guest, by up to @want. Returns pages got. */
static unsigned long deflate(struct xen_balloon *xb, unsigned long want)
{
	struct balloon_figures n = balloon_figures(&xb->queue);

	if (n.huge || n.base)
		return balloon_deflate(xb, want);

	return balloon_headroom(xb) ? balloon_foreign_trim(xb, true) : 0;
}

/**
 * balloon_resize - one step towards a smaller or a larger guest
 * @xb: the driver
 * @credit: pages that it shall be larger by; below 0, smaller
 *
 * Context: step_lock held; may sleep, compact and move pages.
 * Return: pages that it is larger or smaller by.
 */
unsigned long balloon_resize(struct xen_balloon *xb, long credit)
{
	unsigned long moved;

	keep_pace(xb, credit > 0);
	xb->scarce = false;
	moved = credit > 0 ? deflate(xb, credit) : inflate(xb, -credit);
	if (moved)
		quicken_pace(xb);
	else
		xb->pace = 0;
	if (credit > 0 || !moved)
		balloon_alloc_settle(&xb->alloc);

	return moved;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/sizing-kunit.h"
#endif
