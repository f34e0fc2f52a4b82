# SPDX-License-Identifier: GPL-2.0
"""Page cache stays where it is; what the administrator has the kernel reclaim of it goes to the host.

A guest with 300 MiB of clean page cache, of which a third was read over and over, gives what is free, and reads none
of that third again. Then memory.reclaim of its root cgroup is told to free what is coldest, and that is given, too.
"""

from cache import CLEAN_MIB, FILL, USED_MIB
from common import MIB, Agreement, move
from elastic import GROUP, PAGES_A_MIB, attribute, given

TAKES = 120
MEMORY = 640
COLD_MIB = CLEAN_MIB - USED_MIB
SLACK_MIB = 16              # of page cache that comes and goes otherwise
RECLAIM = """
mkdir -p /cgroup; mount -t cgroup2 none /cgroup 2> /dev/null || true
cat /mnt/used > /dev/null
echo %dM > /cgroup/memory.reclaim
"""


def cached(guest):
    """In MiB."""
    return guest.meminfo()["Cached"] // MIB


def again(guest):
    """What of the third in use has to be read again, in MiB."""
    before = guest.vmstat()["workingset_refault_file"]
    guest.run("cat /mnt/used > /dev/null")
    return (guest.vmstat()["workingset_refault_file"] - before) // PAGES_A_MIB


def run(lab, kind, kernel):
    guest, = lab.guests([dict(kind=kind, kernel=kernel, memory=MEMORY)])
    guest.load()
    agreement = Agreement(lab, guest)
    guest.run(FILL, timeout=120)
    had = cached(guest)
    guest.run(f"cd {GROUP}; echo 1 > hold_s; echo 1000 > age_ms; echo 1 > enabled")
    first = given(lab, guest)
    lab.check(had - cached(guest) < SLACK_MIB, f"page cache after {first // MIB} MiB were given: {cached(guest)} MiB, "
                                               f"before {had}")
    lab.equal("MiB in use that are read again, with that given", again(guest), 0)
    guest.run(RECLAIM % COLD_MIB, timeout=120)
    lab.wait(lambda: attribute(guest, "given_kb") > first + COLD_MIB // 2 * MIB, 60,
             f"half of {COLD_MIB} MiB, which were reclaimed, to be given after {first // MIB} MiB")
    more = given(lab, guest) - first
    lost = again(guest)
    lab.note(f"given {first // MIB} MiB, {more // MIB} more of page cache, which is {cached(guest)} MiB now; "
             f"of {USED_MIB} MiB in use {lost} are read again")
    lab.check(lost < USED_MIB // 4, f"{lost} MiB of {USED_MIB} that are in use are read again")
    guest.run(f"echo 0 > {GROUP}/enabled")
    move(guest, MEMORY * MIB)
    agreement.check("with nothing given")
    guest.unload()
