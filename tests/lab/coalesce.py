# SPDX-License-Identifier: GPL-2.0
"""128 MiB that were ballooned out page by page, here and there, become huge pages.

Within a minute, while the guest stays as large as it is: neither MemTotal nor current_kb ever
moves by more than one huge page.
"""

from common import DEVICE, Agreement, holes, stats

TAKES = 240
TAKEN_KB = 128 * 1024
SPARED_MIB = 16             # that the program which makes holes does not touch
HUGE_KB = 2048
AIM = 0.95
SECONDS = 60

# Prints the least and the most of both counts, and what is huge in the end.
WATCH = f"""
cd {DEVICE}; echo 1 > upkeep/coalesce
read now rest </proc/uptime; end=$((${{now%%.*}} + {SECONDS}))
while [ ${{now%%.*}} -le $end ]; do
	read huge <queues/huge_kb
	echo $(cat info/current_kb) $(awk '/^MemTotal:/ {{print $2}}' /proc/meminfo) $huge
	[ $huge -lt {int(AIM * TAKEN_KB)} ] || break
	usleep 20000; read now rest </proc/uptime
done | awk 'NR == 1 {{l = h = $1; m = n = $2}}
	{{if ($1 < l) l = $1; if ($1 > h) h = $1; if ($2 < m) m = $2; if ($2 > n) n = $2; k = $3}}
	END {{print h - l, n - m, k}}'
"""


def scatter(lab, guest):
    """Have the in-tree driver balloon out every second page of a part of the guest."""
    with holes(lab, guest, guest.meminfo()["MemAvailable"] // 1024 - SPARED_MIB):
        guest.target_kb(guest.current_kb() - TAKEN_KB)
        guest.landed()


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel)
    agreement = Agreement(lab, guest)
    scatter(lab, guest)
    # Until all is ready to watch it; and healing moves base pages, too.
    guest.load(upkeep=False)
    huge, base = (int(guest.run(f"cat {DEVICE}/queues/{queue}_kb")) for queue in ("huge", "base"))
    lab.note(f"ballooned out: {huge} kB in huge pages, {base} kB in base pages")
    lab.equal("huge pages coalesced before", stats(guest)["coalesced"], 0)
    start = float(guest.run("cat /proc/uptime").split()[0])
    current, memtotal, huge = map(int, guest.run(WATCH, timeout=2 * SECONDS).split())
    took = float(guest.run("cat /proc/uptime").split()[0]) - start
    lab.check(huge >= AIM * TAKEN_KB, f"after {took:.1f} s {huge} kB of {TAKEN_KB} kB are huge pages, "
              f"expected at least {AIM:.0%} within {SECONDS} s")
    lab.check(current <= HUGE_KB and memtotal <= HUGE_KB, "meanwhile current_kb moved by "
              f"{current} kB and MemTotal by {memtotal} kB, expected at most {HUGE_KB} kB")
    agreement.check("coalesced")
    guest.target_kb(agreement.whole)
    guest.landed()
    agreement.check("up again")
    guest.unload()
