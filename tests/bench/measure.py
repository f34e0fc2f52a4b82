# SPDX-License-Identifier: GPL-2.0
"""What a figure measures with: guests with either driver, by turns where time counts, else two at once."""

import contextlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import cycle

from common import DEBUG
from guest import GuestError
from lab import Failure

KERNEL = "6.12"
INTREE, OURS = "intree", "ours"
DRIVERS = (INTREE, OURS)
RUNS = 5                    # of each driver, by turns, wherever a time is compared


class Bench:
    """What a figure is given to measure with."""

    def __init__(self, lab, quick, say):
        self.lab = lab
        self.quick = quick
        self.say = say
        self.kernel = KERNEL
        self.runs = 1 if quick else RUNS
        self.kinds = ("pvh", "pv")
        self.superpage_kinds = self.kinds if quick else (*self.kinds, "hvm")
        self._cpus = self._cycle()

    def _cycle(self):
        """The machine's CPUs that guests have, over and over."""
        return cycle(range(1, self.lab.host.machine.cpus))

    def _parameters(self, kind, driver, parameters):
        """What a guest is made from; each of its virtual CPUs stays on one of the machine's."""
        cpus = [str(next(self._cpus)) for _ in range(parameters.get("vcpus", 1))]
        return {"kind": kind, "kernel": self.kernel, "name": driver, "initrd": "initrd-bench", "cpus": cpus,
                **parameters}

    @contextlib.contextmanager
    def _driven(self, guest, driver, upkeep):
        """The module is loaded where the driver is ours; at the end the guest has lost nothing."""
        if driver == OURS:
            guest.load(upkeep=upkeep)
        yield guest
        if guest.run("[ ! -e /sys/module/xen_balloon ] || echo ours"):
            self.lab.equal(f"{guest.name}'s invariant",
                           guest.run(f"cat {DEBUG}/invariant").strip(), "ok")

    def _boot(self, parameters):
        """Boot a guest. Where several virtual CPUs are emulated, the kernel's patching of its own code can kill it
        (``Oops: int3``) before there is any module in it: such a guest is made once more."""
        try:
            return self.lab.guest(**parameters)
        except (Failure, GuestError) as error:
            if parameters.get("vcpus", 1) == 1:
                raise
            self.say(f"one more try, since a guest did not boot: {error}")
            self.lab.forget_unbooted()
            return self.lab.guest(**parameters)

    @contextlib.contextmanager
    def guest(self, kind, driver, upkeep=True, **parameters):
        """A fresh guest with a driver; ours does upkeep or not."""
        guest = self._boot(self._parameters(kind, driver, parameters))
        try:
            with self._driven(guest, driver, upkeep):
                yield guest
        finally:
            guest.destroy()

    def by_turns(self, guests):
        """The (driver, guest) of a dict by turns, as often as there are runs; each comes first in every other one."""
        pairs = list(guests.items())
        return [pair for run in range(self.runs) for pair in (reversed(pairs) if run % 2 else pairs)]

    def rounds(self, kind, upkeep=True):
        """Yield (run, driver, fresh guest).

        Those of a run boot side by side, are used one after the other, the first one last in the next run, on CPUs
        by that order, and go together, so that nobody is measured while Xen cleans up after another one.
        """
        for run in range(self.runs):
            turn = DRIVERS[::-1] if run % 2 else DRIVERS
            self._cpus = self._cycle()
            guests = self.lab.guests([self._parameters(kind, driver, {}) for driver in turn])
            for driver, guest in zip(turn, guests, strict=True):
                with self._driven(guest, driver, upkeep):
                    yield run, driver, guest
            for guest in guests:
                guest.destroy()

    def at_once(self, jobs):
        """Run functions of no parameters, as many at once as guests have CPUs; the first to fail ends the others."""
        with ThreadPoolExecutor(self.lab.host.machine.cpus - 1) as pool:
            futures = [pool.submit(job) for job in jobs]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self.lab.finish()       # what runs in a guest that is gone ends
                raise
