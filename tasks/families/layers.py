"""The families of models: for each its parameters, and the layers that they stand for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tasks.core.step import Section, UserError

Activation = Literal["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "linear"]
Units = Annotated[int, Field(gt=0, le=10**9)]
# Of its averages in BatchNormalization: those of the last ten batches or so. Keras's 0.99 lags behind by an epoch of
# a small dataset, and the validation with it.
MOMENTUM = 0.9


class Stack(Section):
    """The parameters of every family whose last layer is made here."""

    family: str
    output_units: Units | Literal["auto"] = Field(
        description="Units of the last layer; `auto` follows from the labels."
    )
    output_activation: Literal["auto", "linear", "sigmoid", "softmax"] = Field(
        description="Activation of the last layer; `auto` follows from the labels."
    )

    def layers(self, shape: tuple[int, ...]) -> list:
        """Keras's layers between the inputs, rows of that shape, and the last layer."""
        raise NotImplementedError


class Linear(Stack):
    """The last layer alone: linear or logistic regression."""

    family: Literal["linear"]

    def layers(self, shape: tuple[int, ...]) -> list:
        return _flat(shape)


class Hidden(Stack):
    """The parameters of the families with hidden layers."""

    hidden: list[Units] = Field(description="Units of each hidden Dense layer.")
    activation: Activation = Field(description="Activation of the hidden layers.")
    batch_norm: bool = Field(description="Batch normalization before each activation.")
    dropout: float = Field(ge=0, lt=1, description="Share of the values that training leaves out; 0 leaves out none.")
    dtype_policy: Literal["float32", "mixed_bfloat16"] = Field(
        description="What the hidden layers compute in. Weights and the last layer are float32 with both."
    )

    def _dense(self) -> list:
        from tasks.network.backend import keras

        dense, found = keras.layers.Dense, []
        for units in self.hidden:
            found += self._active(dense, units) + self._dropped()
        return found

    def _active(self, layer, *arguments, pooling: tuple = (), **options) -> list:
        """A layer with its activation, and with batch normalization between the two where it is asked for.

        Normalization comes after the pooling, if there is one: a quarter of the values is left for it.
        """
        from tasks.network.backend import keras

        if not self.batch_norm:
            return [layer(*arguments, **options, activation=self.activation, dtype=self.dtype_policy), *pooling]
        return [
            layer(*arguments, **options, use_bias=False, dtype=self.dtype_policy),  # the normalization has one
            *pooling,
            keras.layers.BatchNormalization(momentum=MOMENTUM, dtype=self.dtype_policy),
            keras.layers.Activation(self.activation, dtype=self.dtype_policy),
        ]

    def _dropped(self) -> list:
        from tasks.network.backend import keras

        return [keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)] if self.dropout else []


class Mlp(Hidden):
    """Dense layers in a row, for features and small images."""

    family: Literal["mlp"]

    def layers(self, shape: tuple[int, ...]) -> list:
        return _flat(shape) + self._dense()


class Cnn(Hidden):
    """Blocks of 3 x 3 convolutions, for images. Each halves height and width, the last one only before `flatten`."""

    family: Literal["cnn"]
    filters: list[Units] = Field(min_length=1, description="Filters of the convolutions, a number for each block.")
    convolutions: Literal[1, 2] = Field(description="Convolutions in a block.")
    head: Literal["average", "flatten"] = Field(
        description="What the last block's output becomes: the average of each filter, or all of its values in a row."
    )

    def layers(self, shape: tuple[int, ...]) -> list:
        if len(shape) not in (2, 3):
            raise UserError(
                f"build.family is `cnn`, which is for images, but a row of the inputs has the shape {tuple(shape)}. "
                "Set build.family to `mlp`, with its keys."
            )

        from tasks.network.backend import keras

        found = [keras.layers.Reshape((*shape, 1))] if len(shape) == 2 else []  # gray: one channel
        side = min(shape[:2])
        for number, filters in enumerate(self.filters, start=1):
            last = number == len(self.filters)
            for _ in range(self.convolutions - 1):
                found += self._active(keras.layers.Conv2D, filters, 3, padding="same")
            pooling = ()
            if side >= 2 and not (last and self.head == "average"):
                pooling = (keras.layers.MaxPooling2D(2, dtype=self.dtype_policy),)
                side //= 2
            found += self._active(keras.layers.Conv2D, filters, 3, padding="same", pooling=pooling)
            found += [] if last else self._dropped()
        average = keras.layers.GlobalAveragePooling2D(dtype=self.dtype_policy)
        found.append(average if self.head == "average" else keras.layers.Flatten())
        return found + self._dropped() + self._dense()


class Function(Section):
    """A user's own."""

    family: Literal["function"]
    function: str = Field(
        pattern=r"^models(\.[A-Za-z_]\w*)+:[A-Za-z_]\w*$",
        examples=["models.example:residual"],
        description="`models.file:function`, a function in the folder `models` that returns a Keras model.",
    )


def _flat(shape: tuple[int, ...]) -> list:
    from tasks.network.backend import keras

    return [keras.layers.Flatten()] if len(shape) > 1 else []
