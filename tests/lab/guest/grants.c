// SPDX-License-Identifier: GPL-2.0
/*
 * grants share DOMID PAGES: lets another domain map pages of this one. Each
 * begins with its grant reference. Prints the references, as ranges, and
 * "ready", and waits to be killed.
 *
 * grants map DOMID PEAK SEED FIRST-LAST...: maps pages of another domain, some
 * at a time and at random, until PEAK pages are mapped, and unmaps them again
 * at random. Prints "peak" and waits for SIGUSR1 at the top. Each page
 * must begin with its reference. Prints "intact" and how much was mapped in all.
 *
 * grants exhaust DOMID FIRST-LAST...: maps pages of another domain until it is
 * refused. Prints why, and how many were mapped, and waits for SIGUSR1. Then it
 * checks and unmaps them, and prints "intact".
 *
 * See <xen/gntalloc.h> and <xen/gntdev.h>.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* <xen/gntdev.h> does not say what these are. */
typedef uint32_t grant_ref_t;
typedef uint16_t domid_t;

#include <xen/gntalloc.h>
#include <xen/gntdev.h>

#define PAGE_BYTES	4096UL
#define CHUNK		64U		/* the most pages that are mapped at once */
#define MAX_PAGES	32768U

struct mapping {
	char *memory;
	uint64_t index;
	unsigned int pages;
	uint32_t ref[CHUNK];
};

static uint32_t refs[MAX_PAGES];
static unsigned int nr_refs;
static struct mapping mappings[MAX_PAGES];
static unsigned int nr_mappings;
static int gntdev;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void share_chunk(int fd, unsigned int domid, unsigned int pages)
{
	struct {
		struct ioctl_gntalloc_alloc_gref op;
		uint32_t more[CHUNK - 1];
	} arg = {
		.op = { .domid = domid, .flags = GNTALLOC_FLAG_WRITABLE, .count = pages },
	};
	unsigned int i;
	char *memory;

	if (ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, &arg))
		die("grants: IOCTL_GNTALLOC_ALLOC_GREF");
	memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      arg.op.index);
	if (memory == MAP_FAILED)
		die("grants: mmap of /dev/xen/gntalloc");
	for (i = 0; i < pages; i++) {
		memcpy(&refs[nr_refs], (char *)arg.op.gref_ids + i * sizeof(uint32_t),
		       sizeof(uint32_t));
		*(uint32_t *)(memory + i * PAGE_BYTES) = refs[nr_refs++];
	}
}

static void share(unsigned int domid, unsigned int pages)
{
	int fd = open("/dev/xen/gntalloc", O_RDWR);
	unsigned int i, first = 0;

	if (fd < 0)
		die("grants: /dev/xen/gntalloc");
	while (nr_refs < pages)
		share_chunk(fd, domid, pages - nr_refs < CHUNK ? pages - nr_refs : CHUNK);
	for (i = 1; i <= nr_refs; i++) {
		if (i < nr_refs && refs[i] == refs[i - 1] + 1)
			continue;
		printf("%u-%u ", refs[first], refs[i - 1]);
		first = i;
	}
	printf("\nready\n");
	pause();
}

/* Returns false, with errno set, when it is refused. */
static bool map_some(unsigned int domid, unsigned int pages)
{
	struct mapping *m = &mappings[nr_mappings];
	struct {
		struct ioctl_gntdev_map_grant_ref op;
		struct ioctl_gntdev_grant_ref more[CHUNK - 1];
	} arg = { .op = { .count = pages } };
	struct ioctl_gntdev_grant_ref *ref = (void *)((char *)&arg.op + sizeof(arg.op) -
						      sizeof(arg.op.refs));
	unsigned int i;

	m->pages = pages;
	for (i = 0; i < pages; i++) {
		m->ref[i] = refs[random() % nr_refs];
		ref[i].domid = domid;
		ref[i].ref = m->ref[i];
	}
	if (ioctl(gntdev, IOCTL_GNTDEV_MAP_GRANT_REF, &arg))
		return false;
	m->index = arg.op.index;
	m->memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, gntdev,
			 m->index);
	if (m->memory == MAP_FAILED)
		die("grants: mmap of /dev/xen/gntdev");
	nr_mappings++;
	return true;
}

/* Returns how many pages that were. */
static unsigned int unmap_one(void)
{
	unsigned int at = random() % nr_mappings, i, pages;
	struct mapping m = mappings[at];
	struct ioctl_gntdev_unmap_grant_ref op = { .index = m.index, .count = m.pages };

	for (i = 0; i < m.pages; i++) {
		uint32_t found = *(uint32_t *)(m.memory + i * PAGE_BYTES);

		if (found == m.ref[i])
			continue;
		printf("a page of reference %u begins with %u\n", m.ref[i], found);
		exit(1);
	}
	if (munmap(m.memory, m.pages * PAGE_BYTES))
		die("grants: munmap");
	if (ioctl(gntdev, IOCTL_GNTDEV_UNMAP_GRANT_REF, &op))
		die("grants: IOCTL_GNTDEV_UNMAP_GRANT_REF");
	pages = m.pages;
	mappings[at] = mappings[--nr_mappings];
	return pages;
}

static void open_gntdev(sigset_t *go_on)
{
	sigemptyset(go_on);
	sigaddset(go_on, SIGUSR1);
	sigprocmask(SIG_BLOCK, go_on, NULL);
	gntdev = open("/dev/xen/gntdev", O_RDWR);
	if (gntdev < 0)
		die("grants: /dev/xen/gntdev");
}

static void map(unsigned int domid, unsigned int peak)
{
	unsigned int mapped = 0, all = 0, n;
	sigset_t go_on;
	int signal;

	open_gntdev(&go_on);
	while (mapped < peak) {
		if (nr_mappings && random() % 3 == 0) {
			mapped -= unmap_one();
			continue;
		}
		n = 1 + random() % CHUNK;
		if (n > peak - mapped)
			n = peak - mapped;
		if (!map_some(domid, n))
			die("grants: IOCTL_GNTDEV_MAP_GRANT_REF");
		mapped += n;
		all += n;
	}
	printf("peak\n");
	sigwait(&go_on, &signal);
	while (mapped)
		mapped -= unmap_one();
	printf("intact, %u pages mapped in all\n", all);
}

static void exhaust(unsigned int domid)
{
	unsigned int mapped = 0;
	sigset_t go_on;
	int signal;

	open_gntdev(&go_on);
	while (nr_mappings < MAX_PAGES && map_some(domid, CHUNK))
		mapped += CHUNK;
	printf("refused after %u pages: %s\n", mapped, strerror(errno));
	sigwait(&go_on, &signal);
	while (mapped)
		mapped -= unmap_one();
	printf("intact\n");
}

static void read_refs(char **ranges)
{
	unsigned int first, last;

	for (; *ranges; ranges++) {
		if (sscanf(*ranges, "%u-%u", &first, &last) != 2) {
			fprintf(stderr, "grants: %s is no range of references\n", *ranges);
			exit(2);
		}
		while (first <= last && nr_refs < MAX_PAGES)
			refs[nr_refs++] = first++;
	}
}

int main(int argc, char **argv)
{
	unsigned int domid, pages;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 4)
		goto usage;
	domid = strtoul(argv[2], NULL, 0);
	if (!strcmp(argv[1], "exhaust")) {
		read_refs(argv + 3);
		exhaust(domid);
		return 0;
	}
	pages = strtoul(argv[3], NULL, 0);
	if (!pages || pages > MAX_PAGES)
		goto usage;

	if (!strcmp(argv[1], "share") && argc == 4) {
		share(domid, pages);
		return 0;
	}
	if (strcmp(argv[1], "map") || argc < 6)
		goto usage;
	srandom(strtoul(argv[4], NULL, 0));
	read_refs(argv + 5);
	map(domid, pages);
	return 0;

usage:
	fprintf(stderr, "usage: grants share DOMID PAGES\n"
			"       grants map DOMID PEAK SEED FIRST-LAST...\n"
			"       grants exhaust DOMID FIRST-LAST...\n");
	return 2;
}
