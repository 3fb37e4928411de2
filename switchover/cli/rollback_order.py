"""The order that `switchover rollback` gives, to one migration or to a group of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from switchover.cli.rollback_wait import keep_trying, waits
from switchover.cli.session import print_json, say, warn
from switchover.cli.several import chosen, end_several
from switchover.engine.context import Context
from switchover.errors import DependencyUnavailable
from switchover.machine.state import Phase

if TYPE_CHECKING:
    from switchover.engine.roll_back import RolledBackOutcome
    from switchover.ports import CheckResult


@dataclass(frozen=True, slots=True)
class Order:
    """Who orders a rollback, why, and how it is told; ``drain`` performs what is in the outbox."""

    context: Context
    actor: str
    reason: str
    insist: bool
    drain: bool
    json: bool

    def one(self, migration: str, level: str, component: str, *, wait: bool) -> None:
        """Roll one back, ``wait`` until it is taken. Raises where routing has not confirmed it, or
        a part of the system was left behind."""
        from switchover.engine.drain import drain
        from switchover.engine.roll_back_levels import left_behind

        rest: CheckResult | None = None
        try:
            outcome, rest = self._give(migration, level, component)
        except DependencyUnavailable as error:
            if not wait or not waits(self.context, migration):
                raise
            warn(str(error))
        if wait and waits(self.context, migration):
            outcome = keep_trying(self.context, migration)
        if not self.json:
            # Before the outbox: a Prefect or a Slack that is down takes its time.
            _tell_component(outcome, component) if level == "component" else _tell(outcome)
        later = drain(self.context).failed if self.drain and outcome.recorded else ()
        if self.json:
            more = {} if rest is None else {"group": rest.to_dict()}
            pending = [*outcome.pending, *later]
            print_json({**outcome.to_dict(), "level": level, **more, "pending": pending})
        else:
            for line in later:
                say(f"completes later: {line}")
            say(f"the rest of the system: {rest.summary}") if rest is not None else None
        if unconfirmed := outcome.unconfirmed():
            raise unconfirmed
        if left := left_behind(migration, rest):
            raise left

    def several(self, group: str, *, yes: bool) -> None:
        """Roll back every migration of a group, each as a service."""
        from switchover.engine.drain import drain

        try:
            end_several(
                self.context, chosen(self.context, group), "roll back", self._back_for_sure,
                ended=frozenset({Phase.ROLLED_BACK, Phase.ABORTED}), yes=yes, json=self.json,
            )  # fmt: skip
        finally:
            if self.drain:
                drain(self.context)

    def _give(
        self, migration: str, level: str, component: str = ""
    ) -> tuple[RolledBackOutcome, CheckResult | None]:
        from switchover.engine.roll_back_levels import roll_back_level

        return roll_back_level(
            self.context, migration, level, component,
            actor=self.actor, reason=self.reason, insist=self.insist,
        )  # fmt: skip

    def _back_for_sure(self, migration: str) -> str:
        outcome, _ = self._give(migration, "service")
        if unconfirmed := outcome.unconfirmed():
            raise unconfirmed
        return _taken(outcome)


def _taken(outcome: RolledBackOutcome) -> str:
    if outcome.seconds is None:
        return "ordered back to legacy, but routing has not confirmed it"
    if not outcome.routers:
        return "back on legacy; no router is live to be waited for"
    turned = "all" if outcome.complete else "not all"
    took = f"{turned} live routers turned: {outcome.routers} in {outcome.seconds:.3f} s"
    return f"back on legacy; {took}"


def _tell(outcome: RolledBackOutcome) -> None:
    migration, incident = outcome.migration, outcome.incident
    say(f"{migration} is {_taken(outcome)}.")
    if outcome.recorded:
        say(f"incident {incident}: switchover incident show {incident}")
    for line in outcome.pending:
        say(f"completes later: {line}")


def _tell_component(outcome: RolledBackOutcome, component: str) -> None:
    routers = ""
    if outcome.seconds is not None and outcome.routers:
        routers = f"; live routers that go by it: {outcome.routers} in {outcome.seconds:.3f} s"
    elif outcome.seconds is not None:
        routers = "; no router is live to be waited for"
    say(f"component {component} of {outcome.migration} is off{routers}. The migration is held.")
    say(f"incident {outcome.incident}: switchover incident show {outcome.incident}")
    for line in outcome.pending:
        say(f"completes later: {line}")
