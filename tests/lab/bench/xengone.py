# SPDX-License-Identifier: GPL-2.0
"""The bench catches the end of the whole machine."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "error"
EXPECT_REASON = r"QEMU is gone"


def run(lab, kind, kernel):
    lab.dom0("xl debug-keys R", timeout=60)
    lab.check(True, "the machine is still there")
