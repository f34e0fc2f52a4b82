// SPDX-License-Identifier: GPL-2.0
/*
 * stalls MIB SECONDS: how long a program is kept from going on.
 *
 * Reads and writes one word of a page at random of MIB of its memory, without
 * a pause, and reads the clock after each; the time from one reading to the
 * next is a gap. Time is cut into windows of 1 ms by the clock. Of each window
 * one sample is taken: the longest gap that any part of the window lies in, so
 * that a gap of 10 ms is the sample of about ten windows, and a percentile of
 * the samples is one of the time that goes by.
 *
 * Prints "ready" when the memory is filled and the clock starts, and after
 * SECONDS, or on SIGTERM,
 *
 *	samples N		the number of windows
 *	max US			the longest gap of all, in microseconds
 *	p999 US			what 99.9 % of the samples are not above, to 9 %
 *	bucket US COUNT		samples up to US and above the bucket before;
 *				one line for each bucket that is not empty
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE_BYTES	4096UL
#define PAGE_WORDS	(PAGE_BYTES / sizeof(uint64_t))
#define WINDOW_NS	1000000UL
#define FIRST_NS	1000.0
#define FACTOR		1.0905077326652577	/* 2^(1/8) */
#define BUCKETS		188			/* the last one ends above 10 s */

static int stopped;
static double upper[BUCKETS];			/* all in nanoseconds */
static unsigned long counts[BUCKETS];
static unsigned long samples, longest_of_all;

static void stop(int signal)
{
	(void)signal;
	__atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
}

static unsigned long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000UL + time.tv_nsec;
}

static uint64_t next_random(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15UL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Counts a sample for each of @windows. */
static void record(unsigned long gap, unsigned long windows)
{
	unsigned int i = 0;

	while (i < BUCKETS - 1 && gap > upper[i])
		i++;
	counts[i] += windows;
	samples += windows;
}

static void touch(uint64_t *word)
{
	__atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

static void measure(uint64_t *words, size_t pages, unsigned long ns)
{
	unsigned long start = now(), last = start, window_end = start + WINDOW_NS;
	unsigned long time, gap, longest = 0, covered;

	while (!__atomic_load_n(&stopped, __ATOMIC_RELAXED) && last - start < ns) {
		touch(&words[next_random() % pages * PAGE_WORDS]);
		time = now();
		gap = time - last;
		last = time;
		if (gap > longest)
			longest = gap;
		if (time < window_end)
			continue;
		record(longest, 1);
		covered = (time - window_end) / WINDOW_NS;
		record(gap, covered);
		window_end += (covered + 1) * WINDOW_NS;
		if (longest > longest_of_all)
			longest_of_all = longest;
		longest = gap;
	}
}

static void report(void)
{
	unsigned long below = 0;
	unsigned int i;

	for (i = 0; i < BUCKETS - 1; i++) {
		below += counts[i];
		if (below >= samples - samples / 1000)
			break;
	}
	printf("samples %lu\nmax %.1f\np999 %.1f\n", samples, longest_of_all / 1e3,
	       (upper[i] < longest_of_all ? upper[i] : longest_of_all) / 1e3);
	for (i = 0; i < BUCKETS; i++)
		if (counts[i])
			printf("bucket %.1f %lu\n", upper[i] / 1e3, counts[i]);
}

int main(int argc, char **argv)
{
	size_t bytes = (argc == 3 ? strtoul(argv[1], NULL, 0) : 0) << 20, at;
	uint64_t *words;
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!bytes) {
		fprintf(stderr, "usage: stalls MIB SECONDS\n");
		return 2;
	}
	words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED) {
		perror("stalls: mmap");
		return 2;
	}
	for (at = 0; at < bytes; at += PAGE_BYTES)
		touch(&words[at / sizeof(*words)]);
	upper[0] = FIRST_NS;
	for (i = 1; i < BUCKETS; i++)
		upper[i] = upper[i - 1] * FACTOR;

	signal(SIGTERM, stop);
	printf("ready\n");
	measure(words, bytes / PAGE_BYTES, strtod(argv[2], NULL) * 1e9);
	report();
	return 0;
}
