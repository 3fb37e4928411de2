from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from switchover.errors import DependencyUnavailable, Refused, StaleEpoch
from switchover.machine.snapshot import Snapshot
from switchover.routing.bucket import bucket
from switchover.routing.proxies.haproxy import HaproxySplit
from switchover.routing.snapshot import compile_snapshot, decide
from switchover.testing.embedded.ports import answers
from tests.integration.proxies.load import standing_backends
from tests.integration.proxies.running import MIGRATION, SALT, Running, document, running_haproxy

pytestmark = pytest.mark.req("T11")


@pytest.fixture
def haproxy(program: Callable[[str], Path]) -> Iterator[Running]:
    with running_haproxy(program("haproxy")) as proxy:
        yield proxy


def test_haproxy_begins_with_everything_on_legacy(haproxy: Running) -> None:
    """Before the first document the candidate gets nothing."""
    assert haproxy.split.read() == 0
    with standing_backends(haproxy):
        assert {haproxy.ask(f"patient-{n}")[0] for n in range(20)} == {"legacy"}


@pytest.mark.req("INV8")
def test_haproxy_hashes_as_the_router_does(haproxy: Running) -> None:
    """At an odd split, keys with signs and bytes of all kinds go where ``bucket`` says, and a
    request without a key goes to legacy."""
    haproxy.split.apply(document(1, 37.21))
    assert haproxy.split.read() == 0.3721
    keys = ["a", "a,b", "007", "a b", "x=1;y", "%20", "'\"\\", "k" * 400, "-", "Zürich".encode()]
    keys += [f"patient-{number}" for number in range(150)]
    with standing_backends(haproxy):
        for key in keys:
            sent = key.decode("latin-1") if isinstance(key, bytes) else key
            assert haproxy.ask(sent)[0] == (
                "candidate" if bucket(SALT, key) < 3_721 else "legacy"
            ), key
        assert haproxy.ask(None)[0] == haproxy.ask("")[0] == "legacy"


@pytest.mark.req("T2")
def test_integer_keys_follow_key_mod_100_in_haproxy(program: Callable[[str], Path]) -> None:
    """Numbers go by their remainder, negative ones too; other keys get their hashed place."""
    snapshot = document(1, 25, key="integer")
    table = compile_snapshot(snapshot)
    with running_haproxy(program("haproxy"), key="integer") as proxy, standing_backends(proxy):
        proxy.split.apply(snapshot)
        keys = [*range(90, 135), 10**17 + 24, 10**17 + 25, -1, -75, -76, -100, "0024", "x7", "7x"]
        for key in map(str, keys):
            assert proxy.ask(key)[0] == decide(table, key).system, key


@pytest.mark.req("INV3")
def test_haproxy_refuses_an_older_document(haproxy: Running) -> None:
    """Older, and equal with another split, are refused and change nothing; the same is fine."""
    haproxy.split.apply(document(7, 50))
    haproxy.split.apply(document(7, 50))
    for epoch, percent in ((6, 100), (7, 60), (7, 40), (0, 0)):
        with pytest.raises(StaleEpoch, match=r"epoch \d refused, the store holds 7"):
            haproxy.split.apply(document(epoch, percent))
    assert haproxy.split.read() == 0.5


@pytest.mark.req("INV3")
def test_newest_document_wins_among_concurrent_writers(haproxy: Running) -> None:
    """Twelve writers with two hundred documents in any order: the newest one stands."""
    documents = [document(epoch, epoch % 100) for epoch in range(1, 201)]
    stale: list[int] = []

    def write(mine: list[Snapshot]) -> None:
        for snapshot in mine:
            try:
                haproxy.split.apply(snapshot)
            except StaleEpoch:
                stale.append(snapshot.epoch)

    writers = [threading.Thread(target=write, args=(documents[n::12],)) for n in range(12)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert 200 not in stale
    assert haproxy.split.read() == 0.0
    with pytest.raises(StaleEpoch):
        haproxy.split.apply(document(199, 99))


def test_mode_decides_before_the_split(haproxy: Running) -> None:
    """Shadowing and a rollback are all legacy, ``candidate_only`` is all candidate."""
    for epoch, (mode, share) in enumerate(
        [("parallel", 0), ("candidate_only", 1), ("emergency_rollback", 0), ("legacy_only", 0)], 1
    ):
        haproxy.split.apply(document(epoch, 30, mode=mode))
        assert haproxy.split.read() == share


@pytest.mark.req("INV5")
def test_rollback_needs_no_salt(haproxy: Running) -> None:
    """A halt over a document that was lost has no salt, and is applied nevertheless."""
    haproxy.split.apply(document(1, 50))
    haproxy.split.apply(Snapshot(MIGRATION, 2, "emergency_rollback"))
    assert haproxy.split.read() == 0


def test_salt_that_haproxy_can_not_take_is_refused(haproxy: Running) -> None:
    """Nothing of a salt gets into the command line."""
    with pytest.raises(Refused, match="salt 'x\\); disable' can't be passed"):
        haproxy.split.apply(Snapshot(MIGRATION, 1, "gradual", 10, salt="x); disable"))
    assert haproxy.split.read() == 0


def test_haproxy_that_forgot_is_told_again(haproxy: Running) -> None:
    """After a restart all is on legacy, until the same document is applied once more."""
    haproxy.split.apply(document(3, 50))
    haproxy.process.stop()
    with pytest.raises(DependencyUnavailable, match="check that it runs"):
        haproxy.split.read()
    haproxy.process.start()
    haproxy.process.wait_until(lambda: answers(haproxy.port), timeout=10)
    assert haproxy.split.read() == 0
    haproxy.split.apply(document(3, 50))
    assert haproxy.split.read() == 0.5


def test_runtime_api_on_a_port_works_too(program: Callable[[str], Path]) -> None:
    """The address may be host:port."""
    with running_haproxy(program("haproxy"), tcp=True) as proxy:
        proxy.split.apply(document(1, 12.34))
        assert proxy.split.read() == 0.1234


def test_haproxy_without_the_lines_is_refused(haproxy: Running) -> None:
    """The message says which variable is missing and what to do."""
    with pytest.raises(Refused, match=r"no variable proc\.switchover_other .*configuration"):
        HaproxySplit("other", haproxy.address).apply(Snapshot("other", 1, "gradual", 10, salt="s"))


def test_socket_without_the_right_is_refused(
    program: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket of level user says so, instead of seeming to lack the lines."""
    write = Path.write_text

    def weaker(path: Path, text: str) -> int:
        return write(path, text.replace("level admin", "level user"))

    monkeypatch.setattr(Path, "write_text", weaker)
    with (
        running_haproxy(program("haproxy")) as proxy,
        pytest.raises(Refused, match="level admin"),
    ):
        proxy.split.apply(document(1, 10))
