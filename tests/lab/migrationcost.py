# SPDX-License-Identifier: GPL-2.0
"""A live migration of an idle guest sends no more, and in no more rounds, for the driver.

In guests of one boot: the in-tree driver, ours with nothing to put in order, and ours while it heals.
"""

from common import DEVICE, move

TAKES = 240
TYPES = ("pvh",)
TIMEOUT = 500
MEMORY = 320
MORE = 1.1                  # times as much as in-tree, at most: what the guest itself writes differs
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
    _, pages, rounds = results.pop("in-tree")
    for name, (_, more, longer) in results.items():
        lab.check(more <= pages * MORE, f"{name}: {more} pages sent, in-tree {pages}")
        lab.check(longer <= rounds + 1, f"{name}: {longer} rounds, in-tree {rounds}")
