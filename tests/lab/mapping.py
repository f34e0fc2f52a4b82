# SPDX-License-Identifier: GPL-2.0
"""On a stock kernel a guest maps pages of another one, and the balloon has no part in it.

Debian's kernels have address space of their own for that (CONFIG_XEN_UNPOPULATED_ALLOC).
"""

from common import DEVICE, HAVE_GNTDEV, MIB, READY_WITHIN, Agreement, move, queues, share_pages

SHARED = 1000
PEAK = 3000                 # pages mapped at a time


def run(lab, kind, kernel):
    guest, giver = lab.guests([dict(kind=kind, kernel=kernel, name="mapper"),
                               dict(kind="pvh", kernel=kernel, memory=256, name="giver")])
    guest.load()
    guest.run(f"echo 0 > {DEVICE}/upkeep/heal")     # which has 2 MiB with Xen now and then
    agreement = Agreement(lab, guest)
    lab.equal("foreign/ in sysfs", guest.run(f"ls -d {DEVICE}/foreign", check=False), "")
    move(guest, 384 * MIB)
    lent, superpages = queues(guest)["foreign_lent"], guest.meter().superpages

    refs = share_pages(lab, giver, guest.domid, SHARED)
    guest.run(HAVE_GNTDEV)
    mapper = guest.spawn(f"grants map {giver.domid} {PEAK} 1 {refs}")
    lab.wait(lambda: "peak" in mapper.output(), READY_WITHIN, f"{PEAK} pages to be mapped")
    now = queues(guest)
    lab.equal("lent and spare, in kB", (now["foreign_lent"], now["foreign_spare"]), (lent, 0))
    lab.equal(f"superpages with {PEAK} pages mapped", guest.meter().superpages, superpages)
    agreement.check("with all mapped")
    guest.run("killall -USR1 grants")
    said = mapper.wait(120).strip().splitlines()[-1]
    lab.check(said.startswith("intact"), f"the mapping program said: {said}")
    move(guest, agreement.whole)
    agreement.check("up again")
    guest.unload()
