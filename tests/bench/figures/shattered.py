# SPDX-License-Identifier: GPL-2.0
"""Guests of 512 MiB that have lost superpages before the driver has done anything, while a program
verifies a part of their memory: one built with populate-on-demand (256 of 512 MiB), and one that
the in-tree driver has taken to 256 MiB and back before ours was loaded. What counts are regions in
which the kernel has nothing that cannot be moved.
"""

import healing
import plots
from common import MIB, Holder, move
from measure import INTREE, OURS

NAME = "shattered"
TITLE = "Guests shattered before"
SECONDS = 60


def pod(bench, kind, driver):
    """A guest built with half of its memory."""
    with bench.guest(kind, driver, memory=256, maxmem=512) as guest:
        holder = Holder(bench.lab, guest, 90)
        points = healing.curve(bench, guest, SECONDS)
        holder.intact()
    return points


def shattered(bench, kind, driver):
    """A guest that the in-tree driver took down and up."""
    with bench.guest(kind, INTREE) as guest:
        for target in (256 * MIB, 512 * MIB):
            move(guest, target, timeout=120)
        holder = Holder(bench.lab, guest, 200)
        if driver == OURS:
            guest.load()
        points = healing.curve(bench, guest, SECONDS)
        holder.intact()
    return points


TITLES = {"pod": "superpages, populate-on-demand", "shattered": "superpages, shattered by in-tree"}


def measure(bench):
    kinds = bench.superpage_kinds
    # A PV guest has all of it from the start.
    return healing.measure(bench, {"pod": (pod, [kind for kind in kinds if kind != "pv"]),
                                   "shattered": (shattered, kinds)})


def rows(data):
    return healing.rows(data, TITLES)


def draw(data, folder):
    plots.healing(data, folder / "shattered.svg")
    return [("shattered.svg", "Superpages of what could be, against the time that the guest is left alone, "
             "and the CPU time that the driver's thread used.", "Curves of both drivers, by what shattered it.")]
