"""`family: mlp`: Dense layers in a row, for features and small images."""

from __future__ import annotations

from typing import Literal

from tasks.families.layers import Hidden, flat


class Mlp(Hidden):
    """Dense layers in a row."""

    family: Literal["mlp"]

    def layers(self, shape: tuple[int, ...], keras) -> list:
        return flat(shape, keras) + self.dense(keras)
