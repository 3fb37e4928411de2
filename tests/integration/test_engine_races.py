"""Several at once on real servers: each step has one winner, and a rollback wins over all."""

from __future__ import annotations

import multiprocessing
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

import switchover
from switchover.engine.advance import take_step
from switchover.engine.approve import decide_approval
from switchover.engine.context import Context
from switchover.engine.monitor import look
from switchover.engine.reconcile import reconcile
from switchover.engine.roll_back import roll_back
from switchover.engine.start import start
from switchover.errors import InputError, Refused
from switchover.ledger import SqlLedger, upgrade, verify
from switchover.machine.snapshot import Snapshot
from switchover.machine.state import Phase
from switchover.testing.incidents import work_through
from tests.faults.journey import Fuse, Site, move_on, ship, walk

_PROCESSES = multiprocessing.get_context("fork")
_STAGES = [
    {"kind": "checks"},
    {"kind": "canary", "percent": 10, "bake": "1h"},
    {"kind": "canary", "percent": 50, "bake": "1h"},
]

NewSite = Callable[..., Site]


class Jitter(Fuse):
    """Waits a little before each write, so that every round interleaves in another way."""

    def __init__(self, seed: object, kill_at: int = 0) -> None:
        super().__init__(kill_at)
        self._chance = random.Random(repr(seed))

    def call(self, name: str, work: Callable[..., Any], *args: Any, **words: Any) -> Any:
        time.sleep(self._chance.choice((0.0, self._chance.uniform(0, 0.008))))
        return super().call(name, work, *args, **words)


@pytest.fixture
def new_site(tmp_path: Path, redis_url: str, postgres_database: str) -> Iterator[NewSite]:
    """Makes places for migrations on one PostgreSQL and one Redis."""
    upgrade(postgres_database)
    with ExitStack() as made:

        def make(**changes: Any) -> Site:
            slug = f"r-{uuid4().hex[:8]}"
            (tmp_path / slug).mkdir()
            site = Site(tmp_path / slug, slug, postgres_database, redis_url, **changes)
            return made.enter_context(closing(site))

        yield make


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Do all at the same moment, each in a thread; gives answers, and refusals as answers."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        barrier.wait(10)
        try:
            return work()
        except Refused as refusal:
            return refusal

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def kinds(context: Context, slug: str) -> Counter[str]:
    """How often each kind of entry was written."""
    return Counter(entry.kind for entry in context.ledger.entries(slug))


def _advance_for_ever(site: Site, number: int, kill_at: int) -> None:
    context = site.context(Jitter(number, kill_at))
    while True:
        try:
            if context.ledger.read(site.slug).state.phase is Phase.COMPLETE:
                return
            if not move_on(site, context):
                return
        except InputError:
            start(context, site.plan, actor="carl")
        except Refused:
            # Another one was first; look at what it did.
            continue


@pytest.mark.req("INV1", "INV4")
def test_six_advancers_with_random_kills_take_each_step_once(new_site: NewSite) -> None:
    """Whoever dies and whoever wins: every stage is entered once, in order."""
    site, chance = new_site(), random.Random(7)

    def begin(number: int) -> Any:
        # The first twelve kill themselves after a few writes, none of the later ones does.
        kill_at = chance.randint(1, 5) if number < 12 else 0
        arguments = (site, number, kill_at)
        process = _PROCESSES.Process(target=_advance_for_ever, args=arguments, daemon=True)
        process.start()
        return process

    crowd, killed = [begin(number) for number in range(6)], 0
    deadline = time.monotonic() + 90
    while any(process.exitcode is None for process in crowd) and time.monotonic() < deadline:
        for place, process in enumerate(crowd):
            process.join(0.01)
            if process.exitcode == -signal.SIGKILL:
                crowd[place], killed = begin(6 + killed), killed + 1
    assert [process.exitcode for process in crowd] == [0] * 6
    ledger = SqlLedger(site.database, b"key")
    entries = ledger.entries(site.slug)
    stages = [entry.payload["stage"] for entry in entries if entry.kind == "stage_entered"]
    assert stages == [1, 2, 3, 4, 5]
    seen = Counter(entry.kind for entry in entries)
    assert seen["started"] == seen["approval_requested"] == seen["approval_decided"] == 1
    assert seen["work_recorded"] == 2
    assert verify(ledger, site.slug) == []
    stored = site.context().routing.read(site.slug)
    assert stored is not None
    assert (stored.mode, stored.epoch) == ("candidate_only", ledger.read(site.slug).state.epoch)
    assert killed >= 6, "too few were killed"
    ledger.close()


@pytest.mark.req("INV5", "INV3", "INV2")
def test_a_rollback_at_the_moment_of_a_promote_always_wins(new_site: NewSite) -> None:
    """Fifteen rounds: traffic is on legacy as soon as the rollback answers, and stays there."""
    order = Counter[bool]()
    for round_ in range(15):
        site = new_site(stages=_STAGES)
        context = site.context()
        walk(site, context, stage=1)
        with switchover.Router(site.slug, site.redis) as router:
            while not context.routing.acknowledgements(site.slug):
                time.sleep(0.005)
            promoter, stopper = site.context(Jitter((round_, 1))), site.context(Jitter((round_, 2)))

            # In the first rounds one side is surely late; after that anything may happen.
            late = {0: (0.3, 0.0), 1: (0.0, 0.3)}.get(round_, (0.0, 0.004 * (round_ % 6)))

            def stop(stopper: Context = stopper, site: Site = site, router: Any = router,
                     late: float = late[1]) -> Any:  # fmt: skip
                time.sleep(late)
                outcome = roll_back(stopper, site.slug, actor="bo", trigger="person", reason="x")
                assert {router.route(f"k{n}").system for n in range(200)} == {"legacy"}
                return outcome

            def promote(promoter: Context = promoter, site: Site = site,
                        late: float = late[0]) -> Any:  # fmt: skip
                time.sleep(late)
                return take_step(promoter, site.slug, actor="flow")

            stepped, stopped = at_once(promote, stop)
            stored = context.routing.read(site.slug)
            assert stored is not None
            assert stored.mode == "emergency_rollback", (round_, stepped, stopped)
            reconcile(context, site.slug)
            case = context.open(site.slug)
            assert (case.state.phase, case.state.split) == (Phase.ROLLED_BACK, 0)
            assert reconcile(context, site.slug) == []
        counted = kinds(context, site.slug)
        assert counted["rolled_back"] == counted["rollback_measured"] == 1
        order[counted["stage_entered"] == 2] += 1
        _nothing_serves_after_the_halt(site)
    assert len(order) == 2, "one side always came first: the race was none"


def _nothing_serves_after_the_halt(site: Site) -> None:
    """Every document that routers could ever see, in order: epochs grow, and the halt is final."""
    with redis.Redis.from_url(site.redis) as client:
        changes = client.xrange(f"switchover:{{{site.slug}}}:changes")
    epochs = [int(fields[b"epoch"]) for _, fields in changes]
    assert epochs == sorted(set(epochs)), epochs
    seen = [Snapshot.from_json(fields[b"document"].decode()) for _, fields in changes]
    modes = [snapshot.mode for snapshot in seen]
    after = seen[modes.index("emergency_rollback") :]
    assert not [snapshot for snapshot in after if snapshot.serves_candidate], modes


@pytest.mark.req("INV1", "INV5", "R5")
def test_monitors_that_roll_back_at_once_open_one_incident(new_site: NewSite) -> None:
    """Four looks at the same bad evidence: one halt, one entry, one page, one measurement."""
    for round_ in range(6):
        site = new_site(stages=_STAGES)
        context = site.context()
        walk(site, context, stage=1)
        take_step(context, site.slug, actor="flow")
        site.clock.move(context.open(site.slug).state.not_before + 1)
        ship(context, context.open(site.slug).state, bad=True)
        crowd = [site.context(Jitter((round_, n))) for n in range(4)]
        at_once(*(partial(look, each, site.slug, actor="monitor") for each in crowd))
        assert context.open(site.slug).state.phase is Phase.ROLLED_BACK
        reconcile(context, site.slug)
        counted = kinds(context, site.slug)
        assert counted["rolled_back"] == counted["rollback_measured"] == 1
        keys = [effect["key"] for effect in context.ledger.effects(site.slug)]
        incident = context.open(site.slug).state.incident
        halt = context.routing.halted(site.slug)
        assert halt is not None
        assert halt.id == incident
        assert [key for key in keys if key.endswith(":page")] == [f"{incident}:page"]


@pytest.mark.req("INV10", "INV1")
def test_an_approval_and_its_voiding_at_once_never_both_count(new_site: NewSite) -> None:
    """Whoever is first: a stage begins only under an approval that no void has followed."""
    won = Counter[str]()
    for round_ in range(10):
        site = new_site(stages=[*_STAGES[:2], {**_STAGES[2], "approval": True}])
        context = site.context()
        walk(site, context, stage=1)
        assert take_step(context, site.slug, actor="flow").action == "ask"
        approver, monitor, advancer = (site.context(Jitter((round_, n))) for n in range(3))
        slug, expired = site.slug, round_ % 2
        late = {0: (0.3, 0.0), 2: (0.0, 0.3)}.get(round_, (0.0, 0.004 * (round_ % 5)))
        if expired:
            site.clock.move(context.open(slug).state.approval.expires_at - 0.001)  # type: ignore[union-attr]
        else:
            _turn(context, slug)

        def expire(site: Site = site, monitor: Context = monitor, expired: int = expired,
                   late: float = late[1]) -> Any:  # fmt: skip
            time.sleep(late)
            if expired:
                site.clock.move(site.clock.timestamp + 1)
            return look(monitor, site.slug, actor="monitor")

        def approve(approver: Context = approver, slug: str = slug, late: float = late[0]) -> Any:
            time.sleep(late)
            return decide_approval(approver, slug, "approve", approver="ada", via="cli")

        at_once(
            approve,
            expire,
            lambda a=advancer, slug=slug: take_step(a, slug, actor="flow"),
        )
        decided = [
            entry.payload["status"]
            for entry in context.ledger.entries(slug)
            if entry.kind == "approval_decided"
        ]
        entered = kinds(context, slug)["stage_entered"] == 2
        assert decided in (["approved"], ["void"], ["expired"], ["approved", "void"]), decided
        if entered:
            assert decided == ["approved"]
        assert verify(context.ledger._target, slug) == []  # type: ignore[attr-defined]
        won[decided[0]] += 1
    assert len(won) > 1, f"the race was none: {won}"


@pytest.mark.req("P6", "INV4")
def test_votes_at_the_same_instant_make_up_a_quorum_of_people(new_site: NewSite) -> None:
    """Ada twice, bo and cleo, while somebody advances: one vote, one that completes it, of two."""
    people = ["ada", "bo", "cleo"]
    for round_ in range(6):
        site = new_site(
            stages=[*_STAGES[:2], {**_STAGES[2], "approval": True}],
            approvals={"approvers": people, "min_approvers": 2},
        )
        context, slug = site.context(), site.slug
        walk(site, context, stage=1)
        assert take_step(context, slug, actor="flow").action == "ask"
        voters = ["ada", *people] if round_ % 2 else ["ada", "ada"]
        crowd = [site.context(Jitter((round_, n))) for n in range(len(voters) + 1)]
        at_once(
            partial(take_step, crowd[-1], slug, actor="flow"),
            *(
                partial(decide_approval, each, slug, "approve", approver=name, via="cli")
                for each, name in zip(crowd, voters, strict=False)
            ),
        )
        given = [entry.payload["approver"] for entry in context.ledger.entries(slug)
                 if entry.kind in ("approval_voted", "approval_decided")]  # fmt: skip
        assert len(given) == len(set(given)) == min(2, len(set(voters))), given
        entered = kinds(context, slug)["stage_entered"] == 2
        assert not entered or len(given) == 2
        assert take_step(context, slug, actor="flow").did is (len(given) == 2 and not entered)
        assert verify(context.ledger._target, slug) == []  # type: ignore[attr-defined]


def _turn(context: Context, slug: str) -> None:
    """Evidence that is bad enough to hold and not to roll back."""
    from switchover.judge.block import Block

    at = context.timestamp - 30
    block = Block(f"{slug}/turn", slug, "success_rate", "candidate", at, 20.0, 400, 72)
    context.stream.append(slug, [block.to_json()])  # type: ignore[attr-defined]


@pytest.mark.req("INV1")
def test_starts_at_once_make_one_migration(new_site: NewSite) -> None:
    """Everybody is told that it runs; a second plan of that name is refused."""
    site = new_site()
    other = new_site()
    crowd = [site.context(Jitter(n)) for n in range(4)]
    answers = at_once(*(lambda c=c: start(c, site.plan, actor="carl").state for c in crowd))
    assert {answer.revision for answer in answers} == {1}
    assert kinds(crowd[0], site.slug) == {"started": 1}
    assert other.slug not in {state.migration for state in crowd[0].ledger.migrations()}
    roll_back(crowd[0], site.slug, actor="bo", trigger="person", reason="x")
    work_through(crowd[0], site.slug)
    again = at_once(*(lambda c=c: start(c, site.plan, actor="carl").state for c in crowd))
    assert {answer.attempt for answer in again} == {2}
    assert kinds(crowd[0], site.slug)["started"] == 2
