# SPDX-License-Identifier: GPL-2.0
"""A host's memory is spread over its guests as xapi's squeezed does it.

Each guest gets the same part of its range from memory/dynamic-min to memory/dynamic-max, so that a little stays free.
A guest that stands off its target and does not move is stuck: for the rest of the run others bear its part, and it
may not grow any more. One that was not seen on its target for longer is uncooperative, which is written down in
xenstore. Only who wrote control/feature-balloon is asked for anything; what Xen counts then more than memory/target is
its memory-offset from then on.

    squeezed = Squeezed(Xen(lab, guests), announced=True)
    squeezed.free(256 * MIB)        # for a guest that is to start
    squeezed.watch(60)              # 10 s apart, looks whether memory should be spread anew
    lab.note(squeezed.told())
"""

from dataclasses import dataclass

from toolstack import MIB, PAGE, Daemon

INACCURACY = PAGE           # so far from its target a guest is on it
STUCK_S = 5
UNCOOPERATIVE_S = 20
LOOK_S = 1                  # from look to look, while targets are to be reached
CHECK_S = 10                # and otherwise
KEPT_FREE = (64 + 8) * MIB
TOLERANCE = 512             # so much more may stay free
LOOKS_AT_MOST = 300         # in one run; squeezed itself goes on for ever


@dataclass(frozen=True)
class Domain:
    """What is known of a domain, in kB."""

    domid: int
    least: int              # memory/dynamic-min
    most: int               # memory/dynamic-max
    target: int
    actual: int             # what Xen counts, less memory-offset
    balloons: bool = True
    offset: int = 0

    def is_at(self, target):
        return abs(self.actual - target) <= INACCURACY

    def freeable(self):
        return max(0, self.actual - self.least - 2 * INACCURACY)

    def range(self):
        return max(0, self.most - self.least)


def shares(domains, free, kept):
    """Return by id what each domain is to have, where `kept` is to stay free."""
    surplus = max(0, free + sum(domain.freeable() for domain in domains) - kept)
    whole = sum(domain.range() for domain in domains)
    part = min(1.0, surplus / whole) if whole else 1.0
    return {domain.domid: domain.least + int(part * domain.range()) for domain in domains}


def first(domains, targets):
    """Return those of the targets that are set now: who is to grow has to wait for those that are to shrink."""
    freeing = {domain.domid: targets[domain.domid] for domain in domains
               if targets[domain.domid] < domain.actual - INACCURACY}
    return freeing or targets


def clipped(domain):
    """Return the target, and the most, of one that got stuck: no more than it has, but within its range."""
    return min(domain.most, max(domain.least, min(domain.target, domain.actual)))


def unbalanced(domains, free):
    """Whether memory would be spread otherwise than it is."""
    asked = [domain for domain in domains if domain.balloons]
    targets = first(asked, shares(asked, free, KEPT_FREE))
    return any(targets.get(domain.domid, domain.target) != domain.target for domain in asked)


class Progress:
    """Which domains are stuck: what is off its target, and was not seen to move towards it for so long."""

    def __init__(self, limit):
        self._limit = limit
        self._seen = {}         # domid: what it had, and when it last moved the right way
        self.stuck = set()

    def look(self, domains, now):
        """Take in what is there now; returns how long each that is off its target has not moved, by id."""
        still = {}
        for domain in domains:
            had, moved = self._seen.get(domain.domid, (domain.actual, now))
            if not domain.is_at(domain.target):
                if (domain.actual - had) * (domain.target - domain.actual) > 0:
                    moved = now
                    self.stuck.discard(domain.domid)
                still[domain.domid] = now - moved
                if still[domain.domid] > self._limit:
                    self.stuck.add(domain.domid)
            self._seen[domain.domid] = domain.actual, moved
        return still


class Squeezed(Daemon):
    """The daemon. With `announced` it says of all guests that they balloon, as their tools or drivers would."""

    def __init__(self, xen, announced=False):
        super().__init__(xen)
        self._asked = {}        # domid: when it was given a target that it is not at
        self._good = {}         # domid: when it was last seen at its target
        self._bad = set()       # whose memory/uncooperative is written
        for domid in xen.names if announced else ():
            xen.write(domid, "control/feature-balloon", 1)

    def look(self):
        """Return the domains, and what is free for them."""
        free, have = self.xen.counts()
        now = self.xen.time()
        domains = []
        for domid, kb in have.items():
            domain, reserved = self._domain(domid, kb)
            domains.append(domain)
            free -= reserved
            self._cooperates(domain, now)
        self.xen.set({domain.domid: (domain.target, self._limit(domain, domain.target)) for domain in domains
                      if domain.balloons})
        return domains, free

    def _domain(self, domid, kb):
        """Return what is known of a domain, and what is to be kept for it until it has booted."""
        number = self.xen.number
        balloons = self.xen.read(domid, "control/feature-balloon") is not None      # whatever it says
        target = number(domid, "memory/target")
        if not balloons and self.xen.read(domid, "data/updated") is None:
            return Domain(domid, kb, kb, kb, kb, False), max(0, (number(domid, "memory/initial-reservation") or 0) - kb)
        offset = number(domid, "memory/memory-offset")
        if offset is None:
            offset = kb - target
            self.xen.write(domid, "memory/memory-offset", offset)
        least, most = number(domid, "memory/dynamic-min"), number(domid, "memory/dynamic-max")
        if least is None or most is None:
            least = most = target
        return Domain(domid, least, most, target, kb - offset, balloons, offset), 0

    def _cooperates(self, domain, now):
        """See whether it is where it is to be, and say so in xenstore where it is not for long."""
        domid = domain.domid
        good = self._good.setdefault(domid, now)
        if not domain.balloons or domain.is_at(domain.target):
            if domid in self._asked:
                self.verdicts[domid].found("cooperative", now - self._asked.pop(domid))
            self._good[domid] = now
            if domid in self._bad:
                self._bad.remove(domid)
                self.xen.remove(domid, "memory/uncooperative")
        elif now - good > UNCOOPERATIVE_S * self.xen.slow and domid not in self._bad:
            self._bad.add(domid)
            self.verdicts[domid].found("uncooperative", now - good)
            self.xen.write(domid, "memory/uncooperative", "")

    @staticmethod
    def _limit(domain, target):
        return target + max(0, domain.offset)       # for xl, no less than the target

    def _set(self, targets, domains):
        now = self.xen.time()
        for domain in domains:
            if targets[domain.domid] != domain.target:
                self._asked.setdefault(domain.domid, now)
        self.xen.set({domain.domid: (targets[domain.domid], self._limit(domain, targets[domain.domid]))
                      for domain in domains})

    def _change(self, kept, enough):
        """Set targets until all that move are at them, and stay there; returns whether enough is free then."""
        progress = Progress(STUCK_S * self.xen.slow)
        known = set()           # to be stuck
        for _ in range(LOOKS_AT_MOST):
            domains, free = self.look()
            asked = [domain for domain in domains if domain.balloons]
            still = progress.look(asked, self.xen.time())
            active = [domain for domain in asked if domain.domid not in progress.stuck]
            wanted = first(active, shares(active, free, kept))
            settled = all(domain.is_at(domain.target) and wanted.get(domain.domid, domain.target) == domain.target
                          for domain in active)
            for domid in progress.stuck - known:
                self.verdicts[domid].found("stuck", still[domid])
            self._set({domain.domid: clipped(domain) if domain.domid in progress.stuck - known
                       else wanted.get(domain.domid, domain.target) for domain in asked}, asked)
            known = set(progress.stuck)
            if settled:
                return enough(free)
            self.xen.sleep(LOOK_S)
        return False

    def free(self, kb):
        """Have so much free, for a guest that is to start; returns whether it is."""
        domains, free = self.look()
        kb += KEPT_FREE
        if free >= kb and all(domain.is_at(domain.target) for domain in domains if domain.balloons):
            return True
        return self._change(kb, lambda free: free >= kb)

    def balance(self):
        """Spread what is free; returns whether next to nothing is left."""
        return self._change(KEPT_FREE, lambda free: free - KEPT_FREE < TOLERANCE)

    def watch(self, seconds):
        """For so long, do what is done while nobody asks for anything."""
        end = self.xen.time() + seconds
        while self.xen.time() < end:
            self.xen.sleep(CHECK_S)
            if unbalanced(*self.look()):
                self.balance()
