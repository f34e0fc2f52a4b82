// SPDX-License-Identifier: GPL-2.0
/*
 * offline [N]: prints the pfns of up to N pages that the kernel calls offline (KPF_OFFLINE of
 * /proc/kpageflags), which ballooned ones are: first those of regions of 2 MiB that are so as a
 * whole, one of each, then those of others, as "huge PFN" and "base PFN".
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/kernel-page-flags.h>

#define REGION_PAGES	512U
#define OFFLINE		(1ULL << KPF_OFFLINE)

static uint64_t flags[REGION_PAGES];

static unsigned int count_offline(void)
{
	unsigned int i, n = 0;

	for (i = 0; i < REGION_PAGES; i++)
		n += !!(flags[i] & OFFLINE);

	return n;
}

static int show(int fd, int whole, unsigned long most)
{
	unsigned long pfn, shown = 0;
	unsigned int i, n;
	int all;

	for (pfn = 0; shown < most; pfn += REGION_PAGES) {
		if (pread(fd, flags, sizeof(flags), pfn * sizeof(*flags)) != sizeof(flags))
			break;
		n = count_offline();
		all = n == REGION_PAGES;
		if (!n || all != whole)
			continue;
		for (i = 0; !(flags[i] & OFFLINE); i++)
			;
		printf("%s %lu\n", whole ? "huge" : "base", pfn + i);
		shown++;
	}

	return shown;
}

int main(int argc, char **argv)
{
	unsigned long most = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;
	int fd = open("/proc/kpageflags", O_RDONLY);

	if (fd < 0) {
		perror("offline: /proc/kpageflags");
		return 1;
	}
	if (!show(fd, 1, most) || !show(fd, 0, most)) {
		fprintf(stderr, "offline: no pages of both kinds\n");
		return 1;
	}
	return 0;
}
