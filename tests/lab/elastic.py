# SPDX-License-Identifier: GPL-2.0
"""What a guest has no use for goes to the host of its own accord, in superpages, and is back when it is needed.

Two guests alike, of which one gives. At rest the host has what that one does not use, and the thread of neither
works. A program that wants 128 MiB at once gets them in both, time after time, and nobody is killed. To a higher target
the guest goes exactly, and stays there for a while. The toolstack reads what is given, and how far that goes it
says in dynamic-min. Who was not told to gives nothing.
"""

import time

from common import DEBUG, DEVICE, MIB, Agreement, Holder, READY_WITHIN, THREAD, move, stats
from toolstack import Xen

TYPES = ("pv", "pvh", "hvm")
TAKES = 300
TIMEOUT = 900
MEMORY = 512
USED_MIB = 120
KEPT_MIB = 48               # free beyond the headroom: the kernel's own reserves, and what is in pieces
WANTED_MIB = 128
TIMES = 4
PAGES_A_MIB = 256
GROUP = f"{DEVICE}/elastic"
GIVES_WITHIN = 120          # seconds
REST_S = 20
RESTS = 4
RUNS_A_SECOND = 2           # of the thread, at rest
SLOWER = 1.5                # so many times as long may it take
HOLD_S = 5
AGE_MS = 1000               # how fast memory was taken is forgotten by that, too
TOLD_WITHIN = 30            # seconds
TELLS_AFTER_S = 3           # after one second it would have told
LESS_MIB = 100              # a new target


def attribute(guest, name):
    return int(guest.run(f"cat {GROUP}/{name}"))


def given(lab, guest, every=HOLD_S + 1):
    """Wait until nothing more is given, for longer than it may rest before; returns how much that is, in kB."""
    seen = [0]

    def still():
        seen.append(attribute(guest, "given_kb"))
        return seen[-1] and seen[-1] == seen[-2]

    lab.wait(still, GIVES_WITHIN, f"{guest.name} to have given what it has no use for", every)
    return seen[-1]


def whole(lab, guest):
    """Its superpages, with those that it has given."""
    seen = []

    def same():
        seen[:] = attribute(guest, "given_kb"), guest.meter().superpages
        return attribute(guest, "given_kb") == seen[0]

    lab.wait(same, 60, f"{guest.name} to give nothing while its superpages are counted")
    return seen[1] + seen[0] // (2 * MIB)


def at_rest(lab, guest):
    """With no more to give its thread does nothing but look. What programs leave free by and by is given first."""
    def look():
        done = stats(guest)
        return int(guest.run(THREAD).split()[2]), {name: done[name] for name in ("given", "release_calls",
                                                                                 "populate_calls")}

    for _ in range(RESTS):
        runs, before = look()
        time.sleep(REST_S)
        now, after = look()
        if after["given"] == before["given"]:
            break
    lab.equal(f"{guest.name}: calls of Xen at rest", after, before)
    lab.check(now - runs <= RUNS_A_SECOND * REST_S,
              f"{guest.name}: the thread ran {now - runs} times in {REST_S} s of that")


def takes(lab, guest):
    """Have a program take 128 MiB; returns how many milliseconds that took."""
    return float(guest.run(f"take {WANTED_MIB}", timeout=READY_WITHIN))


def pressure(lab, never, gives):
    """A program wants much at once, time after time."""
    before = [guest.vmstat() for guest in (never, gives)]
    times = []
    for _ in range(TIMES):
        gives.run(f"echo {HOLD_S} > {GROUP}/hold_s")
        given(lab, gives)
        times.append([takes(lab, guest) for guest in (never, gives)])
    after = [guest.vmstat() for guest in (never, gives)]
    stolen, killed = ([late[name] - early[name] for early, late in zip(before, after)]
                      for name in ("pgsteal_direct", "oom_kill"))
    theirs, mine = (sorted(column)[TIMES // 2] for column in zip(*times))
    lab.note(f"{WANTED_MIB} MiB for a program, in ms, in a guest that never gave and in one that did: {times}; "
             f"reclaimed by whoever asked: {stolen} pages; {stats(gives)}")
    lab.check(mine <= SLOWER * theirs, f"{mine:.0f} ms, in one that never gave {theirs:.0f} ms")
    lab.equal("killed for want of memory", killed, [0, 0])
    returned = {name: pages for name, pages in stats(gives).items() if name.startswith("returned_")}
    waited = [line.split() for line in gives.run(f"cat {DEBUG}/latency").splitlines()[1:]]
    first = sum(int(line[1]) for line in waited)
    lab.note("; ".join(" ".join(line) for line in waited))
    lab.check(sum(returned.values()) >= TIMES * WANTED_MIB * PAGES_A_MIB // 2 and first,
              f"came back for: {returned}, waited for {first} times")
    lab.equal("said of kswapd", [line for line in gives.dmesg().splitlines() if "kswapd" in line], [])


class Toolstack:
    """What it writes of the guest, and what it is told."""

    def __init__(self, lab, guest):
        self.lab, self.guest, self.xen = lab, guest, Xen(lab, [guest])

    def read(self, key):
        return self.xen.read(self.guest.domid, key) or ""

    def limits(self):
        """It sets a lower limit, to which some comes back, and reads what is given; xapi is not told more."""
        gives = [attribute(self.guest, name) for name in ("given_kb", "lower_kb")]
        self.lab.wait(lambda: self.read("data/elastic") == "1 {} {}".format(*gives), TOLD_WITHIN,
                      f"data/elastic, which is '{self.read('data/elastic')}', to say {gives}", every=1)
        self.lab.host.store.give(f"/local/domain/{self.guest.domid}/control", self.guest.domid)
        least = self.guest.current_kb() + LESS_MIB * MIB // 5
        for key, kb in ("dynamic-max", MEMORY * MIB), ("dynamic-min", least):
            self.xen.write(self.guest.domid, f"memory/{key}", kb)
        self.lab.wait(lambda: self.guest.current_kb() == least + 2 * MIB, TOLD_WITHIN,
                      "the guest to have 2 MiB more than dynamic-min says")
        self.lab.equal("lower_kb", attribute(self.guest, "lower_kb"), least + 2 * MIB)
        time.sleep(TELLS_AFTER_S)
        self.lab.equal("feature-balloon, with memory given", self.read("control/feature-balloon"), "")
        self.xen.remove(self.guest.domid, "memory/dynamic-min")

    def whole(self):
        """Nothing is given any more: xapi can trust what it counts."""
        self.lab.wait(lambda: self.read("control/feature-balloon") == "1", TOLD_WITHIN, "feature-balloon to be there",
                      every=1)
        self.lab.wait(lambda: self.read("data/elastic").startswith("0 0 "), TOLD_WITHIN, "data/elastic to say so",
                      every=1)


def obeys(lab, guest):
    """With a lower target that it is below already it stays as it is; to a higher one it goes, and stays there."""
    given(lab, guest)
    size, target = guest.current_kb(), MEMORY * MIB - LESS_MIB * MIB
    guest.run(f"echo {HOLD_S * 4} > {GROUP}/hold_s")
    guest.target_kb(target)
    time.sleep(HOLD_S)
    lab.check(guest.current_kb() <= size, f"with a lower target the guest has {guest.current_kb()} kB, before {size}")
    move(guest, target + LESS_MIB // 2 * MIB)
    time.sleep(HOLD_S)
    lab.equal("given_kb at a higher target", attribute(guest, "given_kb"), 0)
    # Healing has some of it for a moment.
    lab.wait(lambda: guest.current_kb() == int(guest.run(f"cat {DEVICE}/target_kb")), HOLD_S,
             "the guest to be at the higher target", every=1)


def run(lab, kind, kernel):
    never, gives = lab.guests([dict(kind=kind, kernel=kernel, memory=MEMORY, name=name) for name in ("never", "gives")])
    holders = []
    refused = gives.run("insmod /xen-balloon.ko elastic=maybe 2>&1 || echo refused")
    lab.check("refused" in refused, f"with elastic=maybe the module is loaded: {refused}")
    for guest, parameters in (never, ""), (gives, "elastic=1"):
        guest.load(parameters)
        holders.append(Holder(lab, guest, USED_MIB).idle())
    agreement = Agreement(lab, gives)
    before = whole(lab, gives)
    lab.equal("enabled", [attribute(guest, "enabled") for guest in (never, gives)], [0, 1])
    gives.run(f"cd {GROUP}; echo {HOLD_S} > hold_s; echo {AGE_MS} > age_ms")
    gone = given(lab, gives)
    lab.equal("given_kb of who may not", attribute(never, "given_kb"), 0)
    free, headroom = gives.meminfo()["MemFree"], attribute(gives, "headroom_kb")
    lab.check(free <= headroom + KEPT_MIB * MIB,
              f"after {gone // MIB} MiB were given {free} kB are free, of which {headroom} kB are headroom")
    # One may be with Xen, to be healed.
    lab.wait(lambda: whole(lab, gives) >= before, 60,
             f"no other superpages of {before} to be gone than those that were given, {gone // MIB} MiB", every=2)
    lab.check(gives.current_kb() <= MEMORY * MIB - gone, f"current_kb {gives.current_kb()}")
    for guest in (never, gives):
        at_rest(lab, guest)
    toolstack = Toolstack(lab, gives)
    toolstack.limits()
    pressure(lab, never, gives)
    obeys(lab, gives)
    gives.run(f"echo 0 > {GROUP}/enabled")
    move(gives, MEMORY * MIB)
    agreement.check("with nothing given")
    toolstack.whole()
    for holder in holders:
        holder.intact()
    gives.unload()
