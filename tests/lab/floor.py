# SPDX-License-Identifier: GPL-2.0
"""A guest that was booted small stays as it is, and rests, though its maximum is ten times as much.

By its maximum it would be left more than it has.  A target below what it has leaves it in peace,
until floor_kb is lowered; junk, and more than it has, are refused, as they are by reserve_kb.
"""

import time

from common import DEVICE, MIB, Agreement, move, share, stats, thread_time

TAKES = 240
TIMEOUT = 600
FLOOR, RESERVE = f"{DEVICE}/limits/floor_kb", f"{DEVICE}/limits/reserve_kb"
SMALL, MAXIMUM = 300, 3000
REST_S = 15
CPU = 0.02          # of one, at rest; healing was switched off


def kb(guest, path):
    return int(guest.run(f"cat {path}"))


def rests(lab, guest, agreement, where):
    """Checks that the guest is where it was a while later, and that nothing was asked of anybody."""
    before, time_before, size = stats(guest), thread_time(guest), guest.current_kb()
    time.sleep(REST_S)
    after = stats(guest)
    moved = {name: after[name] - before[name] for name in ("stalls", "populate_calls", "release_calls")}
    lab.equal(f"{where}: what was done in {REST_S} s", moved, dict.fromkeys(moved, 0))
    lab.equal(f"{where}: current_kb", guest.current_kb(), size)
    lab.check((used := share(time_before, thread_time(guest))) < CPU, f"{where}: {used:.2%} of a CPU used")
    lab.equal(f"{where}: invariant", guest.run("cat /sys/kernel/debug/xen-balloon/invariant").strip(), "ok")


def refuses(lab, guest, path, value, error):
    said = guest.run(f"echo '{value}' 2>&1 > {path} && echo taken || true")
    lab.check(error in said, f"{path.rpartition('/')[2]} = '{value}': {said.strip()}")


def run(lab, kind, kernel):
    if kernel.endswith("debug"):
        lab.skip(f"for KASAN a kernel needs an eighth of its maximum of {MAXIMUM} MiB, which is more than it has")
    guest = lab.guest(kind, kernel, memory=SMALL, maxmem=MAXIMUM)
    guest.landed()
    booted = guest.current_kb()
    guest.load()
    guest.run(f"echo 0 > {DEVICE}/upkeep/heal; sleep 2")
    agreement = Agreement(lab, guest)
    lab.equal("the floor, in kB", kb(guest, FLOOR), booted)
    rests(lab, guest, agreement, "as booted")

    guest.mem_set(f"{SMALL - 40}m")
    rests(lab, guest, agreement, "with a target below what it has")
    for path in FLOOR, RESERVE:
        refuses(lab, guest, path, "junk", "Invalid argument")
        refuses(lab, guest, path, -1, "Invalid argument")
    refuses(lab, guest, FLOOR, booted + 4, "out of range")
    refuses(lab, guest, RESERVE, 2 * MAXIMUM * MIB, "out of range")
    lab.equal("the floor after bad values, in kB", kb(guest, FLOOR), booted)

    guest.run(f"echo {booted - 20 * MIB} > {FLOOR}")
    lab.wait(lambda: guest.current_kb() == booted - 20 * MIB, 60, "the guest to go to its new floor")
    rests(lab, guest, agreement, "at the lower floor")
    move(guest, SMALL * MIB)
    agreement.check("at its first size again")
    guest.unload()
