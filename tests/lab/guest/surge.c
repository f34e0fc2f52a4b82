// SPDX-License-Identifier: GPL-2.0
/*
 * surge PERCENT [SEED]: takes memory and gives it back, in pieces of 1 MiB: at random half to all
 * of PERCENT of what it has and what /proc/meminfo calls available, which it asks before each.
 *
 * Each page says which one it is. Prints "ready" when it begins. On SIGTERM it verifies
 * what it has and says "intact" (exit status 0) or "corrupt" (1), how often it went up and down,
 * and how much it had at most.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define PIECE_BYTES	(1UL << 20)
#define PAGE_WORDS	(4096 / sizeof(unsigned long))
#define PIECE_WORDS	(PIECE_BYTES / sizeof(unsigned long))
#define MOST		4096UL

static unsigned long *pieces[MOST];
static unsigned long own, most, wrong, percent;

static unsigned long available(void)
{
	unsigned long kb = 0;
	char line[128];
	FILE *file = fopen("/proc/meminfo", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %lu kB", &kb) == 1)
			break;
	if (file)
		fclose(file);
	return kb / 1024;
}

static unsigned long limit(void)
{
	unsigned long mib = (own + available()) * percent / 100;

	return mib < MOST ? mib : MOST;
}

static void take(void)
{
	unsigned long *piece = mmap(NULL, PIECE_BYTES, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (piece == MAP_FAILED) {
		perror("surge: mmap");
		exit(2);
	}
	for (size_t i = 0; i < PIECE_WORDS; i += PAGE_WORDS)
		piece[i] = own * PIECE_WORDS + i + 1;
	pieces[own++] = piece;
	if (own > most)
		most = own;
}

static void give(void)
{
	unsigned long *piece = pieces[--own];

	for (size_t i = 0; i < PIECE_WORDS; i += PAGE_WORDS)
		wrong += piece[i] != own * PIECE_WORDS + i + 1;
	munmap(piece, PIECE_BYTES);
}

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	unsigned long goal, rounds = 0;
	sigset_t stop;

	setvbuf(stdout, NULL, _IOLBF, 0);
	percent = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	if (!percent || percent > 100 || argc > 3) {
		fprintf(stderr, "usage: surge PERCENT [SEED]\n");
		return 2;
	}
	srandom(argc > 2 ? strtoul(argv[2], NULL, 0) : 1);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);

	puts("ready");
	do {
		goal = limit();
		goal -= random() % (goal / 2 + 1);
		while (own < goal && own < limit())
			take();
		while (own > goal)
			give();
		rounds++;
	} while (sigtimedwait(&stop, NULL, &pause) < 0);
	while (own)
		give();

	printf("%s: %lu times up and down, %lu MiB at most, wrong pages %lu\n",
	       wrong ? "corrupt" : "intact", rounds, most, wrong);
	return wrong != 0;
}
