"""The best trials of a sweep as DVC experiments: `dvc exp show`, `apply` and `remove` know them.

An experiment is a commit beside the branches. Here it is made from objects alone, without a copy of
the project: `dvc exp save` would take seconds for each.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from flows.engine.copies import author, top_of_git
from flows.engine.rounds import Table
from flows.engine.trial import Trial, Trials
from flows.project import git, textfile
from flows.project.changes import text_with
from flows.project.folder import Project
from flows.project.sweeps import changes
from tasks.core.step import UserError

BEST = 10  # are kept: `dvc exp show` stays readable
IN_GIT = ("history.csv", "environment.json")  # of what a trial writes


def keep(trials: Trials, table: Table) -> list[str]:
    """Make the best trials experiments in place of those of the sweep before.

    Returns:
        Their names, the best first; none where there is no git repository.
    """
    project, pipeline = trials.project, trials.sweep.name
    try:
        top_of_git(project)
    except UserError:  # no git, or no commit that an experiment could start from
        return []

    head = git.run(project, "rev-parse", "HEAD")
    place = f"refs/exps/{head[:2]}/{head[2:]}/"
    digits = len(str(table.sweep.params.trials))
    best = {f"{pipeline}-sweep-{n:0{digits}}": table.rows[n][0] for n in table.ranked[:BEST]}
    before = _known(project, pipeline)
    commits = _Commits(trials, head)
    with commits.index():
        now = {place + name: commits.of(name, trial) for name, trial in best.items()}

    lines = [f"update {ref} {commit}" for ref, commit in now.items()]
    lines += [f"delete {ref}" for ref in before if ref not in now]
    git.run(project, "update-ref", "--stdin", text="\n".join(lines) + "\n")
    return list(best)


def _known(project: Project, pipeline: str) -> list[str]:
    """The experiments of earlier sweeps of a pipeline."""
    listed = git.run(project, "for-each-ref", "--format=%(refname)", "refs/exps").split()
    ours = re.compile(re.escape(pipeline) + r"-sweep-\d+")
    return [ref for ref in listed if ours.fullmatch(ref.rpartition("/")[2])]


class _Commits:
    """Makes the commit of a trial: the project as it is, with the trial's files in their places."""

    def __init__(self, trials: Trials, head: str) -> None:
        self.trials, self.head = trials, head
        self.project, self.pipeline = trials.project, trials.sweep.name
        self.prefix = git.run(self.project, "rev-parse", "--show-prefix")
        who = author(self.project).items()
        self.author = [word for key, name in who for word in ("-c", f"{key}={name}")]
        self.params = textfile.text_of(self.project.params_file)
        self.lock = YAML(typ="safe")
        self.lock.default_flow_style = False
        self.lock.sort_base_mapping_type_on_output = False  # type: ignore[assignment] # untyped
        self.locked = self.lock.load(self.project.root / "dvc.lock")

    @contextmanager
    def index(self) -> Iterator[None]:
        """A copy of git's index, with the files that git knows as they are now."""
        asked = git.run(self.project, "rev-parse", "--git-path", "index")
        with tempfile.TemporaryDirectory() as folder:
            self.index_file = str(Path(folder, "index"))
            if (index := self.project.root / asked).is_file():
                shutil.copy(index, folder)
            self._git("add", "-u", ".")
            yield

    def of(self, name: str, trial: Trial) -> str:
        """The commit of a trial."""
        entries = self.trials.entries[trial.trained]
        outs = {out["path"]: out for entry in entries.values() for out in entry["outs"]}
        data = f"data/{self.pipeline}"
        small = {f"{data}/{file}": outs[f"{data}/{file}"] for file in IN_GIT}
        files = {path: self.trials.recall.object(out).read_text() for path, out in small.items()}

        files["params.yaml"] = text_with(self.params, self.pipeline, changes(trial.all_values))
        files[f"{data}/metrics.json"] = _metrics(files[f"{data}/history.csv"])
        for step, entry in entries.items():
            self.locked["stages"][f"{step}@{self.pipeline}"] = entry
        written = StringIO()
        self.lock.dump(self.locked, written)
        files["dvc.lock"] = written.getvalue()
        return self._commit(name, files)

    def _commit(self, name: str, files: dict[str, str]) -> str:
        lines = []
        for path, text in files.items():
            blob = self._git("hash-object", "-w", "--stdin", text=text)
            lines.append(f"100644 {blob}\t{self.prefix}{path}")
        self._git("update-index", "--add", "--index-info", text="\n".join(lines) + "\n")
        said = ("-m", f"dvc: commit experiment {name}")
        return self._git(
            *self.author, "commit-tree", "-p", self.head, *said, self._git("write-tree")
        )

    def _git(self, *command: str, text: str = "") -> str:
        return git.run(self.project, *command, text=text, GIT_INDEX_FILE=self.index_file)


def _metrics(history: str) -> str:
    """The scores on the validation rows at the checkpoint; no trial has seen the test rows."""
    best = [row for row in csv.DictReader(StringIO(history)) if row["checkpoint"] == "1"][-1]
    scores = {
        key: float(value) for key, value in best.items() if key not in ("epoch", "checkpoint")
    }
    return json.dumps({**scores, "best_epoch": int(best["epoch"])}, indent=2, sort_keys=True) + "\n"
