// SPDX-License-Identifier: GPL-2.0
/*
 * Locks one page of the first range that is emptied by alloc_contig_range(), as
 * that is about to move it: a task does so that waits for a device. It is unlocked
 * when this module is unloaded.
 *
 * The page is isolated by then. Before that the reference that goes with the lock
 * would have an anonymous page passed over.
 */
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/migrate_mode.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/ptrace.h>

static struct folio *locked;

/* migrate_pages(from, get_new_folio, put_new_folio, private, mode, reason, ret_succeeded) */
static int begins(struct kprobe *probe, struct pt_regs *regs)
{
	struct list_head *from = (struct list_head *)regs_get_kernel_argument(regs, 0);
	struct folio *folio;

	if (locked || regs_get_kernel_argument(regs, 5) != MR_CONTIG_RANGE)
		return 0;

	list_for_each_entry(folio, from, lru) {
		if (!folio_test_anon(folio) || !folio_trylock(folio))
			continue;
		folio_get(folio);
		locked = folio;
		pr_info("lockpage: locked pfn 0x%lx\n", folio_pfn(folio));
		break;
	}

	return 0;
}

static struct kprobe probe = {
	.symbol_name = "migrate_pages",
	.pre_handler = begins,
};

static int __init lockpage_init(void)
{
	return register_kprobe(&probe);
}

static void __exit lockpage_exit(void)
{
	unregister_kprobe(&probe);
	if (locked) {
		folio_unlock(locked);
		folio_put(locked);
	}
}

module_init(lockpage_init);
module_exit(lockpage_exit);

MODULE_DESCRIPTION("Locks a page of a range that is being emptied");
MODULE_LICENSE("GPL");
