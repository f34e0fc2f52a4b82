// SPDX-License-Identifier: GPL-2.0
/*
 * walk SECONDS TARGET_KB...: leads the balloon through a list of targets and
 * checks at each stop that it landed on it to the page.
 *
 * A stop is good when current_kb equals the target rounded down to a page,
 * MemTotal moved by exactly as much as current_kb did since the start, and,
 * where xen-balloon is loaded, the queues made up for it and the invariant
 * file says ok.  What the guest has given of its own accord counts as what it
 * has.  A stop that is not good after SECONDS ends the walk with exit status 1
 * and the figures.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEVICE		"/sys/devices/system/xen_memory/xen_memory0/"
#define GIVEN		DEVICE "elastic/given_kb"
#define INVARIANT	"/sys/kernel/debug/xen-balloon/invariant"

struct counts {
	long current;		/* all in KiB */
	long memtotal;
	long queues;		/* 0 where xen-balloon is not loaded */
};

static const char *const queue_files[] = {
	DEVICE "queues/huge_kb",
	DEVICE "queues/base_kb",
	DEVICE "queues/foreign_spare_kb",
	DEVICE "queues/foreign_lent_kb",
	DEVICE "queues/quarantined_kb",
};

static long read_number(const char *path, const char *format)
{
	long value = -1;
	FILE *file = fopen(path, "r");

	if (!file || fscanf(file, format, &value) != 1) {
		fprintf(stderr, "walk: cannot read %s: %s\n", path,
			strerror(errno));
		exit(2);
	}
	fclose(file);
	return value;
}

static void write_number(const char *path, long value)
{
	FILE *file = fopen(path, "w");

	if (!file || fprintf(file, "%ld\n", value) < 0 || fclose(file)) {
		fprintf(stderr, "walk: cannot write %ld to %s: %s\n", value,
			path, strerror(errno));
		exit(2);
	}
}

static bool loaded(void)
{
	return !access(queue_files[0], R_OK);
}

static struct counts read_counts(void)
{
	struct counts counts = {
		.current = read_number(DEVICE "info/current_kb", "%ld"),
		.memtotal = read_number("/proc/meminfo", "MemTotal: %ld"),
	};

	if (!loaded())
		return counts;
	counts.queues = -read_number(GIVEN, "%ld");
	counts.current -= counts.queues;
	for (size_t i = 0; i < sizeof(queue_files) / sizeof(*queue_files); i++)
		counts.queues += read_number(queue_files[i], "%ld");
	return counts;
}

/*
 * What is in the midst of being lent or returned is seen twice or not at all:
 * the counts are good when they stay for longer than a virtual CPU is kept
 * waiting, and than it takes to give 16 MiB.
 */
static struct counts read_settled_counts(void)
{
	struct counts counts = read_counts(), again;
	unsigned int same = 0;

	while (same < 16) {
		usleep(20000);
		again = read_counts();
		same = memcmp(&counts, &again, sizeof(counts)) ? 0 : same + 1;
		counts = again;
	}

	return counts;
}

static void read_invariant(char *text, size_t size)
{
	FILE *file = loaded() ? fopen(INVARIANT, "r") : NULL;
	size_t length;

	if (!loaded()) {
		snprintf(text, size, "ok\n");
		return;
	}
	if (!file) {
		fprintf(stderr, "walk: cannot open %s: %s\n", INVARIANT,
			strerror(errno));
		exit(2);
	}
	length = fread(text, 1, size - 1, file);
	text[length] = '\0';
	fclose(file);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static bool good(const struct counts *first, const struct counts *here,
		 long target, const char *invariant)
{
	long moved = here->current - first->current;

	return here->current == target &&
	       here->memtotal - first->memtotal == moved &&
	       (!loaded() || here->queues - first->queues == -moved) &&
	       !strcmp(invariant, "ok\n");
}

static bool visit(const struct counts *first, long target, double seconds)
{
	double start = now();
	char invariant[1024];
	struct counts here;

	write_number(DEVICE "target_kb", target);
	target &= ~3L;
	do {
		here = read_counts();
		read_invariant(invariant, sizeof(invariant));
		if (good(first, &here, target, invariant)) {
			printf("%ld kB after %.0f ms\n", target,
			       (now() - start) * 1e3);
			return true;
		}
		usleep(2000);
	} while (now() - start < seconds);

	printf("not good after %.1f s: target %ld, current %ld\n", seconds, target, here.current);
	printf("since the start current moved by %ld, MemTotal by %ld, queues by %ld\n",
	       here.current - first->current, here.memtotal - first->memtotal,
	       here.queues - first->queues);
	printf("invariant: %s", invariant);
	return false;
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? strtod(argv[1], NULL) : 0;
	struct counts first;

	if (seconds <= 0) {
		fprintf(stderr, "usage: walk SECONDS TARGET_KB...\n");
		return 2;
	}
	first = read_settled_counts();
	for (int i = 2; i < argc; i++)
		if (!visit(&first, strtol(argv[i], NULL, 0), seconds))
			return 1;
	printf("landed on %d of %d targets\n", argc - 2, argc - 2);
	return 0;
}
