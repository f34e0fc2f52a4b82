// SPDX-License-Identifier: GPL-2.0
/*
 * Memory compaction moves a ballooned base page: the memory behind the page that
 * the kernel found for it goes behind it, and the two change places. The kernel
 * calls this from any task that compacts memory, the worker's own allocations
 * included: no mutex is taken, nothing sleeps, and step_lock may be held by
 * anybody.
 */
#include <linux/migrate.h>
#include <linux/preempt.h>
#include <xen/xen.h>

#include <compat/balloon_compaction.h>

#include "balloon.h"
#include "trace.h"

/*
 * Both pages are locked, and @page is isolated. What the kernel expects is in
 * struct movable_operations in <linux/migrate.h>: at -EAGAIN it tries again, and
 * in the end, as at any other error, puts @page back where it was.
 */
static int migrate_page(struct balloon_dev_info *movable, struct page *newpage,
			struct page *page, enum migrate_mode mode)
{
	struct xen_balloon *xb = container_of(movable, struct xen_balloon, queue.movable);
	struct balloon_queue *q = &xb->queue;
	bool away;
	int ret;

	/* As the kernel sees it this page would be its own then. */
	if (PageHWPoison(page))
		return -EBUSY;

	if (balloon_move_begin(q, newpage)) {
		balloon_count(xb, COUNT_MIGRATE_NO_MEMORY, 1);
		return -EAGAIN;
	}

	/*
	 * A suspend, which stops all CPUs, must not find a frame on its way; and after
	 * it nobody knows what is a hole, until the worker has seen to that.
	 */
	preempt_disable();
	ret = READ_ONCE(xb->resumed) ? -EBUSY : xb->ops->move(newpage, page);
	preempt_enable();
	trace_xen_balloon_migrate(page_to_pfn(page), page_to_pfn(newpage), ret);

	switch (ret) {
	case 0:
		/* It has the memory that was behind the other one. */
		away = balloon_nodes_differ(xb, page, newpage) ||
		       balloon_region_away(q, region_index(newpage));
		balloon_region_suspect(q, page);
		balloon_move_end(q, newpage, page);
		balloon_region_came(q, page, 0, away);
		break;
	case -ENODATA:
		/* The guest is one page short now, which the worker gets back. */
		balloon_move_lose(q, newpage, page);
		balloon_worker_kick(xb);
		break;
	default:
		/* Nor would Xen at the next try, a moment later. */
		balloon_move_cancel(q, newpage);
		balloon_count(xb, COUNT_MIGRATE_REFUSED, 1);
		return -EBUSY;
	}

	balloon_count(xb, COUNT_MIGRATED, 1);
	count_balloon_migrate();
	return MIGRATEPAGE_SUCCESS;
}

/**
 * balloon_migrate_init - let compaction move base pages, if it may
 * @xb: the driver, with an empty queue
 *
 * In a guest with a device model, QEMU waits for all that its disks have in flight,
 * and drops its map of the guest, after each hypercall that takes memory from
 * somewhere: see ioreq_signal_mapcache_invalidate() in Xen's common/ioreq.c. Compaction
 * would have it do so for each page, and until then this CPU does not run.
 */
void balloon_migrate_init(struct xen_balloon *xb)
{
	if (IS_ENABLED(CONFIG_BALLOON_COMPACTION) && (!xen_hvm_domain() || xen_pvh_domain()))
		xb->queue.movable.migratepage = migrate_page;
}

#ifdef CONFIG_XEN_BALLOON_KUNIT_TEST
#include "tests/migrate-kunit.h"
#endif
