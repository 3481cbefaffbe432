"""`params.yaml`, the only place for parameters: read and checked as a whole before anything runs."""

from __future__ import annotations

import difflib
import importlib
import json
import operator
from functools import cache, reduce
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Field, ValidationError, create_model, model_serializer
from ruamel.yaml import YAML, YAMLError

from tasks.core.step import Section, UserError
from tasks.evaluate import check_criterion

ROOT = Path(__file__).resolve().parents[2]
FILE = "params.yaml"
NONE = "(none)"  # shown where a key was not there
STEPS = ("load", "normalize", "visualize", "build", "compile", "fit", "reload_best", "evaluate")


Seconds = Annotated[float, Field(gt=0)]


def step(name: str) -> tuple[Any, Any]:
    """A step's function and the model of its parameters. Both stand in the module of its name."""
    module = importlib.import_module(f"tasks.{name}")
    return getattr(module, name), module.Params


def sections(name: str) -> tuple[type[Section], ...]:
    """The models of a step's parameters: one, or as many as `load` has sources and `build` families."""
    model = step(name)[1]
    return (model,) if isinstance(model, type) else get_args(get_args(model)[0])


def keys(name: str, section: dict[str, Any]) -> set[str]:
    """The keys that a step's section has, by what its `source` or `family` says."""
    models = sections(name)
    if len(models) > 1:
        tag = get_args(step(name)[1])[1].discriminator
        models = [each for each in models if section.get(tag) in get_args(each.model_fields[tag].annotation)]
    return {key for each in models for key in each.model_fields}


@cache
def _model() -> type[Section]:
    """All sections of one pipeline. A step without parameters needs no section."""
    fields: dict[str, Any] = {}
    for name in STEPS:
        section = step(name)[1]
        fields[name] = (section, section() if sections(name) == (section,) and not section.model_fields else ...)
    fields["timeouts"] = (
        create_model("Timeouts", __base__=Section, **dict.fromkeys(STEPS, (Seconds | None, None))),
        ...,
    )
    return create_model("Pipeline", __base__=Section, **fields)


class _Form(Section):
    """A part of a form: what is left empty is not there. A null is a value, where params.yaml may have one."""

    @model_serializer
    def _filled(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in type(self).model_fields if key in self.model_fields_set}


def form() -> type[Section]:
    """Every parameter of every step, none of them needed: what a form asks for. What is left out stays as it is."""

    def shown(schema: dict) -> None:
        """As Prefect's form needs it: a list of words where it would show a constant or a switch that is on or off."""
        schema.pop("default", None)  # it would be filled in
        if schema.get("type") == "boolean":
            del schema["type"]
        for each in schema.get("anyOf", [schema]):
            if "const" in each:
                each["enum"] = [each.pop("const")]

    def optional(kind: Any, description: str) -> Any:
        kind = Literal[True, False] if kind is bool else kind
        return kind, Field(None, description=description, json_schema_extra=shown)

    parts = {}
    for name in STEPS:
        same: dict[str, list] = {}
        for section in sections(name):
            for key, field in section.model_fields.items():
                same.setdefault(key, []).append(field)
        keys = {key: optional(_either(fields), fields[0].description) for key, fields in same.items()}
        if keys:
            part = create_model(f"{name} parameters", __base__=_Form, **keys)
            parts[name] = optional(part, f"Parameters of the step {name}.")
    return create_model("Changes", __base__=_Form, **parts)


def _either(fields: list) -> Any:
    """What any of these keys of one name may hold."""
    types = [field.rebuild_annotation() for field in fields]
    if all(get_origin(each) is Literal for each in types):  # a form shows one list of words
        return Literal[tuple(dict.fromkeys(word for each in types for word in get_args(each)))]
    return reduce(operator.or_, types)


def passed_over() -> list[str]:
    """Sections of the file that dvc.yaml does not list as pipelines: `dvc repro` says nothing of them."""
    try:
        with open("dvc.yaml", encoding="utf-8") as file:
            listed = YAML(typ="safe").load(file)["vars"][0]["pipelines"]
        return [name for name in _content() if name not in listed]
    except (OSError, ValueError, YAMLError, LookupError, TypeError):  # DVC says what is wrong with it
        return []


def read(pipeline: str) -> Any:
    """The checked parameters of a pipeline, one attribute a step.

    Raises:
        UserError: one line for each mistake in the pipeline's part of the file.
    """
    content = _content()
    if pipeline not in content:
        raise UserError(
            f"{FILE}: no pipeline `{pipeline}`.{_near(pipeline, list(content))} It has: "
            f"{', '.join(content) or 'nothing'}."
        )
    try:
        found = _model().model_validate(_text_keys(content[pipeline]))
    except ValidationError as error:
        lines = dict.fromkeys(_line(pipeline, detail) for detail in error.errors())
        raise UserError("\n".join(lines)) from None
    numbers = found.load.source == "line" or getattr(found.load, "task", None) == "regression"
    check_criterion(found.evaluate, "regression" if numbers else "classes")  # before hours of training, not after them
    return found


def _content() -> dict[str, Any]:
    """The file as it is: nothing, if it has no sections."""
    try:
        with open(FILE, encoding="utf-8") as file:
            content = YAML(typ="safe").load(file)
    except FileNotFoundError:
        raise UserError(f"{FILE} is missing. `git checkout {FILE}` brings it back.") from None
    except (YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        why = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise UserError(f"{FILE}{place}: not YAML: {why}") from None
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def differences(key: str, old: Any, new: Any) -> list[str]:
    """`key: old -> new`, of sections for each key in them that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        both = {name: (old.get(name, NONE), new.get(name, NONE)) for name in {**old, **new}}
        return [line for name, (a, b) in both.items() if a != b for line in differences(f"{key}.{name}", a, b)]
    return [f"{key}: {old} -> {new}"]


def _text_keys(content: Any) -> Any:
    """YAML may have numbers and null as keys; here they are words like any other that is not known."""
    if not isinstance(content, dict):
        return content
    return {"null" if key is None else str(key): _text_keys(value) for key, value in content.items()}


def _line(pipeline: str, error: dict) -> str:
    """One mistake in one line: the key's path, what was found, what is allowed, and what may have been meant."""
    section, path, schema, kinds, tag = _model(), [], None, {}, ""
    for key in error["loc"]:
        if key in kinds:  # pydantic says which section it took; the file says that in `source`, or `family`
            section, kinds = kinds[key], {}
        elif schema is None and key in section.model_fields:
            path.append(key)
            inner = section.model_fields[key].annotation
            if isinstance(inner, type) and issubclass(inner, Section):
                section = inner
            elif tag := section.model_fields[key].discriminator:
                kinds = {get_args(each.model_fields[tag].annotation)[0]: each for each in get_args(inner)}
            else:
                schema = section.model_json_schema()["properties"][key]
        elif isinstance(key, int):
            path.append(str(key))
            schema = _of_lists(schema)["items"]
    where = f"{FILE}: {'.'.join([pipeline, *path])}"
    if error["type"] == "union_tag_not_found":
        return f"{where}.{tag}: missing. Expected {_choice(list(kinds))}."
    if error["type"] == "union_tag_invalid":
        found = error["input"][tag]
        return f"{where}.{tag}: got {_shown(found)}, expected {_choice(list(kinds))}.{_near(str(found), list(kinds))}"
    if error["type"] == "extra_forbidden":
        name, known = error["loc"][-1], list(section.model_fields)
        return f"{where}.{name}: unknown key.{_near(name, known)} Known here: {', '.join(known) or 'no key at all'}."
    if error["type"] == "missing":
        return f"{where}: missing. Every key must be there: expected {_allowed(schema) if schema else 'a section'}."
    found = _shown(error["input"])
    if schema is None:
        return f"{where}: got {found}, expected a section with keys."
    words = [str(word) for word in _words(schema)]
    return f"{where}: got {found}, expected {_allowed(schema)}.{_near(str(error['input']), words)}"


def _shown(value: Any) -> str:
    return json.dumps(value, default=str).replace('"', "'").replace("Infinity", "inf").replace("NaN", "nan")


def _choice(words: list) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _near(word: str, known: list[str]) -> str:
    match = difflib.get_close_matches(word.lower(), known, n=1)
    return f" Did you mean `{match[0]}`?" if match else ""


def _of_lists(schema: dict) -> dict:
    """The branch of a schema that is a list."""
    return next(each for each in schema.get("anyOf", [schema]) if each.get("type") == "array")


def _words(schema: dict) -> list:
    """The words that a JSON schema of one key allows."""
    return [word for each in schema.get("anyOf", [schema]) for word in each.get("enum", [each.get("const")]) if word]


def _allowed(schema: dict) -> str:
    """What a JSON schema of one key allows, in words."""
    if "anyOf" in schema:
        return ", or ".join(_allowed(each) for each in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return _choice(schema.get("enum", [schema.get("const")]))
    if schema["type"] == "array":
        length = (
            f" of {schema['minItems']}" if "maxItems" in schema else " with content" if "minItems" in schema else ""
        )
        return f"a list{length}, each of it {_allowed(schema['items'])}"
    if "examples" in schema:
        return f"a text like `{schema['examples'][0]}`"
    words = {"integer": "a whole number", "number": "a number", "string": "a text", "null": "null",
             "boolean": "true or false"}[schema["type"]]  # fmt: skip
    limits = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    bounds = [f"{limits[key]} {schema[key]}" for key in limits if key in schema]
    return f"{words} {' and '.join(bounds)}" if bounds else words + (" with content" if "minLength" in schema else "")
