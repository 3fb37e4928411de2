"""The mood example's features, trees and weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from examples.mood.actigraphy import DATA_VARIABLE
from examples.mood.features import NAMES, extract
from examples.mood.generated import SEED, generate
from examples.mood.models import UnusableModels, load
from examples.mood.train import main, train
from examples.mood.trees import Trees
from examples.mood.weeks import cut


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    train(folder, subjects=20)
    return folder


def feature(rows: np.ndarray, name: str) -> np.ndarray:
    return rows[:, NAMES.index(name)]


@pytest.mark.req("M1")
def test_one_row_has_the_features_it_has_among_many() -> None:
    """A request is scored as its week was in training."""
    weeks = cut(generate(subjects=4, days=10, seed=SEED))
    together = extract(weeks.activity, weeks.sleep, weeks.end_hour)
    one = extract(weeks.activity[3:4], weeks.sleep[3:4], weeks.end_hour[3:4])
    assert together.shape == (len(weeks.subject), len(NAMES))
    np.testing.assert_allclose(together[3], one[0], rtol=1e-12)


@pytest.mark.req("M1")
def test_the_rhythm_does_not_depend_on_when_the_week_ends() -> None:
    """The same days, cut at another hour, give the same clock-hour features."""
    day = np.where((np.arange(24) >= 7) & (np.arange(24) < 23), 300.0, 5.0)
    sleep = np.full((1, 7), 8.0)
    rows = [
        extract(np.tile(np.roll(day, -end), 7)[None], sleep, np.array([end])) for end in (0, 15)
    ]
    np.testing.assert_allclose(rows[0], rows[1])
    assert feature(rows[0], "l5_start")[0] in (23, 0, 1, 2)
    assert feature(rows[0], "m10")[0] == pytest.approx(300.0)
    assert feature(rows[0], "l5")[0] == pytest.approx(5.0)
    assert feature(rows[0], "relative_amplitude")[0] == pytest.approx(295 / 305)
    assert feature(rows[0], "interdaily_stability")[0] == pytest.approx(1.0)


@pytest.mark.req("M1")
def test_noise_has_a_less_stable_rhythm_than_a_regular_life() -> None:
    """Interdaily stability falls and intradaily variability rises with disorder."""
    rng = np.random.default_rng(1)
    regular = np.tile(150 + 140 * np.sin(np.arange(24) / 24 * 2 * np.pi), 7)[None]
    sleep, end = np.full((1, 7), 8.0), np.array([9])
    steady = extract(regular, sleep, end)
    noisy = extract(rng.permutation(regular[0])[None], sleep, end)
    assert feature(noisy, "interdaily_stability") < 0.5 * feature(steady, "interdaily_stability")
    assert feature(noisy, "intradaily_variability") > 5 * feature(steady, "intradaily_variability")


@pytest.mark.req("M1")
def test_compiled_trees_answer_as_the_trainer_does() -> None:
    """The arrays give scikit-learn's own probabilities, one row or many, also after a save."""
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(400, 6))
    target = rows[:, 0] * rows[:, 1] + rng.normal(scale=0.4, size=400) > 0
    model = GradientBoostingClassifier(n_estimators=40, max_depth=3, random_state=1)
    model.fit(rows, target)
    trees = Trees.from_bytes(Trees.compiled(model).to_bytes())
    expected = model.predict_proba(rows)[:, 1]
    np.testing.assert_allclose(trees.risk(rows), expected, rtol=1e-9)
    assert trees.risk(rows[7:8])[0] == pytest.approx(expected[7])


@pytest.mark.req("M1")
def test_training_again_gives_the_same_weights(models: Path, tmp_path: Path) -> None:
    """Seed and data decide everything, to the byte."""
    again = train(tmp_path, subjects=20)
    assert again == json.loads((models / "metadata.json").read_text())
    for name in ("forecast", "current"):
        assert (tmp_path / f"{name}.npz").read_bytes() == (models / f"{name}.npz").read_bytes()


@pytest.mark.req("M1")
def test_both_models_know_more_than_the_base_rate(tmp_path: Path) -> None:
    """On subjects never seen, both beat a coin and the constant guess."""
    for facts in train(tmp_path, subjects=60)["models"].values():
        assert facts["held_out"]["auc"] > 0.75
        assert facts["held_out"]["brier"] < facts["held_out"]["brier_of_base_rate"]


@pytest.mark.req("M1")
def test_the_two_models_are_different_models(models: Path) -> None:
    """The current state is not the forecast under another name."""
    weeks = cut(generate(subjects=6, days=9, seed=SEED + 5))
    loaded = load(models, ["forecast", "current"])
    risks = np.array(
        [
            [
                model.risk(weeks.activity[row], weeks.sleep[row], int(weeks.end_hour[row]))[0]
                for model in loaded.values()
            ]
            for row in range(len(weeks.subject))
        ]
    )
    assert ((risks >= 0) & (risks <= 1)).all()
    assert np.abs(risks[:, 0] - risks[:, 1]).max() > 0.1
    assert len(set(risks[:, 0].round(3))) > 5


@pytest.mark.req("M1")
def test_damaged_weights_are_refused(models: Path, tmp_path: Path) -> None:
    """One changed byte is found by the checksum, and the message says what to do."""
    for name in ("metadata.json", "forecast.npz"):
        (tmp_path / name).write_bytes((models / name).read_bytes())
    raw = bytearray((tmp_path / "forecast.npz").read_bytes())
    raw[len(raw) // 2] ^= 1
    (tmp_path / "forecast.npz").write_bytes(raw)
    with pytest.raises(UnusableModels, match=r"weights are damaged.*train again"):
        load(tmp_path, ["forecast"])
    (tmp_path / "forecast.npz").unlink()
    with pytest.raises(UnusableModels, match="cannot be read"):
        load(tmp_path, ["forecast"])


@pytest.mark.req("M1")
def test_an_empty_folder_of_models_says_how_to_train(tmp_path: Path) -> None:
    """A newcomer who starts the service first is told the command."""
    with pytest.raises(UnusableModels, match=r"python -m examples\.mood\.train --out"):
        load(tmp_path, ["forecast"])


@pytest.mark.req("M1")
def test_training_on_a_missing_folder_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one line, no traceback."""
    assert main(["--out", str(tmp_path), "--data", str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err


@pytest.mark.req("M1")
def test_training_on_one_group_alone_is_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be learnt from one subject, and the message says what is needed."""
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    assert main(["--out", str(tmp_path), "--subjects", "1"]) == 2
    assert "both groups need two subjects" in capsys.readouterr().err
