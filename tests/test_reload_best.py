"""Step 7, reload_best: a model file with the best weights, and no date in it."""

from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.reload_best import NO_DATE, Params, reload_best
from tests.support import tiny

BEST_SEED = 3  # the weights that these tests take for the best ones


@pytest.fixture
def folder(tmp_path) -> Folder:
    return with_checkpoint(tmp_path / "tiny")


def with_checkpoint(path) -> Folder:
    from tasks.network.assemble import assemble

    folder = tiny.compiled(path)
    assemble(folder, BEST_SEED).save_weights(folder.path / "best.weights.h5")
    return folder


def test_model_predicts_exactly_as_one_with_the_best_weights(folder):
    from tasks.network.assemble import assemble
    from tasks.network.backend import keras

    x = np.load(folder.path / "normalized.npz")["x_test"]
    reload_best(folder, Params())
    found = keras.models.load_model(folder.path / "model.keras").predict(x, verbose=0)
    np.testing.assert_array_equal(found, assemble(folder, BEST_SEED).predict(x, verbose=0))
    assert not np.array_equal(found, assemble(folder, 0).predict(x, verbose=0))


def test_model_is_compiled_as_it_was_trained(folder):
    from tasks.network.backend import keras

    reload_best(folder, Params())
    model = keras.models.load_model(folder.path / "model.keras")
    assert model.loss == "sparse_categorical_crossentropy"
    assert float(model.optimizer.learning_rate) == pytest.approx(tiny.COMPILE.learning_rate)


def test_no_date_is_in_the_file(folder):
    reload_best(folder, Params())
    with zipfile.ZipFile(folder.path / "model.keras") as file:
        assert file.testzip() is None
        assert {member.date_time for member in file.infolist()} == {NO_DATE}
        assert json.loads(file.read("metadata.json"))["date_saved"] == ""


def test_same_weights_give_the_same_bytes(folder, tmp_path):
    other = with_checkpoint(tmp_path / "other" / "tiny")
    for each in (folder, other):
        reload_best(each, Params())
    assert tiny.content(folder, "model.keras") == tiny.content(other, "model.keras")


def test_the_state_of_fit_is_removed_except_a_kept_one(folder):
    for name in ("fit.npz", "kept.npz"):
        folder.scratch(name).parent.mkdir(exist_ok=True)
        folder.scratch(name).touch()
    before = {path.name for path in folder.path.iterdir()}
    reload_best(folder, Params())
    assert [path.name for path in folder.scratch("").iterdir()] == ["kept.npz"]
    assert {path.name for path in folder.path.iterdir()} == before | {
        "model.keras"
    }  # no unfinished file is left


def test_a_failure_leaves_everything_as_it_was(folder, monkeypatch):
    """Like a disk that is full when half of the file is written."""

    def fail(self, *arguments, **more):
        raise OSError(28, "No space left on device")

    folder.write_text("model.keras", "the last one")
    folder.scratch("fit.npz").parent.mkdir(exist_ok=True)
    folder.scratch("fit.npz").touch()
    before = {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()}
    monkeypatch.setattr(zipfile.ZipFile, "writestr", fail)
    with pytest.raises(OSError, match="No space left"):
        reload_best(folder, Params())
    assert {path: path.read_bytes() for path in folder.path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "damage", [lambda content: content[: len(content) // 2], lambda _: b""], ids=["cut", "empty"]
)
@pytest.mark.parametrize("name", ["best.weights.h5", "architecture.json"])
def test_a_damaged_input_is_named(folder, name, damage):
    (folder.path / name).write_bytes(damage((folder.path / name).read_bytes()))
    with pytest.raises(
        UserError, match=rf"{name} is damaged \(.*\): delete it, and it is made again"
    ):
        reload_best(folder, Params())
    assert not list(folder.path.glob("*.keras"))


def test_a_file_that_memory_is_too_short_for_is_not_damaged(folder):
    """Else the next run would delete it, here and in DVC's cache."""
    with pytest.raises(MemoryError), folder.reading("architecture.json"):
        np.empty(2**62, np.uint8)


def test_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(UserError, match=r"best\.weights\.h5 is missing: an earlier step makes it"):
        reload_best(tiny.compiled(tmp_path / "tiny"), Params())
