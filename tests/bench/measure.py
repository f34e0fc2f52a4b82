# SPDX-License-Identifier: GPL-2.0
"""What a figure measures with: guests with either driver, by turns where time counts, else two at once."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

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
        self._cpus = cycle(range(1, lab.host.machine.cpus))

    def _parameters(self, kind, driver, parameters):
        """What a guest is made from; one with a single virtual CPU stays on one of the machine's."""
        cpus = str(next(self._cpus)) if parameters.get("vcpus", 1) == 1 else f"1-{self.lab.host.machine.cpus - 1}"
        return {"kind": kind, "kernel": self.kernel, "name": driver, "initrd": "initrd-bench", "cpus": cpus,
                **parameters}

    @contextlib.contextmanager
    def _driven(self, guest, driver):
        """The module is loaded where the driver is ours; at the end the guest has lost nothing, and goes."""
        if driver == OURS:
            guest.load()
        yield guest
        if guest.run("[ ! -e /sys/module/xen_balloon ] || echo ours"):
            self.lab.equal(f"{guest.name}'s invariant",
                           guest.run("cat /sys/kernel/debug/xen-balloon/invariant").strip(), "ok")
        guest.destroy()

    @contextlib.contextmanager
    def guest(self, kind, driver, **parameters):
        """A fresh guest with a driver."""
        guest = self.lab.guest(**self._parameters(kind, driver, parameters))
        with self._driven(guest, driver):
            yield guest

    def rounds(self, kind, drivers=DRIVERS, **parameters):
        """Yield (run, driver, fresh guest): those of a run boot side by side, and are used one after another."""
        for run in range(self.runs):
            guests = self.lab.guests([self._parameters(kind, driver, parameters) for driver in drivers])
            for driver, guest in zip(drivers, guests, strict=True):
                with self._driven(guest, driver):
                    yield run, driver, guest

    def at_once(self, jobs):
        """Run functions of no parameters, as many at once as guests have CPUs; return what they return."""
        with ThreadPoolExecutor(self.lab.host.machine.cpus - 1) as pool:
            return [future.result() for future in [pool.submit(job) for job in jobs]]
