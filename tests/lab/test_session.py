# SPDX-License-Identifier: GPL-2.0
"""A boot that fails is tried once more, one that went bad is replaced, and one that fails for good is said."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lab"))

import session                         # noqa: E402
from host import HostError, Machine    # noqa: E402


class FakeHost:
    """Boots, or fails to, as the list `boots` says, one entry for each try."""

    boots = []

    def __init__(self, folder, kernels, machine):
        self.machine = machine
        self.answers = True
        self.closed = False

    def __enter__(self):
        if not FakeHost.boots.pop(0):
            raise HostError("dom0 did not boot")
        return self

    def dom0(self, command, timeout):
        if not self.answers:
            raise HostError("no answer")

    def close(self):
        self.closed = True


class SessionTest(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(mock.patch.object(session, "Host", FakeHost))
        self.enterContext(contextlib.redirect_stderr(io.StringIO()))
        self.session = self.enterContext(session.Session(Path(folder), ["6.1"]))

    def test_one_boot_serves_all(self):
        FakeHost.boots = [True]
        self.assertIs(self.session.host(), self.session.host())

    def test_another_machine_takes_another_boot(self):
        FakeHost.boots = [True, True]
        first = self.session.host()
        self.assertEqual(self.session.host(Machine(nodes=2)).machine.nodes, 2)
        self.assertTrue(first.closed)

    def test_a_boot_that_fails_is_tried_once_more(self):
        FakeHost.boots = [False, True]
        self.assertIsInstance(self.session.host(), FakeHost)

    def test_a_boot_that_fails_twice_is_said(self):
        FakeHost.boots = [False, False, True]
        with self.assertRaises(HostError):
            self.session.host()

    def test_a_host_that_does_not_answer_is_replaced(self):
        FakeHost.boots = [True, True]
        first = self.session.host()
        first.answers = False
        self.assertIsNot(self.session.host(), first)
        self.assertTrue(first.closed)


if __name__ == "__main__":
    unittest.main()
