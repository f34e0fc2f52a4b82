# SPDX-License-Identifier: GPL-2.0
"""Memory that must stay where it is stays, while all around it is healed.

A program locks a part of its memory, and has one page of each 2 MiB of another part in a pipe. In a
guest that the in-tree driver has shattered no locked page is moved and none faults, and the regions
with a page of a pipe are not emptied of their other pages again and again.
"""

from common import DEBUG, DEVICE, MIB, READY_WITHIN, move, stats

EACH_MIB = 60
HEALS = 45                  # seconds of the guest's
GIVEN_UP = EACH_MIB // 4    # half of the regions with such a page


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=512, vcpus=2)
    for target in (256 * MIB, 512 * MIB):
        move(guest, target)
    program = guest.spawn(f"stay {EACH_MIB}")
    lab.wait(lambda: "ready" in program.output(), READY_WITHIN, f"stay in {guest.name} to have its memory")
    guest.load()
    guest.run(f"echo 1 > {DEVICE}/upkeep/heal; sleep {HEALS}", timeout=HEALS + 60)
    done = stats(guest)
    guest.run("killall -USR1 stay")
    said = program.wait(60, check=False).splitlines()[-1]
    names = ("healed", "heal_stuck", "heal_given_up")
    lab.note(f"{said}; {', '.join(f'{name} {done[name]}' for name in names)}")
    lab.check(done["healed"] > 0, f"regions healed: {done['healed']}, expected some")
    lab.check(said.startswith("0 pages moved, 0 minor faults"),
              f"locked memory: {said}, expected 0 pages moved and 0 minor faults")
    lab.check(done["heal_given_up"] < GIVEN_UP, f"regions emptied in vain: {done['heal_given_up']}, with one page of "
                                                f"each of {EACH_MIB // 2} in a pipe, expected less than {GIVEN_UP}")
    lab.equal("invariant", guest.run(f"cat {DEBUG}/invariant").strip(), "ok")
    guest.unload()
