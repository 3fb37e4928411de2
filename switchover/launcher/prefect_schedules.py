"""The schedules that plans have on Prefect, each known by its slug."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from switchover.errors import InputError
from switchover.launcher.session import PrefectSession
from switchover.plan.runs import DEPLOYMENTS, ScheduledRun

if TYPE_CHECKING:
    import httpx

#: What became of a schedule.
Change = Literal["created", "updated", "unchanged", "removed"]

_Known = dict[str, dict[str, Any]]


class PrefectSchedules:
    """Creates, updates and removes single schedules, and leaves those of others as they are.
    Errors are those of :class:`switchover.launcher.prefect_api.PrefectLauncher`."""

    def __init__(
        self,
        api_url: str,
        auth: str | None = None,
        *,
        timeout: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._session = PrefectSession(api_url, auth, timeout, transport)

    def bring(self, runs: Sequence[ScheduledRun]) -> dict[str, Change]:
        """Make a migration's schedules those of ``runs``, all that it has; gives what became of
        each, by slug. A schedule that is paused stays paused. Safe to repeat, and to run twice at
        once.

        Raises ``InputError`` for a slug that is another migration's.
        """
        changes: dict[str, Change] = {}
        for deployment in dict.fromkeys(run.deployment for run in runs):
            place, known = self._read(deployment)
            for run in runs:
                if run.deployment == deployment:
                    changes[run.slug] = self._put(place, known, run)
        for migration in {run.migration for run in runs}:
            # What the plan names no more; other slugs may be somebody's own.
            changes |= self._remove(migration, keep=set(changes), own=False)
        return changes

    def remove(self, migration: str) -> dict[str, Change]:
        """Remove every schedule of a migration; gives their slugs."""
        return self._remove(migration, keep=set(), own=True)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _put(self, place: str, known: _Known, run: ScheduledRun) -> Change:
        if run.slug not in known:
            try:
                self._session.post(place, [_document(run)], what=f"the schedule {run.slug}")
                return "created"
            except InputError:
                # Somebody else may have made it meanwhile; any other reason is told again.
                _, known = self._read(run.deployment)
                if run.slug not in known:
                    raise
        stored = known[run.slug]
        owner = _owner(stored)
        if owner not in ("", run.migration):
            raise InputError(
                f"the schedule {run.slug} of {run.deployment} is one of {owner}; rename or remove "
                "it in the Prefect UI"
            )
        document = _document(run)
        if _same(stored, document):
            return "unchanged"
        what = f"the schedule {run.slug}"
        self._session.patch(f"{place}/{stored['id']}", document, what=what)
        return "updated"

    def _remove(self, migration: str, *, keep: set[str], own: bool) -> dict[str, Change]:
        """Remove all but ``keep`` that came from plans, and those of people's ``own`` if asked."""
        removed: dict[str, Change] = {}
        for deployment in DEPLOYMENTS:
            place, known = self._read(deployment)
            for slug, stored in known.items():
                ours = _from_a_plan(slug, migration)
                # Prefect forgets the parameters of a schedule that its command line has paused.
                belongs = _owner(stored) == migration or (ours and not _owner(stored))
                if belongs and (ours or own) and slug not in keep:
                    self._session.delete(f"{place}/{stored['id']}", what=f"the schedule {slug}")
                    removed[slug] = "removed"
        return removed

    def _read(self, deployment: str) -> tuple[str, _Known]:
        """Where a deployment's schedules are, and those with a slug."""
        flow, _, name = deployment.partition("/")
        answer = self._session.get(
            f"/deployments/name/{quote(flow, safe='')}/{quote(name, safe='')}",
            what=f"the deployment {deployment}",
        )
        schedules = answer.get("schedules") or []
        known = {str(each["slug"]): each for each in schedules if each.get("slug")}
        return f"/deployments/{answer['id']}/schedules", known


def _owner(stored: Mapping[str, Any]) -> str:
    return str((stored.get("parameters") or {}).get("migration", ""))


def _from_a_plan(slug: str, migration: str) -> bool:
    """Whether a schedule is named as :func:`switchover.plan.runs.scheduled_runs` names them."""
    name = slug.removeprefix(f"{migration}-")
    return name != slug and (name in ("daily", "review", "drill") or name.startswith("notice-"))


def _document(run: ScheduledRun) -> dict[str, Any]:
    """As Prefect takes it. Whether it is active is left out: people pause it in the UI."""
    # Cron takes either of both day fields, as `switchover.plan.cron` does.
    clock = {"cron": run.cron, "timezone": run.timezone, "day_or": True}
    return {"slug": run.slug, "schedule": clock, "parameters": run.parameters}


def _same(stored: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    clock = stored.get("schedule") or {}
    return stored.get("parameters") == document["parameters"] and all(
        clock.get(name) == value for name, value in document["schedule"].items()
    )
