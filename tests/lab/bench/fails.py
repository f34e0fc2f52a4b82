# SPDX-License-Identifier: GPL-2.0
"""The bench tells a check that does not hold, and goes no further."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"^one and one: 2, expected 3$"


def run(lab, kind, kernel):
    lab.equal("one and one", 1 + 1, 3)
    raise AssertionError("it went on after a check that does not hold")
