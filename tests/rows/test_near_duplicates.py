"""The search for near-duplicates, against a comparison of all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.rows import near_duplicates


def brute(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each test row the nearest training row and its distance, pair by pair."""
    train, test = (rows.reshape(len(rows), -1).astype(np.float64) for rows in (train, test))
    apart = np.sqrt(np.square(test[:, None] - train).mean(axis=2))
    return apart.argmin(axis=1), apart.min(axis=1)


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(("offset", "spread"), [(0, 1), (1000, 1), (0, 1e-3), (-5, 100)])
@pytest.mark.parametrize("shape", [(1,), (3,), (40,), (6, 6, 3)])
def test_the_search_finds_what_a_comparison_of_all_pairs_finds(
    monkeypatch, small, offset, spread, shape
):
    if small:  # blocks with a few rows, of which the last is not full
        monkeypatch.setattr(near_duplicates, "TEST", 7)
        monkeypatch.setattr(near_duplicates, "BLOCK", 13 * int(np.prod(shape)))
    random = np.random.default_rng(1)
    train = (offset + spread * random.normal(size=(300, *shape))).astype(np.float32)
    test = train[random.integers(0, 300, 100)]
    test += (
        spread
        * 10.0 ** random.uniform(-9, 0, (100, *[1] * len(shape)))
        * random.normal(size=test.shape)
    ).astype(np.float32)
    nearest, distance = brute(train, test)
    near = float(np.median(distance)) * 1.001
    all_near = near_duplicates.find(train, test, 3.0 * spread)
    np.testing.assert_array_equal(all_near.distance, np.sort(distance))
    result = near_duplicates.find(train, test, near)
    assert set(result.test.tolist()) == set(np.flatnonzero(distance <= near).tolist())
    assert 30 < len(result.test) < 100
    np.testing.assert_array_equal(result.distance, distance[result.test])
    assert (np.diff(result.distance) >= 0).all()
    unequal = result.distance > 0  # of several equal rows any will do
    np.testing.assert_array_equal(result.train[unequal], nearest[result.test][unequal])


@pytest.mark.parametrize("width", [1, 300])
def test_what_a_search_costs_is_bounded_however_narrow_the_rows_are(monkeypatch, width):
    monkeypatch.setattr(near_duplicates, "ROWS", 50)
    monkeypatch.setattr(near_duplicates, "MOST", 400 * 100 * 200)
    at_once, candidates = [], near_duplicates._candidates

    def counted(a, b, within):
        at_once.append(len(b))
        return candidates(a, b, within)

    monkeypatch.setattr(near_duplicates, "_candidates", counted)
    same = np.ones((400, width), np.float32)  # all are near to all
    found = near_duplicates.find(same, same[:100], 0.1)
    assert found.step == -(-(width + 200) // 200)
    assert max(at_once) == 50


def test_pairs_that_differ_along_the_direction_in_which_all_rows_vary_are_found(monkeypatch):
    monkeypatch.setattr(near_duplicates, "TEST", 1)
    train = np.linspace(0, 100, 300, dtype=np.float32)[:, None] * np.ones(40, np.float32)
    assert len(near_duplicates.find(train, train[::10] + np.float32(0.013), 0.014).test) == 30


def test_rows_that_are_all_the_same_are_near_duplicates_once():
    same = np.ones((500, 20), np.float32)
    result = near_duplicates.find(same, same[:50], 0.014)
    assert len(result.test) == 50
    assert not result.distance.any()


@pytest.mark.parametrize("width", [784, near_duplicates.WIDE + 1])
def test_of_many_near_rows_the_nearest_is_found_and_of_wide_ones_few_pairs_are_measured(
    monkeypatch, width
):
    random = np.random.default_rng(0)
    faces = random.random((6, width), np.float32)
    train, test = (
        faces[random.integers(0, 6, count)]
        + random.normal(0, 0.01, (count, width)).astype(np.float32)
        for count in (300, 90)
    )
    train[50] = test[3] = train[7]  # equal ones: the first counts
    measured, keep = [], near_duplicates._Search.keep

    def counted(self, i, j):
        measured.append(len(i))
        keep(self, i, j)

    monkeypatch.setattr(near_duplicates._Search, "keep", counted)
    found = near_duplicates.find(train, test, near=0.05)
    apart = np.sqrt(((test[:, None].astype(float) - train[None]) ** 2).mean(axis=2))
    by_row = np.argsort(found.test)
    assert found.train[by_row].tolist() == apart.argmin(axis=1).tolist()
    np.testing.assert_allclose(found.distance[by_row], apart.min(axis=1), atol=1e-12)
    assert width <= near_duplicates.WIDE or sum(measured) < (apart <= 0.05).sum() / 5
