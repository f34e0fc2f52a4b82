# SPDX-License-Identifier: GPL-2.0
"""What the host has of guests of 512 MiB of which 120 are in use, with elastic/enabled and all else as it is at
first: what four of them leave to it once they were idle for two minutes, and what their threads do then; what is sent
when such a guest is migrated. And, where memory is given again within seconds, four guests with 180 MiB more in turn,
on a host with room for 1.5 GiB.
"""

import time
from statistics import median

import plots
from common import MIB, THREAD, killed, share
from elastic import GROUP, attribute, given
from giving import SOON, enable, guests, in_use
from measure import INTREE, OURS
from migrationcost import migrate
from peaks import GUESTS, PEAK_MIB, ROOM_MIB
from table import Row, spread

NAME = "elastic"
TITLE = "Memory that is idle"
IDLE_S, WATCHED_S, WINDOWS = 120, 20, 3
TIME = 60 * 60              # seconds
# Of what is free, what the allocator keeps and hands to nobody, and what is in less than 2 MiB, in pages
KEPT = """awk '/pages free/ {free = $3} $1 == "high" {high = $2}
/protection:/ {gsub(/[(),]/, ""); kept = high + $4; sum += free < kept ? free : kept} END {print sum}' /proc/zoneinfo
awk '{size = 1; for (field = 5; field < 14; field++) {sum += $field * size; size *= 2}}
END {print sum}' /proc/buddyinfo"""
ROUNDS = 2
SENT_AIM, CPU_AIM = 0.4, 0.0005


def thread_time(guest):
    """CPU time of the balloon's thread alone, which moves nothing meanwhile, and the guest's uptime, in seconds."""
    fields = guest.run(THREAD).split()
    return int(fields[0]) / 1e9, float(fields[3])


def held(bench, kind):
    """What four guests have, and whether all that is left to them is in superpages; what idle threads do."""
    with guests(bench, kind, [OURS] * GUESTS) as found:
        def look():
            return {"mib": sum(guest.xen_pages() for guest in found) * 4 / MIB,
                    "pieces": sum(guest.meter().small + guest.meter().partial for guest in found)}

        before = look()
        for guest in found:
            enable(guest)
        time.sleep(IDLE_S)
        after = look()
        parts = [{"headroom": attribute(guest, "headroom_kb") / MIB, "used": in_use(guest),
                  "kept": max(map(int, guest.run(KEPT).split())) * 4 / MIB,
                  "lower": attribute(guest, "lower_kb") / MIB,
                  "xen": (guest.xen_pages() * 4 - guest.current_kb()) / MIB} for guest in found]
        shares = []
        for _ in range(WINDOWS):
            start = [thread_time(guest) for guest in found]
            time.sleep(WATCHED_S)
            shares += [share(was, thread_time(guest)) for guest, was in zip(found, start, strict=True)]
        return {"before": before, "after": after, "parts": parts, "cpu": shares}


def sent(bench, kind):
    """What is sent of an idle guest that gives, and of one that does not, in MiB."""
    result = {}
    for driver in (INTREE, OURS):
        with guests(bench, kind, [driver]) as (guest,):
            if driver == OURS:
                enable(guest)
                given(bench.lab, guest, 12)
            result[driver] = migrate(bench.lab, guest)[0]
    return result


def peaks(bench, kind):
    """What each of four guests and the host have, over the time, in MiB, while one after the other wants 180 more."""
    with guests(bench, kind, [OURS] * GUESTS) as found:
        for guest in found:
            enable(guest, SOON)

        def sizes():
            return [guest.xen_pages() * 4 / MIB for guest in found]

        bench.lab.wait(lambda: sum(sizes()) < ROOM_MIB - PEAK_MIB, 300, "the guests to have given enough", every=2)
        samples, start = [], time.monotonic()

        def sample():
            samples.append([time.monotonic() - start, *sizes()])
            return sum(samples[-1][1:]) < ROOM_MIB - PEAK_MIB

        with bench.lab.starve(int(ROOM_MIB - sum(sizes()))):
            for _ in range(1 if bench.quick else ROUNDS):
                for guest in found:
                    program = guest.spawn(f"take {PEAK_MIB} || echo killed; sleep 1")
                    while not program.output():
                        sample()
                    program.wait(60)
                    enable(guest, SOON)
                    bench.lab.wait(sample, 300, f"{guest.name} to have given what it took", every=0.5)
        died = sum(map(killed, found))
        for guest in found:
            guest.run(f"echo 0 > {GROUP}/enabled")
        return {"samples": samples, "killed": died}


def measure(bench):
    data = {}
    for kind in bench.kinds:
        data[kind] = {}
        for part in (held, peaks, *((sent,) if kind == "pvh" else ())):
            data[kind][part.__name__] = part(bench, kind)
            bench.say(f"{kind} {part.__name__}: {str(data[kind][part.__name__])[:300]}")
    return data


def least(guest):
    """What a guest has at least, in MiB: it may have one piece more, since it gives whole ones."""
    return max(guest["lower"], guest["used"] + guest["headroom"] + guest["kept"]) + guest["xen"] + 2


def rows(data):
    found = []
    for kind, parts in data.items():
        here, aim = parts["held"], sum(map(least, parts["held"]["parts"]))
        found += [
            Row(f"what {GUESTS} idle guests have, in MiB", kind, f"{here['before']['mib']:.0f}",
                f"{here['after']['mib']:.0f}", "",
                f"in use, headroom and what cannot be given, or the floor: {aim:.0f}", here["after"]["mib"] <= aim),
            Row("pieces in them that are no superpages", kind, str(here["before"]["pieces"]),
                str(here["after"]["pieces"]), "", "no more", here["after"]["pieces"] <= here["before"]["pieces"]),
            Row("CPU time of the thread of such a guest", kind, "",
                spread([100 * one for one in here["cpu"]], "{:.4f} %"),
                "", f"below {CPU_AIM:.2%}", median(here["cpu"]) < CPU_AIM)]
        if "sent" in parts:
            ratio = parts["sent"][OURS] / parts["sent"][INTREE]
            found.append(Row("sent of an idle guest that is migrated, in MiB", kind, f"{parts['sent'][INTREE]:.0f}",
                             f"{parts['sent'][OURS]:.0f}", "", f"at most {SENT_AIM}: {ratio:.2f}",
                             ratio <= SENT_AIM))
        found.append(Row(f"killed while {GUESTS} guests peak in turn", kind, "", str(parts["peaks"]["killed"]), "", "0",
                         not parts["peaks"]["killed"]))
    return found


def draw(data, folder):
    plots.peaks({kind: parts["peaks"]["samples"] for kind, parts in data.items()}, ROOM_MIB, folder / "elastic.svg")
    return [("elastic.svg", "What four guests have while one after the other wants 180 MiB more.",
             "Areas, one on the other, of the memory of four guests over the time; a line is what there is for all.")]
