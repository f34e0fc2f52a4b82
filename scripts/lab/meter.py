# SPDX-License-Identifier: GPL-2.0
"""The meter: how a guest's memory lies in the machine, seen from outside the guest.

The machine's memory is QEMU's memory file, one for each of its nodes, so the tables that
translate the guest's frames are walked in it and the guest notices nothing:

- PVH and HVM: the nested page table, whose root stands in the VMCB that Xen
  prints on debug-key v. A region of 2 MiB is a superpage where one entry maps
  it. What Xen keeps there without memory behind it (populate on demand) or
  with somebody else's (grants, foreign and device memory) is no RAM.
- PV: the guest's p2m list, found by its shared info page, one of those that Xen
  prints on debug-key q. An entry counts where Xen's own m2p agrees. A region is a
  superpage where its 512 machine frames are aligned and in order.

Both give one letter a region: S superpage, s fully populated by scattered 4 KiB
pages, p partly populated, . hole. The guest has to stand still meanwhile, or a
region may be caught halfway.
"""

import functools
import mmap
import os
import re
from array import array
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

import draw

PAGE = 4096
ENTRIES = 512                       # of a page table, and pages of a region
REGION = PAGE * ENTRIES
WORD = 8

LEVELS = (PAGE << 27, PAGE << 18, PAGE << 9, PAGE)   # what an entry of each level maps
PRESENT = 1 << 0
LARGE = 1 << 7
FRAME = ((1 << 52) - 1) & ~(PAGE - 1)
TYPE_SHIFT, TYPE_MASK = 52, 0x7f    # Xen keeps a frame's p2m_type_t here, asm-x86/p2m.h:
RAM_TYPES = {0, 2, 3}               # p2m_ram_rw, p2m_ram_logdirty, p2m_ram_ro

# QEMU's pc machine: memory beyond this size is split, and goes on at 4 GiB.
UNSPLIT = 0xe0000000
SPLIT_LOW = 0xc0000000
HIGH = 1 << 32

SHARED_INFO_ARCH = 0xc10            # struct arch_shared_info: max_pfn, frame_list_list,
MAX_PFN, P2M_CR3, P2M_VADDR = 0, 3, 4   # nmi_reason, p2m_cr3, p2m_vaddr, p2m_generation
M2P_VADDR = 0xffff800000000000      # Xen's read-only m2p in every PV address space
KERNEL = 1 << 63


class MeterError(Exception):
    """The tables of a guest were not found, or are not what Xen keeps."""


@dataclass(frozen=True)
class Map:
    """A guest's memory, one letter for each 2 MiB region from its frame 0 up."""

    regions: str

    @property
    def superpages(self):
        return self.regions.count("S")

    @property
    def small(self):
        return self.regions.count("s")

    @property
    def partial(self):
        return self.regions.count("p")

    @property
    def holes(self):
        return self.regions.count(".")

    def draw(self, width=32):
        """Return the map as text lines of `width` regions each."""
        return draw.lines(self.regions, width)

    def __str__(self):
        return (f"{self.superpages} superpages, {self.small} of 4 KiB pages, "
                f"{self.partial} partial, {self.holes} holes")


class Memory:
    """The machine's physical memory in QEMU's memory files, one after the other."""

    def __init__(self, paths):
        self.paths = paths
        self.files = []
        for path in paths:
            with open(path, "rb") as file:
                self.files.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        *self.starts, size = accumulate(map(len, self.files), initial=0)
        self.size = size
        self.low = size if size < UNSPLIT else SPLIT_LOW
        self.frames = (size if size == self.low else HIGH + size - self.low) // PAGE

    def offset(self, address):
        """Return where in the files a physical address lies."""
        offset = address - HIGH + self.low if address >= HIGH else address
        if not 0 <= offset < self.size or self.low <= address < HIGH:
            raise MeterError(f"{address:#x} is outside the machine's memory of "
                             f"{self.size:#x} bytes")
        return offset

    def holding(self, data):
        """Return the frames that have `data` in them, of all that the machine has."""
        return {self._frame(start + at) for start, part in self._parts() for at in range(0, len(part), PAGE)
                if part.find(data, at, at + PAGE) >= 0}

    def _parts(self):
        """Yield what is in the files, and where; what was never touched is not."""
        for path, first in zip(self.paths, self.starts):
            end = 0
            with open(path, "rb", buffering=0) as file:
                while True:
                    try:
                        start = os.lseek(file.fileno(), end, os.SEEK_DATA)
                    except OSError:     # nothing more
                        break
                    end = min(os.lseek(file.fileno(), start, os.SEEK_HOLE), start + REGION)
                    file.seek(start)
                    yield first + start, file.read(end - start)

    def _frame(self, offset):
        """Return which frame a place in the files is of."""
        return (offset if offset < self.low else offset - self.low + HIGH) // PAGE

    def words(self, address, count=ENTRIES):
        """Return `count` 64-bit words at a physical address, within one page table or leaf."""
        offset = self.offset(address)
        number = bisect(self.starts, offset) - 1
        offset -= self.starts[number]
        return array("Q", self.files[number][offset:offset + count * WORD])

    def entry(self, root, address, smallest=PAGE):
        """Return (entry, size) of what maps `address`: a leaf, a hole, or the level `smallest`."""
        table = root & FRAME
        for size in LEVELS:
            entry, = self.words(table + address // size % ENTRIES * WORD, 1)
            if size == smallest or not entry & PRESENT or entry & LARGE:
                break
            table = entry & FRAME
        return entry, size

    def virtual(self, root, address, count):
        """Return `count` words at a virtual address of the page tables at `root`."""
        found = array("Q")
        while len(found) < count:
            entry, size = self.entry(root, address)
            if not entry & PRESENT:
                raise MeterError(f"virtual address {address:#x} is not mapped below {root:#x}")
            here = min(count - len(found), (size - address % size) // WORD)
            found += self.words((entry & FRAME & -size) + address % size, here)
            address += here * WORD
        return found


def letter(populated, whole):
    """Return the letter of a region with so many pages, whole when one entry maps it."""
    if whole:
        return "S"
    return "s" if populated == ENTRIES else "p" if populated else "."


def is_ram(entry):
    """Tell whether a leaf of a nested page table maps memory of the guest's own."""
    return bool(entry & PRESENT) and (entry >> TYPE_SHIFT & TYPE_MASK) in RAM_TYPES


def nested_region(memory, root, number):
    """Return the letter of one region of a nested page table."""
    entry, size = memory.entry(root, number * REGION, smallest=REGION)
    if size > REGION or not entry & PRESENT or entry & LARGE:
        return letter(0, is_ram(entry))
    return letter(sum(map(is_ram, memory.words(entry & FRAME))), False)


def nested(memory, root, regions):
    """Return the Map of a guest with a nested page table at `root`."""
    return Map("".join(nested_region(memory, root, number) for number in range(regions)))


def nested_frames(memory, root, regions):
    """Return the machine's frame of each page that a nested page table maps as the guest's own, by pfn."""
    found = {}
    for address in range(0, regions * REGION, REGION):
        entry, size = memory.entry(root, address, smallest=REGION)
        pfn = address // PAGE
        if size == REGION and entry & PRESENT and not entry & LARGE:
            found.update((pfn + i, (page & FRAME) // PAGE) for i, page in enumerate(memory.words(entry & FRAME))
                         if is_ram(page))
        elif is_ram(entry):
            first = ((entry & FRAME & -size) + address % size) // PAGE
            found.update((pfn + i, first + i) for i in range(ENTRIES))
    return found


def p2m(memory, shared_info):
    """Return (root, entries) of the p2m list that a shared info page tells of."""
    arch = memory.words(shared_info + SHARED_INFO_ARCH, 6)
    if not arch[P2M_CR3] or arch[P2M_VADDR] < KERNEL:
        raise MeterError(f"the page at {shared_info:#x} tells of no p2m list")
    root = arch[P2M_CR3] & FRAME
    return root, memory.virtual(root, arch[P2M_VADDR], arch[MAX_PFN])


def paravirtual_frames(memory, shared_info):
    """Return the machine's frame of each page of a PV guest that has one, by pfn."""
    root, frames = p2m(memory, shared_info)

    @functools.cache
    def m2p(page):
        return memory.virtual(root, M2P_VADDR + page * PAGE, ENTRIES)

    return {pfn: frame for pfn, frame in enumerate(frames)
            if frame < memory.frames and m2p(frame // ENTRIES)[frame % ENTRIES] == pfn}


def paravirtual(memory, shared_info, regions):
    """Return the Map of a PV guest with its shared info page at `shared_info`."""
    frames = paravirtual_frames(memory, shared_info)
    found = []
    for first in range(0, regions * ENTRIES, ENTRIES):
        here = [frames[pfn] for pfn in range(first, first + ENTRIES) if pfn in frames]
        in_order = len(here) == ENTRIES and here == list(range(here[0], here[0] + ENTRIES))
        found.append(letter(len(here), in_order and here[0] % ENTRIES == 0))
    return Map("".join(found))


# Finding a guest's tables on Xen's console


def nested_root(console, domid):
    """Return the nested page table's root from what debug-key v printed."""
    _, _, domain = console.partition(f">>> Domain {domid} <<<")
    found = re.search(r"H_CR3 = 0x([0-9a-f]+)", domain.partition(">>> Domain")[0])
    if not found:
        raise MeterError(f"Xen printed no H_CR3 of domain {domid} for debug-key v")
    return int(found[1], 16)


def shared_info(console, domid, memory):
    """Return the address of the shared info page from what debug-key q printed."""
    _, _, domain = console.partition(f"General information for domain {domid}:")
    domain = domain.partition("General information for domain")[0]
    for frame in re.findall(r"XenPage ([0-9a-f]+):", domain):
        address = int(frame, 16) * PAGE
        try:
            p2m(memory, address)
        except MeterError:
            continue
        return address
    raise MeterError(f"Xen printed no page of domain {domid} for debug-key q that tells of a p2m list")


class Meter:
    """Measures one running guest, whose tables are looked for once."""

    def __init__(self, lab, guest):
        self.memory = Memory(lab.memory_files)
        self._paravirtual = guest.kind == "pv"
        self._regions = guest.maxmem * 1024 * 1024 // REGION
        self._tables = (shared_info(lab.debug_key("q"), guest.domid, self.memory) if self._paravirtual else
                        nested_root(lab.debug_key("v"), guest.domid))

    def map(self):
        """Return the Map of the guest."""
        return (paravirtual if self._paravirtual else nested)(self.memory, self._tables, self._regions)

    def pages(self):
        """Return the machine's frame of each of the guest's pages that has one, by pfn."""
        if self._paravirtual:
            return paravirtual_frames(self.memory, self._tables)
        return nested_frames(self.memory, self._tables, self._regions)

    def frames(self):
        """Return the machine's frames that are the guest's."""
        return set(self.pages().values())


def measure(lab, guest):
    """Return the Map of a running guest."""
    return Meter(lab, guest).map()
