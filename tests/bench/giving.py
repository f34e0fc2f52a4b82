# SPDX-License-Identifier: GPL-2.0
"""Guests that give what is idle, for the figures that are about that."""

import contextlib

from common import MIB, Holder
from elastic import GROUP, USED_MIB, WANTED_MIB, given

LEAST_MIB = 8               # of what is used, which has the kernel and its files in memory in it, for a program
# How fast memory was taken is forgotten by looks, so that idle is soon what was not at first.
SOON = "echo 1 > hold_s; echo 200 > age_ms"
GIVES_AFTER = 2.5           # seconds, of that


def enable(guest, how=""):
    guest.run(f"cd {GROUP}; {how}{'; ' if how else ''}echo 1 > enabled")


def give(bench, guest):
    """Wait until it has given what is idle. What is needed again soon would not be given for long."""
    enable(guest, SOON)
    given(bench.lab, guest, GIVES_AFTER)


def take(guest):
    """How long a program waits for what it wants, in ms."""
    return float(guest.run(f"take {WANTED_MIB}", timeout=240))


def in_use(guest):
    """In MiB."""
    return (guest.current_kb() - guest.meminfo()["MemFree"]) // MIB


@contextlib.contextmanager
def guests(bench, kind, drivers, **parameters):
    """Guests of which 120 MiB are in use: a program holds what is not so anyway."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(bench.guest(kind, driver, name=f"{driver}{i}", **parameters))
                 for i, driver in enumerate(drivers)]
        holders = [Holder(bench.lab, guest, max(LEAST_MIB, USED_MIB - in_use(guest))).idle() for guest in found]
        yield found
        for holder in holders:
            holder.intact()
