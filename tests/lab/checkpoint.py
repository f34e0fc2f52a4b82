# SPDX-License-Identifier: GPL-2.0
"""An intact guest is left alone: after the module is loaded, after a checkpoint, and after a save that failed.

Its domain is the one that it had, so nothing is other than before: not one page goes to Xen.
"""

import time

from common import THREAD, Agreement, Holder, stats
from host import CommandError

TYPES = ("pv", "pvh", "hvm")
MEMORY = 320
HELD_MIB = 60
LOOKS = 15                  # seconds, within which upkeep has gone through such a guest several times
FULL = "/tmp/full"          # too small to save a guest there


def quiet(lab, guest, agreement, when, seconds=LOOKS):
    """Check that nothing is put in order for so long."""
    time.sleep(seconds)
    done = stats(guest)
    lab.check(done["healed"] == done["release_pages"] == 0,
              f"{guest.name}, {seconds} s {when}: healed {done['healed']}, released {done['release_pages']} pages, "
              "expected none")
    agreement.check(when)


def intact(lab, kind, kernel):
    """A guest fresh from boot, with the module."""
    guest = lab.guest(kind, kernel, memory=MEMORY, vcpus=2)
    lab.note(f"CPU time of the in-tree driver's thread: {int(guest.run(THREAD).split()[0]) / 1e6:.2f} ms")
    agreement = Agreement(lab, guest)
    guest.load()
    lab.note(guest.run("dmesg | grep 'in-tree driver ran'").strip())
    return guest, agreement


def run(lab, kind, kernel):
    guest, agreement = intact(lab, kind, kernel)
    holder = Holder(lab, guest, HELD_MIB)
    quiet(lab, guest, agreement, "after it was loaded")

    before = guest.meter().superpages
    guest.checkpoint("/tmp/saved")
    quiet(lab, guest, agreement, "after a checkpoint")

    lab.dom0(f"mkdir {FULL} && mount -t tmpfs -o size=8m none {FULL}")
    try:
        guest.checkpoint(f"{FULL}/saved")
        lab.fail("a guest could be saved to where there was no room for it")
    except CommandError as error:
        lab.note(f"saving it to where there is no room: {str(error).strip().splitlines()[-1]}")
    finally:
        lab.dom0(f"umount {FULL}")
    quiet(lab, guest, agreement, "after a save that failed")
    lab.note(f"superpages: {before} before both, {guest.meter().superpages} after")
    holder.intact()
    guest.unload()
