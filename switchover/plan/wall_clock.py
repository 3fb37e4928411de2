"""What a clock on the wall shows, and when: local times as moments, daylight saving included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The moment (UTC) at which a clock in ``zone`` first shows ``local`` (naive).

    A time that comes twice, when clocks go back, is the first one; a time that never comes,
    when they go forward, is the moment of that change.
    """
    moment = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if shown(moment, zone) == local:
        return moment
    offset = moment.astimezone(zone).utcoffset()
    before, after = local.replace(tzinfo=zone, fold=1).astimezone(UTC), moment
    while after - before > _SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def shown(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a clock in ``zone`` shows at ``moment`` (aware), as a naive time."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def spoken_moment(moment: datetime, zone: ZoneInfo) -> str:
    """For people: ``Mon 2026-11-23 09:00 Europe/Berlin``."""
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M} {zone.key}"
