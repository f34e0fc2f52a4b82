#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make demo`: the in-tree balloon driver and xen-balloon at the same job, side by side.

Boots a real Xen and, for PVH and then PV, two guests that differ in nothing but the
driver; takes each from 512 MiB to 256 and back by its target_kb; draws both guests'
memory before, down and up again, as it lies in the machine; ends with a table.
"""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "lab"))

import cycle                                # noqa: E402
import draw                                 # noqa: E402
import packages                             # noqa: E402
from guest import GuestError                # noqa: E402
from host import CommandError, HostError, Timeout   # noqa: E402
from images import ImageError               # noqa: E402
from lab import Failure, Lab                # noqa: E402
from meter import MeterError                # noqa: E402
from session import Session, make_folder    # noqa: E402

KINDS = ("pvh", "pv")
KERNEL = "6.12"
HIGH, LOW = 512, 256   # MiB
INTREE, OURS = "in-tree", "xen-balloon"
TITLES = {"before": f"before: {HIGH} MiB", "down": f"down: {LOW} MiB", "up": f"up again: {HIGH} MiB"}
HEAD = ("guest", "driver", "speed", "hypercalls", "extents", "before", "down", "up again")
TROUBLE = (CommandError, Failure, GuestError, HostError, ImageError, MeterError, Timeout,
           packages.PackageError)


def show(kind, driver, result):
    """Draw what one guest's memory went through."""
    print(f"\n{kind.upper()} guest, Linux {KERNEL}, {driver} driver: each character is 2 MiB")
    print("\n".join(draw.side_by_side({title: result["maps"][when].regions
                                       for when, title in TITLES.items()})))
    print(draw.legend(), flush=True)


def row(kind, driver, result, yardstick):
    """Return one guest's line of the table: its speed is the in-tree driver's time by its own."""
    return (kind.upper(), driver, f"{yardstick / result['seconds']:.1f} x", result["calls"],
            result["extents"], *(result["maps"][when].superpages for when in TITLES))


def compare(lab, kind):
    """Take two guests of one kind through the cycle and return the table's lines."""
    intree, ours = lab.guests([{"kind": kind, "kernel": KERNEL, "memory": HIGH, "name": name}
                               for name in (f"{kind}-{INTREE}", f"{kind}-{OURS}")])
    ours.load()
    results = {}
    for driver, guest in ((INTREE, intree), (OURS, ours)):
        results[driver] = cycle.measure(lab, guest, HIGH - LOW)
        show(kind, driver, results[driver])
        guest.destroy()
    yardstick = results[INTREE]["seconds"]
    return [row(kind, driver, result, yardstick) for driver, result in results.items()]


def tell(rows):
    """Print the table."""
    print(f"\n{HIGH} -> {LOW} -> {HIGH} MiB by target_kb. Speed: the in-tree driver's time by the driver's own.\n"
          "Before, down, up again: how many 2 MiB regions are one piece of the machine's memory.\n")
    print("\n".join(draw.table(HEAD, rows)))


def demonstrate(folder):
    """Boot, run everything, and print the table."""
    rows = []
    with Session(folder, [KERNEL]) as session:
        lab = Lab(session.host(), note=packages.say)
        for kind in KINDS:
            rows += compare(lab, kind)
    tell(rows)


def main():
    cached = (packages.CACHE / "images").exists()
    print("Two guests of a real Xen for each driver, in software emulation: this takes "
          + ("1 to 2 minutes." if cached else
             "about 10 minutes the first time, when packages are fetched, and 1 or 2 after that."), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("demo: ended by SIGTERM"))
    folder = make_folder()
    try:
        demonstrate(folder)
    except TROUBLE as trouble:
        sys.exit(f"demo: {trouble}\ndemo: the consoles' logs are in {folder}")
    except KeyboardInterrupt:
        sys.exit("\ndemo: ended at the keyboard")


if __name__ == "__main__":
    main()
