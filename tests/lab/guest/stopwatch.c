// SPDX-License-Identifier: GPL-2.0
/*
 * stopwatch TARGET_KB SECONDS: times the balloon's way to its next target.
 *
 * The clock starts when the driver's target is no longer TARGET_KB, and stops
 * when current_kb is what the new target asks for, to the page.  Prints the
 * seconds in between; ends with exit status 1 and the figures when SECONDS
 * have gone by since the program was started.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEVICE		"/sys/devices/system/xen_memory/xen_memory0/"
#define PAGE_KB		4
#define LOOK_EVERY_NS	2000000

static long read_kb(const char *path)
{
	FILE *file = fopen(path, "r");
	long value;

	if (!file || fscanf(file, "%ld", &value) != 1) {
		fprintf(stderr, "stopwatch: cannot read %s: %s\n", path,
			strerror(errno));
		exit(2);
	}
	fclose(file);
	return value;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = LOOK_EVERY_NS };
	double begin = now(), start = 0;
	long was, target, current;

	if (argc != 3) {
		fprintf(stderr, "usage: stopwatch TARGET_KB SECONDS\n");
		return 2;
	}
	was = strtol(argv[1], NULL, 10);

	do {
		target = read_kb(DEVICE "target_kb");
		if (!start && target != was)
			start = now();
		current = read_kb(DEVICE "info/current_kb");
		if (start && current == target / PAGE_KB * PAGE_KB) {
			printf("%.4f\n", now() - start);
			return 0;
		}
		nanosleep(&pause, NULL);
	} while (now() - begin < strtod(argv[2], NULL));

	printf("not there after %s s: target %ld kB, it was %ld kB, current %ld kB\n",
	       argv[2], target, was, current);
	return 1;
}
