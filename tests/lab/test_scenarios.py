# SPDX-License-Identifier: GPL-2.0
"""Where scenarios take turns, each is run, and no type of guest and no kernel is left out."""

import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("scripts/lab", "scripts/kernel")]

from scenarios import KINDS, Scenario, by_turns      # noqa: E402

KERNELS = ("6.1", "6.12")


def scenario(name, types=("pv", "pvh"), core=(), long=False):
    made = mock.Mock(types=types, kernels=KERNELS, core=core, long=long)
    made.name = name
    return made


def turns(*scenarios):
    cases = [(made, kind, kernel) for made in scenarios for kernel in KERNELS for kind in made.types
             if kind != "hvm" or kernel == "6.1"]
    return [(made.name, kind, kernel) for made, kind, kernel in by_turns(cases)]


class TurnsTest(unittest.TestCase):
    def test_each_scenario_is_run_once(self):
        names = [name for name, _, _ in turns(*(scenario(f"s{i}", ("pv", "pvh", "hvm")) for i in range(9)))]
        self.assertEqual(names, [f"s{i}" for i in range(9)])

    def test_neighbours_are_run_on_all_types_and_kernels(self):
        cases = turns(*(scenario(f"s{i}") for i in range(4)))
        self.assertEqual({case[1:] for case in cases}, {(kind, kernel) for kind in ("pv", "pvh") for kernel in KERNELS})

    def test_a_core_scenario_is_run_in_each_of_these_types(self):
        cases = turns(scenario("s0", ("pv", "pvh", "hvm"), ("pv", "pvh", "hvm")))
        self.assertEqual([kind for _, kind, _ in cases], ["pv", "pvh", "hvm"])
        cases = turns(scenario("s0", ("pv", "pvh", "hvm"), ("pv", "pvh")))
        self.assertEqual([kind for _, kind, _ in cases], ["pv", "pvh"])

    def test_a_long_scenario_is_left_out(self):
        self.assertEqual([name for name, _, _ in turns(scenario("s0"), scenario("s1", long=True))], ["s0"])

    def test_a_scenario_for_one_type_alone_is_run(self):
        self.assertEqual([case[1] for case in turns(scenario("s0", ("pvh",)))], ["pvh"])


class KernelsTest(unittest.TestCase):
    def cases(self, own, wanted, types=("pv", "pvh")):
        made = Scenario.__new__(Scenario)
        made.types, made.kernels = types, own
        return made.cases(KINDS, wanted)

    def test_a_scenario_is_run_on_its_own_kernels(self):
        self.assertEqual(self.cases(("6.12-nounpopulated",), None, ("pv",)), [("pv", "6.12-nounpopulated")])

    def test_of_those_wanted_only_on_its_own_and_on_ours(self):
        self.assertEqual(self.cases(("6.1",), ["6.1", "6.12", "6.12-lockdep"], ("pv",)),
                         [("pv", "6.1"), ("pv", "6.12-lockdep")])

    def test_of_debians_one_is_enough_for_hvm(self):
        self.assertEqual(self.cases(KERNELS, None, ("hvm",)), [("hvm", "6.1")])
        self.assertEqual(self.cases(KERNELS, ["6.12"], ("hvm",)), [("hvm", "6.12")])

    def test_a_kernel_that_does_not_run_in_all_types_gets_the_others_only(self):
        self.assertEqual(self.cases(KERNELS, ["6.12-debug"]), [("pvh", "6.12-debug")])
