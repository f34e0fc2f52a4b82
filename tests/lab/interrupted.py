# SPDX-License-Identifier: GPL-2.0
"""The guest stands still for a minute, a CPU goes and comes, it is to hibernate, and it reboots, on its way to targets.

Each time it goes on to its target, and each count agrees. Hibernation is refused as long as something is ballooned
out: the guest would go on in a domain that has memory there, and never find it. While it is under way nothing is given
up. The host has all back of one that rebooted.
"""

import time

from common import DEVICE, MIB, REBOOT, Agreement, Holder, walk

TIMEOUT = 600
# A CPU of a PV guest that was offline before, and has run no program since, goes offline; with DEBUG_VM.
EXPECTED = (r"WARNING: .* switch_mm_irqs_off", r"Call Trace")
TAKES = 240
HELD_MIB = 80
LOW = 330 * MIB
TIMES = 5
PAUSES = (1, 3, 60)         # seconds
CPU = "/sys/devices/system/cpu/cpu1/online"
HOTPLUG = f"""
n=0
while [ ! -e /walked ]; do echo 0 > {CPU}; echo 1 > {CPU}; n=$((n + 1)); done
echo $n
"""
STEP_S = 200                # of which the guest stands still for a minute


def targets(full):
    return [LOW, full, LOW + 4, full - 4, LOW + 2 * MIB, full] * TIMES


def stands_still(lab, guest, full):
    walker = guest.spawn(f"walk {STEP_S} {' '.join(map(str, targets(full)))}")
    for seconds in PAUSES:
        time.sleep(1)
        lab.check("landed on" not in walker.output(), f"it is on its way, and is to stand still for {seconds} s")
        guest.pause()
        time.sleep(seconds)
        guest.unpause()
    said = walker.wait(STEP_S).strip().splitlines()[-1]
    wanted = len(targets(full))
    lab.equal("walk while the guest stood still now and then", said, f"landed on {wanted} of {wanted} targets")


def loses_a_cpu(lab, guest, full):
    hotplug = guest.spawn(HOTPLUG)
    walk(lab, guest, targets(full))
    guest.run("touch /walked")
    cycles = int(hotplug.wait(60).split()[0])
    lab.check(cycles > 1, f"times that a CPU went and came meanwhile: {cycles}, expected some")


def is_not_hibernated(lab, guest, full):
    guest.target_kb(LOW)
    guest.landed()
    guest.run("dmesg -c > /dev/null")
    said = guest.run("{ echo disk > /sys/power/state; } 2>&1 || echo refused").split()
    lab.check(said[-2:] == ["busy", "refused"], f"hibernation: {' '.join(said)}")
    said = guest.dmesg()
    lab.check(f"found {full - LOW} KiB ballooned out, lent or out of use, and 0 KiB of what" in said, "it is said why")


def gives_nothing_up_while_it_hibernates(lab, guest, full):
    """Whoever has the file open that an image is read from has it so far."""
    guest.target_kb(full)
    guest.landed()
    current = guest.run(f"exec 3< /dev/snapshot; cd {DEVICE}; echo {LOW} > target_kb; sleep 3; cat info/current_kb")
    lab.equal("current_kb of a guest that is about to hibernate, with a lower target", int(current), full)
    lab.wait(lambda: guest.current_kb() == LOW, 60, "the guest to be at its target after it")
    said = guest.run("(exec 3< /dev/snapshot) 2>&1 || echo refused")
    lab.check("busy" in said and "refused" in said, f"the same of one that has something ballooned out: {said.strip()}")


def reboots(lab, guest, full):
    """While it is about to grow; xl is to destroy what reboots."""
    before, has = lab.host_free_kb(), guest.xen_pages() * 4
    guest.spawn(f"echo {full} > {DEVICE}/target_kb; reboot -f")
    lab.wait(lambda: not guest.exists(), 60, "the guest to be gone")
    said = lab.dom0(f"cat /var/log/xen/xl-{guest.name}.log")
    lab.check(REBOOT in said, f"xl says of it: {said}")
    lab.wait(lambda: lab.host_free_kb() >= before + has, 30, "the host to have all of it back")
    guest.destroy()


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, vcpus=2)
    # To the kernel it looks as if its CPUs were stuck for a minute, by either of its watches.
    guest.run("[ ! -e /proc/sys/kernel/watchdog ] || echo 0 > /proc/sys/kernel/watchdog")
    guest.run("echo 1 > /sys/module/rcupdate/parameters/rcu_cpu_stall_suppress")
    guest.load()
    agreement, full = Agreement(lab, guest), guest.current_kb()
    holder = Holder(lab, guest, HELD_MIB)
    stands_still(lab, guest, full)
    agreement.check("after it stood still")
    loses_a_cpu(lab, guest, full)
    agreement.check("after CPUs went and came")
    is_not_hibernated(lab, guest, full)
    gives_nothing_up_while_it_hibernates(lab, guest, full)
    agreement.check("after hibernation was refused")
    holder.intact()
    reboots(lab, guest, full)
