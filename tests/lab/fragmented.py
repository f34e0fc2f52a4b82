# SPDX-License-Identifier: GPL-2.0
"""A guest with no free 2 MiB in one piece: the driver falls back to base pages, lands, and keeps more superpages than the in-tree driver.

Every free 2 MiB block of both guests holds some pages that nobody can move (the module fragment).
"""

from common import MIB, Agreement, move

SHRUNK = 384 * MIB


def shrink_and_grow(lab, guest):
    """Fragments the guest, sends it down and up again; returns its superpages at the start, down and up."""
    lab.note(f"{guest.name}: {guest.run('insmod /fragment.ko && dmesg | grep fragment: | tail -n 1').strip()}")
    agreement = Agreement(lab, guest)
    start = guest.meter().superpages
    move(guest, SHRUNK)
    agreement.check("down")
    down = guest.meter().superpages
    move(guest, 512 * MIB)
    agreement.check("up")
    up = guest.meter().superpages
    lab.note(f"{guest.name}: superpages {start} at the start, {down} down, {up} up again")
    return start, down, up


def run(lab, kind, kernel):
    intree, ours = lab.guests([dict(kind=kind, kernel=kernel, memory=512, name="intree"), dict(kind=kind, kernel=kernel, memory=512, name="ours")])
    theirs = shrink_and_grow(lab, intree)
    intree.destroy()

    ours.load()
    base_before = int(ours.run("cat /sys/devices/system/xen_memory/xen_memory0/queues/base_kb"))
    start, down, up = shrink_and_grow(lab, ours)
    lab.equal("base pages left in the queue after growing back, in kB", int(ours.run("cat /sys/devices/system/xen_memory/xen_memory0/queues/base_kb")), base_before)
    lab.check(start - down < theirs[0] - theirs[1], f"superpages lost on the way down: {start - down}, in-tree {theirs[0] - theirs[1]}")
    lab.check(start - up < theirs[0] - theirs[2], f"superpages lost after the way up: {start - up}, in-tree {theirs[0] - theirs[2]}")
    ours.unload()
