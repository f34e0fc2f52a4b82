# SPDX-License-Identifier: GPL-2.0
"""The bench catches a report of lockdep."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"possible circular locking dependency"


def run(lab, kind, kernel):
    lab.dom0("echo '<4>WARNING: possible circular locking dependency detected' > /dev/kmsg")
    lab.check(True, "dom0 has reported")
