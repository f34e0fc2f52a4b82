# SPDX-License-Identifier: GPL-2.0
"""Programs take up to 95 % of what there is, at random, while the target moves: nobody is killed, nor swaps more.

Beside the in-tree driver, with the same programs and the same targets, in the same boot: first without swap, then
with zram to swap to.
"""

import random
import time

from common import DEBUG, MIB, READY_WITHIN, SWAP, intree_and_ours

UNPROVEN = ("pv",)
TAKES = 240
TIMEOUT = 600
PERCENT = 95
LOW, FULL = 150 * MIB, 512 * MIB        # often lower than can be reached with the programs at work
TARGETS = 25
EVERY = 0.7                 # seconds
COUNTED = ("oom_kill", "pswpout", "allocstall_movable", "allocstall_normal")


def surges(lab, guests, draw, how):
    """Moves the targets of all of them, with programs at work; returns what each counted meanwhile, by name."""
    seed = draw.randrange(1000)
    programs = [guest.spawn(f"surge {PERCENT} {seed}") for guest in guests]
    for program in programs:
        lab.wait(lambda program=program: "ready" in program.output(), READY_WITHIN, "surge to begin")
    before = [guest.vmstat() for guest in guests]
    for _ in range(TARGETS):
        target = draw.randrange(LOW, FULL, 4)
        for guest in guests:
            guest.target_kb(target)
        time.sleep(EVERY)
    after = [guest.vmstat() for guest in guests]
    counted = [{name: now[name] - was[name] for name in COUNTED}
               for was, now in zip(before, after)]
    said = []
    for guest, program in zip(guests, programs):
        guest.run("killall -TERM surge; true")
        said.append((program.wait(120, check=False) or "killed").strip().splitlines()[-1])
    for guest, counts, line in zip(guests, counted, said):
        lab.note(f"{guest.name}, {how}: {counts}; surge: {line}")
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
    lab.check(mine["pswpout"] <= theirs["pswpout"],
              f"pages swapped out: {mine['pswpout']}, expected no more than in-tree: {theirs['pswpout']}")
    ours.target_kb(LOW)
    ours.landed()
    ours.unload()
