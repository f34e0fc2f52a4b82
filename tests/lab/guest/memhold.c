// SPDX-License-Identifier: GPL-2.0
/*
 * memhold MIB [SEED]: holds MIB of memory filled with a pattern and watches
 * over it.
 *
 * Every word depends on the seed and on its own place, so that a page
 * that was lost, swapped with another or zeroed shows up.  Prints "ready"
 * once all is written, verifies it over and over, and on SIGTERM verifies it
 * a last time and says "intact" (exit status 0) or "corrupt" (1).  Each wrong
 * page is printed when it is met.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#define PAGE_BYTES	4096UL
#define PAGE_WORDS	(PAGE_BYTES / sizeof(unsigned long))
#define REPORTED_MAX	10

static unsigned long expected(unsigned long seed, size_t word)
{
	return (seed + word + 1) * 0x9e3779b97f4a7c15UL;
}

static void fill(unsigned long *words, size_t count, unsigned long seed)
{
	for (size_t i = 0; i < count; i++)
		words[i] = expected(seed, i);
}

/* Returns the number of pages that hold a wrong word. */
static size_t verify(const unsigned long *words, size_t count, unsigned long seed)
{
	size_t wrong = 0;

	for (size_t page = 0; page < count; page += PAGE_WORDS) {
		for (size_t i = page; i < page + PAGE_WORDS; i++) {
			if (words[i] == expected(seed, i))
				continue;
			if (wrong++ < REPORTED_MAX)
				printf("wrong: page %zu word %zu is %#lx, expected %#lx\n",
				       page / PAGE_WORDS, i - page, words[i],
				       expected(seed, i));
			break;
		}
	}
	return wrong;
}

int main(int argc, char **argv)
{
	size_t mib = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	size_t bytes = mib << 20, passes = 0, wrong = 0;
	const struct timespec pause = { .tv_sec = 2 };
	unsigned long *words;
	sigset_t stop;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!mib || argc > 3) {
		fprintf(stderr, "usage: memhold MIB [SEED]\n");
		return 2;
	}
	words = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED) {
		perror("memhold: mmap");
		return 2;
	}

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	setpriority(PRIO_PROCESS, 0, 19);
	fill(words, bytes / sizeof(*words), seed);
	printf("ready: %zu MiB, seed %lu\n", mib, seed);

	while (sigtimedwait(&stop, NULL, &pause) < 0) {
		wrong += verify(words, bytes / sizeof(*words), seed);
		passes++;
	}
	wrong += verify(words, bytes / sizeof(*words), seed);
	passes++;

	printf("%s: %zu MiB verified %zu times, wrong pages %zu\n",
	       wrong ? "corrupt" : "intact", mib, passes, wrong);
	return wrong != 0;
}
