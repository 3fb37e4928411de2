"""Approvals over HTTP: what is asked for, and a person's decision."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Path
from pydantic import BaseModel, ConfigDict, Field

from switchover.api.auth import Person
from switchover.api.engine import Engine, drain_later
from switchover.api.problem import explained, responses
from switchover.canonical import finite
from switchover.engine.fresh_decision import decide_freshly
from switchover.engine.open_approval import open_approval
from switchover.engine.quorum import missing_votes
from switchover.errors import Refused
from switchover.plan.form import Slug

router = APIRouter(tags=["approvals"])

_Migration = Annotated[Slug, Path(examples=["mood"])]
#: Nothing else: it is repeated in the log.
_Approval = Annotated[
    str, Path(max_length=100, pattern=r"^[a-z0-9-]+$", examples=["mood-1f2e3d4c5b"])
]


class Vote(BaseModel):
    """One person's approval."""

    approver: str = Field(examples=["ada"])
    at: str = Field(examples=["2026-03-02T09:12:44+00:00"])
    via: str = Field(examples=["slack"])
    identity: str = Field(
        description="how they proved who they are: code, api, slack, or trusted for not at all",
        examples=["code"],
    )
    reason: str = Field(examples=["agreement is steady"])


class Asked(BaseModel):
    """A request for people's decision, with all that they were shown."""

    id: str = Field(examples=["mood-1f2e3d4c5b"])
    status: str = Field(
        description="pending, approved, rejected, void or expired", examples=["pending"]
    )
    stage: str = Field(description="the stage that would begin", examples=["canary 25 %"])
    warning: str = Field(
        description="what has to be known of the way back; empty where it is open", examples=[""]
    )
    evidence: str = Field(description="SHA-256 of what people were shown")
    reading: dict[str, Any] = Field(description="the judge's numbers at the time of asking")
    shown: dict[str, Any] = Field(description="what else people were shown")
    requested_at: str
    expires_at: str
    votes: list[Vote] = Field(description="approvals so far")
    approver: str | None = Field(description="who decided", examples=[None])
    reason: str
    missing: list[str] = Field(
        description="what the quorum lacks", examples=[["1 more of bo, chris"]]
    )
    may_approve: list[str] = Field(examples=[["ada", "bo", "chris"]])


class OpenApproval(BaseModel):
    """The newest request of a migration, if there is one."""

    migration: str = Field(examples=["mood"])
    approval: Asked | None


class DecisionForm(BaseModel):
    """What an approver says."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={
        "examples": [{"decision": "approve", "reason": "agreement is steady"}],
    })  # fmt: skip

    decision: Literal["approve", "reject"]
    reason: str = Field("", max_length=2000, description="why; it goes into the record")


class Decided(BaseModel):
    """What became of the request."""

    migration: str = Field(examples=["mood"])
    approval: str = Field(examples=["mood-1f2e3d4c5b"])
    status: str = Field(description="pending while the quorum lacks votes", examples=["approved"])
    votes: list[str] = Field(description="who approved", examples=[["ada"]])
    missing: list[str] = Field(description="what the quorum lacks", examples=[[]])


@router.get(
    "/api/migrations/{migration}/approvals",
    response_model=OpenApproval,
    responses=responses(401, 404, 422, 429, 503),
    summary="Show what waits for approval",
)
def show_approval(migration: _Migration, engine: Engine, person: Person) -> Any:
    """With the evidence, the approvals given so far, what is missing, and who may."""
    return finite(open_approval(engine, migration))


@router.post(
    "/api/migrations/{migration}/approvals/{approval}/decision",
    response_model=Decided,
    responses=responses(400, 401, 403, 404, 409, 415, 422, 429, 503),
    summary="Approve or reject",
)
def decide(
    migration: _Migration,
    approval: Annotated[
        str, Path(max_length=100, pattern=r"^[a-z0-9-]+$", examples=["mood-1f2e3d4c5b"])
    ],
    form: DecisionForm,
    engine: Engine,
    person: Person,
    later: BackgroundTasks,
) -> Any:
    """Counts for the person who is logged in. Saying the same again changes nothing; 409 tells
    that the request is settled, expired, or void because its evidence has turned."""
    later.add_task(drain_later, engine)
    try:
        case = decide_freshly(
            engine, migration, form.decision, approver=person, reason=form.reason, via="api",
            approval=approval, proven=True,
        )  # fmt: skip
    except Refused as error:
        # It may have settled the request, and then the waiting run has to end.
        return explained(error, later)
    decided = case.state.approval
    if decided is None:
        raise AssertionError("a decided approval stays in the state until the step")
    return {
        "migration": migration,
        "approval": decided.id,
        "status": decided.status,
        "votes": list(decided.voters),
        "missing": missing_votes(case),
    }
