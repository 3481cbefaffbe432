"""The full recipe three ways, side by side: the plain script, a cold flow, a cold `dvc repro`.

    python benchmarks/recipe.py [--epochs 20] [--rounds 3]

Whole processes, from the start of Python to its end. Each pipeline run starts in a fresh clone of the last commit,
with an empty cache and no Prefect server. All have the same 60,000 rows to train on, the same 10,000 to validate on,
and the same number of updates. A round has its own seed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]


def timed(command: list[str], folder: Path, home: Path) -> tuple[float, str]:
    """Seconds of one process, and its last line that tells a score."""
    env = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    env.pop("PREFECT_API_URL", None)
    started = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    seconds = time.monotonic() - started
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
    return seconds, next((line for line in reversed(done.stdout.splitlines()) if "accuracy" in line), "")


def fresh(place: Path, epochs: int, seed: int) -> Path:
    """A clone of the last commit with the recipe's parameters."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(place)], check=True)
    yaml, file = YAML(), place / "params.yaml"
    content = yaml.load(file)
    content["fashion"]["normalize"]["validation"] = "test"
    content["fashion"]["fit"] |= {"epochs": epochs, "seed": seed}
    yaml.dump(content, file)
    return place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    raw = ROOT / "data" / "fashion" / "raw.npz"
    if not raw.is_file():
        sys.exit("data/fashion/raw.npz is missing: `dvc repro load@fashion` makes it.")

    seconds: dict[str, list[float]] = {"plain": [], "flow": [], "dvc repro": []}
    scores: dict[str, list[float]] = {"plain": [], "flow": []}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for turn in range(options.rounds):
            plain = [sys.executable, str(ROOT / "benchmarks" / "plain.py"), str(raw), str(options.epochs), str(turn)]
            took, line = timed(plain, place, place / "home")
            seconds["plain"].append(took)
            scores["plain"].append(float(line.split()[-1]))

            clone = fresh(place / f"flow{turn}", options.epochs, turn)
            seconds["flow"].append(timed([sys.executable, "flows/fashion.py"], clone, place / "home")[0])
            metrics = json.loads((clone / "data" / "fashion" / "metrics.json").read_text())
            scores["flow"].append(metrics["test_accuracy"])

            clone = fresh(place / f"dvc{turn}", options.epochs, turn)
            stages = ["visualize@fashion", "evaluate@fashion"]
            seconds["dvc repro"].append(timed(["dvc", "repro", *stages], clone, place / "home")[0])
            print(
                f"round {turn + 1}: " + ", ".join(f"{name} {took[-1]:.1f} s" for name, took in seconds.items()),
                flush=True,
            )

    base = statistics.median(seconds["plain"])
    print(f"\n{options.epochs} epochs, medians of {options.rounds}; {os.cpu_count()} cores\n")
    print("| | seconds | to plain |\n|---|---|---|")
    for name, took in seconds.items():
        middle = statistics.median(took)
        print(f"| {name} | {middle:.1f} ({min(took):.1f}-{max(took):.1f}) | {middle / base:.2f} |")
    for name, values in scores.items():
        print(f"\n{name}: test accuracy {', '.join(f'{value:.4f}' for value in values)}", end="")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"\n\nlargest process: {peak:.1f} GiB")


if __name__ == "__main__":
    main()
