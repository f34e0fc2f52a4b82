# SPDX-License-Identifier: GPL-2.0
"""The bench catches an oops on a guest's console."""

TYPES = ("pv",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"guest-.*: .*(BUG|Oops)"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=256)
    guest.run("insmod /misbehave.ko how=oops", check=False)
    lab.check(True, "the guest has oopsed")
