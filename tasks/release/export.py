"""Export: the model with its scaling in one folder for other programs, and the proof of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from pydantic import Field

from tasks.core.code import ROOT
from tasks.core.folder import Folder
from tasks.core.step import Section, UserError, must_stop, stop

FOLDER = "export"  # in the pipeline's folder: it is enough without the project
PROOF = "proof.json"
COMPARED = ("schema.json", "raw.npz", "predictions.csv")  # with these a model is proved
PROVED = ("rows", "differ", "largest_difference")  # of it
OTHER = "The format saved_model holds whatever TensorFlow can compute."
MORE_DIGITS = "LiteRT has no float64, which some of the features may need: take the format onnx."
EXCEPTION = re.compile(r"^(?![A-Z]+:)\w[\w.]*: .+", re.MULTILINE)  # not `WARNING: ...`


class Params(Section):
    format: Literal["litert", "onnx", "saved_model"] = Field(
        description="Of the exported file: `litert`, once TensorFlow Lite, `onnx`, or "
        "`saved_model`, a folder for TensorFlow."
    )


def export(folder: Folder, params: Params) -> str:
    """Read `model.keras` and `schema.json`; write the folder `export` and `proof.json`.

    The folder has the model, which takes rows as they are before scaling, and `schema.json`, which
    says how such rows are read. It gets its name when a process without Keras has asked the model
    about every test row of `raw.npz`, and the answers are those of `predictions.csv`.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: the format cannot hold the model, or an answer differs.
    """
    from tasks.exports import FORMATS, convert  # here: a step's file is light

    for name in ("model.keras", *COMPARED):
        folder.read(name)

    with _whole(folder) as part:
        made = part / FORMATS[params.format].NAME
        _convert(convert, folder, params.format, made)
        shutil.copy(folder.path / "schema.json", part)
        found = proved(folder, params.format, made)
        if found["worst"]:
            raise UserError(
                f"The exported model does not answer as {folder.shown('model.keras')} does: "
                f"{found['worst']}. Nothing was exported. "
                + (MORE_DIGITS if params.format == "litert" else OTHER)
            )
    proof = {"format": params.format, **{key: found[key] for key in PROVED}}
    folder.write_json(PROOF, proof)
    return in_words(folder, proof)


def in_words(folder: Folder, proof: dict[str, Any]) -> str:
    """What `proof.json` says, in one line."""
    from tasks.exports import FORMATS

    name = f"{folder.shown(FOLDER)}/{FORMATS[proof['format']].NAME}"
    return f"{name}: {counted(folder, proof)}"


def counted(folder: Folder, found: dict[str, Any]) -> str:
    """What was found about an exported model, in words."""
    regression = folder.read_json("schema.json")["labels"] == "regression"
    return (
        f"{found['differ']:,} of {found['rows']:,} answers to test rows differ, the largest "
        f"difference is {found['largest_difference']:g}"
        f"{' times the largest prediction' * regression}"
    )


def proved(folder: Folder, format: str, model: Path) -> dict[str, Any]:
    """What a process without Keras found about an exported model; see `tasks/exports/proof.py`."""
    from tasks.exports import proof

    done = _run(proof, folder.path, format, model)
    if done.returncode:
        raise UserError(f"{model.name} could not be asked about the test rows: {_why(done)}")
    return json.loads(done.stdout.splitlines()[-1])


def _convert(convert: ModuleType, folder: Folder, format: str, to: Path) -> None:
    done = _run(convert, folder.path, format, to)
    if done.returncode:
        raise UserError(f"{format} cannot hold this model: {_why(done)} {OTHER}")


def _run(module: ModuleType, *arguments: Any) -> subprocess.CompletedProcess:
    """A module as a process of its own, whose chatter nobody sees."""
    command = [sys.executable, "-m", module.__name__, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if must_stop():
        stop("while the model was exported")
    return done


def _why(done: subprocess.CompletedProcess) -> str:
    """What a process that failed has said last: the line of its exception."""
    said = EXCEPTION.findall(done.stderr)
    return f"{said[-1].strip()[:200].rstrip('.')}." if said else f"exit code {done.returncode}."


@contextmanager
def _whole(folder: Folder) -> Iterator[Path]:
    """A folder to write to, beside the final one: it gets its name when all is in it."""
    for left in folder.path.glob(".part.export.*"):  # by a kill
        shutil.rmtree(left, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=".part.export.", dir=folder.path))
    try:
        yield part
        for file in (each for each in part.rglob("*") if each.is_file()):
            with open(file, "rb") as opened:
                os.fsync(opened.fileno())
        part.chmod(0o755)  # that of a scratch folder is for its owner alone
        shutil.rmtree(folder.path / FOLDER, ignore_errors=True)
        os.replace(part, folder.path / FOLDER)
    finally:
        shutil.rmtree(part, ignore_errors=True)
