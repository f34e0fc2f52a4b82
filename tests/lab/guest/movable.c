// SPDX-License-Identifier: GPL-2.0
/*
 * movable: looks at each 2 MiB region of memory by /proc/kpageflags. Prints
 *
 *	how many are populated and hold no page that cannot be moved: each is
 *	free, or on an LRU list, or of a transparent huge page;
 *	how many have any memory of the kernel's;
 *	how many could be free as a whole, if all that can be moved, ballooned
 *	base pages included, stood close together in the others that hold no
 *	page that cannot be moved, which is where compaction moves things to;
 *	how many the populated pages would fill of all regions that hold no page
 *	that cannot be moved, but may have holes where pages are ballooned out;
 *
 * and on a second line which regions the first number counts: one character for
 * each region from frame 0 up, 1 for these.
 *
 * See Documentation/admin-guide/mm/pagemap.rst for the flags.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define REGION_PAGES	512
#define MAX_REGIONS	(1U << 20)

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
	unsigned int movable = 0, regions = 0, open = 0, used = 0, seen = 0;
	unsigned int populated = 0;
	static char map[MAX_REGIONS + 1];
	unsigned int i, absent, offline, stuck, buddy;

	if (fd < 0) {
		perror("movable: /proc/kpageflags");
		return 1;
	}
	while (seen < MAX_REGIONS && read(fd, flags, sizeof(flags)) == sizeof(flags)) {
		map[seen++] = '0';
		absent = 0;
		offline = 0;
		stuck = 0;
		buddy = 0;
		for (i = 0; i < REGION_PAGES; i++) {
			absent += !!(flags[i] & (NOPAGE | RESERVED));
			offline += !!(flags[i] & OFFLINE);
			buddy += !!(flags[i] & BUDDY);
			stuck += !(flags[i] & (LRU | BUDDY | THP | OFFLINE));
		}
		if (absent + offline == REGION_PAGES)
			continue;
		regions++;
		if (stuck || absent)
			continue;
		if (!offline) {
			movable++;
			map[seen - 1] = '1';
		}
		open++;
		used += REGION_PAGES - buddy;
		populated += REGION_PAGES - offline;
	}
	printf("%u %u %u %u\n%s\n", movable, regions,
	       open - (used + REGION_PAGES - 1) / REGION_PAGES, populated / REGION_PAGES, map);
	return 0;
}
