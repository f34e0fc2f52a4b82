// SPDX-License-Identifier: GPL-2.0
/*
 * The least that it takes to balloon 2 MiB out and in again: to zero it once, as
 * the allocator does, and the bare hypercalls. Does that to so many pieces of 2 MiB,
 * and leaves all as it was; how long each part took is in the parameters.
 */
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <xen/xen.h>

#include "xenmem.h"

#define MAX_PIECES	256
#define GFP_PIECE	(GFP_KERNEL | __GFP_ZERO | __GFP_NORETRY | __GFP_NOWARN)

static unsigned int pieces = 128;
module_param(pieces, uint, 0444);
MODULE_PARM_DESC(pieces, "how many times 2 MiB (1 to 256, default 128)");

static unsigned long zero_ns;
module_param(zero_ns, ulong, 0444);
MODULE_PARM_DESC(zero_ns, "how long it took to get the memory, zeroed");

static unsigned long release_ns;
module_param(release_ns, ulong, 0444);
MODULE_PARM_DESC(release_ns, "how long it took to give it to Xen");

static unsigned long populate_ns;
module_param(populate_ns, ulong, 0444);
MODULE_PARM_DESC(populate_ns, "how long it took to get it back from Xen");

static struct page *pages[MAX_PIECES];

typedef unsigned int change(struct page **pages, unsigned int nr, unsigned int order);

/* Do the same with all pages, as many at a time as the driver does. Returns how many were done. */
static unsigned int change_all(change *change, unsigned int nr, unsigned long *ns)
{
	unsigned int want, got, done = 0;
	u64 start = ktime_get_ns();

	do {
		want = min_t(unsigned int, nr - done, XENMEM_MAX_HUGE);
		got = change(pages + done, want, XENMEM_HUGE_ORDER);
		done += got;
		cond_resched();
	} while (done < nr && got == want);
	*ns = ktime_get_ns() - start;

	return done;
}

static const struct xenmem_ops *ops;

/* From wherever Xen has it. */
static unsigned int populate(struct page **pages, unsigned int nr, unsigned int order)
{
	DECLARE_BITMAP(away, XENMEM_MAX_HUGE);

	return ops->populate(pages, nr, order, away);
}

static unsigned int get_pages(void)
{
	u64 start = ktime_get_ns();
	unsigned int nr;

	for (nr = 0; nr < pieces; nr++) {
		pages[nr] = alloc_pages(GFP_PIECE, XENMEM_HUGE_ORDER);
		if (!pages[nr])
			break;
		cond_resched();
	}
	zero_ns = ktime_get_ns() - start;

	return nr;
}

static int __init floor_init(void)
{
	unsigned int i, nr, released, populated;
	int ret;

	if (!pieces || pieces > MAX_PIECES) {
		pr_err("floor: pieces is %u, expected 1 to %u\n", pieces, MAX_PIECES);
		return -EINVAL;
	}
	ops = xen_pv_domain() ? &xenmem_pv_ops : &xenmem_translated_ops;
	ret = ops->init();
	if (ret)
		return ret;

	nr = get_pages();
	released = change_all(ops->release, nr, &release_ns);
	populated = change_all(populate, released, &populate_ns);
	ops->exit();

	/* What has no memory behind it stays with this module for good. */
	for (i = 0; i < populated; i++)
		__free_pages(pages[i], XENMEM_HUGE_ORDER);
	for (i = released + 1; i < nr; i++)
		__free_pages(pages[i], XENMEM_HUGE_ORDER);

	if (nr < pieces || released < nr || populated < released) {
		pr_err("floor: of %u pieces %u were free, %u were released and %u populated again\n",
		       pieces, nr, released, populated);
		return -ENOMEM;
	}

	return 0;
}

static void __exit floor_exit(void)
{
}

module_init(floor_init);
module_exit(floor_exit);

MODULE_DESCRIPTION("The least that ballooning can cost");
MODULE_LICENSE("GPL");
