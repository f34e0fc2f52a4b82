// SPDX-License-Identifier: GPL-2.0
/*
 * stalls MIB: how long a program is kept from going on, until it gets SIGTERM.
 *
 * One thread reads and writes one word of a page at random of MIB of memory,
 * without a pause, and reads the clock after each; the time from one reading to
 * the next is a gap. Time is cut into windows of 1 ms; the longest gap that began
 * in a window is its sample. Another thread wakes by a timer each 1 ms, and its
 * lateness is a sample. Times that lie wholly within a stall give none.
 *
 * Prints "ready" when the memory is filled and the clock starts, and in the
 * end, for both threads, touch and timer,
 *
 *	NAME samples N
 *	NAME max US		the longest of all, in microseconds
 *	NAME p999 US		what 99.9 % of the samples are not above, to 9 %
 *	NAME bucket US COUNT	samples up to US and above the bucket before;
 *				one line for each bucket that is not empty
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE_BYTES	4096UL
#define PAGE_WORDS	(PAGE_BYTES / sizeof(uint64_t))
#define PERIOD_NS	1000000UL
#define SECOND_NS	1000000000UL
#define FIRST_NS	1000.0
#define FACTOR		1.0905077326652577	/* 2^(1/8) */
#define BUCKETS		188			/* the last one ends above 10 s */

struct histogram {
	unsigned long counts[BUCKETS];
	unsigned long samples;
	unsigned long longest;
};

static double upper[BUCKETS];			/* all in nanoseconds */
static struct histogram touched, timed;
static uint64_t *words;
static size_t pages;
static unsigned long start;
static int over;

static unsigned long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND_NS + time.tv_nsec;
}

static uint64_t next_random(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15UL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void record(struct histogram *histogram, unsigned long ns)
{
	unsigned int i = 0;

	while (i < BUCKETS - 1 && ns > upper[i])
		i++;
	histogram->counts[i]++;
	histogram->samples++;
	if (ns > histogram->longest)
		histogram->longest = ns;
}

static void touch(uint64_t *word)
{
	__atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

static void touch_pages(void)
{
	unsigned long last = start, window_end = start + PERIOD_NS, longest = 0, time;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		touch(&words[next_random() % pages * PAGE_WORDS]);
		time = now();
		if (last >= window_end) {
			record(&touched, longest);
			longest = 0;
			window_end += (last - window_end) / PERIOD_NS * PERIOD_NS + PERIOD_NS;
		}
		if (time - last > longest)
			longest = time - last;
		last = time;
	}
	record(&touched, longest);
}

static void *wait_for_timer(void *unused)
{
	unsigned long wanted = start + PERIOD_NS, late;
	struct timespec time;

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		time.tv_sec = wanted / SECOND_NS;
		time.tv_nsec = wanted % SECOND_NS;
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL))
			;
		late = now() - wanted;
		record(&timed, late);
		wanted += late / PERIOD_NS * PERIOD_NS + PERIOD_NS;
	}
	return unused;
}

static void report(const char *name, const struct histogram *histogram)
{
	unsigned long below = 0, p999;
	unsigned int i;

	for (i = 0; i < BUCKETS - 1; i++) {
		below += histogram->counts[i];
		if (below >= histogram->samples - histogram->samples / 1000)
			break;
	}
	p999 = upper[i] < histogram->longest ? upper[i] : histogram->longest;
	printf("%s samples %lu\n%s max %.1f\n%s p999 %.1f\n", name, histogram->samples, name,
	       histogram->longest / 1e3, name, p999 / 1e3);
	for (i = 0; i < BUCKETS; i++)
		if (histogram->counts[i])
			printf("%s bucket %.1f %lu\n", name, upper[i] / 1e3, histogram->counts[i]);
}

static void end(int unused)
{
	(void)unused;
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
}

int main(int argc, char **argv)
{
	size_t bytes = (argc == 2 ? strtoul(argv[1], NULL, 0) : 0) << 20, at;
	pthread_t timer;
	unsigned int i;
	int error;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!bytes) {
		fprintf(stderr, "usage: stalls MIB\n");
		return 2;
	}
	words = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED) {
		perror("stalls: mmap");
		return 2;
	}
	for (at = 0; at < bytes; at += PAGE_BYTES)
		touch(&words[at / sizeof(*words)]);
	pages = bytes / PAGE_BYTES;
	upper[0] = FIRST_NS;
	for (i = 1; i < BUCKETS; i++)
		upper[i] = upper[i - 1] * FACTOR;

	signal(SIGTERM, end);
	puts("ready");
	start = now();
	error = pthread_create(&timer, NULL, wait_for_timer, NULL);
	if (error) {
		fprintf(stderr, "stalls: a second thread: %s\n", strerror(error));
		return 2;
	}
	touch_pages();
	pthread_join(timer, NULL);

	report("touch", &touched);
	report("timer", &timed);
	return 0;
}
