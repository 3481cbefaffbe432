"""A user's own model: a function in the folder `models` that returns one, called and checked."""

from __future__ import annotations

import ast
import importlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tasks.core.step import UserError, log
from tasks.families.head import choose

FOLDER = "models"  # named in dvc.yaml as a whole: a change in it builds again
FAILED = (Exception, SystemExit)  # all but Ctrl-C, and a timeout of Prefect's


def own_model(name: str, schema: dict):
    """The Keras model that a user's function returns.

    Args:
        name: `models.file:function`.
        schema: the content of `schema.json`, with which the function is called.

    Raises:
        UserError: there is no such function, it fails, or what it returns cannot be used.
    """
    function = _function(name)

    from tasks.network.backend import keras

    policy = keras.config.dtype_policy()
    keras.utils.set_random_seed(0)  # a layer that draws its seed when it is made has the same one in every run
    try:
        model = function(dict(schema))
    except UserError:
        raise
    except FAILED as error:
        raise UserError(f"build.function: {name} failed: {_cause(error)}. Correct it; {_call(schema)}") from error
    finally:
        keras.config.set_dtype_policy(policy)  # if the function has set another for its layers: not for other models
    if not isinstance(model, keras.Model):
        raise UserError(
            f"build.function: {name} returned {type(model).__name__}, not a Keras model. Expected "
            "`return keras.Sequential([...])` or `return keras.Model(inputs, outputs)`."
        )
    _check(name, model, schema)
    return model


def _function(name: str):
    """Import it anew: in a process that lives on, the file may be another than before."""
    file, _, function = name.partition(":")
    path = Path(*file.split(".")).with_suffix(".py")
    if not path.is_file():
        raise UserError(f"build.function: there is no {path.as_posix()}. Expected a file in the folder `{FOLDER}`.")
    for known in [known for known in sys.modules if known.partition(".")[0] == FOLDER]:
        del sys.modules[known]
    importlib.invalidate_caches()
    bytecode = sys.dont_write_bytecode
    sys.path.insert(0, os.getcwd())
    # Python trusts one of the same size and second, and a file may be edited twice in it.
    sys.dont_write_bytecode = True
    try:
        module = importlib.import_module(file)
    except FAILED as error:
        raise UserError(f"build.function: {path.as_posix()} cannot be imported: {_cause(error)}.") from error
    finally:
        sys.path.pop(0)
        sys.dont_write_bytecode = bytecode
    for name, place in _outside():
        raise UserError(
            f"build.function: {place} imports {name}, whose changes DVC would not see. Move it into the folder "
            f"`{FOLDER}`."
        )
    if not callable(getattr(module, function, None)):
        known = [word for word, value in vars(module).items() if callable(value) and not word.startswith("_")]
        raise UserError(
            f"build.function: {path.as_posix()} has no function `{function}`. It has {', '.join(known) or 'none'}."
        )
    return getattr(module, function)


def _outside() -> Iterator[tuple[str, str]]:
    """What the user's modules import of the project that is not in their folder, and which of them does."""
    for module in [module for known, module in sys.modules.items() if known.partition(".")[0] == FOLDER]:
        if not getattr(module, "__file__", None):  # the folder itself
            continue
        for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in names:
                top = name.partition(".")[0]
                if top != FOLDER and (Path(top).is_dir() or Path(f"{top}.py").is_file()):
                    yield name, Path(module.__file__).relative_to(Path.cwd()).as_posix()


def _check(name: str, model, schema: dict) -> None:
    """Refuse a model that the later steps could not use."""
    from tasks.network.backend import keras

    fix = f"Correct what {name} returns."
    shape = (None, *schema["input_shape"])
    one = model.built and len(getattr(model, "inputs", ())) == len(model.outputs) == 1
    if not one or isinstance(model.compute_output_shape(model.input_shape), dict):
        raise UserError(
            f"build.function: the model must have one input and one output. Begin with keras.Input({shape[1:]}). {fix}"
        )
    if tuple(model.input_shape) != shape:
        raise UserError(
            f"build.function: the model takes {tuple(model.input_shape)}, but the inputs are {shape}: rows, then the "
            f'shape of one. Begin with keras.Input(schema["input_shape"]). {fix}'
        )
    last = model.layers[-1]
    if not isinstance(last, keras.layers.Dense) or last.output is not model.outputs[0] or len(last.output.shape) != 2:
        raise UserError(
            f"build.function: the last layer is {type(last).__name__}, of shape {last.output.shape}. Expected "
            f"Dense(units, activation) on flat rows: the loss follows from its activation. {fix}"
        )
    kept = [layer.name for layer in model._flatten_layers() if layer.weights and _has_its_own(layer)]
    if kept:
        raise UserError(
            f"build.function: the layer {kept[0]} has weights that training does not learn. They would be lost, as the "
            f"other steps draw all weights anew. Make it trainable, or give it the numbers as arguments. {fix}"
        )
    if getattr(model, "optimizer", None):
        log.warning("%s returned a compiled model: `compile` in params.yaml says how it is trained", name)
    config = json.loads(model.to_json())
    foreign = _foreign(config["config"])
    try:
        if not foreign:
            keras.models.model_from_json(json.dumps(config))
    except Exception as error:
        foreign = _cause(error)
    if foreign:
        raise UserError(
            f"build.function: the model cannot be made from its configuration: {foreign}. The other steps make it from "
            "architecture.json, without your code: no layers, activations or functions of your own, and no Lambda. "
            "Put it together from Keras's own layers and keras.ops."
        )
    choose(schema, last.units, keras.activations.serialize(last.activation), fix=fix)


def _has_its_own(layer) -> bool:
    """Whether a layer is frozen, or learns from data before the training, as Normalization does."""
    return hasattr(layer, "adapt") or not (layer.trainable or hasattr(layer, "layers"))


def _foreign(config) -> str:
    """A class or function in a model's configuration that is not Keras's; nothing if there is none."""
    if isinstance(config, list):
        return next(filter(None, map(_foreign, config)), "")
    if not isinstance(config, dict):
        return ""
    module = config.get("module") or "keras"
    if "class_name" in config and (
        module.partition(".")[0] not in ("keras", "builtins") or config["class_name"] in ("function", "Lambda")
    ):
        called = config["config"] if config["class_name"] == "function" else config["class_name"]
        return f"{called} is not one of Keras's own"
    return _foreign(list(config.values()))


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0][:200]}"


def _call(schema: dict) -> str:
    return f"it is called with one argument, a dictionary of {', '.join(schema)}."
