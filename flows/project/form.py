"""The form of an experiment in Prefect's UI, made from the steps' parameters."""

from __future__ import annotations

import json
import operator
import textwrap
from functools import reduce
from typing import Any, Literal, get_args, get_origin

from pydantic import Field, create_model, model_serializer

from flows.project.steps import step
from tasks.core.step import Section
from tasks.scores.criterion import criteria

# What is tried most stands first.
ORDER = ("fit", "compile", "build", "normalize", "visualize", "evaluate", "load")
WIDEST = 40  # characters of a value in a description


class _Form(Section):
    """A part of a form. What is left empty is not there; null is a value where it is allowed."""

    @model_serializer
    def _filled(self) -> dict[str, Any]:
        filled = [key for key in type(self).model_fields if key in self.model_fields_set]
        return {key: getattr(self, key) for key in filled}


def form(chosen: Any = None) -> type[Section]:
    """The parameters of the steps, none of them required: what is left out stays as it is.

    Args:
        chosen: the parameters of a pipeline, as `Project.read` has them: the form has the keys of
            its own source, family and labels, and says their values. None: all that there are.
    """
    other = criteria(chosen.load.predicts)[1] if chosen else ()
    parts: dict[str, Any] = {}
    for name in ORDER:
        section = getattr(chosen, name, None)
        fields = _fields(name) if section is None else _own(name, section)
        for criterion in other:
            fields.pop(criterion.key, None)
        about = f"Parameters of the step {name}." if section is None else _in_words(section, fields)

        keys = {}
        for place, (key, same) in enumerate(fields.items()):
            now = "" if section is None else f"Now {_word(getattr(section, key))}. "
            keys[key] = _optional(_either(same), now + (same[0].description or ""), place)
        part = create_model(f"{name} parameters", __base__=_Form, **keys)
        parts[name] = _section(part, about, len(parts))
    return create_model("Changes", __base__=_Form, **parts)


def definitions(chosen: Any) -> dict[str, Any]:
    """The form of a pipeline's experiments as JSON schemas, by their names."""
    changes = form(chosen).model_json_schema(ref_template="#/definitions/{model}")
    parts = changes.pop("$defs")
    for part in parts.values():
        part["title"] = "change"  # on the button that opens it
    return {**parts, "Changes": changes}


def _fields(name: str) -> dict[str, list]:
    """The keys of a step, each with its fields: several sources or families may have it."""
    same: dict[str, list] = {}
    for section in step(name).sections:
        for key, field in section.model_fields.items():
            same.setdefault(key, []).append(field)
    return same


def _own(name: str, section: Section) -> dict[str, list]:
    """The keys of a section; another family may be chosen, but no other source: its data differ."""
    known = _fields(name)
    own = {key: [field] for key, field in type(section).model_fields.items() if key != "source"}
    return own | {key: known[key] for key in own if key == "family"}


def _in_words(section: Section, fields: dict[str, list]) -> str:
    return ", ".join(f"{key} {_word(getattr(section, key))}" for key in fields)


def _word(value: Any) -> str:
    """A value as params.yaml has it, in a line of bounded length."""
    word = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return textwrap.shorten(word, WIDEST, placeholder=" ...")


def _either(fields: list) -> Any:
    """What any of these keys of one name may hold."""
    types = [field.rebuild_annotation() for field in fields]
    if all(get_origin(each) is Literal for each in types):  # a form shows one list of words
        words = [word for each in types for word in get_args(each)]
        return Literal[tuple(dict.fromkeys(words))]
    return reduce(operator.or_, types)


def _section(part: type[Section], description: str, place: int) -> Any:
    """A part of the form that is closed until someone opens it by a click."""

    def shown(schema: dict) -> None:
        schema.pop("default", None)
        (opened,) = (each for each in schema["anyOf"] if each.get("type") != "null")
        closed = {"title": "keep", "type": "null"}
        schema |= {"anyOf": [closed, opened], "position": place}

    return part | None, Field(None, description=description, json_schema_extra=shown)


def _optional(kind: Any, description: str, place: int) -> Any:
    kind = Literal[True, False] if kind is bool else kind

    def shown(schema: dict) -> None:
        _for_prefect(schema)
        schema["position"] = place  # some databases do not keep the order

    return kind, Field(None, description=description, json_schema_extra=shown)


def _for_prefect(schema: dict) -> None:
    """As Prefect's form needs it: a list of words in place of a constant or a switch."""
    schema.pop("default", None)  # it would be filled in
    if schema.get("type") == "boolean":
        del schema["type"]
    for each in schema.get("anyOf", [schema]):
        if "const" in each:
            each["enum"] = [each.pop("const")]
