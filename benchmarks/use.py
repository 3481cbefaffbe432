"""`predict` beside the bare interpreter: 60,000 images, and a million rows of a table.

`--exported` asks the exported model instead of Keras's. The interpreter is LiteRT's, in the lines
that a person would write: it reads the same file and writes its answers, and checks nothing. All
are whole processes.

python benchmarks/use.py --rounds 3
"""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path

import numpy as np
from common import ROOT, clone, need, rounds, scratch, timed

ROWS, COLUMNS, TRAINING = 1_000_000, 8, 5_000
FEW = 10_000  # rows, for the memory
BARE = """
import sys
from pathlib import Path
import numpy as np
import pandas as pd
from tasks.exports import litert
model = litert.open(Path(sys.argv[1]), threads=2)
file = sys.argv[2]
output = model.ask(np.load(file)["x"] if file.endswith(".npz") else pd.read_csv(file).to_numpy())
told = {"predicted": output.argmax(axis=1), "confidence": output.max(axis=1)}
pd.DataFrame(told).to_csv("bare.csv")
"""
PYTHON = [sys.executable, "-W", "ignore"]


def table(file: Path, rows: int, target: bool) -> None:
    """Write numbers as a CSV file."""
    x = np.random.default_rng(rows).normal(size=(rows, COLUMNS)).round(3)
    names = [f"a{column}" for column in range(COLUMNS)]
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    content = np.column_stack([x, y]) if target else x
    head = ",".join([*names, "y"] if target else names)
    np.savetxt(file, content, "%g", ",", header=head, comments="")


def prepare(place: Path) -> Path:
    """A project with two trained pipelines, and both exported as LiteRT."""
    project = clone(place / "project", {})
    shutil.copytree(ROOT / "data/fashion", project / "data/fashion", dirs_exist_ok=True)
    table(place / "training.csv", TRAINING, target=True)
    for command in (
        [*PYTHON, "-m", "flows", "new", "table", str(place / "training.csv"), "--target", "y"],
        [*PYTHON, "-m", "dvc", "repro", "visualize@table", "evaluate@table"],
        *([*PYTHON, "-m", "flows", "export", name] for name in ("fashion", "table")),
    ):
        timed(command, project)
    return project


def compare(project: Path, name: str, data: Path, rows: int, count: int) -> None:
    predict = [*PYTHON, "-m", "flows", "predict", name, str(data), "--to", "answers.csv"]
    bare = [*PYTHON, "-c", BARE, f"data/{name}/export/model.tflite", str(data)]
    commands = {"predict": predict, "--exported": [*predict, "--exported"], "bare": bare}
    runs = [{key: timed(each, project) for key, each in commands.items()} for _ in range(count)]

    for key in commands:
        speed = statistics.median(rows / each[key].seconds for each in runs)
        ratio = statistics.median(each["bare"].seconds / each[key].seconds for each in runs)
        work = statistics.median(each[key].processor for each in runs)
        memory = max(each[key].mib for each in runs)
        print(
            f"{name:8} {rows:>9,} rows  {key:10} {speed:>9,.0f} rows/s  {ratio:.2f} of bare  "
            f"{work:5.1f} s of processor  {memory:,.0f} MiB",
            flush=True,
        )


def main(count: int) -> None:
    need("raw.npz", "model.keras")
    with scratch() as place:
        project = prepare(place)
        for rows in (FEW, ROWS):
            table(place / "new.csv", rows, target=False)
            compare(project, "table", place / "new.csv", rows, count)

        with np.load(ROOT / "data/fashion/raw.npz") as raw:
            x = raw["x_train"]
        np.savez(place / "images.npz", x=x)
        compare(project, "fashion", place / "images.npz", len(x), count)


if __name__ == "__main__":
    main(rounds(__doc__))
