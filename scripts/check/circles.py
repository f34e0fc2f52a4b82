#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""No file of a module needs another that needs it back, be it through others.

    circles.py FOLDER       of the built objects in it, by what nm says of them
    circles.py -v FOLDER    and print who needs whom, those first that need nobody

A file needs another when it names a function or an object that stands there. What is reached
through a table of operations is not named.
"""

import argparse
import graphlib
import subprocess
import sys
from pathlib import Path


def symbols(path):
    """Return the names that an object defines for others, and those that it lacks."""
    said = subprocess.run(["nm", "-g", "-P", path], check=True, capture_output=True, text=True).stdout
    kinds = [line.split()[:2] for line in said.splitlines()]
    return {name for name, kind in kinds if kind != "U"}, {name for name, kind in kinds if kind == "U"}


def needs(paths):
    """Return by name of each file the names of those that it needs."""
    found = {path.stem: symbols(path) for path in paths}
    home = {name: file for file, (defined, _) in found.items() for name in defined}
    return {file: {home[name] for name in lacking if name in home} for file, (_, lacking) in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-v", "--verbose", action="store_true", help="print who needs whom")
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    # Of a module that was linked there are the whole, and what modpost added.
    whole = {path.with_suffix("").stem for path in args.folder.glob("*.mod.o")}
    paths = [path for path in sorted(args.folder.glob("*.o")) if path.name.partition(".")[0] not in whole]
    if not paths:
        sys.exit(f"circles.py: no built objects in {args.folder}, expected those of a module")
    graph = needs(paths)
    try:
        order = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        sys.exit(f"these need each other, in a circle: {' <- '.join(error.args[1])}")
    if args.verbose:
        for name in order:
            print(f"{name:18} needs {', '.join(sorted(graph[name], key=order.index)) or 'nobody'}")


if __name__ == "__main__":
    main()
