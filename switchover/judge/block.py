"""A block: the counts of one metric of one system over a short interval.

Blocks are what recorders ship and what the judge consumes. They merge: adding blocks
of many processes gives the block that a single process would have made.
Standard library only, because the light SDK carries it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: Systems a block can belong to; ``pair`` is a comparison of both answers.
SYSTEMS = ("legacy", "candidate", "pair")


@dataclass(frozen=True, slots=True)
class Block:
    """What one recorder saw of one metric of one system in ``[start, start + seconds)``.

    ``id`` is unique over all recorders and makes delivery idempotent. ``start`` is in
    seconds since the Unix epoch. For a yes/no metric ``bad`` counts the bad ones of
    ``n``; for a measured value ``sketch`` holds log-bucket counts (see
    :mod:`switchover.judge.sketch`), ``total`` the sum and ``total_squares`` the sum of squares.
    ``epoch`` is the routing epoch under which it was recorded (0 when unknown). ``upto`` counts
    the observations that ``recorder`` has shipped so far, these included: what lies between two
    blocks and never arrived is thereby missed. A block of another source has neither.
    """

    id: str
    migration: str
    metric: str
    system: str
    start: float
    seconds: float
    n: int
    bad: int = 0
    total: float = 0.0
    total_squares: float = 0.0
    sketch: Mapping[int, int] = field(default_factory=dict)
    epoch: int = 0
    recorder: str = ""
    upto: int = 0

    def to_json(self) -> str:
        """One line of JSON; :meth:`from_json` gives the same block back."""
        document = {name: getattr(self, name) for name in self.__slots__ if name != "sketch"}
        document["sketch"] = {str(bucket): count for bucket, count in self.sketch.items()}
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Block:
        """Read :meth:`to_json`; raises ``ValueError`` on anything else."""
        try:
            document: dict[str, Any] = json.loads(text)
            document["sketch"] = {int(k): int(v) for k, v in document["sketch"].items()}
            block = cls(**document)
        except (TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"not a block: {error}") from error
        if block.system not in SYSTEMS or block.n < 0 or not 0 <= block.bad <= block.n:
            raise ValueError(f"not a block: impossible counts or system in {block.id}")
        measures = (block.start, block.seconds, block.total, block.total_squares)
        if not all(isinstance(m, int | float) and math.isfinite(m) for m in measures):
            raise ValueError(f"not a block: a time or a sum of {block.id} is no finite number")
        return block


@dataclass(slots=True)
class Tally:
    """The sum of blocks of one metric and system: the same counts, without identity."""

    n: int = 0
    bad: int = 0
    total: float = 0.0
    total_squares: float = 0.0
    sketch: dict[int, int] = field(default_factory=dict)

    def add(self, block: Block | Tally) -> None:
        self.n += block.n
        self.bad += block.bad
        self.total += block.total
        self.total_squares += block.total_squares
        for bucket, count in block.sketch.items():
            self.sketch[bucket] = self.sketch.get(bucket, 0) + count


#: metric -> system -> tally: everything that arrived since the last look.
Look = Mapping[str, Mapping[str, Tally]]


def tally(blocks: Iterable[Block]) -> dict[str, dict[str, Tally]]:
    """Merge blocks into one look. Order does not matter."""
    look: dict[str, dict[str, Tally]] = {}
    for block in blocks:
        look.setdefault(block.metric, {}).setdefault(block.system, Tally()).add(block)
    return look
