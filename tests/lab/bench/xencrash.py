# SPDX-License-Identifier: GPL-2.0
"""The bench catches Xen's report of a guest that it had to crash."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"xen: \(XEN\)"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=256)
    lab.dom0(f"xen-hvmcrash {guest.domid}", check=False)
    lab.wait(lambda: False, 30, "Xen to report")
