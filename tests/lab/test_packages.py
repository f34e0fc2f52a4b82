# SPDX-License-Identifier: GPL-2.0
"""Packages: whatever the archive has just now, a kernel is found with all that its modules are built with."""

import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lab"))

import packages     # noqa: E402

RELEASES = ("6.1.0-8-amd64", "6.1.0-9-amd64")
DEPENDS = "Depends: linux-headers-6.1.0-9-common, linux-kbuild-6.1, linux-compiler-gcc-12-x86"


class KernelTest(unittest.TestCase):
    """What apt knows is made up here: versions by package."""

    def find(self, kbuild, headers=("6.1.8-1", "6.1.9-1")):
        known = {"linux-kbuild-6.1": kbuild}
        for release, version, header in zip(RELEASES, ("6.1.8-1", "6.1.9-1"), headers):
            known |= {f"linux-image-{release}": [version], f"linux-headers-{release}": [header]}

        def output(program, command, *rest):
            if command == "madison":
                return "\n".join(f" {name} | {version} | somewhere" for name in rest for version in known.get(name, ()))
            return DEPENDS if command == "show" else "\n".join(f"linux-image-{release}" for release in RELEASES)

        with mock.patch.object(packages, "output", output):
            return packages.find_kernel("6.1")

    def test_the_newest_comes_with_what_is_of_its_version(self):
        found = self.find(["6.1.8-1", "6.1.9-1", "6.1.9-2"])
        self.assertEqual(found["release"], "6.1.0-9-amd64")
        self.assertEqual(found["packages"], [[name, "6.1.9-1"] for name in (
            "linux-image-6.1.0-9-amd64", "linux-headers-6.1.0-9-amd64", "linux-headers-6.1.0-9-common",
            "linux-kbuild-6.1")])

    def test_programs_to_build_with_that_are_newer_already_serve_as_well(self):
        self.assertEqual(self.find(["6.1.9-2"])["packages"][-1], ["linux-kbuild-6.1", "6.1.9-2"])

    def test_programs_to_build_with_that_are_missing_are_said(self):
        with self.assertRaisesRegex(packages.PackageError, "linux-kbuild-6.1"):
            self.find([])

    def test_one_without_headers_of_its_version_is_none(self):
        self.assertEqual(self.find(["6.1.8-1"], headers=("6.1.8-1", "6.1.9-2"))["release"], "6.1.0-8-amd64")


if __name__ == "__main__":
    unittest.main()
