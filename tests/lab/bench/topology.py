# SPDX-License-Identifier: GPL-2.0
"""Guests have two virtual nodes, and four, each with its memory on the machine's node that it should be on."""

from vnodes import bound, on_nodes, seen_by, spread

TYPES = ("pvh", "hvm")
NODES = 2
TIMEOUT = 600
TAKES = 120
LAYOUTS = (256, 256), (128, 192, 128, 64)
FIRMWARES = 192             # pages below 1 MiB, which HVM guests get from any node
BOUND_MIB = 32
PAGES_A_MIB = 256


def run(lab, kind, kernel):
    for sizes in LAYOUTS:
        guest = lab.guest(kind, kernel, vnodes=sizes, vcpus=2, name=f"nodes{len(sizes)}")
        lab.equal(f"distances in {guest.name}", seen_by(guest),
                  [[10 if i == j else 20 for j in range(len(sizes))] for i in range(len(sizes))])
        with bound(lab, guest, (0, BOUND_MIB), (len(sizes) - 1, BOUND_MIB)):
            found = spread(lab, guest)
        lab.note(f"{guest.name}: {found}; by Xen's count {on_nodes(lab, guest)}")
        wrong, pages = found.misplaced, [sum(row) for row in found.rows]
        lab.check(wrong[0] <= (FIRMWARES if kind == "hvm" else 0) and not any(wrong[1:]),
                  f"pages on the wrong node: {wrong}")
        lab.check(all(0 <= size * PAGES_A_MIB - has <= FIRMWARES for size, has in zip(sizes, pages)),
                  f"pages of each, of {[size * PAGES_A_MIB for size in sizes]}: {pages}")
        guest.destroy()
