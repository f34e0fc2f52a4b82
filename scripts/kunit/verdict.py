# SPDX-License-Identifier: GPL-2.0
"""The verdict of a boot that ran KUnit tests: from its KTAP, its log, its taint and its leaks.

KUnit calls a test good that asserts nothing, sleeps in atomic context or leaks, and
a log that ends in the middle has no bad result. So a test is good here only if KUnit
says so, it came to an assertion (tests/kunit/assert.h tells), and nothing was reported
while it ran; and a boot only if all that was promised ran and the rest of it was
clean, which its init script tells in lines that begin with `kunit: `.
"""

import re
import sys
from collections import namedtuple
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "lab"))

from watch import ANSI, HARMLESS, REPORTS   # noqa: E402

OK, BAD, SKIP = "ok", "not ok", "skip"
TAINTS = "PFSRMBUDAWCIOELKXTN"          # by their bits, as in the kernel's tainted-kernels document
ALLOWED = {"O", "N"}                    # a module of ours, and one with tests
MOST = 100                              # lines that are shown of a failure

TIME = re.compile(r"^\[ *\d+\.\d+\] ?")
PLACE = re.compile(r"/\S*/(?=(tests/kunit|drivers/xen/balloon|include)/)")
RESULT = re.compile(r"(?P<indent> *)(?P<bad>not )?ok \d+ ?-? ?(?P<name>.*?)(?P<skip> # SKIP\b *(?P<why>.*))?$")
PLAN = re.compile(r"(?P<indent> *)1\.\.(?P<count>\d+)$")
SUBTEST = re.compile(r"(?P<indent> *)# Subtest: (?P<name>.*)$")
ASSERTS = re.compile(r" *# (?P<name>\S+): asserts$")
TOLD = re.compile(r"kunit: (?P<what>\w+) ?(?P<rest>.*)$")
OF_NO_USE = re.compile(r" *(KTAP version|# (module|Totals): |# \S+: pass:\d+ )|"
                       r"(Code|RSP|RBP|R[A-D]X|R\d\d|[FC]S|CR2): |Modules linked in: |Hardware name: | \? ")

# What is said of a suite's test or of a boot: `name` is suite.test or boot.part, `verdict`
# one of those above, `why` the lines that tell more.
Result = namedtuple("Result", "name verdict why")


def shorten(lines):
    """Leave out the middle of what is too long to be shown."""
    half = MOST // 2
    return lines if len(lines) <= MOST else lines[:half] + [f"({len(lines) - MOST} lines)"] + lines[-half:]


def last_words(lines):
    """Leave out what a kernel that was asked many times where it is has said before, then shorten."""
    return shorten(list(dict.fromkeys(lines)))


def plain(line):
    """Return a line of a console without the time, colours, and the folder that the tree was copied to."""
    return PLACE.sub("", TIME.sub("", ANSI.sub("", line))).rstrip()


class Suite:
    """The suite that runs."""

    def __init__(self, name):
        self.name = name
        self.promised = self.ran = self.bad = 0
        self.begin_test()

    def begin_test(self):
        self.running = ""           # its name, which KUnit tells only at its end
        self.asserted = set()
        self.said, self.kept, self.reports = [], [], []

    def test(self, match):
        """Return the result of the test that ends by this line."""
        name = match["name"]
        why = self.kept + self.said
        if match["bad"] or self.reports:
            verdict = BAD
        elif match["skip"]:
            verdict, why = SKIP, [match["why"] or ""]
        elif name not in self.asserted:
            verdict, why = BAD, ["it asserts nothing"]
        else:
            verdict, why = OK, []
        self.ran += 1
        self.bad += verdict == BAD
        self.begin_test()
        return Result(f"{self.name}.{name}", verdict, shorten(why))

    def cut_off(self):
        """Return the result of the test in which the boot ended."""
        name = self.running or f"test {self.ran + 1} of {self.promised}"
        why = ["the boot ended in the middle of it"] + self.kept + self.said
        self.ran += 1
        self.begin_test()
        return Result(f"{self.name}.{name}", BAD, last_words(why))

    def parameter(self, match):
        """Keep what was said of a parameter that failed."""
        if match["bad"]:
            self.kept += [*self.said, match[0].strip()]
        self.said = []

    def end(self, match):
        """Return the result of the whole suite, if there is more to say than its tests' own."""
        if self.ran != self.promised or not self.promised:
            why = [f"{self.ran} of the {self.promised} tests that it promised ran"]
        elif self.reports or match and match["bad"] and not self.bad:
            why = self.said
        else:
            return
        yield Result(f"{self.name} as a whole", BAD, shorten(why + [match[0]] if match else why))


class Boot:
    """What a boot has said outside of its suites."""

    def __init__(self):
        self.promised = self.suites = 0
        self.said, self.reports, self.leaks = [], [], []
        self.told = {}
        self.ended = ""
        self.off = False

    def hear(self, line):
        """Take a line that belongs to no test."""
        if told := TOLD.match(line):
            if told["what"] == "leak":
                self.leaks.append(told["rest"])
            elif told["what"] == "ended":
                self.ended = line
            else:
                self.told[told["what"]] = told["rest"]
        elif "reboot: Power down" in line:
            self.off = True
        else:
            self.said.append(line)
            if trouble(line):
                self.reports.append(line)

    def results(self, cut_off):
        """Yield what is to be said of the boot when it is over; it may have been cut off by a test."""
        yield self._tests()
        yield Result("boot.log", BAD if self.reports else OK, shorten(self.said) if self.reports else [])
        yield self._taint()
        yield self._leaks()
        why = [self.ended] if self.ended else [] if self.off else ["it did not power off"]
        yield Result("boot.end", BAD if why else OK, last_words(why + self.said if why and not cut_off else why))

    def _tests(self):
        why = [f"{what} has ended with status {self.told[what]}" for what in ("insmod", "rmmod")
               if self.told.get(what, "0") != "0"]
        if not self.suites:
            why.append("no test ran")
        elif self.suites < self.promised:
            why.append(f"{self.suites} of the {self.promised} suites that were promised ran")
        return Result("boot.tests", BAD if why else OK, why)

    def _taint(self):
        if "taint" not in self.told:
            return Result("boot.taint", SKIP, ["it was not told"])
        bits = int(self.told["taint"])
        letters = {TAINTS[bit] if bit < len(TAINTS) else str(bit) for bit in range(64) if bits >> bit & 1}
        why = [f"the kernel is tainted by {letter}" for letter in sorted(letters - ALLOWED)]
        return Result("boot.taint", BAD if why else OK, why)

    def _leaks(self):
        if self.told.get("no") == "kmemleak":
            return Result("boot.leaks", SKIP, ["this kernel has no kmemleak"])
        if "leaks" not in self.told and "taint" not in self.told:
            return Result("boot.leaks", SKIP, ["they were not told"])
        why = self.leaks if "leaks" in self.told else ["kmemleak did not scan"]
        return Result("boot.leaks", BAD if why else OK, shorten(why))


def trouble(line):
    """Return whether a line reports trouble."""
    return REPORTS.search(line) and not HARMLESS.search(line)


def judge(lines):
    """Read the lines of a console, and yield a Result for each test as it ends, then some for the boot.

    A suite whose own result adds to its tests' has one, too.
    """
    boot, suite = Boot(), None
    for line in map(plain, lines):
        match = RESULT.match(line) or PLAN.match(line) or SUBTEST.match(line)
        level = len(match["indent"]) // 4 if match else 0
        if match and match.re is SUBTEST and level == 1:
            suite = Suite(match["name"])
            boot.suites += 1
        elif match and match.re is PLAN and level == 0:
            boot.promised = int(match["count"])
        elif match and match.re is RESULT and level == 0:
            boot.suites += not suite
            yield from (suite or Suite(match["name"])).end(match)
            suite = None
        elif not suite:
            if not OF_NO_USE.match(line):
                boot.hear(line)
        elif line.startswith("kunit: ended"):
            boot.hear(line)
        elif match and match.re is SUBTEST:
            suite.running = match["name"]
        elif match and match.re is PLAN:
            suite.promised = int(match["count"])
        elif match and match.re is RESULT:
            if level == 1:
                yield suite.test(match)
            else:
                suite.parameter(match)
        elif match := ASSERTS.match(line):
            suite.running = match["name"]
            suite.asserted.add(match["name"])
        elif not OF_NO_USE.match(line):
            suite.said.append(line)
            if trouble(line):
                suite.reports.append(line)
    if suite:
        if suite.ran < suite.promised:
            yield suite.cut_off()
        yield from suite.end(None)
    yield from boot.results(bool(suite))
