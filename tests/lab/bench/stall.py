# SPDX-License-Identifier: GPL-2.0
"""The bench catches an RCU stall on a guest's console."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECT_VERDICT = "failure"
EXPECT_REASON = r"guest-.*: .*rcu.*stall"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=256, vcpus=2, cmdline="rcupdate.rcu_cpu_stall_timeout=3")
    guest.run("insmod /misbehave.ko how=stall", timeout=120)
    lab.check(True, "the guest has stalled")
