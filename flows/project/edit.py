"""`params.yaml` as text: a section is added or taken out, and every other byte stays as it is."""

from __future__ import annotations

import fcntl
import io
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, CommentedMap, YAMLError
from ruamel.yaml.nodes import MappingNode

from flows.project import params
from flows.project.mistakes import near
from flows.project.params import FILE
from tasks.core.step import UserError

BY_HAND = "Edit it by hand; `git diff` shows what was changed."


def text_of(file: Path) -> str:
    """The file with its line endings as they are."""
    try:
        return file.read_bytes().decode("utf-8")
    except FileNotFoundError:
        lost = f"{file.name} is missing. `git checkout {file.name}` brings it back."
        raise UserError(lost) from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file.name} is not UTF-8: {error.reason} at byte {error.start:,}. Save it as UTF-8."
        ) from None


def content(text: str) -> dict[str, Any]:
    """The file's text as YAML has it."""
    found = params.content(text)
    pipelines = found.get("pipelines", "") if isinstance(found, dict) else ""
    if pipelines is not None and not isinstance(pipelines, dict):
        raise UserError(
            f"{FILE} has no part `pipelines:` with a section for each pipeline. "
            f"`git diff {FILE}` shows what was changed: put it back."
        )
    return found


def with_section(text: str, name: str, lines: list[str], values: dict[str, Any]) -> str:
    """The text with one more section at its end.

    Args:
        text: of params.yaml.
        name: of the pipeline, which is not there yet.
        lines: the section, its name first, as they stand in a file whose sections begin two
            columns from the left.
        values: what the section must say when it is read again.

    Raises:
        UserError: the result would not be the same file with one more pipeline.
    """
    expected = content(text)
    expected["pipelines"] = {**(expected["pipelines"] or {}), name: values}

    end = "\r\n" if "\r\n" in text else "\n"
    gap = "" if text.endswith("\n") else end
    longer = text + gap + end + "".join(f"{line}{end}" for line in lines)
    if _same(longer, expected):
        return longer
    raise UserError(
        f"{FILE} cannot be continued with a section `{name}`. Expected `defaults:` as it came with "
        "the project, then `pipelines:` as the last part, each name in it two spaces from the "
        f"left. {BY_HAND}"
    )


def with_sweep(text: str, name: str, lines: list[str], values: dict[str, Any]) -> str:
    """The text with one more sweep, in the part `sweeps:`, which stands before `pipelines:`.

    Args:
        text: of params.yaml.
        name: of the pipeline, which has no sweep yet.
        lines: the sweep, its name first, two columns from the left.
        values: what it must say when it is read again.

    Raises:
        UserError: the result would not be the same file with one more sweep.
    """
    before = content(text)
    expected = {**before, "sweeps": {**params.part(before, "sweeps"), name: values}}
    end = "\r\n" if "\r\n" in text else "\n"
    own = "".join(f"{line}{end}" for line in lines)

    head = re.search(r"^sweeps:[ \t]*({}|null)?", text, re.MULTILINE)
    first = re.search(r"^pipelines:", text, re.MULTILINE)
    if head and not before.get("sweeps"):
        place = _next_line(text, head.start())
        longer = f"{text[: head.start()]}sweeps:{text[head.end() : place]}{own}{text[place:]}"
    elif head:
        *_, last = before["sweeps"]
        _, place = _lines_of(text, "sweeps", str(last)) or (0, 0)
        longer = f"{text[:place]}{own}{text[place:]}"
    else:
        place = first.start() if first else 0
        longer = f"{text[:place]}sweeps:{end}{own}{end}{text[place:]}"
    if _same(longer, expected):
        return longer
    raise UserError(
        f"{FILE} cannot be continued with a sweep of `{name}`. Expected a part `sweeps:` before "
        f"`pipelines:`, each name in it two spaces from the left. {BY_HAND}"
    )


def without(text: str, name: str, part: str = "pipelines") -> str:
    """The text without a pipeline's section, and without the empty line above it.

    A comment inside the section goes with it. So does one behind it that is indented more than
    the pipeline's name. Other comments stay.

    Args:
        text: of params.yaml.
        name: of the pipeline.
        part: in which it stands: `sweeps` takes out its sweep alone, `release` what leaves.

    Raises:
        UserError: there is no such pipeline, or the result would not be the same file without it.
    """
    expected = content(text)
    there = expected[part] or {}
    if name not in there:
        known = [str(key) for key in there]
        raise UserError(
            f"{FILE}: no pipeline `{name}`.{near(name, known)} It has: "
            f"{', '.join(known) or 'nothing'}."
        )
    expected[part] = {key: value for key, value in there.items() if key != name}

    found = _lines_of(text, part, name)
    if found:
        start, end = found
        shorter = text[: _blank_line_above(text, start)] + text[end:]
        if part != "pipelines" and not expected[part]:  # DVC reads it: a mapping
            shorter = re.sub(rf"^{part}:", f"{part}: {{}}", shorter, count=1, flags=re.MULTILINE)
        if _same(shorter, expected):
            return shorter
    raise UserError(
        f"{FILE}: the section `{name}` cannot be taken out by itself: the others under `{part}` "
        "would not stay the same. Is there an anchor (`&`) in it that another one uses, or does it "
        f"share a line with another one? {BY_HAND}"
    )


def with_release(text: str, name: str, part: str, values: dict[str, Any]) -> str:
    """The text with a part of a pipeline's entry under `release:`.

    Args:
        text: of params.yaml.
        name: of the pipeline.
        part: a stage of release/dvc.yaml, such as `export`.
        values: its parameters, in place of those that are there.

    Raises:
        UserError: there is no `release:`, or the result would not be the same file with this entry.
    """
    expected, place = content(text), _lines_of(text, "release")
    entries = expected.get("release")
    entry = entries.get(name) if isinstance(entries, dict) else None
    if place is None or not isinstance(entries, dict) or not isinstance(entry or {}, dict):
        raise UserError(
            f"{FILE} has no part `release:` with an entry for each pipeline that leaves the "
            "project. Write a line `release: {}` above `pipelines:`."
        )
    entries[name] = {**(entry or {}), part: values}

    start, end = place
    yaml, block = YAML(), io.StringIO()
    yaml.preserve_quotes, yaml.width = True, 4096
    by_hand = UserError(f"{FILE}: its part `release:` cannot be changed by a program. {BY_HAND}")
    try:
        lines = yaml.load(text[start:end])
    except YAMLError:  # an anchor that stands elsewhere
        raise by_hand from None
    lines["release"].fa.set_block_style()
    if not lines["release"].get(name):
        lines["release"][name] = CommentedMap()
    lines["release"][name][part] = CommentedMap(values)
    lines["release"][name][part].fa.set_flow_style()
    yaml.dump(lines, block)

    written = block.getvalue().replace("\n", "\r\n" if "\r\n" in text else "\n")
    other = text[:start] + written + text[end:]
    if not _same(other, expected):
        raise by_hand
    return other


def change(file: Path, changed: Callable[[str], str]) -> None:
    """Make another text of a file's text. Of two processes the second gets the text of the first.

    Raises:
        UserError: whatever `changed` raises. The file is what it was.
    """
    folder = os.open(file.resolve().parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # a drive that has no locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        before = text_of(file)
        if (after := changed(before)) != before:
            write(file, after)
    finally:
        os.close(folder)


def write(file: Path, text: str) -> None:
    """Replace a file as a whole, when the new one is on disk."""
    file = file.resolve()  # a symbolic link stays one
    part = file.with_name(f".part.{file.name}")
    try:
        with open(part, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        shutil.copymode(file, part)
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)


def _same(text: str, expected: dict[str, Any]) -> bool:
    """Whether a text says what it should; in each part in that order."""
    try:
        found = content(text)
    except UserError:
        return False
    for each in (found, expected):
        each["pipelines"] = each["pipelines"] or {}
    # Not ==: NaN is unequal to itself, and 1 equal to true.
    return sorted(map(repr, found.items())) == sorted(map(repr, expected.items()))


def _lines_of(text: str, *names: str) -> tuple[int, int] | None:
    """Where the lines of a section begin and end: positions in the text.

    None if a merge (`<<`) has brought it there: then it has no lines of its own.

    Args:
        text: of params.yaml.
        names: of the section, and before it of those that it is in.
    """
    parent = YAML(typ="safe", pure=True).compose(text)
    *above, name = names
    for each in above:
        parent = parent and _value(parent, each)
    marks = {key.value: key.start_mark for key, _ in parent.value} if parent else {}
    if name not in marks:
        return None
    begin = marks[name]
    after = [mark.index for mark in marks.values() if mark.index > begin.index]
    limit = after[0] if after else parent.end_mark.index

    start = text.rfind("\n", 0, begin.index) + 1
    end = _next_line(text, _last_word(text, begin.index, limit))
    return start, _own_comments(text, end, begin.column)


def _value(node: MappingNode, key: str) -> MappingNode | None:
    return next((value for each, value in node.value if each.value == key), None)


def _last_word(text: str, start: int, limit: int) -> int:
    """Where the last word of YAML ends in a part of the text; comments are none."""
    words = [
        event.end_mark.index
        for event in YAML(typ="safe", pure=True).parse(text)
        if start <= event.start_mark.index < limit
        and event.end_mark.index > event.start_mark.index  # the end of a block has no width
    ]
    return len(text[: max(words)].rstrip())  # a text of several lines ends with its line ending


def _next_line(text: str, position: int) -> int:
    found = text.find("\n", position)
    return len(text) if found < 0 else found + 1


def _blank_line_above(text: str, start: int) -> int:
    """Where the line above begins, if it is empty: `new` writes one."""
    above = text.rfind("\n", 0, max(start - 1, 0)) + 1
    return start if text[above:start].strip() else above


def _own_comments(text: str, end: int, column: int) -> int:
    """The end of the comments behind a section that belong to it: they are indented more."""
    position = end
    while position < len(text):
        following = _next_line(text, position)
        line = text[position:following]
        words = line.lstrip(" ")
        own = words.startswith("#") and len(line) - len(words) > column
        if words.strip() and not own:
            break
        end = following if own else end
        position = following
    return end
