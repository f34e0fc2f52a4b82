# SPDX-License-Identifier: GPL-2.0
"""The bench catches a report of KASAN."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"KASAN: use-after-free"


def run(lab, kind, kernel):
    lab.dom0("echo '<3>BUG: KASAN: use-after-free in balloon' > /dev/kmsg")
    lab.check(True, "dom0 has reported")
