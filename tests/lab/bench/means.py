# SPDX-License-Identifier: GPL-2.0
"""What the bench gives to a scenario does what it says: guests, commands, targets, save and restore, a starved host."""

TIMEOUT = 400
MIB = 1024
LEFT_MIB = 24
LONG = 10000                # more than one node of xenstore holds


def commands(lab, guest):
    """Runs short and long commands, and one in the background."""
    said = guest.run(f"echo -n {'x' * LONG}")
    lab.check(said == "x" * LONG, f"a long command printed {len(said)} bytes, expected {LONG} times x")
    failing = guest.spawn("echo it fails; exit 3")
    lab.equal("output of a command that fails", failing.wait(20, check=False), "it fails\n")
    endless = guest.spawn("sleep 1000 & echo started; sleep 1000")
    lab.wait(lambda: endless.output() == "started\n", 20, "the endless command to start")
    endless.kill()
    lab.equal("output of a killed command", endless.wait(20, check=False), "started\n")
    lab.equal("what it left running", guest.run("pidof sleep", check=False), "")


def sizes(lab, guest):
    """Moves the guest by both ways, and sees it from three sides."""
    guest.mem_set("256m")
    guest.landed()
    low = guest.current_kb()
    lab.check(255 * MIB < low <= 256 * MIB, f"current_kb is {low} after xl mem-set 256m")
    guest.target_kb(low - 20 * MIB)
    guest.landed()
    lab.equal("current_kb after a write to target_kb", guest.current_kb(), low - 20 * MIB)
    lab.equal("what Xen counts less", guest.boot_pages - guest.xen_pages(), (guest.boot_kb - guest.current_kb()) // 4)


def save_and_restore(lab, guest):
    """Saves a guest with a command running in it, and restores it."""
    waiting = guest.spawn("until [ -e /tmp/restored ]; do usleep 100000; done; echo goes on")
    domid = guest.domid
    guest.save("/tmp/saved")
    lab.check(not guest.exists(), f"domain {domid} is gone after xl save")
    guest.restore("/tmp/saved")
    lab.dom0("rm /tmp/saved")
    lab.check(guest.domid != domid, f"domain {guest.domid} is there after xl restore")
    guest.run("touch /tmp/restored")
    lab.equal("what went on over it", waiting.wait(30), "goes on\n")


def run(lab, kind, kernel):
    guest, small = lab.guests([dict(kind=kind, kernel=kernel, memory=384, name="first"),
                               dict(kind=kind, kernel=kernel, memory=256, maxmem=384, vcpus=2, name="second")])
    guest.boot_kb, guest.boot_pages = guest.current_kb(), guest.xen_pages()
    lab.equal("vCPUs of the second guest", small.run("nproc").strip(), "2")
    pages = small.xen_pages()
    lab.check(pages < 260 * MIB // 4, f"it has {pages} pages of its maximum of {384 * MIB // 4}")
    small.destroy()

    commands(lab, guest)
    sizes(lab, guest)
    save_and_restore(lab, guest)
    with lab.starve(LEFT_MIB):
        free = lab.host_free_kb()
        lab.check(free < 2 * LEFT_MIB * MIB, f"{free} kB are free in the starved host")
    lab.check(lab.host_free_kb() > 512 * MIB, f"{lab.host_free_kb()} kB are free after it")
