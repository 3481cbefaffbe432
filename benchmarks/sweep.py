"""What a sweep costs beside its trainings, and what its search finds.

python benchmarks/sweep.py time [--workers 1 2 4] [--trials 8] [--epochs 6] [--sizes 16]
python benchmarks/sweep.py search FOLDER [--only penguins ...] [--seeds 5]

`time` sweeps Fashion-MNIST with a small dense network in new clones, and then asks again.
`search` compares tpe, random search and the parameters without a sweep: on the tables of tables.py,
in the space that `python -m flows sweep` proposes, and on Fashion-MNIST (`fashion`) with 3 epochs.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common import ROOT, clone, scratch, timed
from benchmarks.tables import TABLES
from flows.guess import space
from flows.project import edit, textfile
from flows.project.folder import Project

RUN = "from flows.engine.sweep import *; sweep(Project.here(), {name!r}, {workers})"
SPACE = {
    "compile.learning_rate": {"low": 0.0001, "high": 0.01, "log": True},
    "build.dropout": {"low": 0.0, "high": 0.5, "log": False},
    "build.hidden": [[32, 16], [64, 32], [128, 64]],
    "fit.batch_size": [16, 32, 64],
}


def put(project: Project, name: str, **how: object) -> None:
    """Write a sweep into params.yaml."""
    text = textfile.text_of(project.params_file)
    if name in (edit.content(text).get("sweeps") or {}):
        text = edit.without(text, name, "sweeps")
    lines = [f"  {name}:", *(f"    {key}: {json.dumps(value)}" for key, value in how.items())]
    textfile.write(project.params_file, edit.with_sweep(text, name, lines, dict(how)))


def swept(place: Path, name: str, workers: int = 1) -> float:
    """Seconds of a sweep, Python's start included; without Prefect."""
    code = RUN.format(name=name, workers=workers)
    return timed([sys.executable, "-c", code], place).seconds


def measure_time(options: argparse.Namespace) -> None:
    changes = {
        "fashion.build.hidden": [64],
        "fashion.fit.epochs": options.epochs,
        "fashion.fit.jit_compile": False,
        "fashion.normalize.validation": 2000,
    }
    tried = {
        "compile.learning_rate": SPACE["compile.learning_rate"],
        "fit.batch_size": options.sizes,
    }
    print("workers  seconds  of which fit  to the sum over the workers  asked again")
    with scratch() as folder:
        for workers in options.workers:
            place = clone(folder / str(workers), changes)
            shutil.copytree(ROOT / "data/built-in", place / "data/built-in", dirs_exist_ok=True)
            timed([sys.executable, "-m", "dvc", "repro", "-q", "normalize@fashion"], place)
            how = {"trials": options.trials, "round": 4, "seed": 0, "search": options.search}
            put(Project(place), "fashion", **how, objective="val_loss", halving=None, space=tried)
            seconds = swept(place, "fashion", workers)
            again = swept(place, "fashion", workers)
            fits = fit_seconds(place, "fashion")
            share = seconds / (sum(fits) / workers)
            print(f"{workers:7}  {seconds:7.1f}  {sum(fits):12.1f}  {share:27.2f}  {again:11.1f}")


def fit_seconds(place: Path, name: str) -> list[float]:
    """How long each training took, of what the processes of the trials wrote down."""
    logs = (place / ".dvc/tmp/sweeps" / name).glob("worker-*.log")
    lines = [line for log in logs for line in log.read_text().splitlines()]
    return [float(each[1]) for line in lines if (each := re.match(r"fit \w+ ([\d.]+) s", line))]


def compare_searches(options: argparse.Namespace) -> None:
    print("data            seed  tpe     random  by hand")
    for data in options.only:
        with scratch() as folder:
            place = folder / "clone"
            name = prepare(place, data, Path(options.folder).absolute())
            by_hand = one_trial(place, name)
            for seed in range(options.seeds):
                best = [best_of(place, name, search, seed) for search in ("tpe", "random")]
                shown = "  ".join(f"{value:.4f}" for value in [*best, by_hand])
                print(f"{data:14}  {seed:4}  {shown}", flush=True)


def prepare(place: Path, data: str, folder: Path) -> str:
    """A clone with a pipeline for the data; the pipeline's name."""
    if data == "fashion":  # the network of `defaults`, which is in SPACE
        build = {"fashion.build.hidden": [64, 32], "fashion.fit.jit_compile": False}
        clone(place, {"fashion.fit.epochs": 3, **build})
        shutil.copytree(ROOT / "data/built-in", place / "data/built-in", dirs_exist_ok=True)
        return data
    clone(place, {})
    table = TABLES[data]
    asked = ["--target", table.target, *(["--task", table.task] if table.task else [])]
    timed(
        [sys.executable, "-m", "flows", "new", "tried", str(folder / f"{data}.csv"), *asked], place
    )
    return "tried"


def one_trial(place: Path, name: str) -> float:
    """The objective with the parameters that params.yaml has, or that `new` has proposed."""
    epochs = Project(place).read(name).fit.epochs
    how = {"trials": 1, "round": 1, "seed": 0, "search": "random", "halving": None}
    put(Project(place), name, **how, objective="val_loss", space={"fit.epochs": [epochs]})
    swept(place, name)
    return min(values(place, name))


def best_of(place: Path, name: str, search: str, seed: int) -> float:
    project = Project(place)
    proposed = space.propose(project.read(name)) | {"seed": seed, "search": search}
    if name == "fashion":
        proposed["space"] = SPACE
    put(project, name, **proposed)
    swept(place, name)
    return min(values(place, name))


def values(place: Path, name: str) -> list[float]:
    with open(place / "data" / name / "sweep.csv", newline="") as file:
        return [float(row["val_loss"]) for row in csv.DictReader(file) if row["val_loss"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    times = commands.add_parser("time")
    times.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    times.add_argument("--trials", type=int, default=8)
    times.add_argument("--epochs", type=int, default=6)
    times.add_argument("--sizes", type=int, nargs="+", default=[16, 32], help="one: equal trials")
    times.add_argument("--search", choices=["tpe", "random"], default="random")
    times.set_defaults(run=measure_time)
    search = commands.add_parser("search")
    search.add_argument("folder", help="of the tables, as tables.py has fetched them")
    search.add_argument("--only", nargs="+", default=["penguins", "mpg", "pima", "fashion"])
    search.add_argument("--seeds", type=int, default=5)
    search.set_defaults(run=compare_searches)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
