// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into xl, lets PVH guests have virtual nodes. Two mistakes of libxl, when it makes
 * their ACPI tables (init_acpi_config() in libxl_x86_acpi.c), are in the way:
 *
 * It asks how many nodes, ranges and vCPUs there are by a call with no room for any, and takes
 * what Xen answers to that, ENOBUFS beside the numbers, for a failure. Then it allocates room for
 * as many distances as there are nodes, where there are as many for each node: Xen's answer
 * overruns it, and with four nodes xl crashes. What it allocates until the second call is larger
 * here by that factor.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

typedef int getvnuma(void *xch, uint32_t domid, uint32_t *nodes, uint32_t *ranges, uint32_t *vcpus,
		     void *range, unsigned int *distance, unsigned int *node_of);

getvnuma xc_domain_getvnuma;
void *__libc_calloc(size_t nr, size_t size);

static size_t factor = 1;

void *calloc(size_t nr, size_t size)
{
	return __libc_calloc(nr * factor, size);
}

int xc_domain_getvnuma(void *xch, uint32_t domid, uint32_t *nodes, uint32_t *ranges,
		       uint32_t *vcpus, void *range, unsigned int *distance, unsigned int *node_of)
{
	getvnuma *next = (getvnuma *)dlsym(RTLD_NEXT, "xc_domain_getvnuma");
	int rc = next(xch, domid, nodes, ranges, vcpus, range, distance, node_of);

	if (!rc) {
		factor = 1;
	} else if (errno == ENOBUFS && !distance) {
		factor = *nodes;
		rc = 0;
	}

	return rc;
}
