// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that has no balloon driver of its own: nobody borrows pages, and the target and
 * what the guest has are two plain numbers (those that the simulated in-tree driver would
 * have). With this table in place of intree_ops the engine must do all the same.
 */
#include "balloon.h"
#include "sim.h"

#define MAX_DELAY_MS	2000

static void follow(struct xen_balloon *xb)
{
	unsigned long wanted = sim_balloon_stats.target_pages;

	if (wanted != xb->target.wanted && !balloon_target_set(xb, wanted))
		sim_balloon_stats.target_pages = xb->target.wanted;
}

static bool must_look(const struct xen_balloon *xb)
{
	return true;
}

static void publish(struct xen_balloon *xb)
{
	sim_balloon_stats.current_pages = balloon_figures(&xb->queue).guest;
}

static unsigned int max_delay_ms(void)
{
	return MAX_DELAY_MS;
}

static unsigned long spare(void)
{
	return 0;
}

static unsigned long lent(const struct xen_balloon *xb)
{
	return 0;
}

static unsigned int take_spare(struct xen_balloon *xb, unsigned int max)
{
	return 0;
}

static void give(struct xen_balloon *xb, unsigned int nr)
{
	sim_violation("gave pages to be lent where nobody borrows");
}

const struct balloon_kernel_ops sim_bare_ops = {
	.follow = follow,
	.must_look = must_look,
	.publish = publish,
	.max_delay_ms = max_delay_ms,
	.spare = spare,
	.lent = lent,
	.take_spare = take_spare,
	.give = give,
};

/**
 * sim_bare_begin - there is no in-tree driver to take over from
 * @xb: the driver, in a guest of which all is populated
 *
 * Context: step_lock held.
 */
void sim_bare_begin(struct xen_balloon *xb)
{
	balloon_correct_guest(&xb->queue, sim_total());
	xb->total = balloon_sum(xb);
	balloon_target_begin(xb, sim_total());
	balloon_check_current(xb);
}
