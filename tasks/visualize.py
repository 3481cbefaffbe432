"""Step 3, visualize: draw what the model will see, and find near-duplicates across the splits."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field

from tasks.core.arrays import classes_of, read_arrays
from tasks.core.folder import Folder
from tasks.core.step import Section, log
from tasks.rows import near_duplicates
from tasks.rows.near_duplicates import NearDuplicates
from tasks.rows.splits import joined

CHECK = "near-duplicates"
LISTED = 20  # pairs in near_duplicates.json; the count beside them is of all


class Params(Section):
    near: Annotated[float, Field(ge=0)] | None = Field(
        description="A test row is a near-duplicate of a training row if the root mean square of "
        "the differences of their values, as the model sees them, is at most this. Null or 0 does "
        "not look."
    )


Optional = Any  # an array, or None where the file has none


class Rows(NamedTuple):
    """`normalized.npz`; what only the search for near-duplicates needs may be None."""

    x_train: np.ndarray
    y_train: np.ndarray
    row_train: Optional = None
    x_val: Optional = None
    y_val: Optional = None
    row_val: Optional = None
    x_test: Optional = None
    y_test: Optional = None
    from_train: Optional = None
    from_test: Optional = None

    @classmethod
    def read(cls, folder: Folder, search: bool) -> Rows:
        more = tuple(cls._field_defaults) if search else ()
        return cls(*read_arrays(folder, "normalized.npz", "x_train", "y_train", optional=more))


def visualize(folder: Folder, params: Params) -> str:
    """Read `normalized.npz`; draw some rows, and the test rows that are near a training row.

    `samples.png` has the first ten training images with their labels; for a table up to ten
    features and how they separate the labels; for a single feature all points.
    `near_duplicates.png` has the closest pairs; `near_duplicates.json` what was found in words,
    the `count`, and the closest `rows`, numbered from 0 as in `raw.npz`.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: `normalized.npz` is missing or damaged.
    """
    from tasks.pictures import near_duplicates as pairs  # here: Matplotlib takes a second to import
    from tasks.pictures import samples

    schema = folder.read_json("schema.json")
    rows = Rows.read(folder, search=bool(params.near))
    said = samples.draw(folder, rows.x_train, rows.y_train, schema)

    if not params.near:
        value = "null" if params.near is None else 0
        says = f"not looked for: visualize.near is {value}"
        pairs.draw_text(folder, f"{CHECK}: {says}")
        _write(folder, "skipped", says)
        return said

    x_train, y_train = _as_in_raw(folder, rows)
    rows = rows._replace(x_train=x_train, x_val=None)  # which frees the parts
    found = near_duplicates.find(x_train, rows.x_test, params.near)
    if "columns" in schema:  # a table: `normalize` counts equal rows, and looks at all columns
        found = found.apart()
    some = _some(found, len(rows.x_test))
    says = _in_words(found, len(rows.x_test), params.near, some)
    listed = _listed(found, rows, y_train, schema)

    if listed:
        pairs.draw(folder, listed, x_train, rows.x_test, schema, some)
    else:
        pairs.draw_text(folder, f"{CHECK}: {says}")
    _write(folder, "warning" if listed else "ok", says, len(found.test), listed)
    return f"{said}; {CHECK}: {says}"


def _as_in_raw(folder: Folder, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels of the training rows and the validation rows, in the order of raw.npz.

    The model has seen both; but not the test rows where those are the validation rows.
    """
    x, y = [(rows.row_train, rows.x_train)], [(rows.row_train, rows.y_train)]
    if rows.row_val is not None:
        x.append((rows.row_val, rows.x_val))
        y.append((rows.row_val, rows.y_val))
    return joined(x, folder.root), joined(y, folder.root)


def _some(found: NearDuplicates, count: int) -> str:
    """Which test rows were compared; empty if all were."""
    all_of_them = found.step == 1
    return "" if all_of_them else f"one in {found.step:,} of {count:,}, as all would take minutes"


def _in_words(found: NearDuplicates, count: int, near: float, some: str) -> str:
    """What was found, which is a warning if it is anything."""
    compared = len(range(0, count, found.step))
    rows = f"{compared:,} test rows ({some})" if some else f"{compared:,} test rows"
    says = f"{len(found.test) or 'none'} of {rows} within {near:g} of a training row"
    if len(found.test) or some:
        log.warning("%s: %s", CHECK, says)
    return says


def _listed(found: NearDuplicates, rows: Rows, y_train: np.ndarray, schema: dict) -> list[dict]:
    """The closest pairs, in words."""
    listed = []
    closest = (part[:LISTED] for part in (found.test, found.train, found.distance))
    for test, train, distance in zip(*closest, strict=True):
        pair = {
            "distance": float(distance),
            "train": int(train),
            "test": int(test),
            "train label": _label(schema, y_train[train]),
            "test label": _label(schema, rows.y_test[test]),
        }
        if rows.from_train is not None:
            pair["train from"] = str(rows.from_train[train])
            pair["test from"] = str(rows.from_test[test])
        listed.append(pair)
    return listed


def _label(schema: dict[str, Any], label: np.ndarray) -> str:
    if schema["labels"] == "regression":
        return f"{np.squeeze(label):g}"
    return schema["class_names"][classes_of(label[None])[0]]


def _write(
    folder: Folder, result: str, says: str, count: int = 0, rows: list[dict] | None = None
) -> None:
    content = {"check": CHECK, "result": result, "says": says, "count": count, "rows": rows or []}
    folder.write_json("near_duplicates.json", content)
