/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the driver share: its one state, and who may touch which
 * part of it.
 *
 * Every page is in one state, kept in xen_balloon.queue and changed by queue.c
 * alone. Lock order: step_lock, queue.lock. Who may be called from inside a
 * page allocation waits for neither for long: see oom.c and shrink.c.
 */
#ifndef _XEN_BALLOON_BALLOON_H
#define _XEN_BALLOON_BALLOON_H

#include <linux/atomic.h>
#include <linux/balloon_compaction.h>
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "xenmem.h"

#ifndef CONFIG_X86_64
#error "x86_64 only: a page of the kernel is a page of Xen, and there is no high memory"
#endif

struct xen_balloon;

#define PAGES_TO_KB(pages)	((pages) << (PAGE_SHIFT - 10))

/* However often something happens, so often it is told of, in so long. */
#define SAY_BURST		10
#define SAY_INTERVAL		(60 * HZ)

/* A region's fill is 0 to 512: fls() of it is its class, 0 to 10. */
#define QUEUE_FILL_CLASSES	(XENMEM_HUGE_ORDER + 2)

/* What a guest in need gets at a time, at most, from whoever asked for memory himself. */
#define BALLOON_RELIEF		(SZ_16M / PAGE_SIZE)

/*
 * How many regions are seen to at once, where it may be all: any task that compacts
 * memory waits for queue.lock.
 */
#define BALLOON_LOCKED_REGIONS	8U

/**
 * struct balloon_figures - how many pages are in each state, in base pages
 *	(but for @huge)
 * @guest: populated pages that are the kernel's (current)
 * @huge: huge pages, unpopulated
 * @base: base pages, unpopulated
 * @transit: in the hands of one step
 * @leaving: ballooned out, and about to be offline with the memory block they are of
 * @quarantined: cannot be trusted; never used again
 * @bad: of those, what the machine reported as bad while it was ballooned out
 */
struct balloon_figures {
	unsigned long guest;
	unsigned long huge;
	unsigned long base;
	unsigned long transit;
	unsigned long leaving;
	unsigned long quarantined;
	unsigned long bad;
};

/* What is known of a region, if nothing else: see heal.c. */
#define REGION_WHOLE	0	/* nothing says that it is not one superpage */
#define REGION_SUSPECT	1

/**
 * struct balloon_regions - what is known of each aligned 2 MiB: see regions.c
 * @all: by the first pfn / 512: struct balloon_region where account is kept of base
 *	pages, else a number, its @info
 * @start: the first of which there is an entry in any case
 * @end: the one after the last
 * @away: pages whose memory is of another node of the machine than it should, at most
 * @spare: one for when there is no memory for one
 */
struct balloon_regions {
	struct xarray all;
	unsigned long start;
	unsigned long end;
	unsigned long away;
	struct balloon_region *spare;
};

/**
 * struct balloon_search - where contig.c stands in its search for huge pages of a node
 * @cursor: pfn of the next region to look at
 * @left: how many regions are left of this pass
 * @looked: how many were looked at since the search rested
 * @min_free: free pages that a region must have to be tried in this pass
 * @wasted_ns: time spent since the last success, or rest
 * @again_at: it rests until then, by ktime_get_ns()
 */
struct balloon_search {
	unsigned long cursor;
	unsigned long left;
	unsigned long looked;
	unsigned int min_free;
	u64 wasted_ns;
	u64 again_at;
};

/**
 * struct balloon_node - the queues of one of the guest's nodes, and what it is to have
 * @huge: its pages of order 9, unpopulated, by page->lru of the first
 * @nr_huge: how many they are
 * @by_fill: its regions with account of base pages, by fls() of how many they hold
 * @base: how many base pages they hold
 * @whole: how many of the regions hold all of their 512
 * @away: pages that it has whose memory is of another node of the machine, at most
 *
 * Under step_lock:
 *
 * @search: for huge pages of it; that of the one of regions in which nodes meet is for those
 *	of any node
 *
 * And of no use for that one:
 *
 * @size: pages that it can have
 * @wish: as somebody said, it is to have so many pages; ULONG_MAX: nobody did
 * @weight: to those of the others as what it is to have to what they are
 * @have: pages that it has
 * @share: of what the guest is to have it is to have so many: see nodes.c
 * @passed: it was its turn in this step
 * @barren_until: no 2 MiB can be had of it until then, by ktime_get_ns()
 * @rests_until: Xen, which had none for it, is not asked for what only serves it
 * @rest_ns: how long that is
 */
struct balloon_node {
	struct list_head huge;
	unsigned long nr_huge;
	struct list_head by_fill[QUEUE_FILL_CLASSES];
	unsigned long base;
	unsigned long whole;
	unsigned long away;

	struct balloon_search search;

	unsigned long size;
	unsigned long wish;
	unsigned long weight;
	unsigned long have;
	unsigned long share;
	bool passed;
	u64 barren_until;
	u64 rests_until;
	u64 rest_ns;
};

/**
 * struct balloon_node_figures - what is shown of a node, in pages
 * @target: it is to have so many
 * @has: and has so many
 * @huge: unpopulated, in huge pages
 * @base: unpopulated base pages
 * @away: of what it has, what is of another node of the machine, at most
 */
struct balloon_node_figures {
	unsigned long target;
	unsigned long has;
	unsigned long huge;
	unsigned long base;
	unsigned long away;
};

/**
 * struct balloon_region - a region with base pages of the balloon
 * @list: entry in balloon_node.by_fill
 * @node: where that is
 * @info: what else is known of it: see regions.c
 * @start_pfn: first pfn, a multiple of 512
 * @nr: how many of its pages are in the base queue
 * @awaited: how many may come by being moved there, or back from a memory block that
 *	does not go offline after all
 * @base: which are in the base queue
 */
struct balloon_region {
	struct list_head list;
	struct balloon_node *node;
	unsigned long info;
	unsigned long start_pfn;
	unsigned int nr;
	unsigned int awaited;
	DECLARE_BITMAP(base, XENMEM_HUGE_PAGES);
};

/**
 * struct balloon_queue - every page that the module has to do with
 * @lock: protects everything below; a leaf, taken in process context
 * @n: the accounting
 * @nodes: by number of node, and one more for regions in which nodes meet
 * @leaving_huge: huge pages that are about to be offline, without a reference
 * @leaving_base: base pages that are, by page->lru, without a reference
 * @movable: the base pages that compaction may move, by page->lru; its lock
 *	nests in @lock, and is all that compaction takes to isolate one
 * @regions: what is known of each 2 MiB; of those with pages in it, the base queue
 * @recounted_to: pfn up to which balloon_recount() has counted, while it is at work
 * @recounted: how many base pages it has found
 */
struct balloon_queue {
	spinlock_t lock;	/* the accounting and the lists */
	struct balloon_figures n;
	struct balloon_node *nodes;
	struct list_head leaving_huge;
	struct list_head leaving_base;
	struct balloon_dev_info movable;
	struct balloon_regions regions;
	unsigned long recounted_to;
	unsigned long recounted;
};

/* How a step of the worker ended. */
enum balloon_step {
	BALLOON_AT_TARGET,	/* current is the target: nothing to do */
	BALLOON_PROGRESS,	/* at least one page changed hands */
	BALLOON_SCARCE,		/* likewise, but Xen had not as many as it was asked for */
	BALLOON_UPKEEP,		/* at the target, and something was put in order */
	BALLOON_STALLED,	/* neither kernel nor Xen had a page for us */
};

/* What came of healing a region. */
enum balloon_heal_result {
	HEAL_STUCK,		/* something in it cannot be moved */
	HEAL_GIVEN_UP,		/* the kernel did not manage to empty it */
	HEAL_NOT_TAKEN,		/* Xen did not take it */
	HEAL_REFUSED,		/* Xen had no 2 MiB in one piece */
	HEAL_NOT_THERE,		/* nor was it to come from another node than its own */
	HEAL_AWAY,		/* it is one, of another node, as it was */
	HEAL_DONE,		/* it is a superpage */
};

/* What happens to a huge page that is to be lent, or to a part of it. */
enum balloon_foreign_event {
	FOREIGN_STOCKED,	/* it is kept to be lent now */
	FOREIGN_WHOLE,		/* it is back in the huge queue */
	FOREIGN_SCRAPS,		/* the part is in the base queue */
};

/* What came of a step of upkeep. */
enum balloon_upkeep {
	UPKEEP_NOTHING,		/* there is nothing to be had */
	UPKEEP_SEARCHED,	/* and the search is not over */
	UPKEEP_GAINED,
};

/* Who saw that memory gets short, while some of it is given. */
enum balloon_signal {
	SIGNAL_LOW,		/* of the headroom less than half is free */
	SIGNAL_KSWAPD,		/* the kernel wakes kswapd */
	SIGNAL_SHRINKER,	/* it reclaims */
	SIGNAL_OOM,		/* it is about to kill */
	NR_BALLOON_SIGNALS
};

/* Counters, shown by name in debugfs: see debugfs.c. */
enum balloon_counter {
	COUNT_RELEASE_CALLS,	/* operations, not their inner hypercalls */
	COUNT_RELEASE_EXTENTS,	/* of any order */
	COUNT_RELEASE_PAGES,	/* base pages, as all that end in PAGES */
	COUNT_POPULATE_CALLS,
	COUNT_POPULATE_EXTENTS,
	COUNT_POPULATE_PAGES,
	COUNT_POPULATE_REFUSED,	/* calls that Xen gave nothing for */
	COUNT_POPULATE_AWAY,	/* pages that Xen gave from another node than their own */
	COUNT_CONTIG_TRIES,	/* alloc_contig_range() for a huge page */
	COUNT_CONTIG_HUGE,	/* and how often it gave one */
	COUNT_CONTIG_RESTS,	/* searches for what to try that ended in vain */
	COUNT_MIGRATED,		/* base pages that compaction moved */
	COUNT_MIGRATE_REFUSED,	/* and that Xen did not let it move, for now */
	COUNT_MIGRATE_NO_MEMORY, /* or for which there was no memory */
	COUNT_COALESCED,	/* huge pages made of base pages */
	COUNT_COALESCE_TRIES,
	COUNT_COALESCE_NO_HUGE,	/* that no huge page was free for */
	COUNT_EVENED,		/* huge pages that went to Xen for memory of another node */
	COUNT_EVEN_REFUSED,	/* that Xen had nothing for on that one */
	COUNT_HEALED,		/* regions that are superpages again */
	COUNT_HEAL_REFUSED,	/* that Xen had no 2 MiB for */
	COUNT_HEAL_AWAY,	/* or none on the region's own node */
	COUNT_HEAL_STUCK,	/* in which something cannot be moved */
	COUNT_HEAL_GIVEN_UP,	/* that the kernel did not manage to empty */
	COUNT_FOREIGN_STOCKED,	/* huge pages that went to be lent in pieces */
	COUNT_FOREIGN_WHOLE,	/* and that came back whole */
	COUNT_FOREIGN_SCRAPS,	/* pages that came back otherwise */
	COUNT_FOREIGN_POPULATED, /* pages of its list that had memory */
	COUNT_FOREIGN_TAKEN,	/* pages that the in-tree driver took for a loan */
	COUNT_HOTPLUGGED,	/* pages that were added beyond those of boot */
	COUNT_RECLAIM_TRIES,	/* times that kswapd was to find memory */
	COUNT_OOM_RELIEVED,	/* pages that a guest out of memory got at once */
	COUNT_GIVEN,		/* pages that went of the guest's own accord */
	COUNT_RETURNED_LOW,	/* and that were to come back, by signal */
	COUNT_RETURNED_KSWAPD,
	COUNT_RETURNED_SHRINKER,
	COUNT_RETURNED_OOM,
	COUNT_RETURN_REFUSED,	/* times that Xen had nothing of that */
	COUNT_OOM_WAITS,	/* times that a kill waited for what was on its way */
	COUNT_UPKEEP_WATCHED,	/* times that it rested, since Xen logged writes */
	COUNT_STALLS,		/* steps that ended in BALLOON_STALLED */
	COUNT_TARGETS,		/* times that the target changed */
	NR_BALLOON_COUNTERS
};

/* Whether memory can be added for a target; those that are said are from UNSUPPORTED on. */
enum balloon_hotplug_state {
	HOTPLUG_NOT_NEEDED,
	HOTPLUG_POSSIBLE,
	HOTPLUG_UNDER_WAY,	/* it is being added, or somebody sets it online */
	HOTPLUG_UNSUPPORTED,	/* this kernel knows no unpopulated memory */
	HOTPLUG_FAILED,		/* the kernel did not take it */
	HOTPLUG_OFFLINE,	/* it was added, and nobody sets it online */
	HOTPLUG_LIMITED,	/* Xen would not populate it */
};

/* Where a region that is being emptied stands; each change is atomic. */
enum balloon_emptying {
	EMPTYING_NOTHING,
	EMPTYING,		/* and who asked for it waits */
	EMPTYING_LATE,		/* and nobody waits any more */
	EMPTYING_DONE,		/* what came of it is to be seen */
	EMPTYING_NO_MORE,	/* the module is about to go */
};

/**
 * struct balloon_contig - how contig.c empties a region
 * @empty: the work that empties a region
 * @emptied: that it is done
 * @emptying: enum balloon_emptying
 * @region: pfn of the region
 * @huge: what came of it: its first page, or NULL
 * @late: when it was said last that it takes long
 */
struct balloon_contig {
	struct work_struct empty;
	struct completion emptied;
	atomic_t emptying;
	unsigned long region;
	struct page *huge;
	struct ratelimit_state late;
};

/**
 * struct balloon_alloc - what alloc.c holds back
 * @held: base pages that were got from another region than the one that is
 *	being emptied
 * @nr_held: how many
 */
struct balloon_alloc {
	struct list_head held;
	unsigned int nr_held;
};

/**
 * struct balloon_heal - where heal.c stands in its search
 * @cursor: the next region to look at
 * @min_free: free pages that a region must have to be tried in this pass
 * @maybe: how many of those that may be in pieces are so at most
 * @enabled: the attribute
 */
struct balloon_heal {
	unsigned long cursor;
	unsigned int min_free;
	unsigned long maybe;
	bool enabled;
};

/**
 * struct balloon_foreign - the foreign queue: see foreign.c
 * @low: so many pages at least are kept to be lent; an attribute
 * @high: so many at most; an attribute, but @low and a huge page in any case
 * @trim_at: when to look for what is whole again, by ktime_get_ns()
 * @trim_delay_ns: how long after the last look that is
 */
struct balloon_foreign {
	unsigned long low;
	unsigned long high;
	u64 trim_at;
	u64 trim_delay_ns;
};

/**
 * struct balloon_target - where the guest shall be, in pages
 * @wanted: as the toolstack or the administrator set it
 * @said: the last @wanted that was clamped and reported
 * @not_taken: the last one that Xen took nothing for, which was reported
 * @floor: the balloon leaves the guest so much; an attribute
 * @reserve: and so much available; an attribute. 0: as much as its size calls for
 * @refused: how often it is said that what was set is no target
 * @low: and that one is below the floor, or not to be had
 * @high: and that one is above the ceiling
 * @dynamic_max: the toolstack allows so much, or ULONG_MAX: see toolstack.c
 * @dynamic_min: and it wants that no guest has less of its own accord, or 0
 * @relieved: the guest was short with less than this; 0 when it was not
 * @relieved_until: so much it keeps until then, by ktime_get_ns()
 */
struct balloon_target {
	unsigned long wanted;
	unsigned long said;
	unsigned long not_taken;
	unsigned long floor;
	unsigned long reserve;
	struct ratelimit_state refused;
	struct ratelimit_state low;
	struct ratelimit_state high;
	unsigned long dynamic_max;
	unsigned long dynamic_min;
	unsigned long relieved;
	u64 relieved_until;
};

/**
 * struct balloon_oom - who is about to be killed for want of memory: see oom.c
 * @deflates: may the guest get more than its target then? An attribute
 * @nb: tells of it
 */
struct balloon_oom {
	bool deflates;
	struct notifier_block nb;
};

/* Times are told apart by powers of two of milliseconds: below 1, 2, 4 to 8192, and more. */
#define BALLOON_LATENCIES	15

/**
 * struct balloon_latency - how long the guest waits for what it has given: see latency.c
 * @asked_at: when it was seen first that memory gets short, by ktime_get_ns(); 0 while nobody waits
 * @got: some is back since
 * @first: how often that took so long
 * @eased: and until all was back that was to be
 */
struct balloon_latency {
	atomic64_t asked_at;
	bool got;
	unsigned long first[BALLOON_LATENCIES];
	unsigned long eased[BALLOON_LATENCIES];
};

/**
 * struct balloon_elastic - what the guest gives of its own accord: see elastic.c
 * @enabled: may it? An attribute
 * @min: it gives itself down to that at most, in pages; an attribute
 * @age_ms: what it gives was free for so long; an attribute
 * @rate_mb: so much in a second, in MiB, at most; an attribute
 * @hold_s: after something came back nothing is given for so long; an attribute
 * @of: the target that it is given of
 * @limit: so much it is to have at most, in pages; ULONG_MAX where nothing is given
 * @given: by how much that is less than it could have
 * @promised: so many pages MemTotal counts that are not there: those, and what is on its way back
 * @headroom: pages that are to be free in any case
 * @used: pages in use at the last look
 * @fastest: how many were taken from one look to the next, lately
 * @idle: pages in free blocks of 2 MiB beyond the headroom, at the last look
 * @allowance: how many of them were so at the look before, too, and are not given yet
 * @returned: pages that came back since the last look
 * @had: how many the guest had after the last step
 * @wishes: some of what was given is on its way back
 * @wanted: how much that is, in pages
 * @active: so it is, or something is given
 * @over: it may not any more
 * @landed: the guest was seen at its target
 * @look_at: when to look again, by ktime_get_ns(), as all that follow
 * @give_at: when more may be given
 * @gave_at: when something was given last
 * @hold_until: before this moment nothing is
 * @hold_ns: how long that was
 * @signals: enum balloon_signal as bits, not seen to yet
 * @signalled_at: when one was seen to last
 * @burst: how much came back for it, in pages
 * @watch: sees whether there is enough, while something is given
 * @watch_delay: how long after the last time, in jiffies
 * @watched: how many pages were free then
 * @changed: is called when another amount is given than before, unless it is NULL
 * @latency: how long it takes to come back
 */
struct balloon_elastic {
	bool enabled;
	unsigned long min;
	unsigned int age_ms;
	unsigned int rate_mb;
	unsigned int hold_s;
	unsigned long of;
	unsigned long limit;
	unsigned long given;
	unsigned long promised;
	unsigned long headroom;
	unsigned long used;
	unsigned long fastest;
	unsigned long idle;
	unsigned long allowance;
	unsigned long returned;
	unsigned long had;
	bool wishes;
	unsigned long wanted;
	bool active;
	bool over;
	bool landed;
	u64 look_at;
	u64 give_at;
	u64 gave_at;
	u64 hold_until;
	u64 hold_ns;
	unsigned long signals;
	u64 signalled_at;
	unsigned long burst;
	struct delayed_work watch;
	unsigned int watch_delay;
	unsigned long watched;
	void (*changed)(void);
	struct balloon_latency latency;
};

/**
 * struct balloon_reclaim - memory that is to be had by reclaim only: see reclaim.c
 * @lock: protects @held; a leaf
 * @held: huge pages that are held for a moment, by page->lru of the first
 * @refaults: pages that had been reclaimed and were needed again, up to the last try
 * @again_at: after one in vain the next is then, by ktime_get_ns()
 * @delay_ns: how long after it that is
 * @oom: tells that somebody needs what is held
 */
struct balloon_reclaim {
	spinlock_t lock;	/* the list */
	struct list_head held;
	unsigned long refaults;
	u64 again_at;
	u64 delay_ns;
	struct notifier_block oom;
};

/**
 * struct balloon_hotplug - memory beyond what the kernel booted with: see hotplug.c
 * @add: the work that adds a block
 * @adding: it is at work; what follows, down to @added_at, is its own then
 * @block: number of the block that it added last, or tried to, or that went offline
 *	later; 0 where more are offline, or another
 * @fresh: number of one that was added and not online yet, or 0
 * @error: what came of it: 0 or a negative errno
 * @added_at: when it was done, by ktime_get_ns()
 * @said: the state that was said last
 * @said_of: of which target, or block
 * @often: how often something may be said
 * @over: no more blocks
 */
struct balloon_hotplug {
	struct work_struct add;
	bool adding;
	unsigned long block;
	unsigned long fresh;
	int error;
	u64 added_at;
	enum balloon_hotplug_state said;
	unsigned long said_of;
	struct ratelimit_state often;
	bool over;
};

/**
 * struct balloon_blocks - memory blocks that are set offline and online: see blocks.c
 * @nb: tells of them
 * @onlining: one is about to be online
 * @coming: pages without memory in it
 * @over: nothing of ours goes offline any more
 */
struct balloon_blocks {
	struct notifier_block nb;
	bool onlining;
	unsigned long coming;
	bool over;
};

/**
 * struct balloon_intree - what is known of the in-tree driver
 * @hears: the probe on a new target is in place
 * @heard: the target that it heard of last, in pages; 0 for one that is none, or -1
 * @unsettled: the target that was heard was not stored yet
 * @seen_target: balloon_stats.target_pages at the last look
 * @seen_total: balloon_stats.total_pages without what is offline and has no memory
 * @published: balloon_stats.current_pages as written last
 * @adopted: pages of ours that balloon_stats.target_unpopulated counts; below 0,
 *	pages of the in-tree list that it counts the other way round, since they
 *	were ours first
 * @region: pages of the allocator of unpopulated pages, on their way from or to it
 * @region_pages: how many of that were taken and not given back
 * @schedule_delay: balloon_stats.schedule_delay at load
 * @retry_count: balloon_stats.retry_count at load
 * @parked: the target that its thread is started with
 * @ran_ns: CPU time of its thread, before we came
 */
struct balloon_intree {
	bool hears;
	atomic_long_t heard;
	bool unsettled;
	unsigned long seen_target;
	unsigned long seen_total;
	unsigned long published;
	long adopted;
	struct list_head region;
	unsigned long region_pages;
	unsigned long schedule_delay;
	unsigned long retry_count;
	unsigned long parked;
	u64 ran_ns;
};

/**
 * struct balloon_kernel_ops - what the balloon has to do with one kind of kernel: who
 *	says where to go, what is shown, and who borrows pages
 * @follow: see what was changed from outside: the target, and what the guest has
 * @must_look: may there be a target that the worker is not told of?
 * @publish: show what the guest has, and how the worker waits
 * @max_delay_ms: the longest wait after a step that stalled
 * @spare: pages that are kept to be lent. Context: any
 * @lent: pages that drivers have. Context: any
 * @take_spare: take up to so many of those that are kept, at most XENMEM_MAX_BASE, into
 *	xb->pages. Returns how many: unpopulated, each to be passed to balloon_adopt() or
 *	back to where it came from. May sleep
 * @give: so many unpopulated pages in xb->pages, in transit, are no longer the
 *	balloon's, but kept to be lent. May sleep
 * @expect: so many pages are about to be added to the kernel's memory, or, below 0, are
 *	not after all. Once online they are kept to be lent, unpopulated. NULL where the
 *	kernel would take them for its own then. Context: any
 * @expected: pages that were added, or went offline ballooned out, and are not online.
 *	NULL where @expect is
 * @online: so many pages without memory are about to come online, to where pages are kept
 *	to be lent; or, below 0, are offline. NULL where @expect is
 *
 * Context: step_lock held, where nothing else is said.
 */
struct balloon_kernel_ops {
	void (*follow)(struct xen_balloon *xb);
	bool (*must_look)(const struct xen_balloon *xb);
	void (*publish)(struct xen_balloon *xb);
	unsigned int (*max_delay_ms)(void);
	unsigned long (*spare)(void);
	unsigned long (*lent)(const struct xen_balloon *xb);
	unsigned int (*take_spare)(struct xen_balloon *xb, unsigned int max);
	void (*give)(struct xen_balloon *xb, unsigned int nr);
	void (*expect)(long nr);
	unsigned long (*expected)(const struct xen_balloon *xb);
	void (*online)(struct xen_balloon *xb, long nr);
};

/**
 * struct xen_balloon - the driver
 * @ops: what is asked of Xen
 * @kernel: and of the kernel
 * @queue: the pages
 * @step_lock: held over a step of the worker, and by who needs that none is
 *	under way. Protects what follows, down to @total.
 * @contig: emptying of regions
 * @alloc: base pages that are held back
 * @heal: which regions are no superpages
 * @foreign: the foreign queue
 * @target: where to go
 * @elastic: what is given of the guest's own accord
 * @reclaim: what is not available yet
 * @oom: when nothing is available
 * @hotplug: memory beyond that of boot
 * @blocks: memory that is set offline and online
 * @reboot: tells that another kernel is about to be booted
 * @sleep: tells that this one is about to hibernate
 * @intree: the in-tree driver
 * @scrub_pages: are pages to be zeroed before Xen gets them?
 * @offset: what Xen counts for this domain beyond @queue.n.guest: pages that
 *	the kernel does not know as its memory
 * @offset_known: false while a populate-on-demand guest has not reached its
 *	first target, where Xen's count says nothing of the guest's; and from
 *	when a page is quarantined until Xen was asked again
 * @drift: what Xen's count is off by
 * @drift_since: since when, by ktime_get_ns()
 * @pages: the pages in the hands of a step
 * @away: which of them got memory of another node than their own
 * @counters: statistics
 * @total: what all states and the foreign pages must add up to
 * @worker: the thread
 * @wait: where it waits
 * @kicked: why it was woken: a target was set
 * @resumed: the guest is in a new domain: read the counts from Xen again
 * @ended: another kernel is about to be booted by kexec: nothing is ballooned out any more
 * @hibernates: nor is for as long as this one is about to hibernate
 * @delay_ms: how long it waits after a step that stalled
 * @at_target: so it was after the last step
 * @pace: the next step moves 2 to the power of this huge pages at most
 * @grow: the last step was one towards a larger guest
 * @nodes_grow: so is the one that nodes have their turns in
 * @scarce: and Xen had not all of the base pages that it was asked for
 * @coalesce: the attribute
 * @even: the attribute
 * @coalesce_failed_on: the node that had no huge page last
 * @base_only: for tests: inflate in base pages from anywhere, as the in-tree
 *	driver does
 * @give_at: when to look again for a huge page of the guest to be lent, by
 *	ktime_get_ns()
 * @upkeep_at: when there is time for upkeep again, by ktime_get_ns()
 * @upkeep_delay_ns: how long it waits after upkeep that found nothing to do
 * @release_ns: how long Xen has taken to take pages: it interrupts all CPUs then
 */
struct xen_balloon {
	const struct xenmem_ops *ops;
	const struct balloon_kernel_ops *kernel;
	struct balloon_queue queue;
	struct mutex step_lock;	/* one step at a time */
	struct balloon_contig contig;
	struct balloon_alloc alloc;
	struct balloon_heal heal;
	struct balloon_foreign foreign;
	struct balloon_target target;
	struct balloon_elastic elastic;
	struct balloon_reclaim reclaim;
	struct balloon_oom oom;
	struct balloon_hotplug hotplug;
	struct balloon_blocks blocks;
	struct notifier_block reboot;
	struct notifier_block sleep;
	struct balloon_intree intree;
	const bool *scrub_pages;
	long offset;
	bool offset_known;
	long drift;
	u64 drift_since;
	struct page *pages[XENMEM_MAX_BASE];
	DECLARE_BITMAP(away, XENMEM_MAX_BASE);
	atomic_long_t counters[NR_BALLOON_COUNTERS];
	unsigned long total;

	struct task_struct *worker;
	wait_queue_head_t wait;
	bool kicked;
	bool resumed;
	bool ended;
	bool hibernates;
	unsigned int delay_ms;
	bool at_target;
	unsigned int pace;
	bool grow;
	bool nodes_grow;
	bool scarce;
	bool coalesce;
	bool even;
	int coalesce_failed_on;
	bool base_only;
	u64 give_at;
	u64 upkeep_at;
	u64 upkeep_delay_ns;
	u64 release_ns;
};

/**
 * balloon_count - something was done, or so much of it
 * @xb: the driver
 * @counter: what
 * @by: how much
 *
 * Context: any.
 */
static inline void balloon_count(struct xen_balloon *xb, enum balloon_counter counter,
				 unsigned long by)
{
	atomic_long_add(by, &xb->counters[counter]);
}

/**
 * balloon_counted - how much of something was done since the module was loaded
 * @xb: the driver
 * @counter: what
 */
static inline unsigned long balloon_counted(const struct xen_balloon *xb,
					    enum balloon_counter counter)
{
	return atomic_long_read(&xb->counters[counter]);
}

/**
 * balloon_worker_kick - there is something new for the worker: look at once
 * @xb: the driver
 *
 * Context: any.
 */
static inline void balloon_worker_kick(struct xen_balloon *xb)
{
	WRITE_ONCE(xb->kicked, true);
	wake_up(&xb->wait);
}

/* The number of the aligned 2 MiB around a page. */
static inline unsigned long region_index(struct page *page)
{
	return page_to_pfn(page) >> XENMEM_HUGE_ORDER;
}

/* All that x86-64 can address. */
#define BALLOON_MAX_PAGES	BIT(52 - PAGE_SHIFT)

/*
 * Whether so many pages can be meant as a target. No guest lives on nothing: 0 is what
 * the in-tree driver makes of junk in target_kb. What it makes of a number that is too
 * large for it, or below 0, is mostly more than there can be.
 */
static inline bool balloon_is_target(unsigned long pages)
{
	return pages && pages <= BALLOON_MAX_PAGES;
}

/* Has the guest virtual nodes, each of which stands for one of the machine's? */
static inline bool balloon_has_nodes(const struct xen_balloon *xb)
{
	return xb->ops->has_nodes && xb->ops->has_nodes();
}

/* Is the memory behind two pages to be of different virtual nodes? */
static inline bool balloon_nodes_differ(const struct xen_balloon *xb, struct page *a,
					struct page *b)
{
	return balloon_has_nodes(xb) &&
	       xb->ops->node_of(page_to_pfn(a)) != xb->ops->node_of(page_to_pfn(b));
}

/* May compaction move base pages? See balloon_migrate_init(). */
static inline bool balloon_moves(const struct balloon_queue *q)
{
	return q->movable.migratepage;
}

/* regions.c */
int balloon_regions_init(struct balloon_queue *q);
int balloon_regions_grow(struct balloon_queue *q);
void balloon_regions_exit(struct balloon_queue *q);
void balloon_regions_tidy(struct balloon_queue *q);
unsigned long balloon_regions_start(void);
unsigned long balloon_regions_end(void);
bool balloon_region_is_plain(struct page *page);
bool balloon_region_may_stay(struct page *page);
int balloon_region_prepare(struct balloon_queue *q, struct page *page);
int balloon_region_prepare_last(struct balloon_queue *q, struct page *page);
int balloon_region_await(struct balloon_queue *q, struct page *page);
struct balloon_region *balloon_region_of(struct balloon_queue *q, struct page *page);
struct balloon_region *balloon_region_next(struct balloon_queue *q, unsigned long number);
void balloon_region_fill(struct balloon_queue *q, struct balloon_region *region,
			 unsigned int nr);
struct balloon_node *balloon_node_of(struct balloon_queue *q, struct page *page);
unsigned long balloon_base_on(struct balloon_queue *q, int nid);
bool balloon_region_broken(struct balloon_queue *q, struct page *page);
u16 balloon_region_state(struct balloon_queue *q, unsigned long number);
void balloon_region_set_state(struct balloon_queue *q, unsigned long number, u16 state);
void balloon_region_suspect(struct balloon_queue *q, struct page *page);
void balloon_region_whole(struct balloon_queue *q, struct page *page);
unsigned int balloon_region_away(struct balloon_queue *q, unsigned long number);
void balloon_region_came(struct balloon_queue *q, struct page *page, unsigned int order, bool away);
void balloon_regions_moved(struct balloon_queue *q, bool away);
bool balloon_region_is_stocked(struct balloon_queue *q, struct page *page);
void balloon_region_set_stocked(struct balloon_queue *q, struct page *page, bool stocked);

/* queue.c */
int balloon_queue_init(struct balloon_queue *q);
void balloon_queue_destroy(struct balloon_queue *q);
void balloon_queue_tidy(struct balloon_queue *q);
void balloon_take(struct balloon_queue *q, struct page *page, unsigned int order);
void balloon_give(struct balloon_queue *q, struct page *page, unsigned int order);
void balloon_adopt(struct balloon_queue *q, struct page *page);
void balloon_disown(struct balloon_queue *q, struct page **pages, unsigned int nr);
void balloon_enqueue(struct balloon_queue *q, struct page *page, unsigned int order);
unsigned int balloon_dequeue_huge(struct balloon_queue *q, struct page **pages,
				  unsigned int max, int nid);
unsigned int balloon_dequeue_base(struct balloon_queue *q, struct page **pages,
				  unsigned int max, int nid);
struct page *balloon_dequeue_split(struct balloon_queue *q, int nid);
int balloon_move_begin(struct balloon_queue *q, struct page *newpage);
void balloon_move_cancel(struct balloon_queue *q, struct page *newpage);
void balloon_move_end(struct balloon_queue *q, struct page *newpage, struct page *page);
void balloon_move_lose(struct balloon_queue *q, struct page *newpage, struct page *page);
void balloon_quarantine(struct balloon_queue *q, struct page *page, unsigned int order);
unsigned long balloon_leave(struct balloon_queue *q, unsigned long start_pfn,
			    unsigned long end_pfn);
unsigned long balloon_leave_cancel(struct balloon_queue *q);
unsigned long balloon_leave_end(struct balloon_queue *q);
void balloon_correct_guest(struct balloon_queue *q, long delta);
struct balloon_figures balloon_figures(struct balloon_queue *q);
struct balloon_figures balloon_recount(struct balloon_queue *q, unsigned long *bad);

/* mark.c */
void balloon_mark(struct page *page, unsigned int nr);
void balloon_unmark(struct page *page, unsigned int nr);
void balloon_forget(struct page *page);
void balloon_let_move(struct balloon_queue *q, struct page *page);
bool balloon_keep_still(struct balloon_queue *q, struct page *page);
bool balloon_join_pages(struct page *page);
bool balloon_join_region(struct balloon_queue *q, struct page *page);
bool balloon_looks_queued(struct page *page, unsigned int others);

/* free.c */
bool balloon_is_for_devices(struct page *page);
unsigned int balloon_free_run(struct page *page);
unsigned int balloon_free_in_region(unsigned long pfn);
unsigned long balloon_free_in_blocks(unsigned int least, enum zone_type last);
unsigned long balloon_node_free_at_ease(int nid);
unsigned long balloon_free_at_ease(void);
long balloon_available(void);
bool balloon_zone_has_spare(struct zone *zone);
bool balloon_node_has_spare(int nid);
bool balloon_has_spare(struct xen_balloon *xb);

/* movable.c */
bool balloon_is_stuck(struct page *page);
int balloon_region_movable(unsigned long start_pfn, unsigned int max_cache, unsigned int *at);

/* contig.c */
void balloon_contig_init(struct xen_balloon *xb);
void balloon_contig_end(struct xen_balloon *xb);
struct balloon_search *balloon_contig_search(struct xen_balloon *xb, int nid);
bool balloon_contig_rests(struct xen_balloon *xb, int nid);
void balloon_contig_restart(struct xen_balloon *xb);
struct page *balloon_contig_region(struct xen_balloon *xb, unsigned long pfn,
				   unsigned int max_cache, unsigned int *at);
struct page *balloon_contig_huge(struct xen_balloon *xb, unsigned int max_cache, int nid);

/* alloc.c */
void balloon_alloc_init(struct xen_balloon *xb);
unsigned long balloon_alloc_settle(struct balloon_alloc *a);
unsigned int balloon_alloc_huge(struct xen_balloon *xb, unsigned int max, int nid);
struct page *balloon_alloc_region(struct xen_balloon *xb, unsigned long pfn, unsigned int *at);
struct page *balloon_alloc_spare(struct xen_balloon *xb, int nid);
unsigned int balloon_alloc_idle(struct xen_balloon *xb, unsigned int max, unsigned long kept);
unsigned int balloon_alloc_base(struct xen_balloon *xb, unsigned int max, int nid);

/* hotplug.c */
bool balloon_hotplug_may(struct xen_balloon *xb, unsigned long ceiling);
void balloon_hotplug(struct xen_balloon *xb);
bool balloon_hotplug_is_fresh(struct xen_balloon *xb, unsigned long pfn);
void balloon_hotplug_init(struct xen_balloon *xb);
bool balloon_hotplug_is_adding(const struct xen_balloon *xb);
void balloon_hotplug_end(struct xen_balloon *xb);

/* blocks.c */
int balloon_blocks_init(struct xen_balloon *xb);
unsigned long balloon_blocks_holes(const struct xen_balloon *xb);
void balloon_blocks_end(struct xen_balloon *xb);
void balloon_blocks_exit(struct xen_balloon *xb);

/* target.c */
unsigned long balloon_floor(unsigned long total);
void balloon_target_begin(struct xen_balloon *xb, unsigned long wanted);
bool balloon_target_set(struct xen_balloon *xb, unsigned long wanted);
void balloon_target_not_taken(struct xen_balloon *xb);
bool balloon_target_relieve(struct xen_balloon *xb, u64 until);
unsigned long balloon_target_most(struct xen_balloon *xb);
unsigned long balloon_target(struct xen_balloon *xb);

/* reclaim.c */
bool balloon_reclaim(struct xen_balloon *xb);
int balloon_reclaim_init(struct xen_balloon *xb);
void balloon_reclaim_exit(struct xen_balloon *xb);

/* nodes.c */
void balloon_nodes_begin(struct xen_balloon *xb, long credit, unsigned int order);
bool balloon_nodes_next(struct xen_balloon *xb, int *nid);
unsigned long balloon_node_huge(struct xen_balloon *xb, int nid);
long balloon_node_excess(struct xen_balloon *xb, int nid);
void balloon_node_barren(struct xen_balloon *xb, int nid);
bool balloon_node_is_barren(const struct xen_balloon *xb, int nid);
bool balloon_node_rests(const struct xen_balloon *xb, int nid);
void balloon_node_asked(struct xen_balloon *xb, int nid, bool got);
void balloon_nodes_forget(struct xen_balloon *xb);
int balloon_node_set(struct xen_balloon *xb, int nid, unsigned long pages);
bool balloon_nodes_wish(struct xen_balloon *xb, const unsigned long *wish);
struct balloon_node_figures balloon_node_figures(struct xen_balloon *xb, int nid);

/* even.c */
enum balloon_upkeep balloon_even(struct xen_balloon *xb);

/* reservation.c */
unsigned long balloon_reserve(struct xen_balloon *xb);
bool balloon_over_limit(const struct xen_balloon *xb);
bool balloon_is_watched(const struct xen_balloon *xb);
void balloon_give_base(struct xen_balloon *xb, struct page *page);
void balloon_give_found(struct xen_balloon *xb, struct page *page);
unsigned long balloon_headroom(const struct xen_balloon *xb);
unsigned long balloon_release(struct xen_balloon *xb, unsigned int nr, unsigned int order);
unsigned long balloon_populate(struct xen_balloon *xb, unsigned int nr, unsigned int order,
			       bool local);
unsigned long balloon_populate_one(struct xen_balloon *xb, int nid, bool local);
unsigned long balloon_populate_part(struct xen_balloon *xb, unsigned int nr, int nid);
unsigned long balloon_sum(struct xen_balloon *xb);
unsigned long balloon_counted_twice(struct xen_balloon *xb);
bool balloon_take_offset(struct xen_balloon *xb);
void balloon_check_current(struct xen_balloon *xb);

/* restore.c */
void balloon_reach(struct xen_balloon *xb);
bool balloon_restored(struct xen_balloon *xb);

/* migrate.c */
void balloon_migrate_init(struct xen_balloon *xb);

/* coalesce.c */
void balloon_coalesce_init(struct xen_balloon *xb);
enum balloon_upkeep balloon_coalesce(struct xen_balloon *xb);

/* heal.c */
void balloon_heal_init(struct xen_balloon *xb);
void balloon_heal_suspect_all(struct xen_balloon *xb);
void balloon_heal_suspect_some(struct xen_balloon *xb, unsigned long nr);
void balloon_heal_restored(struct xen_balloon *xb);
void balloon_heal_enable(struct xen_balloon *xb, bool on);
enum balloon_upkeep balloon_heal(struct xen_balloon *xb);

/* foreign.c */
void balloon_foreign_init(struct xen_balloon *xb);
bool balloon_foreign_is_low(const struct xen_balloon *xb);
unsigned long balloon_foreign_excess(const struct xen_balloon *xb);
void balloon_foreign_give_huge(struct xen_balloon *xb, struct page *page);
bool balloon_foreign_stock(struct xen_balloon *xb);
void balloon_foreign_sweep(struct xen_balloon *xb);
unsigned long balloon_foreign_trim(struct xen_balloon *xb, bool scraps);
enum balloon_upkeep balloon_foreign_upkeep(struct xen_balloon *xb);

/* sizing.c */
unsigned long balloon_inflatable(struct xen_balloon *xb);
unsigned long balloon_deflate(struct xen_balloon *xb, unsigned long want);
unsigned long balloon_get(struct xen_balloon *xb, unsigned long want);
unsigned long balloon_get_coming(struct xen_balloon *xb);
unsigned long balloon_resize(struct xen_balloon *xb, long credit);

/* elastic.c */
unsigned long balloon_elastic_lower(const struct xen_balloon *xb);
void balloon_elastic_init(struct xen_balloon *xb);
void balloon_elastic_end(struct xen_balloon *xb);
void balloon_elastic_exit(struct xen_balloon *xb);
bool balloon_elastic_is_short(const struct xen_balloon *xb);
void balloon_elastic_tell(const struct xen_balloon *xb);
void balloon_elastic_hold_anew(struct xen_balloon *xb);
void balloon_elastic_enable(struct xen_balloon *xb, bool on);
void balloon_elastic_signal(struct xen_balloon *xb, enum balloon_signal signal);
void balloon_elastic_return(struct xen_balloon *xb, unsigned long want,
			    enum balloon_signal signal);
void balloon_elastic_follow(struct xen_balloon *xb);
void balloon_elastic_got(struct xen_balloon *xb, unsigned long got);
bool balloon_elastic_give(struct xen_balloon *xb);
long balloon_elastic_wait(const struct xen_balloon *xb);

/* latency.c */
void balloon_latency_asked(struct balloon_latency *latency);
void balloon_latency_got(struct xen_balloon *xb, unsigned long got);
void balloon_latency_end(struct balloon_latency *latency, bool eased);

/* shrink.c */
int balloon_shrink_init(struct xen_balloon *xb);
void balloon_shrink_exit(void);

/* kswapd.c */
void balloon_kswapd_init(struct xen_balloon *xb);
void balloon_kswapd_exit(void);

/* oom.c */
int balloon_oom_init(struct xen_balloon *xb);
void balloon_oom_exit(struct xen_balloon *xb);

/* ending.c */
int balloon_ending_init(struct xen_balloon *xb);
void balloon_ending_exit(struct xen_balloon *xb);

/* worker.c */
bool balloon_upkeep_init(struct xen_balloon *xb);
int balloon_worker_start(struct xen_balloon *xb);
void balloon_worker_stop(struct xen_balloon *xb);
void balloon_worker_again(struct xen_balloon *xb);

/* intree.c */
extern const struct balloon_kernel_ops intree_ops;

void intree_prepare(struct xen_balloon *xb);
void intree_begin(struct xen_balloon *xb);
void intree_end(struct xen_balloon *xb);
void intree_settle(struct xen_balloon *xb);
void intree_hear(struct xen_balloon *xb, unsigned long target);
unsigned long intree_park(struct xen_balloon *xb);
void intree_unpark(struct xen_balloon *xb, unsigned long target);
unsigned long intree_published(void);
long intree_unseen(const struct xen_balloon *xb);

/* takeover.c */
int takeover_probe(struct xen_balloon *xb);
void takeover_forget(void);
int takeover_begin(struct xen_balloon *xb);
void takeover_end(struct xen_balloon *xb);
struct device *takeover_device(void);

/* resume.c */
int balloon_resume_init(struct xen_balloon *xb);
void balloon_resume_exit(void);

/* toolstack.c */
void balloon_toolstack_init(struct xen_balloon *xb);
void balloon_toolstack_exit(void);

/* toolstack-nodes.c */
void balloon_toolstack_nodes_init(struct xen_balloon *xb);
void balloon_toolstack_nodes_exit(void);

/* sysfs.c */
int balloon_sysfs_init(struct xen_balloon *xb, struct device *dev);
void balloon_sysfs_exit(struct device *dev);

/* sysfs-nodes.c */
int balloon_sysfs_nodes_init(struct xen_balloon *xb, struct device *dev);
void balloon_sysfs_nodes_exit(void);

/* debugfs.c */
void balloon_debugfs_init(struct xen_balloon *xb);
void balloon_debugfs_exit(void);

#endif
