# SPDX-License-Identifier: GPL-2.0
"""A live migration of an idle guest sends no more for the driver.

In guests of one boot: the in-tree driver, ours with nothing to put in order, and ours while it heals. The rounds are
told, not judged: Xen's tools go on, up to the sixth, while more than 50 pages were written in the last one, and that
is about what an idle kernel writes by itself.
"""

from common import DEVICE, move

TAKES = 240
TYPES = ("pvh",)
TIMEOUT = 500
MEMORY = 320
MORE = 1.02                 # times as much as in-tree, at most: what the guest itself writes differs
RECEIVE = "rounds /tmp/sent | xl migrate-receive"


def migrate(lab, guest):
    """Migrates a guest; returns the MiB and the pages that were sent, and the rounds."""
    guest.migrate(receive=RECEIVE)
    _, sent, _, pages, _, rounds = lab.dom0("cat /tmp/sent").split()
    return int(sent) / 2**20, int(pages), int(rounds)


def run(lab, kind, kernel):
    results = {}
    for name in ("in-tree", "ours, at rest", "ours, healing"):
        guest = lab.guest(kind, kernel, memory=MEMORY, vcpus=2, name=name[:2])
        for mib in (MEMORY // 2, MEMORY):
            move(guest, mib * 1024)
        if name != "in-tree":
            guest.load()
            guest.run(f"echo {int('healing' in name)} > {DEVICE}/upkeep/heal")
        results[name] = migrate(lab, guest)
        guest.destroy()
    lab.note(", ".join(f"{name}: {sent:.1f} MiB, {pages} pages, {rounds} rounds"
                        for name, (sent, pages, rounds) in results.items()))
    _, pages, _ = results.pop("in-tree")
    for name, (_, more, _) in results.items():
        lab.check(more <= pages * MORE, f"{name}: {more} pages sent, in-tree {pages}")
