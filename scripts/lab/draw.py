# SPDX-License-Identifier: GPL-2.0
"""Draws what the meter counted, and tables, as text for a terminal or a file.

A region of 2 MiB is one character. On a terminal it has a colour too; in a file
or a pipe there is plain text only.
"""

import itertools
import os
import shutil
import sys

GAP = "   "
GLYPHS = {"S": ("█", 32, "2 MiB in one piece"),       # letter: character, ANSI colour, meaning
          "s": ("▒", 33, "in scattered 4 KiB pages"),
          "p": ("░", 31, "in part"),
          ".": ("·", 90, "with the host")}



def coloured():
    """Tell whether the output is a terminal that wants colours."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def glyphs(letters):
    """Return a string of letters as characters, with colours on a terminal."""
    if not coloured():
        return "".join(GLYPHS[letter][0] for letter in letters)
    runs = ((*GLYPHS[letter][:2], len(list(run))) for letter, run in itertools.groupby(letters))
    return "".join(f"\033[{colour}m{glyph * length}" for glyph, colour, length in runs) + "\033[0m"


def lines(regions, width):
    """Return a map as lines of `width` regions, the last one filled up with blanks."""
    rows = [regions[start:start + width] for start in range(0, len(regions), width)]
    return [glyphs(row) + " " * (width - len(row)) for row in rows]


def legend():
    """Return one line that tells what the characters mean."""
    return GAP.join(f"{glyphs(letter)} {GLYPHS[letter][2]}" for letter in GLYPHS)


def fitting_width(count):
    """Return how many regions a line of each of `count` maps may have, to fit side by side."""
    columns = shutil.get_terminal_size((100, 24)).columns
    return max(8, (columns - len(GAP) * (count - 1)) // count // 8 * 8)


def side_by_side(maps):
    """Return the lines of {title: regions} next to each other, each below its title."""
    width = fitting_width(len(maps))
    columns = [[title[:width].ljust(width), *lines(regions, width)]
               for title, regions in maps.items()]
    height = max(map(len, columns))
    for column in columns:
        column += [" " * width] * (height - len(column))
    return [GAP.join(row).rstrip() for row in zip(*columns, strict=True)]


def table(head, rows):
    """Return the lines of a table: words to the left, numbers to the right."""
    columns = []
    for title, *cells in zip(head, *rows, strict=True):
        width = max(len(str(cell)) for cell in (title, *cells))
        align = str.rjust if isinstance(cells[0], int) else str.ljust
        columns.append([align(str(text), width) for text in (title, "-" * width, *cells)])
    return [GAP.join(line).rstrip() for line in zip(*columns, strict=True)]
