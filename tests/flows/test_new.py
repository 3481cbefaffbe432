"""A pipeline on a user's own data: `flows/new.py` writes it down, and DVC sees when the data changes."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from flows.command import new
from flows.engine.step import run
from flows.guess import section as guess
from flows.project.params import read
from tasks import fit, normalize
from tasks.core.folder import Folder
from tests.conftest import ROOT
from tests.support.own import put_csv, put_idx, put_image, put_images, put_npz, rows, table

PARAMS, GRAPH, OFFERED = FILES = tuple(ROOT / name for name in (new.FILE, new.GRAPH, new.OFFERED))
X, Y = rows(40)


def gray(folder: Path) -> Path:
    for name in ("a", "b"):
        for number in range(5):
            put_image(folder / name / f"{number}.png", 9, 7, "L", number)
    return folder


def given(folder: Path, train: Sequence[str] = ()) -> Path:
    put_csv(folder / "train.csv", *(train or table(30)))
    put_csv(folder / "test.csv", *(HOLES[:11] if train else table(10)))
    return folder


PRICES = [line.replace(",", ";") for line in table(30, id=str, town=lambda row: "Ulm", target=lambda row: row * 1.5)]
HOLES = table(30, c=lambda row: "" if row == 3 else row)
# What there is, and what is found in it: parts of the section, and of the notes.
FOUND = {
    "idx": (lambda p: put_idx(p / "in"), {"source": "idx", "test": "given", "prefix": ""}, "pixels", "transpose"),
    "emnist": (
        lambda p: put_idx(p / "in", "emnist-letters-", test=None, first=1),
        {"source": "idx", "prefix": "emnist-letters-", "transpose": True, "test": 0.2}, "pixels", "transpose",
    ),
    "npz": (
        lambda p: put_npz(p / "in.npz", x_train=X, y_train=Y, x_test=X, y_test=Y),
        {"source": "npz", "task": "classes", "test": "given"}, "pixels", "task: classes",
    ),
    "npz of numbers": (
        lambda p: put_npz(p / "in.npz", x_train=X.reshape(40, -1) * 1.5, y_train=np.arange(40) / 3),
        {"source": "npz", "task": "regression", "test": 0.2}, "standard", "task: regression",
    ),
    "npz between 0 and 1": (
        lambda p: put_npz(p / "in.npz", x_train=X / 255, y_train=np.eye(3)[Y]), {"task": "classes"}, "none", "",
    ),
    "images": (
        lambda p: put_images(p / "in", count=6), {"source": "images", "size": [64, 64], "color": "rgb"}, "pixels", "",
    ),
    "small gray images": (lambda p: gray(p / "in"), {"size": [9, 7], "color": "gray", "test": 0.2}, "pixels", "size"),
    "csv": (
        lambda p: put_csv(p / "in.csv", *table(30, target=lambda row: ("x", "y")[row % 2])),
        {"source": "csv", "target": "y", "task": "classes", "missing": "refuse"}, "standard", "target: y",
    ),
    "csv of prices": (
        lambda p: put_csv(p / "in.csv", *PRICES),
        {"separator": ";", "task": "regression", "ignore": ["id", "town"]}, "standard", "ignore: id, town",
    ),
    "csv with holes": (lambda p: put_csv(p / "in.csv", *HOLES), {"missing": "median"}, "standard", "missing: median"),
    "csv files": (lambda p: given(p / "in"), {"source": "csv", "test": "given"}, "standard", "target: y"),
    "csv files with a hole in one": (
        lambda p: given(p / "in", table(30, c=str)), {"missing": "median"}, "standard", "as 1 of 40 rows have missing",
    ),
    "npz of features that are bits": (
        lambda p: put_npz(p / "in.npz", x_train=X.reshape(40, -1) > 99, y_train=Y), {"source": "npz"}, "standard", "",
    ),
    "npz of images of bits": (
        lambda p: put_npz(p / "in.npz", x_train=X > 99, y_train=Y), {"source": "npz"}, "none", "the labels 0, 1,",
    ),
    "npz with validation rows": (
        lambda p: put_npz(p / "in.npz", x_train=X, y_train=Y, x_val=X[:9], y_val=Y[:9]), {"test": 0.2}, "pixels", "",
    ),
    "images with validation rows": (
        lambda p: put_images(p / "in/val", count=2) and put_images(p / "in/train", count=6).parent,
        {"test": 0.2}, "pixels", "size",
    ),
}  # fmt: skip


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the project's own params.yaml, dvc.yaml and prefect.yaml, to write to."""
    folder = tmp_path / "project"
    folder.mkdir()
    for file in FILES:
        (folder / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(new, "ROOT", folder)
    monkeypatch.chdir(folder)
    return folder


def utf16(folder: Path) -> Path:
    file = put_csv(folder / "in.csv")
    file.write_text("a,y\n1,0\n", encoding="utf-16")
    return file


def make(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["new.py", *arguments])
    return new.main()


@pytest.mark.parametrize("kind", FOUND)
def test_what_is_written_can_be_run(project, monkeypatch, capsys, kind):
    put, section, scale, note = FOUND[kind]
    assert make(monkeypatch, "mine", str(put(project / "own"))) == 0
    said = capsys.readouterr().out
    assert note in said
    assert "python flows/train.py mine --plan" in said
    found = read("mine")
    images = found.load.source in ("idx", "images") or (found.load.source == "npz" and "features" not in said)
    assert found.build.family == ("cnn" if images else "mlp")
    assert {key: value for key, value in found.load.model_dump().items() if key in section} == section
    assert found.load.path.startswith("own/")
    assert found.normalize.scale == scale
    run("load", "mine")
    normalize.normalize(Folder("data/mine"), found.normalize)
    counts = json.loads(Path("data/mine/schema.json").read_text())["rows"]
    assert counts["val"] >= 1
    assert found.normalize.validation == ("given" if "validation" in kind else 0.2)
    assert found.fit.epochs * -(-counts["train"] // found.fit.batch_size) >= 200
    assert counts["train"] > counts["val"]


def test_a_cnn_is_what_images_begin_with_and_it_can_be_trained(project, monkeypatch):
    make(monkeypatch, "mine", str(gray(project / "own")))
    for step in ("load", "normalize", "build", "compile"):
        run(step, "mine")
    section = read("mine").fit.model_copy(update={"epochs": 1})
    assert fit.fit(Folder("data/mine"), section).startswith("1 epochs, lowest val_loss ")


def test_all_that_was_there_stays_and_the_graph_knows_the_pipeline(project, monkeypatch):
    make(monkeypatch, "mine", str(put_csv(project / "own/in.csv", *table(30))))
    params, graph = (project / file.name for file in (PARAMS, GRAPH))
    assert params.read_text().startswith(PARAMS.read_text())
    lines = difflib.ndiff(GRAPH.read_text().splitlines(), graph.read_text().splitlines())
    content, before = (YAML(typ="safe").load(file) for file in (graph, GRAPH))
    (pipelines,) = before["vars"]
    assert [line for line in lines if line.startswith("-")] == [
        f"-   - pipelines: [{', '.join(pipelines['pipelines'])}]"
    ]
    assert content["vars"] == [{"pipelines": [*pipelines["pipelines"], "mine"]}]
    assert content["stages"]["load"]["foreach"]["mine"] == "${mine.load.path}"
    assert sum("mine" in name for plot in content["plots"] for name in plot) == 3

    offered = (project / OFFERED.name).read_text()
    assert offered.startswith(OFFERED.read_text())
    nightly, *_, usual, experiment = YAML(typ="safe").load(offered)["deployments"]
    assert (usual["name"], experiment["name"]) == ("mine", "mine-experiment")
    assert usual["parameters"] == experiment["parameters"] == {"pipeline": "mine"}
    assert usual["concurrency_limit"] == nightly["concurrency_limit"]
    assert "concurrency_limit" not in experiment


@pytest.mark.parametrize(
    ("name", "put", "expected"),
    [
        ("fashion", lambda p: put_idx(p / "in"), r"params\.yaml has a pipeline `fashion` already\. Take another"),
        ("My Data", lambda p: put_idx(p / "in"), r"`My Data` cannot be a pipeline's name\. Expected a small letter"),
        ("item", lambda p: put_idx(p / "in"), r"`item` cannot be a pipeline's name"),
        ("mine", lambda p: put_idx(p / "../data/mine"), r"`mine` will write into data/mine, and mine is there\. Mo"),
        ("mine", lambda p: put_csv(p / "../data/mine/in.csv", *table(30)), r"data/mine, and in\.csv is there\. Move"),
        ("fashion_cnn", lambda p: put_idx(p / "in"), r"UI `fashion_cnn` and `fashion-cnn` would be called the same"),
        ("true", lambda p: put_idx(p / "in"), r"`true` cannot be a pipeline's name\. .* nothing that YAML reads as an"),
        ("mine", lambda p: p / "no", r"There is no own/no\. Looked for an \.npz file .*; a folder with IDX files"),
        ("mine", lambda p: put_csv(p / "in.txt", "x"), r"own/in\.txt is nothing that load can read\. Looked for an"),
        ("mine", lambda p: put_csv(p / "in/x.txt").parent, r"own/in is nothing that load can read\. Looked for"),
        ("mine", lambda p: put_csv(p / "in.csv", "a,y"), r"own/in\.csv has column names and no rows"),
        ("mine", lambda p: put_csv(p / "in.csv"), r"own/in\.csv cannot be read"),
        ("mine", lambda p: put_csv(p / "in.csv", ",,", "1,2,3"), r"own/in\.csv: no column has a name\. Expected"),
        ("mine", lambda p: put_csv(p / "in.csv", "1.5,2,0", "3,4,1"), r"first line is 1\.5,2,0\. Expected the"),
        ("mine", lambda p: put_csv(p / "in.csv", "1.5,2.5,Barolo", "3,4,Rioja"), r"first line is 1\.5,2\.5,Bar"),
        ("mine", lambda p: put_csv(p / "in.csv", "a;y", "1,5;0", "2,5;1"), r"a has '1,5' in row 1\. Expected num"),
        ("mine", utf16, r"own/in\.csv is not UTF-8: .* Save it as UTF-8\."),
        ("mine", lambda p: put_images(p / "in", "cat"), r"own/in has one class only, `cat`"),
        ("mine", lambda p: put_npz(p / "in.npz", x=X), r"no array x_train\. It has x\. Expected"),
        ("mine", lambda p: put_csv(p / "in.npz", "x"), r"own/in\.npz cannot be read"),
        ("mine", lambda p: put_npz(p / "in.npz", x_train=np.array(1), y_train=np.array(1)), r"x_train has no rows"),
        ("mine", lambda p: put_csv(p / "in.csv/x.txt").parent, r"own/in\.csv is nothing that load can read"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_pipeline_is_refused_and_nothing_is_written(project, monkeypatch, capsys, name, put, expected):
    assert make(monkeypatch, name, str(put(project / "own"))) == 1
    said = capsys.readouterr().err
    assert re.match(f"error .*{expected}", said), said
    assert all(file.read_bytes() == (project / file.name).read_bytes() for file in FILES)


def test_a_pipeline_is_taken_out_as_it_was_put_in(project, monkeypatch, capsys):
    before = [(project / file.name).read_text() for file in FILES]
    put_csv(project / "own/in.csv", *table(30))
    for name in ("mine", "mine-too"):
        assert make(monkeypatch, name, "own/in.csv") == 0
    both = [(project / file.name).read_text() for file in FILES]
    assert make(monkeypatch, "mine", "own/in.csv") == 1
    assert "already. Take another name; or `python flows/new.py mine --remove` takes it out." in capsys.readouterr().err
    assert make(monkeypatch, "mine", "--remove") == 0
    assert read("mine-too").load.path == "own/in.csv"
    assert "mine" not in YAML(typ="safe").load(project / "params.yaml")
    assert make(monkeypatch, "mine", "own/in.csv") == 0
    for text, file in zip(both, FILES, strict=True):  # the same, in another order
        assert sorted((project / file.name).read_text().splitlines()) == sorted(
            text.replace("mine, mine-too", "mine-too, mine").splitlines()
        )
    for name in ("mine", "mine-too"):
        assert make(monkeypatch, name, "--remove") == 0
    assert [(project / file.name).read_text() for file in FILES] == before
    assert make(monkeypatch, "mine", "--remove") == 1
    assert "There is no pipeline `mine` in params.yaml, dvc.yaml, prefect.yaml." in capsys.readouterr().err


def test_what_is_left_of_a_pipeline_that_was_taken_out_by_hand_can_be_taken_out(project, monkeypatch, capsys):
    before = [(project / file.name).read_text() for file in FILES]
    put_csv(project / "own/in.csv", *table(30))
    assert make(monkeypatch, "mine", "own/in.csv") == 0
    (project / "params.yaml").write_text(before[0])
    assert make(monkeypatch, "mine", "own/in.csv") == 1
    assert "dvc.yaml has a pipeline `mine` already" in capsys.readouterr().err
    assert make(monkeypatch, "mine", "--remove") == 0
    assert [(project / file.name).read_text() for file in FILES] == before


def test_a_person_may_name_the_target_and_the_task(project, monkeypatch, capsys):
    file = put_csv(
        project / "own/in.csv", *table(30, name=lambda row: f"wine {row}", target=lambda row: f"2020-01-{row}")
    )
    assert make(monkeypatch, "mine", str(file)) == 1
    assert "y was taken for the column to predict: --target names it." in capsys.readouterr().err
    assert make(monkeypatch, "mine", str(file), "--target", "z") == 1
    assert "There is no column `z` to predict. It has a, b, name, y." in capsys.readouterr().err
    assert make(monkeypatch, "mine", str(file), "--target", "a", "--task", "regression") == 0
    found = read("mine").load
    assert (found.target, found.task, found.ignore) == ("a", "regression", ["name", "y"])
    with pytest.raises(SystemExit):
        make(monkeypatch, "other")
    assert "expected either the place of the data or --remove" in capsys.readouterr().err


def test_every_key_of_load_says_what_it_is(project, monkeypatch):
    assert make(monkeypatch, "mine", str(put_csv(project / "own/in.csv", *table(30)))) == 0
    section = (project / "params.yaml").read_text().partition("\nmine:")[2]
    lines = section.partition("  load:\n")[2].partition("  normalize:")[0].splitlines()
    assert len(lines) == len(type(read("mine").load).model_fields)
    assert all(re.fullmatch(r"    \w+: \S.* # [`a-z].{10,110}", line) for line in lines)


@pytest.mark.parametrize("odd", ["?", "1,000", "5%", "3 kg"])
def test_a_column_that_is_left_out_though_it_is_nearly_numbers_is_told(project, monkeypatch, capsys, odd):
    lines = table(30, c=lambda row: f'"{odd}"' if row == 4 else row, d=lambda row: f"word {row}")
    assert make(monkeypatch, "mine", str(put_csv(project / "own/IN.CSV", *lines))) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "correct that" in line]
    assert told == [f"  - load.ignore: c has '{odd}' in row 5; correct that to use the column"]


def test_a_word_is_written_as_yaml_reads_it_back():
    words = ["y", "yes", "null", "1", "a b", "a: b", "a,b", "", "# x", "[x", '"', "\t", ",", "é", "~", "-", "{"]
    for value in (*words, 0.2, None, True, words):
        assert YAML(typ="safe").load(f"key: {guess._word(value)}") == {"key": value}


def test_dvc_reads_the_data_again_when_it_changes_and_no_sooner(workspaces):
    workspace = workspaces("own")
    file = put_csv(workspace.path / "own/in.csv", *table(30))
    workspace.run("python", "flows/new.py", "mine", "own/in.csv")
    plan = ("python", "flows/train.py", "mine", "--plan")
    assert "Running stage 'load@mine'" in workspace.dvc("repro", "normalize@mine")
    assert re.search(r"load +skip", workspace.run(*plan))
    assert "Running" not in workspace.dvc("repro", "normalize@mine")

    put_csv(file, *table(40))
    said = workspace.run(*plan)
    assert re.search(r"load +run +own/in\.csv changed", said)
    assert re.search(r"normalize +if changed", said)
    assert "32 + 8 rows" in workspace.dvc("repro", "normalize@mine")

    workspace.set(mine__load__test=0.5)
    assert re.search(r"load +run +mine\.load\.test: 0\.2 -> 0\.5\s", workspace.run(*plan))
    put_csv(file, *table(30))
    workspace.set(mine__load__test=0.2)
    assert re.search(r"load +restore +own/in\.csv changed", workspace.run(*plan))

    file.unlink()
    assert re.search(r"load +run +own/in\.csv is missing", workspace.run(*plan))
    assert "in.csv" in workspace.dvc("repro", "load@mine", code=None)


def test_dvc_builds_again_when_a_function_of_ones_own_changes(workspaces):
    workspace = workspaces("function")
    file = workspace.path / "params.yaml"
    section = "family: function\n    function: models.mine:made\n"
    file.write_text(re.sub(r"family: linear.*\n.*\n.*\n", section, file.read_text()))
    code = """import keras\n
def made(schema):
    return keras.Sequential([keras.Input(schema["input_shape"]), keras.layers.Dense(3), keras.layers.Dense(1)])
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
    workspace.run("python", "flows/new.py", "mine", "own")
    assert "Running stage 'load@mine'" in workspace.dvc("repro", "load@mine")
    put_image(workspace.path / "own/cat/0.png", color=(7, 7, 7))
    assert "Running stage 'load@mine'" in workspace.dvc("repro", "load@mine")
    assert "Running" not in workspace.dvc("repro", "load@mine")
