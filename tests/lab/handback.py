# SPDX-License-Identifier: GPL-2.0
"""After rmmod the in-tree driver goes on exactly where the module left off.

With what the module ballooned out, with a target that arrived during the switch (either way), from the state in which
the in-tree driver had given up, and with memory that the guest was not booted with.
"""

from common import DEVICE, MIB, Agreement, move

# Writes a target a moment after the switch began; the one who is in charge in the end must land on it.
SWITCH = f"""
cd {DEVICE}
switch() {{
	$3 & usleep $1; echo $2 > target_kb; wait $! || echo "$3 failed"
	for i in $(seq 300); do
		[ $(cat info/current_kb) != $2 ] || {{ echo landed; return; }}
		usleep 100000
	done
	echo "$3 with target $2 after $1 us: current $(cat info/current_kb)"
}}
target=$(($(cat info/current_kb) - 65536))
for delay in 0 2000 10000 30000 60000 100000 200000; do
	target=$((target - 4100)); switch $delay $target 'insmod /xen-balloon.ko'
	target=$((target + 2052)); switch $delay $target 'rmmod xen_balloon'
done
"""
SWITCHES = 14


def goes_on_with_what_was_ballooned_out(lab, guest, agreement):
    guest.load()
    move(guest, 256 * MIB)
    guest.unload()
    agreement.check("unloaded at 256 MiB")
    move(guest, 300 * MIB + 4)
    agreement.check("moved up by the in-tree driver")
    move(guest, 512 * MIB)
    agreement.check("back at 512 MiB by the in-tree driver")


def follows_a_target_that_came_during_the_switch(lab, guest, agreement):
    lab.equal("switches that landed on the target written meanwhile", guest.run(SWITCH, timeout=400).split("\n")[:-1], ["landed"] * SWITCHES)
    agreement.check("after the switches")


def stuck_at_the_limit(lab, guest, limit_kb):
    lab.wait(lambda: guest.current_kb() > limit_kb - 4 * MIB, 60, f"{guest.name} to stand at its limit")


def wakes_from_having_given_up(lab, guest, agreement):
    move(guest, 256 * MIB)
    start, limit = guest.current_kb(), 300 * MIB
    guest.run(f"echo 1 > {DEVICE}/max_retry_count")
    guest.mem_max(f"{limit}k")
    guest.target_kb(start + 128 * MIB)
    stuck_at_the_limit(lab, guest, limit - 256 * MIB + start)
    guest.run("sleep 3")

    guest.load()
    guest.run(f"echo 4 > {DEVICE}/max_retry_count")
    guest.unload()
    guest.mem_max("512m")
    guest.landed(60)
    agreement.check("the in-tree driver went on after it had given up, the module had come and gone, and the limit was raised")


def keeps_memory_beyond_the_boot_size(lab, guest):
    agreement = Agreement(lab, guest)
    start = guest.current_kb()
    guest.load()
    guest.unload()
    agreement.check("loaded and unloaded at the boot size")
    guest.load()
    move(guest, 512 * MIB)
    guest.unload()
    agreement.check("unloaded with all of maxmem in use")
    move(guest, 256 * MIB)
    agreement.check("down by the in-tree driver")
    move(guest, 512 * MIB)
    lab.equal("growth from the boot size to maxmem by the in-tree driver, in kB", agreement.check("up by the in-tree driver") - start, 256 * MIB)


def run(lab, kind, kernel):
    guest, small = lab.guests([dict(kind=kind, kernel=kernel, memory=512, name="whole"), dict(kind=kind, kernel=kernel, memory=256, maxmem=512, name="small")])
    agreement = Agreement(lab, guest)
    goes_on_with_what_was_ballooned_out(lab, guest, agreement)
    follows_a_target_that_came_during_the_switch(lab, guest, agreement)
    wakes_from_having_given_up(lab, guest, agreement)
    keeps_memory_beyond_the_boot_size(lab, small)
