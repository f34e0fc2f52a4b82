/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The simulated world that the engine lives in under the unit tests:
 *
 * - sim-xen.c: a host with finite memory in frames, other guests that compete
 *   for it, our guest's p2m, and the operations table to change it. It answers
 *   as Xen does, and where the driver does what it must never do, the test
 *   fails there and then, with a stack (see struct sim_config.lenient).
 * - sim-guest.c: the kernel's memory manager: free blocks, programs, what each
 *   page holds. Its pages have a struct page, but no memory and no mapping: who
 *   reads or writes one faults.
 * - sim-compaction.c: the kernel's memory compaction, as far as it meets pages of
 *   the driver.
 * - sim-hotplug.c: memory that is added to the guest, or set offline and online.
 * - sim-intree.c: the in-tree driver's list of pages and balloon_stats.
 * - sim-kernel.c: a kernel that has none.
 * - sim.c: putting it together, faults on demand, and the check that nothing is
 *   lost, which counts in the p2m and not in the driver.
 *
 * There is one world at a time, used by one test.
 */
#ifndef _KUNIT_SIM_H
#define _KUNIT_SIM_H

#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/memory_hotplug.h>
#include <linux/mm_types.h>
#include <linux/prandom.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <xen/balloon.h>

#include "assert.h"

#define SIM_REGION_PAGES	512U
#define SIM_HUGE_ORDER		9U
/* The largest block that the kernel's allocator knows. */
#define SIM_TOP_ORDER		10U
/* How many pages compaction has isolated at most. */
#define SIM_ISOLATED		32U
/* How many nodes the guest has at most, and the machine. */
#define SIM_NODES		4U
/* What memory is added in, in regions. */
#define SIM_BLOCK_REGIONS	4U

struct balloon_queue;
struct resource;
struct shrinker;
struct xen_balloon;
struct xenmem_ops;

/* What may be made to fail: see sim_fail(). */
enum sim_op {
	SIM_RELEASE,		/* xenmem_ops.release */
	SIM_POPULATE,		/* xenmem_ops.populate */
	SIM_MOVE,		/* xenmem_ops.move; done = 1: both lose their memory */
	SIM_EXCHANGE,		/* xenmem_ops.exchange */
	SIM_CURRENT,		/* xenmem_ops.current_pages */
	SIM_MAXIMUM,		/* xenmem_ops.maximum_pages */
	SIM_LOGS_WRITES,	/* xenmem_ops.logs_writes: Xen does not tell, so it may */
	SIM_RESTORES_WHOLE,	/* xenmem_ops.restores_whole: no */
	SIM_POPULATED,		/* xenmem_ops.populated: no */
	SIM_ALLOC,		/* alloc_pages() */
	SIM_CONTIG,		/* alloc_contig_range() */
	SIM_KZALLOC,		/* kzalloc() */
	SIM_XARRAY,		/* xa_reserve() and the others, where they may allocate */
	SIM_INTREE,		/* xen_alloc_ballooned_pages() */
	SIM_UNPOPULATED,	/* xen_alloc_unpopulated_pages() */
	SIM_THREAD,		/* kthread_run() */
	SIM_NOTIFIER,		/* register_oom_notifier(), _memory_, _reboot_ */
	SIM_PLACE,		/* allocate_resource() */
	SIM_HOLES,		/* xenmem_ops.make_holes */
	SIM_REACH,		/* xenmem_ops.reach */
	SIM_ADD,		/* add_memory() */
	SIM_NR_OPS
};

/* Who has a page of the guest. */
enum sim_owner {
	SIM_FREE,		/* the kernel's allocator */
	SIM_PROGRAM,		/* a program: can be moved */
	SIM_PINNED,		/* the kernel: cannot be moved */
	SIM_DRIVER,		/* the balloon driver */
	SIM_LISTED,		/* the in-tree driver, on its list */
	SIM_LENT,		/* another driver, which maps foreign frames there */
	SIM_UNLISTED,		/* the allocator of unpopulated pages */
	SIM_OFFLINE,		/* nobody: it is offline */
	SIM_NR_OWNERS
};

/* What a page holds. */
enum sim_content {
	SIM_ZERO,
	SIM_SECRET,		/* what a program left there */
	SIM_UNKNOWN,		/* what Xen left there */
};

/* In the p2m: no frame, or a frame of another guest's. */
#define SIM_HOLE		U32_MAX
#define SIM_FOREIGN		(U32_MAX - 1)

/**
 * struct sim_config - a world to build
 * @regions: the guest's memory, in regions of 2 MiB, as far as it is simulated
 * @window: how many of them lie side by side; 0 for all
 * @stride: from the first of these to the first of the next ones: what is in
 *	between is programs' for good
 * @unpopulated: how many of them, the last ones, have no memory yet
 * @unlisted: how many of those, the last ones, only the allocator of unpopulated
 *	pages has, and the in-tree driver does not know (PV since Linux 6.9)
 * @host_pieces: free memory of the host, in pieces of 2 MiB
 * @extra: pages that Xen counts for the guest beyond those of @regions
 * @slack: how far max_pages is above what the guest may have at most
 * @pv: a PV guest; else an auto-translated one
 * @device_model: of those one with QEMU behind it
 * @no_scrub: scrub_pages is off
 * @no_init: the kernel does not zero what it allocates
 * @init_on_free: it zeroes what it frees
 * @tail: pages of the machine after the last region, which are no region
 * @ran_ns: how long the in-tree driver's thread has run
 * @count_ns: how long it takes Xen to tell its count
 * @restores_whole: the host's tools restore a guest in superpages
 * @unseen: free blocks of the largest size beyond those that are simulated
 * @low: pages that are kept to be lent, at least
 * @high: and at most
 * @nodes: memory is on so many nodes, up to SIM_NODES; 0 for one
 * @border: by how many pages the border between two is beyond where all are equal
 * @fake: those are the kernel's alone (numa=fake=): Xen knows of none
 * @first: Xen knows of two, of which the first has so many regions, whatever the kernel has;
 *	0: they are those of the kernel
 * @dma: how many regions, the first ones, are of ZONE_DMA
 * @movable: how many, the last ones, are of ZONE_MOVABLE
 * @kept: how many, the last ones, the kernel keeps: for CMA, or for who cannot wait
 * @bare: the kernel has no in-tree driver: see sim-kernel.c
 * @isolated: of which type of housekeeping CPUs are kept free, as a bit
 * @lenient: misuse gets Xen's answer and does not fail the test
 */
struct sim_config {
	unsigned int regions;
	unsigned int window;
	unsigned int stride;
	unsigned int unpopulated;
	unsigned int unlisted;
	unsigned int host_pieces;
	unsigned int extra;
	unsigned int slack;
	u64 ran_ns;
	u64 count_ns;
	bool pv;
	bool device_model;
	bool no_scrub;
	bool no_init;
	bool init_on_free;
	bool restores_whole;
	bool bare;
	unsigned int tail;
	unsigned int unseen;
	unsigned int low;
	unsigned int high;
	unsigned int nodes;
	bool fake;
	unsigned int first;
	unsigned int isolated;
	unsigned int border;
	unsigned int dma;
	unsigned int movable;
	unsigned int kept;
	bool lenient;
};

/**
 * struct sim_region - one aligned 2 MiB of the guest
 * @frame: the p2m
 * @owner: enum sim_owner of each page
 * @content: enum sim_content of each page
 * @sent: which pages a migration sends, or has sent: all that had memory since it began
 * @superpage: mapped as one (auto-translated only)
 * @program_huge: a program has it as a huge page
 * @elsewhere: nobody knows on which of the machine's nodes its memory is: a new domain
 * @changed: since @nr was counted
 * @nr: pages by owner, without and with memory behind them
 * @queued: in how many queues the check found it as a whole
 */
struct sim_region {
	u32 frame[SIM_REGION_PAGES];
	u8 owner[SIM_REGION_PAGES];
	u8 content[SIM_REGION_PAGES];
	DECLARE_BITMAP(sent, SIM_REGION_PAGES);
	bool superpage;
	bool program_huge;
	bool elsewhere;
	bool changed;
	u16 nr[SIM_NR_OWNERS][2];
	u8 queued;
};

/**
 * struct sim_piece - one aligned 2 MiB of the host
 * @list: in sim.whole or sim.broken, or in sim.rivals when another guest has it
 * @free: which frames are
 * @nr_free: how many
 * @node: of which of the machine's nodes it is
 */
struct sim_piece {
	struct list_head list;
	DECLARE_BITMAP(free, SIM_REGION_PAGES);
	unsigned int nr_free;
	unsigned int node;
};

/**
 * struct sim_fault - which calls of one operation fail
 * @from: the first, counted from now as 1; 0 for none
 * @count: how many in a row
 * @done: how much of each is done all the same
 * @partial: base pages of the first extent not done that Xen takes, or does not give
 */
struct sim_fault {
	unsigned long from;
	unsigned long count;
	unsigned int done;
	unsigned int partial;
};

/**
 * struct sim - the world
 * @test: the test that it belongs to
 * @config: as it was asked for
 * @xb: the driver in it
 * @first_pfn: the guest's first page
 * @region: the guest's memory
 * @blocks: free blocks of the guest, by order
 * @nr_free: pages in them
 * @cache: how many pages of programs are page cache, which can be reclaimed
 * @slab: how many pages the kernel's caches take for reclaimable
 * @swap: how many pages of programs can be swapped out
 * @refaults: pages of programs that were reclaimed, and needed again
 * @kswapd: it was woken to find memory for a huge page
 * @isolated: pages of the driver that compaction is about to move
 * @nr_isolated: how many
 * @compacts: how many it moves in the midst of each allocation, and where the driver
 *	lets others go first
 * @moved: how many it has moved
 * @low_water: pages that the kernel does not hand out
 * @managed: MemTotal, in pages, but for
 * @promised: what the driver adds to it
 * @node_managed: the part of each node
 * @node_pages: how far apart the nodes begin
 * @cma: free pages of each zone that are for CMA
 * @rnd: for all that happens by chance
 * @piece: the host's memory
 * @nr_pieces: how much
 * @closed: nodes, as bits, of which Xen gives nothing to who wants just that, though it
 *	has some (claims, since Xen 4.21)
 * @whole: pieces that are free
 * @broken: pieces of which a part is free
 * @rivals: pieces that other guests have
 * @rival_frames: single frames that other guests have
 * @nr_rival_frames: how many
 * @host_free: frames in @whole and @broken
 * @tot_pages: what Xen counts for the guest
 * @max_pages: what it may have
 * @logs_writes: the guest is being migrated, from sim_begin_migration() on
 * @reached: pages below this pfn had memory once in this domain
 * @sends_to: and those are sent in that migration
 * @migrates_after: after so many more calls of Xen that is so; 0 for never
 * @leaked: frames that nobody can reach any more
 * @crashed: Xen destroyed the guest
 * @listed: the in-tree list, in the order of being lent
 * @unlisted: what the allocator of unpopulated pages has, in the same order
 * @borrowed: and what others have of that, and do not use yet
 * @nr_unlisted: how many pages that are
 * @nr_device: how many pages of device memory it has made so far
 * @woken: how often the in-tree thread was woken
 * @place_taken: somebody has claimed the place where the next block of memory can be
 * @holes_end: the p2m has places up to there for what is added (PV)
 * @stays_offline: nobody sets online what is added
 * @nr_offline: blocks that were added and were not online yet
 * @memory_nb: who is told of memory that is set offline and online
 * @meanwhile: called once, in the midst of what the driver does next with the
 *	in-tree driver, or while it sleeps
 * @fault: what fails
 * @calls: how often each operation was called
 * @failed: how often it failed
 * @called: told of each call: how many extents it is for, and how many base pages each
 *	of them has that Xen may do a part of
 * @extents: extents that Xen released and populated
 * @flushes: TLB flushes
 * @now: the clock, in ns
 * @contig_hangs: alloc_contig_range() waits for a device, until sim_device_answers()
 * @hung: the work that does
 * @later: a work that is done when the step is over
 * @thread_sleeps: a thread is made, and not woken
 * @contig_ns: how long alloc_contig_range() takes
 * @call_ns: how long a call of Xen takes
 * @cpus: how many CPUs the guest has online
 * @freezing: there is to be a suspend
 * @look_ns: how long a look for a page takes
 * @unchecked: no check after each turn, for it takes too long
 * @provoked: the next violation is wanted: it does not fail the test
 * @violations: how often the driver did what it must not do
 * @kmalloced: bytes that the driver has from kzalloc()
 * @notifiers: that it has registered
 * @sum: pages by owner, without and with memory, as the check counted them
 * @scrub_pages: the attribute
 * @gfp: what the driver asked an allocator with the last time
 * @cleared: pages that the driver zeroed
 * @held: what the driver did since it took queue.lock: pages that it looked at,
 *	regions that it took out
 * @longest_hold: the most that this was
 * @bad: a page that the machine reported as such
 * @delayed: work that is to be done later
 * @delayed_until: and when
 * @walker: a page on which somebody who walks over all pages has a reference
 *	from when alloc_contig_range() got it until the driver frees it, or, when it
 *	is the driver's, until the driver waits
 * @said: the driver's last message, or what a provoked violation was
 * @nr_said: how many there were
 * @restarts: how often the driver had the guest boot as a whole
 */
struct sim {
	struct kunit *test;
	struct sim_config config;
	struct xen_balloon *xb;

	unsigned long first_pfn;
	struct sim_region *region;
	struct list_head blocks[SIM_TOP_ORDER + 1];
	unsigned long nr_free;
	unsigned long cache;
	unsigned long slab;
	unsigned long swap;
	unsigned long refaults;
	bool kswapd;
	struct page *isolated[SIM_ISOLATED];
	unsigned int nr_isolated;
	unsigned int compacts;
	unsigned long moved;
	unsigned long low_water;
	long managed;
	long promised;
	long node_managed[SIM_NODES];
	unsigned long node_pages;
	unsigned long cma;
	struct rnd_state rnd;

	struct sim_piece *piece;
	unsigned int nr_pieces;
	unsigned long closed;
	struct list_head whole;
	struct list_head broken;
	struct list_head rivals;
	u32 *rival_frames;
	unsigned int nr_rival_frames;
	unsigned long host_free;
	unsigned long tot_pages;
	unsigned long max_pages;
	bool logs_writes;
	unsigned long reached;
	unsigned long sends_to;
	unsigned int migrates_after;
	unsigned long leaked;
	bool crashed;

	struct list_head listed;
	struct list_head unlisted;
	struct list_head borrowed;
	unsigned int nr_unlisted;
	unsigned int nr_device;
	unsigned int woken;
	bool place_taken;
	unsigned long holes_end;
	bool stays_offline;
	unsigned int nr_offline;
	struct notifier_block *memory_nb;
	void (*meanwhile)(void);

	struct sim_fault fault[SIM_NR_OPS];
	unsigned long calls[SIM_NR_OPS];
	unsigned long failed[SIM_NR_OPS];
	void (*called)(enum sim_op op, unsigned int nr, unsigned int size);
	unsigned long extents;
	unsigned long flushes;
	u64 now;
	bool contig_hangs;
	struct work_struct *hung;
	struct work_struct *later;
	struct delayed_work *delayed;
	u64 delayed_until;
	bool thread_sleeps;
	u64 contig_ns;
	u64 call_ns;
	unsigned int cpus;
	bool freezing;
	u64 look_ns;
	bool unchecked;
	bool provoked;
	unsigned int violations;
	unsigned long kmalloced;
	unsigned int notifiers;
	unsigned long sum[SIM_NR_OWNERS][2];
	bool scrub_pages;
	gfp_t gfp;
	unsigned long cleared;
	unsigned int held;
	unsigned int longest_hold;
	struct page *bad;
	struct page *walker;
	char said[256];
	unsigned int nr_said;
	unsigned int restarts;
};

extern struct sim sim;

/* sim.c: building, faults, the check */
extern const struct sim_config sim_default;
int sim_init(struct kunit *test);
void sim_exit(struct kunit *test);
void sim_exit_part(struct kunit *test);
void sim_build(struct kunit *test, const struct sim_config *config);
void sim_build_world(struct kunit *test, const struct sim_config *config);
int sim_load(void);
void sim_take_over(void);
void sim_give_all_back(void);
void sim_hand_back(void);
void sim_reload_driver(struct kunit *test);
void sim_begin_kexec(void);
bool sim_tell_sleep(unsigned long action);
void sim_load_driver(struct kunit *test);
void sim_fail(enum sim_op op, unsigned long from, unsigned long count,
	      unsigned int done);
void sim_mend(void);
bool sim_fails(enum sim_op op, unsigned int *done, unsigned int *partial);
void sim_check(const char *when);
struct page *sim_balloon_page(unsigned int region, unsigned int index);
void sim_queue_base(unsigned int region, unsigned int index, unsigned int nr);
bool sim_no_account(struct balloon_queue *q);
void sim_may_sleep(const char *what);
__printf(1, 2) void sim_violation(const char *fmt, ...);
u32 sim_random(u32 below);
void sim_target(unsigned long pages);
long sim_turn(void);
unsigned int sim_settle(unsigned int turns);
void sim_do_works(void);
void sim_device_answers(void);
__printf(1, 2) void sim_say(const char *fmt, ...);

/* sim-xen.c */
extern const struct xenmem_ops sim_ops;
extern const struct xenmem_ops sim_pv_ops;
void sim_host_build(unsigned int pieces, unsigned int nodes);
bool sim_host_take_piece(u32 *frame);
bool sim_host_take_frame(u32 *frame);
unsigned int sim_frame_node(u32 frame);
unsigned int sim_nr_nodes(void);
unsigned int sim_vnode_of(unsigned long pfn);
void sim_scatter_nodes(void);
unsigned int sim_away(const struct sim_region *region, unsigned int nid);
void sim_host_give(u32 frame);
unsigned int sim_rivals_take(unsigned int pieces, unsigned int frames);
unsigned int sim_rivals_take_node(unsigned int node, unsigned int pieces);
void sim_rivals_give(unsigned int pieces, unsigned int frames);
void sim_refill(struct page *page);
void sim_begin_migration(void);
void sim_forget_reached(void);
unsigned long sim_sent(void);
unsigned int sim_superpages(void);
unsigned long sim_populated(void);

/* sim-guest.c */
extern struct pglist_data sim_node[SIM_NODES];
int sim_arena_init(unsigned int windows);
void sim_arena_exit(void);
unsigned long sim_total(void);
void sim_guest_build(void);
struct page *sim_page(unsigned int region, unsigned int index);
struct page *sim_device_page(unsigned int index);
struct sim_region *sim_region_of(unsigned long pfn, unsigned int *index);
bool sim_use(unsigned int region, unsigned int index, enum sim_owner owner);
void sim_drop(unsigned int region, unsigned int index);
unsigned int sim_programs_take(unsigned int pages);
unsigned int sim_programs_drop(unsigned int pages);
struct page *sim_get_page(enum sim_owner owner);
void sim_kswapd(void);
void sim_build_region(unsigned int region);
unsigned int sim_add_region(void);

bool sim_claim(unsigned long pfn);
void sim_unclaim(struct page *page);

/* sim-hotplug.c */
unsigned long sim_block_size(void);
int sim_find_place(struct resource *place, u64 size, u64 align);
void sim_leave_place(void);
int sim_make_holes(unsigned long pfn, unsigned long nr);
int sim_add_memory(u64 start, u64 size, mhp_t flags);
void sim_set_online(void);
int sim_register_memory_notifier(struct notifier_block *nb);
int sim_set_offline(unsigned int region, unsigned int nr);
int sim_walk_memory(int (*func)(struct resource *memory, void *data), void *data);
void sim_online_region(unsigned int region);
void sim_online_again(unsigned int region, unsigned int nr);

/* sim-compaction.c */
unsigned int sim_isolate(unsigned int nr);
bool sim_isolate_page(struct page *page);
unsigned int sim_move_isolated(const struct sim_region *avoid);
void sim_put_back_isolated(void);
unsigned int sim_compact(unsigned int nr);

/* What seam.h puts in place of the kernel's own */
void sim_sleep(unsigned long us);
void sim_resched(void);
bool sim_queue_work(struct work_struct *work);
bool sim_schedule_work(struct delayed_work *work, unsigned long delay);
bool sim_cancel_work(struct delayed_work *work);
void sim_pass(u64 ns);
unsigned long sim_wait_for(struct completion *done, unsigned long timeout);
void sim_begin_hold(void);
void sim_held(void);
struct page *sim_alloc_pages(gfp_t gfp, unsigned int order);
struct page *sim_alloc_pages_node(int nid, gfp_t gfp, unsigned int order);
const unsigned long *sim_nodes(enum node_states state);
int sim_page_nid(struct page *page);
struct zone *sim_page_zone(struct page *page);
unsigned long sim_zone_free(const struct zone *zone);
unsigned long sim_zone_managed(const struct zone *zone);
bool sim_is_kept(struct page *page);
void sim_free_pages(struct page *page, unsigned int order);
int sim_alloc_contig_range(unsigned long start, unsigned long end,
			   unsigned int migratetype, gfp_t gfp);
void sim_free_contig_range(unsigned long pfn, unsigned long nr);
void sim_clear_page(struct page *page);
bool sim_init_on_alloc(gfp_t gfp);
bool sim_init_on_free(void);
void sim_adjust_managed(struct page *page, long count);
long sim_available_pages(void);
struct page *sim_online_page(unsigned long pfn);
unsigned long sim_end_pfn(const struct pglist_data *node);
bool sim_is_zone_device(struct page *page);
unsigned int sim_page_order(struct page *page);
void *sim_kzalloc(size_t size, gfp_t gfp);
int sim_xa_reserve(struct xarray *xa, unsigned long index, gfp_t gfp);
int sim_xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
void *sim_xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
int sim_register_notifier(void);
struct shrinker *sim_shrinker_alloc(void);
void sim_kfree(const void *p);
u64 sim_now(void);
struct task_struct *sim_kthread_run(int (*fn)(void *data), void *data,
				    const char *name);
bool sim_is_pv(void);
unsigned long sim_pfn_to_mfn(unsigned long pfn);

/* sim-intree.c */
extern struct balloon_stats sim_balloon_stats;
void sim_intree_build(void);
void sim_intree_online(unsigned int region);
unsigned int sim_intree_take(unsigned int pages);
unsigned int sim_borrow(unsigned int nr);
unsigned int sim_return(unsigned int nr);
void sim_meanwhile(void);
int sim_alloc_ballooned(unsigned int nr, struct page **pages);
void sim_free_ballooned(unsigned int nr, struct page **pages);
void sim_shuffle_unlisted(void);
void sim_borrow_unlisted(unsigned int nr);
void sim_return_unlisted(void);
int sim_alloc_unpopulated(unsigned int nr, struct page **pages);
void sim_free_unpopulated(unsigned int nr, struct page **pages);

/* sim-kernel.c */
extern const struct balloon_kernel_ops sim_bare_ops;
void sim_bare_begin(struct xen_balloon *xb);

#endif
