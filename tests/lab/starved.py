# SPDX-License-Identifier: GPL-2.0
"""No memory left in the host, or xl mem-max in the way: waits without burning CPU, then goes on.

The thread tries again no more often than once a second, which takes next to no CPU time, and moves within
seconds of memory coming free, of the limit going away, or of the target changing.  The in-tree driver waits
beside it, in a guest of its own.  To wake up and ask Xen takes 2 ms and more on a slow emulated machine, so that
it is the tries that are limited here; `make bench` tells what part of the time they take.
"""

import time

from common import MIB, Agreement, intree_and_ours, move, settled, share, stats, thread_time

TIMEOUT = 400
WATCHED_S = 20
TRIES_AT_MOST = 1   # in a second
CPU_AT_MOST = 0.01  # what waits in a loop takes many times that
GOES_ON_WITHIN_S = 10   # of which the longest wait is 2; where it were the in-tree driver's, it would be 32
LEFT_MIB = 24
LOW = 256 * MIB
LOWER = 16 * MIB        # a new target, below what it has then
ELASTIC = True


def waits(lab, ours, intree, why):
    """Checks how often ours tries, and what it costs in CPU time to wait."""
    stuck = ours.current_kb()
    tries, before = stats(ours)["stalls"], [thread_time(guest) for guest in (ours, intree)]
    time.sleep(WATCHED_S)
    after, tries = [thread_time(guest) for guest in (ours, intree)], stats(ours)["stalls"] - tries
    mine, theirs = map(share, before, after)
    took = after[0][1] - before[0][1]
    lab.equal(f"{why}: current_kb after waiting", ours.current_kb(), stuck)
    lab.check(0 < tries <= TRIES_AT_MOST * took,
              f"{why}: {tries} tries in {took:.1f} s, expected some, and at most {TRIES_AT_MOST} a second")
    lab.check(mine < CPU_AT_MOST,
              f"{why}: the thread used {mine:.4%}, expected less than {CPU_AT_MOST:.0%} (in-tree: {theirs:.4%})")


def goes_on(lab, done, why, start=None):
    """Checks that the guest moves again soon, counted from start or from now."""
    start = start or time.monotonic()
    lab.wait(done, 60, f"the guest to go on after {why}", every=0.1)
    took = time.monotonic() - start
    within = GOES_ON_WITHIN_S * lab.slow
    lab.check(took < within, f"went on {took:.2f} s after {why}, expected less than {within} s")


def no_host_memory(lab, ours, intree, agreement):
    with lab.starve(LEFT_MIB):
        for guest in (ours, intree):
            guest.mem_set("512m")
        stuck = settled(lab, ours)
        lab.check(stuck < 512 * MIB - LEFT_MIB * MIB,
                  f"ours stands at {stuck} kB; {lab.host_free_kb()} kB are free in the host")
        waits(lab, ours, intree, "no memory in the host")

        ours.mem_set(f"{stuck - LOWER}k")
        goes_on(lab, lambda: ours.current_kb() < stuck, "a new target")
        ours.landed()
        agreement.check("down in a starved host")
        ours.mem_set("512m")
        stuck = settled(lab, ours)
        start = time.monotonic()
    goes_on(lab, lambda: ours.current_kb() > stuck, "memory began to come free", start)
    ours.landed()
    agreement.check("after the host had memory again")
    lab.note(f"in-tree then stands at {intree.current_kb()} kB")


def limit_in_the_way(lab, ours, intree, agreement):
    for guest in (ours, intree):
        move(guest, LOW, timeout=120)
        guest.mem_max(f"{LOW + 32 * MIB}k")
        guest.target_kb(guest.current_kb() + 128 * MIB)
    stuck = settled(lab, ours)
    waits(lab, ours, intree, "xl mem-max in the way")

    ours.mem_max("512m")
    goes_on(lab, lambda: ours.current_kb() > stuck, "xl mem-max went away")
    ours.landed()
    agreement.check("after xl mem-max went away")


def run(lab, kind, kernel):
    intree, ours = intree_and_ours(lab, kind, kernel)
    ours.load()
    agreement = Agreement(lab, ours)
    for guest in (ours, intree):
        move(guest, LOW)
    no_host_memory(lab, ours, intree, agreement)
    limit_in_the_way(lab, ours, intree, agreement)
    ours.unload()
