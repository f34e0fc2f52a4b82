// SPDX-License-Identifier: GPL-2.0
/*
 * Taking over from the in-tree driver and handing back to it. It is built into
 * the kernel and cannot be unloaded; but its thread can be stopped and started
 * again. What it holds and shows is in intree.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/irq_work.h>
#include <linux/kallsyms.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/printk.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "balloon.h"

#define INTREE_THREAD		"xen-balloon"
#define INTREE_FUNCTION		"balloon_thread+0x0/"

/* The guest may be short of memory just now, and without the thread it keeps its size for good. */
#define START_TRIES		100
#define START_PAUSE_US		(100 * USEC_PER_MSEC)

/**
 * struct takeover - what was found, and what has to be put back
 * @xb: the driver
 * @thread_func: what the in-tree thread runs
 * @thread_data: and with what
 * @task: the thread that was started again, or an error
 * @dev: the device xen_memory0, with a reference
 * @kick: wakes the worker from where the probes may not
 * @hears_loans: the probe on a loan is in place
 */
static struct takeover {
	struct xen_balloon *xb;
	int (*thread_func)(void *data);
	void *thread_data;
	struct task_struct *task;
	struct device *dev;
	struct irq_work kick;
	bool hears_loans;
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
	intree_hear(t.xb, regs_get_kernel_argument(regs, 0));
	irq_work_queue(&t.kick);

	return 0;
}

NOKPROBE_SYMBOL(hear_target);

static struct kprobe target_probe = {
	.symbol_name = "balloon_set_new_target",
	.pre_handler = hear_target,
};

#ifndef CONFIG_XEN_UNPOPULATED_ALLOC
/* Pages were lent: there may be too few left. */
static int hear_loan(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	if (balloon_foreign_is_low(t.xb))
		irq_work_queue(&t.kick);

	return 0;
}

NOKPROBE_SYMBOL(hear_loan);

static struct kretprobe loan_probe = {
	.kp.symbol_name = "xen_alloc_ballooned_pages",
	.handler = hear_loan,
};

static void start_hearing_loans(void)
{
	int ret = register_kretprobe(&loan_probe);

	if (ret)
		pr_info("no kretprobe on xen_alloc_ballooned_pages (%d): looking for loans once in a few seconds\n",
			ret);
	t.hears_loans = !ret;
}

static void stop_hearing_loans(void)
{
	if (t.hears_loans)
		unregister_kretprobe(&loan_probe);
}
#else
static void start_hearing_loans(void)
{
}

static void stop_hearing_loans(void)
{
}
#endif

static bool start_hearing(void)
{
	int ret;

	init_irq_work(&t.kick, kick_worker);
	start_hearing_loans();
	ret = register_kprobe(&target_probe);

	if (ret)
		pr_info("no kprobe on balloon_set_new_target (%d): looking at the target once a second\n",
			ret);
	return !ret;
}

static void stop_hearing(void)
{
	stop_hearing_loans();
	if (t.xb->intree.hears)
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

/**
 * takeover_device - the in-tree driver's device
 */
struct device *takeover_device(void)
{
	return t.dev;
}

static void start_intree(struct work_struct *work)
{
	t.task = kthread_run(t.thread_func, t.thread_data, INTREE_THREAD);
}

/* To start a thread is not for who was killed, as rmmod may have been: a work does it. */
static struct task_struct *started_thread(void)
{
	struct work_struct start;
	unsigned int i;

	INIT_WORK_ONSTACK(&start, start_intree);
	for (i = 0; i < START_TRIES; i++) {
		schedule_work(&start);
		flush_work(&start);
		if (!IS_ERR(t.task))
			break;
		fsleep(START_PAUSE_US);
	}
	destroy_work_on_stack(&start);

	return t.task;
}

/* Start the in-tree thread again and have it go to where we were going. */
static void restart_thread(struct xen_balloon *xb)
{
	unsigned long target = intree_park(xb);
	struct task_struct *task = started_thread();
	unsigned int i;

	if (IS_ERR(task)) {
		pr_err("cannot start the in-tree balloon thread again (%ld): no balloon driver is at work until the guest boots again\n",
		       PTR_ERR(task));
		return;
	}

	/* Until it has seen that there is nothing to do, and waits for that to change. */
	for (i = 0; i < 1000 && !(READ_ONCE(task->__state) & TASK_INTERRUPTIBLE); i++)
		fsleep(USEC_PER_MSEC);

	intree_unpark(xb, target);
	pr_info("handed back to the in-tree driver\n");
}

/**
 * takeover_probe - is everything as it must be?
 * @xb: the driver
 *
 * Changes nothing. What is not as expected is reported.
 *
 * Return: 0, with what was found remembered; -ENODEV.
 */
int takeover_probe(struct xen_balloon *xb)
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

	xb->scrub_pages = find_scrub_pages(t.dev);
	if (!xb->scrub_pages) {
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

	if (!task)
		return -ENODEV;

	t.xb = xb;
	atomic_long_set(&xb->intree.heard, -1);
	xb->intree.hears = start_hearing();

	/* To be stopped takes time, too, which tells nothing. */
	xb->intree.ran_ns = task->se.sum_exec_runtime;
	kthread_stop(task);
	put_task_struct(task);

	intree_prepare(xb);
	/* A block that comes online just now is half on the in-tree driver's list. */
	mutex_lock(&xb->step_lock);
	wait_event_cmd(xb->wait, !xb->blocks.onlining, mutex_unlock(&xb->step_lock),
		       mutex_lock(&xb->step_lock));
	intree_begin(xb);
	balloon_reach(xb);
	mutex_unlock(&xb->step_lock);
	intree_settle(xb);

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
	intree_end(xb);
	n = balloon_figures(&xb->queue);
	mutex_unlock(&xb->step_lock);
	intree_settle(xb);

	if (n.quarantined)
		pr_warn("%lu KiB stay out of use until the guest boots again\n",
			PAGES_TO_KB(n.quarantined));

	if (xb->ended)
		pr_info("the in-tree driver is not started again: the next kernel takes what it would balloon out for memory\n");
	else
		restart_thread(xb);
	stop_hearing();
}
