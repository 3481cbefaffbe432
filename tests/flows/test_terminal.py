"""What a person sees in a terminal: the flow's own lines, whole words, colors that can be read."""

from __future__ import annotations

import fcntl
import io
import json
import logging
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from contextlib import ExitStack

import pytest
import rich
from rich.color import Color
from rich.console import Console
from rich.text import Text

from flows.command import plan, summary, terminal
from flows.command.terminal import plain_errors, say
from flows.memory import reasons
from flows.project.folder import Project
from flows.project.steps import STEPS
from tasks.core.step import UserError
from tasks.training.progress import Bar

TRAIN = ("python", "-m", "flows", "train", "linear")
WIDE = 80  # columns
# Every line that a run of `linear` may print; what goes on from the line above is indented.
LINES = (
    r"linear",
    r"waiting for Prefect's server to start: .*",
    rf"({'|'.join(STEPS)}) +(ran|cached) +\d+\.\d s  .*",
    r"  .*",
    r"test R² -?\d.*",
    r"predicted for x = 10: y = .*",
    r"(model|scores|predictions|report) +.*data/linear/.*",
    r"report +start `make ui`, then open",
    r"  http://127\.0\.0\.1:4200/artifacts/artifact/[-0-9a-f]{36}",
    r"pictures",
    r"done in \d+\.\d s",
)
# A progress bar of DVC's or its lock, in the words of its library; a line that a library logs.
OTHERS = re.compile(r"\d%|/s\b|acquire|WARNING|file\b.*\[\d\d:\d\d")
COLORS = ("GREEN", "BLUE", "ORANGE", "RED", "GRAY")


def in_terminal(workspace, *command: str) -> str:
    """What a command writes into a terminal of 80 columns, without its colors."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, WIDE, 0, 0))
    env = {**os.environ, **workspace.env}
    process = subprocess.Popen(
        command, cwd=workspace.path, env=env, stdin=subprocess.DEVNULL, stdout=its, stderr=its
    )
    os.close(its)

    parts = []
    while part := _read(ours):
        parts.append(part)
    assert process.wait() == 0, b"".join(parts).decode()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(parts).decode())


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's end of a terminal
        return b""


@pytest.fixture(scope="module")
def workspace(workspaces):
    return workspaces("watched")


@pytest.fixture(scope="module")
def seen(workspace) -> list[str]:
    """The lines of a first run, as a terminal shows them."""
    said = in_terminal(workspace, *TRAIN)
    return [line.rstrip() for line in re.split(r"[\r\n]+", said) if line.strip()]


def test_a_run_speaks_its_own_words_alone(seen):
    assert not [line for line in seen if not any(re.fullmatch(known, line) for known in LINES)]
    assert not [line for line in seen if OTHERS.search(line)]


def test_no_line_of_a_run_is_wider_than_the_terminal(seen):
    assert not [line for line in seen if len(line) > WIDE]


def test_a_run_ends_with_the_score_and_where_everything_is(seen):
    score = seen.index("test R² -10.98, mae 5.9, mse 34.93, passed (max_mse 100)")
    places = seen.index("model        data/linear/model.keras")
    warned = " ".join(line.strip() for line in seen[score + 1 : places])
    assert "the score is optimistic" in warned
    pictures = [line.split()[0] for line in seen[seen.index("pictures") + 1 : -1]]
    names = ("samples", "model", "learning_curve", "predictions", "calibration", "mistakes")
    assert pictures == [f"data/linear/{name}.png" for name in names]  # near-duplicates: not looked


@pytest.mark.parametrize("mistake", [UserError("no such row"), KeyboardInterrupt()])
def test_a_mistake_is_not_among_what_a_program_reads(capsys, mistake):
    with plain_errors() as end:
        print("1,2", flush=False)
        raise mistake
    out, err = capsys.readouterr()
    assert out == "1,2\n"
    assert (err, end.code) in [("error no such row\n", 1), ("stopped\n", 130)]


def test_a_picture_that_shows_nothing_is_not_listed(tmp_path, capsys):
    folder = tmp_path / "data/linear"
    folder.mkdir(parents=True)
    shutil.copy(Project.here().params_file, tmp_path)
    perfect = {"best_epoch": 2, "val_loss": 0.5, "test_accuracy": 1.0}
    contents = {
        "metrics": perfect,
        "schema": {"labels": "classes"},
        "checks": [{"check": "labels", "result": "ok", "says": "all are there"}],
        "near_duplicates": {"count": 0, "result": "ok"},
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))

    summary.show(Project(tmp_path), "linear", "somewhere", True)
    said = capsys.readouterr().out
    assert said.splitlines()[1] == "test accuracy 1"
    assert "val_loss 0.5 in epoch 2: choose models by these\n" in said
    assert "calibration.png" in said
    assert "near_duplicates.png" not in said
    assert "all are there" not in said
    assert "mistakes.png" not in said


def test_a_step_tells_what_had_changed_when_it_ran(workspace, seen):
    workspace.set(linear__fit__epochs=4)
    planned = workspace.run("python", "-m", "flows", "plan", "linear")
    assert re.search(r"^fit +run +fit\.epochs: 3 -> 4$", planned, re.MULTILINE)
    assert re.search(r"^reload_best +if changed +best\.weights\.h5$", planned, re.MULTILINE)
    assert planned.endswith(f"\n\n{plan.LEGEND}\n")

    said = workspace.run(*TRAIN)
    assert re.search(r"^fit .*\(fit\.epochs: 3 -> 4\)$", said, re.MULTILINE)
    assert re.search(r"^reload_best .*\(best\.weights\.h5 changed\)$", said, re.MULTILINE)


def test_plan_without_a_name_has_a_line_for_each_pipeline(workspace, seen):
    workspace.set(linear__evaluate__max_mse=99.0)
    lines = dict(line.split(maxsplit=1) for line in planned_all(workspace))
    assert lines == {
        "fashion": "run all steps",
        "fashion-cnn": "run all steps",
        "linear": "run evaluate",
    }
    workspace.set(linear__evaluate__max_mse=100.0)
    assert "linear       up to date" in planned_all(workspace)


def planned_all(workspace) -> list[str]:
    return workspace.run("python", "-m", "flows", "plan").splitlines()


@pytest.mark.parametrize("library", ["dvc.progress", "dvc_data.callbacks"])
def test_the_progress_bars_of_dvc_are_off_also_that_of_its_lock(library, monkeypatch):
    import flows.memory.patches  # noqa: F401

    monkeypatch.setenv("DVC_IGNORE_ISATTY", "1")
    bar = __import__(library, fromlist=["Tqdm"]).Tqdm(desc="Waiting to acquire lock")
    assert bar.disable


def shown(monkeypatch, line: str, indent: int, terminal: bool) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=30, force_terminal=terminal, color_system=None)
    monkeypatch.setattr(rich, "get_console", lambda: console)
    say(Text(line), indent)
    return file.getvalue().splitlines()


def test_what_does_not_fit_goes_on_at_the_indent_and_no_word_is_broken(monkeypatch):
    line = "name     a few words more than there is room for\nand a line"
    assert shown(monkeypatch, line, 9, terminal=True) == [
        "name     a few words more than",
        "         there is room for",
        "         and a line",
    ]
    assert shown(monkeypatch, line, 9, terminal=False) == [
        "name     a few words more than there is room for",
        "         and a line",
    ]


@pytest.mark.parametrize("name", COLORS)
@pytest.mark.parametrize("ground", [0.0, 1.0], ids=["black", "white"])
def test_colors_can_be_read_on_black_and_on_white(name, ground):
    """By the contrast of WCAG 2, which asks for 3 to 1 in large letters."""
    parts = [each / 255 for each in Color.parse(getattr(terminal, name)).get_truecolor()]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    low, high = sorted((light, ground))
    assert (high + 0.05) / (low + 0.05) > 3.5


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ([], []),
        (["data/x/a.npz"], ["a.npz is missing"]),
        (["data/x/a.npz", "own/b"], ["a.npz and own/b are missing"]),
        (["a", "b", "c", "d"], ["a, b and 2 more are missing"]),
    ],
)
def test_files_are_a_reason_in_plain_words(paths, said):
    assert reasons.files(paths, "fit@x", "missing") == said


@pytest.fixture
def written(monkeypatch) -> io.StringIO:
    """What is written into a terminal."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=60)
    monkeypatch.setattr(rich, "get_console", lambda: console)
    return file


def test_a_training_is_shown_after_a_step_beside_it_has_ended(written, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    working = terminal.AtWork()
    visualize = ExitStack()
    visualize.enter_context(working.on("visualize"))
    bar = Bar(epochs=2, blocks=4)
    with working.on("fit"), bar:
        visualize.close()
        written.truncate(0)
        bar.at(1, 0, loss="loss 0.5")
        bar.bar.refresh()
        assert "epoch 2/2" in written.getvalue()
    assert working.live is None


def test_progress_that_the_line_below_shows_is_no_line_of_its_own(written):
    log = logging.Logger("tasks")
    log.addHandler(terminal.Lines())
    log.info("8 of 15 rows", extra={"passing": True})
    assert written.getvalue() == ""
    log.info("15 of 15 rows")
    assert "15 of 15 rows" in written.getvalue()


def test_what_takes_long_is_named_until_it_is_done(written, monkeypatch):
    working = terminal.AtWork()
    with working.on("visualize"):
        pass
    assert "visualize" not in written.getvalue()  # it was short

    monkeypatch.setattr(terminal, "MOMENT", 0)
    with working.on("evaluate"), working.on("visualize"):
        working.live.refresh()
        assert "evaluate, 0 s; visualize, 0 s" in written.getvalue()
    assert working.live is None
    assert written.getvalue().endswith("\r\x1b[2K\x1b[?25h\r")  # no line, the cursor is back
