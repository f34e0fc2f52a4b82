// SPDX-License-Identifier: GPL-2.0
/*
 * holes MIB: holds every second page of MIB of memory, so that what is free
 * between them are single pages. Prints "ready" when it does, and waits for
 * SIGTERM.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES	4096UL

int main(int argc, char **argv)
{
	size_t bytes = (argc == 2 ? strtoul(argv[1], NULL, 0) : 0) << 20, at;
	char *memory;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!bytes) {
		fprintf(stderr, "usage: holes MIB\n");
		return 2;
	}
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("holes: mmap");
		return 2;
	}

	/* A huge page could not lose every second page of it. */
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	for (at = 0; at < bytes; at += PAGE_BYTES)
		memory[at] = 1;
	for (at = PAGE_BYTES; at < bytes; at += 2 * PAGE_BYTES)
		if (madvise(memory + at, PAGE_BYTES, MADV_DONTNEED)) {
			perror("holes: madvise");
			return 1;
		}
	printf("ready\n");
	pause();
	return 0;
}
