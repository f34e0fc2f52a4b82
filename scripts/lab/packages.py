#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The lab's packages: Debian's Xen, kernels and headers, taken apart into a cache.

Nothing is installed on the machine: packages come through its own apt, in the
newest version that apt knows of, and are unpacked below $XEN_BALLOON_CACHE.
What was found is remembered for a day, so that a run within it needs no
network; a kernel's image and headers always are of one version.

    packages.py headers 6.1     prints a KDIR to build a module against
    packages.py kernel 6.12     prints the path of the kernel's image
    packages.py source 6.12     prints where the source's scripts/ were unpacked
    packages.py fetch           fetches everything that the lab needs
"""

import argparse
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

CACHE = Path(os.environ.get("XEN_BALLOON_CACHE") or Path.home() / ".cache/xen-balloon")
SERIES = ("6.1", "6.12")
USERLAND = ("xen-hypervisor-4.17-amd64", "xen-utils-4.17", "xenstore-utils",
            "qemu-system-xen", "qemu-system-data", "seabios", "busybox-static")
WORKLOAD = ("stress-ng",)
KEXEC = ("kexec-tools", "makedumpfile")
SCRIPTS = ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch", "package/*")
DAY = 24 * 3600
TRIES = 3
SOURCE = "linux.tar.xz"


class PackageError(Exception):
    """A package is missing, or could not be fetched or unpacked."""


def say(text):
    print(f"# {text}", file=sys.stderr, flush=True)


def output(*command):
    """Return what a command prints; its failure is a PackageError."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise PackageError(f"{' '.join(command[:3])}: {done.stderr.strip()}")
    return done.stdout


@contextlib.contextmanager
def locked():
    """Keep other processes away from the cache of packages meanwhile."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "packages.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# What there is, in which version


def newer(a, b):
    """Order two package versions, for sorting."""
    def holds(relation):
        return subprocess.run(["dpkg", "--compare-versions", a, relation, b]).returncode == 0
    return -1 if holds("lt") else 1 if holds("gt") else 0


def versions(names):
    """Map each package name to the versions that apt can fetch, newest first."""
    found = {}
    for line in output("apt-cache", "madison", *names).splitlines():
        name, version = (field.strip() for field in line.split("|")[:2])
        if "Sources" not in line:
            found.setdefault(name, set()).add(version)
    return {name: sorted(known, key=functools.cmp_to_key(newer), reverse=True)
            for name, known in found.items()}


def newest(names):
    """Return [name, version] for each name, or say what apt does not know."""
    known = versions(names)
    missing = [name for name in names if name not in known]
    if missing:
        raise PackageError(f"apt knows no package {', '.join(missing)}; is this Debian 12 "
                           "with its main and security suites, and was apt-get update run?")
    return [[name, known[name][0]] for name in names]


def find_kernel(series):
    """Find the newest signed image of a series that has headers of its very version.

    The programs that its modules are built with come from another package, of which a newer version may have
    taken the place of that one already: the kernel is signed later.
    """
    pattern = re.compile(rf"linux-image-({re.escape(series)}\.[0-9][.+~0-9a-z]*(-\d+)?-amd64)$")
    names = output("apt-cache", "pkgnames", f"linux-image-{series}.").split()
    releases = [match[1] for match in map(pattern.match, names) if match]
    if not releases:
        raise PackageError(f"apt knows no linux-image of {series}; run apt-get update, or add "
                           "the suite that has it to apt's sources")
    images = versions(f"linux-image-{release}" for release in releases)
    headers = versions(f"linux-headers-{release}" for release in releases)
    pairs = [(version, release) for release in releases
             for version in images.get(f"linux-image-{release}", ())
             if version in headers.get(f"linux-headers-{release}", ())]
    pairs.sort(key=functools.cmp_to_key(lambda a, b: newer(a[0], b[0])))
    if not pairs:
        raise PackageError(f"no linux-image of {series} has headers of its own version")
    version, release = pairs[-1]
    depends = output("apt-cache", "show", f"linux-headers-{release}={version}")
    kbuild = re.search(r"linux-kbuild-[^ ,]*", depends)[0]
    wanted = [f"linux-image-{release}", f"linux-headers-{release}",
              re.search(r"linux-headers-[^ ,]*common", depends)[0]]
    same = version in versions([kbuild]).get(kbuild, ())
    return {"release": release,
            "packages": [[name, version] for name in wanted] + ([[kbuild, version]] if same else newest([kbuild]))}


def find_programs(names):
    """Find packages, and every library that their programs may load."""
    only = [f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks",
                                        "replaces", "enhances")]
    closure = output("apt-cache", "depends", "--recurse", *only, *names).splitlines()
    libraries = sorted({name for name in closure
                        if re.match(r"z?lib", name) and not re.match(r"lib(perl|python)", name)})
    return {"packages": newest(names) + newest(libraries)}


def find_source(series):
    return {"packages": newest([f"linux-source-{series}"])}


FINDERS = {"userland": functools.partial(find_programs, USERLAND),
           "workload": functools.partial(find_programs, WORKLOAD),
           "kexec": functools.partial(find_programs, KEXEC),
           **{f"kernel {series}": functools.partial(find_kernel, series) for series in SERIES},
           **{f"linux-source {series}": functools.partial(find_source, series) for series in SERIES}}


def update_lists():
    """Have apt look for newer versions where we may; without a network the old lists serve."""
    if os.geteuid() == 0:
        say("asking apt for newer packages")
        subprocess.run(["apt-get", "-qq", "update"], capture_output=True)


def remembered():
    """Return what was found up to now, and when."""
    record = CACHE / "packages.json"
    return json.loads(record.read_text()) if record.exists() else {}


def remember(what, value):
    """Keep what was found."""
    part = CACHE / "packages.json.part"
    part.write_text(json.dumps({**remembered(), what: value}, indent=1))
    part.rename(CACHE / "packages.json")


def found(what):
    """Return what `what` consists of: as found within a day, else by asking apt again."""
    known = remembered()
    if what in known and time.time() - known[what]["time"] < DAY:
        return known[what]
    if time.time() - known.get("updated", 0) > DAY:
        update_lists()
        remember("updated", time.time())
    return {"time": time.time(), **FINDERS[what]()}


# Fetching and unpacking


def download(name, version, folder):
    """Fetch one package into `folder` and return its path."""
    say(f"fetching {name} {version}")
    for attempt in range(TRIES):
        if attempt:
            time.sleep(2 * attempt)
            update_lists()
        done = subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download",
                               f"{name}={version}"], cwd=folder, capture_output=True, text=True)
        packages = list(folder.glob(f"{name}_*.deb"))
        if done.returncode == 0 and packages:
            return packages[0]
    raise PackageError(f"{name} {version} could not be fetched in {TRIES} tries: "
                       f"{done.stderr.strip()}")


def place(what, entry):
    """Return the folder for `what` in the versions of `entry`."""
    key = hashlib.sha256(json.dumps(entry["packages"]).encode()).hexdigest()[:12]
    return CACHE / "packages" / f"{what.replace(' ', '-')}-{key}"


def take_apart(root, entry, unpack, finish):
    """Fetch and unpack all the packages of `entry` into a new folder."""
    part = root.with_name(root.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    debs = part / "debs"
    debs.mkdir(parents=True)
    for name, version in entry["packages"]:
        unpack(download(name, version, debs), part)
    shutil.rmtree(debs)
    finish(part, entry)
    part.rename(root)


def unpacked(what, unpack, finish=lambda root, entry: None):
    """Return (folder, entry) with all the packages of `what` unpacked side by side.

    Where newer ones cannot be had, those of the cache serve for another day.
    """
    with locked():
        before = remembered().get(what)
        try:
            entry = found(what)
            root = place(what, entry)
            if not root.exists():
                take_apart(root, entry, unpack, finish)
        except PackageError as error:
            if not before or not place(what, before).exists():
                raise
            say(f"{what} stays as it is in the cache: {error}")
            entry = {**before, "time": time.time()}
            root = place(what, entry)
        if entry != before:
            remember(what, entry)
        for old in root.parent.glob(f"{what.replace(' ', '-')}-*"):
            if old != root:
                shutil.rmtree(old)
    return root, entry


def unpack_all(package, root):
    output("dpkg", "-x", str(package), str(root))


def unpack_source(package, root):
    """Keep a kernel's source packed, and unpack of it the scripts that check a patch or serve a build."""
    output("dpkg", "-x", str(package), str(root / "whole"))
    packed, = (root / "whole/usr/src").glob("linux-source-*.tar.xz")
    packed.rename(root / SOURCE)
    shutil.rmtree(root / "whole")
    output("tar", "-xJf", str(root / SOURCE), "-C", str(root), "--strip-components=1", "--wildcards",
           *(f"*/scripts/{name}" for name in SCRIPTS))


def relocate_headers(root, entry):
    """Let the headers find each other where they are, not below /usr."""
    folder = root / f"usr/src/linux-headers-{entry['release']}"
    for path in folder.rglob("*"):
        if path.is_symlink() and os.readlink(path).startswith("/"):
            target = root / os.readlink(path)[1:]
            path.unlink()
            path.symlink_to(os.path.relpath(target, path.parent))
    final = root.with_suffix("")
    for path in (folder / "Makefile", folder / ".kernelvariables"):
        if path.exists():
            text = path.read_text()
            path.write_text(re.sub(r"(?<![\w/.-])/usr/(src|lib)/linux", rf"{final}/usr/\1/linux", text))


def kernel_tree(series):
    """Return (folder, release): image, modules and headers of one version."""
    root, entry = unpacked(f"kernel {series}", unpack_all, relocate_headers)
    return root, entry["release"]


def headers(series):
    """Return a KDIR for modules of the series' newest kernel."""
    root, release = kernel_tree(series)
    return root / f"usr/src/linux-headers-{release}"


def kernel(series):
    """Return the path of the series' newest kernel image."""
    root, release = kernel_tree(series)
    return root / f"boot/vmlinuz-{release}"


def modules(series):
    """Return the folder of the modules that belong to kernel(series)."""
    root, release = kernel_tree(series)
    return root / f"lib/modules/{release}"


def source_tree(series):
    """Return (folder, version) of a kernel's source: SOURCE, and scripts/."""
    root, entry = unpacked(f"linux-source {series}", unpack_source)
    return root, entry["packages"][0][1]


def source(series):
    """Return the folder that has a kernel's checkpatch.pl and its tables."""
    return source_tree(series)[0] / "scripts"


def userland():
    """Return the folder where Xen, its tools, their libraries and busybox are unpacked."""
    return unpacked("userland", unpack_all)[0]


def workload():
    """Return the folder where the programs that load a guest, and their libraries, are unpacked."""
    return unpacked("workload", unpack_all)[0]


def kexec():
    """Return the folder where the programs that boot another kernel, or save a crashed one's memory, are unpacked."""
    return unpacked("kexec", unpack_all)[0]


def fetch():
    """Fetch everything that the checks' lab needs."""
    userland()
    for series in SERIES:
        kernel(series)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("headers", "kernel"):
        commands.add_parser(name).add_argument("series", choices=SERIES)
    commands.add_parser("source").add_argument("series", choices=["6.12"])
    commands.add_parser("fetch")
    args = parser.parse_args()
    try:
        if args.command == "fetch":
            fetch()
        else:
            print({"headers": headers, "kernel": kernel, "source": source}[args.command](args.series))
    except PackageError as error:
        sys.exit(f"packages.py: {error}")


if __name__ == "__main__":
    main()
