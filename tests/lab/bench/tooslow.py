# SPDX-License-Identifier: GPL-2.0
"""The bench catches a scenario that does not end."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"hang: it ran longer than its 5 s"
TIMEOUT = 5


def run(lab, kind, kernel):
    lab.check(True, "it has begun")
    lab.dom0("sleep 60")
