"""What the models reach in no more time than the plain script takes for its 20 epochs (recipe.py), by seed.

    python benchmarks/models.py [--rounds 3] [--seed 0]

Whole processes: `python flows/train.py`, each in a fresh clone of the last commit with an empty cache and no Prefect
server. The checkpoint is chosen on 10,000 rows that are held out of the training rows; the test rows are used once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys

from common import clone, scratch, timed

MODELS = {  # a pipeline, and what is changed of it
    "`fashion-cnn`": ("fashion-cnn", {}),
    "the best MLP": (
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(
        "| | parameters | epochs | seconds | test accuracy, by seed | mean | asked twice, also flipped |\n"
        "|---|---|---|---|---|---|---|"
    )
    with scratch() as place:
        for name, (pipeline, changes) in MODELS.items():
            seconds, scores, flipped = [], [], []
            for seed in range(options.seed, options.seed + options.rounds):
                ours = clone(
                    place / f"{pipeline}{seed}",
                    {f"{pipeline}.{key}": value for key, value in {**changes, "fit.seed": seed}.items()},
                )
                run = timed([sys.executable, "flows/train.py", pipeline], ours, PREFECT_HOME=str(place / "home"))
                folder = ours / "data" / pipeline
                metrics = json.loads((folder / "metrics.json").read_text())
                said = timed([sys.executable, "-W", "ignore", "-c", FLIPPED], folder).output
                parameters, with_flips = said.split()[-2:]
                epochs = len((folder / "history.csv").read_text().splitlines()) - 1
                seconds.append(run.seconds)
                scores.append(metrics["test_accuracy"])
                flipped.append(float(with_flips))
                print(f"seed {seed}: {scores[-1]:.4f} in {seconds[-1]:.0f} s", file=sys.stderr, flush=True)
            each = ", ".join(f"{score:.4f}" for score in scores)
            print(
                f"| {name} | {int(parameters):,} | {epochs} | {statistics.median(seconds):.0f} | {each} | "
                f"**{statistics.mean(scores):.4f}** | {statistics.mean(flipped):.4f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
