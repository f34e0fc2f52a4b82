# SPDX-License-Identifier: GPL-2.0
"""A guest that grows beyond 4 GiB while it is migrated has all of that afterwards.

Xen's tools send nothing beyond the last page that had memory when they began. So no block is added as long as they
are at it, and where what is ballooned out lies at the guest's end, Xen is told of that end before.
"""

from common import BLOCKS, MIB, Agreement, Holder, blocks, move

TYPES = ("hvm",)            # for which it can be said where what lies below 4 GiB ends
TAKES = 240
TIMEOUT = 1200
FAULTS = False              # as in hotadd
MEMORY = 384
GROWN = 500                 # less than with a whole block more
DOWN = 288                  # MiB, so that all that was added is ballooned out
HELD_MIB = 120
BEYOND = 4096 // 128        # the first block there
STARTS = 8                  # seconds, in which Xen's tools have looked where the guest ends


def migrate_and_grow(guest):
    """Migrate it, and have it learn of its new target when Xen's tools are at it."""
    guest.pause()
    guest.mem_max(f"{GROWN}m")
    guest.mem_set(f"{GROWN}m")
    guest.host.dom0(f"(sleep {STARTS}; xl unpause {guest.name}) > /dev/null 2>&1 &")
    guest.migrate()
    guest.landed(120)


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=MEMORY, vcpus=2, config=f"mmio_hole = {4096 - MEMORY}\n")
    guest.run(f"echo online > {BLOCKS}/auto_online_blocks")
    guest.load()
    holder = Holder(lab, guest, HELD_MIB, program="churn")
    old = blocks(guest)
    migrate_and_grow(guest)
    added = [int(name.removeprefix("memory")) for name in blocks(guest) - old]
    lab.check(added and min(added) >= BEYOND, f"blocks that were added: {added}, expected from {BEYOND} on")
    agreement = Agreement(lab, guest)

    # What was added is taken first, if it is free: nothing of it is left.
    holder.intact()
    move(guest, DOWN * MIB)
    holder = Holder(lab, guest, HELD_MIB, program="churn")
    guest.migrate()
    guest.landed()
    agreement.check("migrated")
    migrate_and_grow(guest)
    agreement.check("grown while it was migrated")
    holder.intact()
    move(guest, MEMORY * MIB)
    agreement.check("down again")
    guest.unload()
