// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls on their way to Xen: each of them can be answered in any way that there
 * is, whether it makes sense or not. A step is run once to see which it makes, and
 * then once for each of them and each answer.
 */
#include "seam-xen.h"

/* Here they are the real ones. */
#undef HYPERVISOR_memory_op
#undef HYPERVISOR_grant_table_op
#undef HYPERVISOR_hvm_op
#undef HYPERVISOR_xen_version
#undef HYPERVISOR_mmu_update
#undef HYPERVISOR_mmuext_op
#undef HYPERVISOR_update_va_mapping
#undef lookup_address
#undef arbitrary_virt_to_machine
#undef xen_p2m_addr
#undef xen_p2m_size
#undef xen_alloc_p2m_entry
#undef pfn_to_mfn
#undef kvzalloc

#include <linux/minmax.h>
#include <linux/string.h>
#include <xen/interface/grant_table.h>

#include "assert.h"

const struct sim_hypercalls *sim_hypercalls;

enum hypercall {
	DECREASE,
	POPULATE,
	EXCHANGE,
	ADD_TO_PHYSMAP,
	RESERVATION,		/* the current or the maximum one */
	VNUMAINFO,
	GRANT_COPY,
	HVM_OP,
	VERSION,
	MMU_UPDATE,
	MMUEXT,
	VA_MAPPING,
	NR_HYPERCALLS
};

static const char *const names[] = {
	[DECREASE] = "decrease_reservation", [POPULATE] = "populate_physmap",
	[EXCHANGE] = "exchange", [ADD_TO_PHYSMAP] = "add_to_physmap",
	[RESERVATION] = "current or maximum_reservation", [VNUMAINFO] = "get_vnumainfo",
	[GRANT_COPY] = "grant copy",
	[HVM_OP] = "hvm_op", [VERSION] = "xen_version", [MMU_UPDATE] = "mmu_update",
	[MMUEXT] = "mmuext_op", [VA_MAPPING] = "update_va_mapping",
};

static_assert(ARRAY_SIZE(names) == NR_HYPERCALLS);

/**
 * struct answer - how a hypercall is answered
 * @done: so much of what it is for Xen does
 * @told: and so much it tells
 * @error: a negative errno, with which @told comes where it has a place of its own; or 0
 */
struct answer {
	unsigned int done;
	unsigned int told;
	int error;
};

/* The call that is made next, @from 1 on, gets this answer; 0 for none. */
static struct {
	unsigned long from;
	struct answer answer;
} disturbance;

#define MAX_CALLS	256U

static struct {
	enum hypercall call;
	unsigned int nr;
} seen[MAX_CALLS];
static unsigned int nr_seen;
static bool watching;

/* Is a call for @nr things answered otherwise than by Xen? */
static bool disturbed(enum hypercall call, unsigned int nr, struct answer *answer)
{
	if (watching && nr_seen < MAX_CALLS) {
		seen[nr_seen].call = call;
		seen[nr_seen].nr = nr;
	}
	nr_seen += watching;
	if (!disturbance.from || --disturbance.from)
		return false;

	*answer = disturbance.answer;
	return true;
}

static long change_reservation(unsigned int cmd, struct xen_memory_reservation *arg)
{
	enum hypercall call = cmd == XENMEM_populate_physmap ? POPULATE : DECREASE;
	struct xen_memory_reservation part = *arg;
	struct answer answer;

	if (!disturbed(call, arg->nr_extents, &answer))
		return sim_hypercalls->memory_op(cmd, arg);

	/* Of what it could not do anyway nothing is told. */
	part.nr_extents = answer.done;
	if (answer.done && sim_hypercalls->memory_op(cmd, &part) != answer.done)
		return -EINVAL;
	return answer.error ?: answer.told;
}

static long exchange(struct xen_memory_exchange *arg)
{
	struct xen_memory_exchange part = *arg;
	struct answer answer;

	if (!disturbed(EXCHANGE, arg->in.nr_extents, &answer))
		return sim_hypercalls->memory_op(XENMEM_exchange, arg);

	part.in.nr_extents = answer.done;
	part.out.nr_extents = answer.done << part.in.extent_order;
	if (answer.done && sim_hypercalls->memory_op(XENMEM_exchange, &part))
		answer.told = part.nr_exchanged;
	arg->nr_exchanged = answer.told;
	return answer.error;
}

long sim_memory_op(unsigned int cmd, void *arg)
{
	struct answer answer;

	if (!sim_hypercalls)
		return HYPERVISOR_memory_op(cmd, arg);

	switch (cmd) {
	case XENMEM_decrease_reservation:
	case XENMEM_populate_physmap:
		return change_reservation(cmd, arg);
	case XENMEM_exchange:
		return exchange(arg);
	case XENMEM_add_to_physmap:
		return disturbed(ADD_TO_PHYSMAP, 1, &answer) ? answer.error :
				 sim_hypercalls->memory_op(cmd, arg);
	case XENMEM_current_reservation:
	case XENMEM_maximum_reservation:
		return disturbed(RESERVATION, 1, &answer) ? answer.error :
				 sim_hypercalls->memory_op(cmd, arg);
	case SIM_GET_VNUMAINFO:	/* XENMEM_get_vnumainfo */
		return disturbed(VNUMAINFO, 1, &answer) ? answer.error :
				 sim_hypercalls->memory_op(cmd, arg);
	default:
		return -ENOSYS;
	}
}

int sim_grant_table_op(unsigned int cmd, void *uop, unsigned int count)
{
	struct gnttab_copy *op = uop;
	struct answer answer;

	if (!sim_hypercalls)
		return HYPERVISOR_grant_table_op(cmd, uop, count);
	if (!disturbed(GRANT_COPY, count, &answer))
		return sim_hypercalls->grant_table_op(cmd, uop, count);

	if (answer.done)
		sim_hypercalls->grant_table_op(cmd, uop, answer.done);
	for (; !answer.error && answer.done < count; answer.done++)
		op[answer.done].status = GNTST_no_space;
	return answer.error;
}

int sim_hvm_op(int op, void *arg)
{
	struct answer answer;

	if (!sim_hypercalls)
		return HYPERVISOR_hvm_op(op, arg);

	return disturbed(HVM_OP, 1, &answer) ? answer.error : sim_hypercalls->hvm_op(op, arg);
}

int sim_xen_version(int cmd, void *arg)
{
	struct answer answer;

	if (!sim_hypercalls)
		return HYPERVISOR_xen_version(cmd, arg);

	return disturbed(VERSION, 1, &answer) ? answer.error :
						sim_hypercalls->xen_version(cmd, arg);
}

int sim_mmu_update(struct mmu_update *updates, int count, int *done, domid_t domid)
{
	struct answer answer;

	if (!sim_hypercalls)
		return HYPERVISOR_mmu_update(updates, count, done, domid);
	if (!disturbed(MMU_UPDATE, count, &answer))
		return sim_hypercalls->mmu_update(updates, count, done);

	if (answer.done)
		sim_hypercalls->mmu_update(updates, answer.done, NULL);
	if (done)
		*done = answer.told;
	return answer.error;
}

int sim_mmuext_op(struct mmuext_op *op, int count, int *done, domid_t domid)
{
	struct answer answer;

	if (!sim_hypercalls)
		return HYPERVISOR_mmuext_op(op, count, done, domid);

	return disturbed(MMUEXT, 1, &answer) ? answer.error : sim_hypercalls->mmuext_op(op);
}

int sim_update_va_mapping(unsigned long va, pte_t pte, unsigned long flags)
{
	struct answer answer;

	if (!sim_hypercalls)
		return HYPERVISOR_update_va_mapping(va, pte, flags);

	return disturbed(VA_MAPPING, 1, &answer) ?
		answer.error : sim_hypercalls->update_va_mapping(va, pte, flags);
}

pte_t *sim_lookup_address(unsigned long va, unsigned int *level)
{
	if (!sim_hypercalls)
		return lookup_address(va, level);

	*level = PG_LEVEL_4K;
	return sim_hypercalls->lookup(va);
}

/* To a test's own Xen an address is what it is to the kernel. */
xmaddr_t sim_virt_to_machine(void *va)
{
	return sim_hypercalls ? XMADDR((unsigned long)va) : arbitrary_virt_to_machine(va);
}

unsigned long *sim_p2m(void)
{
	return sim_hypercalls ? sim_hypercalls->p2m : xen_p2m_addr;
}

unsigned long sim_p2m_size(void)
{
	return sim_hypercalls ? sim_hypercalls->p2m_size : xen_p2m_size;
}

int sim_alloc_p2m_entry(unsigned long pfn)
{
	return sim_hypercalls ? sim_hypercalls->alloc_p2m_entry(pfn) : xen_alloc_p2m_entry(pfn);
}

unsigned long sim_p2m_entry(unsigned long pfn)
{
	return sim_hypercalls ? sim_hypercalls->p2m[pfn] : pfn_to_mfn(pfn);
}

bool sim_no_memory;

/* kvmalloc() is what kvzalloc() is made of. */
void *sim_kvzalloc(size_t size, gfp_t gfp)
{
	return sim_no_memory ? NULL : kvmalloc(size, gfp | __GFP_ZERO);
}

/* Every answer */

static const int errors[] = { -ENOMEM, -EINVAL, -EPERM, -ENOSYS };

/* Where it is told how much was done; what comes with an error. */
static bool tells(enum hypercall call)
{
	return call == DECREASE || call == POPULATE;
}

static bool tells_apart(enum hypercall call)
{
	return call == EXCHANGE || call == MMU_UPDATE || call == GRANT_COPY;
}

/* The @n-th answer to a call for @nr things. Returns false when there are no more. */
static bool nth_answer(enum hypercall call, unsigned int nr, unsigned int n, struct answer *answer)
{
	const unsigned int parts[] = { 0, 1, nr / 2, nr - 1 };

	*answer = (struct answer){};
	if (n < ARRAY_SIZE(errors)) {
		answer->error = errors[n];
		return true;
	}
	n -= ARRAY_SIZE(errors);
	if (!tells(call) && !tells_apart(call))
		return false;

	answer->error = tells(call) || (call == GRANT_COPY && n % 2) ? 0 : -EINVAL;
	if (n < ARRAY_SIZE(parts)) {
		answer->done = min(parts[n], nr);
		answer->told = answer->done;
		return true;
	}
	n -= ARRAY_SIZE(parts);
	/* More than was asked for. */
	if (n < 3) {
		answer->done = nr;
		answer->told = n == 2 ? INT_MAX : nr + (n ? 1000 : 1);
		return true;
	}
	/* One more than is told, which is in doubt. */
	if (call != DECREASE || n - 3 >= ARRAY_SIZE(parts))
		return false;
	answer->told = min(parts[n - 3], nr - 1);
	answer->done = answer->told + 1;
	return true;
}

static unsigned long swept[NR_HYPERCALLS];

/**
 * sim_hypercalls_were_swept - was each kind of hypercall answered in each way?
 * @missing: set to the name of one that was not
 */
bool sim_hypercalls_were_swept(const char **missing)
{
	unsigned int i;

	for (i = 0; i < NR_HYPERCALLS; i++) {
		*missing = names[i];
		if (!swept[i])
			return false;
	}

	return true;
}

/**
 * sim_sweep_hypercalls - answer each hypercall of a step in each way that there is
 * @test: the test
 * @name: of the step, for the log
 * @prepare: builds a world for it
 * @run: does it, and looks whether all is well
 */
void sim_sweep_hypercalls(struct kunit *test, const char *name, void (*prepare)(struct kunit *test),
			  void (*run)(struct kunit *test))
{
	unsigned int points[NR_HYPERCALLS] = {}, i, n;
	struct answer answer;

	prepare(test);
	nr_seen = 0;
	watching = true;
	run(test);
	watching = false;
	KUNIT_ASSERT_LE(test, nr_seen, MAX_CALLS);

	for (i = 0; i < nr_seen; i++) {
		for (n = 0; nth_answer(seen[i].call, seen[i].nr, n, &answer); n++) {
			prepare(test);
			disturbance.from = i + 1;
			disturbance.answer = answer;
			run(test);
			KUNIT_EXPECT_EQ(test, disturbance.from, 0UL);
			disturbance.from = 0;
			points[seen[i].call]++;
			swept[seen[i].call]++;
			if (READ_ONCE(test->status) == KUNIT_FAILURE) {
				kunit_err(test, "%s: call %u, %s for %u: did %u, told %u, error %d\n",
					  name, i + 1, names[seen[i].call], seen[i].nr,
					  answer.done, answer.told, answer.error);
				return;
			}
		}
	}
	for (i = 0; i < NR_HYPERCALLS; i++)
		if (points[i])
			kunit_info(test, "%s: %s: %u fault points\n", name, names[i], points[i]);
}
