# SPDX-License-Identifier: GPL-2.0
"""A test kernel is named, configured and found in the cache as its fragments say."""

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/kernel"))

import kernels      # noqa: E402


class Naming(unittest.TestCase):

    def test_a_flavour_alone_is_that_of_the_newest_series(self):
        self.assertEqual([kernels.named(text) for text in ("6.1", "6.1-debug", "debug")],
                         ["6.1", "6.1-debug", "6.12-debug"])

    def test_what_does_not_exist_is_refused(self):
        for text in ("", "6.2", "6.12-", "6.12-fast", "fast", "6.2-base"):
            with self.assertRaises(ValueError):
                kernels.named(text)


class Configuration(unittest.TestCase):

    def test_a_later_fragment_overrides_an_earlier_one(self):
        self.assertEqual(kernels.wanted("6.12", "base")["CONFIG_XEN_UNPOPULATED_ALLOC"], "y")
        self.assertIsNone(kernels.wanted("6.12", "nounpopulated")["CONFIG_XEN_UNPOPULATED_ALLOC"])

    def test_every_flavour_has_a_release_of_its_own(self):
        versions = {kernels.wanted("6.12", flavour)["CONFIG_LOCALVERSION"] for flavour in kernels.FLAVOURS}
        self.assertEqual(len(versions), len(kernels.FLAVOURS))

    def test_each_option_that_kconfig_changed_or_lost_is_told(self):
        wanted = {"CONFIG_A": "y", "CONFIG_B": "8", "CONFIG_C": None, "CONFIG_D": "y", "CONFIG_E": None}
        got = {"CONFIG_A": "y", "CONFIG_B": "4", "CONFIG_C": "y"}
        self.assertEqual(kernels.dropped(wanted, got),
                         ["CONFIG_B is 4, wanted: 8", "CONFIG_C is y, wanted: not set",
                          "CONFIG_D is not set, wanted: y"])


class Caching(unittest.TestCase):

    def setUp(self):
        self.version = "1"
        self.enterContext(mock.patch.object(kernels, "KERNELS",
                                            Path(self.enterContext(tempfile.TemporaryDirectory()))))
        self.enterContext(mock.patch.object(kernels.packages, "source_tree", lambda series: (None, self.version)))
        self.built = []
        self.enterContext(mock.patch.object(kernels, "build", self.build))

    def build(self, series, flavours):
        self.built += flavours
        for flavour in flavours:
            kernels.place(series, flavour).mkdir()

    def test_what_is_there_is_not_built_again(self):
        first = kernels.folders("6.12", ["debug", "base"])
        self.assertEqual(kernels.folders("6.12", ["debug", "base"]), first)
        self.assertEqual(self.built, ["base", "debug"])

    def test_a_kernel_that_proves_locks_is_mended_and_no_other(self):
        proving = {flavour: bool(kernels.patches("6.12", flavour)) for flavour in kernels.FLAVOURS}
        self.assertEqual([flavour for flavour in proving if proving[flavour]], ["lockdep", "lending", "debug"])

    def test_another_mend_asks_for_a_new_build(self):
        old = kernels.folder("6.12", "debug")
        with mock.patch.object(kernels, "patches", lambda series, flavour: []):
            self.assertNotEqual(kernels.folder("6.12", "debug"), old)

    def test_a_new_source_asks_for_a_new_build(self):
        old = kernels.folder("6.12", "base")
        self.version = "2"
        self.assertNotEqual(kernels.folder("6.12", "base"), old)
        self.assertEqual(self.built, ["base", "base"])
