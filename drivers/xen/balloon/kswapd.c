// SPDX-License-Identifier: GPL-2.0
/*
 * That the kernel wakes kswapd is an early sign that memory gets short. Its tracepoint tells,
 * where there is one: modules may use it, but cannot name it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/irq_work.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "balloon.h"

#define WAKEUP	"mm_vmscan_wakeup_kswapd"

static struct xen_balloon *told;
static struct tracepoint *wakeup;

/*
 * Whoever wakes kswapd may have interrupts off, and hold what it takes to wake somebody. He may
 * have it compact memory, of which there is enough.
 */
static void tell(struct irq_work *work)
{
	if (balloon_elastic_is_short(told))
		balloon_elastic_signal(told, SIGNAL_KSWAPD);
}

static DEFINE_IRQ_WORK(woken, tell);

static void on_wakeup(void *data, int nid, int zid, int order, gfp_t gfp)
{
	if (READ_ONCE(told->elastic.active))
		irq_work_queue(&woken);
}

static void find(struct tracepoint *tracepoint, void *unused)
{
	if (!strcmp(tracepoint->name, WAKEUP))
		wakeup = tracepoint;
}

/**
 * balloon_kswapd_init - hear of it from now on, if that can be
 * @xb: the driver
 *
 * Context: may sleep.
 */
void balloon_kswapd_init(struct xen_balloon *xb)
{
	told = xb;
	if (IS_ENABLED(CONFIG_TRACEPOINTS)) {
		for_each_kernel_tracepoint(find, NULL);
		if (wakeup && tracepoint_probe_register(wakeup, on_wakeup, NULL))
			wakeup = NULL;
	}
	if (!wakeup)
		pr_info("the kernel does not tell when it wakes kswapd: what the guest has given comes back later\n");
}

/**
 * balloon_kswapd_exit - hear of it no more
 *
 * Context: may sleep.
 */
void balloon_kswapd_exit(void)
{
	if (IS_ENABLED(CONFIG_TRACEPOINTS) && wakeup) {
		tracepoint_probe_unregister(wakeup, on_wakeup, NULL);
		tracepoint_synchronize_unregister();
	}
	wakeup = NULL;
	irq_work_sync(&woken);
}
