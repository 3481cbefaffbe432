"""`params.yaml` as text: a section is added or taken out, and every other byte stays as it is."""

from __future__ import annotations

import io
import re
from typing import Any

from ruamel.yaml import YAML, CommentedMap, YAMLError

from flows.project import params
from flows.project.mistakes import near
from flows.project.params import FILE
from flows.project.section_lines import blank_line_above, lines_of, next_line
from tasks.core.step import UserError

BY_HAND = "Edit it by hand; `git diff` shows what was changed."


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
        place = next_line(text, head.start())
        longer = f"{text[: head.start()]}sweeps:{text[head.end() : place]}{own}{text[place:]}"
    elif head:
        *_, last = before["sweeps"]
        _, place = lines_of(text, "sweeps", str(last)) or (0, 0)
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

    found = lines_of(text, part, name)
    if found:
        start, end = found
        shorter = text[: blank_line_above(text, start)] + text[end:]
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
    expected, place = content(text), lines_of(text, "release")
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
