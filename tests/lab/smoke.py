# SPDX-License-Identifier: GPL-2.0
"""A guest boots, answers, and its counts of its memory agree with Xen's, to the page where they can."""

TYPES = ("pv", "pvh", "hvm")
MEMORY = 512
SLACK_PAGES = 1024          # what belongs to the domain beside its RAM: tables, rings, the firmware's


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel, memory=MEMORY)
    lab.check(guest.run("uname -r").startswith(kernel), f"the guest runs {guest.run('uname -r').strip()}")
    current, total = guest.current_kb(), guest.meminfo()["MemTotal"]
    lab.check(current * 0.8 < total < current, f"MemTotal is {total} kB of {current} kB")
    pages = guest.xen_pages()
    lab.check(abs(pages - current // 4) < SLACK_PAGES, f"Xen counts {pages} pages, the guest {current // 4}")
