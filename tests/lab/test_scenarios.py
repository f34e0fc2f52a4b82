# SPDX-License-Identifier: GPL-2.0
"""Where scenarios take turns, each is run, and no type of guest and no kernel is left out."""

import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("scripts/lab", "scripts/kernel")]

from scenarios import by_turns      # noqa: E402

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
