# SPDX-License-Identifier: GPL-2.0
"""The bench catches a guest that ends by itself."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"died while waiting"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=256)
    guest.run("poweroff -f")
    lab.check(True, "the guest is still there")
