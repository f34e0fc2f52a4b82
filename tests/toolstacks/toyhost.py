# SPDX-License-Identifier: GPL-2.0
"""A host made up for the unit tests of squeezed.py and qmemman.py: it has a clock of its own, which only sleep() moves.

A guest goes to its target at its own speed, as far as Xen lets it and has memory. One that gives (`keeps`) stands at
its target for HOLD_S after each one that is higher than the last, and then gives down to what it keeps.
"""

import itertools
from dataclasses import dataclass

from toolstack import MIB, PAGE, Xen

STEP_S = 0.05
HOLD_S = 30
XL_ADDS = MIB


def verdicts(daemon):
    """What it has found of the guests, in their order."""
    return list(daemon.found().values())


@dataclass
class Guest:
    """In kB; `speed` in kB a second."""

    has: int
    target: int | None = None
    speed: int = 400 * MIB
    keeps: int | None = None
    offset: int = 0         # Xen counts so much more than target says
    limit: int = 1 << 40
    since: float = 0.0      # when its target was last raised

    def goal(self, now):
        target = self.target
        if self.keeps is not None and now - self.since >= HOLD_S:
            target = min(target, self.keeps)
        return target // PAGE * PAGE + self.offset

    def move(self, now, free):
        """Make a step; returns how much less is free by that."""
        way = self.goal(now) - self.has
        most = int(self.speed * STEP_S) // PAGE * PAGE
        step = max(-most, min(way, most, free, max(0, self.limit + XL_ADDS - self.has)))
        self.has += step
        return step


class ToyHost(Xen):
    """Xen, xenstore and xl, for Squeezed and Qmemman."""

    def __init__(self, free, guests):
        self._limits = {}
        self.free = free
        self.guests = dict(enumerate(guests, 1))
        self.names = {domid: f"guest{domid}" for domid in self.guests}
        self.slow = 1
        self.now = 0.0
        self.keys = {}
        self.told = []          # each target that was written, in turn
        for domid, guest in self.guests.items():
            guest.target = guest.has - guest.offset if guest.target is None else guest.target
            self.keys[domid, "memory/target"] = str(guest.target)

    def time(self):
        return self.now

    def sleep(self, seconds):
        for _ in itertools.repeat(None, round(seconds / STEP_S)):
            self.now += STEP_S
            for guest in self.guests.values():
                self.free -= guest.move(self.now, self.free)

    def counts(self):
        return self.free, {domid: guest.has for domid, guest in self.guests.items()}

    def read(self, domid, key):
        return self.keys.get((domid, key))

    def write(self, domid, key, value):
        self.keys[domid, key] = str(value)
        if key == "memory/target":
            self.told.append((domid, value))
            if value > self.guests[domid].target:
                self.guests[domid].since = self.now
            self.guests[domid].target = value

    def remove(self, domid, key):
        self.keys.pop((domid, key), None)

    def _limit(self, limits):
        for domid, limit in limits.items():
            assert limit >= self.number(domid, "memory/target"), "xl refuses a maximum below the target"
            self.guests[domid].limit = limit
