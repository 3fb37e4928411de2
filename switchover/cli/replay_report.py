"""A replay told to people: what changed when, and the gates at the moments that matter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from switchover.cli.gates import gates_table
from switchover.cli.session import say
from switchover.judge.replay import ReplayedLook, ReplayStage
from switchover.judge.trigger import TriggerReading
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


def changes(looks: Sequence[ReplayedLook]) -> list[ReplayedLook]:
    """The looks at which the stage, the verdict or the silence is another than before."""
    return [
        look
        for before, look in zip([None, *looks], looks, strict=False)
        if before is None or _state(look) != _state(before)
    ]


def _state(look: ReplayedLook) -> tuple[int, Verdict, bool]:
    return look.stage, look.reading.verdict, bool(look.silence)


def stage_changes(
    looks: Sequence[ReplayedLook], stages: Sequence[ReplayStage], began: float
) -> list[tuple[float, str, float]]:
    """When each stage of the walk began, the first one at ``began``, its title, and its split in
    per cent; 0 % in the end, if it was rolled back."""
    told: list[tuple[float, str, float]] = []
    for before, look in zip([None, *looks], looks, strict=False):
        if before is None or look.stage != before.stage:
            stage = stages[look.stage]
            at = stage.begins or (began if before is None else before.at)
            told.append((at, stage.title, 100.0 * (stage.split or 0.0)))
        if look.reading.verdict is Verdict.ROLLBACK:
            return [*told, (look.at, "rolled back", 0.0)]
    return told


def tell(
    looks: Sequence[ReplayedLook], stages: Sequence[ReplayStage], rows: int, began: float
) -> None:
    """Print every change of verdict, the gates at the decision or at the end, and the answer."""
    span = spoken(round(looks[-1].at - began))
    say(f"{rows:,} rows in {len(looks):,} looks over {span}, to {iso_time(looks[-1].at)}")
    say("")
    changed = changes(looks)
    end = rolled_back(looks)
    for look in changed[:_TOLD]:
        verdict = look.reading.verdict.value.replace("_", " ")
        silence = f" ({look.silence})" if look.silence else ""
        say(f"{iso_time(look.at)}  {stages[look.stage].title}: {verdict}{silence}")
    if len(changed) > _TOLD:
        say(f"… and {len(changed) - _TOLD} more changes; --json tells every look")
    decided = end or looks[-1]
    say("")
    say(f"At {iso_time(decided.at)}, in {stages[decided.stage].title}:")
    gates_table([gate.to_dict() for gate in decided.reading.gates])
    say("")
    say(decided.reading.sentence)
    if end is None:
        say(_went_on(looks, stages))


def tell_triggers(firings: Sequence[tuple[float, TriggerReading]]) -> None:
    """Print when triggers fired; nothing where none did."""
    for at, reading in firings[:_TOLD]:
        say(f"{iso_time(at)}  {reading.color.upper()} trigger {reading.sentence}")
    if len(firings) > _TOLD:
        say(f"… and {len(firings) - _TOLD} more times")


def verdict_of(
    looks: Sequence[ReplayedLook],
    stages: Sequence[ReplayStage],
    began: float,
    firings: Sequence[tuple[float, TriggerReading]] = (),
) -> str:
    """When the plan stops it, by what and at what cost, in one sentence; empty if never."""
    end = rolled_back(looks)
    red = next((each for each in firings if each[1].color == "red"), None)
    if red is not None and (end is None or red[0] < end.at):
        after = spoken(round(red[0] - began))
        return f"stops at {iso_time(red[0])} after {after} by RED trigger {red[1].trigger}"
    if end is None:
        return ""
    guilty = [gate.gate for gate in end.reading.gates if gate.verdict is Verdict.ROLLBACK]
    by = f"by gate {' and '.join(guilty)}" if guilty else "by silence"
    known = [end.bad[name] for name in guilty if name in end.bad]
    cost = f"; {max(known):,} bad answers by then" if known else ""
    after = spoken(round(end.at - began))
    return f"stops at {iso_time(end.at)} after {after} {by}, in {stages[end.stage].title}{cost}"


def _went_on(looks: Sequence[ReplayedLook], stages: Sequence[ReplayStage]) -> str:
    """The same answer where it is no: how far the recording came."""
    last = looks[-1]
    if last.reading.verdict is Verdict.PROMOTE:
        if last.stage == len(stages) - 1:
            return "Never stops: every stage with traffic would have passed."
        return f"Never stops: {stages[last.stage].title} would have passed."
    verdict = last.reading.verdict.value.replace("_", " ")
    return f"Never stops: the recording ends in {stages[last.stage].title} with {verdict}."
