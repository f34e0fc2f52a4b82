# SPDX-License-Identifier: GPL-2.0
"""After a deep inflation of a fragmented guest the kernel still gets several pages in one piece.

200 blocks of order 3, 50 of order 5, and 200 processes at once, by each driver in the same boot.
"""

import re

from common import DEVICE, Agreement, balloon_out, intree_and_ours

WANTED = {3: 200, 5: 50}
FORKS = 200

FORK = f"""
n=0
for i in $(seq {FORKS}); do
	(exec sleep 20) & [ $? = 0 ] && n=$((n + 1))
done
echo $n; killall sleep; wait
"""


def blocks(guest, order):
    """Asks for blocks of an order; returns how many there were."""
    guest.run(f"insmod /orders.ko order={order} blocks={WANTED[order]} && rmmod orders")
    return int(re.findall(r"orders: got (\d+)", guest.dmesg())[-1])


def had(lab, guest):
    """Fragments the guest, deflates it to what is needed, and returns what could be had then."""
    said = guest.run("insmod /fragment.ko && dmesg | grep fragment: | tail -n 1")
    balloon_out(guest)
    free = guest.meminfo()
    lab.note(f"{guest.name}: {said.strip()}; current {guest.current_kb()} kB, free {free['MemFree']} kB; "
             f"{' '.join(guest.run('grep Normal /proc/buddyinfo || grep DMA32 /proc/buddyinfo').split())}")
    got = {f"order {order}": blocks(guest, order) for order in WANTED}
    got["forks"] = int(guest.run(FORK, timeout=120))
    lab.note(f"{guest.name}: {got}")
    return got


def run(lab, kind, kernel):
    intree, ours = intree_and_ours(lab, kind, kernel)
    had(lab, intree)
    intree.destroy()

    ours.load()
    ours.run(f"echo 0 > {DEVICE}/limits/floor_kb")       # where the in-tree driver has none
    agreement = Agreement(lab, ours)
    wanted = {f"order {order}": number for order, number in WANTED.items()}
    lab.equal("what could be had after a deep inflation", had(lab, ours), {**wanted, "forks": FORKS})
    agreement.check("after that")
    ours.unload()
