# SPDX-License-Identifier: GPL-2.0
"""squeezed.py keeps squeezed's rules, on a host made up here: run by `python3 -m unittest`."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lab"))

from squeezed import KEPT_FREE, Domain, Progress, Squeezed, clipped, first, shares, unbalanced    # noqa: E402
from toolstack import MIB                       # noqa: E402
from toyhost import HOLD_S, Guest, ToyHost, verdicts      # noqa: E402


def domain(domid, actual, target=None, least=128 * MIB, most=512 * MIB):
    return Domain(domid, least, most, actual if target is None else target, actual)


def host(*guests, spare=0, most=512 * MIB, announced=True):
    """Return a host whose guests may have from 128 MiB to `most`, and squeezed on it."""
    toy = ToyHost(KEPT_FREE + spare, guests)
    for domid in toy.names:
        toy.write(domid, "memory/dynamic-min", 128 * MIB)
        toy.write(domid, "memory/dynamic-max", most)
    squeezed = Squeezed(toy, announced)
    squeezed.look()
    return toy, squeezed


def let_give(toy, squeezed):
    """Let pass what a guest that gives waits, while squeezed looks every 10 s, and then what it takes to give."""
    squeezed.watch(HOLD_S - 15)
    toy.sleep(12)


class Decisions(unittest.TestCase):

    def test_each_gets_the_same_part_of_its_range(self):
        domains = [domain(1, 256 * MIB), domain(2, 256 * MIB, least=256 * MIB)]
        # The first can give 128 MiB (less 8 kB), the second nothing
        targets = shares(domains, KEPT_FREE + 64 * MIB + 8, KEPT_FREE)
        part = 192 / (384 + 256)
        self.assertEqual(targets, {1: int((128 + part * 384) * MIB), 2: int((256 + part * 256) * MIB)})

    def test_nobody_gets_more_than_its_range_and_none_less(self):
        domains = [domain(1, 256 * MIB), domain(2, 256 * MIB)]
        self.assertEqual(shares(domains, 9000 * MIB, KEPT_FREE), {1: 512 * MIB, 2: 512 * MIB})
        self.assertEqual(shares(domains, 0, 9000 * MIB), {1: 128 * MIB, 2: 128 * MIB})

    def test_where_there_is_no_range_targets_stay(self):
        domains = [domain(1, 100 * MIB, least=256 * MIB, most=256 * MIB)]
        self.assertEqual(shares(domains, 9000 * MIB, KEPT_FREE), {1: 256 * MIB})
        self.assertEqual(shares([], 9000 * MIB, KEPT_FREE), {})

    def test_nobody_is_told_to_grow_before_the_others_have_shrunk(self):
        domains = [domain(1, 200 * MIB), domain(2, 400 * MIB)]
        targets = {1: 300 * MIB, 2: 300 * MIB}
        self.assertEqual(first(domains, targets), {2: 300 * MIB})
        domains[1] = domain(2, 300 * MIB + 4)
        self.assertEqual(first(domains, targets), targets)

    def test_four_kib_beside_the_target_is_on_it_and_eight_is_not(self):
        self.assertTrue(domain(1, 256 * MIB + 4).is_at(256 * MIB))
        self.assertTrue(domain(1, 256 * MIB - 4).is_at(256 * MIB))
        self.assertFalse(domain(1, 256 * MIB - 8).is_at(256 * MIB))

    def test_who_is_stuck_gets_no_more_than_it_has_within_its_range(self):
        self.assertEqual(clipped(domain(1, 200 * MIB, 300 * MIB)), 200 * MIB)
        self.assertEqual(clipped(domain(1, 300 * MIB, 200 * MIB)), 200 * MIB)
        self.assertEqual(clipped(domain(1, 60 * MIB, 200 * MIB)), 128 * MIB)
        self.assertEqual(clipped(domain(1, 600 * MIB, 600 * MIB)), 512 * MIB)

    def test_memory_is_unbalanced_when_a_target_would_change(self):
        domains = [domain(1, 512 * MIB)]
        self.assertFalse(unbalanced(domains, KEPT_FREE + 100 * MIB))
        self.assertTrue(unbalanced(domains, KEPT_FREE - 100 * MIB))


class ProgressTest(unittest.TestCase):

    def test_who_does_not_move_for_more_than_five_seconds_is_stuck(self):
        progress = Progress(5)
        for now in range(6):
            self.assertEqual(progress.look([domain(1, 300, 100)], now), {1: now})
            self.assertFalse(progress.stuck)
        progress.look([domain(1, 300, 100)], 5.1)
        self.assertEqual(progress.stuck, {1})

    def test_a_page_in_the_right_direction_is_enough_and_the_wrong_one_is_not(self):
        progress = Progress(5)
        for now in range(20):
            progress.look([domain(1, 9000 - 4 * now, 100), domain(2, 9000 + 4 * now, 100)], now)
        self.assertEqual(progress.stuck, {2})
        progress.look([domain(1, 9000, 100), domain(2, 9000, 100)], 20)
        self.assertFalse(progress.stuck)

    def test_who_is_at_its_target_is_not_stuck(self):
        progress = Progress(5)
        for now in range(20):
            self.assertEqual(progress.look([domain(1, 300)], now), {})
        self.assertFalse(progress.stuck)


class SqueezedTest(unittest.TestCase):

    def test_guests_make_room_for_another_and_get_back_what_is_left(self):
        toy, squeezed = host(Guest(512 * MIB), Guest(512 * MIB))
        self.assertTrue(squeezed.free(256 * MIB))
        self.assertGreaterEqual(toy.free, (72 + 256) * MIB)
        self.assertEqual([guest.target // MIB for guest in toy.guests.values()], [383, 383])
        self.assertTrue(squeezed.balance())
        self.assertEqual(verdicts(squeezed), ["cooperative"] * 2)
        self.assertLess(toy.free, KEPT_FREE + 512)
        self.assertLess(0, squeezed.verdicts[1].seconds)

    def test_an_offset_is_calibrated_when_the_guest_says_that_it_balloons(self):
        toy, squeezed = host(Guest(512 * MIB + 64, offset=64), announced=False)
        self.assertIsNone(toy.read(1, "memory/memory-offset"))
        toy.write(1, "control/feature-balloon", 1)
        squeezed.look()
        self.assertEqual(toy.number(1, "memory/memory-offset"), 64)
        self.assertTrue(squeezed.free(100 * MIB))
        self.assertEqual(verdicts(squeezed), ["cooperative"])

    def test_who_does_not_say_so_is_not_asked(self):
        toy, squeezed = host(Guest(512 * MIB), announced=False)
        told = len(toy.told)
        self.assertFalse(squeezed.free(100 * MIB))
        self.assertEqual(len(toy.told), told)

    def test_others_bear_the_part_of_one_that_is_stuck(self):
        toy, squeezed = host(Guest(512 * MIB), Guest(512 * MIB, speed=0))
        self.assertTrue(squeezed.free(256 * MIB))
        self.assertEqual(verdicts(squeezed), ["cooperative", "stuck"])
        self.assertTrue(5 < squeezed.verdicts[2].seconds < 7)
        self.assertEqual(toy.guests[1].has // MIB, 255)

    def test_more_than_can_be_freed_is_refused(self):
        _, squeezed = host(Guest(512 * MIB), Guest(512 * MIB))
        self.assertFalse(squeezed.free(800 * MIB))
        self.assertEqual(verdicts(squeezed), ["cooperative"] * 2)

    def test_who_is_off_its_target_for_more_than_twenty_seconds_is_uncooperative_until_it_is_there(self):
        toy, squeezed = host(Guest(400 * MIB, speed=0), most=400 * MIB)
        toy.guests[1].has = 500 * MIB
        squeezed.watch(10)
        self.assertIsNone(toy.read(1, "memory/uncooperative"))
        squeezed.watch(20)
        self.assertEqual(toy.read(1, "memory/uncooperative"), "")
        self.assertEqual(verdicts(squeezed), ["uncooperative"])
        toy.guests[1].speed = 100 * MIB
        squeezed.watch(20)
        self.assertIsNone(toy.read(1, "memory/uncooperative"))


class Gives(unittest.TestCase):
    """A guest that gives what it has no use for, beside others that do not."""

    def test_with_memory_for_all_it_is_called_uncooperative_and_keeps_its_target(self):
        toy, squeezed = host(Guest(512 * MIB), Guest(512 * MIB, keeps=256 * MIB), spare=100 * MIB)
        squeezed.watch(HOLD_S + 60)
        self.assertEqual(toy.guests[2].has, 256 * MIB)
        self.assertEqual(toy.guests[2].target, 512 * MIB)
        self.assertEqual(verdicts(squeezed), ["cooperative", "uncooperative"])

    def test_it_may_not_get_back_what_it_gave_once_another_is_to_start(self):
        toy, squeezed = host(Guest(512 * MIB), Guest(512 * MIB, keeps=256 * MIB), spare=300 * MIB)
        let_give(toy, squeezed)
        start = toy.now
        self.assertTrue(squeezed.free(200 * MIB))
        self.assertGreater(toy.now - start, 5)      # though so much is free all the time
        self.assertEqual(verdicts(squeezed), ["cooperative", "stuck"])
        self.assertEqual((toy.guests[2].target, toy.guests[2].limit), (256 * MIB, 256 * MIB))
        toy.free -= 200 * MIB
        squeezed.watch(15)                          # until it is asked to get it back
        self.assertEqual((toy.guests[2].target, toy.guests[2].limit), (512 * MIB, 512 * MIB))

    def test_a_lower_target_does_not_bring_back_what_it_gave(self):
        toy, squeezed = host(Guest(512 * MIB), Guest(512 * MIB, keeps=256 * MIB))
        let_give(toy, squeezed)
        self.assertTrue(squeezed.free(200 * MIB))
        self.assertEqual(verdicts(squeezed), ["cooperative", "stuck"])
        self.assertEqual(toy.guests[2].has, 256 * MIB)

    def test_what_it_gave_is_handed_to_others_where_memory_is_short(self):
        toy, squeezed = host(Guest(300 * MIB), Guest(300 * MIB, keeps=200 * MIB))
        squeezed.balance()
        has = toy.guests[1].has
        let_give(toy, squeezed)
        squeezed.balance()
        self.assertGreater(toy.guests[1].has, has + 90 * MIB)

    def test_where_memory_is_short_it_is_left_alone_above_dynamic_min_and_not_at_it(self):
        for keeps, still in ((130, True), (128, False)):
            toy, squeezed = host(Guest(300 * MIB), Guest(300 * MIB, keeps=keeps * MIB))
            squeezed.balance()
            told = len(toy.told)
            squeezed.watch(120)
            self.assertEqual(len(toy.told) == told, still)

    def test_with_no_range_it_keeps_its_target_and_its_maximum(self):
        toy, squeezed = host(Guest(512 * MIB), Guest(512 * MIB, keeps=256 * MIB))
        toy.write(2, "memory/dynamic-min", 512 * MIB)
        let_give(toy, squeezed)
        self.assertTrue(squeezed.free(300 * MIB))
        self.assertEqual((toy.guests[2].target, toy.guests[2].limit), (512 * MIB, 512 * MIB))

    def test_what_it_gave_before_it_says_that_it_balloons_counts_as_its_offset(self):
        toy, squeezed = host(Guest(512 * MIB, keeps=256 * MIB), announced=False)
        let_give(toy, squeezed)
        toy.write(1, "control/feature-balloon", 1)
        squeezed.look()
        self.assertEqual(toy.number(1, "memory/memory-offset"), -256 * MIB)

    def test_within_the_hold_it_is_as_any_other(self):
        toy, squeezed = host(Guest(512 * MIB), Guest(512 * MIB, keeps=256 * MIB))
        self.assertTrue(squeezed.free(256 * MIB))
        self.assertEqual(verdicts(squeezed), ["cooperative"] * 2)

    def test_where_it_does_not_say_that_it_balloons_nobody_minds(self):
        toy, squeezed = host(Guest(512 * MIB), Guest(512 * MIB, keeps=256 * MIB), announced=False)
        toy.write(1, "control/feature-balloon", 1)
        toy.write(2, "memory/initial-reservation", 512 * MIB)
        let_give(toy, squeezed)
        self.assertAlmostEqual(squeezed.look()[1], KEPT_FREE, delta=8)      # what it gave is kept for it
        toy.write(2, "data/updated", 1)
        self.assertAlmostEqual(squeezed.look()[1], KEPT_FREE + 256 * MIB, delta=8)      # and here it is not
        self.assertTrue(squeezed.free(300 * MIB))
        squeezed.watch(60)
        self.assertEqual(verdicts(squeezed), ["cooperative"] * 2)
        self.assertEqual(toy.guests[2].target, 512 * MIB)


if __name__ == "__main__":
    unittest.main()
