# SPDX-License-Identifier: GPL-2.0
"""The simulated Xen of the unit tests answers as the real one: the same calls, misuse included, run on both."""

import re

KERNELS = ()            # Debian's have no KUnit: for test kernels only
FAULTS = False              # it loads a module of its own
SUITE = "answers"
# The guest's kernel does not know what the script does to its memory.
OPTIONS = f"kunit.filter_glob={SUITE}"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, cmdline=OPTIONS)
    guest.run("insmod /xen-balloon-kunit.ko", timeout=120)
    said = guest.run(f"cat /sys/kernel/debug/kunit/{SUITE}/results")
    for line in re.findall(r"# \w+: (.* done, .*)", said):
        lab.note(line)
    verdicts = re.findall(r"^ +((?:not )?ok) \d+ \w+(.*)$", said, re.MULTILINE)
    lab.equal("the verdict on the one test", verdicts, [("ok", "")])
