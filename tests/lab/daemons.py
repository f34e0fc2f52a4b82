# SPDX-License-Identifier: GPL-2.0
"""The daemons of two toolstacks find a guest as cooperative as with the in-tree driver.

squeezed spreads a host's memory over four guests, makes room for a fifth and spreads what that leaves; qmemman has
memory follow what the guests use, while programs in them take much and leave it. First with the in-tree driver, then
with ours in the same guests, which do not give anything of their own accord; and then while they do, as far as
Documentation/toolstacks.rst says that it goes together. All that the daemons wait for lasts as many times as long as
they need here to find the in-tree driver cooperative.
"""

from common import MIB, Agreement, Holder, move, stats
from elastic import GROUP
from meminfo import Writers
from qmemman import LEFT, Qmemman
from squeezed import KEPT_FREE, Squeezed
from toolstack import Xen

TYPES = ("pvh",)
TAKES = 840
TIMEOUT = 1800
GUESTS, MEMORY = 4, 384
LEAST_MIB = 192
USED_MIB = 64
ROOM_MIB = 200              # for a guest that is to start
WATCHED_S = 45
SLOWER = (4, 8, 16)         # so many times as long
# Beside the program that holds memory: qmemman leaves a guest 200 MiB, of which the kernel uses half.
LOAD = "while [ ! -e /quiet ]; do take 30 > /dev/null; sleep 10; done"


def squeezed(lab, xen, guests):
    """Have squeezed at work for a while; returns what it finds of each guest, and whether there was room."""
    for guest in guests:
        for key, mib in ("dynamic-min", LEAST_MIB), ("dynamic-max", MEMORY):
            xen.write(guest.domid, f"memory/{key}", mib * MIB)
    daemon = Squeezed(xen, announced=True)
    with lab.starve(KEPT_FREE // MIB + 16):
        daemon.balance()
        room = daemon.free(ROOM_MIB * MIB)
        daemon.balance()
        daemon.watch(WATCHED_S)
    lab.note(f"squeezed: {daemon.told()}")
    return daemon.found() | {"room": room}


def qmemman(lab, xen, guests):
    """Have qmemman at work for a while; returns what it finds of each guest, and whether there was room."""
    daemon = Qmemman(xen, Writers(guests))
    with lab.starve(LEFT // MIB + 16):
        daemon.watch(WATCHED_S)
        room = daemon.free(ROOM_MIB * MIB)
    lab.note(f"qmemman: {daemon.told()}")
    return daemon.found() | {"room": room}


def both(lab, xen, guests):
    """Have both at work, one after the other."""
    return [squeezed(lab, xen, guests), qmemman(lab, xen, guests)]


def run(lab, kind, kernel):
    guests = lab.guests([dict(kind=kind, kernel=kernel, memory=MEMORY, name=f"host{i}") for i in range(GUESTS)])
    holders = [Holder(lab, guest, USED_MIB, guest.domid).idle() for guest in guests]
    loads = [guest.spawn(LOAD) for guest in guests]
    xen = Xen(lab, guests)
    good = {guest.name: "cooperative" for guest in guests} | {"room": True}

    for xen.slow in SLOWER:
        found = both(lab, xen, guests)
        if found == [good] * 2:
            break
        lab.note(f"with the in-tree driver, {xen.slow} times as slow: {found}")
    lab.equal("what squeezed and qmemman find with the in-tree driver", found, [good] * 2)
    lab.note(f"all lasts {xen.slow} times as long as with the daemons")
    lab.slow *= xen.slow        # and so may all that the guests do
    for guest in guests:
        guest.load()
    agreements = [Agreement(lab, guest) for guest in guests]
    lab.equal("and with ours", both(lab, xen, guests), [good] * 2)
    for guest in guests:
        guest.run(f"cd {GROUP}; echo 5 > hold_s; echo 2000 > age_ms; echo 1 > enabled")
        for key in "dynamic-min", "dynamic-max":
            xen.remove(guest.domid, f"memory/{key}")
    lab.equal("qmemman, with memory given", qmemman(lab, xen, guests), good)
    given = [stats(guest)["given"] for guest in guests]
    lab.check(any(given), f"given meanwhile: {given} pages, expected some")

    for guest, holder, load, agreement in zip(guests, holders, loads, agreements):
        guest.run(f"echo 0 > {GROUP}/enabled; touch /quiet")
        load.wait(60)
        guest.mem_max(f"{MEMORY * MIB}k")
        move(guest, MEMORY * MIB)
        holder.intact()
        agreement.check("in the end")
        guest.unload()
