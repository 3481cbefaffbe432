"""Where the lines of a section of `params.yaml` stand in its text."""

from __future__ import annotations

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode


def lines_of(text: str, *names: str) -> tuple[int, int] | None:
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
    end = next_line(text, _last_word(text, begin.index, limit))
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


def next_line(text: str, position: int) -> int:
    found = text.find("\n", position)
    return len(text) if found < 0 else found + 1


def blank_line_above(text: str, start: int) -> int:
    """Where the line above begins, if it is empty: `new` writes one."""
    above = text.rfind("\n", 0, max(start - 1, 0)) + 1
    return start if text[above:start].strip() else above


def _own_comments(text: str, end: int, column: int) -> int:
    """The end of the comments behind a section that belong to it: they are indented more."""
    position = end
    while position < len(text):
        following = next_line(text, position)
        line = text[position:following]
        words = line.lstrip(" ")
        own = words.startswith("#") and len(line) - len(words) > column
        if words.strip() and not own:
            break
        end = following if own else end
        position = following
    return end
