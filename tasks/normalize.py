"""Step 2, normalize: hold out the validation split, check the data, scale the inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from tasks.core.arrays import blocks, by_columns, empty, read_arrays, write_arrays
from tasks.core.folder import Folder
from tasks.core.step import Section, UserError, log
from tasks.rows.checks import Table, check, finite
from tasks.rows.encoding import Encoding, quantiles
from tasks.rows.leaks import suspected
from tasks.rows.scaling import Scaling
from tasks.rows.splits import Amount, held_out


class Params(Section):
    scale: Literal["pixels", "standard", "none"] = Field(
        description="`pixels` divides by 255; `standard` gives each feature the mean 0 and the "
        "standard deviation 1 over the training rows; `none` leaves the values."
    )
    validation: Amount | Literal["given", "test", "none"] = Field(
        description="Training rows to hold out, or a share of them such as 0.2, stratified; "
        "`given` for those that the data has, `test` for the test rows, or `none`."
    )
    seed: int = Field(ge=0, lt=2**32, description="Which rows are held out.")


Optional = Any  # an array, or None where the file has none


class Raw(NamedTuple):
    """`raw.npz`, as `load` writes it."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: np.ndarray
    feature_names: Optional = None
    group_train: Optional = None
    given_train: Optional = None
    from_train: Optional = None
    from_test: Optional = None
    load: Optional = None  # how new rows are read
    # What only a table has.
    feature_kinds: Optional = None
    words: Optional = None
    fill: Optional = None
    others_train: Optional = None
    others_test: Optional = None

    @classmethod
    def read(cls, folder: Folder) -> Raw:
        needed = [name for name in cls._fields if name not in cls._field_defaults]
        optional = tuple(cls._field_defaults)
        return cls(*read_arrays(folder, "raw.npz", *needed, optional=optional))


class Labels(NamedTuple):
    """What the labels are, which decides the output layer and the loss."""

    kind: str  # one_hot, regression, binary or classes
    classes: int  # how many; 0 for a regression
    names: list[str]  # of the classes


class Scaled(NamedTuple):
    """The inputs, scaled and split, with their labels."""

    scaling: Scaling
    arrays: dict[str, np.ndarray]  # x_* y_* row_*, as `normalized.npz` has them
    min_max: dict[str, list[float]]  # of the training rows, before and after


def normalize(folder: Folder, params: Params) -> str:
    """Read `raw.npz`; write `normalized.npz`, `schema.json` and `checks.json`.

    `normalized.npz` has `x_* y_*` for train, val and test, the inputs as float32. `row_train` and
    `row_val` are the places of these rows in the `x_train` of `raw.npz`; without `row_val` the
    test rows are the validation rows. `leaked_test` is a mask of the test rows that are training
    rows too; `from_train` and `from_test` are those of `raw.npz`.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: nothing can be trained on the data, the validation rows cannot be had, or
            pixels lie outside 0 to 255.
    """
    raw = Raw.read(folder)
    if raw.feature_kinds is not None:  # a table, whose columns are looked at one by one
        raw = raw._replace(x_train=by_columns(raw.x_train, folder.root))
    labels = _labels(raw)

    held = _hold_out(params, raw, labels)
    checks, leaked = _check(raw, labels, held)
    raw, encoding = _encode(folder, raw, held)
    scaled = _scale(folder, params, raw, held, encoding)
    schema = _describe(folder, params, raw, labels, scaled, encoding)
    if encoding:
        schema["suspects"] = suspected(checks)
    _write(folder, raw, scaled, leaked, schema, checks)

    rows = schema["rows"]
    return (
        f"{rows['train']:,} to train on, {rows['val']:,} to validate on, {rows['test']:,} to test"
    )


def _labels(raw: Raw) -> Labels:
    y = raw.y_train
    if y.ndim == 2 and y.shape[1] > 1:
        kind, classes = "one_hot", y.shape[1]
    elif np.issubdtype(y.dtype, np.floating):
        kind, classes = "regression", 0
    else:
        classes = int(y.max()) + 1
        kind = "binary" if classes == 2 else "classes"
    names = [str(name) for name in raw.class_names] or [str(k) for k in range(classes)]
    return Labels(kind, classes, names)


def _hold_out(params: Params, raw: Raw, labels: Labels) -> np.ndarray:
    """A mask of the training rows that are held out for validation."""
    given, chosen = raw.given_train, params.validation
    if chosen == "given" and given is None:
        raise UserError(
            "normalize.validation is `given`, but the data has no validation rows. "
            "Set a share of the training rows: `validation: 0.2`."
        )
    if chosen != "given" and given is not None:
        raise UserError(
            f"normalize.validation is `{chosen}`, but the data has validation rows of its own. "
            "Set `validation: given`."
        )

    if given is not None:
        return given
    if chosen == "test":
        log.warning(
            "normalize.validation is `test`: the checkpoint is chosen on the test rows, so the "
            "score is optimistic"
        )
    if isinstance(chosen, str):  # test or none
        return np.zeros(len(raw.y_train), bool)
    key = "normalize.validation"
    return held_out(key, chosen, raw.y_train, params.seed, raw.group_train, labels.names)


def _check(raw: Raw, labels: Labels, held: np.ndarray) -> tuple[list[dict], np.ndarray]:
    """The entries of `checks.json`, and a mask of the test rows that are training rows too."""
    x = {"train": raw.x_train, "test": raw.x_test}
    y = {"train": raw.y_train, "test": raw.y_test}
    places = None
    if raw.from_train is not None:
        places = np.concatenate([raw.from_train, raw.from_test])
    table = None
    if raw.feature_kinds is not None:
        others = {"train": raw.others_train, "test": raw.others_test}
        table = Table(raw.feature_kinds, others)
    return check(x, y, held, labels.names, raw.feature_names, places, table)


def _encode(folder: Folder, raw: Raw, held: np.ndarray) -> tuple[Raw, Encoding | None]:
    """The data with features instead of a table's columns; all other data as they are."""
    if raw.feature_kinds is None:
        return raw, None
    described = (raw.feature_names, raw.feature_kinds, raw.words, str(raw.fill))
    encoding = Encoding.of((column[~held] for column in raw.x_train.T), *described)
    encoded = {}
    for name in ("x_train", "x_test"):
        x = getattr(raw, name)
        encoded[name] = empty((len(x), len(encoding.features)), np.float64, folder.root)
        for some in blocks(encoded[name]):
            encoded[name][some] = encoding.apply(x[some], raw.words)
    return raw._replace(feature_names=np.array(encoding.features), **encoded), encoding


def _check_pixels(raw: Raw) -> None:
    for name, x in (("x_train", raw.x_train), ("x_test", raw.x_test)):
        if x.min() < 0 or x.max() > 255:
            raise UserError(
                f"normalize.scale is `pixels`, but {name} lies between {x.min():g} and "
                f"{x.max():g}. Expected 0 to 255: set `scale: none` or `standard`, or correct "
                "the data."
            )
    if raw.x_train.max() <= 1:
        low, high = raw.x_train.min(), raw.x_train.max()
        raise UserError(
            f"normalize.scale is `pixels`, but x_train lies between {low:g} and {high:g}, and "
            "would be divided by 255 again. Set `scale: none`."
        )


def _scale(
    folder: Folder, params: Params, raw: Raw, held: np.ndarray, encoding: Encoding | None
) -> Scaled:
    if params.scale == "pixels":
        _check_pixels(raw)
    row_train, row_val = np.flatnonzero(~held), np.flatnonzero(held)
    scaling = Scaling.of(params.scale, raw.x_train, row_train)
    if encoding and params.scale == "standard":
        scaling = scaling.only(encoding.scaled())

    # Scale the rows of each split, and refuse what does not fit into float32.
    way = "divide them" if params.scale == "standard" else "set `scale: standard`"
    advice = f"Its values are too large for float32: {way}."
    done = []
    for name, x, rows in (
        ("x_train", raw.x_train, row_train),
        ("x_train", raw.x_train, row_val),
        ("x_test", raw.x_test, np.arange(len(raw.x_test))),
    ):
        done.append(_scaled_rows(scaling, x, rows, folder.root))
        finite(f"The scaled {name}", done[-1], raw.feature_names, advice, rows)
    x_train, x_val, x_test = done

    min_max = _min_max(raw, [part for part in (x_train, x_val) if len(part)], encoding)
    y_val, numbers = raw.y_train[row_val], {"row_train": row_train, "row_val": row_val}
    if params.validation == "test":
        x_val, y_val, numbers = x_test, raw.y_test, {"row_train": row_train}
    arrays = {
        "x_train": x_train,
        "y_train": raw.y_train[row_train],
        "x_val": x_val,
        "y_val": y_val,
        "x_test": x_test,
        "y_test": raw.y_test,
        **numbers,
    }
    return Scaled(scaling, arrays, min_max)


def _scaled_rows(scaling: Scaling, x: np.ndarray, rows: np.ndarray, place: Path) -> np.ndarray:
    """Some of the rows, scaled block by block."""
    scaled = empty((len(rows), *x.shape[1:]), np.float32, place)
    for some in blocks(scaled):
        scaled[some] = scaling.apply(x[rows[some]])
    return scaled


def _min_max(
    raw: Raw, scaled: list[np.ndarray], encoding: Encoding | None
) -> dict[str, list[float]]:
    """The range of the training rows before and after, which is reported too."""
    before = [float(raw.x_train.min()), float(raw.x_train.max())]
    after = [float(min(part.min() for part in scaled)), float(max(part.max() for part in scaled))]
    if encoding:  # each column has a unit of its own
        counts = len(encoding.columns), len(encoding.features)
        log.info("%d columns became %d features; min %g, max %g after scaling", *counts, *after)
    else:
        log.info("min %g, max %g before; min %g, max %g after", *before, *after)
    return {"before": before, "after": after}


def _describe(
    folder: Folder,
    params: Params,
    raw: Raw,
    labels: Labels,
    scaled: Scaled,
    encoding: Encoding | None,
) -> dict[str, Any]:
    """The content of `schema.json`: what the model and new rows need to know of these data."""
    arrays = scaled.arrays
    schema: dict[str, Any] = {
        "labels": labels.kind,
        "classes": labels.classes,
        "class_names": labels.names,
        "input_shape": list(arrays["x_train"].shape[1:]),
        "rows": {split: len(arrays[f"x_{split}"]) for split in ("train", "val", "test")},
        "min_max": scaled.min_max,
        "scaling": scaled.scaling.to_json(),
    }
    if labels.kind == "regression" and params.scale == "standard":
        # The model's last layer answers in the target's own unit, whatever it is; see `build`.
        target = arrays["y_train"].astype(np.float64)
        schema["target"] = {"mean": target.mean(), "std": target.std() or 1.0}
    if raw.load is not None:
        schema["load"] = json.loads(str(raw.load)) | {"type": raw.x_train.dtype.str}
    if raw.feature_names is not None:
        schema["feature_names"] = raw.feature_names.tolist()
    if encoding:
        schema["columns"] = encoding.to_json()
        x_train = by_columns(arrays["x_train"], folder.root)
        schema["quantiles"] = quantiles(x_train, encoding.features)
    return schema


def _write(
    folder: Folder,
    raw: Raw,
    scaled: Scaled,
    leaked: np.ndarray,
    schema: dict[str, Any],
    checks: list[dict],
) -> None:
    places = {}
    if raw.from_train is not None:
        places = {"from_train": raw.from_train, "from_test": raw.from_test}
    write_arrays(folder, "normalized.npz", **scaled.arrays, leaked_test=leaked, **places)
    folder.write_json("schema.json", schema)
    folder.write_json("checks.json", checks)
