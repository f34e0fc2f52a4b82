# SPDX-License-Identifier: GPL-2.0
"""toolstack.py reads Xen's counts, and tells no guest to grow before it may: run by `python3 -m unittest`."""

import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lab"))

from host import HostError                      # noqa: E402
from toolstack import MIB, Verdict, Xen, read_counts    # noqa: E402
from xenstore import XenstoreError              # noqa: E402

SAID = """
(XEN) 'q' pressed -> dumping domain info (now = 61790711583)
(XEN) General information for domain 0:
(XEN)     refcnt=3 dying=0 pause_count=0
(XEN)     nr_pages=307200 xenheap_pages=2 dirty_cpus={0} max_pages=307200
(XEN) Memory pages belonging to domain 0:
(XEN)     DomPage list too long to display
(XEN) General information for domain 1:
(XEN)     refcnt=3 dying=0 pause_count=0
(XEN)     nr_pages=131088 xenheap_pages=2 dirty_cpus={1} max_pages=131328
(XEN) General information for domain 12:
(XEN)     nr_pages=4 xenheap_pages=2 dirty_cpus={1} max_pages=131328
(XEN) Physical memory information:
(XEN)     Xen heap: 0kB free
(XEN)     heap[15]: 1000kB free
(XEN)     Dom heap: 123456kB free
"""


class Counts(unittest.TestCase):

    def test_what_is_free_and_what_each_guest_has_is_read(self):
        self.assertEqual(read_counts(SAID, [1, 12]), (123456, {1: 131088 * 4, 12: 16}))

    def test_a_guest_that_is_gone_and_a_cut_answer_are_the_bench_s_fault(self):
        for said, domids in ((SAID, [1, 2]), (SAID.replace("Dom heap", ""), [1]), ("", [])):
            with self.assertRaises(HostError):
                read_counts(said, domids)


class VerdictTest(unittest.TestCase):

    def test_the_worst_and_the_slowest_is_kept(self):
        verdict = Verdict()
        for what, seconds, want in (("cooperative", 2, "cooperative, 2.0 s"), ("cooperative", 1, "cooperative, 2.0 s"),
                                    ("stuck", 5.1, "stuck, 5.1 s"), ("cooperative", 9, "stuck, 5.1 s"),
                                    ("stuck", 6, "stuck, 5.1 s"), ("uncooperative", 21, "uncooperative, 21.0 s")):
            verdict.found(what, seconds)
            self.assertEqual(str(verdict), want)


class XenTest(unittest.TestCase):

    def setUp(self):
        self.keys = {"/local/domain/1/memory/target": b"524288", "/local/domain/2/memory/target": b"262144"}
        self.done = []
        lab = mock.Mock()
        lab.dom0 = self.done.append
        lab.host.store.read = self.read
        lab.host.store.write = self.write
        guests = [mock.Mock(domid=1), mock.Mock(domid=2)]
        self.xen = Xen(lab, guests)

    def read(self, path):
        if path not in self.keys:
            raise XenstoreError("ENOENT")
        return self.keys[path]

    def write(self, path, value):
        self.keys[path] = value
        self.done.append(f"{path.split('/')[3]} to {value.decode()}")

    def test_a_key_may_be_absent_or_junk(self):
        self.assertIsNone(self.xen.read(1, "memory/memory-offset"))
        for text, number in ((b"-64", -64), (b"", None), (b"64 kB", None)):
            self.keys["/local/domain/1/memory/memory-offset"] = text
            self.assertEqual(self.xen.number(1, "memory/memory-offset"), number)

    def test_who_is_to_grow_may_first_and_who_is_to_shrink_is_told_first(self):
        self.xen.set({1: (400 * MIB, 410 * MIB), 2: (256 * MIB, 256 * MIB)})
        self.assertEqual(self.done, [f"1 to {400 * MIB}", f"xl mem-max 1 {410 * MIB}k && xl mem-max 2 {256 * MIB}k"])
        self.done.clear()
        self.xen.set({1: (300 * MIB, 310 * MIB), 2: (300 * MIB, 300 * MIB)})
        self.assertEqual(self.done, [f"xl mem-max 2 {300 * MIB}k", f"1 to {300 * MIB}", f"2 to {300 * MIB}",
                                     f"xl mem-max 1 {310 * MIB}k"])

    def test_what_is_the_same_is_left_alone(self):
        self.xen.set({1: (524288, 524288)})
        self.assertEqual(self.done, ["xl mem-max 1 524288k"])
        self.xen.set({1: (524288, 524288)})
        self.assertEqual(len(self.done), 1)


if __name__ == "__main__":
    unittest.main()
