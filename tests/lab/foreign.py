# SPDX-License-Identifier: GPL-2.0
"""A guest maps many pages of another one, and breaks none of its superpages for it.

On a kernel whose drivers borrow ballooned pages to map other guests' memory: xen-gntdev in the guest
under test maps what xen-gntalloc in another one shares, while the target moves and memory is
compacted. What they borrow comes out of whole 2 MiB, which come back; the guest misses its target
by no more than what is lent and kept to be lent, and only where nothing else is ballooned out.
"""

import random

from common import DEVICE, MIB, READY_WITHIN, Agreement, Holder, queues, share_pages, stats, walk

KERNELS = ("6.12-nounpopulated",)
TIMEOUT = 600
SHARED = 2000               # pages, each mapped several times
PEAK = 20000                # pages mapped at a time
LOW_KB, HIGH_KB = 8 * MIB, 16 * MIB
HOME_KB = 384 * MIB
LOWEST_KB, HIGHEST_KB = 300 * MIB, 400 * MIB
COMPACT = "while [ ! -e /mapped ]; do echo 1 > /proc/sys/vm/compact_memory; sleep 0.2; done"
HUGE_KB = 2 * MIB
WALKS = 200                 # at most, until all is mapped
FEW = 1500                  # pages for the comparison


def wander(lab, guest, draw):
    """Go to some targets, for which no superpage has to be broken, and land on each."""
    walk(lab, guest, [draw.randrange(LOWEST_KB, HIGHEST_KB, HUGE_KB) for _ in range(4)])


def at_home(guest):
    """Superpages at a target that is always the same."""
    guest.target_kb(HOME_KB)
    guest.landed()
    return guest.meter().superpages


def run(lab, kind, kernel):
    seed = random.randrange(1 << 32)
    lab.note(f"seed {seed}")
    draw = random.Random(seed)
    guest, giver = lab.guests([dict(kind=kind, kernel=kernel, vcpus=2, name="mapper"),
                               dict(kind="pvh", kernel=kernel, memory=128, name="giver")])
    guest.load()
    guest.target_kb(HOME_KB)
    guest.landed()
    agreement = Agreement(lab, guest)
    holder = Holder(lab, guest, 120, seed % 1000)
    # What is broken stays broken, and is seen.
    guest.run(f"cd {DEVICE}; echo 0 > upkeep/heal; echo {HIGH_KB} > foreign/high_kb; echo {LOW_KB} > foreign/low_kb")
    before = at_home(guest)
    agreement.check("with some kept to be lent")
    now = queues(guest)
    booted = now["foreign_lent"]        # in PVH the kernel has its grant table there
    lab.check(now["foreign_spare"] >= LOW_KB,
              f"kept to be lent: {now['foreign_spare']} kB, expected at least {LOW_KB}; lent: {booted} kB")

    refs = share_pages(lab, giver, guest.domid, SHARED)
    mapper = guest.spawn(f"grants map {giver.domid} {PEAK} {seed} {refs}")
    compaction = guest.spawn(COMPACT)
    for _ in range(WALKS):
        if "peak" in mapper.output():
            break
        wander(lab, guest, draw)
    lab.check("peak" in mapper.output(), f"{PEAK} pages are mapped at a time: {mapper.output().strip()[-300:]}")
    after = at_home(guest)
    now = queues(guest)
    lab.equal("lent, in kB, with all mapped", now["foreign_lent"] - booted, PEAK * 4)
    lab.equal("pages that the in-tree driver took from anywhere", stats(guest)["foreign_taken"], 0)
    lab.check(after >= before, f"superpages with {PEAK} pages mapped: {after}, before {before}")
    agreement.check("with all mapped")

    guest.run("killall -USR1 grants")
    wander(lab, guest, draw)
    said = mapper.wait(300).strip().splitlines()[-1]
    lab.check(said.startswith("intact"), f"the mapping program said: {said}")
    guest.run("touch /mapped")
    compaction.wait(60)
    after = at_home(guest)
    # More than once, since the list is taken down for a moment when it is looked through.
    lab.wait(lambda: max(queues(guest)["foreign_spare"] for _ in range(3)) <= HIGH_KB, 120,
             f"no more than {HIGH_KB} kB to be kept")
    now = queues(guest)
    lab.equal("lent, in kB, in the end", now["foreign_lent"] - booted, 0)
    lab.check(now["base"] < 2 * MIB, f"in base pages in the end: {now['base']} kB, huge {now['huge']} kB, "
              f"kept to be lent {now['foreign_spare']} kB")
    lab.check(after >= before, f"superpages with nothing mapped any more: {after}, before {before}")
    agreement.check("with nothing mapped any more")
    holder.intact()

    # As large as it can be: what is kept to be lent is missing, and that is said.
    full = agreement.whole - booted
    guest.target_kb(full)
    lab.wait(lambda: guest.current_kb() + queues(guest)["foreign_spare"] == full, 60,
             "all but what is kept to be lent to be the guest's")
    missed = full - guest.current_kb()
    lab.check(0 < missed <= HIGH_KB, f"at {full} kB the guest misses {missed} kB, kept to be lent")
    lab.check(f"target of {full} KiB is out of range" in guest.dmesg(), "dmesg tells of it")
    guest.run(f"echo 0 > {DEVICE}/foreign/low_kb; echo 0 > {DEVICE}/foreign/high_kb")
    guest.landed()
    agreement.check("with nothing kept to be lent")

    before = guest.meter().superpages
    borrower = guest.spawn(f"grants map {giver.domid} {FEW} {seed} {refs}")
    lab.wait(lambda: "peak" in borrower.output(), READY_WITHIN, f"{FEW} pages to be mapped")
    # The driver sees what the in-tree one took by itself when it looks the next time.
    lab.wait(lambda: stats(guest)["foreign_taken"] >= FEW, 60,
             f"{FEW} pages to be counted as borrowed from a guest that keeps none to be lent")
    broken = guest.meter().superpages
    lab.check(broken < before, f"superpages with {FEW} pages taken from anywhere: {broken}, before {before}")
    guest.run("killall -USR1 grants")
    borrower.wait(60)
    lab.wait(lambda: guest.current_kb() == full, 60, "all that was lent to be the guest's again")
    agreement.check("after a loan that nothing was kept for")
    guest.unload()
