"""Other parameters as a person types them."""

from __future__ import annotations

import pytest

from flows.project import params
from flows.project.changes import between, text_with, typed
from tasks.core.step import UserError
from tests.conftest import ROOT

CONTENT = params.content(ROOT / "params.yaml")


def test_values_are_read_as_yaml_has_them():
    words = ["fit.epochs=3", "fit.patience=null", "build.hidden=[8, 4]", "compile.optimizer=sgd"]
    assert typed(words, CONTENT, "fashion") == {
        "fit": {"epochs": 3, "patience": None},
        "build": {"hidden": [8, 4]},
        "compile": {"optimizer": "sgd"},
    }


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("fit.epochs", r"expected STEP\.KEY=VALUE, such as fit\.epochs=3"),
        ("epochs=3", r"expected STEP\.KEY=VALUE"),
        ("fitt.epochs=3", r"no step `fitt`\. Did you mean `fit`\?"),
        ("fit.epoch=3", r"fashion\.fit\.epoch: unknown key\. Did you mean `epochs`\?"),
        ("fit.epochs=many", r"fashion\.fit\.epochs: got 'many', expected a whole number"),
        ("epochs=3", r"epochs=3: expected STEP\.KEY=VALUE, such as fit\.epochs=3\."),
        ("learning_rate=1", r"such as compile\.learning_rate=1\."),
        ("nobody=3", r"such as fit\.epochs=3\."),
        ("fit.epochs=[3", r"YAML cannot read the value"),
        ("fit.epochs=2024-13-45", r"YAML cannot read the value"),
        ("reload_best.x=3", r"reload_best"),
        ("build.family=[1]", r"fashion\.build\.family: got "),
        ("evaluate.min_r2=0.5", r"evaluate\.min_r2 cannot be measured"),
    ],
)
def test_what_is_no_change_is_refused(word, said):
    with pytest.raises(UserError, match=said):
        typed([word], CONTENT, "fashion")


def test_another_family_brings_all_its_keys():
    now = {"build": {"family": "mlp", "hidden": [8]}, "fit": {"epochs": 3, "seed": 0}}
    then = {"build": {"family": "linear"}, "fit": {"epochs": 3, "seed": 1}}
    assert between(now, then) == {"build": {"family": "linear"}, "fit": {"seed": 1}}


def test_line_endings_stay():
    text = "pipelines:\r\n  one:\r\n    fit: {epochs: 3}\r\n    build:\r\n      family: mlp\r\n"
    assert text_with(text, "one", {"fit": {"epochs": 4}}) == text.replace("3", "4")


def test_the_reason_for_an_old_value_does_not_stay_beside_a_new_one():
    text = """\
pipelines:
  one:
    fit:
      # times two, as the rows are few
      epochs: 84 # 600 updates in all
      # each batch is drawn anew
      seed: 3 # as in the paper
"""
    expected = text.replace(
        "84 # 600 updates in all",
        "9  # times that the training sees every row",  # in its column
    )
    assert text_with(text, "one", {"fit": {"epochs": 9, "seed": 3}}) == expected


@pytest.mark.parametrize("indent", ["", "  "])
def test_a_list_with_a_line_for_each_value_becomes_one_line(indent):
    text = "pipelines:\n  one:\n    build:\n      family: mlp\n      hidden: # few\n"
    lines = f"      {indent}- 64\n      {indent}- 32\n"
    found = text_with(text + lines, "one", {"build": {"hidden": [8]}})
    assert found == text.replace(" # few", " [8] # units of each hidden Dense layer")
    same = text_with(text + lines, "one", {"build": {"hidden": [64, 32]}})
    assert same == text.replace(" # few", " [64, 32] # few")


def test_a_change_of_a_section_that_another_pipeline_takes_over_is_refused():
    text = "pipelines:\n  one:\n    fit: &own {epochs: 3}\n  two:\n    fit: {<<: *own}\n"
    with pytest.raises(UserError, match="two would change as well"):
        text_with(text, "one", {"fit": {"epochs": 4}})


def test_a_word_with_a_colon_can_be_read_again():
    text = "pipelines:\n  one:\n    build: {family: linear}\n"
    changes = {"build": {"family": "function", "function": "models.mine:made"}}
    found = params.pipelines(text_with(text, "one", changes))
    assert found["one"]["build"]["function"] == "models.mine:made"
