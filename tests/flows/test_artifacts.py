"""`artifacts:` of dvc.yaml: an entry for each exported pipeline, and every other byte stays."""

from __future__ import annotations

import pytest

from flows.project import artifacts
from flows.project.folder import Project
from tasks.core.step import UserError
from tests.conftest import ROOT

OURS = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
STAGES = "\nstages:\n  mine:\n    cmd: 'true'\n"
MINE = "  mine:\n    path: data/mine/export\n    type: model\n"


@pytest.fixture
def project(tmp_path) -> Project:
    (tmp_path / "dvc.yaml").write_text(OURS, encoding="utf-8")
    return Project(tmp_path)


def text(project: Project) -> str:
    return (project.root / "dvc.yaml").read_text(encoding="utf-8")


def test_an_entry_comes_once_and_goes_and_every_other_byte_stays(project):
    artifacts.add(project, "mine")
    longer = text(project)
    assert longer.replace(MINE, "") == OURS
    artifacts.add(project, "mine")
    assert text(project) == longer
    artifacts.remove(project, "mine")
    assert text(project) == OURS


@pytest.mark.parametrize("before", ["artifacts:\n", "artifacts: {}\n", f"artifacts:\n{MINE}"])
def test_without_entries_it_is_an_empty_mapping(project, before):
    (project.root / "dvc.yaml").write_text(before + STAGES)
    artifacts.add(project, "mine")
    assert text(project) == f"artifacts:\n{MINE}{STAGES}"
    artifacts.remove(project, "mine")
    assert text(project) == f"artifacts: {{}}\n{STAGES}", "a stage of that name stays"


@pytest.mark.parametrize("before", [STAGES, f"# no part\n{STAGES}"])
def test_who_has_taken_the_part_out_gets_none(project, before):
    (project.root / "dvc.yaml").write_text(before)
    artifacts.add(project, "mine")
    artifacts.remove(project, "mine")
    assert text(project) == before


def test_a_file_that_cannot_be_read_is_named(project):
    (project.root / "dvc.yaml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(UserError, match=r"^dvc\.yaml is not UTF-8"):
        artifacts.add(project, "mine")
