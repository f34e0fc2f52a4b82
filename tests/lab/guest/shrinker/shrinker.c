// SPDX-License-Identifier: GPL-2.0
/*
 * Has some memory, and gives it back when the kernel's reclaim asks its
 * shrinker to. It does not count as available.
 */
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/spinlock.h>

static unsigned int mib = 200;
module_param(mib, uint, 0444);
MODULE_PARM_DESC(mib, "how much memory, in MiB (default 200)");

static unsigned long nr_pages;
module_param(nr_pages, ulong, 0444);
MODULE_PARM_DESC(nr_pages, "how many pages it has now");

static LIST_HEAD(pages);
static DEFINE_SPINLOCK(lock);

static unsigned long count(struct shrinker *shrinker, struct shrink_control *sc)
{
	return READ_ONCE(nr_pages);
}

static bool free_one(void)
{
	struct page *page;

	spin_lock(&lock);
	page = list_first_entry_or_null(&pages, struct page, lru);
	if (page) {
		list_del(&page->lru);
		nr_pages--;
	}
	spin_unlock(&lock);
	if (page)
		__free_page(page);

	return page;
}

static unsigned long scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	unsigned long freed = 0;

	while (freed < sc->nr_to_scan && free_one())
		freed++;

	return freed ?: SHRINK_STOP;
}

#ifdef HAVE_SHRINKER_ALLOC
static struct shrinker *cache;

static int start(void)
{
	cache = shrinker_alloc(0, "shrinker-test");
	if (!cache)
		return -ENOMEM;
	cache->count_objects = count;
	cache->scan_objects = scan;
	shrinker_register(cache);

	return 0;
}

static void stop(void)
{
	shrinker_free(cache);
}
#else
static struct shrinker cache = {
	.count_objects = count,
	.scan_objects = scan,
	.seeks = DEFAULT_SEEKS,
};

static int start(void)
{
	return register_shrinker(&cache, "shrinker-test");
}

static void stop(void)
{
	unregister_shrinker(&cache);
}
#endif

static int __init shrinker_init(void)
{
	unsigned long wanted = (unsigned long)mib << (20 - PAGE_SHIFT);
	struct page *page;
	int ret;

	while (nr_pages < wanted) {
		page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);
		if (!page)
			break;
		list_add(&page->lru, &pages);
		nr_pages++;
		cond_resched();
	}
	ret = start();
	while (ret && free_one())
		;

	return ret;
}

static void __exit shrinker_exit(void)
{
	stop();
	while (free_one())
		cond_resched();
}

module_init(shrinker_init);
module_exit(shrinker_exit);

MODULE_DESCRIPTION("Memory behind a shrinker");
MODULE_LICENSE("GPL");
