// SPDX-License-Identifier: GPL-2.0
/*
 * movable: counts the 2 MiB regions of memory in which no page is in the way:
 * each is free, or on an LRU list, or of a transparent huge page, by
 * /proc/kpageflags. Prints how many those are, and how many regions have any
 * memory of the kernel's.
 *
 * See Documentation/admin-guide/mm/pagemap.rst for the flags.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define REGION_PAGES	512

#define LRU		(1ULL << 5)
#define BUDDY		(1ULL << 10)
#define NOPAGE		(1ULL << 20)
#define THP		(1ULL << 22)
#define OFFLINE		(1ULL << 23)
#define RESERVED	(1ULL << 32)

int main(void)
{
	int fd = open("/proc/kpageflags", O_RDONLY);
	uint64_t flags[REGION_PAGES];
	unsigned int movable = 0, regions = 0, i, absent, stuck;

	if (fd < 0) {
		perror("movable: /proc/kpageflags");
		return 1;
	}
	while (read(fd, flags, sizeof(flags)) == sizeof(flags)) {
		absent = 0;
		stuck = 0;
		for (i = 0; i < REGION_PAGES; i++) {
			absent += !!(flags[i] & (NOPAGE | OFFLINE | RESERVED));
			stuck += !(flags[i] & (LRU | BUDDY | THP));
		}
		if (absent == REGION_PAGES)
			continue;
		regions++;
		movable += !stuck && !absent;
	}
	printf("%u %u\n", movable, regions);
	return 0;
}
