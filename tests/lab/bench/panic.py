# SPDX-License-Identifier: GPL-2.0
"""The bench catches a guest's panic."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"(Kernel panic|died)"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=256)
    guest.run("echo c > /proc/sysrq-trigger")
    lab.check(True, "the guest is still there")
