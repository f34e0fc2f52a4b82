# SPDX-License-Identifier: GPL-2.0
"""Whether programs that want 128 MiB again and again, which their guest has given each time, have anybody killed or
page cache reclaimed; and how much of a file that fits is read anew while other programs come and go. All is counted,
in two guests at once.
"""

from functools import partial

from cache import FILL, USED_MIB
from elastic import GROUP, PAGES_A_MIB, WANTED_MIB
from giving import SOON, enable, give, take
from measure import OURS
from table import Row

NAME = "often"
TITLE = "Memory that is given and wanted again and again"
TRIES, QUICK_TRIES = {"pvh": 100, "pv": 25}, 5
TIME = 60 * 60              # seconds
READ_S = 60
READER = f"""
end=$(($(date +%s) + {READ_S})); n=0
while [ $(date +%s) -lt $end ]; do cat /mnt/used > /dev/null; n=$((n + 1)); done; echo $n
"""
COMES_AND_GOES = f"while [ ! -e /read ]; do take {WANTED_MIB} > /dev/null; sleep 5; echo 1 > {GROUP}/hold_s; done"
MORE = 640                  # MiB, of a guest with page cache
AIMS = {"stolen": 0.05, "hits": 0.99}


def often(bench, kind):
    """Whether anybody was killed, and what was reclaimed of page cache, in pages, for programs that got so many."""
    tries = QUICK_TRIES if bench.quick else TRIES[kind]
    with bench.guest(kind, OURS, memory=MORE) as guest:
        guest.run(FILL, timeout=120)
        before = guest.vmstat()
        for _ in range(tries):
            give(bench, guest)
            take(guest)
        after = guest.vmstat()
        stolen = sum(after[name] - before[name] for name in ("pgsteal_kswapd", "pgsteal_direct"))
        return {"tries": tries, "killed": after["oom_kill"] - before["oom_kill"], "stolen": stolen,
                "latency": guest.run("cat /sys/kernel/debug/xen-balloon/latency")}


def hits(bench, kind, on):
    """Which part of what is read of a file that fits was in memory, beside programs that come and go."""
    with bench.guest(kind, OURS, memory=MORE) as guest:
        guest.run(FILL, timeout=120)
        if on:
            enable(guest, SOON)
        other = guest.spawn(COMES_AND_GOES)
        before = guest.vmstat()["workingset_refault_file"]
        times = int(guest.run(READER, timeout=READ_S * 4))
        again = guest.vmstat()["workingset_refault_file"] - before
        guest.run("touch /read")
        other.wait(60)
        return 1 - again / (times * USED_MIB * PAGES_A_MIB)


def measure(bench):
    data = {kind: {"hits": {}} for kind in bench.kinds}

    def go(kind, name, found, part):
        found[name] = part()
        bench.say(f"{kind} {part.func.__name__}: {found[name]}")

    bench.at_once([partial(go, kind, "often", data[kind], partial(often, bench, kind)) for kind in data] +
                  [partial(go, kind, str(on), data[kind]["hits"], partial(hits, bench, kind, on))
                   for kind in data for on in (0, 1)])
    return data


def rows(data):
    found = []
    for kind, parts in data.items():
        many = parts["often"]
        wanted = many["tries"] * WANTED_MIB * PAGES_A_MIB
        found += [
            Row(f"killed in {many['tries']} such programs", kind, "", str(many["killed"]), "", "0", not many["killed"]),
            Row("page cache reclaimed for them, of what they wanted", kind, "", f"{many['stolen'] / wanted:.1%}", "",
                f"at most {AIMS['stolen']:.0%}", many["stolen"] <= AIMS["stolen"] * wanted)]
        off, on = parts["hits"]["0"], parts["hits"]["1"]
        found.append(Row("hit rate of a reader, elastic off and on", kind, f"{off:.2%}", f"{on:.2%}", "",
                         f"at least {AIMS['hits']:.0%} of it", on >= AIMS["hits"] * off))
    return found
