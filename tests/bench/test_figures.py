# SPDX-License-Identifier: GPL-2.0
"""Every figure is what bench.py takes it for, and its verdicts are those of its data."""

import functools
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "lab"), str(FOLDER.parent / "toolstacks"),
                str(FOLDER.parents[1] / "scripts/lab")]

import bench        # noqa: E402
import healing      # noqa: E402
import measure      # noqa: E402
import report       # noqa: E402
from figures import numa, speed, stalls       # noqa: E402


class Figures(unittest.TestCase):
    def test_each_file_is_a_figure_of_its_name(self):
        self.assertEqual({path.stem for path in (FOLDER / "figures").glob("*.py")}, set(bench.FIGURES))
        for figure in bench.load(bench.FIGURES):
            self.assertEqual(figure.__name__, f"figures.{figure.NAME}")
            self.assertTrue(figure.__doc__ and figure.TITLE and callable(figure.measure) and callable(figure.rows))

    def test_a_quick_run_has_figures_that_there_are(self):
        self.assertLessEqual(set(bench.QUICK_FIGURES), set(bench.FIGURES))


class Committed(unittest.TestCase):
    def test_the_page_in_git_is_what_the_results_in_git_give(self):
        results = json.loads(bench.RESULTS.read_text())
        with tempfile.TemporaryDirectory() as folder:
            report.write(results, bench.load(bench.FIGURES), Path(folder))
            page = (Path(folder) / "benchmarks.rst").read_text()
        self.assertEqual(page, (bench.FOLDER / "benchmarks.rst").read_text())

    def test_every_figure_is_on_it(self):
        results = json.loads(bench.RESULTS.read_text())
        self.assertFalse(results["quick"] or results["failed"])
        self.assertEqual(set(results["figures"]), set(bench.FIGURES))

    def test_every_picture_on_it_is_there(self):
        names = [line.split("::")[1].strip() for line in (bench.FOLDER / "benchmarks.rst").read_text().splitlines()
                 if line.startswith(".. image::")]
        self.assertTrue(names)
        self.assertEqual([name for name in names if not (bench.FOLDER / name).exists()], [])


def figure_of(name, **more):
    return mock.Mock(**{"NAME": name, "TITLE": name, "TIME": 60, "NODES": 1, **more})


class Resume(unittest.TestCase):
    def setUp(self):
        self.host = mock.Mock(side_effect=functools.cache(lambda machine: mock.Mock()))

    def measure(self, figures, results):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(bench, "Session") as session, \
                mock.patch.object(bench, "Lab"), mock.patch.object(bench, "Bench"), \
                mock.patch.object(bench, "machine", return_value={"Xen": "4.17"}), mock.patch("builtins.print"):
            session.return_value.__enter__.return_value.host = self.host
            bench.measure_all(figures, results, Path(folder))
            return json.loads((Path(folder) / "results.json").read_text())

    def test_only_what_is_missing_is_measured(self):
        figures = [figure_of(name, measure=mock.Mock(return_value=name)) for name in ("a", "b", "c")]
        results = {**bench.fresh(False), "figures": {"a": "before"}, "failed": {"b": "why"}, "seconds": 60}
        self.assertEqual(self.measure(figures, results), results)
        figures[0].measure.assert_not_called()
        self.assertEqual(results["figures"], {"a": "before", "b": "b", "c": "c"})
        self.assertEqual(results["failed"], {})
        self.assertGreaterEqual(results["seconds"], 60)

    def test_what_failed_is_tried_once_more_after_the_others(self):
        order = mock.Mock(**{"a.side_effect": [ValueError("an oops"), 1], "b.return_value": 2})
        results = self.measure([figure_of(name, measure=getattr(order, name)) for name in "ab"],
                               bench.fresh(False))
        self.assertEqual([call[0] for call in order.method_calls], ["a", "b", "a"])
        self.assertEqual((results["figures"], results["failed"]), ({"a": 1, "b": 2}, {}))
        self.assertEqual(results["again"], {"a": "ValueError: an oops"})

    def test_what_failed_twice_has_failed(self):
        figure = figure_of("a", measure=mock.Mock(side_effect=ValueError("an oops")))
        results = self.measure([figure], bench.fresh(False))
        self.assertEqual(figure.measure.call_count, 2)
        self.assertEqual((results["failed"], results["again"]), ({"a": "ValueError: an oops"}, {}))

    def test_the_page_tells_that_a_run_was_interrupted(self):
        results = {**bench.fresh(False), "machine": {"Xen": "4.17", "Took": "9 minutes"}}
        bench.go_on(results, {"Xen": "4.17"})
        self.assertIn("interrupted", results["machine"]["Boots"])
        fresh = bench.fresh(False)
        bench.go_on(fresh, {"Xen": "4.17"})
        self.assertEqual(fresh["machine"], {"Xen": "4.17"})

    def test_a_figure_of_several_nodes_has_a_machine_of_its_own_and_the_page_tells(self):
        figures = [figure_of(name, NODES=nodes, measure=lambda bench: 1) for name, nodes in (("a", 1), ("b", 2))]
        results = self.measure(figures, bench.fresh(False))
        self.assertEqual([call[0][0].nodes for call in self.host.call_args_list], [1, 2])
        self.assertEqual(self.host.call_args_list[0][0][0], bench.MACHINE)
        self.assertRegex(results["apart"].pop("b")["Emulated"], "2 nodes")
        self.assertEqual((results["apart"], results["machine"].get("Boots")), ({}, None))

    def test_the_page_tells_that_xen_was_booted_again(self):
        self.host.side_effect = lambda machine: mock.Mock()
        results = self.measure([figure_of(name, measure=lambda bench: 1) for name in "ab"], bench.fresh(False))
        self.assertIn("again", results["machine"]["Boots"])

    def test_another_driver_is_another_run(self):
        results = {**bench.fresh(False), "machine": {"Driver": "one"}}
        with self.assertRaisesRegex(bench.HostError, "begun with one, and this is other"):
            bench.go_on(results, {"Driver": "other"})


class Apart(unittest.TestCase):
    def test_some_figures_take_the_place_of_older_ones_and_say_on_what_they_were_measured(self):
        results = {**bench.fresh(False), "machine": {"Driver": "old"}, "figures": {"a": 1, "b": 2}}
        bench.add(results, {**bench.fresh(False), "machine": {"Driver": "new"}, "figures": {"b": 3}})
        bench.add(results, {**bench.fresh(False), "machine": {"Driver": "newer"}, "figures": {"c": 4}})
        self.assertEqual(results["figures"], {"a": 1, "b": 3, "c": 4})
        self.assertEqual(results["apart"], {"b": {"Driver": "new"}, "c": {"Driver": "newer"}})

    def test_a_figure_that_had_a_machine_of_its_own_says_so(self):
        results = {**bench.fresh(False), "figures": {}}
        bench.add(results, {**bench.fresh(False), "machine": {"Emulated": "one", "Driver": "new"}, "figures": {"a": 1},
                            "apart": {"a": {"Emulated": "another"}}})
        self.assertEqual(results["apart"], {"a": {"Emulated": "another", "Driver": "new"}})

    def test_a_quick_run_is_not_added(self):
        results = bench.fresh(False)
        with self.assertRaisesRegex(SystemExit, "quick"):
            bench.add(results, {**bench.fresh(True), "figures": {"b": 3}})
        self.assertEqual(results["figures"], {})


class Turns(unittest.TestCase):
    def test_each_comes_first_in_every_other_run(self):
        lab = mock.MagicMock()
        lab.host.machine.cpus = 3
        turns = measure.Bench(lab, False, print).by_turns({"a": 1, "b": 2})
        self.assertEqual(len(turns), 2 * measure.RUNS)
        self.assertEqual(turns[:4], [("a", 1), ("b", 2), ("b", 2), ("a", 1)])

    def test_a_job_that_fails_is_said_and_ends_the_others(self):
        lab = mock.MagicMock()
        lab.host.machine.cpus = 2
        done = []

        def fail():
            raise ValueError("no")

        with self.assertRaisesRegex(ValueError, "no"):
            measure.Bench(lab, False, print).at_once([fail, lambda: done.append(1), lambda: done.append(2)])
        lab.finish.assert_called_once()
        self.assertLess(len(done), 2)


class Boots(unittest.TestCase):
    def made(self, vcpus, *outcomes):
        """Make a guest with a lab whose guests turn out so; return how many of them it had to make."""
        lab = mock.MagicMock()
        lab.host.machine.cpus = 3
        lab.guest.side_effect = outcomes
        try:
            with measure.Bench(lab, False, lambda text: None).guest("pvh", measure.INTREE, vcpus=vcpus):
                pass
        finally:
            self.assertEqual(lab.forget_unbooted.call_count, lab.guest.call_count - 1)
        return lab.guest.call_count

    def test_a_guest_of_two_cpus_that_dies_is_made_once_more(self):
        up = mock.MagicMock(**{"run.return_value": ""})
        self.assertEqual(self.made(2, up), 1)
        self.assertEqual(self.made(2, measure.Failure("Oops: int3"), up), 2)
        with self.assertRaisesRegex(measure.GuestError, "again"):
            self.made(2, measure.GuestError("died"), measure.GuestError("again"))

    def test_a_guest_of_one_cpu_is_not(self):
        with self.assertRaisesRegex(measure.GuestError, "died"):
            self.made(1, measure.GuestError("died"))


class Verdicts(unittest.TestCase):
    def row(self, *points):
        return healing.row("what", "pvh", {"intree": points, "ours": points})

    def test_the_last_look_counts(self):
        self.assertFalse(self.row([0, 100, 100, 0], [60, 94, 100, 1]).reached)
        self.assertTrue(self.row([0, 0, 100, 0], [60, 95, 100, 1]).reached)

    def test_a_curve_is_still_since_it_changed_however_seldom_one_looks(self):
        self.assertEqual(healing.still([[3, 98, 0, 0]]), 0)
        self.assertEqual(healing.still([[3, 98, 0, 0], [19, 143, 0, 0]]), 0)
        self.assertEqual(healing.still([[3, 98, 0, 0], [19, 143, 0, 0], [35, 143, 0, 0]]), 16)
        self.assertEqual(healing.still([[3, 143, 0, 0], [9, 98, 0, 0], [14, 143, 0, 0], [20, 143, 0, 0]]), 6)

    def test_a_curve_is_not_still_while_the_driver_is_at_work(self):
        self.assertEqual(healing.still([[24, 55, 0, 3.3], [47, 55, 0, 5.0]]), 0)
        self.assertEqual(healing.still([[24, 55, 0, 3.3], [47, 55, 0, 5.0], [64, 55, 0, 5.01]]), 17)

    def test_a_curve_is_whole_when_all_that_could_be_was_there_twice(self):
        self.assertFalse(healing.whole([[5, 10, 9, 0]]))
        self.assertFalse(healing.whole([[5, 9, 10, 0], [9, 10, 10, 0]]))
        self.assertFalse(healing.whole([[5, 10, 10, 0], [9, 9, 10, 0]]))
        self.assertTrue(healing.whole([[1, 3, 10, 0], [5, 10, 10, 0], [9, 9, 9, 0]]))

    def test_it_says_when_95_percent_were_there(self):
        self.assertIn("95 % after 30 s and 2.0 s of CPU",
                      self.row([0, 0, 100, 0], [30, 95, 100, 2], [60, 100, 100, 3]).ours)

    def test_the_floor_is_that_of_the_same_guest(self):
        def run(down, up, floor):
            return {"down": down, "up": up, "first down": 1, "first up": 1,
                    "floor": {"down": floor, "up": floor, "zero": floor, "release": 0}}

        runs = {"intree": [run(8, 4, 2)] * 5, "ours": [run(4, 2, 3)] * 5}
        rows = {row.what: row for row in speed.rows({"pvh": runs})}
        cycle = rows["speed of a cycle, by in-tree's"]
        self.assertEqual((cycle.intree, cycle.ours, cycle.reference, cycle.reached), ("1", "2.00", "3.00", False))
        cycle, inflate = (rows[f"{what}, by the floor's"] for what in ("time of a cycle", "inflate: time"))
        self.assertEqual((cycle.intree, cycle.ours), ("3.00", "1.00"))
        self.assertEqual((inflate.intree, inflate.ours, inflate.reached), ("4.00", "1.33", False))

    def test_a_long_stall_is_one_above_the_limit(self):
        limit = stalls.LONG_US
        self.assertEqual(stalls.long_ones({"buckets": [[500, 9], [limit, 5], [limit + 1, 2], [9e9, 1]]}), 3)

    def test_stalls_have_a_verdict_only_where_in_tree_stands_out(self):
        self.assertTrue(stalls.lower([10, 10], [20, 20], [15, 15]))
        self.assertFalse(stalls.lower([10, 10], [20, 20], [25, 25]))
        self.assertFalse(stalls.lower([10, 10], [11, 11], [50, 50]))
        self.assertIsNone(stalls.lower([10, 10], [11, 11], [5, 5]))


class Nodes(unittest.TestCase):
    def rows(self, misplaced=0, nodes=1.0):
        """The rows by name, where ours has so many pages misplaced, and nodes make 2 MiB take so many times as long."""
        def run(ms):
            return {way: [{"ms": ms, "calls": 1}] * 3 for way in numa.WAYS}

        ours, intree = ({"stages": {stage: {"pages": [50000, 50000], "misplaced": [wrong, 0]} for stage in numa.NAMES},
                         "rested_s": 60} for wrong in (misplaced, 30000))
        return {row.what: row for row in numa.rows({"lies": {"ours": ours, "intree": intree},
                                                    "cost": {"nodes": run(20 * nodes), "none": run(20)}})}

    def test_up_to_one_page_of_a_thousand_may_be_misplaced_where_there_was_room(self):
        for misplaced, reached in (100, True), (101, False):
            rows = self.rows(misplaced)
            verdicts = {stage: rows[f"pages on the wrong node, {name}"].reached for stage, name in numa.NAMES.items()}
            self.assertEqual(verdicts, {stage: reached if stage in numa.ROOM else None for stage in numa.NAMES})
        self.assertEqual(rows["pages on the wrong node, at first"].intree, "30000 of 100000 (30.00%)")

    def test_nodes_may_cost_a_twentieth(self):
        self.assertTrue(self.rows(nodes=1.049)["deflate: time for each 2 MiB with virtual nodes, in ms"].reached)
        row = self.rows(nodes=1.06)["inflate: time for each 2 MiB with virtual nodes, in ms"]
        self.assertEqual((row.ours, row.reference, row.reached), ("21.2", "20.0", False))

    def rested(self, driver, *away):
        """For how long a guest is left alone of which so many KiB are away, one look after the other; and the looks."""
        clock = mock.Mock(time=0)
        guest = mock.Mock(**{"run.side_effect": [f"{kb}\n" for kb in away]})
        with mock.patch.object(numa.time, "monotonic", lambda: clock.time), \
                mock.patch.object(numa.time, "sleep", lambda s: setattr(clock, "time", clock.time + s)):
            return numa.at_rest(guest, driver), guest.run.call_count

    def test_ours_rests_until_nothing_is_away_but_not_for_ever(self):
        self.assertEqual(self.rested("ours", 4096, 2048, 0), (2 * numa.EVERY, 3))
        self.assertEqual(self.rested("ours", *[4] * 1000)[0], numa.AT_REST_S["ours"])

    def test_the_in_tree_driver_is_not_asked(self):
        self.assertEqual(self.rested("intree"), (numa.AT_REST_S["intree"], 0))


class Programs(unittest.TestCase):
    def test_a_program_that_was_lost_is_run_again_but_not_for_ever(self):
        lost = "ready\nstalls ended with 139\n"
        told = "ready\nstalls ended with 0\ntouch max 7.5\ntimer max 8.5\n"
        bench = mock.MagicMock()
        bench.lab.fail.side_effect = measure.Failure
        felt = stalls.watched(bench, mock.Mock(**{"run.side_effect": [lost, told]}), "sleep 6")
        self.assertEqual(felt["timer"]["max"], 8.5)
        self.assertIn("ended with 139", bench.say.call_args[0][0])
        with self.assertRaises(measure.Failure):
            stalls.watched(bench, mock.Mock(**{"run.side_effect": [lost] * stalls.TRIES}), "sleep 6")

    def test_what_stalls_prints_is_understood(self):
        lines = [line.split() for line in ("samples 9", "max 7.5", "p999 7.5", "bucket 2.0 8", "bucket 8.0 1")]
        self.assertEqual(stalls.seen(lines), {"samples": 9, "max": 7.5, "p999": 7.5, "buckets": [[2, 8], [8, 1]]})


if __name__ == "__main__":
    unittest.main()
