/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The seam between the engine and its world: included before anything else in
 * each file of the engine when that is built for the unit tests. What the
 * engine asks of the kernel's memory manager, of its clock and of the in-tree
 * driver goes to the simulated ones of sim.h. Xen needs no seam: it stands
 * behind struct xenmem_ops.
 */
#ifndef _KUNIT_SEAM_H
#define _KUNIT_SEAM_H

/* As in the files of the engine, which come too late to say so. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/freezer.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/ioport.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/oom.h>
#include <linux/reboot.h>
#include <linux/sched/isolation.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/suspend.h>
#include <linux/swap.h>
#include <linux/vmstat.h>
#include <linux/xarray.h>
#include <xen/balloon.h>
#include <xen/page.h>
#include <xen/xen.h>

#include <compat/pageblock.h>
#include <compat/shrinker.h>

#include "sim.h"

/* The memory manager */
#undef alloc_pages
#undef alloc_page
#undef __free_page
#undef alloc_contig_range
#define alloc_pages(gfp, order)		sim_alloc_pages(gfp, order)
#define alloc_page(gfp)			sim_alloc_pages(gfp, 0)
#undef alloc_pages_node
#define alloc_pages_node(nid, gfp, order) sim_alloc_pages_node(nid, gfp, order)
#define __free_pages(page, order)	sim_free_pages(page, order)
#define __free_page(page)		sim_free_pages(page, 0)
#define alloc_contig_range(start, end, migratetype, gfp) \
	sim_alloc_contig_range(start, end, migratetype, gfp)
#define free_contig_range(pfn, nr)	sim_free_contig_range(pfn, nr)
#define clear_highpage(page)		sim_clear_page(page)
#define want_init_on_alloc(gfp)		sim_init_on_alloc(gfp)
#define want_init_on_free()		sim_init_on_free()
#define totalram_pages_add(count)	((void)(sim.promised += (count)))
#define adjust_managed_page_count(page, count) sim_adjust_managed(page, count)
#define si_mem_available()		sim_available_pages()
#undef nr_free_pages
#define nr_free_pages()			sim.nr_free
#define global_node_page_state(item)	((item) == WORKINGSET_REFAULT_ANON ? sim.refaults : 0)
#define global_node_page_state_pages(item) ((void)(item), sim.slab)
#define pfn_to_online_page(pfn)		sim_online_page(pfn)
#undef page_to_nid
#define page_to_nid(page)		sim_page_nid(page)
#define page_zone(page)			sim_page_zone(page)
#undef zone_page_state
#define zone_page_state(zone, item)	((item) == NR_FREE_PAGES ? sim_zone_free(zone) : sim.cma)
#undef zone_managed_pages
#define zone_managed_pages(zone)	sim_zone_managed(zone)
#undef nr_node_ids
#define nr_node_ids			SIM_NODES
#undef node_state
#define node_state(nid, state)		test_bit(nid, sim_nodes(state))
#undef min_wmark_pages
#define min_wmark_pages(zone)		((void)(zone), sim.low_water)
#define pageblock_is_kept(page)		sim_is_kept(page)
#undef num_online_nodes
#define num_online_nodes()		num_node_state(N_ONLINE)
#undef num_node_state
#define num_node_state(state)		hweight_long(*sim_nodes(state))
#undef num_online_cpus
#define num_online_cpus()		sim.cpus
#define housekeeping_enabled(type)	(sim.config.isolated == BIT(type))
#undef for_each_node_state
#define for_each_node_state(nid, state)	for_each_set_bit(nid, sim_nodes(state), MAX_NUMNODES)
#undef NODE_DATA
#define NODE_DATA(nid)			(&sim_node[nid])
#undef node_start_pfn
#define node_start_pfn(nid)		((void)(nid), sim.first_pfn)
#define pgdat_end_pfn(pgdat)		sim_end_pfn(pgdat)
#define is_zone_device_page(page)	sim_is_zone_device(page)
#define folio_order(folio)		sim_page_order(&(folio)->page)

/* What is done while a spinlock is held, and what happens between two times */
#define spin_lock(lock)			(sim_begin_hold(), spin_lock(lock))
#define xa_store(xa, index, entry, gfp)	(sim_held(), sim_xa_store(xa, index, entry, gfp))
#define xa_reserve(xa, index, gfp)	sim_xa_reserve(xa, index, gfp)
#define xa_insert(xa, index, entry, gfp) sim_xa_insert(xa, index, entry, gfp)
#define PageHWPoison(page)		((page) == sim.bad)
#undef page_count
#define page_count(page)		(sim_held(), page_ref_count(page))
#undef cond_resched
#define cond_resched()			sim_resched()

#undef kzalloc
#define kzalloc(size, gfp)		sim_kzalloc(size, gfp)
#undef kcalloc
#define kcalloc(n, size, gfp)		sim_kzalloc((n) * (size), gfp)
#define kfree(p)			sim_kfree(p)

/* Memory that is added */
#define memory_block_size_bytes()	sim_block_size()
#define restore_online_page_callback(cb) ((void)(cb))
#define allocate_resource(root, place, size, min, max, align, f, data) \
	((void)(root), (void)(min), (void)(max), (void)(f), (void)(data), \
	 sim_find_place(place, size, align))
#define release_resource(place)		((void)(place), sim_leave_place())
#undef memory_add_physaddr_to_nid
#define memory_add_physaddr_to_nid(start) ((void)(start), 0)
#define add_memory(nid, start, size, flags) ((void)(nid), sim_add_memory(start, size, flags))
#define register_memory_notifier(nb)	sim_register_memory_notifier(nb)
#define unregister_memory_notifier(nb)	\
	((void)(nb), (void)(sim.memory_nb = NULL), (void)sim.notifiers--)

#define shrinker_alloc(flags, name)	((void)(flags), (void)(name), sim_shrinker_alloc())
#define shrinker_add(shrinker, name)	((void)(shrinker), (void)(name), sim_register_notifier())
#define shrinker_free(shrinker)		((void)(shrinker), (void)sim.notifiers--)

/* The log */
#undef pr_err
#undef pr_warn
#undef pr_info
#undef pr_err_ratelimited
#undef pr_warn_ratelimited
#define pr_err(fmt, ...)		sim_say(fmt, ##__VA_ARGS__)
#define pr_warn(fmt, ...)		sim_say(fmt, ##__VA_ARGS__)
#define pr_info(fmt, ...)		sim_say(fmt, ##__VA_ARGS__)
#define pr_err_ratelimited(fmt, ...)	sim_say(fmt, ##__VA_ARGS__)
#define pr_warn_ratelimited(fmt, ...)	sim_say(fmt, ##__VA_ARGS__)

/* The clock */
#define ktime_get_ns()			sim_now()
#define fsleep(us)			sim_sleep(us)

/* Threads */
#undef queue_work
#define queue_work(wq, work)		((void)(wq), sim_queue_work(work))
#define schedule_delayed_work(work, delay) sim_schedule_work(work, delay)
#define cancel_delayed_work_sync(work)	sim_cancel_work(work)
#define wait_for_completion_timeout(done, timeout) sim_wait_for(done, timeout)
#define freezing(task)			((void)(task), sim.freezing)
#undef kthread_run
#define kthread_run(fn, data, name)	sim_kthread_run(fn, data, name)

#define register_oom_notifier(nb)	((void)(nb), sim_register_notifier())
#define unregister_oom_notifier(nb)	((void)(nb), (void)sim.notifiers--)
#define register_reboot_notifier(nb)	((void)(nb), sim_register_notifier())
#define unregister_reboot_notifier(nb)	((void)(nb), (void)sim.notifiers--)
#undef register_pm_notifier
#define register_pm_notifier(nb)	((void)(nb), sim_register_notifier())
#undef unregister_pm_notifier
#define unregister_pm_notifier(nb)	((void)(nb), (void)sim.notifiers--)
#define walk_iomem_res_desc(desc, flags, start, end, arg, func) \
	((void)(desc), (void)(flags), (void)(start), (void)(end), sim_walk_memory(func, arg))
#define emergency_restart()		((void)sim.restarts++)

/* The in-tree driver, and what goes with it */
#undef cmpxchg
#define cmpxchg(ptr, old, new)		({ sim_meanwhile(); arch_cmpxchg(ptr, old, new); })
#define balloon_stats			sim_balloon_stats
#define xen_alloc_ballooned_pages(nr, pages)	sim_alloc_ballooned(nr, pages)
#define xen_free_ballooned_pages(nr, pages)	sim_free_ballooned(nr, pages)
#undef xen_alloc_unpopulated_pages
#undef xen_free_unpopulated_pages
#define xen_alloc_unpopulated_pages(nr, pages)	sim_alloc_unpopulated(nr, pages)
#define xen_free_unpopulated_pages(nr, pages)	sim_free_unpopulated(nr, pages)
#define pfn_to_mfn(pfn)			sim_pfn_to_mfn(pfn)
#undef xen_pv_domain
#define xen_pv_domain()			sim_is_pv()
#undef xen_hvm_domain
#define xen_hvm_domain()		(!sim_is_pv())
#undef xen_pvh_domain
#define xen_pvh_domain()		(!sim_is_pv() && !sim.config.device_model)

#endif
