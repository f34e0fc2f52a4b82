# SPDX-License-Identifier: GPL-2.0
"""A guest booted with less memory than its maximum grows to the maximum with the module loaded.

In PVH that memory is populate on demand; in PV it is the region that newer kernels give to the
unpopulated allocator.
"""

from common import MIB, Agreement, Holder, move

BOOT = 256 * MIB
MAXIMUM = 512 * MIB
HELD_MIB = 300


def show(lab, guest, when):
    lab.note(f"{when}: current {guest.current_kb()} kB, Xen counts {guest.xen_pages() * 4} kB")
    for line in guest.meter().draw(64):
        lab.note(line)


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=BOOT // MIB, maxmem=MAXIMUM // MIB)
    guest.landed()
    show(lab, guest, "booted")
    guest.load()
    agreement = Agreement(lab, guest)
    start = guest.current_kb()

    move(guest, MAXIMUM)
    grown = agreement.check("grown to the maximum")
    lab.equal("growth from the boot size to the maximum, in kB", grown - start, MAXIMUM - BOOT)
    show(lab, guest, "grown")

    Holder(lab, guest, HELD_MIB).intact()
    for target in (BOOT, MAXIMUM):
        move(guest, target)
        agreement.check(f"at {target} kB")
    guest.unload()
    agreement.check("after rmmod")
