# SPDX-License-Identifier: GPL-2.0
"""The bench catches a guest that does not answer any more."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"hangs: waited 5 s"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=256)
    guest.pause()
    guest.run("true", timeout=5)
    lab.check(True, "the guest has answered")
