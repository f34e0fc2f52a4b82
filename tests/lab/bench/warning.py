# SPDX-License-Identifier: GPL-2.0
"""The bench catches a WARNING on a guest's console, though every check holds."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"guest-.*: .*WARNING: "


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=256)
    guest.run("insmod /misbehave.ko how=warn")
    lab.check(True, "the guest has warned")
