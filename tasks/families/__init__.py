"""The families of models: one file and one line each.

A family is a section of `params.yaml`, a subclass of `base.Family`, that makes a Keras model.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Annotated

from pydantic import Field

from tasks.families.base import Family
from tasks.families.cnn import Cnn
from tasks.families.function import Function
from tasks.families.linear import Linear
from tasks.families.mlp import Mlp
from tasks.families.table import Table

FAMILIES: dict[str, type[Family]] = {
    "mlp": Mlp,
    "table": Table,
    "cnn": Cnn,
    "linear": Linear,
    "function": Function,
}
# `family` says which of these sections it is; each has its own keys.
Params = Annotated[reduce(or_, FAMILIES.values()), Field(discriminator="family")]  # type: ignore[valid-type] # made of the table
