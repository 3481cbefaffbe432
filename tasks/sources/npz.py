"""NPZ: one file of NumPy arrays with Keras's names, `x_train y_train x_test y_test`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from tasks.core.step import UserError
from tasks.sources.base import (
    SPLITS,
    Dataset,
    Labelled,
    arranged,
    check_given,
    distinct,
    existing,
    numbered,
    numbered_rows,
    to_predict,
)

EXPECTED = "an .npz file with x_train and y_train, and perhaps x_val and y_val, x_test and y_test"
SHAPES = "(rows, features), (rows, height, width) or (rows, height, width, 3)"


class Params(Labelled):
    source: Literal["npz"] = Field(description="Where the data is from, or the kind of its files.")
    task: Literal["classes", "regression"] = Field(description="Whether y are classes or numbers to predict.")


def find(params: Params) -> Dataset:
    """The arrays of the file: gray or colour images, or features; integers, one-hot rows or numbers to predict.

    Raises:
        UserError: an array is missing or damaged, or has another shape or other values than it can have.
    """
    path = existing(params.path, EXPECTED, folder=False)
    arrays = _read(path)
    check_given(params, "x_test" in arrays, "x_test and y_test")
    splits = [split for split in SPLITS if f"x_{split}" in arrays]
    x = {split: _inputs(path, f"x_{split}", arrays[f"x_{split}"]) for split in splits}
    for split in splits:
        rows = len(arrays[f"y_{split}"])
        if len(x[split]) != rows:
            raise UserError(f"{path}: x_{split} has {len(x[split]):,} rows and y_{split} {rows:,}. Expected as many.")
        if x[split].shape[1:] != x["train"].shape[1:]:
            raise UserError(
                f"{path}: a row of x_{split} has the shape {x[split].shape[1:]}, one of x_train "
                f"{x['train'].shape[1:]}. Expected the same."
            )
    labels = {split: arrays[f"y_{split}"] for split in splits}
    y, names = _numbers(path, labels) if params.task == "regression" else _classes(path, labels)
    return Dataset(arranged(params, {"x": x, "y": y, "from": numbered_rows(y)}, names), str(params.path), names)


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            names = [name for split in SPLITS for name in (f"x_{split}", f"y_{split}") if name in file.files]
            found = {name: file[name] for name in names}
            there = ", ".join(file.files) or "nothing"
    except Exception as error:  # whatever NumPy and zipfile say of a file that is another or damaged
        why = str(error).splitlines()[0][:120]
        raise UserError(f"{path} cannot be read ({why}). Expected {EXPECTED}, without Python objects.") from None
    wanted = ("train", *(split for split in SPLITS[1:] if {f"x_{split}", f"y_{split}"} & set(found)))
    for name in (f"{kind}_{split}" for split in wanted for kind in "xy"):
        if name not in found:
            raise UserError(f"{path}: no array {name}. It has {there}. Expected {EXPECTED}: save it under that name.")
        if found[name].ndim == 0 or not len(found[name]):
            raise UserError(f"{path}: {name} has no rows. Expected some.")
        if found[name].dtype.kind not in "biuf":
            raise UserError(f"{path}: {name} has the type {found[name].dtype}. Expected numbers: save it as such.")
        bad = np.argwhere(~np.isfinite(found[name])) if found[name].dtype.kind == "f" else ()
        if len(bad):
            raise UserError(
                f"{path}: {name} has {len(bad):,} values that are NaN or infinite, the first in row {bad[0][0]}. "
                "Fill them or leave the rows out."
            )
    return {name: array.astype(np.uint8) if array.dtype == bool else array for name, array in found.items()}


def _inputs(path: Path, name: str, x: np.ndarray) -> np.ndarray:
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    if x.ndim not in (2, 3, 4) or (x.ndim == 4 and x.shape[3] != 3) or 0 in x.shape:
        last = f", with {x.shape[3]} channels" if x.ndim == 4 else ""
        raise UserError(f"{path}: {name} has the shape {x.shape}{last}. Expected numbers of the shape {SHAPES}.")
    return x


def _numbers(path: Path, labels: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    for split, y in labels.items():
        if y.size != len(y):
            raise UserError(f"{path}: y_{split} has the shape {y.shape}. Expected one number a row: ({len(y)},).")
    return to_predict({split: y.reshape(-1) for split, y in labels.items()}, str(path)), []


def _classes(path: Path, labels: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    if all(y.ndim == 2 and y.shape[1] > 1 for y in labels.values()):
        return _one_hot(path, labels), [str(k) for k in range(labels["train"].shape[1])]
    whole = {}
    for split, y in labels.items():
        if y.size != len(y):
            every = " in all of them" if len({y.ndim for y in labels.values()}) > 1 else ""
            raise UserError(f"{path}: y_{split} has the shape {y.shape}. Expected ({len(y)},), or one-hot rows{every}.")
        y = y.reshape(-1)
        bad = np.flatnonzero((y < 0) | (y != np.floor(y)) | (y > 2**53))  # float64 has no larger one exactly
        if len(bad):
            raise UserError(
                f"{path}: y_{split} has the label {y[bad[0]]:g} in row {bad[0]}. Expected classes as whole numbers "
                "from 0: number them, or set `task: regression`."
            )
        whole[split] = y.astype(np.int64)
    return numbered(whole, str(path))


def _one_hot(path: Path, labels: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    for split, y in labels.items():
        bad = np.flatnonzero((y.sum(axis=1) != 1) | ((y != 0) & (y != 1)).any(axis=1))
        if len(bad):
            raise UserError(f"{path}: row {bad[0]} of y_{split} is no one-hot row. Expected a single 1 among zeros.")
        if y.shape[1] != labels["train"].shape[1]:
            raise UserError(
                f"{path}: y_train has {labels['train'].shape[1]} classes, y_{split} {y.shape[1]}. Expected as many."
            )
    distinct({split: y.argmax(axis=1) for split, y in labels.items()}, str(path))
    return {split: y.astype(np.uint8) for split, y in labels.items()}
