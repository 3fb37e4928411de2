"""The trained models of one folder, with their checksums.

A folder holds ``forecast.npz``, ``current.npz`` and ``metadata.json``; the metadata names
the SHA-256 of each weights file. Weights that do not match are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from examples.mood.features import Floats, extract
from examples.mood.trees import Trees

METADATA = "metadata.json"
#: Days of the window that each model looks at, counted back from its end.
DAYS = {"forecast": 7, "current": 3}


class UnusableModels(Exception):
    """A folder of models is missing, incomplete or damaged; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Model:
    """One model: its trees and how often a held-out answer of that risk was right."""

    name: str
    source: str
    trees: Trees
    reliability_risk: Floats
    reliability_right: Floats

    def risk(self, activity: Floats, sleep: Floats, end_hour: int) -> tuple[float, float]:
        """Risk and confidence, both in [0, 1], of one week (168 hours, 7 nights)."""
        days = DAYS[self.name]
        row = extract(
            activity[None, -24 * days :], sleep[None, -days:], np.array([end_hour], dtype=np.int64)
        )
        risk = float(self.trees.risk(row)[0])
        right = np.interp(risk, self.reliability_risk, self.reliability_right)
        return risk, float(right)


def load(folder: Path, names: Sequence[str]) -> dict[str, Model]:
    """The named models. Raises ``UnusableModels``."""
    metadata = read_metadata(folder)
    return {name: _load_one(folder, name, metadata) for name in names}


def read_metadata(folder: Path) -> dict[str, Any]:
    """What the training wrote down. Raises ``UnusableModels``."""
    path = folder / METADATA
    try:
        metadata: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UnusableModels(
            f"{path}: no such file; train with: python -m examples.mood.train --out {folder}"
        ) from None
    except (OSError, ValueError) as error:
        raise UnusableModels(f"{path}: cannot be read ({error}); train again") from error
    return metadata


def _load_one(folder: Path, name: str, metadata: Mapping[str, Any]) -> Model:
    path = folder / f"{name}.npz"
    try:
        facts = metadata["models"][name]
        raw = path.read_bytes()
        found = hashlib.sha256(raw).hexdigest()
        if found != facts["sha256"]:
            raise UnusableModels(
                f"{path}: the weights are damaged: SHA-256 is {found[:12]}…, the metadata says "
                f"{facts['sha256'][:12]}…; restore the file or train again"
            )
        return Model(
            name,
            facts["source"],
            Trees.from_bytes(raw),
            np.array(facts["reliability"]["risk"]),
            np.array(facts["reliability"]["right"]),
        )
    except OSError as error:
        raise UnusableModels(f"{path}: cannot be read ({error}); train again") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableModels(f"{folder}: the model {name!r} is incomplete ({error!r})") from error
