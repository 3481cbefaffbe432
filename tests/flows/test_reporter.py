"""What a reporter reads while a `dvc repro` writes."""

from __future__ import annotations

import subprocess
import sys

import psutil
import pytest

from flows.engine.processes import born
from flows.project.folder import Project
from flows.server import outbox
from flows.server.reporter import steps


@pytest.fixture
def dvc():
    """A process in place of a `dvc repro`."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield psutil.Process(process.pid)
        process.kill()


def test_a_line_that_is_half_written_is_read_when_it_is_whole(tmp_path, dvc):
    file = tmp_path / f"repro-{dvc.pid}-{born(dvc):.0f}.jsonl"
    with open(file, "w") as written, open(file) as lines:
        print('{"name": "load"}\n{"name": ', end="", file=written, flush=True)
        found = steps(file, lines)
        assert next(found) == {"name": "load"}
        print('"fit"}\n{"na', end="", file=written, flush=True)
        assert next(found) == {"name": "fit"}
        dvc.kill()
        assert list(found) == [], "a kill may leave half of the last line"


def test_a_line_that_a_full_disk_has_cut_keeps_no_other_away(tmp_path, dvc):
    file = tmp_path / f"repro-{dvc.pid}-{born(dvc):.0f}.jsonl"
    file.write_text('{"name": "load"}\n{"na{"name": "fit"}\n{"name": "evaluate"}\n')
    dvc.kill()
    dvc.wait()
    with open(file) as lines:
        assert [said["name"] for said in steps(file, lines)] == ["load", "evaluate"]


def test_a_step_goes_on_where_its_line_cannot_be_written(tmp_path, dvc, monkeypatch, capsys):
    """As on a full disk, or in a folder that may not be written: here there is none."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setattr(outbox, "repro_process", lambda: dvc)
    outbox.tell(Project(tmp_path), "linear", "fit", "Running")
    assert "The server is not told that fit is Running: [Errno 2]" in capsys.readouterr().err
