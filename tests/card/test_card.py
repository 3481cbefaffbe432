"""The card: what it says, in a form that others read, and the same bytes each time."""

from __future__ import annotations

import re
import shutil
import warnings
from html import unescape

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from PIL import Image
from ruamel.yaml import YAML

from tasks import evaluate, fit, visualize
from tasks.card import facts, markdown, page
from tasks.core.arrays import write_arrays
from tasks.core.folder import Folder
from tasks.release.card import Params, card
from tasks.reload_best import Params as Reload
from tasks.reload_best import reload_best
from tests.support import tiny
from tests.support.tiny import FIT, RUN, changed, compiled, content

UNSTATED = Params(use="", limits="", license="")
EVALUATE = changed(tiny.EVALUATE, min_accuracy=1.0)
CHECKS = [{"check": "labels", "result": "warning", "says": "few rows of `a|b`"}]
SECTIONS = {
    "load": {"source": "npz", "path": "/somewhere/private/rows.npz"},
    "fit": {"epochs": 4, "patience": None, "monitor": "val_loss"},
}


def ready(path, labels: str) -> Folder:
    """A folder of all that a card is made from."""
    folder = compiled(path / "data" / "tiny", labels)
    visualize.visualize(folder, visualize.Params(near=None))
    fit.fit(folder, FIT, RUN)
    reload_best(folder, Reload())
    limit = {"min_accuracy": None, "max_mse": 0.0} if labels == "regression" else {}
    evaluate.evaluate(folder, EVALUATE.model_copy(update=limit))

    schema = folder.read_json("schema.json") | {"rows": {"train": 20, "val": 12, "test": 15}}
    folder.write_json("schema.json", schema)
    folder.write_json("checks.json", CHECKS)
    proof = {"format": "litert", "rows": 15, "differ": 0, "largest_difference": 1e-7}
    folder.write_json("proof.json", proof)
    write_arrays(folder, "raw.npz")
    with open(path / "params.yaml", "w") as file:
        YAML().dump({"pipelines": {"tiny": SECTIONS}}, file)
    return folder


@pytest.fixture(scope="module")
def classes(tmp_path_factory) -> Folder:
    return ready(tmp_path_factory.mktemp("classes"), "classes")


@pytest.fixture(scope="module")
def regression(tmp_path_factory) -> Folder:
    return ready(tmp_path_factory.mktemp("regression"), "regression")


def text(folder: Folder, params: Params = UNSTATED) -> str:
    card(folder, params)
    return (folder.path / "card.md").read_text(encoding="utf-8")


def test_hugging_face_reads_its_head(classes, regression):
    text(classes, Params(use="", limits="", license="apache-2.0"))
    text(regression)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [ModelCard.load(folder.path / "card.md").data for folder in (classes, regression)]
    assert [each.pipeline_tag for each in found] == ["image-classification", "tabular-regression"]
    assert [each.license for each in found] == ["apache-2.0", None]
    (result,) = found[0].eval_results
    metrics = classes.read_json("metrics.json")
    assert (result.metric_type, result.metric_value) == ("accuracy", metrics["test_accuracy"])
    assert found[1].eval_results[0].metric_type == "mse"


def test_one_epoch_is_said_as_one(classes):
    said = page.page(facts.known(classes)._replace(epochs=1), "", "", "")
    assert "Of 1 epoch the weights" in said


def test_what_nobody_has_stated_is_said_to_be_so(classes):
    said = text(classes)
    for heading in ("Use", "Limits", "License"):
        assert f"## {heading}\n\nNot stated." in said
    assert card(classes, UNSTATED).endswith("not stated: use, limits, license")
    stated = Params(use="For *tests*.", limits="None.", license="mit")
    assert "## Use\n\nFor *tests*.\n" in text(classes, stated)
    assert card(classes, stated) == "data/tiny/card.md"


def test_what_speaks_against_the_model_is_said(classes):
    metrics = classes.read_json("metrics.json")
    classes.write_json("metrics.json", metrics | {"passed": False})
    said = text(classes)
    classes.write_json("metrics.json", metrics)
    assert "- It did NOT reach what was asked of it." in said
    assert r"- labels: few rows of \`a\|b\`" in said


@pytest.mark.parametrize("monitor", ["val_loss", "loss"])
def test_the_checkpoint_is_told_by_what_it_was_chosen_by(classes, tmp_path, monitor):
    place = tmp_path / "data" / "tiny"
    shutil.copytree(classes.path, place)
    sections = SECTIONS | {"fit": {**SECTIONS["fit"], "monitor": monitor}}
    with open(tmp_path / "params.yaml", "w") as file:
        YAML().dump({"pipelines": {"tiny": sections}}, file)
    rows = {"val_loss": "validation", "loss": "training"}[monitor]
    assert f"its loss on the {rows} rows was the lowest. On the validation" in text(Folder(place))


def test_a_table_is_told_by_its_columns(classes, tmp_path):
    place = Folder(tmp_path / "data" / "tiny")
    shutil.copytree(classes.path, place.path)
    shutil.copy(classes.path.parents[1] / "params.yaml", tmp_path)
    told = {"columns": [{}, {}], "input_shape": [5]}
    place.write_json("schema.json", place.read_json("schema.json") | told)
    assert "of rows of 2 columns apart" in text(place)


def test_rows_that_were_trained_on_are_not_called_new(classes):
    assert "On 15 test rows, which it had not seen," in text(classes)
    metrics = classes.read_json("metrics.json")
    classes.write_json("metrics.json", metrics | {"leaked_rows": 3})
    said = text(classes)
    classes.write_json("metrics.json", metrics)
    assert "On 15 test rows, 3 of which are training rows too," in said


def test_it_names_no_folder_of_this_machine(classes):
    said = text(classes)
    assert "`npz`, `rows.npz`" in said
    assert "private" not in said


@pytest.mark.parametrize("name", ["a|b.npz", "a`b.npz", "`", "a\\|b", "<b>", "a_b_"])
def test_a_path_is_code_in_one_cell(name):
    written = markdown.table(["", ""], [["source", markdown.code(name)], ["rows", 3]])
    html = MarkdownIt("commonmark").enable("table").render(written)
    cells = re.findall(r"<td>(.*?)</td>", html)
    assert [unescape(cell) for cell in cells] == ["source", f"<code>{name}</code>", "rows", "3"]


def test_a_regression_has_no_table_of_classes(regression):
    said = text(regression)
    assert "its mean squared error is" in said
    assert "| class |" not in said
    assert "| mean absolute error |" in said


def test_the_same_bytes_each_time_and_a_picture_for_git(classes):
    text(classes)
    first = content(classes, "card.md", "card.png")
    text(classes)
    assert content(classes, "card.md", "card.png") == first
    assert len(first["card.png"]) < 100_000
    assert Image.open(classes.path / "card.png").height == 480


def test_a_model_that_has_learned_nothing_is_said_to_be_so(classes):
    metrics = classes.read_json("metrics.json")
    says = "- The network is no better than always answering the largest class: test accuracy"
    try:
        baselines = {"largest class": metrics["test_accuracy"]}
        classes.write_json("metrics.json", metrics | {"baselines": baselines})
        assert says in text(classes)
    finally:
        classes.write_json("metrics.json", metrics)
    assert says not in text(classes)
