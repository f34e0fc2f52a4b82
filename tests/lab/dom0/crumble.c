// SPDX-License-Identifier: GPL-2.0
/*
 * crumble DOMID FIRST COUNT RATE: has a PVH domain that never runs give memory back to
 * Xen: COUNT pages, each second one from frame FIRST on, RATE of them in a second.
 * No two of them make a larger piece. Prints how many Xen took.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define HYPERVISOR_MEMORY_OP	12
#define DECREASE_RESERVATION	1
#define NS_PER_S		1000000000L

struct privcmd_hypercall {
	uint64_t op;
	uint64_t arg[5];
};

#define IOCTL_PRIVCMD_HYPERCALL	_IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

/* What Xen has to reach: struct xen_memory_reservation of its public/memory.h. */
struct request {
	uint64_t extent_start;
	uint64_t nr_extents;
	uint32_t extent_order;
	uint32_t mem_flags;
	uint16_t domid;
	uint64_t frame;
};

/* The moment that is so many ns after another. */
static struct timespec after(struct timespec start, unsigned long ns)
{
	ns += start.tv_nsec;
	start.tv_sec += ns / NS_PER_S;
	start.tv_nsec = ns % NS_PER_S;
	return start;
}

int main(int argc, char **argv)
{
	int fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	struct privcmd_hypercall call = {
		.op = HYPERVISOR_MEMORY_OP, .arg = { DECREASE_RESERVATION },
	};
	unsigned long n, count, rate;
	struct timespec start, at;
	struct request *request;

	if (argc != 5 || fd < 0) {
		fprintf(stderr, argc == 5 ? "crumble: /dev/xen/privcmd: %s\n" :
			"usage: crumble DOMID FIRST COUNT RATE\n", strerror(errno));
		return 2;
	}
	request = mmap(NULL, sizeof(*request), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	if (request == MAP_FAILED) {
		perror("crumble: mmap");
		return 2;
	}

	request->extent_start = (uintptr_t)&request->frame;
	request->nr_extents = 1;
	request->domid = strtoul(argv[1], NULL, 0);
	request->frame = strtoul(argv[2], NULL, 0);
	count = strtoul(argv[3], NULL, 0);
	rate = strtoul(argv[4], NULL, 0);
	call.arg[1] = (uintptr_t)request;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (n = 0; n < count; n++) {
		at = after(start, n * (NS_PER_S / rate));
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
			;
		if (ioctl(fd, IOCTL_PRIVCMD_HYPERCALL, &call) != 1) {
			fprintf(stderr, "crumble: Xen did not take frame %#lx\n", request->frame);
			break;
		}
		request->frame += 2;
	}
	printf("%lu\n", n);
	return n < count;
}
