# SPDX-License-Identifier: GPL-2.0
"""What counts of a guest's trace is what lies between a target and the arrival at it."""

import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lab"))

import cycle        # noqa: E402

HEAD = "     xen-balloon-34      [000] d..1.    {}: {}"
STEP = "xen_balloon_step: progress target=1 guest=2"


class FakeGuest:
    """Answers with a trace; with our module or without."""

    name = "guest-1"

    def __init__(self, ours, *events, arrival="arrived"):
        self.ours = ours
        self.arrival = arrival
        self.trace = "\n".join(HEAD.format(f"{time:.6f}", event) for time, event in events)
        self.commands = []

    def run(self, command, **_):
        self.commands.append(command)
        if "arrival" in command:
            return self.arrival
        return ("ours" if self.ours else "") if "/sys/module" in command else self.trace


def seen(ours, *events):
    return cycle.Trace(FakeGuest(ours, *events)).stop()


TARGET = "target: (balloon_set_new_target+0x0/0x30)"
ARRIVED = "tracing_mark_write: arrived"
DECREASE = "decrease: (xenmem_reservation_decrease+0x0/0x50) extents=512"
DECREASED = "done_decrease: (decrease_reservation+0x10/0x90 <- xenmem_reservation_decrease)"
CHANGE = "change: (xenmem_reservation+0x0/0xa0 [xen_balloon]) extents=8"
CHANGED = "done_change: (translated_release+0x5e/0xa0 [xen_balloon] <- xenmem_reservation)"
FLUSH = "flush: (flush_tlb_all+0x0/0x50)"
FLUSH_OWN = "flush_own: (flush_tlb_everywhere+0x0/0x50 [xen_balloon])"


class TraceTest(unittest.TestCase):
    def test_each_driver_has_its_probes(self):
        for ours in (False, True):
            guest = FakeGuest(ours)
            cycle.Trace(guest)
            self.assertEqual("xen_balloon:xenmem_reservation" in guest.commands[-1], ours)
            self.assertEqual("xenmem_reservation_decrease" in guest.commands[-1], not ours)

    def test_the_in_tree_driver_ends_with_its_last_call(self):
        way = seen(False, (1, TARGET), (1.5, FLUSH), (2, DECREASE), (2.5, DECREASED), (3, DECREASE), (4, DECREASED),
                   (9, ARRIVED))
        self.assertEqual((way["calls"], way["extents"], way["flushes"]), (2, 1024, 1))
        self.assertEqual((way["first"], way["seconds"], way["step"]), (1.5, 3, None))

    def test_ours_ends_with_its_last_step(self):
        way = seen(True, (1, TARGET), (1.5, FLUSH_OWN), (2, CHANGE), (2.5, CHANGED), (2.75, STEP), (4, STEP),
                   (9, ARRIVED))
        self.assertEqual((way["calls"], way["extents"], way["flushes"]), (1, 8, 1))
        self.assertEqual((way["first"], way["seconds"], way["steps"], way["step"]), (1.5, 3, 2, 1.75))

    def test_what_comes_before_and_after_does_not_count(self):
        way = seen(True, (0.1, CHANGE), (0.2, CHANGED), (0.3, STEP), (1, TARGET), (2, CHANGE), (2.5, CHANGED),
                   (3, STEP), (4, ARRIVED), (5, CHANGE), (6, CHANGED), (6.5, FLUSH_OWN), (7, STEP))
        self.assertEqual((way["calls"], way["extents"], way["flushes"], way["steps"]), (1, 8, 0, 1))
        self.assertEqual((way["first"], way["seconds"]), (1.5, 2))

    def test_without_an_arrival_nothing_is_told(self):
        self.assertEqual(seen(True, (1, TARGET), (2, CHANGE), (3, CHANGED)), {"calls": 0})


class GoTest(unittest.TestCase):
    WAY = (1, TARGET), (2, DECREASE), (2.5, DECREASED), (4, ARRIVED)

    def test_the_target_changes_by_so_many_mib(self):
        for mib in (-256, 256):
            guest = FakeGuest(False, *self.WAY)
            self.assertEqual(cycle.go(mock.Mock(), guest, mib)["calls"], 1)
            self.assertIn(f"echo $((was + {mib * 1024})) >target_kb", guest.commands[-2])

    def test_who_did_not_arrive_is_told_of(self):
        lab = mock.Mock()
        cycle.go(lab, FakeGuest(False, *self.WAY, arrival="not there after 120 s"), 256)
        self.assertFalse(lab.check.call_args[0][0])
        self.assertIn("not there after 120 s", lab.check.call_args[0][1])


if __name__ == "__main__":
    unittest.main()
