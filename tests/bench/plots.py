# SPDX-License-Identifier: GPL-2.0
"""Draws what was measured as SVG pictures, in grey, which come out the same from the same data."""

import collections
import io
import statistics

import matplotlib
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

matplotlib.rcParams.update({
    "svg.fonttype": "none", "svg.hashsalt": "xen-balloon", "font.size": 9, "axes.titlesize": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6, "lines.linewidth": 1.3,
    "lines.markersize": 4.5, "legend.frameon": False, "hatch.linewidth": 0.6})

LICENCE = "<!-- SPDX-License-Identifier: GPL-2.0 -->"
DRIVERS = ("intree", "ours")
NAMES = {"intree": "in-tree", "ours": "xen-balloon", "floor": "floor", "none": "no ballooning"}
KINDS = ("pvh", "pv", "hvm")
SHAPES = {"pvh": "o", "pv": "s", "hvm": "^"}
LINES = {"none": {"color": "0.3", "linestyle": ":", "linewidth": 1, "markerfacecolor": "0.3"},
         "intree": {"color": "0.55", "linestyle": "--", "markerfacecolor": "white"},
         "ours": {"color": "black", "linestyle": "-", "markerfacecolor": "black"}}
ENDS = {"none": "x", "intree": "o", "ours": "o"}
BARS = {"intree": {"facecolor": "0.8"}, "ours": {"facecolor": "0.15"},
        "floor": {"facecolor": "white", "hatch": "////"}}
THIN = {"color": "0.4", "linewidth": 0.6}

MOMENTS = {"before": "before", "down": "down", "up": "up again"}
MAP_WIDTH = 24   # regions
# How a region is drawn: a grey, the side of its squares, and where in a cell of 1 x 1 they begin.
CELLS = {"S": ("0.15", 0.86, ((0.07, 0.07),), "2 MiB in one piece"),
         "s": ("0.5", 0.34, ((0.1, 0.1), (0.1, 0.56), (0.56, 0.1), (0.56, 0.56)), "in scattered 4 KiB pages"),
         "p": ("0.75", 0.34, ((0.1, 0.56), (0.56, 0.1)), "in part"),
         ".": ("none", 0.86, ((0.07, 0.07),), "with the host")}

CASES = {"restored": "restored", "migrated": "migrated", "shattered": "shattered",
         "pod": "populated on demand", "fragmented": "fragmented"}
THREADS = {"touch": "a thread that touches memory", "timer": "a thread that waits for a timer"}
JOBS = {"down": "inflate\n(guest shrinks)", "up": "deflate\n(guest grows)"}
STAGES = {"first": "at first", "cycles": "after cycles", "random": "after random\ntargets",
          "starved": "grown while\na node was full", "rested": "at rest,\nwith room again"}


def save(figure, path):
    """Write a picture as SVG, with its licence."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    declaration, rest = text.getvalue().split("\n", 1)
    path.write_text(f"{declaration}\n{LICENCE}\n{rest}")


def present(order, data):
    """Return the names in their order, without those that have no data."""
    return [name for name in order if data.get(name)]


def handle(label, marker, **style):
    """Return a line for a legend."""
    return Line2D([], [], marker=marker, label=label, **style)


def legend(figure, handles, y=0):
    """Put a legend below the panels, in one line."""
    figure.legend(handles=handles, loc="lower center", ncol=len(handles), bbox_to_anchor=(0.5, y), handlelength=3.2)


def whiskers(runs, scale=1):
    """Return the medians of some runs, and how far the lowest and the highest are from them."""
    middles = [statistics.median(values) / scale for values in runs]
    below = [middle - min(values) / scale for middle, values in zip(middles, runs, strict=True)]
    above = [max(values) / scale - middle for middle, values in zip(middles, runs, strict=True)]
    return middles, [below, above]


def bars(axes, runs, groups):
    """Draw groups of bars, the medians of some runs, with the lowest and the highest.

    runs = {name: [[value, ...runs], ...groups]}, the names of BARS
    """
    width = 0.8 / len(runs)
    for place, (name, values) in enumerate(runs.items()):
        middles, reach = whiskers(values)
        at = [group + (place - (len(runs) - 1) / 2) * width for group in range(len(groups))]
        axes.bar(at, middles, width, yerr=reach if any(map(any, reach)) else None, edgecolor="black", linewidth=0.6,
                 label=NAMES[name], error_kw={"ecolor": "0.45", "elinewidth": 1, "capsize": 3}, **BARS[name])
        for x, middle, above in zip(at, middles, reach[1], strict=True):
            axes.annotate(f"{middle:.2g}", (x, middle + above), (0, 3), textcoords="offset points", ha="center",
                          fontsize=8)
    axes.margins(y=0.1)
    axes.set_xticks(range(len(groups)), groups, fontsize=8)
    axes.tick_params(axis="x", length=0)


def squares(letter, places):
    """Return all regions of one letter, at (column, row) each, as one patch."""
    grey, side, starts, _ = CELLS[letter]
    corners = ((0, 0), (side, 0), (side, side), (0, side), (0, 0))
    points = [(column + x + dx, row + y + dy) for column, row in places for x, y in starts for dx, dy in corners]
    codes = [Outline.MOVETO, Outline.LINETO, Outline.LINETO, Outline.LINETO, Outline.CLOSEPOLY]
    return PathPatch(Outline(points, codes * (len(points) // len(codes))), facecolor=grey,
                     edgecolor="0.7" if grey == "none" else "none", linewidth=0.4)


def one_map(axes, regions):
    """Draw the regions of one guest, row by row from the top."""
    for letter in CELLS:
        places = [(number % MAP_WIDTH, number // MAP_WIDTH) for number, found in enumerate(regions) if found == letter]
        if places:
            axes.add_patch(squares(letter, places))
    axes.set(xlim=(0, MAP_WIDTH), ylim=(-(-len(regions) // MAP_WIDTH), 0), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def maps_legend(axes):
    """Draw a region of each kind, with its meaning."""
    for letter, column in zip(CELLS, (1, 18, 38, 49), strict=True):
        axes.add_patch(squares(letter, [(column, 0)]))
        axes.text(column + 1.6, 0.5, CELLS[letter][3], va="center")
    axes.set(xlim=(0, 62), ylim=(1, 0), aspect="equal")
    axes.set_axis_off()


def maps(data, path):
    """Draw each guest's memory before, down and up again, each region of 2 MiB a cell.

    data = {driver: {"before": "sSSS...", "down": "...", "up": "..."}}
    """
    drivers = present(DRIVERS, data)
    lines = -(-max(len(regions) for driver in drivers for regions in data[driver].values()) // MAP_WIDTH)
    panel = 0.085 * lines + 0.4
    figure = Figure(figsize=(7, panel * len(drivers) + 0.35), layout="constrained")
    grid = figure.add_gridspec(len(drivers) + 1, len(MOMENTS), height_ratios=[panel] * len(drivers) + [0.2])
    for row, driver in enumerate(drivers):
        for column, moment in enumerate(MOMENTS):
            axes = figure.add_subplot(grid[row, column])
            regions = data[driver][moment]
            one_map(axes, regions)
            axes.set_title(f"{MOMENTS[moment]}: {regions.count('S')} superpages", loc="left")
            if column == 0:
                axes.set_ylabel(NAMES[driver], fontweight="bold")
    maps_legend(figure.add_subplot(grid[-1, :]))
    save(figure, path)


def cycles(data, path):
    """Draw how many superpages are left after so many cycles, of a fixed size first, then of random ones.

    data = {kind: {driver: {"before": 255, "fixed": [[cycles, superpages], ...], "random": likewise}}}
    """
    kinds = present(KINDS, data)
    figure = Figure(figsize=(7, 3.2))
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        for driver in present(DRIVERS, data[kind]):
            found = data[kind][driver]
            fixed = found["fixed"][-1][0]
            left = [[0, found["before"]], *found["fixed"], *([fixed + times, n] for times, n in found["random"])]
            axes.plot(*zip(*left, strict=True), marker=SHAPES[kind], markersize=3.5, clip_on=False, **LINES[driver])
        axes.axvline(fixed + 0.5, **THIN)
        for middle, label in ((fixed / 2, "fixed sizes"), ((fixed + left[-1][0]) / 2 + 0.5, "random sizes")):
            axes.text(middle, 1.02, label, transform=axes.get_xaxis_transform(), ha="center", color="0.3")
        axes.set(xlabel="cycles", xlim=(0, left[-1][0] + 1))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_title(kind.upper(), fontweight="bold", pad=16)
    panels[0].set(ylabel="superpages left", ylim=(0, None))
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    legend(figure, [handle(NAMES[driver], "o", **LINES[driver]) for driver in DRIVERS])
    save(figure, path)


def healing(data, path):
    """Draw how superpages come back while the guest idles, and below what CPU time that took.

    data = {case: {kind: {driver: [[idle_s, superpages, possible, cpu_s], ...]}}}
    """
    cases = present(CASES, data)
    kinds = [kind for kind in KINDS if any(data[case].get(kind) for case in cases)]
    figure = Figure(figsize=(7, 4.2))
    panels = figure.subplots(2, len(cases), sharex="col", sharey="row", squeeze=False,
                             gridspec_kw={"height_ratios": (2, 1)})
    for (share, cpu), case in zip(panels.T, cases, strict=True):
        for kind in present(KINDS, data[case]):
            for driver in present(DRIVERS, data[case][kind]):
                idle, superpages, possible, spent = zip(*data[case][kind][driver], strict=True)
                style = {"marker": SHAPES[kind], "clip_on": False, **LINES[driver]}
                share.plot(idle, [100 * now / most for now, most in zip(superpages, possible, strict=True)], **style)
                cpu.plot(idle, spent, **style)
        share.set(title=CASES[case], xlim=(0, None))
        cpu.set_xlabel("idle for (s)")
    panels[0, 0].set(ylabel="superpages\n(% of possible)", ylim=(0, 105))
    panels[1, 0].set(ylabel="CPU time\nspent (s)", ylim=(0, None))
    figure.align_ylabels()
    figure.tight_layout(rect=(0, 0.07 * len(DRIVERS), 1, 1))
    for line, driver in enumerate(DRIVERS):
        legend(figure, [handle(f"{kind.upper()}, {NAMES[driver]}", SHAPES[kind], **LINES[driver]) for kind in kinds],
               0.065 * (1 - line))
    save(figure, path)


def speed(data, path):
    """Draw the seconds for each GiB, inflating and deflating, as bars with the lowest and highest.

    data = {kind: {"intree" | "ours" | "floor": [{"down": seconds, "up": seconds}, ...runs]}}
    """
    kinds = present(KINDS, data)
    figure = Figure(figsize=(7, 3.4))
    panels = figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=True):
        bars(axes, {name: [[run[job] for run in data[kind][name]] for job in JOBS]
                    for name in present(BARS, data[kind])}, JOBS.values())
        axes.set_title(kind.upper(), fontweight="bold")
    panels[0].set_ylabel("seconds per GiB")
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="lower center", ncol=len(BARS))
    save(figure, path)


def longer(runs):
    """Return how long stalls were, and which fraction of all samples is longer: of all runs together.

    The last point is the longest stall, the one sample that is that long.
    """
    counts = collections.Counter()
    for run in runs:
        for upper, count in run["buckets"]:
            counts[upper] += count
    total = left = counts.total()
    points = []
    for upper in sorted(counts):
        left -= counts[upper]
        if left:
            points.append((upper, left / total))
    return [*points, (max(run["max"] for run in runs), 1 / total)]


def stalls(data, path):
    """Draw which fraction of a thread's samples took longer than a time.

    data = {kind: {vcpus: {"none" | "intree" | "ours": [{"touch": stall, "timer": stall}, ...runs]}}}
    stall = {"max": us, "p999": us, "buckets": [[upper_us, count], ...]}
    """
    guests = [(kind, vcpus) for kind in present(KINDS, data) for vcpus in sorted(data[kind], key=int)]
    figure = Figure(figsize=(7, 1.8 * len(guests) + 0.9))
    panels = figure.subplots(len(guests), len(THREADS), sharex="col", sharey=True, squeeze=False)
    for row, (kind, vcpus) in zip(panels, guests, strict=True):
        for axes, thread in zip(row, THREADS, strict=True):
            for name in present(LINES, data[kind][vcpus]):
                times, fractions = zip(*longer([run[thread] for run in data[kind][vcpus][name]]), strict=True)
                axes.plot(times, fractions, marker=ENDS[name], markevery=[-1], clip_on=False, **LINES[name])
            axes.set(xscale="log", yscale="log")
            axes.grid(color="0.9", linewidth=0.5)
        row[0].set_ylabel(f"{kind.upper()}, vCPUs: {vcpus}\nfraction longer")
    for axes, title in zip(panels[0], THREADS.values(), strict=True):
        axes.set_title(title)
    for axes in panels[-1]:
        axes.set_xlabel("stall (µs); the last marker is the longest")
    low = 0.6 / figure.get_figheight()
    figure.tight_layout(rect=(0, low / 2, 1, 1))
    legend(figure, [handle(NAMES[name], ENDS[name], **style) for name, style in LINES.items()])
    save(figure, path)


def scale(data, path):
    """Draw the time for each GiB against the guest's size, relative to the smallest guest.

    data = {driver: {"512": [seconds, ...runs], ...}}, by MiB
    """
    figure = Figure(figsize=(5.5, 3.2))
    axes = figure.subplots()
    drivers = present(DRIVERS, data)
    smallest = min((size for driver in drivers for size in data[driver]), key=int)
    sizes = sorted({int(size) / 1024 for driver in drivers for size in data[driver]})
    axes.axhline(1, **THIN)
    for driver, shift in zip(DRIVERS, (0.97, 1.03), strict=True):
        if driver in drivers:
            base = statistics.median(data[driver][smallest])
            found = sorted(data[driver], key=int)
            middles, reach = whiskers([data[driver][size] for size in found], base)
            axes.errorbar([shift * int(size) / 1024 for size in found], middles, reach, marker="o", capsize=3,
                          elinewidth=0.9, label=NAMES[driver], **LINES[driver])
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.set(xlabel="size of the guest (GiB)", ylabel=f"time per GiB\n(1: the guest of {smallest} MiB)",
             ylim=(0, None))
    axes.legend(loc="lower right")
    figure.tight_layout()
    save(figure, path)


def nextguest(data, path):
    """Draw the superpages of a guest built on what another gave back, by how fragmented that one was.

    data = {"fresh": 79, "degrees": {"0": {"intree": 79, "ours": 79}, ...}}, by MiB
    """
    figure = Figure(figsize=(5.5, 3.2))
    axes = figure.subplots()
    degrees = sorted(data["degrees"], key=int)
    axes.axhline(data["fresh"], label="on a fresh host", linestyle=":", **THIN)
    for driver in DRIVERS:
        found = [degree for degree in degrees if driver in data["degrees"][degree]]
        axes.plot([int(degree) for degree in found], [data["degrees"][degree][driver] for degree in found],
                  marker="o", label=NAMES[driver], clip_on=False, zorder=3, **LINES[driver])
    axes.set(xlabel="fragmented by a program in the giving guest (MiB)", ylabel="superpages of the next guest",
             ylim=(0, None))
    axes.set_xticks([int(degree) for degree in degrees])
    axes.legend(loc="lower left")
    figure.tight_layout()
    save(figure, path)


def peaks(data, room, path):
    """Draw what guests have over the time, one on the other, and how much there is for all, in MiB.

    data = {kind: [[seconds, mib, ...guests], ...]}
    """
    kinds = present(KINDS, data)
    figure = Figure(figsize=(7, 2.2 * len(kinds) + 0.4))
    for axes, kind in zip(figure.subplots(len(kinds), squeeze=False)[:, 0], kinds, strict=True):
        seconds, *sizes = zip(*data[kind], strict=True)
        greys = [f"{0.25 + 0.55 * at / max(1, len(sizes) - 1):.2f}" for at in range(len(sizes))]
        axes.stackplot(seconds, *sizes, colors=greys, edgecolor="white", linewidth=0.4)
        axes.axhline(room, label="all that there is for them", **THIN)
        axes.set(title=kind.upper(), ylabel="guests' memory (MiB)", xlim=(0, None), ylim=(0, room * 1.05))
        axes.legend(loc="lower right")
    axes.set_xlabel("seconds")
    figure.tight_layout()
    save(figure, path)


def numa(data, path):
    """Draw how much of a guest's memory lies on the wrong one of the machine's nodes, stage by stage.

    data = {driver: {stage: percent, ...}}
    """
    figure = Figure(figsize=(7, 3.2))
    axes = figure.subplots()
    bars(axes, {driver: [[data[driver][stage]] for stage in STAGES] for driver in present(DRIVERS, data)},
         STAGES.values())
    axes.set_ylabel("pages on the wrong node (%)")
    axes.legend(loc="upper left")
    figure.tight_layout()
    save(figure, path)
