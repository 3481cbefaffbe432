"""The form of an experiment in Prefect's UI: a pipeline's own keys and values."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flows.project.folder import Project
from flows.project.form import ORDER, definitions, form

PROJECT = Project.here()


def sections(pipeline: str) -> dict[str, dict]:
    """The schema of each section, as the form has them."""
    found = definitions(PROJECT.read(pipeline))
    return {name: found[f"{name}_parameters"]["properties"] for name in ORDER}


def test_a_form_has_the_keys_of_the_pipelines_own_source_and_family():
    shown = sections("fashion")
    assert set(shown["load"]) == {"path", "folder"}
    assert "hidden" in shown["build"]
    assert not {"filters", "head", "function"} & set(shown["build"])
    assert "filters" in sections("fashion-cnn")["build"]
    assert {"mlp", "cnn", "linear"} <= set(shown["build"]["family"]["enum"])


@pytest.mark.parametrize(
    ("pipeline", "limits"),
    [("fashion", {"min_accuracy"}), ("linear", {"max_mse", "max_mae", "min_r2"})],
)
def test_a_form_has_the_limits_that_can_be_measured(pipeline, limits):
    assert set(sections(pipeline)["evaluate"]) == {*limits, "baselines", "predict"}


def test_a_form_says_todays_values():
    shown = sections("fashion")
    assert shown["fit"]["epochs"]["description"].startswith("Now 20. Times that")
    assert shown["fit"]["patience"]["description"].startswith("Now null. ")
    assert shown["build"]["hidden"]["description"].startswith("Now [1024, 512, 256, 128, 64]. ")
    changes = definitions(PROJECT.read("fashion"))["Changes"]["properties"]
    assert changes["compile"]["description"] == (
        "optimizer adam, learning_rate 0.001, weight_decay null, loss auto, metrics []"
    )


def test_what_is_tried_most_stands_first_and_every_part_is_closed():
    changes = definitions(PROJECT.read("linear"))["Changes"]["properties"]
    order = sorted(changes, key=lambda name: changes[name]["position"])
    assert order[:2] == ["fit", "compile"]
    for part in changes.values():
        closed, opened = part["anyOf"]
        assert closed == {"title": "keep", "type": "null"}
        assert "$ref" in opened
    fit = sections("linear")["fit"]
    assert [fit[key]["position"] for key in fit] == list(range(len(fit)))


def test_what_is_kept_or_left_empty_is_no_change():
    changes = form().model_validate({"fit": {"epochs": 3, "patience": None}, "build": None})
    assert changes.model_dump() == {"fit": {"epochs": 3, "patience": None}, "build": None}
    with pytest.raises(ValidationError, match="epochs"):
        form().model_validate({"fit": {"epochs": 0}})
