# SPDX-License-Identifier: GPL-2.0
"""The bench catches a wait for what never comes."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"waited 2 s in vain for pigs to fly"


def run(lab, kind, kernel):
    lab.wait(lambda: False, 2, "pigs to fly")
    lab.check(True, "they flew")
