# SPDX-License-Identifier: GPL-2.0
"""The bench catches a scenario that checked nothing."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "error"
EXPECT_REASON = r"no verdict"


def run(lab, kind, kernel):
    lab.dom0("true")
