"""How often the gate promotes a model: real ones, trained from 20 seeds each.

python benchmarks/promotion.py [--seeds 20] [--rows 20000]

On Fashion-MNIST, with two recipes that differ by about a point of accuracy on the test rows. Pairs
of one recipe are equal, as far as one recipe makes equal models; all are asked about the same test
rows. Each network trains in seconds, as it is small.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from flows.engine.environment import pin
from flows.engine.step import folder_of
from flows.project.folder import Project
from tasks.core.arrays import read_arrays
from tasks.gate import paired
from tasks.gate.rule import Rule

RULE = Rule(level=0.05, margin=0, must="better")
EPOCHS = {"champion": 2, "challenger": 4}
EQUAL, DRAWS = 0.0002, 50  # in accuracy; samples of the rows for each pair


def main(seeds: int, rows: int) -> None:
    project = Project.here()
    pin("evaluate", project.read("fashion"))
    x, y, x_test, y_test = read_arrays(
        folder_of(project, "fashion"), "normalized.npz", "x_train", "y_train", "x_test", "y_test"
    )

    answers: dict[str, list[np.ndarray]] = {recipe: [] for recipe in EPOCHS}
    for seed in range(seeds):
        for recipe, said in zip(EPOCHS, _trained(seed, x[:rows], y[:rows], x_test), strict=True):
            answers[recipe].append(said)

    names = y_test.astype(str)
    scores = {
        recipe: [(said == names).mean() for said in found] for recipe, found in answers.items()
    }
    for recipe, found in scores.items():
        print(f"{recipe}: accuracy {np.mean(found):.4f}, from {min(found):.4f} to {max(found):.4f}")

    pairs = list(itertools.permutations(range(seeds), 2))
    for recipe, found in answers.items():
        share = np.mean([_better(names, found[i], found[k]) for i, k in pairs])
        print(f"{recipe}, another seed, promoted over the same recipe: {share:.1%} of {len(pairs)}")
    all_pairs = list(itertools.product(answers["challenger"], answers["champion"]))
    share = np.mean([_better(names, new, old) for new, old in all_pairs])
    print(f"challenger promoted over champion: {share:.1%} of {len(all_pairs)}")
    _of_equal_accuracy(names, [*answers["champion"], *answers["challenger"]])


def _better(actual: np.ndarray, new: np.ndarray, old: np.ndarray) -> bool:
    return paired.of_classes(actual, new, old, RULE).better


def _of_equal_accuracy(actual: np.ndarray, answers: list[np.ndarray]) -> None:
    """Of two models that are equal on all rows, neither may win on a few of them."""
    random, promoted, gains = np.random.default_rng(0), [], []
    for new, old in itertools.permutations(answers, 2):
        gain = (new == actual).mean() - (old == actual).mean()
        if abs(gain) <= EQUAL:
            for _ in range(DRAWS):
                some = random.permutation(len(actual))[: len(actual) // 10]
                promoted.append(_better(actual[some], new[some], old[some]))
        elif 0.009 <= gain <= 0.011:
            gains.append(_better(actual, new, old))
    print(f"equal models, on a tenth of the rows: {np.mean(promoted):.1%} of {len(promoted)}")
    print(f"models a point better: {np.mean(gains):.1%} of {len(gains)}")


def _trained(seed: int, x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> list[np.ndarray]:
    """The answers of one network after the epochs of each recipe."""
    from tasks.network.backend import keras

    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.layers.Input(x.shape[1:]),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    found, done = [], 0
    for epochs in EPOCHS.values():
        model.fit(x, y, batch_size=128, epochs=epochs, initial_epoch=done, verbose=0)
        done = epochs
        found.append(model.predict(x_test, batch_size=1000, verbose=0).argmax(axis=1).astype(str))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    main(options.seeds, options.rows)
