# SPDX-License-Identifier: GPL-2.0
"""Where Xen does not give back what is ballooned out, the guest boots as a whole, and not by kexec.

So it is after xl mem-set, which lowers what Xen allows the guest, too.
"""

from common import MIB, REBOOT, move

TYPES = ("pvh",)
KEXEC = True
OUT = 100 * MIB


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, initrd="initrd-kexec")
    guest.load()
    move(guest, guest.current_kb() - OUT)
    guest.run("kexec -s -l /vmlinuz --reuse-cmdline")
    guest.send("kexec -e")
    lab.wait(lambda: not guest.exists(), 120, "the guest to be gone")
    said = lab.dom0(f"cat /var/log/xen/xl-{guest.name}.log")
    lab.check(REBOOT in said, f"xl says of a guest that Xen gives nothing: {said}")
    guest.destroy()
