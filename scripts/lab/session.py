# SPDX-License-Identifier: GPL-2.0
"""The boots of one run: scenarios share one as long as it answers, and then get another."""

import shutil
import tempfile
import time
from pathlib import Path

import packages
from host import Host, HostError, Machine, Timeout

BOOTS = 2                   # tries to bring Xen up
RUNS_KEPT = 20


def make_folder():
    """Return a new folder for the logs of this run; remove those of long ago."""
    runs = packages.CACHE / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for old in sorted(runs.iterdir())[:-RUNS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=runs))


class Session:
    """The boots of one run; a new one is made when the last does not answer any more."""

    def __init__(self, folder, kernels):
        self.folder = folder
        self._kernels = kernels
        self._host = None
        self._boots = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._close()

    def _close(self):
        if self._host:
            self._host.close()
            self._host = None

    def _healthy(self):
        try:
            self._host.dom0("xl list", timeout=60)
        except (HostError, Timeout):
            packages.say("dom0 does not answer any more: booting anew")
            return False
        return True

    def _boot(self, machine):
        self._boots += 1
        folder = self.folder / f"boot{self._boots}"
        folder.mkdir(parents=True)
        return Host(folder, self._kernels, machine).__enter__()

    def host(self, machine=Machine()):
        """Return a host that answers, on such a machine."""
        if self._host and (self._host.machine != machine or not self._healthy()):
            self._close()
        for attempt in range(BOOTS):
            if self._host:
                break
            try:
                self._host = self._boot(machine)
            except (HostError, Timeout) as error:
                if attempt + 1 == BOOTS:
                    raise
                packages.say(f"Xen and dom0 did not come up ({error}): trying once more")
        return self._host
