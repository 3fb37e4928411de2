from __future__ import annotations

import json
import logging
import math
import os
import threading
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchover.errors import DependencyUnavailable, InputError
from switchover.judge.block import Block, Tally, tally
from switchover.judge.sketch import bucket_of
from switchover.observe.recorder import Recorder
from switchover.testing.routing import InMemoryBlockStream


class FlakyStream(InMemoryBlockStream):
    """Refuses while ``down``; with ``half`` it takes a batch and then loses the connection."""

    down = half = False

    def append(self, migration: str, payloads: Iterable[str]) -> None:
        if self.half:
            super().append(migration, payloads)
        if self.down or self.half:
            raise DependencyUnavailable("Redis", "gone")
        super().append(migration, payloads)


@pytest.fixture
def stream() -> FlakyStream:
    return FlakyStream()


def recorder_to(stream: InMemoryBlockStream, **options: object) -> Recorder:
    return Recorder("mood", destination=stream, **options)  # type: ignore[arg-type]


def everything(stream: InMemoryBlockStream) -> list[Block]:
    blocks, _, malformed = stream.read("mood", "", 1_000_000)
    assert malformed == 0
    return blocks


def distinct(blocks: list[Block]) -> list[Block]:
    return list({block.id: block for block in blocks}.values())


@pytest.mark.req("O1")
def test_bools_become_counts_of_all_and_of_the_bad(stream: FlakyStream) -> None:
    """True is good: ``n`` counts everything, ``bad`` the False ones, per system."""
    recorder = recorder_to(stream)
    for good in (True, False, True):
        recorder.record("success_rate", good, "candidate")
    recorder.record("success_rate", False, "legacy")
    assert recorder.flush()
    look = tally(everything(stream))["success_rate"]
    assert (look["candidate"], look["legacy"]) == (Tally(3, 1), Tally(1, 1))


@pytest.mark.req("O1")
@given(values=st.lists(st.one_of(st.floats(1e-6, 1e6), st.integers(0, 10**9)), min_size=1))
def test_numbers_become_a_sketch_with_totals(values: list[float]) -> None:
    """Every value is in its bucket; the sums are those of the values."""
    stream = InMemoryBlockStream()
    recorder = recorder_to(stream)
    for value in values:
        recorder.record("duration_avg", value, "legacy")
    recorder.flush()
    (block,) = everything(stream)
    sketch: dict[int, int] = {}
    for value in values:
        sketch[bucket_of(value)] = sketch.get(bucket_of(value), 0) + 1
    assert (block.n, block.bad, block.sketch) == (len(values), 0, sketch)
    assert block.total == pytest.approx(math.fsum(values))
    assert block.total_squares == pytest.approx(math.fsum(value * value for value in values))


@pytest.mark.req("INV6")
def test_not_a_number_counts_above_every_limit_and_spoils_no_total(stream: FlakyStream) -> None:
    """An unreadable measurement is never taken for a good one, and the block stays readable."""
    recorder = recorder_to(stream)
    for value in (math.nan, math.inf, 1e300, 10**400, 2.0):
        recorder.record("prediction_latency_p99", value, "candidate")
    recorder.flush()
    (block,) = everything(stream)
    assert block.n == 5
    assert block.sketch[bucket_of(math.nan)] == 3
    assert math.isfinite(block.total)
    assert block.total_squares == 0.0


@pytest.mark.req("O1")
@pytest.mark.parametrize(
    ("value", "system"), [("fast", "legacy"), (None, "legacy"), (True, "canary"), (0.2, "")]
)
def test_what_cannot_be_counted_is_refused_aloud_and_never_raises(
    stream: FlakyStream, caplog: pytest.LogCaptureFixture, value: object, system: str
) -> None:
    """The caller's request goes on; the log names the metric once, the counter counts all."""
    recorder = recorder_to(stream)
    with caplog.at_level(logging.ERROR):
        recorder.record("odd", value, system)  # type: ignore[arg-type]
        recorder.record("odd", value, system)  # type: ignore[arg-type]
    recorder.flush()
    assert recorder.refused == 2
    assert len([line for line in caplog.messages if "'odd'" in line]) == 1
    assert everything(stream) == []


@pytest.mark.req("O1")
def test_metric_of_bools_takes_no_numbers(stream: FlakyStream) -> None:
    """Mixing both under one name would make a rate of nothing: the second kind is refused."""
    recorder = recorder_to(stream)
    recorder.record("success_rate", True, "legacy")
    recorder.flush()
    recorder.record("success_rate", 0.7, "candidate")
    recorder.flush()
    assert recorder.refused == 1
    assert [block.system for block in everything(stream)] == ["legacy"]


@pytest.mark.req("INV3")
def test_block_carries_the_epoch_of_its_first_observation(stream: FlakyStream) -> None:
    """What was begun under an epoch is never claimed for a later one."""
    epochs = iter([4, 5])
    recorder = recorder_to(stream, epoch=lambda: next(epochs))
    recorder.record("success_rate", True, "legacy")
    recorder.record("success_rate", True, "legacy")
    recorder.flush()
    recorder.record("success_rate", True, "legacy")
    recorder.flush()
    assert [(block.epoch, block.n) for block in everything(stream)] == [(4, 2), (5, 1)]


@pytest.mark.req("O1")
def test_broken_epoch_source_does_not_reach_the_caller(stream: FlakyStream) -> None:
    """Recording goes on with epoch 0, which means unknown."""

    def broken() -> int:
        raise RuntimeError("no router")

    recorder = recorder_to(stream, epoch=broken)
    recorder.record("success_rate", True, "legacy")
    recorder.flush()
    assert [block.epoch for block in everything(stream)] == [0]


@pytest.mark.req("O4")
def test_pairs_are_counted_and_disagreements_sampled(stream: FlakyStream) -> None:
    """Agreement is a yes/no metric of the pair; a sample says which field differed."""
    recorder = recorder_to(stream, agreement={"fields": [{"path": "id", "compare": "ignore"}]})
    assert recorder.compare({"risk": 1, "id": 1}, {"risk": 1, "id": 2}).agree
    assert not recorder.compare({"risk": 1}, {"risk": 2}).agree
    recorder.compare_failed("timeout")
    recorder.flush()
    (block,) = everything(stream)
    assert (block.metric, block.system) == ("prediction_agreement_rate", "pair")
    assert (block.n, block.bad) == (3, 2)
    samples = [json.loads(sample)["mismatches"][0] for sample in stream.mismatches["mood"]]
    assert {(sample["path"], sample["why"] == "timeout") for sample in samples} == {
        ("risk", False),
        ("$", True),
    }


@pytest.mark.req("O4")
def test_redacted_values_never_leave_the_process(stream: FlakyStream) -> None:
    """What the rules redact is not in the shipped sample."""
    recorder = recorder_to(stream, agreement={"redact": ["name"]})
    recorder.compare({"name": "Ada Lovelace"}, {"name": "Charles Babbage"})
    recorder.flush()
    (sample,) = stream.mismatches["mood"]
    assert "name" in sample
    assert "Ada" not in sample
    assert "Babbage" not in sample


@pytest.mark.req("O4")
def test_samples_are_bounded_between_two_shipments(stream: FlakyStream) -> None:
    """A candidate that is always wrong does not flood Redis; all of it is still counted."""
    recorder = recorder_to(stream, samples=5)
    for number in range(200):
        recorder.compare(number, -1)
    recorder.flush()
    assert len(stream.mismatches["mood"]) == 5
    assert everything(stream)[0].bad == 200


@pytest.mark.req("O4")
def test_rules_are_read_anew_when_the_router_has_others(stream: FlakyStream) -> None:
    """With a callable, a plan's change of rules arrives without a restart."""
    rules: list[dict[str, object]] = [{}]
    recorder = recorder_to(stream, agreement=lambda: rules[0])
    assert not recorder.compare(1.0, 1.05).agree
    rules[0] = {"fields": [{"path": "a", "compare": "number", "absolute": 0.1}]}
    assert recorder.compare({"a": 1.0}, {"a": 1.05}).agree


@pytest.mark.req("INV6")
def test_fault_of_the_rules_is_not_a_disagreement(stream: FlakyStream) -> None:
    """Broken comparison rules give no data; they never speak against the candidate."""
    recorder = recorder_to(stream, agreement={"default": "perhaps"})
    assert not recorder.compare(1, 1).agree
    recorder.flush()
    assert recorder.refused == 1
    assert everything(stream) == []


@pytest.mark.req("O1")
def test_timed_block_is_recorded_also_when_it_raises(stream: FlakyStream) -> None:
    """A failing call took time too, and its error reaches the caller unchanged."""
    recorder = recorder_to(stream)
    with recorder.timed("duration_avg", "candidate"):
        pass
    with pytest.raises(KeyError), recorder.timed("duration_avg", "candidate"):
        raise KeyError("gone")
    recorder.flush()
    (block,) = everything(stream)
    assert block.n == 2
    assert 0 <= block.total < 60


@pytest.mark.req("O1")
def test_blocks_wait_while_redis_is_away_and_arrive_once(stream: FlakyStream) -> None:
    """After an outage in mid-shipment everything arrives, the twice-sent under the same id."""
    recorder = recorder_to(stream)
    recorder.record("success_rate", False, "legacy")
    stream.half = True
    assert not recorder.flush()
    stream.half, stream.down = False, True
    recorder.record("success_rate", True, "legacy")
    assert not recorder.flush()
    assert recorder.waiting == 2
    stream.down = False
    assert recorder.flush()
    arrived = everything(stream)
    assert len(arrived) == 3
    assert tally(distinct(arrived))["success_rate"]["legacy"] == Tally(2, 1)
    assert (recorder.lost, recorder.waiting) == (0, 0)


@pytest.mark.req("O1")
def test_oldest_blocks_are_dropped_and_counted_when_the_outage_is_long(
    stream: FlakyStream,
) -> None:
    """Memory is bounded: the newest blocks stay, ``lost`` says how many went."""
    recorder = recorder_to(stream, keep=3)
    stream.down = True
    for number in range(5):
        recorder.record(f"metric_{number}", True, "legacy")
        recorder.flush()
    stream.down = False
    assert recorder.flush()
    assert recorder.lost == 2
    assert [block.metric for block in everything(stream)] == ["metric_2", "metric_3", "metric_4"]


@pytest.mark.req("O1")
def test_no_observation_is_lost_or_doubled_between_threads(stream: FlakyStream) -> None:
    """Eight recording threads against one that ships all the time: the counts are exact."""
    recorder = recorder_to(stream)
    done = threading.Event()

    def ship() -> None:
        while not done.is_set():
            recorder.flush()

    def work() -> None:
        for number in range(4_000):
            recorder.record("success_rate", number % 4 != 0, "candidate")
            recorder.record("duration_avg", 0.5, "candidate")

    shipper = threading.Thread(target=ship)
    workers = [threading.Thread(target=work) for _ in range(8)]
    shipper.start()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done.set()
    shipper.join()
    recorder.flush()
    blocks = everything(stream)
    assert len({block.id for block in blocks}) == len(blocks)
    look = tally(blocks)
    assert look["success_rate"]["candidate"] == Tally(32_000, 8_000)
    assert look["duration_avg"]["candidate"].total == 16_000.0


@pytest.mark.req("O1")
def test_background_thread_ships_by_itself_and_close_ships_the_rest() -> None:
    """With ``start`` no call is needed, and leaving the ``with`` block loses nothing."""
    arrived = threading.Event()

    class Announcing(InMemoryBlockStream):
        def append(self, migration: str, payloads: Iterable[str]) -> None:
            super().append(migration, payloads)
            arrived.set()

    stream = Announcing()
    with recorder_to(stream, flush_every=0.01) as recorder:
        recorder.record("success_rate", True, "legacy")
        assert arrived.wait(10)
        recorder.flush_every = 3600.0
        recorder.record("success_rate", True, "legacy")
    assert tally(everything(stream))["success_rate"]["legacy"].n == 2


@pytest.mark.req("O1")
def test_forked_child_does_not_ship_what_its_parent_counted(stream: FlakyStream) -> None:
    """Counts made before a fork are the parent's; the child begins at nothing, under new ids."""
    recorder = recorder_to(stream)
    recorder.record("success_rate", True, "legacy")
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        recorder.record("success_rate", False, "candidate")
        recorder.flush()
        os.write(write_end, "\n".join(b.to_json() for b in everything(stream)).encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        theirs = [Block.from_json(line) for line in pipe.read().splitlines()]
    os.waitpid(child, 0)
    recorder.flush()
    (ours,) = everything(stream)
    assert [(block.system, block.n) for block in theirs] == [("candidate", 1)]
    assert (ours.system, ours.n) == ("legacy", 1)
    assert ours.id.split(":")[0] != theirs[0].id.split(":")[0]


@pytest.mark.req("O1")
@pytest.mark.parametrize("option", [{"flush_every": 0}, {"keep": 0}, {"samples": -1}])
def test_impossible_settings_are_refused_at_the_start(
    stream: FlakyStream, option: dict[str, int]
) -> None:
    """A recorder that could never ship is bad input."""
    with pytest.raises(InputError):
        recorder_to(stream, **option)


@pytest.mark.req("O1")
def test_outcomes_of_one_request_are_counted_as_a_pair(stream: FlakyStream) -> None:
    """The sum tells who did worse, the squares how often they differed, bad the candidate's."""
    recorder = recorder_to(stream)
    for legacy, candidate in ((True, True), (True, False), (True, False), (False, True)):
        recorder.record_pair("answered_right", legacy, candidate)
    assert recorder.flush()
    (block,) = everything(stream)
    assert (block.metric, block.system) == ("answered_right", "pair")
    assert (block.n, block.bad, block.total, block.total_squares) == (4, 2, 1.0, 3.0)


@pytest.mark.req("O1")
def test_pairs_of_outcomes_have_a_metric_of_their_own(stream: FlakyStream) -> None:
    """A metric of bools takes none: it is refused, counted, and never raised."""
    recorder = recorder_to(stream)
    recorder.record("success_rate", True, "candidate")
    recorder.record_pair("success_rate", True, False)
    assert recorder.refused == 1


@pytest.mark.req("O4")
def test_a_rule_to_ignore_a_field_ends_while_the_document_stays(
    stream: FlakyStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that runs for months does not need a new routing document to count it again."""
    rules = {"default": "exact", "fields": [
        {"path": "at", "compare": "ignore", "owner": "ada", "until": "9000-01-01"}]}  # fmt: skip
    recorder = recorder_to(stream, agreement=rules)
    assert recorder.compare({"at": 1, "x": 1}, {"at": 2, "x": 1}).agree
    compiled = recorder._pairs._compiled
    assert compiled is not None
    recorder.compare({"at": 1}, {"at": 2})
    assert recorder._pairs._compiled is compiled, "nothing is compiled anew before the end"
    monkeypatch.setattr("switchover.observe.pairs.time.time", lambda: compiled[1].expires)
    recorder.compare({"at": 1}, {"at": 2})
    assert recorder._pairs._compiled is not compiled
