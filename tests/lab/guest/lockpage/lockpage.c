// SPDX-License-Identifier: GPL-2.0
/*
 * Locks one page in use of the first range that somebody wants to empty by
 * alloc_contig_range(), just as that begins, as a task does that waits for a
 * device; it is unlocked when this module is unloaded.
 */
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/ptrace.h>

static struct folio *locked;

static bool lock_one(struct page *page)
{
	struct folio *folio = page_folio(page);

	if (!folio_test_lru(folio) || folio_test_large(folio) || !folio_try_get(folio))
		return false;
	if (folio_trylock(folio)) {
		locked = folio;
		pr_info("lockpage: locked pfn 0x%lx\n", folio_pfn(folio));
		return true;
	}
	folio_put(folio);
	return false;
}

static int begins(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned long pfn = regs_get_kernel_argument(regs, 0);
	unsigned long end = regs_get_kernel_argument(regs, 1);

	for (; pfn < end && !locked; pfn++)
		if (lock_one(pfn_to_page(pfn)))
			break;

	return 0;
}

static struct kprobe probe = {
	.symbol_name = "alloc_contig_range_noprof",
	.pre_handler = begins,
};

static int __init lockpage_init(void)
{
	int ret = register_kprobe(&probe);

	if (ret != -ENOENT)
		return ret;

	/* Before Linux 6.10. */
	probe = (struct kprobe){
		.symbol_name = "alloc_contig_range",
		.pre_handler = begins,
	};
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

MODULE_DESCRIPTION("Locks a page of a range that is to be emptied");
MODULE_LICENSE("GPL");
