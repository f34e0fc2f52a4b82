# SPDX-License-Identifier: GPL-2.0
"""A guest that hurts: what was ballooned out page by page does not stand in anyone's way.

A program holds every second page of most of the guest, the balloon takes nearly all the rest,
page by page, and the program ends. Then memory is compacted, and huge pages are asked for; with
the in-tree driver too, in the same boot, where it is a matter of luck how many regions have a
ballooned page in them for ever. What could be had are the regions in which the kernel has nothing
that cannot be moved, less those that all the rest would fill, packed together.
"""

from common import DEBUG, Agreement, Holder, balloon_out, holes, intree_and_ours, stats

CORE = ("pvh",)
HUGE_KB = 2048
HUGE_ORDER = 9
AIM = 0.95
ROUNDS = 10
LEAST = 0.82                # of what is free in any case; the kernel needs more regions itself, now and then
FREE_KB = 240 * 1024        # for compaction_test


def free_blocks(guest):
    """How many 2 MiB are free in one piece."""
    rows = [line.split()[4:] for line in guest.run("cat /proc/buddyinfo").splitlines()]
    return sum(int(row[order]) << order - HUGE_ORDER for row in rows for order in range(HUGE_ORDER, len(row)))


def huge_pages(lab, guest):
    """Compact memory and ask for huge pages; returns how many there are, could be, and are free.

    A PV guest has no huge pages: there free memory in such pieces counts.
    """
    got = 0
    for _ in range(ROUNDS):
        guest.run("echo 1 > /proc/sys/vm/compact_memory")
        free = guest.meminfo()["MemFree"] // HUGE_KB
        possible = int(guest.run("movable").split()[2])
        if guest.kind == "pv":
            got = free_blocks(guest)
        else:
            # The kernel ends at the first that it cannot make just now.
            guest.run(f"echo {free} > /proc/sys/vm/nr_hugepages")
            got = max(got, int(guest.run("cat /proc/sys/vm/nr_hugepages")))
            guest.run("echo 0 > /proc/sys/vm/nr_hugepages")
        if got >= AIM * possible:
            break
    lab.note(f"{guest.name}: {got} huge pages, {possible} could be had, with {free} times 2 MiB free")
    return got, possible, free


def run(lab, kind, kernel):
    intree, ours = intree_and_ours(lab, kind, kernel)
    with holes(lab, intree):
        balloon_out(intree)
    theirs, *_ = huge_pages(lab, intree)
    intree.destroy()

    # What compaction does, without the worker's help.
    ours.load(upkeep=False)
    agreement = Agreement(lab, ours)
    ours.run(f"echo Y > {DEBUG}/base_only")
    with holes(lab, ours):
        balloon_out(ours)
    agreement.check("with every second page of a part ballooned out")
    got, possible, free = huge_pages(lab, ours)
    lab.check(got >= max(AIM * possible, LEAST * free),
              f"huge pages: {got}, expected at least {AIM:.0%} of {possible}, and {LEAST:.0%} of the {free} free; "
              f"in-tree has {theirs}, by where its balloon happens to lie")
    done = stats(ours)
    lab.check(done["migrated"] > 0,
              f"pages that compaction moved: {done['migrated']}, and could not for now: {done['migrate_refused']}, "
              f"for want of memory: {done['migrate_no_memory']}")
    agreement.check("after compaction")

    # It locks four fifths of what is free, rounded up to 100 MiB.
    ours.target_kb(ours.current_kb() - (ours.meminfo()["MemFree"] - FREE_KB) // 4 * 4)
    ours.landed()
    for selftest in () if kind == "pv" else ("compaction_test", "transhuge-stress -d 5 60"):
        said = ours.run(f"echo always > /sys/kernel/mm/transparent_hugepage/enabled; {selftest}",
                        timeout=200, check=False)
        results = [line for line in said.splitlines() if line.startswith(("ok", "not ok", "Bail out"))]
        lab.check(bool(results) and all(line.startswith("ok") for line in results),
                  f"the kernel's own {selftest}: {'; '.join(results) or said[-500:]}")
    agreement.check("after the selftests")

    holder = Holder(lab, ours, ours.meminfo()["MemAvailable"] // 1024 - 24)
    ours.run("for i in 1 2 3; do echo 1 > /proc/sys/vm/compact_memory; done")
    ours.target_kb(agreement.whole)
    ours.landed()
    holder.intact()
    agreement.check("up again")
    ours.unload()
