# SPDX-License-Identifier: GPL-2.0
"""The table of Documentation/input.rst: what comes of what is written. Read, and each row tried."""

import csv
import errno
import os
import re
import time
from collections import namedtuple
from pathlib import Path

from common import DEVICE, MIB

TABLE = Path(__file__).resolve().parents[2] / "Documentation/input.rst"
HOMES = (384 * MIB, 388 * MIB)      # targets that are good, and not in the table
ARRIVES_S = 60
TARGETS = {"target_kb": 1, "target": 1024}      # what 1 KiB is in them
KEYS = "memory"
KEY = f"{KEYS}/target"
NODE_KEYS = f"{KEYS}/target-node"
NODE_TARGET = "node/node0/target_kb"            # in a guest with one node that of the guest
SHOWN_IN_HEX = ("max_schedule_delay", "max_retry_count")
SAID = "xen_balloon: "

# Writes as echo -e does; tells what the file showed, of an error, what it shows, and what was said.
WRITE = f"""
cd {DEVICE}; dmesg -c > /dev/null; cat %s
{{ echo -ne '%s' > %s; }} 2>&1 || true
echo "shows $(cat %s)"
dmesg | grep '{SAID}' || true
"""

Row = namedtuple("Row", "files kinds written outcome said")


def literals(cell):
    return re.findall(r"``(.+?)``", cell)


def rows():
    """Return the table's rows; `written` is None for a key that is removed."""
    _, _, text = TABLE.read_text().partition(".. csv-table::")
    lines = (line.strip() for line in text.splitlines()[1:])
    cells = csv.reader([line for line in lines if line and not line.startswith(":")], skipinitialspace=True)
    return [Row(literals(files), re.findall(r"PVH|HVM|PV", files.replace("`", "")),
                None if written == "removed" else "".join(literals(written)),
                outcome, literals(said)) for files, written, outcome, said in cells]


def heard(log, said):
    """Return what was said, in lines of the log: of each what was to be said, else the line as it is."""
    return [next((what for what in said if what in line), line) for line in log]


class Inputs:
    """Tries rows in a guest that has the driver loaded, and was not sized before."""

    def __init__(self, lab, guest):
        self.lab = lab
        self.guest = guest
        self.store = lab.host.store
        self.path = f"/local/domain/{guest.domid}"
        self.ceiling = guest.current_kb()
        # What the in-tree driver subtracts from memory/target
        self.beyond = int(self.store.read(f"{self.path}/{KEY}")) - int(guest.run(f"cat {DEVICE}/target_kb"))
        self.home = HOMES[0]
        self.tried = 0

    def try_file(self, file):
        """Try all rows of a file, which is left as it was, or of a key."""
        mine = [row for row in rows() if file in row.files and (not row.kinds or self.guest.kind.upper() in row.kinds)]
        self.lab.check(bool(mine), f"rows of {file}: {len(mine)}")
        if file.startswith(KEYS):
            for row in mine:
                self._key(file, row)
        elif file in TARGETS:
            for row in mine:
                self._target(file, row)
        else:
            before = self.guest.run(f"cat {DEVICE}/{file}").strip()
            shown = [self._plain(file, row) for row in mine][-1]
            if shown != before:
                self.guest.run(f"echo {'0x' * (file in SHOWN_IN_HEX)}{before} > {DEVICE}/{file}")
        self.tried += len(mine)

    def _plain(self, file, row):
        """Try a row of a file that is no target; return what it shows in the end."""
        said = self.guest.run(WRITE % (file, row.written, file, file))
        error, _, rest = said.partition("shows ")
        before, _, error = error.partition("\n")
        shown, *log = rest.splitlines()
        if row.outcome.startswith("E"):
            got, want = error.strip().rpartition(": ")[2], os.strerror(getattr(errno, row.outcome))
        else:
            got, want, before = error, "", literals(row.outcome)[0]
        self.lab.equal(f"{file} = '{row.written}': error, what it shows, what is said",
                       (got, shown, heard(log, row.said)), (want, before, row.said))
        return shown

    def _target(self, file, row):
        where = f"{file} = '{row.written}'"
        self.guest.run(f"cd {DEVICE}; dmesg -c > /dev/null; echo -ne '{row.written}' > {file}")
        self._follows(file, row, TARGETS[file], 0, where)
        self._next_home()
        self.guest.run(f"echo {self.home * TARGETS[file]} > {DEVICE}/{file}")
        self._is(file, self.home, self.home * TARGETS[file], row.said, f"the next good target after {where}")

    def _key(self, file, row):
        where = f"{file} = '{row.written}'" if row.written is not None else f"{file} removed"
        self.guest.run("dmesg -c > /dev/null")
        keys = {file, KEY, f"{KEYS}/static-max", f"{KEYS}/videoram"} - {KEYS}
        held = {key: self.store.read(f"{self.path}/{key}") for key in keys if self.store.exists(f"{self.path}/{key}")}
        if row.written is not None:
            self.store.write(f"{self.path}/{file}", row.written.encode().decode("unicode_escape").encode())
        elif self.store.exists(f"{self.path}/{file}"):
            self.store.remove(f"{self.path}/{file}")
        shows = NODE_TARGET if file.startswith(NODE_KEYS) else "target_kb"
        self._follows(shows, row, 1, self.beyond, where)
        self._next_home()
        held[KEY] = str(self.home + self.beyond).encode()
        if file not in held and self.store.exists(f"{self.path}/{file}"):
            self.store.remove(f"{self.path}/{file}")
        for key, value in held.items():
            self.store.write(f"{self.path}/{key}", value)
        self._is(shows, self.home, self.home, row.said, f"the next good target after {where}")

    def _next_home(self):
        self.home = HOMES[self.home == HOMES[0]]

    def _follows(self, file, row, unit, beyond, where):
        """Check where the guest goes, what the file shows then, and what is said."""
        if row.outcome in ("floor", "ceiling"):
            size = self.ceiling
            if row.outcome == "floor":
                size = int(self.guest.run(f"cat {DEVICE}/limits/floor_kb"))
            self._is("limits/floor_kb" if row.outcome == "floor" else "info/current_kb", size, size, row.said, where)
        else:
            shown = self.home * unit if row.outcome == "stays" else int(literals(row.outcome)[0]) - beyond
            self._is(file, shown // unit, shown, row.said, where)

    def _is(self, file, size, shown, said, where):
        """Wait until the guest is of this size, a file shows this, and this was said, and nothing else."""
        want = size, shown, said
        end = time.monotonic() + ARRIVES_S * self.lab.slow
        while (got := self._look(file, said)) != want and time.monotonic() < end:
            time.sleep(0.2)
        self.lab.equal(f"{where}: current_kb, {file}, what is said", got, want)

    def _look(self, file, said):
        look = f"cd {DEVICE}; cat info/current_kb {file}; dmesg | grep '{SAID}' || true"
        current, shown, *log = self.guest.run(look).splitlines()
        return int(current), int(shown), heard(log, said)
