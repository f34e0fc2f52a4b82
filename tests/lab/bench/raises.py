# SPDX-License-Identifier: GPL-2.0
"""The bench tells a scenario that is broken itself from one that fails."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "error"
EXPECT_REASON = r"ZeroDivisionError"


def run(lab, kind, kernel):
    lab.check(1 / 0, "it cannot be computed")
