# SPDX-License-Identifier: GPL-2.0
"""The lab's images: what dom0 and the guests boot, put together from packages and this tree.

A kernel is named by its series, such as 6.12, where it is Debian's, and by series and
flavour, such as 6.12-debug, where it is one of scripts/kernel.

All are kept in the cache and made again only when something in them changed. An
initramfs is a row of cpio archives, so that what seldom changes is packed once.
"""

import contextlib
import fcntl
import functools
import gzip
import hashlib
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import packages

REPO = Path(__file__).resolve().parents[2]
sys.path.append(str(REPO / "scripts/kernel"))

import kernels      # noqa: E402: it is not beside this file

INIT = REPO / "scripts/lab/init"
GUEST = REPO / "tests/lab/guest"
DOM0 = REPO / "tests/lab/dom0"
PRELOAD = REPO / "tests/lab/preload"
BENCH = REPO / "tests/bench/guest"
BENCH_DOM0 = REPO / "tests/bench/dom0"
DRIVER = [(REPO / folder, folder) for folder in ("drivers", "include")]
SELFTESTS = {"compaction_test": (), "transhuge-stress": ("vm_util",)}     # of mm/, and what each needs of it
SELFTESTS_FROM = "6.12"
SELFTESTS_UAPI = ("fs.h", "userfaultfd.h")
DOM0_SERIES = "6.1"
CFLAGS = ("-O2", "-Wall")
SHARED = ("-shared", "-fPIC")

XEN_BIN = "usr/lib/xen-4.17/bin"
DOM0_PROGRAMS = (*(f"{XEN_BIN}/{name}" for name in (
    "xl", "xentrace", "xenstored", "xenconsoled", "xen-init-dom0", "libxl-save-helper")),
    *(f"usr/bin/xenstore-{name}" for name in ("exists", "list", "ls", "read", "rm", "watch", "write")),
    "usr/libexec/xen-qemu-system-i386")
DOM0_LOADED = ("libgcc_s.so.1",)        # libxl loads it at run time
DOM0_FILES = ("usr/lib/xen-4.17/boot/hvmloader", "usr/share/seabios/bios-256k.bin",
              "usr/share/qemu/linuxboot.bin", "usr/share/qemu/linuxboot_dma.bin",
              "usr/share/qemu/kvmvapic.bin", "usr/share/qemu/keymaps/en-us")
BENCH_PROGRAMS = {"bench": (), "work": ("usr/bin/stress-ng",)}     # which is large, with its libraries
KEXEC_PROGRAMS = ("sbin/kexec", "usr/bin/makedumpfile")
# Built into kernels of ours, and some into others.
GUEST_MODULES = ("xen-gntdev", "xen-gntalloc", "lz4_compress", "lz4hc_compress", "zsmalloc", "zram",
                 "crc16", "crc32c_generic", "mbcache", "jbd2", "ext4", "loop")
DOM0_MODULES = ("xen-privcmd", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xenfs")
LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")
LOADER = "lib64/ld-linux-x86-64.so.2"

DECOMPRESSORS = {b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd",
                 b"\x02\x21\x4c\x18": "lz4"}


class ImageError(Exception):
    """An image cannot be put together: something does not build, or is not as expected."""


class Cpio:
    """An archive in the format that the kernel takes for an initramfs."""

    def __init__(self):
        self.parts = []
        self.known = set()

    def _entry(self, path, mode, data, device=(0, 0)):
        name = path.encode() + b"\0"
        fields = (len(self.known), mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self.parts += [head, b"\0" * (-len(head) % 4), data, b"\0" * (-len(data) % 4)]
        self.known.add(path)

    def _parents(self, path):
        parent = os.path.dirname(path)
        if parent and parent not in self.known:
            self._parents(parent)
            self._entry(parent, 0o40755, b"")

    def file(self, path, data, mode=0o755):
        self._parents(path)
        self._entry(path, 0o100000 | mode, data)

    def link(self, path, target):
        self._parents(path)
        self._entry(path, 0o120777, target.encode())

    def folder(self, path):
        self._parents(f"{path}/")

    def device(self, path, major, minor):
        self._parents(path)
        self._entry(path, 0o20600, b"", (major, minor))

    def bytes(self):
        self._entry("TRAILER!!!", 0, b"")
        whole = b"".join(self.parts)
        return whole + b"\0" * (-len(whole) % 512)


def run(*command, cwd=None):
    """Run a build command; what it prints is told only when it fails."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        error = re.search(r"^.*\b(error|ERROR)\b", done.stdout, re.MULTILINE)
        said = done.stdout[error.start():][:4000] if error else done.stdout[-4000:]
        raise ImageError(f"{' '.join(map(str, command[:3]))} failed:\n{said}")
    return done.stdout


@contextlib.contextmanager
def locked(what="images"):
    """Keep other runs from building the same at the same time, in a folder of the cache."""
    folder = packages.CACHE / what
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stored(name, key, make):
    """Return the path of a cached file that make() fills anew when `key` changes."""
    digest = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
    folder = packages.CACHE / "images"
    path = folder / f"{name}-{digest}"
    if not path.exists():
        packages.say(f"building {name}")
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_bytes(make())
        for old in folder.glob(f"{name}-" + "?" * 16):
            old.unlink()
        part.rename(path)
    return path


def stamp(path):
    """What tells one state of a file from another."""
    return Path(path).name, hashlib.sha256(Path(path).read_bytes()).hexdigest()


# Kernels, Xen


def decompress(data):
    """Return the decompressed payload of a kernel image."""
    kind = next((kind for magic, kind in DECOMPRESSORS.items() if data.startswith(magic)), None)
    if kind == "gzip":
        return zlib.decompressobj(31).decompress(data)
    if kind == "xz":
        return lzma.LZMADecompressor().decompress(data)
    if kind and shutil.which(kind):
        done = subprocess.run([kind, "-dc"], input=data, capture_output=True)
        if done.stdout:
            return done.stdout      # the trailing length is no error of the payload
    raise ImageError(f"cannot decompress a kernel image ({kind or data[:6].hex()}): install {kind}")


def kernel_image(name):
    """Return the path of a kernel's compressed image."""
    folder = kernels.ours(name)
    return folder / "bzImage" if folder else packages.kernel(name)


def kernel_elf(name):
    """Return the path of a kernel's ELF image, which Xen's tools load faster than the compressed one."""
    if folder := kernels.ours(name):
        return folder / "vmlinux"
    image = packages.kernel(name)

    def extract():
        data = image.read_bytes()
        sectors = data[0x1f1] or 4
        offset, length = struct.unpack_from("<II", data, 0x248)     # payload_offset, payload_length
        start = (sectors + 1) * 512 + offset
        return decompress(data[start:start + length])
    return stored(f"vmlinux-{name}", image, extract)


def xen():
    """Return the path of the uncompressed hypervisor."""
    image = packages.userland() / "boot/xen-4.17-amd64.gz"
    return stored("xen", image, lambda: gzip.decompress(image.read_bytes()))


# Programs and modules of this tree


def program(name, sources, how=("-static",)):
    """Return the path of a program, static unless `how` says otherwise."""
    headers = sorted({header for source in sources for header in source.parent.glob("*.h")})

    def build():
        out = packages.CACHE / "images" / f"{name}.tmp"
        run("gcc", *CFLAGS, *how, "-o", out, *sources)
        data = out.read_bytes()
        out.unlink()
        return data
    return stored(name, [how, *(stamp(path) for path in (*sources, *headers))], build)


def programs(folder):
    """Return (name, path) of each static program whose source is a file of this folder."""
    return [(source.stem, program(f"program-{source.stem}", [source])) for source in sorted(folder.glob("*.c"))]


def preloads():
    """Return (name, path) of each library that changes what one of Xen's programs in dom0 does."""
    return [(f"{source.stem}.so", program(f"preload-{source.stem}", [source], SHARED))
            for source in sorted(PRELOAD.glob("*.c"))]


def selftest(name, helpers):
    """Return the path of one of the kernel's own mm selftests, as a static program."""
    root, version = packages.source_tree(SELFTESTS_FROM)

    def build():
        with tempfile.TemporaryDirectory() as folder:
            wanted = [f"tools/testing/selftests/{path}" for path in ("kselftest.h", "mm/*.[ch]")]
            run("tar", "-xJf", root / packages.SOURCE, "-C", folder, "--strip-components=1", "--wildcards",
                *(f"*/{path}" for path in (*wanted, *(f"include/uapi/linux/{name}" for name in SELFTESTS_UAPI))))
            uapi = Path(folder) / "uapi/linux"      # newer than the machine's, and no others of that source
            uapi.parent.mkdir()
            (Path(folder) / "include/uapi/linux").rename(uapi)
            mm = Path(folder) / "tools/testing/selftests/mm"
            run("gcc", "-O2", "-static", "-D_GNU_SOURCE", f"-I{uapi.parent}", "-o", mm / name,
                *(mm / f"{part}.c" for part in (name, *helpers)))
            return (mm / name).read_bytes()
    return stored(f"selftest-{name}", [version, helpers, stamp(__file__)], build)


def copy_changed(source, target):
    """Make `target` a copy of what `source` holds to build a module; leave alone what is the same."""
    wanted = {path.relative_to(source) for path in source.rglob("*")
              if path.is_file() and (path.suffix in (".c", ".h") or path.name in ("Kbuild", "Makefile"))}
    for path in target.rglob("*"):
        if path.is_file() and path.suffix in (".c", ".h") and not path.name.endswith(".mod.c") \
                and path.relative_to(target) not in wanted:
            path.unlink()
    for path in wanted:
        old, new = target / path, source / path
        if not old.exists() or old.read_bytes() != new.read_bytes():
            old.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(new, old)


def build_modules(kdir, build, folders, below="", variables=()):
    """Build what the Kbuild file in `build`/`below` names, for the kernel whose KDIR this is.

    Every one of `folders`, a path and its place below `build`, is copied there first.
    Only what changed since the last time is compiled. Returns the modules' paths.
    """
    for folder, at in folders:
        copy_changed(folder, build / at)
    run("make", "-s", f"-j{os.cpu_count()}", "-C", kdir, f"M={build / below}", "CONFIG_DEBUG_INFO_BTF_MODULES=",
        *variables, "modules")
    return list((build / below).rglob("*.ko"))


def build_module(series, name, folders, at=None, below=""):
    """Build modules from copies of folders, for a kernel by its name, and return them.

    Their Kbuild file is that of the folder `at`, or what is in the place `below` of the copies.
    """
    folder = kernels.ours(series)
    headers = folder / "build" if folder else packages.headers(series)
    release = folder.name if folder else headers.name.removeprefix("linux-headers-")
    build = packages.CACHE / "build" / release / name
    build.mkdir(parents=True, exist_ok=True)
    if at:
        shutil.copyfile(at / "Kbuild", build / "Kbuild")
    return build_modules(headers, build, folders, below)


@functools.lru_cache
def modules(series):
    """Return the modules that go into a guest of this kernel: the driver, and those of the tests."""
    wanted = [("driver", DRIVER, REPO)]
    wanted += [(kbuild.parent.name, [(kbuild.parent, "")], kbuild.parent) for kbuild in sorted(GUEST.glob("*/Kbuild"))]
    if kernels.flavour_of(series):      # Debian's have no KUnit
        wanted.append(("kunit", [*DRIVER, (REPO / "tests/kunit", "tests/kunit")], None, "tests/kunit"))
    return those_that_build(series, wanted)


@functools.lru_cache
def bench_modules(series):
    """Return the modules that only a benchmark's guest of this kernel has: they may use parts of the driver."""
    folders = [kbuild.parent for kbuild in sorted(BENCH.glob("*/Kbuild"))]
    places = [str(folder.relative_to(REPO)) for folder in folders]
    return those_that_build(series, [(folder.name, [*DRIVER, (folder, place)], None, place)
                                     for folder, place in zip(folders, places)])


def those_that_build(series, wanted):
    """Build modules and return them.

    One that does not build is left out and said: the scenarios that load it then fail.
    """
    built = []
    for name, *how in wanted:
        packages.say(f"building {name} for {series}")
        try:
            built += build_module(series, name, *how)
        except ImageError as error:
            packages.say(f"{name} does not build for {series}: {error}")
    return built


# Initramfs images


def needed(path):
    """Return the libraries that an ELF file asks for."""
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", path))


def add_libraries(cpio, root, names):
    """Add libraries, and all that they need, to an archive."""
    todo, done = list(names), set()
    while todo:
        name = todo.pop()
        if name in done:
            continue
        done.add(name)
        path = next((root / folder / name for folder in LIBRARIES if (root / folder / name).exists()), None)
        if not path:
            raise ImageError(f"no package has the library {name}")
        cpio.file(str(path.relative_to(root)), path.resolve().read_bytes())
        todo += needed(path)
    if LOADER.rpartition("/")[2] in done:
        cpio.link(LOADER, "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")


def module_data(series, name):
    """Return a packaged module's contents, decompressed; None where there is none of that name."""
    path = next(packages.modules(series).rglob(f"{name}.ko*"), None)
    if not path:
        return None
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def start_archive(root, init):
    """Return an archive with busybox, a console, and an init script, from the lab's unless it is a whole path."""
    cpio = Cpio()
    cpio.file("bin/busybox", (root / "bin/busybox").read_bytes())
    cpio.link("bin/sh", "busybox")
    cpio.device("dev/console", 5, 1)
    cpio.device("dev/null", 1, 3)
    cpio.device("dev/kmsg", 1, 11)
    cpio.file("init", (INIT / init).read_bytes())
    return cpio


def dom0_base():
    """Return the path of what dom0 has in every run: Xen's tools, their libraries and the agent."""
    root = packages.userland()
    agent = program("agent-dom0", [INIT / "jobs.c", INIT / "serial.c"])

    def build():
        cpio = start_archive(root, "dom0")
        cpio.file("bin/agent", agent.read_bytes())
        for path in DOM0_PROGRAMS:
            cpio.file(path, (root / path).read_bytes())
            if path.startswith("usr/bin/"):
                cpio.link(path.removeprefix("usr/"), f"/{path}")
        for path in DOM0_FILES:
            cpio.file(path, (root / path).read_bytes(), 0o644)
        for i, name in enumerate(DOM0_MODULES):
            cpio.file(f"modules/{i}-{name}.ko", module_data(DOM0_SERIES, name))
        cpio.file("etc/xen/xl.conf", b'autoballoon="off"\n', 0o644)
        cpio.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
        add_libraries(cpio, root, [*DOM0_LOADED, *(name for path in DOM0_PROGRAMS for name in needed(root / path))])
        return cpio.bytes()
    return stored("dom0", [root, packages.kernel(DOM0_SERIES), agent, stamp(INIT / "dom0"), stamp(__file__)], build)


def guest_image(series):
    """Return the path of a guest's initramfs: busybox, the agent, the tests' programs and modules."""
    root = packages.userland()
    agent = program("agent-guest", [INIT / "jobs.c", INIT / "xenbus.c"])
    wanted = programs(GUEST) + [(name, selftest(name, helpers)) for name, helpers in SELFTESTS.items()]
    built = modules(series)

    def build():
        cpio = start_archive(root, "guest")
        cpio.file("bin/agent", agent.read_bytes())
        for name, path in wanted:
            cpio.file(f"bin/{name}", path.read_bytes())
        for path in built:
            cpio.file(path.name, path.read_bytes())
        for name in () if kernels.flavour_of(series) else GUEST_MODULES:
            if data := module_data(series, name):
                cpio.file(f"{name}.ko", data)
        return gzip.compress(cpio.bytes(), 6)
    return stored(f"guest-{series}", [root, agent, wanted, [stamp(path) for path in built], stamp(INIT / "guest"),
                                      stamp(__file__)], build)


def larger_image(series, name, root, packaged, wanted):
    """Return the path of guest_image() with packaged programs of `root`, their libraries, and (name, path) of files."""
    guest = guest_image(series)

    def build():
        cpio = Cpio()
        for at in (root / path for path in packaged):
            cpio.file(f"bin/{at.name}", at.read_bytes())
        add_libraries(cpio, root, [library for path in packaged for library in needed(root / path)])
        for at, path in wanted:
            cpio.file(at, path.read_bytes())
        # As one stream: of two, libxenguest (which unpacks it up to Xen 4.19) would take the first only.
        return gzip.compress(gzip.decompress(guest.read_bytes()) + cpio.bytes(), 6)
    return stored(f"{name}-{series}", [root, guest, [(at, stamp(path)) for at, path in wanted], stamp(__file__)], build)


def bench_image(series, name):
    """Return the path of a benchmark's guest's initramfs: what measures it or loads it, and modules."""
    wanted = [(f"bin/{stem}", path) for stem, path in programs(BENCH)]
    wanted += [(path.name, path) for path in bench_modules(series)]
    return larger_image(series, name, packages.workload(), BENCH_PROGRAMS[name], wanted)


def kexec_image(series):
    """Return the path of the initramfs of a guest that has what boots another kernel, and its own to be booted."""
    return larger_image(series, "kexec", packages.kexec(), KEXEC_PROGRAMS, [("vmlinuz", kernel_image(series))])


def dom0_image(path, kernels, bench=False, kexec=False):
    """Write dom0's initramfs for a run with guests of these kernels, and with larger ones of guests where asked to."""
    with open(path, "wb") as out:
        out.write(dom0_base().read_bytes())
        cpio = Cpio()
        for series in kernels:
            cpio.file(f"boot/{series}/vmlinux", kernel_elf(series).read_bytes(), 0o644)
            cpio.file(f"boot/{series}/vmlinuz", kernel_image(series).read_bytes(), 0o644)
            cpio.file(f"boot/{series}/initrd", guest_image(series).read_bytes(), 0o644)
            for name in BENCH_PROGRAMS if bench else ():
                cpio.file(f"boot/{series}/initrd-{name}", bench_image(series, name).read_bytes(), 0o644)
            if kexec:
                cpio.file(f"boot/{series}/initrd-kexec", kexec_image(series).read_bytes(), 0o644)
        for name, program_path in programs(DOM0) + (programs(BENCH_DOM0) if bench else []):
            cpio.file(f"bin/{name}", program_path.read_bytes())
        for name, library_path in preloads():
            cpio.file(f"lib/{name}", library_path.read_bytes())
        out.write(cpio.bytes())
