"""Run the last commit again in a clean place, and compare every output with what is recorded."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from rich.text import Text

from flows.command.help import command_line
from flows.command.terminal import plain_errors, say
from flows.engine.copies import Bringing, clone, dvc, remove_left
from flows.engine.processes import die_with_parent
from flows.memory import lock
from flows.memory.local import cache
from flows.project.folder import Project
from flows.project.steps import RELEASE, STEPS, graph
from tasks.core.step import UserError
from tasks.training import environment

MORE = """\
Each pipeline runs again from its first step, in a clone of the last commit with an empty cache.
That takes as long as it took then. Your files stay as they are. The exit code is 0 if every output
has the hash that dvc.lock records, else 1. Run it before you publish a result.

example:
  python -m flows verify fashion"""
INDENT = len("DIFFERS  ")
ENDS = ("visualize", "evaluate")  # the steps that nothing follows: they bring all the others


def main(arguments: list[str]) -> int:
    parser = command_line("verify", __doc__, MORE)
    parser.add_argument(
        "pipeline", nargs="*", default=[], help="such as fashion; without it, all of them"
    )
    options = parser.parse_args(arguments)
    with plain_errors() as end:
        end.code = verify(Project.here(), options.pipeline)
    return end.code


def verify(project: Project, pipelines: list[str]) -> int:
    """Returns the exit code: 0 if every output has the recorded hash, else 1."""
    remove_left(project)
    with clone(project, f"verify-{os.getpid()}") as copy:
        pipelines = pipelines or _known(copy)
        _check_known(copy, pipelines)
        before = _recorded(copy, pipelines)
        if _falsified(copy, before) or _other_parameters(copy, pipelines):
            return 1

        _compare_environments(copy, pipelines)
        for pipeline in pipelines:
            _bring_data(project, copy, copy.read(pipeline).load.path)
        _run(copy, pipelines)
        after = _recorded(copy, pipelines)
        return _report(project, copy, before, after)


def _falsified(copy: Project, recorded: dict[str, str]) -> bool:
    """Say which of the small outputs, which are in git, are not what dvc.lock records."""
    found = False
    for name, digest in recorded.items():
        file = copy.root / name
        if not file.is_file():  # DVC keeps it
            continue
        there = hashlib.md5(file.read_bytes()).hexdigest()
        if there != digest:
            found = True
            differs = f"DIFFERS  {name}: the last commit has {there}, its dvc.lock {digest}"
            say(Text(differs), INDENT)
    if found:
        say(Text("So no run made this commit. Run the pipeline again, and commit what it writes."))
    return found


def _other_parameters(copy: Project, pipelines: list[str]) -> bool:
    """Say which parameters dvc.lock records otherwise than params.yaml has them."""
    found = []
    for pipeline in pipelines:
        used = lock.Used({**copy.sections(pipeline), "release": copy.releases()}, {})
        for address in _addresses(copy, [pipeline]):
            found += lock.wrong(copy, address, lock.stages(copy)[address], used)
    for line in found:
        say(Text(f"DIFFERS  params.yaml of the last commit, and its dvc.lock: {line}"), INDENT)
    if found:
        say(Text("Run the pipeline again, and commit what it writes."))
    return bool(found)


def _bring_data(project: Project, copy: Project, path: str) -> None:
    """Data that no commit has: DVC keeps it (`dvc add`), or it lies outside the repository."""
    place = copy.root / path
    if not any(Path(f"{each}.dvc").is_file() for each in (place, *place.parents)):
        Bringing(project, copy, only_outside=True).bring(path)
        return

    # The project's cache, if it has the data, else its remote. The clone's own cache is empty, so
    # that nothing else comes from there.
    dvc(copy, "remote", "add", "--local", "--force", "the-project", str(cache(project)))
    try:
        dvc(copy, "pull", "--remote", "the-project", path)
    except UserError:
        dvc(copy, "pull", path)


def _known(copy: Project) -> list[str]:
    """The pipelines of which the last commit has a run."""
    return [name for name in copy.pipelines() if f"evaluate@{name}" in lock.stages(copy)]


def _check_known(copy: Project, pipelines: list[str]) -> None:
    known = _known(copy)
    for name in pipelines or ["any pipeline"]:
        if name not in known:
            raise UserError(
                f"The last commit has no run of {name}. It has {', '.join(known) or 'none'}. "
                f"Run it, then commit dvc.lock."
            )


def _compare_environments(copy: Project, pipelines: list[str]) -> None:
    for pipeline in pipelines:
        file = copy.data(pipeline) / environment.FILE
        if not file.is_file():
            name = file.relative_to(copy.root)
            say(Text(f"{name} is in no commit: where {pipeline} was made is unknown"))
            continue
        there, here = json.loads(file.read_text(encoding="utf-8")), environment.describe()
        if found := _differences(there, here):
            say(Text(f"{pipeline} was made elsewhere, so bits may differ: {found}"))


def _differences(there: dict[str, Any], here: dict[str, Any]) -> str:
    """In what an environment is not this one, in words; nothing if it is."""
    said = []
    for name in here:
        was, now = _listed(there.get(name)), _listed(here[name])
        gone = ", ".join(each for each in was if each not in now)
        new = ", ".join(each for each in now if each not in was)
        if gone or new:
            said.append(f"{name} there {gone or 'nothing more'}, here {new or 'nothing more'}")
    return "; ".join(said)


def _listed(found: Any) -> list[str]:
    if isinstance(found, dict):
        return [f"{name} {value}" for name, value in found.items()]
    return list(found or [])


def _recorded(copy: Project, pipelines: list[str]) -> dict[str, str]:
    """The MD5 of each output by its path, in the order of the steps."""
    stages = lock.stages(copy)
    names = _addresses(copy, pipelines)
    return {out["path"]: out["md5"] for name in names for out in stages[name]["outs"]}


def _addresses(copy: Project, pipelines: list[str]) -> list[str]:
    """The steps of each pipeline, and what follows them of those that leave the project."""
    return [
        f"{name}@{pipeline}"
        for pipeline in pipelines
        for name in (*STEPS, *_released(copy, pipeline))
    ]


def _released(copy: Project, pipeline: str) -> list[str]:
    """The stages of release/dvc.yaml that the last commit has a run of."""
    wanted = RELEASE if pipeline in copy.releases() else ()
    return [name for name in wanted if f"{name}@{pipeline}" in lock.stages(copy)]


def _run(copy: Project, pipelines: list[str]) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    stages = [f"{step}@{pipeline}" for pipeline in pipelines for step in ENDS]
    stages += [
        f"{graph(name)}:{name}@{pipeline}"
        for pipeline in pipelines
        for name in _released(copy, pipeline)
    ]
    # Data from DVC's remote would be those that are recorded, and not made again.
    dvc(copy, "config", "--local", "core.remote", "")
    # --force: the last commit has the small outputs, which DVC would take for those of these steps.
    command = ["dvc", "repro", "--force", *stages]
    variables = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=copy.root, env=variables, preexec_fn=die_with_parent)
    if done.returncode:
        raise UserError("`dvc repro` failed, so nothing was compared. It says why above.")


def _report(project: Project, copy: Project, before: dict, after: dict) -> int:
    different = [name for name, digest in before.items() if after[name] != digest]
    for name, digest in before.items():
        say(Text(f"{'DIFFERS' if name in different else 'same':8} {digest}  {name}"), INDENT)
    if not different:
        say(Text(f"All {len(before)} outputs are what is recorded, to the bit."))
        return 0

    say(Text(f"{len(different)} of {len(before)} differ. In the order of the steps:"))
    for name in different:
        new = copy.root / name
        say(Text(_difference(name, before[name], after[name], new, cache(project))))
    return 1


def _difference(name: str, before: str, after: str, new: Path, kept: Path) -> str:
    """Both hashes of an output; for weights also the first layer that differs, if it is kept."""
    said = f"{name}: recorded {before}, now {after}"
    if new.suffix not in (".h5", ".keras"):
        return said
    old = kept / "files" / "md5" / before[:2] / before[2:]
    if not old.is_file():
        return f"{said} (its layers cannot be compared: the old file is not in DVC's cache)"

    recorded, now = layers(old, new.suffix), layers(new, new.suffix)
    for layer in recorded | now:
        was, is_now = recorded.get(layer, "not there"), now.get(layer, "not there")
        if was != is_now:
            return f"{said}; the first layer is {layer}: {was}, now {is_now}"
    return f"{said}; every layer is the same, so it is in what surrounds them"


def layers(file: Path, suffix: str) -> dict[str, str]:
    """The SHA-256 of each layer's weights, in the order of the file.

    Args:
        suffix: `.keras`, or `.h5` for a file of weights alone.
    """
    import h5py  # here: only a difference needs it

    found: dict[str, str] = {}

    def note(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = hashlib.sha256(item[()].tobytes()).hexdigest()

    with ExitStack() as opened:
        weights: Any = file
        if suffix == ".keras":
            archive = opened.enter_context(ZipFile(file))
            weights = opened.enter_context(archive.open("model.weights.h5"))
        opened.enter_context(h5py.File(weights)).visititems(note)
    return found
