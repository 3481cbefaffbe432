"""NPZ: one file of NumPy arrays with Keras's names, `x_train y_train x_test y_test`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from pydantic import Field

from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import scale
from tasks.sources.base import (
    EXACT,
    SOURCE,
    SPLITS,
    Dataset,
    Labelled,
    New,
    arranged,
    check_given,
    numbered_rows,
)
from tasks.sources.labels import Labels, distinct, numbered, targets
from tasks.sources.place import Place

EXPECTED = "an .npz file with x_train and y_train, and perhaps x_val and y_val, x_test and y_test"
SHAPES = "(rows, features), (rows, height, width) or (rows, height, width, 3)"


class Params(Labelled):
    source: Literal["npz"] = SOURCE
    task: Literal["classes", "regression"] = Field(
        description="Whether y has classes or regression targets."
    )


def find(params: Params, folder: Folder) -> Dataset:
    """The arrays of the file: gray or colour images, or features; with labels of any kind.

    Raises:
        UserError: an array is missing or damaged, or has a shape or values that it cannot have.
    """
    file = Place.named(params.path, folder).existing(EXPECTED, folder=False)
    arrays = _read(file)
    check_given(params, "x_test" in arrays, "x_test and y_test")

    splits = [split for split in SPLITS if f"x_{split}" in arrays]
    x = {split: _inputs(file, f"x_{split}", arrays[f"x_{split}"]) for split in splits}
    labels = {split: arrays[f"y_{split}"] for split in splits}
    for split in splits:
        _check_rows(file, split, x, labels)

    names: list[str] = []
    if params.task == "regression":
        y = _targets(file, labels)
    else:
        y, names = _classes(file, labels)
    found = arranged(params, {"x": x, "y": y, "from": numbered_rows(y)}, names)
    return Dataset(found, params.path, names)


def _read(file: Place) -> dict[str, np.ndarray]:
    """The arrays of each split that is there, checked one by one."""
    try:
        with open(file.path, "rb") as opened, np.load(opened, allow_pickle=False) as content:
            known = [f"{kind}_{split}" for split in SPLITS for kind in "xy"]
            found = {name: content[name] for name in known if name in content.files}
            there = ", ".join(content.files) or "nothing"
    except Exception as error:  # whatever NumPy and zipfile say of a file that is damaged
        why = str(error).splitlines()[0][:120]
        raise UserError(
            f"{file} cannot be read ({why}). Expected {EXPECTED}, without Python objects."
        ) from None

    for split in SPLITS:
        both = (f"x_{split}", f"y_{split}")
        if split == "train" or set(both) & set(found):
            for name in both:
                _check_array(file, name, found, there)
    return {name: array.astype(np.uint8) if array.dtype == bool else array
            for name, array in found.items()}  # fmt: skip


def _check_array(file: Place, name: str, found: dict[str, np.ndarray], there: str) -> None:
    if name not in found:
        raise UserError(
            f"{file}: no array {name}. It has {there}. Expected {EXPECTED}: save it under that "
            "name."
        )
    array = found[name]
    if array.ndim == 0 or not len(array):
        raise UserError(f"{file}: {name} has no rows. Expected some.")
    if array.dtype.kind not in "biuf":
        raise UserError(
            f"{file}: {name} has the type {array.dtype}. Expected numbers: save it as such."
        )
    bad = np.argwhere(~np.isfinite(array)) if array.dtype.kind == "f" else np.empty((0, 1))
    if len(bad):
        raise UserError(
            f"{file}: {name} has {len(bad):,} values that are NaN or infinite, the first in row "
            f"{int(bad[0][0])}. Fill them or leave the rows out."
        )


def _inputs(file: Place, name: str, x: np.ndarray) -> np.ndarray:
    """Inputs in a shape that models take; a single channel is gray."""
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    colours = x.shape[3] if x.ndim == 4 else 3
    if x.ndim not in (2, 3, 4) or colours != 3 or 0 in x.shape:
        channels = f", with {x.shape[3]} channels" if x.ndim == 4 else ""
        raise UserError(
            f"{file}: {name} has the shape {x.shape}{channels}. "
            f"Expected numbers of the shape {SHAPES}."
        )
    return x


def _check_rows(file: Place, split: str, x: dict[str, np.ndarray], labels: Labels) -> None:
    """One label a row, and rows of one shape in all splits."""
    rows = len(labels[split])
    if len(x[split]) != rows:
        raise UserError(
            f"{file}: x_{split} has {len(x[split]):,} rows and y_{split} {rows:,}. "
            "Expected one label for each row."
        )
    shape, other = x[split].shape[1:], x["train"].shape[1:]
    if shape != other:
        raise UserError(
            f"{file}: a row of x_{split} has the shape {shape}, a row of x_train {other}. "
            "Expected the same shape."
        )


def _targets(file: Place, labels: Labels) -> Labels:
    for split, y in labels.items():
        if y.size != len(y):
            raise UserError(
                f"{file}: y_{split} has the shape {y.shape}. Expected one number a row: "
                f"({len(y)},)."
            )
    return targets({split: y.reshape(-1) for split, y in labels.items()}, file)


def _classes(file: Place, labels: Labels) -> tuple[Labels, list[str]]:
    """One-hot rows as they are; or whole numbers, as 0 to k-1; and the classes' names."""
    if all(y.ndim == 2 and y.shape[1] > 1 for y in labels.values()):
        return _one_hot(file, labels), [str(k) for k in range(labels["train"].shape[1])]

    whole = {}
    for split, y in labels.items():
        if y.size != len(y):
            mixed = " in all of them" if len({y.ndim for y in labels.values()}) > 1 else ""
            raise UserError(
                f"{file}: y_{split} has the shape {y.shape}. "
                f"Expected ({len(y)},), or one-hot rows{mixed}."
            )
        y = y.reshape(-1)
        bad = np.flatnonzero((y < 0) | (y != np.floor(y)) | (y > EXACT))
        if len(bad):
            raise UserError(
                f"{file}: y_{split} has the label {y[bad[0]]:g} in row {bad[0]}. Expected classes "
                "as whole numbers from 0: number them, or set `task: regression`."
            )
        whole[split] = y.astype(np.int64)
    return numbered(whole, file)


def _one_hot(file: Place, labels: Labels) -> Labels:
    for split, y in labels.items():
        bad = np.flatnonzero((y.sum(axis=1) != 1) | ((y != 0) & (y != 1)).any(axis=1))
        if len(bad):
            raise UserError(
                f"{file}: row {bad[0]} of y_{split} is not one-hot. "
                "Expected a single 1 among zeros."
            )
        count = labels["train"].shape[1]
        if y.shape[1] != count:
            raise UserError(
                f"{file}: y_train has {count} classes, y_{split} {y.shape[1]}. Expected the same "
                "classes in both."
            )
    distinct({split: y.argmax(axis=1) for split, y in labels.items()}, file)
    return {split: y.astype(np.uint8) for split, y in labels.items()}


def new(place: Place, schema: dict[str, Any], folder: Folder) -> Iterator[New]:
    """Arrays to predict: `x_test` or `x` of an .npz file, perhaps with `y_test` or `y`.

    Args:
        place: the file.
        schema: the content of `schema.json`.
        folder: the pipeline's folder.

    Raises:
        UserError: there is no such array, or its rows have another shape than
            the training rows, or another scale.
    """
    expected = "an .npz file with x, or x_test, and perhaps y, or y_test"
    file = place.existing(expected, folder=False)
    try:
        with open(file.path, "rb") as opened, np.load(opened, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except Exception as error:  # whatever NumPy and zipfile say of a file that is damaged
        why = str(error).splitlines()[0][:120]
        raise UserError(f"{file} cannot be read ({why}). Expected {expected}.") from None

    name = "x_test" if "x_test" in arrays else "x"
    _check_array(file, name, arrays, ", ".join(arrays) or "nothing")
    x = _inputs(file, name, arrays[name])
    if list(x.shape[1:]) != schema["input_shape"]:
        raise UserError(
            f"{file}: a row of {name} has the shape {x.shape[1:]}. "
            f"Expected that of the training rows, {tuple(schema['input_shape'])}."
        )
    x = scale.as_trained(f"{file}: {name}", x, schema)
    yield New(x, [f"row {row}" for row in range(len(x))], _labels(file, arrays, schema, len(x)))


def _labels(
    file: Place, arrays: dict[str, np.ndarray], schema: dict[str, Any], rows: int
) -> np.ndarray | None:
    y = arrays.get("y_test", arrays.get("y"))
    if y is None:
        return None
    if len(y) != rows:
        raise UserError(
            f"{file} has {rows:,} rows of x and {len(y):,} of y. Expected one label for each row, "
            "or no y."
        )
    if schema["labels"] == "regression":
        return y.reshape(-1)
    return (y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)).astype(str)
