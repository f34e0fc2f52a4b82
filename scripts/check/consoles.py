# SPDX-License-Identifier: GPL-2.0
"""The lab's consoles: what they said last, for a log that is all that stays of a failed run."""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

import packages   # noqa: E402

LINES = 15


def tails(began, since):
    """Return the ends of what the consoles of a run that began then have said since; both are time.time()s."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(began))
    folders = sorted(folder for folder in (packages.CACHE / "runs").glob("*") if folder.name >= stamp)
    said = []
    for log in sorted(folders[0].glob("*/*.log") if folders else ()):
        if log.stat().st_size and log.stat().st_mtime > since:
            said.append(f"the end of {log.name}:")
            said += [f"  | {line}" for line in log.read_text(errors="replace").splitlines()[-LINES:]]
    return said
