"""What the benchmarks share: timed whole processes, and folders to run them in."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]


class Run(NamedTuple):
    seconds: float
    processor: float  # seconds of all cores together: they do not grow when others use the machine
    mib: float  # the largest process of it
    output: str


def timed(command: list[str], folder: Path, **env: str) -> Run:
    """A command that must succeed, without a Prefect server unless `env` names one."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    inherited = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    with tempfile.TemporaryFile("w+") as output:
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**inherited, "PATH": path, **env},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        output.seek(0)
        said = output.read()
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{said}")
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said)


def clone(place: Path, changes: dict[str, object]) -> Path:
    """The last commit, with other values of some keys: `{"fashion.fit.epochs": 1}`."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(place)], check=True)
    set_values(place, changes)
    return place


def set_values(place: Path, changes: dict[str, object]) -> None:
    """Give some keys of params.yaml other values: `{"fashion.fit.epochs": 1}`."""
    yaml, file = YAML(), place / "params.yaml"
    content = yaml.load(file)
    for name, value in changes.items():
        pipeline, section, key = name.split(".")
        content["pipelines"][pipeline][section][key] = value
    yaml.dump(content, file)


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


FIT = """
import json, sys
from pydantic import TypeAdapter
from flows.project.steps import step
from tasks.core.folder import Folder
for name in ("build", "compile", "fit"):
    section = TypeAdapter(step(name).params).validate_python(json.loads(sys.argv[2])[name])
    run = [step(name).run(save_every=30, keep_state=False)] if step(name).run else []
    print(step(name).function(Folder(sys.argv[1]), section, *run))
"""


def train(place: Path, rows: int, epochs: int, **changes: object) -> Run:
    """One process that builds, compiles and fits, with other values of some parameters.

    Args:
        place: an empty folder.
        rows: to train on, of the 60,000; a tenth as many validate.
        changes: keys of `build` and `fit`.
    """
    data = ROOT / "data" / "fashion"
    folder = place / "data" / "fashion"
    folder.mkdir(parents=True)
    with np.load(data / "normalized.npz") as arrays:
        x, y = (np.concatenate([arrays[f"{name}_train"], arrays[f"{name}_test"]]) for name in "xy")
    val = slice(-(rows // 10), None)
    np.savez(
        folder / "normalized.npz", x_train=x[:rows], y_train=y[:rows], x_val=x[val], y_val=y[val]
    )
    shutil.copy(data / "schema.json", folder)
    params = YAML(typ="safe").load(ROOT / "params.yaml")["pipelines"]["fashion"]
    for key, value in {**changes, "epochs": epochs}.items():
        params["fit" if key in params["fit"] else "build"][key] = value
    run = timed([sys.executable, "-W", "ignore", "-c", FIT, str(folder), json.dumps(params)], ROOT)
    shutil.rmtree(folder)
    return run


def epoch_seconds(place: Path, rows: int, count: int, epochs: int = 9, **changes: object) -> float:
    """Seconds of one epoch, without start and compilation: several epochs minus one.

    Args:
        place: an empty folder.
        rows: to train on.
        count: rounds.
        epochs: of the longer training.
        changes: keys of `build` and `fit`.
    """
    long, one = (
        [train(place, rows, n, **changes).seconds for _ in range(count)] for n in (epochs, 1)
    )
    return (statistics.median(long) - statistics.median(one)) / (epochs - 1)


def rounds(doc: str, usual: int = 3) -> int:
    """How many the command line asks for."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=usual)
    return parser.parse_args().rounds


def need(*names: str) -> None:
    for name in names:
        if not (ROOT / "data" / "fashion" / name).is_file():
            sys.exit(f"data/fashion/{name} is missing: `dvc repro normalize@fashion` makes it.")
