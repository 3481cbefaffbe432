"""Step 1, load: find the dataset, check it, and write `raw.npz`."""

from __future__ import annotations

import json
from functools import reduce
from operator import or_
from typing import Annotated

import numpy as np
from pydantic import Field

from tasks.core.arrays import write_arrays
from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.sources import SOURCES
from tasks.sources.base import BuiltIn, Own, named
from tasks.sources.place import Place, identities

# One of the sources' own sections: `source` says which, and each has its own keys.
Params = Annotated[  # type: ignore[valid-type] # made of the table
    reduce(or_, (module.Params for module in SOURCES.values())), Field(discriminator="source")
]

SHAREABLE = True  # the result may come from DVC's remote, if `params.shareable` is true too
# Keys that say nothing of how a row is read.
ELSEWHERE = {"path", "folder", "test", "seed", "class_names", "broken"}
IF_MEMORY_IS_SHORT = "Take fewer rows or features, or images of a smaller load.size."


def load(folder: Folder, params: BuiltIn | Own) -> str:
    """Write `raw.npz`: `x_train y_train x_test y_test`, as in `keras.datasets`, and `class_names`.

    `load` has the parameters with which new rows are read, as JSON, the labels as they are in the
    data, and the unit of a regression's target. Some data have more: `feature_names`, of a table's
    columns; `group_train`, a number for each row's group; `given_train`, a mask of the training
    rows that are given for validation; and `from_train` and `from_test`, where each row is from,
    in words.

    Args:
        folder: the pipeline's folder.
        params: see the `Params` of the module that `params.source` names.

    Raises:
        UserError: the dataset cannot be found, or it is not what was expected.
    """
    place = Place.named(params.path, folder)
    before = identities(place)
    found = SOURCES[params.source].find(params, folder)
    if identities(place) != before:
        raise UserError(
            f"{params.path} changed while it was read, so the result matches neither version. "
            "Run again."
        )

    names = {"class_names": np.array(named(params, found.class_names), dtype=np.str_)}
    if found.feature_names:
        names["feature_names"] = np.array(found.feature_names, dtype=np.str_)
    reading = params.model_dump(exclude=ELSEWHERE) | {"labels": [*map(str, found.class_names)]}
    if found.target_unit:
        reading["target_unit"] = found.target_unit
    names["load"] = np.array(json.dumps(reading, sort_keys=True))
    write_arrays(folder, "raw.npz", **found.arrays, **names)

    train, test = (len(found.arrays[name]) for name in ("x_train", "x_test"))
    return f"{train:,} training and {test:,} test rows from {found.where}"
