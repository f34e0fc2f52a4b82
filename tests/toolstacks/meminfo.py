# SPDX-License-Identifier: GPL-2.0
"""What a guest of Qubes says it uses, as meminfo-writer in it does: memory/meminfo in xenstore, in kB.

What it has in all is what its balloon driver tells, not MemTotal: a guest that gives idle memory away of its own accord
goes on using the same, if info/current_kb is true.
"""

import re

from guest import DEVICE

CURRENT = f"{DEVICE}/info/current_kb"
MEMINFO = f"cat {CURRENT} /proc/meminfo {CURRENT}"
TELL_KB = 30000


def used_kb(said):
    """Return (used, total) of a guest that said MEMINFO; None where its balloon moved meanwhile."""
    total, *lines, after = said.splitlines()
    if total != after:
        return None
    fields = {name: int(value) for name, value in re.findall(r"^(\w+): +(\d+)", "\n".join(lines), re.MULTILINE)}
    free = sum(fields[name] for name in ("MemFree", "Buffers", "Cached", "SwapFree"))
    return int(total) + fields["SwapTotal"] - free, int(total)


def worth_telling(used, told, total):
    """Whether a guest says again what it uses: what changed much, or half as much more where it has little left."""
    if told is None or abs(used - told) > TELL_KB:
        return True
    return used - told > TELL_KB // 2 and used // 10 > (total + 12) // 13


class Writers:
    """The writers of some guests; here the lab asks a guest, and writes to xenstore for it."""

    def __init__(self, guests):
        self._guests = guests
        self._told = {}

    def tell(self, xen):
        """Have each guest say what it uses, where that changed."""
        for guest in self._guests:
            said = used_kb(guest.run(MEMINFO))
            if said and worth_telling(said[0], self._told.get(guest.domid), said[1]):
                self._told[guest.domid] = said[0]
                xen.write(guest.domid, "memory/meminfo", said[0])
