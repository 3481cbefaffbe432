"""What the sources of a user's own data share: the form of what they find, and the checks that all of them need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from tasks.core.step import Section, UserError
from tasks.rows.splits import Amount, held_out

LARGEST = 1e18  # number to predict
LOST = 1e-3  # of the deviation of the numbers to predict: at most so much may be lost by rounding
SPLITS = ("train", "val", "test")  # that data may be given in


class Own(Section):
    """The parameters that every source of a user's own data has."""

    source: str

    @property
    def predicts(self):
        return getattr(self, "task", "classes")

    @property
    def shareable(self):
        return False

    path: str = Field(min_length=1, description="Where the data is: absolute, or from the project's folder.")
    test: Amount | Literal["given"] = Field(
        description="`given` takes the test rows that the data has; a share, such as 0.2, or a number of rows is held "
        "out."
    )
    seed: int = Field(ge=0, lt=2**32, description="Which rows are held out to test on.")


class Labelled(Own):
    """The parameters of a source whose classes may be numbers, which say nothing to a reader."""

    class_names: list[Annotated[str, Field(min_length=1)]] | None = Field(
        description="Names of the classes in the order of their labels, for plots and reports; null: the labels."
    )


class Dataset(NamedTuple):
    """What a source found."""

    arrays: dict[str, np.ndarray]  # as `load` writes them
    where: str
    class_names: Sequence[str] = ()
    feature_names: Sequence[str] = ()


def existing(path: str, what: str, folder: bool) -> Path:
    """The path, if there is such a file or folder.

    Args:
        path: as `params.yaml` has it.
        what: that is expected there, in words.
        folder: whether it is a folder.
    """
    found = Path(path)
    if not found.exists():
        raise UserError(f"load.path: there is no {path}. Expected {what}. Correct the path in params.yaml.")
    if found.is_dir() != folder:
        kind = "a folder" if found.is_dir() else "a file"
        raise UserError(f"load.path: {path} is {kind}. Expected {what}. Correct the path in params.yaml.")
    return found


def identities(path: Path) -> dict[str, tuple[int, int, int]]:
    """Every file of the data with what tells it from a later one of that name.

    Raises:
        UserError: DVC could not write down a name.
    """
    files = [file for file in (path, *path.rglob("*")) if file.is_file()]
    for file in files:
        try:
            file.as_posix().encode()
        except UnicodeEncodeError:
            raise UserError(f"{file.parent}: the name {file.name!a} is not UTF-8. Rename it.") from None
    stats = {file.as_posix(): file.stat() for file in files}
    return {name: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def numbered_rows(y: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Where a row is from, of arrays: `train 17` is in x_train and y_train the row 17, counted from 0."""
    return {split: np.array([f"{split} {row}" for row in range(len(labels))]) for split, labels in y.items()}


def check_given(params: Own, given: bool, what: str) -> None:
    """Refuse a `test` that does not fit the data: nothing that `params.yaml` says is passed over."""
    if given and params.test != "given":
        raise UserError(
            f"load.test is {params.test:g}, but {params.path} has test rows of its own ({what}). "
            "Set `test: given`, or take them away."
        )
    if not given and params.test == "given":
        raise UserError(
            f"load.test is `given`, but {params.path} has no test rows ({what}). Set a share of its rows: `test: 0.2`."
        )


def arranged(params: Own, found: dict[str, dict[str, np.ndarray]], names: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays as `load` writes them: `x_train y_train x_test y_test`, and what else there is of each row.

    Where there are no test rows, `load.test` of the training rows become such. Validation rows that are given follow
    the training rows, and `given_train` tells which they are.

    Args:
        found: of `x`, `y`, perhaps `group`, and `from`, the place where a user finds a row, the rows of each split.
        names: of the classes.
    """
    y = found["y"]
    if "test" not in y:
        mask = held_out("load.test", params.test, y["train"], params.seed, found.get("group", {}).get("train"), names)
        for of in found.values():
            of["train"], of["test"] = of["train"][~mask], of["train"][mask]
    if "val" in y:
        given = np.repeat([False, True], [len(y["train"]), len(y["val"])])
        for of in found.values():
            of["train"] = np.concatenate([of["train"], of.pop("val")])
        found["given"] = {"train": given}
    return {f"{name}_{split}": array for name, of in found.items() for split, array in of.items()}


def to_predict(numbers: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Numbers to predict, as float32, in which their errors are squared.

    Raises:
        UserError: that has no room for them, or for how they differ.
    """
    largest = max(float(np.abs(y).max(initial=0)) for y in numbers.values())
    if largest > LARGEST:
        raise UserError(
            f"{where}: a number to predict is {largest:.3g} in size. Expected at most {LARGEST:.0e}, as errors are "
            "squared in float32. Divide all of them by a power of 10."
        )
    every = np.concatenate([y.astype(np.float64) for y in numbers.values()])
    if np.ptp(every) == 0:
        raise UserError(
            f"{where}: every number to predict is {every[0]:g}: there is nothing to learn. Expected others."
        )
    if np.abs(every - every.astype(np.float32)).max(initial=0) > LOST * every.std():
        raise UserError(
            f"{where}: the numbers to predict lie between {every.min():.10g} and {every.max():.10g}. Float32, in which "
            "models predict, has too few digits to tell them apart. Expected numbers nearer to 0: subtract or divide."
        )
    return {split: y.astype(np.float32) for split, y in numbers.items()}


def named(params: Own, labels: Sequence[str]) -> Sequence[str]:
    """The classes' names: those of `load.class_names`, or else the labels that the data have.

    Args:
        labels: of the classes in their order; none of numbers to predict.

    Raises:
        UserError: there is not one name for each class.
    """
    chosen = getattr(params, "class_names", None)
    if chosen is None:
        return labels
    there = f"{params.path} has {len(labels)} classes: {some(labels)}" if labels else "numbers are to be predicted"
    if len(chosen) != len(labels):
        raise UserError(
            f"load.class_names has {len(chosen)} names, but {there}. Expected a name for each class, in this order, or "
            "null."
        )
    twice = sorted({name for name in chosen if chosen.count(name) > 1})
    if twice:
        raise UserError(f"load.class_names has `{twice[0]}` twice. Expected another name for each class.")
    return chosen


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def numbered(labels: dict[str, np.ndarray], where: str) -> tuple[dict[str, np.ndarray], list[str]]:
    """Classes as 0 to k-1, in the order of their values, and their names, which keep the values.

    Args:
        labels: of each split one integer or text a row.
        where: the data's place, for messages.
    """
    values = distinct(labels, where)
    kind = np.uint8 if len(values) <= 256 else np.int32
    return {split: np.searchsorted(values, y).astype(kind) for split, y in labels.items()}, [str(v) for v in values]


def distinct(labels: dict[str, np.ndarray], where: str) -> np.ndarray:
    """The classes that have rows.

    Raises:
        UserError: it is one only, or one that is not among the training rows.
    """
    values = np.unique(np.concatenate(list(labels.values())))
    if len(values) < 2:
        raise UserError(
            f"{where} has one class only, `{values[0]}`: there is nothing to tell apart. Expected two classes or more."
        )
    for split, y in labels.items():
        new = np.setdiff1d(y, labels["train"])
        if len(new):
            kind = "validation" if split == "val" else split
            raise UserError(
                f"{where}: the class `{new[0]}` has {kind} rows and no training rows. Add some, or remove it."
            )
    return values
