"""Step 6, fit: it learns, keeps the best epoch, and resumes after a kill to the same bytes."""

from __future__ import annotations

import csv
import gc
import json
import random
import shutil
import subprocess
import sys
import threading
import weakref
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from tasks.compile import METRICS
from tasks.core.arrays import write_arrays
from tasks.core.folder import Folder
from tasks.core.step import Stopped, TimedOut, UserError, at_most, stopping, watchers
from tasks.fit import fit
from tasks.training.state import resumes
from tests.support import tiny
from tests.support.tiny import CNN, FIT, RUN, changed

OUTPUTS = ("best.weights.h5", "history.csv")
BATCHES = -(-tiny.ROWS["train"] // FIT.batch_size)  # in an epoch
TOTAL = FIT.epochs * BATCHES
HALF = BATCHES + 2
ALWAYS = 1e-9  # seconds between two saved states: after every batch


class Killed(Exception):
    """Stands for a kill: nothing in the step catches it."""


class Watch:
    """Counts the batches that were trained, and interrupts after one of them."""

    trained = 0
    kill_after = stop_after = None


@pytest.fixture
def watch():
    with watching() as seen:
        yield seen


@contextmanager
def watching():
    from tasks.training.loop import Training

    seen, batch_end = Watch(), Training.on_train_batch_end

    def on_train_batch_end(self, batch, logs=None):
        seen.trained += 1
        if seen.trained == seen.stop_after:
            stopping.set()
        batch_end(self, batch, logs)
        if seen.trained == seen.kill_after:
            raise Killed

    Training.on_train_batch_end = on_train_batch_end
    try:
        yield seen
    finally:
        Training.on_train_batch_end = batch_end
        stopping.clear()


@pytest.fixture
def folder(tmp_path) -> Folder:
    return tiny.compiled(tmp_path / "tiny")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Folder:
    """A training that was never interrupted, with its state kept. Read only: take a `copy`."""
    folder = tiny.compiled(tmp_path_factory.mktemp("whole") / "tiny")
    train(folder, FIT, keep_state=True)
    return folder


@pytest.fixture(scope="module")
def half(tmp_path_factory) -> Folder:
    """A training killed after HALF batches, in the middle of an epoch. Read only: take a `copy`."""
    folder = tiny.compiled(tmp_path_factory.mktemp("half") / "tiny")
    with watching() as watch:
        killed(folder, watch, HALF)
    return folder


def train(folder: Folder, params=FIT, **run) -> str:
    return fit(folder, params, changed(RUN, **run))


def copy(folder: Folder, path: Path) -> Folder:
    return Folder(shutil.copytree(folder.path, path / "tiny"))


def outputs(folder: Folder) -> dict[str, bytes]:
    return tiny.content(folder, *OUTPUTS)


def history(folder: Folder) -> dict[str, list[float]]:
    with open(folder.path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]}


def killed(folder: Folder, watch: Watch, after: int, params=FIT) -> None:
    """Train until the batch of that number, counted from where the training begins or resumes."""
    watch.trained, watch.kill_after = 0, after
    with pytest.raises(Killed):
        train(folder, params, save_every=ALWAYS)
    assert watch.trained == after
    watch.kill_after = None
    assert not any((folder.path / name).exists() for name in OUTPUTS)


# What it learns and keeps.


def test_training_lowers_the_loss(whole):
    loss = history(whole)["loss"]
    assert len(loss) == FIT.epochs
    assert loss[-1] < 0.5 * loss[0]


def test_best_epoch_is_the_one_of_the_lowest_val_loss(whole):
    found = history(whole)
    assert list(found) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss", "checkpoint"]
    best = int(np.argmin(found["val_loss"]))
    assert 0 < best < FIT.epochs - 1  # else the first, or the last, could be kept unseen
    lowest = [
        float(value < min(found["val_loss"][:k], default=np.inf))
        for k, value in enumerate(found["val_loss"])
    ]
    assert found["checkpoint"] == lowest
    assert found["epoch"] == list(range(1, FIT.epochs + 1))


def test_checkpoint_has_the_weights_that_gave_the_lowest_val_loss(whole):
    from tasks.network.assemble import assemble

    found, model = history(whole), assemble(whole, seed=7)
    model.load_weights(whole.path / "best.weights.h5")
    data = np.load(whole.path / "normalized.npz")
    val_loss, val_accuracy = model.evaluate(data["x_val"], data["y_val"], verbose=0)
    best = int(np.argmin(found["val_loss"]))
    assert val_loss == pytest.approx(found["val_loss"][best], rel=1e-5)
    assert val_accuracy == pytest.approx(found["val_accuracy"][best])
    # Those of the last epoch are others: they stand in the saved state.
    last = np.load(whole.scratch("fit.npz"))
    assert not np.array_equal(model.variables[0].numpy(), last["now0"])
    np.testing.assert_array_equal(model.variables[0].numpy(), last["best0"])


@pytest.mark.parametrize(
    ("labels", "loss"),
    [
        ("binary", "binary_crossentropy"),
        ("one_hot", "categorical_crossentropy"),
        ("classes", "sparse_categorical_crossentropy"),
        ("regression", "mse"),
    ],
)
def test_each_metric_is_measured_in_each_epoch(tmp_path, labels, loss):
    from tasks.network.assemble import assemble

    asked = list(METRICS[loss])
    asking = changed(tiny.COMPILE, learning_rate=0.01, metrics=asked)
    folder = tiny.compiled(tmp_path, labels, compile_params=asking)
    train(folder, changed(FIT, epochs=2))

    found, model = history(folder), assemble(folder, seed=7)
    model.load_weights(folder.path / "best.weights.h5")
    data = np.load(folder.path / "normalized.npz")
    measured = model.evaluate(data["x_val"], data["y_val"], verbose=0, return_dict=True)
    best = int(np.argmin(found["val_loss"]))
    for name in asked:
        assert measured[name] == pytest.approx(found[f"val_{name}"][best], rel=1e-4)
        assert len(found[name]) == 2


def test_summary_tells_the_best_epoch(folder, whole):
    said = train(folder, FIT)
    found = history(folder)
    best = int(np.argmin(found["val_loss"]))
    assert (
        said
        == f"{FIT.epochs} epochs, lowest val_loss {found['val_loss'][best]:.4g} in epoch {best + 1}"
    )
    assert outputs(folder) == outputs(whole)  # the same seed gives the same bytes
    assert not folder.scratch("kept.npz").exists()


def test_another_seed_gives_other_bytes(folder, whole):
    train(folder, changed(FIT, seed=1))
    assert outputs(folder)["best.weights.h5"] != outputs(whole)["best.weights.h5"]
    assert outputs(folder)["history.csv"] != outputs(whole)["history.csv"]


@pytest.mark.parametrize("steps", [200, "auto"])
def test_steps_per_execution_changes_no_byte_without_xla(folder, whole, steps):
    train(folder, changed(FIT, steps_per_execution=steps))
    assert outputs(folder) == outputs(whole)


def test_auto_gives_blocks_of_about_half_a_second_and_never_more_than_an_epoch(folder, watch):
    from tasks.training.loop import half_a_second

    train(folder, changed(FIT, steps_per_execution="auto"))
    assert (
        watch.trained == FIT.epochs * 2
    )  # one block of full batches, and the batch of what is left over
    assert half_a_second(1_501_770, batch_size=32) == 172
    assert half_a_second(10**9, batch_size=1024) == 1


def test_watchers_are_told_of_the_progress_and_of_the_end(folder):
    told = []
    watchers.append(lambda done, text: told.append((done, text)))
    try:
        train(folder, FIT)
    finally:
        watchers.clear()
    assert told[-1][0] == 1
    assert told[-1][1].startswith("epoch 4/4: val_loss ")
    assert told[0][0] == 1 / 4


def test_without_validation_rows_the_loss_itself_can_be_monitored(tmp_path):
    folder = tiny.compiled(tmp_path / "tiny", "regression", val=0)
    train(folder, changed(FIT, monitor="loss", batch_size=10**12))  # more than there are rows
    found = history(folder)
    assert list(found) == ["epoch", "loss", "mae", "checkpoint"]
    assert found["loss"][-1] < found["loss"][0]


def test_monitoring_val_loss_without_validation_rows_is_refused(tmp_path):
    folder = tiny.compiled(tmp_path / "tiny", val=0)
    with pytest.raises(
        UserError,
        match=r"fit\.monitor is `val_loss`, but .* Set normalize\.validation .* or set `monitor:",
    ):
        train(folder, FIT)


def test_a_training_that_diverges_is_told_and_leaves_no_output(tmp_path):
    params = changed(tiny.COMPILE, learning_rate=1e30)
    folder = tiny.compiled(tmp_path / "tiny", compile_params=params)
    with pytest.raises(
        UserError,
        match=r"val_loss is (nan|inf) in epoch 1: .* diverged\. Set a smaller compile\.learn",
    ):
        train(folder, FIT)
    assert not any((folder.path / name).exists() for name in OUTPUTS)


# The order of the rows.


@pytest.mark.parametrize(
    ("rows", "batch_size", "block"),
    [(20, 6, 1), (20, 6, 2), (20, 6, 100), (20, 5, 3), (20, 20, 1), (20, 32, 4), (1, 1, 1)],
)
def test_every_row_is_trained_on_once_an_epoch(rows, batch_size, block):
    from tasks.training.batches import Batches

    batches = Batches(np.zeros((rows, 1), np.float32), np.zeros(rows), batch_size, block, seed=0)
    blocks = [(numbers.numpy(), int(count)) for numbers, _, count in batches.dataset(range(3), 0)]
    assert len(blocks) == 3 * batches.blocks
    orders = []
    for epoch in range(3):
        part = blocks[epoch * batches.blocks :][: batches.blocks]
        sizes = [len(batch) for numbers, count in part for batch in numbers[:count]]
        assert sizes == [batch_size] * (rows // batch_size) + [rows % batch_size] * (
            rows % batch_size > 0
        )
        orders.append(
            [int(row) for numbers, count in part for batch in numbers[:count] for row in batch]
        )
        assert sorted(orders[-1]) == list(range(rows))
    assert rows == 1 or (orders[0] != orders[1] != orders[2])
    later = [numbers.numpy() for numbers, _, _ in batches.dataset(range(1, 3), 1)]
    assert all(
        np.array_equal(a, b) for a, (b, _) in zip(later, blocks[batches.blocks + 1 :], strict=True)
    )


# Resuming.


@pytest.mark.parametrize(
    ("after", "trained_again"),
    [
        (1, 0),
        (
            2 * BATCHES,
            1,
        ),  # before the validation, together with which the last batch of an epoch is saved
        (TOTAL - 1, 0),  # when the best epoch is over
    ],
)
def test_a_killed_training_resumes_where_it_was_and_ends_with_the_same_bytes(
    folder, whole, watch, after, trained_again
):
    killed(folder, watch, after)
    train(folder, FIT)
    assert watch.trained == TOTAL + trained_again
    assert outputs(folder) == outputs(whole)


def test_a_training_killed_twice_does_no_batch_twice(half, whole, watch, tmp_path):
    folder = copy(half, tmp_path)
    killed(folder, watch, 1)  # in the same epoch
    train(folder, FIT)
    assert watch.trained == TOTAL - HALF
    assert outputs(folder) == outputs(whole)


def test_a_training_killed_within_blocks_of_batches_resumes_to_the_same_bytes(folder, whole, watch):
    params = changed(
        FIT, steps_per_execution=2
    )  # an epoch is 2 + 1 (padded) + 1 (of fewer rows) batches
    killed(folder, watch, 4, params)
    train(folder, params)
    assert watch.trained == FIT.epochs * 3
    assert outputs(folder) == outputs(whole)


@pytest.mark.parametrize(
    ("after", "where"), [(HALF, "epoch 2 of 4, 50% of it"), (BATCHES, "epoch 2 of 4, 0% of it")]
)
def test_a_training_that_is_asked_to_stop_saves_its_state_first(folder, whole, watch, after, where):
    watch.stop_after = after
    with pytest.raises(Stopped, match=f"stopped in {where}"):
        train(folder, FIT)
    assert watch.trained == after
    stopping.clear()
    train(folder, FIT)
    assert watch.trained == TOTAL
    assert outputs(folder) == outputs(whole)


def test_a_training_asked_to_stop_after_its_last_batch_is_finished(folder, whole, watch):
    watch.stop_after = TOTAL
    train(folder, FIT)
    assert outputs(folder) == outputs(whole)


def test_a_finished_training_whose_outputs_were_lost_is_not_trained_again(whole, watch, tmp_path):
    folder = copy(whole, tmp_path)
    for name in OUTPUTS:
        (folder.path / name).unlink()
    train(folder, FIT)
    assert watch.trained == 0
    assert outputs(folder) == outputs(whole)


def test_layers_that_draw_and_layers_that_keep_averages_resume_exactly(tmp_path, watch):
    from tasks.network.backend import keras

    layers = [
        keras.Input((tiny.SIDE, tiny.SIDE)),
        keras.layers.Flatten(),
        keras.layers.Dense(6, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(tiny.CLASSES, activation="softmax"),
    ]
    architecture = keras.Sequential(layers, name="tiny").to_json()
    never, once = (tiny.compiled(tmp_path / name / "tiny") for name in ("never", "once"))
    for folder in (never, once):
        folder.write_text("architecture.json", architecture)
    train(never, FIT)
    killed(once, watch, HALF)
    train(once, FIT)
    assert watch.trained == TOTAL
    assert outputs(once) == outputs(never)


# Options.

EVERYTHING = changed(
    FIT,
    epochs=6,
    schedule="one_cycle",
    patience=2,
    class_weights="balanced",
    flip=True,
    shift=1,
    seed=3,
)
VARIED = changed(CNN, dropout=0.3, batch_norm=True, filters=[3])


@pytest.fixture(scope="module")
def everything(tmp_path_factory) -> Folder:
    """A training with every option, never interrupted. Read only."""
    folder = tiny.compiled(tmp_path_factory.mktemp("everything") / "tiny", build_params=VARIED)
    train(folder, EVERYTHING)
    return folder


@pytest.mark.parametrize("after", [1, BATCHES, HALF])
def test_a_killed_training_with_every_option_resumes_to_the_same_bytes(
    everything, watch, tmp_path, after
):
    folder = tiny.compiled(tmp_path / "tiny", build_params=VARIED)
    killed(folder, watch, after, EVERYTHING)
    train(folder, EVERYTHING)
    assert outputs(folder) == outputs(everything)


def test_blocks_of_batches_change_no_byte_of_it_either(everything, tmp_path):
    folder = tiny.compiled(tmp_path / "tiny", build_params=VARIED)
    train(folder, changed(EVERYTHING, steps_per_execution=2))
    assert outputs(folder) == outputs(everything)


@pytest.mark.parametrize(
    "other",
    [{"schedule": "cosine"}, {"class_weights": None}, {"flip": False}, {"shift": 0}, {"epochs": 7}],
    ids=str,
)
def test_each_of_them_changes_the_training_and_its_key(everything, watch, tmp_path, other):
    folder = tiny.compiled(tmp_path / "tiny", build_params=VARIED)
    killed(folder, watch, 1, EVERYTHING)
    watch.trained = 0
    train(folder, changed(EVERYTHING, **other))
    assert watch.trained == len(history(folder)["loss"]) * BATCHES  # from the start
    assert outputs(folder)["best.weights.h5"] != outputs(everything)["best.weights.h5"]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cosine", {0: 1, 25: 0.8536, 50: 0.5, 100: 0}),
        ("one_cycle", {0: 0.04, 10: 0.424, 25: 1, 50: 0.75, 62.5: 0.5, 100: 0}),
    ],
)
def test_the_learning_rate_rises_and_falls(schedule, expected):
    from tasks.training.batches import learning_rates

    rates = learning_rates(schedule, 0.5, 1000)
    found = {share: float(rates(10 * share)) / 0.5 for share in expected}
    assert found == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("updates", [1, 2, 3])
@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_the_shortest_trainings_have_a_learning_rate(schedule, updates):
    from tasks.training.batches import learning_rates

    rates = [float(learning_rates(schedule, 0.5, updates)(step)) for step in range(updates + 1)]
    assert all(0 <= rate <= 0.5 for rate in rates)
    assert rates[0] > 0


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_each_update_has_its_learning_rate_and_the_checkpoint_all_variables(
    folder, whole, schedule
):
    from tasks.network.assemble import assemble
    from tasks.training.batches import learning_rates

    train(folder, changed(FIT, schedule=schedule, epochs=6), keep_state=True)
    state = np.load(folder.scratch("fit.npz"))
    model = assemble(folder, 0)
    model.optimizer.build(model.trainable_variables)
    names = [variable.name for variable in [*model.variables, *model.optimizer.variables]]
    last = float(learning_rates(schedule, 0.1, 6 * BATCHES)(6 * BATCHES - 1))
    assert state[f"now{names.index('learning_rate')}"] == pytest.approx(last)
    assert last < 0.01
    with (
        h5py.File(folder.path / "best.weights.h5") as ours,
        h5py.File(whole.path / "best.weights.h5") as constant,
    ):
        assert list(ours["optimizer/vars"]) == list(constant["optimizer/vars"])


def test_patience_ends_the_training_and_the_history(whole, tmp_path):
    folder = tiny.compiled(tmp_path / "tiny")
    told = []
    watchers.append(lambda done, text: told.append((done, text)))
    try:
        said = train(folder, changed(FIT, epochs=50, patience=1))
    finally:
        watchers.clear()
    found = history(folder)
    best, last = int(np.argmin(found["val_loss"])) + 1, len(found["val_loss"])
    assert last == best + 1 < FIT.epochs + 1
    lowest = f"lowest val_loss {min(found['val_loss']):.4g} in epoch {best}"
    assert said == f"{last} epochs of 50, stopped by patience, {lowest}"
    assert told[-1][0] == 1
    assert f"epoch {last}/50: " in told[-1][1]
    assert found["val_loss"] == history(whole)["val_loss"][:last]
    assert outputs(folder)["best.weights.h5"] == outputs(whole)["best.weights.h5"]


@pytest.mark.parametrize("lost", ["fit.npz", "best.weights.h5"])
def test_a_training_that_patience_ended_is_not_continued_but_may_be_repeated(watch, tmp_path, lost):
    folder = tiny.compiled(tmp_path / "tiny")
    params = changed(FIT, epochs=50, patience=1)
    train(folder, params, keep_state=True)
    before, trained = outputs(folder), watch.trained
    (folder.scratch(lost) if lost == "fit.npz" else folder.path / lost).unlink()
    watch.trained = 0
    train(folder, params, keep_state=True)
    assert outputs(folder) == before
    assert watch.trained == (trained if lost == "fit.npz" else 0)


def test_balanced_classes_count_the_same():
    from tasks.training.batches import row_weights

    y = np.array([0, 0, 0, 0, 0, 0, 2, 2, 5], dtype=np.uint8)
    weights = row_weights(y, "balanced")
    assert [weights[y == kind].sum() for kind in (0, 2, 5)] == pytest.approx([3, 3, 3])
    np.testing.assert_array_equal(row_weights(np.eye(6)[y], "balanced"), weights)


@pytest.mark.parametrize("labels", ["classes", "one_hot", "binary"])
def test_a_class_with_more_weight_is_found_more_often(tmp_path, labels):
    from tasks.network.backend import keras

    def found(name: str, weights) -> np.ndarray:
        folder = tiny.compiled(tmp_path / name, labels)
        train(folder, changed(FIT, epochs=8, class_weights=weights))
        model = assemble(folder, seed=0)
        model.load_weights(folder.path / "best.weights.h5")
        (x,) = read_arrays(folder, "normalized.npz", "x_test")
        output = model.predict(x, verbose=0)
        keras.utils.clear_session()
        return (1 - output if labels == "binary" else output)[:, 0]

    from tasks.core.arrays import read_arrays
    from tasks.network.assemble import assemble

    rest = [1.0] * (1 if labels == "binary" else 2)
    same, alike, more = (
        found("same", None),
        found("alike", [1.0, *rest]),
        found("more", [20.0, *rest]),
    )
    np.testing.assert_allclose(alike, same, atol=1e-4)
    assert more.mean() > same.mean() + 0.2


def test_images_are_moved_and_turned_each_by_itself_and_by_the_update_alone():
    from tasks.training.batches import Batches

    x = np.random.default_rng(0).random((200, 5, 7), np.float32)
    turned, moved = (
        Batches(x, np.zeros(200), 200, 1, 0, **how) for how in ({"flip": True}, {"shift": 1})
    )
    mirrored = [
        np.array_equal(new, old[:, ::-1])
        for new, old in zip(turned.varied(x, 4).numpy(), x, strict=True)
    ]
    same = [
        np.array_equal(new, old) for new, old in zip(turned.varied(x, 4).numpy(), x, strict=True)
    ]
    assert np.array_equal(np.array(mirrored), ~np.array(same))
    assert 70 < sum(mirrored) < 130
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
    seen = set()
    for row, new in enumerate(moved.varied(x, 4).numpy()):
        places = [
            (i, j)
            for i in range(3)
            for j in range(3)
            if np.array_equal(new, padded[row, i : i + 5, j : j + 7])
        ]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) == 9
    np.testing.assert_array_equal(moved.varied(x, 4), moved.varied(x, 4))
    assert not np.array_equal(moved.varied(x, 4), moved.varied(x, 5))


@pytest.mark.parametrize(
    ("labels", "how", "message"),
    [
        (
            "regression",
            {"flip": True},
            r"fit\.flip and fit\.shift are for images, but .* shape \(1,\)\. Set them to",
        ),
        ("regression", {"shift": 1}, r"fit\.flip and fit\.shift are for images"),
        ("classes", {"shift": tiny.SIDE}, r"fit\.shift is 4, but the images are 4 x 4 pixels\."),
        (
            "regression",
            {"class_weights": "balanced"},
            r"fit\.class_weights is .* this is a regression\. Set it",
        ),
        (
            "classes",
            {"class_weights": [1.0, 2.0]},
            r"class_weights has 2 weights, but there are 3 classes\. Exp",
        ),
        (
            "binary",
            {"class_weights": [1.0]},
            r"class_weights has 1 weights, but there are 2 classes\. Exp",
        ),
    ],
)
def test_what_has_no_meaning_for_the_data_is_refused(tmp_path, labels, how, message):
    folder = tiny.compiled(tmp_path / "tiny", labels)
    with pytest.raises(UserError, match=message):
        train(folder, changed(FIT, **how))


def test_xla_varies_images_in_the_same_way():
    from tasks.network.backend import tf
    from tasks.training.batches import Batches

    x = np.random.default_rng(0).random((20, 5, 7, 3), np.float32)
    batches = Batches(x, np.zeros(20), 20, 1, 0, flip=True, shift=2)
    compiled = tf.function(lambda: batches.varied(batches.x, 4), jit_compile=True)
    np.testing.assert_array_equal(compiled(), batches.varied(x, 4))


def test_a_block_counts_the_work_of_convolutions_at_every_pixel(tmp_path):
    from tasks.network.assemble import assemble
    from tasks.network.describe import multiply_adds, slow_with_xla

    dense, convolutions = (
        tiny.compiled(tmp_path / "dense"),
        tiny.compiled(tmp_path / "cnn", build_params=CNN),
    )
    dense, convolutions = assemble(dense, 0), assemble(convolutions, 0)
    assert multiply_adds(dense) == 16 * 6 + 6 * 3
    assert multiply_adds(convolutions) == 16 * 9 * 4 + 4 * 9 * 4 * 5 + 5 * 3
    dropping = tiny.compiled(tmp_path / "dropout", build_params=changed(tiny.BUILD, dropout=0.2))
    models = (dense, convolutions, assemble(dropping, 0))
    assert [slow_with_xla(model) for model in models] == [False, True, True]


def test_where_a_training_resumes_is_known_before(half, whole):
    assert resumes(half, FIT) == f"resumes in epoch {HALF // BATCHES + 1} of {FIT.epochs}"
    assert resumes(half, changed(FIT, seed=1)) == ""
    assert resumes(whole, FIT) == ""  # nothing is left
    assert resumes(whole, changed(FIT, epochs=9)) == f"resumes in epoch {FIT.epochs + 1} of 9"


# Starting anew.


@pytest.mark.parametrize("params", [{"seed": 1}, {"monitor": "loss"}], ids=str)
def test_other_parameters_do_not_resume_from_this_state(half, watch, tmp_path, params):
    train(copy(half, tmp_path), changed(FIT, epochs=2, **params))
    assert watch.trained == 2 * BATCHES


@pytest.mark.parametrize("name", ["normalized.npz", "architecture.json", "compile.json"])
def test_other_inputs_do_not_resume_from_this_state(half, watch, tmp_path, name):
    folder = copy(half, tmp_path)
    if name == "normalized.npz":
        with np.load(folder.path / name) as file:
            arrays = dict(file)
        write_arrays(folder, name, **{**arrays, "x_train": arrays["x_train"] / 2})
    else:
        text = (folder.path / name).read_text()
        folder.write_text(
            name,
            text.replace('"relu"', '"tanh"').replace(
                '"learning_rate": 0.1', '"learning_rate": 0.2'
            ),
        )
        assert (folder.path / name).read_text() != text
    train(folder, changed(FIT, epochs=2))
    assert watch.trained == 2 * BATCHES


def halve(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    where = content.index(b"now0.npy") + 200  # in the numbers of the first array
    return content[:where] + bytes([content[where] ^ 255]) + content[where + 1 :]


@pytest.mark.parametrize("damage", [halve, flip])
def test_a_damaged_state_is_not_used_and_a_warning_says_so(
    half, whole, watch, tmp_path, caplog, damage
):
    folder = copy(half, tmp_path)
    state = folder.scratch("fit.npz")
    state.write_bytes(damage(state.read_bytes()))
    train(folder, FIT)
    assert watch.trained == TOTAL
    assert outputs(folder) == outputs(whole)
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert warnings[0].startswith("fit.npz cannot be read")


# More epochs later. `reload_best` removes the state once the outputs are safe, except a kept one.


def test_a_kept_state_makes_more_epochs_cost_only_those(folder, whole, watch):
    train(folder, changed(FIT, epochs=2), keep_state=True)
    folder.scratch("fit.npz").unlink()
    watch.trained = 0
    train(folder, FIT)
    assert watch.trained == (FIT.epochs - 2) * BATCHES
    assert outputs(folder) == outputs(whole)


def test_the_same_epochs_again_are_trained_again(whole, watch, tmp_path):
    folder = copy(whole, tmp_path)
    folder.scratch("fit.npz").unlink()
    train(folder, FIT)  # so a forced run proves something
    assert watch.trained == TOTAL
    assert outputs(folder) == outputs(whole)


def test_fewer_epochs_do_not_take_a_later_state(whole, watch, tmp_path):
    folder = copy(whole, tmp_path)
    train(folder, changed(FIT, epochs=1))
    assert watch.trained == BATCHES
    assert history(folder)["val_loss"] == history(whole)["val_loss"][:1]


def test_nothing_is_left_to_a_tuner_for_which_keras_would_wait_at_the_end():
    from tasks.network.feed import in_batches
    from tasks.training.batches import Batches

    x, y = np.zeros((8, 2), np.float32), np.zeros(8, np.uint8)
    for dataset in (Batches(x, y, 2, 2, 0).dataset(range(3), 0), in_batches(x, y, 2)):
        assert (
            dataset.options().autotune.enabled is False
        )  # the wait itself comes in some runs only


def test_no_rows_stay_in_memory_after_a_training(folder):
    from tasks.network.backend import tf
    from tasks.network.feed import in_batches

    train(folder)
    gc.collect()
    tensors = [each for each in gc.get_objects() if isinstance(each, type(tf.constant(0)))]
    assert [each.shape for each in tensors if each.shape[:1] == tiny.ROWS["train"]] == []

    x, y = np.zeros((8, 2), np.float32), np.zeros(8, np.uint8)
    held, dataset = weakref.ref(x), in_batches(x, y)
    del x, y
    assert len(list(dataset)) == 1
    del dataset
    gc.collect()
    assert held() is None


def test_history_has_every_digit(whole):
    about = json.loads(str(np.load(whole.scratch("fit.npz"))["about"]))
    assert [row["val_loss"] for row in about["history"]] == history(whole)["val_loss"]


def test_keras_does_not_import_what_nothing_here_uses_and_others_may():
    code = (
        "import importlib, sys, threading\n"
        "work, backend = importlib.import_module, ('tasks.network.backend',)\n"
        "thread = threading.Thread(target=work, args=backend)\n"
        "thread.start()\n"
        "while 'tensorflow' not in sys.modules: pass\n"
        "import {}\n"
        "thread.join()\n"
        "hidden = ('matplotlib', 'pandas', 'scipy', 'sklearn')\n"
        "print([name for name in hidden if name in sys.modules])\n"
        "import pandas, sklearn.metrics"
    )
    for meanwhile, found in (("json", []), ("matplotlib", ["matplotlib"])):
        command = [sys.executable, "-W", "ignore", "-c", code.format(meanwhile)]
        assert subprocess.run(
            command, check=True, capture_output=True, text=True
        ).stdout.strip() == str(found)


def test_what_other_threads_draw_does_not_change_the_weights(tmp_path):
    """Prefect's threads draw from Python's generator at any time."""
    from tasks.network.assemble import assemble

    folder = tiny.compiled(tmp_path / "tiny")
    alone = [array.tolist() for array in assemble(folder, 0).get_weights()]
    over = threading.Event()

    def draw():
        while not over.is_set():
            random.random()

    thread, interval = threading.Thread(target=draw), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        for _ in range(5):
            assert [array.tolist() for array in assemble(folder, 0).get_weights()] == alone
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(interval)


def test_a_state_from_another_environment_is_not_continued_and_said(
    tmp_path, half, whole, watch, caplog
):
    folder = copy(half, tmp_path)
    state = folder.scratch("fit.npz")
    with np.load(state) as saved:
        arrays = dict(saved)
    about = json.loads(str(arrays["about"]))
    about["environment"]["cpu"] = ["another"]
    np.savez(state, **{**arrays, "about": np.array(json.dumps(about))})

    train(folder)
    assert watch.trained == TOTAL
    assert "fit.npz was saved elsewhere" in caplog.text
    assert "cpu was ['another'], here [" in caplog.text
    assert outputs(folder) == outputs(whole)


def test_a_training_whose_time_is_over_says_which_key_and_resumes(tmp_path, whole, watch):
    folder = tiny.compiled(tmp_path / "tiny")
    for done in range(2):
        with (
            at_most(1e-9, "run.timeouts.fit"),
            pytest.raises(
                TimedOut, match=r"^run\.timeouts\.fit is 1e-09 seconds: stopped in epoch 1"
            ),
        ):
            train(folder)
        assert watch.trained == done + 1
    train(folder)
    assert watch.trained == TOTAL
    assert outputs(folder) == outputs(whole)


def test_another_number_of_threads_in_one_process_is_refused(half):
    with pytest.raises(UserError, match=r"^fit\.threads is 3, but TensorFlow computes with 2"):
        train(half, changed(FIT, threads=3))


def test_weights_made_in_memory_are_those_that_keras_writes(tmp_path, whole):
    from tasks.network import saving
    from tasks.network.assemble import assemble

    model = assemble(whole, seed=0)
    model.optimizer.build(model.trainable_variables)
    model.save_weights(tmp_path / "by-keras.weights.h5")
    assert saving.weights(model) == (tmp_path / "by-keras.weights.h5").read_bytes()
