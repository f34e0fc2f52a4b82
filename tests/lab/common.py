# SPDX-License-Identifier: GPL-2.0
"""What several scenarios share: counts that must agree, the thread's CPU time, programs that hold memory."""

import contextlib
import time

from guest import DEVICE

DEBUG = "/sys/kernel/debug/xen-balloon"
BLOCKS = "/sys/devices/system/memory"
MIB = 1024  # in KiB
HOLES_MIB = 360
REBOOT = "reason code 1 "   # SHUTDOWN_reboot of Xen's public sched.h; kexec is 5, SHUTDOWN_soft_reset
READY_WITHIN = 240  # seconds: what a program is given to begin, on a machine however slow
LOOKS = 3           # at counts that should agree
SPARED_KB = 44 * MIB        # of what is available while that is so; with less the in-tree driver kills

HAVE_GNTDEV = "[ -e /dev/xen/gntdev ] || insmod /xen-gntdev.ko"    # it may be built in

SWAP = """
for name in lz4_compress lz4hc_compress zsmalloc zram; do [ ! -e /$name.ko ] || insmod /$name.ko; done
echo 400M > /sys/block/zram0/disksize && mkswap /dev/zram0 > /dev/null && swapon /dev/zram0
"""

COUNTS = f"""
cd {DEVICE}
echo current $(cat info/current_kb)
echo target $(cat target_kb)
echo memtotal $(awk '/^MemTotal:/ {{print $2}}' /proc/meminfo)
echo managed $(awk '$1 == "managed" {{n += $2}} END {{print n * 4}}' /proc/zoneinfo)
echo present $(awk '$1 == "present" {{n += $2}} END {{print n * 4}}' /proc/zoneinfo)
echo killed $(awk '$1 == "oom_kill" {{print $2}}' /proc/vmstat)
echo given $(cat elastic/given_kb 2> /dev/null || echo 0)
[ ! -d queues ] || echo queues $(cat queues/*_kb | awk '{{n += $1}} END {{print n}}')
"""

THREAD = """
comm=$(grep -lx xen-balloon /proc/[0-9]*/comm)
echo $(cat ${comm%comm}schedstat) $(cat /proc/uptime)
grep -l ^kworker/u /proc/[0-9]*/comm | sed s/comm$/schedstat/ | xargs cat | awk '{ns += $1} END {printf "%.0f", ns}'
"""


def intree_and_ours(lab, kind, kernel, memory=512):
    """Boots two guests alike, one for the in-tree driver and one for the module."""
    return lab.guests([dict(kind=kind, kernel=kernel, memory=memory, name=name)
                       for name in ("intree", "ours")])


def counts(guest):
    """The guest's own counts in KiB, by name; queues where the module is loaded.

    Where guests give what is idle it counts as what they have.
    """
    pairs = (line.split() for line in guest.run(COUNTS).splitlines())
    here = {name: int(value) for name, value in pairs}
    here["given"] = here["given"] if guest.lab.elastic else 0
    for name, sign in ("current", 1), ("managed", 1), ("queues", -1):
        if name in here:
            here[name] += sign * here["given"]
    return here


def stats(guest):
    """What the module has done since it was loaded, by name."""
    return {name: int(value) for name, value in map(str.split, guest.run(f"cat {DEBUG}/stats").splitlines())}


def whole(guest):
    """In kB: what a guest with the module has and what it could have."""
    here = counts(guest)
    return here["current"] + here["queues"]


class Agreement:
    """What the guest and Xen count differs by constants: those of the moment this is made."""

    def __init__(self, lab, guest):
        self.lab = lab
        self.guest = guest
        guest.still()
        looks = [(counts(guest), guest.xen_pages() * 4) for _ in range(LOOKS)]
        # Of what healing has just given back Linux and Xen count less, as do queues between two of which memory goes.
        self.reserved = min(here["current"] - here["memtotal"] for here, _ in looks)
        self.beyond = max(xen - here["current"] for here, xen in looks)
        self.whole = max(here["current"] + here.get("queues", 0) for here, _ in looks)
        self.present, self.killed = looks[0][0]["present"], looks[0][0]["killed"]

    def check(self, where):
        """Checks that every count still agrees, to the page; returns current in KiB.

        The guest and Xen are asked one after the other, and healing gives back 2 MiB in between
        and gets them again: what differs for that reason agrees in another look.
        """
        for left in reversed(range(LOOKS)):
            got, want, current = self._look()
            if got == want or not left:
                break
            self.lab.note(f"{self.guest.name}, {where}: {got}, expected {want}: looking once more")
            time.sleep(1)
        self.lab.equal(f"{self.guest.name}, {where}", got, want)
        return current

    def _look(self):
        """Returns the counts that are, those that should be, and current in KiB."""
        here = counts(self.guest)
        current = here["current"]
        got = {"current_kb": current, "MemTotal": here["memtotal"],
               "zones' managed kB": here["managed"], "zones' present kB": here["present"],
               "Xen's pages": self.guest.xen_pages(), "killed for want of memory": here["killed"]}
        want = {"current_kb": here["target"], "MemTotal": current - self.reserved,
                "zones' managed kB": here["memtotal"], "zones' present kB": self.present,
                "Xen's pages": (current + self.beyond) // 4, "killed for want of memory": self.killed}
        if "queues" in here:
            got["with queues"], want["with queues"] = current + here["queues"], self.whole
            got["invariant"] = self.guest.run(f"cat {DEBUG}/invariant").strip()
            want["invariant"] = "ok"
        return got, want, current


def queues(guest):
    """The size of each queue in KiB, by name."""
    said = guest.run(f"cd {DEVICE}/queues; for i in *; do echo $i $(cat $i); done")
    return {name.removesuffix("_kb"): int(value) for name, value in map(str.split, said.splitlines())}


def share_pages(lab, giver, domid, pages):
    """Have one guest share pages with another; returns the references, as ranges."""
    giver.run("[ -e /dev/xen/gntalloc ] || insmod /xen-gntalloc.ko")
    giver.run("echo 32768 > /sys/module/xen_gntalloc/parameters/limit")
    sharer = giver.spawn(f"grants share {domid} {pages}")
    lab.wait(lambda: "ready" in sharer.output(), READY_WITHIN, f"{giver.name} to share {pages} pages")
    return sharer.output().splitlines()[0]


def move(guest, target_kb, timeout=60):
    """Sends the guest to a target by xl mem-set and waits until it is there."""
    guest.mem_set(f"{target_kb}k")
    guest.landed(timeout)


def grow(guest, size_kb, timeout=120):
    """Has the guest grow to a size beyond what it was booted with, and waits until it is there."""
    guest.mem_max(f"{size_kb}k")
    move(guest, size_kb, timeout)


def settled(lab, guest):
    """Waits until the guest has taken all it can get; returns current_kb."""
    seen = [guest.current_kb()]

    def same():
        seen.append(guest.current_kb())
        return seen[-1] == seen[-2]

    lab.wait(same, 60, f"{guest.name} to stop growing", every=2)
    return seen[-1]


def walk(lab, guest, targets, seconds=60, timeout=300):
    """Leads the guest through targets, each within so many seconds; each is checked inside the guest."""
    said = guest.run(f"walk {seconds * lab.slow} {' '.join(map(str, targets))}", timeout=timeout, check=False)
    lines = said.strip().splitlines()
    lab.check(lines[-1:] == [f"landed on {len(targets)} of {len(targets)} targets"],
              f"walk through {targets} kB: {'; '.join(lines[-3:])}")


def uptime(guest):
    """In seconds."""
    return float(guest.run("cat /proc/uptime").split()[0])


def blocks(guest):
    """The names of its memory blocks, and of what else is there."""
    return set(guest.run(f"ls {BLOCKS}").split())


def thread_time(guest):
    """CPU time of the balloon's thread and the guest's uptime, in seconds.

    With that of the workers that are bound to no CPU: one of them empties regions for our thread.
    """
    fields = guest.run(THREAD).split()
    return (int(fields[0]) + int(fields[5])) / 1e9, float(fields[3])


def share(before, after):
    """The part of the wall time that the balloon's thread used between two thread_time()s."""
    return (after[0] - before[0]) / (after[1] - before[1])


def killed(guest):
    """How many programs the kernel has killed for want of memory."""
    return guest.vmstat()["oom_kill"]


def spare_kb(guest):
    """What the guest can do without while nobody is to be killed, in kB."""
    return guest.meminfo()["MemAvailable"] - SPARED_KB


def never_boost(guest):
    """Have the kernel not raise its reserve for a while where it has mixed pages that move with others: it may kill."""
    guest.run("echo 0 > /proc/sys/vm/watermark_boost_factor")


@contextlib.contextmanager
def holes(lab, guest, mib=HOLES_MIB):
    """A program holds every second page of a part of the guest, but for what other programs need."""
    mib = min(mib, spare_kb(guest) // MIB)      # with KASAN a guest has less
    holder = guest.spawn(f"holes {mib}")
    lab.wait(lambda: "ready" in holder.output(), READY_WITHIN, f"holes in {guest.name} to have {mib} MiB")
    yield
    holder.kill()
    holder.wait(60, check=False)


def balloon_out(guest):
    """Have the balloon take nearly all that is free."""
    never_boost(guest)
    guest.target_kb(guest.current_kb() - spare_kb(guest) // 4 * 4)
    guest.landed()


class Holder:
    """A program, memhold or churn, that holds memory in the guest and verifies it all the time."""

    def __init__(self, lab, guest, mib, seed=1, program="memhold"):
        self.lab = lab
        self.guest = guest
        self.program = program
        self.handle = guest.spawn(f"{program} {mib} {seed}")
        lab.wait(lambda: "ready" in self.handle.output(), READY_WITHIN,
                 f"{program} in {guest.name} to have written {mib} MiB")

    def idle(self):
        """Has the program hold its memory without looking at it, until it is to end."""
        self.guest.run(f"killall -STOP {self.program}")
        return self

    def intact(self):
        """Ends the program and checks that it never met a wrong byte."""
        self.guest.run(f"killall -CONT {self.program}; killall -TERM {self.program}")
        self.handle.wait(120, check=False)
        said = self.handle.output().strip().splitlines()[-1]
        self.lab.check(said.startswith("intact"), f"{self.program} in {self.guest.name} said: {said}")
