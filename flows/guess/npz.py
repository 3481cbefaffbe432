"""NumPy's arrays in one file: are the labels classes, or a regression target?"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flows.guess.section import Proposal
from flows.guess.values import SEED, SHARE, read
from tasks.core.folder import Folder
from tasks.sources import npz

LOOKED_FOR = "an .npz file with x_train and y_train"
FEW = 20  # whole numbers with so many values are classes


def look(folder: Folder, path: Path, chosen: dict[str, str]) -> Proposal | None:
    """A section for an .npz file; None if it is another file."""
    if path.suffix.lower() != ".npz":
        return None

    names, y = _labels(folder.root / path)
    task = chosen.get("task", "classes" if _are_classes(y) else "regression")
    load = {
        "source": "npz",
        "path": path.as_posix(),
        "task": task,
        "test": "given" if "x_test" in names else SHARE,
        "seed": SEED,
        "class_names": None,
    }
    return read(
        folder, npz, load, [f"load.task: {task}, from the values of y_train; --task overrides it"]
    )


def _labels(file: Path) -> tuple[list[str], np.ndarray]:
    """The arrays' names, and y_train. If they cannot be had, the source says why."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            names, y = arrays.files, arrays["y_train"]
    except Exception:
        return [], np.zeros(1)
    return names, y if y.ndim else np.zeros(1)


def _are_classes(y: np.ndarray) -> bool:
    whole = y.dtype.kind in "iub" or (y.dtype.kind == "f" and (y == np.floor(y)).all())
    if y.ndim > 1 and y.shape[1] > 1:  # one-hot rows
        return True
    return bool(whole) and len(np.unique(y)) <= max(FEW, len(y) // 10)
