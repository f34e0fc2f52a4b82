// SPDX-License-Identifier: GPL-2.0
/*
 * chase MIB STEPS: what an access to memory costs a program that waits for it.
 *
 * Each page of MIB of memory has one pointer, in a cache line at random, to
 * that of another page; all of them make one ring in random order, so that
 * nearly each step misses the TLB and the caches. Follows the ring for STEPS
 * steps, five times, and prints the nanoseconds of a step for each of these
 * rounds, one on a line. What was done before, once around the ring included,
 * is not timed. Huge pages back the memory or not as the guest is set up to.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE_BYTES	4096UL
#define LINE_BYTES	64UL
#define ROUNDS		5

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

/* Puts the pages in an order that is one ring (Sattolo's shuffle), and returns its begin. */
static void **build(char *memory, size_t pages)
{
	void ***places = calloc(pages, sizeof(*places)), **place;
	size_t i, j;

	if (!places) {
		perror("chase: calloc");
		exit(2);
	}
	for (i = 0; i < pages; i++)
		places[i] = (void **)(memory + i * PAGE_BYTES +
				      random() % (PAGE_BYTES / LINE_BYTES) * LINE_BYTES);
	for (i = pages - 1; i > 0; i--) {
		j = random() % i;
		place = places[i];
		places[i] = places[j];
		places[j] = place;
	}
	for (i = 0; i < pages; i++)
		*places[i] = places[(i + 1) % pages];
	place = places[0];
	free(places);
	return place;
}

static void **follow(void **place, unsigned long steps)
{
	while (steps--)
		place = __atomic_load_n(place, __ATOMIC_RELAXED);
	return place;
}

int main(int argc, char **argv)
{
	size_t bytes = (argc == 3 ? strtoul(argv[1], NULL, 0) : 0) << 20;
	unsigned long steps = argc == 3 ? strtoul(argv[2], NULL, 0) : 0;
	double start;
	char *memory;
	void **place;
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!bytes || !steps) {
		fprintf(stderr, "usage: chase MIB STEPS\n");
		return 2;
	}
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("chase: mmap");
		return 2;
	}
	place = follow(build(memory, bytes / PAGE_BYTES), bytes / PAGE_BYTES);
	for (i = 0; i < ROUNDS; i++) {
		start = now();
		place = follow(place, steps);
		printf("%.2f\n", (now() - start) / steps);
	}
	return 0;
}
