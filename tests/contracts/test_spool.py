"""The spool, on disk and in memory: what every one must do."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from switchover.errors import DependencyUnavailable
from switchover.machine.propagation import Halt
from switchover.ports import Order, Spool
from switchover.spool.files import FileSpool
from switchover.testing.spool import InMemorySpool

pytestmark = pytest.mark.req("R8", "INV7")


@pytest.fixture(params=["memory", "files"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool:
    """One of each kind, empty."""
    return InMemorySpool() if request.param == "memory" else FileSpool(tmp_path / "state" / "spool")


def order(name: str, migration: str = "demo", at: float = 1.0) -> Order:
    """An order to roll ``migration`` back."""
    return Order(migration, Halt(name, "bo", 'it "burns" – ä', at, 0, "person"), insist=True)


def test_what_is_put_is_found_the_oldest_first(spool: Spool) -> None:
    """All of it comes back as it was, by migration or for all."""
    assert spool.orders() == []
    for each in (order("a", at=3), order("b", at=2), order("c", "other", at=1)):
        spool.put(each)
    assert spool.orders("demo") == [order("b", at=2), order("a", at=3)]
    assert [each.halt.id for each in spool.orders()] == ["c", "b", "a"]
    assert spool.unreadable() == []


def test_an_order_put_again_takes_the_place_of_the_first(spool: Spool) -> None:
    """One id is one order."""
    spool.put(order("a", at=1))
    spool.put(order("a", at=2))
    assert spool.orders() == [order("a", at=2)]


def test_an_order_that_is_removed_is_gone_and_can_not_be_claimed(spool: Spool) -> None:
    """Removing it twice is no error."""
    spool.put(order("a"))
    spool.remove(order("a"))
    spool.remove(order("a"))
    assert spool.orders() == []
    with spool.claim(order("a")) as mine:
        assert not mine


def test_one_of_two_gets_the_claim_and_gives_it_back(spool: Spool) -> None:
    """A second claim is refused at once, and granted when the first has ended."""
    spool.put(order("a"))
    with spool.claim(order("a")) as first, spool.claim(order("a")) as second:
        assert (first, second) == (True, False)
    with spool.claim(order("a")) as third:
        assert third


def test_a_claim_dies_with_its_process(tmp_path: Path) -> None:
    """A process that is killed in the middle leaves an order that others may claim."""
    files = FileSpool(tmp_path)
    files.put(order("a"))
    program = (
        "import sys, time; from pathlib import Path; from switchover.spool.files import FileSpool\n"
        "files = FileSpool(Path(sys.argv[1]))\n"
        "with files.claim(files.orders()[0]) as mine: print(mine, flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    with files.claim(order("a")) as mine:
        assert not mine
    holder.kill()
    holder.communicate()
    with files.claim(order("a")) as mine:
        assert mine


def test_files_are_their_owners_only_and_whole(tmp_path: Path) -> None:
    """A reason may be a secret; nothing half-written stays; no name leaves the directory."""
    directory = tmp_path / "spool"
    files = FileSpool(directory)
    where = Path(files.put(order("../../out", "../../out")))
    assert [path.parent for path in directory.iterdir()] == [directory]
    assert where.parent == directory
    assert stat.S_IMODE(where.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert files.orders() == [order("../../out", "../../out")]


def test_what_can_not_be_read_is_told_and_hides_nothing(tmp_path: Path) -> None:
    """A broken file is named; the others are found."""
    files = FileSpool(tmp_path)
    files.put(order("a"))
    for number, text in enumerate(("", "{}", "[1]", '{"migration": "m", "halt": {"id": 1}}')):
        (tmp_path / f"rollback-broken{number}.json").write_text(text, encoding="utf-8")
    assert files.orders() == [order("a")]
    assert len(files.unreadable()) == 4
    assert all("broken" in fault for fault in files.unreadable())


@pytest.mark.parametrize(
    "halt",
    [{"id": 1}, {"id": ""}, {"reason": ["x"]}, {"actor": None}, {"at": float("nan")}, {"at": True},
     {"epoch": -1}, {"epoch": 1.5}, {"trigger": 3}],
    ids=str,
)  # fmt: skip
def test_an_order_with_something_else_in_a_field_is_none(halt: dict[str, Any]) -> None:
    """It would fail later, in the middle of a sweep."""
    document = asdict(order("a"))
    with pytest.raises(ValueError, match="not an order to roll back"):
        Order.from_json(json.dumps({**document, "halt": {**document["halt"], **halt}}))
    with pytest.raises(ValueError, match="not an order to roll back"):
        Order.from_json(json.dumps({**document, "migration": ""}))


def test_a_copy_under_another_name_is_told_and_not_carried_out(tmp_path: Path) -> None:
    """Nobody could claim or remove it, and whoever waits for it would wait for ever."""
    files = FileSpool(tmp_path)
    where = Path(files.put(order("a")))
    (tmp_path / "rollback-copy.json").write_bytes(where.read_bytes())
    assert files.orders() == [order("a")]
    files.remove(order("a"))
    assert files.orders() == []
    assert "copy under this name" in files.unreadable()[0]


def test_an_order_for_other_servers_is_left_to_them(tmp_path: Path) -> None:
    """A command for staging, run in production's directory, neither carries it out nor drops it.
    With one of the two the same it is ours: a server may move while an order waits."""
    FileSpool(tmp_path, ("redis://a", "postgresql://a")).put(order("a"))
    staging = FileSpool(tmp_path, ("redis://b", "postgresql://b"))
    assert staging.orders() == []
    assert "redis://a and postgresql://a" in staging.unreadable()[0]
    for servers in (("redis://b", "postgresql://a"), ("redis://a", "postgresql://b")):
        assert FileSpool(tmp_path, servers).orders() == [order("a")]


def test_orders_of_one_migration_are_found_without_reading_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep asks for each of many: with every order of a large group it would take minutes."""
    files, read = FileSpool(tmp_path), list[str]()
    for number in range(9):
        files.put(order(f"m{number}-x", f"m{number}"))
    whole = Order.from_json

    def counted(text: str) -> Order:
        read.append(text)
        return whole(text)

    monkeypatch.setattr(Order, "from_json", counted)
    assert files.orders("m3") == [order("m3-x", "m3")]
    assert len(read) == 1


def test_a_broken_file_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A guard looks every second, and more than once."""
    files = FileSpool(tmp_path)
    (tmp_path / "rollback-a.json").write_text("{", encoding="utf-8")
    for _ in range(3):
        files.orders()
    assert len(caplog.records) == 1


def test_a_place_that_can_not_be_listed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another account's, say. Orders may wait there: that is not the same as none."""

    def refuse(*_: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    files = FileSpool(tmp_path)
    monkeypatch.setattr("switchover.spool.files.os.listdir", refuse)
    assert files.orders() == []
    assert "orders to roll back may wait there" in files.unreadable()[0]


def test_a_spool_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    """A file where the directory belongs: one error, which names the place."""
    (tmp_path / "state").write_text("", encoding="utf-8")
    with pytest.raises(DependencyUnavailable, match=r"spool is unavailable: .*state"):
        FileSpool(tmp_path / "state" / "spool").put(order("a"))
