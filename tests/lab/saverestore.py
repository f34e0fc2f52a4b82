# SPDX-License-Identifier: GPL-2.0
"""xl save and xl restore, at rest and in mid-deflate: freezes in time, goes on, loses nothing.

The in-tree driver goes through the same in a guest of the same boot.
"""

import time

from common import DEVICE, MIB, Agreement, Holder, intree_and_ours, move
from host import CommandError

TIMEOUT = 500
ELASTIC = True
MEMORY = 320
LOW, HIGH = 220, 300  # MiB; the guest is sent to and fro between them
HELD_MIB = 100
FLIP = f"""
cd {DEVICE}
while [ ! -e /flipped ]; do
	for mib in {LOW} {HIGH - 1}; do echo $((mib * 1024)) > target_kb; usleep 150000; done
done
"""


def save_and_restore(lab, guest, when):
    start = time.monotonic()
    try:
        guest.save("/tmp/saved")
    except CommandError as error:
        lab.fail(f"{guest.name} could not be saved {when}: {error}")
    saved = time.monotonic() - start
    guest.restore("/tmp/saved")
    took = time.monotonic() - start
    lab.note(f"{guest.name}, {when}: saved after {saved:.1f} s, back after {took:.1f} s")


def at_rest(lab, guest, agreement):
    move(guest, LOW * MIB)
    save_and_restore(lab, guest, "at rest")
    guest.landed()
    agreement.check("restored at rest")


def on_the_move(lab, guest, agreement):
    # The restored guest may not have more than xl's target: stay below that.
    move(guest, HIGH * MIB)
    start = guest.current_kb()
    flip = guest.spawn(FLIP)
    lab.wait(lambda: guest.current_kb() != start, 20, f"{guest.name} to be on the move")
    save_and_restore(lab, guest, "on the move")
    guest.run("touch /flipped")
    flip.wait(30)
    move(guest, LOW * MIB)
    agreement.check("restored on the move")


def survives(lab, guest):
    agreement = Agreement(lab, guest)
    holder = Holder(lab, guest, HELD_MIB)
    at_rest(lab, guest, agreement)
    on_the_move(lab, guest, agreement)
    move(guest, MEMORY * MIB)
    agreement.check("up again")
    holder.intact()


def run(lab, kind, kernel):
    intree, ours = intree_and_ours(lab, kind, kernel, memory=MEMORY)
    survives(lab, intree)
    intree.destroy()
    ours.load()
    survives(lab, ours)
    ours.unload()
