# SPDX-License-Identifier: GPL-2.0
"""The verdict of a boot is good only where KUnit, the log, the taint and kmemleak have nothing to say."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/kunit"))

import verdict     # noqa: E402

NEW = """
[    1.68] planted: loading out-of-tree module taints kernel.
[    1.69] KTAP version 1
[    1.69] 1..2
[    1.70]     KTAP version 1
[    1.70]     # Subtest: queue
[    1.70]     # module: xen_balloon_kunit
[    1.70]     1..4
[    1.71]     # first: asserts
[    1.72]     ok 1 first
[    1.72]         KTAP version 1
[    1.72]         # Subtest: second
[    1.73]     # second: asserts
[    1.73]         ok 1 number 0
[    1.74]         ok 2 number 1
[    1.74]     # second: pass:2 fail:0 skip:0 total:2
[    1.74]     ok 2 second
[    1.75]     # third: asserts
[    1.75]     # third.speed: slow
[    1.75]     ok 3 third
[    1.76]     ok 4 fourth # SKIP no huge pages
[    1.77] # queue: pass:3 fail:0 skip:1 total:4
[    1.77] # Totals: pass:4 fail:0 skip:1 total:5
[    1.77] ok 1 queue
[    1.77]     KTAP version 1
[    1.77]     # Subtest: worker
[    1.77]     # module: xen_balloon_kunit
[    1.77]     1..1
[    1.78]     # first: asserts
[    1.78]     ok 1 first
[    1.78] ok 2 worker
[    1.79] kunit: insmod 0
[    1.80] kunit: rmmod 0
[    8.80] kunit: leaks read
[    8.81] kunit: taint 266240
[    8.82] ACPI: PM: Preparing to enter system sleep state S5
[    8.83] reboot: Power down
""".strip("\n").splitlines()

OLD = """
[    1.70]     # Subtest: queue
[    1.70]     1..2
[    1.71]     # first: asserts
[    1.72]     ok 1 - first
[    1.72]         # Subtest: second
[    1.73]     # second: asserts
[    1.73]         ok 1 - number 0
[    1.74]         not ok 2 - number 1
[    1.74]     # second: pass:1 fail:1 skip:0 total:2
[    1.74]     not ok 2 - second
[    1.77] # Totals: pass:2 fail:1 skip:0 total:3
[    1.77] not ok 1 - queue
""".strip("\n").splitlines() + NEW[-6:]

TESTS = ["queue.first", "queue.second", "queue.third", "queue.fourth", "worker.first"]
PARTS = [f"boot.{part}" for part in ("tests", "log", "taint", "leaks", "end")]


def judge(lines):
    return {result.name: result for result in verdict.judge(lines)}


def bad(lines):
    return [name for name, result in judge(lines).items() if result.verdict == verdict.BAD]


def edited(old, *new, log=NEW):
    """Return the log with other lines in place of the one that has a text, and be sure that one has."""
    at, = (i for i, line in enumerate(log) if old in line)
    return log[:at] + list(new) + log[at + 1:]


def after(old, *new, log=NEW):
    at, = (i for i, line in enumerate(log) if old in line)
    return edited(old, log[at], *new, log=log)


class Good(unittest.TestCase):

    def test_a_clean_boot_is_good_and_each_test_has_one_result(self):
        results = judge(NEW)
        self.assertEqual(list(results), TESTS + PARTS)
        self.assertEqual(bad(NEW), [])
        self.assertEqual(results["queue.fourth"], ("queue.fourth", verdict.SKIP, ["no huge pages"]))

    def test_older_kernels_are_understood(self):
        self.assertEqual(list(judge(OLD)), ["queue.first", "queue.second"] + PARTS)
        self.assertEqual(bad(OLD), ["queue.second"])

    def test_results_come_as_the_tests_end(self):
        lines = iter(NEW)
        self.assertEqual(next(verdict.judge(lines)).name, "queue.first")
        self.assertIn("KTAP version 1", next(lines))

    def test_a_kernel_without_kmemleak_skips_only_that(self):
        results = judge(edited("leaks read", "[    8.80] kunit: no kmemleak"))
        self.assertEqual(results["boot.leaks"].verdict, verdict.SKIP)
        self.assertEqual(results["boot.taint"].verdict, verdict.OK)

    def test_a_boot_of_which_kunit_has_said_1_0_is_no_other(self):
        self.assertEqual(bad(["[    0.50] KTAP version 1", "[    0.50] 1..0", *NEW]), [])


class Tests(unittest.TestCase):

    def test_a_failed_expectation_is_shown(self):
        failed = edited("ok 3 third",
                        "[    1.75]     # third: EXPECTATION FAILED at /b/tests/kunit/../../drivers/xen/balloon/q.c:7",
                        "[    1.75]     Expected a == b, but", "[    1.75]     not ok 3 third")
        self.assertEqual(bad(failed), ["queue.third"])
        self.assertEqual(judge(failed)["queue.third"].why[-2:], [
            "    # third: EXPECTATION FAILED at drivers/xen/balloon/q.c:7", "    Expected a == b, but"])

    def test_only_the_failed_parameter_is_shown(self):
        failed = edited("ok 2 second", "[    1.74]     not ok 2 second", log=edited(
            "ok 1 number 0", "[    1.74]     Expected a", "[    1.74]         not ok 1 number 0",
            "[    1.74]     a remark"))
        self.assertEqual(judge(failed)["queue.second"].why, ["    Expected a", "not ok 1 number 0"])

    def test_one_that_asserts_nothing_is_bad(self):
        self.assertEqual(bad(edited("# third: asserts")), ["queue.third"])

    def test_what_another_suite_asserts_does_not_count(self):
        at = max(i for i, line in enumerate(NEW) if "# first: asserts" in line)
        self.assertEqual(bad(NEW[:at] + NEW[at + 1:]), ["worker.first"])

    def test_a_report_while_it_ran_makes_it_bad(self):
        for report in ("BUG: sleeping function called from invalid context at mm/slab.h:1",
                       "BUG: KASAN: slab-out-of-bounds in first+0x1/0x2", "WARNING: CPU: 0 PID: 1 at drivers/a.c:1",
                       "WARNING: possible circular locking dependency detected",
                       "UBSAN: shift-out-of-bounds in drivers/a.c:1:2"):
            with self.subTest(report):
                self.assertEqual(bad(after("# third: asserts", f"[    1.75] {report}")), ["queue.third"])

    def test_a_report_makes_a_skipped_one_bad(self):
        self.assertEqual(bad(edited("ok 4 fourth", "[ 1.76] WARNING: CPU: 0", "[ 1.76]     ok 4 fourth # SKIP no")),
                         ["queue.fourth"])

    def test_long_logs_are_cut_in_the_middle(self):
        why = judge(edited("ok 3 third", *(f"[ 1.7] line {i}" for i in range(1000)),
                           "[ 1.7]     not ok 3 third"))["queue.third"].why
        self.assertEqual((why[0], why[-1], len(why)), ("    # third.speed: slow", "line 999", verdict.MOST + 1))


class Suites(unittest.TestCase):

    def test_one_that_promised_more_than_it_ran_is_bad(self):
        self.assertEqual(bad(edited("ok 3 third")), ["queue as a whole"])

    def test_one_without_a_plan_is_bad(self):
        self.assertEqual(bad(edited("1..4")), ["queue as a whole"])

    def test_one_without_tests_is_bad(self):
        self.assertEqual(bad(after("ok 2 worker", "[ 1.7]     # Subtest: empty", "[ 1.7]     1..0",
                                   "[ 1.7] ok 3 empty")), ["empty as a whole"])

    def test_one_that_cannot_begin_is_bad(self):
        at = next(i for i, line in enumerate(NEW) if "ok 1 queue" in line)
        self.assertEqual(bad(NEW[:3] + ["[ 1.7]     # failed to initialize (-19)", "[ 1.7] not ok 1 queue"]
                             + NEW[at + 1:]), ["queue as a whole"])

    def test_a_report_after_its_last_test_makes_it_bad(self):
        self.assertEqual(bad(after("ok 4 fourth", "[ 1.76] WARNING: CPU: 0 PID: 1")), ["queue as a whole"])

    def test_one_that_was_promised_and_never_ran_is_missed(self):
        at = next(i for i, line in enumerate(NEW) if "ok 1 queue" in line)
        end = next(i for i, line in enumerate(NEW) if "insmod" in line)
        self.assertEqual(bad(NEW[:at + 1] + NEW[end:]), ["boot.tests"])


class Boots(unittest.TestCase):

    def test_one_that_ends_in_the_middle_of_a_test_is_bad(self):
        at = next(i for i, line in enumerate(NEW) if "# third: asserts" in line)
        results = judge(NEW[:at + 1] + ["[ 1.8] Kernel panic - not syncing: Fatal exception"])
        self.assertEqual([name for name in results if results[name].verdict == verdict.BAD],
                         ["queue.third", "queue as a whole", "boot.tests", "boot.end"])
        self.assertIn("Kernel panic - not syncing: Fatal exception", results["queue.third"].why)

    def test_one_that_ends_anywhere_is_bad(self):
        for length in range(len(NEW)):
            with self.subTest(NEW[length]):
                self.assertIn("boot.end", bad(NEW[:length]))

    def test_one_that_hangs_is_bad(self):
        at = next(i for i, line in enumerate(NEW) if "# third: asserts" in line)
        self.assertIn("queue.third", bad(NEW[:at + 1] + ["kunit: ended after 60 s without a word"]))
        self.assertIn("boot.end", bad(NEW[:at + 1] + ["kunit: ended after 60 s without a word"]))

    def test_the_place_of_a_hang_is_told_if_any_of_the_answers_has_it(self):
        frames = [f"[   11.7]  frame{i}+0x1/0x2" for i in range(verdict.MOST * 3 // 4)]
        lost = ["[   11.7] RIP: 0010:__cond_resched+0x0/0x50", "[   11.7]  ? third+0x66/0xc0", *frames]
        found = ["[   12.2] RIP: 0010:rcu_all_qs+0x0/0xd0", "[   12.2]  third+0x66/0xc0", *frames]
        end = "kunit: ended after 60 s without a word"
        for place in ("# third: asserts", "rmmod 0"):
            hang = NEW[:next(i for i, line in enumerate(NEW) if place in line) + 1]
            result = "queue.third" if "third" in place else "boot.end"
            for answers in ((lost, found, lost), (lost, lost, lost, found, *[lost] * 6)):
                with self.subTest(place, answers=len(answers)):
                    self.assertIn(" third+0x66/0xc0", judge(hang + sum(answers, []) + [end])[result].why)

    def test_one_without_tests_is_bad(self):
        self.assertEqual(bad(NEW[-6:]), ["boot.tests"])

    def test_a_module_that_does_not_load_or_unload_is_bad(self):
        self.assertEqual(bad(edited("insmod 0", "[ 1.8] kunit: insmod 1")), ["boot.tests"])
        self.assertEqual(bad(edited("rmmod 0", "[ 1.8] kunit: rmmod 1")), ["boot.tests"])

    def test_a_report_outside_of_tests_is_bad(self):
        for place in ("loading out-of-tree", "kunit: rmmod 0", "ok 1 queue"):
            with self.subTest(place):
                self.assertEqual(bad(after(place, "[    1.75] BUG: Bad page state in process a")), ["boot.log"])

    def test_a_taint_is_bad_unless_a_module_of_ours_or_a_test_made_it(self):
        self.assertEqual(judge(edited("taint 266240", f"[ 9.9] kunit: taint {266240 | 1 << 9 | 1 << 5}"))["boot.taint"],
                         ("boot.taint", verdict.BAD, ["the kernel is tainted by B", "the kernel is tainted by W"]))

    def test_a_leak_is_bad(self):
        leaky = edited("leaks read", "[ 8.8] kunit: leak unreferenced object 0xffff (size 128):",
                       "[ 8.8] kunit: leak   comm \"kunit\"", "[ 8.8] kunit: leaks read")
        self.assertEqual(judge(leaky)["boot.leaks"].why, ["unreferenced object 0xffff (size 128):", '  comm "kunit"'])
        self.assertEqual(bad(leaky), ["boot.leaks"])

    def test_a_kmemleak_that_did_not_scan_is_bad(self):
        self.assertEqual(bad(edited("leaks read")), ["boot.leaks"])


if __name__ == "__main__":
    unittest.main()
