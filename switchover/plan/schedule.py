"""When ``advance`` runs by itself, and when no step forward is taken."""

from __future__ import annotations

import difflib
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import Field, field_validator, model_validator

from switchover.plan.cron import Cron
from switchover.plan.form import Model, at_key
from switchover.plan.recurrence import recurrence
from switchover.plan.units import Moment, Seconds, spoken

#: The longest window that may recur, in seconds.
LONGEST = 31 * 86_400.0


class Window(Model):
    """Some time, once or again and again; it includes its start and excludes its end."""

    start: Moment = Field(
        description="first moment; without an offset, by the clock in the schedule's zone"
    )
    end: Moment | None = Field(None, description="first moment after it")
    duration: Seconds | None = Field(None, gt=0, description="how long it lasts, in place of end")
    rrule: str | None = Field(
        None, description="when it comes again (RFC 5545), like FREQ=WEEKLY;BYDAY=FR"
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.rrule is not None:
            if self.start.tzinfo is not None:
                raise at_key(
                    "start", "a window that recurs goes by the clock of schedule.timezone; "
                    "write start without an offset",
                )  # fmt: skip
            if self.end is not None:
                raise at_key("end", "a window that recurs has no end; write duration")
            if self.duration is None:
                raise at_key("rrule", "a window that recurs needs a duration; add it, like 8h")
            if self.duration > LONGEST:
                raise at_key("duration", f"a window that recurs lasts {spoken(LONGEST)} at most")
            try:
                recurrence(self.rrule, self.start)
            except ValueError as error:
                raise at_key("rrule", str(error)) from error
            return self
        if self.end is None:
            if self.duration is None:
                raise at_key("start", "the window has no end; add end or duration")
            return self
        if self.duration is not None:
            raise at_key("duration", "end and duration say the same; keep one of them")
        if (self.start.tzinfo is None) != (self.end.tzinfo is None):
            raise at_key(
                "end", "one end has a time zone and the other has none; give both or neither"
            )
        if self.end <= self.start:
            raise at_key("end", "the window ends before it starts; swap start and end")
        return self


class FreezeWindow(Window):
    """No step forward in this time; a rollback is never blocked."""

    reason: str = Field(min_length=1, description="what people are told")


class MaintenanceWindow(Window):
    """A time for steps forward: where a plan has any, none is taken outside of them."""

    reason: str = Field("", description="what people are told")


class Schedule(Model):
    """When ``advance`` runs by itself."""

    cron: str = Field("0 9 * * *", description="minute, hour, day, month, weekday")
    timezone: str = Field("UTC", description="name from the time zone database")
    weekdays: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        min_length=1,
        description="days on which a step forward may be taken",
    )
    freeze: list[FreezeWindow] = Field([], description="times without any step forward")
    maintenance: list[MaintenanceWindow] = Field(
        [], description="the only times for steps forward; without any, all are"
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            guess = difflib.get_close_matches(value, available_timezones(), n=1)
            advice = f"did you mean '{guess[0]}'?" if guess else "use one like Europe/Berlin"
            raise ValueError(f"unknown time zone '{value}'; {advice}") from None
        return value

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        Cron.parse(value)
        return value
