"""Does a contender really split? Without that its time would be the time of something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

#: How many standard deviations a share may be off: one honest contender in 15 000 is more.
TOLERANCE = 4.0


def checked_share(
    name: str, decide: Callable[[str], bool], keys: Sequence[str], expected: float
) -> float:
    """The share of ``keys`` that are on; ``ValueError`` unless it is a sticky split.

    Sticky: asked again in another order, every key gets the same answer. A split: the share
    is ``expected`` within what chance does to ``len(keys)`` keys.
    """
    answers = [decide(key) for key in keys]
    again = [decide(key) for key in reversed(keys)]
    if answers != again[::-1]:
        changed = sum(one != two for one, two in zip(answers, again[::-1], strict=True))
        raise ValueError(
            f"{name}: {changed} of {len(keys)} keys got another answer when asked again"
        )
    share = sum(answers) / len(keys)
    room = TOLERANCE * sqrt(expected * (1 - expected) / len(keys))
    if abs(share - expected) > room:
        raise ValueError(
            f"{name}: {share:.2%} of {len(keys)} keys are on, not {expected:.0%} ± {room:.2%}; "
            "it does not do what the others do, so its time may not stand beside theirs"
        )
    return share
