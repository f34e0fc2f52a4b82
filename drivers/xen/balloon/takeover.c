// SPDX-License-Identifier: GPL-2.0
/*
 * Taking over from the in-tree driver and handing back to it. It is built into
 * the kernel and cannot be unloaded; but its thread can be stopped and started
 * again, the pages that it ballooned out can be had through its own exported
 * functions, and the files that it shows read and write the exported
 * balloon_stats.
 *
 * Its balloon_mutex is out of reach. A counter that it changes too is changed
 * here through a function of its own where there is one, else by one atomic
 * instruction; since its own changes are plain ones, one of the two can still
 * be lost when both fall on the same instant. balloon_check_current() repairs
 * that in what concerns current_pages.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/irq_work.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <xen/balloon.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <xen/xen-ops.h>

#include "balloon.h"

#define INTREE_THREAD		"xen-balloon"
#define INTREE_FUNCTION		"balloon_thread+0x0/"

/*
 * The in-tree driver doubles its wait up to 32 s, and gives up after four
 * attempts. Ours never does, so it need not wait longer than this: attempts so
 * far apart cost nothing that can be measured.
 */
#define MAX_DELAY_MS		2000

#define BATCH			XENMEM_MAX_BASE

/* More of them than any guest has in practice: see adopt_region(). */
#define MAX_REGIONS		16

/**
 * struct takeover - what was found, and what has to be put back
 * @xb: the driver
 * @thread_func: what the in-tree thread runs
 * @thread_data: and with what
 * @dev: the device xen_memory0, with a reference
 * @scrub_pages: the variable behind its attribute of that name
 * @hears: the probe is in place
 * @kick: wakes the worker from where the probe may not
 * @heard: the target that the probe saw last, or -1
 * @unsettled: the target that was heard was not stored yet
 * @seen_target: balloon_stats.target_pages at the last look
 * @seen_total: balloon_stats.total_pages at the last look
 * @published: balloon_stats.current_pages as written last
 * @adopted: pages of ours that balloon_stats.target_unpopulated counts
 * @regions: pfns that came from the allocator of unpopulated pages, as [@start,
 *	@end) each
 * @nr_regions: how many regions
 * @region_pages: how many of their pages were taken and not given back
 * @schedule_delay: balloon_stats.schedule_delay at load
 * @retry_count: balloon_stats.retry_count at load
 */
static struct takeover {
	struct xen_balloon *xb;
	int (*thread_func)(void *data);
	void *thread_data;
	struct device *dev;
	const bool *scrub_pages;
	bool hears;
	struct irq_work kick;
	atomic_long_t heard;
	bool unsettled;
	unsigned long seen_target;
	unsigned long seen_total;
	unsigned long published;
	unsigned long adopted;
	struct {
		unsigned long start;
		unsigned long end;
	} regions[MAX_REGIONS];
	unsigned int nr_regions;
	unsigned long region_pages;
	unsigned long schedule_delay;
	unsigned long retry_count;
} t;

/* The one in-tree thread, with a reference; NULL when it cannot be told. */
static struct task_struct *find_thread(void)
{
	struct task_struct *task, *found = NULL;
	char symbol[KSYM_SYMBOL_LEN];
	unsigned int nr = 0;

	rcu_read_lock();
	for_each_process(task) {
		if (!(task->flags & PF_KTHREAD) || strcmp(task->comm, INTREE_THREAD))
			continue;
		/* Not a module's: its name would follow in brackets. */
		sprint_symbol(symbol, (unsigned long)kthread_func(task));
		if (strncmp(symbol, INTREE_FUNCTION, strlen(INTREE_FUNCTION)) ||
		    strchr(symbol, '['))
			continue;
		found = task;
		nr++;
	}
	if (nr == 1)
		get_task_struct(found);
	rcu_read_unlock();

	if (nr != 1)
		pr_err("found %u threads \"%s\" of the in-tree balloon driver, expected 1: is CONFIG_XEN_BALLOON on in this kernel?\n",
		       nr, INTREE_THREAD);

	return nr == 1 ? found : NULL;
}

/* The device of the in-tree driver, with a reference. */
static struct device *find_device(void)
{
	struct device *cpu = get_cpu_device(0);
	struct kobject *kobj = NULL;

	/* All devices are in one kset. */
	if (cpu && cpu->kobj.kset)
		kobj = kset_find_obj(cpu->kobj.kset, "xen_memory0");
	if (!kobj)
		pr_err("found no device xen_memory0, expected that of the in-tree balloon driver: is CONFIG_XEN_BALLOON on in this kernel?\n");

	return kobj ? kobj_to_dev(kobj) : NULL;
}

/* The unexported xen_scrub_pages, through the attribute that shows it. */
static const bool *find_scrub_pages(struct device *dev)
{
	const struct attribute_group **group;
	struct attribute **attr;

	for (group = dev->groups; group && *group; group++) {
		for (attr = (*group)->attrs; attr && *attr; attr++) {
			struct device_attribute *dattr =
				container_of(*attr, struct device_attribute, attr);

			if (!strcmp((*attr)->name, "scrub_pages") &&
			    dattr->show == device_show_bool)
				return container_of(dattr, struct dev_ext_attribute,
						    attr)->var;
		}
	}

	return NULL;
}

#ifdef CONFIG_KPROBES
static void kick_worker(struct irq_work *work)
{
	balloon_worker_kick(t.xb);
}

/*
 * Called before the target is stored: the argument is what counts. A probe may
 * be hit by a breakpoint exception, where a wait queue's lock is not allowed.
 */
static int hear_target(struct kprobe *probe, struct pt_regs *regs)
{
	atomic_long_set(&t.heard, regs_get_kernel_argument(regs, 0));
	irq_work_queue(&t.kick);

	return 0;
}

NOKPROBE_SYMBOL(hear_target);

static struct kprobe target_probe = {
	.symbol_name = "balloon_set_new_target",
	.pre_handler = hear_target,
};

static bool start_hearing(void)
{
	int ret;

	init_irq_work(&t.kick, kick_worker);
	ret = register_kprobe(&target_probe);

	if (ret)
		pr_info("no kprobe on balloon_set_new_target (%d): looking at the target once a second\n",
			ret);
	return !ret;
}

static void stop_hearing(void)
{
	if (!t.hears)
		return;

	unregister_kprobe(&target_probe);
	irq_work_sync(&t.kick);
}
#else
static bool start_hearing(void)
{
	return false;
}

static void stop_hearing(void)
{
}
#endif

static int note_resume(struct notifier_block *nb, unsigned long event, void *data)
{
	WRITE_ONCE(t.xb->resumed, true);
	balloon_worker_kick(t.xb);

	return NOTIFY_OK;
}

static struct notifier_block resume_notifier = {
	.notifier_call = note_resume,
};

/**
 * takeover_must_look - may there be a target that the worker is not told of?
 */
bool takeover_must_look(void)
{
	return !t.hears || t.unsettled;
}

/**
 * takeover_device - the in-tree driver's device
 */
struct device *takeover_device(void)
{
	return t.dev;
}

/**
 * takeover_scrub_pages - are pages to be zeroed before Xen gets them?
 */
bool takeover_scrub_pages(void)
{
	return READ_ONCE(*t.scrub_pages);
}

/**
 * takeover_max_delay_ms - the longest wait after a step that stalled
 *
 * Return: the attribute max_schedule_delay, but at most two seconds, in ms.
 */
unsigned int takeover_max_delay_ms(void)
{
	unsigned long delay = READ_ONCE(balloon_stats.max_schedule_delay);

	return clamp(delay, 1UL, MAX_DELAY_MS / MSEC_PER_SEC) * MSEC_PER_SEC;
}

/**
 * takeover_foreign_spare - pages on the in-tree list: to be lent, or just
 *	returned
 *
 * Return: pages.
 */
unsigned long takeover_foreign_spare(void)
{
	return READ_ONCE(balloon_stats.balloon_low) +
	       READ_ONCE(balloon_stats.balloon_high);
}

/**
 * takeover_foreign_lent - pages that drivers have from the in-tree list
 *
 * Return: pages.
 */
unsigned long takeover_foreign_lent(void)
{
	return READ_ONCE(balloon_stats.target_unpopulated) - t.adopted;
}

/**
 * takeover_published - what current_kb says
 *
 * Return: pages.
 */
unsigned long takeover_published(void)
{
	return READ_ONCE(balloon_stats.current_pages);
}

/*
 * When its list is empty and a driver asks for pages, the in-tree driver
 * balloons some out by itself and lowers current_pages: those are lent now.
 */
static void note_intree_change(void)
{
	long delta = READ_ONCE(balloon_stats.current_pages) - t.published;

	if (!delta)
		return;

	t.published += delta;
	balloon_correct_guest(&t.xb->queue, delta);
}

/**
 * takeover_publish - make current_kb and schedule_delay say what is
 * @xb: the driver
 *
 * Context: step_lock held.
 */
void takeover_publish(struct xen_balloon *xb)
{
	unsigned long guest;

	lockdep_assert_held(&xb->step_lock);

	do {
		note_intree_change();
		guest = balloon_figures(&xb->queue).guest;
	} while (cmpxchg(&balloon_stats.current_pages, t.published, guest) != t.published);
	t.published = guest;

	WRITE_ONCE(balloon_stats.schedule_delay,
		   max(DIV_ROUND_UP(xb->delay_ms, MSEC_PER_SEC), 1UL));
	WRITE_ONCE(balloon_stats.retry_count,
		   xb->delay_ms ? balloon_stats.retry_count + 1 : 1);
}

/**
 * takeover_follow - see what was changed from outside: the target, and what
 *	the in-tree driver did by itself
 * @xb: the driver
 *
 * The probe hears of a target before it is stored, so a look may still find
 * the former one: a look counts only where it differs from the look before.
 *
 * Context: step_lock held.
 */
void takeover_follow(struct xen_balloon *xb)
{
	unsigned long seen = READ_ONCE(balloon_stats.target_pages), total;
	long heard = atomic_long_xchg(&t.heard, -1);

	lockdep_assert_held(&xb->step_lock);

	t.unsettled = heard >= 0 && seen != heard;

	if (heard > 0) {
		balloon_target_set(xb, heard);
	} else if (seen != t.seen_target && seen != xb->target.wanted &&
		   !balloon_target_set(xb, seen)) {
		/* Let target_kb say where we are going. */
		if (cmpxchg(&balloon_stats.target_pages, seen, xb->target.wanted) == seen)
			seen = xb->target.wanted;
	}
	t.seen_target = seen;

	note_intree_change();

	total = READ_ONCE(balloon_stats.total_pages);
	xb->total += total - t.seen_total;
	t.seen_total = total;
}

/*
 * Take @nr unpopulated pages in xb->pages over into the queues. Returns how
 * many; for others there was no memory to keep account of them.
 */
static unsigned int adopt(struct xen_balloon *xb, unsigned int nr,
			  void (*give_back)(unsigned int nr, struct page **pages))
{
	struct balloon_queue *q = &xb->queue;
	unsigned int i, kept = 0;

	for (i = 0; i < nr; i++) {
		if (balloon_queue_prepare(q, xb->pages[i])) {
			give_back(1, &xb->pages[i]);
			continue;
		}
		balloon_adopt(q, xb->pages[i]);
		balloon_enqueue(q, xb->pages[i], 0);
		kept++;
	}

	return kept;
}

static void give_back_adopted(unsigned int nr, struct page **pages)
{
	t.adopted -= nr;
	xen_free_ballooned_pages(nr, pages);
}

/**
 * takeover_reclaim_spare - adopt pages from the in-tree list
 * @xb: the driver
 * @max: how many at most, up to XENMEM_MAX_BASE
 *
 * When a driver borrows from the list between our look at it and our call, the
 * in-tree driver balloons out what is missing: the guest is smaller by that,
 * and no page is lost.
 *
 * Context: step_lock held; may sleep.
 * Return: how many, in the base queue now.
 */
unsigned int takeover_reclaim_spare(struct xen_balloon *xb, unsigned int max)
{
	unsigned long nr = min_t(unsigned long, max, takeover_foreign_spare());

	if (!nr || xen_alloc_ballooned_pages(nr, xb->pages))
		return 0;

	t.adopted += nr;
	return adopt(xb, nr, give_back_adopted);
}

static bool in_region(unsigned long pfn)
{
	unsigned int i;

	for (i = 0; i < t.nr_regions; i++)
		if (pfn >= t.regions[i].start && pfn < t.regions[i].end)
			return true;

	return false;
}

/* Remember where a page came from; the allocator hands them out downwards. */
static bool note_region(unsigned long pfn)
{
	if (t.nr_regions && pfn == t.regions[t.nr_regions - 1].start - 1) {
		t.regions[t.nr_regions - 1].start = pfn;
		return true;
	}
	if (t.nr_regions == MAX_REGIONS)
		return false;

	t.regions[t.nr_regions].start = pfn;
	t.regions[t.nr_regions].end = pfn + 1;
	t.nr_regions++;
	return true;
}

static void give_back_region(unsigned int nr, struct page **pages)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		SetPageReserved(pages[i]);
	t.region_pages -= nr;
	xen_free_unpopulated_pages(nr, pages);
}

/* Take @nr pages of a region over. Returns false when there are no more. */
static bool adopt_region_batch(struct xen_balloon *xb, unsigned int nr)
{
	unsigned int i, ours = 0;

	if (xen_alloc_unpopulated_pages(nr, xb->pages))
		return false;

	/* Device memory is none to populate. */
	for (i = 0; i < nr; i++) {
		struct page *page = xb->pages[i];

		if (is_zone_device_page(page) || !note_region(page_to_pfn(page)))
			xen_free_unpopulated_pages(1, &page);
		else
			xb->pages[ours++] = page;
	}

	t.region_pages += ours;
	return adopt(xb, ours, give_back_region) == nr;
}

#ifdef CONFIG_XEN_PV
/* How many pages right below those taken last are unpopulated as well. */
static unsigned int region_goes_on(void)
{
	unsigned long pfn = t.nr_regions ? t.regions[t.nr_regions - 1].start : 0;
	struct page *page;
	unsigned int nr;

	for (nr = 0; nr < BATCH && pfn--; nr++) {
		page = pfn_to_online_page(pfn);
		if (!page || !PageReserved(page) || pfn_to_mfn(pfn) != INVALID_P2M_ENTRY)
			break;
	}

	return nr;
}

/*
 * Since Linux 6.9 the region of a PV guest between its memory and its maximum
 * is not on the in-tree list: arch_xen_unpopulated_init() gave it to the
 * allocator of unpopulated pages, whose first pages it is. Asked for more, that
 * makes device memory. How large the region is can only be estimated: what is
 * present counts some pages less than what the in-tree driver counts.
 */
static void adopt_region(struct xen_balloon *xb)
{
	long left = get_num_physpages() - balloon_stats.total_pages;

	if (!IS_ENABLED(CONFIG_XEN_UNPOPULATED_ALLOC) || !xen_pv_domain())
		return;

	for (; left >= BATCH; left -= BATCH)
		if (!adopt_region_batch(xb, BATCH))
			return;
	while ((left = region_goes_on()))
		if (!adopt_region_batch(xb, left))
			return;
}
#else
static void adopt_region(struct xen_balloon *xb)
{
}
#endif

/* Let go of @nr unpopulated pages in xb->pages, each to where it belongs. */
static void return_pages(struct xen_balloon *xb, unsigned int nr)
{
	struct page **pages = xb->pages;
	unsigned int i, listed = 0;
	unsigned long extra;

	balloon_disown(&xb->queue, pages, nr);

	for (i = 0; i < nr; i++) {
		if (in_region(page_to_pfn(pages[i])))
			give_back_region(1, &pages[i]);
		else
			pages[listed++] = pages[i];
	}

	/* The in-tree driver subtracts what it gets from target_unpopulated. */
	extra = listed - min_t(unsigned long, listed, t.adopted);
	t.adopted -= listed - extra;
	if (extra)
		xadd(&balloon_stats.target_unpopulated, extra);
	xen_free_ballooned_pages(listed, pages);
}

static void return_all(struct xen_balloon *xb)
{
	struct page *page;
	unsigned int i, nr;

	while (balloon_dequeue_huge(&xb->queue, &page, 1)) {
		split_page(page, XENMEM_HUGE_ORDER);
		for (i = 0; i < XENMEM_HUGE_PAGES; i++)
			xb->pages[i] = page + i;
		return_pages(xb, XENMEM_HUGE_PAGES);
		cond_resched();
	}
	while ((nr = balloon_dequeue_base(&xb->queue, xb->pages, BATCH))) {
		return_pages(xb, nr);
		cond_resched();
	}

	/* Those that were adopted and are the kernel's memory now. */
	memset(xb->pages, 0, sizeof(xb->pages));
	for (; t.adopted; t.adopted -= nr) {
		nr = min_t(unsigned long, t.adopted, BATCH);
		xen_free_ballooned_pages(nr, xb->pages);
		cond_resched();
	}

	/* Memory that the in-tree driver did not know of. */
	balloon_stats.total_pages += t.region_pages;
	t.region_pages = 0;
	t.nr_regions = 0;
}

/*
 * Start the in-tree thread again and have it go to where we were going. It may
 * have given up before we came: then it sleeps until its credit changes, so it
 * starts with none. A target that arrives meanwhile wins.
 */
static void restart_thread(void)
{
	unsigned long parked = READ_ONCE(balloon_stats.current_pages);
	unsigned long target = xchg(&balloon_stats.target_pages, parked);
	struct task_struct *task;
	unsigned int i;
	long heard;

	task = kthread_run(t.thread_func, t.thread_data, INTREE_THREAD);
	if (IS_ERR(task)) {
		pr_err("cannot start the in-tree balloon thread again (%ld): no balloon driver is at work now, reload this one\n",
		       PTR_ERR(task));
		return;
	}

	/* Until it has seen that there is nothing to do. */
	for (i = 0; i < 1000 && task_is_running(task); i++)
		fsleep(USEC_PER_MSEC);

	/* Set since the worker stopped: it is stored by now, or will be. */
	heard = atomic_long_read(&t.heard);
	if (heard > 0)
		target = heard;
	if (cmpxchg(&balloon_stats.target_pages, parked, target) == parked)
		xen_free_ballooned_pages(0, NULL);
}

/**
 * takeover_probe - is everything as it must be?
 *
 * Changes nothing. What is not as expected is reported.
 *
 * Return: 0, with what was found remembered; -ENODEV.
 */
int takeover_probe(void)
{
	struct task_struct *task = find_thread();

	if (!task)
		return -ENODEV;
	t.thread_func = kthread_func(task);
	t.thread_data = kthread_data(task);
	put_task_struct(task);

	t.dev = find_device();
	if (!t.dev)
		return -ENODEV;

	t.scrub_pages = find_scrub_pages(t.dev);
	if (!t.scrub_pages) {
		pr_err("found no boolean attribute scrub_pages on xen_memory0, expected that of the in-tree balloon driver\n");
		put_device(t.dev);
		return -ENODEV;
	}

	return 0;
}

/**
 * takeover_forget - undo takeover_probe()
 */
void takeover_forget(void)
{
	put_device(t.dev);
}

/**
 * takeover_begin - stop the in-tree driver and take its pages over
 * @xb: the driver
 *
 * Context: after takeover_probe(), once.
 * Return: 0, to be undone by takeover_end(); or -ENODEV, with nothing changed.
 */
int takeover_begin(struct xen_balloon *xb)
{
	struct task_struct *task = find_thread();
	unsigned int nr;

	if (!task)
		return -ENODEV;

	t.xb = xb;
	atomic_long_set(&t.heard, -1);
	t.hears = start_hearing();
	xen_resume_notifier_register(&resume_notifier);

	kthread_stop(task);
	put_task_struct(task);

	t.seen_target = READ_ONCE(balloon_stats.target_pages);
	t.seen_total = READ_ONCE(balloon_stats.total_pages);
	t.schedule_delay = READ_ONCE(balloon_stats.schedule_delay);
	t.retry_count = READ_ONCE(balloon_stats.retry_count);
	t.published = READ_ONCE(balloon_stats.current_pages);
	balloon_correct_guest(&xb->queue, t.published);
	xb->target.wanted = t.seen_target;

	mutex_lock(&xb->step_lock);
	do {
		nr = takeover_reclaim_spare(xb, BATCH);
		cond_resched();
	} while (nr);
	adopt_region(xb);
	xb->total = balloon_sum(xb);
	balloon_check_current(xb);
	mutex_unlock(&xb->step_lock);

	return 0;
}

/**
 * takeover_end - give everything back and let the in-tree driver go on
 * @xb: the driver, its worker stopped
 *
 * Context: may sleep.
 */
void takeover_end(struct xen_balloon *xb)
{
	struct balloon_figures n;

	mutex_lock(&xb->step_lock);
	takeover_follow(xb);
	return_all(xb);
	takeover_publish(xb);
	n = balloon_figures(&xb->queue);
	mutex_unlock(&xb->step_lock);

	if (n.quarantined)
		pr_warn("%lu KiB stay out of use until the guest boots again\n",
			PAGES_TO_KB(n.quarantined));

	balloon_stats.schedule_delay = t.schedule_delay;
	balloon_stats.retry_count = t.retry_count;

	restart_thread();
	xen_resume_notifier_unregister(&resume_notifier);
	stop_hearing();
}
