# SPDX-License-Identifier: GPL-2.0
"""What a scenario is given: guests to boot, dom0 to act in, and checks to make.

A check that does not hold, a report on a console, a dead guest or a wait in
vain ends the scenario there; all of its guests are destroyed after it.
"""

import contextlib
import time

import health
from guest import Guest
from host import HostError

SETTLE = 0.3                # seconds for a guest's last words to get through its console
EATER_MIB = 96              # the smallest paused guest that its kernel and ramdisk fit into


class Failure(Exception):
    """What was to be shown does not hold."""


class Skip(Exception):
    """What was to be shown cannot be, here."""


class Lab:
    """One scenario's hold on the host.

    Everything in its guests may take `slow` times as long, and `faults` percent of the allocations that the
    driver asks for there fail; `failed` is how many did. With `elastic` they
    give what is idle, `given` pages in all.
    """

    def __init__(self, host, note, slow=1, faults=0, elastic=False):
        self.host = host
        self.note = note
        self.slow = slow
        self.faults = faults
        self.failed = {}
        self.elastic = elastic
        self.given = 0
        self.checks = 0
        self.memory_files = host.memory_files
        self.debug_key = host.debug_key
        self.dom0 = host.dom0
        self.host_free_kb = host.free_kb
        self._guests = []

    # Guests

    def guests(self, wanted):
        """Create several guests, each from a dict of Guest's parameters, and boot them side by side."""
        made = []
        for parameters in wanted:
            guest = Guest(self, **parameters)
            self._guests.append(guest)
            guest.create()
            made.append(guest)
        for guest in made:
            guest.boot()
        return made

    def guest(self, kind, kernel, **parameters):
        """Create a guest and wait until its agent answers."""
        return self.guests([{"kind": kind, "kernel": kernel, **parameters}])[0]

    def built(self, kind, kernel, **parameters):
        """Create a guest that never runs."""
        guest = Guest(self, kind, kernel, **parameters)
        self._guests.append(guest)
        guest.create(paused=True)
        return guest

    def forget(self, guest):
        """A guest is no more."""
        self._guests.remove(guest)

    def forget_unbooted(self):
        """Destroy the guests that have not come up, and forget what any console reported."""
        for guest in [guest for guest in self._guests if not guest.booted]:
            guest.destroy()
        self.settle()
        self.host.watch.expect(())

    @contextlib.contextmanager
    def starve(self, leave_mb):
        """Eat the host's free memory but leave_mb by guests that never run."""
        eaters = []
        try:
            while (spare := self.host_free_kb() // 1024 - leave_mb) >= EATER_MIB:
                eaters.append(self.built("pv", self.host.kernels[0], memory=self._edible(spare), name="eater"))
            yield
        finally:
            for eater in eaters:
                eater.destroy()

    @staticmethod
    def _edible(spare):
        """The size of a guest that fits into spare MiB with what Xen needs beside it.

        What Xen needs for a large one is known roughly only, so a small one is to come after it.
        """
        return spare - spare // 64 - 2 - (EATER_MIB if spare > 3 * EATER_MIB else 0)

    def inspect(self):
        """Fail where the kernel of a living guest tells that something went wrong in it."""
        for guest in self._guests:
            if guest.booted:
                guest.count_faults()
                self.note(f"{guest.name}: {health.inspect(self, guest)}")

    def settle(self):
        """Hear the consoles out."""
        time.sleep(SETTLE)
        for _ in range(2):          # the second answer comes after what the consoles said before the first
            self.dom0("true")

    def finish(self):
        """Destroy the guests, and hear what is left of them: it is not the next scenario's."""
        for guest in list(self._guests):
            guest.destroy()
        # One that was being created meanwhile.
        self.dom0("for id in $(xl list | awk 'NR > 1 && $2 { print $2 }'); do xl destroy $id; done", check=False)
        self.dom0("rm -rf /tmp/*")
        self.settle()

    # Checks

    def fail(self, what):
        raise Failure(what)

    def check(self, condition, what):
        """The scenario's own check: `what` is a sentence with the figures."""
        self.look()
        self.checks += 1
        if not condition:
            self.fail(what)
        self.note(what)

    def equal(self, what, got, want):
        self.check(got == want, f"{what}: {got}" + ("" if got == want else f", expected {want}"))

    def skip(self, reason):
        raise Skip(reason)

    def look(self):
        """Fail where a console reported trouble."""
        if told := self.host.watch.told():
            self.fail(told)
        if not self.host.alive():
            raise HostError("QEMU is gone")

    def wait(self, predicate, timeout, what, every=0.2):
        """Poll until predicate() holds."""
        timeout *= self.slow
        end = time.monotonic() + timeout
        while not predicate():
            self.look()
            if time.monotonic() > end:
                self.fail(f"waited {timeout} s in vain for {what}")
            time.sleep(every)
