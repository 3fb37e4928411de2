"""What of a plan runs by a clock: the daily step, the notices, the reviews and the drills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switchover.plan.spec import Plan

#: Who a scheduled ``advance`` acts as.
SCHEDULE = "schedule"

#: The deployments that have schedules of plans.
DEPLOYMENTS = ("advance/advance", "notice/notice", "review/review", "drill/drill")


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """A deployment that runs by a clock; ``slug`` names the schedule for good, and its
    parameters always hold the ``migration``."""

    deployment: str
    slug: str
    cron: str
    timezone: str
    parameters: dict[str, str]

    @property
    def migration(self) -> str:
        """Whose run it is."""
        return self.parameters["migration"]


def scheduled_runs(plan: Plan) -> tuple[ScheduledRun, ...]:
    """Every schedule that ``plan`` needs, all in the schedule's time zone."""
    slug, zone = plan.migration, plan.schedule.timezone

    def run(deployment: str, name: str, cron: str, **parameters: str) -> ScheduledRun:
        return ScheduledRun(
            f"{deployment}/{deployment}", f"{slug}-{name}", cron, zone,
            {"migration": slug, **parameters},
        )  # fmt: skip

    return (
        run("advance", "daily", plan.schedule.cron, actor=SCHEDULE),
        *(
            run("notice", f"notice-{person.name}", person.cron, stakeholder=person.name)
            for person in plan.notify.stakeholders
        ),
        run("review", "review", plan.notify.review_cron),
        *([run("drill", "drill", plan.drill.cron, actor=SCHEDULE)] if plan.drill else []),
    )
