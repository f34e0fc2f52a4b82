// SPDX-License-Identifier: GPL-2.0
/*
 * The simulated Xen: the host's memory, other guests, our guest's p2m, and the
 * operations on it. The answers are those of Xen 4.17, misuse included: see
 * decrease_reservation() and populate_physmap() in its common/memory.c, and
 * tests/kunit/script.c, which is run on the real one too.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "balloon.h"
#include "sim.h"

/* The host's memory */

static struct sim_piece *piece_of(u32 frame)
{
	return &sim.piece[frame / SIM_REGION_PAGES];
}

/**
 * sim_host_build - a host with nothing in use
 * @pieces: its memory, in pieces of 2 MiB
 * @nodes: on so many nodes, in equal parts
 */
void sim_host_build(unsigned int pieces, unsigned int nodes)
{
	unsigned int i;

	INIT_LIST_HEAD(&sim.whole);
	INIT_LIST_HEAD(&sim.broken);
	INIT_LIST_HEAD(&sim.rivals);
	sim.nr_pieces = pieces;
	sim.host_free = pieces * SIM_REGION_PAGES;

	for (i = 0; i < pieces; i++) {
		bitmap_fill(sim.piece[i].free, SIM_REGION_PAGES);
		sim.piece[i].nr_free = SIM_REGION_PAGES;
		sim.piece[i].node = i * nodes / pieces;
		list_add_tail(&sim.piece[i].list, &sim.whole);
	}
}

/**
 * sim_frame_node - of which of the machine's nodes a frame is
 * @frame: the frame
 */
unsigned int sim_frame_node(u32 frame)
{
	return piece_of(frame)->node;
}

/* The first piece of a list that is of a node, or of any with SIM_NODES. */
static struct sim_piece *first_piece(struct list_head *list, unsigned int node)
{
	struct sim_piece *piece;

	list_for_each_entry(piece, list, list)
		if (node == SIM_NODES || piece->node == node)
			return piece;

	return NULL;
}

static bool take_piece(u32 *frame, unsigned int node)
{
	struct sim_piece *piece = first_piece(&sim.whole, node);

	if (!piece)
		return false;

	list_del_init(&piece->list);
	bitmap_zero(piece->free, SIM_REGION_PAGES);
	piece->nr_free = 0;
	sim.host_free -= SIM_REGION_PAGES;
	*frame = (piece - sim.piece) * SIM_REGION_PAGES;
	return true;
}

static bool take_frame(u32 *frame, unsigned int node)
{
	struct sim_piece *piece = first_piece(&sim.broken, node);
	unsigned int bit;

	if (!piece)
		piece = first_piece(&sim.whole, node);
	if (!piece)
		return false;

	bit = find_first_bit(piece->free, SIM_REGION_PAGES);
	__clear_bit(bit, piece->free);
	piece->nr_free--;
	sim.host_free--;
	if (piece->nr_free)
		list_move(&piece->list, &sim.broken);
	else
		list_del_init(&piece->list);

	*frame = (piece - sim.piece) * SIM_REGION_PAGES + bit;
	return true;
}

/**
 * sim_host_take_piece - allocate 2 MiB
 * @frame: set to its first frame
 *
 * Return: false when no 2 MiB piece is free.
 */
bool sim_host_take_piece(u32 *frame)
{
	return take_piece(frame, SIM_NODES);
}

/**
 * sim_host_take_frame - allocate 4 KiB, of a broken piece where there is one
 * @frame: set to the frame
 *
 * Return: false when nothing is free.
 */
bool sim_host_take_frame(u32 *frame)
{
	return take_frame(frame, SIM_NODES);
}

/**
 * sim_host_give - free 4 KiB
 * @frame: the frame
 */
void sim_host_give(u32 frame)
{
	struct sim_piece *piece = piece_of(frame);

	if (__test_and_set_bit(frame % SIM_REGION_PAGES, piece->free)) {
		sim_violation("frame 0x%x freed twice", frame);
		return;
	}
	piece->nr_free++;
	sim.host_free++;
	list_move_tail(&piece->list, piece->nr_free == SIM_REGION_PAGES ?
				     &sim.whole : &sim.broken);
}

/* The other guests */

/**
 * sim_rivals_take - other guests get memory
 * @pieces: whole 2 MiB pieces
 * @frames: single frames
 *
 * Return: how many frames they got in all.
 */
unsigned int sim_rivals_take(unsigned int pieces, unsigned int frames)
{
	unsigned int got = 0;
	u32 frame;

	while (pieces-- && sim_host_take_piece(&frame)) {
		list_add(&piece_of(frame)->list, &sim.rivals);
		got += SIM_REGION_PAGES;
	}
	while (frames-- && sim_host_take_frame(&frame)) {
		sim.rival_frames[sim.nr_rival_frames++] = frame;
		got++;
	}

	return got;
}

/**
 * sim_rivals_take_node - other guests get memory of one of the machine's nodes
 * @node: which
 * @pieces: whole 2 MiB pieces
 *
 * Return: how many pieces they got.
 */
unsigned int sim_rivals_take_node(unsigned int node, unsigned int pieces)
{
	unsigned int got;
	u32 frame;

	for (got = 0; got < pieces && take_piece(&frame, node); got++)
		list_add(&piece_of(frame)->list, &sim.rivals);

	return got;
}

/**
 * sim_rivals_give - other guests give memory back, what they got last first
 * @pieces: whole 2 MiB pieces
 * @frames: single frames
 */
void sim_rivals_give(unsigned int pieces, unsigned int frames)
{
	struct sim_piece *piece;
	unsigned int i, at;

	while (pieces-- && !list_empty(&sim.rivals)) {
		piece = list_first_entry(&sim.rivals, struct sim_piece, list);
		for (i = 0; i < SIM_REGION_PAGES; i++)
			sim_host_give((piece - sim.piece) * SIM_REGION_PAGES + i);
	}
	while (frames-- && sim.nr_rival_frames) {
		at = sim_random(sim.nr_rival_frames);
		sim_host_give(sim.rival_frames[at]);
		sim.rival_frames[at] = sim.rival_frames[--sim.nr_rival_frames];
	}
}

/* The guest's p2m */

static bool is_contiguous(const struct sim_region *region)
{
	unsigned int i;

	if (region->frame[0] % SIM_REGION_PAGES)
		return false;
	for (i = 1; i < SIM_REGION_PAGES; i++)
		if (region->frame[i] != region->frame[0] + i)
			return false;

	return true;
}

/**
 * sim_superpages - regions that the processor can map as one: superpages in the
 *	nested page table, or contiguous and aligned machine frames in PV
 */
unsigned int sim_superpages(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < sim.config.regions; i++)
		nr += sim.config.pv ? is_contiguous(&sim.region[i]) :
				      sim.region[i].superpage;

	return nr;
}

/**
 * sim_away - pages of a region whose memory is of another of the machine's nodes
 * @region: the region
 * @nid: than of this one
 */
unsigned int sim_away(const struct sim_region *region, unsigned int nid)
{
	unsigned int i, nr = 0;

	for (i = 0; i < SIM_REGION_PAGES; i++)
		nr += region->frame[i] < SIM_FOREIGN && sim_frame_node(region->frame[i]) != nid;

	return nr;
}

/**
 * sim_scatter_nodes - the guest is in a new domain: nobody knows what is on which node
 */
void sim_scatter_nodes(void)
{
	unsigned int i;

	for (i = 0; i < sim.config.regions; i++)
		sim.region[i].elsewhere = true;
}

/**
 * sim_populated - pages of the guest with memory of its own behind them
 */
unsigned long sim_populated(void)
{
	unsigned long nr = 0;
	unsigned int i, j;

	for (i = 0; i < sim.config.regions; i++)
		for (j = 0; j < SIM_REGION_PAGES; j++)
			nr += sim.region[i].frame[j] < SIM_FOREIGN;

	return nr;
}

/* The host's piece behind a whole region, all of it free from now on. */
static bool remove_superpage(unsigned long pfn)
{
	unsigned int index;
	struct sim_region *region = sim_region_of(pfn, &index);
	struct sim_piece *piece;

	if (!region || index || region->frame[0] >= SIM_FOREIGN || !is_contiguous(region))
		return false;

	piece = piece_of(region->frame[0]);
	if (piece->nr_free)
		return false;

	bitmap_fill(piece->free, SIM_REGION_PAGES);
	piece->nr_free = SIM_REGION_PAGES;
	list_move_tail(&piece->list, &sim.whole);
	sim.host_free += SIM_REGION_PAGES;
	memset32(region->frame, SIM_HOLE, SIM_REGION_PAGES);
	region->superpage = false;
	region->changed = true;
	sim.tot_pages -= SIM_REGION_PAGES;
	return true;
}

/* Take the frame behind one page. False: there is none, and Xen stops. */
static bool remove_page(unsigned long pfn)
{
	unsigned int index;
	struct sim_region *region = sim_region_of(pfn, &index);

	if (!region || region->frame[index] >= SIM_FOREIGN)
		return false;

	sim_host_give(region->frame[index]);
	region->frame[index] = SIM_HOLE;
	region->superpage = false;
	region->changed = true;
	sim.tot_pages--;
	return true;
}

/* Put a frame behind a page, whatever is there. */
static void insert_page(unsigned long pfn, u32 frame)
{
	unsigned int index;
	struct sim_region *region = sim_region_of(pfn, &index);

	if (!region) {
		sim.leaked++;
		return;
	}
	if (sim.logs_writes && !sim.config.pv && pfn >= sim.sends_to)
		sim_violation("populated what a migration does not send");
	sim.reached = max(sim.reached, pfn + 1);
	if (region->frame[index] == SIM_FOREIGN)
		sim.crashed = true;
	else if (region->frame[index] != SIM_HOLE)
		sim.leaked++;

	region->frame[index] = frame;
	region->content[index] = SIM_UNKNOWN;
	__set_bit(index, region->sent);
	region->superpage = false;
	region->changed = true;
}

static bool take(u32 *frame, unsigned int order, unsigned int node)
{
	return order ? take_piece(frame, node) : take_frame(frame, node);
}

/* Has the guest virtual nodes, each of which stands for one of the machine's? */
static bool has_nodes(void)
{
	return (sim.config.first || (sim_nr_nodes() > 1 && !sim.config.fake)) && !sim.config.pv;
}

/**
 * sim_vnode_of - of which of its virtual nodes Xen takes a page to be
 * @pfn: the page
 */
unsigned int sim_vnode_of(unsigned long pfn)
{
	if (sim.config.first)
		return pfn >= sim.first_pfn + sim.config.first * SIM_REGION_PAGES;

	return sim_page_nid(pfn_to_page(pfn));
}

/* Memory of the page's own node, or, unless @away is NULL, else of any. */
static bool take_for(struct page *page, u32 *frame, unsigned int order, bool *away)
{
	unsigned int node = has_nodes() ? sim_vnode_of(page_to_pfn(page)) : SIM_NODES;

	if (away)
		*away = false;
	if (!(sim.closed & BIT(node)) && take(frame, order, node))
		return true;
	if (!away || !has_nodes() || !take(frame, order, SIM_NODES))
		return false;

	*away = true;
	return true;
}

static bool populate_extent(unsigned long pfn, unsigned int order, bool *away)
{
	unsigned int i, index;
	u32 frame;

	if (sim.tot_pages + (1UL << order) > sim.max_pages)
		return false;
	if (!take_for(pfn_to_page(pfn), &frame, order, away))
		return false;

	sim.tot_pages += 1UL << order;
	if (order && sim_region_of(pfn, &index))
		sim_region_of(pfn, &index)->elsewhere = false;
	for (i = 0; i < 1U << order; i++)
		insert_page(pfn + i, frame + i);
	if (order && IS_ALIGNED(pfn, SIM_REGION_PAGES) && sim_region_of(pfn, &index))
		sim_region_of(pfn, &index)->superpage = true;

	return true;
}

/**
 * sim_refill - a live migration has put memory behind a hole
 * @page: the hole
 *
 * Whatever it was, it is not for others to see.
 */
void sim_refill(struct page *page)
{
	unsigned int index;
	struct sim_region *region = sim_region_of(page_to_pfn(page), &index);
	u32 frame;

	sim_host_take_frame(&frame);
	insert_page(page_to_pfn(page), frame);
	region->content[index] = SIM_SECRET;
	sim.tot_pages++;
}

/**
 * sim_begin_migration - a live migration of the guest begins
 */
void sim_begin_migration(void)
{
	unsigned int i, j;

	for (i = 0; i < sim.config.regions; i++)
		for (j = 0; j < SIM_REGION_PAGES; j++)
			__assign_bit(j, sim.region[i].sent, sim.region[i].frame[j] < SIM_FOREIGN);
	sim.logs_writes = true;
	sim.sends_to = sim.reached;
}

/**
 * sim_forget_reached - the domain knows of no page above the last that has memory
 */
void sim_forget_reached(void)
{
	unsigned long pfn = sim.first_pfn + sim_total();
	unsigned int index;

	while (sim_region_of(pfn - 1, &index)->frame[index] >= SIM_FOREIGN)
		pfn--;
	sim.reached = pfn;
}

/**
 * sim_sent - pages that the new domain of a migration must have room for
 */
unsigned long sim_sent(void)
{
	unsigned long nr = 0;
	unsigned int i;

	for (i = 0; i < sim.config.regions; i++)
		nr += bitmap_weight(sim.region[i].sent, SIM_REGION_PAGES);

	return nr;
}

/* A call of Xen ends. */
static void call_ends(void)
{
	if (sim.migrates_after && !--sim.migrates_after)
		sim_begin_migration();
}

/* What the driver must never do */

static void check_call(struct page **pages, unsigned int nr, unsigned int order)
{
	unsigned int i, most = order ? XENMEM_MAX_HUGE : XENMEM_MAX_BASE;

	if (order && order != SIM_HUGE_ORDER)
		sim_violation("call with order %u, expected 0 or %u", order, SIM_HUGE_ORDER);
	if (!nr || nr > most)
		sim_violation("call with %u extents of order %u, expected 1 to %u",
			      nr, order, most);
	if (!mutex_is_locked(&sim.xb->step_lock))
		sim_violation("call without step_lock");
	sim_may_sleep("call");
	sim.now += sim.call_ns;
	for (i = 0; i < nr; i++)
		if (!IS_ALIGNED(page_to_pfn(pages[i]), 1UL << order))
			sim_violation("extent %u of order %u is not aligned", i, order);
}

static void check_release(struct page *page, unsigned int order)
{
	unsigned int i, index;

	for (i = 0; i < 1U << order; i++) {
		struct sim_region *region = sim_region_of(page_to_pfn(page + i), &index);

		if (!region || region->owner[index] != SIM_DRIVER) {
			sim_violation("released a page that is not the driver's");
			return;
		}
		if (region->frame[index] >= SIM_FOREIGN) {
			sim_violation("released a hole: Xen frees what is before it");
			return;
		}
		if (sim.scrub_pages && region->content[index] != SIM_ZERO) {
			sim_violation("released a page that was not zeroed");
			return;
		}
		if (!PageOffline(page + i) || page_count(page + i) != !i) {
			sim_violation("released page %u of order %u: offline %d, references %d",
				      i, order, PageOffline(page + i),
				      page_count(page + i));
			return;
		}
	}
}

static void check_populate(struct page *page, unsigned int order)
{
	unsigned int i, index;

	for (i = 0; i < 1U << order; i++) {
		struct sim_region *region = sim_region_of(page_to_pfn(page + i), &index);

		if (!region || region->owner[index] != SIM_DRIVER) {
			sim_violation("populated a page that is not the driver's");
			return;
		}
		if (region->frame[index] == SIM_FOREIGN) {
			sim_violation("populated a page on loan: Xen destroys the guest");
			return;
		}
		if (region->frame[index] != SIM_HOLE) {
			sim_violation("populated a populated page: its frame leaks");
			return;
		}
		if (!PageOffline(page + i)) {
			sim_violation("populated a page that is not PageOffline");
			return;
		}
	}
}

/* The operations table */

static int sim_ops_init(void)
{
	return 0;
}

static void sim_ops_exit(void)
{
}

/* Xen takes @nr base pages of an extent. False: it stopped before the end. */
static bool release_extent(struct page *page, unsigned int nr)
{
	unsigned int i;

	/* No more than a faster way to the same. */
	if (nr == SIM_REGION_PAGES && remove_superpage(page_to_pfn(page)))
		return true;

	for (i = 0; i < nr; i++)
		if (!remove_page(page_to_pfn(page) + i))
			return false;

	return true;
}

static unsigned int sim_release(struct page **pages, unsigned int nr, unsigned int order)
{
	unsigned int done, limit = nr, partial = 1U << order;

	check_call(pages, nr, order);
	sim_fails(SIM_RELEASE, &limit, &partial);
	limit = min(limit, nr);
	sim.flushes++;
	if (order > SIM_HUGE_ORDER)
		return 0;

	for (done = 0; done < limit; done++) {
		check_release(pages[done], order);
		if (!release_extent(pages[done], 1U << order))
			return done;
		sim.extents++;
	}
	if (done < nr)
		release_extent(pages[done], min(partial, 1U << order));
	call_ends();

	return done;
}

static unsigned int sim_populate(struct page **pages, unsigned int nr, unsigned int order,
				 unsigned long *away)
{
	unsigned int done, limit = nr;
	bool is_away = false;

	check_call(pages, nr, order);
	sim_fails(SIM_POPULATE, &limit, NULL);
	limit = min(limit, nr);
	sim.flushes++;
	if (order > SIM_HUGE_ORDER)
		return 0;

	for (done = 0; done < limit; done++) {
		check_populate(pages[done], order);
		if (!populate_extent(page_to_pfn(pages[done]), order, away ? &is_away : NULL))
			break;
		if (away)
			__assign_bit(done, away, is_away);
		sim.extents++;
	}
	call_ends();

	return done;
}

/* What goes behind a page takes its place, whatever is there. */
static void check_move(struct page *from, struct page *to)
{
	unsigned int at, index;
	struct sim_region *source = sim_region_of(page_to_pfn(from), &at);
	struct sim_region *region = sim_region_of(page_to_pfn(to), &index);

	sim_may_sleep("call");
	if (!source || source->owner[at] != SIM_DRIVER)
		sim_violation("moved the memory of a page that is not the driver's");
	else if (source->frame[at] >= SIM_FOREIGN)
		sim_violation("moved a hole");
	else if (!region || region->owner[index] != SIM_DRIVER)
		sim_violation("moved memory to a page that is not the driver's");
	else if (region->frame[index] == SIM_FOREIGN)
		sim_violation("moved memory to a page on loan");
	else if (region->frame[index] != SIM_HOLE)
		sim_violation("moved memory to a populated page: its frame leaks");
	else if (!PageOffline(to))
		sim_violation("moved memory to a page that is not PageOffline");
}

/* XENMAPSPACE_gmfn, or mmu_update in a PV guest: the frame stays the guest's. */
static int sim_move(struct page *from, struct page *to)
{
	unsigned int at, done = 1;
	struct sim_region *source = sim_region_of(page_to_pfn(from), &at);
	u32 frame;

	check_move(from, to);
	if (sim.logs_writes && !sim.config.pv)
		return -EBUSY;
	if (sim_fails(SIM_MOVE, &done, NULL)) {
		if (!done)
			return -EBUSY;
		remove_page(page_to_pfn(from));
		return -ENODATA;
	}

	if (!source || source->frame[at] >= SIM_FOREIGN)
		return -EBUSY;
	frame = source->frame[at];
	source->frame[at] = SIM_HOLE;
	source->superpage = false;
	source->changed = true;
	insert_page(page_to_pfn(to), frame);
	/* Of what nobody knew where it is nobody does now. */
	if (sim_region_of(page_to_pfn(to), &at))
		sim_region_of(page_to_pfn(to), &at)->elsewhere |= source->elsewhere;
	call_ends();
	return 0;
}

/* XENMEM_exchange takes what it gives before it frees what it gets. */
static int sim_pv_move(struct page *from, struct page *to)
{
	u32 frame;

	if (!sim_host_take_frame(&frame))
		return sim_move(from, to);
	sim_host_give(frame);

	check_move(from, to);
	if (sim_fails(SIM_EXCHANGE, NULL, NULL))
		return sim_move(from, to);

	sim_host_take_frame(&frame);
	insert_page(page_to_pfn(to), frame);
	remove_page(page_to_pfn(from));
	sim.tot_pages++;
	return 0;
}

static unsigned int sim_exchange(struct page *huge, struct page **holes, unsigned int *got)
{
	unsigned int limit = SIM_REGION_PAGES, partial = SIM_REGION_PAGES, gone;
	u32 frame;

	check_call(&huge, 1, SIM_HUGE_ORDER);
	check_call(holes, SIM_REGION_PAGES, 0);
	check_release(huge, SIM_HUGE_ORDER);
	*got = 0;
	if (sim.host_free < SIM_REGION_PAGES)
		return 0;
	if (sim_fails(SIM_EXCHANGE, &limit, &partial))
		limit = min(limit, SIM_REGION_PAGES);
	else
		partial = 0;

	for (gone = 0; gone < limit; gone++) {
		check_populate(holes[gone], 0);
		sim_host_take_frame(&frame);
		if (!remove_page(page_to_pfn(huge) + gone))
			break;
		/* What could not be mapped went back to Xen. */
		if (gone + partial >= limit) {
			sim_host_give(frame);
			continue;
		}
		insert_page(page_to_pfn(holes[gone]), frame);
		sim.tot_pages++;
		++*got;
	}

	return gone;
}

static bool sim_whole(struct page *page)
{
	unsigned int index;

	return is_contiguous(sim_region_of(page_to_pfn(page), &index));
}

static bool sim_is_populated(struct page *page)
{
	unsigned int index;
	struct sim_region *region = sim_region_of(page_to_pfn(page), &index);

	return !sim_fails(SIM_POPULATED, NULL, NULL) && region &&
	       region->frame[index] < SIM_FOREIGN;
}

static int sim_reach(unsigned long pfn)
{
	unsigned int index;
	struct sim_region *region = sim_region_of(pfn, &index);

	if (sim_fails(SIM_REACH, NULL, NULL) || sim.tot_pages >= sim.max_pages)
		return -ENOMEM;

	if (region ? region->frame[index] != SIM_HOLE : !sim.place_taken)
		sim_violation("populated for a moment what is no hole, or another's");
	sim.reached = max(sim.reached, pfn + 1);
	return 0;
}

static bool sim_logs_writes(void)
{
	return sim_fails(SIM_LOGS_WRITES, NULL, NULL) || sim.logs_writes;
}

static bool sim_restores_whole(void)
{
	return !sim_fails(SIM_RESTORES_WHOLE, NULL, NULL) && sim.config.restores_whole;
}

static long sim_current_pages(void)
{
	sim.now += sim.config.count_ns;
	return sim_fails(SIM_CURRENT, NULL, NULL) ? -EPERM : sim.tot_pages;
}

static long sim_maximum_pages(void)
{
	return sim_fails(SIM_MAXIMUM, NULL, NULL) ? -EPERM : sim.max_pages;
}

const struct xenmem_ops sim_ops = {
	.name = "simulated",
	.init = sim_ops_init,
	.exit = sim_ops_exit,
	.release = sim_release,
	.populate = sim_populate,
	.has_nodes = has_nodes,
	.node_of = sim_vnode_of,
	.move = sim_move,
	.populated = sim_is_populated,
	.reach = sim_reach,
	.logs_writes = sim_logs_writes,
	.restores_whole = sim_restores_whole,
	.current_pages = sim_current_pages,
	.maximum_pages = sim_maximum_pages,
};

const struct xenmem_ops sim_pv_ops = {
	.name = "simulated PV",
	.init = sim_ops_init,
	.exit = sim_ops_exit,
	.release = sim_release,
	.populate = sim_populate,
	.move = sim_pv_move,
	.exchange = sim_exchange,
	.whole = sim_whole,
	.populated = sim_is_populated,
	.make_holes = sim_make_holes,
	.current_pages = sim_current_pages,
	.maximum_pages = sim_maximum_pages,
};

unsigned long sim_pfn_to_mfn(unsigned long pfn)
{
	unsigned int index;
	struct sim_region *region = sim_region_of(pfn, &index);

	return region && region->frame[index] < SIM_FOREIGN ? region->frame[index] : ~0UL;
}
