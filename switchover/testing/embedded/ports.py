"""Loopback ports and secrets that a server keeps over restarts in the same directory."""

from __future__ import annotations

import json
import random
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens on loopback, and the secret it asks for."""

    port: int
    secret: str


def is_free(port: int) -> bool:
    """Whether the port can be bound on loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port nobody listens on, from below the range that outgoing connections use."""
    while True:
        port = random.randint(20_000, 32_000)
        if is_free(port):
            return port


def endpoint_of(directory: Path, port: int | None = None) -> Endpoint:
    """The endpoint kept in ``directory``, made on first use; a new port if the old is taken.

    A server that was killed comes back at the same address, so clients find it again.
    """
    file = directory / "endpoint.json"
    kept = Endpoint(**json.loads(file.read_text())) if file.exists() else None
    secret = kept.secret if kept else secrets.token_hex(16)
    if port is None:
        port = kept.port if kept and is_free(kept.port) else free_port()
    endpoint = Endpoint(port, secret)
    if endpoint != kept:
        write_private(file, json.dumps(asdict(endpoint)))
    return endpoint


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read, from its first byte on."""
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text)


def answers(port: int) -> bool:
    """Whether something accepts connections on the loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0
