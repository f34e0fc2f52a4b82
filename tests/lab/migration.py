# SPDX-License-Identifier: GPL-2.0
"""A guest is migrated again and again while it is healed, and none of its pages is lost on the way.

A program frees its memory all the time, in pieces of 1 MiB, and has others, each of which it verifies
before it goes. Healing is begun anew each second, so that what the program has next was populated a
moment ago. What that has to do with migration is told in xenmem-dirty.c. Nothing is zeroed before it is
given back, since then it would be sent again for that.
"""

from common import DEVICE, Holder, stats

TAKES_LONG = True
TYPES = ("pvh",)            # without shadow paging PV cannot be migrated
UNPROVEN = ("pvh",)
TIMEOUT = 900
TIMES = 10
HELD_MIB = 130
HEALING = f"while [ ! -e /migrated ]; do echo 1 > {DEVICE}/upkeep/heal; sleep 1; done"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=320, vcpus=2, cmdline="init_on_alloc=0")
    guest.load()
    guest.run(f"echo 0 > {DEVICE}/scrub_pages")
    holder = Holder(lab, guest, HELD_MIB, program="churn")
    healing = guest.spawn(HEALING)
    for i in range(TIMES):
        before = stats(guest)["healed"]
        guest.migrate()
        lab.note(f"migrated {i + 1} times, healed meanwhile: {stats(guest)['healed'] - before}")
    guest.run("touch /migrated")
    healing.wait(60)
    holder.intact()
    guest.landed()
    guest.unload()
