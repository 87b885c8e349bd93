# SPDX-License-Identifier: Apache-2.0
"""A board and its BMP in Python, as far as fast data needs them: SCP that powers, sets tags, reads and writes memory; a gatherer and extra
monitors that behave as those of SpiNNFrontEndCommon do, over a network that loses one datagram in so many."""
import collections
import contextlib
import random
import socket
import struct
import threading

GATHERER, MONITOR = 3, 2
OK = 0x80
USER_1 = 0xE5007000 + 112 + 4


class Peer:
    """One address of loopback, both board and BMP."""

    def __init__(self, address, loss=0.0, seed=1):
        self.address = address
        self.loss = loss
        self._random = random.Random(seed)
        self.memory = collections.defaultdict(dict)
        self.tag = None
        self._gathering = {"transaction": 0, "received": None}
        self._sent = {}
        self._lists = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((address, 17893))
        self._socket.settimeout(0.1)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._thread.join()
        self._socket.close()

    def read(self, chip, address, count):
        memory = self.memory[chip]
        return bytes(memory.get(address + offset, 0) for offset in range(count))

    def write(self, chip, address, data):
        self.memory[chip].update(enumerate(data, address))

    def _run(self):
        while not self._ends.is_set():
            with contextlib.suppress(socket.timeout):
                datagram, sender = self._socket.recvfrom(1024)
                self._receive(datagram, sender)

    def _lost(self):
        return self._random.random() < self.loss

    def _receive(self, datagram, sender):
        _, flags, tag, destination, source, y, x, *_ = struct.unpack_from("<HBBBBBBBB", datagram)
        port, core = destination >> 5, destination & 31
        if port == 0:
            self._scp(datagram, sender, (x, y), (flags, tag, destination, source))
        elif not self._lost():
            words = datagram[10:]
            answers = self._gather(words) if port == 6 and core == GATHERER else self._monitor((x, y), core, words)
            for answer in answers:
                if self.tag and not self._lost():
                    self._socket.sendto(answer, self.tag)

    def _scp(self, datagram, sender, chip, header):
        command, sequence, arg1, arg2, arg3 = struct.unpack_from("<HHIII", datagram, 10)
        payload = b""
        if command == 2:
            payload = self.read(chip, arg1, arg2)
        elif command == 3:
            self.write(chip, arg1, datagram[26:])
        elif command == 17:
            # The FLAG register of an FPGA is its number.
            payload = struct.pack("<I", arg3)
        elif command == 26:
            self.tag = sender
            payload = struct.pack("<I", arg1 & 0xFF)
        flags, tag, destination, source = header
        reply = struct.pack("<HBBBBBBBB", 0, flags & 0x7F, tag, source, destination, 0, 0, chip[1], chip[0])
        self._socket.sendto(reply + struct.pack("<HH", OK, sequence) + payload, sender)

    def _publish(self, chip, core, transaction):
        self.write(chip, USER_1 + 128 * core, struct.pack("<I", transaction))

    def _gather(self, words):
        command, transaction = struct.unpack_from("<II", words)
        now = self._gathering
        if command == 200:
            if now["received"] is None and transaction == now["transaction"] + 1:
                address, y, x, last = struct.unpack_from("<IHHI", words, 8)
                self._gathering = {
                    "transaction": transaction, "address": address, "chip": (x, y), "last": last, "received": set()}
                self._publish((0, 0), GATHERER, transaction)
        elif command == 2000:
            if now["received"] is not None and transaction == now["transaction"]:
                sequence, = struct.unpack_from("<I", words, 8)
                now["received"].add(sequence)
                self.write(now["chip"], now["address"] + 260 * sequence, words[12:])
        elif command == 2001 and transaction == now["transaction"]:
            if now["received"] is not None and len(now["received"]) == now["last"] + 1:
                now["received"] = None
            if now["received"] is None:
                return [struct.pack("<II", 2003, transaction)]
            missing = [n for n in range(now["last"] + 1) if n not in now["received"]]
            if not now["received"]:
                missing = [0xFFFFFFFE]
            return [
                struct.pack(f"<II{len(part)}I", 2002, transaction, *part)
                for part in (missing[start:start + 66] for start in range(0, len(missing), 66))]
        return []

    def _monitor(self, chip, core, words):
        command, transaction = struct.unpack_from("<II", words)
        last, address, size = self._sent.get(chip, (0, 0, 0))
        if core != MONITOR:
            return []
        if command == 100 and transaction == last + 1:
            address, size = struct.unpack_from("<II", words, 8)
            self._sent[chip] = (transaction, address, size)
            self._publish(chip, core, transaction)
            return self._packets(chip, range((size + 263) // 264))
        if transaction != last:
            return []
        if command == 1000:
            self._lists[chip] = [struct.unpack_from("<I", words, 8)[0] - 1, list(struct.unpack(f"<{len(words[12:]) // 4}I", words[12:]))]
        elif command == 1001 and chip in self._lists:
            self._lists[chip][0] -= 1
            self._lists[chip][1] += struct.unpack(f"<{len(words[8:]) // 4}I", words[8:])
        if chip in self._lists and self._lists[chip][0] == 0:
            return self._packets(chip, self._lists.pop(chip)[1])
        return []

    def _packets(self, chip, sequences):
        transaction, address, size = self._sent[chip]
        sequences = list(sequences)
        for index, sequence in enumerate(sequences):
            end = 0x80000000 if index == len(sequences) - 1 else 0
            data = self.read(chip, address + 264 * sequence, min(264, size - 264 * sequence))
            yield struct.pack("<II", sequence | end, transaction) + data
