"""What every ledger and every stream promises of sampled disagreements."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from switchover.errors import InputError
from switchover.judge.agreement import Mismatch
from switchover.judge.sample import Sample
from switchover.observe.stream import RedisBlockStream
from switchover.ports import SAMPLES_KEPT, BlockStream, Ledger
from switchover.testing.ledger import begin_migration
from switchover.testing.routing import InMemoryBlockStream

pytestmark = pytest.mark.req("O4")


def sample(number: int) -> Sample:
    differences = (Mismatch("a", {"b": [1.5, None]}, "ü\x00", "differs"),
                   Mismatch("c", None, True, "missing in legacy"))  # fmt: skip
    return Sample(f"s{number}", float(number), number, differences)


@pytest.fixture(params=["memory", "redis"])
def stream(request: pytest.FixtureRequest) -> BlockStream:
    if request.param == "memory":
        return InMemoryBlockStream()
    return RedisBlockStream(request.getfixturevalue("redis_url"))


@pytest.mark.req("INV4")
def test_a_sample_is_kept_once_however_often_it_comes(ledger: Ledger) -> None:
    """Duplicates in a batch and repeated deliveries change nothing; the newest come first."""
    begin_migration(ledger)
    assert ledger.keep_samples("mood", 1, [sample(1), sample(2), sample(1)]) == 2
    assert ledger.keep_samples("mood", 1, [sample(2), sample(3)]) == 1
    assert ledger.keep_samples("mood", 1, []) == 0
    assert ledger.samples("mood", 1) == [sample(3), sample(2), sample(1)]


def test_attempts_are_kept_apart(ledger: Ledger) -> None:
    """A new start does not hide what was wrong with the one before."""
    begin_migration(ledger)
    ledger.keep_samples("mood", 1, [sample(1)])
    ledger.keep_samples("mood", 2, [sample(2)])
    assert [ledger.samples("mood", attempt) for attempt in (1, 2, 3)] == [
        [sample(1)], [sample(2)], [],
    ]  # fmt: skip


def test_only_the_newest_samples_of_an_attempt_are_kept(ledger: Ledger) -> None:
    """The table does not grow with the traffic, and one attempt does not push out another's."""
    begin_migration(ledger)
    ledger.keep_samples("mood", 1, [sample(0)])
    ledger.keep_samples("mood", 2, [sample(number) for number in range(1, SAMPLES_KEPT + 1)])
    ledger.keep_samples("mood", 2, [sample(SAMPLES_KEPT + 1)])
    kept = [s.at for s in ledger.samples("mood", 2)]
    assert (len(kept), kept[0], kept[-1]) == (SAMPLES_KEPT, SAMPLES_KEPT + 1, 2)
    assert ledger.samples("mood", 1) == [sample(0)]


@pytest.mark.req("INV4")
def test_two_collectors_at_once_keep_each_sample_once(ledger: Ledger) -> None:
    """Both bring the same; one of them is first."""
    begin_migration(ledger)
    batch = [sample(number) for number in range(20)]
    with ThreadPoolExecutor(2) as threads:
        added = list(threads.map(lambda _: ledger.keep_samples("mood", 1, batch), range(2)))
    assert sum(added) == 20
    assert len(ledger.samples("mood", 1)) == 20


def test_samples_of_an_unknown_migration_are_refused(ledger: Ledger) -> None:
    """A misspelt name is not an empty answer."""
    for call in (lambda: ledger.keep_samples("mod", 1, [sample(1)]),
                 lambda: ledger.samples("mod", 1)):  # fmt: skip
        with pytest.raises(InputError, match="no migration 'mod'"):
            call()


def test_samples_are_read_until_they_are_trimmed(stream: BlockStream) -> None:
    """A collector that dies between reading and trimming reads them again; later ones stay."""
    name = f"mood-{uuid4().hex}"
    assert stream.read_mismatches(name) == ([], "")
    assert isinstance(stream, InMemoryBlockStream | RedisBlockStream)
    stream.append_mismatches(name, [sample(1).to_json(), "{", sample(2).to_json()])
    samples, cursor = stream.read_mismatches(name)
    assert samples == [sample(1), sample(2)] == stream.read_mismatches(name)[0]
    stream.append_mismatches(name, [sample(3).to_json()])
    stream.trim_mismatches(name, cursor)
    stream.trim_mismatches(name, cursor)
    samples, cursor = stream.read_mismatches(name)
    assert samples == [sample(3)]
    stream.trim_mismatches(name, cursor)
    assert stream.read_mismatches(name) == ([], "")
