# SPDX-License-Identifier: GPL-2.0
"""What programs feel of memory that their guest gives, again within seconds: how long one waits for 128 MiB that it
wants at once, by turns with a guest that has the in-tree driver, which gives nothing; and how long stress-ng takes for
a mix.
"""

from statistics import median

from common import killed
from elastic import GROUP, WANTED_MIB, attribute
from giving import give, guests, take
from measure import INTREE, OURS
from table import Row, spread

NAME = "regained"
TITLE = "Memory that was given and is wanted again"
TIME = 60 * 60              # seconds
MIX = "stress-ng --seed 1 --timeout 0 --vm 1 --vm-bytes 100M --vm-ops 2000 --qsort 1 --qsort-ops 10 --malloc 1 " \
      "--malloc-ops 20000 --oomable -q"
MIX_RUNS = 12
AS_AT_FIRST = "echo 30 > hold_s; echo 10000 > age_ms"
AIMS = {"sudden": 1.5, "mix": 1.03}


def sudden(bench, kind):
    """How long programs wait for what they want, by turns, in ms."""
    result = {INTREE: [], OURS: []}
    with guests(bench, kind, [INTREE, OURS]) as (never, gives):
        for driver, guest in bench.by_turns({INTREE: never, OURS: gives}):
            if driver == OURS:
                give(bench, guest)
            result[driver].append(take(guest))
    return result


def mix(bench, kind):
    """How long stress-ng takes in one guest, elastic off and on by turns, in s; at first memory is given, then."""
    result = {"0": [], "1": []}
    with bench.guest(kind, OURS, initrd="initrd-work") as guest:
        for run in range(-1, 1 if bench.quick else MIX_RUNS):
            for which in "01"[::-1 if run % 2 else 1]:
                if which == "1":
                    give(bench, guest)
                    guest.run(f"cd {GROUP}; {AS_AT_FIRST}")
                else:
                    guest.run(f"echo 0 > {GROUP}/enabled")
                    bench.lab.wait(lambda: not attribute(guest, "given_kb"), 60, "all to be back")
                took = float(guest.run(f"s=$(cut -d' ' -f1 /proc/uptime); {MIX} > /dev/null 2>&1 && "
                                       "echo $s $(cut -d' ' -f1 /proc/uptime) | awk '{print $2 - $1}'", timeout=400))
                # In the first one files are read that all others find in memory.
                if run >= 0:
                    result[which].append(took)
        bench.lab.equal("of the mix, killed", killed(guest), 0)
    return result


def measure(bench):
    data = {}
    for kind in bench.kinds:
        data[kind] = {}
        for part in (sudden, mix):
            data[kind][part.__name__] = part(bench, kind)
            bench.say(f"{kind} {part.__name__}: {data[kind][part.__name__]}")
    return data


def rows(data):
    found = []
    for kind, parts in data.items():
        times = parts["sudden"]
        ratio = median(times[OURS]) / median(times[INTREE])
        found.append(Row(f"time until a program has {WANTED_MIB} MiB, in ms", kind, spread(times[INTREE], "{:.0f}"),
                         spread(times[OURS], "{:.0f}"), "", f"at most {AIMS['sudden']}: {ratio:.2f}",
                         ratio <= AIMS["sudden"]))
        # The host is now slower, now faster: those that were side by side are compared.
        ratio = median(on / off for off, on in zip(parts["mix"]["0"], parts["mix"]["1"], strict=True))
        found.append(Row("time of a mix of stress-ng, elastic off and on, in s", kind,
                         spread(parts["mix"]["0"], "{:.1f}"), spread(parts["mix"]["1"], "{:.1f}"), "",
                         f"at most {AIMS['mix']}: {ratio:.3f}", ratio <= AIMS["mix"]))
    return found
