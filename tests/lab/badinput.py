# SPDX-License-Identifier: GPL-2.0
"""Whatever is written to the driver's files and keys, the last good target stands, and the log is not flooded.

Each row of the table in Documentation/input.rst is tried: empty, text, negative, too large, with
spaces, removed. Then 10,000 bad targets in a row, junk while the driver takes over and hands back,
and who is not root, who can write nothing, as nobody can read an address of the kernel's anywhere.
"""

import time

from common import DEBUG, DEVICE, MIB, Agreement, move
from inputs import NODE_KEYS, NODE_TARGET, SAID, TARGETS, Inputs, rows

TAKES = 450
TIMEOUT = 1200
FAULTS = False              # a key that could not be read before is not told of again
TIMES = 10000
ALLOWED_TIMES = 2000
LINES = 36          # that they may leave in a minute: ten of each of three kinds, and that others were suppressed
HOME = 400 * MIB
TRACING = "/sys/kernel/tracing"
NOBODY = "su -s /bin/sh nobody -c"
ADDRESS = r"ffff[0-9a-f]{12}\b"

# Two kinds of bad targets in turn; now and then with them, what the thread has to end its step for, and a third kind.
FLOOD = f"""
cd {DEVICE}; i=0
while [ $i -lt {TIMES} ]; do
	case $((i % 4)) in 0) echo 4;; 1) echo junk;; 2) echo 8;; 3) echo 0;; esac > target_kb
	[ $((i % 50)) -gt 0 ] || {{ echo $((i % 4 / 2)) > upkeep/heal; echo junk > limits/floor_kb; echo 0 > {NODE_TARGET}; }}
	i=$((i + 1))
done 2> /dev/null
"""

# The same through xenstore.
STORE_FLOOD = (b"0", b"junk", b"65536", b"65540")
ALLOWED_FLOOD = (b"0", b"junk", b"65536", b"")
ALLOWED_KEYS = ("memory/dynamic-max", f"{NODE_KEYS}/0")

# Junk a moment after each switch began, and in the other files, where they are there, all the time.
# What is set after rmmod is the in-tree driver's to bear.
SWITCH = f"""
cd {DEVICE}
while [ ! -e /switched ]; do
	for file in limits/floor_kb limits/deflate_on_oom upkeep/heal {NODE_TARGET}; do echo junk > $file; done
	echo auto > {NODE_TARGET}
done 2> /dev/null &
for delay in 0 2000 10000 30000 60000; do
	insmod /xen-balloon.ko & usleep $delay; echo %s > target_kb; wait $! || echo failed
	usleep 1500000
	echo $(cat target_kb)
	echo %s > target_kb
	rmmod xen_balloon & usleep $((delay / 8)); echo junk > target_kb; wait $! || echo failed
	echo %s > target_kb
done
touch /switched; echo switched
"""
SWITCHES = 5
# What nobody takes for a target.
STORE_JUNK = (b"", b"junk", b"-5")


def tries_the_table(lab, guest, inputs):
    """All rows but those of foreign/, which is not there; what is said of targets begins anew with each file."""
    guest.target_kb(inputs.home)
    guest.landed()
    files = list(dict.fromkeys(file for row in rows() for file in row.files))
    for file in files:
        if file.startswith("foreign/"):
            continue
        if file in TARGETS or file == "memory/target":
            guest.unload()
            guest.load()
        inputs.try_file(file)
    lab.note(f"{inputs.tried} rows tried")
    written = guest.run(f"cd {DEVICE}; find * -type f -perm /222 | grep -v -e ^power/ -e ^uevent").split()
    lab.check("target_kb" in written and set(written) <= set(files),
              f"files that can be written to: {written}, expected some, and a row for each")


def few_lines(lab, guest, start, times, where):
    """Checks that so many bad values since then left some lines, but few."""
    # Of what xenstored has taken the guest may still hear.
    said = guest.run(f"dmesg | grep -e '{SAID}' -e suppressed || true", timeout=300).splitlines()
    took = time.monotonic() - start
    most = LINES * (2 + int(took) // 60)        # the first and the last minute need not be whole
    lab.check(0 < len(said) <= most,
              f"{times} bad values in {where} in {took:.0f} s left {len(said)} lines, expected some, at most {most}")


def is_not_flooded(lab, guest):
    guest.unload()
    guest.load()
    guest.run("dmesg -c > /dev/null")
    start = time.monotonic()
    guest.run(FLOOD, timeout=240)
    few_lines(lab, guest, start, TIMES, "target_kb")
    lab.equal("the last target that was none of junk", guest.run(f"cat {DEVICE}/target_kb").strip(), "8")
    guest.run(f"echo {4096 * MIB} > {DEVICE}/target_kb; sleep 1")
    lab.check(f"target of {4096 * MIB} KiB is out of range" in guest.dmesg(), "another kind of bad target is told of")


def is_not_flooded_through_xenstore(lab, guest, inputs):
    for key, flood, times in (*((f"{inputs.path}/{key}", ALLOWED_FLOOD, ALLOWED_TIMES) for key in ALLOWED_KEYS),
                              (f"{inputs.path}/memory/target", STORE_FLOOD, TIMES)):
        guest.run("dmesg -c > /dev/null")
        start = time.monotonic()
        lab.host.store.write_all(key, flood * (times // len(flood)))
        few_lines(lab, guest, start, times, key)
    last = int(STORE_FLOOD[-1]) - inputs.beyond
    lab.wait(lambda: int(guest.run(f"cat {DEVICE}/target_kb")) == last, 60, f"the last target of {last} kB to be shown")
    for allowed in ALLOWED_KEYS:
        lab.host.store.remove(f"{inputs.path}/{allowed}")
    lab.host.store.write(key, str(HOME + inputs.beyond).encode())
    lab.wait(lambda: guest.current_kb() == HOME, 60, "the guest to be at the first good target")


def takes_none_while_it_comes_or_goes(lab, guest, inputs, agreement):
    guest.unload()
    keys = [f"{inputs.path}/{name}" for name in ("memory/target", *ALLOWED_KEYS)]
    for junk in "junk", 1 << 53:
        guest.run("rm -f /switched")
        switching = guest.spawn(SWITCH % (junk, HOME, HOME))
        written = 0

        def write():
            nonlocal written
            for key in keys:
                lab.host.store.write_all(key, STORE_JUNK)
                written += len(STORE_JUNK)
            return "switched" in switching.output()

        lab.wait(write, 240, "the driver to come and go")
        shown = switching.wait(60).split()[:-1]
        lab.check(len(shown) == SWITCHES and all(0 < int(kb) <= inputs.ceiling for kb in shown),
                  f"target_kb after insmod with '{junk}' written meanwhile, and to the keys {written} times: {shown}, "
                  f"expected up to {inputs.ceiling}")
        guest.load()
        guest.target_kb(HOME)
        guest.landed()
        agreement.check(f"after '{junk}' while it was loaded and unloaded")
        guest.unload()
    for allowed in keys[1:]:
        lab.host.store.remove(allowed)
    lab.host.store.write(keys[0], str(HOME + inputs.beyond).encode())
    guest.load()


def only_root_writes(lab, guest):
    guest.run("mkdir -p /etc; echo nobody:x:65534:65534::/:/bin/sh > /etc/passwd")
    find = f"find {DEVICE} {DEBUG} /sys/module/xen_balloon -type f"
    files = guest.run(find).split()
    lab.equal(f"of {len(files)} files, those that others than root may write by their mode",
              guest.run(f"{find} -perm /022").split(), [])
    # One that he can write to is there to show that it would be seen.
    guest.run("touch /tmp/open; chmod 666 /tmp/open")
    opened = f"for file in /tmp/open {' '.join(files)}; do ( : >> $file ) 2> /dev/null && echo $file; done; true"
    lab.equal("files that nobody can write to", guest.run(f"{NOBODY} '{opened}'").split(), ["/tmp/open"])
    read = guest.run(f"{NOBODY} 'cat {DEBUG}/stats && echo read' 2>&1 || true")
    lab.check("Permission denied" in read, f"nobody reads {DEBUG}/stats: {read.strip()}")
    asked = guest.run(f"{NOBODY} 'id -u; cat {DEVICE}/limits/floor_kb'").split()
    lab.check(asked[0] == "65534" and len(asked) == 2, f"nobody, and what he reads of the floor: {asked}")


def tells_no_address(lab, guest):
    guest.run(f"echo 1 > {TRACING}/events/xen_balloon/enable")
    move(guest, 300 * MIB)
    move(guest, HOME)
    guest.run(f"cat {DEBUG}/* > /tmp/all; cat {TRACING}/trace >> /tmp/all; dmesg | grep '{SAID}' >> /tmp/all || true")
    find = f"find {DEVICE} /sys/module/xen_balloon -type f -perm /004"
    seen = guest.run(f"{NOBODY} '{find} | xargs cat 2> /dev/null' >> /tmp/all; {find} | wc -l", check=False)
    guest.run(f"echo 0 > {TRACING}/events/xen_balloon/enable")
    lines, steps = map(int, guest.run("wc -l < /tmp/all; grep -c xen_balloon_step /tmp/all").split())
    told = guest.run(f"grep -E '{ADDRESS}' /tmp/all || true")
    lab.check(steps > 0, f"of {lines} lines of debugfs, trace, dmesg and {seen.strip()} files in sysfs, steps: {steps}")
    lab.equal("addresses of the kernel's in them", told, "")


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=512)
    guest.load()
    agreement = Agreement(lab, guest)
    inputs = Inputs(lab, guest)

    tries_the_table(lab, guest, inputs)
    agreement.check("after all rows of the table")
    is_not_flooded(lab, guest)
    is_not_flooded_through_xenstore(lab, guest, inputs)
    agreement.check("after many bad targets")
    takes_none_while_it_comes_or_goes(lab, guest, inputs, agreement)

    again = guest.run("insmod /xen-balloon.ko 2>&1 && echo loaded || true")
    lab.check("File exists" in again, f"a second insmod says: {again.strip()}")
    only_root_writes(lab, guest)
    tells_no_address(lab, guest)
    agreement.check("after all that")
    guest.unload()
    agreement.check("after rmmod")
