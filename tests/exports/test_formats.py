"""What every format does: the same answers as Keras, and the same bytes in each process."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.exports import FORMATS
from tests.conftest import ROOT
from tests.support.exported import SIDE, rows

PAGE = (ROOT / "docs/use.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
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


@pytest.mark.parametrize(
    ("library", "kind"), [("ai_edge_litert", "dense"), ("onnxruntime", "table")]
)
def test_the_lines_of_the_page_need_the_folder_and_one_library(exported, tmp_path, library, kind):
    (lines,) = [block for block in BLOCK.findall(PAGE) if library in block]
    place = tmp_path / "export"
    place.symlink_to(exported[0] / kind)
    image = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE)
    Image.fromarray(image).save(tmp_path / "photo.png")

    code = f"{lines}\nimport sys; print({{'tensorflow', 'keras', 'tasks'}} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    said = done.stdout.splitlines()
    assert said[-1] == "set()", done.stderr

    format = "litert" if kind == "dense" else "onnx"
    x = image[None] if kind == "dense" else [[20_010.0, 1.0, 0.25], [20_011.0, 0.0, 0.5]]
    found = FORMATS[format].open(place / FORMATS[format].NAME).ask(np.array(x))
    if kind == "dense":
        assert said[0] == f"kind {found.argmax()} {found.max():.1%}"
    else:
        assert said[:-1] == str(found).splitlines()


def content(path: Path) -> dict[str, bytes]:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}
