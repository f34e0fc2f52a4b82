// SPDX-License-Identifier: GPL-2.0
/*
 * rounds FILE: passes a migration stream from its input to its output, as it
 * comes, and at its end writes to FILE what went through:
 *
 *	bytes BYTES pages PAGES rounds ROUNDS
 *
 * Xen's docs/specs/libxc-migration-stream.pandoc describes the stream: somewhere in
 * it an image header begins, and records follow. In each round the pages come in
 * ascending order, so a new round has begun when a batch starts below the one
 * before.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REC_END			0
#define REC_PAGE_DATA		1
#define PFN_BITS		52
#define TYPE_BITS		60
#define TYPE_XALLOC		0xe	/* from this type on no contents follow */

static const unsigned char marker[12] = "\xff\xff\xff\xff\xff\xff\xff\xffXENF";

static struct {
	enum { SEARCHING, HEADERS, RECORD, COUNT, PFNS, SKIPPING, OVER } state;
	unsigned char buffer[16];	/* what is being collected */
	size_t have, want, skip;
	uint32_t count;
	uint64_t bytes, pages, rounds, last;
	int first;			/* the next pfn is the first of its batch */
} s;

static void expect(int state, size_t want)
{
	s.state = state;
	s.want = want;
	s.have = 0;
}

/* The rest of a record, if there is any, is not looked at. */
static void skip_then_record(void)
{
	if (s.skip)
		s.state = SKIPPING;
	else
		expect(RECORD, 8);
}

static uint32_t u32(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void take_pfn(void)
{
	uint64_t entry, pfn;

	memcpy(&entry, s.buffer, sizeof(entry));
	pfn = entry & ((1ULL << PFN_BITS) - 1);
	if (s.first && (!s.rounds || pfn <= s.last))
		s.rounds++;
	s.first = 0;
	s.last = pfn;
	s.pages += entry >> TYPE_BITS < TYPE_XALLOC;
	s.skip -= 8;
	if (--s.count)
		expect(PFNS, 8);
	else
		skip_then_record();
}

/* What was wanted is in the buffer. */
static void parse(void)
{
	switch (s.state) {
	case HEADERS:
		expect(RECORD, 8);
		break;
	case RECORD:
		s.skip = (u32(s.buffer + 4) + 7UL) & ~7UL;
		if (u32(s.buffer) == REC_END)
			s.state = OVER;
		else if (u32(s.buffer) == REC_PAGE_DATA)
			expect(COUNT, 8);
		else
			skip_then_record();
		break;
	case COUNT:
		s.count = u32(s.buffer);
		s.skip -= 8;
		s.first = 1;
		if (s.count)
			expect(PFNS, 8);
		else
			skip_then_record();
		break;
	default:
		take_pfn();
	}
}

static void eat(unsigned char byte)
{
	if (s.state == SEARCHING) {
		if (byte == marker[s.have])
			s.have++;
		else if (byte != 0xff || s.have != 8)	/* a longer row of them is one, too */
			s.have = byte == 0xff;
		if (s.have == sizeof(marker))
			expect(HEADERS, 24 - sizeof(marker) + 16);	/* image and domain */
		return;
	}

	if (s.have < sizeof(s.buffer))
		s.buffer[s.have] = byte;
	if (++s.have == s.want)
		parse();
}

static void look(const unsigned char *data, size_t n)
{
	s.bytes += n;
	for (size_t i = 0; i < n && s.state != OVER; i++) {
		if (s.state != SKIPPING) {
			eat(data[i]);
			continue;
		}

		size_t part = s.skip < n - i ? s.skip : n - i;

		i += part - 1;
		s.skip -= part;
		if (!s.skip)
			expect(RECORD, 8);
	}
}

int main(int argc, char **argv)
{
	static unsigned char data[1 << 16];
	ssize_t n, done;
	FILE *out;

	if (argc != 2) {
		fprintf(stderr, "usage: rounds FILE\n");
		return 2;
	}
	while ((n = read(0, data, sizeof(data))) > 0 || (n < 0 && errno == EINTR)) {
		look(data, n < 0 ? 0 : n);
		for (ssize_t at = 0; at < n; at += done) {
			done = write(1, data + at, n - at);
			if (done < 0) {
				perror("rounds: write");
				return 1;
			}
		}
	}

	out = fopen(argv[1], "w");
	if (!out) {
		perror("rounds");
		return 1;
	}
	fprintf(out, "bytes %llu pages %llu rounds %llu\n", (unsigned long long)s.bytes,
		(unsigned long long)s.pages, (unsigned long long)s.rounds);
	return fclose(out) || s.state != OVER;
}
