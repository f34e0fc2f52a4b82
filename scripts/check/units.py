#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Run the unit tests, test_*.py of the folders in tests/, and print their results in KTAP.

By Debian's own Python, which has matplotlib: some of them draw.
"""

import sys
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests"


class Ktap(unittest.TestResult):
    """Prints one line for each test, after what it complained about."""

    def _print(self, test, good, why=""):
        print(f"{'ok' if good else 'not ok'} {self.testsRun} {test.id()}{why}", flush=True)

    def addSuccess(self, test):
        self._print(test, True)

    def addSkip(self, test, reason):
        self._print(test, True, f" # SKIP {reason}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(self.failures[-1][1].rstrip())
        self._print(test, False)

    def addError(self, test, err):
        super().addError(test, err)
        print(self.errors[-1][1].rstrip())
        self._print(test, False)


def main():
    folders = sorted({path.parent for path in TESTS.glob("*/test_*.py")})
    suite = unittest.TestSuite(unittest.TestLoader().discover(str(folder)) for folder in folders)
    print(f"1..{suite.countTestCases()}", flush=True)
    result = Ktap()
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == "__main__":
    main()
