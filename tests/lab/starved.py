# SPDX-License-Identifier: GPL-2.0
"""The host has no memory left, or xl mem-max stands in the way: the driver waits without burning CPU and goes on when it can.

Its thread stays under 0.1 % of the wall time, and moves within seconds of memory coming free, of the limit going away,
or of the target changing.  The in-tree driver waits beside it, in a guest of its own.
"""

import time

from common import MIB, Agreement, move, share, worker_time

TIMEOUT = 400
WATCHED_S = 20
CPU_AT_MOST = 0.001
GOES_ON_WITHIN_S = 3
LEFT_MIB = 24
LOW = 256 * MIB


def wait_and_watch(lab, ours, intree, why):
    """Watches both guests wait; checks what ours cost in CPU time."""
    stuck = ours.current_kb()
    before = [worker_time(guest) for guest in (ours, intree)]
    time.sleep(WATCHED_S)
    after = [worker_time(guest) for guest in (ours, intree)]
    mine, theirs = (share(*times) for times in zip(before, after))
    lab.equal(f"{why}: current_kb after {WATCHED_S} s of waiting", ours.current_kb(), stuck)
    lab.check(mine < CPU_AT_MOST, f"{why}: thread used {mine:.4%} of {after[0][1] - before[0][1]:.1f} s, expected less than {CPU_AT_MOST:.1%} (in-tree {theirs:.4%})")


def goes_on(lab, guest, start, done, why):
    """Checks that the guest moves again soon after start (host's clock)."""
    lab.wait(done, 60, f"{guest.name} to go on after {why}")
    took = time.monotonic() - start
    lab.check(took < GOES_ON_WITHIN_S, f"went on {took:.2f} s after {why}, expected less than {GOES_ON_WITHIN_S} s")


def settled(lab, guest):
    """Waits until the guest has taken all it can get; returns current_kb."""
    seen = [guest.current_kb()]

    def same():
        seen.append(guest.current_kb())
        return seen[-1] == seen[-2]

    lab.wait(same, 60, f"{guest.name} to stop growing", every=2)
    return seen[-1]


def no_host_memory(lab, ours, intree, agreement):
    with lab.starve(LEFT_MIB):
        for guest in (ours, intree):
            guest.mem_set("512m")
        stuck = settled(lab, ours)
        lab.check(stuck < 512 * MIB - LEFT_MIB * MIB, f"the host is out of memory: ours stands at {stuck} kB, {lab.host_free_kb()} kB are free")
        wait_and_watch(lab, ours, intree, "no memory in the host")

        start = time.monotonic()
        ours.mem_set(f"{LOW}k")
        goes_on(lab, ours, start, lambda: ours.current_kb() < stuck, "a new target")
        ours.landed()
        agreement.check("down from a starved host")
        ours.mem_set("512m")
        stuck = settled(lab, ours)
    start = time.monotonic()
    goes_on(lab, ours, start, lambda: ours.current_kb() > stuck, "memory came free")
    ours.landed()
    agreement.check("after the host had memory again")
    lab.note(f"in-tree stands at {intree.current_kb()} kB after that")


def limit_in_the_way(lab, ours, intree, agreement):
    for guest in (ours, intree):
        move(guest, LOW, timeout=120)
        guest.mem_max(f"{LOW + 32 * MIB}k")
        guest.target_kb(guest.current_kb() + 128 * MIB)
    stuck = settled(lab, ours)
    wait_and_watch(lab, ours, intree, "xl mem-max in the way")

    start = time.monotonic()
    ours.mem_max("512m")
    goes_on(lab, ours, start, lambda: ours.current_kb() > stuck, "xl mem-max went away")
    ours.landed()
    agreement.check("after xl mem-max went away")


def run(lab, kind, kernel):
    ours, intree = lab.guests([dict(kind=kind, kernel=kernel, memory=512, name="ours"), dict(kind=kind, kernel=kernel, memory=512, name="intree")])
    ours.load()
    agreement = Agreement(lab, ours)
    for guest in (ours, intree):
        move(guest, LOW)
    no_host_memory(lab, ours, intree, agreement)
    limit_in_the_way(lab, ours, intree, agreement)
    ours.unload()
