/* SPDX-License-Identifier: GPL-2.0 */
/*
 * <linux/shrinker.h> for all kernels: since 6.7 the kernel allocates a shrinker itself, and
 * nothing fails once it has. Since 6.4 it is told in another way what was reclaimed.
 */
#ifndef _COMPAT_SHRINKER_H
#define _COMPAT_SHRINKER_H

#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/swap.h>

#ifndef HAVE_MM_ACCOUNT_RECLAIMED_PAGES
static inline void mm_account_reclaimed_pages(unsigned long pages)
{
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
}
#endif

#ifdef HAVE_SHRINKER_ALLOC
static inline int shrinker_add(struct shrinker *shrinker, const char *name)
{
	shrinker_register(shrinker);
	return 0;
}
#else
static inline struct shrinker *shrinker_alloc(unsigned int flags, const char *name)
{
	return kzalloc(sizeof(struct shrinker), GFP_KERNEL);
}

/* Where it cannot be added it is gone. */
static inline int shrinker_add(struct shrinker *shrinker, const char *name)
{
	int ret = register_shrinker(shrinker, "%s", name);

	if (ret)
		kfree(shrinker);
	return ret;
}

static inline void shrinker_free(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}
#endif

#endif
