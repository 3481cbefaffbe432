"""The file of answers: whole or not there, and never in place of anything but answers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.answers.file import AnswersFile
from tasks.core.step import UserError
from tasks.sources.place import Place

TOLD = pd.DataFrame({"from": ["row 1"], "predicted": [1.5]})
WRITTEN = "from,predicted\nrow 1,1.5\n"


def test_numbers_have_the_digits_that_tell_them_apart(tmp_path):
    chances = np.array([0.1, 1, 6.903749e-06, 1e-10], np.float32)
    actual = [8.3, np.nan, 1e7, 0.1 + 0.2]
    told = pd.DataFrame({"from": list("abcd"), "chance": chances, "actual": actual}, index=[3] * 4)
    file = AnswersFile(tmp_path / "answers.csv", Place(tmp_path / "rows.csv", "rows.csv"))
    with file.open():
        file.add(told)
    lines = "a,0.1,8.3", "b,1,", "c,0.000006903749,10000000", "d,1e-10,0.30000000000000004"
    assert (tmp_path / "answers.csv").read_text().splitlines()[1:] == list(lines)


@pytest.mark.parametrize("count", [1, 10_000])
def test_a_full_disk_is_told_in_one_line_and_what_was_there_stays(tmp_path, count):
    answers = tmp_path / "answers.csv"
    answers.write_text(WRITTEN)
    (tmp_path / ".part.answers.csv").symlink_to("/dev/full")

    file = AnswersFile(answers, Place(tmp_path / "rows.csv", "rows.csv"))
    says = r"answers\.csv: No space left on device\. Nothing was"
    with pytest.raises(UserError, match=says), file.open():
        file.add(pd.concat([TOLD] * count))
    assert answers.read_text() == WRITTEN
    assert [each.name for each in tmp_path.iterdir()] == ["answers.csv"]


@pytest.mark.parametrize("name", ["part-0.csv", "answers.csv"])
def test_answers_do_not_go_into_a_folder_that_is_one_table(tmp_path, name):
    part = tmp_path / "part-0.csv"
    part.write_text("a,b\n1,2\n")
    file = AnswersFile(tmp_path / name, Place(tmp_path, "rows"))
    with pytest.raises(UserError, match="is in the folder with the rows"), file.open():
        file.add(TOLD)
    assert part.read_text() == "a,b\n1,2\n"
    assert [*tmp_path.iterdir()] == [part]


def test_answers_may_lie_beside_images(tmp_path):
    (tmp_path / "one.png").touch()
    file = AnswersFile(tmp_path / "answers.csv", Place(tmp_path, "photos"))
    with file.open():
        file.add(TOLD)
    assert (tmp_path / "answers.csv").read_text() == WRITTEN


def write(path: Path) -> None:
    with AnswersFile(path, Place(path.with_name("rows.csv"), "rows.csv")).open() as file:
        file.add(TOLD)


@pytest.mark.parametrize("before", [None, "", "from,predicted\nrow 7,dog\n"])
def test_it_replaces_earlier_answers(tmp_path, before):
    file = tmp_path / "answers.csv"
    if before is not None:
        file.write_text(before)
    write(file)
    assert file.read_text() == WRITTEN
    assert os.listdir(tmp_path) == ["answers.csv"]


def test_a_link_stays_one(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "answers.csv").symlink_to("there/answers.csv")
    write(tmp_path / "answers.csv")
    assert (tmp_path / "there" / "answers.csv").read_text() == WRITTEN
    assert (tmp_path / "answers.csv").is_symlink()


def test_what_is_no_file_of_answers_is_not_replaced(tmp_path):
    """Such as params.yaml, the training data, or a device."""
    data, device = tmp_path / "data.csv", tmp_path / "device"
    data.write_text("a,b\n1,2\n")
    os.mkfifo(device)
    for place in (data, device):
        with pytest.raises(UserError, match=rf"{place.name} is there and has no answers, so it is"):
            write(place)
    assert data.read_text() == "a,b\n1,2\n"
    assert device.is_fifo()
