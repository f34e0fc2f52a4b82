# SPDX-License-Identifier: GPL-2.0
"""A limit to the time that something may take."""

import contextlib
import signal

NO_DEADLINE = 0


class OutOfTime(Exception):
    """A scenario ran longer than it may."""


@contextlib.contextmanager
def deadline(seconds):
    """Raise OutOfTime in the main thread when the time is over."""
    def over(*_):
        raise OutOfTime(f"hang: it ran longer than its {seconds} s")
    signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(NO_DEADLINE)
