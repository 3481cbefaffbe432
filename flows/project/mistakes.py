"""A mistake in `params.yaml` in one line: where it is, what was found, what is allowed."""

from __future__ import annotations

import difflib
import json
from types import NoneType
from typing import Any, get_args

from tasks.core.step import Section

LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}
TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "null": "null",
    "boolean": "true or false",
    "object": "a section with keys",
}


class Path:
    """Where a mistake is: descends from a pipeline's sections, one key at a time."""

    def __init__(self, section: type[Section]) -> None:
        self.section = section  # the model at this place
        self.keys: list[str] = []
        self.schema: dict[str, Any] = {}  # of a key that is no section
        self.tag: str | None = None  # the key that chooses among `kinds`
        self.kinds: dict[str, type[Section]] = {}

    def descend(self, key: str | int) -> None:
        if key in self.kinds:  # pydantic names the kind that it took, which is no key of the file
            self.section, self.kinds = self.kinds[key], {}
        elif isinstance(key, int):
            self.keys.append(str(key))
            self.schema = _of_lists(self.schema)["items"]
        elif not self.schema and key in self.section.model_fields:
            self.keys.append(key)
            self._enter(key)

    def _enter(self, key: str) -> None:
        field = self.section.model_fields[key]
        some = [each for each in get_args(field.annotation) if each is not NoneType]
        kind = some[0] if len(some) == 1 else field.annotation  # a section may be left out
        if isinstance(kind, type) and issubclass(kind, Section):
            self.section = kind
        elif field.discriminator:
            self.tag = str(field.discriminator)
            self.kinds = {
                get_args(each.model_fields[self.tag].annotation)[0]: each
                for each in get_args(field.annotation)
            }
        else:
            self.schema = self.section.model_json_schema()["properties"][key]


def line(model: type[Section], place: str, error: Any) -> str:
    """One line for one of pydantic's errors.

    Args:
        model: of what stands at the place.
        place: in params.yaml, such as `pipelines.fashion`.
        error: as `ValidationError.errors` has it.
    """
    path = Path(model)
    for key in error["loc"]:
        path.descend(key)
    where = f"params.yaml: {'.'.join([place, *path.keys])}"
    kinds, schema = list(path.kinds), path.schema

    match error["type"]:
        case "union_tag_not_found":
            return f"{where}.{path.tag}: missing. Expected {_choice(kinds)}."
        case "union_tag_invalid":
            found = error["input"][path.tag]
            expected = f"expected {_choice(kinds)}.{near(str(found), kinds)}"
            return f"{where}.{path.tag}: got {_shown(found)}, {expected}"
        case "extra_forbidden":
            name, known = error["loc"][-1], list(path.section.model_fields)
            there = ", ".join(known) or "no key at all"
            return f"{where}.{name}: unknown key.{near(name, known)} Known here: {there}."
        case "missing":
            expected = _allowed(schema) if schema else "a section"
            return f"{where}: missing. Every key must be there: expected {expected}."

    found = _shown(error["input"])
    if not schema:
        return f"{where}: got {found}, expected a section with keys."
    words = [str(word) for word in _words(schema)]
    return f"{where}: got {found}, expected {_allowed(schema)}.{near(str(error['input']), words)}"


def near(word: str, known: list[str]) -> str:
    """A question whether the nearest known word was meant; nothing if none is near."""
    match = difflib.get_close_matches(word.lower(), known, n=1)
    return f" Did you mean `{match[0]}`?" if match else ""


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text.replace('"', "'").replace("Infinity", "inf").replace("NaN", "nan")


def _choice(words: list) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _of_lists(schema: dict) -> dict:
    """The branch of a schema that is a list."""
    return next(each for each in schema.get("anyOf", [schema]) if each.get("type") == "array")


def _words(schema: dict) -> list:
    """The words that a JSON schema of one key allows."""
    words = []
    for each in schema.get("anyOf", [schema]):
        words += each.get("enum", [each.get("const")])
    return [word for word in words if word]


def _allowed(schema: dict) -> str:
    """What a JSON schema of one key allows, in words."""
    if "anyOf" in schema:
        return ", or ".join(_allowed(each) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return _choice(schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        return f"a list{_length(schema)}, each of it {_allowed(schema['items'])}"
    if "examples" in schema:
        return f"a text like `{schema['examples'][0]}`"

    bounds = [f"{word} {schema[key]}" for key, word in LIMITS.items() if key in schema]
    if bounds:
        return f"{TYPES[schema['type']]} {' and '.join(bounds)}"
    return TYPES[schema["type"]] + (" with content" if "minLength" in schema else "")


def _length(schema: dict) -> str:
    if "maxItems" in schema:
        return f" of {schema['minItems']}"
    return " with content" if "minItems" in schema else ""
