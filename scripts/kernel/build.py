#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Build test kernels, and print the folder of each, which holds bzImage, vmlinux, config and build/.

    build.py 6.12 base              prints it at once when it is in the cache
    build.py 6.12 base debug        builds what is missing in one tree
"""

import argparse
import signal
import sys

import kernels
import packages


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("series", choices=packages.SERIES)
    parser.add_argument("flavour", nargs="+", choices=kernels.FLAVOURS)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("build.py: ended by SIGTERM"))
    try:
        print(*kernels.folders(args.series, args.flavour), sep="\n")
    except (kernels.KernelError, packages.PackageError) as error:
        sys.exit(f"build.py: {error}")


if __name__ == "__main__":
    main()
