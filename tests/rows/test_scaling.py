"""Scaling: fitted to the training rows, and applied again from `schema.json` alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tasks.core import arrays
from tasks.rows.scaling import Scaling
from tests.support.own import (
    SHARE,
    SIDE,
    loaded,
    normalized,
    of_csv,
    of_npz,
    put_csv,
    put_npz,
    rows,
    table,
)


def test_standard_scale_knows_the_training_rows_alone(tmp_path):
    lines = table(40, c=lambda row: 7, big=lambda row: 1_700_000_000 + row)
    before = loaded(tmp_path / "out", of_csv(put_csv(tmp_path / "in.csv", *lines), test=0.25))
    schema = normalized(tmp_path / "out", scale="standard", validation=10)
    with np.load(tmp_path / "out/normalized.npz") as file:
        after = dict(file)
    x = after["x_train"].astype(np.float64)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(axis=0), [1, 1, 0, 1], atol=1e-6)  # c never varies
    assert (
        abs(np.concatenate([x, after["x_val"]])[:, 0].mean()) > 1e-3
    )  # else this test could not fail
    scaling = {name: np.array(value) for name, value in schema["scaling"].items()}
    again = (before["x_test"] - scaling["subtract"]) / scaling[
        "divide"
    ]  # as a reader would apply it
    np.testing.assert_allclose(again, after["x_test"], rtol=1e-6)


@pytest.mark.parametrize(("shape", "colors"), [((SIDE, SIDE), 1), ((SIDE, SIDE, 3), 3)])
def test_standard_scale_of_images_goes_by_colour(tmp_path, shape, colors):
    x, y = rows(shape=shape)
    loaded(tmp_path / "out", of_npz(put_npz(tmp_path / "in.npz", x_train=x, y_train=y), **SHARE))
    schema = normalized(tmp_path / "out", scale="standard")
    assert len(schema["scaling"]["subtract"]) == colors
    with np.load(tmp_path / "out/normalized.npz") as file:
        assert abs(file["x_train"].mean()) < 1e-6
        assert abs(file["x_train"].std() - 1) < 1e-2


KINDS = ("pixels", "standard", "none")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(SIDE, SIDE), (SIDE, SIDE, 3), (5,)])
def test_new_rows_are_scaled_by_the_schema_alone_to_the_bytes_of_the_training(
    tmp_path, kind, shape
):
    x, y = rows(shape=shape)
    file = put_npz(tmp_path / "in.npz", x_train=x, y_train=y, x_test=x[:6], y_test=y[:6])
    loaded(tmp_path / "out", of_npz(file))
    schema = normalized(tmp_path / "out", scale=kind)
    again = Scaling.from_json(json.loads(json.dumps(schema["scaling"]))).apply(x[:6])
    with np.load(tmp_path / "out/normalized.npz") as found:
        assert found["x_test"].tobytes() == again.tobytes()
    assert again.dtype == np.float32


@pytest.mark.parametrize("kind", KINDS)
def test_the_rows_that_are_scaled_stay_as_they_are(kind):
    x = np.random.default_rng(0).random((20, 3)).astype(np.float32)
    before = x.copy()
    Scaling.of(kind, x, np.arange(10)).apply(x)
    np.testing.assert_array_equal(x, before)


def test_blocks_change_mean_and_standard_deviation_by_no_more_than_rounding(monkeypatch):
    x = np.random.default_rng(0).random((50, 4))
    one = Scaling.of("standard", x, np.arange(0, 50, 2))
    monkeypatch.setattr(arrays, "BLOCK", 100)
    many = Scaling.of("standard", x, np.arange(0, 50, 2))
    for name, values in one._asdict().items():
        np.testing.assert_allclose(getattr(many, name), values, rtol=1e-14)
    np.testing.assert_allclose(one.subtract, x[::2].mean(axis=0))
    np.testing.assert_allclose(one.divide, x[::2].std(axis=0))
