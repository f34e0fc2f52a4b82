# SPDX-License-Identifier: GPL-2.0
"""No promise counts as shown by a test that is not there, or that was never seen to pass."""

import sys
import unittest
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/check"))

import promises   # noqa: E402

TEXT = """
All of them
===========

One
===

It is so.

:As long as: it is.
:Shown by: ``suite.a``,
    ``scenario``

Two
===

It is so, too.
%s"""


class Promises(unittest.TestCase):

    def test_each_names_tests_that_are_there(self):
        good = TEXT % ":Shown by: ``suite.b``"
        self.assertEqual(promises.problems(good, {"suite.a", "suite.b", "scenario"}), [])
        for missing in ("suite.a", "suite.b", "scenario"):
            there = {"suite.a", "suite.b", "scenario"} - {missing}
            self.assertRegex("; ".join(promises.problems(good, there)), f"^'(One|Two)' names {missing}, [^;]*$")

    def test_one_without_a_test_is_found(self):
        self.assertEqual(promises.problems(TEXT % "", {"suite.a", "scenario"}), ["'Two' names no test"])

    def test_no_promise_at_all_is_found(self):
        self.assertEqual(len(promises.problems("", {"suite.a"})), 1)

    def test_a_scenario_that_passes_in_no_guest_shows_nothing(self):
        found = [SimpleNamespace(name=name, types=("pv", "pvh"), unproven=unproven)
                 for name, unproven in (("all", ()), ("some", ("pv",)), ("none", ("pvh", "pv")))]
        self.assertEqual(promises.scenarios(found), {"all", "some"})

    def test_unit_tests_are_known_by_suite_and_name(self):
        self.assertIn("walk.nothing_is_lost_whatever_happens", promises.unit_tests())


if __name__ == "__main__":
    unittest.main()
