# SPDX-License-Identifier: GPL-2.0
"""A client of dom0's xenstored, in its own protocol (xen/include/public/io/xs_wire.h)."""

import struct
from itertools import count

DIRECTORY, READ, WATCH, UNWATCH, WRITE, RM, SET_PERMS, WATCH_EVENT, ERROR = 1, 2, 4, 5, 11, 13, 14, 15, 16
HEADER = struct.Struct("=IIII")         # type, req_id, tx_id, len
AT_ONCE = 20            # requests, short ones: nobody reads the answers before all are sent


class XenstoreError(Exception):
    """xenstored said no; the message is its own, such as ENOENT."""


class Xenstore:
    """Answers come in through receive(), from another thread; `condition` guards what is shared with it."""

    def __init__(self, send, wait, condition):
        self._send = send               # bytes to xenstored
        self._wait = wait               # wait(predicate, timeout, what)
        self._condition = condition
        self._serial = count(1)
        self._pending = b""
        self._answers = {}
        self.fired = set()              # paths whose watch has fired

    def receive(self, data):
        """Take bytes from xenstored. The caller holds the condition."""
        self._pending += data
        while len(self._pending) >= HEADER.size:
            kind, serial, _, length = HEADER.unpack_from(self._pending)
            if len(self._pending) < HEADER.size + length:
                break
            payload = self._pending[HEADER.size:HEADER.size + length]
            self._pending = self._pending[HEADER.size + length:]
            if kind == WATCH_EVENT:
                self.fired.add(payload.split(b"\0")[0].decode())
            else:
                self._answers[serial] = kind, payload

    def _ask(self, kind, payload):
        return self._answer(self._send_one(kind, payload))

    def _send_one(self, kind, payload):
        serial = next(self._serial)
        self._send(HEADER.pack(kind, serial, 0, len(payload)) + payload)
        return serial

    def _answer(self, serial):
        self._wait(lambda: serial in self._answers, 60, "xenstored to answer")
        with self._condition:
            kind, answer = self._answers.pop(serial)
        if kind == ERROR:
            raise XenstoreError(answer.rstrip(b"\0").decode())
        return answer

    def read(self, path):
        return self._ask(READ, path.encode() + b"\0")

    def write(self, path, value):
        self.write_all(path, [value])

    def write_all(self, path, values):
        """Write one value after the other, as fast as xenstored takes them."""
        for first in range(0, len(values), AT_ONCE):
            for serial in [self._send_one(WRITE, path.encode() + b"\0" + value)
                           for value in values[first:first + AT_ONCE]]:
                self._answer(serial)

    def remove(self, path):
        self._ask(RM, path.encode() + b"\0")

    def give(self, path, domid):
        """Have a domain own a key: nobody else but dom0 reads or writes it."""
        self._ask(SET_PERMS, f"{path}\0n{domid}\0".encode())

    def forget(self, path):
        """Forget that watches at or below a path have fired."""
        with self._condition:
            self.fired = {fired for fired in self.fired if not f"{fired}/".startswith(f"{path}/")}

    def exists(self, path):
        try:
            self.read(path)
        except XenstoreError:
            return False
        return True

    def watch(self, path):
        self._ask(WATCH, path.encode() + b"\0lab\0")

    def unwatch(self, path):
        self._ask(UNWATCH, path.encode() + b"\0lab\0")
