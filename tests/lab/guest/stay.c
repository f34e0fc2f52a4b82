// SPDX-License-Identifier: GPL-2.0
/*
 * stay MIB: has memory that must stay where it is.
 *
 * MIB of memory are locked and written. Of as much again one page of each 2 MiB is
 * put into a pipe, and the rest freed: the kernel cannot move a page of a pipe. Prints
 * "ready" and waits; on SIGUSR1 it prints how many of the locked pages are elsewhere
 * than at the beginning, how many minor faults there were since, and the longest time
 * that a write to one took.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES	4096UL
#define HUGE_BYTES	(512 * PAGE_BYTES)
#define PFN_MASK	((1ULL << 55) - 1)
#define PIPE_PAGES	16

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static char *map(size_t bytes)
{
	char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (start == MAP_FAILED)
		die("stay: mmap");
	madvise(start, bytes, MADV_NOHUGEPAGE);
	return start;
}

/* One page of each 2 MiB goes into a pipe. */
static void hold_some(size_t bytes)
{
	char *start = map(bytes);
	int ends[2] = { -1, -1 };
	struct iovec part;
	size_t at, nr = 0;

	memset(start, 1, bytes);
	for (at = 0; at < bytes; at += HUGE_BYTES) {
		if (nr++ % PIPE_PAGES == 0 && pipe(ends))
			die("stay: pipe");
		part.iov_base = start + at;
		part.iov_len = PAGE_BYTES;
		if (vmsplice(ends[1], &part, 1, 0) != (ssize_t)PAGE_BYTES)
			die("stay: vmsplice");
	}
	for (at = 0; at < bytes; at += HUGE_BYTES)
		madvise(start + at + PAGE_BYTES, HUGE_BYTES - PAGE_BYTES, MADV_DONTNEED);
}

static void look_up(int pagemap, const char *start, uint64_t *pfns, size_t nr)
{
	ssize_t want = nr * sizeof(*pfns);

	if (pread(pagemap, pfns, want, (uintptr_t)start / PAGE_BYTES * sizeof(*pfns)) != want)
		die("stay: /proc/self/pagemap");
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	size_t bytes = argc == 2 ? strtoul(argv[1], NULL, 0) << 20 : 0;
	size_t nr = bytes / PAGE_BYTES, i, moved = 0, at = 0;
	const struct timespec pause = { .tv_nsec = 1000000 };
	double last, now, longest = 0;
	uint64_t *before, *after;
	long first = 0, looks = 0;
	char *start;
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	sigset_t asked;

	if (!bytes || pagemap < 0) {
		fprintf(stderr, "usage: stay MIB, as root\n");
		return 2;
	}
	sigemptyset(&asked);
	sigaddset(&asked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &asked, NULL);
	hold_some(bytes);
	start = map(bytes);
	before = (uint64_t *)map(nr * sizeof(*before));
	after = (uint64_t *)map(nr * sizeof(*after));
	memset(start, 1, bytes);
	memset(after, 0, nr * sizeof(*after));
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("stay: mlockall");
	look_up(pagemap, start, before, nr);

	setvbuf(stdout, NULL, _IOLBF, 0);
	do {
		/* What the first look needs is there after it. */
		if (looks++ == 1) {
			first = faults();
			printf("ready\n");
		}
		last = now_ms();
		start[at * PAGE_BYTES]++;
		at = (at + 1) % nr;
		now = now_ms();
		if (now - last > longest)
			longest = now - last;
	} while (sigtimedwait(&asked, NULL, &pause) < 0);

	first = faults() - first;
	look_up(pagemap, start, after, nr);
	for (i = 0; i < nr; i++)
		moved += (before[i] & PFN_MASK) != (after[i] & PFN_MASK);
	printf("%zu pages moved, %ld minor faults, longest write %.3f ms\n", moved, first, longest);
	return 0;
}
