# SPDX-License-Identifier: GPL-2.0
"""Guests of 320 MiB in which a program verifies 130 MiB are saved and restored, and a PVH one is migrated
as it runs, to the same host (PV cannot be, for Debian's Xen has no shadow paging). Xen's tools populate them
page by page, so that no superpage is left. What could be is as many superpages as would be filled by
the pages of those regions in which the kernel has nothing that cannot be moved.
"""

from functools import partial

import healing
import plots
from common import Holder
from measure import DRIVERS

NAME = "restored"
TITLE = "After restore and migration"
SECONDS = 120


def restore(guest):
    guest.save(f"/tmp/{guest.name}")
    guest.restore(f"/tmp/{guest.name}")
    guest.host.dom0(f"rm /tmp/{guest.name}")


def migrate(guest):
    guest.migrate()


WAYS = {"restored": restore, "migrated": migrate}
TITLES = {"restored": "superpages after save and restore", "migrated": "superpages after live migration"}


def measure(bench):
    data = {"restored": {kind: {} for kind in bench.superpage_kinds}, "migrated": {"pvh": {}}}

    def go(way, kind, driver):
        with bench.guest(kind, driver, memory=320) as guest:
            holder = Holder(bench.lab, guest, 130)
            WAYS[way](guest)
            data[way][kind][driver] = healing.curve(bench, guest, SECONDS, driver)
            holder.intact()

    bench.at_once([partial(go, way, kind, driver) for way in data for kind in data[way] for driver in DRIVERS])
    return data


def rows(data):
    return healing.rows(data, TITLES)


def draw(data, folder):
    plots.healing(data, folder / "restored.svg")
    return [("restored.svg", "Superpages of what could be, against the time since the guest came back, and the CPU "
             "time that the driver's thread used.", "Curves of both drivers, by what happened to the guest.")]
