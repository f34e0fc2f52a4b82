# SPDX-License-Identifier: GPL-2.0
"""A guest grows beyond what it was booted with, by xl mem-max and mem-set, as with the in-tree driver.

What is added is memory as any other: whole in superpages, taken and given back, and the in-tree driver's
after rmmod. Where the kernel does not set it online by itself, dmesg tells which file to write to.
"""

import re

from common import BLOCKS, DEBUG, MIB, Holder, blocks, grow, intree_and_ours, move, stats

TYPES = ("pv", "pvh", "hvm")
TIMEOUT = 420
ELASTIC = True
FAULTS = False              # the kernel warns where add_memory() finds no memory on its way
BOOT = 256 * MIB
GROWN = 500 * MIB
MORE = 700 * MIB
HELD_MIB = 300
WHOLE = 0.9                 # of what is added
BLOCK_MIB = 128
OFFLINE = rf"write online to {BLOCKS}/(memory\d+)/state"


def sizes(lab, guest, beyond, where):
    """Checks that Xen, the kernel and the driver agree; returns current in KiB."""
    current = guest.current_kb()
    lab.equal(f"what Xen counts beyond current_kb, {where}", guest.xen_pages() * 4 - current, beyond)
    if guest.run(f"cat {DEBUG}/invariant 2>/dev/null || echo none").strip() != "none":
        lab.equal(f"invariant, {where}", guest.run(f"cat {DEBUG}/invariant").strip(), "ok")
    return current


def grows_once_its_blocks_are_online(lab, guest):
    """Nobody sets them online: what dmesg says helps, for each."""
    guest.run(f"echo offline > {BLOCKS}/auto_online_blocks")
    guest.mem_max(f"{MORE}k")
    guest.mem_set(f"{MORE}k")
    done, wanted = 0, (MORE - GROWN + BLOCK_MIB * MIB - 1) // (BLOCK_MIB * MIB)
    while done < wanted:
        lab.wait(lambda: len(re.findall(OFFLINE, guest.dmesg())) > done, 60,
                 "the driver to tell of memory that is offline")
        done += 1
        guest.run(f"echo online > {BLOCKS}/{re.findall(OFFLINE, guest.dmesg())[-1]}/state")
    guest.landed()
    said = re.findall(OFFLINE, guest.dmesg())
    lab.check(len(said) == len(set(said)) == wanted, f"blocks that were told of, each once: {said}")


def run(lab, kind, kernel):
    intree, ours = intree_and_ours(lab, kind, kernel, memory=BOOT // MIB)
    for guest in (intree, ours):
        guest.landed()
        guest.run(f"echo online > {BLOCKS}/auto_online_blocks")
    beyond = ours.xen_pages() * 4 - ours.current_kb()
    start = ours.current_kb()
    ours.load()
    before = ours.meter().superpages
    for guest in (intree, ours):
        grow(guest, GROWN)
    lab.equal("growth, in kB", (intree.current_kb() - start, ours.current_kb() - start), (GROWN - BOOT,) * 2)
    sizes(lab, ours, beyond, "grown")
    for guest in (intree, ours):    # as far as it is looked at from outside: blocks need not follow each other
        guest.maxmem = (max(map(int, re.findall(r"memory(\d+)", " ".join(blocks(guest))))) + 1) * BLOCK_MIB
        lab.note(f"{guest.name} has memory below {guest.maxmem} MiB")
    lab.note(f"{intree.name}: {intree.meter()}")
    here = ours.meter()
    lab.check(here.superpages + ours.given_kb() // (2 * MIB) - before >= WHOLE * (GROWN - BOOT) // (2 * MIB),
              f"{ours.name}: {here}, and {before} superpages before it grew by {(GROWN - BOOT) // MIB} MiB")
    lab.note(f"added {stats(ours)['hotplugged'] * 4 // MIB} MiB")

    Holder(lab, ours, HELD_MIB).intact()
    for target in (BOOT - 20 * MIB + 4, GROWN):
        move(ours, target)
        sizes(lab, ours, beyond, f"at {target} kB")

    grows_once_its_blocks_are_online(lab, ours)
    sizes(lab, ours, beyond, "grown once more")
    lab.equal("memory that is offline", ours.run(f"grep -l offline {BLOCKS}/memory*/state || :").strip(), "")

    ours.unload()
    for target in (GROWN, MORE):
        move(ours, target)
        sizes(lab, ours, beyond, f"at {target} kB by the in-tree driver")
    ours.load()
    move(ours, BOOT)
    sizes(lab, ours, beyond, "loaded again")
    ours.unload()
