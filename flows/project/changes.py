"""Other parameters of one pipeline: as its sections, and as the text of `params.yaml`."""

from __future__ import annotations

from copy import deepcopy
from io import StringIO
from typing import Any

from ruamel.yaml import YAML, CommentedMap, RoundTripRepresenter, YAMLError
from ruamel.yaml.scalarstring import SingleQuotedScalarString as SingleQuoted

from flows.project import params
from flows.project.mistakes import near
from flows.project.steps import STEPS, meaning, step
from tasks.core.step import UserError

EXAMPLE = "fit.epochs=3"
Changes = dict[str, dict[str, Any]]  # {"fit": {"epochs": 3}}


def typed(words: list[str], content: dict[str, Any], pipeline: str) -> Changes:
    """Changes as a person types them, such as `fit.epochs=3`.

    Args:
        words: one for each parameter.
        content: of params.yaml.
        pipeline: its name there.

    Raises:
        UserError: a word is no change, or a change is none that the pipeline can have.
    """
    found: Changes = {}
    for word in words:
        key, _, value = word.partition("=")
        section, _, name = key.partition(".")
        if not name or "=" not in word:
            meant = _with_a_step(word, content["pipelines"][pipeline])
            raise UserError(f"{word}: expected STEP.KEY=VALUE, such as {meant or EXAMPLE}.")
        if section not in STEPS:
            raise UserError(
                f"{word}: there is no step `{section}`.{near(section, list(STEPS))} There are: "
                f"{', '.join(STEPS)}."
            )
        try:
            found.setdefault(section, {})[name] = YAML(typ="safe").load(value)
        except (YAMLError, ValueError):
            raise UserError(
                f"{word}: YAML cannot read the value. Write it as in params.yaml."
            ) from None

    params.of_pipeline(pipeline, sections_with(content, pipeline, found))
    return found


def _with_a_step(word: str, sections: dict[str, Any]) -> str:
    """The changes that a word without its step may have meant: `epochs=3` is `fit.epochs=3`."""
    key, equals, _ = word.partition("=")
    steps = [name for name in STEPS if key in sections.get(name, {})] if equals else []
    return " or ".join(f"{step}.{word}" for step in steps)


def between(now: dict[str, Any], then: dict[str, Any]) -> Changes:
    """The changes that make some sections of a pipeline others.

    Args:
        now, then: sections by their names.
    """
    found: Changes = {}
    for name, section in then.items():
        old, tag = now.get(name, {}), step(name).tag
        same = tag is None or old.get(tag) == section.get(tag)
        values = {
            key: value
            for key, value in section.items()
            if not same or key not in old or old[key] != value
        }
        found |= {name: values} if values else {}
    return found


def text_with(text: str, pipeline: str, changes: Changes) -> str:
    """The text of params.yaml with other values; every other line says what it said.

    A comment behind a value that changes may be the reason for the old one: the parameter's
    meaning takes its place.

    Args:
        text: of params.yaml.
        pipeline: its name there.
        changes: values by section and key.

    Raises:
        UserError: another pipeline would change as well.
    """
    yaml = YAML()
    yaml.Representer, yaml.default_flow_style = _Null, None
    yaml.preserve_quotes, yaml.width = True, 4096

    content = yaml.load(text.replace("\r\n", "\n"))
    _change(content["pipelines"][pipeline], _quoted(changes), content.get("defaults") or {})
    written = StringIO()
    yaml.dump(content, written)
    other = written.getvalue().replace("\n", "\r\n" if "\r\n" in text else "\n")

    before, after = params.pipelines(text), params.pipelines(other)
    for name in before:
        if name != pipeline and before[name] != after[name]:
            raise UserError(
                f"params.yaml: {name} would change as well, as it takes over a section of "
                f"{pipeline} (`&`). Give it a section of its own, or edit params.yaml by hand."
            )
    return other


def sections_with(content: dict[str, Any], pipeline: str, changes: Changes) -> dict[str, Any]:
    """The sections of a pipeline as that text has them.

    Args:
        content: of params.yaml, which stays as it is.
        pipeline, changes: as for `text_with`.
    """
    sections = deepcopy(content["pipelines"][pipeline])
    _change(sections, changes, content.get("defaults") or {})
    return sections


def _quoted(changes: Changes) -> Changes:
    """Words with a colon in quotes: in braces not every reader of YAML takes them without."""

    def quoted(value: Any) -> Any:
        return SingleQuoted(value) if isinstance(value, str) and ":" in value else value

    return {
        section: {key: quoted(value) for key, value in values.items()}
        for section, values in changes.items()
    }


def _change(sections: dict[str, Any], changes: Changes, defaults: dict[str, Any]) -> None:
    for name, values in changes.items():
        sections[name] = _changed(name, sections.get(name, CommentedMap()), values, defaults)


def _changed(name: str, section: dict, values: dict, defaults: dict) -> dict:
    """A section with other values. Another source or family begins with its own defaults."""
    tag = step(name).tag
    kind = values.get(tag) if tag else None
    if not isinstance(kind, str) or kind == section.get(tag):
        if isinstance(section, CommentedMap):
            _adapt_comments(section, values, name, section.get(tag or "", ""))
        section.update(values)
        return section

    model = step(name).section(kind)
    known = set(model.model_fields) if model else set(section)
    kept = {key: value for key, value in section.items() if key in known}
    return CommentedMap({**kept, **defaults.get(kind, {}), **values})


def _adapt_comments(section: CommentedMap, values: dict, name: str, kind: str) -> None:
    """The comments of a section, called `name`, to the values that it is about to have."""
    for key, value in values.items():
        _forget_the_lines_of_a_list(section, key)
        if section.get(key) != value:
            _tell_the_meaning(section, key, meaning(name, kind, key))


def _forget_the_lines_of_a_list(section: CommentedMap, key: str) -> None:
    """A list with a line for each value has a place for comments above them.

    With another list, which has one line, ruamel would write what is no YAML.
    """
    comments = section.ca.items.get(key)
    if comments and comments[3] == []:
        comments[3] = None


def _tell_the_meaning(section: CommentedMap, key: str, meaning: str) -> None:
    *_, behind, _ = section.ca.items.get(key) or [None] * 4
    if behind and behind.value.startswith("#"):
        _, end, lines_below = behind.value.partition("\n")
        behind.value = f"# {meaning}{end}{lines_below}"


class _Null(RoundTripRepresenter):
    """Writes null as a word; ruamel's own leaves the value empty."""


_Null.add_representer(
    type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
)
