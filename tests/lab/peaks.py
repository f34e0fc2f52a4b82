# SPDX-License-Identifier: GPL-2.0
"""Four guests want much in turn, on a host that has not so much for all, and each of them gets it.

Each uses 120 of its 512 MiB, and has 180 MiB more by turns; the host has 1.5 GiB for the four. What one
gives when its turn is over the next one gets. Nobody is killed, nobody spins, and all of what they hold stays intact.
"""

import time

from common import DEBUG, MIB, Agreement, Holder, killed, stats
from elastic import GROUP

TAKES = 400
TIMEOUT = 1500
MEMORY = 512
USED_MIB = 120
PEAK_MIB = 180
GUESTS = 4
ROOM_MIB = 1536             # for all of them
GIVES_WITHIN = 120          # seconds
AGAIN = f"cd {GROUP}; echo 2 > hold_s; echo 1000 > age_ms; echo 1 > enabled"
REFUSED_A_SECOND = 2        # times that Xen may be asked in vain


def room(guests):
    """What the guests have, in MiB, by what Xen counts."""
    return sum(guest.xen_pages() for guest in guests) * 4 // MIB


def give(lab, guests):
    """Wait until they have so little that all of it, and one peak, fit."""
    lab.wait(lambda: room(guests) <= ROOM_MIB - PEAK_MIB, GIVES_WITHIN,
             f"the guests to have no more than {ROOM_MIB - PEAK_MIB} MiB", every=2)


def run(lab, kind, kernel):
    guests = lab.guests([dict(kind=kind, kernel=kernel, memory=MEMORY, name=f"peak{i}") for i in range(GUESTS)])
    holders, agreements = [], []
    for guest in guests:
        guest.load()
        agreements.append(Agreement(lab, guest))
        guest.run(AGAIN)
        holders.append(Holder(lab, guest, USED_MIB, guest.domid).idle())
    give(lab, guests)
    with lab.starve(ROOM_MIB - room(guests)):
        start = time.monotonic()
        for guest in guests:
            took = float(guest.run(f"take {PEAK_MIB}", timeout=240))
            guest.run(AGAIN)
            lab.note(f"{guest.name} had {PEAK_MIB} MiB more after {took / 1000:.1f} s; "
                     f"all have {room(guests)} MiB, the host {lab.host_free_kb() // MIB}")
            give(lab, guests)
        seconds = time.monotonic() - start
        for guest, holder in zip(guests, holders):
            done = stats(guest)
            refused = done["populate_refused"]
            lab.check(refused < REFUSED_A_SECOND * seconds,
                      f"{guest.name} was refused {refused} times in {seconds:.0f} s: {done}")
            lab.note(guest.run(f"cat {DEBUG}/latency").replace("\n", "; "))
            lab.equal(f"{guest.name}, killed for want of memory", killed(guest), 0)
            holder.intact()
            guest.run(f"echo 0 > {GROUP}/enabled")
    for guest, agreement in zip(guests, agreements):
        guest.landed()
        agreement.check("with nothing given, and the host's memory back")
        guest.unload()
