"""New rows beside validation rows: what is found, what is not, and what is written."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from scipy import stats

from tasks.core.arrays import write_arrays
from tasks.core.folder import Folder
from tasks.drift import validation, watch
from tasks.drift.findings import LEVEL, alarm, compare
from tasks.drift.series import Series, names, values
from tasks.drift.statistics import fisher, kolmogorov_smirnov, means
from tasks.drift.watch import Sample, Watch
from tasks.rows.scaling import Scaling

ROWS = 1_000
TABLE = {
    "labels": "classes",
    "class_names": ["no", "maybe", "yes"],
    "input_shape": [3],
    "feature_names": ["age", "income", "color = red"],
    "scaling": {"subtract": [40.0, 0.0, 0.0], "divide": [10.0, 1.0, 1.0]},
    "load": {},
}
IMAGES = {
    "labels": "regression",
    "input_shape": [6, 6],
    "scaling": {"subtract": [0.0], "divide": [255.0]},
}


def table(rows: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.column_stack([random.normal(size=(rows, 2)), random.random(rows) < 0.3])


def ask(x: np.ndarray) -> np.ndarray:
    """A model that looks at the first two features."""
    powers = np.exp(3 * np.column_stack([x[:, 0], x[:, 1], 0 * x[:, 0]]))
    return powers / powers.sum(axis=1, keepdims=True)


def seen(x: np.ndarray) -> np.ndarray:
    return values(x, ask(x), TABLE)


BEFORE = seen(table(5_000, 0))


def surest(x: np.ndarray):
    return compare(seen(x), BEFORE, names(TABLE))[0]


@pytest.mark.parametrize("rows", [30, 1_000])
def test_the_tests_agree_with_scipys(rows):
    random = np.random.default_rng(rows)
    new, before = random.normal(0.1, 1, rows), random.normal(0, 1, 5_000)
    assert kolmogorov_smirnov(new, before).p == pytest.approx(
        stats.ks_2samp(new, before).pvalue, rel=0.05
    )
    counts = [[9, rows - 9], [400, 4_600]]
    assert fisher(9, rows, 400, 5_000) == pytest.approx(stats.fisher_exact(counts).pvalue)


def test_equal_rows_raise_few_alarms():
    random, pool = np.random.default_rng(2), seen(table(20_000, 1))
    draws = (pool[random.permutation(len(pool))[:ROWS]] for _ in range(200))
    alarms = sum(alarm(compare(draw, BEFORE, names(TABLE))) for draw in draws)
    assert alarms <= 2 * LEVEL * 200


def shifted(x):
    x[:, 0] += 0.5


def spread(x):
    x[:100, 1] *= 8


def redder(x):
    x[:, 2] = np.arange(len(x)) % 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (shifted, r"feature age is at most 4\d"),
        (spread, r"feature income is below -2.* in \d.*% of the rows, and in 1.0% of the val"),
        (redder, r"feature color = red holds for 50\.0% of the rows, and for 2\d"),
    ],
)
def test_the_feature_that_changed_is_named_and_how(change, says):
    x = table(ROWS, 3)
    assert surest(x).p > LEVEL
    change(x)
    assert surest(x).p < LEVEL
    assert re.search(says, surest(x).says)


def test_a_class_that_became_rarer_is_named():
    x = table(2 * ROWS, 4)
    few = x[(ask(x).argmax(axis=1) != 2) | (np.arange(len(x)) % 2 == 0)]
    sure = [each.says for each in compare(seen(few), BEFORE, names(TABLE)) if each.p < LEVEL]
    assert any(says.startswith("class yes has ") for says in sure)


SHARPNESS = Series("sharpness of the images")


def test_a_noisy_image_is_seen_in_its_sharpness():
    random = np.random.default_rng(5)
    flat = np.repeat(random.random((ROWS, 1, 1)), 36, axis=1).reshape(ROWS, 6, 6)
    flat += random.normal(0, 0.02, flat.shape)
    noisy = flat.copy()
    noisy[:100] += random.normal(0, 0.2, (100, 6, 6))
    of, zero = names(IMAGES), np.zeros((ROWS, 1))
    found = compare(values(noisy, zero, IMAGES), values(flat, zero, IMAGES), of)
    assert "sharpness of the images" in {each.name for each in found if each.p < 1e-9}


@pytest.mark.parametrize("shape", [(1, 6), (6, 1), (1, 1)])
def test_images_of_one_pixel_in_height_or_width_have_a_sharpness(shape):
    x = np.random.default_rng(5).random((3, *shape))
    schema = IMAGES | {"input_shape": list(shape)}
    sharpness = values(x, np.zeros((3, 1)), schema)[:, names(schema).index(SHARPNESS)]
    line = 255 * x.reshape(3, -1)
    expected = np.abs(np.diff(line)).mean(axis=1) if line.size > 3 else np.zeros(3)
    np.testing.assert_allclose(sharpness, expected, rtol=1e-6)


def test_two_classes_are_one_series():
    two = TABLE | {"class_names": ["no", "yes"]}
    x = table(4, 0)
    for output in (np.full((4, 1), 0.25), np.tile([0.75, 0.25], (4, 1))):
        assert names(two)[-1] == Series("yes", chance=True, asked=True)
        assert values(x, output, two)[:, -1].tolist() == [0.25] * 4


# A model of the same rows as an export, or on another processor: its last digits differ.
OTHERWISE = [
    pytest.param("classes", np.ones(ROWS), -6e-8, id="it is sure of half of the rows"),
    pytest.param("classes", np.zeros(ROWS), 1e-6, id="a class is never seen"),
    pytest.param("regression", np.full(ROWS, 40_000.0), -4e-3, id="one number for half of them"),
]


@pytest.mark.parametrize(("labels", "said", "away"), OTHERWISE)
def test_other_last_digits_are_no_drift(labels, said, away):
    schema = {
        **{"labels": labels, "class_names": ["no", "yes"], "input_shape": [1]},
        **{"feature_names": ["age"], "scaling": {"subtract": [0.0], "divide": [1.0]}},
    }
    before, new = (table(ROWS, seed)[:, :1] for seed in (1, 2))
    outputs = [np.where(np.arange(ROWS) % 2, x[:, 0] * said.max() / 9, said) for x in (before, new)]
    was = values(before, outputs[0], schema)
    for add, drifted in ((away, False), (1_000 * away, True)):
        now = values(new, outputs[1] + add, schema)
        assert alarm(compare(now, was, names(schema))) == drifted


def test_the_features_of_rows_have_no_other_last_digits():
    new, before = np.full(100, 19_000.5), np.full(100, 19_000.4)
    assert compare(new[:, None], before[:, None], [Series("feature day")])[0].p < LEVEL


def test_means_that_differ_in_the_last_digits_are_equal():
    ones = np.ones(ROWS)
    assert means(ones, ones - 1e-7, tolerance=1e-5) == 1
    assert means(ones, ones - 1e-7) < 1e-9


def test_a_sample_is_as_large_as_it_may_be_and_from_everywhere(monkeypatch):
    monkeypatch.setattr(watch, "ROWS", 500)
    sample = Sample()
    for begin in range(0, 10_000, 250):
        rows = np.arange(begin, begin + 250)[:, None]
        sample.add(rows[sample.enters(250)])
    assert len(np.unique(sample.values)) == 500
    assert abs(sample.values.mean() - 5_000) < 400


@pytest.fixture
def folder(tmp_path) -> Folder:
    made = Folder(tmp_path / "data" / "table")
    validated(made, table(2_000, 6))
    return made


def validated(folder: Folder, x: np.ndarray, schema: dict = TABLE, ask=ask) -> None:
    """Leave what `evaluate` does of these validation rows, and not the rows."""
    write_arrays(folder, "normalized.npz", x_val=x)
    validation.write(folder, schema, ask)
    (folder.path / "normalized.npz").unlink()


def test_of_many_validation_rows_some_are_kept(folder, monkeypatch):
    monkeypatch.setattr(validation, "ROWS", 500)
    x = table(2_000, 6)
    validated(folder, x)
    kept = validation.read(folder)
    assert kept is not None
    assert len(kept) == 500
    places = [np.flatnonzero((seen(x) == row).all(axis=1)).item() for row in kept]
    assert places == sorted(places)
    assert len(set(places)) == 500


def test_what_differs_is_warned_of_and_written_beside_the_answers(folder, tmp_path, caplog):
    watched = Watch()
    watched.begin(folder, TABLE)
    x = table(ROWS, 7)
    x[:, 0] += 1
    for part in np.split(x, 4):
        watched.add(part, ask(part))
    watched.end()
    assert "drift: feature age is at most" in caplog.text
    assert "more differences" in caplog.text

    contents = []
    for name in ("a", "b"):
        watched.write(tmp_path / f"{name}.csv")
        files = [tmp_path / f"{name}.drift.{kind}" for kind in ("json", "png")]
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1]
    said = json.loads(contents[0][0])
    assert said["alarm"]
    assert (said["rows"], said["validation_rows"]) == (ROWS, 2_000)


def test_a_model_that_scales_by_itself_finds_the_same(folder):
    """The data have whole numbers, so a difference of rounding would be one of all rows."""
    scaling = Scaling(np.array([40.0, 0.0, 0.0]), np.array([9.7, 1.3, 1.0]))
    schema = TABLE | {"scaling": scaling.to_json()}

    def as_data(rows: int, seed: int) -> np.ndarray:
        return np.rint(table(rows, seed) * 10)

    validated(folder, scaling.apply(as_data(2_000, 6)), schema)
    new, found = as_data(ROWS, 7), []
    for scales, x in ((False, scaling.apply(new)), (True, new)):
        watched = Watch()
        watched.begin(folder, schema, scales)
        watched.add(x, ask(scaling.apply(new)))
        watched.end()
        found.append({(each.name, each.test): each.p for each in watched.found})
    assert found[1] == pytest.approx(found[0])


@pytest.mark.parametrize(
    ("rows", "before", "says"),
    [
        (29, 2_000, "29 rows are too few"),
        (1, 2_000, "1 row is too few"),
        (30, 29, "29 validation rows are too few"),
        (30, None, "data/table/validation.npz is not here: `python -m flows train table` makes it"),
    ],
)
def test_too_few_rows_say_so(folder, tmp_path, caplog, rows, before, says):
    (folder.path / "validation.npz").unlink()
    if before:
        validated(folder, table(before, 6))
    watched = Watch()
    watched.begin(folder, TABLE)
    watched.add(table(rows, 8), ask(table(rows, 8)))
    watched.end()
    assert says in watched.unable
    assert (says in caplog.text) == (before is None)
    assert not watched.alarm
    watched.write(tmp_path / "answers.csv")
    assert not (tmp_path / "answers.drift.png").exists()
