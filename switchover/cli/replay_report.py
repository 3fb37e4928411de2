"""A replay told to people: what changed when, and the gates at the moments that matter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from switchover.cli.gates import gates_table
from switchover.cli.session import say
from switchover.judge.replay import ReplayedLook, ReplayStage
from switchover.judge.verdict import Verdict
from switchover.plan.units import spoken

#: Changes of the verdict that are told one by one; more are only counted.
_TOLD = 30


def iso_time(at: float) -> str:
    """Seconds since the Unix epoch as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def rolled_back(looks: Sequence[ReplayedLook]) -> ReplayedLook | None:
    """The first look that says rollback."""
    return next((look for look in looks if look.reading.verdict is Verdict.ROLLBACK), None)


def tell(looks: Sequence[ReplayedLook], stages: Sequence[ReplayStage], rows: int) -> None:
    """Print every change of verdict, and the gates at the decision or at the end."""
    span = spoken(round(looks[-1].at - looks[0].at))
    say(f"{rows:,} rows in {len(looks):,} looks over {span}, to {iso_time(looks[-1].at)}")
    say("")
    changes = [
        look
        for before, look in zip([None, *looks], looks, strict=False)
        if before is None
        or (look.stage, look.reading.verdict) != (before.stage, before.reading.verdict)
    ]
    end = rolled_back(looks)
    for look in changes[:_TOLD]:
        verdict = look.reading.verdict.value.replace("_", " ")
        say(f"{iso_time(look.at)}  {stages[look.stage].title}: {verdict}")
    if len(changes) > _TOLD:
        say(f"… and {len(changes) - _TOLD} more changes; --json tells every look")
    decided = end or looks[-1]
    say("")
    say(f"At {iso_time(decided.at)}, in {stages[decided.stage].title}:")
    gates_table([gate.to_dict() for gate in decided.reading.gates])
    say("")
    say(decided.reading.sentence)
    if end is None and decided.reading.verdict is Verdict.PROMOTE:
        say("Every stage with traffic would have passed.")


def verdict_of(looks: Sequence[ReplayedLook], stages: Sequence[ReplayStage]) -> str:
    """The sentence of the first rollback with its time; empty when there is none."""
    end = rolled_back(looks)
    if end is None:
        return ""
    after = spoken(round(end.at - looks[0].at))
    place = stages[end.stage].title
    return f"would have rolled back at {iso_time(end.at)}, {after} after the first look, in {place}"
