"""Six points on y = x + 6: the smallest data there is."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.core.step import Section
from tasks.sources.base import Dataset


class Params(Section):
    path: str = Field(description="built-in")
    predicts: ClassVar[str] = "regression"
    shareable: ClassVar[bool] = True
    source: Literal["line"] = Field(description="Where the data is from, or the kind of its files.")


def find(params: Params) -> Dataset:
    """There are no others, so they are the test set too."""
    x = np.arange(-1, 5, dtype=np.float32).reshape(-1, 1)
    y = np.arange(5, 11, dtype=np.float32)
    return Dataset({"x_train": x, "y_train": y, "x_test": x, "y_test": y}, "the source itself")
