# SPDX-License-Identifier: GPL-2.0
"""A ballooned page that is reported as bad comes back to nobody, and all others do.

One of a base page's and some of huge pages are reported, as the machine does it
(hard_offline_page). They have no memory then, so that no harm is done; were they given to the kernel
all the same, whoever gets one would die of it.
"""

from common import DEBUG, MIB, Agreement, Holder, queues

EXPECTED = (r"Memory failure", r"unpoison", r"Injecting memory failure")
AWAY_KB = 64 * MIB + 100 * 4
BAD = 3             # of each kind
HARD_OFFLINE = "/sys/devices/system/memory/hard_offline_page"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel)
    guest.load(upkeep=False)
    full = guest.current_kb()
    guest.target_kb(full - AWAY_KB)
    guest.landed()
    pfns = [int(line.split()[1]) for line in guest.run(f"offline {BAD}").splitlines()]
    lab.check(len(pfns) > BAD, f"pages to be reported, of huge and base ones: {pfns}")
    for pfn in pfns:
        guest.run(f"echo {pfn * 4096:#x} > {HARD_OFFLINE}", check=False)
    corrupted = guest.meminfo()["HardwareCorrupted"]
    lab.equal("HardwareCorrupted, in kB", corrupted, len(pfns) * 4)

    guest.target_kb(full)
    lab.wait(lambda: guest.current_kb() == full - corrupted, 60, "all others to be back")
    lab.equal("quarantined, in kB", queues(guest)["quarantined"], corrupted)
    lab.equal("invariant", guest.run(f"cat {DEBUG}/invariant").strip(), "ok")
    lab.check("was reported as bad while it was ballooned out" in guest.dmesg(), "dmesg tells of it")
    agreement = Agreement(lab, guest)
    Holder(lab, guest, guest.meminfo()["MemAvailable"] * 9 // 10 // MIB).intact()

    guest.target_kb(full - AWAY_KB)
    guest.landed()
    guest.target_kb(full - corrupted)
    guest.landed()
    agreement.check("down and up once more")
    guest.unload()
