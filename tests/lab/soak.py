# SPDX-License-Identifier: GPL-2.0
"""All that can happen to a guest, at random, and after each of it every count agrees.

Targets, each way that they come, save and restore, live migration, checkpoints, pauses, loans, compaction, programs
that take memory and leave it in pieces, memory that is given of the guest's own accord, the driver unloaded and
loaded, memory added, set offline and online, and a CPU that goes and comes. SOAK_SECONDS in the environment has it go
on for so long, in the guest's time, and SOAK_SEED has it do the same once more.
"""

import os
import random

from common import (BLOCKS, DEBUG, DEVICE, HAVE_GNTDEV, MIB, Holder, blocks, counts, grow, move, settled,
                    share_pages, spare_kb, stats, uptime, walk)
from elastic import GROUP

SECONDS = int(os.environ.get("SOAK_SECONDS", 600))
SEED = os.environ.get("SOAK_SEED")
TIMEOUT = 600 + 20 * SECONDS
TAKES = SECONDS + 120
MEMORY = 320 * MIB
BLOCK = 128 * MIB
MOST = MEMORY + 2 * BLOCK
LOW = 210 * MIB
HELD_MIB = 50
SHARED, PEAK = 300, 2000        # pages
FILE = "/tmp/saved"
CPU = "/sys/devices/system/cpu/cpu1/online"


class Soak:
    """A guest with a program that verifies its memory, one that shares pages with it, and what is done to it."""

    def __init__(self, lab, kind, kernel, draw):
        self.lab, self.draw, self.kind = lab, draw, kind
        self.guest, self.giver = lab.guests([
            dict(kind=kind, kernel=kernel, memory=MEMORY // MIB, vcpus=2, name="soaked"),
            dict(kind="pvh", kernel=kernel, memory=256, name="giver")])
        self.guest.run(f"echo online > {BLOCKS}/auto_online_blocks")
        self.guest.load()
        self.full = self.guest.current_kb()
        self.added = []         # names of the blocks
        here = counts(self.guest)
        self.reserved, self.killed = here["current"] - here["memtotal"], here["killed"]
        self.beyond = self.guest.xen_pages() * 4 - here["current"]
        self.given = 0
        self.holder = Holder(lab, self.guest, HELD_MIB, draw.randrange(1000))
        self.shared_with = None

    def low(self):
        """The lowest target, as far as it can do without."""
        return max(LOW, self.guest.current_kb() - max(spare_kb(self.guest), 0))

    def target(self):
        low = self.low()
        return (low + int(self.draw.random() * (self.full - low))) // 4 * 4

    def agrees(self, what):
        """Checks every count, once the guest is at its target."""
        self.guest.landed()
        for left in (2, 1, 0):          # healing may have 2 MiB given back just now
            here = counts(self.guest)
            got = (here["memtotal"], here["killed"], self.guest.xen_pages() * 4,
                   self.guest.run(f"cat {DEBUG}/invariant").strip())
            want = (here["current"] - self.reserved, self.killed, here["current"] + self.beyond, "ok")
            if got == want or not left:
                break
        self.lab.equal(f"{what}: MemTotal, killed, Xen's kB, invariant", got, want)

    # What is done to it, and what came of it where that is not always the same

    def mem_set(self):
        move(self.guest, self.target())
        self.guest.mem_max(f"{self.full}k")     # which xl has lowered

    def target_kb(self):
        self.guest.target_kb(self.target())

    def many_targets(self):
        walk(self.lab, self.guest, [self.target() for _ in range(6)])

    def unreachable(self):
        self.guest.target_kb(self.draw.choice((4, self.full * 4)))
        settled(self.lab, self.guest)
        self.guest.target_kb(self.target())

    def base_only(self):
        self.guest.run(f"echo Y > {DEBUG}/base_only")
        walk(self.lab, self.guest, [self.target() for _ in range(2)])
        self.guest.run(f"echo N > {DEBUG}/base_only")

    def compaction(self):
        self.guest.run("for i in 1 2 3; do echo 1 > /proc/sys/vm/compact_memory; done", timeout=120)

    def pressure(self):
        seconds, mib = self.draw.randrange(1, 4), self.draw.randrange(20, 80)
        mib = max(min(mib, spare_kb(self.guest) // MIB), 1)     # at its lowest it may have less
        self.guest.run(f"timeout {seconds} holes {mib} > /dev/null; true")

    def loan(self):
        if self.shared_with != self.guest.domid:
            self.giver.run("killall grants; true")
            self.refs = share_pages(self.lab, self.giver, self.guest.domid, SHARED)
            self.shared_with = self.guest.domid
        self.guest.run(HAVE_GNTDEV)
        mapper = self.guest.spawn(f"grants map {self.giver.domid} {PEAK} {self.draw.randrange(1000)} {self.refs} 2>&1")
        self.lab.wait(mapper.output, 120, "pages to be mapped")
        self.lab.equal("what was said of the loan", mapper.output().strip().splitlines()[0], "peak")
        self.guest.target_kb(self.target())
        self.guest.run("killall -USR1 grants")
        said = mapper.wait(120).strip().splitlines()[-1]
        self.lab.check(said.startswith("intact"), f"what was mapped is {said}")

    def reload(self):
        self.guest.unload()
        self.guest.run(f"sleep {self.draw.random():.1f}")
        self.guest.load()

    def pause(self):
        self.guest.target_kb(self.target())
        self.guest.pause()
        self.lab.dom0(f"sleep {self.draw.randrange(4)}")
        self.guest.unpause()

    def cpu(self):
        if self.kind == "pv" and self.guest.kernel.endswith("lockdep"):
            # Linux 6.12 with CONFIG_DEBUG_VM warns of a CR3 then, in switch_mm(), without the driver, too.
            return "not here"
        self.guest.run(f"echo 0 > {CPU}")
        self.guest.target_kb(self.target())
        self.guest.run(f"echo 1 > {CPU}")

    def checkpoint(self):
        self.guest.checkpoint(FILE)
        self.lab.dom0(f"rm {FILE}")

    def save_and_restore(self):
        # The new domain may have no more than xl's target.
        self.mem_set()
        self.guest.save(FILE)
        self.guest.restore(FILE)
        self.lab.dom0(f"rm {FILE}")
        self.guest.mem_max(f"{self.full}k")

    def migrate(self):
        if self.kind == "pv":
            self.save_and_restore()
            return "saved and restored: it has no shadow paging"
        self.mem_set()
        self.guest.migrate()
        self.guest.mem_max(f"{self.full}k")

    def grow(self):
        if self.full + BLOCK > MOST:
            return "it is as large as can be"
        before = blocks(self.guest)
        self.full += BLOCK
        grow(self.guest, self.full)
        self.added += blocks(self.guest) - before
        return f"to {self.full} kB"

    def offline(self):
        """A block goes, if the kernel has nothing in it that it cannot move, and comes back later."""
        for block in self.added:
            self.guest.run(f"timeout 20 sh -c 'echo offline > {BLOCKS}/{block}/state' 2> /dev/null; true", timeout=120)
        gone = self.guest.run(f"cat {BLOCKS}/memory*/state | grep -c offline; true").strip()
        self.guest.target_kb(self.low())
        for block in self.added:
            self.guest.run(f"echo online > {BLOCKS}/{block}/state 2> /dev/null; true")
        self.lab.wait(lambda: self.guest.run(f"cat {DEVICE}/queues/foreign_spare_kb").strip() == "0", 60,
                      "what is online again to be taken from the in-tree driver's list")
        return f"{gone} of {len(self.added)} blocks"

    def elastic(self):
        """The guest gives what is idle, while something else is done, and has all of it back."""
        self.guest.run(f"cd {GROUP}; echo 1 > hold_s; echo 500 > age_ms; echo 1 > enabled; sleep 4")
        other = self.draw.choice((self.target_kb, self.compaction, self.pressure, self.pause, self.checkpoint))
        other()
        self.given += int(self.guest.run(f"cd {GROUP}; cat given_kb; echo 0 > enabled"))
        return f"{other.__name__}, with {self.given // MIB} MiB given in all"


DEEDS = ("mem_set", "target_kb", "many_targets", "unreachable", "base_only", "compaction", "pressure", "loan", "reload",
         "pause", "cpu", "checkpoint", "save_and_restore", "migrate", "grow", "offline", "elastic")


def run(lab, kind, kernel):
    seed = int(SEED) if SEED else random.randrange(1 << 32)
    lab.note(f"seed {seed}: SOAK_SEED={seed} does the same again")
    draw = random.Random(seed)
    soak = Soak(lab, kind, kernel, draw)
    end, done = uptime(soak.guest) + SECONDS, dict.fromkeys(DEEDS, 0)
    while uptime(soak.guest) < end:
        # Each once before any a second time.
        deed = draw.choice([name for name in DEEDS if done[name] == min(done.values())])
        said = getattr(soak, deed)()
        done[deed] += 1
        soak.agrees(f"{sum(done.values())}. {deed}" + (f" ({said})" if said else ""))
    lab.note(", ".join(f"{name} {value}" for name, value in stats(soak.guest).items() if value))
    lab.check(soak.given or not done["elastic"], f"in {done['elastic']} times it gave nothing")
    soak.holder.intact()
    soak.guest.unload()
