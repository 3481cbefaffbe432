"""Models for other programs: one file or folder with the scaling inside. One module a format.

Each module has

- `NAME`: what the exported file or folder is called;
- `write(asked, path)`: writes it; for a process of its own, as it imports TensorFlow;
- `open(path, threads)`: opens it for questions, as a `Model`.

- `base.py`: what a program asks, whatever the format.
- `scaled.py`: a trained model with its scaling in front, without Keras.
- `convert.py`: a process that writes one export.
- `proof.py`: a process that asks it about the test rows.
"""

from __future__ import annotations

from pathlib import Path

from tasks.exports import litert, onnx, saved_model

FORMATS = {
    "litert": litert,
    "onnx": onnx,
    "saved_model": saved_model,
}


def format_of(path: Path) -> str | None:
    """The format of an exported model by what it is called: a folder is a SavedModel."""
    suffixes = {Path(module.NAME).suffix: format for format, module in FORMATS.items()}
    return suffixes.get("" if path.is_dir() else path.suffix.lower() or "a file")
