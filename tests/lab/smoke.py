# SPDX-License-Identifier: GPL-2.0
"""A guest boots, answers, and its counts of its memory agree with Xen's, to the page where they can."""

TYPES = ("pv", "pvh", "hvm")
CORE = ("pv", "pvh")
FAULTS = False              # it loads no driver
MEMORY = 512
LEAST = {"debug": 0.7}      # of its memory a guest has to use: KASAN takes an eighth of all, others less than a fifth
SLACK_PAGES = 1024          # what belongs to the domain beside its RAM: tables, rings, the firmware's


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=MEMORY)
    series, _, flavour = kernel.partition("-")
    release = guest.run("uname -r").strip()
    lab.check(release.startswith(series) and release.endswith(flavour.removeprefix("base")),
              f"the guest runs {release}")
    current, total = guest.current_kb(), guest.meminfo()["MemTotal"]
    lab.check(current * LEAST.get(flavour, 0.8) < total < current, f"MemTotal is {total} kB of {current} kB")
    pages = guest.xen_pages()
    lab.check(abs(pages - current // 4) < SLACK_PAGES, f"Xen counts {pages} pages, the guest {current // 4}")
