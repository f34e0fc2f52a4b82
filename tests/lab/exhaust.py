# SPDX-License-Identifier: GPL-2.0
"""A driver that borrows until nothing is left is refused, and the guest lives, and has all back after it.

On a kernel whose drivers borrow ballooned pages to map other guests' memory: xen-gntdev maps what
another guest shares, again and again, until it is told that there is no memory. What the balloon
has goes first, then what the guest has. Nobody is killed, and targets are followed meanwhile. The
rows of foreign/ in Documentation/input.rst are tried here, since other kernels do not have it.
"""

from common import DEBUG, DEVICE, MIB, READY_WITHIN, Agreement, Holder, never_boost, queues, share_pages
from inputs import Inputs

KERNELS = ("6.12-nounpopulated",)
MEMORY = 256
LOW = 200 * MIB
HELD_MIB = 20
SHARED = 2000           # pages, each of which is mapped some 25 times


def run(lab, kind, kernel):
    guest, giver = lab.guests([dict(kind=kind, kernel=kernel, memory=MEMORY, name="mapper"),
                               dict(kind="pvh", kernel=kernel, memory=128, name="giver")])
    # It refuses a borrower when it has nothing beyond its own reserves, and a MiB for programs: no boost leaves that.
    never_boost(guest)
    guest.load()
    full = guest.current_kb()
    guest.target_kb(LOW)
    guest.landed()
    agreement = Agreement(lab, guest)
    booted = queues(guest)["foreign_lent"]
    holder = Holder(lab, guest, HELD_MIB)

    refs = share_pages(lab, giver, guest.domid, SHARED)
    borrower = guest.spawn(f"grants exhaust {giver.domid} {refs}")
    lab.wait(lambda: "refused" in borrower.output(), READY_WITHIN, "the borrower to be refused")
    lab.check("Cannot allocate memory" in borrower.output(), f"the borrower was {borrower.output().strip()}")
    now, left = queues(guest), guest.current_kb()
    lent = now["foreign_lent"] - booted
    lab.check(lent > full - LOW, f"lent: {lent} kB, expected more than the {full - LOW} kB that were ballooned out")
    lab.note(f"the guest has {left} kB, of which {guest.meminfo()['MemAvailable']} kB are available")
    guest.target_kb(LOW + 4 * MIB)
    guest.target_kb(LOW)
    said = guest.run(f"for i in $(seq 50); do ls / > /dev/null || echo failed; done; cat {DEBUG}/invariant")
    lab.equal("50 programs, and the invariant, with nothing left", said.split(), ["ok"])

    guest.run("killall -USR1 grants")
    said = borrower.wait(120).strip().splitlines()[-1]
    lab.equal("the borrower, in the end", said, "intact")
    guest.landed()
    agreement.check("after all was given back")
    holder.intact()
    # While there is enough ballooned out for what they have kept to be lent.
    inputs = Inputs(lab, guest)
    for file in "foreign/low_kb", "foreign/high_kb":
        inputs.try_file(file)
    guest.run(f"echo 0 > {DEVICE}/foreign/low_kb; echo 0 > {DEVICE}/foreign/high_kb")
    guest.target_kb(full)
    guest.landed()
    agreement.check("at its full size")
    guest.unload()
