"""`predict` beside the bare interpreter: 60,000 images, and a million rows of a table.

`--exported` asks the exported model instead of Keras's. The interpreter is LiteRT's, in a process
that gets the rows as an array: it reads no file of the user's, and writes no answer. All are whole
processes.

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
from tasks.exports import litert
model = litert.open(Path(sys.argv[1]), threads=2)
print(len(model.ask(np.load(sys.argv[2]))))
"""
PYTHON = [sys.executable, "-W", "ignore"]


def table(file: Path, rows: int, target: bool) -> np.ndarray:
    """Write numbers as a CSV file; return the features."""
    x = np.random.default_rng(rows).normal(size=(rows, COLUMNS)).round(3)
    names = [f"a{column}" for column in range(COLUMNS)]
    y = (x[:, 0] + x[:, 1] > 0).astype(int)
    content = np.column_stack([x, y]) if target else x
    head = ",".join([*names, "y"] if target else names)
    np.savetxt(file, content, "%g", ",", header=head, comments="")
    return x


def prepare(place: Path) -> Path:
    """A project with two trained pipelines, and both exported as LiteRT."""
    project = clone(place / "project", {})
    shutil.copytree(ROOT / "data/fashion", project / "data/fashion", dirs_exist_ok=True)
    table(place / "training.csv", TRAINING, target=True)
    for command in (
        [*PYTHON, "-m", "flows", "new", "table", str(place / "training.csv"), "--target", "y"],
        [*PYTHON, "-m", "dvc", "repro", "evaluate@table"],
        *([*PYTHON, "-m", "flows", "export", name] for name in ("fashion", "table")),
    ):
        timed(command, project)
    return project


def compare(project: Path, name: str, data: Path, x: np.ndarray, count: int) -> None:
    np.save(project / "x.npy", x)
    predict = [*PYTHON, "-m", "flows", "predict", name, str(data), "--to", "answers.csv"]
    bare = [*PYTHON, "-c", BARE, f"data/{name}/export/model.tflite", "x.npy"]
    commands = {"predict": predict, "--exported": [*predict, "--exported"], "bare": bare}
    runs = [{key: timed(each, project) for key, each in commands.items()} for _ in range(count)]

    for key in commands:
        speed = statistics.median(len(x) / each[key].seconds for each in runs)
        ratio = statistics.median(each["bare"].seconds / each[key].seconds for each in runs)
        work = statistics.median(each[key].processor for each in runs)
        memory = max(each[key].mib for each in runs)
        print(
            f"{name:8} {len(x):>9,} rows  {key:10} {speed:>9,.0f} rows/s  {ratio:.2f} of bare  "
            f"{work:5.1f} s of processor  {memory:,.0f} MiB",
            flush=True,
        )


def main(count: int) -> None:
    need("raw.npz", "model.keras")
    with scratch() as place:
        project = prepare(place)
        for rows in (FEW, ROWS):
            x = table(place / "new.csv", rows, target=False)
            compare(project, "table", place / "new.csv", x, count)

        with np.load(ROOT / "data/fashion/raw.npz") as raw:
            x = raw["x_train"]
        np.savez(place / "images.npz", x=x)
        compare(project, "fashion", place / "images.npz", x, count)


if __name__ == "__main__":
    main(rounds(__doc__))
