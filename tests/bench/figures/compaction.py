# SPDX-License-Identifier: GPL-2.0
"""In a guest of 512 MiB a program holds every second page of 360 MiB, the balloon takes nearly all the rest in base
pages, and the program ends. Then memory is compacted three times, and as many huge pages are asked for as could be
had: those regions in which the kernel has nothing that cannot be moved, less what all that can be moved would fill,
packed together. That is an estimate, a few more can be there. In PV, where Linux has no huge pages, free blocks of
2 MiB count. Upkeep is off.
"""

from functools import partial

from common import DEBUG, balloon_out, holes
from compaction import huge_pages       # the scenario's, of the same name
from measure import DRIVERS, OURS
from table import Row

NAME = "compaction"
TITLE = "Huge pages after compaction"
AIM = 0.95


def measure(bench):
    data = {kind: {} for kind in bench.kinds}

    def go(kind, driver):
        with bench.guest(kind, driver, upkeep=False) as guest:
            if driver == OURS:
                guest.run(f"echo Y > {DEBUG}/base_only")
            with holes(bench.lab, guest):
                balloon_out(guest)
            data[kind][driver] = huge_pages(bench.lab, guest)[:2]
        bench.say("{} {}: {} of {}".format(kind, driver, *data[kind][driver]))

    bench.at_once([partial(go, kind, driver) for kind in data for driver in DRIVERS])
    return data


def rows(data):
    return [Row("huge pages after compaction", kind,
                *("{} of {} ({:.0%})".format(*drivers[driver], drivers[driver][0] / drivers[driver][1])
                  for driver in DRIVERS), aim="at least 95 %", reached=drivers[OURS][0] >= AIM * drivers[OURS][1])
            for kind, drivers in data.items()]
