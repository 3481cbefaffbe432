"""What families share: the output layer that is made here, and hidden layers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.core.folder import Folder
from tasks.families.base import Family
from tasks.families.head import choose

Activation = Literal[
    "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "linear"
]
Units = Annotated[int, Field(gt=0, le=10**9)]
# BatchNormalization then averages over the last ten batches or so. Keras's 0.99 lags an epoch
# of a small dataset behind, and the validation with it.
MOMENTUM = 0.9


class Stack(Family):
    """A family that only says which layers come between the inputs and the output layer."""

    output_units: Units | Literal["auto"] = Field(
        description="Units of the last layer; `auto` follows from the labels."
    )
    output_activation: Literal["auto", "linear", "sigmoid", "softmax"] = Field(
        description="Activation of the last layer; `auto` follows from the labels."
    )

    def layers(self, shape: tuple[int, ...], keras) -> list:
        """The layers before the output layer.

        Args:
            shape: of one row of the inputs.
            keras: the library.
        """
        raise NotImplementedError

    def check(self, schema: dict) -> None:
        choose(schema, self.output_units, self.output_activation)

    def model(self, folder: Folder, schema: dict, keras) -> Any:
        shape = tuple(schema["input_shape"])
        head = choose(schema, self.output_units, self.output_activation)

        model = keras.Sequential(name=folder.path.name)
        model.add(keras.Input(shape))
        for layer in self.layers(shape, keras):
            model.add(layer)
        model.add(keras.layers.Dense(head.units, activation=head.activation))

        if target := schema.get("target"):  # else the unit of y would decide how well it is learned
            model.add(keras.layers.Rescaling(target["std"], target["mean"]))
        return model


class Hidden(Stack):
    """A family with hidden layers."""

    hidden: list[Units] = Field(description="Units of each hidden Dense layer.")
    activation: Activation = Field(description="Activation of the hidden layers.")
    batch_norm: bool = Field(description="Batch normalization before each activation.")
    dropout: float = Field(
        ge=0, lt=1, description="Share of the values that training drops; 0 drops none."
    )
    dtype_policy: Literal["float32", "mixed_bfloat16"] = Field(
        description="What the hidden layers compute in. Weights and the last layer are always "
        "float32."
    )

    def dense(self, keras) -> list:
        """The hidden Dense layers, each with its activation, normalization and dropout."""
        found: list = []
        for units in self.hidden:
            found += self.active(keras, keras.layers.Dense, units)
            found += self.dropped(keras)
        return found

    def active(self, keras, layer, *arguments, pooling: tuple = (), **options) -> list:
        """A layer with its activation, and batch normalization between the two if asked for.

        Normalization comes after the pooling, if there is one: it then has a quarter of the values.
        """
        options["dtype"] = self.dtype_policy
        if not self.batch_norm:
            return [layer(*arguments, **options, activation=self.activation), *pooling]

        return [
            layer(*arguments, **options, use_bias=False),  # the normalization has one
            *pooling,
            keras.layers.BatchNormalization(momentum=MOMENTUM, dtype=self.dtype_policy),
            keras.layers.Activation(self.activation, dtype=self.dtype_policy),
        ]

    def dropped(self, keras) -> list:
        """The dropout, if there is any."""
        if not self.dropout:
            return []
        return [keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)]


def flat(shape: tuple[int, ...], keras) -> list:
    """What makes a row of features out of an image."""
    return [keras.layers.Flatten()] if len(shape) > 1 else []
