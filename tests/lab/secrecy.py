# SPDX-License-Identifier: GPL-2.0
"""What the guest gives to Xen holds no data of the guest's while scrub_pages is on, whichever way it goes.

A program fills most of the guest with a secret and ends. Then memory is ballooned out in 2 MiB and in 4 KiB,
coalesced, moved by compaction, handed back to the in-tree driver and taken over, healed, and kept to be lent. After
each the guest is paused, and all of the machine's memory is searched from outside: what has the secret
must be the guest's. The guest boots with init_on_alloc=0, so that whatever is zeroed is zeroed by
the driver: Xen does not do it for a running guest, but for what it exchanges (PV), some time later. With scrub_pages
off the same search finds the secret.
"""

import os
import time

import meter
from common import DEBUG, DEVICE, MIB, READY_WITHIN, Agreement, queues, settled, share_pages, stats
from packages import SERIES

KERNELS = (*SERIES, "6.12-nounpopulated")       # on the last, drivers borrow ballooned pages
TAKES = 360
TIMEOUT = 900
MEMORY = 384
SPARED_MIB = 28             # of what is available
LOWER_MIB = 640             # what the machine has left when the guest is built: it lies low, and what Xen gives, high
DOWN_KB = 48 * MIB
LENT_KB = 8 * MIB
MAPPED = 1000               # pages of another guest
REGIONS = 8                 # to be coalesced, and healed
SCRUBBED_WITHIN = 60        # seconds, by Xen
DRIVER, XEN = "driver", "Xen"


class Secret:
    """What a program has left in the guest's memory, and which of the machine's frames have it."""

    def __init__(self, lab, guest):
        self.lab, self.guest = lab, guest
        self._meter = meter.Meter(lab, guest)
        self._data = self._inside = self._outside = None

    def write(self, how=""):
        """Fill what is available; returns the program that did."""
        self._data = os.urandom(16)
        available = self.guest.meminfo()["MemAvailable"] // MIB - SPARED_MIB
        program = self.guest.spawn(f"secret {self._data.hex()} {available} {how}")
        self.lab.wait(lambda: "ready" in program.output(), READY_WITHIN, f"a secret to fill {available} MiB")
        owned, found = self._look()
        self._inside, self._outside = found & owned, found - owned
        self.lab.check(len(self._inside) > available * MIB // 4 // 2 and not self._outside,
                       f"{available} MiB written: the secret is in {len(self._inside)} frames of the guest, expected "
                       f"half of that at least, and in {len(self._outside)} others, expected none")
        return program

    def _look(self):
        """Which frames are the guest's, and which have the secret."""
        self.guest.pause()
        try:
            return self._meter.frames(), self._meter.memory.holding(self._data)
        finally:
            self.guest.unpause()

    def given(self, patience=0):
        """Of the frames that had the secret at the last look: how many are not the guest's now, and how many have it.

        It is looked for again, for so many seconds, until none has it.
        """
        end = time.monotonic() + patience
        while True:
            owned, found = self._look()
            told = found - owned - self._outside
            if not told or time.monotonic() > end:
                break
            self.lab.note(f"{len(told)} frames that are not the guest's have the secret: looking again")
        gone, self._inside, self._outside = self._inside - owned, found & owned, found - owned
        return len(gone), len(told)


def down(guest):
    guest.target_kb(guest.current_kb() - DOWN_KB)
    guest.landed()


def up(guest):
    """Have it grow to all that it can have, which is what nobody has borrowed."""
    out = queues(guest)
    guest.target_kb(guest.current_kb() + out["huge"] + out["base"] + out["foreign_spare"])


def load(guest):
    """Load the driver, which is to do nothing by itself from then on, nor to keep anything to be lent."""
    guest.load(upkeep=False)
    guest.run(f"! cd {DEVICE}/foreign 2> /dev/null || {{ echo 0 > low_kb; echo 0 > high_kb; }}")


def upkeep(lab, guest, what, done):
    """Have it done to some regions."""
    enough = stats(guest)[done] + REGIONS
    guest.run(f"echo 1 > {DEVICE}/upkeep/{what}")
    lab.wait(lambda: stats(guest)[done] >= enough, 120, f"{REGIONS} regions to be {done}")
    guest.run(f"echo 0 > {DEVICE}/upkeep/{what}")


def inflate_by_2_mib(lab, guest, secret):
    secret.write().wait(60)
    down(guest)


def inflate_by_4_kib(lab, guest, secret):
    program = secret.write("holes")
    guest.run(f"echo Y > {DEBUG}/base_only")
    down(guest)
    guest.run(f"echo N > {DEBUG}/base_only")
    program.kill()
    program.wait(60, check=False)


def coalesce(lab, guest, secret):
    """Not what compaction has moved: where it makes whole regions of it, nothing is left to be done."""
    up(guest)
    guest.landed()
    inflate_by_4_kib(lab, guest, secret)
    secret.given()
    upkeep(lab, guest, "coalesce", "coalesced")


def compact(lab, guest, secret):
    before = stats(guest)["migrated"]
    guest.run("echo 1 > /proc/sys/vm/compact_memory")
    migrated = stats(guest)["migrated"] - before
    lab.check(migrated > 0, f"pages that compaction moved: {migrated}, expected some")


def compact_in_a_full_host(lab, guest, secret):
    """Xen has no frame to give for another, since the guest took all that was left: each is moved."""
    inflate_by_4_kib(lab, guest, secret)
    secret.given()
    with lab.starve(0):
        up(guest)
        settled(lab, guest)
        compact(lab, guest, secret)


def hand_back_and_take_over(lab, guest, secret):
    guest.unload()
    load(guest)


def heal(lab, guest, secret):
    """What comes back by 4 KiB comes elsewhere, so that no region is whole, and Xen can give none its own again."""
    up(guest)
    guest.landed()
    inflate_by_4_kib(lab, guest, secret)
    up(guest)
    guest.landed()
    secret.write().wait(60)
    upkeep(lab, guest, "heal", "healed")


def lend(lab, guest, secret):
    """A guest as large as it can be gives up some for others to borrow, and they do."""
    secret.write().wait(60)
    guest.run(f"cd {DEVICE}/foreign; echo {LENT_KB} > high_kb; echo {LENT_KB} > low_kb")
    lab.wait(lambda: queues(guest)["foreign_spare"] >= LENT_KB, 60, f"{LENT_KB} kB to be kept to be lent")
    giver = lab.guest("pvh", guest.kernel, memory=128, name="giver")
    refs = share_pages(lab, giver, guest.domid, MAPPED)
    mapper = guest.spawn(f"grants map {giver.domid} {MAPPED} 1 {refs}")
    lab.wait(lambda: "peak" in mapper.output(), READY_WITHIN, f"{MAPPED} pages to be mapped")
    guest.run(f"killall -USR1 grants; cd {DEVICE}/foreign; echo 0 > low_kb; echo 0 > high_kb")
    said = mapper.wait(60).strip().splitlines()[-1]
    lab.check(said.startswith("intact"), f"the mapping program said: {said}")
    giver.destroy()


def ways(kind, lends):
    """The ways, how many frames with the secret go to Xen by each at least, and who zeroes them; without, none go."""
    regions = REGIONS * meter.ENTRIES // 4      # not each of their pages has the secret
    exchanges = kind == "pv"
    yield inflate_by_2_mib, DOWN_KB // 4 // 2, DRIVER
    yield inflate_by_4_kib, DOWN_KB // 4 // 2, DRIVER
    yield compact, int(exchanges), XEN if exchanges else None
    yield coalesce, regions, XEN if exchanges else DRIVER
    yield hand_back_and_take_over, 0, DRIVER
    if exchanges:
        yield compact_in_a_full_host, 0, None
    # What one region gave up the next may get.
    yield heal, meter.ENTRIES // 4, DRIVER
    if lends:
        yield lend, LENT_KB // 4 // 2, DRIVER


def run(lab, kind, kernel):
    higher = lab.built("pvh", kernel, memory=lab.host_free_kb() // MIB - LOWER_MIB, name="higher")
    guest = lab.guest(kind, kernel, memory=MEMORY, cmdline="init_on_alloc=0 init_on_free=0")
    higher.destroy()
    load(guest)
    agreement = Agreement(lab, guest)
    secret = Secret(lab, guest)
    for scrub in (1, 0):
        guest.run(f"echo {scrub} > {DEVICE}/scrub_pages")
        for go, least, who in ways(kind, kernel.endswith("nounpopulated")):
            if not scrub and not (least and who is DRIVER):
                continue
            go(lab, guest, secret)
            gone, told = secret.given(SCRUBBED_WITHIN if who is XEN else 0)
            said = (f"{go.__name__} with scrub_pages {scrub}: {gone} frames with the secret are no more the guest's; "
                    f"frames that are not the guest's and have it: {told}")
            if scrub:
                lab.check(gone >= least and (who or not gone) and not told,
                          f"{said}; expected {least if who else 'none'} at least, and none")
            else:
                lab.check(told > 0, f"{said}, expected some")
        up(guest)
        guest.landed()
        agreement.check(f"with scrub_pages {scrub}")
    guest.unload()
