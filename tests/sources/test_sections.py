"""The section `load` of params.yaml for each source: a mistake is one line with the key's path."""

from __future__ import annotations

import re

import pytest
from ruamel.yaml import YAML

from flows.project import params
from flows.project.folder import Project
from tasks.core.step import UserError
from tests.support.own import CSV

PICTURES = {
    "source": "images",
    "path": "in",
    "size": [8, 8],
    "color": "gray",
    "broken": "refuse",
    "test": 0.2,
    "seed": 0,
}


LINE = {"source": "line", "path": "data/built-in"}
SOURCES = "`fashion_mnist`, `line`, `idx`, `npz`, `images`, `csv`, `parquet`"


SECTIONS = {
    "unknown source": (
        {**CSV, "source": "cvs"},
        rf"\.source: got 'cvs', expected {SOURCES}\. Did you mean `csv`\?",
    ),
    "source that is null": ({**CSV, "source": None}, rf"\.source: got null, expected {SOURCES}\."),
    "source that is a list": (
        {**CSV, "source": [1]},
        rf"\.source: got \[1\], expected {SOURCES}\.",
    ),
    "no source": ({"path": "in.csv"}, rf"\.source: missing\. Expected {SOURCES}\."),
    "unknown key": (
        {**CSV, "taget": "y"},
        r"\.taget: unknown key\. Did you mean `target`\? Known here: source, path",
    ),
    "key of another source": (
        {**CSV, "folder": None},
        r"\.folder: unknown key\. Known here: source, path, .*, missin",
    ),
    "missing key": (
        {k: v for k, v in CSV.items() if k != "target"},
        r"\.target: missing\. Every key must be there",
    ),
    "wrong word": (
        {**CSV, "missing": "meen"},
        r"\.missing: got 'meen', expected `refuse`, .* Did you mean `mean`\?",
    ),
    "share above 1": (
        {**CSV, "test": 1.5},
        r"\.test: got 1.5, expected a whole number above 0, or a numb",
    ),
    "empty path": ({**CSV, "path": ""}, r"\.path: got '', expected a text with content\."),
    "text in a list": (
        {**CSV, "ignore": "id"},
        r"\.ignore: got 'id', expected a list, each of it a text",
    ),
    "three sizes": (
        {**PICTURES, "size": [8, 8, 3]},
        r"\.size: got \[8, 8, 3\], expected a list of 2, each of it a wh",
    ),
    "one size": (
        {**PICTURES, "size": 8},
        r"\.size: got 8, expected a list of 2, each of it a whole number above 0\.",
    ),
    "no size": (
        {**PICTURES, "size": [8, 0]},
        r"\.size\.1: got 0, expected a whole number above 0\.",
    ),
    "other color": (
        {**PICTURES, "color": "grey"},
        r"\.color: got 'grey', expected `gray`, `rgb`, `gray16`\. .* `gray`\?",
    ),
    "number as a name": (
        {**CSV, "class_names": [0]},
        r"\.class_names\.0: got 0, expected a text with content\.",
    ),
    "names of folders": ({**PICTURES, "class_names": None}, r"\.class_names: unknown key\."),
    "no section": ([1], r": got \[1\], expected a section with keys\."),
}


def written(section, path) -> Project:
    """A project whose pipeline `mine` has this section `load`."""
    pipelines = params.pipelines(Project.here().params_file)
    content = {"pipelines": {"mine": {**pipelines["fashion"], "load": section}}}
    YAML(typ="safe").dump(content, path / params.FILE)
    return Project(path)


@pytest.mark.parametrize("kind", SECTIONS)
def test_a_mistake_in_a_sources_section_is_one_line_with_the_keys_path(tmp_path, kind):
    section, expected = SECTIONS[kind]
    project = written(section, tmp_path)
    with pytest.raises(UserError) as caught:
        project.read("mine")
    said = str(caught.value)
    assert re.fullmatch(rf"params\.yaml: pipelines\.mine\.load{expected}.*", said), said
    assert len(said) < 260


@pytest.mark.parametrize("section", [CSV, PICTURES, LINE], ids=["csv", "images", "line"])
def test_good_sections_are_their_sources_own(tmp_path, section):
    limits = dict.fromkeys(("min_accuracy", "max_mse", "max_mae", "min_r2"))
    pipeline = {**limits, "baselines": True, "predict": None}
    project = written(section, tmp_path)
    content = YAML(typ="safe").load(project.params_file)
    content["pipelines"]["mine"]["evaluate"] = pipeline
    YAML(typ="safe").dump(content, project.params_file)
    assert project.read("mine").load.model_dump() == section
