"""The least time that this machine needs for the recipe, and how far `fit` is from it.

    python benchmarks/limit.py [--rounds 3]

NumPy's BLAS times the matrix products of one update (forward, by weights, by inputs), in the
network's shapes and with a batch of 32. NumPy's copies of arrays of the same size time what Adam
reads and writes.
"""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
from common import epoch_seconds, need, rounds, scratch

SIZES, BATCH, ROWS = (784, 1024, 512, 256, 128, 64, 10), 32, 60_000


def best(function, *arguments, repeat: int = 200) -> float:
    """Seconds of a call: the fastest of five groups, as other work can only slow it down."""
    function(*arguments)
    took = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(repeat):
            function(*arguments)
        took.append((time.perf_counter() - started) / repeat)
    return min(took)


def main() -> None:
    count = rounds(__doc__)
    need("normalized.npz", "schema.json")
    random, updates = np.random.default_rng(0), -(-ROWS // BATCH)
    products = operations = 0.0
    for inputs, outputs in pairwise(SIZES):
        shapes = ((BATCH, inputs), (inputs, outputs), (BATCH, outputs))
        x, w, y = (random.random(shape, dtype=np.float32) for shape in shapes)
        products += best(np.matmul, x, w, np.empty_like(y)) + best(
            np.matmul, x.T, y, np.empty_like(w)
        )
        operations += 4 * BATCH * inputs * outputs
        if inputs != SIZES[0]:  # nobody needs the derivative by the images
            products += best(np.matmul, y, w.T, np.empty_like(x))
            operations += 2 * BATCH * inputs * outputs
    weights = sum((inputs + 1) * outputs for inputs, outputs in pairwise(SIZES))
    a, b = np.zeros(weights, np.float32), np.zeros(weights, np.float32)
    rate = 8 * weights / best(np.copyto, a, b)  # bytes read and written in a second
    adam = 4 * 7 * weights / rate  # reads w, m, v and the gradient; writes w, m, v
    limit = (products + adam) * updates
    with scratch() as place:
        took = epoch_seconds(place, ROWS, count)
    print(f"one epoch: {updates} updates, {operations * updates / 1e9:.0f} GFLOP\n")
    print("| | seconds | |\n|---|---|---|")
    print(
        f"| matrix products | {products * updates:.1f} "
        f"| {operations / products / 1e9:.0f} GFLOP/s |"
    )
    print(f"| Adam | {adam * updates:.1f} | {rate / 1e9:.0f} GB/s |")
    print(f"| both | {limit:.1f} | |")
    print(f"| `fit`, with validation on a tenth | {took:.1f} | {took / limit:.2f} of the limit |")


if __name__ == "__main__":
    main()
