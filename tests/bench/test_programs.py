# SPDX-License-Identifier: GPL-2.0
"""The bench's own programs: tally counts what xentrace wrote, and stalls sees a stall."""

import re
import signal
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CPU_CHANGE, LOST = 0x1f003, 0x1f001         # Xen's public/trace.h
PV_HYPERCALL, PV_SUBCALL, VMMCALL, P2M = 0x20100d, 0x20200e, 0x82012, 0x10f004
MEMORY_OP, MULTICALL = 12, 13               # Xen's public/xen.h


def record(event, *words, cycles=None):
    """One record of a trace, with the cycle counter or without."""
    header = event | len(words) << 28 | (cycles is not None) << 31
    return struct.pack("<I", header) + (b"" if cycles is None else struct.pack("<Q", cycles)) \
        + struct.pack(f"<{len(words)}I", *words)


class Programs(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def program(self, source):
        path = self.folder / Path(source).stem
        subprocess.run(["gcc", "-O2", "-o", path, FOLDER / source], check=True)
        return path

    def tally(self, *records):
        trace = self.folder / "trace"
        trace.write_bytes(b"".join(records))
        done = subprocess.run([self.program("dom0/tally.c"), trace], capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()

    def test_hypercalls_are_counted_for_each_cpu(self):
        self.assertEqual(self.tally(
            record(CPU_CHANGE, 1, 4096), record(VMMCALL, MEMORY_OP, cycles=7), record(VMMCALL, MEMORY_OP),
            record(PV_HYPERCALL, MULTICALL | 3 << 20, 9, 9), record(PV_SUBCALL, MEMORY_OP, cycles=1 << 40),
            record(CPU_CHANGE, 0, 4096), record(VMMCALL, MEMORY_OP), record(0x28006, 1, 2, 3)),
            (0, ["0 12 1", "1 12 3", "1 13 1"]))

    def test_changes_of_the_nested_page_table_are_counted(self):
        self.assertEqual(self.tally(record(CPU_CHANGE, 2, 0), record(P2M, 1, 2, 3, cycles=1), record(P2M, 1, 2, 3)),
                         (0, ["2 p2m 2"]))

    def test_lost_records_are_an_error(self):
        self.assertEqual(self.tally(record(VMMCALL, MEMORY_OP), record(LOST, 5, 0, 0, 0))[0], 1)

    def test_a_file_that_ends_amid_a_record_is_an_error(self):
        self.assertEqual(self.tally(record(VMMCALL, MEMORY_OP, cycles=1)[:-2])[0], 1)

    def test_a_stall_is_seen_once_by_both_threads(self):
        stalls = subprocess.Popen([self.program("guest/stalls.c"), "4"], stdout=subprocess.PIPE, text=True)
        self.assertEqual(stalls.stdout.readline(), "ready\n")
        time.sleep(0.5)
        stalls.send_signal(signal.SIGSTOP)
        # On a busy machine one thread goes on until the other, which got the signal, is run.
        while any(stat.read_text().rpartition(")")[2].split()[0] != "T"
                  for stat in Path(f"/proc/{stalls.pid}/task").glob("*/stat")):
            time.sleep(0.01)
        time.sleep(0.6)
        stalls.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        stalls.terminate()
        said = stalls.communicate()[0]
        for thread in ("touch", "timer"):
            longest = float(re.search(rf"^{thread} max (.*)$", said, re.MULTILINE)[1])
            self.assertGreater(longest, 590e3)
            samples = int(re.search(rf"^{thread} samples (\d+)$", said, re.MULTILINE)[1])
            buckets = [(float(us), int(times)) for us, times in
                       re.findall(rf"^{thread} bucket (\S+) (\d+)$", said, re.MULTILINE)]
            self.assertEqual(sum(times for _, times in buckets), samples)
            self.assertLess(samples, 1500)
            self.assertEqual([times for us, times in buckets if us > 590e3], [1])


if __name__ == "__main__":
    unittest.main()
