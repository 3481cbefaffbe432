"""Near-duplicates: test rows so close to a training row that they are hardly new."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from tasks.core.step import log, must_stop, stop

TEST = 256  # test rows at most that are compared at once
SAMPLE = 500  # training rows at most from which a direction is found
BLOCK = 2**22  # values of training rows at most at once; of test rows four times as many
WIDE = 4096  # values a row: beyond, products in float32 leave too many pairs open
ROWS = 2**15  # training rows at most at once, however narrow they are
PAIR = 200  # multiplications that take as long as what a pair takes whatever its width
MOST = 15 * 10**11  # multiplications: about a minute of processor time
EVERY = 2.0  # seconds between two lines of progress
ROUNDING = 2.0**-22  # of one value in float32, with room


class NearDuplicates(NamedTuple):
    """One entry for each test row that has a near-duplicate, the closest first."""

    test: np.ndarray  # the row
    train: np.ndarray  # the training row that is nearest to it
    distance: np.ndarray  # root mean square of the differences of their values
    step: int  # only every n-th test row was compared; 1 unless all would take minutes

    def apart(self) -> NearDuplicates:
        """Those that are not equal."""
        rows = self.distance > 0
        return NearDuplicates(self.test[rows], self.train[rows], self.distance[rows], self.step)


class _Bounds(NamedTuple):
    """Training rows in the order of a direction, and the part of it where a test row's may lie."""

    order: np.ndarray  # of the training rows
    place: np.ndarray  # of each test row, in that direction
    low: np.ndarray  # of each test row: where its part of `order` begins
    high: np.ndarray  # and ends


def find(train: np.ndarray, test: np.ndarray, near: float) -> NearDuplicates:
    """The nearest training row of each test row, if it is near.

    Rows that are near are near in every direction. So the training rows are sorted along the
    direction in which they vary most, and a block of test rows is compared only with those
    between two bounds: first by a matrix product on all cores, in float32 (float64 for wide
    rows); then, where rounding leaves more than one possible, by differences in float64.

    Args:
        train, test: rows of one shape, float32 and finite.
        near: the largest root mean square of the differences of two near-duplicates.

    Raises:
        Stopped: the step was asked to stop.
    """
    train, test = train.reshape(len(train), -1), test.reshape(len(test), -1)
    width = train.shape[1]
    centre = train.mean(axis=0, dtype=np.float64).astype(np.float32)
    bounds = _bounds(train, test, near, centre)

    # Compare every n-th test row if all of them would take minutes.
    pairs = int((bounds.high - bounds.low).sum())
    step = max(1, -(-pairs * (width + PAIR) // MOST))
    rows = np.arange(0, len(test), step)
    rows = rows[np.argsort(bounds.place[rows], kind="stable")]

    search = _Search(train, test, near, centre)
    search.compare(rows, bounds)
    found = np.flatnonzero(search.distance <= near)
    found = found[np.argsort(search.distance[found], kind="stable")]
    return NearDuplicates(found, search.nearest[found], search.distance[found], step)


def _block(width: int) -> int:
    """How many training rows of that width are looked at at once."""
    return max(1, min(BLOCK // width, ROWS))


def _bounds(train: np.ndarray, test: np.ndarray, near: float, centre: np.ndarray) -> _Bounds:
    width = train.shape[1]
    every = -(-len(train) // min(SAMPLE, _block(width)))
    along = _direction(train[::every].astype(np.float64) - centre)
    train_place, test_place = train @ along, test @ along
    order = np.argsort(train_place, kind="stable")

    largest = max(abs(float(f())) for rows in (train, test) for f in (rows.min, rows.max))
    reach = near * width**0.5 + ROUNDING * width**1.5 * largest
    ends = [test_place - reach, test_place + reach]
    low, high = np.searchsorted(train_place[order], ends)
    return _Bounds(order, test_place, low, high)


def _direction(rows: np.ndarray) -> np.ndarray:
    """Roughly the direction, of length 1, in which the rows vary most: by power iteration.

    Any direction would do; this one leaves little to compare.
    """
    along: np.ndarray = np.random.default_rng(0).normal(size=rows.shape[1:])
    for _ in range(10):
        along = rows.T @ (rows @ along)
        along = along / max(np.linalg.norm(along), np.finfo(float).tiny)  # all rows may be the same
    return along.astype(np.float32)


class _Search:
    """The nearest training row of each test row so far, and its distance."""

    def __init__(self, train: np.ndarray, test: np.ndarray, near: float, centre: np.ndarray):
        self.train, self.test, self.near, self.centre = train, test, near, centre
        self.width = train.shape[1]
        self.size = _block(self.width)
        self.kind = np.float64 if self.width > WIDE else np.float32
        self.distance = np.full(len(test), np.inf)
        self.nearest = np.zeros(len(test), int)

    def compare(self, rows: np.ndarray, bounds: _Bounds) -> None:
        """Compare test rows, block by block, with the training rows between their bounds."""
        together, told = min(TEST, 4 * self.size), time.monotonic()

        for begin in range(0, len(rows), together):
            some = rows[begin : begin + together]
            end = bounds.high[some].max()
            for first in range(bounds.low[some].min(), end, self.size):
                if must_stop():
                    stop(f"after {begin:,} of {len(rows):,} test rows")
                if time.monotonic() > told + EVERY:
                    told = time.monotonic()
                    done = f"{begin:,} of {len(rows):,}"
                    said = "near-duplicates: %s test rows compared"
                    log.info(said, done, extra={"passing": True})
                self._compare(some, bounds.order[first : min(first + self.size, end)])

    def _compare(self, some: np.ndarray, others: np.ndarray) -> None:
        """Compare a block of test rows with a block of training rows."""
        # A row with a near-duplicate looks for a nearer one; a row with an equal one for none.
        short = np.minimum(self.distance[some], self.near) ** 2 * self.width
        within = np.where(self.distance[some] > 0, short, -np.inf)

        a = (self.test[some] - self.centre).astype(self.kind, copy=False)
        b = (self.train[others] - self.centre).astype(self.kind, copy=False)
        i, j = _candidates(a, b, within)
        for k in range(0, len(i), self.size):
            self.keep(some[i[k : k + self.size]], others[j[k : k + self.size]])

    def keep(self, i: np.ndarray, j: np.ndarray) -> None:
        """Measure pairs of test rows i and training rows j; keep the nearest of each test row."""
        differences = self.test[i].astype(np.float64) - self.train[j]
        apart = np.sqrt(np.square(differences).mean(axis=1))

        order = np.lexsort((j, apart, i))
        order = order[np.diff(i[order], prepend=-1) != 0]  # the nearest of each test row
        order = order[apart[order] < self.distance[i[order]]]
        self.distance[i[order]], self.nearest[i[order]] = apart[order], j[order]


def _candidates(a: np.ndarray, b: np.ndarray, within: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of rows of a and b that may be nearest, as far as rounding allows.

    Args:
        a, b: rows of one width, centred.
        within: of each row of a, the largest square of a distance that is still of interest.
    """
    square_a, square_b = (np.einsum("ij,ij->i", rows, rows) for rows in (a, b))
    largest = square_a.max() + square_b.max()
    rounding = 2 * np.finfo(a.dtype).eps * (a.shape[1] + 8) * largest

    # The square of a distance is square_a - 2 * closeness.
    closeness = a @ b.T - square_b / 2
    least = np.maximum((square_a - within - rounding) / 2, closeness.max(axis=1) - rounding)
    i, j = np.nonzero(closeness >= least[:, None])
    return i, j
