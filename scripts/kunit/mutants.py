#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Mutation tests: do the unit tests notice a mistake in the engine?

A mutant is the engine with one small mistake. Coccinelle finds the places where one
can be made (mutants.cocci); a seed draws as many mutants as are asked for. One is
killed when a test, or the boot that runs them, turns bad by it, and survives when all
is well on every kernel. Not counted are those that do not compile, those that
compile to the same code as the original or an earlier one, and those of
tests/kunit/equivalent.txt, which behave like the original.

    mutants.py                          120 of them
    mutants.py --number 9999            all
    mutants.py --seed 7 queue.c         others, of one file
    mutants.py --kernel base            on this kernel alone, which is faster
    mutants.py --list target.c          only show what there is to draw
"""

import argparse
import collections
import difflib
import functools
import hashlib
import itertools
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import boot     # which knows where the next ones are
import engine
import images
import kernels
import packages
import run
import verdict

HERE = Path(__file__).resolve().parent
ENGINE = Path(engine.FOLDER)
FILES = engine.files()
LIST = images.REPO / "tests/kunit/equivalent.txt"
KERNELS = ("base", "debug")         # what survives on one goes to the next

PARAMETERS = "steps=2000"           # of the random walks: few steps find nearly all that many find
SILENCE, LONGEST = 40, 240          # seconds that a boot may be silent, and may take: a machine's that is not busy
GOOD = 95                           # per cent that must be killed

# What serves people and debug kernels alone: a mistake there is none of the engine.
IDLE = re.compile(r"(pr_|trace_|lockdep_|might_|cond_resched)\w*\(")
INFIX = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||", "||": "&&", "+": "-", "-": "+",
         "*": "/", "/": "*", "<<": ">>", ">>": "<<", "&": "|", "|": "&", "+=": "-=", "-=": "+=", "&=": "|=", "|=": "&="}
PREFIX = {"-": "", "!": "", "++": "--", "--": "++"}
POSTFIX = {"++": "--", "--": "++"}
ORDERS = {"0": "XENMEM_HUGE_ORDER", "XENMEM_HUGE_ORDER": "0"}
NUMBER = re.compile(r"\d\w*|(?!NULL|\w*GFP_)[A-Z]\w*")
# Names to be mistaken for each other; where they cannot be, it does not compile.
PAIRS = (("huge", "base"), ("guest", "transit"), ("balloon_low", "balloon_high"), ("start", "end"), ("offset", "drift"),
         ("current_pages", "maximum_pages"), ("current_pages", "target_pages"), ("current_pages", "total_pages"),
         ("adopted", "region_pages"), ("published", "seen_target"), ("floor_mb", "total_mb"), ("populate", "release"),
         ("inflate", "deflate"), ("balloon_give", "balloon_enqueue"), ("balloon_take", "balloon_quarantine"),
         ("balloon_dequeue_huge", "balloon_dequeue_base"), ("balloon_alloc_huge", "balloon_alloc_base"),
         ("xen_free_ballooned_pages", "xen_free_unpopulated_pages"),
         ("xen_alloc_ballooned_pages", "xen_alloc_unpopulated_pages"), ("list_add", "list_add_tail"),
         ("min", "max"), ("min_t", "max_t"), ("round_down", "round_up"))

KILLED, SURVIVED, EQUIVALENT = "killed", "survived", "equivalent"
BROKEN, SAME = "does not compile", "same code"


class MutantError(Exception):
    """No mutant can be judged."""


# What there is to mutate


class Mutant(collections.namedtuple("Mutant", "file function source start end text what")):
    """A file of the engine in whose source `text` stands from `start` to `end`, and what mistake that is."""

    @property
    def line(self):
        return self.source.count("\n", 0, self.start) + 1

    @property
    def mutated(self):
        return self.source[:self.start] + self.text + self.source[self.end:]

    def __str__(self):
        place = "" if self.function == "something_else" else f" {self.function}()"
        return f"{self.file}:{self.line}{place}: {self.what}"

    def diff(self):
        name = str(ENGINE / self.file)
        return list(difflib.unified_diff(self.source.splitlines(), self.mutated.splitlines(), name, name, lineterm=""))

    def key(self):
        """Return what names the mutant in LIST: its file, and the lines taken out and put in."""
        begin, end = self.source.rfind("\n", 0, self.start) + 1, self.source.find("\n", self.end)
        return (self.file, squeeze(self.source[begin:end]),
                squeeze(self.source[begin:self.start] + self.text + self.source[self.end:end]))


def squeeze(text):
    return " ".join(text.split())


def mistakes(kind, text, after):
    """Yield (what mistake, the text that makes it) for a place with some text, and what comes after it."""
    if kind in ("condition", "loop"):
        yield "condition inverted", f"!({text})"
        yield "condition never true", f"(({text}) && 0)"
        if kind == "condition":
            yield "condition always true", f"(({text}) || 1)"
    elif kind == "constant" and NUMBER.fullmatch(text) and not after.startswith("("):
        yield "one more", f"({text} + 1)"
        yield "one less", f"({text} - 1)"
    elif kind == "name":
        for pair in PAIRS:
            if text in pair:
                new = pair[text == pair[0]]
                yield f"{new} for {text}", new
    elif kind == "statement":
        yield "statement dropped", "\n" * text.count("\n")
    elif kind == "result" and not NUMBER.fullmatch(text):
        for new in ("0", f"!({text})", f"({text}) + 1"):
            yield "result changed", new
    else:
        table = {"infix": INFIX, "prefix": PREFIX, "postfix": POSTFIX, "argument": ORDERS}.get(kind, {})
        if text in table:
            yield f"{table[text] or 'nothing'} for {text}", table[text]


def places(path, source):
    """Yield (kind, start, end, function) for each place that Coccinelle finds in a file."""
    begins = [0, *itertools.accumulate(map(len, source.splitlines(keepends=True)))]
    with tempfile.NamedTemporaryFile(suffix=".iso") as none:        # take the code as it stands
        found = packages.output("spatch", "--very-quiet", "--no-includes", "--iso-file", none.name, "--sp-file",
                                str(HERE / "mutants.cocci"), str(path))
    for line in sorted(set(found.splitlines())):
        kind, *extent, function = line.split()
        first, column, last, end_column = map(int, extent)
        start, end = begins[first - 1] + column, begins[last - 1] + end_column
        # Of these, Coccinelle only tells where the operand stands.
        if kind == "prefix":
            end = len(source[:start].rstrip())
            start = end - len(re.search(r"\+\+$|--$|.$", source[:end])[0])
        elif kind == "postfix":
            start, end = end, end + 2
        yield kind, start, end, function


def mutants(path):
    """Return all mutants of a file, each once."""
    source = path.read_text()
    found = list(places(path, source))
    idle = [range(start, end) for kind, start, end, _ in found if kind == "statement" and IDLE.match(source, start)]
    made = {}
    for kind, start, end, function in found:
        if not any(start in extent for extent in idle):
            for what, text in mistakes(kind, source[start:end], source[end:]):
                made.setdefault((start, end, text), Mutant(path.name, function, source, start, end, text, what))
    return list(made.values())


def equivalent(path):
    """Map the key of each mutant that a file lists to the reason why it is equivalent.

    An entry ends at an empty line; it has the mutant's file and the reason, and the
    lines that a diff takes out (-) and puts in (+):

        queue.c: the list is empty here
        -	list_add(&fresh->list, &q->by_fill[0]);
        +	list_add_tail(&fresh->list, &q->by_fill[0]);
    """
    listed = {}
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    for entry in filter(None, map(str.strip, "\n".join(lines).split("\n\n"))):
        part = {sign: squeeze(" ".join(line[1:] for line in entry.splitlines() if line[0] == sign)) for sign in "-+"}
        name, _, reason = squeeze(" ".join(line for line in entry.splitlines() if line[0] not in "-+")).partition(": ")
        listed[name, part["-"], part["+"]] = reason
    return listed


# What becomes of a mutant


class Bench:
    """A build of the unit tests for one kernel, in which files can be mutated."""

    def __init__(self, kernel, folder):
        self.kernel = run.kernel(kernel)
        self.folder = folder / kernel
        self.mutated = ()           # paths of the source and the object that are not the original's
        self.make([(images.REPO / name, name) for name in ("drivers", "include", "tests/kunit")])
        self.codes = {name: self.code(name) for name in FILES}
        if bad := self.boot():
            raise MutantError(f"first make kunit KERNEL={kernel} must be good: {bad}")

    def make(self, folders=()):
        # No path in the code: what is the same shall look so.
        self.module, = images.build_modules(self.kernel / "build", self.folder, folders, "tests/kunit",
                                            [f"KCFLAGS=-ffile-prefix-map={self.folder}/="])

    def code(self, name):
        """Return what tells the code of a file from other."""
        return hashlib.sha256((self.folder / ENGINE / name).with_suffix(".o").read_bytes()).hexdigest()

    def build(self, mutant):
        """Build a mutant; return what tells its code from other, or nothing when it does not compile."""
        for path in self.mutated:       # with its time: it need not be compiled again
            shutil.copy2(f"{path}.original", path)
        source = self.folder / ENGINE / mutant.file
        self.mutated = (source, source.with_suffix(".o"))
        for path in self.mutated:
            shutil.copy2(path, f"{path}.original")
        source.write_text(mutant.mutated)
        try:
            self.make()
        except images.ImageError:
            return ""
        return self.code(mutant.file)

    def boot(self):
        """Return which test turned bad, if one did; the rest is not waited for."""
        lines = boot.boot(self.kernel, boot.initramfs(self.module, PARAMETERS), silence=SILENCE, seconds=LONGEST)
        try:
            return next((result.name for result in verdict.judge(lines) if result.verdict == verdict.BAD), "")
        finally:
            lines.close()


@functools.cache
def bench(kernel, folder):
    return Bench(kernel, folder / str(os.getpid()))


def judge(mutant, on, folder):
    """Return (what became of a mutant on some kernels, by what, its code on the first)."""
    code = ""
    for kernel in on:
        place = bench(kernel, folder)
        built = place.build(mutant)
        code = code or built
        if not built:
            return BROKEN, "", ""
        if built == place.codes[mutant.file]:
            return SAME, "", ""
        if why := place.boot():
            return KILLED, f"{why} on {kernel}", code
    return SURVIVED, "", code


def judged(drawn, on, folder):
    """Yield (mutant, what became of it, by what), in their order; several are at work at a time."""
    codes = set()
    waiting = collections.deque()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        drawn = iter(drawn)
        while True:
            for mutant in itertools.islice(drawn, 2 * os.cpu_count() - len(waiting)):
                waiting.append((mutant, pool.submit(judge, mutant, on, folder)))
            if not waiting:
                return
            mutant, future = waiting.popleft()
            became, why, code = future.result()
            if code and (mutant.file, code) in codes:
                became = SAME
            codes.add((mutant.file, code))
            try:
                yield mutant, became, why
            except GeneratorExit:
                pool.shutdown(cancel_futures=True)
                raise


def proof(source):
    """Return two mutants of queue.c, and what has to become of them if the others shall be believed."""
    start = source.index("q->n.guest -= 1UL << order;")
    end = source.index(";", start)
    dropped = Mutant("queue.c", "balloon_take", source, start, end, "", "statement dropped")
    return {dropped: KILLED, dropped._replace(text=f"({source[start:end]})", what="nothing but parentheses"): SAME}


class Tally:
    """What became of the mutants; each is told as it comes."""

    def __init__(self, listed):
        self.listed = listed
        self.counts = collections.Counter()
        self.wrong = []

    @property
    def counted(self):
        return sum(count for (_, became), count in self.counts.items() if became in (KILLED, SURVIVED))

    def add(self, mutant, became, why):
        if mutant.key() in self.listed:
            if became == KILLED:
                self.wrong.append(f"{LIST.name} lists one that is killed: {mutant}, by {why}")
            became = EQUIVALENT if became in (KILLED, SURVIVED) else became
        self.counts[mutant.file, became] += 1
        print(f"{became:10} {mutant}" + f", by {why}" * (became == KILLED), flush=True)
        if became == SURVIVED:
            print("\n".join(mutant.diff()), flush=True)

    def score(self, name):
        """Return a line with the counts of a file, or of all, and the per cent of mutants that were killed."""
        count = {became: sum(n for (file, what), n in self.counts.items() if what == became and name in (file, "all"))
                 for became in (KILLED, SURVIVED, EQUIVALENT, SAME, BROKEN)}
        score = 100 * count[KILLED] / max(count[KILLED] + count[SURVIVED], 1)
        return score, f"{name:10}" + "".join(f"{n:6} {became}" for became, n in count.items()) + f"{score:8.1f} %"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--number", type=int, default=120, help="how many to draw")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kernel", action="append", help="run them on this kernel, not on " + " and ".join(KERNELS))
    parser.add_argument("--list", action="store_true", help="show what there is to draw, in source order")
    parser.add_argument("file", nargs="*", default=FILES, help="of the engine")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    start = time.monotonic()
    made = [mutant for name in args.file for mutant in mutants(images.REPO / ENGINE / name)]
    if args.list:
        print("\n".join(map(str, sorted(made, key=lambda mutant: (mutant.file, mutant.start)))))
        return
    tally = Tally(equivalent(LIST))
    keys = {mutant.key() for mutant in made}
    tally.wrong += [f"{LIST.name} lists what is no mutant: {' | '.join(key)}" for key in tally.listed
                    if key[0] in args.file and key not in keys]
    print(f"Drawing {args.number} of {len(made)} mutants by seed {args.seed}", flush=True)
    random.Random(args.seed).shuffle(made)
    proven = proof((images.REPO / ENGINE / "queue.c").read_text())
    try:
        with tempfile.TemporaryDirectory() as folder:
            results = judged([*proven, *made], args.kernel or KERNELS, Path(folder))
            for mutant, became, why in results:
                if proven.get(mutant, became) != became:
                    raise MutantError(f"{mutant} should be: {proven[mutant]}; it is: {became}")
                if mutant not in proven:
                    tally.add(mutant, became, why)
                if tally.counted == args.number:
                    break
            results.close()
    except (ValueError, MutantError, images.ImageError, kernels.KernelError, packages.PackageError) as error:
        sys.exit(f"mutants.py: {error}")
    for name in args.file:
        print(tally.score(name)[1])
    score, line = tally.score("all")
    print(f"{line}, in {(time.monotonic() - start) / 60:.0f} minutes")
    print("\n".join(tally.wrong))
    sys.exit(1 if tally.wrong or score < GOOD else 0)


if __name__ == "__main__":
    main()
