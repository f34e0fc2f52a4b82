# SPDX-License-Identifier: GPL-2.0
"""Programs take up to 95 % of what there is, while the target moves: nobody is killed, and none swaps in vain.

Beside the in-tree driver, with the same programs and the same targets, in the same boot: first without swap, then
with zram to swap to. To get to its target ours has some swapped out, which the in-tree driver does not; what of that
is fetched back meanwhile was in vain.
"""

import random
import time

from common import DEBUG, MIB, READY_WITHIN, SWAP, intree_and_ours

TAKES = 240
TIMEOUT = 600
PERCENT = 95
LOW, FULL = 150 * MIB, 512 * MIB        # the former cannot be reached with the programs at work
TARGETS = 10                # pairs of a low and a high one
EVERY = 1.5                 # seconds
SQUEEZED = FULL * 3 // 4    # so small it gets at least
IN_VAIN = 4                 # one page in so many at most
COUNTED = ("oom_kill", "pswpout", "pswpin", "allocstall_movable", "allocstall_normal",
           "pgscan_kswapd", "pgscan_direct")


def surges(lab, guests, draw, how):
    """Moves the targets of all of them, with programs at work; returns what each counted meanwhile, by name."""
    seed = draw.randrange(1000)
    programs = [guest.spawn(f"surge {PERCENT} {seed}") for guest in guests]
    for program in programs:
        lab.wait(lambda program=program: "ready" in program.output(), READY_WITHIN, "surge to begin")
    before = [guest.vmstat() for guest in guests]
    least = [FULL for _ in guests]
    for i in range(2 * TARGETS):
        target = draw.randrange(FULL // 2, FULL, 4) if i % 2 else draw.randrange(LOW, FULL // 2, 4)
        for guest in guests:
            guest.target_kb(target)
        time.sleep(EVERY)
        least = [min(now, guest.current_kb()) for now, guest in zip(least, guests)]
    after = [guest.vmstat() for guest in guests]
    counted = [{name: now[name] - was[name] for name in COUNTED}
               for was, now in zip(before, after)]
    said = []
    for guest, program in zip(guests, programs):
        guest.run("killall -TERM surge; true")
        said.append((program.wait(120, check=False) or "killed").strip().splitlines()[-1])
    for guest, counts, line, small in zip(guests, counted, said, least):
        lab.note(f"{guest.name}, {how}: {counts}; {small} kB at least; surge: {line}")
    lab.check(least[-1] <= SQUEEZED, f"{guests[-1].name}, {how}: {least[-1]} kB at least, expected {SQUEEZED} at most")
    lab.equal(f"killed for want of memory in {guests[-1].name}, {how}", counted[-1]["oom_kill"], 0)
    lab.check(said[-1].startswith("intact"), f"surge in {guests[-1].name}, {how}: {said[-1]}")
    lab.equal("invariant", guests[-1].run(f"cat {DEBUG}/invariant").strip(), "ok")
    return counted


def run(lab, kind, kernel):
    seed = random.randrange(1 << 32)
    lab.note(f"seed {seed}")
    draw = random.Random(seed)
    intree, ours = guests = intree_and_ours(lab, kind, kernel, memory=FULL // MIB)
    ours.load()
    surges(lab, guests, draw, "without swap")
    for guest in guests:
        guest.run(SWAP)
    theirs, mine = surges(lab, guests, draw, "with swap")
    lab.check(mine["pswpin"] <= max(mine["pswpout"] // IN_VAIN, theirs["pswpin"]),
              f"of {mine['pswpout']} pages swapped out {mine['pswpin']} were fetched back, expected one in {IN_VAIN} "
              f"at most; in-tree: {theirs['pswpin']} of {theirs['pswpout']}")
    ours.target_kb(SQUEEZED)
    ours.landed()
    ours.unload()
