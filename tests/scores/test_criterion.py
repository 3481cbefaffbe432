"""What a model must reach: checked before anything runs, so it must be light."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tasks.core.step import UserError
from tasks.evaluate import Params
from tasks.scores.criterion import (
    ACCURACY,
    ERROR,
    OF_CLASSES,
    OF_REGRESSION,
    asked,
    check_criterion,
    missed,
    nothing_learned,
    sentence,
)
from tests.conftest import ROOT
from tests.support import tiny

NOTHING = tiny.EVALUATE
CLASSES = tiny.changed(NOTHING, min_accuracy=0.5)
REGRESSION = tiny.changed(NOTHING, max_mse=0.5)


@pytest.mark.parametrize("labels", ["classes", "binary", "one_hot"])
def test_an_error_is_no_criterion_for_classes(labels):
    check_criterion(NOTHING, labels)
    check_criterion(CLASSES, labels)
    with pytest.raises(UserError, match=r"evaluate\.max_mse cannot .* use evaluate\.min_accuracy"):
        check_criterion(REGRESSION, labels)


@pytest.mark.parametrize("limit", [{"max_mae": 0.5}, {"min_r2": 0.5}])
def test_no_limit_of_a_regression_is_a_criterion_for_classes(limit):
    check_criterion(tiny.changed(NOTHING, **limit), "regression")
    with pytest.raises(UserError, match=rf"evaluate\.{next(iter(limit))} cannot be measured"):
        check_criterion(tiny.changed(NOTHING, **limit), "classes")


def test_an_accuracy_is_no_criterion_for_a_regression():
    check_criterion(NOTHING, "regression")
    check_criterion(REGRESSION, "regression")
    with pytest.raises(UserError, match=r"evaluate\.min_accuracy cannot .* use evaluate\.max_mse"):
        check_criterion(CLASSES, "regression")


def test_a_limit_that_is_just_met_is_reached():
    assert ACCURACY.reached(0.5, 0.5)
    assert not ACCURACY.reached(0.49, 0.5)
    assert ERROR.reached(0.5, 0.5)
    assert not ERROR.reached(0.51, 0.5)


def test_each_criterion_is_a_key_of_evaluate_and_each_limit_is_one():
    keys = {each.key for each in OF_CLASSES + OF_REGRESSION}
    assert keys == {key for key in Params.model_fields if key.startswith(("min_", "max_"))}


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"max_mae": 500.0}, "passed (max_mae 500)"),
        ({"max_mae": 500.0, "min_r2": 0.8}, "passed (max_mae 500, min_r2 0.8)"),
        ({"max_mae": 499.0, "min_r2": 0.8}, "NOT passed (max_mae 499)"),
        ({"min_r2": 0.81}, "NOT passed (min_r2 0.81)"),
    ],
)
def test_a_regression_passes_if_it_keeps_every_limit_and_what_it_misses_is_named(limits, says):
    asked_of = tiny.changed(NOTHING, **limits)
    scores = {"test_mse": 4e5, "test_mae": 500.0, "test_r2": 0.8}
    scores["passed"] = not missed(scores, asked(asked_of))
    assert sentence(scores, asked_of).endswith(f", mse 400,000, {says}")


def test_a_score_that_cannot_be_measured_keeps_no_limit():
    asked_of = tiny.changed(NOTHING, min_r2=0.0)
    assert missed({"test_mse": 1.0, "test_mae": 1.0}, asked(asked_of))


def test_the_scores_of_simpler_models_stand_beside_the_networks():
    scores = {
        "test_accuracy": 1.0,
        "baselines": {"largest class": 0.5, "linear model": 1.0},
        "baselines_without": {"sample_id": {"largest class": 0.5, "linear model": 0.4712}},
    }
    assert sentence(scores, CLASSES) == (
        "test accuracy 1 (baselines: largest class 0.5, linear model 1) "
        "(baselines without sample_id: largest class 0.5, linear model 0.4712)"
    )


def test_the_baselines_of_a_regression_stand_behind_the_score_that_they_have():
    scores = {"test_mse": 2.0, "test_mae": 1.0, "test_r2": 0.5, "baselines": {"mean": 40_000.0}}
    said = "test R² 0.5, mae 1, mse 2 (baselines: mean 40,000)"
    assert sentence(scores, CLASSES) == said


def test_checking_it_imports_no_library_of_scores():
    code = (
        "import sys, tasks.scores.criterion\n"
        "heavy = ('pandas', 'scipy', 'sklearn', 'tensorflow', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        ({"test_accuracy": 0.8, "baselines": {"largest class": 0.8}}, "accuracy 0.8 against 0.8"),
        ({"test_accuracy": 0.81, "baselines": {"largest class": 0.8, "linear model": 0.9}}, ""),
        ({"test_mse": 3.0, "baselines": {"mean": 2.5}}, "mse 3 against 2.5"),
        ({"test_mse": 2.0, "baselines": {"mean": 2.5}}, ""),
        ({"test_mse": 2.0}, ""),
    ],
)
def test_a_model_that_has_learned_nothing_is_named(metrics, says):
    found = nothing_learned(metrics)
    assert found.startswith("The network is no better than always answering the ") == bool(says)
    assert found.endswith(says)
