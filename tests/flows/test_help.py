"""`--help`: read in a terminal of 80 columns, no line is broken and examples stay lines."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module

import pytest

from flows.__main__ import VERBS, main

WIDE, HIGH = 80, 27


def help_of(capsys, *words: str) -> str:
    with suppress(SystemExit):
        main([*words, "--help"])
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", str(WIDE))


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_fits_on_a_screen(capsys, verb):
    first, *more = help_of(capsys, *verb.split()).splitlines()
    assert first.startswith(f"usage: python -m flows {verb}")
    assert len(more) < HIGH
    assert not [line for line in more if len(line) > WIDE]


def test_only_what_is_required_is_called_required(capsys):
    with pytest.raises(SystemExit):
        main(["train"])
    assert capsys.readouterr().err.endswith("the following arguments are required: pipeline\n")


@pytest.mark.parametrize("verb", VERBS)
def test_examples_are_lines_of_their_own(capsys, verb):
    given = getattr(import_module(f"flows.command.{verb}"), "EXAMPLE", "")
    said = help_of(capsys, verb).splitlines()
    examples = [line.split("   ")[0] for line in given.splitlines() if line.startswith("  ")]
    for example in filter(lambda line: "..." not in line and len(line) < WIDE - 2, examples):
        assert any(line.startswith(example) for line in said), example
