# SPDX-License-Identifier: GPL-2.0
"""A guest fresh from boot, with all the memory that it may have, is left alone for two minutes after load."""

from checkpoint import intact, quiet

TAKES = 240
TIMEOUT = 600
TYPES = ("pv", "pvh", "hvm")
SECONDS = 120


def run(lab, kind, kernel):
    guest, agreement = intact(lab, kind, kernel)
    quiet(lab, guest, agreement, "after it was loaded", SECONDS)
    guest.unload()
