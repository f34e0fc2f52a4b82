// SPDX-License-Identifier: GPL-2.0
/*
 * logdirty DOMID start|clean|peek|stop PAGES: the log of what a guest writes to,
 * as live migration uses it.
 *
 * start has Xen keep it, stop ends that. clean begins it anew, from the next write
 * to each page on. peek prints the frames, of the first PAGES, that were written to
 * since, as lines "FIRST END", END not included. The hypercall is
 * XEN_DOMCTL_shadow_op of Xen 4.17's public/domctl.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define HYPERVISOR_DOMCTL	36
#define INTERFACE_VERSION	0x15
#define DOMCTL_SHADOW_OP	10

struct privcmd_hypercall {
	uint64_t op;
	uint64_t arg[5];
};

#define IOCTL_PRIVCMD_HYPERCALL	_IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

struct domctl {
	uint32_t cmd;
	uint32_t interface_version;
	uint16_t domain;
	uint16_t pad[3];
	struct {
		uint32_t op;
		uint32_t mode;
		uint32_t mb;
		uint64_t dirty_bitmap;
		uint64_t pages;
		uint32_t fault_count;
		uint32_t dirty_count;
		uint64_t rest[11];
	} shadow_op;
};

static const struct {
	const char *name;
	uint32_t op;
} ops[] = {
	{ "stop", 0 }, { "clean", 11 }, { "peek", 12 }, { "start", 2 },
};

static uint32_t op_of(const char *name)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if (!strcmp(ops[i].name, name))
			return ops[i].op;
	fprintf(stderr, "logdirty: there is no %s\n", name);
	exit(2);
}

/* Memory that Xen can reach. */
static void *locked(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED) {
		perror("logdirty: mmap");
		exit(2);
	}
	return p;
}

static int is_set(const uint8_t *bitmap, uint64_t page)
{
	return bitmap[page / 8] >> page % 8 & 1;
}

static void print(const uint8_t *bitmap, uint64_t pages)
{
	for (uint64_t first, page = 0; page < pages; page++) {
		if (!is_set(bitmap, page))
			continue;
		for (first = page; page < pages && is_set(bitmap, page);)
			page++;
		printf("%lu %lu\n", first, page);
	}
}

int main(int argc, char **argv)
{
	uint64_t pages = argc == 4 ? strtoull(argv[3], NULL, 0) : 0;
	int fd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	struct privcmd_hypercall call = { .op = HYPERVISOR_DOMCTL };
	struct domctl *ctl;
	uint8_t *bitmap;

	if (!pages || fd < 0) {
		fprintf(stderr, pages ? "logdirty: /dev/xen/privcmd: %s\n" :
			"usage: logdirty DOMID start|clean|peek|stop PAGES\n", strerror(errno));
		return 2;
	}

	bitmap = locked((pages + 63) / 64 * 8);
	ctl = locked(sizeof(*ctl));
	*ctl = (struct domctl) {
		.cmd = DOMCTL_SHADOW_OP,
		.interface_version = INTERFACE_VERSION,
		.domain = strtoul(argv[1], NULL, 0),
		.shadow_op = {
			.op = op_of(argv[2]),
			.dirty_bitmap = (uintptr_t)bitmap,
			.pages = pages,
		},
	};
	call.arg[0] = (uintptr_t)ctl;
	if (ioctl(fd, IOCTL_PRIVCMD_HYPERCALL, &call) < 0) {
		fprintf(stderr, "logdirty: %s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	if (!strcmp(argv[2], "peek"))
		print(bitmap, ctl->shadow_op.pages);
	return 0;
}
