#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""`make bench`: the in-tree balloon driver and xen-balloon side by side, in numbers and pictures.

Boots a real Xen and measures every figure in tests/bench/figures; writes what it measured
and the report of it below Documentation/. What is QUICK, or only some figures, goes to the cache,
where each run keeps its results from figure to figure.

    bench.py                    all figures, in up to three hours
    bench.py --quick            some of them, once each: less than five minutes
    bench.py speed stalls       these
    bench.py --resume FOLDER    go on with a run that was interrupted, or in which some failed: the folder of its logs
    bench.py --report           the report anew, from the results in Documentation/
    bench.py --add FOLDER       what a run of some figures measured, the folder of its logs, to the results there
"""

import argparse
import contextlib
import importlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path[:0] = [str(TOP / "scripts/lab"), str(TOP / "tests/lab"), str(TOP / "tests/toolstacks"), str(HERE)]

import images                               # noqa: E402
import packages                             # noqa: E402
import report                               # noqa: E402
from deadline import OutOfTime, deadline    # noqa: E402
from host import HostError, Machine, Timeout    # noqa: E402
from lab import Lab                         # noqa: E402
from measure import KERNEL, Bench           # noqa: E402
from session import Session, make_folder    # noqa: E402

FIGURES = ("superpages", "fragmented", "shattered", "restored", "speed", "calls", "waiting", "stalls", "size",
           "nextguest", "compaction", "access", "elastic", "often", "regained", "numa")
QUICK_FIGURES = ("superpages", "speed", "calls")
FIGURE_TIME = 30 * 60       # seconds, where it has no TIME of its own
MACHINE = Machine(memory=12288, cpus=3, bench=True)
QUICK_MACHINE = Machine(cpus=3, bench=True)
SOURCES = ("drivers", "include", "Kbuild")
FOLDER = TOP / "Documentation"
RESULTS = FOLDER / "benchmarks/results.json"


def first_line(*command):
    """The first line that a command prints."""
    return subprocess.run(command, capture_output=True, text=True, cwd=TOP).stdout.partition("\n")[0]


def driver():
    """The commit in which the driver changed last."""
    changed = first_line("git", "status", "--porcelain", "--", *SOURCES)
    return first_line("git", "log", "-1", "--format=%h", "--", *SOURCES) + ("-dirty" if changed else "")


def machine_for(figure, common):
    """The machine that a figure is measured on: the one for all, unless it asks for one of several NODES."""
    nodes = getattr(figure, "NODES", 1)
    return Machine(nodes=nodes, bench=True) if nodes > 1 else common


def emulated(common):
    nodes = f", {common.nodes} nodes" if common.nodes > 1 else ""
    return f"{common.cpus} CPUs, one of them for dom0, {common.memory} MiB{nodes}; no KVM"


def machine(host, common):
    """What the measuring is done on, by name; of a host on any machine, where `common` is the one for all."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    xen = dict(re.findall(r"^(\w+)\s*: (.*)$", host.dom0("xl info"), re.MULTILINE))
    return {"Machine": f"{cpu[1] if cpu else platform.machine()}, {os.cpu_count()} CPUs",
            "Emulator": first_line("qemu-system-x86_64", "--version"),
            "Emulated": emulated(common),
            "Xen": f"{xen['xen_major']}.{xen['xen_minor']}{xen['xen_extra']}",
            "Guests' kernel": packages.kernel(KERNEL).name.removeprefix("vmlinuz-"),
            "Driver": driver()}


def try_to(figure, bench, folder):
    """Measure one figure; return its data, or None and why not."""
    bench.lab.host.watch.expect(())
    limit = getattr(figure, "TIME", FIGURE_TIME)
    try:
        with deadline(limit):
            data = json.loads(json.dumps(figure.measure(bench)))
            bench.lab.settle()
            bench.lab.look()
        figure.rows(data)       # which it must be fit for
        return data, ""
    except OutOfTime:
        return None, f"it took more than {limit} s"
    except Exception as error:
        (folder / f"{figure.NAME}.trace").write_text(traceback.format_exc())
        return None, f"{type(error).__name__}: {error}"
    finally:
        with contextlib.suppress(HostError, Timeout):
            bench.lab.finish()


def fresh(quick):
    """The results of a run that has not begun."""
    return {"licence": "SPDX-License-Identifier: GPL-2.0", "quick": quick, "seconds": 0, "machine": {},
            "figures": {}, "failed": {}, "again": {}}


def go_on(results, now):
    """Have the results of a run, which may have begun before, tell of the machine that it goes on with."""
    for what, name in now.items():
        was = results["machine"].get(what, name)
        if was != name:
            raise HostError(f"{what}: the run was begun with {was}, and this is {name}: begin a new one")
    if results["machine"]:
        now["Boots"] = "more than one: the run was interrupted"
    results["machine"] = now


def measure_all(figures, results, folder):
    """Measure the figures that the results lack, and add them; they are kept in the folder meanwhile."""
    start, boots, quick = time.monotonic() - results["seconds"], {}, results["quick"]
    common = QUICK_MACHINE if quick else MACHINE
    results["failed"] = {}
    with Session(folder, [KERNEL]) as session:
        # What failed is tried once more, after the others.
        for number, figure in [*enumerate(figures, 1)] * 2:
            if figure.NAME in results["figures"]:
                continue

            def say(text, head=f"[{number}/{len(figures)}] {figure.TITLE}"):
                print(f"{(time.monotonic() - start) / 60:5.1f} min {head}: {text}", flush=True)

            wanted = machine_for(figure, common)
            host = session.host(wanted)
            if not boots:
                go_on(results, machine(host, common))
            elif boots.get(wanted, host) is not host:
                results["machine"]["Boots"] = "more than one: Xen had to be booted again"
            boots[wanted] = host
            with open(folder / f"{figure.NAME}.log", "w") as log:
                lab = Lab(host, lambda text, log=log: print(text, file=log, flush=True))
                data, why = try_to(figure, Bench(lab, quick, say), folder)
            if data is None:
                say(f"failed: {why}")
                results["failed"][figure.NAME] = why
            else:
                results["figures"][figure.NAME] = data
                if wanted != common:
                    results.setdefault("apart", {})[figure.NAME] = {"Emulated": emulated(wanted)}
                say("done")
                if figure.NAME in results["failed"]:
                    results["again"][figure.NAME] = results["failed"].pop(figure.NAME)
            results["seconds"] = round(time.monotonic() - start)
            results["machine"]["Took"] = f"{results['seconds'] / 60:.0f} minutes"
            (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")


def add(results, some):
    """Have what a run of some figures measured be part of results, with what it was measured on."""
    if some["quick"]:
        sys.exit("bench.py: the run is a quick one, which no page is made of: run it without QUICK")
    results["figures"] |= some["figures"]
    results["apart"] = results.get("apart", {}) | {
        name: some["machine"] | some.get("apart", {}).get(name, {}) for name in some["figures"]}


def load(names):
    return [importlib.import_module(f"figures.{name}") for name in names]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="some figures, once each")
    parser.add_argument("--report", action="store_true", help="write the report of the results in Documentation/ anew")
    parser.add_argument("--resume", metavar="FOLDER", type=Path, help="go on with the run whose logs are there")
    parser.add_argument("--add", metavar="FOLDER", type=Path, help="add what the run whose logs are there measured")
    parser.add_argument("figure", nargs="*", choices=[[], *FIGURES], help="only these")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench.py: ended by SIGTERM"))
    if args.report or args.add:
        results = json.loads(RESULTS.read_text())
        if args.add:
            add(results, json.loads((args.add / "results.json").read_text()))
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        report.write(results, load(FIGURES), FOLDER)
        return
    results = json.loads((args.resume / "results.json").read_text()) if args.resume else fresh(args.quick)
    figures = load(args.figure or (QUICK_FIGURES if results["quick"] else FIGURES))
    folder = make_folder()
    try:
        measure_all(figures, results, folder)
    except (HostError, Timeout, images.ImageError, packages.PackageError) as error:
        sys.exit(f"bench.py: {error}\nbench.py: the logs are in {folder}")
    report.write(results, figures, folder)
    out = folder
    if not results["quick"] and set(results["figures"]) == set(FIGURES):
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        report.write(results, figures, FOLDER)
        out = FOLDER
    report.tell(results, figures)
    print(f"The report is {out}/benchmarks.rst, the logs are in {folder}.")
    if results["failed"]:
        sys.exit(f"What failed is measured again by: tests/bench/bench.py --resume {folder}")


if __name__ == "__main__":
    main()
