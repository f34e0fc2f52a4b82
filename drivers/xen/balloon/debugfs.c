// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs: xen-balloon/invariant checks that nothing was lost or doubled;
 * xen-balloon/stats counts what was done, xen-balloon/latency how long the guest
 * waited for what it had given. Described in
 * Documentation/ABI/testing/debugfs-xen-balloon.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "balloon.h"

static struct dentry *dir;

static const char * const counter_names[NR_BALLOON_COUNTERS] = {
	[COUNT_RELEASE_CALLS] = "release_calls",
	[COUNT_RELEASE_EXTENTS] = "release_extents",
	[COUNT_RELEASE_PAGES] = "release_pages",
	[COUNT_POPULATE_CALLS] = "populate_calls",
	[COUNT_POPULATE_EXTENTS] = "populate_extents",
	[COUNT_POPULATE_PAGES] = "populate_pages",
	[COUNT_POPULATE_REFUSED] = "populate_refused",
	[COUNT_POPULATE_AWAY] = "populate_away",
	[COUNT_CONTIG_TRIES] = "contig_tries",
	[COUNT_CONTIG_HUGE] = "contig_huge",
	[COUNT_CONTIG_RESTS] = "contig_rests",
	[COUNT_MIGRATED] = "migrated",
	[COUNT_MIGRATE_REFUSED] = "migrate_refused",
	[COUNT_MIGRATE_NO_MEMORY] = "migrate_no_memory",
	[COUNT_COALESCED] = "coalesced",
	[COUNT_COALESCE_TRIES] = "coalesce_tries",
	[COUNT_COALESCE_NO_HUGE] = "coalesce_no_huge",
	[COUNT_EVENED] = "evened",
	[COUNT_EVEN_REFUSED] = "even_refused",
	[COUNT_HEALED] = "healed",
	[COUNT_HEAL_REFUSED] = "heal_refused",
	[COUNT_HEAL_AWAY] = "heal_away",
	[COUNT_HEAL_STUCK] = "heal_stuck",
	[COUNT_HEAL_GIVEN_UP] = "heal_given_up",
	[COUNT_FOREIGN_STOCKED] = "foreign_stocked",
	[COUNT_FOREIGN_WHOLE] = "foreign_whole",
	[COUNT_FOREIGN_SCRAPS] = "foreign_scraps",
	[COUNT_FOREIGN_POPULATED] = "foreign_populated",
	[COUNT_FOREIGN_TAKEN] = "foreign_taken",
	[COUNT_HOTPLUGGED] = "hotplugged",
	[COUNT_RECLAIM_TRIES] = "reclaim_tries",
	[COUNT_OOM_RELIEVED] = "oom_relieved",
	[COUNT_GIVEN] = "given",
	[COUNT_RETURNED_LOW] = "returned_low",
	[COUNT_RETURNED_KSWAPD] = "returned_kswapd",
	[COUNT_RETURNED_SHRINKER] = "returned_shrinker",
	[COUNT_RETURNED_OOM] = "returned_oom",
	[COUNT_RETURN_REFUSED] = "return_refused",
	[COUNT_OOM_WAITS] = "oom_waits",
	[COUNT_UPKEEP_WATCHED] = "upkeep_watched",
	[COUNT_STALLS] = "stalls",
	[COUNT_TARGETS] = "targets",
};

static int stats_show(struct seq_file *m, void *unused)
{
	struct xen_balloon *xb = m->private;
	unsigned int i;

	for (i = 0; i < NR_BALLOON_COUNTERS; i++)
		seq_printf(m, "%s %lu\n", counter_names[i],
			   balloon_counted(xb, i));

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/* How often the guest waited for less than so many milliseconds, and not less than half of that. */
static int latency_show(struct seq_file *m, void *unused)
{
	struct xen_balloon *xb = m->private;
	struct balloon_latency latency;
	unsigned int i;

	mutex_lock(&xb->step_lock);
	latency = xb->elastic.latency;
	mutex_unlock(&xb->step_lock);

	seq_puts(m, "ms first eased\n");
	for (i = 0; i < BALLOON_LATENCIES; i++) {
		if (i < BALLOON_LATENCIES - 1)
			seq_printf(m, "%u", 1U << i);
		else
			seq_puts(m, "more");
		seq_printf(m, " %lu %lu\n", latency.first[i], latency.eased[i]);
	}

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(latency);

static unsigned int expect(struct seq_file *m, const char *what, long found, long expected)
{
	if (found == expected)
		return 0;

	seq_printf(m, "%s: found %ld, expected %ld\n", what, found, expected);
	return 1;
}

/* Between two steps, so that no page is on its way; looks, and changes nothing. */
static int invariant_show(struct seq_file *m, void *unused)
{
	struct xen_balloon *xb = m->private;
	struct balloon_figures kept, counted;
	unsigned long bad;
	unsigned int wrong = 0;
	long unseen;

	mutex_lock(&xb->step_lock);
	/* What the in-tree driver did since the last step is no fault. */
	unseen = intree_unseen(xb);
	kept = balloon_figures(&xb->queue);
	counted = balloon_recount(&xb->queue, &bad);

	wrong += expect(m, "huge pages in the queue", counted.huge, kept.huge);
	wrong += expect(m, "base pages in the queue", counted.base, kept.base);
	wrong += expect(m, "queued pages that do not look so", bad, 0);
	wrong += expect(m, "pages in transit", kept.transit, 0);
	wrong += expect(m, "quarantined pages", kept.quarantined, kept.bad);
	wrong += expect(m, "pages in all states", balloon_sum(xb) + unseen,
			xb->total);
	wrong += expect(m, "pages that current_kb shows", intree_published(),
			kept.guest + unseen);
	if (xb->offset_known && !xb->resumed)
		wrong += expect(m, "pages by Xen's count", xb->ops->current_pages(),
				kept.guest + unseen + xb->offset);
	mutex_unlock(&xb->step_lock);

	if (!wrong)
		seq_puts(m, "ok\n");

	return 0;
}
DEFINE_SHOW_ATTRIBUTE(invariant);

/**
 * balloon_debugfs_init - create the files, where there is a debugfs
 * @xb: the driver
 */
void balloon_debugfs_init(struct xen_balloon *xb)
{
	dir = debugfs_create_dir("xen-balloon", NULL);
	debugfs_create_file("stats", 0400, dir, xb, &stats_fops);
	debugfs_create_file("latency", 0400, dir, xb, &latency_fops);
	debugfs_create_bool("base_only", 0600, dir, &xb->base_only);
	debugfs_create_file("invariant", 0400, dir, xb, &invariant_fops);
}

/**
 * balloon_debugfs_exit - remove them; nobody reads them after it
 */
void balloon_debugfs_exit(void)
{
	debugfs_remove_recursive(dir);
}
