// SPDX-License-Identifier: GPL-2.0
/*
 * churn MIB [SEED]: holds MIB of memory in pieces of 1 MiB, of which one after the
 * other, in no order, is verified, given back to the kernel, and had anew.
 *
 * Every word depends on the seed, on how often the piece was had, and on its place.
 * Prints "ready" once all is written. On SIGTERM verifies all pieces and says
 * "intact" (exit status 0) or "corrupt" (1). Each wrong page is printed when it is
 * met.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#define PIECE_BYTES	(1UL << 20)
#define PIECE_WORDS	(PIECE_BYTES / sizeof(unsigned long))
#define PAGE_WORDS	(4096 / sizeof(unsigned long))
#define REPORTED_MAX	10

struct piece {
	unsigned long *words;
	unsigned long seed;
};

static size_t wrong, done;

static unsigned long expected(unsigned long seed, size_t word)
{
	return (seed + word + 1) * 0x9e3779b97f4a7c15UL;
}

static void fill(struct piece *piece, unsigned long seed)
{
	piece->seed = seed;
	piece->words = mmap(NULL, PIECE_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (piece->words == MAP_FAILED) {
		perror("churn: mmap");
		exit(2);
	}
	for (size_t i = 0; i < PIECE_WORDS; i++)
		piece->words[i] = expected(seed, i);
}

static void verify(const struct piece *piece, size_t number)
{
	done++;
	for (size_t page = 0; page < PIECE_WORDS; page += PAGE_WORDS) {
		for (size_t i = page; i < page + PAGE_WORDS; i++) {
			if (piece->words[i] == expected(piece->seed, i))
				continue;
			if (wrong++ < REPORTED_MAX)
				printf("wrong: piece %zu word %zu is %#lx, expected %#lx\n", number,
				       i, piece->words[i], expected(piece->seed, i));
			break;
		}
	}
}

int main(int argc, char **argv)
{
	size_t mib = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	unsigned long seed = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	struct piece *pieces;
	sigset_t stop;

	setvbuf(stdout, NULL, _IOLBF, 0);
	pieces = calloc(mib, sizeof(*pieces));
	if (!mib || !pieces || argc > 3) {
		fprintf(stderr, "usage: churn MIB [SEED]\n");
		return 2;
	}

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	setpriority(PRIO_PROCESS, 0, 19);
	srandom(seed);
	for (size_t i = 0; i < mib; i++)
		fill(&pieces[i], seed += PIECE_WORDS);
	printf("ready: %zu MiB\n", mib);

	while (sigtimedwait(&stop, NULL, &pause) < 0) {
		size_t i = random() % mib;

		verify(&pieces[i], i);
		munmap(pieces[i].words, PIECE_BYTES);
		fill(&pieces[i], seed += PIECE_WORDS);
	}
	for (size_t i = 0; i < mib; i++)
		verify(&pieces[i], i);

	printf("%s: %zu pieces verified, wrong pages %zu\n", wrong ? "corrupt" : "intact", done,
	       wrong);
	return wrong != 0;
}
