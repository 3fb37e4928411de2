"""Trains both models: ``python -m examples.mood.train --out DIR [--data DIR] [--seed N]``.

Targets, both derived from the recordings alone:

* forecast: will the next 24 hours be a low day, that is, the subject is diagnosed and is
  less active over them than the median of the training controls?
* current: is the subject in a depressive episode now? (diagnosed or not, from three days)

Subjects are split 70:30 within each group, never a subject's weeks across both sides. The
shipped trees are those trained on the 70 %, so the printed figures are about them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.mood.actigraphy import default_data, fingerprint, load
from examples.mood.depresjon import UnreadableRecording
from examples.mood.features import NAMES, Floats, extract
from examples.mood.generated import SEED
from examples.mood.models import DAYS, METADATA
from examples.mood.trees import Trees
from examples.mood.weeks import Weeks, cut

HELD_OUT = 0.3
#: Small steps and few features per split: subjects are few and a subject's weeks are alike.
SETTINGS: dict[str, Any] = {
    "n_estimators": 60,
    "max_depth": 3,
    "learning_rate": 0.05,
    "subsample": 0.5,
    "max_features": 4,
    "min_samples_leaf": 30,
}
BINS = 8


def train(
    out: Path, *, data: Path | None = None, seed: int = SEED, subjects: int = 60
) -> dict[str, Any]:
    """Trains, writes the folder and returns the metadata."""
    recordings = load(data, seed=seed, subjects=subjects)
    weeks = cut(recordings, step_hours=6 if data is not None else 12)
    kept = _training_rows(weeks, seed)
    if min(kept.sum(), (~kept).sum()) == 0 or len(set(weeks.depressed[kept].tolist())) < 2:
        raise ValueError(
            "too few worn weeks to train on: both groups need two subjects with eight worn days"
        )
    usual = float(np.median(weeks.next_day[kept & ~weeks.depressed]))
    targets = {
        "forecast": weeks.depressed & (weeks.next_day < usual),
        "current": weeks.depressed,
    }
    for name, target in targets.items():
        if len(set(target[kept].tolist())) < 2:
            raise ValueError(f"all training weeks look alike to {name}; more subjects are needed")
    out.mkdir(parents=True, exist_ok=True)
    metadata: dict[str, Any] = {
        "trained_for": {"legacy": "0.2.0", "candidate": "0.3.0"},
        "seed": seed,
        "data": "recordings" if data is not None else "generated",
        "data_sha256": fingerprint(recordings),
        "subjects": len(set(weeks.subject)),
        "weeks": len(weeks.subject),
        "features": list(NAMES),
        "settings": SETTINGS,
        "usual_activity": round(usual, 2),
        "models": {},
    }
    for name, target in targets.items():
        metadata["models"][name] = _train_one(out, name, _rows(weeks, name), target, kept, seed)
    (out / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    return metadata


def _rows(weeks: Weeks, name: str) -> Floats:
    days = DAYS[name]
    return extract(weeks.activity[:, -24 * days :], weeks.sleep[:, -days:], weeks.end_hour)


def _training_rows(weeks: Weeks, seed: int) -> NDArray[np.bool_]:
    """True for the weeks of the subjects that train."""
    rng = np.random.default_rng([seed, 1])
    subjects = np.array(weeks.subject)
    held: list[str] = []
    for group in (True, False):
        members = sorted(set(subjects[weeks.depressed == group].tolist()))
        count = max(1, round(HELD_OUT * len(members))) if len(members) > 1 else 0
        held += rng.permutation(members)[:count].tolist()
    return ~np.isin(subjects, held)


def _train_one(
    out: Path,
    name: str,
    rows: Floats,
    target: NDArray[np.bool_],
    kept: NDArray[np.bool_],
    seed: int,
) -> dict[str, Any]:
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.metrics import brier_score_loss, roc_auc_score

    model = GradientBoostingClassifier(**SETTINGS, random_state=seed)
    model.fit(rows[kept], target[kept])
    trees = Trees.compiled(model)
    risk, truth = trees.risk(rows[~kept]), target[~kept]
    raw = trees.to_bytes()
    (out / f"{name}.npz").write_bytes(raw)
    both = 0 < truth.sum() < truth.size
    return {
        "source": f"{name}-trees",
        "window_days": DAYS[name],
        "sha256": hashlib.sha256(raw).hexdigest(),
        "bytes": len(raw),
        "held_out": {
            "weeks": int(truth.size),
            "auc": round(float(roc_auc_score(truth, risk)), 4) if both else None,
            "brier": round(float(brier_score_loss(truth, risk)), 4),
            "brier_of_base_rate": round(float(np.square(truth - target[kept].mean()).mean()), 4),
        },
        "reliability": _reliability(risk, truth),
    }


def _reliability(risk: Floats, truth: NDArray[np.bool_]) -> dict[str, list[float]]:
    """Held-out share of right calls (risk ≥ 0.5 means yes) by risk, in equally filled bins.
    Each bin is pulled to the overall share with the weight of ten weeks."""
    right = (risk >= 0.5) == truth
    overall = right.mean()
    bins = [part for part in np.array_split(np.argsort(risk, kind="stable"), BINS) if part.size]
    return {
        "risk": [round(float(risk[part].mean()), 6) for part in bins],
        "right": [
            round(float((right[part].sum() + 10 * overall) / (part.size + 10)), 6) for part in bins
        ],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 done, 2 bad input."""
    parser = argparse.ArgumentParser(prog="python -m examples.mood.train", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the models")
    parser.add_argument("--data", type=Path, default=default_data(), help="real recordings")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--subjects", type=int, default=60, help="generated subjects")
    parser.add_argument("--json", action="store_true", help="print the metadata as JSON")
    options = parser.parse_args(arguments)
    began = time.perf_counter()
    try:
        metadata = train(
            options.out, data=options.data, seed=options.seed, subjects=options.subjects
        )
    except (UnreadableRecording, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(metadata))
        return 0
    print(f"{metadata['weeks']} weeks of {metadata['subjects']} {metadata['data']} subjects")
    for name, facts in metadata["models"].items():
        held = facts["held_out"]
        print(
            f"{name:9} held-out AUC {held['auc']}  Brier {held['brier']} "
            f"(base rate {held['brier_of_base_rate']})  on {held['weeks']} weeks"
        )
    print(f"written to {options.out} in {time.perf_counter() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
