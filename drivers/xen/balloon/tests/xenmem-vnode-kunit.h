/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unit tests of xenmem-vnode.c, with a Xen that knows of virtual nodes: which one a page is
 * of, and what is made of answers that make no sense.
 */
#include <linux/sizes.h>

#include "assert.h"
#include "sim.h"

#define VNODE_PAGES	16U
/* Where no machine of a test has memory. */
#define NOWHERE		(2048ULL * SZ_1G)

static struct vnode_xen {
	struct page *pages;
	int error;
	u32 nr_vnodes;
	u32 nr_ranges;
	struct sim_vmemrange range[3];
} vnode_xen;

static long vnode_memory_op(unsigned int cmd, void *arg)
{
	struct sim_vnumainfo *info = arg;

	if (cmd != SIM_GET_VNUMAINFO || info->domid != DOMID_SELF || info->pad)
		return -EINVAL;
	if (vnode_xen.error)
		return vnode_xen.error;

	info->nr_vnodes = vnode_xen.nr_vnodes;
	info->nr_vmemranges = vnode_xen.nr_ranges;
	memcpy(info->vmemrange, vnode_xen.range, sizeof(vnode_xen.range));
	return 0;
}

static const struct sim_hypercalls vnode_hypercalls = { .memory_op = vnode_memory_op };

static u64 address_of(unsigned int page)
{
	return PFN_PHYS(page_to_pfn(vnode_xen.pages) + page);
}

static unsigned int vnode_of_page(unsigned int page)
{
	return xenmem_vnode_of(page_to_pfn(vnode_xen.pages) + page);
}

/* Two nodes in three ranges: some pages that there are, and before and after them nothing. */
static void tell_two_nodes(void)
{
	vnode_xen.error = 0;
	vnode_xen.nr_vnodes = 2;
	vnode_xen.nr_ranges = 3;
	vnode_xen.range[0] = (struct sim_vmemrange){
		.start = NOWHERE, .end = NOWHERE + SZ_1G, .nid = 0 };
	vnode_xen.range[1] = (struct sim_vmemrange){
		.start = address_of(0), .end = address_of(8), .nid = 1 };
	vnode_xen.range[2] = (struct sim_vmemrange){
		.start = NOWHERE + SZ_1G, .end = NOWHERE + 2ULL * SZ_1G, .nid = 1 };
}

static int vnode_test_init(struct kunit *test)
{
	vnode_xen.pages = alloc_pages(GFP_KERNEL, get_order(VNODE_PAGES << PAGE_SHIFT));
	if (!vnode_xen.pages)
		return -ENOMEM;

	tell_two_nodes();
	sim_hypercalls = &vnode_hypercalls;
	xenmem_vnode_learn();
	return 0;
}

static void vnode_test_exit(struct kunit *test)
{
	sim_hypercalls = NULL;
	if (vnode_xen.pages)
		__free_pages(vnode_xen.pages, get_order(VNODE_PAGES << PAGE_SHIFT));
	memset(&known, 0, sizeof(known));
}

static void a_page_is_of_the_node_that_xen_says(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, xenmem_vnode_known());
	KUNIT_EXPECT_EQ(test, vnode_of_page(0), 1U);
	KUNIT_EXPECT_EQ(test, vnode_of_page(7), 1U);
	KUNIT_EXPECT_EQ(test, xenmem_vnode_of(PHYS_PFN(NOWHERE)), 0U);
	KUNIT_EXPECT_EQ(test, xenmem_vnode_of(PHYS_PFN(NOWHERE + SZ_1G) - 1), 0U);
	KUNIT_EXPECT_EQ(test, xenmem_vnode_of(PHYS_PFN(NOWHERE + SZ_1G)), 1U);
	KUNIT_EXPECT_EQ(test, xenmem_vnode_of(PHYS_PFN(NOWHERE + 2ULL * SZ_1G) - 1), 1U);
}

/* The pages are all of one node of the kernel's. */
static void a_page_that_was_added_is_of_the_node_that_its_node_booted_with(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vnode_of_page(8), 1U);
	KUNIT_EXPECT_EQ(test, vnode_of_page(VNODE_PAGES - 1), 1U);

	vnode_xen.range[1].nid = 0;
	xenmem_vnode_learn();
	KUNIT_EXPECT_EQ(test, vnode_of_page(8), 0U);
}

static void where_the_end_of_a_range_is_offline_its_beginning_tells_the_node(struct kunit *test)
{
	vnode_xen.range[1].start = address_of(8);
	vnode_xen.range[1].end = NOWHERE;
	xenmem_vnode_learn();
	KUNIT_EXPECT_EQ(test, vnode_of_page(0), 1U);
	KUNIT_EXPECT_EQ(test, vnode_of_page(7), 1U);
}

static void a_page_of_which_nothing_is_known_is_of_the_first_node(struct kunit *test)
{
	vnode_xen.range[0].nid = 1;
	vnode_xen.range[1] = vnode_xen.range[0];
	vnode_xen.range[2].nid = 0;
	xenmem_vnode_learn();
	KUNIT_EXPECT_EQ(test, vnode_of_page(8), 1U);
}

static void what_asks_for_memory_of_a_node_says_so(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, xenmem_vnode_flags(0, false), 1U << 8 | 1U << 18);
	KUNIT_EXPECT_EQ(test, xenmem_vnode_flags(0, true), 1U << 8 | 1U << 17 | 1U << 18);
	KUNIT_EXPECT_EQ(test, xenmem_vnode_flags(3, false), 4U << 8 | 1U << 18);
	KUNIT_EXPECT_EQ(test, xenmem_vnode_flags(63, true), 64U << 8 | 1U << 17 | 1U << 18);
}

static void forget_said(void)
{
	sim.said[0] = '\0';
	sim.nr_said = 0;
}

static const struct vnode_error {
	const char *name;
	int error;
} vnode_errors[] = {
	{ "a guest without virtual nodes", -EOPNOTSUPP },
	{ "a Xen that knows of none", -EINVAL },
	{ "a guest that may not ask", -EPERM },
	{ "a Xen without memory", -ENOMEM },
	{ "more of them than there is room for", -ENOBUFS },
};

static void name_vnode_error(const struct vnode_error *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(vnode_error, vnode_errors, name_vnode_error);

static void where_xen_tells_nothing_there_are_no_nodes(struct kunit *test)
{
	const struct vnode_error *c = test->param_value;
	char told[64] = "";

	forget_said();
	if (c->error != -EOPNOTSUPP)
		snprintf(told, sizeof(told), "Xen does not tell which virtual nodes there are (%d)",
			 c->error);
	vnode_xen.error = c->error;
	xenmem_vnode_learn();
	KUNIT_EXPECT_FALSE(test, xenmem_vnode_known());
	KUNIT_EXPECT_EQ(test, sim.nr_said, (unsigned int)!!told[0]);
	KUNIT_EXPECT_NOT_NULL(test, strstr(sim.said, told));

	/* It may tell in the next domain. */
	tell_two_nodes();
	xenmem_vnode_learn();
	KUNIT_EXPECT_TRUE(test, xenmem_vnode_known());
	KUNIT_EXPECT_EQ(test, vnode_of_page(0), 1U);
}

static const struct nonsense_case {
	const char *name;
	u32 nr_vnodes;
	u32 nr_ranges;
	u32 nid;		/* of the last range */
	int size;		/* in pages */
} nonsense_cases[] = {
	{ "no node", 0, 3, 0, 1 },
	{ "too many nodes", MAX_VNODES + 1, 3, 1, 1 },
	{ "no range", 2, 0, 1, 1 },
	{ "too many ranges", 2, MAX_RANGES + 1, 1, 1 },
	{ "a range of a node that there is not", 2, 3, 2, 1 },
	{ "an empty range", 2, 3, 1, 0 },
	{ "a range that ends before it begins", 2, 3, 1, -1 },
};

static void name_nonsense(const struct nonsense_case *c, char *name)
{
	strscpy(name, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(nonsense, nonsense_cases, name_nonsense);

static void of_nodes_that_make_no_sense_nothing_is_known(struct kunit *test)
{
	const struct nonsense_case *c = test->param_value;
	char told[64];

	forget_said();
	snprintf(told, sizeof(told), "found %u virtual nodes in %u ranges", c->nr_vnodes,
		 c->nr_ranges);
	vnode_xen.nr_vnodes = c->nr_vnodes;
	vnode_xen.nr_ranges = c->nr_ranges;
	vnode_xen.range[2].nid = c->nid;
	vnode_xen.range[2].end = vnode_xen.range[2].start + c->size * (s64)PAGE_SIZE;
	xenmem_vnode_learn();
	KUNIT_EXPECT_FALSE(test, xenmem_vnode_known());
	KUNIT_EXPECT_EQ(test, known.nr_ranges, 0U);
	KUNIT_EXPECT_EQ(test, sim.nr_said, 1U);
	KUNIT_EXPECT_NOT_NULL(test, strstr(sim.said, told));
}

static void a_new_domain_has_nodes_of_its_own(struct kunit *test)
{
	vnode_xen.nr_vnodes = 1;
	vnode_xen.nr_ranges = 1;
	vnode_xen.range[0] = (struct sim_vmemrange){
		.start = address_of(0), .end = address_of(VNODE_PAGES), .nid = 0 };
	xenmem_vnode_learn();
	KUNIT_EXPECT_TRUE(test, xenmem_vnode_known());
	KUNIT_EXPECT_EQ(test, vnode_of_page(0), 0U);
	/* Which was in a range of the former one. */
	KUNIT_EXPECT_EQ(test, known.nr_ranges, 1U);
}

static void prepare_to_learn(struct kunit *test)
{
	memset(&known, 0, sizeof(known));
	tell_two_nodes();
}

static void try_to_learn(struct kunit *test)
{
	xenmem_vnode_learn();
	KUNIT_EXPECT_EQ(test, known.nr_ranges, xenmem_vnode_known() ? 3U : 0U);
	if (xenmem_vnode_known())
		KUNIT_EXPECT_EQ(test, vnode_of_page(0), 1U);
}

static void whatever_xen_answers_all_is_known_or_nothing(struct kunit *test)
{
	sim_sweep_hypercalls(test, "learn of virtual nodes", prepare_to_learn, try_to_learn);
}

static struct kunit_case vnode_cases[] = {
	KUNIT_CASE(a_page_is_of_the_node_that_xen_says),
	KUNIT_CASE(a_page_that_was_added_is_of_the_node_that_its_node_booted_with),
	KUNIT_CASE(where_the_end_of_a_range_is_offline_its_beginning_tells_the_node),
	KUNIT_CASE(a_page_of_which_nothing_is_known_is_of_the_first_node),
	KUNIT_CASE(what_asks_for_memory_of_a_node_says_so),
	KUNIT_CASE_PARAM(where_xen_tells_nothing_there_are_no_nodes, vnode_error_gen_params),
	KUNIT_CASE_PARAM(of_nodes_that_make_no_sense_nothing_is_known, nonsense_gen_params),
	KUNIT_CASE(a_new_domain_has_nodes_of_its_own),
	KUNIT_CASE(whatever_xen_answers_all_is_known_or_nothing),
	{}
};

static struct kunit_suite vnode_suite = {
	.name = "xenmem_vnode",
	.init = vnode_test_init,
	.exit = vnode_test_exit,
	.test_cases = vnode_cases,
};

kunit_test_suite(vnode_suite);
