"""`family: table`: Dense layers, and for each number the quantile that it lies in."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

from tasks.core.folder import Folder
from tasks.core.step import UserError
from tasks.families.head import choose
from tasks.families.layers import Hidden


class Table(Hidden):
    """Dense layers on a table's features and the piecewise-linear encoding of its numbers.

    Between two neighbouring quantiles of the training rows, an input rises from 0 to 1 with the
    number, and stays there (Gorishniy et al. 2022). The layers then find steps and bends in a
    number's effect as easily as a tree does.
    """

    family: Literal["table"]

    def check(self, schema: dict) -> None:
        super().check(schema)
        if "quantiles" not in schema:
            raise UserError(
                "build.family is `table`, which is for tables, such as `load.source: csv` or "
                "`parquet`. Set build.family to `mlp`, with its keys."
            )

    def model(self, folder: Folder, schema: dict, keras) -> Any:
        head = choose(schema, self.output_units, self.output_activation)
        inputs = keras.Input(tuple(schema["input_shape"]))
        x = self._encoded(inputs, schema, keras)
        for layer in self.dense(keras):
            x = layer(x)
        x = keras.layers.Dense(head.units, activation=head.activation)(x)
        if target := schema.get("target"):
            x = keras.layers.Rescaling(target["std"], target["mean"])(x)
        return keras.Model(inputs, x, name=folder.path.name)

    def _encoded(self, inputs, schema: dict, keras):
        """The features, and an input for each part between two quantiles."""
        parts = [
            (feature, low, high)
            for feature, name in enumerate(schema["feature_names"])
            for low, high in pairwise(schema["quantiles"].get(name, ()))
        ]
        if not parts:
            return inputs

        features, low, width = zip(*((number, a, b - a) for number, a, b in parts), strict=True)
        position = keras.layers.Normalization(mean=low, variance=[each**2 for each in width])
        within = position(keras.ops.take(inputs, list(features), axis=1))
        return keras.layers.Concatenate()([inputs, keras.layers.ReLU(max_value=1)(within)])
