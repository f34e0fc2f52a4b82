// SPDX-License-Identifier: GPL-2.0
/*
 * take MIB: wants MIB of memory at once, and writes to each page of it; prints how many
 * milliseconds that took, and gives it back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define PAGE_BYTES	4096UL

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	size_t bytes = argc == 2 ? strtoul(argv[1], NULL, 0) << 20 : 0, at;
	double start;
	char *memory;

	if (!bytes) {
		fprintf(stderr, "usage: take MIB\n");
		return 2;
	}

	start = now_ms();
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("take");
		return 2;
	}
	for (at = 0; at < bytes; at += PAGE_BYTES)
		memory[at] = 1;
	printf("%.1f\n", now_ms() - start);

	return 0;
}
