"""How often `predict` warns of drift: of equal rows, of a tenth with noise, of a class halved.

python benchmarks/drift.py fashion [--resamples 1000] [--rows 1000]

Needs a trained pipeline. New rows are drawn from its test rows, which the model has not seen. Of a
class that is halved, `known` is what Fisher's test would find if the classes of the rows were
known, corrected for as many comparisons.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flows.engine.environment import pin
from flows.engine.step import folder_of
from flows.project.folder import Project
from tasks.core.arrays import classes_of, read_arrays
from tasks.drift import findings
from tasks.drift.findings import LEVEL
from tasks.drift.series import names, values
from tasks.drift.statistics import fisher
from tasks.drift.watch import ROWS

NOISY = 0.1  # share of the rows
CHANGED = 200  # resamples for each change


def main(pipeline: str, resamples: int, rows: int) -> None:
    project = Project.here()
    pin("evaluate", project.read(pipeline))
    from tasks.scores import asking

    folder = folder_of(project, pipeline)
    schema = folder.read_json("schema.json")
    ask = asking.asker(asking.load(folder))
    arrays = ("x_val", "x_test", "y_val", "y_test")
    x_val, x, y_val, y = read_arrays(folder, "normalized.npz", *arrays)
    classes, classes_before = classes_of(y), classes_of(y_val)

    def seen(x: np.ndarray) -> np.ndarray:
        return values(x, ask(np.ascontiguousarray(x)), schema)

    random = np.random.default_rng(1)
    before = seen(x_val[np.sort(np.random.default_rng(0).permutation(len(x_val))[:ROWS])])
    same, noisy, series = seen(x), seen(_noise(x, random)), names(schema)
    rows = min(rows, len(x) // 2)
    print(f"{pipeline}: {rows} of {len(x):,} test rows, {len(before):,} validation rows")

    def warned(draw, times: int) -> tuple[float, str]:
        first: Counter[str] = Counter()
        for _ in range(times):
            found = findings.compare(draw(), before, series)
            if findings.alarm(found):
                first[found[0].name] += 1
        most = ", ".join(name for name, _ in first.most_common(2))
        return sum(first.values()) / times, f"  (first: {most})" if most else ""

    def some() -> np.ndarray:
        return random.permutation(len(x))[:rows]

    def with_noise() -> np.ndarray:
        places, few = some(), int(NOISY * rows)
        return np.concatenate([noisy[places[:few]], same[places[few:]]])

    comparisons = len(findings.compare(same[some()], before, series))
    print("equal rows        {:6.1%}{}".format(*warned(lambda: same[some()], resamples)))
    print("a tenth is noisy  {:6.1%}{}".format(*warned(with_noise, CHANGED)))
    for k, name in enumerate(schema["class_names"]):
        whole, half = np.flatnonzero(classes != k), np.flatnonzero(classes == k)

        def halved(whole=whole, half=half) -> np.ndarray:
            pool = np.concatenate([whole, random.permutation(half)[: len(half) // 2]])
            return random.permutation(pool)[:rows]

        found, first = warned(lambda halved=halved: same[halved()], CHANGED)
        counts = [int((classes[halved()] == k).sum()) for _ in range(CHANGED)]
        there = int((classes_before == k).sum()), len(y_val)
        known = np.mean([comparisons * fisher(count, rows, *there) < LEVEL for count in counts])
        print(f"{name + ' halved':17} {found:6.1%}, known {known:6.1%}{first}")


def _noise(x: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Images: a fifth of their range, clipped to it. Tables: three standard deviations."""
    if x.ndim > 2:
        low, high = x.min(), x.max()
        drawn = random.normal(0, 0.2 * (high - low), x.shape)
        return np.clip(x + drawn, low, high).astype(np.float32)
    numbers = np.array([len(np.unique(column)) > 2 for column in x.T])
    spread = 3 * x.std(axis=0) * numbers
    return (x + random.normal(0, 1, x.shape) * spread).astype(np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipeline")
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000)
    options = parser.parse_args()
    main(options.pipeline, options.resamples, options.rows)
