# SPDX-License-Identifier: GPL-2.0
"""The bench catches a report on dom0's console."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"xen: .*BUG: sleeping function"


def run(lab, kind, kernel):
    lab.dom0("echo '<3>BUG: sleeping function called from invalid context' > /dev/kmsg")
    lab.check(True, "dom0 has reported")
