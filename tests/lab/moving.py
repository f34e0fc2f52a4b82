# SPDX-License-Identifier: GPL-2.0
"""A target that moves by some MiB all the time, in a fragmented guest, does not keep the thread busy.

A search for huge pages that found nothing is not begun anew for the sake of each new target.  The
in-tree driver, in the same boot and with the same schedule, is there to compare.
"""

from common import DEVICE, MIB, intree_and_ours, stats, thread_time

FAULTS = False              # it compares CPU time
TARGET = 400 * MIB
SWING = 8 * MIB
SECONDS = 30
EVERY_MS = 300
TURNS = SECONDS * 1000 // EVERY_MS // 2
REST_S = 5          # after a search in vain

SCHEDULE = f"""
cd {DEVICE}
for i in $(seq {TURNS}); do
	echo {TARGET - SWING} > target_kb; usleep {EVERY_MS * 1000}
	echo {TARGET + SWING} > target_kb; usleep {EVERY_MS * 1000}
done
echo {TARGET} > target_kb
"""


def used_while_it_moves(lab, guest):
    """Fragments the guest and moves its target; returns the thread's CPU time, and how long it took, in seconds."""
    said = guest.run("insmod /fragment.ko && dmesg | grep fragment: | tail -n 1")
    lab.note(f"{guest.name}: {said.strip()}")
    guest.target_kb(TARGET)
    guest.landed()
    guest.run("sleep 6")
    before, start = thread_time(guest)
    guest.run(SCHEDULE, timeout=4 * SECONDS)
    guest.landed()
    after, end = thread_time(guest)
    return after - before, end - start


def run(lab, kind, kernel):
    intree, ours = intree_and_ours(lab, kind, kernel)
    theirs, _ = used_while_it_moves(lab, intree)
    intree.destroy()

    ours.load(upkeep=False)
    before = stats(ours)
    mine, took = used_while_it_moves(lab, ours)
    after = stats(ours)
    done = {name: after[name] - before[name] for name in ("targets", "contig_rests", "contig_tries", "contig_huge")}
    lab.note(f"{done}")
    lab.check(mine <= theirs, f"CPU time: {mine:.2f} s, in-tree {theirs:.2f} s, expected no more")
    lab.check(done["targets"] > TURNS, f"{done['targets']} targets, expected more than {TURNS}")
    most = took / REST_S + 4        # and some on the way to where it begins
    lab.check(done["contig_rests"] <= most,
              f"searches in vain: {done['contig_rests']} in {took:.0f} s, expected at most {most:.0f}")
    ours.unload()
