"""A routing snapshot, compiled: a decision is one hash, one comparison and one ready answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from switchover.machine.snapshot import Snapshot
from switchover.machine.split import FULL
from switchover.routing.bucket import Key, as_integer, integer_bucket, key_bytes, salted


class Decision(NamedTuple):
    """Which system serves a request, and why.

    ``system`` is ``legacy`` or ``candidate``. ``reason`` is ``mode:legacy_only``,
    ``mode:parallel``, ``mode:candidate_only``, ``split:in``, ``split:out``,
    ``emergency_rollback``, ``stale`` (Redis was silent for too long) or ``cold_start``
    (no document was read yet). ``epoch`` is the routing epoch it rests on. ``shadow`` is
    True when the other system is to be called too, after the answer was given.
    """

    system: str
    reason: str
    epoch: int
    shadow: bool

    @property
    def other(self) -> str:
        """The system that does not serve: the one a shadow call goes to."""
        return "legacy" if self.system == "candidate" else "candidate"


#: Decides on a key where the short way does not do.
Careful = Callable[[Key], Decision]

#: ``(prefix, split, into, out, careful)``: what :meth:`Router.route` needs, in one plain
#: tuple, so that replacing it is atomic and unpacking it costs next to nothing. Without
#: ``careful`` the answer is ``into`` where ``xxh3(prefix + key) mod 10 000 < split``.
Table = tuple[bytes, int, Decision, Decision, Careful | None]

_REASONS = {
    "legacy_only": ("mode:legacy_only", "mode:legacy_only", 0),
    "parallel": ("mode:parallel", "mode:parallel", 0),
    "candidate_only": ("mode:candidate_only", "mode:candidate_only", FULL),
    "emergency_rollback": ("emergency_rollback", "emergency_rollback", 0),
}

#: Modes in which the candidate is left alone, whatever the document says of shadowing.
_QUIET = ("legacy_only", "emergency_rollback")


def legacy_table(reason: str, epoch: int) -> Table:
    """Every key to legacy, nothing shadowed: for ``cold_start`` and ``stale``."""
    answer = Decision("legacy", reason, epoch, False)
    return (b"", 0, answer, answer, None)


def compile_snapshot(snapshot: Snapshot) -> Table:
    """Prepare every answer that ``snapshot`` can give.

    The shadow sample is sticky by key under a salt of its own, so that being shadowed says
    nothing about being in the split.
    """
    reason_in, reason_out, split = _REASONS.get(
        snapshot.mode, ("split:in", "split:out", snapshot.split)
    )
    shadow = 0 if snapshot.mode in _QUIET else snapshot.shadow
    answers = {
        shadowed: (
            Decision("candidate", reason_in, snapshot.epoch, shadowed),
            Decision("legacy", reason_out, snapshot.epoch, shadowed),
        )
        for shadowed in (False, True)
    }
    into, out = answers[shadow == FULL]
    prefix, shadow_prefix = salted(snapshot.salt), salted(f"{snapshot.salt}/shadow")
    hashed = snapshot.key == "string" or split in (0, FULL)
    sampled = shadow not in (0, FULL)

    def careful(key: Key) -> Decision:
        if hashed:
            point = xxh3_64_intdigest(prefix + key_bytes(key)) % FULL
        else:
            try:
                point = integer_bucket(as_integer(key))
            except ValueError:
                # A key that is no integer still gets a sticky answer and its fair share.
                point = xxh3_64_intdigest(prefix + key_bytes(key)) % FULL
        if not sampled:
            return into if point < split else out
        shadowed = xxh3_64_intdigest(shadow_prefix + key_bytes(key)) % FULL < shadow
        return answers[shadowed][0 if point < split else 1]

    return (prefix, split, into, out, None if hashed and not sampled else careful)


def decide(table: Table, key: Key) -> Decision:
    """The decision for a key of any type; :meth:`Router.route` has the common case inline."""
    prefix, split, into, out, careful = table
    if careful is not None:
        return careful(key)
    return into if xxh3_64_intdigest(prefix + key_bytes(key)) % FULL < split else out
