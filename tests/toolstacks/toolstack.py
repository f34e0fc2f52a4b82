# SPDX-License-Identifier: GPL-2.0
"""A host, as a toolstack in its dom0 has it, and what the toolstack finds of its guests.

squeezed.py and qmemman.py decide what is done to it. They run beside the scenario, on the machine that runs the lab:
xenstore is asked through the line to dom0, Xen by debug keys, which tell its counts to the page, and only a guest's
maximum is set by xl. Documentation/toolstacks.rst tells which rules they keep, and where those were found.
"""

import contextlib
import math
import re
import time
from dataclasses import dataclass

from host import HostError
from xenstore import XenstoreError

MIB = 1024          # in KiB, as all sizes here
PAGE = 4
DOMAIN = re.compile(r"General information for domain (\d+):.*?nr_pages=(\d+)", re.DOTALL)
FREE = re.compile(r"Dom heap: (\d+)kB free")
VERDICTS = ("cooperative", "stuck", "uncooperative")    # from good to bad


@dataclass
class Verdict:
    """What was found of a guest: the worst, and when; of one that is cooperative, how long it took at most."""

    what: str = VERDICTS[0]
    seconds: float = 0.0

    def found(self, what, seconds):
        """Take in what was found so many seconds after the guest was asked for something."""
        worse = VERDICTS.index(what) - VERDICTS.index(self.what)
        if worse > 0 or not worse and what == VERDICTS[0] and seconds > self.seconds:
            self.what, self.seconds = what, seconds

    def __str__(self):
        return f"{self.what}, {self.seconds:.1f} s"


class Daemon:
    """What a daemon has found of the guests of a host."""

    def __init__(self, xen):
        self.xen = xen
        self.verdicts = {domid: Verdict() for domid in xen.names}

    def found(self):
        """Return it by the guests' names."""
        return {self.xen.names[domid]: verdict.what for domid, verdict in self.verdicts.items()}

    def told(self):
        return "; ".join(f"{self.xen.names[domid]}: {verdict}" for domid, verdict in self.verdicts.items())


def read_counts(said, domids):
    """Return what Xen has free, and by id what each of these domains has, from what debug-keys q and m print."""
    pages = {int(domid): int(count) for domid, count in DOMAIN.findall(said)}
    free = FREE.search(said)
    missing = [domid for domid in domids if domid not in pages]
    if missing or not free:
        raise HostError(f"Xen printed no count of domains {missing}, free memory: {bool(free)}: {said[-500:]}")
    return int(free[1]), {domid: pages[domid] * PAGE for domid in domids}


class Xen:
    """The host of these guests, whose maximum nobody has lowered yet. time() is in seconds, and sleep() is in that."""

    def __init__(self, lab, guests):
        self._lab = lab
        self._limits = {}       # what each guest may have; at first, all that it ever may
        self.names = {guest.domid: guest.name for guest in guests}
        self.slow = lab.slow    # everything in the guests may take so many times as long

    @staticmethod
    def time():
        return time.monotonic()

    def sleep(self, seconds):
        """Wait; a report on a console ends the scenario."""
        self._lab.look()
        time.sleep(seconds)

    def counts(self):
        """Return what is free, and by id what each guest has, both in kB."""
        return read_counts(self._lab.debug_key("qm"), self.names)

    def read(self, domid, key):
        """Return the text of a domain's key, None where there is none."""
        try:
            return self._lab.host.store.read(f"/local/domain/{domid}/{key}").decode(errors="replace")
        except XenstoreError:
            return None

    def number(self, domid, key):
        """Return the number in a domain's key, None where there is none."""
        text = self.read(domid, key) or ""
        return int(text) if re.fullmatch(r"-?\d+", text) else None

    def write(self, domid, key, value):
        self._lab.host.store.write(f"/local/domain/{domid}/{key}", str(value).encode())

    def remove(self, domid, key):
        with contextlib.suppress(XenstoreError):
            self._lab.host.store.remove(f"/local/domain/{domid}/{key}")

    def set(self, wanted):
        """Set (target, maximum) of guests, by id: no guest is told to grow before it may.

        What is the same already is left alone.
        """
        limits = {domid: limit for domid, (_, limit) in wanted.items() if limit != self._limits.get(domid)}
        raised = {domid: limit for domid, limit in limits.items() if limit > self._limits.get(domid, math.inf)}
        self._limit(raised)
        for domid, (target, _) in wanted.items():
            if self.number(domid, "memory/target") != target:
                self.write(domid, "memory/target", target)
        self._limit({domid: limit for domid, limit in limits.items() if domid not in raised})
        self._limits |= limits

    def _limit(self, limits):
        """Set maxima, to which xl adds 1 MiB; it refuses one below memory/target."""
        if limits:
            self._lab.dom0(" && ".join(f"xl mem-max {domid} {limit}k" for domid, limit in limits.items()))
