"""Near twins: test rows that lie so close to a training row that they are hardly new."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from tasks.core.step import Stopped, log, stopping

TEST, SAMPLE = 256, 500  # rows at most: of the test rows that are compared at once, and to find a direction
BLOCK = 2**22  # values at most of the training rows that are looked at at once; of the test rows four times as many
WIDE = 4096  # values of a row: with more, the products of float32 leave too many pairs open
MOST = 5 * 10**12  # multiplications: about a minute on two cores
EVERY = 2.0  # seconds between two lines of progress
ROUNDING = 2.0**-22  # of one number in float32, with room


class Twins(NamedTuple):
    """One entry for each test row that has a twin, the closest first."""

    test: np.ndarray  # the row
    train: np.ndarray  # the training row that is nearest to it
    distance: np.ndarray  # root mean square of the differences of their values
    step: int  # every so-manieth test row was looked at: 1, unless that would have taken minutes


def find(train: np.ndarray, test: np.ndarray, near: float) -> Twins:
    """The nearest training row of each test row, if it is near.

    Rows that are near are near in every single direction. So the rows are sorted along the one in which they vary most,
    and a block of test rows is compared only with the training rows between two bounds: by a product of matrices in
    float32 on all cores (of wide rows float64); then what may be nearest, as far as rounding allows, by its differences
    in float64.

    Args:
        train, test: rows of one shape, float32 and finite.
        near: the root mean square of the differences of two twins is at most this.

    Raises:
        Stopped: the search was.
    """
    train, test = train.reshape(len(train), -1), test.reshape(len(test), -1)
    width = train.shape[1]
    centre = train.mean(axis=0, dtype=np.float64).astype(np.float32)
    size = max(1, BLOCK // width)
    along = _direction(train[:: -(-len(train) // min(SAMPLE, size))].astype(np.float64) - centre)
    place, own = train @ along, test @ along
    order = np.argsort(place, kind="stable")
    largest = max(abs(float(f())) for rows in (train, test) for f in (rows.min, rows.max))
    reach = near * width**0.5 + ROUNDING * width**1.5 * largest
    low, high = np.searchsorted(place[order], [own - reach, own + reach])
    step = max(1, -(-int((high - low).sum()) * width // MOST))
    rows = np.arange(0, len(test), step)
    rows = rows[np.argsort(own[rows], kind="stable")]

    distance, nearest, told = np.full(len(test), np.inf), np.zeros(len(test), int), time.monotonic()
    together, kind = min(TEST, 4 * size), np.float64 if width > WIDE else np.float32
    for begin in range(0, len(rows), together):
        some = rows[begin : begin + together]
        for first in range(low[some].min(), high[some].max(), size):
            if stopping.is_set():
                raise Stopped(f"stopped after {begin:,} of {len(rows):,} test rows")
            if time.monotonic() > told + EVERY:
                told = time.monotonic()
                log.info("near twins: %s of %s test rows compared", f"{begin:,}", f"{len(rows):,}")
            others = order[first : min(first + size, high[some].max())]
            # What has a twin looks for a nearer one; what has an equal one looks for none.
            within = np.where(distance[some] > 0, np.minimum(distance[some], near) ** 2 * width, -np.inf)
            sides = ((side - centre).astype(kind, copy=False) for side in (test[some], train[others]))
            i, j = _candidates(*sides, within)
            for k in range(0, len(i), size):
                _keep(some[i[k : k + size]], others[j[k : k + size]], train, test, distance, nearest)
    found = np.flatnonzero(distance <= near)
    found = found[np.argsort(distance[found], kind="stable")]
    return Twins(found, nearest[found], distance[found], step)


def _direction(rows: np.ndarray) -> np.ndarray:
    """About the direction in which the rows vary most, of length 1. Any would do; this one leaves little to compare."""
    along = np.random.default_rng(0).normal(size=rows.shape[1])
    for _ in range(10):
        along = rows.T @ (rows @ along)
        along /= np.linalg.norm(along) or 1  # all rows may be the same
    return along.astype(np.float32)


def _candidates(a: np.ndarray, b: np.ndarray, within: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which rows of b may be nearest to those of a: each row of a says what the square of their distance is at most."""
    square_a, square_b = (np.einsum("ij,ij->i", rows, rows) for rows in (a, b))
    rounding = 2 * np.finfo(a.dtype).eps * (a.shape[1] + 8) * (square_a.max() + square_b.max())
    closeness = a @ b.T - square_b / 2  # half of what the square of the distance is short of square_a
    least = np.maximum((square_a - within - rounding) / 2, closeness.max(axis=1) - rounding)
    return np.nonzero(closeness >= least[:, None])


def _keep(i: np.ndarray, j: np.ndarray, train, test, distance: np.ndarray, nearest: np.ndarray) -> None:
    """Measure the pairs of test rows i and training rows j; note of each test row the nearest one so far."""
    apart = np.sqrt(np.square(test[i].astype(np.float64) - train[j]).mean(axis=1))
    order = np.lexsort((j, apart, i))
    order = order[np.diff(i[order], prepend=-1) != 0]  # the nearest of each test row
    order = order[apart[order] < distance[i[order]]]
    distance[i[order]], nearest[i[order]] = apart[order], j[order]
