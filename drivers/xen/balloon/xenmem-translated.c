// SPDX-License-Identifier: GPL-2.0
/*
 * The operations table for auto-translated guests (PVH and HVM), where a frame
 * number is the guest's own and Xen keeps the mapping.
 */
#include <linux/mm.h>
#include <xen/interface/xen.h>
#include <xen/interface/memory.h>

#include "xenmem.h"

/* Only the holder of step_lock uses it: see struct xenmem_ops. */
static xen_pfn_t frames[XENMEM_MAX_BASE];

static unsigned int change(unsigned int cmd, struct page **pages,
			   unsigned int nr, unsigned int order)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		frames[i] = page_to_pfn(pages[i]);

	return xenmem_reservation(cmd, frames, nr, order);
}

static unsigned int translated_release(struct page **pages, unsigned int nr,
				       unsigned int order)
{
	return change(XENMEM_decrease_reservation, pages, nr, order);
}

static unsigned int translated_populate(struct page **pages, unsigned int nr,
					unsigned int order)
{
	return change(XENMEM_populate_physmap, pages, nr, order);
}

static int translated_init(void)
{
	return 0;
}

static void translated_exit(void)
{
}

const struct xenmem_ops xenmem_translated_ops = {
	.name = "auto-translated",
	.init = translated_init,
	.exit = translated_exit,
	.release = translated_release,
	.populate = translated_populate,
	.current_pages = xenmem_current_pages,
	.maximum_pages = xenmem_maximum_pages,
};
