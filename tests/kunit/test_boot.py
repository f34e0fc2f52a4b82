# SPDX-License-Identifier: GPL-2.0
"""A boot of a test kernel has an end, whatever the kernel does."""

import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/kunit"))

import boot     # noqa: E402


def lines(script, silence=30.0, seconds=60.0):
    """Return what is read of a shell script in QEMU's place."""
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            return list(boot.lines(process, silence, seconds))
        finally:
            process.kill()


class Lines(unittest.TestCase):

    def setUp(self):
        for name in ("LAST_WORDS", "ASK_EVERY"):
            self.addCleanup(setattr, boot, name, getattr(boot, name))
        boot.LAST_WORDS = boot.ASK_EVERY = 0.5

    def test_all_are_read_to_the_end(self):
        self.assertEqual(lines("printf 'a\\nb'; sleep 0.1; printf 'c\\nd'"), ["a", "bc", "d"])

    def test_a_silent_kernel_is_asked_where_it_is_and_ended(self):
        self.assertEqual(lines("echo a; read key; echo got $key; exec sleep 30", silence=0.5),
                         ["a", "got l", boot.SILENT.format(0.5)])

    def test_a_silent_kernel_is_asked_again_and_again(self):
        boot.LAST_WORDS = 3
        self.assertGreaterEqual(lines("while read key; do echo got $key; done", silence=0.5).count("got l"), 4)

    def test_one_that_does_not_stop_to_talk_is_ended(self):
        start = time.monotonic()
        self.assertEqual(lines("exec yes", seconds=0.5)[-1], boot.LATE)
        self.assertLess(time.monotonic() - start, 60)


if __name__ == "__main__":
    unittest.main()
