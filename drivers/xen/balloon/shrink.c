// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel reclaims: what is given comes back beside what programs and files lose. Who
 * reclaims gets it himself, as long as nobody else is at work.
 */
#include <linux/freezer.h>
#include <linux/mm.h>

#include <compat/shrinker.h>

#include "balloon.h"

static struct xen_balloon *told;
static struct shrinker *shrinker;

/*
 * While enough is free the kernel reclaims for other reasons, and while Xen has none there is
 * none. It asks for half of what it is offered, whatever it lacks: 16 MiB.
 */
static unsigned long count(struct shrinker *unused, struct shrink_control *sc)
{
	if (!READ_ONCE(told->elastic.active) || READ_ONCE(told->delay_ms) ||
	    !balloon_elastic_is_short(told))
		return SHRINK_EMPTY;

	return 2 * BALLOON_RELIEF;
}

/*
 * May the guest get any? While it is suspended, and resumed, tasks that nobody freezes reclaim
 * before it is known what the new domain has: the worker is frozen then.
 */
static bool may_get(struct xen_balloon *xb)
{
	return !READ_ONCE(xb->resumed) && !xb->ended && !xb->hibernates && !freezing(xb->worker);
}

/* The worker, too, may get here, with step_lock held: he does not wait for it. */
static unsigned long scan(struct shrinker *unused, struct shrink_control *sc)
{
	struct xen_balloon *xb = told;
	unsigned long got;
	bool more;

	if (!mutex_trylock(&xb->step_lock))
		return SHRINK_STOP;
	if (!may_get(xb)) {
		mutex_unlock(&xb->step_lock);
		return SHRINK_STOP;
	}

	balloon_elastic_return(xb, sc->nr_to_scan, SIGNAL_SHRINKER);
	got = balloon_get_coming(xb);
	if (got)
		xb->kernel->publish(xb);
	more = balloon_target(xb) > balloon_figures(&xb->queue).guest;
	mm_account_reclaimed_pages(got);
	mutex_unlock(&xb->step_lock);

	/* It fetches the rest. */
	if (more)
		balloon_worker_kick(xb);
	return got ?: SHRINK_STOP;
}

/**
 * balloon_shrink_init - be asked from now on
 * @xb: the driver
 *
 * Return: 0 or a negative errno.
 */
int balloon_shrink_init(struct xen_balloon *xb)
{
	told = xb;
	shrinker = shrinker_alloc(0, KBUILD_MODNAME);
	if (!shrinker)
		return -ENOMEM;

	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	/* It takes no disk, so that half of it is asked for at once. */
	shrinker->seeks = 0;
	shrinker->batch = BALLOON_RELIEF;

	return shrinker_add(shrinker, KBUILD_MODNAME);
}

/**
 * balloon_shrink_exit - be asked no more
 */
void balloon_shrink_exit(void)
{
	shrinker_free(shrinker);
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/shrink-kunit.h"
#endif
