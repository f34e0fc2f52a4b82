# SPDX-License-Identifier: GPL-2.0
"""The bench catches Xen's report of a guest that it had to end."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"xen: \(XEN\).*Triple fault"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=256)
    guest.run("insmod /misbehave.ko how=triplefault")
    lab.check(True, "the guest is still there")
