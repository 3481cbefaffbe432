"""A sweep beside KerasTuner, Optuna with a database and Ray Tune: time, and what a kill costs.

python benchmarks/rivals.py TABLE.csv --target COLUMN --python VENV/bin/python

The table has two classes. VENV has keras-tuner with tensorboard, optuna, ray[tune], and TensorFlow
as the project has it. Each one tries the same space at random, one trial at a time, on the same
rows: twice from nothing; and once killed with all its processes in the middle of a trial, and
started again. The processor's seconds do not grow when others use the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
from common import ROOT, clone, scratch, set_values, timed

sys.path.insert(0, str(ROOT))
SEARCHES = ROOT / "benchmarks" / "searches"
SPACE = {
    "compile.learning_rate": {"low": 0.0001, "high": 0.01, "log": True},
    "build.dropout": {"low": 0.0, "high": 0.5, "log": False},
    "fit.batch_size": [16, 32, 64],
}


class Used(NamedTuple):
    seconds: float
    processor: float  # seconds of all processes


class Search(NamedTuple):
    """One of them, in a folder of its own.

    Args:
        command: starts it, and goes on with it.
        place: the folder.
        table: the file that it leaves.
        epochs: how many were trained so far.
    """

    command: list[str]
    place: Path
    table: str
    epochs: Callable[[Path], int]
    env: dict[str, str]


def ours(place: Path, options: argparse.Namespace) -> Search:
    """A clone whose pipeline `tried` trains what the others train; its rows are normalized."""
    from sweep import put

    from flows.project.folder import Project

    clone(place, {})
    new = [sys.executable, "-m", "flows", "new", "tried", str(options.table)]
    timed([*new, "--target", options.target], place)
    changes = {"build.family": "mlp", "build.hidden": [64, 32], "compile.weight_decay": None}
    changes |= {"fit.epochs": options.epochs, "fit.schedule": "constant", "fit.monitor": "val_loss"}
    set_values(place, {f"tried.{key}": value for key, value in changes.items()})
    how = {"trials": options.trials, "round": 4, "seed": 0, "search": "random", "halving": None}
    put(Project(place), "tried", **how, objective="val_loss", space=SPACE)
    timed([sys.executable, "-m", "dvc", "repro", "-q", "normalize@tried"], place)
    return Search(
        [sys.executable, "-m", "flows", "sweep", "tried"], place, "data/tried/sweep.csv", told, {}
    )


def told(place: Path) -> int:
    """Epochs of a sweep, of what the processes of its trials wrote down: every fifth, or so."""
    logs = (place / ".dvc/tmp/sweeps/tried").glob("worker-*.log")
    lines = [line for log in logs for line in log.read_text().splitlines()]
    epochs, last = 0, 0
    for line in lines:
        if began := re.match(r"continuing in epoch (\d+)", line):
            last = int(began[1]) - 1
        elif found := re.match(r"epoch (\d+)/", line):
            now = int(found[1])
            epochs += now - last if now > last else now
            last = now
    return epochs


def counted(place: Path) -> int:
    file = place / "epochs.txt"
    return len(file.read_text().splitlines()) if file.exists() else 0


def run(search: Search, until: float = math.inf) -> Used:
    """Start it, and wait for its end; or kill it and all that it has started.

    Args:
        until: epochs after which it is killed.
    """
    env = {**os.environ, **search.env}
    env.pop("PREFECT_API_URL", None)  # a server of its own
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        process = psutil.Popen(search.command, cwd=search.place, env=env, stdout=said, stderr=said)
        used: dict[psutil.Process, float] = {}
        while process.poll() is None and search.epochs(search.place) < until:
            for each in [process, *process.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    used[each] = sum(each.cpu_times()[:2])
            time.sleep(0.3)

        for each in used if process.returncode is None else ():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(used)
        said.seek(0)
        assert process.returncode in (0, -signal.SIGKILL), said.read()
    return Used(time.monotonic() - started, sum(used.values()))


def measured(begin: Callable[[Path], Search], folder: Path, options: argparse.Namespace) -> str:
    first, second, third = (begin(folder / name) for name in ("first", "second", "third"))
    whole, _, again = run(first), run(second), run(first)
    every = options.trials * options.epochs
    run(third, every / 2 + options.epochs / 2)
    rest = run(third)

    tables = [(each.place / each.table).read_text() for each in (first, second, third)]
    anew = third.epochs(third.place) - every
    cells = [
        *(f"{used.processor:.0f} ({used.seconds:.0f})" for used in (whole, again)),
        "yes" if tables[0] == tables[1] else "no",
        f"{anew} of {every}",
        f"{rest.processor:.0f} ({rest.seconds:.0f})",
        "yes" if tables[0] == tables[2] else difference(tables[0], tables[2]),
    ]
    return " | ".join(cells)


def difference(one: str, other: str) -> str:
    """In how many trials two tables agree."""
    lines = one.splitlines(), other.splitlines()
    alike = len(set(lines[0]) & set(lines[1]))
    return f"{alike} of {len(lines[0])}, and {len(lines[1])} in all"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("table", type=lambda path: Path(path).absolute())
    parser.add_argument("--target", required=True)
    parser.add_argument("--python", required=True, help="of the environment of the others")
    parser.add_argument("--trials", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--only", nargs="+", default=["ours", "keras_tuner", "optuna", "ray"])
    options = parser.parse_args()

    print("| | seconds | asked again | one table | trained anew | after the kill | one table |")
    print("|---|---|---|---|---|---|---|")
    with scratch() as folder:
        rows = ours(folder / "rows", options).place / "data/tried/normalized.npz"
        for name in options.only:

            def begin(place: Path, name: str = name) -> Search:
                if name == "ours":
                    return ours(place, options)
                place.mkdir(parents=True)
                command = [options.python, str(SEARCHES / f"by_{name}.py")]
                env = {"PLACE": str(place), "ROWS": str(rows), "TRIALS": str(options.trials)}
                env |= {"EPOCHS": str(options.epochs), "TF_CPP_MIN_LOG_LEVEL": "3"}
                return Search(command, place, "table.csv", counted, env)

            print(f"| {name} | {measured(begin, folder / name, options)} |", flush=True)
    print(f"load of the machine {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
