"""What every format does: the same answers as Keras, and the same bytes in each process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tasks.exports import FORMATS
from tests.conftest import ROOT
from tests.support.exported import rows

KINDS = ("dense", "cnn", "table")


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> list[Path]:
    """The same exports by two processes."""
    folders = [tmp_path_factory.mktemp(name) for name in ("once", "again")]
    command = [sys.executable, "-m", "tests.support.exported"]
    begun = [subprocess.Popen([*command, folder], cwd=ROOT) for folder in folders]
    assert [process.wait() for process in begun] == [0, 0]
    return folders


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", FORMATS)
def test_two_processes_write_the_same_bytes(exported, format, kind):
    first, second = (content(folder / kind / FORMATS[format].NAME) for folder in exported)
    assert first
    assert first == second


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("format", FORMATS)
def test_an_export_answers_rows_before_scaling_as_keras_answers_scaled_ones(exported, format, kind):
    place = exported[0] / kind
    if format == "saved_model":
        from tasks.network import backend  # noqa: F401 # as other tests of this process need it
    schema, module = json.loads((place / "schema.json").read_text()), FORMATS[format]
    x = rows(schema)
    found = module.open(place / module.NAME).ask(x)
    assert found.dtype == np.float32
    # LiteRT has no float64, whose digits the days of this table need.
    limit = 1e-4 if (format, kind) == ("litert", "table") else 1e-6
    np.testing.assert_allclose(found, np.load(place / "expected.npy"), atol=limit)


def content(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}
