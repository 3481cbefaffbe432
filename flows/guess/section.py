"""What a user's data is, from a look at it: the source that reads it, and parameters to begin with."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from ruamel.yaml import YAML, YAMLError

from flows.project.params import sections
from tasks.core.step import UserError
from tasks.sources import csv as csv_table
from tasks.sources import idx, images, npz
from tasks.sources.base import SPLITS, Dataset, identities, some

SHARE, SEED = 0.2, 0  # of the rows to test on, and to validate on, where the data has none for that
TARGETS = ("target", "label", "labels", "class", "y", "outcome")
NUMBERS = ("id", "index", "row", "no")  # names of columns that only count
FEW = 20  # whole numbers of so many values are classes
LOOKED_AT = 50  # images
UPDATES, MOST_EPOCHS = 1000, 200  # of a training, at least; but at most so many epochs
LARGEST = 64  # height and width of images that are not made smaller
# What begins a section `build`, and other values that go well with it: for features, and for images.
MLP = """\
    family: mlp # layers of Dense; README.md has the other families
    hidden: [64, 32] # units of each Dense layer: more can learn more, and more by heart"""
CNN = """\
    family: cnn # convolutions; README.md has the other families
    filters: [32, 64, 128] # of each block of convolutions; between two blocks height and width are halved
    convolutions: 1 # in a block: 1 or 2
    head: average # of each filter; or flatten, which keeps their places
    hidden: [] # units of Dense layers after it"""
FEATURES = {
    "build": MLP, "batch_norm": False, "dropout": 0, "learning_rate": 0.001, "epochs": 20, "batch_size": 32,
    "schedule": "constant",
}  # fmt: skip
IMAGES = {
    "build": CNN, "batch_norm": True, "dropout": 0.1, "learning_rate": 0.003, "epochs": 10, "batch_size": 64,
    "schedule": "one_cycle",
}  # fmt: skip
LOOKED_FOR = (
    "an .npz file with x_train and y_train; a .csv or .tsv file, or a folder with train.csv and test.csv; a folder "
    "with IDX files such as train-images-idx3-ubyte.gz; a folder with a sub-folder of PNG or JPEG files for each class"
)


@dataclass
class Guess:
    """Parameters to begin with, and what a person should look at."""

    about: str
    load: list[str]  # lines of YAML
    others: dict[str, Any]
    classes: bool
    notes: list[str] = field(default_factory=list)


def guess(path: Path, **given: str) -> Guess:
    """Look at the data, and read it with the parameters that are proposed, so that they work.

    Args:
        path: a file or a folder.
        given: keys of `load` with values that a person has chosen: `target` of a table, `task`.

    Raises:
        UserError: it is none of the formats, or something is wrong with it.
    """
    if (
        not path.is_file() and not path.is_dir()
    ):  # nothing, or a pipe, on which one would wait for ever
        raise UserError(f"There is no {path.as_posix()}. Looked for {LOOKED_FOR}.")
    identities(path)  # whose names could not be written down
    for kind in (_npz, _csv, _idx, _images):
        found = kind(path, given)
        if found:
            return found
    raise UserError(f"{path.as_posix()} is nothing that load can read. Looked for {LOOKED_FOR}.")


def _npz(path: Path, given: dict[str, str]) -> Guess | None:
    if path.suffix.lower() != ".npz":
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            names, y = file.files, file["y_train"]
    except Exception:  # `find` says what it is
        names, y = [], np.zeros(1)
    if not y.ndim:  # no labels: `find` says so
        y = np.zeros(1)
    whole = (
        y.dtype.kind in "iub" or y.ndim > 1 or (y.dtype.kind == "f" and (y == np.floor(y)).all())
    )
    classes = whole and (y.ndim > 1 or len(np.unique(y)) <= max(FEW, len(y) // 10))
    task = given.get("task", "classes" if classes else "regression")
    values = {"task": task, "test": "given" if "x_test" in names else SHARE}
    notes = [f"load.task: {values['task']}, from the values of y_train"]
    return _read(
        npz,
        {"source": "npz", "path": path.as_posix(), **values, "seed": SEED, "class_names": None},
        notes,
    )


def _idx(path: Path, given: dict[str, str]) -> Guess | None:
    sets = idx.sets(path) if path.is_dir() else {}
    if not sets:
        return None
    prefix = next(iter(sets))
    notes = ["load.transpose: true if samples.png shows the images on their side, as EMNIST's are"]
    if len(sets) > 1:
        notes.append(f"load.prefix: the folder has {', '.join(f'`{name}`' for name in sets)}")
    test = "given" if ("test", "images") in sets[prefix] else SHARE
    values = {"prefix": prefix, "transpose": prefix.startswith("emnist"), "test": test}
    return _read(
        idx,
        {"source": "idx", "path": path.as_posix(), **values, "seed": SEED, "class_names": None},
        notes,
    )


def _csv(path: Path, given: dict[str, str]) -> Guess | None:
    files = (
        [path]
        if path.is_file()
        else [file for split in SPLITS if (file := path / f"{split}.csv").is_file()]
    )
    if not files or files[0].suffix.lower() not in (".csv", ".tsv"):
        return None
    import pandas as pd

    tables, file = [], files[0]
    try:
        with open(file, encoding="utf-8-sig", newline="") as opened:
            first = opened.readline()
        separator = max(",;\t", key=first.count)
        for file in files:
            tables.append(
                pd.read_csv(
                    file, sep=separator, encoding="utf-8-sig", index_col=False, low_memory=False
                )
            )
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is not UTF-8: {error.reason} at byte {error.start:,}. Save it as UTF-8."
        ) from None
    except ValueError as error:
        raise UserError(
            f"{file} cannot be read: {str(error).strip()}. Expected {csv_table.EXPECTED}."
        ) from None
    table, file = pd.concat(tables, ignore_index=True), files[0]
    names = [name for name in table if not name.startswith("Unnamed: ")]
    if not names:
        raise UserError(f"{file}: no column has a name. Expected {csv_table.EXPECTED}.")
    broken = sum("." in name for name in np.array(names)[_numbers(names)])
    if (_numbers(names).all() or broken > 1) and names != [
        str(number) for number in range(len(names))
    ]:  # as of pandas
        raise UserError(
            f"{file}: the first line is {separator.join(names)[:60]}. Expected the columns' names: add them."
        )
    values = _columns(table, names, given)
    nearly = _nearly_numbers(table[values["ignore"]])
    if nearly and len(values["ignore"]) == len(table.columns) - 1:
        raise UserError(
            f"{file}: no column of numbers to predict from: {nearly[0]}. Expected numbers like 1234.5."
        )
    notes = [
        f"load.target: {values['target']}; --target names another",
        f"load.task: {values['task']}, from its values",
    ]
    if values["ignore"]:
        notes.append(
            f"load.ignore: {', '.join(values['ignore'])}, which are words, or only count the rows"
        )
    notes += [f"load.ignore: {words}; correct that to use the column" for words in nearly]
    if values["missing"] != "refuse":
        holes = (
            table[[name for name in table if name not in values["ignore"]]].isna().any(axis=1).sum()
        )
        notes.append(
            f"load.missing: {values['missing']}, as {holes:,} of {len(table):,} rows have missing values"
        )
    notes.append(
        "load.group: null; a column that tells which rows belong together, such as a patient, if there is one"
    )
    test = "given" if files[-1].name == "test.csv" and path.is_dir() else SHARE
    section = {
        "source": "csv",
        "path": path.as_posix(),
        "separator": separator,
        **values,
        "test": test,
        "seed": SEED,
    }
    section["class_names"] = None
    try:
        return _read(csv_table, section, notes)
    except UserError as error:
        asked = (
            ""
            if "target" in given
            else f" {values['target']} was taken for the column to predict: --target names it."
        )
        raise UserError(f"{error}{asked}") from None


def _columns(table, names: list[str], given: dict[str, str]) -> dict[str, Any]:
    """What each column of a data frame is for."""
    from pandas.api.types import is_float_dtype, is_numeric_dtype

    target = given.get("target") or next(
        (name for name in names if name.lower() in TARGETS), names[-1]
    )
    if target not in names:
        raise UserError(f"There is no column `{target}` to predict. It has {some(names)}.")
    y = table[target].dropna()
    whole = not is_float_dtype(y) or (
        len(y) < len(table) and (y == y.round()).all()
    )  # pandas has no NaN among integers
    classes = whole and (not is_numeric_dtype(y) or y.nunique() <= FEW)
    others = table.drop(columns=target)
    counts = [name for name in others if name.lower() in NUMBERS or name.startswith("Unnamed: ")]
    ignore = [name for name in others if name in counts or not is_numeric_dtype(others[name])]
    holes = others.drop(columns=ignore).isna().any(axis=None)
    missing = "drop" if len(y) < len(table) else "median" if holes else "refuse"
    task = given.get("task", "classes" if classes else "regression")
    return {"target": target, "task": task, "group": None, "ignore": ignore, "missing": missing}


def _numbers(values) -> np.ndarray:
    """Which of them are numbers."""
    import pandas as pd

    return np.isfinite(pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(np.float64))


def _nearly_numbers(words) -> list[str]:
    """Columns whose values begin as numbers in most rows, with the first that is none, such as `?`, `1,5` or `3 kg`."""
    found = []
    for name in words:
        column = words[name].dropna().astype(str)
        wrong = ~_numbers(column)
        if wrong.any() and column.str.match(r"\s*[-+]?\.?\d").mean() > 0.5:
            first = int(np.flatnonzero(wrong)[0])
            found.append(
                f"{name} has '{column.iloc[first][:20]}' in row {column.index[first] + 1:,}"
            )
    return found


def _images(path: Path, given: dict[str, str]) -> Guess | None:
    """Reading all of a large folder takes minutes: its files are counted, and some are looked at."""
    if not path.is_dir():
        return None
    splits = [path / split for split in SPLITS]
    divided = splits[0].is_dir() and any(split.is_dir() for split in splits[1:])
    folder = splits[0] if divided else path
    if not any(file.suffix.lower() in images.ENDINGS for file in folder.glob("*/*")):
        return None
    from PIL import Image

    test = "given" if divided and splits[-1].is_dir() else SHARE
    values = {"size": [LARGEST, LARGEST], "color": "rgb", "test": test}
    section = {"source": "images", "path": path.as_posix(), **values, "seed": SEED}
    arrays, names = images.listed(images.Params(**section))
    files = [path / name for name in (*arrays["from_train"], *arrays["from_test"])]
    sizes, colored = set(), False
    for file in files[:: -(-len(files) // LOOKED_AT)]:
        try:
            with Image.open(file) as image:
                sizes.add((image.height, image.width))
                colored = colored or image.mode not in ("L", "LA", "1", "I;16", "I")
        except Exception as error:  # Pillow raises many kinds for a damaged file
            raise UserError(
                f"{file} cannot be read as an image: {error}. Replace it, or take it away."
            ) from None
    if len(sizes) == 1 and max(*next(iter(sizes))) <= LARGEST:
        section["size"] = list(sizes.pop())
    section["color"] = "rgb" if colored else "gray"
    notes = ["load.size: height and width; more shows more, and takes more memory and time"]
    about = f"{len(files):,} images of {len(names)} classes"
    return _complete(section, about, arrays, "pixels", IMAGES, len(names), notes)


def _read(source, section: dict, notes: list[str]) -> Guess:
    """Read the data as the section says, and choose the rest by what is in it."""
    found: Dataset = source.find(source.Params(**section))
    x = found.arrays["x_train"]
    classes = len(found.class_names)
    if classes and all(name.isdigit() for name in found.class_names):
        notes.append(
            f"load.class_names: null; their names, in the order of the labels {some(found.class_names)}"
        )
    between = x.min() >= 0 and x.max() <= 1
    scale = (
        "standard"
        if x.ndim == 2
        else "none"
        if between
        else "pixels"
        if x.dtype == np.uint8
        else "standard"
    )
    kind = f"{len(x) + len(found.arrays['x_test']):,} rows of {' x '.join(map(str, x.shape[1:]))}"
    what = f"{classes} classes" if classes else "a number to predict"
    about = f"{kind} {'features' if x.ndim == 2 else 'pixels'}, {what}"
    return _complete(
        section, about, found.arrays, scale, FEATURES if x.ndim == 2 else IMAGES, classes, notes
    )


def _complete(
    section: dict,
    about: str,
    arrays: dict,
    scale: str,
    training: dict,
    classes: int,
    notes: list[str],
) -> Guess:
    output = {0: "Dense(1), linear", 2: "Dense(1), sigmoid"}.get(
        classes, f"Dense({classes}), softmax"
    )
    held = arrays.get("given_train")
    rows = len(arrays["y_train"]) * (1 - SHARE) if held is None else (~held).sum()
    # Few rows are few updates an epoch: they are seen more often, so that something is learnt.
    epochs = min(MOST_EPOCHS, math.ceil(UPDATES / math.ceil(rows / training["batch_size"])))
    training = training | {"epochs": max(epochs, training["epochs"])}
    others = {"scale": scale, "validation": SHARE if held is None else "given", "output": output}
    others |= {key: value if key == "build" else _word(value) for key, value in training.items()}
    return Guess(about, _lines(section), others, bool(classes), notes)


def _lines(section: dict) -> list[str]:
    """The section `load` in YAML; each key with what its description says, up to the first full stop."""
    (model,) = (
        each
        for each in sections("load")
        if section["source"] in get_args(each.model_fields["source"].annotation)
    )
    said = {
        key: field.description.partition(". ")[0].rstrip(".")
        for key, field in model.model_fields.items()
    }
    return [
        f"{key}: {_word(value)} # {said[key][0].lower()}{said[key][1:]}"
        for key, value in section.items()
    ]


def _word(value: Any) -> str:
    """A value as YAML in one line, without quotes where they are not needed."""
    try:
        if isinstance(value, str) and YAML(typ="safe").load(f"key: {value}") == {"key": value}:
            return value
    except YAMLError:
        pass
    return json.dumps(value, ensure_ascii=False)
