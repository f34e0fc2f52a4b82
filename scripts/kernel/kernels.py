# SPDX-License-Identifier: GPL-2.0
"""The test kernels: Debian's linux-source, built in the flavours whose fragments stand beside this file.

Debian's own kernels have neither KUnit nor KASAN. What a build leaves is kept in
the cache, until the source, a fragment, the compiler or the recipe changes:

    bzImage     boots anywhere
    vmlinux     the same as a stripped ELF file, which Xen's tools load faster
    config      all options
    build/      a KDIR to build modules against

Sources and objects are gone when a build ends. One build at a time: a process
that needs a kernel waits for the one that builds.
"""

import contextlib
import ctypes
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "lab"))

import packages     # noqa: E402: it is not beside this file

FLAVOURS = {        # and their fragments; neighbours share the most objects
    "base": ("base",),
    "nounpopulated": ("base", "nounpopulated"),
    "lockdep": ("base", "distribution", "lockdep"),
    "lending": ("base", "nounpopulated", "distribution", "lockdep", "lending"),
    "debug": ("base", "distribution", "debug"),
}
KERNELS = packages.CACHE / "kernels"
WORK = KERNELS / "work"
# With KASAN the first code of a Xen guest dies of a shadow that is not there yet.
VARIABLES = ("KASAN_SANITIZE_enlighten_pvh.o=n", "KASAN_SANITIZE_enlighten_pv.o=n")
RECIPE = 1              # raise it when something below changes what comes out
EXTMOD = "6.12"         # the series whose script packs what a module's build needs; good for all

OBJECTS = 1250          # about as many has a whole kernel; only shown
PERIOD = 20             # seconds from one line of progress to the next
OBJECT = re.compile(r"^  (CC|AS) .*\.o$", re.MULTILINE)
OPTION = re.compile(r"(?:# )?(CONFIG_\w+)(?:=(.*)| is not set)")
PR_SET_PDEATHSIG = 1


class KernelError(packages.PackageError):
    """A kernel does not build, or not as its fragments say."""


# What is wanted


def named(text):
    """Return the name of one of Debian's kernels, as 6.12, or of ours, as 6.12-debug; debug alone is the newest's."""
    name = text if text[:1].isdigit() else f"{packages.SERIES[-1]}-{text}"
    series, dash, flavour = name.partition("-")
    if series not in packages.SERIES or flavour not in (FLAVOURS if dash else ("",)):
        raise ValueError(f"there is no kernel {text}")
    return name


def flavour_of(name):
    """Return the flavour of a kernel of ours; nothing for one of Debian's."""
    return name.partition("-")[2]


def lends(name):
    """Return whether drivers borrow from the balloon in a kernel, as they do in none of Debian's."""
    return "nounpopulated" in FLAVOURS.get(flavour_of(name), ())


def options(path):
    """Map each option that a file of Kconfig's names to its value, None where it is not set."""
    return {found[1]: found[2] for found in map(OPTION.fullmatch, path.read_text().splitlines()) if found}


def wanted(series, flavour):
    """Return the options of a flavour: a later fragment overrides the earlier ones.

    What only one series can bear stands in a fragment of its own, such as debug-6.12.config.
    """
    merged = {}
    for name in FLAVOURS[flavour]:
        for path in (HERE / f"{name}.config", HERE / f"{name}-{series}.config"):
            merged.update(options(path) if path.exists() else {})
    return merged


def patches(series, flavour):
    """Return what is mended in a kernel that proves locks: the first bad one would silence that for all others."""
    proves = wanted(series, flavour).get("CONFIG_PROVE_LOCKING")
    return sorted(HERE.glob(f"*-{series}.patch")) if proves else []


@functools.lru_cache
def compiler():
    return packages.output("gcc", "--version").splitlines()[0]


def place(series, flavour):
    """Return the folder of a kernel, which need not be there yet."""
    version = packages.source_tree(series)[1]
    key = json.dumps([version, sorted(wanted(series, flavour).items()), compiler(), VARIABLES, RECIPE,
                      *(path.read_text() for path in patches(series, flavour))])
    return KERNELS / f"{series}-{flavour}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


# Building


def end_with_parent():
    """Let make end when this process is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def end_of(log):
    """Return what tells why a command failed: its errors, and the last that it said."""
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join([line for line in lines[:-15] if re.search(r"\berror\b|\*\*\*", line)][:20] + lines[-15:])


def run(what, *command):
    """Run a command that takes long; tell now and then how many objects it has built."""
    log = WORK / "log"
    start = time.monotonic()
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                   preexec_fn=end_with_parent)
    try:
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PERIOD)
                break
            built = len(OBJECT.findall(log.read_text(errors="replace")))
            packages.say(f"{what}, for {time.monotonic() - start:.0f} s" +
                         (f": {built} objects; a whole kernel has about {OBJECTS}" if built else ""))
    finally:
        process.terminate()
        process.wait()
    if process.returncode:
        raise KernelError(f"{what} failed:\n{end_of(log)}")


def make(what, *arguments):
    """Run a make that knows nothing of the make that may have started this process."""
    run(what, "env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make", "-C", WORK / "source", f"O={WORK}/objects",
        f"-j{os.cpu_count()}", *VARIABLES, *arguments)


def unpack(series):
    """Unpack a kernel's source to build it in several flavours."""
    shutil.rmtree(WORK, ignore_errors=True)
    for name in ("source", "objects"):
        (WORK / name).mkdir(parents=True)
    root, version = packages.source_tree(series)
    run(f"unpacking Linux {version}", "tar", "-xJf", root / packages.SOURCE, "-C", WORK / "source",
        "--strip-components=1")


def dropped(merged, got):
    """Say for each wanted option that is not in the configuration as it is wanted what it is there."""
    def said(value):
        return "not set" if value is None else value
    return [f"{option} is {said(got.get(option))}, wanted: {said(value)}"
            for option, value in merged.items() if got.get(option) != value]


def configure(name, merged):
    """Write the configuration; that Kconfig dropped a wanted option is an error."""
    fragment = WORK / "fragment"
    fragment.write_text("".join(f"# {option} is not set\n" if value is None else f"{option}={value}\n"
                                for option, value in merged.items()))
    make(f"configuring kernel {name}", f"KCONFIG_ALLCONFIG={fragment}", "allnoconfig")
    if lost := dropped(merged, options(WORK / "objects/.config")):
        raise KernelError(f"kernel {name} is not what its fragments say:\n" + "\n".join(lost))


def keep(name, path):
    """Put what is wanted of the objects into a folder of the cache, in place of earlier ones."""
    part = path.with_name("part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    objects = WORK / "objects"
    shutil.copyfile(objects / "arch/x86/boot/bzImage", part / "bzImage")
    shutil.copyfile(objects / ".config", part / "config")
    run(f"packing kernel {name}", "env", "-C", objects, f"srctree={WORK}/source", "SRCARCH=x86", "CC=gcc", "HOSTCC=gcc",
        "sh", packages.source(EXTMOD) / "package/install-extmod-build", part / "build")
    run(f"stripping kernel {name}", "strip", "-o", part / "vmlinux", objects / "vmlinux")
    for old in KERNELS.glob(f"{name}-" + "?" * 12):
        shutil.rmtree(old)
    part.rename(path)


def mend(path):
    """Apply a patch to the source; a later version of the kernel may have it, or need it no more."""
    command = ("patch", "-d", WORK / "source", "-p1", "--forward", "--reject-file=-", "-i", path)
    if subprocess.run((*command, "--dry-run"), capture_output=True, check=False).returncode:
        packages.say(f"{path.name} does not apply to this kernel, and is left out")
    else:
        run(f"applying {path.name}", *command)


def build(series, flavours):
    """Build flavours of one series, one after the other in one tree: those that are mended come last."""
    start = time.monotonic()
    mended = set()
    try:
        unpack(series)
        for flavour in flavours:
            name = f"{series}-{flavour}"
            path = place(series, flavour)       # as it is now: a fragment may change meanwhile
            packages.say(f"building kernel {name}, which takes minutes")
            for patch in patches(series, flavour):
                if patch not in mended:
                    mended.add(patch)
                    mend(patch)
            configure(name, wanted(series, flavour))
            make(f"building kernel {name}", "bzImage", "modules")
            keep(name, path)
            packages.say(f"kernel {name} is built, after {time.monotonic() - start:.0f} s in all")
    finally:
        shutil.rmtree(WORK)


def held(lock):
    """Try to take a lock, and return whether this process has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def locked():
    """Keep other processes from building meanwhile."""
    KERNELS.mkdir(parents=True, exist_ok=True)
    with open(KERNELS / "lock", "w") as lock:
        start = time.monotonic()
        while not held(lock):
            packages.say(f"waiting for another process to build a kernel, for {time.monotonic() - start:.0f} s")
            end = time.monotonic() + PERIOD
            while time.monotonic() < end and not held(lock):
                time.sleep(0.5)
        yield


# What others call


def missing(series, flavours):
    """Return those of the flavours that are not in the cache, in the order to build them in."""
    return [flavour for flavour in FLAVOURS if flavour in flavours and not place(series, flavour).exists()]


def folders(series, flavours):
    """Return the folders of several kernels of a series; what is missing is built."""
    if missing(series, flavours):
        with locked():
            if todo := missing(series, flavours):
                build(series, todo)
    return [place(series, flavour) for flavour in flavours]


def folder(series, flavour):
    """Return the folder of a kernel; it is built if it is missing."""
    return folders(series, [flavour])[0]


def ours(name):
    """Return the folder of a kernel by its name, such as 6.12-debug; None where it is Debian's."""
    return folder(*name.split("-")) if flavour_of(name) else None
