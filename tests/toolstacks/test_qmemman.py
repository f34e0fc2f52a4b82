# SPDX-License-Identifier: GPL-2.0
"""qmemman.py and meminfo.py keep Qubes' rules, on a host made up here: run by `python3 -m unittest`."""

import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lab"))

from meminfo import Writers, used_kb, worth_telling     # noqa: E402
from qmemman import (LEFT, PREFERRED_LEAST, Domain, Qmemman, balanced, borrowed, too_slow,    # noqa: E402
                     worth_while)
from toolstack import MIB                       # noqa: E402
from toyhost import HOLD_S, Guest, ToyHost, verdicts      # noqa: E402

MEMINFO = """{current}
MemTotal:         500000 kB
MemFree:          {free} kB
MemAvailable:     400000 kB
Buffers:            1000 kB
Cached:            20000 kB
SwapCached:          777 kB
SwapTotal:          4000 kB
SwapFree:           3000 kB
HugePages_Total:       0
{after}
"""


def said(current, free, after=None):
    return MEMINFO.format(current=current, free=free, after=after or current)


def domain(domid, actual, used, most=512 * MIB, **known):
    return Domain(domid, most, actual, actual, actual, used, **known)


def by_id(requests):
    return [(domain.domid, target // MIB) for domain, target in requests]


def host(*guests, free=2 * LEFT, used=100 * MIB):
    """Return a host whose guests all say that they use that much, and qmemman on it."""
    toy = ToyHost(free, guests)
    for domid in toy.names:
        toy.write(domid, "memory/static-max", 512 * MIB)
        toy.write(domid, "memory/meminfo", used)
    qmemman = Qmemman(toy)
    qmemman.hear()
    qmemman.look()
    return toy, qmemman


class Meminfo(unittest.TestCase):

    def test_used_is_what_the_balloon_driver_has_less_what_is_free(self):
        self.assertEqual(used_kb(said(520000, 300000)), (520000 - 300000 - 1000 - 20000 + 1000, 520000))

    def test_who_gives_what_is_free_uses_the_same(self):
        self.assertEqual(used_kb(said(520000, 300000))[0], used_kb(said(420000, 200000))[0])

    def test_while_the_balloon_moves_nothing_is_said(self):
        self.assertIsNone(used_kb(said(520000, 300000, 519996)))

    def test_a_change_of_30000_kb_is_told_and_half_of_it_where_memory_gets_short(self):
        self.assertTrue(worth_telling(100, None, 500000))
        self.assertFalse(worth_telling(130000, 100000, 500000))
        self.assertTrue(worth_telling(130001, 100000, 500000))
        self.assertTrue(worth_telling(69999, 100000, 500000))
        self.assertFalse(worth_telling(398000, 380000, 520000))
        self.assertTrue(worth_telling(418000, 400000, 520000))
        self.assertFalse(worth_telling(400000, 418000, 520000))


    def test_what_changed_is_written_to_xenstore_and_what_did_not_is_not(self):
        toy, guest = ToyHost(0, [Guest(512 * MIB)]), mock.Mock(domid=1)
        writers = Writers([guest])
        for free, want in ((300000, 200000), (290000, 200000), (100000, 400000)):
            guest.run.return_value = said(520000, free)
            writers.tell(toy)
            self.assertEqual(toy.number(1, "memory/meminfo"), want)


class Decisions(unittest.TestCase):

    def test_a_guest_prefers_a_third_more_than_it_uses_within_limits(self):
        self.assertEqual(domain(1, 0, 200 * MIB).preferred(), 260 * MIB)
        self.assertEqual(domain(1, 0, 100 * MIB).preferred(), PREFERRED_LEAST)
        self.assertEqual(domain(1, 0, 500 * MIB).preferred(), 512 * MIB)

    def test_what_nobody_needs_is_spread_in_proportion_and_who_shrinks_comes_first(self):
        # Preferred are 260 and 390 MiB, of 150 + 600 there are 100 left over
        domains = [domain(1, 150 * MIB, 200 * MIB), domain(2, 500 * MIB, 300 * MIB)]
        self.assertEqual(by_id(balanced(100 * MIB, domains)), [(2, 449), (1, 299)])

    def test_what_does_not_fit_into_one_goes_to_the_others(self):
        domains = [domain(1, 250 * MIB, 200 * MIB, most=260 * MIB), domain(2, 250 * MIB, 200 * MIB)]
        requests = dict(by_id(balanced(100 * MIB, domains)))
        self.assertEqual(requests[1], 260)
        self.assertTrue(335 <= requests[2] < 340)

    def test_where_all_are_full_memory_is_left_over(self):
        domains = [domain(1, 250 * MIB, 200 * MIB, most=260 * MIB)]
        self.assertEqual(by_id(balanced(9000 * MIB, domains)), [(1, 260)])

    def test_when_memory_is_short_who_has_more_than_it_prefers_shrinks_to_that(self):
        domains = [domain(1, 300 * MIB, 500 * MIB), domain(2, 300 * MIB, 200 * MIB), domain(3, 265 * MIB, 200 * MIB)]
        self.assertEqual(by_id(balanced(0, domains)), [(2, 260)])
        domains = [domain(1, 300 * MIB, 500 * MIB), domain(2, 300 * MIB, 500 * MIB)]
        self.assertEqual(by_id(balanced(100 * MIB, domains)), [(1, 349), (2, 349)])

    def test_less_than_10_mib_is_not_taken_and_who_has_all_it_may_gets_nothing(self):
        poor = domain(1, 300 * MIB, 500 * MIB)
        for more, takes in ((9, []), (10, [(2, 260)])):
            self.assertEqual(by_id(balanced(0, [poor, domain(2, (260 + more) * MIB, 200 * MIB)]))[:len(takes)], takes)
            self.assertEqual(len(balanced(-1, [poor, domain(2, (260 + more) * MIB, 200 * MIB)])), len(takes))
        full = domain(2, 512 * MIB, 500 * MIB)
        self.assertEqual(by_id(balanced(100 * MIB, [poor, full])), [(1, 399)])

    def test_who_does_not_say_what_it_uses_and_who_does_not_move_is_left_out(self):
        domains = [domain(1, 500 * MIB, None), domain(2, 500 * MIB, 100 * MIB, no_progress=True)]
        self.assertEqual(balanced(100 * MIB, domains), [])
        self.assertEqual(borrowed(10 * MIB, domains), [])

    def test_what_is_borrowed_is_a_bit_more_and_from_each_by_what_it_has_to_spare(self):
        domains = [domain(1, 300 * MIB, 0), domain(2, 500 * MIB, 0), domain(3, 200 * MIB, 400 * MIB)]
        self.assertEqual(by_id(borrowed(200 * MIB, domains)), [(1, 247), (2, 342)])
        self.assertEqual(borrowed(401 * MIB, domains), [])

    def test_little_is_not_worth_while_but_for_who_lacks_memory(self):
        donor, poor = domain(1, 400 * MIB, 100 * MIB), domain(2, 200 * MIB, 400 * MIB)
        self.assertFalse(worth_while([(donor, 300 * MIB)], LEFT))
        self.assertTrue(worth_while([(donor, 240 * MIB)], LEFT))
        self.assertTrue(worth_while([(donor, 300 * MIB)], LEFT - 16 * MIB))
        self.assertFalse(worth_while([(poor, 215 * MIB)], LEFT))
        self.assertTrue(worth_while([(poor, 216 * MIB)], LEFT))

    def test_less_than_100_mib_a_second_over_three_is_too_slow(self):
        seen = [(0.1 * i, 0) for i in range(40)]
        self.assertFalse(too_slow(seen[:29], 2.9, 0))
        self.assertTrue(too_slow(seen[:30], 3.05, 299 * MIB))
        self.assertFalse(too_slow(seen[:30], 3.05, 306 * MIB))
        self.assertFalse(too_slow(seen[:30], 3.05, 0, slow=4))


class QmemmanTest(unittest.TestCase):

    def test_guests_make_room_for_another(self):
        toy, qmemman = host(Guest(512 * MIB), Guest(512 * MIB))
        self.assertTrue(qmemman.free(300 * MIB))
        self.assertEqual(verdicts(qmemman), ["cooperative"] * 2)
        self.assertGreater(toy.free, 300 * MIB)

    def test_a_guest_is_told_16_mib_less_than_it_is_granted(self):
        toy, qmemman = host(Guest(512 * MIB))
        qmemman.free(200 * MIB)
        self.assertEqual(toy.number(1, "memory/target"), qmemman.domains[0].last_target - 16 * MIB)
        self.assertEqual(toy.guests[1].limit, qmemman.domains[0].last_target)

    def test_slow_guests_have_the_request_fail(self):
        toy, qmemman = host(Guest(512 * MIB, speed=40 * MIB), Guest(512 * MIB, speed=40 * MIB))
        self.assertFalse(qmemman.free(500 * MIB))
        self.assertEqual(verdicts(qmemman), ["uncooperative"] * 2)
        self.assertTrue(3 <= toy.now < 3.3)

    def test_one_that_does_not_move_from_look_to_look_is_stuck_and_others_give(self):
        toy, qmemman = host(Guest(512 * MIB), Guest(512 * MIB, speed=0))
        self.assertTrue(qmemman.free(200 * MIB))
        self.assertEqual(verdicts(qmemman), ["cooperative", "stuck"])
        self.assertEqual(round(qmemman.verdicts[2].seconds, 1), 0.1)
        self.assertEqual(toy.guests[2].has, 512 * MIB)

    def test_more_than_guests_have_to_spare_is_refused_at_once(self):
        toy, qmemman = host(Guest(512 * MIB), Guest(512 * MIB))
        self.assertFalse(qmemman.free(800 * MIB))
        self.assertEqual(toy.now, 0)

    def test_memory_goes_where_it_is_used(self):
        toy, qmemman = host(*(Guest(300 * MIB) for _ in range(4)), free=LEFT)
        toy.write(3, "memory/meminfo", 400 * MIB)
        qmemman.watch(10)
        self.assertEqual(verdicts(qmemman), ["cooperative"] * 4)
        self.assertGreater(toy.guests[3].has, 400 * MIB)
        self.assertGreater(toy.free, 0.9 * LEFT)

    def test_one_that_is_late_is_marked_and_what_there_is_is_shared_out(self):
        for speed, what in ((10 * MIB, "uncooperative"), (0, "stuck")):
            toy, qmemman = host(Guest(512 * MIB, speed=speed), Guest(300 * MIB), free=LEFT)
            toy.write(2, "memory/meminfo", 500 * MIB)
            qmemman.watch(1)
            self.assertEqual(verdicts(qmemman), [what, "cooperative"])
            self.assertLess(toy.guests[2].has, 310 * MIB)

    def test_who_was_stuck_is_asked_again_once_it_went_down_or_lacks_memory(self):
        for has, used, left_out in ((512, 100, True), (400, 100, False), (500, 500, False)):
            toy, qmemman = host(Guest(has * MIB), used=used * MIB)
            qmemman.domains[0].no_progress = True
            qmemman.domains[0].last_target = 380 * MIB
            qmemman.balance()
            self.assertEqual(qmemman.domains[0].no_progress, left_out)

    def test_junk_for_meminfo_leaves_a_guest_out(self):
        toy, qmemman = host(Guest(512 * MIB))
        toy.write(1, "memory/meminfo", "12 MB")
        self.assertTrue(qmemman.hear())
        self.assertIsNone(qmemman.domains[0].used)
        self.assertFalse(qmemman.free(100 * MIB))


class Gives(unittest.TestCase):
    """A guest that gives what it has no use for, and so has less than its target."""

    def test_what_it_gave_stays_its_own(self):
        toy, qmemman = host(Guest(512 * MIB, keeps=256 * MIB), Guest(300 * MIB), free=LEFT)
        before = qmemman.look()
        toy.sleep(HOLD_S + 5)
        self.assertEqual(toy.guests[1].has, 256 * MIB)
        # What Xen takes for itself of what is free is all that differs
        self.assertLess(abs(qmemman.look() - before), 2 * MIB)
        self.assertEqual(qmemman.domains[0].actual, 512 * MIB)

    def test_it_gives_at_once_what_it_does_not_have(self):
        toy, qmemman = host(Guest(512 * MIB, keeps=200 * MIB, speed=0), free=2 * LEFT)
        toy.guests[1].has -= 300 * MIB
        toy.free += 300 * MIB
        self.assertTrue(qmemman.free(200 * MIB))
        self.assertEqual(verdicts(qmemman), ["cooperative"])
        self.assertGreater(toy.free, 200 * MIB)

    def test_it_is_cooperative_whatever_another_uses(self):
        toy, qmemman = host(Guest(512 * MIB, keeps=256 * MIB), Guest(300 * MIB))
        for used in range(100, 400, 50):
            toy.write(2, "memory/meminfo", used * MIB)
            qmemman.watch(60)
        self.assertEqual(verdicts(qmemman), ["cooperative"] * 2)


if __name__ == "__main__":
    unittest.main()
