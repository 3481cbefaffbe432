"""A try with other parameters: in a copy of the workspace, recorded as a DVC experiment of the original."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ruamel.yaml import YAML, RoundTripRepresenter

from flows.project.params import FILE, keys
from tasks.core.step import UserError


@contextmanager
def workspace(pipeline: str, changes: dict[str, dict]) -> Iterator[None]:
    """Work in a copy of the folder, with other parameters of a pipeline, and the same DVC cache.

    The copy is the last commit with what was edited since. It is removed at the end.

    Args:
        pipeline: a section of `params.yaml`.
        changes: `{"fit": {"epochs": 3}}`.
    """
    origin = Path.cwd()
    with tempfile.TemporaryDirectory(prefix=f"{pipeline}-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder, origin.name)
        _call("git", "clone", "-q", "--shared", str(origin), str(copy))
        listed = _call("git", "ls-files", "-z", "--modified", "--others", "--exclude-standard").split("\0")
        for name in filter(None, listed):
            (copy / name).unlink(missing_ok=True)
            if (origin / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(origin / name, copy / name)
        local = origin / ".dvc" / "config.local"
        if local.is_file():
            shutil.copy(local, copy / ".dvc")
        cache = _dvc("cache", "dir").strip()
        os.chdir(copy)
        try:
            _dvc("cache", "dir", "--local", cache)
            yaml = YAML()
            # What is not changed stays as it is written: null, a list in one line, quotes, long lines.
            yaml.Representer, yaml.default_flow_style, yaml.preserve_quotes, yaml.width = _Null, None, True, 4096
            content = yaml.load(Path(FILE))
            for name, values in changes.items():
                section = content[pipeline][name]
                section.update(values)
                for key in set(section) - keys(name, section):  # of another source, or family, that it had before
                    del section[key]
            yaml.dump(content, Path(FILE))
            data = Path(content[pipeline]["load"].get("path", "."))
            if not data.exists() and (origin / data).exists():  # git leaves it out
                data.parent.mkdir(parents=True, exist_ok=True)
                data.symlink_to(origin / data)
            yield
        finally:
            os.chdir(origin)


class _Null(RoundTripRepresenter):
    """Writes null as a word; ruamel's own leaves the value empty."""


_Null.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))


def save(name: str, stages: list[str]) -> None:
    """Record those stages of the copy as a DVC experiment in the folder that it was copied from."""
    _dvc("exp", "save", "--name", name, *stages)
    _call("git", "push", "-q", "origin", "refs/exps/*:refs/exps/*")


def _dvc(*arguments: str) -> str:
    return _call(sys.executable, "-m", "dvc", *arguments)


def _call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
