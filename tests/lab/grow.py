# SPDX-License-Identifier: GPL-2.0
"""A guest booted with less memory than its maximum grows to the maximum once the module is loaded.

In PVH that memory is populate on demand, in PV the region that newer kernels give to the unpopulated allocator.
"""

from common import MIB, Agreement, Holder, move

BOOT = 256
MAXIMUM = 512
HELD_MIB = 340


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=BOOT, maxmem=MAXIMUM)
    lab.note(f"booted: current {guest.current_kb()} kB, Xen counts {guest.xen_pages() * 4} kB")
    lab.note("\n".join(guest.meter().draw(64)))
    guest.load()
    agreement = Agreement(lab, guest)
    start = guest.current_kb()

    move(guest, MAXIMUM * MIB)
    grown = agreement.check(f"grown to {MAXIMUM} MiB")
    lab.equal(f"growth from {BOOT} to {MAXIMUM} MiB, in kB", grown - start, (MAXIMUM - BOOT) * MIB)
    lab.note("\n".join(guest.meter().draw(64)))

    holder = Holder(lab, guest, HELD_MIB)
    holder.intact()
    move(guest, BOOT * MIB)
    agreement.check(f"down to {BOOT} MiB again")
    move(guest, MAXIMUM * MIB)
    agreement.check(f"up to {MAXIMUM} MiB again")
    guest.unload()
    agreement.check("after rmmod")
