"""`python -m flows push` and `pull`: what one clone has made, another has not to make."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from flows.engine.sweep import sweep
from flows.memory.lock import outputs
from flows.project.folder import Project
from tests.conftest import Workspace
from tests.support import remotes
from tests.support.swept import put_sweep, trained

PUSH, PULL, PLAN = (("python", "-m", "flows", verb) for verb in ("push", "pull", "plan"))


@pytest.fixture(scope="module")
def ours(workspaces):
    """A project with a trained pipeline and a finished sweep."""
    made = workspaces("ours", trained=True, DVC_SITE_CACHE_DIR="")
    sweep(put_sweep(Project(made.path), trials=2, round=1), "linear")
    made.run("git", "add", "-A")
    made.run("git", "commit", "-qm", "Sweep linear")
    return made


def clone(ours: Workspace, name: str) -> Workspace:
    theirs = Workspace(ours.path.parent / name, {"DVC_SITE_CACHE_DIR": ""})
    shutil.rmtree(theirs.path, ignore_errors=True)
    ours.run("git", "clone", "-q", str(ours.path), str(theirs.path))
    return theirs


def use(workspace: Workspace, address: str, secrets: dict[str, str]) -> None:
    workspace.dvc("remote", "add", "-f", "-d", "--local", "shared", address)
    for name, value in secrets.items():
        workspace.dvc("remote", "modify", "--local", "shared", name, value)


@pytest.mark.parametrize("kind", [remotes.folder, remotes.ssh, remotes.s3])
def test_a_clone_takes_results_and_trials_and_has_nothing_left_to_train(ours, tmp_path, kind):
    with kind(tmp_path) as place:
        use(ours, *place)
        first = ours.run(*PUSH)
        assert "sent 0 files of 0 runs" in ours.run(*PUSH)
        theirs = clone(ours, kind.__name__)
        use(theirs, *place)
        assert first.split("sent")[1].split(". git")[0] in theirs.run(*PULL)
        assert "took 0 files of 0 runs" in theirs.run(*PULL)

    assert theirs.bytes("linear") == ours.bytes("linear")
    assert theirs.run(*PLAN, "linear").count("nothing has changed") == 8
    table = sweep(Project(theirs.path), "linear")
    assert all(result.found for _, result in table.rows.values())
    assert not trained(Project(theirs.path))


def damage(place) -> None:
    place.write_text("half")


def cut(place) -> None:
    """Half a note may be a whole YAML file."""
    whole = place.read_text()
    place.write_text(whole[: whole.rindex("\n- path:") + 1])


def delete(place) -> None:
    place.unlink()


@pytest.mark.parametrize("how", [damage, cut, delete])
def test_a_note_that_was_lost_or_damaged_at_the_remote_is_sent_again(ours, tmp_path, how: Callable):
    use(ours, str(tmp_path / "remote"), {})
    ours.run(*PUSH)
    notes = (tmp_path / "remote" / "runs").glob("*/*/*")
    note = next(each for each in notes if each.read_text().count("\n- path:") > 3)
    before = note.read_bytes()
    how(note)
    theirs = clone(ours, "before")
    use(theirs, str(tmp_path / "remote"), {})
    theirs.run(*PULL)
    note_here = theirs.path / ".dvc/cache" / note.relative_to(tmp_path / "remote")
    assert not note_here.exists(), "half a note is none"

    assert "of 1 run." in ours.run(*PUSH)
    assert note.read_bytes() == before


def test_a_run_whose_files_are_gone_here_is_not_sent(ours, tmp_path):
    theirs = clone(ours, "gone")
    shutil.copytree(ours.path / ".dvc/cache/runs", theirs.path / ".dvc/cache/runs")
    use(theirs, str(tmp_path / "remote"), {})
    assert "sent 0 files of 0 runs" in theirs.run(*PUSH)


def test_a_note_whose_files_have_left_the_remote_keeps_no_other_away(ours, tmp_path):
    use(ours, str(tmp_path / "remote"), {})
    ours.run(*PUSH)
    weights = outputs(Project(ours.path))["data/linear/best.weights.h5"]
    theirs = clone(ours, "left")
    use(theirs, str(tmp_path / "remote"), {})

    (tmp_path / "remote/files/md5" / weights[:2] / weights[2:]).unlink()
    assert "data/linear" in theirs.run(*PULL), "neither here nor at the remote"
    assert (theirs.path / "data/linear/model.keras").exists()
    assert "data/linear" not in ours.run(*PUSH), "it is sent again"
    assert "data/linear" not in theirs.run(*PULL)
    assert theirs.bytes("linear") == ours.bytes("linear")


def damage_model(workspace) -> str:
    """Change the model in DVC's cache as a bad disk does; its digest."""
    model = outputs(Project(workspace.path))["data/linear/model.keras"]
    kept = workspace.path / ".dvc/cache/files/md5" / model[:2] / model[2:]
    kept.chmod(0o600)
    kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    kept.chmod(0o444)  # DVC trusts what nobody can write to
    return model


def test_a_damaged_file_of_ones_own_cache_is_taken_anew(ours, tmp_path):
    use(ours, str(tmp_path / "remote"), {})
    ours.run(*PUSH)
    theirs = clone(ours, "rotten")
    use(theirs, str(tmp_path / "remote"), {})
    theirs.run(*PULL)
    damage_model(theirs)
    (theirs.path / "data/linear/model.keras").unlink()
    assert "took 1 file " in theirs.run(*PULL)
    assert theirs.bytes("linear") == ours.bytes("linear")


def test_a_damaged_file_is_not_sent(ours, tmp_path):
    use(ours, str(tmp_path / "first"), {})
    ours.run(*PUSH)
    theirs = clone(ours, "spoiled")
    use(theirs, str(tmp_path / "first"), {})
    theirs.run(*PULL)
    model = damage_model(theirs)

    use(theirs, str(tmp_path / "second"), {})
    said = theirs.run(*PUSH)
    assert f"{model} was damaged in DVC's cache" in said
    assert "data/linear" in said.partition("neither here nor at the remote")[2]
    assert not (tmp_path / "second/files/md5" / model[:2] / model[2:]).exists()


def test_a_file_of_a_folder_that_the_remote_has_lost_is_sent_again(ours, tmp_path):
    folder = ours.path / "datasets/parts"
    folder.mkdir(parents=True)
    for name in "ab":
        (folder / name).write_text(f"part {name}")
    ours.dvc("add", "datasets/parts")
    use(ours, str(tmp_path / "remote"), {})
    ours.run(*PUSH)
    theirs = clone(ours, "lost")
    (theirs.path / "datasets").mkdir()
    shutil.copy(folder.with_suffix(".dvc"), theirs.path / "datasets")
    use(theirs, str(tmp_path / "remote"), {})
    assert "linear" not in theirs.run(*PUSH), "it is at the remote"
    files = (file for file in (tmp_path / "remote/files").rglob("*") if file.is_file())
    (lost,) = (file for file in files if file.read_bytes() == b"part a")
    lost.unlink()
    said = theirs.run(*PULL, code=1)
    assert f"1 file did not get through: {lost.parent.name}{lost.name}. The others" in said
    assert theirs.bytes("linear").items() <= ours.bytes("linear").items()
    assert "sent 1 file " in ours.run(*PUSH)
    theirs.run(*PULL)
    assert (theirs.path / "datasets/parts/a").read_text() == "part a"

    (listing,) = (theirs.path / ".dvc/cache/files").rglob("*.dir")
    listing.chmod(0o600)
    listing.write_text("[")
    assert "sent 0 files " in theirs.run(*PUSH)
    assert "took 1 file " in theirs.run(*PULL)
    assert listing.read_text() != "["


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("https://127.0.0.1:1/data", "DVC cannot list what an HTTP remote has"),
        ("ssh://nobody@127.0.0.1:1/data", "remote ssh://127.0.0.1:1/data cannot be used"),
        ("gs://bucket/data", "requires 'dvc-gs' to be installed"),
    ],
)
def test_a_remote_that_cannot_be_used_is_named(ours, address, says):
    use(ours, address, {})
    said = ours.run(*PUSH, code=1)
    assert says in said
    assert "Traceback" not in said


def test_without_a_remote_it_is_said_how_to_name_one(ours):
    theirs = clone(ours, "without")
    for verb in (PUSH, PULL):
        said = theirs.run(*verb, code=1)
        assert "dvc remote add -d shared PLACE" in " ".join(said.split())
