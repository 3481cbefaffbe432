"""Step 1, load: find the dataset, check it, and write `raw.npz`."""

from __future__ import annotations

from functools import reduce
from operator import or_
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from tasks.core.arrays import write_arrays
from tasks.core.folder import Folder
from tasks.core.step import UserError, log
from tasks.sources import csv as csv_table
from tasks.sources import fashion_mnist, idx, images, line, npz
from tasks.sources.base import identities, named

SOURCES = {
    "fashion_mnist": fashion_mnist,
    "line": line,
    "idx": idx,
    "npz": npz,
    "images": images,
    "csv": csv_table,
}
# One of the sources' own sections: `source` says which, and each has its own keys.
Params = Annotated[reduce(or_, (module.Params for module in SOURCES.values())), Field(discriminator="source")]


def load(folder: Folder, params: Params) -> str:
    """Write `raw.npz`: `x_train y_train x_test y_test` as `keras.datasets` names them, and `class_names`.

    Where there are any also `feature_names`, of a table's columns; `group_train`, a number for each row's group;
    `given_train`, a mask of the training rows that are given to validate on; and `from_train` and `from_test`, in words
    where each row is from.

    Args:
        folder: the pipeline's folder.
        params: see the `Params` of the module that `params.source` names.

    Raises:
        UserError: the dataset is nowhere to be found, or what was found is not what was expected.
    """
    own = Path(params.path) if hasattr(params, "path") else None
    before = identities(own) if own else {}
    found = SOURCES[params.source].find(params)
    if own and identities(own) != before:
        raise UserError(f"{params.path} changed while it was read: what was read belongs to neither. Run again.")
    names = {"class_names": np.array(named(params, found.class_names), dtype=np.str_)}
    if found.feature_names:
        names["feature_names"] = np.array(found.feature_names, dtype=np.str_)
    write_arrays(folder, "raw.npz", **found.arrays, **names)
    train, test = len(found.arrays["x_train"]), len(found.arrays["x_test"])
    log.info("%s: %s to train on, %s to test, from %s", params.source, f"{train:,}", f"{test:,}", found.where)
    return f"{train:,} + {test:,} rows from {found.where}"
