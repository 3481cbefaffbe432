"""`release:` in params.yaml: entries are added and taken out, every other byte stays."""

from __future__ import annotations

import re

import pytest

from flows.command.remove import remove
from flows.project.edit import with_release, without
from flows.project.folder import Project
from tasks.core.step import UserError
from tests.support.project import PARAMS, new_project

LITERT = {"format": "litert"}
ENTRY = """\
release:
  linear:
    export: {format: litert}
"""


def test_the_shipped_project_releases_nothing():
    assert Project.here().releases() == {}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_entry_comes_and_goes_and_every_other_byte_stays(end):
    before = PARAMS.replace("\n", end)
    after = with_release(before, "linear", "export", LITERT)
    assert after == PARAMS.replace("release: {}\n", ENTRY).replace("\n", end)
    assert without(after, "linear", "release") == before


def test_a_second_entry_another_value_and_comments(tmp_path):
    text = PARAMS.replace("release: {}\n", ENTRY.replace("litert}", "litert} # for the shop"))
    both = with_release(text, "fashion", "export", LITERT)
    assert "{format: litert} # for the shop\n  fashion:\n    export: {format: litert}\n" in both
    other = with_release(both, "fashion", "export", {"format": "onnx"})
    assert other == both.replace("fashion:\n    export: {format: litert}", "fashion:\n    export: "
                                 "{format: onnx}")  # fmt: skip
    assert without(other, "fashion", "release") == text


def test_a_pipeline_that_is_taken_out_is_released_no_more(tmp_path):
    project = new_project(tmp_path / "project")
    project.params_file.write_text(with_release(PARAMS, "linear", "export", LITERT))
    remove(project, "linear")
    assert project.releases() == {}
    assert "linear" not in project.pipelines()
    assert "\nrelease: {}\n" in project.params_file.read_text()


@pytest.mark.parametrize(
    "text", ["", "release:\n", "release: 1\n", "release: {linear: 3}\n", "release: [linear]\n"]
)
def test_a_file_without_the_part_is_refused_and_says_what_to_write(text):
    with pytest.raises(UserError, match=r"no part `release:`.*Write a line `release: {}`"):
        with_release(PARAMS.replace("release: {}\n", text), "linear", "export", LITERT)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{}", r"release has no entry `linear`. `python -m flows export linear` adds it"),
        ("{linaer: 1}", r"release\.linaer: no pipeline has this name\. Did you mean `linear`\?"),
        ("{linear: null}", r"release\.linear: got null, expected a section with keys"),
        ("{linear: {export: {format: tflite}}}", r"export\.format: got 'tflite', expected `litert"),
        ("{linear: {export: {}}}", r"release\.linear\.export\.format: missing"),
        ("{linear: {exprt: {}, export: {format: onnx}}}", r"exprt: unknown key\. Did you mean"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path, entry, says):
    project = new_project(tmp_path / "project", PARAMS.replace("release: {}", f"release: {entry}"))
    with pytest.raises(UserError) as caught:
        project.release("linear")
    assert re.search(says, str(caught.value)), str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
