"""The rows of the stage table and of the gate table, ready to print anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from switchover.plan.stages import Stage
from switchover.ports import Entry
from switchover.reporting import figures

Place = Literal["done", "current", "next", "held", "waiting", "rolled back", "aborted"]


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage: where it stands, what it shows, what was found and who allowed it."""

    number: int
    title: str
    place: Place
    percent: str
    bake: str
    began: str
    verdict: str
    approval: str


@dataclass(frozen=True, slots=True)
class GateRow:
    """One gate: its verdict and the numbers that led to it, with the thresholds they face."""

    gate: str
    verdict: str
    estimate: str
    limit: str
    n: str
    against: str
    favour: str
    need: str
    sentence: str


def stage_rows(stages: Sequence[Stage], entries: Sequence[Entry]) -> tuple[StageRow, ...]:
    """A row per stage, from the entries of the present attempt; none means it never started."""
    starts = [place for place, entry in enumerate(entries) if entry.kind == "started"]
    attempt = entries[starts[-1] :] if starts else ()
    rows = [
        StageRow(
            number=stage.index + 1,
            title=stage.title,
            place="next",
            percent=f"{stage.split / 100:g} %",
            bake=figures.duration(stage.bake),
            began="",
            verdict="",
            approval="needed" if stage.approval else "",
        )
        for stage in stages
    ]
    current, requests = -1, {}
    for entry in attempt:
        event = entry.payload
        if entry.kind == "approval_requested":
            requests[event["id"]] = event["stage"]
        current = _tell(rows, current, entry.kind, event, requests)
    return tuple(rows)


def stage_changes(entries: Sequence[Entry]) -> tuple[tuple[float, str, float], ...]:
    """When each stage of the present attempt began, its title, and its split in per cent.

    The end by rollback or abort counts as a change to 0 %.
    """
    starts = [place for place, entry in enumerate(entries) if entry.kind == "started"]
    changes = []
    for entry in entries[starts[-1] :] if starts else ():
        event = entry.payload
        if entry.kind == "stage_entered":
            changes.append((float(event["at"]), str(event["title"]), event["split"] / 100))
        elif entry.kind in ("rolled_back", "aborted"):
            changes.append((float(event["at"]), entry.kind.replace("_", " "), 0.0))
    return tuple(changes)


def progress(rows: Sequence[StageRow]) -> float:
    """How many per cent of the stages are done."""
    return 100 * sum(row.place == "done" for row in rows) / len(rows) if rows else 0.0


def gate_rows(
    reading: Mapping[str, Any],
    *,
    alpha_promote: float = 0.05,
    freeze_at: float = 10.0,
) -> tuple[GateRow, ...]:
    """A row per gate of a `StageReading.to_dict`.

    Evidence against faces ``freeze_at``, from which the split is not raised (a rollback is
    decided by the sum over all gates); evidence for faces 1/``alpha_promote``.
    """
    return tuple(_gate_row(gate, alpha_promote, freeze_at) for gate in reading.get("gates") or ())


def verdict_words(verdict: str) -> str:
    """A verdict with a sign in front that reads without colour."""
    signs = {"promote": "✓", "hold": "Ⅱ", "rollback": "✗", "insufficient_evidence": "…"}
    return f"{signs.get(verdict, '')} {verdict.replace('_', ' ')}".strip()


def _gate_row(gate: Mapping[str, Any], alpha_promote: float, freeze_at: float) -> GateRow:
    kind, metric, name = str(gate["kind"]), str(gate["metric"]), str(gate["gate"])
    need = gate.get("need")
    return GateRow(
        gate=name,
        verdict=verdict_words(str(gate["verdict"])),
        estimate=figures.metric_value(gate["estimate"], kind, metric),
        limit=figures.metric_value(gate["limit"], kind, metric),
        n=f"{int(gate['n']):,}",
        against=f"{figures.evidence(gate['rollback_evidence'])} of {freeze_at:g}",
        favour=f"{figures.evidence(gate['promote_evidence'])} of {1 / alpha_promote:.3g}",
        need="never" if need is None else f"{int(need):,}",
        sentence=str(gate["sentence"]).removeprefix(f"{name}: "),
    )


def _tell(
    rows: list[StageRow], current: int, kind: str, event: Mapping[str, Any],
    requests: Mapping[str, int],
) -> int:  # fmt: skip
    """Write one entry into its row; gives the stage that is current afterwards."""

    def note(stage: int, **changes: Any) -> None:
        if 0 <= stage < len(rows):
            rows[stage] = replace(rows[stage], **changes)

    if kind in ("started", "stage_entered"):
        note(current, place="done")
        current = 0 if kind == "started" else int(event["stage"])
        # Nothing comes after the last stage, so entering it is being done.
        last = current == len(rows) - 1
        note(current, place="done" if last else "current", began=figures.moment(event["at"]))
    elif kind == "judged":
        note(current, verdict=verdict_words(str(event["verdict"])))
    elif kind == "work_recorded":
        note(current, verdict="✓ passed" if event["ok"] else "✗ failed")
    elif kind == "data_checked" and not event["ok"]:
        note(current, verdict="✗ data checks failed")
    elif kind == "approval_requested":
        note(int(event["stage"]), approval="asked")
        note(current, place="waiting")
    elif kind == "approval_voted":
        stage = requests.get(event["id"], -1)
        if stage >= 0:
            note(stage, approval=f"{rows[stage].approval}, {event['approver']} approves")
    elif kind == "approval_decided":
        by = f" by {event['approver']}" if event.get("approver") else ""
        note(requests.get(event["id"], -1), approval=f"{event['status']}{by}")
        note(current, place="held" if event["status"] in ("rejected", "expired") else "current")
    elif kind in ("held", "stranded", "resumed"):
        note(current, place="current" if kind == "resumed" else "held")
    elif kind in ("rolled_back", "aborted"):
        note(current, place="rolled back" if kind == "rolled_back" else "aborted")
    return current
