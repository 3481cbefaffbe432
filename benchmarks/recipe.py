"""The full recipe three ways, side by side: the plain script, a cold flow, a cold `dvc repro`.

    python benchmarks/recipe.py [--epochs 20] [--rounds 3] [--seed 0]

Whole processes, from the start of Python to its end. Each pipeline run starts in a fresh clone of the last commit,
with an empty cache and no Prefect server. All have the same 60,000 rows to train on, the same 10,000 to validate on,
and the same number of updates. The first round has the seed that is asked for, each later one the next.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys

from common import ROOT, clone, need, scratch, timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    need("raw.npz")
    seconds: dict[str, list[float]] = {"plain": [], "flow": [], "dvc repro": []}
    memory: dict[str, list[float]] = {name: [] for name in seconds}
    scores: dict[str, list[float]] = {name: [] for name in seconds}
    with scratch() as place:
        for turn in range(options.seed, options.seed + options.rounds):
            for name in seconds:
                if name == "plain":
                    script, raw = str(ROOT / "benchmarks" / "plain.py"), str(ROOT / "data" / "fashion" / "raw.npz")
                    run = timed([sys.executable, script, raw, str(options.epochs), str(turn)], place)
                    score = float(run.output.split()[-1])
                else:
                    recipe = {"normalize.validation": "test", "fit.epochs": options.epochs, "fit.seed": turn}
                    recipe = {f"fashion.{key}": value for key, value in recipe.items()}
                    ours = clone(place / f"{name}{turn}", recipe)
                    flow, stages = [sys.executable, "flows/fashion.py"], ["visualize@fashion", "evaluate@fashion"]
                    command = flow if name == "flow" else ["dvc", "repro", *stages]
                    run = timed(command, ours, PREFECT_HOME=str(place / "home"))
                    score = json.loads((ours / "data" / "fashion" / "metrics.json").read_text())["test_accuracy"]
                seconds[name].append(run.seconds)
                memory[name].append(run.mib)
                scores[name].append(score)
            print(
                f"seed {turn}: " + ", ".join(f"{name} {took[-1]:.1f} s" for name, took in seconds.items()),
                flush=True,
            )

    base = statistics.median(seconds["plain"])
    print(f"\n{options.epochs} epochs, medians of {options.rounds}; {os.cpu_count()} cores\n")
    print("| | seconds | to plain | largest process | test accuracy |\n|---|---|---|---|---|")
    for name, took in seconds.items():
        middle = statistics.median(took)
        accuracies = ", ".join(f"{score:.4f}" for score in scores[name])
        print(
            f"| {name} | {middle:.1f} ({min(took):.1f} to {max(took):.1f}) | {middle / base:.2f} | "
            f"{max(memory[name]):.0f} MiB | {accuracies} |"
        )


if __name__ == "__main__":
    main()
