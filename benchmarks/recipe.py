"""The plain script, the same recipe as a flow and as a `dvc repro`, and two better models.

    python benchmarks/recipe.py [--rounds 3] [--seed 0]

Whole processes are timed, from the start of Python to its end. Each pipeline runs in a fresh clone
of the last commit, with an empty cache and no Prefect server. All three ways of the recipe train on
the same 60,000 rows, validate on the same 10,000 and make the same number of updates. The better
models train on 50,000 rows and choose their checkpoint on the other 10,000, so that the test rows
are used once. The first round uses the given seed, each later round the next one; the plain script
sets none.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from typing import NamedTuple

from common import ROOT, Run, clone, need, scratch, timed
from ruamel.yaml import YAML


class Way(NamedTuple):
    command: list[str]
    pipeline: str
    changes: dict[str, object]  # of its parameters


AS_PLAIN = {"normalize.validation": "test"}
WAYS = {
    "flow": Way([sys.executable, "flows/fashion.py"], "fashion", AS_PLAIN),
    "`dvc repro`": Way(
        ["dvc", "repro", "visualize@fashion", "evaluate@fashion"], "fashion", AS_PLAIN
    ),
    "`fashion-cnn`": Way(
        [sys.executable, "-m", "flows", "train", "fashion-cnn"], "fashion-cnn", {}
    ),
    "the best MLP": Way(
        [sys.executable, "flows/fashion.py"],
        "fashion",
        {
            "build.hidden": [1024, 512, 256],
            "build.batch_norm": True,
            "compile.learning_rate": 0.004,
            "fit.batch_size": 256,
            "fit.epochs": 40,
            "fit.schedule": "one_cycle",
            "fit.flip": True,
            "fit.shift": 1,
        },
    ),
}
FLIPPED = """
import keras
import numpy as np
model = keras.models.load_model("model.keras")
with np.load("normalized.npz") as rows:
    x, y = rows["x_test"], rows["y_test"]
both = sum(model.predict(images, batch_size=256, verbose=0) for images in (x, x[:, :, ::-1]))
print(model.count_params(), (both.argmax(axis=1) == y).mean())
"""


class Result(NamedTuple):
    run: Run
    accuracy: float  # of the test rows
    flipped: float | None  # the same, of a model that is asked about the flipped images, too
    parameters: int | None


def plain(place) -> Result:
    raw = ROOT / "data" / "fashion" / "raw.npz"
    run = timed([sys.executable, str(ROOT / "benchmarks" / "plain.py"), str(raw)], place)
    return Result(run, float(run.output.split()[-1]), None, None)


def ours(place, seed: int, way: Way) -> Result:
    changes = {
        f"{way.pipeline}.{key}": value for key, value in {**way.changes, "fit.seed": seed}.items()
    }
    made = clone(place, changes)
    run = timed(way.command, made, PREFECT_HOME=str(place.parent / "home"))
    folder = made / "data" / way.pipeline
    accuracy = json.loads((folder / "metrics.json").read_text())["test_accuracy"]
    parameters, flipped = timed(
        [sys.executable, "-W", "ignore", "-c", FLIPPED], folder
    ).output.split()[-2:]
    mirrored = YAML(typ="safe").load(made / "params.yaml")["pipelines"][way.pipeline]["fit"]["flip"]
    return Result(run, accuracy, float(flipped) if mirrored else None, int(parameters))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    need("raw.npz")
    results: dict[str, list[Result]] = {name: [] for name in ("plain", *WAYS)}
    with scratch() as place:
        for seed in range(options.seed, options.seed + options.rounds):
            for number, name in enumerate(results):
                way = WAYS.get(name)
                found = ours(place / f"{seed}-{number}", seed, way) if way else plain(place)
                results[name].append(found)
                print(
                    f"seed {seed}, {name}: {found.run.seconds:.0f} s, "
                    f"{found.run.processor:.0f} s of the processor, "
                    f"accuracy {found.accuracy:.4f}",
                    file=sys.stderr,
                    flush=True,
                )

    print(f"\nMedians of {options.rounds}; {os.cpu_count()} cores\n")
    show_costs(results)
    show_accuracies(results)


def show_costs(results: dict[str, list[Result]]) -> None:
    print("| | seconds | to plain | of the processor | to plain | largest process | parameters |")
    print("|---|---|---|---|---|---|---|")
    middle = {
        name: [
            statistics.median(getattr(each.run, kind) for each in found)
            for kind in ("seconds", "processor")
        ]
        for name, found in results.items()
    }
    for name, found in results.items():
        took = [each.run.seconds for each in found]
        (seconds, processor), base = middle[name], middle["plain"]
        print(
            f"| {name} | {seconds:.0f} ({min(took):.0f} to {max(took):.0f}) "
            f"| {seconds / base[0]:.2f} | "
            f"{processor:.0f} | {processor / base[1]:.2f} "
            f"| {max(each.run.mib for each in found):.0f} MiB | "
            f"{found[0].parameters or ''} |"
        )


def show_accuracies(results: dict[str, list[Result]]) -> None:
    print("\n| | test accuracy, by seed | mean | asked twice, also flipped |\n|---|---|---|---|")
    for name, found in results.items():
        each = ", ".join(f"{result.accuracy:.4f}" for result in found)
        mean = statistics.mean(result.accuracy for result in found)
        flipped = (
            f"{statistics.mean(result.flipped for result in found):.4f}" if found[0].flipped else ""
        )
        print(f"| {name} | {each} | {mean:.4f} | {flipped} |")


if __name__ == "__main__":
    main()
