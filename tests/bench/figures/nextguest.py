# SPDX-License-Identifier: GPL-2.0
"""On a full host, a PVH guest of 512 MiB gives 190 MiB back, and another one of 160 MiB is built on that. In the one
that gives, a program holds every second page of more and more of its memory. How many superpages does the next guest
get, whose memory can only be what was given?
"""

import contextlib

import plots
from common import MIB, holes
from measure import DRIVERS
from table import Row

NAME = "nextguest"
TITLE = "The next guest"
DEGREES = (0, 240, 360)   # MiB in which every second page is held
GIVER_MIB, GIVEN_MIB, NEXT_MIB = 512, 190, 160
LEFT_MIB = 8                # of the host, for what a guest takes beside its memory
LEFT_AT_MOST_MIB = 24
SPARE_MIB = 144             # for what the giver takes beside its memory, and for a guest that eats the rest


def superpages_of_next(bench):
    """Build the next guest, and return how many superpages it gets."""
    guest = bench.lab.built("pvh", bench.kernel, memory=NEXT_MIB, name="next")
    superpages = guest.meter().superpages
    guest.destroy()
    return superpages


def degree(bench, driver, mib):
    with bench.guest("pvh", driver) as guest, holes(bench.lab, guest, mib) if mib else contextlib.nullcontext():
        with bench.lab.starve(LEFT_MIB):
            left = bench.lab.host_free_kb() // MIB
            bench.lab.check(left <= LEFT_AT_MOST_MIB, f"left of the host: {left} MiB, at most {LEFT_AT_MOST_MIB}")
            guest.target_kb(guest.current_kb() - GIVEN_MIB * MIB)
            guest.landed(120)
            return superpages_of_next(bench)


def measure(bench):
    data = {"fresh": superpages_of_next(bench), "degrees": {}}
    # What the guests do not need is taken once, since that takes long.
    with bench.lab.starve(GIVER_MIB + SPARE_MIB):
        for mib in DEGREES:
            data["degrees"][str(mib)] = {driver: degree(bench, driver, mib) for driver in DRIVERS}
            bench.say(f"{mib} MiB with holes: {data['degrees'][str(mib)]}, on a fresh host {data['fresh']}")
    return data


def rows(data):
    return [Row(f"the next guest's superpages, {mib} MiB with holes", "pvh", str(drivers["intree"]),
                str(drivers["ours"]), str(data["fresh"]), "as on a fresh host", drivers["ours"] >= data["fresh"])
            for mib, drivers in data["degrees"].items()]


def draw(data, folder):
    plots.nextguest(data, folder / "nextguest.svg")
    return [("nextguest.svg", "Superpages of a guest that is built on what another one gave.",
             "A line for either driver, and one for a fresh host.")]
