// SPDX-License-Identifier: GPL-2.0
/*
 * arrival TARGET_KB SECONDS: waits for the balloon to arrive at its next target,
 * and takes next to no CPU time from it.
 *
 * That is when the driver's target is no longer TARGET_KB and current_kb is what
 * the new one asks for, to the page.  Prints "arrived" then, and into the kernel's
 * trace; ends with exit status 1 and the figures when SECONDS have gone by.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MARKER		"/sys/kernel/tracing/trace_marker"
#define DEVICE		"/sys/devices/system/xen_memory/xen_memory0/"
#define PAGE_KB		4
#define LOOK_EVERY_NS	100000000

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0) {
		fprintf(stderr, "arrival: cannot open %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static long read_kb(int fd)
{
	char text[32];
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);

	if (length <= 0) {
		fprintf(stderr, "arrival: cannot read: %s\n", strerror(errno));
		exit(2);
	}
	text[length] = '\0';
	return strtol(text, NULL, 10);
}

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = LOOK_EVERY_NS };
	long was, target, current = 0;
	int target_fd, current_fd, marker_fd;
	time_t end;

	if (argc != 3) {
		fprintf(stderr, "usage: arrival TARGET_KB SECONDS\n");
		return 2;
	}
	target_fd = open_file(DEVICE "target_kb", O_RDONLY);
	current_fd = open_file(DEVICE "info/current_kb", O_RDONLY);
	marker_fd = open_file(MARKER, O_WRONLY);
	was = strtol(argv[1], NULL, 10);
	end = time(NULL) + strtol(argv[2], NULL, 10);

	do {
		target = read_kb(target_fd);
		if (target != was)
			current = read_kb(current_fd);
		if (target != was && current == target / PAGE_KB * PAGE_KB) {
			puts("arrived");
			return write(marker_fd, "arrived", 7) != 7;
		}
		nanosleep(&pause, NULL);
	} while (time(NULL) <= end);

	printf("not there after %s s: target %ld kB, it was %ld kB, current %ld kB\n",
	       argv[2], target, was, current);
	return 1;
}
