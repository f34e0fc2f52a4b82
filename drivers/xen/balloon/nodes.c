// SPDX-License-Identifier: GPL-2.0
/*
 * How much of the guest's memory each of its nodes is to have, and so of which one memory
 * goes and to which it comes: as much of all as of its size, unless somebody said otherwise.
 *
 * In steps of 2 MiB the node that is farthest from its share is the next one: so all are
 * within 2 MiB of it when the guest is at its target.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>

#include "balloon.h"

/* A node of which no 2 MiB could be had is left alone for so long. */
#define BARREN_NS	NSEC_PER_SEC
/* One for which Xen had none rests for so long, and twice as long each time. */
#define REST_MIN_NS	(5 * NSEC_PER_SEC)
#define REST_MAX_NS	(300 * NSEC_PER_SEC)

static DEFINE_RATELIMIT_STATE(often, SAY_INTERVAL, SAY_BURST);

static struct balloon_node *node_at(struct xen_balloon *xb, int nid)
{
	return &xb->queue.nodes[nid];
}

/* What of a node is in the queues. */
static unsigned long out(const struct balloon_node *node)
{
	return node->nr_huge * XENMEM_HUGE_PAGES + node->base;
}

static void zone_pages(int nid, unsigned long *managed, unsigned long *present)
{
	struct zone *zone = NODE_DATA(nid)->node_zones;
	unsigned int i;

	*managed = 0;
	*present = 0;
	for (i = 0; i < MAX_NR_ZONES; i++) {
		*managed += zone_managed_pages(&zone[i]);
		*present += zone[i].present_pages;
	}
}

/*
 * What each node has. The kernel keeps some from the allocator since boot: of that each has
 * its part, so that all nodes together have what the guest has.
 */
static void count_nodes(struct xen_balloon *xb)
{
	unsigned long guest = balloon_figures(&xb->queue).guest, managed, present, kept, all = 0;
	struct balloon_node *node;
	unsigned int i;
	int nid;

	/* Of one that comes to have memory meanwhile nothing is known. */
	for (i = 0; i < nr_node_ids; i++)
		node_at(xb, i)->size = 0;
	for_each_node_state(nid, N_MEMORY) {
		node = node_at(xb, nid);
		zone_pages(nid, &managed, &present);
		node->have = managed;
		node->share = present - min(present, managed + out(node));
		all += node->share;
		guest -= min(guest, managed);
	}
	for_each_node_state(nid, N_MEMORY) {
		node = node_at(xb, nid);
		kept = all ? mul_u64_u64_div_u64(guest, node->share, all) : guest;
		node->have += kept;
		/* Once, since compaction changes what is in the queues. */
		node->size = node->have + out(node);
		guest -= kept;
		all -= node->share;
	}
}

/*
 * What the nodes are to have, but for those with @passed, to share @all out in proportion.
 * Of whom nothing is said has what is left, by his size, or where nothing is left, what he has
 * by that of all; and so have all, if nothing is said, or those of whom something is can have
 * no more.
 */
static void weigh(struct xen_balloon *xb, unsigned long all)
{
	unsigned long said = 0, sizes = 0, sizes_said = 0, weights = 0, left;
	struct balloon_node *node;
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		node = node_at(xb, nid);
		if (node->passed)
			continue;
		if (node->wish == ULONG_MAX) {
			sizes += node->size;
		} else {
			sizes_said += node->size;
			said += node->wish;
		}
	}
	left = all - min(all, said);
	if (!left && sizes)
		left = mul_u64_u64_div_u64(all, sizes, sizes + sizes_said);
	for_each_node_state(nid, N_MEMORY) {
		node = node_at(xb, nid);
		node->weight = node->wish;
		if (node->wish == ULONG_MAX)
			node->weight = sizes ? mul_u64_u64_div_u64(left, node->size, sizes) : 0;
		weights += node->passed ? 0 : node->weight;
	}
	if (weights)
		return;
	for_each_node_state(nid, N_MEMORY)
		node_at(xb, nid)->weight = node_at(xb, nid)->size;
}

/* Those without @passed, that is. */
static unsigned long sum_of_weights(struct xen_balloon *xb)
{
	unsigned long sum = 0;
	int nid;

	for_each_node_state(nid, N_MEMORY)
		sum += node_at(xb, nid)->passed ? 0 : node_at(xb, nid)->weight;

	return sum;
}

/* The first one whose part of @left would be more than there is of it; or NUMA_NO_NODE. */
static int find_full(struct xen_balloon *xb, unsigned long left, unsigned long weights)
{
	struct balloon_node *node;
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		node = node_at(xb, nid);
		if (node->passed)
			continue;
		node->share = weights ? mul_u64_u64_div_u64(left, node->weight, weights) : 0;
		if (node->share > node->size)
			return nid;
	}

	return NUMA_NO_NODE;
}

/* Share @left out by weight: none has more than there is of it. */
static void share_out(struct xen_balloon *xb, unsigned long left)
{
	struct balloon_node *node;
	unsigned long more;
	int nid;

	weigh(xb, left);
	while ((nid = find_full(xb, left, sum_of_weights(xb))) != NUMA_NO_NODE) {
		node = node_at(xb, nid);
		node->share = node->size;
		node->passed = true;
		left -= node->share;
		weigh(xb, left);
	}

	/* What was lost by rounding. */
	for_each_node_state(nid, N_MEMORY)
		left -= node_at(xb, nid)->passed ? 0 : min(left, node_at(xb, nid)->share);
	for_each_node_state(nid, N_MEMORY) {
		node = node_at(xb, nid);
		if (node->passed)
			continue;
		more = min(left, node->size - node->share);
		node->share += more;
		left -= more;
	}
}

/**
 * balloon_node_is_barren - could no 2 MiB be had of a node a moment ago?
 * @xb: the driver
 * @nid: the node
 *
 * Context: step_lock held.
 */
bool balloon_node_is_barren(const struct xen_balloon *xb, int nid)
{
	return ktime_get_ns() < xb->queue.nodes[nid].barren_until;
}

static void pass_none(struct xen_balloon *xb)
{
	int nid;

	for_each_node_state(nid, N_MEMORY)
		node_at(xb, nid)->passed = false;
}

/**
 * balloon_nodes_begin - share out what the guest is to have, and begin with the first node
 * @xb: the driver
 * @credit: how many pages more than now that is; below 0, fewer
 * @order: in which order they are wanted: of some nodes it may be known that they have none
 *
 * Context: step_lock held.
 */
void balloon_nodes_begin(struct xen_balloon *xb, long credit, unsigned int order)
{
	unsigned long all = 0, left;
	struct balloon_node *node;
	bool barren = true;
	int nid;

	lockdep_assert_held(&xb->step_lock);

	xb->nodes_grow = credit > 0;
	pass_none(xb);
	count_nodes(xb);
	for_each_node_state(nid, N_MEMORY) {
		node = node_at(xb, nid);
		all += node->have;
		barren &= balloon_node_is_barren(xb, nid);
	}
	left = all + credit;
	for_each_node_state(nid, N_MEMORY) {
		node = node_at(xb, nid);
		if (credit >= 0 || !order || barren || !balloon_node_is_barren(xb, nid))
			continue;
		/* It goes on having what it has: the others give its part. */
		node->share = node->have;
		node->passed = true;
		left -= min(left, node->share);
	}
	share_out(xb, left);
	pass_none(xb);
}

/**
 * balloon_node_excess - how much more a node has than its share
 * @xb: the driver, after balloon_nodes_begin()
 * @nid: the node
 *
 * Context: step_lock held.
 * Return: pages; below 0 it has less.
 */
long balloon_node_excess(struct xen_balloon *xb, int nid)
{
	return node_at(xb, nid)->have - node_at(xb, nid)->share;
}

/* How much more, or, where the guest is to grow, less a node has than its share. */
static long distance(struct xen_balloon *xb, int nid)
{
	long excess = balloon_node_excess(xb, nid);

	return xb->nodes_grow ? -excess : excess;
}

/**
 * balloon_nodes_next - whose turn is it?
 * @xb: the driver, after balloon_nodes_begin()
 * @nid: set to the node that is farthest from its share, of those that had no turn yet; or
 *	to NUMA_NO_NODE, where there is but one
 *
 * Context: step_lock held.
 * Return: false when all had their turn.
 */
bool balloon_nodes_next(struct xen_balloon *xb, int *nid)
{
	int i, found = NUMA_NO_NODE;

	lockdep_assert_held(&xb->step_lock);

	for_each_node_state(i, N_MEMORY)
		if (!node_at(xb, i)->passed &&
		    (found == NUMA_NO_NODE || distance(xb, i) > distance(xb, found)))
			found = i;
	if (found == NUMA_NO_NODE)
		return false;

	node_at(xb, found)->passed = true;
	*nid = num_node_state(N_MEMORY) == 1 ? NUMA_NO_NODE : found;
	return true;
}

/**
 * balloon_node_huge - in how many huge pages a node gets to its share
 * @xb: the driver, after balloon_nodes_begin()
 * @nid: the node, or NUMA_NO_NODE
 *
 * Context: step_lock held.
 * Return: to within one, at least one; as many as there are where it is there: it is its
 * turn since no other node has any.
 */
unsigned long balloon_node_huge(struct xen_balloon *xb, int nid)
{
	if (nid == NUMA_NO_NODE || distance(xb, nid) <= 0)
		return ULONG_MAX;

	return max(distance(xb, nid) / XENMEM_HUGE_PAGES, 1UL);
}

/**
 * balloon_node_barren - no 2 MiB could be had of a node
 * @xb: the driver
 * @nid: the node, or NUMA_NO_NODE
 *
 * Context: step_lock held.
 */
void balloon_node_barren(struct xen_balloon *xb, int nid)
{
	if (nid != NUMA_NO_NODE)
		node_at(xb, nid)->barren_until = ktime_get_ns() + BARREN_NS;
}

/**
 * balloon_node_rests - had Xen no memory on a node a moment ago?
 * @xb: the driver
 * @nid: the node
 *
 * Context: step_lock held.
 */
bool balloon_node_rests(const struct xen_balloon *xb, int nid)
{
	return ktime_get_ns() < xb->queue.nodes[nid].rests_until;
}

/**
 * balloon_node_asked - Xen was asked for 2 MiB of a node, and of no other
 * @xb: the driver
 * @nid: the node
 * @got: did it have them? If not it is not asked again for a while, longer each time
 *
 * Context: step_lock held.
 */
void balloon_node_asked(struct xen_balloon *xb, int nid, bool got)
{
	struct balloon_node *node = node_at(xb, nid);

	node->rest_ns = got ? 0 : clamp_t(u64, node->rest_ns * 2, REST_MIN_NS, REST_MAX_NS);
	node->rests_until = got ? 0 : ktime_get_ns() + node->rest_ns;
}

/**
 * balloon_nodes_forget - the guest is somewhere else: Xen may have there what it had not here
 * @xb: the driver
 *
 * Context: step_lock held.
 */
void balloon_nodes_forget(struct xen_balloon *xb)
{
	int nid;

	for_each_node_state(nid, N_MEMORY)
		balloon_node_asked(xb, nid, true);
}

/* As those who set a target see it: what is given of the guest's own accord is not less. */
static void begin_whole(struct xen_balloon *xb)
{
	balloon_nodes_begin(xb, balloon_target_most(xb) - balloon_figures(&xb->queue).guest, 0);
}

/* Can node @nid have so much of @all that the guest is to have, and the others the rest? */
static int check_wish(struct xen_balloon *xb, int nid, unsigned long pages, unsigned long all)
{
	unsigned long least, most = 0, others = 0;
	int other;

	if (node_state(nid, N_MEMORY))
		most = min(node_at(xb, nid)->size, all);
	for_each_node_state(other, N_MEMORY)
		others += other == nid ? 0 : node_at(xb, other)->size;
	least = all - min(all, others);
	if (pages >= least && pages <= most)
		return 0;

	if (__ratelimit(&often))
		pr_warn("found %lu KiB as the target of node %d, expected %lu to %lu: the targets of all nodes stay\n",
			PAGES_TO_KB(pages), nid, PAGES_TO_KB(min(least, most)), PAGES_TO_KB(most));
	return -ERANGE;
}

/**
 * balloon_node_set - set what a node is to have
 * @xb: the driver
 * @nid: the node
 * @pages: so many pages
 *
 * The others have more or less then, in proportion to what they were to have; and all of them
 * when the guest is to have more or less.
 *
 * Context: may sleep.
 * Return: 0; -ERANGE with all as before when that cannot be, which is told.
 */
int balloon_node_set(struct xen_balloon *xb, int nid, unsigned long pages)
{
	unsigned long all = 0;
	int other, ret;

	mutex_lock(&xb->step_lock);
	begin_whole(xb);
	for_each_node_state(other, N_MEMORY)
		all += node_at(xb, other)->share;
	ret = check_wish(xb, nid, pages, all);
	if (ret)
		goto out;

	for_each_node_state(other, N_MEMORY)
		node_at(xb, other)->wish = node_at(xb, other)->share;
	node_at(xb, nid)->share = pages;
	node_at(xb, nid)->passed = true;
	share_out(xb, all - pages);
	for_each_node_state(other, N_MEMORY)
		node_at(xb, other)->wish = node_at(xb, other)->share;
out:
	mutex_unlock(&xb->step_lock);

	return ret;
}

/**
 * balloon_nodes_wish - say what some nodes are to have
 * @xb: the driver
 * @wish: by number of node, in pages; ULONG_MAX where nothing is said
 *
 * Those of which nothing is said have what is left, by their size. Where the sum is another
 * than what the guest is to have, or a node smaller than that, all have in proportion.
 *
 * Context: may sleep.
 * Return: is it anything new?
 */
bool balloon_nodes_wish(struct xen_balloon *xb, const unsigned long *wish)
{
	bool changed = false;
	unsigned long pages;
	unsigned int nid;

	mutex_lock(&xb->step_lock);
	for (nid = 0; nid < nr_node_ids; nid++) {
		pages = wish ? wish[nid] : ULONG_MAX;
		changed |= pages != node_at(xb, nid)->wish;
		node_at(xb, nid)->wish = pages;
	}
	mutex_unlock(&xb->step_lock);

	return changed;
}

/**
 * balloon_node_figures - what a node has, and what it is to have, in pages
 * @xb: the driver
 * @nid: the node
 *
 * Context: may sleep.
 */
struct balloon_node_figures balloon_node_figures(struct xen_balloon *xb, int nid)
{
	struct balloon_node *node = node_at(xb, nid);
	struct balloon_node_figures n;

	mutex_lock(&xb->step_lock);
	begin_whole(xb);
	n = (struct balloon_node_figures) {
		.target = node_state(nid, N_MEMORY) ? node->share : 0,
		.has = node_state(nid, N_MEMORY) ? node->have : 0,
		.huge = node->nr_huge * XENMEM_HUGE_PAGES,
		.base = node->base,
		.away = node->away,
	};
	mutex_unlock(&xb->step_lock);

	return n;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/nodes-kunit.h"
#endif
