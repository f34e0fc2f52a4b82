# SPDX-License-Identifier: GPL-2.0
"""Page cache that is in use is not dropped for the sake of 2 MiB in one piece.

A file system with 300 MiB of clean page cache, of which a third is read over and over, and 60 MiB
that are dirty; the guest gives 200 MiB.  What has to be read again is counted, by each driver in the
same boot, and how long each tenth takes.
"""

import time

from common import DEVICE, MIB, Agreement, intree_and_ours, stats

MEMORY = 640
CLEAN_MIB, USED_MIB, DIRTY_MIB, DOWN_MIB = 300, 100, 60, 200
AGAIN = 1.25            # times in-tree's refaults
SLACK = 512             # pages, of which both may have few
SOON_S = 5              # what squeezed, of XAPI, gives a guest to show progress
MODULES = "crc16 crc32c_generic mbcache jbd2 ext4 loop"

# A file of holes: its pages are clean page cache, and there is nothing behind them.
FILL = f"""
for name in {MODULES}; do [ ! -e /$name.ko ] || insmod /$name.ko 2>/dev/null || true; done
truncate -s 200M /tmp/disk && mke2fs -F -q /tmp/disk && mkdir -p /mnt && mount -t ext4 -o loop /tmp/disk /mnt
truncate -s {USED_MIB}M /mnt/used && truncate -s {CLEAN_MIB - USED_MIB}M /mnt/idle
cat /mnt/idle > /dev/null; cat /mnt/used /mnt/used > /dev/null
echo 6000 > /proc/sys/vm/dirty_writeback_centisecs; echo 60000 > /proc/sys/vm/dirty_expire_centisecs
echo 80 > /proc/sys/vm/dirty_ratio; echo 70 > /proc/sys/vm/dirty_background_ratio
dd if=/dev/zero of=/mnt/dirty bs=1M count={DIRTY_MIB} 2>/dev/null
"""
READ = "while :; do cat /mnt/used > /dev/null; usleep 200000; done"

TENTHS = f"""
cd {DEVICE}
now() {{ read up rest < /proc/uptime; echo $((${{up%.*}} * 100 + 1${{up#*.}} - 100)); }}
start=$(now); from=$(cat info/current_kb); tenth=1
echo $((from - {DOWN_MIB * MIB})) > target_kb
while [ $tenth -le 10 ] && [ $(($(now) - start)) -lt 4000 ]; do
	if [ $((from - $(cat info/current_kb))) -ge $((tenth * {DOWN_MIB * MIB // 10})) ]; then
		echo $(($(now) - start)); tenth=$((tenth + 1))
	else
		usleep 20000
	fi
done
"""


def down(lab, guest):
    """Fills the page cache, and takes 200 MiB; returns how many pages were read again, and the times of the tenths."""
    guest.run(FILL, timeout=120)
    reader = guest.spawn(READ)
    time.sleep(4)
    cached, before = guest.meminfo(), guest.vmstat()
    tenths = [int(line) / 100 for line in guest.run(TENTHS, timeout=120).split()]
    time.sleep(3)
    after = guest.vmstat()
    reader.kill()
    again = after["workingset_refault_file"] - before["workingset_refault_file"]
    lab.note(f"{guest.name}: Cached {cached['Cached']} kB, Dirty {cached['Dirty']} kB; seconds to each tenth {tenths}; "
             f"missing after {SOON_S} s: {10 - sum(t <= SOON_S for t in tenths)} tenths; refaults {again}")
    return again, tenths


def run(lab, kind, kernel):
    intree, ours = intree_and_ours(lab, kind, kernel, MEMORY)
    theirs, _ = down(lab, intree)
    intree.destroy()

    ours.load()
    ours.run(f"echo 0 > {DEVICE}/upkeep/heal")
    agreement = Agreement(lab, ours)
    mine, tenths = down(lab, ours)
    lab.note(f"contig_tries {stats(ours)['contig_tries']}, contig_huge {stats(ours)['contig_huge']}")
    lab.check(mine <= theirs * AGAIN + SLACK, f"pages read again: {mine}, in-tree {theirs}")
    lab.equal("tenths of the way that were reached", len(tenths), 10)
    agreement.check("with 200 MiB less")
    ours.unload()
