"""Add a pipeline on your own data: one section at the end of params.yaml."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from rich.text import Text
from ruamel.yaml import YAML

from flows.command.help import command_line
from flows.command.terminal import plain_errors, say
from flows.guess import guess
from flows.guess.section import Proposal, Question
from flows.project import edit, textfile
from flows.project.folder import Project
from flows.project.mistakes import near
from tasks.core.folder import Folder
from tasks.core.step import UserError, readable
from tasks.sources.dialect import SEPARATORS
from tasks.sources.numbers import MARKS

EXAMPLE = """\
example:
  python -m flows new digits path/to/data

It looks at the data, chooses parameters to begin with, and prints its guesses. Nothing is
trained. `python -m flows remove digits` takes the section out again."""
OPTIONS = (
    ("target", "COLUMN", "of a table: the column to predict"),
    ("task", "TASK", "of a table or an .npz file: classes or regression"),
    ("separator", "SIGN", "of a table: , or ; or tab, or another one"),
    ("decimal", "MARK", "of a table: . or ,"),
    ("broken", "HOW", "images that cannot be read: refuse or skip"),
)
ASKED = {"target": "the column to predict", "task": "what it is"}
SHOWN = 20  # answers in a list
CHOICES = {"task": ("classes", "regression"), "decimal": MARKS, "broken": ("refuse", "skip")}
NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
# DVC's own words in dvc.yaml, and the folder in data/ of what comes with the project.
RESERVED = ("item", "key", "pipelines", "built-in")


def main(arguments: list[str]) -> int:
    options = vars(_parser().parse_args(arguments))
    name, data = options.pop("name"), options.pop("data")
    chosen = {key: value for key, value in options.items() if value}
    with plain_errors() as end:
        found = asking(Project.here(), name, data, chosen)
        for line in told(name, found):
            say(Text(line), len("  - ") if line.startswith("  - ") else 0)
    return end.code


def asking(project: Project, name: str, data: str, chosen: dict[str, str]) -> Proposal:
    """As `new`; on a terminal a person answers what the data does not tell."""
    while True:
        try:
            return new(project, name, data, **chosen)
        except Question as question:
            if not sys.stdin.isatty():
                raise
            print(str(question).partition(" Expected")[0])
            try:
                chosen[question.key] = answer(question)
            except (EOFError, KeyboardInterrupt):
                print()  # ends the line of the prompt
                raise KeyboardInterrupt from None


def answer(question: Question) -> str:
    """One of the answers, as a person types it: it or its number."""
    numbered = dict(enumerate(question.answers, start=1))
    for number, each in numbered.items():
        if number <= SHOWN or number == len(numbered):
            print(f"  {number:3}  {readable(each)}")

    typed = ""
    while typed not in question.answers:
        typed = input(f"{ASKED.get(question.key, question.key)} (or its number): ").strip()
        if typed.isdecimal() and typed not in question.answers:
            typed = numbered.get(int(typed), typed)
        if typed and typed not in question.answers:
            print(f"There is no `{readable(typed)}`.{near(typed, list(question.answers))}")
    return typed


def new(project: Project, name: str, data: str, **chosen: str) -> Proposal:
    """Write a section for a user's data at the end of params.yaml; nothing else is touched.

    Args:
        project: the project to add it to.
        name: of the pipeline.
        data: a file or a folder, as a person types it.
        chosen: keys of `load` with values that a person has chosen: `target`, `task`.

    Raises:
        UserError: the name or the data cannot be used. Nothing was written.
    """
    typed = Path(os.path.expanduser(data))
    place = Path(os.path.abspath(typed))  # not resolve: a link stays one
    check_name(name, textfile.text_of(project.params_file))
    check_place(project, name, place)

    stays = typed.is_absolute() and not place.is_relative_to(project.root)
    path = place if stays else Path(os.path.relpath(place, project.root))
    found = guess(Folder(project.data(name)), path.as_posix(), **chosen)

    def longer(text: str) -> str:  # of now: to look at the data may have taken a while
        check_name(name, text)
        defaults = edit.content(text).get("defaults") or {}
        anchors = re.findall(r": &([\w-]+)", text)
        lines, values = found.lines(name, defaults, anchors), found.values(defaults)
        return edit.with_section(text, name, lines, values)

    textfile.change(project.params_file, longer)
    return found


def check_name(name: str, text: str) -> None:
    """Refuse a name that is taken in the text of params.yaml, or cannot be one."""
    pipelines = [str(other) for other in edit.content(text)["pipelines"] or {}]
    if not NAME.fullmatch(name) or name in RESERVED or YAML(typ="safe").load(name) != name:
        raise UserError(
            f"`{name}` cannot be a pipeline's name. Expected a small letter, then at most 39 small "
            f"letters, digits, - and _; none of {', '.join(RESERVED)}, and nothing that YAML reads "
            "as another value, such as `true`. Take another name."
        )
    if name in pipelines:
        raise UserError(
            f"{edit.FILE} has a pipeline `{name}` already. Take another name, or take that one "
            f"out first: `python -m flows remove {name}`."
        )
    for other in pipelines:
        if other.replace("_", "-") == name.replace("_", "-"):
            raise UserError(
                f"In Prefect's UI `{name}` and `{other}` would be called the same. "
                "Take another name."
            )


def check_place(project: Project, name: str, data: Path) -> None:
    """Refuse data that the pipeline would write into."""
    # Not `resolve`, which refuses a link that leads to itself.
    own, data = (Path(os.path.realpath(path)) for path in (project.data(name), data))
    if own.is_relative_to(data) or data.is_relative_to(own):
        raise UserError(
            f"The pipeline `{name}` will write into data/{name}, and {data.name} is there. "
            "Move your data to a folder of its own."
        )


def told(name: str, found: Proposal) -> list[str]:
    """What a person sees: what was found, what to check, what to type next."""
    return [
        f"{name}: {found.about}",
        f"{edit.FILE} has a new section for it, the last one. Check these guesses there:",
        *(f"  - {readable(note)}" for note in [*found.notes, *_outside(found.load["path"])]),
        f"python -m flows plan {name}     # what would run",
        f"python -m flows train {name}    # run it",
        f"python -m flows sweep {name}    # then look for better parameters",
    ]


def _separator(typed: str) -> str:
    found = {"tab": "\t", "\\t": "\t", "space": " "}.get(typed, typed)
    if found not in SEPARATORS:
        known = " ".join(each for each in SEPARATORS if each.strip())
        raise argparse.ArgumentTypeError(f"got `{typed}`, expected one of {known} tab space")
    return found


def _outside(path: str) -> list[str]:
    """What a colleague would miss."""
    if not (os.path.isabs(path) or path.startswith("../")):
        return []
    copy = f"datasets/{os.path.basename(path)}"
    return [
        f"the data lie outside the project, so a clone will not have them. To share them, copy "
        f"them to `{copy}`, type `dvc add {copy}`, and set load.path to it"
    ]


def _parser() -> argparse.ArgumentParser:
    parser = command_line("new", __doc__, EXAMPLE)
    parser.add_argument("name", help="of the pipeline: small letters, digits, - and _")
    parser.add_argument("data", help="a table, an .npz file, or a folder of images, IDX or CSV")
    for option, metavar, says in OPTIONS:
        kind = _separator if option == "separator" else str
        parser.add_argument(
            f"--{option}",
            metavar=metavar,
            type=kind,
            choices=CHOICES.get(option),
            help=says,
        )
    return parser
