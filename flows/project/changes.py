"""Other parameters of one pipeline: as its sections, and as the text of `params.yaml`."""

from __future__ import annotations

from copy import deepcopy
from io import StringIO
from typing import Any

from ruamel.yaml import YAML, CommentedMap, RoundTripRepresenter

from flows.project.steps import step

Changes = dict[str, dict[str, Any]]  # {"fit": {"epochs": 3}}


def text_with(text: str, pipeline: str, changes: Changes) -> str:
    """The text of params.yaml with other values; every other line stays as it is.

    Args:
        text: of params.yaml.
        pipeline: its name there.
        changes: values by section and key.
    """
    yaml = YAML()
    yaml.Representer, yaml.default_flow_style = _Null, None
    yaml.preserve_quotes, yaml.width = True, 4096

    content = yaml.load(text)
    _change(content["pipelines"][pipeline], changes, content.get("defaults") or {})
    written = StringIO()
    yaml.dump(content, written)
    return written.getvalue()


def sections_with(content: dict[str, Any], pipeline: str, changes: Changes) -> dict[str, Any]:
    """The sections of a pipeline as that text has them.

    Args:
        content: of params.yaml, which stays as it is.
        pipeline, changes: as for `text_with`.
    """
    sections = deepcopy(content["pipelines"][pipeline])
    _change(sections, changes, content.get("defaults") or {})
    return sections


def _change(sections: dict[str, Any], changes: Changes, defaults: dict[str, Any]) -> None:
    for name, values in changes.items():
        sections[name] = _changed(name, sections[name], values, defaults)


def _changed(name: str, section: dict, values: dict, defaults: dict) -> dict:
    """A section with other values. Another source or family begins with its own defaults."""
    tag = step(name).tag
    kind = values.get(tag) if tag else None
    if kind is None or kind == section.get(tag):
        section.update(values)
        return section

    model = step(name).section(kind)
    known = set(model.model_fields) if model else set(section)
    kept = {key: value for key, value in section.items() if key in known}
    return CommentedMap({**kept, **defaults.get(kind, {}), **values})


class _Null(RoundTripRepresenter):
    """Writes null as a word; ruamel's own leaves the value empty."""


_Null.add_representer(
    type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
)
