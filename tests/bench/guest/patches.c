// SPDX-License-Identifier: GPL-2.0
/*
 * patches MIB SEED: leaves memory in patches, as programs do that come and go.
 *
 * Fills MIB of anonymous memory page by page. With every fourth page it writes
 * a page of a file that has no name in /tmp, a tmpfs, and creates an empty file
 * in /tmp/patches: another quarter of MIB of page cache, and about 1 KiB of slab
 * for each of these. Then it frees about half of it all at random: stretches
 * of 1 to 64 pages of the memory and of the page cache, and single empty files.
 * Prints "ready" and holds the rest until it is killed; what is left in
 * /tmp/patches stays.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES	4096UL
#define PER_MIB		256UL
#define PAGES_PER_FILE	4UL
#define MAX_STRETCH	64
#define FOLDER		"/tmp/patches"

static char *memory;
static int cache;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static const char *file_name(size_t nr)
{
	static char name[64];

	snprintf(name, sizeof(name), FOLDER "/%zu", nr);
	return name;
}

static void add_file(size_t nr)
{
	static const char data[PAGE_BYTES] = { 1 };
	int fd = open(file_name(nr), O_CREAT | O_WRONLY, 0600);

	if (fd < 0)
		die("patches: a file in " FOLDER);
	close(fd);
	if (pwrite(cache, data, PAGE_BYTES, nr * PAGE_BYTES) != PAGE_BYTES)
		die("patches: write to /tmp");
}

static void fill(size_t pages)
{
	size_t page;

	for (page = 0; page < pages; page++) {
		memory[page * PAGE_BYTES] = 1;
		if (page % PAGES_PER_FILE == 0)
			add_file(page / PAGES_PER_FILE);
	}
}

static void free_memory(size_t page, size_t count)
{
	if (madvise(memory + page * PAGE_BYTES, count * PAGE_BYTES, MADV_DONTNEED))
		die("patches: madvise");
}

static void free_cache(size_t page, size_t count)
{
	if (fallocate(cache, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page * PAGE_BYTES,
		      count * PAGE_BYTES))
		die("patches: fallocate");
}

/* Frees stretches of @pages pages at random, by @free_pages, until half of them are free. */
static void free_half(size_t pages, void (*free_pages)(size_t page, size_t count))
{
	bool *freed = calloc(pages, sizeof(*freed));
	size_t page, count, i, done = 0;

	if (!freed)
		die("patches: calloc");
	while (done < pages / 2) {
		page = random() % pages;
		count = 1 + random() % MAX_STRETCH;
		if (count > pages - page)
			count = pages - page;
		free_pages(page, count);
		for (i = page; i < page + count; i++) {
			done += !freed[i];
			freed[i] = true;
		}
	}
	free(freed);
}

static void free_files(size_t files)
{
	size_t nr;

	for (nr = 0; nr < files; nr++)
		if (random() % 2 && unlink(file_name(nr)))
			die("patches: unlink");
}

int main(int argc, char **argv)
{
	size_t pages = (argc == 3 ? strtoul(argv[1], NULL, 0) : 0) * PER_MIB;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!pages) {
		fprintf(stderr, "usage: patches MIB SEED\n");
		return 2;
	}
	srandom(strtoul(argv[2], NULL, 0));
	memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die("patches: mmap");
	madvise(memory, pages * PAGE_BYTES, MADV_NOHUGEPAGE);	/* one would be freed as a whole */
	cache = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	if (cache < 0)
		die("patches: /tmp");
	if (mkdir(FOLDER, 0700) && errno != EEXIST)
		die("patches: " FOLDER);

	fill(pages);
	free_half(pages, free_memory);
	free_half(pages / PAGES_PER_FILE, free_cache);
	free_files(pages / PAGES_PER_FILE);
	printf("ready\n");
	pause();
	return 0;
}
