# SPDX-License-Identifier: GPL-2.0
"""A guest of which a program holds every second page goes down by what it can do without, and can still fork."""

from common import Agreement, balloon_out, holes

FORKS = 50


def run(lab, kind, kernel):
    guest = lab.guest(kind, kernel)
    guest.load()
    agreement = Agreement(lab, guest)
    with holes(lab, guest):
        balloon_out(guest)
        lab.note(guest.run(f"for i in $(seq {FORKS}); do sh -c true || exit 1; done; cat /proc/buddyinfo"))
        agreement.check("down")
    guest.target_kb(agreement.whole)
    guest.landed()
    agreement.check("up again")
    guest.unload()
