# SPDX-License-Identifier: GPL-2.0
"""What the guest gives to Xen is zeroed while scrub_pages is on, and left alone while it is off.

Seen from outside, in the machine's memory: Xen does not scrub what a running guest gives back. The
guest boots with init_on_alloc=0, so that whatever is zeroed is zeroed by the driver.
"""

import meter
from common import DEVICE, MIB, Agreement, Holder

TYPES = ("pvh",)
HELD = 320                  # MiB that are written to before
GIVEN = 128 * MIB


def superpages(lab, guest):
    """The machine address of each superpage of the guest, by the number of its region."""
    memory = meter.Memory(lab.memory_file)
    root = meter.nested_root(lab.debug_key("v"), guest.domid)
    leaves = {number: memory.entry(root, number * meter.REGION, smallest=meter.REGION)[0]
              for number in range(guest.maxmem * MIB * 1024 // meter.REGION)}
    return {number: leaf & meter.FRAME & -meter.REGION for number, leaf in leaves.items()
            if leaf & meter.LARGE and meter.is_ram(leaf)}


def give_dirty_memory(lab, guest):
    """Balloons out what a program has written to; returns (2 MiB pieces given, those not all zero)."""
    Holder(lab, guest, HELD).intact()
    before = superpages(lab, guest)
    guest.target_kb(guest.current_kb() - GIVEN)
    guest.landed()
    kept = superpages(lab, guest)
    memory = meter.Memory(lab.memory_file)
    given = [address for number, address in before.items() if number not in kept]
    zeroes = bytes(meter.REGION)
    dirty = sum(memory.file[(start := memory.offset(address)):start + meter.REGION] != zeroes for address in given)
    guest.target_kb(guest.current_kb() + GIVEN)
    guest.landed()
    return len(given), dirty


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, cmdline="init_on_alloc=0")
    guest.load()
    agreement = Agreement(lab, guest)
    for scrub in (1, 0):
        guest.run(f"echo {scrub} > {DEVICE}/scrub_pages")
        given, dirty = give_dirty_memory(lab, guest)
        lab.check(given >= GIVEN // 2 // MIB, f"pieces of 2 MiB given: {given}, expected at least {GIVEN // 2 // MIB}")
        if scrub:
            lab.equal("pieces given with scrub_pages on that are not all zero", dirty, 0)
        else:
            lab.check(dirty > 0, f"pieces given with scrub_pages off that are not all zero: {dirty}, expected some")
        agreement.check(f"with scrub_pages {scrub}")
