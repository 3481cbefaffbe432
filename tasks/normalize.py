"""Step 2, normalize: scale the inputs, hold out the validation split, and write `normalized.npz` and `schema.json`."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tasks.arrays import read_arrays, write_arrays
from tasks.base import Folder, Section, UserError, log


class Params(Section):
    scale: Literal["pixels", "none"] = Field(description="`pixels` divides by 255; `none` leaves the values.")
    validation: Annotated[int, Field(gt=0)] | Literal["test", "none"] = Field(
        description="Training rows to hold out, classes in proportion; or `test` for the test rows; or `none`."
    )
    seed: int = Field(ge=0, lt=2**32, description="Which rows are held out.")


def normalize(folder: Folder, params: Params) -> str:
    """Read `raw.npz`; write `normalized.npz` (float32, `x_* y_*` for train, val and test) and `schema.json`.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: more rows are to be held out than there are, or pixels lie outside 0 to 255.
    """
    x_train, y_train, x_test, y_test, names = read_arrays(
        folder, "raw.npz", "x_train", "y_train", "x_test", "y_test", "class_names"
    )
    before = [float(x_train.min()), float(x_train.max())]
    if params.scale == "pixels":
        for name, x in (("x_train", x_train), ("x_test", x_test)):
            if not (x.min() >= 0 and x.max() <= 255):  # also if one is no number
                raise UserError(
                    f"normalize.scale is `pixels`, but {name} lies between {x.min():g} and {x.max():g}, "
                    "not between 0 and 255. Set `scale: none`, or correct the data."
                )
        x_train, x_test = x_train / np.float32(255), x_test / np.float32(255)
    x_train, x_test = x_train.astype(np.float32, copy=False), x_test.astype(np.float32, copy=False)
    after = [float(x_train.min()), float(x_train.max())]
    log.info("min %g, max %g before; min %g, max %g after", *before, *after)

    kind, classes = _labels(y_train)
    if params.validation == "test":
        log.warning("normalize.validation is `test`: the checkpoint is chosen on the test set, so its score flatters")
        x_val, y_val = x_test, y_test
    else:
        held = 0 if params.validation == "none" else params.validation
        if held >= len(x_train):
            raise UserError(
                f"normalize.validation is {held:,}, but there are {len(x_train):,} training rows. Hold out fewer."
            )
        rows = held_out(y_train if kind != "regression" else np.zeros(len(y_train), int), held, params.seed)
        x_val, y_val = x_train[rows], y_train[rows]
        x_train, y_train = x_train[~rows], y_train[~rows]

    write_arrays(
        folder, "normalized.npz",
        x_train=x_train, y_train=y_train, x_val=x_val, y_val=y_val, x_test=x_test, y_test=y_test,
    )  # fmt: skip
    schema = {
        "labels": kind,
        "classes": classes,
        "class_names": [str(name) for name in names] or [str(k) for k in range(classes)],
        "input_shape": list(x_train.shape[1:]),
        "rows": {"train": len(x_train), "val": len(x_val), "test": len(x_test)},
        "min_max": {"before": before, "after": after},
    }
    folder.write_json("schema.json", schema)
    return f"{len(x_train):,} to train on, {len(x_val):,} to validate on, {len(x_test):,} to test"


def _labels(y: np.ndarray) -> tuple[str, int]:
    """What the labels are, which decides the output layer and the loss, and how many classes there are."""
    if y.ndim == 2 and y.shape[1] > 1:
        return "one_hot", y.shape[1]
    if np.issubdtype(y.dtype, np.floating):
        return "regression", 0
    classes = int(y.max()) + 1
    return ("binary", 2) if classes == 2 else ("classes", classes)


def held_out(y: np.ndarray, count: int, seed: int) -> np.ndarray:
    """A mask of `count` rows, drawn by seed, with every class in the proportion that it has in `y` (to one row)."""
    labels = y.argmax(axis=1) if y.ndim == 2 else y.reshape(-1)
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    evenly = np.floor((np.arange(count) + 0.5) * len(labels) / max(count, 1)).astype(int)
    mask = np.zeros(len(labels), bool)
    mask[by_class[evenly]] = True
    return mask
