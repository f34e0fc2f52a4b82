# SPDX-License-Identifier: GPL-2.0
"""Which files of the driver are its engine: those that the unit tests run in the simulated world.

Named once, in tests/kunit/Kbuild.
"""

import re

import images

FOLDER = "drivers/xen/balloon"
NAMES = re.compile(r"^engine [:+]= (.*)$", re.MULTILINE)


def files():
    """Return their names, without the folder."""
    kbuild = (images.REPO / "tests/kunit/Kbuild").read_text()
    return [f"{name}.c" for names in NAMES.findall(kbuild) for name in names.split()]
