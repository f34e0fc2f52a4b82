# SPDX-License-Identifier: GPL-2.0
"""A host's memory follows what its guests use, as Qubes' qmemman does it.

Each guest says what it uses in memory/meminfo, and prefers to have that and a third more. What is left over is spread
in proportion, what is lacking taken from who has more than it prefers. A guest is taken to have its last target where
it has less: what it did not take yet is never given to another. One that is to shrink and does not move from one look
to the next is left out; where memory comes free too slowly a request fails.

    qmemman = Qmemman(Xen(lab, guests), meminfo.Writers(guests))
    qmemman.watch(60)               # so long, answers to what the guests say
    qmemman.free(256 * MIB)         # for a guest that is to start
    lab.note(qmemman.told())
"""

from dataclasses import dataclass

from toolstack import MIB, Daemon

DELAY_S = 0.1               # from look to look
TRIES = 5                   # looks until who shrinks has to have given enough for who grows
LEFT = 50 * MIB             # is to stay free
LEAST = 25 * MIB            # and this at any rate
XEN_TAKES = 1.00781         # of what is free, beside each page
CHECK_PERIOD_S = 3
CHECK_MB_S = 100            # is to come free, on the average of that
TOLD_LESS = 16 * MIB        # a guest is told to have so much less than it is granted
CACHE_FACTOR = 1.3
PREFERRED_LEAST = 200 * MIB
SAFETY_FACTOR = 1.05        # more is asked for than is needed
ROUNDING = 0.999
DONOR_LEAST = 10 * MIB      # less is not taken from anybody when memory is short
CHANGE_LEAST = 15 * MIB     # less is not worth while for one guest that lacks memory
TRANSFER_LEAST = 150 * MIB  # nor this in all


@dataclass
class Domain:
    """What is known of a domain, in kB."""

    domid: int
    most: int               # memory/static-max
    last_target: int        # what it was granted
    current: int = 0        # what Xen counts
    actual: int = 0         # the larger of the two, when last looked at
    used: int | None = None
    no_progress: bool = False

    def preferred(self):
        return int(max(min(self.used * CACHE_FACTOR, self.most), PREFERRED_LEAST))

    def needed(self):
        return self.preferred() - self.actual


def known(domains):
    """Return those that say what they use, and that move."""
    return [domain for domain in domains if domain.used is not None and not domain.no_progress]


def borrowed(kb, domains):
    """Return [(domain, target)] that have so much come free; nothing where the guests do not have it to spare."""
    donors = [domain for domain in known(domains) if domain.needed() < 0]
    available = -sum(domain.needed() for domain in donors)
    if not donors or available < kb:
        return []
    return [(domain, int(domain.actual + domain.needed() * kb / available * SAFETY_FACTOR)) for domain in donors]


def balanced(free, domains):
    """Return [(domain, target)] by which memory follows its use, those first that are to shrink."""
    domains = known(domains)
    spare = free - sum(domain.needed() for domain in domains)
    return spread(spare, domains) if spare > 0 else taken(free, domains)


def spread(spare, domains):
    """Give what nobody needs in proportion to what each prefers, but to nobody more than its maximum."""
    whole = sum(domain.preferred() for domain in domains)
    targets = {domain.domid: int(ROUNDING * domain.preferred() * (1 + spare / whole)) for domain in domains}
    while True:
        left = sum(max(0, targets[domain.domid] - domain.most) for domain in domains)
        targets = {domain.domid: min(targets[domain.domid], domain.most) for domain in domains}
        takers = [domain.domid for domain in domains if targets[domain.domid] < domain.most]
        if not left or not takers:
            break
        for domid in takers:
            targets[domid] += int(ROUNDING * left / len(takers))
    requests = [(domain, targets[domain.domid]) for domain in domains]
    return sorted(requests, key=lambda request: request[1] >= request[0].actual)


def taken(free, domains):
    """Take from each what it has more than it prefers; who lacks memory gets what is free beyond that."""
    donors = [domain for domain in domains if domain.needed() <= -DONOR_LEAST]
    takers = [domain for domain in domains if domain.needed() >= 0 and domain.actual < domain.most]
    requests = [(domain, domain.preferred()) for domain in donors]
    free += sum(domain.needed() for domain in donors)
    if free < 0:
        return requests
    whole = sum(domain.preferred() for domain in takers)
    return requests + [(domain, min(int(ROUNDING * (domain.actual + domain.preferred() / whole * free)), domain.most))
                       for domain in takers]


def worth_while(requests, free):
    """Whether so much would change that it is done."""
    if LEFT - free > CHANGE_LEAST:
        return True
    if any(0 < domain.last_target < domain.preferred() and target - domain.last_target > CHANGE_LEAST
           for domain, target in requests):
        return True
    return sum(abs(target - domain.last_target) for domain, target in requests) + abs(free - LEFT) > TRANSFER_LEAST


def too_slow(seen, now, free, slow=1):
    """Whether too little came free in the last seconds; `seen` are pairs of a time and what was free then."""
    before = [(then, kb) for then, kb in seen if now - then >= CHECK_PERIOD_S * slow]
    return bool(before) and free < before[-1][1] + CHECK_MB_S * MIB * (now - before[-1][0]) / slow


class Qmemman(Daemon):
    """The daemon."""

    def __init__(self, xen, writers=None):
        super().__init__(xen)
        self.writers = writers
        self.domains = [Domain(domid, xen.number(domid, "memory/static-max"), xen.number(domid, "memory/target"))
                        for domid in xen.names]
        self._xen_free = 0
        self._asked = {}        # domid: when it was told to shrink

    def look(self):
        """Learn what Xen counts; returns what is free and nobody's."""
        free, have = self.xen.counts()
        self._xen_free = int(free / XEN_TAKES)
        now = self.xen.time()
        for domain in self.domains:
            domain.current = have[domain.domid]
            domain.actual = max(domain.current, domain.last_target)
            if domain.domid in self._asked and domain.current <= domain.last_target + LEFT // 4:
                self.verdicts[domain.domid].found("cooperative", now - self._asked.pop(domain.domid))
        return self._free()

    def _free(self):
        return self._xen_free - sum(max(0, domain.last_target - domain.current) for domain in self.domains)

    def _found(self, domain, what):
        now = self.xen.time()
        self.verdicts[domain.domid].found(what, now - self._asked.get(domain.domid, now))

    def _set(self, requests):
        now = self.xen.time()
        for domain, target in requests:
            domain.last_target = target
            if target < domain.current:
                self._asked.setdefault(domain.domid, now)
        self.xen.set({domain.domid: (target - TOLD_LESS, target) for domain, target in requests})

    def hear(self):
        """Read what the guests say they use; returns whether any says something else."""
        news = False
        for domain in self.domains:
            text = self.xen.read(domain.domid, "memory/meminfo")
            if text:
                used = int(text) if text.isdigit() else None
                news |= used != domain.used
                domain.used = used
        return news

    def balance(self):
        """Have memory follow its use, if that is worth while."""
        free = self.look()
        for domain in self.domains:
            if domain.used is not None and (domain.actual <= domain.last_target + LEFT // 2
                                            or domain.actual < domain.preferred()):
                domain.no_progress = False
        requests = balanced(free - LEFT, self.domains)
        if not worth_while(requests, free):
            return
        before = {domain.domid: domain.actual for domain in self.domains}
        for at, (domain, target) in enumerate(requests):
            for _ in range(TRIES):
                if self._free() - (target - domain.actual) >= 0.9 * LEFT:
                    break
                self.xen.sleep(DELAY_S * self.xen.slow)
                self.look()
            else:
                self._blame([donor for donor, _ in requests[:at]], before)
                self._set([(domain, self._free() + domain.actual - LEFT)])
                return
            self._set([(domain, target)])

    def _blame(self, donors, before):
        """Mark those that hold more than they were left, after all the tries."""
        for domain in donors:
            if domain.actual > domain.last_target + LEFT // 4:
                stuck = before[domain.domid] == domain.actual
                domain.no_progress |= stuck
                self._found(domain, "stuck" if stuck else "uncooperative")

    def free(self, kb):
        """Have so much free, for a guest that is to start; returns whether it is."""
        seen, before = [], {}
        for domain in self.domains:
            domain.no_progress = False
        while True:
            free, now = self.look(), self.xen.time()
            if free >= kb + LEAST:
                return True
            if too_slow(seen, now, free, self.xen.slow):
                for domain in known(self.domains):
                    if domain.domid in self._asked:
                        self._found(domain, "uncooperative")
                return False
            seen.append((now, free))
            for domain in self.domains:
                if before.get(domain.domid) == domain.actual:
                    domain.no_progress = True
                    self._found(domain, "stuck")
            requests = borrowed(kb + LEFT - free, self.domains)
            if not requests:
                return False
            before = {domain.domid: domain.actual for domain, _ in requests}
            self._set(requests)
            self.xen.sleep(DELAY_S * self.xen.slow)

    def watch(self, seconds):
        """For so long, answer to what the guests say."""
        end = self.xen.time() + seconds
        while self.xen.time() < end:
            if self.writers:
                self.writers.tell(self.xen)
            if self.hear():
                self.balance()
            self.xen.sleep(DELAY_S)
