# SPDX-License-Identifier: GPL-2.0
"""Bad values change nothing; a target out of range is clamped, and that is said once, with figures.

Values that are no number, negative, overflowing, or far too small or large: to the module's own
attributes, to target_kb and to memory/target in xenstore.  A second insmod is refused.
"""

import re

from common import DEVICE, MIB, Agreement, move

JUNK = ("", "junk", "-1", "-4096", "99999999999999999999999", "0x", "12.5", "4k4")
OWN = "huge_kb base_kb foreign_spare_kb foreign_lent_kb quarantined_kb"
CLAMPED = r"target of (\d+) KiB is out of range, going to (\d+) KiB: floor (\d+) KiB, ceiling (\d+) KiB"


def read_all(guest):
    return guest.run(f"cd {DEVICE}; grep . queues/* target_kb info/current_kb")


def own_attributes_take_nothing(lab, guest):
    before = read_all(guest)
    writes = "\n".join(f"echo '{value}' > $file && echo $file took '{value}'" for value in JUNK)
    took = guest.run(f"cd {DEVICE}/queues; for file in {OWN}; do\n{writes}\ndone 2>/dev/null; true")
    lab.equal("bad values that an attribute of queues/ took", took.split("\n")[:-1], [])
    lab.equal("attributes after bad values", read_all(guest), before)


def no_number_is_no_target(lab, guest, agreement):
    before = read_all(guest)
    for value in ("junk", "-5", "0"):
        guest.run(f"echo '{value}' > {DEVICE}/target_kb || true")
    key = f"/local/domain/{guest.domid}/memory/target"
    good = lab.dom0(f"xenstore-read {key}").strip()
    lab.dom0(f"xenstore-write {key} junk")
    guest.run("sleep 1")
    lab.equal("attributes after targets that are none", read_all(guest), before)
    agreement.check("after targets that are none")
    lab.dom0(f"xenstore-write {key} {good}")  # or xl mem-set has nothing to start from


def clamps(lab, guest, wanted):
    """Sets a target out of range twice; returns where the guest went and what was said, in KiB."""
    for _ in range(2):
        guest.run(f"echo {wanted} > {DEVICE}/target_kb; sleep 1")
    said = [match for match in re.findall(CLAMPED, guest.dmesg()) if int(match[0]) == wanted]
    lab.equal(f"messages about a target of {wanted} kB, set twice", len(said), 1)
    _, going, floor, ceiling = map(int, said[0])
    lab.wait(lambda: guest.current_kb() == going, 60, f"the guest to go to {going} kB")
    lab.note(f"floor {floor} kB, ceiling {ceiling} kB")
    return going, floor, ceiling


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=512)
    guest.load()
    agreement = Agreement(lab, guest)
    full = guest.current_kb()
    move(guest, 400 * MIB)
    guest.mem_max("512m")

    own_attributes_take_nothing(lab, guest)
    no_number_is_no_target(lab, guest, agreement)

    going, floor, _ = clamps(lab, guest, 4)
    lab.equal("a target of 4 kB leads to the floor, in kB", going, floor)
    going, _, ceiling = clamps(lab, guest, 4096 * MIB)
    lab.equal("a target of 4 GiB leads to the ceiling, in kB", (going, ceiling), (full, full))

    again = guest.run("insmod /xen-balloon.ko 2>&1 && echo loaded || true")
    lab.check("File exists" in again, f"a second insmod says: {again.strip()}")
    move(guest, 300 * MIB)
    agreement.check("after all that")
    guest.unload()
    agreement.check("after rmmod")
