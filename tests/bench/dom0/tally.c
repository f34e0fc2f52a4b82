// SPDX-License-Identifier: GPL-2.0
/*
 * tally FILE: counts the hypercalls in what xentrace wrote: for each CPU and
 * each hypercall (by its number in Xen's public/xen.h) a line
 *
 *	CPU HYPERCALL COUNT
 *
 * and for the entries of nested page tables that Xen changed, a line
 *
 *	CPU p2m COUNT
 *
 * What is called by way of a multicall counts as itself. Ends with exit status 1
 * where Xen lost records, or the file ends amid one. The format is that of Xen's
 * public/trace.h.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EVENT(header)		((header) & 0x0fffffff)
#define EXTRA(header)		((header) >> 28 & 7)
#define HAS_CYCLES(header)	((header) >> 31)

#define TRC_LOST_RECORDS	0x0001f001
#define TRC_TRACE_CPU_CHANGE	0x0001f003
#define TRC_HVM_VMMCALL		0x00082012
#define TRC_MEM_SET_P2M_ENTRY	0x0010f004
#define TRC_PV_HYPERCALL_V2	0x0020100d
#define TRC_PV_HYPERCALL_SUBCALL 0x0020200e
#define PV_OP(word)		((word) & 0xfffff)

#define MAX_CPUS		16
#define MAX_OPS			64

static unsigned long counts[MAX_CPUS][MAX_OPS], p2m[MAX_CPUS];

static void count(uint32_t cpu, uint32_t op)
{
	if (cpu < MAX_CPUS && op < MAX_OPS)
		counts[cpu][op]++;
}

int main(int argc, char **argv)
{
	uint32_t header, words[9], cpu = 0, lost = 0;
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	unsigned int first, nr;

	if (!file) {
		fprintf(stderr, argc == 2 ? "tally: %s: %s\n" : "usage: tally FILE\n", argv[1],
			strerror(errno));
		return 2;
	}

	while (fread(&header, sizeof(header), 1, file)) {
		first = HAS_CYCLES(header) ? 2 : 0;
		nr = first + EXTRA(header);
		if (fread(words, sizeof(*words), nr, file) < nr) {
			fprintf(stderr, "tally: %s ends amid a record\n", argv[1]);
			return 1;
		}
		switch (EVENT(header)) {
		case TRC_LOST_RECORDS:
			lost += words[first];
			break;
		case TRC_TRACE_CPU_CHANGE:
			cpu = words[first];
			break;
		case TRC_MEM_SET_P2M_ENTRY:
			if (cpu < MAX_CPUS)
				p2m[cpu]++;
			break;
		case TRC_HVM_VMMCALL:
			count(cpu, words[first]);
			break;
		case TRC_PV_HYPERCALL_V2:
		case TRC_PV_HYPERCALL_SUBCALL:
			count(cpu, PV_OP(words[first]));
			break;
		}
	}

	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		for (nr = 0; nr < MAX_OPS; nr++)
			if (counts[cpu][nr])
				printf("%u %u %lu\n", cpu, nr, counts[cpu][nr]);
		if (p2m[cpu])
			printf("%u p2m %lu\n", cpu, p2m[cpu]);
	}
	if (lost)
		fprintf(stderr, "tally: Xen lost %u records\n", lost);
	return !!lost;
}
