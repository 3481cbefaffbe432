"""Scaling of inputs: fitted to the training rows, kept in `schema.json`, applied to any rows."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from tasks.core.arrays import blocks
from tasks.core.step import UserError

Kind = Literal["pixels", "standard", "none"]
ROUNDING = 1e-12  # the mean of equal values may be off by a bit


class Scaling(NamedTuple):
    """`(x - subtract) / divide`, with one value for all features, or one a feature or colour."""

    subtract: np.ndarray
    divide: np.ndarray

    @classmethod
    def of(cls, kind: Kind, x: np.ndarray, rows: np.ndarray) -> Scaling:
        """The scaling of that kind, fitted to some of the rows.

        Args:
            kind: `pixels` divides by 255; `standard` gives each feature, or each colour of an
                image, the mean 0 and the standard deviation 1; `none` changes nothing.
            x: inputs, (rows, features), (rows, height, width) or (rows, height, width, colours).
            rows: the indices of the training rows in `x`.

        Raises:
            UserError: the values are too large for their standard deviation.
        """
        if kind == "pixels":
            return cls(np.zeros(1), np.full(1, 255.0))
        if kind == "none":
            return cls(np.zeros(1), np.ones(1))
        return cls(*_mean_and_std(x, rows))

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The rows, scaled, as float32; a value that is too large for it becomes infinite."""
        # Large values that differ little, such as dates, would lose the difference as float32.
        values = x.astype(np.result_type(x.dtype, np.float32))
        if self.subtract.any():
            values -= self.subtract.astype(values.dtype)
        if (self.divide != 1).any():
            values /= self.divide.astype(values.dtype)
        with np.errstate(over="ignore"):
            return values.astype(np.float32, copy=False)

    def only(self, features: np.ndarray) -> Scaling:
        """The same for some features, a mask; the others stay as they are."""
        return Scaling(np.where(features, self.subtract, 0.0), np.where(features, self.divide, 1.0))

    def to_json(self) -> dict[str, list[float]]:
        return {name: values.tolist() for name, values in self._asdict().items()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Scaling:
        return cls(*(np.array(content[name], dtype=np.float64) for name in cls._fields))


def _mean_and_std(x: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each feature, in blocks; of one that never varies 1."""
    # Gray images have one feature, their brightness; in colour images each pixel is a row.
    columns = 1 if x.ndim == 3 else x.shape[-1]
    count = len(rows) * math.prod(x.shape[1:]) // columns

    def total(of) -> np.ndarray:
        parts = (x[rows[some]].reshape(-1, columns) for some in blocks(x, len(rows)))
        return sum(of(part).sum(axis=0, dtype=np.float64) for part in parts)

    mean = total(lambda values: values) / count
    with np.errstate(over="ignore"):
        std = np.sqrt(total(lambda values: np.square(values - mean)) / count)

    if not np.isfinite(std).all():
        raise UserError(
            "normalize.scale is `standard`, but the squares of some values are beyond float64. "
            "Divide these values by a power of 10."
        )
    constant = std <= ROUNDING * np.abs(mean)
    return mean, np.where(constant, 1.0, std)
