# SPDX-License-Identifier: GPL-2.0
"""A guest whose superpages were shattered gets them back, while half of it is in use.

Shattered by the in-tree driver, which took it down and up before the module was loaded; by being
built with populate-on-demand; by being saved and restored, or migrated. What counts are the 2 MiB
regions in which the kernel has no page that cannot be moved: as many as their pages would fill. The
program that holds memory has it in huge pages of its own, but in PV, where Linux has none.
"""

import time

from common import DEVICE, MIB, Agreement, Holder, move, stats, thread_time

TAKES = 240
TYPES = ("pv", "pvh", "hvm")
TIMEOUT = 900
FAULTS = False              # a region of which some page cannot be moved for want of memory is not healed
AIM = 0.95
PATIENCE = 240              # seconds of the guest's
LOOK = 5


def look(guest):
    """How many superpages could be, without moving what cannot be moved, and how many of those are."""
    mapped = guest.meter().regions
    numbers, where = guest.run("movable").splitlines()
    movable = [mapped[i:i + 1] for i, region in enumerate(where) if region == "1"]
    return int(numbers.split()[3]), movable.count("S")


def heals(lab, guest, holder, how):
    """Wait until the guest has its superpages again."""
    start, (_, first) = thread_time(guest), look(guest)
    end = time.monotonic() + PATIENCE * lab.slow
    curve = []
    while True:
        now = thread_time(guest)
        possible, superpages = look(guest)
        curve.append(f"{now[1] - start[1]:.0f} s {superpages}")
        if superpages >= AIM * possible or time.monotonic() > end:
            break
        time.sleep(LOOK)
    lab.note(f"superpages by seconds: {', '.join(curve)}")
    done = stats(guest)
    lab.note(f"healed {done['healed']}, no 2 MiB for {done['heal_refused']}, stuck {done['heal_stuck']}, "
             f"given up {done['heal_given_up']}")
    lab.check(superpages >= AIM * possible,
              f"{how}: {first} superpages, {superpages} after {now[1] - start[1]:.1f} s and {now[0] - start[0]:.2f} s "
              f"of CPU, expected at least {AIM:.0%} of {possible}")
    holder.intact()
    # From now on no 2 MiB are on their way.
    guest.run(f"echo 0 > {DEVICE}/upkeep/heal")
    Agreement(lab, guest).check(f"{how}, healed")
    guest.unload()
    guest.destroy()


def hold(lab, guest, mib):
    """Have a program hold memory, in huge pages where Linux has them."""
    guest.run("! cd /sys/kernel/mm/transparent_hugepage || echo always > enabled")
    holder = Holder(lab, guest, mib)
    lab.note(f"{guest.name}: in huge pages of programs: {guest.meminfo().get('AnonHugePages', 0)} kB")
    return holder


def by_the_intree_driver(lab, kind, kernel):
    guest = lab.guest(kind, kernel, vcpus=2)
    for target in (256 * MIB, 512 * MIB):
        move(guest, target)
    holder = hold(lab, guest, 200)
    guest.load()
    heals(lab, guest, holder, "after the in-tree driver's 512 -> 256 -> 512 MiB")


def by_populate_on_demand(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=256, maxmem=512, vcpus=2)
    holder = hold(lab, guest, 90)
    guest.load()
    heals(lab, guest, holder, "built with 256 of 512 MiB")


def by_restore(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=320, vcpus=2)
    guest.load()
    holder = hold(lab, guest, 130)
    guest.save("/tmp/saved")
    guest.restore("/tmp/saved")
    heals(lab, guest, holder, "saved and restored")


def by_migration(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=320, vcpus=2)
    guest.load()
    holder = hold(lab, guest, 130)
    guest.migrate()
    heals(lab, guest, holder, "migrated")


def run(lab, kind, kernel):
    by_the_intree_driver(lab, kind, kernel)
    by_populate_on_demand(lab, kind, kernel)
    by_restore(lab, kind, kernel)
    if kind == "pvh":       # without shadow paging PV cannot be
        by_migration(lab, kind, kernel)
