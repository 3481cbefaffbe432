"""`family: function`: a user's own function in the folder `models` makes the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tasks.core.folder import Folder
from tasks.core.step import UserError, log
from tasks.families.base import Family
from tasks.families.head import choose
from tasks.families.own_code import FAILED, cause, own_function


class Function(Family):
    """A user's own function."""

    family: Literal["function"]
    function: str = Field(
        pattern=r"^models(\.[A-Za-z_]\w*)+:[A-Za-z_]\w*$",
        examples=["models.example:residual"],
        description="`models.file:function`, a function in the folder `models` that returns a "
        "Keras model.",
    )

    def model(self, folder: Folder, schema: dict, keras) -> Any:
        return own_model(folder.root, self.function, schema, keras)


def own_model(root: Path, name: str, schema: dict, keras) -> Any:
    """The Keras model that a user's function returns.

    Args:
        root: the project's folder, in which `models` is.
        name: `models.file:function`.
        schema: the content of `schema.json`, with which the function is called.
        keras: the library.

    Raises:
        UserError: there is no such function, it fails, or what it returns cannot be used.
    """
    policy = keras.config.dtype_policy()
    with own_function(root, name) as function:
        # A layer that draws its seed when it is made then has the same one in every run.
        keras.utils.set_random_seed(0)
        try:
            model = function(dict(schema))
        except UserError:
            raise
        except FAILED as error:
            raise UserError(
                f"build.function: {name} failed: {cause(error)}. Correct it; it is called with one "
                f"argument, a dictionary of {', '.join(schema)}."
            ) from error
        finally:
            keras.config.set_dtype_policy(policy)  # a function may set another for its layers

    if not isinstance(model, keras.Model):
        raise UserError(
            f"build.function: {name} returned {type(model).__name__}, not a Keras model. Expected "
            "`return keras.Sequential([...])` or `return keras.Model(inputs, outputs)`."
        )
    _check(model, name, schema, keras)
    return model


# What the later steps need of a model.


def _check(model, name: str, schema: dict, keras) -> None:
    """Refuse a model that the later steps could not use."""
    fix = f"Correct what {name} returns."
    _check_inputs(model, tuple(schema["input_shape"]), fix)
    last = _checked_output(model, keras, fix)
    _check_weights(model, fix)
    if getattr(model, "optimizer", None):
        log.warning(
            "%s returned a compiled model. This has no effect: `compile` in params.yaml says how "
            "it is trained",
            name,
        )
    _check_configuration(model, keras)
    choose(schema, last.units, keras.activations.serialize(last.activation), fix=fix)


def _check_inputs(model, shape: tuple[int, ...], fix: str) -> None:
    single = model.built and len(getattr(model, "inputs", ())) == len(model.outputs) == 1
    if not single or isinstance(model.compute_output_shape(model.input_shape), dict):
        raise UserError(
            "build.function: the model must have one input and one output. Begin with "
            f"keras.Input({shape}). {fix}"
        )
    if tuple(model.input_shape) != (None, *shape):
        raise UserError(
            f"build.function: the model takes {tuple(model.input_shape)}, but the inputs are "
            f"{(None, *shape)}: rows, then the shape of one. Begin with "
            f'keras.Input(schema["input_shape"]). {fix}'
        )


def _checked_output(model, keras, fix: str):
    """The last layer, a Dense layer whose activation tells the loss."""
    last = model.layers[-1]
    ends = isinstance(last, keras.layers.Dense) and last.output is model.outputs[0]
    if not ends or len(last.output.shape) != 2:
        raise UserError(
            f"build.function: the last layer is {type(last).__name__}, of shape "
            f"{last.output.shape}. Expected Dense(units, activation) on flat rows: the loss "
            f"follows from its activation. {fix}"
        )
    return last


def _check_weights(model, fix: str) -> None:
    layers = model._flatten_layers()
    kept = [layer.name for layer in layers if layer.weights and _keeps_its_weights(layer)]
    if kept:
        raise UserError(
            f"build.function: the layer {kept[0]} has weights that training does not change. They "
            "would be lost, because the other steps draw all weights anew. Make it trainable, or "
            f"give it the numbers as arguments. {fix}"
        )


def _keeps_its_weights(layer) -> bool:
    """Whether a layer is frozen, or learns from data before the training, as Normalization does."""
    return hasattr(layer, "adapt") or not (layer.trainable or hasattr(layer, "layers"))


def _check_configuration(model, keras) -> None:
    config = json.loads(model.to_json())
    why = _foreign(config["config"])
    if not why:
        try:
            keras.models.model_from_json(json.dumps(config))
        except Exception as error:  # whatever a layer raises
            why = cause(error)
    if why:
        raise UserError(
            f"build.function: the model cannot be made from its configuration: {why}. The other "
            "steps make it from architecture.json, without your code. Use Keras's own layers and "
            "keras.ops only: no layers, activations or functions of your own, and no Lambda."
        )


def _foreign(config) -> str:
    """What in a model's configuration is not Keras's own; empty if there is nothing."""
    if isinstance(config, list):
        return next(filter(None, map(_foreign, config)), "")
    if not isinstance(config, dict):
        return ""

    kind = config.get("class_name")
    module = (config.get("module") or "keras").partition(".")[0]
    if kind and (module not in ("keras", "builtins") or kind in ("function", "Lambda")):
        called = config["config"] if kind == "function" else kind
        return f"{called} is not one of Keras's own"
    return _foreign(list(config.values()))
