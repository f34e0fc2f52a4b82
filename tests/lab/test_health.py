# SPDX-License-Identifier: GPL-2.0
"""A tainted kernel and a leak fail a scenario; a test module's own taint does not."""

import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lab"))

import health      # noqa: E402
from lab import Failure, Lab      # noqa: E402

LEAK = "unreferenced object 0xffff888003a8d000 (size 64):\n  comm \"insmod\", pid 60\n"


def inspect(taint, leaks):
    """Inspect a guest that shows these."""
    guest = mock.Mock()
    guest.run = lambda command, timeout=0: leaks if "scan" in command else f"{taint}\n"
    lab = Lab(mock.Mock(), note=lambda text: None)
    return health.inspect(lab, guest)


class Health(unittest.TestCase):

    def test_a_kernel_with_test_modules_is_healthy(self):
        self.assertEqual(inspect(4096 + 262144, ""), "taint 266240, kmemleak found nothing")

    def test_a_kernel_without_kmemleak_is_asked_for_its_taint_alone(self):
        self.assertEqual(inspect(0, "none\n"), "taint 0, no kmemleak")

    def test_a_warning_fails(self):
        with self.assertRaisesRegex(Failure, "tainted: 4608"):
            inspect(4096 + 512, "")

    def test_a_leak_fails(self):
        with self.assertRaisesRegex(Failure, "unreferenced object"):
            inspect(4096, LEAK)
