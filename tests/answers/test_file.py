"""The file of answers: whole or not there, and never in place of the rows."""

from __future__ import annotations

import pandas as pd
import pytest

from tasks.answers.file import AnswersFile
from tasks.core.step import UserError
from tasks.sources.base import Place

TOLD = pd.DataFrame({"from": ["row 1"], "predicted": [1.5]})


@pytest.mark.parametrize("count", [1, 10_000])
def test_a_full_disk_is_told_in_one_line_and_what_was_there_stays(tmp_path, count):
    answers = tmp_path / "answers.csv"
    answers.write_text("of yesterday\n")
    (tmp_path / ".part.answers.csv").symlink_to("/dev/full")

    file = AnswersFile(answers, Place(tmp_path / "rows.csv", "rows.csv"))
    says = r"answers\.csv: No space left on device\. Nothing was"
    with pytest.raises(UserError, match=says), file.open():
        file.add(pd.concat([TOLD] * count))
    assert answers.read_text() == "of yesterday\n"
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
    assert (tmp_path / "answers.csv").read_text() == "from,predicted\nrow 1,1.5\n"
