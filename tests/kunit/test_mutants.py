# SPDX-License-Identifier: GPL-2.0
"""Each kind of mistake is found in C of a few lines; what is counted, is counted right."""

import contextlib
import io
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/kunit"))

import mutants      # noqa: E402

SOURCE = """\
static int move(struct queue *q, unsigned int order)
{
	unsigned int i, n = 0;

	if (!q)
		return -EINVAL;
	if (prepare(q, 0) && q->n.huge > LIMIT)
		return 0;

	for (i = 0; i < order; i++)
		n += 1UL << i;
	list_for_each_entry(page, &q->list, lru) {
		if (n == 7)
			break;
		balloon_give(q, page,
			     order);
	}
	pr_warn("%u are %s\\n", n + 1, n > 2 ? "many" : "few");
	return n - 1;
}
"""


@unittest.skipUnless(shutil.which("spatch"), "Coccinelle is not installed")
class Points(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "move.c"
            path.write_text(SOURCE)
            cls.made = mutants.mutants(path)

    def of(self, line):
        """Return what becomes of a line of the source, in all its mutants."""
        begin = SOURCE.index(line)
        return {mutant.mutated.splitlines()[SOURCE.count("\n", 0, begin)].strip() for mutant in self.made
                if begin <= mutant.start < begin + len(line)}

    def test_a_condition_is_inverted_and_ignored_and_always_true(self):
        self.assertEqual(self.of("if (!q)"), {"if (!(!q))", "if (((!q) && 0))", "if (((!q) || 1))", "if (q)"})

    def test_a_relation_is_off_by_one_and_a_loop_never_begins(self):
        found = self.of("for (i = 0; i < order; i++)")
        self.assertLessEqual({"for (i = 0; i <= order; i++)", "for (i = 0; !(i < order); i++)",
                              "for (i = 0; ((i < order) && 0); i++)", "for (i = 0; i < order; i--)",
                              "for (i = (0 + 1); i < order; i++)"}, found)
        self.assertNotIn("for (i = 0; ((i < order) || 1); i++)", found)

    def test_and_turns_into_or_huge_into_base_and_one_order_into_another(self):
        self.assertLessEqual({"if (prepare(q, 0) || q->n.huge > LIMIT)", "if (prepare(q, 0) && q->n.base > LIMIT)",
                              "if (prepare(q, XENMEM_HUGE_ORDER) && q->n.huge > LIMIT)",
                              "if (prepare(q, 0) && q->n.huge >= LIMIT)",
                              "if (prepare(q, 0) && q->n.huge > (LIMIT - 1))"},
                             self.of("if (prepare(q, 0) && q->n.huge > LIMIT)"))

    def test_arithmetic_is_turned_round_and_a_statement_dropped(self):
        self.assertEqual(self.of("n += 1UL << i;"), {"n -= 1UL << i;", "n += 1UL >> i;", "n += (1UL + 1) << i;",
                                                     "n += (1UL - 1) << i;", ";"})

    def test_a_result_is_changed(self):
        self.assertEqual(self.of("return n - 1;"), {"return 0;", "return !(n - 1);", "return (n - 1) + 1;",
                                                    "return n + 1;", "return n - (1 + 1);", "return n - (1 - 1);"})

    def test_an_error_is_no_error(self):
        self.assertIn("return EINVAL;", self.of("return -EINVAL;"))

    def test_a_break_is_dropped(self):
        self.assertEqual(self.of("break;"), {";"})

    def test_what_serves_people_alone_is_left_alone(self):
        self.assertEqual(self.of('pr_warn("%u are %s\\n", n + 1, n > 2 ? "many" : "few");'), set())

    def test_no_mutant_moves_the_lines_after_it(self):
        lines = SOURCE.count("\n")
        self.assertEqual({mutant.mutated.count("\n") for mutant in self.made}, {lines})

    def test_each_mutant_is_made_once_and_differs(self):
        texts = [mutant.mutated for mutant in self.made]
        self.assertEqual(len(texts), len(set(texts)))
        self.assertFalse(SOURCE in texts)

    def test_a_diff_shows_the_mistake(self):
        mutant = next(mutant for mutant in self.made if mutant.what == "<= for <")
        self.assertEqual([line for line in mutant.diff() if line[0] in "-+"][2:],
                         ["-\tfor (i = 0; i < order; i++)", "+\tfor (i = 0; i <= order; i++)"])


class Count(unittest.TestCase):
    def setUp(self):
        source = "\tlist_add(a);\n\tcall(b);\n"
        self.listed = mutants.Mutant("queue.c", "f", source, 1, 9, "list_add_tail", "list_add_tail for list_add")
        self.other = mutants.Mutant("queue.c", "f", source, 15, 22, "", "statement dropped")
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("# SPDX\n\n# Reasons.\n\nqueue.c: it is\nempty\n-\tlist_add(a);\n+\tlist_add_tail(a);\n")
            file.flush()
            self.tally = mutants.Tally(mutants.equivalent(Path(file.name)))

    def add(self, *result):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.tally.add(*result)
        return said.getvalue()

    def test_the_list_gives_reasons(self):
        self.assertEqual(self.tally.listed, {self.listed.key(): "it is empty"})

    def test_a_survivor_is_shown_and_lowers_the_score(self):
        self.add(self.other, mutants.KILLED, "queue.some_test on base")
        self.assertEqual(self.tally.score("all")[0], 100)
        self.assertIn("-\tcall(b);", self.add(self.other, mutants.SURVIVED, ""))
        self.assertEqual(self.tally.score("queue.c")[0], 50)
        self.assertEqual(self.tally.counted, 2)

    def test_an_equivalent_one_does_not_count(self):
        self.add(self.listed, mutants.SURVIVED, "")
        self.assertEqual((self.tally.counted, self.tally.wrong), (0, []))

    def test_an_equivalent_one_that_is_killed_is_wrong_in_the_list(self):
        self.add(self.listed, mutants.KILLED, "queue.some_test on base")
        self.assertIn("killed", self.tally.wrong[0])

    def test_what_does_not_compile_or_is_the_same_does_not_count(self):
        self.add(self.other, mutants.BROKEN, "")
        self.add(self.other, mutants.SAME, "")
        self.assertEqual(self.tally.counted, 0)

    def test_the_proof_is_a_statement_dropped_and_one_in_parentheses(self):
        source = "\tq->n.guest -= 1UL << order;\n"
        self.assertEqual({mutant.mutated: became for mutant, became in mutants.proof(source).items()},
                         {"\t;\n": mutants.KILLED, "\t(q->n.guest -= 1UL << order);\n": mutants.SAME})


if __name__ == "__main__":
    unittest.main()
