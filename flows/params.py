"""`params.yaml`, the only place for parameters: read and checked as a whole before anything runs."""

from __future__ import annotations

import difflib
import importlib
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError, create_model
from ruamel.yaml import YAML, YAMLError

from tasks.base import Section, UserError

ROOT = Path(__file__).resolve().parents[1]
FILE = "params.yaml"
STEPS = ("load", "normalize", "visualize", "build", "compile", "fit", "reload_best", "evaluate")


def step(name: str) -> tuple[Any, type[Section]]:
    """A step's function and the model of its parameters. Both stand in the module of its name."""
    module = importlib.import_module(f"tasks.{name}")
    return getattr(module, name), module.Params


@cache
def _model() -> type[Section]:
    """All sections of one pipeline. A step without parameters needs no section."""
    fields: dict[str, Any] = {}
    for name in STEPS:
        section = step(name)[1]
        fields[name] = (section, ... if section.model_fields else section())
    return create_model("Pipeline", __base__=Section, **fields)


def read(pipeline: str) -> Any:
    """The checked parameters of a pipeline, one attribute a step.

    Raises:
        UserError: one line for each mistake in the pipeline's part of the file.
    """
    path = ROOT / FILE
    try:
        with open(path, encoding="utf-8") as file:
            content = YAML(typ="safe").load(file)
    except FileNotFoundError:
        raise UserError(f"{FILE} is missing. `git checkout {FILE}` brings it back.") from None
    except (YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(f"{FILE}{place}: not YAML: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(content, dict) or pipeline not in content:
        known = list(content) if isinstance(content, dict) else []
        raise UserError(
            f"{FILE}: no pipeline `{pipeline}`.{_near(pipeline, known)} It has: {', '.join(known) or 'nothing'}."
        )
    try:
        return _model().model_validate(content[pipeline])
    except ValidationError as error:
        lines = dict.fromkeys(_line(pipeline, content[pipeline], detail) for detail in error.errors())
        raise UserError("\n".join(lines)) from None


def _line(pipeline: str, content: Any, error: dict) -> str:
    """One mistake in one line: the key's path, what was found, what is allowed, and what may have been meant."""
    path, model = [], _model()
    for key in error["loc"]:
        fields = getattr(model, "model_fields", {})
        if key in fields:
            model = fields[key].annotation
        elif not isinstance(key, int) and error["type"] != "extra_forbidden":
            break  # the name of a branch of a union, which no reader has written
        path.append(str(key))
    where, found = f"{FILE}: {'.'.join([pipeline, *path])}", error["input"]
    if error["type"] == "extra_forbidden":
        section = _model()
        for key in path[:-1]:
            section = section.model_fields[key].annotation
        known = list(section.model_fields)
        return f"{where}: unknown key.{_near(path[-1], known)} Known here: {', '.join(known) or 'no key at all'}."
    if error["type"] == "missing":
        return f"{where}: missing. Every key must be there; `git diff {FILE}` shows what was taken out."
    if error["type"] == "model_type":
        return f"{where}: got {found!r}, expected a section with keys."
    name, step_name = path[-1], path[0]
    if name.isdigit():
        return f"{where}: got {found!r}. {error['msg']}."
    allowed = _allowed(_model().model_fields[step_name].annotation.model_json_schema()["properties"][name])
    return f"{where}: got {found!r}, expected {allowed}.{_near(str(found), allowed.replace('`', '').split(', '))}"


def _near(word: str, known: list[str]) -> str:
    match = difflib.get_close_matches(word.lower(), known, n=1)
    return f" Did you mean `{match[0]}`?" if match else ""


def _allowed(schema: dict) -> str:
    """What a JSON schema of one key allows, in words."""
    if "anyOf" in schema:
        return " or ".join(_allowed(each) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        return f"a list, each of it {_allowed(schema['items'])}"
    words = {"integer": "a whole number", "number": "a number", "string": "a text", "null": "null",
             "boolean": "true or false"}[schema["type"]]  # fmt: skip
    for key, word in (
        ("minimum", "at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "below"),
    ):
        if key in schema:
            words += f", {word} {schema[key]:g}"
    return words
