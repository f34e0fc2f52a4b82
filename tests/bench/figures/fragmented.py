# SPDX-License-Identifier: GPL-2.0
"""A guest of 512 MiB fragmented by real work: for 15 seconds stress-ng's stressors of anonymous memory, the page
cache, dentries, inodes, pipes and sockets run in it, and then a program frees in patches what it has allocated: half
of 96 MiB of memory, of a file in tmpfs, and of many small files. The guest goes 160 MiB down and up again, and
is left alone for a minute at most. What could be is as many superpages as would be filled by the pages of those regions
in which the kernel has nothing that cannot be moved.
"""

from functools import partial

import healing
import plots
from common import MIB, move
from measure import DRIVERS

NAME = "fragmented"
TITLE = "Fragmented by real work"
SECONDS = 60
TAKEN_MIB = 160
WORK_TIMEOUT = 300
WORK = ("stress-ng --temp-path /tmp --timeout 15 --seed 1 --oom-avoid --max-fd 256 "
        "--vm 1 --vm-bytes 96m --vm-method write64 --mmap 1 --mmap-bytes 32m --fork 1 "
        "--hdd 1 --hdd-bytes 32m --hdd-write-size 64k --dentry 1 --dentries 8192 --filename 1 "
        "--open 1 --pipe 1 --sockpair 1 2>&1")


def work(bench, guest):
    """Run the workload, and leave the guest's memory in patches."""
    guest.run(WORK, timeout=WORK_TIMEOUT)
    patches = guest.spawn("patches 96 6")
    bench.lab.wait(lambda: "ready" in patches.output(), 120, f"patches in {guest.name}")


def measure(bench):
    data = {kind: {} for kind in bench.kinds}

    def go(kind, driver):
        with bench.guest(kind, driver, initrd="initrd-work") as guest:
            work(bench, guest)
            for target in (512 - TAKEN_MIB, 512):
                move(guest, target * MIB, timeout=120)
            data[kind][driver] = healing.curve(bench, guest, SECONDS, driver)

    bench.at_once([partial(go, kind, driver) for kind in data for driver in DRIVERS])
    return {"fragmented": data}


def rows(data):
    return healing.rows(data, {"fragmented": "superpages, fragmented by real work"})


def draw(data, folder):
    plots.healing(data, folder / "fragmented.svg")
    return [("fragmented.svg", "Superpages of what could be, against the time that the guest is left alone after the "
             "cycle.", "Curves of both drivers in both kinds of guests.")]
