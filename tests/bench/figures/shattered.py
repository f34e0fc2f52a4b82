# SPDX-License-Identifier: GPL-2.0
"""Guests of 512 MiB that have lost superpages before ours is loaded, while a program verifies a part of
their memory: one built with populate-on-demand (256 of 512 MiB), and one that the in-tree driver has
taken to 256 MiB and back. Each is watched with the in-tree driver first, and then with ours. What
could be is as many superpages as would be filled by the pages of those regions in which the kernel
has nothing that cannot be moved.
"""

from functools import partial

import healing
import plots
from common import MIB, Holder, move
from measure import DRIVERS, INTREE, OURS

NAME = "shattered"
TITLE = "Guests shattered before"
SECONDS = 120

TITLES = {"pod": "superpages, populate-on-demand", "shattered": "superpages, shattered by in-tree"}
MEMORY = {"pod": {"memory": 256, "maxmem": 512}, "shattered": {"memory": 512}}
HELD_MIB = {"pod": 90, "shattered": 200}


def measure(bench):
    kinds = bench.superpage_kinds
    # A PV guest has all of it from the start.
    data = {"pod": {kind: {} for kind in kinds if kind != "pv"}, "shattered": {kind: {} for kind in kinds}}

    def go(case, kind):
        with bench.guest(kind, INTREE, **MEMORY[case]) as guest:
            for target in (256 * MIB, 512 * MIB) if case == "shattered" else ():
                move(guest, target, timeout=120)
            holder = Holder(bench.lab, guest, HELD_MIB[case])
            for driver in DRIVERS:
                if driver == OURS:
                    guest.load()
                data[case][kind][driver] = healing.curve(bench, guest, SECONDS, driver)
            holder.intact()

    bench.at_once([partial(go, case, kind) for case in data for kind in data[case]])
    return data


def rows(data):
    return healing.rows(data, TITLES)


def draw(data, folder):
    plots.healing(data, folder / "shattered.svg")
    return [("shattered.svg", "Superpages of what could be, against the time that the guest is left alone, "
             "and the CPU time that the driver's thread used.", "Curves of both drivers, by what shattered it.")]
