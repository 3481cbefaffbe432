"""Step 8, evaluate: the numbers are those that NumPy computes from the model's answers, and the pictures show them."""

from __future__ import annotations

import json
import shutil

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from tasks.arrays import write_arrays
from tasks.base import Folder, UserError
from tasks.evaluate import Params, evaluate
from tests import tiny

SCORE = Params(min_accuracy=None, max_mse=None, predict=None)
BEST_EPOCH = 3
HISTORY = """epoch,accuracy,loss,val_accuracy,val_loss,checkpoint
1,0.3,1.5,0.3,1.4,1
2,0.5,1.2,0.4,1.5,0
3,0.7,0.9,0.5,1.1,1
4,0.9,0.5,0.4,1.2,0
"""
PICTURES = ("learning_curve.png", "predictions.png", "mistakes.png")
OUTPUTS = ("metrics.json", "predictions.csv", *PICTURES)
LABELS = ("classes", "binary", "one_hot", "regression")


def ready(path, labels: str) -> Folder:
    """A folder with an untrained model: right and wrong answers are both there."""
    from tasks.network import assemble

    folder = tiny.compiled(path, labels)
    assemble(folder, seed=4).save(folder.path / "model.keras")
    folder.write_text("history.csv", HISTORY)
    return folder


@pytest.fixture(scope="module")
def figures():
    """The figures of all pictures that were saved, by folder and name."""
    from tasks import report

    drawn, save = {}, report.save

    def keep(folder, name, figure):
        drawn[str(folder), name] = figure
        save(folder, name, figure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "save", keep)
        yield drawn


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, figures):
    """A function: the folder for these labels after `evaluate`, made once. It is read only."""
    made = {}

    def of(labels: str) -> Folder:
        if labels not in made:
            made[labels] = ready(tmp_path_factory.mktemp(labels) / "tiny", labels)
            evaluate(made[labels], SCORE)
        return made[labels]

    return of


def answers(folder: Folder) -> tuple[np.ndarray, np.ndarray]:
    """The test labels (classes as numbers), and what the model answers."""
    from tasks.network import keras

    data = np.load(folder.path / "normalized.npz")
    y = data["y_test"]
    y = y.argmax(axis=1) if y.ndim == 2 else y
    return y, keras.models.load_model(folder.path / "model.keras").predict(data["x_test"], verbose=0)


def chances(output: np.ndarray) -> np.ndarray:
    return np.hstack([1 - output, output]) if output.shape[1] == 1 else output


def metrics(folder: Folder) -> dict:
    return json.loads((folder.path / "metrics.json").read_text())


def relabelled(folder: Folder, wrong: int) -> None:
    """Make the model's answers the labels of the first ten test rows, the only ones, but for so many of them."""
    with np.load(folder.path / "normalized.npz") as file:
        arrays = dict(file)
    _, output = answers(folder)
    labels = chances(output).argmax(axis=1)[:10]
    labels[:wrong] = (labels[:wrong] + 1) % chances(output).shape[1]
    arrays["x_test"], arrays["y_test"] = arrays["x_test"][:10], labels.astype(np.uint8)
    write_arrays(folder, "normalized.npz", **arrays)


@pytest.mark.parametrize("labels", ["classes", "binary", "one_hot"])
def test_accuracy_and_loss_are_those_that_numpy_computes(evaluated, labels):
    folder = evaluated(labels)
    y, output = answers(folder)
    found, each = metrics(folder), chances(output)
    assert set(found) == {"test_accuracy", "test_loss", "best_epoch"}
    right = (each.argmax(axis=1) == y).mean()
    assert 0 < right < 1  # else the test would not tell rows that are mixed up
    assert found["test_accuracy"] == pytest.approx(right)
    assert found["test_loss"] == pytest.approx(-np.log(each[np.arange(len(y)), y]).mean(), rel=1e-4)


def test_errors_of_a_regression_are_those_that_numpy_computes(evaluated):
    folder = evaluated("regression")
    y, output = answers(folder)
    found = metrics(folder)
    assert set(found) == {"test_loss", "test_mae", "test_mse", "best_epoch"}
    assert found["test_mse"] == pytest.approx(((output[:, 0] - y) ** 2).mean(), rel=1e-5)
    assert found["test_mae"] == pytest.approx(np.abs(output[:, 0] - y).mean(), rel=1e-5)


@pytest.mark.parametrize("labels", LABELS)
def test_best_epoch_is_the_last_checkpoint_of_the_history(evaluated, labels):
    assert metrics(evaluated(labels))["best_epoch"] == BEST_EPOCH


@pytest.mark.parametrize("labels", ["classes", "binary", "one_hot"])
def test_predictions_have_a_row_for_each_test_row(evaluated, labels):
    folder = evaluated(labels)
    y, output = answers(folder)
    table = pd.read_csv(folder.path / "predictions.csv")
    assert list(table.columns) == ["row", "actual", "predicted", "confidence"]
    assert table["row"].tolist() == list(range(tiny.ROWS["test"]))
    assert table["actual"].tolist() == [f"kind {k}" for k in y]
    assert table["predicted"].tolist() == [f"kind {k}" for k in chances(output).argmax(axis=1)]
    np.testing.assert_allclose(table["confidence"], chances(output).max(axis=1), rtol=1e-5)


def test_predictions_of_a_regression_are_numbers(evaluated):
    folder = evaluated("regression")
    y, output = answers(folder)
    table = pd.read_csv(folder.path / "predictions.csv")
    assert list(table.columns) == ["row", "actual", "predicted"]
    np.testing.assert_allclose(table["actual"], y, rtol=1e-6)
    np.testing.assert_allclose(table["predicted"], output[:, 0], rtol=1e-5)


def test_confusion_matrix_counts_every_test_row_in_its_cell(evaluated, figures):
    folder = evaluated("classes")
    y, output = answers(folder)
    count = np.zeros((tiny.CLASSES, tiny.CLASSES), int)
    for actual, guess in zip(y, output.argmax(axis=1), strict=True):
        count[actual, guess] += 1
    (axes,) = figures[str(folder), "predictions.png"].axes
    shown = {text.get_position()[::-1]: int(text.get_text()) for text in axes.texts}  # (row, column): text
    assert shown == {place: count[place] for place in np.ndindex(count.shape) if count[place]}
    assert axes.get_title() == f"{np.trace(count)} of {len(y)} right"
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("actual", "predicted")


def test_mistakes_are_the_wrong_answers_and_the_surest_comes_first(evaluated, figures):
    folder = evaluated("classes")
    y, output = answers(folder)
    guess, sure = output.argmax(axis=1), output.max(axis=1)
    wrong = sorted(np.flatnonzero(guess != y), key=lambda row: -sure[row])[:10]
    titles = [axes.get_title() for axes in figures[str(folder), "mistakes.png"].axes]
    expected = [f"kind {guess[row]}, {sure[row]:.0%} sure\nis kind {y[row]}" for row in wrong]
    assert titles == expected + [""] * (10 - len(wrong))


def test_learning_curve_marks_the_checkpoint(evaluated, figures):
    drawn = figures[str(evaluated("classes")), "learning_curve.png"]
    for axes, name in zip(drawn.axes, ("accuracy", "loss"), strict=True):
        assert axes.get_title() == name
        train, validation, mark = axes.lines
        assert train.get_xdata().tolist() == [1, 2, 3, 4]
        assert validation.get_label() == "validation"
        assert set(mark.get_xdata()) == {BEST_EPOCH}


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_not_blank(evaluated, labels, name):
    image = matplotlib.image.imread(evaluated(labels).path / name)[..., :3]
    assert image.std() > 0.02
    assert min(image.shape[:2]) >= 200


@pytest.mark.parametrize("labels", ["classes", "regression"])
def test_same_model_gives_the_same_bytes(evaluated, tmp_path, labels):
    folder = ready(tmp_path / "tiny", labels)
    evaluate(folder, SCORE)
    assert tiny.content(folder, *OUTPUTS) == tiny.content(evaluated(labels), *OUTPUTS)


def test_accuracy_passes_when_it_reaches_the_criterion(tmp_path, caplog):
    folder = ready(tmp_path, "classes")
    relabelled(folder, wrong=3)
    assert evaluate(folder, tiny.changed(SCORE, min_accuracy=0.7)) == "test accuracy 0.7, passed (min_accuracy 0.7)"
    assert metrics(folder)["passed"] is True
    assert not caplog.records
    said = evaluate(folder, tiny.changed(SCORE, min_accuracy=0.71))
    assert said == "test accuracy 0.7, NOT passed (min_accuracy 0.71)"
    assert metrics(folder)["passed"] is False


def test_error_passes_when_it_is_not_above_the_criterion(evaluated, tmp_path):
    limit = metrics(evaluated("regression"))["test_mse"]
    folder = ready(tmp_path, "regression")
    for factor, passed in ((1, True), (0.99, False)):
        said = evaluate(folder, tiny.changed(SCORE, max_mse=limit * factor))
        assert ("NOT passed" in said) is not passed
        assert metrics(folder)["passed"] is passed


def test_without_a_criterion_nothing_is_said_of_passing(evaluated):
    assert "passed" not in metrics(evaluated("classes"))


def test_a_model_without_mistakes_has_a_picture_that_says_so(tmp_path, figures):
    folder = ready(tmp_path, "classes")
    relabelled(folder, wrong=0)
    assert evaluate(folder, SCORE) == "test accuracy 1"
    assert figures[str(folder), "mistakes.png"].get_suptitle() == "no mistakes"


def test_predict_answers_for_each_x(tmp_path):
    from tasks.network import keras

    folder = ready(tmp_path, "regression")
    evaluate(folder, tiny.changed(SCORE, predict=[10.0, -0.5]))
    model = keras.models.load_model(folder.path / "model.keras")
    expected = model.predict(np.array([[10.0], [-0.5]], np.float32), verbose=0)[:, 0]
    assert metrics(folder)["predict"] == {"10": float(expected[0]), "-0.5": float(expected[1])}


@pytest.mark.parametrize(
    ("labels", "asked", "message"),
    [
        ("classes", {"max_mse": 0.1}, r"evaluate\.max_mse cannot be measured: .* Set it to null, and min_accuracy\."),
        ("binary", {"max_mse": 0.1}, r"evaluate\.max_mse cannot be measured"),
        ("regression", {"min_accuracy": 0.5}, r"evaluate\.min_accuracy cannot be measured: .* to null, and max_mse\."),
        ("classes", {"predict": [1.0]}, r"evaluate\.predict needs a regression on one number\. Set `predict: null`\."),
    ],
)
def test_what_does_not_fit_the_labels_is_refused_before_anything_is_read(tmp_path, labels, asked, message):
    folder = tiny.normalized(tmp_path, labels)  # there is no model
    with pytest.raises(UserError, match=message):
        evaluate(folder, tiny.changed(SCORE, **asked))


def test_missing_model_is_named(tmp_path):
    folder = tiny.normalized(tmp_path)
    folder.write_text("history.csv", HISTORY)
    with pytest.raises(UserError, match=r"model\.keras is missing: an earlier step makes it"):
        evaluate(folder, SCORE)


@pytest.mark.parametrize("name", ["history.csv", "model.keras"])
def test_a_damaged_input_is_named(evaluated, tmp_path, name):
    folder = Folder(shutil.copytree(evaluated("classes").path, tmp_path / "tiny"))
    file = folder.path / name
    for content in (b"", b"nonsense"):
        file.write_bytes(content)
        with pytest.raises(UserError, match=rf"{name} is damaged \(.*\): delete it, and it is made again"):
            evaluate(folder, SCORE)
