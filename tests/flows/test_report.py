"""What a run's pages in Prefect's UI say."""

from __future__ import annotations

from flows.server.markdown import listed
from flows.server.report import _compared, _warnings


def test_a_first_run_has_no_empty_columns():
    assert _compared({"test_mae": 0.5}, {}).splitlines()[0] == "| metric | this run |"
    head, _, row = _compared({"test_mae": 0.5}, {"test_mae": 0.7}).splitlines()
    assert head == "| metric | this run | last run | difference |"
    assert row == "| test_mae | 0.5 | 0.7 | -0.2 |"


def test_sentences_are_a_list_as_a_table_would_be_cut():
    row = ("near-duplicates", "ok", "none of *10* rows")
    assert listed([row]) == "- **near-duplicates** ok: none of \\*10\\* rows"


def test_the_checks_that_warn_are_named_in_one_line():
    found = [{"check": "labels", "result": "ok"}, {"check": "leaks", "result": "warning"}]
    assert _warnings(found) == "1 of 2 checks warn: leaks"
    assert _warnings(found[:1]) == "all ok"
