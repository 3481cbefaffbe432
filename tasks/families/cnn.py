"""`family: cnn`: blocks of 3 x 3 convolutions, for images."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.core.step import UserError
from tasks.families.layers import Hidden, Units


class Cnn(Hidden):
    """Blocks of convolutions, then the Dense layers.

    Each block halves height and width; the last one does so only before `flatten`.
    """

    family: Literal["cnn"]
    filters: list[Units] = Field(
        min_length=1, description="Filters of the convolutions, a number for each block."
    )
    convolutions: Literal[1, 2] = Field(description="Convolutions in a block.")
    head: Literal["average", "flatten"] = Field(
        description="What the last block's output becomes: the average of each filter, or all of "
        "its values in a row."
    )

    def check(self, schema: dict) -> None:
        super().check(schema)
        shape = tuple(schema["input_shape"])
        if len(shape) not in (2, 3):
            raise UserError(
                "build.family is `cnn`, which is for images, but a row of the inputs has the shape "
                f"{shape}. Set build.family to `mlp`, with its keys."
            )

    def layers(self, shape: tuple[int, ...], keras) -> list:
        gray = len(shape) == 2
        found = [keras.layers.Reshape((*shape, 1))] if gray else []  # one channel

        side = min(shape[:2])
        for number, filters in enumerate(self.filters, start=1):
            last = number == len(self.filters)
            halved = side >= 2 and not (last and self.head == "average")
            found += self._block(keras, filters, halved)
            found += [] if last else self.dropped(keras)
            side = side // 2 if halved else side

        found.append(self._flattened(keras))
        return found + self.dropped(keras) + self.dense(keras)

    def _block(self, keras, filters: int, halved: bool) -> list:
        """One or two convolutions; the pooling belongs to the last of them."""
        convolution = keras.layers.Conv2D
        found: list = []
        for _ in range(self.convolutions - 1):
            found += self.active(keras, convolution, filters, 3, padding="same")

        pooling = (keras.layers.MaxPooling2D(2, dtype=self.dtype_policy),) if halved else ()
        return found + self.active(keras, convolution, filters, 3, padding="same", pooling=pooling)

    def _flattened(self, keras):
        if self.head == "flatten":
            return keras.layers.Flatten()
        return keras.layers.GlobalAveragePooling2D(dtype=self.dtype_policy)
