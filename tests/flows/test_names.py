"""Names in a user's data are text: no terminal takes them for markup or for commands."""

from __future__ import annotations

import logging
import pickle

import pytest

from flows.command import new as command
from flows.command import plan
from flows.memory import plan as planning
from flows.project.folder import Project
from tasks.core.step import UserError, log, readable
from tests.support.own import put_csv, table
from tests.support.project import new_project

EVIL = "a\x1b[31m\x07b\r\u202ec\n"
SHOWN = r"a\x1b[31m\x07b\r\u202ec\n"


def test_control_characters_are_shown_and_letters_stay():
    assert readable(EVIL) == SHOWN
    for name in ("собака", "🐟 fish", "می\u200cروم", "a b", "[old]", "\\"):
        assert readable(name) == name


def test_messages_and_log_lines_have_no_control_characters(caplog):
    again = pickle.loads(pickle.dumps(UserError(f"{EVIL}two")))
    assert str(again) == SHOWN.replace(r"\n", "\n") + "two"  # a message may have several lines
    with caplog.at_level(logging.INFO, "tasks"):
        log.info("left out %s", EVIL)
    assert caplog.messages == [f"left out {SHOWN}"]


def test_new_shows_a_columns_name_as_it_is_written(tmp_path, monkeypatch, capsys):
    made = new_project(tmp_path / "project")
    monkeypatch.setattr(Project, "here", classmethod(lambda cls: made))
    lines = table(30, **{"w\x1b[2J": lambda row: f"word {row}"})
    assert command.main(["mine", str(put_csv(made.root / "own/in.csv", *lines))]) == 0
    said = capsys.readouterr().out
    assert r"w\x1b[2J" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("path", ["own/[old]/in.csv", "own/[bold]x[/bold]", "own/:smile:"])
def test_a_path_in_the_plan_is_no_markup(tmp_path, monkeypatch, capsys, path):
    step = planning.Plan("load", "load@x", (), "run", (f"{path} changed",))
    monkeypatch.setattr(planning, "plan", lambda *how: [step])
    monkeypatch.setattr(plan, "warn_of_losses", lambda project: None)
    plan.show(new_project(tmp_path / "project"), "fashion", force=False)
    assert f"{path} changed" in capsys.readouterr().out
