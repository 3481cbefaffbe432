"""A process that writes one export: the converters count and keep what they have named.

python -m tasks.exports.convert FOLDER FORMAT PATH
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tasks.exports import FORMATS


def main(folder: str, format: str, path: str) -> None:
    """Write the trained model of a pipeline's folder.

    Args:
        folder: the pipeline's.
        format: a key of `FORMATS`.
        path: of the file or folder to write.
    """
    from tasks.network.backend import keras  # here: who starts the process imports this module

    model = keras.models.load_model(Path(folder, "model.keras"), compile=False)
    schema = json.loads(Path(folder, "schema.json").read_text(encoding="utf-8"))
    FORMATS[format].write(model, schema, Path(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
