# SPDX-License-Identifier: GPL-2.0
"""A device that does not answer stops neither the thread nor the guest's sizing.

While the module heals, a page in the region that it is about to empty is locked after it has looked,
as by a task that waits for a device (the module lockpage): alloc_contig_range() waits for it with no
limit. A target is followed all the same, and who reads or unloads does not wait for longer than the
device takes.
"""

from common import DEBUG, MIB, Agreement, Holder, move

FAULTS = False              # who has no memory for a page does not wait for the next one
STATE = "comm=$(grep -lx xen-balloon /proc/[0-9]*/comm); awk '/^State/ {print $2}' ${comm%comm}status"
LOCKED = "dmesg | grep 'lockpage: locked'"
SAID = "until it ends no 2 MiB are made free"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=512)
    for target in (256 * MIB, 512 * MIB):
        move(guest, target)
    holder = Holder(lab, guest, 150)
    # Nor is it news that a work waits.
    guest.run("echo 0 > /proc/sys/kernel/hung_task_timeout_secs; insmod /lockpage.ko")
    guest.load()
    agreement = Agreement(lab, guest)
    lab.wait(lambda: guest.run(LOCKED, check=False), 120, "a page to be locked as a region is to be emptied")
    lab.wait(lambda: SAID in guest.dmesg(), 60, "the module to say that something waits for a device")

    move(guest, 420 * MIB)
    lab.equal("invariant", guest.run(f"cat {DEBUG}/invariant").strip(), "ok")
    state = guest.run(STATE).strip()
    lab.check(state != "D", f"the thread's state: {state}, expected another than D")
    move(guest, 512 * MIB)

    guest.run("rmmod lockpage")
    agreement.check("after the device has answered")
    holder.intact()
    guest.unload()
