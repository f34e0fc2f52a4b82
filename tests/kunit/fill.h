/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites of alloc.c, contig.c, movable.c and free.c share: a guest of 16 MiB, of
 * which some is in use, and which pages were taken of it. The simulated allocator gives the
 * smallest free block that is large enough, and of equal ones the one that was freed last.
 */
#ifndef _KUNIT_FILL_H
#define _KUNIT_FILL_H

#include "assert.h"

#define FILL_REGIONS	8U
#define FILL_GUEST	(FILL_REGIONS * SIM_REGION_PAGES)

static const struct sim_config fill_world = {
	.regions = FILL_REGIONS,
	.host_pieces = 1,
	.unseen = 1,
};

static inline int fill_init(struct kunit *test)
{
	sim_build(test, &fill_world);

	return 0;
}

static inline unsigned int take_huge(unsigned int max)
{
	unsigned int n;

	mutex_lock(&sim.xb->step_lock);
	n = balloon_alloc_huge(sim.xb, max, NUMA_NO_NODE);
	mutex_unlock(&sim.xb->step_lock);

	return n;
}

/* Have free pages of a region used by somebody. */
static inline void occupy(struct kunit *test, unsigned int region, unsigned int index,
			  unsigned int nr, enum sim_owner owner)
{
	while (nr--)
		KUNIT_ASSERT_TRUE(test, sim_use(region, index++, owner));
}

/* A world in which no 2 MiB is free. */
static inline void fill_with_programs(struct kunit *test, const unsigned int *nr_free)
{
	unsigned int region;

	for (region = 0; region < FILL_REGIONS; region++)
		occupy(test, region, nr_free[region], SIM_REGION_PAGES - nr_free[region],
		       SIM_PROGRAM);
}

static inline void drop(unsigned int region, unsigned int index, unsigned int nr)
{
	while (nr--)
		sim_drop(region, index++);
}

static inline unsigned int region_nr(struct page *page)
{
	return (page_to_pfn(page) - sim.first_pfn) / SIM_REGION_PAGES;
}

static inline unsigned int region_offset(struct page *page)
{
	return page_to_pfn(page) % SIM_REGION_PAGES;
}

/* Pages in words, as "2:0+256 5:8+1": region, first page, and how many in a row. */
static inline const char *in_words(struct kunit *test, struct page **pages, unsigned int n)
{
	char *words = kunit_kzalloc(test, 512, GFP_KERNEL);
	unsigned int i, run, len = 0;

	KUNIT_ASSERT_NOT_NULL(test, words);
	for (i = 0; i < n; i += run) {
		for (run = 1; i + run < n; run++)
			if (pages[i + run] != pages[i] + run ||
			    region_nr(pages[i + run]) != region_nr(pages[i]))
				break;
		len += scnprintf(words + len, 512 - len, "%s%u:%u+%u", i ? " " : "",
				 region_nr(pages[i]), region_offset(pages[i]), run);
	}

	return words;
}

/* xb->pages are in transit: offline, and with one reference for each. */
static inline void expect_taken(struct kunit *test, unsigned int n, unsigned int order)
{
	struct balloon_figures figures = balloon_figures(&sim.xb->queue);
	struct sim_region *region;
	unsigned int i, j, index;

	KUNIT_EXPECT_EQ(test, figures.transit, (unsigned long)n << order);
	KUNIT_EXPECT_EQ(test, figures.guest + figures.base + figures.transit,
			(unsigned long)FILL_GUEST);
	KUNIT_EXPECT_EQ(test, sim.managed, (long)figures.guest);

	for (i = 0; i < n; i++) {
		for (j = 0; j < 1U << order; j++) {
			struct page *page = sim.xb->pages[i] + j;

			KUNIT_ASSERT_TRUE(test, PageOffline(page));
			KUNIT_ASSERT_EQ(test, page_count(page), !j);
			region = sim_region_of(page_to_pfn(page), &index);
			KUNIT_ASSERT_EQ(test, region->owner[index], SIM_DRIVER);
		}
	}
}

#endif
