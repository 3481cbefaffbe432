"""Step 3, visualize: draw what the model will see, `samples.png`, and which test rows are hardly new, `twins.png`."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from tasks.core.arrays import classes_of, empty, read_arrays
from tasks.core.folder import Folder
from tasks.core.step import Section, log
from tasks.rows import near_duplicates as twins

ROWS, COLUMNS = 2, 5
LISTED = 20  # twins in twins.json; the count beside them is of all
FEATURES = 12  # of a table's twins that are drawn


class Params(Section):
    near: Annotated[float, Field(ge=0)] | None = Field(
        description="A test row is a near twin of a training row when the root mean square of the differences of their "
        "values, as the model sees them, is at most this. Null or 0 does not look."
    )


def visualize(folder: Folder, params: Params) -> str:
    """Read `normalized.npz`; draw some of it, and show the test rows with a near twin among the training rows.

    `samples.png` has the first ten training images with their labels; of a table up to ten features with what they tell
    of the labels, and of a single one all points. `twins.png` has the closest twins; `twins.json` what was found in
    words, the `count`, and the closest `rows`, numbered from 0 as in `raw.npz`.

    Args:
        folder: the pipeline's folder.
        params: see `Params`.

    Raises:
        UserError: `normalized.npz` is missing or damaged.
    """
    schema = folder.read_json("schema.json")
    said = _samples(folder, schema)
    if params.near:
        says, count, rows = _twins(folder, schema, params.near)
    else:
        says, count, rows = f"not looked for: visualize.near is {'null' if params.near is None else 0}", 0, []
    if not rows:
        _sentence(folder, f"near twins: {says}")
    result = "warning" if count else "ok" if params.near else "skipped"
    content = {"check": "near twins", "result": result, "says": says, "count": count, "rows": rows}
    folder.write_json("twins.json", content)
    return f"{said}; near twins: {says}" if params.near else said


def _samples(folder: Folder, schema: dict) -> str:
    from tasks.pictures import tables  # here: Matplotlib takes a second to import
    from tasks.pictures.style import BLUE, figure, label, limits, picture, plain, save

    x, y = read_arrays(folder, "normalized.npz", "x_train", "y_train")
    regression = schema["labels"] == "regression"
    if x.ndim == 2 and (x.shape[1] > 1 or not regression):
        return tables.samples(folder, x, y, schema)
    if x.ndim == 2:
        drawn = figure(6, 4)
        axes = drawn.subplots()
        axes.scatter(x[:, 0], y, color=BLUE)
        axes.set(xlabel=tables.single(schema), ylabel="y", title=f"{len(x):,} points to train on")
        plain(axes)
        save(folder, "samples.png", drawn)
        return f"{len(x):,} points in samples.png"

    labels = y.reshape(-1) if regression else classes_of(y)
    between = limits(x)
    drawn = figure(2 * COLUMNS, 2.3 * ROWS)
    shown = min(len(x), ROWS * COLUMNS)
    for number, axes in enumerate(drawn.subplots(ROWS, COLUMNS).flat):
        axes.set_axis_off()
        if number < shown:
            of = labels[number]
            title = f"{of:g}" if regression else f"{label(schema['class_names'][of])} ({of})"
            picture(axes, x[number], between)
            axes.set_title(title, fontsize=11)
    save(folder, "samples.png", drawn)
    return f"the first {shown} training images in samples.png"


def _twins(folder: Folder, schema: dict, near: float) -> tuple[str, int, list[dict]]:
    """Find the near twins, and draw the closest: what to say of them, how many there are, and the closest."""
    x_train, y_train = _training_rows(folder)
    x_test, y_test = read_arrays(folder, "normalized.npz", "x_test", "y_test")
    found = twins.find(x_train, x_test, near)
    count, looked = len(found.test), len(range(0, len(x_test), found.step))
    some = f" (one in {found.step} of {len(x_test):,}, as all would take minutes)" if found.step > 1 else ""
    says = f"{count or 'none'} of {looked:,} test rows{some} within {near:g} of a training row"
    if count or some:
        log.warning("near twins: %s", says)
    places = read_arrays(folder, "normalized.npz", "from_train?", "from_test?")
    rows = []
    for test, train, distance in zip(found.test[:LISTED], found.train[:LISTED], found.distance[:LISTED], strict=True):
        labels = {"train label": _in_words(schema, y_train[train]), "test label": _in_words(schema, y_test[test])}
        pair = {"distance": float(distance), "train": int(train), "test": int(test), **labels}
        if places[0] is not None:
            pair |= {"train from": str(places[0][train]), "test from": str(places[1][test])}
        rows.append(pair)
    if rows and x_train.ndim > 2:
        _draw_images(folder, rows[:COLUMNS], x_train, x_test)
    elif rows:
        _draw_features(folder, rows[:COLUMNS], x_train, x_test, schema.get("feature_names"))
    return says, count, rows


def _training_rows(folder: Folder) -> tuple[np.ndarray, np.ndarray]:
    """`x_train` and `y_train` as `raw.npz` numbers them, validation rows among them: they were seen too."""
    train, val = read_arrays(folder, "normalized.npz", "row_train", "row_val?")
    places = {"train": train} if val is None else {"train": train, "val": val}
    both = []
    for name in "xy":
        whole = None
        for split, rows in places.items():
            (part,) = read_arrays(folder, "normalized.npz", f"{name}_{split}")
            if whole is None:
                whole = empty((sum(map(len, places.values())), *part.shape[1:]), part.dtype)
            whole[rows] = part
        both.append(whole)
    return tuple(both)


def _in_words(schema: dict, label: np.ndarray) -> str:
    if schema["labels"] == "regression":
        return f"{np.squeeze(label):g}"
    return schema["class_names"][classes_of(label[None])[0]]


def _sentence(folder: Folder, text: str) -> None:
    from tasks.pictures.style import GRAY, figure, save

    drawn = figure(7, 0.8)
    drawn.text(0.5, 0.5, text, ha="center", va="center", color=GRAY, fontsize=12)
    save(folder, "twins.png", drawn)


def _draw_images(folder: Folder, pairs: list[dict], x_train: np.ndarray, x_test: np.ndarray) -> None:
    """The training images above, the test images below."""
    from tasks.pictures.style import figure, label, limits, picture, save

    between = limits(
        np.stack([x[pair[split]] for pair in pairs for split, x in (("train", x_train), ("test", x_test))])
    )
    across = max(len(pairs), 2)
    drawn = figure(2 * across, 5.2)
    grid = drawn.subplots(2, across)
    for axes in grid.flat:
        axes.set_axis_off()
    for pair, column in zip(pairs, grid.T, strict=False):
        for split, x, axes in zip(("train", "test"), (x_train, x_test), column, strict=True):
            picture(axes, x[pair[split]], between)
            axes.set_title(f"{label(pair[f'{split} label'])}\n{split} {pair[split]:,}", fontsize=10)
        column[0].set_title(f"{pair['distance']:.2g} apart\n{column[0].get_title()}", fontsize=10)
    save(folder, "twins.png", drawn)


def _draw_features(folder: Folder, pairs: list[dict], x_train, x_test, names: list[str] | None) -> None:
    """The features that differ most, as bars: of the training row, and of the test row."""
    from tasks.pictures.style import BLUE, ORANGE, figure, label, plain, save

    rows = [(x_train[pair["train"]], x_test[pair["test"]]) for pair in pairs]
    apart = np.mean([np.abs(one - other) for one, other in rows], axis=0)
    shown = np.argsort(-apart, kind="stable")[:FEATURES]
    drawn = figure(1.5 + 2.2 * len(pairs), 1.8 + 0.35 * len(shown))
    place = np.arange(len(shown))
    for pair, (one, other), axes in zip(
        pairs, rows, np.atleast_1d(drawn.subplots(1, len(pairs), sharey=True)), strict=True
    ):
        bars = [axes.barh(place - 0.2, one[shown], 0.4, color=BLUE, label="train")]
        bars += [axes.barh(place + 0.2, other[shown], 0.4, color=ORANGE, label="test")]
        lines = [
            f"{pair['distance']:.2g} apart",
            *(f"{s} {pair[s]:,}: {label(pair[f'{s} label'])}" for s in ("train", "test")),
        ]
        axes.set_title("\n".join(lines), fontsize=9)
        axes.set_yticks(place, [label(names[k]) if names else f"feature {k}" for k in shown])
        plain(axes)
    axes.invert_yaxis()
    drawn.legend(handles=bars, loc="outside lower center", ncols=2, frameon=False)
    save(folder, "twins.png", drawn)
