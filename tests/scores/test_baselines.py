"""Simpler models beside the network, on the same rows: their scores, and the warnings."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.core import arrays
from tasks.core.arrays import write_arrays
from tasks.core.folder import Folder
from tasks.rows.encoding import Column, Encoding
from tasks.scores import base, baselines
from tasks.scores.classes import Classes
from tasks.scores.regression import Regression

TRAIN, TEST = 300, 200


def judged(tmp_path, kind: str, right: float) -> tuple[Folder, base.Verdict]:
    """The verdict on a network whose answers are right in so many rows, or so much.

    The first of two features tells the label; the second is noise.
    """
    random = np.random.default_rng(0)
    x = random.normal(size=(TRAIN + TEST, 2)).astype(np.float32)
    y = (x[:, 0] > 0.5).astype(np.uint8) if kind == "classes" else x[:, 0] * 3 + 1
    folder = Folder(tmp_path / "data" / "mine")
    write_arrays(folder, "normalized.npz", x_train=x[:TRAIN], y_train=y[:TRAIN])

    actual, wrong = y[TRAIN:], random.random(TEST) >= right
    if kind == "classes":
        output = np.where(wrong, 1 - actual, actual)[:, None].astype(np.float32)
        schema = {"class_names": ["low", "high"], "labels": "binary"}
    else:
        output = (actual * right)[:, None]
        schema = {"class_names": [], "labels": "regression"}
    columns = [Column(name, "number", None, False, [], []) for name in ("told", "noise")]
    schema["columns"] = Encoding(columns).to_json()
    tested = base.Tested(None, schema, x[TRAIN:], actual, output, {}, None, None)
    return folder, (Classes if kind == "classes" else Regression)(tested)


def compared(tmp_path, kind: str, right: float) -> dict[str, float]:
    """The baselines beside such a network."""
    return baselines.compare(*judged(tmp_path, kind, right))


@pytest.mark.parametrize("kind", ["classes", "regression"])
def test_a_good_network_is_told_the_scores_without_a_warning(tmp_path, kind, caplog):
    found = compared(tmp_path, kind, right=1.0)
    if kind == "classes":
        assert list(found) == ["largest class", "linear model", "gradient boosting"]
        assert found["largest class"] < 0.75
        assert min(found["linear model"], found["gradient boosting"]) > 0.95
    else:
        assert list(found) == ["mean", "linear model", "gradient boosting"]
        assert found["mean"] > 7
        assert max(found["linear model"], found["gradient boosting"]) < 0.5
    assert not caplog.messages


@pytest.mark.parametrize("kind", ["classes", "regression"])
def test_a_network_that_learned_nothing_is_told_so(tmp_path, kind, caplog):
    compared(tmp_path, kind, right=0.5 if kind == "classes" else -1)
    name = "largest class" if kind == "classes" else "mean"
    first, *others = caplog.messages
    assert first.startswith(f"The network is no better than always answering the {name}: test ")
    assert len(others) == 2


def test_a_network_that_is_clearly_worse_than_a_simpler_model_is_told_so(tmp_path, caplog):
    compared(tmp_path, "classes", right=0.85)
    assert [said.partition(": test")[0] for said in caplog.messages] == [
        "The network is worse than a linear model",
        "The network is worse than gradient boosting",
    ]


def test_a_difference_by_chance_is_no_reason_to_warn(tmp_path, caplog):
    compared(tmp_path, "classes", right=0.975)
    assert not caplog.messages


@pytest.mark.parametrize("kind", ["classes", "regression"])
def test_without_the_column_that_tells_the_label_nothing_can_be_learned(tmp_path, kind):
    folder, verdict = judged(tmp_path, kind, right=1.0)
    found = baselines.compare_without(folder, verdict, ["told"])
    assert list(found) == ["told"]
    trivial, linear, boosting = found["told"].values()
    if kind == "classes":
        assert max(linear, boosting) <= trivial + 0.05
    else:
        assert min(linear, boosting) >= 0.95 * trivial
    assert baselines.compare_without(folder, verdict, ["told", "noise"]) == {}


def test_the_scores_are_the_same_in_every_run(tmp_path):
    one, other = (compared(tmp_path / name, "classes", right=1.0) for name in "ab")
    assert one == other


def test_of_a_large_table_they_learn_from_rows_of_all_of_it_in_less_memory(
    tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(baselines, "MOST", 100 * 2 * 4)
    monkeypatch.setattr(arrays, "BLOCK", 30 * 2 * 4)  # of the test rows that are answered at once
    seen = []
    answers = baselines._answers
    monkeypatch.setattr(
        baselines, "_answers", lambda model, x, *rest: [seen.append(x), answers(model, x, *rest)][1]
    )
    caplog.set_level("INFO")
    found = compared(tmp_path, "classes", right=1.0)
    assert [len(x) for x in seen] == [100] * 3
    x = np.random.default_rng(0).normal(size=(TRAIN + TEST, 2)).astype(np.float32)[:TRAIN]
    assert (seen[0][[0, -1]] == x[[0, -1]]).all()
    assert min(found["linear model"], found["gradient boosting"]) > 0.9
    assert "baselines learn from 100 of 300 training rows" in caplog.messages
