# SPDX-License-Identifier: GPL-2.0
"""Virtual nodes are configured as asked for, and what Xen prints of them is read right."""

import json
import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lab"))

import meter                    # noqa: E402
import vnodes                   # noqa: E402
from guest import vnuma         # noqa: E402
from vnodes import VirtualNode  # noqa: E402

SAID = """(XEN) 'u' pressed -> dumping numa info (now = 61234567890)
(XEN) NODE0 start->0 size->448000 free->123456
(XEN) NODE1 start->448000 size->448000 free->234567
(XEN) CPU0 -> NODE0
(XEN) CPU1 -> NODE1
(XEN) Memory location of each domain:
(XEN) Domain 0 (total: 307200):
(XEN)     Node 0: 307200
(XEN)     Node 1: 0
(XEN) Domain 3 (total: 131082):
(XEN)     Node 0: 65546
(XEN)     Node 1: 65536
(XEN)      3 vnodes, 2 vcpus, guest physical layout:
(XEN)         0: pnode   1, vcpus 0
(XEN)            0000000000000000 - 0000000000002000
(XEN)            0000000100000000 - 0000000100001000
(XEN)         1: pnode   0, vcpus 1
(XEN)            0000000000002000 - 0000000000004000
(XEN)         2: pnode   1, vcpus
(XEN)            0000000000004000 - 0000000000005000
(XEN) Domain 31 (total: 7):
(XEN)     Node 0: 3
(XEN)     Node 1: 4
""".replace("vcpus\n", "vcpus \n")
TOLD = """numa_info              :
node:    memsize    memfree    distances
   0:      1792        345      10,20
   1:      1750       1203      20,10
"""
HIGH = 1 << 20


class ConfigurationTest(unittest.TestCase):
    def nodes(self, *wanted):
        name, _, value = vnuma(*wanted).partition("\n")[0].partition(" = ")
        self.assertEqual(name, "vnuma")
        return json.loads(value)

    def test_each_lies_on_one_of_the_machines_with_its_cpus(self):
        self.assertEqual(self.nodes([256, 128], range(2), 3),
                         [["pnode=0", "size=256", "vdistances=10,20", "vcpus=0,2"],
                          ["pnode=1", "size=128", "vdistances=20,10", "vcpus=1"]])

    def test_with_more_than_the_machine_has_they_take_turns_and_some_have_no_cpu(self):
        nodes = self.nodes([64] * 4, range(2), 2)
        self.assertEqual([node[0] for node in nodes], ["pnode=0", "pnode=1", "pnode=0", "pnode=1"])
        self.assertEqual([node[3:] for node in nodes], [["vcpus=0"], ["vcpus=1"], [], []])
        self.assertEqual(nodes[2][2], "vdistances=20,20,10,20")

    def test_one_can_be_put_where_it_is_wanted(self):
        self.assertEqual(self.nodes([700], [1], 1), [["pnode=1", "size=700", "vdistances=10", "vcpus=0"]])

    def test_a_guest_without_them_has_no_such_line(self):
        self.assertEqual(vnuma((), range(2), 1), "")


class ConsoleTest(unittest.TestCase):
    def test_pages_of_a_domain_on_each_node(self):
        self.assertEqual(vnodes.counted(SAID, 3), [65546, 65536])
        self.assertEqual(vnodes.counted(SAID, 31), [3, 4])
        with self.assertRaisesRegex(meter.MeterError, "domain 1 "):
            vnodes.counted(SAID, 1)

    def test_the_machines_nodes(self):
        self.assertEqual(vnodes.machine_nodes(SAID), [range(448000), range(448000, 896000)])

    def test_virtual_nodes_and_their_ranges(self):
        self.assertEqual(vnodes.virtual_nodes(SAID, 3), [VirtualNode(1, (range(2), range(HIGH, HIGH + 1))),
                                                         VirtualNode(0, (range(2, 4),)),
                                                         VirtualNode(1, (range(4, 5),))])
        self.assertEqual(vnodes.virtual_nodes(SAID, 31), [])


class FreeTest(unittest.TestCase):
    def test_what_is_free_of_each_is_in_the_third_column(self):
        lab = mock.Mock(dom0=lambda command: f"free_memory            : 1548\n{TOLD}")
        self.assertEqual([vnodes.free_mib(lab, node) for node in range(2)], [345, 1203])


class SpreadTest(unittest.TestCase):
    VIRTUAL = [VirtualNode(1, (range(2), range(HIGH, HIGH + 1))), VirtualNode(0, (range(2, 4),))]
    MACHINE = [range(100), range(100, 200)]

    def spread(self, pages):
        return vnodes.spread_of(pages, self.VIRTUAL, self.MACHINE)

    def test_each_page_counts_where_it_lies(self):
        found = self.spread({0: 100, 1: 199, HIGH: 99, 2: 0, 3: 100})
        self.assertEqual(found.rows, [[1, 2], [1, 1]])
        self.assertEqual(found.misplaced, [1, 1])

    def test_what_is_a_hole_or_of_no_node_does_not_count(self):
        found = self.spread({1: 150, 4: 3})
        self.assertEqual((found.rows, found.misplaced), ([[0, 1], [0, 0]], [0, 0]))


if __name__ == "__main__":
    unittest.main()
