# SPDX-License-Identifier: GPL-2.0
"""What a guest has given, and the host has handed out, is missed no more than by a guest of the size that it has.

One guest has given what it had no use for; another is as large as that one is then, by its target. The host has
nothing left. A program that wants more than there is is killed in both, alone; one that wants what there is has it
in both; and nobody asks Xen in a loop. When the host has memory again the guest gets it back.
"""

import time

from common import MIB, Agreement, Holder, killed, move, stats
from elastic import GROUP, given

TAKES = 180
TIMEOUT = 900
FAULTS = False              # of each page the kernel looks who asks for it: programs take too many for that
EXPECTED = (r"oom-kill:", r"Out of memory: Killed", r"Call Trace", r"invoked oom-killer", r"page allocation failure")
MEMORY = 512
USED_MIB = 120
TOO_MUCH_MIB = 400
LEFT_MIB = 16
TRIES_AT_MOST = 1           # in a second, but for the first ones
FIRST_TRIES = 40
MANY = f"echo 1 > /proc/sys/vm/overcommit_memory; echo 1000 > /proc/self/oom_score_adj; exec take {TOO_MUCH_MIB}"


def short(lab, guest, fits):
    """Have programs want what there is, and more."""
    start, tries, before = time.monotonic(), stats(guest)["stalls"], killed(guest)
    took = float(guest.run(f"take {fits}", timeout=240))
    lab.note(f"{guest.name}: {fits} MiB that there are after {took:.0f} ms")
    lab.equal(f"{guest.name}: killed by then", killed(guest) - before, 0)
    guest.run(MANY, timeout=240, check=False)
    lab.equal(f"{guest.name}: killed for {TOO_MUCH_MIB} MiB that there are not", killed(guest) - before, 1)
    seconds, tries = time.monotonic() - start, stats(guest)["stalls"] - tries
    lab.check(tries <= FIRST_TRIES + TRIES_AT_MOST * seconds, f"{guest.name}: {tries} tries in {seconds:.1f} s")


def run(lab, kind, kernel):
    gives, small = lab.guests([dict(kind=kind, kernel=kernel, memory=MEMORY, name=name) for name in ("gives", "small")])
    holders = []
    for guest in (gives, small):
        guest.load()
        holders.append(Holder(lab, guest, USED_MIB).idle())
    agreement = Agreement(lab, gives)
    gives.run(f"cd {GROUP}; echo 2000 > age_ms; echo 2 > hold_s; echo 1 > enabled")
    given(lab, gives)
    gives.run(f"echo 300 > {GROUP}/hold_s")
    move(small, gives.current_kb())
    with lab.starve(LEFT_MIB):
        fits = min(guest.meminfo()["MemAvailable"] for guest in (gives, small)) // MIB * 3 // 4
        for guest in (small, gives):
            short(lab, guest, fits)
        done = stats(gives)
        lab.check(done["return_refused"], f"gives: {done}, current_kb {gives.current_kb()}, expected to be refused, "
                                          f"host {lab.host_free_kb() // MIB} MiB")
    gives.run(f"echo 0 > {GROUP}/enabled")
    gives.landed()
    agreement.killed = killed(gives)
    agreement.check("with the host's memory back")
    for guest, holder in zip((gives, small), holders):
        holder.intact()
        guest.unload()
