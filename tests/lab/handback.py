# SPDX-License-Identifier: GPL-2.0
"""After rmmod the in-tree driver goes on exactly where the module left off.

With what the module ballooned out; with a target that arrived during the switch, either way; from
the state in which the in-tree driver had given up; with memory that the guest was not booted with.
Targets that no probe tells of are followed too, also where the probe is in place and hears nothing.
"""

import time

from common import DEVICE, MIB, Agreement, move

FTRACE = "/proc/sys/kernel/ftrace_enabled"
IDLE_S = 25         # by then upkeep, which has nothing to do, rests for longer than DEAF_S
DEAF_S = 10
KPROBES = "/sys/kernel/debug/kprobes/enabled"

# Writes a target a moment after each switch began: who is in charge in the end must land on it.
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


def goes_on_with_what_was_ballooned_out(guest, agreement):
    guest.load()
    move(guest, 256 * MIB)
    guest.unload()
    agreement.check("unloaded at 256 MiB")
    for target in (300 * MIB + 4, 512 * MIB):
        move(guest, target)
        agreement.check(f"at {target} kB by the in-tree driver")


def follows_a_target_that_came_during_the_switch(lab, guest, agreement):
    said = guest.run(SWITCH, timeout=400).splitlines()
    lab.equal("switches, each with a target written meanwhile", said, ["landed"] * SWITCHES)
    agreement.check("after the switches")


def follows_targets_without_being_told(lab, guest, agreement):
    guest.run(f"echo 0 > {KPROBES}")
    guest.load()
    for target in (384 * MIB, 512 * MIB):
        move(guest, target)
        agreement.check(f"at {target} kB, with kprobes off")
    guest.unload()
    guest.run(f"echo 1 > {KPROBES}")


def follows_a_target_that_the_probe_does_not_hear(lab, guest, agreement):
    guest.load()
    guest.run(f"cd {DEVICE}/upkeep; echo 0 > heal; echo 0 > coalesce; sleep {IDLE_S}; echo 0 > {FTRACE}")
    start = time.monotonic()
    move(guest, 448 * MIB, DEAF_S)
    lab.note(f"with ftrace off, 64 MiB took {time.monotonic() - start:.1f} s")
    move(guest, 512 * MIB)
    agreement.check("with ftrace off")
    guest.run(f"echo 1 > {FTRACE}")
    guest.unload()


def wakes_from_having_given_up(lab, guest, agreement):
    move(guest, 256 * MIB)
    start, room = guest.current_kb(), 44 * MIB
    guest.run(f"echo 1 > {DEVICE}/max_retry_count")
    guest.mem_max(f"{256 * MIB + room}k")
    guest.target_kb(start + 128 * MIB)
    lab.wait(lambda: guest.current_kb() > start + room - 4 * MIB, 60, "the limit to be reached")
    guest.run("sleep 3")

    guest.load()
    guest.run(f"echo 4 > {DEVICE}/max_retry_count")
    guest.unload()
    guest.mem_max("512m")
    guest.landed(60)
    agreement.check("at a target that the in-tree driver had given up before the module came")


def keeps_memory_beyond_the_boot_size(lab, guest):
    guest.landed()
    agreement = Agreement(lab, guest)
    start = guest.current_kb()
    guest.load()
    guest.unload()
    agreement.check("loaded and unloaded at the boot size")
    guest.load()
    move(guest, 512 * MIB)
    guest.unload()
    agreement.check("unloaded with all of maxmem in use")
    for target in (256 * MIB, 512 * MIB):
        move(guest, target)
        current = agreement.check(f"at {target} kB by the in-tree driver")
    lab.equal("growth from the boot size to maxmem, in kB", current - start, 256 * MIB)


def run(lab, kind, kernel):
    whole, small = lab.guests([
        dict(kind=kind, kernel=kernel, memory=512, name="whole"),
        dict(kind=kind, kernel=kernel, memory=256, maxmem=512, name="small")])
    agreement = Agreement(lab, whole)
    goes_on_with_what_was_ballooned_out(whole, agreement)
    follows_a_target_that_came_during_the_switch(lab, whole, agreement)
    follows_targets_without_being_told(lab, whole, agreement)
    follows_a_target_that_the_probe_does_not_hear(lab, whole, agreement)
    wakes_from_having_given_up(lab, whole, agreement)
    keeps_memory_beyond_the_boot_size(lab, small)
