/* SPDX-License-Identifier: GPL-2.0 */
/*
 * xen_balloon:xen_balloon_step carries the whole state after a step of the
 * worker: a trace of it tells the story. The other events tell what upkeep and
 * compaction came to, page by page.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM xen_balloon

#if !defined(_XEN_BALLOON_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _XEN_BALLOON_TRACE_H

#include <linux/tracepoint.h>

#include "balloon.h"

TRACE_DEFINE_ENUM(BALLOON_AT_TARGET);
TRACE_DEFINE_ENUM(BALLOON_PROGRESS);
TRACE_DEFINE_ENUM(BALLOON_SCARCE);
TRACE_DEFINE_ENUM(BALLOON_UPKEEP);
TRACE_DEFINE_ENUM(BALLOON_STALLED);

TRACE_EVENT(xen_balloon_step,
	TP_PROTO(const struct xen_balloon *xb, const struct balloon_figures *n,
		 enum balloon_step result),

	TP_ARGS(xb, n, result),

	TP_STRUCT__entry(
		__field(unsigned long, target)
		__field(unsigned long, guest)
		__field(unsigned long, huge)
		__field(unsigned long, base)
		__field(unsigned long, spare)
		__field(unsigned long, lent)
		__field(unsigned long, quarantined)
		__field(unsigned int, delay_ms)
		__field(unsigned int, result)
	),

	TP_fast_assign(
		__entry->target = xb->target.wanted;
		__entry->guest = n->guest;
		__entry->huge = n->huge;
		__entry->base = n->base;
		__entry->spare = xb->kernel->spare();
		__entry->lent = xb->kernel->lent(xb);
		__entry->quarantined = n->quarantined;
		__entry->delay_ms = xb->delay_ms;
		__entry->result = result;
	),

	TP_printk("%s target=%lu guest=%lu huge=%lu base=%lu spare=%lu lent=%lu quarantined=%lu delay_ms=%u",
		  __print_symbolic(__entry->result,
				   { BALLOON_AT_TARGET, "at target" },
				   { BALLOON_PROGRESS, "progress" },
				   { BALLOON_SCARCE, "scarce" },
				   { BALLOON_UPKEEP, "upkeep" },
				   { BALLOON_STALLED, "stalled" }),
		  __entry->target, __entry->guest, __entry->huge, __entry->base,
		  __entry->spare, __entry->lent, __entry->quarantined,
		  __entry->delay_ms)
);

TRACE_EVENT(xen_balloon_coalesce,
	TP_PROTO(unsigned long pfn, unsigned long gone, unsigned long got),

	TP_ARGS(pfn, gone, got),

	TP_STRUCT__entry(
		__field(unsigned long, pfn)
		__field(unsigned long, gone)
		__field(unsigned long, got)
	),

	TP_fast_assign(
		__entry->pfn = pfn;
		__entry->gone = gone;
		__entry->got = got;
	),

	TP_printk("pfn=0x%lx gone=%lu got=%lu",
		  __entry->pfn, __entry->gone, __entry->got)
);

TRACE_DEFINE_ENUM(HEAL_STUCK);
TRACE_DEFINE_ENUM(HEAL_GIVEN_UP);
TRACE_DEFINE_ENUM(HEAL_NOT_TAKEN);
TRACE_DEFINE_ENUM(HEAL_REFUSED);
TRACE_DEFINE_ENUM(HEAL_NOT_THERE);
TRACE_DEFINE_ENUM(HEAL_AWAY);
TRACE_DEFINE_ENUM(HEAL_DONE);

TRACE_EVENT(xen_balloon_heal,
	TP_PROTO(unsigned long pfn, enum balloon_heal_result result),

	TP_ARGS(pfn, result),

	TP_STRUCT__entry(
		__field(unsigned long, pfn)
		__field(unsigned int, result)
	),

	TP_fast_assign(
		__entry->pfn = pfn;
		__entry->result = result;
	),

	TP_printk("pfn=0x%lx %s", __entry->pfn,
		  __print_symbolic(__entry->result,
				   { HEAL_STUCK, "holds what cannot be moved" },
				   { HEAL_GIVEN_UP, "could not be emptied" },
				   { HEAL_NOT_TAKEN, "not taken by Xen" },
				   { HEAL_REFUSED, "no 2 MiB in one piece" },
				   { HEAL_NOT_THERE, "no 2 MiB on its node" },
				   { HEAL_AWAY, "of another node, as before" },
				   { HEAL_DONE, "healed" }))
);

TRACE_EVENT(xen_balloon_even,
	TP_PROTO(unsigned long pfn, int from, int to, unsigned long got),

	TP_ARGS(pfn, from, to, got),

	TP_STRUCT__entry(
		__field(unsigned long, pfn)
		__field(int, from)
		__field(int, to)
		__field(unsigned long, got)
	),

	TP_fast_assign(
		__entry->pfn = pfn;
		__entry->from = from;
		__entry->to = to;
		__entry->got = got;
	),

	TP_printk("pfn=0x%lx from=%d to=%d got=%lu", __entry->pfn, __entry->from, __entry->to,
		  __entry->got)
);

TRACE_DEFINE_ENUM(FOREIGN_STOCKED);
TRACE_DEFINE_ENUM(FOREIGN_WHOLE);
TRACE_DEFINE_ENUM(FOREIGN_SCRAPS);

TRACE_EVENT(xen_balloon_foreign,
	TP_PROTO(unsigned long pfn, unsigned int pages, enum balloon_foreign_event event),

	TP_ARGS(pfn, pages, event),

	TP_STRUCT__entry(
		__field(unsigned long, pfn)
		__field(unsigned int, pages)
		__field(unsigned int, event)
	),

	TP_fast_assign(
		__entry->pfn = pfn;
		__entry->pages = pages;
		__entry->event = event;
	),

	TP_printk("pfn=0x%lx pages=%u %s", __entry->pfn, __entry->pages,
		  __print_symbolic(__entry->event,
				   { FOREIGN_STOCKED, "stocked" },
				   { FOREIGN_WHOLE, "whole again" },
				   { FOREIGN_SCRAPS, "in pieces" }))
);

TRACE_EVENT(xen_balloon_migrate,
	TP_PROTO(unsigned long from, unsigned long to, int ret),

	TP_ARGS(from, to, ret),

	TP_STRUCT__entry(
		__field(unsigned long, from)
		__field(unsigned long, to)
		__field(int, ret)
	),

	TP_fast_assign(
		__entry->from = from;
		__entry->to = to;
		__entry->ret = ret;
	),

	TP_printk("pfn=0x%lx to=0x%lx ret=%d", __entry->from, __entry->to, __entry->ret)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
