"""What all sources share: their parameters, the form of what they find, and checks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from tasks.core.arrays import taken
from tasks.core.step import Section, UserError
from tasks.rows.splits import Amount, held_out

SPLITS = ("train", "val", "test")  # that data may be given in
EXACT = 2**53  # float64 has every whole number up to here
SHOWN = 20  # names in a message
TIME = " with its time"  # of a date in new rows, behind the kind of its column
SOURCE = Field(description="Where the data is from, or the kind of its files.")

Task = Literal["classes", "regression"]


class BuiltIn(Section):
    """The parameters of every source that comes with the project."""

    source: str
    path: str = Field(
        min_length=1,
        description="What the project has of it, such as checksums: from the project's folder.",
    )

    @property
    def predicts(self) -> Task:
        return "classes"

    @property
    def shareable(self) -> bool:
        """Whether no file of the user's is read, so that DVC's remote has the same result."""
        return True


class Own(Section):
    """The parameters of every source of a user's own data."""

    source: str
    path: str = Field(
        min_length=1, description="Where the data is: absolute, or from the project's folder."
    )
    test: Amount | Literal["given"] = Field(
        description="`given` takes the test rows that the data has; a share, such as 0.2, or a "
        "number of rows is held out, stratified."
    )
    seed: int = Field(ge=0, lt=2**32, description="Which rows are held out for the test.")

    @property
    def predicts(self) -> Task:
        return getattr(self, "task", "classes")

    @property
    def shareable(self) -> bool:
        """Whether no file of the user's is read, so that DVC's remote has the same result."""
        return False


class Labelled(Own):
    """The parameters of a source whose classes may be numbers, which say nothing to a reader."""

    class_names: list[Annotated[str, Field(min_length=1)]] | None = Field(
        description="Names of the classes in the order of their labels, for plots and reports; "
        "null: the labels."
    )


class Dataset(NamedTuple):
    """What a source found."""

    arrays: dict[str, np.ndarray]  # as `load` writes them
    where: str
    class_names: Sequence[str] = ()
    feature_names: Sequence[str] = ()
    target_unit: str = ""


class New(NamedTuple):
    """Rows to predict, read as the training rows were."""

    x: np.ndarray  # as x_test in raw.npz
    places: list[str]  # where a user finds each row
    labels: np.ndarray | None  # text, or the numbers of a regression; None if there are none
    words: np.ndarray | None = None  # of a table, as in raw.npz
    unused: Sequence[str] = ()  # columns that the training rows had not


def numbered_rows(y: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Where the rows of arrays are from: `train 17` is row 17, from 0, of x_train and y_train."""
    return {
        split: np.array([f"{split} {row}" for row in range(len(labels))])
        for split, labels in y.items()
    }


def check_given(params: Own, given: bool, what: str) -> None:
    """Refuse a `test` that does not fit the data: no parameter is ignored.

    Args:
        params: the section `load`.
        given: whether the data has test rows.
        what: the form in which they are, or would be given.
    """
    if given and params.test != "given":
        raise UserError(
            f"load.test is {params.test:g}, but {params.path} has test rows of its own ({what}). "
            "Set `test: given`, or remove them."
        )
    if not given and params.test == "given":
        raise UserError(
            f"load.test is `given`, but {params.path} has no test rows ({what}). "
            "Set a share of its rows: `test: 0.2`."
        )


def arranged(
    params: Own,
    found: dict[str, dict[str, np.ndarray]],
    names: Sequence[str] = (),
    folder: Path = Path(),
) -> dict[str, np.ndarray]:
    """The arrays as `load` writes them: `x_train y_train x_test y_test`, and what else there is.

    If there are no test rows, `load.test` of the training rows become the test rows. Validation
    rows that are given follow the training rows; `given_train` is a mask of them.

    Args:
        params: the section `load`.
        found: for `x`, `y`, perhaps `group`, and `from`, the place where a user finds a row:
            the rows of each split.
        names: of the classes.
        folder: for large temporary files.
    """
    y = found["y"]
    rows = {split: [(split, np.arange(len(y[split])))] for split in y}
    if "test" not in y:
        groups = found.get("group", {}).get("train")
        assert params.test != "given"  # `check_given` has refused it
        mask = held_out("load.test", params.test, y["train"], params.seed, groups, names)
        rows["train"] = [("train", np.flatnonzero(~mask))]
        rows["test"] = [("train", np.flatnonzero(mask))]

    given = {}
    if "val" in y:
        train, val = rows["train"], rows.pop("val")
        counts = [len(numbers) for ((_, numbers),) in (train, val)]
        given["given_train"] = np.repeat([False, True], counts)
        rows["train"] = train + val
    return {
        f"{name}_{split}": _arranged(of, parts, folder)
        for name, of in found.items()
        for split, parts in rows.items()
    } | given


def _arranged(
    of: dict[str, np.ndarray], parts: list[tuple[str, np.ndarray]], folder: Path
) -> np.ndarray:
    """The rows of some splits, row after row; the array itself if it is that."""
    splits, numbers = zip(*parts, strict=True)
    arrays = [of[split] for split in splits]
    whole = len(parts) == 1 and len(numbers[0]) == len(arrays[0])
    if whole and arrays[0].flags.c_contiguous:
        return arrays[0]
    return taken(arrays, numbers, folder)


def named(params: BuiltIn | Own, labels: Sequence[str]) -> Sequence[str]:
    """The classes' names: those of `load.class_names`, or else the labels that the data have.

    Args:
        params: the section `load`.
        labels: of the classes in their order; none for a regression.

    Raises:
        UserError: there is not one name for each class.
    """
    chosen = getattr(params, "class_names", None)
    if chosen is None:
        return labels

    if len(chosen) != len(labels):
        there = f"{params.path} has {len(labels)} classes: {some(labels)}"
        raise UserError(
            f"load.class_names has {len(chosen)} names, but "
            f"{there if labels else 'a regression has no classes'}. "
            "Expected a name for each class, in this order, or null."
        )
    twice = sorted({name for name in chosen if chosen.count(name) > 1})
    if twice:
        raise UserError(
            f"load.class_names has `{twice[0]}` twice. Expected a name of its own for each class."
        )
    return chosen


def check_some_value(x: np.ndarray, places: Sequence[str]) -> None:
    """Refuse a new row of a table that has no value: it would be answered from what fills it.

    Args:
        x: (rows, columns), NaN where a value is missing.
        places: what messages call each row.

    Raises:
        UserError: there is one.
    """
    empty = np.isnan(x).all(axis=1)
    if empty.any():
        raise UserError(
            f"{places[empty.argmax()]} has no value in any column, so there is nothing to answer "
            "from. Expected one at least."
        )


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
