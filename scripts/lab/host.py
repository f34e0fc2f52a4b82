# SPDX-License-Identifier: GPL-2.0
"""The host: one boot of Xen and dom0 in QEMU, and the serial line to the agent in dom0.

A thread of its own takes what comes from there apart (init/serial.c tells the
frames); all that it shares with the others is guarded by one condition, which
is notified when anything arrived. Every wait has an end: at its timeout, or when
QEMU is gone.
"""

import contextlib
import ctypes
import fcntl
import hashlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import images
import packages
from watch import Watch
from xenstore import Xenstore

DOM0_MIB = 1200             # room for a saved guest, and for HVM's device models
BOOT_TIMEOUT = 300
CPU = "max,smap=off,smep=off,la57=off,pku=off,rdtscp=off,xsave=off,avx=off,avx2=off,fma=off,erms=off"
# erms: a "rep stosb" is emulated byte by byte, and to zero a page would take 8 times as long as with "rep stosq".
# eager-fpu: switched lazily, guests' SSE registers got mixed up under emulation.
XEN_OPTIONS = ("console=com1 com1=115200,8n1 sync_console loglvl=all guest_loglvl=all conring_size=1M "
               f"dom0_mem={DOM0_MIB}M,max:{DOM0_MIB}M dom0_max_vcpus=1 dom0_vcpus_pin bootscrub=0 "
               "spec-ctrl=no,eager-fpu")
DOM0_OPTIONS = "console=hvc0 loglevel=5 panic=-1 mitigations=off"
FRAME = re.compile(r"(?P<kind>[RXCJ])( (?P<id>\d+) (?P<status>\d+))?? (?P<lengths>\d+( \d+)?)( (?P<name>\D\S*))?")
POLL = 0.5
PR_SET_PDEATHSIG = 1


class HostError(Exception):
    """Xen, dom0 or QEMU did not do what the bench needs of it."""


class CommandError(Exception):
    """A command in dom0 or in a guest failed."""


class Timeout(Exception):
    """A bounded wait came to its end."""


def result(what, status, out, err, check):
    """Return what a command printed; its failure is an exception where it is to be checked."""
    if check and status:
        raise CommandError(f"{what}: exit status {status}: {(err or out).strip()[-1000:]}")
    return out


@dataclass(frozen=True)
class Machine:
    """What Xen boots on. One of several NUMA nodes has a CPU in each.

    CPU 0 is dom0's. For a benchmark there are its programs, and all of the machine's memory is there
    from the start, so that no guest is slow because it touches some first.
    """

    nodes: int = 1
    memory: int = 3500          # MiB
    cpus: int = 2
    bench: bool = False
    kexec: bool = False         # there is an initrd with what boots another kernel


class Host:
    """One boot of Xen and dom0."""

    def __init__(self, folder, kernels, machine):
        self.folder = Path(folder)
        self.kernels = kernels
        self.machine = machine
        self.watch = Watch()
        self.condition = threading.Condition()
        self.store = Xenstore(self._send_store, self.wait, self.condition)
        self._ids = count(1)
        self._answers = {}
        self._ready = False
        self.arrivals = 0           # grows with all that comes from QEMU
        self._pending = b""
        self._sending = threading.Lock()
        self._debugging = threading.Lock()
        self._cleanup = contextlib.ExitStack()
        self._qemu = None
        self.memory_files = []      # of each node in turn

    # Boot and end

    def __enter__(self):
        try:
            self._boot()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _boot(self):
        lock = self._cleanup.enter_context(open(packages.CACHE / "lab.lock", "w"))
        if not self._lock(lock):
            packages.say("waiting for another run on this machine to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        start = time.monotonic()
        with images.locked():
            xen, vmlinux = images.xen(), images.kernel_elf(images.DOM0_SERIES)
            images.dom0_image(self.folder / "dom0.img", self.kernels, self.machine.bench, self.machine.kexec)
        self._cleanup.callback((self.folder / "dom0.img").unlink, missing_ok=True)
        self.memory_files = self._make_memory_files(self.machine.memory, self.machine.nodes)
        for path in self.memory_files:
            self._cleanup.callback(path.unlink, missing_ok=True)
        sockets = self._cleanup.enter_context(tempfile.TemporaryDirectory())
        packages.say("booting Xen and dom0")
        self._start(xen, vmlinux, f"{sockets}/agent")
        self.wait(lambda: self._ready, BOOT_TIMEOUT, "dom0 to boot")
        (self.folder / "dom0.img").unlink()
        if self.watch.reports:
            raise HostError("reported while Xen and dom0 booted:\n" + "\n".join(self.watch.reports))
        packages.say(f"Xen and dom0 are up after {time.monotonic() - start:.0f} s")

    @staticmethod
    def _lock(lock):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @staticmethod
    def _make_memory_files(mib, nodes):
        """Return empty files for the memory of the machine's nodes; those that a killed run left behind go."""
        name = f"xen-balloon-{hashlib.sha256(bytes(packages.CACHE)).hexdigest()[:8]}"
        for folder in (Path("/dev/shm"), packages.CACHE):
            for old in folder.glob(f"{name}*"):
                old.unlink(missing_ok=True)
            if folder.is_dir() and shutil.disk_usage(folder).free > mib << 20:
                paths = [folder / f"{name}-{node}" for node in range(nodes)]
                for path in paths:
                    path.touch(0o600)
                return paths
        raise HostError(f"neither /dev/shm nor {packages.CACHE} has {mib} MiB free for the machine's memory")

    def _start(self, xen, vmlinux, path):
        """Start QEMU, and the threads that listen to it."""
        log = self.folder / "xen.log"
        log.touch()
        listener = socket.socket(socket.AF_UNIX)
        self._cleanup.enter_context(listener)
        listener.bind(path)
        listener.listen()
        listener.settimeout(60)
        self._qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", CPU, "-smp", str(self.machine.cpus),
             "-m", f"{self.machine.memory}M", *self._memory(), "-display", "none", "-monitor", "none", "-no-reboot",
             "-net", "none", "-serial", f"file:{log}", "-chardev", f"socket,id=agent,path={path}",
             "-serial", "chardev:agent", "-kernel", xen, "-append", XEN_OPTIONS,
             "-initrd", f"{vmlinux} {DOM0_OPTIONS},{self.folder}/dom0.img"],
            stdin=subprocess.DEVNULL, stderr=open(self.folder / "qemu.log", "wb"), preexec_fn=die_with_parent)
        self._cleanup.callback(self._stop)
        try:
            self._line, _ = listener.accept()
        except TimeoutError:
            raise HostError(f"QEMU did not start; see {self.folder}/qemu.log") from None
        self._cleanup.enter_context(self._line)
        self._xen_log = open(log, "rb")
        self._cleanup.enter_context(self._xen_log)
        for listen in (self._listen, self._follow):
            threading.Thread(target=listen, daemon=True).start()

    def _memory(self):
        """Return the machine's memory in QEMU's words: in a file for each of its nodes, one for each CPU."""
        nodes, mib = self.machine.nodes, self.machine.memory
        words = []
        for i, path in enumerate(self.memory_files):
            words += ["-object", f"memory-backend-file,id=memory{i},size={mib // nodes}M,mem-path={path},share=on"
                      + (",prealloc=on" if self.machine.bench else "")]
            if nodes > 1:
                words += ["-numa", f"node,memdev=memory{i},cpus={i}"]
        return words if nodes > 1 else ["-machine", "pc,memory-backend=memory0", *words]

    def _stop(self):
        self._qemu.kill()
        self._qemu.wait()

    def close(self):
        """End QEMU, and remove what is of no use after it."""
        self._cleanup.close()

    def alive(self):
        return self._qemu.poll() is None

    # What comes from QEMU

    def _listen(self):
        """Take what the agent sends, until the line is closed."""
        with contextlib.suppress(OSError):
            while data := self._line.recv(65536):
                with self.condition:
                    self._pending += data
                    while self._take_frame():
                        pass
                    self._arrived()

    def _arrived(self):
        self.arrivals += 1
        self.condition.notify_all()

    def _take_frame(self):
        """Take one frame from the front of what came; return whether there was one."""
        header, newline, rest = self._pending.partition(b"\n")
        if not newline:
            return False
        frame = FRAME.fullmatch(header.decode(errors="replace"))
        if not frame:           # noise on the line
            self._pending = rest
            return True
        lengths = [int(length) for length in frame["lengths"].split()]
        if len(rest) < sum(lengths):
            return False
        data, self._pending = rest[:sum(lengths)], rest[sum(lengths):]
        match frame["kind"]:
            case "R":
                self._ready = True
            case "X":
                self.store.receive(data)
            case "C":
                with open(self.folder / frame["name"], "ab") as log:
                    log.write(data)
                self.watch.feed(frame["name"].removesuffix(".log"), data)
            case "J":
                out, err = (part.decode(errors="replace") for part in (data[:lengths[0]], data[lengths[0]:]))
                self._answers[int(frame["id"])] = int(frame["status"]), out, err
        return True

    def _follow(self):
        """Feed the watch with what Xen and dom0 say on the first serial line."""
        with contextlib.suppress(ValueError):   # closed
            while True:
                data = self._xen_log.read()
                if data:
                    with self.condition:
                        self.watch.feed("xen", data)
                        self._arrived()
                elif not self.alive():
                    return
                else:
                    time.sleep(0.1)

    # What the others do with it

    def wait(self, predicate, timeout, what):
        """Wait until predicate(), which is called with the condition held."""
        end = time.monotonic() + timeout
        with self.condition:
            while not predicate():
                if not self.alive():
                    raise HostError(f"QEMU is gone while waiting for {what}; see {self.folder}/xen.log")
                left = end - time.monotonic()
                if left <= 0:
                    raise Timeout(f"waited {timeout} s for {what}, in vain")
                self.condition.wait(min(left, POLL))

    def _send(self, data):
        with self._sending:
            try:
                self._line.sendall(data)
            except OSError as error:
                raise HostError(f"the line to dom0 is broken: {error}") from None

    def _send_store(self, data):
        self._send(b"X %d\n%b" % (len(data), data))

    def dom0(self, command, timeout=60, check=True):
        """Run a shell command in dom0 and return what it printed."""
        serial = next(self._ids)
        data = command.encode()
        self._send(b"J %d %d\n%b" % (serial, len(data), data))
        self.wait(lambda: serial in self._answers, timeout, f"dom0 to run: {command}")
        with self.condition:
            answer = self._answers.pop(serial)
        return result(f"dom0: {command}", *answer, check)

    def debug_key(self, key):
        """Return what Xen prints on its console for a debug key."""
        log = self.folder / "xen.log"
        with self._debugging:
            mark = log.stat().st_size
            self.dom0(f"xl debug-keys {key}")
            with open(log, "rb") as console:
                console.seek(mark)
                return console.read().decode(errors="replace")

    def domain_pages(self, domid):
        """Return Xen's own count of a domain's pages."""
        said = self.debug_key("q")
        found = re.search(rf"General information for domain {domid}:.*?nr_pages=(\d+)", said, re.DOTALL)
        if not found:
            raise HostError(f"Xen printed no nr_pages of domain {domid} for debug-key q: {said[-500:]}")
        return int(found[1])

    def free_kb(self):
        """Return how much memory Xen has left to give, as xl tells it (whole MiB)."""
        return int(re.search(r"^free_memory\s*:\s*(\d+)", self.dom0("xl info"), re.MULTILINE)[1]) * 1024


def die_with_parent():
    """Let a killed run leave no QEMU behind."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
