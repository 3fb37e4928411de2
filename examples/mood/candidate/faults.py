"""Ways to be a bad candidate, for the second half of the demo and for tests.

``served`` faults show only where the answer is really used: a shadow call looks well. That
is the candidate that passes every rehearsal and fails on stage.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from examples.mood.service import Call, Failure

KINDS = ("none", "drift", "slow", "errors", "contract")
MOMENTS = ("always", "served")
#: The share of requests that show the fault when ``--fault-rate`` is not given.
RATES = {"none": 0.0, "drift": 0.6, "slow": 0.5, "errors": 0.4, "contract": 0.3}
SLOW_SECONDS = 0.35
DRIFT = 0.35


@dataclass(frozen=True)
class Fault:
    """One kind of fault, on a share of the requests chosen by request id and seed."""

    kind: str = "none"
    when: str = "always"
    rate: float = 0.0
    seed: int = 0

    def shows(self, call: Call) -> bool:
        """True when this request gets the fault."""
        if self.kind == "none" or (self.when == "served" and call.shadow):
            return False
        return self._draw(call) < self.rate

    def delay(self, call: Call) -> float:
        """Extra seconds before the answer."""
        return SLOW_SECONDS if self.kind == "slow" and self.shows(call) else 0.0

    def misjudge(self, call: Call, document: dict[str, Any]) -> dict[str, Any]:
        """The assessment as this candidate makes it. Raises ``Failure`` for kind ``errors``."""
        if self.kind not in ("errors", "drift") or not self.shows(call):
            return document
        if self.kind == "errors":
            raise Failure("the current-state model gave no answer")
        risk = document["risk_score"]
        moved = round(risk + DRIFT if risk < 0.5 else risk - DRIFT, 4)
        return document | {"risk_score": moved, "forecast": document["forecast"] | {"risk": moved}}

    def garble(self, call: Call, document: dict[str, Any]) -> dict[str, Any]:
        """The answer as it goes out: kind ``contract`` loses fields, or sends them out of range."""
        if self.kind != "contract" or not self.shows(call):
            return document
        forecast = dict(document["forecast"])
        if self._draw(call) < self.rate / 2:
            del forecast["risk"]
            return {k: v for k, v in document.items() if k != "risk_score"} | {"forecast": forecast}
        return document | {"risk_score": 1.7, "forecast": forecast | {"confidence": 1.7}}

    def _draw(self, call: Call) -> float:
        digest = hashlib.blake2b(f"{self.seed}:{call.request_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) / 2**64
