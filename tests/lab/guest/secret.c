// SPDX-License-Identifier: GPL-2.0
/*
 * secret HEX MIB [holes]: fills MIB of memory with the bytes that HEX tells, over and over,
 * so that each page is full of them, prints "ready", and ends: they are still there when the
 * memory is free. With "holes" it gives back every second page only, and waits to be
 * killed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES	4096UL
#define SECRET_BYTES	16UL

static unsigned char secret[PAGE_BYTES];

/* Only here do the bytes come into being, so that they are nowhere but in the guest. */
static int read_secret(const char *hex)
{
	unsigned int byte;
	size_t i;

	if (strlen(hex) != 2 * SECRET_BYTES)
		return -1;
	for (i = 0; i < PAGE_BYTES; i++) {
		if (sscanf(hex + 2 * (i % SECRET_BYTES), "%2x", &byte) != 1)
			return -1;
		secret[i] = byte;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int holes = argc == 4 && !strcmp(argv[3], "holes");
	size_t bytes, at;
	char *memory;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3 || argc > 3 + holes || read_secret(argv[1])) {
		fprintf(stderr, "usage: secret HEX MIB [holes], with %lu bytes in hexadecimal\n",
			SECRET_BYTES);
		return 2;
	}
	bytes = strtoul(argv[2], NULL, 0) << 20;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("secret: mmap");
		return 2;
	}

	/* A huge page could not lose every second page of it. */
	madvise(memory, bytes, MADV_NOHUGEPAGE);
	for (at = 0; at < bytes; at += PAGE_BYTES)
		memcpy(memory + at, secret, PAGE_BYTES);
	for (at = PAGE_BYTES; holes && at < bytes; at += 2 * PAGE_BYTES)
		if (madvise(memory + at, PAGE_BYTES, MADV_DONTNEED)) {
			perror("secret: madvise");
			return 1;
		}
	printf("ready\n");
	if (holes)
		pause();
	return 0;
}
