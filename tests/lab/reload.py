# SPDX-License-Identifier: GPL-2.0
"""The module can come and go 50 times, at rest and while xl mem-set fires, and nothing is lost.

After it the in-tree driver works, and neither slab nor MemTotal has lost anything.
"""

from common import DEVICE, MIB, Agreement, move

TYPES = ("pv", "pvh", "hvm")
TIMEOUT = 500
TIMES = 25  # at rest, and as many under fire
LOOP = f"""
for i in $(seq {TIMES}); do insmod /xen-balloon.ko 2> /said && rmmod xen_balloon && echo $i || %s || exit 1; done
"""
FULL = 512 * MIB
OUT, LESS_OUT, MORE_OUT = 128 * MIB, 62 * MIB, 212 * MIB    # in PVH loading takes a call of Xen for each page of it
FIRED_AT_LEAST = 5  # xl mem-set is slow, where all is emulated
SLAB_SLACK_KB = 256
LEAKED = 2 * TIMES  # objects that a leak of one in each load would leave in one cache
SLABS = """
echo 2 > /proc/sys/vm/drop_caches
for cache in /sys/kernel/slab/kmalloc-*; do echo 1 > $cache/shrink; done
awk '$1 ~ /^kmalloc/ {print $1, $2, $5}' /proc/slabinfo
"""


BY_NAME = """
mkdir -p /lib/modules/$(uname -r)/updates
cp /xen-balloon.ko /lib/modules/$(uname -r)/updates/
depmod; modprobe xen-balloon; modprobe -r xen-balloon
"""


def slabs(guest):
    """Objects in use in each kmalloc cache and how many a slab of it holds; Slab of /proc/meminfo in KiB."""
    rows = [line.split() for line in guest.run(SLABS).splitlines()]
    return {row[0]: int(row[1]) for row in rows}, {row[0]: int(row[2]) for row in rows}, guest.meminfo()["Slab"]


def under_fire(lab, guest, loop):
    """Loads and unloads while xl mem-set sends the guest up and down all the time."""
    loop = guest.spawn(f"({loop}); echo exit status $?")
    sizes = [FULL - out // lab.slow for out in (MORE_OUT, LESS_OUT)]
    moves = 0

    def fire():
        nonlocal moves
        moves += 1
        guest.mem_set(f"{sizes[moves % 2]}k")
        return "exit status" in loop.output()

    lab.wait(fire, 240, f"{TIMES} insmod and rmmod under fire to end")
    *loaded, status = loop.output().strip().splitlines()
    lab.equal(f"{TIMES} times under fire", status, "exit status 0")
    lab.check(moves >= FIRED_AT_LEAST,
              f"xl mem-set fired {moves} times in {TIMES} loads, expected at least {FIRED_AT_LEAST}")
    return len(loaded)


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=FULL // MIB)
    full = guest.current_kb()
    size = FULL - OUT // lab.slow
    move(guest, size)
    agreement = Agreement(lab, guest)
    guest.run(BY_NAME)
    agreement.check("loaded and unloaded once, by modprobe")
    objects, _, slab = slabs(guest)

    loop = LOOP % guest.have_loads_fail()
    loaded = len(guest.run(loop, timeout=240).splitlines())
    agreement.check(f"after {TIMES} times at rest")
    loaded += under_fire(lab, guest, loop)
    guest.count_faults()
    lab.check(0 < loaded < 2 * TIMES if lab.faults else loaded == 2 * TIMES,
              f"of {2 * TIMES} times it was loaded {loaded}")
    move(guest, size)
    agreement.check(f"after {TIMES} times under fire, moved by the in-tree driver")

    objects_after, in_a_slab, slab_after = slabs(guest)
    lab.check(slab_after - slab < SLAB_SLACK_KB,
              f"Slab was {slab} kB and is {slab_after} kB after {2 * TIMES} loads, "
              f"expected less than {SLAB_SLACK_KB} kB more")
    # All of the slab that a CPU is using counts as in use.
    over = {name: objects_after[name] - objects[name] - max(LEAKED, in_a_slab[name] + 1) for name in objects}
    cache = max(over, key=over.get)
    grown = objects_after[cache] - objects[cache]
    lab.check(over[cache] < 0, f"slab cache closest to a leak, {cache}: grew by {grown} objects in {2 * TIMES} loads, "
                               f"expected less than {grown - over[cache]}")
    threads = guest.run("cat /proc/[0-9]*/comm | grep -cx xen-balloon")
    lab.equal("threads named xen-balloon", threads.strip(), "1")
    queues = guest.run(f"ls -d {DEVICE}/queues 2>/dev/null || echo gone")
    lab.equal("the queues in sysfs", queues.strip(), "gone")
    move(guest, FULL)
    agreement.check("back at full size by the in-tree driver")
    lab.equal("current_kb at full size", guest.current_kb(), full)
