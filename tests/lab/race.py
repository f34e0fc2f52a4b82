# SPDX-License-Identifier: GPL-2.0
"""Compaction forced in a loop meets inflating, deflating, coalescing, healing and unloading.

On two vCPUs, while a program verifies its memory, another one leaves holes behind, and a third one
looks at each page of memory, what kind it is and how many have it. RACE_SECONDS
in the environment has it go on for so long, in the guest's time.
"""

import os
import random

from common import DEBUG, Agreement, Holder, stats, uptime, walk

SECONDS = int(os.environ.get("RACE_SECONDS", 60))
TIMEOUT = 400 + 6 * SECONDS
ELASTIC = True
HELD_MIB = 100
HELD_DEBUG_MIB = 40
LOWEST_KB = 330 * 1024
COMPACT = "while [ ! -e /raced ]; do echo 1 > /proc/sys/vm/compact_memory; done"
LOOK = "while [ ! -e /raced ]; do cat /proc/kpageflags /proc/kpagecount > /dev/null; sleep 0.2; done"
CHURN = "while [ ! -e /raced ]; do timeout 2 holes 60 > /dev/null; done"


def run(lab, kind, kernel):
    seed = random.randrange(1 << 32)
    lab.note(f"seed {seed}")
    draw = random.Random(seed)

    guest = lab.guest(kind, kernel, vcpus=2)
    guest.load()
    agreement = Agreement(lab, guest)
    full = guest.current_kb()
    holder = Holder(lab, guest, HELD_DEBUG_MIB if kernel.endswith("-debug") else HELD_MIB, seed)
    loops = [guest.spawn(loop) for loop in (COMPACT, CHURN, LOOK)]

    sums = {}
    end = uptime(guest) + SECONDS
    while uptime(guest) < end:
        guest.run(f"echo {draw.choice('YN')} > {DEBUG}/base_only")
        targets = [draw.randrange(LOWEST_KB, full + 1, 4) for _ in range(5)]
        walk(lab, guest, targets)
        guest.run(f"sleep {draw.randrange(1, 5)}")
        for name, value in stats(guest).items():
            sums[name] = sums.get(name, 0) + value
        guest.unload()
        guest.load()

    guest.run("touch /raced")
    for loop in loops:
        loop.wait(60, check=False)
    names = ("migrated", "migrate_refused", "coalesced", "healed", "heal_refused", "heal_stuck",
             "heal_given_up")
    lab.note(", ".join(f"{name} {sums[name]}" for name in names))
    lab.check(sums["migrated"] > 0, f"pages that compaction moved: {sums['migrated']}, expected some")
    lab.equal("times that upkeep took the guest for being migrated", sums["upkeep_watched"], 0)
    guest.target_kb(full)
    guest.landed()
    agreement.check("after the race")
    holder.intact()
    guest.unload()
