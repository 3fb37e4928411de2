"""What alerts do to a state: one for each target and system, RED ones among them. Pure."""

from __future__ import annotations

from dataclasses import replace

from switchover.machine.event import AlertCleared, AlertRaised
from switchover.machine.refusal import refuse, require_live
from switchover.machine.state import RED_ALERT, Alert, State


def raise_alert(event: AlertRaised, state: State) -> State:
    """The alert is open."""
    require_live(state, event)
    if _alert(state, event) is not None:
        raise refuse(state, event, f"{event.target} of {event.system} is alerted already")
    alert = Alert(event.target, event.system, event.at, event.text)
    return replace(state, alerts=(*state.alerts, alert))


def clear_alert(event: AlertCleared, state: State) -> State:
    """The alert is over; the last RED one ends a failure past the point of no return."""
    require_live(state, event)
    alert = _alert(state, event)
    if alert is None:
        raise refuse(state, event, f"there is no alert on {event.target} of {event.system}")
    left = tuple(each for each in state.alerts if each != alert)
    over = is_red(state.alerts) and not is_red(left) and state.verdict != "rollback"
    return replace(state, alerts=left, stranded=-1 if over else state.stranded)


def is_red(alerts: tuple[Alert, ...]) -> bool:
    """Whether a RED trigger's alert is open."""
    return any(alert.target.startswith(RED_ALERT) for alert in alerts)


def _alert(state: State, event: AlertRaised | AlertCleared) -> Alert | None:
    wanted = (event.target, event.system)
    return next((a for a in state.alerts if (a.target, a.system) == wanted), None)
