"""Other parameters as a person types them."""

from __future__ import annotations

import pytest

from flows.project import params
from flows.project.changes import between, typed
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
        ("fit.epochs=[3", r"the value is none that YAML reads"),
    ],
)
def test_what_is_no_change_is_refused(word, said):
    with pytest.raises(UserError, match=said):
        typed([word], CONTENT, "fashion")


def test_another_family_brings_all_its_keys():
    now = {"build": {"family": "mlp", "hidden": [8]}, "fit": {"epochs": 3, "seed": 0}}
    then = {"build": {"family": "linear"}, "fit": {"epochs": 3, "seed": 1}}
    assert between(now, then) == {"build": {"family": "linear"}, "fit": {"seed": 1}}
