# SPDX-License-Identifier: GPL-2.0
"""What a test kernel knows of its own health: its taint, and the leaks that kmemleak finds."""

TAINT = "/proc/sys/kernel/tainted"
LEAKS = "/sys/kernel/debug/kmemleak"
HARMLESS = 1 << 12 | 1 << 18    # a module from out of the tree (O), a test has run (N)
SCAN = f"""
[ -e {LEAKS} ] || {{ echo none; exit; }}
set -e      # it refuses where kmemleak gave up
echo scan > {LEAKS}
sleep 6     # kmemleak leaves out what is younger than five seconds
echo scan > {LEAKS}
cat {LEAKS}
"""


def inspect(lab, guest):
    """Fail where the kernel of a guest is tainted, or has leaked; return what was found."""
    taint = int(guest.run(f"cat {TAINT}"))
    if taint & ~HARMLESS:
        lab.fail(f"the kernel of {guest.name} is tainted: {taint}, of which {HARMLESS} were harmless")
    leaks = guest.run(SCAN, timeout=120).strip()
    if leaks not in ("", "none"):
        lab.fail(f"kmemleak in {guest.name}:\n{leaks[:3000]}")
    return f"taint {taint}, {'no kmemleak' if leaks else 'kmemleak found nothing'}"
