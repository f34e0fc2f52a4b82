# SPDX-License-Identifier: GPL-2.0
"""While a guest is migrated, it populates nothing at rest and moves nothing, and what it grows by is sent.

Xen logs what a guest writes to meanwhile, page by page, as it does for xl migrate. The guest sees that,
and goes on once it is over. Seen from outside: each page that has another frame than when the log began,
or is part of a superpage now, is in the log, whether the guest has written to it or not.
"""

import meter
from common import DEBUG, DEVICE, MIB, Agreement, balloon_out, holes, move, stats

TYPES = ("pvh", "hvm")
TIMEOUT = 400
MEMORY = 320
DOWN = 200                  # MiB, where the in-tree driver takes the guest first
HEALED = 10                 # regions at least
MOVED = 100                 # pages at least
GROWN = 32                  # MiB


def leaves(lab, guest):
    """What maps each page of the guest, by frame number: (its entry's frame, whether that is 2 MiB)."""
    memory = meter.Memory(lab.memory_files)
    root = meter.nested_root(lab.debug_key("v"), guest.domid)
    found = {}
    for first in range(0, guest.maxmem * MIB // 4, meter.ENTRIES):
        entry, size = memory.entry(root, first * meter.PAGE, smallest=meter.REGION)
        if size == meter.REGION and entry & meter.PRESENT and not entry & meter.LARGE:
            found.update((first + i, (word & meter.FRAME, False))
                         for i, word in enumerate(memory.words(entry & meter.FRAME)) if meter.is_ram(word))
        elif meter.is_ram(entry):
            found.update((first + i, (entry & meter.FRAME, True)) for i in range(meter.ENTRIES))
    return found


class Log:
    """Xen's log of what a guest writes to, while it is kept."""

    def __init__(self, lab, guest):
        self.lab, self.guest = lab, guest

    def _ask(self, what):
        return self.lab.dom0(f"logdirty {self.guest.domid} {what} {self.guest.maxmem * MIB // 4}")

    def __enter__(self):
        self._ask("start")
        self._ask("clean")
        self.before = leaves(self.lab, self.guest)
        return self

    def __exit__(self, *_):
        self._ask("stop")

    def check(self, what, least):
        """Check that all that changed since is in the log, and that so much did; the guest stands still meanwhile."""
        self.guest.pause()
        after = leaves(self.lab, self.guest)
        logged = set()
        for line in self._ask("peek").splitlines():
            logged.update(range(*map(int, line.split())))
        self.guest.unpause()
        # That an entry of 2 MiB is in pieces now says nothing.
        changed = {page for page, (frame, whole) in after.items()
                   if whole and self.before.get(page) != (frame, whole)
                   or not whole and page not in self.before
                   or not whole and not self.before[page][1] and self.before[page][0] != frame}
        lost = changed - logged
        self.lab.check(len(changed) >= least and not lost,
                       f"{self.guest.name}, {what}: {len(changed)} pages have other memory than before, expected at "
                       f"least {least}; not in the log: {len(lost)}, expected none; in it: {len(logged)}")


def compact(lab, guest, kind):
    """Have the kernel compact memory; returns what became of the base pages that it found."""
    before = stats(guest)
    guest.run("echo 1 > /proc/sys/vm/compact_memory")
    after = stats(guest)
    moved, refused = (after[name] - before[name] for name in ("migrated", "migrate_refused"))
    if kind == "hvm":           # there each would have QEMU wait for its disks
        lab.equal("pages that compaction moved, or was refused", (moved, refused), (0, 0))
    return moved, refused


def at_rest(lab, guest, kind):
    """While the log is kept, nothing of what upkeep does comes or goes."""
    before = stats(guest)
    guest.run(f"echo 1 > {DEVICE}/upkeep/heal; echo 1 > {DEVICE}/upkeep/coalesce")
    lab.wait(lambda: stats(guest)["upkeep_watched"] >= before["upkeep_watched"] + 2, 60,
             "upkeep to see twice that writes are logged")
    moved, refused = compact(lab, guest, kind)
    lab.check(kind == "hvm" or refused >= MOVED and not moved,
              f"while writes are logged: {refused} pages that compaction was not let move, expected at least {MOVED}; "
              f"moved: {moved}, expected none")
    after = stats(guest)
    for name in ("release_pages", "populate_pages", "healed", "coalesced"):
        lab.equal(f"{name} while writes are logged", after[name] - before[name], 0)


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=MEMORY)
    move(guest, DOWN * MIB)
    move(guest, MEMORY * MIB)
    guest.load()
    guest.run(f"cd {DEVICE}; echo 0 > upkeep/heal; echo 0 > upkeep/coalesce")
    agreement = Agreement(lab, guest)
    guest.run(f"echo Y > {DEBUG}/base_only")
    with holes(lab, guest, MEMORY // 3):
        balloon_out(guest)
    guest.run(f"echo N > {DEBUG}/base_only")

    with Log(lab, guest) as log:
        at_rest(lab, guest, kind)
        guest.target_kb(guest.current_kb() + GROWN * MIB)
        guest.landed()
        log.check("grown", GROWN * MIB // 4)
    agreement.check("while writes were logged")

    before = stats(guest)
    if kind == "pvh":
        moved, _ = compact(lab, guest, kind)
        lab.check(moved >= MOVED, f"pages that compaction moved: {moved}, expected at least {MOVED}")
    lab.wait(lambda: stats(guest)["healed"] >= before["healed"] + HEALED, 60, f"{HEALED} regions to be healed")
    agreement.check("in the end")
    guest.unload()
