# SPDX-License-Identifier: GPL-2.0
"""What several scenarios share: the counts that must agree, the worker's CPU time, the memory holder."""

DEVICE = "/sys/devices/system/xen_memory/xen_memory0"
INVARIANT = "/sys/kernel/debug/xen-balloon/invariant"
MIB = 1024  # in KiB

COUNTS = f"""
cd {DEVICE}
echo current $(cat info/current_kb)
echo target $(cat target_kb)
echo memtotal $(awk '/^MemTotal:/ {{print $2}}' /proc/meminfo)
echo managed $(awk '$1 == "managed" {{n += $2}} END {{print n * 4}}' /proc/zoneinfo)
[ ! -d queues ] || echo queues $(cat queues/*_kb | awk '{{n += $1}} END {{print n}}')
"""

WORKER = """
comm=$(grep -lx xen-balloon /proc/[0-9]*/comm)
echo $(cat ${comm%comm}schedstat) $(cat /proc/uptime)
"""


def counts(guest):
    """The guest's own counts, in KiB: current, target, memtotal, managed, and queues where the module is loaded."""
    pairs = (line.split() for line in guest.run(COUNTS).splitlines())
    return {name: int(value) for name, value in pairs}


class Agreement:
    """What the guest and Xen count differ by constants only; the constants are those of the moment this is made."""

    def __init__(self, lab, guest):
        self.lab = lab
        self.guest = guest
        here = counts(guest)
        self.reserved = here["current"] - here["memtotal"]
        self.beyond = guest.xen_pages() * 4 - here["current"]
        self.whole = here["current"] + here.get("queues", 0)

    def check(self, where):
        """Checks that every count still agrees, to the page; returns current in KiB."""
        here = counts(self.guest)
        current = here["current"]
        where = f"{self.guest.name}, {where}"
        self.lab.equal(f"{where}: current_kb", current, here["target"] & ~3)
        self.lab.equal(f"{where}: MemTotal", here["memtotal"], current - self.reserved)
        self.lab.equal(f"{where}: pages managed by the zones, in kB", here["managed"], here["memtotal"])
        self.lab.equal(f"{where}: Xen's own count of the guest's pages", self.guest.xen_pages(), (current + self.beyond) // 4)
        if "queues" in here:
            self.lab.equal(f"{where}: current and queues together, in kB", current + here["queues"], self.whole)
            invariant(self.lab, self.guest, where)
        return current


def invariant(lab, guest, where):
    """Checks that the module's own accounting holds."""
    lab.equal(f"{where}: invariant", guest.run(f"cat {INVARIANT}").strip(), "ok")


def move(guest, target_kb, timeout=60):
    """Sends the guest to a target by xl mem-set and waits until it is there."""
    guest.mem_set(f"{target_kb}k")
    guest.landed(timeout)


def worker_time(guest):
    """CPU time of the balloon's thread and the guest's uptime, in seconds."""
    fields = guest.run(WORKER).split()
    return int(fields[0]) / 1e9, float(fields[3])


def share(before, after):
    """The part of the wall time that the balloon's thread used between two worker_time()s."""
    return (after[0] - before[0]) / (after[1] - before[1])


class Holder:
    """A program that holds memory in the guest and verifies it all the time."""

    def __init__(self, lab, guest, mib, seed=1):
        self.lab = lab
        self.guest = guest
        self.mib = mib
        self.handle = guest.spawn(f"memhold {mib} {seed}")
        lab.wait(lambda: "ready" in self.handle.output(), 120, f"memhold in {guest.name} to have written {mib} MiB")

    def intact(self):
        """Ends the program and checks that it never met a wrong byte."""
        self.guest.run("killall -TERM memhold")
        self.handle.wait(120)
        said = self.handle.output().strip().splitlines()
        self.lab.check(said[-1].startswith("intact"), f"memhold in {self.guest.name} found its {self.mib} MiB intact; it said: {said[-1]}")
