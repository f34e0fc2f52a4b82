# SPDX-License-Identifier: GPL-2.0
"""A report that a scenario says it provokes does not fail it."""

TYPES = ("pvh",)
KERNELS = ("6.1",)
EXPECTED = (r"Out of memory: Killed process \d+ \(greedy\)",)


def run(lab, kind, kernel):
    lab.dom0("echo '<3>Out of memory: Killed process 17 (greedy)' > /dev/kmsg")
    lab.check(True, "dom0 has reported what was expected")
