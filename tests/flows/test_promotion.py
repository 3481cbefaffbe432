"""A model becomes the champion only if it is better; the git tags tell it all."""

from __future__ import annotations

import re
import shutil

import gto.api
import pytest

from flows import promotion
from flows.engine import history
from flows.memory import champions
from flows.project.folder import Project
from tasks.core.step import UserError
from tests.support import promoted
from tests.support.promoted import NAME, commit, git, trained

# DVC's own, of a library that it uses.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")

GOOD = {"compile__learning_rate": 0.1}


@pytest.fixture(scope="module")
def story(workspaces):
    """A bad model, and a good one after it, each in a commit of its own."""
    project = promoted.add(workspaces("promoted").path)
    bad = trained(project)
    good = trained(project, **GOOD)
    return project, bad, good


@pytest.fixture
def project(story, tmp_path) -> Project:
    """A copy of it, where nothing was judged yet."""
    shutil.copytree(story[0].root, tmp_path / "keras-flows", symlinks=True)
    return Project(tmp_path / "keras-flows")


def at(project: Project, commit: str) -> None:
    """Go to a commit, and to what it has recorded."""
    git(project, "checkout", "-q", commit)
    promoted.train(project)
    assert not git(project, "status", "--porcelain")


def champion(project: Project) -> str:
    found = champions.read(project, NAME).champion
    assert found
    (said,) = gto.api.find_versions_in_stage(str(project.root), NAME, champions.STAGE)[:1]
    assert said.version == found.version
    return found.version


def test_the_first_a_better_one_back_and_an_equal_one(story, project, caplog):
    _, bad, good = story
    at(project, bad)
    first = promotion.promote(project, NAME)
    assert first == ("v0.0.1", True, "the first champion")

    git(project, "checkout", "-q", "main")
    promoted.train(project)
    second = promotion.promote(project, NAME)
    assert second.promoted, second.says
    assert re.match(
        r"better than v0\.0\.1: accuracy 0\.\d{4}, the champion 0\.\d{4}: of 200 test rows it "
        r"alone is right in \d+, the champion alone in \d+; p \S+ \(McNemar's mid-p, level 0\.05\)",
        second.says,
    )
    assert champion(project) == "v0.0.2"
    assert promotion.promote(project, NAME).says == promotion.ALREADY

    (project.root / "note.txt").write_text("the same model in another commit")
    commit(project)
    caplog.set_level("INFO")
    equal = promotion.promote(project, NAME)
    assert not equal.promoted
    assert equal.says.startswith("not shown to be better than v0.0.2")
    assert "these test rows have judged 2 other versions" in caplog.text
    assert champion(project) == "v0.0.2"

    assert promotion.back(project, NAME) == ("v0.0.1", True, "back from v0.0.2")
    assert champion(project) == "v0.0.1"
    with pytest.raises(UserError, match=r"no champion to go back to: there is only v0\.0\.1"):
        promotion.back(project, NAME)

    found = history.lines(project, NAME)
    assert [(line.version, line.word) for line in found] == [
        ("v0.0.1", "champion"),
        ("v0.0.3", "judged"),
        ("v0.0.2", "was champion"),
        ("v0.0.1", "was champion"),
    ]
    assert {line.commit for line in found} >= {bad, good}
    assert all(line.score for line in found)
