# SPDX-License-Identifier: GPL-2.0
"""Images: each is made once, also on a machine that has nothing yet, and has in it what it should."""

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lab"))

import images       # noqa: E402


def files(archive):
    """Map the names in a cpio archive to what they hold."""
    found, at = {}, 0
    while True:
        size, length = (int(archive[at + field:at + field + 8], 16) for field in (54, 94))
        name = archive[at + 110:at + 110 + length - 1].decode()
        if name == "TRAILER!!!":
            return found
        start = at + (110 + length + 3 & ~3)
        found[name] = archive[start:start + size]
        at = start + (size + 3 & ~3)


class StoredTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for patch in (mock.patch("packages.CACHE", Path(folder.name) / "cache"), mock.patch("packages.say")):
            patch.start()
            self.addCleanup(patch.stop)

    def test_an_image_is_made_in_a_cache_that_is_not_there_yet(self):
        self.assertEqual(images.stored("one", [1], lambda: b"first").read_bytes(), b"first")

    def test_an_image_is_made_once(self):
        images.stored("one", [1], lambda: b"first")
        self.assertEqual(images.stored("one", [1], lambda: b"second").read_bytes(), b"first")

    def test_an_image_of_another_key_takes_the_place_of_the_former(self):
        former = images.stored("one", [1], lambda: b"first")
        self.assertEqual(images.stored("one", [2], lambda: b"second").read_bytes(), b"second")
        self.assertFalse(former.exists())


class Dom0Test(unittest.TestCase):
    """What dom0's image is put together from is made up here: each part is a file that says its name."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for part in ("dom0_base", "kernel_elf", "kernel_image", "guest_image", "bench_image", "kexec_image"):
            path = self.folder / part
            path.write_bytes(b"" if part == "dom0_base" else f"{part}.".encode())
            self.enterContext(mock.patch.object(images, part, return_value=path))

    def boot(self, **more):
        images.dom0_image(self.folder / "image", ["6.12"], **more)
        found = files((self.folder / "image").read_bytes())
        return {name.removeprefix("boot/6.12/"): data for name, data in found.items() if data}

    def test_a_checks_guest_has_nothing_of_a_benchmarks(self):
        found = self.boot()
        programs = {name for name in found if name.startswith("bin/")}
        self.assertEqual(programs, {f"bin/{path.stem}" for path in images.DOM0.glob("*.c")})
        preloads = {name for name in found if name.startswith("lib/")}
        self.assertEqual(preloads, {f"lib/{path.stem}.so" for path in images.PRELOAD.glob("*.c")})
        self.assertEqual({name: found[name] for name in found.keys() - programs - preloads},
                         {"vmlinux": b"kernel_elf.", "vmlinuz": b"kernel_image.", "initrd": b"guest_image."})
        images.bench_image.assert_not_called()
        images.kexec_image.assert_not_called()

    def test_a_benchmarks_guest_has_more_beside_what_the_others_have(self):
        found = self.boot(bench=True)
        self.assertEqual(found["initrd"], b"guest_image.")
        self.assertEqual(found["initrd-bench"], b"bench_image.")
        self.assertEqual(found["initrd-work"], b"bench_image.")

    def test_a_guest_that_boots_another_kernel_has_more_beside_what_the_others_have(self):
        found = self.boot(kexec=True)
        self.assertEqual(found["initrd"], b"guest_image.")
        self.assertEqual(found["initrd-kexec"], b"kexec_image.")

    def test_what_the_checks_fetch_has_nothing_of_a_benchmarks(self):
        with mock.patch("packages.unpacked", return_value=(self.folder, {"release": "6.12.1"})) as unpacked:
            images.packages.fetch()
        fetched = [call.args[0] for call in unpacked.call_args_list]
        self.assertIn("userland", fetched)
        self.assertNotIn("workload", fetched)


class LibrariesTest(unittest.TestCase):
    """Libraries and what they ask for in turn are made up here."""

    def setUp(self):
        self.root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.asks = {"liba.so.1": ["libb.so.1"], "libb.so.1": ["liba.so.1", "libc.so.6"], "libc.so.6": []}
        for name, folder in zip(self.asks, ("usr/lib", "usr/lib", "lib")):
            path = self.root / folder / "x86_64-linux-gnu" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode())
        self.enterContext(mock.patch.object(images, "needed", lambda path: self.asks[path.name]))

    def added(self, *names):
        cpio = images.Cpio()
        images.add_libraries(cpio, self.root, names)
        return sorted(name for name, data in files(cpio.bytes()).items() if data)

    def test_what_a_library_asks_for_comes_along(self):
        usr = "usr/lib/x86_64-linux-gnu"
        self.assertEqual(self.added("liba.so.1"), ["lib/x86_64-linux-gnu/libc.so.6", f"{usr}/liba.so.1",
                                                   f"{usr}/libb.so.1"])

    def test_a_library_that_no_package_has_is_said(self):
        self.asks["libc.so.6"] = ["libnone.so.3"]
        with self.assertRaisesRegex(images.ImageError, "libnone.so.3"):
            self.added("liba.so.1")
