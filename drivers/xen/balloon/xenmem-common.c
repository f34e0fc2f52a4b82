// SPDX-License-Identifier: GPL-2.0
/* The memory_op hypercalls, which are the same for every kind of guest. */
#include <linux/minmax.h>
#include <xen/interface/xen.h>
#include <xen/interface/memory.h>
#include <xen/interface/version.h>
#include <asm/xen/hypercall.h>

#include "xenmem.h"

/**
 * xenmem_version - which Xen this is
 *
 * Return: its major version in the upper 16 bits, the minor one in the lower.
 */
int xenmem_version(void)
{
	return HYPERVISOR_xen_version(XENVER_version, NULL);
}

/**
 * xenmem_current_pages - how much this domain has
 *
 * Return: pages, or a negative errno.
 */
long xenmem_current_pages(void)
{
	domid_t domid = DOMID_SELF;

	return HYPERVISOR_memory_op(XENMEM_current_reservation, &domid);
}

/**
 * xenmem_maximum_pages - how much this domain may have
 *
 * Return: pages, or a negative errno.
 */
long xenmem_maximum_pages(void)
{
	domid_t domid = DOMID_SELF;

	return HYPERVISOR_memory_op(XENMEM_maximum_reservation, &domid);
}

/**
 * xenmem_reservation - change this domain's reservation
 * @cmd: XENMEM_decrease_reservation or XENMEM_populate_physmap
 * @frames: first frame of each extent; XENMEM_populate_physmap writes the
 *	machine frames over it in a PV guest
 * @nr: extents
 * @order: order of each extent; above 9 Xen does nothing for a domU
 * @mem_flags: XENMEMF_*: where the memory shall come from
 *
 * Return: extents done, from the front; 0 for every refusal.
 */
unsigned int xenmem_reservation(unsigned int cmd, xen_pfn_t *frames,
				unsigned int nr, unsigned int order, unsigned int mem_flags)
{
	struct xen_memory_reservation reservation = {
		.nr_extents   = nr,
		.extent_order = order,
		.address_bits = mem_flags,	/* its name in Xen */
		.domid        = DOMID_SELF,
	};
	int done;

	set_xen_guest_handle(reservation.extent_start, frames);
	done = HYPERVISOR_memory_op(cmd, &reservation);

	return clamp_t(int, done, 0, nr);
}
