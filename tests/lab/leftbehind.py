# SPDX-License-Identifier: GPL-2.0
"""What a live migration leaves behind holes is found, and goes back to Xen.

The guest shrinks while it is migrated: what was sent before it was ballooned out has memory at the
destination. It is ballooned out in huge pages and in base pages by turns, while compaction is at work.
"""

from common import DEBUG, DEVICE, Agreement, Holder, counts, move

TYPES = ("pvh",)            # a live migration of a PV guest needs shadow paging
MEMORY = 320
HELD_MIB = 60
LEAST_KB = 8 * 1024         # that come with memory, for this to show anything
SHRINK = f"""
cd {DEVICE}; base=N; kb=$(cat target_kb)
while [ ! -e /migrated ]; do
	[ $base = N ] && base=Y || base=N
	echo $base > {DEBUG}/base_only
	kb=$((kb - 2048)); [ $kb -lt 225280 ] || echo $kb > target_kb
	echo 1 > /proc/sys/vm/compact_memory
	usleep 200000
done
echo N > {DEBUG}/base_only
"""


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=MEMORY, vcpus=2)
    guest.load()
    agreement = Agreement(lab, guest)
    holder = Holder(lab, guest, HELD_MIB)
    shrink = guest.spawn(SHRINK)
    guest.migrate()
    guest.run("touch /migrated")
    shrink.wait(60)
    guest.landed()
    said = guest.run("dmesg | grep -e 'came with memory' -e 'Xen counts'", check=False).strip()
    found = sum(int(line.split("KiB")[0].split()[-1]) for line in said.splitlines() if "came with memory" in line)
    lab.check(found >= LEAST_KB, f"came with memory: {found} kB of {MEMORY * 1024 - counts(guest)['current']} kB "
              f"that are ballooned out, expected at least {LEAST_KB} kB; the guest said: {said}")
    agreement.check("migrated while it shrank")
    move(guest, MEMORY * 1024)
    agreement.check("up again")
    holder.intact()
    guest.unload()
