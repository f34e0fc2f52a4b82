# SPDX-License-Identifier: GPL-2.0
"""One boot of a test kernel in plain QEMU, to run a module of KUnit tests in.

    kernel = kernels.folder("6.12", "base")
    for line in boot(kernel, initramfs(build(kernel, "tests/kunit"), "seed=1")):
        ...
"""

import contextlib
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parents[1] / folder) for folder in ("lab", "kernel")]

import images       # noqa: E402
import packages     # noqa: E402
from host import die_with_parent    # noqa: E402

HERE = Path(__file__).resolve().parent
WORK = packages.CACHE / "kunit"
MEMORY = "1024"             # MiB; kmemleak's scans take longer with more
APPLETS = ("cat", "find", "insmod", "mkdir", "mount", "poweroff", "rmmod", "sleep", "stty", "tar")

# An oops, a lockup or a stall ends the boot: nothing after it could be trusted. The
# kernel's own watch on hung tasks would take a long test for one, as insmod waits for it.
OPTIONS = ("console=ttyS0 loglevel=5 printk.devkmsg=on init_on_alloc=1 oops=panic softlockup_panic=1 panic=-1 "
           "kasan_multi_shot no_timer_check sysctl.kernel.panic_on_rcu_stall=1 sysctl.kernel.hung_task_timeout_secs=0")
SYSRQ = b"l\nw\n"           # where are the CPUs, and who waits? The init script hands it on
LAST_WORDS = 5              # seconds for a silent kernel to tell
ASK_EVERY = 0.5             # seconds; any answer may come from where a function cannot be seen yet to have a caller
# What boot() says itself, for verdict.py
SILENT = "kunit: ended after {} s without a word"
LATE = "kunit: ended, as it took too long"


def build(kernel, source, variables=()):
    """Build the module of a folder in tests/ for a test kernel, and return its path.

    `kernel` is a folder as of kernels.folder(), `source` relative to the tree;
    `variables` go to make, as GCOV_PROFILE=y. Only what changed since the last time is
    compiled. Objects lie at the same places below objects(...) as sources in the tree.
    """
    folders = [(images.REPO / folder, folder) for folder in ("drivers", "include", "tests/kunit")]
    with images.locked("kunit"):
        module, = images.build_modules(kernel / "build", objects(kernel, source, variables), folders, source,
                                       variables)
    return module


def objects(kernel, source, variables=()):
    """Return the folder that build() works in."""
    return packages.CACHE / "build" / kernel.name / re.sub(r"\W", "-", " ".join((source, *variables)))


def base():
    """Return the path of what all boots have: busybox and the init script."""
    root = packages.userland()

    def pack():
        cpio = images.start_archive(root, HERE / "init")
        cpio.device("dev/ttyS1", 4, 65)
        for applet in APPLETS:
            cpio.link(f"bin/{applet}", "busybox")
        for folder in ("proc", "sys"):
            cpio.folder(folder)
        return cpio.bytes()
    return images.stored("kunit", [root, images.stamp(HERE / "init"), images.stamp(__file__)], pack)


def initramfs(module, parameters="", gcov=False):
    """Return the bytes of an initramfs that loads a module, and sends what gcov counted where asked to."""
    cpio = images.Cpio()
    cpio.file(f"module/{module.name}", module.read_bytes(), 0o644)
    cpio.file("parameters", parameters.encode(), 0o644)
    if gcov:
        cpio.folder("gcov")
    return base().read_bytes() + cpio.bytes()


def boot(kernel, image, options="", silence=60, seconds=900, counters=os.devnull):
    """Boot a test kernel with an initramfs, and yield the lines that it says on its console.

    One that says nothing for `silence` seconds is asked some times where it is, and ended; so is
    one that takes longer than `seconds` in all; both are seconds of a machine that is
    not busy with anything else. What comes from the second serial line, the archive of
    gcov's counters, goes to the file `counters`.
    """
    memfd = os.memfd_create("initramfs")
    with open(memfd, "wb", closefd=False) as out:
        out.write(image)
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", MEMORY,
               "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
               "-serial", "stdio", "-serial", f"file:{counters}",
               "-kernel", kernel / "vmlinux", "-initrd", f"/dev/fd/{memfd}", "-append", f"{OPTIONS} {options}"]
    qemu = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            pass_fds=[memfd], preexec_fn=die_with_parent)
    os.close(memfd)
    try:
        yield from lines(qemu, silence, seconds)
    finally:
        qemu.kill()
        qemu.wait()


class Clock:
    """Time as a process has it: where other processes keep it waiting for a CPU, less goes by."""

    def __init__(self, pid):
        self.pid = pid
        self.last = self._now()

    def _now(self):
        """Return the time, and how long the process's threads ran and waited to run, in ns."""
        ran = waited = 0
        with contextlib.suppress(OSError):      # one that ends
            for path in Path(f"/proc/{self.pid}/task").iterdir():
                times = (path / "schedstat").read_text().split()
                ran, waited = ran + int(times[0]), waited + int(times[1])
        return time.monotonic(), ran, waited

    def passed(self):
        """Return the seconds that have gone by since the last call."""
        now = self._now()
        wall, ran, waited = (max(0, new - old) for new, old in zip(now, self.last))
        self.last = now
        return wall * ran / (ran + waited) if ran else wall


def lines(qemu, silence, seconds):
    """Yield what QEMU says, line by line, until it has been silent too long, or in all has taken too long."""
    clock = Clock(qemu.pid)
    rest, why = b"", ""
    quiet = 0.0
    ask = LAST_WORDS
    while True:
        ready, _, _ = select.select([qemu.stdout], [], [], 0.25)
        passed = clock.passed()
        seconds, quiet = seconds - passed, 0.0 if ready else quiet + passed
        if ready:
            data = os.read(qemu.stdout.fileno(), 65536)
            if not data:
                break
            *whole, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace").rstrip("\r") for line in whole)
            time.sleep(0.02)        # more at once
        if why and seconds < 0:
            break
        if not why and (quiet >= silence or seconds < 0):
            why = LATE if seconds < 0 else SILENT.format(silence)
            seconds = LAST_WORDS
        if why and seconds <= ask:
            ask -= ASK_EVERY
            qemu.stdin.write(SYSRQ)
            qemu.stdin.flush()
    yield from filter(None, (rest.decode(errors="replace"), why))
