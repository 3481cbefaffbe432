"""The one way in which a model is put together from its two configuration files."""

from __future__ import annotations

import json
import random

from tasks.core.folder import Folder
from tasks.network.backend import keras


def assemble(folder: Folder, seed: int, **hardware) -> keras.Model:
    """A compiled model with new weights, from `architecture.json` and `compile.json`.

    Args:
        folder: the pipeline's folder.
        seed: for the weights and for every later draw of the model's layers.
        hardware: arguments of `Model.compile` that change how fast it computes, not what.
    """
    architecture = _seeded(folder.read_json("architecture.json"), random.Random(seed))
    compile_config = folder.read_json("compile.json")

    # Names are then counted from one again, so the bytes of the files are the same in every run.
    keras.utils.clear_session()
    model = keras.models.model_from_json(json.dumps(architecture))
    model.compile_from_config({**compile_config, **hardware})
    return model


def _seeded(config, draws: random.Random):
    """A model's configuration with a seed wherever Keras would draw one.

    Keras would draw it from Python's global generator, from which other threads of the process,
    such as Prefect's, draw too.
    """
    if isinstance(config, list):
        return [_seeded(each, draws) for each in config]
    if not isinstance(config, dict):
        return config
    return {
        key: draws.randint(1, 10**9) if key == "seed" and value is None else _seeded(value, draws)
        for key, value in config.items()
    }
