"""What supervisors are told of a guard."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx
import pytest

from switchover.cli import watch_port
from switchover.cli.watch_port import Vitals, answering, tell_systemd
from switchover.engine.guard import Patrol


@pytest.mark.req("O7")
def test_a_guard_that_hangs_is_unhealthy_and_a_blind_one_only_not_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To start it again helps the first and not the second."""
    now = 100.0
    monkeypatch.setattr(watch_port.time, "monotonic", lambda: now)
    vitals = Vitals("host:1", 1.0)
    assert (vitals.healthy, vitals.ready) == (True, False), "it has not looked yet"
    vitals.note(Patrol(looks=3))
    assert (vitals.healthy, vitals.ready) == (True, True)
    vitals.note(Patrol(trouble="no database"))
    assert (vitals.healthy, vitals.ready) == (True, False)
    assert vitals.to_dict()["status"] == "blind"
    now += watch_port.LEAST + 1
    assert (vitals.healthy, vitals.ready) == (False, False)
    assert vitals.to_dict()["status"] == "hangs"


@pytest.mark.req("O7")
def test_health_is_answered_over_http() -> None:
    """With a status that supervisors go by, and a document for people."""
    vitals = Vitals("host:1", 1.0)
    with answering(vitals, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}"
        assert httpx.get(url + "/health").status_code == 200
        assert httpx.get(url + "/ready").status_code == 503
        vitals.note(Patrol(looks=3, errors={"mood": "unreadable"}))
        answer = httpx.get(url + "/ready")
        assert answer.status_code == 200
        assert answer.json()["errors"] == {"mood": "unreadable"}
        assert httpx.get(url + "/other").status_code == 404
    with answering(vitals, "127.0.0.1", None) as port:
        assert port == 0


@pytest.mark.req("O7")
def test_systemd_is_told_where_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A datagram to its socket; without one nothing happens."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    tell_systemd("READY=1")
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(path))
        supervisor.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        tell_systemd("READY=1\nWATCHDOG=1")
        assert supervisor.recv(100) == b"READY=1\nWATCHDOG=1"
