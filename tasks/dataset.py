"""What the sources of a user's own data share: the form of what they find, and the checks that all of them need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from tasks.base import Section, UserError
from tasks.splits import held_out, lost

LARGEST = 1e18  # number to predict
SPLITS = ("train", "test")


class Own(Section):
    """The parameters that every source of a user's own data has."""

    source: str
    path: str = Field(min_length=1, description="Where the data is: absolute, or from the project's folder.")
    test: Annotated[float, Field(gt=0, lt=1)] | Literal["given"] = Field(
        description="`given` takes the test rows that the data has; a share, such as 0.2, holds out some of its rows."
    )
    seed: int = Field(ge=0, lt=2**32, description="Which rows are held out to test on.")


class Dataset(NamedTuple):
    """What a source found."""

    arrays: dict[str, np.ndarray]  # x_train y_train x_test y_test, and group_train where rows belong together
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
    """Every file of the data with what tells it from a later one of that name."""
    files = [file for file in (path, *path.rglob("*")) if file.is_file()]
    stats = {file.as_posix(): file.stat() for file in files}
    return {name: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


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


def rows_to_test(params: Own, y: np.ndarray, groups: np.ndarray | None = None, names: Sequence[str] = ()) -> np.ndarray:
    """A mask of the rows to test on, where the data has no test rows: `load.test` of them."""
    count = round(params.test * len(y))
    if not 0 < count < len(y):
        raise UserError(
            f"load.test is {params.test:g}: of {len(y):,} rows that is {count:,}. Expected some on each side: set more."
        )
    mask = held_out("load.test", y, count, params.seed, groups)
    name = lost(y, mask, names)
    if name is not None:
        raise UserError(
            f"load.test is {params.test:g}, and leaves no row of the class `{name}` to train on: it has too few "
            f"{'rows' if groups is None else 'groups'}. Add some, remove the class, or set a smaller share."
        )
    return mask


def to_predict(numbers: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """Numbers to predict, as float32, in which their errors are squared.

    Raises:
        UserError: that has no room for them.
    """
    largest = max(float(np.abs(y).max(initial=0)) for y in numbers.values())
    if largest > LARGEST:
        raise UserError(
            f"{where}: a number to predict is {largest:.3g} in size. Expected at most {LARGEST:.0e}, as errors are "
            "squared in float32. Divide all of them by a power of 10."
        )
    return {split: y.astype(np.float32) for split, y in numbers.items()}


def numbered(labels: dict[str, np.ndarray], where: str) -> tuple[dict[str, np.ndarray], list[str]]:
    """Classes as 0 to k-1, in the order of their values, and their names, which keep the values.

    Args:
        labels: of each split one integer or text a row.
        where: the data's place, for messages.
    """
    values = np.unique(np.concatenate(list(labels.values())))
    if len(values) < 2:
        raise UserError(
            f"{where} has one class only, `{values[0]}`: there is nothing to tell apart. Expected two classes or more."
        )
    new = np.setdiff1d(values, labels["train"])
    if len(new):
        raise UserError(f"{where}: the class `{new[0]}` has test rows and no training rows. Add some, or remove it.")
    kind = np.uint8 if len(values) <= 256 else np.int32
    return {split: np.searchsorted(values, y).astype(kind) for split, y in labels.items()}, [str(v) for v in values]
