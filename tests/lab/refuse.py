# SPDX-License-Identifier: GPL-2.0
"""Where the in-tree driver is not as expected, the module does not load, says what it found, and changes nothing."""

from common import DEVICE

FAULTS = False              # it does not load
STATE = "cat /proc/meminfo | grep MemTotal; ls -d /sys/module/xen_balloon /sys/kernel/debug/xen-balloon 2>/dev/null"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=256, cmdline="initcall_blacklist=balloon_init")
    before = guest.xen_pages(), guest.run(STATE, check=False)
    said = guest.run("insmod /xen-balloon.ko 2>&1; echo exit status $?")
    lab.check("exit status 0" not in said, f"insmod without an in-tree driver said: {said.strip()}, expected a refusal")
    found = guest.run("dmesg | grep 'xen_balloon: found'", check=False).strip()
    lab.check("found 0 threads" in found and "expected 1" in found,
              f"the kernel log says: {found!r}, expected what was found and what was expected")
    lab.equal("Xen's count and the guest's state", (guest.xen_pages(), guest.run(STATE, check=False)), before)
    lab.equal("the in-tree driver's device", guest.run(f"ls -d {DEVICE} 2>/dev/null || echo none").strip(), "none")
