"""A model becomes the champion only if it is better; the git tags tell it all."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import gto.api
import httpx
import psutil
import pytest
from dvc.repo import Repo

from flows.command.history import show
from flows.engine import history, promotion, readiness
from flows.memory import champions, past
from flows.memory.exchange import push
from flows.memory.lock import digest, stages
from flows.project.folder import Project
from tasks.core.step import UserError
from tasks.scores.criterion import nothing_learned
from tests.conftest import Workspace
from tests.support import promoted
from tests.support.own import put_csv
from tests.support.promoted import NAME, commit, git, trained
from tests.support.served import eventually, free_port

# DVC's own, of a library that it uses.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")

GOOD = {"fit__seed": 2}  # which begins with 78 of 100 answers right


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


def begin(project: Project, commit: str, **facts: object) -> None:
    """Make a commit the first champion without looking at it."""
    says = (commit, "the first champion", {"score": 0.2, **facts})
    champions.assign(project, NAME, champions.register(project, NAME, *says), *says[1:])


def champion(project: Project) -> str:
    found = champions.read(project, NAME).champion
    assert found
    said = gto.api.show(str(project.root))[NAME]["stage"][champions.STAGE]
    with closing(Repo(str(project.root))) as repo:  # what `dvc artifacts get` takes
        assert repo.artifacts.get_rev(NAME, stage=champions.STAGE) == found.commit
    assert said == found.version
    return found.version


def test_a_model_that_has_learned_nothing_is_named_when_it_is_judged(
    story, project, caplog, monkeypatch
):
    at(project, story[1])
    as_good = {"baselines": {"largest class": 1.0}}
    monkeypatch.setattr(
        promotion, "nothing_learned", lambda found: nothing_learned(found | as_good)
    )
    promotion.promote(project, NAME)
    assert "no better than always answering the largest class: test accuracy 0." in caplog.text


def test_the_first_a_better_one_back_and_an_equal_one(story, project):
    _, bad, good = story
    at(project, bad)
    assert promotion.promote(project, NAME) == ("v0.0.1", True, "the first champion")

    at(project, "main")
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
    assert promotion.promote(project, NAME) == ("v0.0.2", False, promotion.ALREADY)
    assert champion(project) == "v0.0.2"

    assert promotion.back(project, NAME) == ("v0.0.1", True, "back from v0.0.2")
    assert champion(project) == "v0.0.1"
    with pytest.raises(
        UserError, match=r"no champion before the present one: v0\.0\.1 is the first"
    ):
        promotion.back(project, NAME)

    found = history.lines(project, NAME)
    assert [(line.version, line.word) for line in found] == [
        ("v0.0.1", "champion"),
        ("v0.0.2", "was champion"),
        ("v0.0.1", "was champion"),
    ]
    assert {bad, good} <= {line.commit for line in found}
    assert all(line.score for line in found)

    git(project, "clone", "-q", str(project.root), str(project.root.parent / "clone"))
    assert history.lines(Project(project.root.parent / "clone"), NAME) == found


def test_the_champion_is_asked_again_on_other_test_rows(story, project, caplog):
    begin(project, story[1])
    trained(project, load__seed=1)
    caplog.set_level("INFO")
    outcome = promotion.promote(project, NAME)
    assert "other test rows than those of v0.0.1, so it is asked again" in caplog.text
    assert outcome.promoted, outcome.says
    assert "the champion 0.2" in outcome.says


def test_a_model_that_lost_is_one_version_though_it_is_judged_again(story, project, caplog):
    _, bad, good = story
    at(project, good)
    promotion.promote(project, NAME)
    at(project, bad)
    git(project, "switch", "-qc", "worse")
    lost = promotion.promote(project, NAME)
    assert (lost.version, lost.promoted) == ("v0.0.2", False)

    (project.root / "note.txt").write_text("the same model in another commit")
    commit(project)
    caplog.set_level("INFO")
    caplog.clear()
    assert promotion.promote(project, NAME) == lost
    assert "this model was judged before, as v0.0.2" in caplog.text
    assert "1 other version was judged on these test rows" in caplog.text
    assert len(champions.read(project, NAME).versions) == 2
    assert champion(project) == "v0.0.1"


def test_the_same_weights_with_another_scaling_are_another_model(story, project):
    """Numbers in another unit, by a power of two: to the model they are the same."""
    begin(project, story[1], model=promotion._model(project, NAME))
    rows = [line.split(",") for line in (project.root / "votes.csv").read_text().splitlines()]
    lines = [f"{1024 * float(a)},{b},{y}" for a, b, y in rows[1:]]
    put_csv(project.root / "votes.csv", "a,b,y", *lines)
    before = of(project, "model.keras").read_bytes()
    trained(project)
    assert of(project, "model.keras").read_bytes() == before
    assert promotion.promote(project, NAME).says != promotion.ALREADY


def test_a_regression_is_promoted_by_a_paired_test_of_its_errors(project):
    target = {"target": "b", "task": "regression", "ignore": ["y"]}
    trained(
        project,
        **{f"load__{key}": value for key, value in target.items()},
        evaluate__min_accuracy=None,
        evaluate__max_mse=100.0,
    )
    assert promotion.promote(project, NAME).promoted
    trained(project, compile__learning_rate=0.01, fit__epochs=8)
    second = promotion.promote(project, NAME)
    assert re.match(
        r"better than v0\.0\.1: mean squared error 1\.\d+, the champion 1\.\d+ on 200 test rows; "
        r"p \S+ \(paired randomization test, level 0\.05\)",
        second.says,
    ), second.says
    assert champion(project) == "v0.0.2"

    trained(project, fit__epochs=2)
    third = promotion.promote(project, NAME)
    assert not third.promoted
    assert third.says.startswith("not shown to be better than v0.0.2: mean squared error")
    assert champion(project) == "v0.0.2"


def killed(function: Callable[[Project, str], object], project: Project, moment: int) -> None:
    """Run a function in a process that is killed before, or after, one of its tags is made."""
    moments = iter(range(100))
    tag = champions._gto

    def tag_or_die(*how: Any, **more: Any) -> Any:
        if next(moments) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        made = tag(*how, **more)
        if next(moments) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    process = os.fork()
    if process == 0:
        champions._gto = tag_or_die
        function(project, NAME)
        os._exit(0)
    status = os.waitpid(process, 0)[1]
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("moment", range(4))
def test_a_promotion_that_is_killed_leaves_the_old_champion_or_the_new(story, project, moment):
    begin(project, story[1], test_rows=promotion._test_rows(promotion.folder_of(project, NAME)))
    killed(promotion.promote, project, moment)
    assert champion(project) == ("v0.0.2" if moment == 3 else "v0.0.1")
    assert promotion.promote(project, NAME).promoted == (moment != 3)
    assert champion(project) == "v0.0.2"


@pytest.mark.parametrize("moment", range(4))
def test_a_step_back_that_is_killed_leaves_the_old_champion_or_the_new(story, project, moment):
    begin(project, story[1])
    begin(project, story[2])
    killed(promotion.back, project, moment)
    now = champions.read(project, NAME).champion.version
    assert now == ("v0.0.2" if moment == 0 else "v0.0.1")
    if now == "v0.0.2":
        promotion.back(project, NAME)
        assert champion(project) == "v0.0.1"
    assert promotion.promote(project, NAME).promoted
    assert champion(project) == "v0.0.2"


ENDS_THE_SERVER = """\
#!/bin/sh
# git, and a server that dies while the promotion asks for the commit in its flow.
if [ "$1" = for-each-ref ]; then
  echo asked >> "$COUNT"
  for child in $(cat /proc/$PPID/task/*/children); do
    if [ "$(wc -l < "$COUNT")" = 2 ] && grep -q server.process "/proc/$child/cmdline"; then
      kill -9 "$child"
    fi
  done
fi
exec GIT "$@"
"""


def test_a_promotion_whose_server_dies_makes_the_new_champion_and_says_what_was_not_told(
    story, project, tmp_path, prefect_home
):
    begin(project, story[1])
    (tmp_path / "git").write_text(ENDS_THE_SERVER.replace("GIT", shutil.which("git")))
    (tmp_path / "git").chmod(0o755)
    env = {
        "COUNT": str(tmp_path / "count"),
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PREFECT_HOME": str(shutil.copytree(prefect_home, tmp_path / "prefect")),
    }
    workspace = Workspace(project.root, env)
    command = ("python", "-m", "flows", "promote", NAME)
    said = workspace.run(*command)
    assert "Prefect's server does not answer, so this could not be told: Promoted" in said
    assert "Traceback" not in said
    assert champion(project) == "v0.0.2"
    assert "it is the champion already" in workspace.run(*command)


def test_prefect_has_each_promotion_and_drift_by_the_name_of_its_state(
    story, project, prefect_server
):
    _, bad, good = story
    workspace = Workspace(project.root, {"PREFECT_API_URL": prefect_server})
    command = ("python", "-m", "flows", "promote", NAME)
    at(project, good)
    assert "promoted votes v0.0.1: the first champion" in workspace.run(*command)
    at(project, bad)
    git(project, "switch", "-qc", "worse")
    assert "not promoted votes v0.0.2: not shown to be better" in workspace.run(*command, code=1)

    put_csv(project.root / "new.csv", "a,b", *["9,9"] * 100)
    code = f"from flows.batch_predict import run_predict; run_predict('{NAME}', 'new.csv')"
    workspace.run("python", "-c", code)

    named = {"flow_runs": {"name": {"like_": NAME}}, "sort": "EXPECTED_START_TIME_ASC"}
    runs = httpx.post(f"{prefect_server}/flow_runs/filter", json=named).json()
    assert [run["state"]["name"] for run in runs] == ["Promoted", "NotBetter", "Drift"]
    assert [run["state"]["type"] for run in runs] == ["COMPLETED", "FAILED", "COMPLETED"]
    assert runs[-1]["name"].startswith(f"{NAME} new.csv: ")
    asked = {"artifacts": {"key": {"any_": [f"champion-{NAME}"]}}, "sort": "CREATED_DESC"}
    first, *_ = httpx.post(f"{prefect_server}/artifacts/filter", json=asked).json()
    for cell in ("v0.0.1", "champion", "v0.0.2", "judged", "not shown to be better than"):
        assert cell in first["data"]


def of(project: Project, name: str) -> Path:
    return project.data(NAME) / name


def replace(project: Project, old: str, new: str) -> None:
    text = project.params_file.read_text()
    assert old in text
    project.params_file.write_text(text.replace(old, new))
    commit(project)


def rewrite(path: Path, content: bytes) -> None:
    path.unlink()  # a link to DVC's cache
    path.write_bytes(content)


def note(project: Project) -> None:
    (project.root / "note.txt").write_text("new")


def edit(project: Project) -> None:
    with open(project.params_file, "a") as file:
        file.write("\n")


def hidden_edit(project: Project) -> None:
    git(project, "update-index", "--assume-unchanged", "params.yaml")
    edit(project)


def hidden_file(project: Project) -> None:
    git(project, "config", "status.showUntrackedFiles", "no")
    note(project)


def ignored_code(project: Project) -> None:
    (project.root / ".git/info/exclude").write_text("secret.py\n")
    (project.root / "models/secret.py").write_text("def net(schema): ...\n")
    promoted.train(project)


def no_branch(project: Project) -> None:
    git(project, "switch", "-q", "--detach")
    git(project, "commit", "-q", "--allow-empty", "-m", "Nowhere")


def changed_model(project: Project) -> None:
    rewrite(of(project, "model.keras"), of(project, "model.keras").read_bytes() + b"x")


def changed_predictions(project: Project) -> None:
    rewrite(of(project, "predictions.csv"), b"row,actual,predicted,confidence\n0,0,0,1\n")


def not_trained(project: Project) -> None:
    replace(project, "      seed: 2", "      seed: 3")


def never_exported(project: Project) -> None:
    git(project, "rm", "-q", "release/dvc.lock")
    commit(project)


def export_of_another(project: Project) -> None:
    git(project, "checkout", "-q", "HEAD^", "--", "release/dvc.lock")
    commit(project)


def changed_export(project: Project) -> None:
    rewrite(of(project, "export/model.tflite"), b"another")


def limit(value: str):
    def change(project: Project) -> None:
        replace(project, "min_accuracy: 0.0", f"min_accuracy: {value}")
        promoted.train(project)
        promoted.exported(project)
        commit(project)

    return change


def rule(new: str):
    return lambda project: replace(project, "{level: 0.05, margin: 0, must: better}", new)


def no_entry(project: Project) -> None:
    git(project, "rm", "-q", "release/dvc.lock")
    text = project.params_file.read_text()
    entry = re.search(r"release:\n  votes:\n(    .*\n)+", text)
    replace(project, entry[0], "release: {}\n")


def no_rule(project: Project) -> None:
    replace(project, "    promote: {level: 0.05, margin: 0, must: better}\n", "")


def tag_there(project: Project) -> None:
    git(project, "tag", "votes@v0.0.2", "HEAD^")  # lightweight: for GTO it is none


def no_git(project: Project) -> None:
    shutil.rmtree(project.root / ".git")


def champion_is_gone(project: Project) -> None:
    recorded = past.outputs(project, "HEAD^")[f"data/{NAME}/model.keras"]
    (project.root / ".dvc/cache/files/md5" / recorded[:2] / recorded[2:]).unlink()


def champion_is_damaged(project: Project) -> None:
    recorded = past.outputs(project, "HEAD^")[f"data/{NAME}/predictions.csv"]
    kept = project.root / ".dvc/cache/files/md5" / recorded[:2] / recorded[2:]
    rewrite(kept, of(project, "predictions.csv").read_bytes())
    known = promotion._test_rows(promotion.folder_of(project, NAME))
    git(project, "tag", "-d", "votes#champion#1")
    git(project, "tag", "-a", "votes#champion#1", "-m", f"first\n\ntest_rows: {known}", "HEAD^")


def from_the_future(project: Project) -> None:
    known = promotion._test_rows(promotion.folder_of(project, NAME))
    git(project, "tag", "-d", "votes#champion#1")
    message = f"by a machine of tomorrow\n\ntest_rows: {known}\n"
    env = {**os.environ, "GIT_COMMITTER_DATE": f"{int(time.time()) + 86400} +0000"}
    command = ["git", "tag", "-a", "votes#champion#1", "-m", message, "HEAD^"]
    subprocess.run(command, cwd=project.root, env=env, check=True)


REFUSED = {
    "an edit": (edit, r"Not committed: params\.yaml\. A champion is a commit: `git add`"),
    "a new file": (note, r"Not committed: note\.txt\."),
    "an edit that git is told not to see": (hidden_edit, r"Not committed: params\.yaml\."),
    "a new file that git does not show": (hidden_file, r"Not committed: note\.txt\."),
    "code that git ignores": (ignored_code, r"Not committed: .*models/secret\.py"),
    "no branch": (no_branch, r"on no branch, so nobody would find it\. Make one: `git switch -c"),
    "no git": (no_git, r"no commit has the project\. Type: git init"),
    "model by hand": (changed_model, r"reload_best would run|reload_best is not what dvc\.lock"),
    "answers by hand": (changed_predictions, r"evaluate would run|evaluate is not what dvc\.lock"),
    "not trained": (not_trained, r"votes is not up to date: fit.* would run\. First type"),
    "never exported": (never_exported, r"votes was not exported\. Run `python -m flows export"),
    "another export": (export_of_another, r"The export of votes is of another model\. Run"),
    "export by hand": (changed_export, r"The export of votes is not what dvc\.lock records"),
    "nothing asked": (limit("null"), r"asks nothing of votes: set evaluate\.min_accuracy"),
    "not passed": (limit("0.99"), r"The model of votes did NOT pass"),
    "no entry": (no_entry, r"release has no entry `votes`\. `python -m flows export votes` adds"),
    "no rule": (no_rule, r"does not say what a new votes must show\. Add under `release:`"),
    "no margin": (rule("{level: 0.05, margin: 0, must: not_worse}"), r"Set the margin to the loss"),
    "level": (
        rule("{level: 5, margin: 0, must: better}"),
        r"release\.votes\.promote\.level: got 5",
    ),
    "word": (rule("{level: 0.05, margin: 0, must: beter}"), r"must: got 'beter', .*`better`"),
    "key": (rule("{level: 0.05, margins: 0, must: better}"), r"margins: unknown key\. Did you"),
    "a tag is there": (tag_there, r"git could not make the tag: .*votes@v0\.0\.2"),
    "champion is gone": (champion_is_gone, r"model\.keras of the commit .* is not in DVC's cache"),
    "champion is damaged": (champion_is_damaged, r"predictions\.csv of the commit .* is not in"),
    "tomorrow": (from_the_future, r"votes#champion#1 is from the future: the clock of this"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_promoted_is_said_and_the_champion_stays(story, project, case):
    begin(project, story[1])
    change, says = REFUSED[case]
    change(project)
    tags = None if case == "no git" else git(project, "tag")
    with pytest.raises(UserError, match=says) as caught:
        promotion.promote(project, NAME)
    assert "Traceback" not in str(caught.value)
    if tags:
        assert champions.read(project, NAME).champion.version == "v0.0.1"
        added = set(git(project, "tag").split()) - set(tags.split())
        assert added <= {"votes@v0.0.2"}  # judged, and not promoted


def test_all_that_is_in_the_way_is_said_at_once(project):
    note(project)
    (project.root / "release" / "dvc.lock").unlink()
    with pytest.raises(UserError) as caught:
        promotion.promote(project, NAME)
    not_committed, not_exported = str(caught.value).splitlines()
    assert not_committed.startswith("Not committed: release/dvc.lock, note.txt.")
    assert not_exported.startswith("votes was not exported.")


def test_a_second_promotion_at_once_is_refused(project):
    with promotion._alone(project, NAME), pytest.raises(UserError, match="Another promotion of vo"):
        promotion.promote(project, NAME)


def test_two_promotions_in_two_processes_make_one_champion(story, project, prefect_server):
    begin(project, story[1])
    workspace = Workspace(project.root, {"PREFECT_API_URL": prefect_server})
    command = ("python", "-m", "flows", "promote", NAME)
    both = [workspace.start(*command) for _ in range(2)]
    said = [each.communicate(timeout=200)[0] for each in both]
    assert 0 in [each.returncode for each in both], said
    assert champion(project) == "v0.0.2"
    assert len(git(project, "tag", "-l", "votes#*").split()) == 2
    assert "Traceback" not in "".join(said)


def test_tags_of_other_programs_are_passed_over(story, project):
    begin(project, story[1])
    odd = git(project, "rev-parse", "HEAD").strip()
    for name, message in (("release-1", "one\x01two"), ("release-2", "gr\xfc\xdfe")):
        head = f"object {odd}\ntype commit\ntag {name}\ntagger M <m@n> 1 +0000\n\n"
        put_tag(project, name, f"{head}{message}\n".encode("latin-1"))
    put_tag(project, "votes#old#1", f"object {odd}\ntype commit\ntag x\n\nno tagger\n".encode())
    assert champions.read(project, NAME).champion.version == "v0.0.1"
    assert len(history.lines(project, NAME)) == 1


@pytest.mark.parametrize(
    "change",
    [
        ("tag", "-d", "votes@v0.0.1"),
        ("tag", "-f", "votes@v0.0.1"),  # a lightweight one, of another commit
        ("tag", "-f", "-a", "-m", "x", "votes@v0.0.1"),
        ("tag", "-f", "-a", "-m", "x", "votes#champion#1"),
        ("tag", "-f", "-a", "-m", "x", "votes#champion#1", "HEAD:params.yaml"),
    ],
    ids=" ".join,
)
def test_a_champion_whose_tags_were_moved_is_not_forgotten(story, project, change):
    begin(project, story[1])
    git(project, *change)
    with pytest.raises(UserError, match=r"votes#champion#1 names no commit that is a version\."):
        promotion.promote(project, NAME)
    assert "votes@v0.0.2" not in git(project, "tag")


@pytest.mark.parametrize("how", [("--depth", "1"), ("--no-tags",)], ids=" ".join)
def test_a_clone_that_may_lack_tags_makes_no_first_champion(story, project, how, tmp_path):
    begin(project, story[1])
    git(project, "clone", "-q", *how, project.root.as_uri(), str(tmp_path / "clone"))
    for check in (readiness.ready, promotion.the_last_two):
        with pytest.raises(UserError, match=r"may lack tags, .*`git fetch --tags"):
            check(Project(tmp_path / "clone"), NAME)


def test_a_digest_that_looks_like_a_number_is_read_as_it_was_written(story, project):
    facts = {"test_rows": "12e34", "model": "0123", "p": 1e-05, "judged_before": 3}
    begin(project, story[1], **facts)
    assert facts.items() <= champions.read(project, NAME).champion.verdict.items()


def put_tag(project: Project, name: str, content: bytes) -> None:
    command = ["git", "hash-object", "-t", "tag", "-w", "--stdin", "--literally"]
    made = subprocess.run(command, cwd=project.root, input=content, stdout=-1, check=True)
    git(project, "update-ref", f"refs/tags/{name}", made.stdout.decode().strip())


def test_another_commit_meanwhile_is_not_judged_by_this_one(story, project, monkeypatch):
    begin(project, story[1])
    judge = promotion._judge

    def and_switch(*arguments):
        found = judge(*arguments)
        git(project, "checkout", "-q", story[1])
        return found

    monkeypatch.setattr(promotion, "_judge", and_switch)
    with pytest.raises(UserError, match=r"Another commit was checked out meanwhile\. Run again\."):
        promotion.promote(project, NAME)
    assert champion(project) == "v0.0.1"


def test_after_a_step_back_the_same_test_rows_are_the_same(story, project, caplog):
    begin(project, story[1], test_rows=promotion._test_rows(promotion.folder_of(project, NAME)))
    begin(project, story[2], model="another")
    promotion.back(project, NAME)
    promotion.promote(project, NAME)
    assert "other test rows" not in caplog.text


def test_a_name_that_git_tags_cannot_have_is_refused(project):
    with pytest.raises(UserError, match="A git tag cannot be made from `wähler`: only English"):
        promotion.promote(project, "wähler")


def test_a_clone_without_the_champions_commit_says_so(project):
    with pytest.raises(UserError, match=r"This clone does not have the commit 0000000000\."):
        past.outputs(project, "0" * 40)


def test_a_clone_knows_the_champion_and_gets_its_export_from_dvcs_remote(story, project, tmp_path):
    begin(project, story[1])
    with closing(Repo(str(project.root))) as repo, repo.config.edit() as config:
        config["core"]["remote"] = "shared"
        config["remote"]["shared"] = {"url": str(tmp_path / "remote")}
    commit(project)
    push(project)  # which sends the files of earlier runs, too

    git(project, "clone", "-q", str(project.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    assert champion(clone) == "v0.0.1"
    assert history.lines(clone, NAME) == history.lines(project, NAME)
    theirs, ours = (past.champion(each, NAME).data(NAME) for each in (clone, project))
    assert digest(theirs / "export") == digest(ours / "export")


def test_history_says_it_in_the_terminal(story, project, capsys):
    show(project, NAME)
    assert capsys.readouterr().out.startswith("votes has no champion yet. To make one: python -m")
    begin(project, story[1])
    show(project, NAME)
    said = capsys.readouterr().out
    assert re.search(r"v0\.0\.1 +champion +20\d\d-.* [0-9a-f]{10}  the first champion", said)


def test_the_champions_export_is_brought_to_serve_from_and_is_what_was_recorded(story, project):
    with pytest.raises(UserError, match=r"votes has no champion\. `python -m flows promote votes`"):
        past.champion(project, NAME)
    begin(project, story[1])
    there = past.champion(project, NAME)
    assert past.champion(project, NAME) == there
    recorded = stages(there)[f"export@{NAME}"]["outs"]
    (made,) = (out["md5"] for out in recorded if out["path"].endswith("/export"))
    assert digest(there.data(NAME) / "export") == made

    rewrite(there.data(NAME) / "export" / "model.tflite", b"half")
    assert digest(past.champion(project, NAME).data(NAME) / "export") == made

    shutil.rmtree(there.root)
    for kept in (project.root / ".dvc/cache/files/md5").rglob("*"):
        if kept.is_file() and kept.read_bytes() == b"a model":
            kept.unlink()
    with pytest.raises(UserError, match=r"data/votes/export of the commit .* is not in DVC's cach"):
        past.champion(project, NAME)
    assert not list((project.root / ".dvc/tmp/champions").iterdir())


def test_a_new_champion_is_taken_over_without_a_lost_request(project):
    first, second = (trained(project, promoted.for_serving, fit__seed=seed) for seed in (3, 4))
    begin(project, first)
    port = free_port()
    command = ("python", "-m", "flows", "serve", NAME, "--champion", "--port", str(port))
    server = Workspace(project.root).start(*command)
    versions: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            while not stop.is_set():
                answer = client.post("/predict", json=[{"a": 1, "b": 2}]).raise_for_status()
                versions.append(answer.json()["version"])

    try:
        assert "votes " in server.stdout.readline()
        heard = psutil.Process(server.pid).net_connections("tcp")
        assert {each.laddr.ip for each in heard} == {"127.0.0.1"}  # and no other machine is
        with ThreadPoolExecutor() as clients:
            asking = [clients.submit(ask) for _ in range(4)]
            eventually(lambda: versions)
            begin(project, second)
            server.send_signal(signal.SIGHUP)
            eventually(lambda: len(set(versions)) == 2)
            stop.set()
            for each in asking:
                each.result()  # raises what a request has raised
        exports = [past.outputs(project, at)[f"data/{NAME}/export"] for at in (first, second)]
        assert list(dict.fromkeys(versions)) == [each.removesuffix(".dir") for each in exports]
    finally:
        stop.set()
        server.terminate()
        assert server.wait(timeout=40) == 0
