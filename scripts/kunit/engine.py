# SPDX-License-Identifier: GPL-2.0
"""Which files of the driver are its engine: those that the unit tests run in the simulated world.

Named once, in tests/kunit/Kbuild.
"""

import re

import images

FOLDER = "drivers/xen/balloon"
NAMES = re.compile(r"^(\w+) [:+]= (.*)$", re.MULTILINE)


def files(*lists):
    """Return their names, without the folder, or those of other lists of the Kbuild."""
    kbuild = (images.REPO / "tests/kunit/Kbuild").read_text()
    return [f"{name}.c" for which, names in NAMES.findall(kbuild) if which in (lists or ("engine",))
            for name in names.split()]
