"""`family: linear`: the output layer alone, which is linear or logistic regression."""

from __future__ import annotations

from typing import Literal

from tasks.families.layers import Stack, flat


class Linear(Stack):
    """The output layer alone."""

    family: Literal["linear"]

    def layers(self, shape: tuple[int, ...], keras) -> list:
        return flat(shape, keras)
