"""Models to serve, made once for all workers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import made_once
from tests.support.answering import Answering, made


@pytest.fixture(scope="session")
def exports(tmp_path_factory) -> Path:
    """A folder with the projects `now` and `later`, not to be changed."""
    with made_once(tmp_path_factory, "exports") as (path, done):
        if not done:
            made(path)
    return path


@pytest.fixture(scope="module")
def project(exports, tmp_path_factory) -> Path:
    """A copy of `now`, which may be changed."""
    return shutil.copytree(exports / "now", tmp_path_factory.mktemp("served") / "project")


@pytest.fixture(scope="module")
def servers(project):
    """Servers of the pipelines, by their names; each is started when it is asked for."""
    started: dict[str, Answering] = {}

    def get(pipeline: str) -> Answering:
        if pipeline not in started:
            started[pipeline] = Answering(project, pipeline)
        return started[pipeline]

    yield get
    for each in started.values():
        each.__exit__()
