# SPDX-License-Identifier: GPL-2.0
"""Five guests grow at once in a host that has memory for one, and a domain is built meanwhile.

Together they get all that the host has, and none more than its target. While it comes back a page at a
time, in no larger pieces, it is taken at once, and each gets a share; while there is nothing, nobody asks
often. A domain that has claimed its memory gets it (but not what Xen needs beside it, which nobody can
claim); without a claim it may come too late. When that domain is gone, and when memory comes free, all
go on within seconds. A guest whose maximum is lowered below what it has keeps that, goes down as ever,
and comes back as far as it may.
"""

import contextlib
import re
import time
from concurrent.futures import ThreadPoolExecutor

from common import DEBUG, DEVICE, MIB, Agreement, move, stats
from host import CommandError

TAKES = 240
TIMEOUT = 1500
GUESTS = 5
FULL, LOW = 192 * MIB, 128 * MIB
LEFT_MIB = 64               # for all five together
CRUMBS_MIB = 160            # a domain that never runs, and crumbles
CRUMBS_FROM = 16 * MIB // 4
RATE, CRUMBS = 400, 8000    # pages: in a second, and in all
LOOK_S = 5                  # whoever waits for progress looks that often
STILL_S = 3                 # longer than the longest wait between two tries
WATCHED_S = 20
GOES_ON_S = 10              # of which the longest wait is 2; the machine is slow
TRIES_AT_MOST = 1           # in a second, where there is nothing
TRIES_CRUMBS = 24           # and where there is a little all the time
SHARE_AT_LEAST = 0.25       # of an equal one
XEN_KEEPS = 256             # pages that come and go for Xen's own use
BEGUN_PAGES = 16384         # so much less is free when a domain is being built
BETWEEN = 160 * MIB
SLACK = 2 * MIB             # what xl and the guest count otherwise than Xen


class Host:
    """What the machine's memory is spread over: these guests, and what is free, in pages by Xen's own count."""

    def __init__(self, lab, guests):
        self.lab, self.guests = lab, guests
        self._targets = {f"/local/domain/{guest.domid}/memory/target": lab.host.store.read(
            f"/local/domain/{guest.domid}/memory/target").decode() for guest in guests}

    def _pages(self):
        return {int(domid): int(pages) for domid, pages in re.findall(
            r"General information for domain (\d+):.*?nr_pages=(\d+)", self.lab.debug_key("q"), re.DOTALL)}

    def have(self):
        """What each of the guests has."""
        found = self._pages()
        return [found[guest.domid] for guest in self.guests]

    def newest(self):
        """What the newest domain has."""
        return max(self._pages().items())[1]

    def free(self):
        return int(re.search(r"Dom heap: (\d+)kB free", self.lab.debug_key("m"))[1]) // 4

    def raise_all(self):
        """Set all targets to the full size at one instant."""
        self.lab.dom0("xenstore-write " + " ".join(f"{path} {value}" for path, value in self._targets.items()))

    def lower_all(self):
        for guest in self.guests:
            guest.target_kb(LOW)
        for guest in self.guests:
            guest.landed()

    def still(self):
        """Wait until nobody has got anything for so long that it has tried; returns what each has, and what is free."""
        seen = [(self.have(), self.free())]

        def same():
            time.sleep(STILL_S)
            seen.append((self.have(), self.free()))
            return seen[-1] == seen[-2]

        self.lab.wait(same, 60, "the guests to be still")
        return seen[-1]

    def goes_on(self, before, why):
        """Check that somebody gets something soon."""
        start = time.monotonic()
        self.lab.wait(lambda: sum(self.have()) > before, 60, f"somebody to go on after {why}", every=0.1)
        took = time.monotonic() - start
        self.lab.check(took < GOES_ON_S, f"went on {took:.2f} s after {why}, expected less than {GOES_ON_S} s")

    def nobody_has_too_much(self, where):
        for guest in self.guests:
            current, target, invariant = guest.run(
                f"cd {DEVICE}; cat info/current_kb target_kb {DEBUG}/invariant").splitlines()
            self.lab.check(int(current) <= int(target) and invariant == "ok",
                           f"{guest.name}, {where}: {current} of {target} kB; invariant: {invariant}")


def tries(guests, seconds):
    """How often each of the guests tried in vain in so many seconds, how often it asked Xen, and the seconds."""
    before = [(time.monotonic(), stats(guest)) for guest in guests]
    time.sleep(seconds)
    after = [(time.monotonic(), stats(guest)) for guest in guests]
    return [(late["stalls"] - early["stalls"], late["populate_calls"] - early["populate_calls"], ended - began)
            for (began, early), (ended, late) in zip(before, after)]


def race(lab, host):
    """All grow at once, and wait for more."""
    before, free = host.still()
    host.raise_all()
    after, left = host.still()
    got = [late - early for early, late in zip(before, after)]
    lab.note(f"of {free} free pages the guests got {got}, and {left} are left")
    lab.check(abs(free - left - sum(got)) <= XEN_KEEPS and left <= XEN_KEEPS,
              f"{sum(got)} pages more are the guests', and {free - left} less are free, of which {left} are left")
    lab.check(sum(got) < GUESTS * (FULL - LOW) // 4, "that is less than they want")
    host.nobody_has_too_much("racing")
    for guest, (stalls, _, took) in zip(host.guests, tries(host.guests, WATCHED_S)):
        lab.check(0 < stalls <= TRIES_AT_MOST * took,
                  f"{guest.name}: {stalls} tries in {took:.1f} s, expected some, and at most {TRIES_AT_MOST} a second")


def crumbs(lab, host, crumbling):
    """Memory comes back a page at a time."""
    before = have = host.have()
    early = [stats(guest) for guest in host.guests]
    start = time.monotonic()
    lab.dom0(f"crumble {crumbling.domid} {CRUMBS_FROM} {CRUMBS} {RATE} > /tmp/crumbs 2>&1 &")
    host.goes_on(sum(before), "the first page came free")
    while time.monotonic() - start + LOOK_S < CRUMBS / RATE:
        time.sleep(LOOK_S)
        last, have = have, host.have()
        more = [late - first for first, late in zip(last, have)]
        lab.check(min(more) > 0, f"pages more in {LOOK_S} s: {more}")
    lab.wait(lambda: lab.dom0("cat /tmp/crumbs").strip(), 60, "all crumbs to be given")
    took = time.monotonic() - start
    lab.equal("crumbs given", lab.dom0("cat /tmp/crumbs").strip(), str(CRUMBS))
    lab.wait(lambda: sum(host.have()) - sum(before) >= CRUMBS, GOES_ON_S, "the guests to have them all")
    got = [late - first for first, late in zip(before, host.have())]
    lab.check(min(got) >= SHARE_AT_LEAST * CRUMBS / GUESTS and sum(got) <= CRUMBS + XEN_KEEPS,
              f"of {CRUMBS} pages, a page at a time, the guests got {got} within {took:.0f} s")
    for guest, first in zip(host.guests, early):
        done = {name: value - first[name] for name, value in stats(guest).items()}
        lab.equal(f"{guest.name}: pages that came in larger pieces",
                  done["populate_pages"] - done["populate_extents"], 0)
        lab.check(done["populate_calls"] <= TRIES_CRUMBS * took,
                  f"{guest.name}: asked {done['populate_calls']} times in {took:.0f} s ({done['populate_refused']} in "
                  f"vain), expected at most {TRIES_CRUMBS} a second")
    host.nobody_has_too_much("with crumbs")


@contextlib.contextmanager
def claim_mode(lab, mode):
    """Have xl claim the memory for a domain before it builds it, or not."""
    lab.dom0(f"cp /etc/xen/xl.conf /tmp; echo claim_mode={mode} >> /etc/xen/xl.conf")
    try:
        yield
    finally:
        lab.dom0("cp /tmp/xl.conf /etc/xen/xl.conf")


def built(lab, host, claims):
    """A domain is built that nearly all of the host's memory is for, and all grow meanwhile."""
    how = "with a claim" if claims else "without a claim"
    before, free = host.still()
    size = free * 4 // MIB - LEFT_MIB
    size -= size // 64          # which Xen needs beside it
    with claim_mode(lab, claims), ThreadPoolExecutor() as pool:
        building = pool.submit(lab.built, "pvh", lab.host.kernels[0], memory=size, name="built")
        if claims:              # else the guests come first, or both race
            lab.wait(lambda: host.free() < free - BEGUN_PAGES, 120, "the domain to get its first memory", every=0)
        host.raise_all()
        most = 0
        while not building.done():
            most = max(most, host.newest())
        try:
            domain = building.result()
        except CommandError as error:
            lab.note(str(error))
            lab.check(not claims or most * 4 >= size * MIB - SLACK,
                      f"a domain {how} had at most {most * 4} of {size * MIB} kB")
            domain = None
    got = [late - early for early, late in zip(before, host.still()[0])]
    lab.note(f"a domain of {size} MiB {how} was{'' if domain else ' not'} built; meanwhile the guests got {got} pages")
    host.nobody_has_too_much(f"beside a domain {how}")
    if domain:
        have = sum(host.have())
        domain.destroy()
        host.goes_on(have, f"a domain {how} was gone")
    for guest in host.guests:
        guest.landed()


def lowered(lab, guest, agreement):
    """xl mem-max below what the guest has."""
    full = guest.current_kb()
    move(guest, LOW)            # so much xl takes for its target from now on
    guest.mem_max(f"{FULL}k")
    guest.target_kb(full)
    guest.landed()
    guest.mem_max(f"{BETWEEN}k")
    guest.target_kb(full - 8 * MIB)
    guest.landed()
    agreement.check("beyond its maximum")
    guest.target_kb(full)
    current = guest.current_kb()
    (stalls, calls, took), = tries([guest], WATCHED_S)
    lab.check(guest.current_kb() == current == full - 8 * MIB and not calls and stalls <= TRIES_AT_MOST * took,
              f"beyond its maximum it stays at {current} kB, asked Xen {calls} times, expected none, and tried "
              f"{stalls} times in {took:.1f} s, expected at most {TRIES_AT_MOST} a second")
    guest.target_kb(LOW)
    guest.landed()
    guest.target_kb(full)
    lab.wait(lambda: guest.current_kb() > LOW, 60, "the guest to go up again")
    time.sleep(STILL_S)
    current = guest.current_kb()
    lab.check(abs(current - BETWEEN) <= SLACK, f"up to its maximum of {BETWEEN} kB: {current} kB")
    guest.mem_max(f"{FULL}k")
    guest.landed(GOES_ON_S)
    agreement.check("with its former maximum")


def run(lab, kind, kernel):
    # One after the other: side by side each would take as long as all, and wonder.
    guests = [lab.guest(kind, kernel, memory=FULL // MIB, name=f"g{i}") for i in range(GUESTS)]
    for guest in guests:
        guest.load()
    host = Host(lab, guests)
    agreements = [Agreement(lab, guest) for guest in guests]
    host.lower_all()

    with lab.starve(LEFT_MIB + CRUMBS_MIB):
        crumbling = lab.built("pvh", lab.host.kernels[0], memory=lab.host_free_kb() // MIB - LEFT_MIB, name="crumbs")
        race(lab, host)
        crumbs(lab, host, crumbling)
        crumbling.destroy()
    for guest in guests:
        guest.landed()
    for agreement in agreements:
        agreement.check("with memory for all")

    for claims in (1, 0):
        host.lower_all()
        built(lab, host, claims)
    lowered(lab, guests[0], agreements[0])
    for guest, agreement in zip(guests, agreements):
        agreement.check("in the end")
        guest.unload()
