// SPDX-License-Identifier: GPL-2.0
/*
 * Asks the kernel for blocks of several pages in one piece, as a driver would, says
 * how many it got, and gives them back.
 */
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>

static unsigned int order;
module_param(order, uint, 0444);
MODULE_PARM_DESC(order, "each block has 2 to the power of this pages");

static unsigned int blocks = 1;
module_param(blocks, uint, 0444);
MODULE_PARM_DESC(blocks, "how many blocks");

static int __init orders_init(void)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_NOWARN | __GFP_RETRY_MAYFAIL;
	struct page *page, *next;
	unsigned int got;
	LIST_HEAD(list);

	for (got = 0; got < blocks; got++) {
		page = alloc_pages(gfp, order);
		if (!page)
			break;
		list_add(&page->lru, &list);
	}
	list_for_each_entry_safe(page, next, &list, lru)
		__free_pages(page, order);
	pr_info("orders: got %u of %u blocks of order %u\n", got, blocks, order);

	return 0;
}

static void __exit orders_exit(void)
{
}

module_init(orders_init);
module_exit(orders_exit);

MODULE_DESCRIPTION("Asks for blocks of several pages");
MODULE_LICENSE("GPL");
