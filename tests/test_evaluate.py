"""Step 8, evaluate: the scores are what NumPy computes from the answers; the pictures show them."""

from __future__ import annotations

import json
import shutil
from itertools import pairwise

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from tasks.core.arrays import write_arrays
from tasks.core.folder import Folder
from tasks.core.step import TimedOut, UserError, at_most
from tasks.drift import validation
from tasks.evaluate import evaluate
from tests.support import tiny

SCORE = tiny.EVALUATE
BEST_EPOCH = 3
HISTORY = """epoch,accuracy,loss,val_accuracy,val_loss,checkpoint
1,0.3,1.5,0.3,1.4,1
2,0.5,1.2,0.4,1.5,0
3,0.7,0.9,0.5,1.1,1
4,0.9,0.5,0.4,1.2,0
"""
VALIDATED = {"best_epoch": BEST_EPOCH, "val_accuracy": 0.5, "val_loss": 1.1}
PICTURES = ("learning_curve.png", "predictions.png", "calibration.png", "mistakes.png")
OUTPUTS = ("metrics.json", "classes.csv", "predictions.csv", "validation.npz", *PICTURES)
LABELS = ("classes", "binary", "one_hot", "regression")


def ready(path, labels: str) -> Folder:
    """A folder with an untrained model: right and wrong answers are both there."""
    from tasks.network.assemble import assemble

    folder = tiny.compiled(path, labels)
    assemble(folder, seed=4).save(folder.path / "model.keras")
    folder.write_text("history.csv", HISTORY)
    return folder


@pytest.fixture(scope="module")
def figures():
    """The figures of all pictures that were saved, by folder and name."""
    from tasks.pictures import calibration, classes, learning_curve, regression, tables

    drawn, save = {}, learning_curve.save

    def keep(folder, name, figure, **how):
        drawn[str(folder), name] = figure
        save(folder, name, figure, **how)

    with pytest.MonkeyPatch.context() as patch:
        for module in (calibration, classes, learning_curve, regression, tables):
            patch.setattr(module, "save", keep)
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
    data = np.load(folder.path / "normalized.npz")
    y = data["y_test"]
    y = y.argmax(axis=1) if y.ndim == 2 else y
    return y, asked(folder, data["x_test"])


def asked(folder: Folder, x: np.ndarray) -> np.ndarray:
    """What the model answers to these rows."""
    from tasks.network.backend import keras

    return keras.models.load_model(folder.path / "model.keras").predict(x, verbose=0)


def chances(output: np.ndarray) -> np.ndarray:
    return np.hstack([1 - output, output]) if output.shape[1] == 1 else output


def metrics(folder: Folder) -> dict:
    return json.loads(
        (folder.path / "metrics.json").read_text(), parse_constant=pytest.fail
    )  # NaN is no JSON


def answering(
    path, labels: str, actual: list, answers: list, names=(), leaked: list | None = None
) -> Folder:
    """A folder with a one-layer model that gives these answers to test rows with these labels."""
    from tasks.network.backend import keras

    answers = np.array(answers, float)
    single = answers.ndim == 1
    activation, loss = {
        "classes": ("softmax", "sparse_categorical_crossentropy"),
        "one_hot": ("softmax", "categorical_crossentropy"),
        "binary": ("sigmoid", "binary_crossentropy"), "regression": ("linear", "mse"),
    }[labels]  # fmt: skip
    x = {"softmax": np.log, "sigmoid": lambda p: np.log(p / (1 - p)), "linear": lambda p: p}[
        activation
    ](answers)
    x = x.reshape(len(x), -1).astype(np.float32)
    layers = [
        keras.Input(x.shape[1:]),
        keras.layers.Dense(x.shape[1], activation, kernel_initializer="identity"),
    ]
    model = keras.Sequential(layers)
    model.compile(loss=loss, metrics=["mae" if labels == "regression" else "accuracy"])
    model.optimizer.build(model.trainable_variables)  # else it could not be loaded
    folder = Folder(path)
    y = np.eye(x.shape[1], dtype=np.float32)[actual] if labels == "one_hot" else np.array(actual)
    arrays = {"x_test": x, "y_test": y.astype(np.float32) if labels == "regression" else y}
    arrays |= {"x_train": arrays["x_test"], "y_train": arrays["y_test"], "x_val": x[:0]}
    write_arrays(
        folder,
        "normalized.npz",
        **arrays,
        **({} if leaked is None else {"leaked_test": np.array(leaked)}),
    )
    names = list(names) or (
        [] if labels == "regression" else [f"kind {k}" for k in range(2 if single else x.shape[1])]
    )
    schema = {
        "labels": labels,
        "classes": len(names),
        "class_names": names,
        "input_shape": list(x.shape[1:]),
    }
    folder.write_json("schema.json", schema | {"scaling": {"subtract": [0.0], "divide": [1.0]}})
    folder.write_text("history.csv", HISTORY)
    model.save(folder.path / "model.keras")
    return folder


def table(folder: Folder) -> list[str]:
    return (folder.path / "classes.csv").read_text().splitlines()


def relabelled(folder: Folder, wrong: int) -> None:
    """Keep ten test rows, labeled with the model's answers, except that `wrong` of them differ."""
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
    right = (each.argmax(axis=1) == y).mean()
    assert 0 < right < 1  # else the test would not tell rows that are mixed up
    assert found["test_accuracy"] == pytest.approx(right)
    assert found["test_loss"] == pytest.approx(-np.log(each[np.arange(len(y)), y]).mean(), rel=1e-4)


@pytest.mark.parametrize("labels", LABELS)
def test_what_new_rows_are_compared_with_is_of_the_validation_rows(evaluated, labels):
    folder = evaluated(labels)
    with np.load(folder.path / "normalized.npz") as data:
        x = data["x_val"]
    output = asked(folder, x)
    found = validation.read(folder)
    assert found is not None
    means = x.reshape(len(x), -1).mean(axis=1) if x.ndim > 2 else x[:, 0]
    np.testing.assert_allclose(found[:, 0], means, rtol=1e-5)
    said = output[:, 1:] if output.shape[1] == 2 else output
    np.testing.assert_allclose(found[:, -said.shape[1] :], said, rtol=1e-5)


def test_errors_of_a_regression_are_those_that_numpy_computes(evaluated):
    folder = evaluated("regression")
    y, output = answers(folder)
    found = metrics(folder)
    assert found["test_mse"] == pytest.approx(((output[:, 0] - y) ** 2).mean(), rel=1e-5)
    assert found["test_mae"] == pytest.approx(np.abs(output[:, 0] - y).mean(), rel=1e-5)


@pytest.mark.parametrize("labels", LABELS)
def test_best_epoch_is_the_last_checkpoint_of_the_history(evaluated, labels):
    assert metrics(evaluated(labels))["best_epoch"] == BEST_EPOCH


def test_the_scores_to_choose_by_come_first(evaluated):
    names = list(metrics(evaluated("classes")))
    assert names[:4] == [*VALIDATED, "test_accuracy"]


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
    shown = {text.get_position()[::-1]: text.get_text() for text in axes.texts}  # (row, column)
    share = count / count.sum(axis=1, keepdims=True)
    assert shown == {
        place: f"{count[place]}\n{share[place]:.1%}"
        for place in np.ndindex(count.shape)
        if count[place]
    }
    assert axes.get_title() == f"{np.trace(count)} of {len(y)} right"
    assert axes.get_xlabel() == "predicted"
    assert axes.get_ylabel() == "actual (color: share of its row)"


def test_mistakes_are_the_wrong_answers_and_the_most_confident_comes_first(evaluated, figures):
    folder = evaluated("classes")
    y, output = answers(folder)
    guess, sure = output.argmax(axis=1), output.max(axis=1)
    wrong = sorted(np.flatnonzero(guess != y), key=lambda row: -sure[row])[:10]
    titles = [axes.get_title() for axes in figures[str(folder), "mistakes.png"].axes]
    second = output.argsort(axis=1)[:, -2]
    expected = [
        f"row {row} is kind {y[row]}\nsaid kind {guess[row]}, {sure[row]:.2%}\n"
        f"then kind {second[row]}, {output[row, second[row]]:.2%}"
        for row in wrong
    ]
    assert titles == expected + [""] * (10 - len(wrong))


@pytest.mark.parametrize("labels", ["classes", "one_hot"])
def test_mistakes_of_a_table_are_bars_of_what_is_like_the_class_that_was_predicted(
    tmp_path, figures, labels
):
    """Two training rows of each class lie at its mean -+1, so each standard deviation is 1."""
    answers = np.full((3, 3), 0.05)
    answers[[0, 1, 2], [1, 1, 2]] = 0.9  # row 0 is wrong, in the class 0
    folder = answering(tmp_path, labels, [0, 1, 2], answers)
    data = dict(np.load(folder.path / "normalized.npz"))
    means = np.array([[0, 0, 0], [1, 4, -2], [9, 9, 9]], np.float32)
    y = data["y_test"]
    data |= {"x_train": np.concatenate([means - 1, means + 1]), "y_train": np.concatenate([y, y])}
    write_arrays(folder, "normalized.npz", **data)
    folder.write_json(
        "schema.json", {**folder.read_json("schema.json"), "feature_names": ["a", "b", "c"]}
    )
    evaluate(folder, SCORE)
    (axes,) = figures[str(folder), "mistakes.png"].axes
    x = data["x_test"][0]  # the logarithms of 0.05, 0.9, 0.05
    order = np.argsort((x - means[1]) ** 2 - x**2)
    assert axes.get_title() == "row 0 is kind 0\nsaid kind 1, 90.00%\nthen kind 0, 5.00%"
    assert [text.get_text() for text in axes.get_yticklabels()] == ["abc"[k] for k in order]
    np.testing.assert_allclose([bar.get_width() for bar in axes.containers[0]], x[order], rtol=1e-5)
    np.testing.assert_allclose(axes.lines[0].get_xdata(), means[1][order], rtol=1e-5)


def test_pictures_of_a_regression_name_the_target(tmp_path, figures):
    folder = ready(tmp_path / "tiny", "regression")
    schema = folder.read_json("schema.json")
    folder.write_json("schema.json", {**schema, "load": {"target": "price"}})
    evaluate(folder, SCORE)
    assert figures[str(folder), "predictions.png"].axes[0].get_ylabel() == "price"
    assert figures[str(folder), "mistakes.png"].axes[0].get_xlabel() == "predicted price"
    above, below = figures[str(folder), "calibration.png"].axes[:2]
    assert above.get_ylabel() == "actual price, on average"
    assert below.get_xlabel() == "predicted price"


def test_learning_curve_marks_the_checkpoint(evaluated, figures):
    drawn = figures[str(evaluated("classes")), "learning_curve.png"]
    for axes, name in zip(drawn.axes, ("accuracy", "loss"), strict=True):
        assert axes.get_title() == name
        train, validation, mark = axes.lines
        assert train.get_xdata().tolist() == [1, 2, 3, 4]
        assert validation.get_label() == "validation"
        assert set(mark.get_xdata()) == {BEST_EPOCH}
        assert axes.get_legend() is None  # it would lie on the lines
    (legend,) = drawn.legends
    assert [text.get_text() for text in legend.texts][2] == f"checkpoint, epoch {BEST_EPOCH}"


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
    assert evaluate(folder, tiny.changed(SCORE, min_accuracy=0.7)) == (
        "test accuracy 0.7, 95% interval 0.397 to 0.892, passed (min_accuracy 0.7)"
    )
    assert metrics(folder)["passed"] is True
    assert not caplog.records
    said = evaluate(folder, tiny.changed(SCORE, min_accuracy=0.71))
    assert said == (
        "test accuracy 0.7, 95% interval 0.397 to 0.892, NOT passed (min_accuracy 0.71)"
    )
    assert metrics(folder)["passed"] is False


def test_error_passes_when_it_is_not_above_the_criterion(evaluated, tmp_path):
    limit = metrics(evaluated("regression"))["test_mse"]
    folder = ready(tmp_path, "regression")
    for factor, passed in ((1, True), (0.99, False)):
        said = evaluate(folder, tiny.changed(SCORE, max_mse=limit * factor))
        assert ("NOT passed" in said) is not passed
        assert metrics(folder)["passed"] is passed


def test_a_table_is_compared_with_simpler_models(tmp_path, caplog):
    folder = ready(tmp_path, "regression")
    params = tiny.changed(SCORE, baselines=True, max_mse=9.0)
    evaluate(folder, params)
    assert "baselines" not in metrics(folder)  # these rows are of no table

    columns = [{"name": "x", "kind": "number", "fill": None, "missing": False}]
    columns[0] |= {"words": [], "parts": []}
    more = {"columns": columns, "suspects": ["x"]}
    folder.write_json("schema.json", {**folder.read_json("schema.json"), **more})
    said = evaluate(folder, params)
    found = metrics(folder)["baselines"]
    assert list(found) == ["mean", "linear model", "gradient boosting"]
    assert found["linear model"] < found["mean"]
    names = ("mean", "linear model", "gradient boosting")
    assert f"(baselines: {', '.join(f'{name} {found[name]:.4g}' for name in names)})" in said
    assert metrics(folder)["baselines_without"] == {}  # no other column is left
    assert "The network is worse than a linear model: test mse" in caplog.text


def test_without_a_criterion_nothing_is_said_of_passing(evaluated):
    assert "passed" not in metrics(evaluated("classes"))


def test_a_model_without_mistakes_has_a_picture_that_says_so(tmp_path, figures):
    folder = ready(tmp_path, "classes")
    relabelled(folder, wrong=0)
    assert evaluate(folder, SCORE) == "test accuracy 1, 95% interval 0.722 to 1"
    assert figures[str(folder), "mistakes.png"].get_suptitle() == "no mistakes"


@pytest.mark.parametrize("labels", ["classes", "regression"])
def test_a_new_score_is_a_function_and_a_line(tmp_path, monkeypatch, labels):
    from tasks.scores import classes, regression
    from tasks.scores.base import Interval

    scores = {"classes": classes, "regression": regression}[labels].SCORES
    monkeypatch.setitem(scores, "rows", lambda actual, said: Interval(len(actual), 1, len(said)))
    monkeypatch.setitem(scores, "nothing", lambda actual, said: None)
    evaluate(folder := ready(tmp_path, labels), SCORE)
    found, rows = metrics(folder), tiny.ROWS["test"]
    assert (found["test_rows"], found["test_rows_low"], found["test_rows_high"]) == (rows, 1, rows)
    assert "test_nothing" not in found


# Seven rows of three classes. The answers: 0 1 1 0 2 0 1, of which four are right.
ACTUAL = [0, 0, 1, 1, 2, 0, 2]
CHANCES = [
    (0.9, 0.05, 0.05), (0.3, 0.62, 0.08), (0.1, 0.7, 0.2), (0.7, 0.1, 0.2), (0.05, 0.05, 0.9),
    (0.9, 0.06, 0.04),
    (0.1, 0.7, 0.2),
]  # fmt: skip
# Of the pairs of a row of a class and one of another, the share that is in order; a tie is half.
ROC_AUC = (11 / 12 + 7.5 / 10 + 9 / 10) / 3
# The rows of a class are found in these places: 1, 2 and 4 (after a tie); 1 or 2 and 4; 1 and 4.
PR_AUC = ((1 + 1 + 3 / 4) / 3 + (1 / 2 + 2 / 4) / 2 + (1 + 2 / 4) / 2) / 3
# Four rows of a regression, with the errors 0.5, 0, -1 and 1.
VALUES, SAID = [1, 2, 3, 6], [1.5, 2, 2, 7]


@pytest.mark.parametrize("labels", ["classes", "one_hot"])
def test_numbers_of_classes_are_those_counted_by_hand(tmp_path, figures, labels):
    folder = answering(tmp_path, labels, ACTUAL, CHANCES)
    assert evaluate(folder, SCORE) == "test accuracy 0.5714, 95% interval 0.25 to 0.842"
    found = metrics(folder)
    assert found.pop("test_loss") == pytest.approx(
        -np.log([0.9, 0.3, 0.7, 0.1, 0.9, 0.9, 0.2]).mean(), rel=1e-5
    )
    assert found == pytest.approx({
        **VALIDATED,
        "test_accuracy": 4 / 7,
        "test_accuracy_low": 0.250458,  # Wilson's formula with z = 1.959964
        "test_accuracy_high": 0.841780,
        "test_balanced_accuracy": (2 / 3 + 1 / 2 + 1 / 2) / 3,
        "test_ece": (3 * (1 - 0.9) + 1 * (0.62 - 0) + 3 * (0.7 - 1 / 3)) / 7,
        "test_macro_f1": (2 / 3 + 2 / 5 + 2 / 3) / 3,
        "test_pr_auc": PR_AUC,
        "test_roc_auc": ROC_AUC,
        "test_top2_accuracy": 6 / 7,
    }, abs=1e-6)  # fmt: skip
    assert table(folder) == [
        "class,precision,recall,f1,support",
        "kind 0,0.6667,0.6667,0.6667,3",
        "kind 1,0.3333,0.5000,0.4000,2",
        "kind 2,1.0000,0.5000,0.6667,2",
    ]
    above, below = figures[str(folder), "calibration.png"].axes[:2]
    np.testing.assert_allclose(
        above.lines[1].get_xydata(), [(0.62, 0), (0.7, 1 / 3), (0.9, 1)], rtol=1e-5
    )
    assert above.get_title() == "expected calibration error 0.289"
    assert [bar.get_height() for bar in below.patches if bar.get_height()] == [1, 3, 3]


def test_numbers_of_two_classes_with_one_output_are_those_counted_by_hand(tmp_path):
    folder = answering(
        tmp_path, "binary", [1, 0, 0, 1, 1], [0.9, 0.18, 0.7, 0.38, 0.97], names=["no", "yes"]
    )
    evaluate(folder, SCORE)
    found = metrics(folder)
    assert found["test_accuracy"] == 3 / 5
    assert found["test_balanced_accuracy"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert found["test_roc_auc"] == pytest.approx(5 / 6)  # of six pairs, one is the wrong way round
    # From the most probable row on, "no", the rarer class, is found in the places 1 and 3.
    assert found["test_pr_auc"] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert found["test_ece"] == pytest.approx((0.1 + 0.18 + 0.7 + 0.62 + 0.03) / 5)
    assert "test_top2_accuracy" not in found  # it could only be 1
    assert table(folder)[1:] == ["no,0.5000,0.5000,0.5000,2", "yes,0.6667,0.6667,0.6667,3"]


def test_numbers_of_a_regression_are_those_counted_by_hand(tmp_path, figures):
    folder = answering(tmp_path, "regression", VALUES, SAID)
    assert evaluate(folder, SCORE) == "test R² 0.8393, mae 0.625, mse 0.5625"
    assert metrics(folder) == pytest.approx({
        **VALIDATED,
        "test_loss": 0.5625,
        "test_mae": 2.5 / 4,
        "test_mse": 2.25 / 4,
        "test_r2": 1 - 2.25 / 14,
    }, abs=1e-6)  # fmt: skip
    assert table(folder) == ["class,precision,recall,f1,support"]
    above, below = figures[str(folder), "calibration.png"].axes[:2]
    np.testing.assert_allclose(
        above.lines[1].get_xydata(), [(1.5, 1), (2, 2.5), (7, 6)]
    )  # 2 was said twice
    assert [bar.get_height() for bar in below.patches if bar.get_height()] == [1, 2, 1]
    (axes,) = figures[str(folder), "mistakes.png"].axes
    np.testing.assert_allclose(
        axes.collections[0].get_offsets(), [(1.5, 0.5), (2, 0), (2, -1), (7, 1)]
    )


def test_a_class_without_others_has_no_area_under_a_curve(tmp_path):
    folder = answering(tmp_path, "classes", [0, 0], CHANCES[:2])
    evaluate(folder, SCORE)
    assert not [name for name in metrics(folder) if name.endswith("_auc")]


def test_calibration_has_intervals_and_faint_points_where_few_rows_are(tmp_path, figures):
    answers = np.tile([0.96, 0.04], (100, 1))  # of 100 rows, 90 are right: Wilson's interval
    answers[:10] = [0.7, 0.3]  # and of ten others all
    folder = answering(tmp_path, "classes", [0] * 90 + [1] * 10, answers)
    evaluate(folder, SCORE)
    above, _ = figures[str(folder), "calibration.png"].axes
    faint, clear = above.containers
    assert [bars.lines[0].get_alpha() for bars in (faint, clear)] == [0.35, 1]
    np.testing.assert_allclose(faint.lines[0].get_xydata(), [[0.7, 1]], rtol=1e-5)
    (segment,) = clear.lines[2][0].get_segments()
    ends = binomtest(80, 90).proportion_ci(method="wilson")
    np.testing.assert_allclose(segment[:, 1], [ends.low, ends.high], rtol=1e-3)


@pytest.mark.parametrize("rows", [29, 30])
def test_an_error_has_an_interval_from_30_rows_on(tmp_path, rows):
    errors = np.arange(rows) % 3  # of 30 rows the squares 0, 1 and 4, ten times each
    folder = answering(tmp_path, "regression", np.zeros(rows), errors.astype(float))
    said, found = evaluate(folder, SCORE), metrics(folder)
    if rows == 29:
        assert not [name for name in found if name.endswith(("_low", "_high"))]
        assert "to" not in said
        return
    margin = (
        2.045230 * np.sqrt(26 / 9 * 30 / 29) / np.sqrt(30)
    )  # Student's with 29 degrees of freedom
    assert (found["test_mse_low"], found["test_mse_high"]) == pytest.approx(
        (5 / 3 - margin, 5 / 3 + margin), abs=1e-6
    )
    assert said == "test mae 1, mse 1.667, 95% interval 1.02 to 2.31"


@pytest.mark.parametrize(("actual", "r2"), [([2, 2, 2], False), ([2], False), ([2, 2, 3], True)])
def test_what_a_regression_has_too_few_values_for_is_left_out(tmp_path, actual, r2):
    folder = answering(tmp_path, "regression", actual, [value + 1 for value in actual])
    evaluate(folder, SCORE)
    found = metrics(folder)
    assert ("test_r2" in found) is r2
    assert found["test_mse"] == 1
    assert "test_mse_low" not in found


def test_score_without_the_leaked_rows_stands_beside_the_other(tmp_path):
    leaked = [True, False, False, False, False, True, False]
    folder = answering(tmp_path, "classes", ACTUAL, CHANCES, leaked=leaked)
    assert (
        evaluate(folder, SCORE)
        == "test accuracy 0.5714, 95% interval 0.25 to 0.842, 0.4 without 2 leaked rows"
    )
    found = metrics(folder)
    assert found["leaked_rows"] == 2
    assert found["test_accuracy"] == pytest.approx(4 / 7)
    assert found["test_accuracy_without_leaked"] == pytest.approx(2 / 5)


def test_error_without_the_leaked_rows_stands_beside_the_other(tmp_path):
    folder = answering(tmp_path, "regression", VALUES, SAID, leaked=[False, True, False, False])
    said = evaluate(folder, tiny.changed(SCORE, max_mse=1.0))
    assert said == (
        "test R² 0.8393, mae 0.625, mse 0.5625, 0.75 without 1 leaked row, passed (max_mse 1)"
    )
    found = metrics(folder)
    assert (found["leaked_rows"], found["test_mse"], found["test_mse_without_leaked"]) == (
        1,
        0.5625,
        0.75,
    )


def test_without_leaks_nothing_is_said_and_if_all_rows_leak_there_is_no_score(tmp_path):
    folder = answering(tmp_path / "none", "classes", ACTUAL, CHANCES, leaked=[False] * 7)
    evaluate(folder, SCORE)
    assert not [name for name in metrics(folder) if "leaked" in name]
    folder = answering(tmp_path / "all", "classes", ACTUAL, CHANCES, leaked=[True] * 7)
    assert "leaked" not in evaluate(folder, SCORE)
    assert {name: value for name, value in metrics(folder).items() if "leaked" in name} == {
        "leaked_rows": 7
    }


def test_a_class_without_test_rows_has_no_recall_and_does_not_count_in_the_balance(tmp_path):
    chances = [(0.7, 0.1, 0.1, 0.1), (0.1, 0.7, 0.1, 0.1), (0.1, 0.1, 0.7, 0.1)]
    folder = answering(
        tmp_path, "classes", [0, 1, 1], chances, names=["here", "also, here", "guessed", "nowhere"]
    )
    evaluate(folder, SCORE)
    assert table(folder)[1:] == [
        "here,1.0000,1.0000,1.0000,1",
        '"also, here",1.0000,0.5000,0.6667,2',
        "guessed,0.0000,,0.0000,0",
        "nowhere,,,,0",
    ]
    assert metrics(folder)["test_balanced_accuracy"] == 0.75


@pytest.mark.parametrize("classes", [2, 26, 27, 100, 101])
def test_pictures_name_the_classes_and_stay_small_however_many_there_are(
    tmp_path, figures, classes
):
    random = np.random.default_rng(0)
    names = [f"a rather long name, ${number} each" for number in range(classes)]
    chances = np.full((3000, classes), 0.1 / classes)
    chances[np.arange(3000), random.integers(0, classes, 3000)] += 0.9
    folder = answering(tmp_path, "classes", random.integers(0, classes, 3000), chances, names=names)
    evaluate(folder, SCORE)
    (axes,) = figures[str(folder), "predictions.png"].axes
    shown = [text.get_text().replace("\\", "") for text in axes.get_yticklabels()]
    assert shown == [f"a rather l…{name[-7:]}" for name in names[:: 1 if classes <= 100 else 2]]
    assert bool(axes.texts) is (classes <= 26)  # smaller cells have no room for numbers
    for name in PICTURES:
        assert (folder.path / name).stat().st_size < 200_000
        assert max(matplotlib.image.imread(folder.path / name).shape) < 2400

    drawn = figures[str(folder), "mistakes.png"]
    titles = [axes.title.get_window_extent() for axes in drawn.axes]
    assert all(one.x0 >= 0 and one.x1 <= drawn.bbox.x1 for one in titles)  # whole
    assert not [one for one, other in pairwise(titles) if one.overlaps(other)]


def test_a_name_with_dollar_signs_is_no_formula(tmp_path):
    folder = answering(tmp_path, "classes", ACTUAL, CHANCES, names=["$_a$", "$^{b$", r"\c$d$"])
    evaluate(folder, SCORE)
    assert [line.split(",")[0] for line in table(folder)[1:]] == ["$_a$", "$^{b$", r"\c$d$"]


def test_an_answer_that_is_not_a_number_is_named(tmp_path):
    folder = answering(tmp_path, "regression", VALUES, [1, np.inf, 2, np.inf])
    says = r"^test row 1: the model's answer is not finite, like 1 more\. Look for .*learning_rate"
    with pytest.raises(UserError, match=says):
        evaluate(folder, SCORE)


def test_the_line_that_ends_a_run_has_the_scores_that_a_person_wants(tmp_path):
    from flows.project.folder import Project
    from flows.server import report

    project = Project(tmp_path)
    asked = tiny.changed(SCORE, min_accuracy=0.9)
    evaluate(
        answering(tmp_path / "data/mine", "classes", ACTUAL, CHANCES, leaked=[True] + [False] * 6),
        asked,
    )
    assert report.verdict(project, "mine") == (
        "NOT passed, val_loss 1.1, test_accuracy 0.5714 (0.2505 to 0.8418), "
        "test_accuracy_without_leaked 0.5"
    )
    evaluate(answering(tmp_path / "data/mine", "regression", VALUES, SAID), SCORE)
    assert report.verdict(project, "mine") == (
        "val_loss 1.1, test_mae 0.625, test_mse 0.5625, test_r2 0.8393"
    )


def test_predict_answers_for_each_x(tmp_path):
    from tasks.network.backend import keras

    folder = ready(tmp_path, "regression")
    evaluate(folder, tiny.changed(SCORE, predict=[10.0, -0.5]))
    model = keras.models.load_model(folder.path / "model.keras")
    expected = model.predict(np.array([[10.0], [-0.5]], np.float32), verbose=0)[:, 0]
    assert metrics(folder)["predict"] == {"10": float(expected[0]), "-0.5": float(expected[1])}


def test_large_values_that_are_asked_for_each_have_an_answer(tmp_path):
    evaluate(
        folder := ready(tmp_path, "regression"),
        tiny.changed(SCORE, predict=[1000001.0, 1000002.0, 0.1]),
    )
    assert list(metrics(folder)["predict"]) == ["1000001", "1000002", "0.1"]


def test_predict_takes_x_as_the_data_have_it_and_the_model_gets_it_scaled(tmp_path, figures):
    from tasks.network.backend import keras

    folder = ready(tmp_path, "regression")
    schema = json.loads((folder.path / "schema.json").read_text())
    scaling = {"subtract": [1_700_000_000.0], "divide": [4.0]}
    folder.write_json("schema.json", schema | {"scaling": scaling, "feature_names": ["seconds"]})
    evaluate(folder, tiny.changed(SCORE, predict=[1_700_000_002.0]))
    model = keras.models.load_model(folder.path / "model.keras")
    (found,) = metrics(folder)["predict"].values()
    assert found == float(model.predict(np.array([[0.5]], np.float32), verbose=0)[0, 0])
    (axes,) = figures[str(folder), "predictions.png"].axes
    assert axes.get_xlabel() == "seconds, scaled"


@pytest.mark.parametrize(
    ("labels", "asked", "message"),
    [
        (
            "classes",
            {"max_mse": 0.1},
            r"evaluate\.max_mse cannot be measured: .* and use evaluate\.min_accuracy\.",
        ),
        ("binary", {"max_mse": 0.1}, r"evaluate\.max_mse cannot be measured"),
        (
            "regression",
            {"min_accuracy": 0.5},
            r"evaluate\.min_accuracy cannot be measured: .* and use evaluate\.max_mse or ",
        ),
        (
            "classes",
            {"predict": [1.0]},
            r"evaluate\.predict needs a regression on one feature\. Set `predict: null`",
        ),
    ],
)
def test_what_does_not_fit_the_labels_is_refused_before_anything_is_read(
    tmp_path, labels, asked, message
):
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
        with pytest.raises(
            UserError, match=rf"{name} is damaged \(.*\): delete it, and it is made again"
        ):
            evaluate(folder, SCORE)


def test_a_long_evaluation_can_be_stopped(tmp_path):
    folder = ready(tmp_path / "long", "classes")
    with (
        at_most(0, "run.timeouts.evaluate"),
        pytest.raises(
            TimedOut, match=r"^run\.timeouts\.evaluate is 0 seconds: stopped after batch 1$"
        ),
    ):
        evaluate(folder, SCORE)
    assert not (folder.path / "metrics.json").exists()
