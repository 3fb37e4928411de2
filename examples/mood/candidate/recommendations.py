"""What the candidate suggests, by rules on both risks and on the week itself."""

from __future__ import annotations

from examples.mood.features import Floats

HIGH, RAISED = 0.7, 0.4


def recommend(current: float, forecast: float, sleep: Floats) -> list[dict[str, str]]:
    """Suggestions with a stable code; none when nothing calls for one."""
    found: list[tuple[str, str]] = []
    if current >= HIGH and forecast >= HIGH:
        found.append(("contact_today", "Contact the patient today: low now and expected to stay."))
    elif forecast >= HIGH:
        found.append(("plan_tomorrow", "Plan a contact for tomorrow: a low day is expected."))
    elif current >= HIGH:
        found.append(("review_state", "Review the current state: signs of an episode."))
    elif max(current, forecast) >= RAISED:
        found.append(("watch", "Watch over the next days: risk is raised."))
    if float(sleep[-3:].mean()) < 5.0:
        found.append(("sleep_short", "Ask about sleep: under five hours over three nights."))
    elif float(sleep.std()) > 2.5:
        found.append(("sleep_irregular", "Ask about sleep: very uneven over the week."))
    return [{"code": code, "text": text} for code, text in found]
