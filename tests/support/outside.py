"""
What leaves a process tree, seen from outside: every packet in a network namespace of its own.

``unshare --net python -m tests.support.outside RECORD COMMAND …`` runs the command where there is
nothing but loopback, and every address leads to it: whatever the command and its children look up
or connect to is a packet there, which is written down.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

_EVERY_PROTOCOL = 3
_IPV4, _IPV6 = 0x0800, 0x86DD
_TCP, _UDP = 6, 17
_DNS = 53

_SETUP = (
    ("link", "set", "lo", "up"),
    ("route", "add", "local", "default", "dev", "lo"),
    ("-6", "route", "add", "local", "default", "dev", "lo"),
)


class Seen(NamedTuple):
    """
    What has left.

    Attributes:
        names: Those that were looked up.

        hosts: The addresses beyond loopback to which anything went but a look-up.
    """

    names: set[str]
    hosts: set[str]


def namespace() -> list[str] | None:
    """The command that runs another in a network namespace; None where there can be none."""
    if shutil.which("ip") is None or not hasattr(socket, "AF_PACKET"):
        return None
    command = ["unshare", "--net", *(["--map-root-user"] if os.getuid() else [])]
    try:
        done = subprocess.run(
            [*command, "ip", *_SETUP[0]], capture_output=True, timeout=30, check=False
        )
    except FileNotFoundError:
        return None
    return None if done.returncode else command


def read(record: Path) -> Seen:
    """What was written down in *record*."""
    names, hosts = json.loads(record.read_text())
    return Seen(set(names), set(hosts))


class _Watch:
    """All packets on loopback."""

    def __init__(self) -> None:
        self.seen = Seen(set(), set())
        kind = socket.ntohs(_EVERY_PROTOCOL)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, kind)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> Seen:
        self._ended.set()
        self._thread.join()
        return self.seen

    def _watch(self) -> None:
        self._socket.settimeout(0.1)
        with self._socket:
            while True:
                try:
                    # As much as the longest headers and the longest name need.
                    packet, address = self._socket.recvfrom(1024)
                except TimeoutError:
                    if self._ended.is_set():
                        return
                else:
                    self._look(packet, address[1])

    def _look(self, packet: bytes, kind: int) -> None:
        if kind == _IPV4:
            length, protocol, target = (packet[0] & 15) * 4, packet[9], packet[16:20]
        elif kind == _IPV6:
            length, protocol, target = 40, packet[6], packet[24:40]
        else:
            return
        body = packet[length:]
        if protocol in (_TCP, _UDP) and _DNS in struct.unpack("!HH", body[:4]):
            if protocol == _UDP:
                self.seen.names.add(_name(body[8 + 12 :]))
        elif protocol in (_TCP, _UDP) and not ipaddress.ip_address(target).is_loopback:
            self.seen.hosts.add(str(ipaddress.ip_address(target)))


def _name(question: bytes) -> str:
    labels = []
    while question and question[0]:
        length = question[0]
        labels.append(question[1 : 1 + length].decode("ascii", "replace"))
        question = question[1 + length :]
    return ".".join(labels)


def main() -> int:
    """Run the command, and write down what has left it."""
    record, *command = sys.argv[1:]
    for number, words in enumerate(_SETUP):
        subprocess.run(["ip", *words], check=number < 2, stderr=subprocess.DEVNULL)
    watch = _Watch()
    try:
        return subprocess.run(command, check=False).returncode
    finally:
        Path(record).write_text(json.dumps([sorted(part) for part in watch.end()]))


if __name__ == "__main__":
    sys.exit(main())
