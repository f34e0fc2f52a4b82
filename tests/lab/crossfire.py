# SPDX-License-Identifier: GPL-2.0
"""The module comes and goes while all else happens to the guest at the same time, and nothing is lost.

Targets through xenstore, memory compacted, another guest's pages mapped, programs that take memory and leave it in
pieces, and the guest suspended, each in a loop of its own. RELOADS in the environment is how often it comes and goes.
"""

import os
import random
import time

from common import HAVE_GNTDEV, MIB, Agreement, Holder, move, share_pages, uptime

RELOADS = int(os.environ.get("RELOADS", 20))
TAKES = 240
TIMEOUT = 400 + 30 * RELOADS
MEMORY = 384 * MIB
LOW, HIGH = 368 * MIB, 380 * MIB        # in PVH loading takes a call of Xen for each page that is ballooned out
HELD_MIB = 40
SHARED, PEAK = 300, 2000        # pages
FILE = "/tmp/saved"
SUSPENDED_EVERY = 20            # targets
TOLD_EVERY = 10                 # times

# After each load the driver has up to 300 ms, another time at each.
LOADS = f"""
for i in $(seq {RELOADS}); do
	insmod /xen-balloon.ko 2> /said && usleep $((i * 79 %% 300 * 1000)) && rmmod xen_balloon && echo $i >> /loaded ||
		%s || {{ echo $i failed > /loads; break; }}
	echo $i > /loads
done
touch /ended
"""
LOOPS = (
    "while [ ! -e /ended ]; do echo 1 > /proc/sys/vm/compact_memory; sleep 1; done",
    "while [ ! -e /ended ]; do timeout 1 holes 40 > /dev/null; sleep 1; done",
)
LOANS = HAVE_GNTDEV + """
while [ ! -e /ended ]; do
	rm -f /mapped; grants map %d %d 1 %s > /mapped & mapper=$!
	until grep -qs peak /mapped; do kill -0 $mapper || exit 1; sleep 0.1; done
	kill -USR1 $mapper; wait $mapper || exit 1; cat /mapped; sleep 1
done
"""


def fire(lab, guest, draw):
    """Has the guest sent up and down, and suspended, until the module has come and gone so often."""
    targets = suspended = 0
    loads = "0"

    def shoot():
        nonlocal targets, suspended, loads
        guest.mem_set(f"{draw.randrange(LOW, HIGH, 4)}k")
        targets += 1
        if targets % SUSPENDED_EVERY == 0:
            guest.checkpoint(FILE)
            lab.dom0(f"rm {FILE}")
            suspended += 1
        loads = guest.run("cat /loads").strip()
        return not loads.isdecimal() or int(loads) >= enough

    for enough in (*range(TOLD_EVERY, RELOADS, TOLD_EVERY), RELOADS):
        lab.wait(shoot, 60 + 20 * TOLD_EVERY, f"the module to come and go {enough} times", every=0.5)
        lab.note(f"the module came and went {loads} times, while xl mem-set was called {targets} times, "
                 f"and the guest suspended {suspended} times")
    lab.equal("how often the module came and went", loads, str(RELOADS))
    lab.check(suspended, f"the guest was suspended {suspended} times, expected some")


def run(lab, kind, kernel):
    seed = random.randrange(1 << 32)
    lab.note(f"seed {seed}")
    guest, giver = lab.guests([dict(kind=kind, kernel=kernel, memory=MEMORY // MIB, vcpus=2),
                               dict(kind="pvh", kernel=kernel, memory=256, name="giver")])
    refs = share_pages(lab, giver, guest.domid, SHARED)
    move(guest, HIGH)
    agreement = Agreement(lab, guest)
    holder = Holder(lab, guest, HELD_MIB, seed % 1000)
    loans = guest.spawn(LOANS % (giver.domid, PEAK, refs))
    loops = [guest.spawn(loop) for loop in LOOPS]

    began, start = uptime(guest), time.monotonic()
    loads = LOADS % guest.have_loads_fail()
    guest.run("echo 0 > /loads; : > /loaded")
    guest.spawn(loads)
    fire(lab, guest, random.Random(seed))
    guest.count_faults()
    took = time.monotonic() - start
    loaded = int(guest.run("wc -l < /loaded"))
    lab.check(0 < loaded < RELOADS if lab.faults else loaded == RELOADS,
              f"{RELOADS} times, of which it was loaded {loaded}, took {took:.0f} s, {uptime(guest) - began:.0f} s of "
              "the guest's")

    for loop in loops:
        loop.wait(60, check=False)
    mapped = loans.wait(60).split("\n")
    lab.check(mapped.count("peak") > 1, f"pages were mapped {mapped.count('peak')} times, and intact")
    move(guest, HIGH)
    agreement.check("moved by the in-tree driver")
    guest.load()
    move(guest, LOW)
    Agreement(lab, guest).check("moved by the module")
    holder.intact()
    guest.unload()
