# SPDX-License-Identifier: GPL-2.0
"""The bench tells a scenario that cannot be run here."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "skip"
EXPECT_REASON = r"^it cannot be shown here$"


def run(lab, kind, kernel):
    lab.skip("it cannot be shown here")
