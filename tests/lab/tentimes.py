# SPDX-License-Identifier: GPL-2.0
"""A guest grows to ten times what it was booted with, and what was added is memory as any other.

It comes in superpages; a program can have it; it is ballooned out page by page, and compaction and coalescing make
2 MiB of that; what was shattered by it is healed; and the guest is as small as it was once more.
"""

from common import BLOCKS, DEBUG, DEVICE, MIB, Agreement, Holder, grow, holes, move, queues, stats, whole

TYPES = ("pvh", "pv")
UNPROVEN = ("pvh", "pv")
TIMEOUT = 900
FAULTS = False              # as in hotadd
TAKES = 300
BOOT = 192 * MIB
GROWN = 10 * BOOT
HELD_MIB = 1200             # more than the guest was booted with
SHATTERED_MIB = 200
TAKEN = 64 * MIB
TABLES = "shadow_memory = 64"       # MiB: a page of these for each 2 MiB that are given up
HUGE_KB = 2048
IN_SUPERPAGES = 0.9         # the host has not only 2 MiB left
AIM = 0.95
PATIENCE = 240


def superpages(guest):
    return guest.meter().superpages


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=BOOT // MIB, vcpus=2, config=TABLES)
    guest.maxmem = 2 * GROWN // MIB     # as far as it is looked at from outside
    guest.load(upkeep=False)
    start, beyond = whole(guest), guest.xen_pages() * 4 - guest.current_kb()
    guest.run(f"echo online > {BLOCKS}/auto_online_blocks")
    before = superpages(guest)
    grow(guest, GROWN, 240)
    lab.equal("what Xen counts beyond current_kb", guest.xen_pages() * 4 - guest.current_kb(), beyond)
    added, most = stats(guest)["hotplugged"] * 4, superpages(guest)
    lab.check(most - before >= IN_SUPERPAGES * (GROWN - BOOT) // HUGE_KB,
              f"added {added // MIB} MiB, and {before} superpages became {most}, expected {IN_SUPERPAGES:.0%} "
              "of what came at least")
    lab.wait(lambda: whole(guest) == start + added, 60, "all of the last block to be there")
    agreement = Agreement(lab, guest)
    Holder(lab, guest, HELD_MIB).intact()

    with holes(lab, guest, SHATTERED_MIB):
        guest.run(f"echo Y > {DEBUG}/base_only")
        move(guest, GROWN - TAKEN)
        guest.run(f"echo N > {DEBUG}/base_only")
    agreement.check("with some of it ballooned out page by page")
    out = queues(guest)
    lab.equal("in base pages, in kB", out["base"], TAKEN)
    guest.run("echo 1 > /proc/sys/vm/compact_memory")
    moved = stats(guest)["migrated"]
    lab.check(moved > 0, f"pages that compaction moved: {moved}, expected some")
    guest.run(f"echo 1 > {DEVICE}/upkeep/coalesce")
    lab.wait(lambda: queues(guest)["huge"] - out["huge"] >= AIM * TAKEN, PATIENCE, f"{AIM:.0%} to be in huge pages")
    move(guest, GROWN)
    agreement.check("up again")

    shattered = superpages(guest)
    guest.run(f"echo 1 > {DEVICE}/upkeep/heal")
    lab.wait(lambda: superpages(guest) >= AIM * most, PATIENCE, f"{most} superpages, of which {shattered} are left")
    lab.check(stats(guest)["healed"] > 0, f"healed {stats(guest)['healed']} regions")
    guest.run(f"echo 0 > {DEVICE}/upkeep/heal")
    move(guest, BOOT, 240)
    agreement.check("as small as at first")
    guest.unload()
    move(guest, BOOT + TAKEN)
