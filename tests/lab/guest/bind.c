// SPDX-License-Identifier: GPL-2.0
/*
 * bind NODE MIB: holds MIB of memory of one node, bound to it, and watches over it.
 *
 * Every word depends on its own place. Prints "ready" once all is written, and from then on
 * verifies it over and over, and writes to each page. On SIGTERM it verifies it a last time and
 * says
 *
 *	intact: N MiB verified T times, wrong pages W, off-node pages O
 *
 * or "corrupt" (exit status 1) where a page was wrong. Those off-node are on another node, or
 * nowhere, then, as move_pages(2) has it.
 */
#define _GNU_SOURCE
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES	4096UL
#define PAGE_WORDS	(PAGE_BYTES / sizeof(unsigned long))
#define BATCH		512

static unsigned long expected(size_t word)
{
	return (word + 1) * 0x9e3779b97f4a7c15UL;
}

/* Returns the number of pages with a wrong word. Of each the first counts the passes. */
static size_t verify(unsigned long *words, size_t count, size_t passes)
{
	size_t wrong = 0, page, i;

	for (page = 0; page < count; page += PAGE_WORDS) {
		for (i = page + 1; i < page + PAGE_WORDS && words[i] == expected(i); i++)
			;
		if (i < page + PAGE_WORDS || words[page] != expected(page) + passes)
			wrong++;
		words[page] = expected(page) + passes + 1;
	}
	return wrong;
}

static size_t off_node(char *memory, size_t bytes, int node)
{
	size_t off = 0, i;

	for (char *at = memory; at < memory + bytes; at += BATCH * PAGE_BYTES) {
		void *pages[BATCH];
		int status[BATCH];

		for (i = 0; i < BATCH; i++)
			pages[i] = at + i * PAGE_BYTES;
		if (syscall(SYS_move_pages, 0, (long)BATCH, pages, NULL, status, 0)) {
			perror("bind: move_pages");
			exit(2);
		}
		for (i = 0; i < BATCH; i++)
			off += status[i] != node;
	}
	return off;
}

int main(int argc, char **argv)
{
	int node = argc == 3 ? atoi(argv[1]) : 0;
	size_t mib = argc == 3 ? strtoul(argv[2], NULL, 0) : 0;
	size_t bytes = mib << 20, count = bytes / sizeof(long), passes = 0, wrong = 0, off, i;
	const struct timespec pause = { .tv_sec = 1 };
	unsigned long mask = 1UL << node, *words;
	sigset_t stop;
	int told;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!mib || mib % 2) {
		fprintf(stderr, "usage: bind NODE MIB, an even number\n");
		return 2;
	}
	words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED ||
	    syscall(SYS_mbind, words, bytes, MPOL_BIND, &mask, 8 * sizeof(mask), 0)) {
		perror("bind");
		return 2;
	}

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	setpriority(PRIO_PROCESS, 0, 19);
	for (i = 0; i < count; i++)
		words[i] = expected(i);
	printf("ready: %zu MiB of node %d\n", mib, node);

	do {
		told = sigtimedwait(&stop, NULL, &pause) >= 0;
		wrong += verify(words, count, passes++);
	} while (!told);

	off = off_node((char *)words, bytes, node);
	printf("%s: %zu MiB verified %zu times, wrong pages %zu, off-node pages %zu\n",
	       wrong ? "corrupt" : "intact", mib, passes, wrong, off);
	return wrong != 0;
}
