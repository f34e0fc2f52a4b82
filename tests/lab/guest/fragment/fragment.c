// SPDX-License-Identifier: GPL-2.0
/*
 * Fragments a guest: takes every free 2 MiB block, keeps a few scattered pages
 * of it that nobody can move, and frees the rest.  As long as this module is
 * loaded no 2 MiB of the guest's free memory can be had in one piece; it gives
 * all pages back when it is unloaded.
 */
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>

#define HUGE_ORDER	9
#define HUGE_PAGES	BIT(HUGE_ORDER)

static unsigned int pins = 4;
module_param(pins, uint, 0444);
MODULE_PARM_DESC(pins, "pages to keep of each 2 MiB block (1 to 512, default 4)");

static LIST_HEAD(kept);

/* Keeps one page of each of @pins equal stretches, at a place that varies. */
static void fragment_block(struct page *block, unsigned int nr)
{
	unsigned int stretch = HUGE_PAGES / pins;
	unsigned int i;

	split_page(block, HUGE_ORDER);
	for (i = 0; i < HUGE_PAGES; i++) {
		bool keep = i % stretch == nr * 7 % stretch && i / stretch < pins;

		if (keep)
			list_add(&block[i].lru, &kept);
		else
			__free_page(&block[i]);
	}
}

static int __init fragment_init(void)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN;
	unsigned int blocks = 0;
	struct page *block;

	if (!pins || pins > HUGE_PAGES) {
		pr_err("fragment: pins is %u, expected 1 to %lu\n", pins, HUGE_PAGES);
		return -EINVAL;
	}
	while ((block = alloc_pages(gfp, HUGE_ORDER))) {
		fragment_block(block, blocks++);
		cond_resched();
	}
	pr_info("fragment: keeps %u pages in each of %u blocks of 2 MiB\n", pins, blocks);
	return 0;
}

static void __exit fragment_exit(void)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &kept, lru)
		__free_page(page);
}

module_init(fragment_init);
module_exit(fragment_exit);

MODULE_DESCRIPTION("Fragments the memory of a guest");
MODULE_LICENSE("GPL");
