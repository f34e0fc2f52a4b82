# SPDX-License-Identifier: GPL-2.0
"""The watch on the consoles: every line of Xen's, dom0's and the guests' is read for reports of trouble."""

import re

REPORTS = re.compile("|".join((
    r"WARNING: ", r"\bBUG:? ", r"kernel BUG at", r"Oops\b", r"Call Trace", r"general protection fault",
    r"Kernel panic", r"rcu.*(detected stall|self-detected|kthread starved)", r"soft lockup", r"hard LOCKUP",
    r"blocked for more than", r"possible (circular locking|recursive locking|irq lock inversion)",
    r"inconsistent lock state", r"bad unlock balance", r"suspicious RCU usage", r"KASAN", r"KCSAN", r"UBSAN",
    r"sleeping function called from invalid context", r"scheduling while atomic", r"Bad page state",
    r"refcount_t: ", r"list_(add|del) corruption", r"unreferenced object",
    r"Out of memory: Killed", r"oom-kill:", r"page allocation failure", r"segfault at", r"invalid opcode",
    r"Freezing .* failed", r"do_suspend: -", r"agent: ",
    r"\(XEN\).*(Xen BUG|Assertion .* failed|Panic on CPU|FATAL|crashed|Xen WARN|domain_crash|Triple fault|"
    r"Bad L1 flags|Error getting mfn|watchdog)",
)))
HARMLESS = re.compile(r"CONSOLE OUTPUT IS SYNCHRONOUS")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00\r]")

MOST = 20           # reports that are told


class Watch:
    """All the consoles of one boot: the reports that were not expected, and those that were, and came."""

    def __init__(self):
        self._begun = {}                # console: a line whose end is still to come
        self._expected = []
        self.reports = []
        self.provoked = []

    def expect(self, patterns):
        """Say which reports a scenario provokes on purpose, and forget those of the last one."""
        self._expected = [re.compile(pattern) for pattern in patterns]
        self.reports = []
        self.provoked = []

    def told(self, but=""):
        """Say what was reported, but for what that text has already; "" where that is nothing."""
        reports = [report for report in self.reports if report not in but]
        return "reported on a console: " + "\n".join(reports[:MOST]) if reports else ""

    def feed(self, name, data):
        """Read what a console said."""
        text = self._begun.get(name, "") + ANSI.sub("", data.decode(errors="replace"))
        *lines, self._begun[name] = text.split("\n")
        for line in lines:
            if REPORTS.search(line) and not HARMLESS.search(line):
                expected = any(pattern.search(line) for pattern in self._expected)
                (self.provoked if expected else self.reports).append(f"{name}: {line.strip()}")
