# SPDX-License-Identifier: GPL-2.0
"""The cache of images: each is made once, also on a machine that has nothing yet."""

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lab"))

import images       # noqa: E402


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
