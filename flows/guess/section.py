"""What is proposed for a user's data: the section of a pipeline, and how params.yaml says it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML, YAMLError

from flows.project.steps import meaning
from tasks.core.step import UserError

WIDTH = 100  # columns of a line with a comment
# What a section starts from: an anchor of `defaults:`. That of `build` is the family's name.
ANCHORS = {
    "normalize": "normalize",
    "visualize": "visualize",
    "compile": "adam",
    "fit": "fit",
    "evaluate": "evaluate",
    "run": "run",
}


class Question(UserError):
    """What the data does not tell, and a person must.

    Args:
        says: the question, and how to answer it on the command line.
        key: of `load`.
        answers: that are possible.
    """

    def __init__(self, says: str, key: str, answers: list[str]) -> None:
        super().__init__(says)
        self.key = key
        self.answers = answers


@dataclass(frozen=True)
class Proposal:
    """A pipeline to begin with, and what a person should look at.

    Args:
        about: one line: what the data is.
        load: every key of the section `load`.
        wanted: for every other section the values that suit the data; what is not named is left
            to the defaults.
        reasons: why a value was chosen, by section and key such as `fit.epochs`.
        notes: guesses that a person should check.
    """

    about: str
    load: dict[str, Any]
    wanted: dict[str, dict[str, Any]]
    reasons: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def values(self, defaults: dict[str, Any]) -> dict[str, Any]:
        """What the section says when it is read: the defaults and what differs from them."""
        merged = {"load": self.load}
        for section, wanted in self.wanted.items():
            default = self._default(section, defaults)
            changed = _changed(wanted, default)
            merged[section] = {**default, **changed}
        return merged

    def lines(self, name: str, defaults: dict[str, Any], anchors: Collection[str]) -> list[str]:
        """The section as YAML. It says only what differs from the defaults.

        Args:
            name: of the pipeline.
            defaults: the part `defaults:` of params.yaml.
            anchors: that params.yaml has. DVC, as it edits the file, drops those that no pipeline
                uses; then the section says all keys.

        Raises:
            UserError: the defaults have no part that a section starts from.
        """
        written = [f"  {name}: # {self.about}", "    load:"]
        written += self._keys("load", self.load)
        for section, wanted in self.wanted.items():
            anchor, default = self._anchor(section), self._default(section, defaults)
            changed = _changed(wanted, default)
            written.append(f"    {section}:")
            if anchor in anchors:
                written += [f"      <<: *{anchor}", *self._keys(section, changed)]
            else:
                written += self._keys(section, {**default, **changed})
        return written

    def _anchor(self, section: str) -> str:
        if section != "build":
            return ANCHORS[section]
        family = self.wanted["build"]["family"]
        return "mlp" if family == "table" else family  # they have the same keys

    def _default(self, section: str, defaults: dict[str, Any]) -> dict[str, Any]:
        anchor = self._anchor(section)
        if not isinstance(defaults.get(anchor), dict):
            raise UserError(
                f"params.yaml: no defaults.{anchor}, which a section `{section}` starts from. "
                "`git diff params.yaml` shows what was changed: put it back."
            )
        return defaults[anchor]

    def _keys(self, section: str, values: dict[str, Any]) -> list[str]:
        """A line for each key, with the reason for its value or else its meaning."""
        chosen = self.load["source"] if section == "load" else self._anchor(section)
        lines = []
        for key, value in values.items():
            comment = self.reasons.get(f"{section}.{key}") or meaning(section, chosen, key)
            lines += commented(f"      {key}: {word(value)}", comment)
        return lines


def word(value: Any) -> str:
    """A value as YAML in one line, without quotes where they are not needed."""
    try:
        if isinstance(value, str) and YAML(typ="safe").load(f"key: {value}") == {"key": value}:
            return value
    except YAMLError:
        pass
    return json.dumps(value, ensure_ascii=False)


def commented(line: str, comment: str) -> list[str]:
    """A line with its comment behind it, or above it where it is too long for that."""
    begin = f"{' ' * (len(line) - len(line.lstrip()))}# "
    if not comment:
        return [line]
    if len(line) + len(comment) + 3 <= WIDTH:
        return [f"{line} # {comment}"]
    above = textwrap.wrap(
        comment,
        WIDTH,
        initial_indent=begin,
        subsequent_indent=begin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [*above, line]


def _changed(wanted: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in wanted.items() if key not in default or default[key] != value
    }
