"""A process that writes one export: the converters keep what they have drawn and counted.

python -m tasks.exports.convert FOLDER FORMAT PATH
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tasks.exports import FORMATS
from tasks.network.backend import keras


def main(folder: str, format: str, path: str) -> None:
    model = keras.models.load_model(Path(folder, "model.keras"), compile=False)
    schema = json.loads(Path(folder, "schema.json").read_text(encoding="utf-8"))
    FORMATS[format].write(model, schema, Path(path))


if __name__ == "__main__":
    main(*sys.argv[1:])
