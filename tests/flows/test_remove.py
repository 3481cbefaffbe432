"""A pipeline is taken out of params.yaml: its section goes, every other byte stays."""

from __future__ import annotations

import os
import shlex
import subprocess

import pytest
from ruamel.yaml import YAML

from flows.command import remove as command
from flows.command.new import new
from flows.command.remove import remove
from flows.project import edit
from flows.project.folder import Project
from tasks.core.step import UserError
from tests.support.own import put_csv, table
from tests.support.project import PARAMS, new_project
from tests.support.promoted import commit, git

# A section between two others, in `{}`; what must go with it, then what must stay, as comments.
AROUND = """\
pipelines:
  one: # first
    fit: {epochs: 1}
# at the left, behind one

  # above gone, kept: it may be about anything
{}  # of last
  last:
    fit:
      epochs: .nan
# at the very end
"""
GONE = [
    "  gone:\n    fit: {epochs: 2}\n",
    "  gone: {fit: {epochs: 2}}\n",
    "  gone: {fit: {\n  epochs: 2,\n\n  }} # three\n",
    "  'gone': # quoted\n    fit: &own\n      epochs: 2\n    again: {<<: *own}\n",
    "  gone:\n    fit:\n# at the left, inside\n      epochs: 2\n",
    "  gone:\n    fit:\n      epochs: 2\n      # indented, behind\n",
    "  gone:\n    fit:\n      epochs: 2\n\n    # indented, behind an empty line\n",
    "  gone:\n    text: |\n      # no comment\n      last: x\n",
    "  gone:\n    text: plain words\n      over two lines\n",
    "  gone:\n",
    "  gone: .nan\n",
]


def removed(text: str, name: str) -> str:
    return edit.without(text, name)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("gone", GONE)
def test_the_section_goes_and_every_other_byte_stays(gone, end):
    text = AROUND.replace("{}", gone).replace("\n", end)
    assert removed(text, "gone") == AROUND.replace("{}", "").replace("\n", end)


@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("behind", ["", "# at the left\n", "\n\n  # as a name\n", "\nx: 1\n"])
def test_the_last_section_goes_and_what_is_behind_it_stays(gone, behind):
    before = "pipelines:\n  one: 1\n"
    assert removed(before + "\n" + gone + behind, "gone") == before + behind


def test_a_file_without_a_last_line_ending_keeps_none_of_the_section():
    text = "pipelines:\n  one: 1\n\n  gone:\n    fit: 1"
    assert removed(text, "gone") == "pipelines:\n  one: 1\n"


def test_a_mark_at_the_files_beginning_and_odd_characters_do_not_shift_the_lines():
    text = "\ufeff# é 🙂\npipelines:\n  one: '🙂 \u2028 \x85 x' # ü\n  gone: 2\n  last: 3\n"
    assert removed(text, "gone") == text.replace("  gone: 2\n", "")


def test_a_name_is_not_taken_for_a_key_deeper_down():
    text = "gone: 1\npipelines:\n  one:\n    gone: 2\n  gone: 3\n  last: {gone: 4}\n"
    assert removed(text, "gone") == text.replace("  gone: 3\n", "")


def test_the_only_pipeline_can_be_taken_out():
    assert removed("pipelines:\n  gone:\n    fit: 1\n", "gone") == "pipelines:\n"


@pytest.mark.parametrize(
    "text",
    [
        "pipelines: {gone: 1, one: 2}\n",
        "pipelines: {gone: 1,\n  one: 2}\n",
        "pipelines:\n  gone: {fit: &own {epochs: 1}}\n  one: {fit: {<<: *own}}\n",
        "more: &more\n  gone: 1\npipelines:\n  <<: *more\n  one: 2\n",
        "more: &more\n  pipelines: {gone: 1}\n<<: *more\n",
        "pipelines: &all\n  gone: 1\n  one: 2\ncopy: *all\n",
    ],
)
def test_what_cannot_be_taken_out_by_itself_is_refused(text):
    with pytest.raises(UserError, match=r"`gone` cannot be taken out by itself.*by hand"):
        removed(text, "gone")


def test_a_pipeline_is_taken_out_as_it_was_put_in(tmp_path):
    project = new_project(tmp_path / "project")
    file = str(put_csv(project.root / "own/in.csv", *table(30)))
    new(project, "mine", file)
    one = project.params_file.read_text()
    new(project, "mine-too", file)
    both = project.params_file.read_text()

    remove(project, "mine-too")
    assert project.params_file.read_text() == one
    new(project, "mine-too", file)
    assert project.params_file.read_text() == both
    remove(project, "mine")
    assert project.params_file.read_text() == PARAMS + both.removeprefix(one)
    remove(project, "mine-too")
    assert project.params_file.read_text() == PARAMS


def test_each_pipeline_of_the_projects_own_file_can_be_taken_out():
    text = Project.here().params_file.read_text()
    before = YAML(typ="safe").load(text)
    for name in before["pipelines"]:
        after = YAML(typ="safe").load(removed(text, name))
        others = {key: value for key, value in before["pipelines"].items() if key != name}
        assert after == {**before, "pipelines": others}


def test_what_it_made_stays_and_the_command_says_how_to_delete_it(project, capsys):
    project.data("linear").mkdir(parents=True)
    assert command.main(["linear"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("linear is no longer in params.yaml. What it made is still there.")
    assert said.endswith("\nrm -r data/linear\n")
    assert project.data("linear").is_dir()
    assert project.pipelines() == ["fashion", "fashion-cnn"]


def test_what_was_never_run_has_nothing_to_delete(project, capsys):
    assert command.main(["linear"]) == 0
    assert capsys.readouterr().out == "linear is no longer in params.yaml.\n"


def test_each_file_that_was_changed_and_a_champion_are_named(project, capsys):
    entry = "  linear:\n    path: data/linear/export\n    type: model\n"
    (project.root / "dvc.yaml").write_text(f"stages: {{}}\nartifacts:\n{entry}")
    git(project, "init", "-q")
    commit(project)
    for tag in ("linear@v0.0.1", "linear#champion#1"):
        git(project, "tag", "-a", tag, "-m", "Better")

    assert command.main(["linear"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("linear is no longer in params.yaml and dvc.yaml. Its champion v0.0.1 ")
    _, told, _ = said.split("`")
    shown = subprocess.run(shlex.split(told), cwd=project.root, capture_output=True, text=True)
    assert shown.stdout.split() == ["linear#champion#1", "linear@v0.0.1"]


def test_a_pipeline_that_is_not_there_is_refused_and_nothing_is_written(project, capsys):
    assert command.main(["linaer"]) == 1
    assert "no pipeline `linaer`. Did you mean `linear`? " in capsys.readouterr().err
    assert command.main(["digits"]) == 1
    said = capsys.readouterr().err
    has = "fashion, fashion-cnn, linear"
    assert said == f"error params.yaml: no pipeline `digits`. It has: {has}.\n"
    assert project.params_file.read_text() == PARAMS


def test_the_file_is_replaced_as_a_whole(project, monkeypatch):
    def killed(descriptor):
        raise KeyboardInterrupt

    project.params_file.chmod(0o600)
    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        remove(project, "linear")
    assert project.params_file.read_text() == PARAMS
    assert [path.name for path in project.root.iterdir()] == ["params.yaml"]

    monkeypatch.undo()
    remove(project, "linear")
    assert project.params_file.stat().st_mode & 0o777 == 0o600
