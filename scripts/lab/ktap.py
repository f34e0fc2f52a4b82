# SPDX-License-Identifier: GPL-2.0
"""The verdicts of a run, in KTAP: one line each, told as soon as it is known."""

SUCCESS, SKIP, FAILURE, ERROR = "success", "skip", "failure", "error"


class Ktap:
    """Prints a plan, a line for each test, and a summary."""

    def __init__(self, tests):
        self.counts = dict.fromkeys((SUCCESS, FAILURE, SKIP, ERROR), 0)
        self._print("KTAP version 1")
        self._print(f"1..{tests}")

    @staticmethod
    def _print(line):
        print(line, flush=True)

    def note(self, text):
        """Print diagnostics."""
        for line in text.splitlines() or [""]:
            self._print(f"# {line}")

    def result(self, name, verdict, reason=""):
        """Print a test's verdict; what it says about it is one line."""
        self.counts[verdict] += 1
        good = verdict in (SUCCESS, SKIP)
        directive = {SUCCESS: "", SKIP: " # SKIP", FAILURE: " # FAILURE", ERROR: " # ERROR"}[verdict]
        line = f"{'ok' if good else 'not ok'} {sum(self.counts.values())} {name}{directive}"
        first, *more = (reason.splitlines() if verdict != SUCCESS else []) or [""]
        for text in more:
            self.note(text)
        self._print(f"{line} {first}".rstrip())

    def summary(self):
        """Print the counts; return whether nothing failed."""
        counts = self.counts
        self._print(f"# passed: {counts[SUCCESS]} failed: {counts[FAILURE]} skipped: {counts[SKIP]} "
                    f"errors: {counts[ERROR]}")
        return not counts[FAILURE] and not counts[ERROR]
