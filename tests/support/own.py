"""A user's own data in each format that `load` reads: a few rows, drawn by a seed."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tasks.core.folder import Folder
from tasks.load import load
from tasks.normalize import Params, normalize
from tasks.sources import csv, idx, images, npz, parquet

ROWS, SIDE = 12, 4
GIVEN = {"test": "given", "seed": 0}
SHARE = {"test": 0.25, "seed": 0}
NAMELESS = {"class_names": None}
CSV = {  # the section `load` of a table
    "source": "csv",
    "path": "in.csv",
    "separator": ",",
    "header": True,
    "decimal": ".",
    "target": "y",
    "task": "classes",
    "group": None,
    "ignore": [],
    "columns": {},
    "missing": "refuse",
    **SHARE,
    **NAMELESS,
}
KINDS = {"sex": "words", "born": "date %d.%m.%Y", "smoker": "boolean"}  # of the columns of `people`


def packed(array: np.ndarray) -> bytes:
    """An array of bytes as an IDX file."""
    return (
        struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        + array.astype(np.uint8).tobytes()
    )


def rows(count: int = ROWS, classes: int = 3, first: int = 0, shape=(SIDE, SIDE), seed: int = 0):
    """Images whose first pixel is their number, and labels from `first` on."""
    random = np.random.default_rng(seed)
    x = random.integers(0, 256, (count, *shape), dtype=np.uint8)
    x.reshape(count, -1)[:, 0] = np.arange(count)
    return x, (np.arange(count) % classes + first).astype(np.uint8)


def put_idx(
    folder: Path, prefix: str = "", zipped: bool = True, test: str | None = "t10k", **how
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in {"train": ROWS, test: 6}.items():
        if split is None:
            continue
        for name, array in zip(("images-idx3", "labels-idx1"), rows(count, **how), strict=True):
            content = packed(array)
            file = folder / f"{prefix}{split}-{name}-ubyte{'.gz' if zipped else ''}"
            file.write_bytes(gzip.compress(content) if zipped else content)
    return folder


def put_npz(path: Path, **arrays) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def put_image(
    path: Path, height: int = 6, width: int = 8, mode: str = "RGB", color=0, **how
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (width, height), color).save(path, **how)
    return path


def put_images(folder: Path, classes: str = "cat dog", count: int = 5) -> Path:
    """A folder of images in mixed sizes and kinds; those of the second class are brighter."""
    for brightness, name in enumerate(classes.split()):
        for number in range(count):
            file = folder / name / f"{number}.{('png', 'jpg', 'PNG', 'jpeg')[number % 4]}"
            put_image(file, 5 + number, 9 - number % 5, "RGB", (200 * brightness + number,) * 3)
    return folder


def put_csv(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def table(count: int = ROWS, target=lambda row: row % 2, **columns) -> list[str]:
    """Lines with the features a and b, more columns, and the target y."""
    lines = [",".join(["a", "b", *columns, "y"])]
    for row in range(count):
        more = [str(column(row)) for column in columns.values()]
        lines.append(",".join([str(row), f"{row * 0.5}", *more, str(target(row))]))
    return lines


def of_idx(path: Path, **how) -> idx.Params:
    return idx.Params(
        **{
            "source": "idx",
            "path": str(path),
            "prefix": "",
            "transpose": False,
            **GIVEN,
            **NAMELESS,
            **how,
        }
    )


def of_npz(path: Path, **how) -> npz.Params:
    return npz.Params(
        **{"source": "npz", "path": str(path), "task": "classes", **GIVEN, **NAMELESS, **how}
    )


def of_images(path: Path, **how) -> images.Params:
    usual = {"size": [4, 6], "color": "rgb", "broken": "refuse", **SHARE}
    return images.Params(**{"source": "images", "path": str(path), **usual, **how})


def of_csv(path: Path, **how) -> csv.Params:
    return csv.Params(**{**CSV, "path": str(path), **how})


def of_parquet(path: Path, **how) -> parquet.Params:
    usual = of_csv(path).model_dump(exclude={"separator", "header", "decimal"})
    return parquet.Params(**{**usual, "source": "parquet", **how})


def loaded(path: Path, params) -> dict[str, np.ndarray]:
    """What `load` writes."""
    load(Folder(path), params)
    with np.load(path / "raw.npz", allow_pickle=False) as file:
        return dict(file)


def normalized(path: Path, **how) -> dict[str, Any]:
    """The schema that `normalize` writes."""
    params = Params(**{"scale": "none", "validation": "none", "seed": 0, **how})
    normalize(Folder(path), params)
    return json.loads((path / "schema.json").read_text())


def people(count: int = 60) -> list[str]:
    """A table with holes, words, dates and booleans."""
    random = np.random.default_rng(0)
    found = ["age,sex,born,smoker,y"]
    for row in range(count):
        age = "" if row % 7 == 0 else f"{random.normal(40, 9):.2f}"
        sex = "" if row % 11 == 0 else ("male", "female")[row % 2]
        born = f"{1 + row % 28:02}.{1 + row % 12:02}.{1950 + row}"
        found.append(f"{age},{sex},{born},{('yes', 'no')[row % 3 == 0]},{row % 2}")
    return found


def made(tmp_path: Path, params, scale: str) -> tuple[dict, dict, dict]:
    """What `load` and `normalize` write: raw arrays, normalized arrays, the schema."""
    raw = loaded(tmp_path / "out", params)
    schema = normalized(tmp_path / "out", scale=scale, validation=0.2)
    with np.load(tmp_path / "out/normalized.npz") as file:
        return raw, dict(file), schema
