"""The last document on disk: a restart while Redis is away goes on with what was confirmed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from switchover import Router
from switchover.machine.snapshot import Snapshot
from switchover.routing.kept import KeptDocument

DOCUMENT = Snapshot("demo", 7, "candidate_only", 10_000, flags={"panel": {}}).to_json()


def restarted(file: Path) -> Router:
    """A router of a new process that can't reach Redis, after a look at the disk."""
    router = Router("demo", "redis://127.0.0.1:1/0", max_staleness=30.0, disk=file)
    kept = KeptDocument(file).load()
    if kept is not None:
        router._held.remember(*kept, 30.0)
    return router


@pytest.mark.req("INV7")
def test_what_was_confirmed_just_now_goes_on_for_the_rest_of_its_time(tmp_path: Path) -> None:
    """As if the process had never ended: not longer than ``max_staleness`` in all."""
    file = tmp_path / "routing.json"
    KeptDocument(file).save(DOCUMENT, 20.0)
    router = restarted(file)
    assert (router.route("u1").system, router.epoch) == ("candidate", 7)
    assert not router.healthy
    router._held.expire(25.0)
    assert router.route("u1").system == "candidate"
    router._held.expire(19.0)
    assert router.route("u1") == ("legacy", "stale", 7, False)


@pytest.mark.req("INV7")
@pytest.mark.parametrize("age", [31.0, 86_400.0, -60.0])
def test_an_old_document_serves_legacy_and_keeps_the_flags(tmp_path: Path, age: float) -> None:
    """A rollback may have come since; one from the future is as old: the clock was turned."""
    file = tmp_path / "routing.json"
    KeptDocument(file).save(DOCUMENT, age)
    router = restarted(file)
    assert router.route("u1") == ("legacy", "stale", 7, False)
    assert router.flag("panel", "u1").on


@pytest.mark.req("INV7")
@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"document": "x"}', '{"document": "x", "confirmed_at": "y"}']
)
def test_a_broken_file_is_a_cold_start(tmp_path: Path, content: str) -> None:
    """Legacy, and a line in the log."""
    file = tmp_path / "routing.json"
    file.write_text(content, encoding="utf-8")
    assert restarted(file).route("u1").reason == "cold_start"


@pytest.mark.req("INV7")
def test_a_malformed_or_foreign_document_is_refused(tmp_path: Path) -> None:
    """What is on disk is judged like what is in Redis."""
    file = tmp_path / "routing.json"
    for document in ("{}", Snapshot("other", 9, "candidate_only", 10_000).to_json()):
        KeptDocument(file).save(document, 0.0)
        router = restarted(file)
        assert router.route("u1").reason == "cold_start"
        assert router.counters["malformed"] == 1


@pytest.mark.req("INV7")
def test_redis_beats_the_disk(tmp_path: Path) -> None:
    """Once Redis has spoken, what an earlier process wrote no longer counts."""
    file = tmp_path / "routing.json"
    KeptDocument(file).save(DOCUMENT, 0.0)
    router = Router("demo", "redis://127.0.0.1:1/0", disk=file)
    router._held.take(Snapshot("demo", 3).to_json())
    router._held.remember(DOCUMENT, 0.0, 30.0)
    assert (router.epoch, router.route("u1").system) == (3, "legacy")


@pytest.mark.req("INV7")
def test_the_file_is_replaced_whole_and_only_for_news(tmp_path: Path) -> None:
    """No second write within two seconds for an unchanged document; nothing is left beside."""
    file = tmp_path / "routing.json"
    kept = KeptDocument(file)
    kept.save(DOCUMENT, 0.0)
    first = file.stat().st_mtime_ns
    kept.save(DOCUMENT, 0.0)
    assert file.stat().st_mtime_ns == first
    kept.save("{}", 0.0)
    assert json.loads(file.read_text(encoding="utf-8"))["document"] == "{}"
    assert [path.name for path in tmp_path.iterdir()] == ["routing.json"]


@pytest.mark.req("INV7")
def test_a_disk_that_fails_is_said_once_and_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Routing does not depend on it."""
    kept = KeptDocument(tmp_path / "nowhere" / "routing.json")
    kept.save(DOCUMENT, 0.0)
    kept.save("{}", 0.0)
    assert len([line for line in caplog.messages if "can't be kept on disk" in line]) == 1
    assert kept.load() is None


@pytest.mark.req("INV7")
def test_age_is_measured_from_the_confirmation(tmp_path: Path) -> None:
    """Not from the write: a document held since long is as old as its confirmation."""
    file = tmp_path / "routing.json"
    KeptDocument(file).save(DOCUMENT, 12.0)
    kept = KeptDocument(file).load()
    assert kept is not None
    assert 12.0 <= kept[1] < 12.0 + 60.0
    assert json.loads(file.read_text(encoding="utf-8"))["confirmed_at"] <= time.time() - 12.0


@pytest.mark.req("INV5", "INV7")
def test_a_rollback_is_kept_before_the_process_can_end(tmp_path: Path) -> None:
    """The next process begins with it: the candidate that failed does not come back."""
    file = tmp_path / "routing.json"
    router = Router("demo", "redis://127.0.0.1:1/0", disk=file).start()
    router._held.take(DOCUMENT)
    router._held.take(Snapshot("demo", 8, "emergency_rollback", halt="h").to_json())
    router.close()
    assert restarted(file).route("u1") == ("legacy", "emergency_rollback", 8, False)
