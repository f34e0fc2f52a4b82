# SPDX-License-Identifier: GPL-2.0
"""With memory ballooned out, the guest boots another kernel by kexec, or one that saves what a crashed one left.

By kexec all comes back before, and the next kernel can use it all, and balloon. In a dump nothing is left
of what was ballooned out, as makedumpfile goes by what is marked as offline; in the kernel that writes it
the driver does not load.
"""

import re

from common import DEBUG, DEVICE, MIB, Agreement, Holder, counts

TYPES = ("hvm",)            # a PVH guest of Linux 6.12 does not come up again, whatever its driver
KEXEC = True
TAKES = 240
TIMEOUT = 1500
EXPECTED = (r"Kernel panic - not syncing: sysrq triggered crash", r"Call Trace")
MEMORY = 768 * MIB
CRASH = "crashkernel=224M"
OUT = 200 * MIB
OUT_BASE = 8 * MIB
SPARED = 64 * MIB


def load(guest, how, more=""):
    """Load the guest's kernel once more, with all that was in its initrd."""
    guest.run("cd / && find init bin lib lib64 usr dev vmlinuz *.ko | cpio -o -H newc > /tmp/initrd && "
              f"kexec -s {how} /vmlinuz --initrd=/tmp/initrd --command-line=\"$(cat /proc/cmdline) {more}\" && "
              "rm /tmp/initrd", timeout=180)


def balloon_out(guest, full):
    """In 2 MiB, and the last in 4 KiB; nothing is given back to be healed."""
    guest.run(f"echo 0 > {DEVICE}/upkeep/heal")
    guest.target_kb(full - OUT + OUT_BASE)
    guest.landed()
    guest.run(f"echo Y > {DEBUG}/base_only")
    guest.target_kb(full - OUT)
    guest.landed()
    guest.run(f"echo N > {DEBUG}/base_only")


def next_kernel(lab, guest):
    """By kexec."""
    full, before = guest.current_kb(), counts(guest)
    balloon_out(guest, full)
    load(guest, "-l")
    guest.kexec("kexec -e")
    after = counts(guest)
    lab.equal("MemTotal of the next kernel", after["memtotal"], before["memtotal"])
    available = guest.meminfo()["MemAvailable"]
    Holder(lab, guest, (available - SPARED) // MIB).intact()
    guest.load()
    agreement = Agreement(lab, guest)
    lab.equal("what the next kernel has", guest.current_kb(), full)
    balloon_out(guest, full)
    agreement.check("in the next kernel")


def dumped(lab, guest):
    """The guest crashes."""
    load(guest, "-p", "nr_cpus=1 reset_devices")
    guest.kexec("echo c > /proc/sysrq-trigger")
    said = guest.run("insmod /xen-balloon.ko 2>&1; dmesg | grep xen_balloon", check=False)
    lab.check("expected any other" in said, f"the driver in the crash kernel: {said}")
    said = guest.run("makedumpfile -c -d 31 --message-level 31 /proc/vmcore /tmp/dump 2>&1", timeout=300)
    offline = int(re.search(r"Offline pages\s*: 0x([0-9a-f]+)", said)[1], 16)
    lab.equal("offline pages in kB, by makedumpfile", offline * 4, OUT)
    said = guest.run("rm /tmp/dump; makedumpfile --dump-dmesg /proc/vmcore /tmp/dmesg >&2 && "
                     "grep 'took over' /tmp/dmesg", timeout=300)
    lab.check("took over from the in-tree driver" in said, "the crashed kernel's log is in the dump")
    read = int(guest.run("cat /proc/vmcore | wc -c", timeout=300))
    lab.check(read > MEMORY // 2 * 1024, f"bytes read of the crashed kernel's memory, without any left out: {read}")


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=MEMORY // MIB, cmdline=CRASH, initrd="initrd-kexec")
    guest.load()
    next_kernel(lab, guest)
    dumped(lab, guest)
