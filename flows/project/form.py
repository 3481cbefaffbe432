"""The form of an experiment in Prefect's UI, made from the steps' parameters."""

from __future__ import annotations

import operator
from functools import reduce
from typing import Any, Literal, get_args, get_origin

from pydantic import Field, create_model, model_serializer

from flows.project.steps import STEPS, step
from tasks.core.step import Section


class _Form(Section):
    """A part of a form. What is left empty is not there; null is a value where it is allowed."""

    @model_serializer
    def _filled(self) -> dict[str, Any]:
        filled = [key for key in type(self).model_fields if key in self.model_fields_set]
        return {key: getattr(self, key) for key in filled}


def form() -> type[Section]:
    """Every parameter of every step, none of them required: what is left out stays as it is."""
    parts = {}
    for name in STEPS:
        keys = {key: _optional(_either(f), f[0].description) for key, f in _fields(name).items()}
        if keys:
            part = create_model(f"{name} parameters", __base__=_Form, **keys)
            parts[name] = _optional(part, f"Parameters of the step {name}.")
    return create_model("Changes", __base__=_Form, **parts)


def _fields(name: str) -> dict[str, list]:
    """The keys of a step, each with its fields: several sources or families may have it."""
    same: dict[str, list] = {}
    for section in step(name).sections:
        for key, field in section.model_fields.items():
            same.setdefault(key, []).append(field)
    return same


def _either(fields: list) -> Any:
    """What any of these keys of one name may hold."""
    types = [field.rebuild_annotation() for field in fields]
    if all(get_origin(each) is Literal for each in types):  # a form shows one list of words
        words = [word for each in types for word in get_args(each)]
        return Literal[tuple(dict.fromkeys(words))]
    return reduce(operator.or_, types)


def _optional(kind: Any, description: str) -> Any:
    kind = Literal[True, False] if kind is bool else kind
    return kind, Field(None, description=description, json_schema_extra=_shown)


def _shown(schema: dict) -> None:
    """As Prefect's form needs it: a list of words in place of a constant or a switch."""
    schema.pop("default", None)  # it would be filled in
    if schema.get("type") == "boolean":
        del schema["type"]
    for each in schema.get("anyOf", [schema]):
        if "const" in each:
            each["enum"] = [each.pop("const")]
