# SPDX-License-Identifier: GPL-2.0
"""`make check` counts what its checks say, and nothing that goes wrong is counted as good."""

import contextlib
import io
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/check"))

import run   # noqa: E402


def count(script, seconds=30):
    """Return what a check that is this shell script counts as: passed, failed, skipped."""
    tally = run.Tally()
    with contextlib.redirect_stdout(io.StringIO()):
        run.run("check", ["sh", "-c", script], time.monotonic() + seconds, tally)
    return tuple(tally.counts.values())


class Counting(unittest.TestCase):

    def test_a_check_without_results_counts_by_its_status(self):
        self.assertEqual(count("echo fine"), (1, 0, 0))
        self.assertEqual(count("exit 2"), (0, 1, 0))

    def test_each_result_counts(self):
        self.assertEqual(count("echo 1..3; echo ok 1 a; echo 'ok 2 b # SKIP c'; echo not ok 3 d; exit 1"), (1, 1, 1))

    def test_a_result_that_never_came_is_a_failure(self):
        self.assertEqual(count("echo 1..3; echo ok 1 a"), (1, 2, 0))
        self.assertEqual(count("echo 1..2; exit 1"), (0, 2, 0))

    def test_a_bad_status_after_good_results_is_a_failure(self):
        self.assertEqual(count("echo 1..1; echo ok 1 a; exit 1"), (1, 1, 0))

    def test_a_check_that_does_not_end_is_ended_and_is_a_failure(self):
        start = time.monotonic()
        self.assertEqual(count("echo 1..1; echo ok 1 a; sleep 300 & sleep 300", seconds=0.5), (1, 1, 0))
        self.assertLess(time.monotonic() - start, run.GRACE)

    def test_nested_results_and_prose_do_not_count(self):
        self.assertEqual(count("echo '    not ok 1 a'; echo okay; echo ok 1 b"), (1, 0, 0))

    def test_the_last_line_leaves_out_what_was_not_skipped(self):
        tally = run.Tally()
        self.assertEqual(str(tally), "0 passed, 0 failed")
        with contextlib.redirect_stdout(io.StringIO()):
            tally.add("skipped", "a")
        self.assertEqual(str(tally), "0 passed, 0 failed, 1 skipped")
