# SPDX-License-Identifier: GPL-2.0
"""Where scenarios take turns, each is run, and no type of guest and no kernel is left out."""

import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / folder) for folder in ("scripts/lab", "scripts/kernel")]

import packages                                     # noqa: E402
import scenarios                                    # noqa: E402
from scenarios import KINDS, TAKES, TURN, Scenario, commit_number  # noqa: E402

KERNELS = ("6.1", "6.12")


def scenario(name, types=("pv", "pvh"), core=(), takes=TAKES, unproven=()):
    made = mock.Mock(types=types, kernels=KERNELS, core=core, takes=takes, unproven=unproven)
    made.name = name
    return made


def cases_of(made):
    return [(one, kind, kernel) for one in made for kernel in KERNELS for kind in one.types
            if kind != "hvm" or kernel == "6.1"]


def one_each(*made):
    return [(one.name, kind, kernel) for one, kind, kernel in scenarios.one_each(cases_of(made))]


class OneEachTest(unittest.TestCase):
    def test_each_scenario_is_run_once(self):
        names = [name for name, _, _ in one_each(*(scenario(f"s{i}", ("pv", "pvh", "hvm")) for i in range(9)))]
        self.assertEqual(names, [f"s{i}" for i in range(9)])

    def test_neighbours_are_run_on_all_types_and_kernels(self):
        cases = one_each(*(scenario(f"s{i}") for i in range(4)))
        self.assertEqual({case[1:] for case in cases}, {(kind, kernel) for kind in ("pv", "pvh") for kernel in KERNELS})

    def test_a_core_scenario_is_run_in_each_of_these_types(self):
        cases = one_each(scenario("s0", ("pv", "pvh", "hvm"), ("pv", "pvh", "hvm")))
        self.assertEqual([kind for _, kind, _ in cases], ["pv", "pvh", "hvm"])
        cases = one_each(scenario("s0", ("pv", "pvh", "hvm"), ("pv", "pvh")))
        self.assertEqual([kind for _, kind, _ in cases], ["pv", "pvh"])

    def test_a_scenario_for_one_type_alone_is_run(self):
        for kind in KINDS:
            self.assertEqual([case[1] for case in one_each(scenario("s0", (kind,)))], [kind])

    def test_a_scenario_is_not_run_where_it_was_not_seen_to_pass(self):
        for index in range(4):
            others = [scenario(f"s{i}") for i in range(index)]
            self.assertEqual(one_each(*others, scenario("s", unproven=("pv",)))[-1][:2], ("s", "pvh"))
        self.assertEqual(one_each(scenario("s", unproven=("pv", "pvh"))), [])


class TurnsTest(unittest.TestCase):
    MADE = [scenario(f"s{i}", takes=[TAKES, TAKES, 20, 240, 20][i % 5], core=("pv", "pvh") if i % 7 == 0 else ())
            for i in range(80)]

    def turns(self, made=tuple(MADE)):
        """Return the cases of each turn, beginning anywhere."""
        turns = scenarios.by_turns(cases_of(made), 0)[1]
        return [scenarios.by_turns(cases_of(made), number)[0] for number in range(1000, 1000 + turns)]

    def test_what_takes_no_longer_than_a_turn_is_run_at_each(self):
        made = [scenario(f"s{i}") for i in range(TURN // TAKES)]
        self.assertEqual([len(cases) for cases in self.turns(made)], [len(made)])

    def test_in_all_turns_each_scenario_is_run_once(self):
        names = [case[0].name for cases in self.turns() for case in cases if not case[0].core]
        self.assertEqual(sorted(names), sorted(one.name for one in self.MADE if not one.core))

    def test_a_core_scenario_is_run_at_each_turn(self):
        core = [(one.name, kind) for one in self.MADE if one.core for kind in one.core]
        for cases in self.turns():
            self.assertEqual([(case[0].name, case[1]) for case in cases if case[0].core], core)

    def test_no_turn_takes_longer_than_it_may_by_more_than_a_scenario(self):
        longest = max(one.takes for one in self.MADE)
        for cases in self.turns():
            self.assertLessEqual(sum(case[0].takes for case in cases if not case[0].core), TURN + longest)

    def test_a_scenario_is_run_in_the_same_guest_whatever_the_turn(self):
        self.assertEqual(sorted(set(sum(self.turns(), [])), key=str),
                         sorted(scenarios.one_each(cases_of(self.MADE)), key=str))

    def test_those_left_out_are_named(self):
        cases, _, left = scenarios.by_turns(cases_of(self.MADE), 1)
        self.assertEqual(sorted(left + list({case[0].name for case in cases})), sorted(one.name for one in self.MADE))


class FaultsTest(unittest.TestCase):
    def test_in_turn_each_that_is_not_long_is_run_at_each_percentage(self):
        made = [scenario("s0"), scenario("s1", takes=240), scenario("s2")]
        cases = [(one, "pvh", "6.12-debug", faults) for faults in (1, 10) for one in made]
        kept = [scenarios.one_in_turn(cases, number) for number in range(1000, 1004)]
        self.assertEqual(sorted((case.name, faults) for ((case, _, _, faults),) in kept),
                         [("s0", 1), ("s0", 10), ("s2", 1), ("s2", 10)])

    def test_where_all_can_bear_it_each_has_its_turn(self):
        cases = [(scenario(name, takes=takes), "pvh", "6.12", 0) for name, takes in (("s0", 60), ("s1", 240))]
        kept = [scenarios.one_in_turn(cases, number, float("inf")) for number in (1000, 1001)]
        self.assertEqual(sorted(case.name for ((case, *_),) in kept), ["s0", "s1"])


class CommitTest(unittest.TestCase):
    def number(self, **answers):
        said = {"rev-parse": "false\n", "rev-list": "168\n", "log": "86400001\n", **answers}
        with mock.patch.object(packages, "output", lambda *command: next(said[word] for word in command
                                                                             if word in said)):
            return commit_number()

    def test_the_next_commit_is_another_turn(self):
        self.assertEqual(self.number(**{"rev-list": "169\n"}), self.number() + 1)

    def test_in_a_shallow_clone_the_next_day_is_another_turn(self):
        shallow = {"rev-parse": "true\n", "rev-list": "1\n"}
        self.assertEqual(self.number(**shallow), 1000)
        self.assertEqual(self.number(**shallow, log="86486400\n"), 1001)


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

    def test_what_borrows_is_run_where_drivers_do_and_nothing_else_is(self):
        wanted = ["6.12-lockdep", "6.12-nounpopulated", "6.12-lending"]
        self.assertEqual(self.cases(KERNELS, wanted), [("pv", "6.12-lockdep")])
        self.assertEqual(self.cases(("6.12-nounpopulated",), wanted, ("pv",)),
                         [("pv", "6.12-nounpopulated"), ("pv", "6.12-lending")])
        self.assertEqual([kernel for _, kernel in self.cases((*KERNELS, wanted[1]), wanted, ("pv",))], wanted)

    def test_of_debians_one_is_enough_for_hvm(self):
        self.assertEqual(self.cases(KERNELS, None, ("hvm",)), [("hvm", "6.1")])
        self.assertEqual(self.cases(KERNELS, ["6.12"], ("hvm",)), [("hvm", "6.12")])

    def test_a_kernel_that_does_not_run_in_all_types_gets_the_others_only(self):
        self.assertEqual(self.cases(KERNELS, ["6.12-debug"]), [("pvh", "6.12-debug")])
