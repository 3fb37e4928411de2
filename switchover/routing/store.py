"""The routing document in Redis: written atomically, fenced by its epoch, stopped by a halt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from switchover.connection import OnRedis, reaching_redis, redis_key, text
from switchover.errors import InputError, PointOfNoReturn, StaleEpoch
from switchover.machine.propagation import Acknowledgement, Halt, Propagation, Routed
from switchover.machine.snapshot import Snapshot
from switchover.routing.scripts import HALT, WRITE

#: Modes in which only legacy is called; a halt in force lets these through unasked.
SAFE_MODES = ("legacy_only", "emergency_rollback")

#: Seconds between two looks at the acknowledgements while waiting for them.
_POLL = 0.005


def halted_snapshot(before: Snapshot, halt_id: str, epoch: int) -> Snapshot:
    """``before`` with every key on legacy and no shadow, by order of ``halt_id``.

    The candidate's feature flags follow the split, and so go off with it.
    """
    return replace(
        before, epoch=epoch, mode="emergency_rollback", split=0, shadow=0, halt=halt_id, turned=0,
        no_return=False,
    )  # fmt: skip


def halt_refusal(snapshot: Snapshot, stored: int, halt: str) -> StaleEpoch:
    """The error for a document that would bring the candidate back under a foreign halt."""
    return StaleEpoch(
        snapshot.migration,
        snapshot.epoch,
        stored,
        f"halt {halt} is in force and this document does not answer it; reconcile first",
    )


def _halt(migration: str, record: str) -> Halt:
    """What is stored of a halt; ``InputError`` when unreadable."""
    try:
        return Halt.from_json(record)
    except ValueError as error:
        raise InputError(
            f"{migration}: the halt in Redis is unreadable ({error}); remove the fields halt and "
            f"halt_document of {redis_key(migration, 'routing')}, then roll back again"
        ) from error


def _around_epoch(write: Callable[[int], str]) -> tuple[str, str]:
    """What stands before and after the epoch in a document: where two of them differ."""
    document = write(0)
    pairs = enumerate(zip(document, write(1), strict=True))
    place = next(index for index, (zero, one) in pairs if zero != one)
    return document[:place], document[place + 1 :]


class RedisRoutingStore(OnRedis):
    """Routing documents in Redis or Valkey.

    ``address`` is a URL or a ready client. Every method raises ``DependencyUnavailable``
    when Redis can't be reached within a second, or does not answer within four (it is asked
    twice).
    """

    def _run(self, script: str, migration: str, *arguments: object) -> list[str]:
        keys = (redis_key(migration, "routing"), redis_key(migration, "changes"))
        with reaching_redis(self._address):
            answer = self._client.eval(script, len(keys), *keys, *map(str, arguments))
        return [text(item) for item in answer]

    def write(self, snapshot: Snapshot) -> None:
        """Store ``snapshot`` if its epoch is newer than the stored one.

        Writing the stored document again is a success that changes nothing, so a crashed
        writer may repeat itself. ``StaleEpoch`` for an older or different document of the
        same epoch, and for one that calls the candidate while a halt is in force that it
        does not name. The first document that names the halt and leaves
        ``emergency_rollback`` ends it.
        """
        outcome, *detail = self._run(
            WRITE,
            snapshot.migration,
            snapshot.epoch,
            snapshot.to_json(),
            snapshot.halt,
            int(snapshot.mode not in SAFE_MODES),
            int(snapshot.mode != "emergency_rollback"),
        )
        if outcome == "stale":
            raise StaleEpoch(snapshot.migration, snapshot.epoch, int(detail[0]))
        if outcome == "halted":
            raise halt_refusal(snapshot, int(detail[0]), detail[1])

    def read(self, migration: str) -> Snapshot | None:
        """The stored document, ``None`` when there is none, ``InputError`` when unreadable."""
        with reaching_redis(self._address):
            document = self._client.hget(redis_key(migration, "routing"), "document")
        if document is None:
            return None
        try:
            return Snapshot.from_json(text(document))
        except ValueError as error:
            raise InputError(
                f"{migration}: the routing document in Redis is unreadable ({error}); "
                "roll back, or write a newer document"
            ) from error

    def halt(
        self,
        migration: str,
        *,
        halt_id: str,
        actor: str,
        reason: str,
        at: float,
        trigger: str = "",
        insist: bool = False,
    ) -> Halt:
        """Send everything to legacy now, whatever is stored; give the halt that stands.

        The same ``halt_id`` again gives the halt it made and changes nothing, even when that
        halt is over by now. While another halt is in force, that one stays and is given.
        ``PointOfNoReturn`` where the stored document says that it is passed, without ``insist``.
        """
        before = halted_snapshot(self._before(migration), halt_id, 0)
        record = Halt(halt_id, actor, reason, at, 0, trigger)
        answer = self._run(
            HALT,
            migration,
            halt_id,
            self._highest(migration),
            *_around_epoch(lambda epoch: replace(before, epoch=epoch).to_json()),
            *_around_epoch(lambda epoch: replace(record, epoch=epoch).to_json()),
            int(insist),
        )
        if answer[0] == "passed":
            raise PointOfNoReturn(migration)
        return _halt(migration, answer[1])

    def _before(self, migration: str) -> Snapshot:
        """The stored document; a blank one where none is stored or readable."""
        try:
            return self.read(migration) or Snapshot(migration, 0)
        except InputError:
            # An unreadable document is no reason not to roll back: it is replaced whole.
            return Snapshot(migration, 0)

    def _highest(self, migration: str) -> int:
        """The newest epoch a live router serves: where Redis lost its data, a halt has to beat
        what the routers still hold."""
        return max((ack.epoch for ack in self.acknowledgements(migration)), default=0)

    def halted(self, migration: str) -> Halt | None:
        """The halt in force, ``None`` when there is none, ``InputError`` when unreadable."""
        with reaching_redis(self._address):
            halt, record = self._client.hmget(
                redis_key(migration, "routing"), "halt", "halt_document"
            )
        return _halt(migration, text(record)) if halt and record else None

    def routed(self, migrations: Sequence[str]) -> dict[str, Routed]:
        """Document and halt of many in one round trip; unreadable ones are left out."""
        with reaching_redis(self._address):
            pipeline = self._client.pipeline(transaction=False)
            for migration in migrations:
                fields = ("document", "halt", "halt_document")
                pipeline.hmget(redis_key(migration, "routing"), *fields)
            answers = pipeline.execute()
        found = {}
        for migration, (document, halt, record) in zip(migrations, answers, strict=True):
            # Whoever reads an unreadable one by itself is told what is wrong with it.
            with suppress(ValueError):
                found[migration] = Routed(
                    None if document is None else Snapshot.from_json(text(document)),
                    Halt.from_json(text(record)) if halt and record else None,
                )
        return found

    def acknowledgements(self, migration: str) -> tuple[Acknowledgement, ...]:
        """What every live router serves; one that was silent for 10 s is not live."""
        return self._routers(migration)[0]

    def wait_acknowledged(self, migration: str, epoch: int, timeout: float) -> Propagation:
        """Wait until every live router serves ``epoch`` or newer, at most ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while True:
            live, lost = self._routers(migration)
            propagation = Propagation.of(epoch, live, lost)
            if propagation.complete or time.monotonic() >= deadline:
                return propagation
            time.sleep(_POLL)

    def _routers(self, migration: str) -> tuple[tuple[Acknowledgement, ...], tuple[str, ...]]:
        """Live routers, and the names of those that fell silent but may still be serving.

        The index ``routers`` scores each router with the moment (seconds since the Unix
        epoch) by which it is on legacy of its own accord if it hears nothing more.
        """
        index = redis_key(migration, "routers")
        with reaching_redis(self._address):
            pipeline = self._client.pipeline(transaction=False)
            # Those whose own time has run out are on legacy by now, or gone.
            pipeline.zremrangebyscore(index, "-inf", f"({time.time()}")
            pipeline.zrange(index, 0, -1)
            names = [text(name) for name in pipeline.execute()[1]]
            if not names:
                return (), ()
            found = self._client.mget([redis_key(migration, f"router:{name}") for name in names])
        live, lost = [], []
        for name, value in zip(names, found, strict=True):
            try:
                live.append(Acknowledgement.from_json(text(value)))
            except ValueError:
                # Expired, or not what a router writes: nobody vouches for this one.
                lost.append(name)
        return tuple(live), tuple(lost)
