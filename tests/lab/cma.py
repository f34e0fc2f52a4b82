# SPDX-License-Identifier: GPL-2.0
"""A guest that keeps memory for devices in one piece (CMA) has it after an inflation, too.

When less than half of what is free is no CMA, Linux has movable pages come from there.
"""

from common import DEBUG, DEVICE, MIB, Agreement

KERNELS = ("6.12-nounpopulated",)   # no kernel of Debian's before 7.x has CMA
UNPROVEN = ("pv",)
CMA_MIB = 64
ALLOC_MIB = 60
FREE = 100 * MIB
ALLOC = f"echo {ALLOC_MIB * 256} > $(echo /sys/kernel/debug/cma/*/alloc)"


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=512, cmdline=f"cma={CMA_MIB}M")
    guest.load()
    agreement = Agreement(lab, guest)
    before = guest.meminfo()
    lab.equal("CmaTotal", before["CmaTotal"], CMA_MIB * MIB)
    guest.run(f"echo 0 > {DEVICE}/limits/floor_kb")
    guest.target_kb(guest.current_kb() - (before["MemFree"] - FREE) // 4 * 4)
    guest.landed()
    agreement.check("with little free memory left but for CMA")
    after = guest.meminfo()["CmaFree"]
    lab.check(after > before["CmaFree"] - 4 * MIB, f"CmaFree: {after} kB, before {before['CmaFree']} kB")
    lab.equal(f"what an allocation of {ALLOC_MIB} MiB of it says", guest.run(f"{ALLOC} 2>&1", check=False).strip(), "")
    lab.equal("invariant", guest.run(f"cat {DEBUG}/invariant").strip(), "ok")
    guest.unload()
