# SPDX-License-Identifier: GPL-2.0
"""A guest is migrated again and again while there is much to put in order, and nothing of it is lost on the way.

Base pages by the thousand wait to be coalesced, shattered regions to be healed, and compaction is at work
all the time. What was released and what was populated meanwhile would both be sent, and the new domain
has room for no more than the guest has. A program frees its memory all the time, in pieces of 1 MiB, and
has others, each of which it verifies before it goes.
"""

from common import DEBUG, DEVICE, MIB, Agreement, Holder, move, stats

TAKES = 240
TYPES = ("pvh", "hvm")      # without shadow paging PV cannot be migrated
TIMEOUT = 1200
ELASTIC = True
TIMES = 10
MEMORY = 320
HELD_MIB = 130
BASE_MIB = 48               # in base pages before each
COMPACTION = "while [ ! -e /migrated ]; do echo 1 > /proc/sys/vm/compact_memory; usleep 500000; done"
DONE = ("healed", "coalesced", "migrated", "migrate_refused", "upkeep_watched")


def strew(guest):
    """Balloons out base pages from anywhere, and then has upkeep begin with all that there is to do."""
    guest.run(f"cd {DEVICE}; echo 0 > upkeep/coalesce; echo 0 > upkeep/heal; echo Y > {DEBUG}/base_only")
    for mib in (MEMORY, MEMORY - BASE_MIB):
        move(guest, mib * MIB)
    guest.run(f"cd {DEVICE}; echo N > {DEBUG}/base_only; echo 1 > upkeep/coalesce; echo 1 > upkeep/heal")


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=MEMORY, vcpus=2, cmdline="init_on_alloc=0")
    guest.load()
    agreement = Agreement(lab, guest)
    holder = Holder(lab, guest, HELD_MIB, program="churn")
    compaction = guest.spawn(COMPACTION)
    seen = 0
    for i in range(TIMES):
        strew(guest)
        before = stats(guest)
        guest.migrate()
        after = stats(guest)
        seen += after["upkeep_watched"] > before["upkeep_watched"]
        lab.note(f"migrated {i + 1} times; meanwhile " +
                 ", ".join(f"{name}: {after[name] - before[name]}" for name in DONE))
        agreement.check(f"migrated {i + 1} times")
    lab.equal("migrations that the guest saw", seen, TIMES)
    guest.run("touch /migrated")
    compaction.wait(60)
    move(guest, MEMORY * MIB)
    agreement.check("up again")
    holder.intact()
    guest.unload()
