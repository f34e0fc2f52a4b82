# SPDX-License-Identifier: GPL-2.0
"""The meter reads right what tables made up here say: run by `python3 -m unittest`."""

import struct
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lab"))

import draw    # noqa: E402
import meter   # noqa: E402

MIB = 1 << 20
TYPE_POD, TYPE_GRANT, TYPE_LOGDIRTY = 6, 7, 2
TABLE = meter.PRESENT | 0x66


class Machine:
    """A machine's memory in a sparse file, with page tables built into it."""

    def __init__(self, size=64 * MIB):
        self.file = tempfile.NamedTemporaryFile()
        self.file.truncate(size)
        self.free = 32 * MIB

    def table(self):
        self.free += meter.PAGE
        return self.free - meter.PAGE

    def put(self, address, value):
        self.file.seek(address)
        self.file.write(struct.pack("<Q", value))

    def get(self, address):
        self.file.seek(address)
        return struct.unpack("<Q", self.file.read(8))[0]

    def map(self, root, address, entry, size):
        """Map `address` by a leaf or hole of `size`, making the tables above it."""
        table = root
        for level in meter.LEVELS:
            slot = table + address // level % meter.ENTRIES * 8
            if level == size:
                self.put(slot, entry)
                return
            if not self.get(slot):
                self.put(slot, self.table() | TABLE)
            table = self.get(slot) & meter.FRAME

    def memory(self):
        self.file.flush()
        return meter.Memory([self.file.name])


def leaf(frame, kind=0, flags=meter.PRESENT):
    return frame * meter.PAGE | kind << meter.TYPE_SHIFT | flags


class Nested(unittest.TestCase):
    def setUp(self):
        self.machine = Machine()
        self.root = self.machine.table()

    def pages(self, region, count, kind=0, flags=meter.PRESENT):
        for page in range(count):
            self.machine.map(self.root, region * meter.REGION + page * meter.PAGE,
                             leaf(page + 1, kind, flags), meter.PAGE)

    def superpage(self, region, kind=0, flags=meter.PRESENT | meter.LARGE):
        self.machine.map(self.root, region * meter.REGION, leaf(512, kind, flags), meter.REGION)

    def regions(self, count):
        return meter.nested(self.machine.memory(), self.root, count).regions

    def test_each_kind_of_region_has_its_letter(self):
        self.pages(0, 511)
        self.superpage(1)
        self.pages(2, 512)
        self.pages(4, 512, TYPE_LOGDIRTY)
        found = meter.nested(self.machine.memory(), self.root, 6)
        self.assertEqual(found.regions, "pSs.s.")
        self.assertEqual((found.superpages, found.small, found.partial, found.holes), (1, 2, 1, 2))

    def test_what_has_no_memory_of_its_own_is_a_hole(self):
        self.superpage(0, TYPE_POD, flags=0)
        self.superpage(1, TYPE_POD, flags=meter.LARGE)
        self.pages(2, 512, TYPE_POD, flags=0)
        self.pages(3, 512, TYPE_GRANT)
        self.assertEqual(self.regions(4), "....")

    def test_a_leaf_of_1_gib_is_512_superpages(self):
        self.machine.map(self.root, 1 << 30, leaf(0, flags=meter.PRESENT | meter.LARGE), 1 << 30)
        self.assertEqual(self.regions(1024), "." * 512 + "S" * 512)

    def test_the_guests_frames_are_those_that_its_memory_lies_in(self):
        self.pages(0, 3)
        self.pages(1, 512, TYPE_GRANT)
        self.superpage(2)
        self.superpage(3, TYPE_POD, flags=meter.LARGE)
        self.assertEqual(meter.nested_frames(self.machine.memory(), self.root, 5),
                         {0: 1, 1: 2, 2: 3} | {1024 + i: 512 + i for i in range(512)})

    def test_of_a_leaf_of_1_gib_each_region_has_its_own_frames(self):
        self.machine.map(self.root, 0, leaf(1 << 18, flags=meter.PRESENT | meter.LARGE), 1 << 30)
        self.assertEqual(meter.nested_frames(self.machine.memory(), self.root, 2),
                         {i: (1 << 18) + i for i in range(1024)})


class Paravirtual(unittest.TestCase):
    P2M = 0xffffc90000000000

    def setUp(self):
        self.machine = Machine()
        self.root, self.info = self.machine.table(), self.machine.table()
        self.p2m, self.m2p = self.lists(self.P2M, 4), self.lists(meter.M2P_VADDR, 32)
        arch = (4 * meter.ENTRIES, 0, 0, self.root, self.P2M, 0)
        for place, value in enumerate(arch):
            self.machine.put(self.info + meter.SHARED_INFO_ARCH + place * 8, value)
        for pfn in range(4 * meter.ENTRIES):
            self.machine.put(self.p2m + pfn * 8, (1 << 64) - 1)

    def lists(self, address, pages):
        first = self.machine.free
        self.machine.free += pages * meter.PAGE
        for page in range(pages):
            self.machine.map(self.root, address + page * meter.PAGE,
                             leaf(first // meter.PAGE + page), meter.PAGE)
        return first

    def back(self, pfn, frame, owner=None):
        self.machine.put(self.p2m + pfn * 8, frame)
        self.machine.put(self.m2p + frame * 8, pfn if owner is None else owner)

    def test_contiguous_scattered_misaligned_and_disowned_regions(self):
        for page in range(512):
            self.back(page, 1024 + page)
            self.back(512 + page, 2048 + 511 - page)
            self.back(1024 + page, 4097 + page)
            self.back(1536 + page, 5120 + page, owner=7 if page == 9 else None)
        found = meter.paravirtual(self.machine.memory(), self.info, 5)
        self.assertEqual(found.regions, "Sssp.")
        frames = meter.paravirtual_frames(self.machine.memory(), self.info)
        self.assertEqual([frames.get(pfn) for pfn in (0, 512, 1536, 1545)], [1024, 2559, 5120, None])

    def test_the_shared_info_page_is_found_on_the_console(self):
        console = ("General information for domain 3:\n    XenPage 0000000000000009: caf=1\n"
                   "General information for domain 4:\n    XenPage 0000000000000008: caf=1\n"
                   f"    XenPage {self.info // meter.PAGE:016x}: caf=1\n"
                   "General information for domain 5:\n")
        memory = self.machine.memory()
        self.assertEqual(meter.shared_info(console, 4, memory), self.info)
        with self.assertRaises(meter.MeterError):
            meter.shared_info(console, 3, memory)


class Console(unittest.TestCase):
    def test_the_root_is_that_of_the_domain_asked_for(self):
        console = "".join(f"(XEN) >>> Domain {domid} <<<\n(XEN)  VCPU 0\n"
                          f"(XEN) H_CR3 = 0x00000000{domid:08x}000 CleanBits = 0\n"
                          for domid in (1, 11, 2))
        self.assertEqual(meter.nested_root(console, 11), 11 << 12)
        with self.assertRaises(meter.MeterError):
            meter.nested_root(console, 3)


class Split(unittest.TestCase):
    def test_memory_beyond_the_pci_hole_goes_on_at_4_gib(self):
        memory = Machine(4 << 30).memory()
        self.assertEqual(memory.offset(meter.SPLIT_LOW - 8), meter.SPLIT_LOW - 8)
        self.assertEqual(memory.offset(meter.HIGH), meter.SPLIT_LOW)
        with self.assertRaises(meter.MeterError):
            memory.offset(meter.SPLIT_LOW)
        with self.assertRaises(meter.MeterError):
            Machine().memory().offset(64 * MIB)


class Nodes(unittest.TestCase):
    def test_the_memory_of_the_second_node_follows_that_of_the_first(self):
        first, second = Machine(3 << 30), Machine(1 << 30)
        first.put(meter.PAGE, 11)
        second.put(meter.PAGE, 22)
        second.put(meter.PAGE + 8, 33)
        first.memory(), second.memory()
        memory = meter.Memory([first.file.name, second.file.name])
        self.assertEqual(list(memory.words(meter.PAGE, 2)), [11, 0])
        self.assertEqual(list(memory.words(meter.HIGH + meter.PAGE, 2)), [22, 33])
        self.assertEqual(memory.holding(struct.pack("<Q", 33)), {meter.HIGH // meter.PAGE + 1})


class Search(unittest.TestCase):
    WORD = 0x5ec4e75ec4e75ec4

    def found(self, size, *addresses):
        machine = Machine(size)
        for address in addresses:
            machine.put(address, self.WORD)
        return machine.memory().holding(struct.pack("<Q", self.WORD))

    def test_each_frame_that_has_it_anywhere_is_found(self):
        last = 2 * meter.REGION - 8
        self.assertEqual(self.found(3 * meter.REGION, 0, 8, meter.PAGE + 5, last),
                         {0, 1, last // meter.PAGE})

    def test_what_is_beyond_the_pci_hole_has_its_own_frames(self):
        self.assertEqual(self.found(4 << 30, meter.SPLIT_LOW), {meter.HIGH // meter.PAGE})


class Drawing(unittest.TestCase):
    def test_maps_stand_side_by_side_and_plain(self):
        text = draw.side_by_side({"before": "S" * 9, "down": "Ss.p"})
        self.assertNotIn("\033", "".join(text))
        self.assertIn("█▒·░", text[1])

    def test_a_table_is_aligned(self):
        self.assertEqual(draw.table(("driver", "calls"), [("ours", 7)]),
                         ["driver   calls", "------   -----", "ours         7"])


if __name__ == "__main__":
    unittest.main()
