"""A pipeline on a user's own data: one section more, and DVC sees when the data changes."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from ruamel.yaml import YAML

from flows.command import new as command
from flows.command.new import new
from tests.support.own import put_csv, put_idx, put_image, put_images, put_npz, rows, table
from tests.support.project import PARAMS, new_project

X, _ = rows(40)


def utf16(folder):
    file = put_csv(folder / "in.csv")
    file.write_text("a,y\n1,0\n", encoding="utf-16")
    return file


def test_a_section_is_appended_and_every_byte_before_it_stays(project, capsys):
    file = put_csv(project.root / "own/in.csv", *table(30))
    assert command.main(["mine", str(file)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("mine: 30 rows of 1 feature, 2 classes\nparams.yaml has a new section")
    assert "\n  - load.target: y; --target names another\n" in said
    assert "\npython -m flows plan mine " in said

    text = project.params_file.read_text()
    assert text.startswith(PARAMS + "\n  mine: # 30 rows of 1 feature, 2 classes\n    load:\n")
    assert project.pipelines() == ["fashion", "fashion-cnn", "linear", "mine"]
    assert sorted(path.name for path in project.root.iterdir()) == ["own", "params.yaml"]


def test_data_outside_the_project_are_told_as_a_clone_will_not_have_them(
    project, tmp_path, monkeypatch, capsys
):
    put_csv(tmp_path / "elsewhere/in.csv", *table(30))
    monkeypatch.chdir(project.root)
    assert command.main(["mine", "../elsewhere/in.csv"]) == 0
    said = capsys.readouterr().out
    assert "a clone will not have them" in said
    assert "`dvc add datasets/in.csv`" in said
    assert project.sections("mine")["load"]["path"] == "../elsewhere/in.csv"

    put_csv(project.root / "own/in.csv", *table(30))
    assert command.main(["other", "own/in.csv"]) == 0
    assert "a clone" not in capsys.readouterr().out
    assert project.sections("other")["load"]["path"] == "own/in.csv"


def test_what_is_edited_while_the_data_are_looked_at_stays(project, monkeypatch):
    look = command.guess

    def slowly(*arguments, **chosen):
        text = project.params_file.read_text()
        project.params_file.write_text(text.replace("epochs: 20", "epochs: 77"))
        return look(*arguments, **chosen)

    monkeypatch.setattr(command, "guess", slowly)
    command.new(project, "mine", str(put_csv(project.root / "in.csv", *table(40))), target="y")
    assert "mine" in project.pipelines()
    assert "epochs: 77" in project.params_file.read_text()


def test_of_several_at_once_all_are_there(project):
    file = put_csv(project.root / "in.csv", *table(40))
    code = (
        "import pathlib, sys; from flows.command.new import new; "
        "from flows.project.folder import Project; root, *more = sys.argv[1:]; "
        "new(Project(pathlib.Path(root)), *more, target='y')"
    )
    start = [sys.executable, "-c", code, str(project.root)]
    at_once = [subprocess.Popen([*start, name, str(file)]) for name in ("one", "two", "three")]
    assert [each.wait(timeout=200) for each in at_once] == [0, 0, 0]
    assert {"one", "two", "three"} <= set(project.pipelines())


def test_a_section_says_only_what_differs_from_the_defaults(project):
    changed = PARAMS.replace("batch_size: 32", "batch_size: 16", 1)
    project.params_file.write_text(changed.replace("activation: relu", "activation: tanh", 1))
    new(project, "mine", str(put_csv(project.root / "own/in.csv", *table(30))))
    mine = project.params_file.read_text().partition("\n  mine:")[2]
    _, others = mine.split("    normalize:\n")
    assert others.splitlines() == [
        "      <<: *normalize",
        "    visualize:",
        "      <<: *visualize",
        "    build:",
        "      <<: *mlp",
        "      family: table",
        "      hidden: [256, 256] # units of each hidden Dense layer",
        "      dropout: 0.3 # share of the values that training drops; 0 drops none",
        "    compile:",
        "      <<: *adam",
        "      # how far one update draws all weights to 0, times the learning rate: against "
        "overfitting",
        "      weight_decay: 6",
        "    fit:",
        "      <<: *fit",
        "      epochs: 100 # 100 updates in all, 1 an epoch",
        "      batch_size: 32 # rows to an update",
        "      # the learning rate over the whole training: constant, falling to 0 along a cosine, "
        "or rising",
        "      # for the first quarter and then falling to 0",
        "      schedule: one_cycle",
        "      monitor: loss # keeps one of the last epochs; set val_loss if that rises well "
        "before them",
        "    evaluate:",
        "      <<: *evaluate",
        "    run:",
        "      <<: *run",
    ]
    assert project.read("mine").build.activation == "tanh"  # the person's default


def test_every_key_says_what_it_is_behind_it_or_above_it(project):
    new(project, "mine", str(gray_images(project)))
    mine = project.params_file.read_text().partition("\n  mine:")[2]
    lines = mine.splitlines()
    keys = [row for row, line in enumerate(lines) if re.match(r" {6}\w", line)]
    load = type(project.read("mine").load).model_fields
    assert len(keys) == len([*load, "scale", "learning_rate", "epochs", "batch_size", "schedule"])
    for row in keys:
        comment = " # " in lines[row] or lines[row - 1].startswith("      # ")
        assert comment, lines[row]
        assert len(lines[row]) <= 100


def gray_images(project):
    for name in ("a", "b"):
        for number in range(5):
            put_image(project.root / "own" / name / f"{number}.png", 9, 7, "L", number)
    return project.root / "own"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\n\n# a comment at the left\n"])
def test_however_the_file_ends_what_was_there_stays(tmp_path, last, end):
    text = (PARAMS.rstrip("\n") + last).replace("\n", end)
    project = new_project(tmp_path / "project", text)
    new(project, "mine", str(put_csv(project.root / "own/in.csv", *table(30))))
    written = project.params_file.read_bytes().decode()
    assert written.startswith(text)
    assert f"{end}{end}  mine: #" in written
    assert written.count("\r\n") == (written.count("\n") if end == "\r\n" else 0)
    assert "mine" in project.pipelines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PARAMS + "later: 1\n", "cannot be continued"),
        (PARAMS.replace("adam: &adam", "x: &adam"), r"no defaults\.adam, which a section `co"),
        (PARAMS.partition("pipelines:")[0], "has no part `pipelines:`"),
        (PARAMS.partition("pipelines:")[0] + "pipelines: [1]\n", "has no part `pipelines:`"),
        ("- 1\n", "has no part `pipelines:`"),
        (PARAMS + "  [", r"params\.yaml, line \d+, column \d+: not YAML"),
        ("defaults: {}\npipelines: {}\n", r"no defaults\.normalize"),
    ],
)
def test_a_file_that_cannot_be_continued_is_left_alone(project, capsys, text, expected):
    project.params_file.write_text(text)
    assert command.main(["mine", str(gray_images(project))]) == 1
    assert re.match(f"error .*{expected}", capsys.readouterr().err)
    assert project.params_file.read_text() == text


def test_without_an_anchor_that_dvc_dropped_the_section_says_all_keys(tmp_path):
    defaults = PARAMS.partition("pipelines:")[0].replace("mlp: &mlp", "mlp:")
    project = new_project(tmp_path / "project", defaults + "pipelines:\n")
    new(project, "mine", str(put_csv(project.root / "own/in.csv", *table(600))))
    assert project.read("mine").build.family == "table"
    mine = project.params_file.read_text().partition("\n  mine:")[2]
    assert "    build:\n      family: table\n" in mine
    assert "      <<: *adam\n" in mine


def test_the_first_pipeline_of_all_can_be_added(project):
    text = PARAMS.partition("pipelines:")[0] + "pipelines:\n"
    project.params_file.write_text(text)
    new(project, "mine", str(gray_images(project)))
    assert project.pipelines() == ["mine"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", r"params\.yaml has a pipeline `linear` already\. Take another name, or"),
        ("My Data", r"`My Data` cannot be a pipeline's name\. Expected a small letter"),
        ("item", r"`item` cannot be a pipeline's name"),
        ("built-in", r"`built-in` cannot be a pipeline's name"),
        ("true", r"`true` cannot be .* nothing that YAML reads as another value"),
        ("../up", r"`\.\./up` cannot be a pipeline's name"),
        (
            "fashion_cnn",
            r"In Prefect's UI `fashion_cnn` and `fashion-cnn` would be called the same",
        ),
    ],
)
def test_a_name_that_cannot_be_one_is_refused(project, capsys, name, expected):
    assert command.main([name, str(gray_images(project))]) == 1
    assert re.match(f"error {expected}", capsys.readouterr().err)
    assert project.params_file.read_text() == PARAMS


@pytest.mark.parametrize(
    ("put", "expected"),
    [
        (lambda p: put_idx(p / "../data/mine"), "`mine` will write into data/mine, and mine is"),
        (lambda p: put_csv(p / "../data/mine/in.csv"), r"data/mine, and in\.csv is there\. Move"),
        (lambda p: p / "no", r"There is no own/no\. Expected an \.npz .*; a folder with IDX"),
        (lambda p: put_csv(p / "in.txt", "x"), r"own/in\.txt is in no format that load can read"),
        (lambda p: put_csv(p / "in/x.txt").parent, "own/in is in no format that load can read"),
        (lambda p: put_csv(p / "in.csv/x.txt").parent, r"own/in\.csv is in no format that load"),
        (lambda p: put_csv(p / "in.csv", "a,y"), r"own/in\.csv has column names and no rows"),
        (lambda p: put_csv(p / "in.csv"), r"own/in\.csv cannot be read"),
        (lambda p: put_csv(p / "in.csv", ",,", "1,2,3"), r"own/in\.csv: no column has a name\."),
        (lambda p: put_csv(p / "in.csv", "1.5,2,0", "3,4,1"), r"first line is 1\.5,2,0\. Expected"),
        (lambda p: put_csv(p / "in.csv", "1.5,2.5,A", "3,4,B"), r"first line is 1\.5,2\.5,A\. "),
        (
            lambda p: put_csv(p / "in.csv", "a;y", "1,5,2;0", "2,5,3;1"),
            r"as a feature: a has '1,5,2' in row 1; 2 of 2 rows have such values\. Expected num",
        ),
        (utf16, r"own/in\.csv is not UTF-8: .* Save it as UTF-8\."),
        (lambda p: put_images(p / "in", "cat"), "own/in has one class only, `cat`"),
        (lambda p: put_npz(p / "in.npz", x=X), r"no array x_train\. It has x\. Expected"),
        (lambda p: put_csv(p / "in.npz", "x"), r"own/in\.npz cannot be read"),
        (
            lambda p: put_npz(
                p / "in.npz", x_train=X, y_train=np.random.default_rng(0).random((40, 3))
            ),
            "row 0 of y_train is not one-hot",
        ),
        (
            lambda p: put_npz(p / "in.npz", x_train=np.array(1), y_train=np.array(1)),
            "x_train has no rows",
        ),
    ],
)
def test_data_that_cannot_be_read_is_refused_and_nothing_is_written(project, capsys, put, expected):
    assert command.main(["mine", str(put(project.root / "own"))]) == 1
    said = capsys.readouterr().err
    assert re.match(f"error .*{expected}", said), said
    assert project.params_file.read_text() == PARAMS


@pytest.mark.parametrize(
    ("typed", "path"),
    [
        ("near/in.csv", "near/in.csv"),
        ("../far/in.csv", "../far/in.csv"),
        ("{tmp_path}/project/near/in.csv", "near/in.csv"),
        ("{tmp_path}/project/../far/in.csv", "{tmp_path}/far/in.csv"),
    ],
)
@pytest.mark.parametrize("place", [".", "own"])
def test_a_path_stays_a_link_and_relative_or_absolute(
    project, tmp_path, monkeypatch, typed, path, place
):
    put_csv(tmp_path / "far/in.csv", *table(30))
    os.symlink(tmp_path / "far", project.root / "near")
    (project.root / "own").mkdir()
    monkeypatch.chdir(project.root / place)
    typed = typed if typed.startswith("{") else os.path.relpath(typed, place)
    new(project, "mine", typed.format(tmp_path=tmp_path))
    assert project.read("mine").load.path == path.format(tmp_path=tmp_path)


def test_data_behind_a_link_into_the_pipelines_own_folder_is_refused(project, capsys):
    put_csv(project.data("mine") / "in.csv", *table(30))
    os.symlink(project.data("mine"), project.root / "own")
    assert command.main(["mine", str(project.root / "own/in.csv")]) == 1
    assert "will write into data/mine" in capsys.readouterr().err


def test_a_path_that_no_file_system_takes_is_one_line(project, capsys):
    loop = project.root / "loop"
    os.symlink(loop, loop)
    assert command.main(["mine", str(loop)]) == 1
    assert command.main(["mine", "a" * 5000]) == 1
    there, long = capsys.readouterr().err.splitlines()
    assert there.startswith("error There is no loop. Expected ")
    assert long.startswith("error File name too long: ")


def test_dvc_reads_the_data_again_when_it_changes_and_no_sooner(workspaces):
    workspace = workspaces("own")
    file = put_csv(workspace.path / "own/in.csv", *table(30))
    workspace.run("python", "-m", "flows", "new", "mine", "own/in.csv")
    plan = ("python", "-m", "flows", "plan", "mine")
    assert "Running stage 'load@mine'" in workspace.dvc("repro", "normalize@mine")
    assert re.search(r"load +skip", workspace.run(*plan))
    assert "Running" not in workspace.dvc("repro", "normalize@mine")

    put_csv(file, *table(40))
    said = workspace.run(*plan)
    assert re.search(r"load +run +own/in\.csv changed", said)
    assert re.search(r"normalize +if changed", said)
    assert "32 training and 8 test rows" in workspace.dvc("repro", "normalize@mine")

    workspace.set(mine__load__test=0.5)
    changed = r"load +run +load\.test: 0\.2 -> 0\.5\s"
    assert re.search(changed, workspace.run(*plan))
    put_csv(file, *table(30))
    workspace.set(mine__load__test=0.2)
    assert re.search(r"load +restore +own/in\.csv changed", workspace.run(*plan))

    file.unlink()
    assert re.search(r"load +run +own/in\.csv is missing", workspace.run(*plan))
    assert "in.csv" in workspace.dvc("repro", "load@mine", code=None)


@pytest.mark.parametrize("verb", ["train", "sweep"])
def test_data_that_are_not_there_are_told_before_a_server_starts(workspaces, verb):
    workspace = workspaces(f"away-{verb}")
    workspace.set(linear__load__path="no/where.txt")
    before = (workspace.path / "params.yaml").read_text()
    said = workspace.run("python", "-m", "flows", verb, "linear", code=1)
    assert said.splitlines() == [
        "error load.path: there is no no/where.txt. Expected your data. "
        "Correct the path in params.yaml."
    ]
    assert (workspace.path / "params.yaml").read_text() == before  # `sweep` proposes one there


def test_data_of_an_experiment_that_are_not_there_are_told_too(workspaces):
    workspace = workspaces("away-tried")
    said = workspace.run(
        "python", "-m", "flows", "train", "linear", "load.path=no/where.txt", code=1
    )
    assert said.startswith("error load.path=no/where.txt: there is no no/where.txt.")


def test_dvc_builds_again_when_a_function_of_ones_own_changes(workspaces):
    workspace = workspaces("function")
    file = workspace.path / "params.yaml"
    yaml = YAML()
    params = yaml.load(file)
    own = {"family": "function", "function": "models.mine:made"}
    params["pipelines"]["linear"]["build"] = own
    yaml.dump(params, file)
    code = """import keras\n
def made(schema):
    return keras.Sequential([
        keras.Input(schema["input_shape"]), keras.layers.Dense(3), keras.layers.Dense(1)
    ])
"""
    (workspace.path / "models/mine.py").write_text(code)
    plan = ("python", "flows/linear.py", "--plan")
    assert "2 layers, 10 parameters" in workspace.dvc("repro", "build@linear")
    assert re.search(r"build +skip", workspace.run(*plan))
    (workspace.path / "models/mine.py").write_text(code.replace("3", "4"))
    assert re.search(r"build +run +models changed", workspace.run(*plan))
    assert "2 layers, 13 parameters" in workspace.dvc("repro", "build@linear")
    (workspace.path / "models/mine.py").write_text(code.replace("(3)", "(3"))
    said = workspace.dvc("repro", "build@linear", code=255)
    assert "models/mine.py cannot be imported: SyntaxError" in said
    assert "Traceback" not in said


def test_a_changed_image_in_a_folder_is_seen(workspaces):
    workspace = workspaces("pictures")
    put_images(workspace.path / "own", count=6)
    workspace.run("python", "-m", "flows", "new", "mine", "own")
    assert "Running stage 'load@mine'" in workspace.dvc("repro", "load@mine")
    put_image(workspace.path / "own/cat/0.png", color=(7, 7, 7))
    assert "Running stage 'load@mine'" in workspace.dvc("repro", "load@mine")
    assert "Running" not in workspace.dvc("repro", "load@mine")
