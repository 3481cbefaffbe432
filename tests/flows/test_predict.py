"""`python -m flows predict`, and the same from Python."""

from __future__ import annotations

import csv
import os
import re
import threading
from collections import deque

import numpy as np
import pytest
from ruamel.yaml import YAML

from flows.batch_predict import _predict
from flows.command.predict import _cell
from flows.predict import _asked, answers, place_of, predict
from flows.project.folder import Project
from tasks.core.step import UserError
from tasks.sources.base import New
from tests.support.memory import added
from tests.support.own import put_npz
from tests.support.served import eventually
from tests.support.terminal import Terminal

PREDICT = ("python", "-m", "flows", "predict", "linear")


@pytest.fixture(scope="module")
def workspace(workspaces):
    return workspaces("predicted", trained=True)


def test_test_rows_get_the_answers_of_predictions_csv_to_the_bit(workspace):
    folder = workspace.path / "data" / "linear"
    with np.load(folder / "raw.npz") as raw:
        put_npz(workspace.path / "new.npz", x=raw["x_test"], y=raw["y_test"])
    long = f"{'answers' * 12}.csv"
    said = workspace.run(*PREDICT, "new.npz", "--to", long)
    assert f"\nall answers: {long}\n" in said
    assert "6 rows" in said
    assert re.search(r"mean absolute error [\d.]+, squared [\d.]+", said)

    with open(workspace.path / long) as file:
        answers = [row["predicted"] for row in csv.DictReader(file)]
    with open(folder / "predictions.csv") as file:
        assert answers == [row["predicted"] for row in csv.DictReader(file)]

    found = predict("linear", workspace.path / "new.npz", Project(workspace.path))
    assert found["predicted"].astype(str).tolist() == answers
    assert found["actual"].tolist() == [5, 6, 7, 8, 9, 10]


def test_the_model_computes_while_the_next_rows_are_read():
    read, asked = threading.Event(), []

    def ask(x: np.ndarray) -> np.ndarray:
        asked.append(x[0])
        assert read.wait(60)  # for rows that nobody would read if all waited for the model
        return 10 * x

    def rows():
        for number in range(4):
            if number == 1:
                read.set()
            yield np.array([number]), New(np.array([number]), [f"row {number}"], None)

    found = [(part.places, output.item()) for _, part, output in _asked(ask, rows())]
    assert asked == [0, 1, 2, 3]
    assert found == [([f"row {number}"], 10 * number) for number in range(4)]


def test_what_is_wrong_with_later_rows_is_said():
    def rows():
        yield np.zeros(1), New(np.zeros(1), ["row 1"], None)
        raise UserError("row 2 is none")

    with pytest.raises(UserError, match="row 2 is none"):
        list(_asked(lambda x: x, rows()))


def test_whoever_asks_about_the_rows_of_the_training_is_warned(workspace, caplog):
    project = Project(workspace.path)
    same = workspace.path / "data" / ".." / project.read("linear").load.path
    with pytest.raises(UserError):  # they are no file that a person has
        predict("linear", same, project)
    assert "linear was trained on rows of " in caplog.text
    assert "data/linear/metrics.json" in caplog.text


def test_a_flow_without_rows_says_why(workspace):
    state = _predict(Project(workspace.path), "linear", "nowhere.csv", None)
    assert state.is_failed()
    assert state.message.startswith("There is no nowhere.csv. Expected ")


def test_a_flow_whose_drift_report_cannot_be_written_says_why(workspace):
    put_npz(workspace.path / "few.npz", x=np.zeros((3, 1)))
    (workspace.path / "told.drift.json").mkdir()
    state = _predict(Project(workspace.path), "linear", "few.npz", "told.csv")
    assert state.is_failed()
    assert "told.drift.json" in state.message


def test_parameters_that_the_model_was_not_trained_with_are_named(workspace, caplog):
    project = Project(workspace.path)
    put_npz(workspace.path / "few.npz", x=np.zeros((3, 1)))
    predict("linear", workspace.path / "few.npz", project)
    assert "trained before" not in caplog.text
    workspace.set(linear__fit__epochs=4)
    predict("linear", workspace.path / "few.npz", project)
    assert "the model that answers was trained before fit.epochs: 3 -> 4" in caplog.text
    workspace.set(linear__fit__epochs=3)


def test_the_number_of_threads_is_that_of_params_yaml(workspace):
    code = (
        "import sys; from flows.command.predict import main; main(['linear', 'one.csv'])\n"
        "from tasks.network.backend import tf\n"
        "print(tf.config.threading.get_intra_op_parallelism_threads())"
    )
    (workspace.path / "one.csv").write_text("10\n")
    workspace.set(linear__fit__threads=3)
    assert workspace.run("python", "-c", code).splitlines()[-1] == "3"
    workspace.set(linear__fit__threads=2)


def test_rows_may_come_through_a_pipe_and_go_through_one(workspace):
    said = workspace.run("sh", "-c", f"echo 10 | {' '.join(PREDICT)} - --to - 2> said.txt")
    first, second = said.splitlines()
    assert first == "from,predicted"
    assert second.startswith("row 1,")
    assert "1 row" in (workspace.path / "said.txt").read_text()


def test_rows_may_come_from_another_command(workspace):
    lines = "\n".join(map(str, range(20_000)))
    (workspace.path / "long.csv").write_text(lines)
    command = f"{' '.join(PREDICT)} <(cat long.csv) --to answers.csv"
    assert "20,000 rows" in workspace.run("bash", "-c", command)
    with open(workspace.path / "answers.csv") as file:
        assert [row["from"] for row in csv.DictReader(file)][-1] == "row 20000"

    os.mkfifo(workspace.path / "pipe")
    with pytest.raises(UserError, match=r"pipe can be read only once\. Save the rows"):
        predict("linear", workspace.path / "pipe", Project(workspace.path))


def test_memory_does_not_grow_with_the_rows(workspace):
    file, project = workspace.path / "rows.csv", Project(workspace.path)

    def taken(rows: int) -> int:
        file.write_text("\n".join(map(str, range(rows))))
        parts = answers(project, "linear", place_of(file))
        return added(lambda: deque(parts, maxlen=0))

    taken(20_000)  # TensorFlow's memory is not that of the rows
    assert taken(400_000) < 20 * 2**20  # all answers together are twice that


def test_a_terminal_shows_how_far_it_is(workspace):
    (workspace.path / "far.csv").write_text("\n".join(map(str, range(300_000))))
    terminal = Terminal(workspace, *PREDICT, "far.csv", "--to", "far-answers.csv")
    eventually(lambda: terminal.shows("all answers: far-answers.csv"), 120)
    rows, shares = zip(*re.findall(r"([\d,]+) rows, (\d+)%", terminal.said), strict=True)
    assert len(set(rows)) > 2
    assert 0 < int(shares[0]) < int(shares[-1]) <= 100


def test_without_a_file_the_first_answers_are_shown(workspace):
    (workspace.path / "many.csv").write_text("\n".join(map(str, range(30))))
    said = workspace.run(*PREDICT, "many.csv")
    assert said.count("row ") == 10
    assert "20 more: --to answers.csv writes them all" in said


@pytest.mark.parametrize(("value", "shown"), [(None, ""), (np.nan, ""), (0.5, "0.5"), ("b", "b")])
def test_a_label_that_is_missing_is_an_empty_cell(value, shown):
    assert _cell("actual", value) == shown


@pytest.mark.parametrize(
    ("price", "shown"),
    [(755_631.2, "755,631"), (1_084_080.4, "1,084,080"), (-9876.54, "-9,876.54"), (1e-9, "1e-09")],
)
def test_prices_are_written_alike_however_large_they_are(price, shown):
    assert _cell("predicted", price) == shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["linear", "nowhere.csv"], "There is no nowhere.csv. Expected a file or a folder"),
        (["linear", "empty.csv"], "empty.csv is empty. Expected new rows."),
        (["linear", "dvc.yaml"], "Expected a .csv file with 1 number in each row"),
        (["linear", "one.csv", "--to", "no/where.csv"], "there is no folder no. Make it first."),
        (["linear", "one.csv", "--to", "data"], "--to data is a folder. Expected a name for a"),
        (["linear", "one.csv", "--to", "one.csv"], "one.csv is the file with the rows. Take"),
        (["linear", "data"], "data is a folder. Expected a file of the kind that was trained on"),
        (["fashion", "one.csv"], "fashion has no trained model here. Run `python -m flows train"),
        (["nobody", "one.csv"], "no pipeline `nobody`"),
    ],
)
def test_what_cannot_be_answered_is_one_line(workspace, arguments, says):
    (workspace.path / "one.csv").write_text("10\n")
    (workspace.path / "empty.csv").touch()
    said = workspace.run("python", "-m", "flows", "predict", *arguments, code=1)
    assert says in " ".join(said.split())
    assert "Traceback" not in said
    assert not list(workspace.path.glob(".part*"))


def test_a_model_that_was_changed_by_hand_is_not_asked(workspace):
    model = workspace.path / "data/linear/model.keras"
    content = model.read_bytes()
    model.unlink()
    model.write_bytes(content[:-1] + b"x")
    with pytest.raises(UserError, match=r"model\.keras is not what dvc\.lock records\. Run"):
        predict("linear", workspace.path / "one.csv", Project(workspace.path))
    model.write_bytes(content)


def test_a_model_of_other_rows_than_the_schema_is_not_asked(workspace):
    file = workspace.path / "dvc.lock"
    before = file.read_bytes()
    yaml = YAML()
    recorded = yaml.load(file)
    for out in recorded["stages"]["normalize@linear"]["outs"]:
        out["md5"] = "0" * 32
    yaml.dump(recorded, file)
    with pytest.raises(UserError, match="is newer than the rest of linear: a run was not"):
        predict("linear", workspace.path / "one.csv", Project(workspace.path))
    file.write_bytes(before)
