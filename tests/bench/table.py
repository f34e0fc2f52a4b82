# SPDX-License-Identifier: GPL-2.0
"""The rows of the benchmarks' tables, for a terminal and in reStructuredText."""

import re
import statistics
from dataclasses import dataclass

import draw

HEAD = ("what", "guest", "in-tree", "xen-balloon", "reference", "aim", "reached")
MARKUP = re.compile(r"([\\*`|]|_\b)")


@dataclass
class Row:
    """One comparison, ready to print; reached is None where there is no aim to compare with."""
    what: str
    guest: str
    intree: str = ""
    ours: str = ""
    reference: str = ""
    aim: str = ""
    reached: bool = None

    def cells(self, yes, no):
        """Return the text of each column; in the last one, whether the aim is reached, in these words."""
        verdict = {True: yes, False: no, None: ""}[self.reached]
        return (self.what, self.guest, self.intree, self.ours, self.reference, self.aim, verdict)


def spread(values, form="{:.2f}"):
    """Return the median, and the lowest and the highest value where these print differently."""
    middle, low, high = (form.format(value) for value in (statistics.median(values), min(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def filled(lines):
    """Return a head and its rows without the columns that are empty in all rows."""
    used = [column for column in range(len(HEAD)) if any(cells[column] for cells in lines)]
    return [[cells[column] for column in used] for cells in (HEAD, *lines)]


def escape(text):
    """Return plain text as reST that shows it as it is."""
    return MARKUP.sub(r"\\\1", text)


def terminal(rows):
    """Return the rows as the lines of a table for a terminal."""
    head, *lines = filled([row.cells("yes", "NO") for row in rows])
    return draw.table(head, lines)


def list_table(lines, option):
    """Return the lines of a reST table, whose cells are reST."""
    text = [".. list-table::", f"   {option}", ""]
    for first, *others in lines:
        text += [f"   * - {first}".rstrip(), *(f"     - {cell}".rstrip() for cell in others)]
    return text


def rst(rows):
    """Return the rows as the lines of a table in reST."""
    lines = []
    for row in rows:
        *texts, verdict = row.cells("reached", "**missed**")
        lines.append([*map(escape, texts), verdict])
    return list_table(filled(lines), ":header-rows: 1") if rows else []
