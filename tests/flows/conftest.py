from __future__ import annotations

import pytest

from flows.project.folder import Project
from tests.support.project import new_project


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    """A project of one file, which the command line takes for its own."""
    made = new_project(tmp_path / "project")
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: made))
    return made
