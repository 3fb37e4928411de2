"""Gradient-boosted trees as plain arrays.

scikit-learn trains; the services answer from arrays, all trees stepping down together:
some 30 µs for one row, and no scikit-learn in a service's memory. The file is a numpy
archive read without pickle, so that loading weights never runs code.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Trees:
    """Nodes of all trees in one table; a leaf points at itself."""

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float64]
    roots: NDArray[np.int32]
    #: prior log-odds, learning rate, depth
    scalars: NDArray[np.float64]

    @classmethod
    def compiled(cls, model: Any) -> Trees:
        """From a fitted binary ``GradientBoostingClassifier``."""
        trees = [stage[0].tree_ for stage in model.estimators_]
        starts = np.cumsum([0] + [tree.node_count for tree in trees])
        feature, left, right = [], [], []
        for tree, start in zip(trees, starts, strict=False):
            own = np.arange(tree.node_count) + start
            leaf = tree.children_left < 0
            feature.append(np.where(leaf, 0, tree.feature))
            left.append(np.where(leaf, own, tree.children_left + start))
            right.append(np.where(leaf, own, tree.children_right + start))
        prior = float(model.init_.class_prior_[1])
        depth = max(tree.max_depth for tree in trees)
        return cls(
            np.concatenate(feature).astype(np.int32),
            np.concatenate([tree.threshold for tree in trees]),
            np.concatenate(left).astype(np.int32),
            np.concatenate(right).astype(np.int32),
            np.concatenate([tree.value[:, 0, 0] for tree in trees]),
            starts[:-1].astype(np.int32),
            np.array([np.log(prior / (1.0 - prior)), model.learning_rate, depth]),
        )

    def risk(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability of the positive class for each row of features."""
        rows = rows.astype(np.float32)  # as the trainer compares
        at = np.arange(len(rows))[:, None]
        node = np.broadcast_to(self.roots, (len(rows), self.roots.size))
        for _ in range(int(self.scalars[2])):
            goes_left = rows[at, self.feature[node]] <= self.threshold[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        odds = self.scalars[0] + self.scalars[1] * self.value[node].sum(axis=1)
        risk: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-odds))
        return risk

    def to_bytes(self) -> bytes:
        """The archive; equal trees give equal bytes."""
        buffer = io.BytesIO()
        np.savez(buffer, **vars(self))
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Trees:
        """Read :meth:`to_bytes`; raises ``ValueError`` on anything else."""
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            return cls(**{name: archive[name] for name in archive.files})
