"""Which rows are held out, and how parts become whole again."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.core import arrays
from tasks.rows.splits import held_out, joined


@pytest.mark.parametrize("count", [1, 10, 50, 90])
def test_groups_of_many_sizes_come_near_to_what_was_asked_for(count):
    random = np.random.default_rng(count)
    groups = np.repeat(np.arange(20), random.integers(1, 10, 20))[:100]
    mask = held_out("key", count, random.integers(0, 3, len(groups)), 0, groups)
    assert not set(groups[mask]) & set(groups[~mask])
    assert 0 < mask.sum() < len(groups)
    assert abs(mask.sum() - count) <= 9


@pytest.mark.parametrize("large", [arrays.LARGE, 0])
def test_parts_are_joined_in_the_order_that_they_had(tmp_path, monkeypatch, large):
    monkeypatch.setattr(arrays, "LARGE", large)
    whole = np.random.default_rng(0).random((9, 2))
    one, other = np.array([0, 3, 4, 8]), np.array([1, 2, 5, 6, 7])
    found = joined([(one, whole[one]), (other, whole[other])], tmp_path)
    np.testing.assert_array_equal(found, whole)
    assert isinstance(found, np.memmap) is (large == 0)
