# SPDX-License-Identifier: GPL-2.0
"""What several figures share: superpages of a guest that is left alone, against idle seconds and CPU time."""

import time

from common import thread_time
from heal import look
from table import Row

EVERY = 4                   # seconds from one look to the next
STILL = 16                  # seconds without a change after which there will be none
AT_WORK = 0.2               # seconds of CPU in that time, with which there may be one all the same
AIM = 0.95


def still(points):
    """For how many seconds a curve has shown what it shows in the end, and the driver done next to nothing.

    A look may itself take long, and what the driver does may take more than one.
    """
    last = begin = points[-1]
    for point in reversed(points):
        if point[1] != last[1] or last[3] - point[3] > AT_WORK:
            break
        begin = point
    return last[0] - begin[0]


def whole(points):
    """Whether the last two looks of a curve showed all that could be, so that there is nothing more to gain."""
    return len(points) > 1 and all(superpages >= possible for _, superpages, possible, _ in points[-2:])


def curve(bench, guest, seconds, driver):
    """Look at a guest that is left alone.

    Return [idle seconds, superpages, how many could be, seconds of CPU that the driver's thread used]
    for each look; what could be is as many as would be filled by the pages of those regions in which the
    kernel has nothing that cannot be moved.
    """
    start = thread_time(guest)
    points = []
    while not points or (points[-1][0] + EVERY < seconds and still(points) < STILL and not whole(points)):
        time.sleep(EVERY if points else 0)
        now = thread_time(guest)
        possible, superpages = look(guest)
        points.append([now[1] - start[1], superpages, possible, now[0] - start[0]])
    first, last = points[0], points[-1]
    bench.say(f"{guest.kind} {driver}: {first[1]} superpages, {last[1]} of {last[2]} after {last[0]:.0f} s "
              f"and {last[3]:.1f} s of CPU")
    return points


def rows(data, titles):
    """The rows of a table for what measure() returned."""
    return [row(titles[case], kind, drivers) for case, kinds in data.items() for kind, drivers in kinds.items()]


def row(what, kind, drivers):
    """The row of a table for the curves of both drivers."""
    def tell(points):
        first, last = points[0], points[-1]
        there = next((point for point in points if point[1] >= AIM * point[2]), None)
        when = f", 95 % after {there[0]:.0f} s and {there[3]:.1f} s of CPU" if there else ""
        return f"{first[1]}, then {last[1]} of {last[2]} ({last[1] / last[2]:.0%}){when}"

    last = drivers["ours"][-1]
    return Row(what, kind, tell(drivers["intree"]), tell(drivers["ours"]),
               aim="at least 95 %", reached=last[1] >= AIM * last[2])
