# SPDX-License-Identifier: GPL-2.0
"""The module can come and go 50 times, at rest and while xl mem-set is firing, and nothing is lost.

After it the in-tree driver works, every count is what it was, and neither slab nor MemTotal has lost anything.
"""

from common import DEVICE, MIB, Agreement, move

TIMES = 25
LOOP = f"for i in $(seq {TIMES}); do insmod /xen-balloon.ko && rmmod xen_balloon || exit 1; done"
SLAB_SLACK_KB = 256
# Objects that one leak in each load would leave behind in one slab cache.
LEAKED = 2 * TIMES

SLABS = "echo 2 > /proc/sys/vm/drop_caches; awk '$1 ~ /^kmalloc/ {print $1, $2}' /proc/slabinfo"


def slabs(guest):
    """Active objects in each kmalloc cache, and Slab of /proc/meminfo in KiB."""
    objects = {name: int(number) for name, number in (line.split() for line in guest.run(SLABS).splitlines())}
    return objects, guest.meminfo()["Slab"]


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=512)
    move(guest, 384 * MIB)
    agreement = Agreement(lab, guest)
    guest.load()
    guest.unload()
    agreement.check("after the first load and unload")
    objects, slab = slabs(guest)

    guest.run(LOOP, timeout=240)
    agreement.check(f"after {TIMES} times at rest")

    loop = guest.spawn(f"({LOOP}); echo exit status $?")
    moves = 0

    def fire():
        nonlocal moves
        moves += 1
        guest.mem_set(f"{(300, 450)[moves % 2]}m")
        return "exit status" in loop.output()

    lab.wait(fire, 240, f"{TIMES} insmod and rmmod under fire to end")
    lab.equal(f"{TIMES} insmod and rmmod while xl mem-set fired {moves} times", loop.output().strip(), "exit status 0")
    lab.check(moves >= TIMES // 2, f"xl mem-set fired {moves} times during {TIMES} loads, expected at least {TIMES // 2}")

    lab.equal("modules loaded at the end", guest.run("grep -c ^xen_balloon /proc/modules || true").strip(), "0")
    move(guest, 384 * MIB)
    agreement.check(f"after {TIMES} times under fire, moved by the in-tree driver")
    objects_after, slab_after = slabs(guest)
    lab.check(slab_after - slab < SLAB_SLACK_KB, f"Slab was {slab} kB before and is {slab_after} kB after {2 * TIMES} loads, expected less than {SLAB_SLACK_KB} kB more")
    for name, number in objects.items():
        grown = objects_after[name] - number
        lab.check(grown < LEAKED, f"{name} grew by {grown} objects in {2 * TIMES} loads, expected less than {LEAKED}")
    lab.equal("threads named xen-balloon", guest.run("cat /proc/[0-9]*/comm | grep -cx xen-balloon").strip(), "1")
    lab.equal("the queues in sysfs", guest.run(f"ls -d {DEVICE}/queues 2>/dev/null || echo gone").strip(), "gone")
