"""Step 2, normalize: check the data, scale the inputs, hold out the validation split, and write `normalized.npz`."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from pydantic import Field

from tasks.core.arrays import blocks, empty, read_arrays, write_arrays
from tasks.core.folder import Folder
from tasks.core.step import Section, UserError, log
from tasks.rows.checks import check, finite
from tasks.rows.splits import Amount, held_out


class Params(Section):
    scale: Literal["pixels", "standard", "none"] = Field(
        description="`pixels` divides by 255; `standard` gives each feature the mean 0 and the deviation 1 over the "
        "training rows; `none` leaves the values."
    )
    validation: Amount | Literal["given", "test", "none"] = Field(
        description="Training rows to hold out, or a share of them such as 0.2, classes in proportion; `given` for "
        "those that the data has, `test` for the test rows, or `none`."
    )
    seed: int = Field(ge=0, lt=2**32, description="Which rows are held out.")


def normalize(folder: Folder, params: Params) -> str:
    """Read `raw.npz`; write `normalized.npz` (`x_* y_*` for train, val and test), `schema.json` and `checks.json`.

    The inputs are float32. `row_train` and `row_val` say where these rows stand in the `x_train` of `raw.npz`; where
    the test rows validate, there is no `row_val`. `leaked_test` is a mask of the test rows that are training rows too,
    and `from_train` and `from_test` are those of `raw.npz`.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: nothing can be trained on the data, the validation rows cannot be had, or pixels lie outside 0 to
            255.
    """
    x_train, y_train, x_test, y_test, names, features, groups, given, from_train, from_test = read_arrays(
        folder, "raw.npz", "x_train", "y_train", "x_test", "y_test", "class_names", "feature_names?", "group_train?",
        "given_train?", "from_train?", "from_test?",
    )  # fmt: skip
    places = {} if from_train is None else {"from_train": from_train, "from_test": from_test}
    kind, classes = _labels(y_train)
    names = [str(name) for name in names] or [str(k) for k in range(classes)]
    rows = _validation(params, y_train, groups, names, given)
    splits = {"train": x_train, "test": x_test}, {"train": y_train, "test": y_test}
    checks, leaked = check(*splits, rows, names, features, [*from_train, *from_test] if places else None)

    before = [float(x_train.min()), float(x_train.max())]
    subtract, divide = _scaling(params.scale, x_train, x_test, rows)
    kept, held = np.flatnonzero(~rows), np.flatnonzero(rows)
    parts = (("x_train", x_train, kept), ("x_train", x_train, held), ("x_test", x_test, np.arange(len(x_test))))
    scaled = []
    for name, x, numbers in parts:
        scaled.append(_scaled(x, numbers, subtract, divide))
        way = "divide them" if params.scale == "standard" else "set `scale: standard`"
        advice = f"Its numbers are too large for float32: {way}."
        finite(f"Scaled, {name}", scaled[-1], features, advice, numbers)
    x_train, x_val, x_test = scaled
    trained = [part for part in (x_train, x_val) if len(part)]
    after = [float(min(part.min() for part in trained)), float(max(part.max() for part in trained))]
    log.info("min %g, max %g before; min %g, max %g after", *before, *after)

    y_val, row_val = y_train[held], {"row_val": held}
    if params.validation == "test":
        log.warning("normalize.validation is `test`: the checkpoint is chosen on the test set, so its score flatters")
        x_val, y_val, row_val = x_test, y_test, {}
    write_arrays(
        folder, "normalized.npz",
        x_train=x_train, y_train=y_train[kept], x_val=x_val, y_val=y_val, x_test=x_test, y_test=y_test,
        row_train=kept, **row_val, leaked_test=leaked, **places,
    )  # fmt: skip
    schema = {
        "labels": kind,
        "classes": classes,
        "class_names": names,
        "input_shape": list(x_train.shape[1:]),
        "rows": {"train": len(x_train), "val": len(x_val), "test": len(x_test)},
        "min_max": {"before": before, "after": after},
        # What new data needs too: (x - subtract) / divide, for each feature, or for each colour of an image.
        "scaling": {"subtract": subtract.tolist(), "divide": divide.tolist()},
    }
    if kind == "regression" and params.scale == "standard":
        # The model's last layer answers in the labels' own unit, whatever that is; see `build`.
        numbers = y_train[kept].astype(np.float64)
        schema["target"] = {"mean": numbers.mean(), "deviation": numbers.std() or 1.0}
    if features is not None:
        schema["feature_names"] = features.tolist()
    folder.write_json("schema.json", schema)
    folder.write_json("checks.json", checks)
    return f"{len(x_train):,} to train on, {len(x_val):,} to validate on, {len(x_test):,} to test"


def _validation(params: Params, y: np.ndarray, groups, names: list[str], given: np.ndarray | None) -> np.ndarray:
    """A mask of the training rows that are held out to validate on."""
    if (params.validation == "given") != (given is not None):
        there = "no validation rows. Set a share of the training rows: `validation: 0.2`"
        if given is not None:
            there = "validation rows of its own. Set `validation: given`"
        raise UserError(f"normalize.validation is `{params.validation}`, but the data has {there}.")
    if given is not None:
        return given
    if params.validation in ("test", "none"):
        return np.zeros(len(y), bool)
    return held_out("normalize.validation", params.validation, y, params.seed, groups, names)


def _labels(y: np.ndarray) -> tuple[str, int]:
    """What the labels are, which decides the output layer and the loss, and how many classes there are."""
    if y.ndim == 2 and y.shape[1] > 1:
        return "one_hot", y.shape[1]
    if np.issubdtype(y.dtype, np.floating):
        return "regression", 0
    classes = int(y.max()) + 1
    return ("binary", 2) if classes == 2 else ("classes", classes)


def _scaling(scale: str, x_train: np.ndarray, x_test: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is subtracted and what it is divided by then: a list of one for all, or of one a feature or colour."""
    if scale == "standard":
        return _standard(x_train, np.flatnonzero(~held))
    if scale == "none":
        return np.zeros(1), np.ones(1)
    for name, x in (("x_train", x_train), ("x_test", x_test)):
        if x.min() < 0 or x.max() > 255:
            raise UserError(
                f"normalize.scale is `pixels`, but {name} lies between {x.min():g} and {x.max():g}, "
                "not between 0 and 255. Set `scale: none` or `standard`, or correct the data."
            )
    if x_train.max() <= 1:
        raise UserError(
            f"normalize.scale is `pixels`, but x_train lies between {x_train.min():g} and {x_train.max():g}: little "
            "would be left of it, divided by 255. Set `scale: none`."
        )
    return np.zeros(1), np.full(1, 255.0)


def _standard(x: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of the rows that are trained on; what never varies is divided by 1."""
    columns = 1 if x.ndim == 3 else x.shape[-1]  # one for gray images; of colour images every pixel is a row
    count = len(rows) * math.prod(x.shape[1:]) // columns

    def total(of) -> np.ndarray:
        parts = (x[rows[some]].reshape(-1, columns) for some in blocks(x, len(rows)))
        return sum(of(part).sum(axis=0, dtype=np.float64) for part in parts)

    mean = total(lambda values: values) / count
    with np.errstate(over="ignore"):
        deviation = np.sqrt(total(lambda values: np.square(values - mean)) / count)
    if not np.isfinite(deviation).all():
        raise UserError("normalize.scale is `standard`: the squares of some numbers are beyond float64. Divide them.")
    constant = deviation <= 1e-12 * np.abs(mean)  # the mean of equal numbers may be off by a bit
    return mean, np.where(constant, 1.0, deviation)


def _scaled(x: np.ndarray, rows: np.ndarray, subtract: np.ndarray, divide: np.ndarray) -> np.ndarray:
    """Some of the rows, as float32."""
    scaled = empty((len(rows), *x.shape[1:]), np.float32)
    for some in blocks(scaled):
        values = x[rows[some]]
        # Large numbers that differ little, such as dates, would lose the difference as float32.
        values = values.astype(np.result_type(values.dtype, np.float32), copy=False)
        if subtract.any():
            values -= subtract.astype(values.dtype)
        if (divide != 1).any():
            values /= divide.astype(values.dtype)
        with np.errstate(over="ignore"):  # what is too large then is infinite, which is refused
            scaled[some] = values
    return scaled
