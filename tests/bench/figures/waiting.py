# SPDX-License-Identifier: GPL-2.0
"""CPU time of the driver's thread, as a share of the time that goes by: in a guest at its target, with
nothing to do any more (60 seconds after it got there: what upkeep costs before is in the figures above), and in one
that cannot reach its target, since ``xl mem-max`` is in the way: there the in-tree driver has given up, ours has not.
Guests with either driver wait side by side, three times for 10 seconds.
"""

import time
from functools import partial

from common import MIB, move, share, thread_time
from measure import INTREE, OURS
from table import Row, spread

NAME = "waiting"
TITLE = "CPU time of waiting"
WINDOW = 10                 # seconds
WINDOWS = 3
# Seconds until upkeep has nothing to do, and until the in-tree driver has given up.
SETTLE = {"idle": 60, "unreachable": 15}
LOW = 256
AT_MOST = {"idle": 0.0001, "unreachable": 0.001}
AIMS = {"idle": "none (below 0.01 %)", "unreachable": "below 0.1 %"}


def watch(guests, found, case):
    """Add to found what share of each window each guest's thread used."""
    found = found[case]
    time.sleep(SETTLE[case])
    for _ in range(WINDOWS):
        before = {driver: thread_time(guest) for driver, guest in guests.items()}
        time.sleep(WINDOW)
        for driver, guest in guests.items():
            found.setdefault(driver, []).append(share(before[driver], thread_time(guest)))


def measure(bench):
    data = {kind: {"idle": {}, "unreachable": {}} for kind in bench.kinds}

    def go(kind):
        with bench.guest(kind, INTREE) as intree, bench.guest(kind, OURS) as ours:
            guests = {INTREE: intree, OURS: ours}
            found = data[kind]
            for guest in guests.values():
                move(guest, LOW * MIB, timeout=120)
            watch(guests, found, "idle")
            for guest in guests.values():
                guest.mem_max(f"{LOW + 32}m")
                guest.target_kb(guest.current_kb() + 128 * MIB)
            watch(guests, found, "unreachable")
        bench.say(f"{kind}: {found}")

    bench.at_once([partial(go, kind) for kind in data])
    return data


def rows(data):
    return [Row(f"CPU time of the thread, {case}", kind, *(spread([one * 100 for one in shares[driver]], "{:.4f} %")
                                                         for driver in (INTREE, OURS)),
                "", AIMS[case], sorted(shares[OURS])[len(shares[OURS]) // 2] < AT_MOST[case])
            for kind, cases in data.items() for case, shares in cases.items()]
