# SPDX-License-Identifier: GPL-2.0
"""xl save and xl restore, at rest and in the middle of ballooning: the worker freezes in time, goes on after, and nothing is lost.

The in-tree driver goes through the same in a guest of the same boot.
"""

import time

from common import MIB, Agreement, Holder, move

TIMEOUT = 500
MEMORY = 320
LOW, HIGH = 220, 300  # the two targets between which the guest is sent to and fro
HELD_MIB = 100
FLIP = f"""
cd /sys/devices/system/xen_memory/xen_memory0
while [ ! -e /flipped ]; do for mib in {LOW} {HIGH}; do echo $((mib * 1024)) > target_kb; usleep 150000; done; done
"""


def save_and_restore(lab, guest):
    """Saves and restores the guest; says how long the guest took to suspend."""
    start = time.monotonic()
    guest.save("/tmp/saved")
    saved = time.monotonic() - start
    guest.restore("/tmp/saved")
    lab.note(f"{guest.name}: saved in {saved:.1f} s, back after {time.monotonic() - start:.1f} s")


def at_rest(lab, guest, agreement):
    move(guest, LOW * MIB)
    save_and_restore(lab, guest)
    agreement.check("restored at rest")


def on_the_move(lab, guest, agreement):
    flip = guest.spawn(FLIP)
    lab.wait(lambda: guest.current_kb() != LOW * MIB, 20, f"{guest.name} to be on the move")
    save_and_restore(lab, guest)
    lab.equal(f"{guest.name}: programs that go on flipping the target after the restore", guest.run("pgrep -f flipped | wc -l").strip() != "0", True)
    guest.run("touch /flipped")
    flip.wait(30)
    guest.landed()
    agreement.check("restored on the move")


def suspended_and_sound(lab, guest):
    agreement = Agreement(lab, guest)
    holder = Holder(lab, guest, HELD_MIB)
    at_rest(lab, guest, agreement)
    on_the_move(lab, guest, agreement)
    move(guest, MEMORY * MIB)
    agreement.check("up again after both")
    holder.intact()


def run(lab, kind, kernel):
    ours, intree = lab.guests([dict(kind=kind, kernel=kernel, memory=MEMORY, name="ours"), dict(kind=kind, kernel=kernel, memory=MEMORY, name="intree")])
    suspended_and_sound(lab, intree)
    intree.destroy()
    ours.load()
    suspended_and_sound(lab, ours)
    ours.unload()
