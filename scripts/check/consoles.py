# SPDX-License-Identifier: GPL-2.0
"""The lab's consoles: what they said last, for a log that is all that stays of a failed run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))

import packages   # noqa: E402

LINES = 15


def tails(since):
    """Return the last lines of each console that spoke after the time `since`."""
    said = []
    for log in sorted((packages.CACHE / "runs").glob("*/*/*.log")):
        if log.stat().st_mtime > since:
            said.append(f"the end of {log.name}:")
            said += [f"  | {line}" for line in log.read_text(errors="replace").splitlines()[-LINES:]]
    return said
