# SPDX-License-Identifier: GPL-2.0
"""Memory blocks go offline with what of them is ballooned out, and bring it back when they are online again.

Nothing needs to be moved for that, and the guest has as much memory as before: with the in-tree driver a block with
ballooned pages in it stays online. Of a guest that has grown by a block that is Movable, where base pages are
ballooned out, and by one that is not, of which all is, both are set offline, to the page.
"""

from common import BLOCKS, DEBUG, DEVICE, MIB, Agreement, Holder, blocks, grow, intree_and_ours, move, queues, whole

TIMEOUT = 600
FAULTS = False              # as in hotadd
TAKES = 240
TYPES = ("pvh", "pv")
BOOT = 384 * MIB
BLOCK = 128 * MIB
DOWN = 320 * MIB
BASE = 24 * MIB
HELD_MIB = 60
TRIES = 3                   # somebody else may have a page of it for a moment
OFFLINE = f"""
for try in $(seq {TRIES}); do
	timeout 60 sh -c "echo offline > {BLOCKS}/%s/state" 2> /dev/null && break
done
cat {BLOCKS}/%s/state
"""


def grow_movable(guest):
    """By a block that is Movable, and is used; returns its name."""
    before = blocks(guest)
    guest.run(f"echo online_movable > {BLOCKS}/auto_online_blocks")
    grow(guest, BOOT + BLOCK)
    return (blocks(guest) - before).pop()


def add(lab, guest):
    """A block that is not Movable comes online when it is not wanted any more; returns its name.

    Of one that is used the kernel has a page or two that it cannot move.
    """
    before = blocks(guest)
    guest.run(f"echo offline > {BLOCKS}/auto_online_blocks")
    guest.mem_max(f"{BOOT + 2 * BLOCK}k")
    guest.mem_set(f"{BOOT + 2 * BLOCK}k")
    lab.wait(lambda: blocks(guest) - before, 60, "a block to be added")
    move(guest, DOWN + BASE)
    block = (blocks(guest) - before).pop()
    guest.run(f"echo online > {BLOCKS}/{block}/state")
    return block


def give_base_pages(guest):
    """They come from the Movable block: it is where such pages are looked for first."""
    move(guest, DOWN + BASE)
    guest.run(f"echo Y > {DEBUG}/base_only")
    move(guest, DOWN)
    guest.run(f"echo N > {DEBUG}/base_only")


def ballooned(guest):
    """In kB: huge pages and base pages, and all that is the kernel's."""
    now = queues(guest)
    return now["huge"], now["base"], guest.meminfo()["MemTotal"]


def goes_offline(lab, guest, block, huge):
    """Checks that a block goes offline with what is ballooned out; returns how much that is, in kB."""
    current, pages, before = guest.current_kb(), guest.xen_pages(), ballooned(guest)
    state = guest.run(OFFLINE % (block, block), timeout=200).strip()
    after = ballooned(guest)
    gone = [was - now for was, now in zip(before, after)]
    lab.equal(f"{block}", state, "offline")
    lab.check(gone[0 if huge else 1] > 0,
              f"{block}: offline with {gone[0]} kB in huge pages and {gone[1]} kB in base pages")
    lab.equal(f"kB of {block} that had memory, by MemTotal", gone[2], BLOCK - gone[0] - gone[1])
    lab.equal("current_kb and Xen's count", (guest.current_kb(), guest.xen_pages()), (current, pages))
    lab.equal("invariant", guest.run(f"cat {DEBUG}/invariant").strip(), "ok")
    return gone[0] + gone[1]


def run(lab, kind, kernel):
    intree, ours = intree_and_ours(lab, kind, kernel, memory=BOOT // MIB)
    for guest in (intree, ours):
        guest.landed()
    ours.load()
    start = whole(ours)
    added = {guest: [grow_movable(guest)] for guest in (intree, ours)}
    for guest in (intree, ours):
        added[guest].append(add(lab, guest))
    lab.wait(lambda: whole(ours) == start + 2 * BLOCK, 60, "all of the new block to be in the queue")
    agreement = Agreement(lab, ours)
    holder = Holder(lab, ours, HELD_MIB)
    ours.run(f"echo 0 > {DEVICE}/upkeep/coalesce")
    give_base_pages(ours)
    move(intree, DOWN)

    states = [intree.run(OFFLINE % (block, block), timeout=200).strip() for block in added[intree]]
    lab.note(f"in-tree, Movable and not: {states}")
    movable, normal = added[ours]
    lost = goes_offline(lab, ours, movable, False) + goes_offline(lab, ours, normal, True)

    # There is no more than that, and it is said why.
    ours.run("dmesg -c > /dev/null")
    ours.mem_set(f"{BOOT + 2 * BLOCK}k")
    lab.wait(lambda: ours.current_kb() == agreement.whole - lost, 60, "the guest to have all that is online")
    said = f"{lost} KiB of memory are offline: write online to {BLOCKS}/memory*/state"     # which are two
    lab.wait(lambda: said in ours.dmesg(), 60, f"it to be said: {said}")
    ours.run(f"echo online_movable > {BLOCKS}/{movable}/state; echo online > {BLOCKS}/{normal}/state")
    ours.landed()
    agreement.check("with all online again")

    # It is known of what was offline while the driver was away.
    give_base_pages(ours)
    goes_offline(lab, ours, movable, False)
    ours.unload()
    ours.load()
    ours.run(f"echo online_movable > {BLOCKS}/{movable}/state")
    move(ours, DOWN - 4 * MIB)
    move(ours, BOOT + 2 * BLOCK)
    agreement.check("online again after a new start")
    holder.intact()
    ours.unload()
