"""`sweep.csv` and `sweep.png`."""

from __future__ import annotations

import pytest

from flows.project.sweeps import Range
from tasks.core.folder import Folder
from tasks.sweeps import picture
from tasks.sweeps.table import Row, write

SPACE = {
    "compile.learning_rate": Range(low=0.001, high=1.0, log=True),
    "build.dropout": Range(low=0.0, high=0.5, log=False),
    "build.hidden": [[64, 32], [128, 64]],
}
VALUES = {"compile.learning_rate": 0.01, "build.dropout": 0.25, "build.hidden": [64, 32]}
ROWS = [
    Row(1, "done", 0.5, 3, 9, VALUES, ""),
    Row(2, "failed", None, None, None, {**VALUES, "build.hidden": [128, 64]}, "it has diverged"),
    Row(3, "stopped early", 0.9, 1, 3, {"compile.learning_rate": 1.0, "build.dropout": 0.0}, ""),
    Row(4, "done", 0.4, 9, 9, {**VALUES, "compile.learning_rate": 0.003}, ""),
]


def test_the_table_has_a_row_for_each_trial_and_nothing_where_nothing_is(tmp_path):
    write(Folder(tmp_path), ROWS, "val_loss", list(SPACE))
    assert (tmp_path / "sweep.csv").read_text().splitlines() == [
        "trial,state,val_loss,best_epoch,epochs,"
        "compile.learning_rate,build.dropout,build.hidden,says",
        '1,done,0.5,3,9,0.01,0.25,"[64, 32]",',
        '2,failed,,,,0.01,0.25,"[128, 64]",it has diverged',
        "3,stopped early,0.9,1,3,1.0,0.0,,",
        '4,done,0.4,9,9,0.003,0.25,"[64, 32]",',
    ]


@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("rows", [ROWS, ROWS[:1]], ids=["several", "one"])
def test_the_picture_of_the_same_trials_has_the_same_bytes(tmp_path, rows, maximize):
    drawn = []
    for place in ("one", "other"):
        folder = Folder(tmp_path / place)
        picture.draw(folder, rows, "val_loss", maximize, SPACE, {"build.dropout": 1.0})
        drawn.append((folder.path / "sweep.png").read_bytes())
    assert drawn[0] == drawn[1]
    assert drawn[0].startswith(b"\x89PNG")


@pytest.mark.parametrize("maximize", [False, True])
def test_a_trial_that_was_stopped_early_is_not_drawn_as_the_best(tmp_path, monkeypatch, maximize):
    rows = [
        Row(1, "stopped early", 1.0 if maximize else 0.1, 1, 3, VALUES, ""),
        Row(2, "done", 0.5, 3, 9, {**VALUES, "build.dropout": 0.5}, ""),
    ]
    drawn: list = []
    monkeypatch.setattr(picture, "save", lambda folder, name, figure, **_: drawn.append(figure))
    picture.draw(Folder(tmp_path), rows, "val_loss", maximize, SPACE, {})

    lines = drawn[0].axes[2].lines
    (best,) = [line for line in lines if line.get_color() == picture.ORANGE]
    assert max(best.get_ydata()) == 1.0, "the dropout of trial 2 is the highest"


def test_large_losses_are_short_on_every_axis(tmp_path, monkeypatch):
    """As those of prices are: no `1e9` stands at the end of an axis."""
    drawn = []
    monkeypatch.setattr(picture, "save", lambda folder, name, figure, **how: drawn.append(figure))
    rows = [row._replace(value=row.value and row.value * 1e10) for row in ROWS]
    picture.draw(Folder(tmp_path), rows, "val_loss", False, SPACE, {})
    drawn[0].canvas.draw()
    ends = [axes.yaxis.get_offset_text().get_text() for axes in drawn[0].axes]
    assert ends == [""] * len(ends)
