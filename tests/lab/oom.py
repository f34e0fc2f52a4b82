# SPDX-License-Identifier: GPL-2.0
"""A program that needs half as much again as is free lives, while the balloon has that.

Where limits/deflate_on_oom is off, as it is at first, it is killed. Where it is on, the guest gets more
than its target, which it goes on showing, and is back there when the program has ended: 20 times in a
row. It gets no more than the toolstack allows by memory/dynamic-max, or Xen by its maximum. What is on its way
to the guest when the program needs it comes in time, on or off.
"""

from common import DEVICE, MIB, READY_WITHIN, Agreement, Holder, killed, move, stats

TAKES = 240
TIMEOUT = 1500
ELASTIC = True
FAULTS = False              # of each page the kernel looks who asks for it: programs take too many for that
EXPECTED = (r"oom-kill:", r"Out of memory: Killed", r"Call Trace",
            r"memhold: page allocation failure")    # of the program, where it dies
SMALL = 256 * MIB
TIMES = 20
ALLOWED = 8 * MIB           # beyond the target, by memory/dynamic-max or Xen's maximum
SLACK = 2 * MIB             # what xl adds to that maximum, and Xen counts for itself
RAISED = 5                  # times
UNREADABLE = ("junk", "", "-5")
JUNK = "memory/dynamic-max cannot be read"
BACK_S = 60
SWITCH = f"{DEVICE}/limits/deflate_on_oom"

# The target is raised when a program has next to all that there is.
RAISE = f"""
memhold %d %d > /tmp/held & holder=$!
while awk '/^MemAvailable/ {{exit !($2 > {12 * MIB})}}' /proc/meminfo; do usleep 20000; done
echo %d > {DEVICE}/target_kb
until grep -q ready /tmp/held; do kill -0 $holder || exit 1; sleep 0.1; done
kill -TERM $holder; wait $holder; cat /tmp/held
"""


def dies(lab, guest, mib, where):
    """Runs the program, which is killed; returns how large the guest was then, in KiB."""
    before, largest = killed(guest), guest.current_kb()
    program = guest.spawn(f"echo 1000 > /proc/self/oom_score_adj; exec memhold {mib}")
    lab.wait(lambda: killed(guest) > before, 120, f"the program of {mib} MiB to be killed {where}")
    largest = max(largest, guest.current_kb())
    program.wait(60, check=False)
    lab.equal(f"killed {where}", killed(guest) - before, 1)
    return largest


def lives(lab, guest, full, mib):
    """Runs the program several times, and raises the target while it runs."""
    before, relieved = killed(guest), stats(guest)["oom_relieved"]
    for seed in range(RAISED):
        said = guest.run(RAISE % (mib, seed, full), timeout=READY_WITHIN, check=False).split()
        lab.check("intact:" in said, f"a program, with the target raised meanwhile: {' '.join(said)}")
        guest.target_kb(SMALL)
        guest.landed()
    lab.equal("killed meanwhile", killed(guest) - before, 0)
    lab.note(f"pages that came when the program was about to be killed: {stats(guest)['oom_relieved'] - relieved}")


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel)
    full = guest.current_kb()
    guest.load()
    # The program asks for more at once than the guest has.
    guest.run(f"echo 1 > /proc/sys/vm/overcommit_memory; echo 0 > {DEVICE}/upkeep/heal")
    guest.target_kb(SMALL)
    guest.landed()
    guest.still()
    available = guest.meminfo()["MemAvailable"] + guest.given_kb()
    mib = available * 3 // 2 // MIB
    lab.equal("deflate_on_oom at first", guest.run(f"cat {SWITCH}").strip(), "0")
    lab.equal("current_kb of a guest that may not grow", dies(lab, guest, mib, "with it off"), SMALL)

    lives(lab, guest, full, mib)

    agreement = Agreement(lab, guest)
    guest.run(f"echo 1 > {SWITCH}")
    sizes = []
    for seed in range(TIMES):
        holder = Holder(lab, guest, mib, seed)
        sizes.append(guest.current_kb())
        lab.equal("target_kb meanwhile", int(guest.run(f"cat {DEVICE}/target_kb")), SMALL)
        holder.intact()
        lab.wait(lambda: guest.current_kb() == SMALL, BACK_S, "the guest to be back at its target")
    relieved = stats(guest)["oom_relieved"]
    lab.note(f"of {available // MIB} MiB available {mib} were used {TIMES} times: the guest had {min(sizes) // MIB} to "
             f"{max(sizes) // MIB} MiB then, and got {relieved} pages in all")
    lab.check(min(sizes) > SMALL, f"the guest had {min(sizes)} kB at least, expected more than {SMALL}")
    lab.check("the guest is out of memory" in guest.dmesg(), "dmesg tells of it")
    agreement.check(f"after {TIMES} times")

    path = f"/local/domain/{guest.domid}/memory/dynamic-max"
    lab.dom0(f"xenstore-write {path} {guest.xen_pages() * 4 + ALLOWED}")
    largest = dies(lab, guest, mib, "with more than the toolstack allows")
    lab.equal("current_kb at most, where the toolstack allows 8 MiB more", largest, SMALL + ALLOWED)
    lab.wait(lambda: guest.current_kb() == SMALL, BACK_S, "the guest to be back at its target")
    for told, value in enumerate(UNREADABLE, 1):
        for written in (str(full), value):
            lab.host.store.write(path, written.encode())
        where = f"with '{value}' in memory/dynamic-max"
        lab.wait(lambda: guest.dmesg().count(JUNK) >= told, 30, f"{told} times junk to be told of")
        lab.equal(f"current_kb {where}", dies(lab, guest, mib, where), SMALL)
    lab.host.store.remove(path)
    move(guest, SMALL)          # which lowers Xen's maximum, too
    small = guest.current_kb()
    guest.mem_max(f"{SMALL + ALLOWED}k")
    largest = dies(lab, guest, mib, "with more than Xen allows")
    lab.check(small < largest <= SMALL + ALLOWED + SLACK,
              f"current_kb at most, where Xen allows about 8 MiB more: {largest}, expected more than {small}")
    lab.wait(lambda: guest.current_kb() == small, BACK_S, "the guest to be back at its target")
    agreement = Agreement(lab, guest)
    agreement.check("in the end")
    guest.unload()
