# SPDX-License-Identifier: GPL-2.0
"""Any target is reached to the page, all counts agree, and the guest's memory stays intact.

Targets that are no multiple of 2 MiB, a page up, a page down, and 100 random ones, while a
program in the guest holds most of its memory and verifies it.
"""

import random

from common import MIB, Agreement, Holder, move, walk

TYPES = ("pv", "pvh", "hvm")
CORE = ("pv", "pvh")
HELD_MIB = 200
HELD_DEBUG_MIB = 90         # KASAN and its company need 137 MiB of the guest's, other kernels 22 to 40
LOWEST = 330 * MIB
WITHIN = {"seconds": 30, "timeout": 240}
PAGE = 4
HUGE = 2 * MIB


def chosen(full):
    """The awkward targets: around a multiple of 2 MiB, a page apart, the ends of the range."""
    middle = full - full % HUGE - 64 * MIB
    return [middle, middle - PAGE, middle, middle + PAGE, middle, middle + HUGE - PAGE,
            middle - HUGE + PAGE, middle + 3 * PAGE, middle + HUGE // 2,
            LOWEST, LOWEST + PAGE, full - PAGE, full, full - HUGE, full - HUGE - PAGE, full]


def run(lab, kind, kernel):
    seed = random.randrange(1 << 32)
    lab.note(f"seed {seed}")
    draw = random.Random(seed)

    guest = lab.guest(kind, kernel, memory=512)
    guest.load()
    agreement = Agreement(lab, guest)
    full = guest.current_kb()
    holder = Holder(lab, guest, HELD_DEBUG_MIB if kernel.endswith("-debug") else HELD_MIB, seed)

    walk(lab, guest, chosen(full), **WITHIN)
    agreement.check("after the chosen targets")

    for _ in range(10):
        steps = (draw.choice((1, PAGE, HUGE)) for _ in range(10))
        walk(lab, guest, [draw.randrange(LOWEST, full + 1, step) for step in steps], **WITHIN)
        agreement.check("after ten random targets")

    middle = 400 * MIB
    for target in (middle, middle + PAGE, middle - PAGE, 511 * MIB + 3 * PAGE, 512 * MIB):
        move(guest, target)
        agreement.check(f"after xl mem-set {target}k")

    holder.intact()
    guest.unload()
