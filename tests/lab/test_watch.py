# SPDX-License-Identifier: GPL-2.0
"""The watch on the consoles tells reports of trouble from what Xen and Linux say in health."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lab"))

from watch import Watch    # noqa: E402

REPORTS = """
[    5.1] WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:4100 __alloc_pages+0x1/0x2
[    5.1] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    5.1] Oops: 0002 [#1] PREEMPT SMP NOPTI
[    5.1] general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1]
[    5.1] kernel BUG at drivers/xen/balloon.c:100!
[    5.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b
[    5.1] rcu: INFO: rcu_preempt self-detected stall on CPU
[    5.1] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
[    5.1] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [xen-balloon:99]
[    5.1] INFO: task rmmod:120 blocked for more than 120 seconds.
[    5.1] WARNING: possible circular locking dependency detected
[    5.1] WARNING: possible recursive locking detected
[    5.1] WARNING: inconsistent lock state
[    5.1] WARNING: suspicious RCU usage
[    5.1] BUG: sleeping function called from invalid context at mm/page_alloc.c:5000
[    5.1] BUG: scheduling while atomic: xen-balloon/99/0x00000002
[    5.1] BUG: KASAN: slab-out-of-bounds in balloon_thread+0x1/0x2
[    5.1] UBSAN: array-index-out-of-bounds in drivers/xen/balloon.c:100:1
[    5.1] BUG: Bad page state in process xen-balloon  pfn:12345
[    5.1] list_del corruption. prev->next should be ffff888000000000, but was dead000000000122
[    5.1] Out of memory: Killed process 130 (hold) total-vm:200000kB
[    5.1] xen-balloon: page allocation failure: order:9, mode:0xcc0(GFP_KERNEL)
[    5.1] Freezing remaining freezable tasks failed after 20.005 seconds (1 tasks refusing to freeze, wq_busy=0):
(XEN) Xen BUG at memory.c:100
(XEN) Assertion 'page' failed at p2m.c:100
(XEN) Panic on CPU 0:
(XEN) domain_crash called from p2m-pod.c:1180
(XEN) Domain 3 (vcpu#0) crashed on cpu#1:
(XEN) d2v0 Triple fault - invoking HVM shutdown action 1
""".strip().splitlines()

HEALTHY = """
(XEN) WARNING: CONSOLE OUTPUT IS SYNCHRONOUS
(XEN) d2v0 Over-allocation for domain 2: 65793 > 65792
(XEN) HVM d1v0 save: CPU
[    0.9] debug: unmapping init [mem 0xffffffff82bb2000-0xffffffff82bfffff]
[    5.1] xen_balloon: took over from the in-tree driver
[    5.1] PCI: Fatal: No config space access function found
[    5.1] clocksource: timekeeping watchdog on CPU0: xen wd-wd read-back delay of 87850ns
""".strip().splitlines()


class WatchTest(unittest.TestCase):
    def reports(self, text):
        watch = Watch()
        watch.feed("guest-x", text.encode())
        return watch.reports

    def test_reports_of_trouble_are_caught(self):
        for line in REPORTS:
            with self.subTest(line):
                self.assertEqual(len(self.reports(f"before\n{line}\r\nafter\n")), 1)

    def test_what_is_said_in_health_is_not(self):
        for line in HEALTHY:
            with self.subTest(line):
                self.assertEqual(self.reports(f"{line}\n"), [])

    def test_a_line_that_comes_in_pieces_is_caught_once(self):
        watch = Watch()
        for piece in (b"[    5.1] Kernel pa", b"nic - not syn", b"cing\n", b"after\n"):
            watch.feed("guest-x", piece)
        self.assertEqual(len(watch.reports), 1)

    def test_lines_of_two_consoles_are_not_mixed_up(self):
        watch = Watch()
        watch.feed("guest-x", b"Kernel ")
        watch.feed("xen", b"panic\n")
        self.assertEqual(watch.reports, [])

    def test_an_expected_report_is_none_until_the_next_scenario(self):
        watch = Watch()
        watch.expect([r"Killed process \d+ \(hold\)"])
        watch.feed("guest-x", b"Out of memory: Killed process 130 (hold)\nOut of memory: Killed process 1 (other)\n")
        self.assertEqual(watch.reports, ["guest-x: Out of memory: Killed process 1 (other)"])
        self.assertEqual(watch.provoked, ["guest-x: Out of memory: Killed process 130 (hold)"])
        self.assertEqual(watch.told(), f"reported on a console: {watch.reports[0]}")
        self.assertEqual(watch.told(but=f"it said {watch.reports[0]}"), "")
        watch.expect([])
        self.assertEqual(watch.reports + watch.provoked, [])
        watch.feed("xen", b"(XEN) WARNING: CONSOLE OUTPUT IS SYNCHRONOUS\n")
        self.assertEqual(watch.provoked, [])
        watch.feed("guest-x", b"Out of memory: Killed process 130 (hold)\n")
        self.assertEqual(len(watch.reports), 1)


if __name__ == "__main__":
    unittest.main()
