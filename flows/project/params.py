"""`params.yaml`, the only place for parameters: read and checked before anything runs.

`defaults:` holds what pipelines start from, `pipelines:` one section for each. YAML merges
(`<<: *fit`) are resolved when the file is read, by DVC too: a default that a pipeline overrides
changes nothing for it.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, create_model
from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.constructor import DuplicateKeyError, SafeConstructor

from flows.project.mistakes import line, near
from flows.project.steps import RELEASE, STEPS, step
from tasks.core.step import Section, UserError
from tasks.gate.rule import Rule
from tasks.scores.criterion import check_criterion

FILE = "params.yaml"
NONE = "(none)"  # shown where a key was not there

DEEPEST, MOST = 50, 1_000_000  # of the values in the file

Seconds = Annotated[float, Field(gt=0)]
FLOW: dict[str, Any] = {  # the keys of `run` that no step has
    "must_pass": (bool, Field(description="Whether a model that does not pass is a failed run.")),
    "pause_after": (
        Annotated[int, Field(gt=0)] | None,
        Field(description="Scheduled runs that fail in a row until the schedule is turned off."),
    ),
}


@cache
def model() -> type[Section]:
    """All sections of one pipeline. A step without parameters needs no section."""
    fields: dict[str, Any] = {}
    for name in STEPS:
        params = step(name).params
        empty = step(name).tag is None and not params.model_fields
        fields[name] = (params, params() if empty else ...)
    fields["run"] = (_run(), ...)
    return create_model("Pipeline", __base__=Section, **fields)


def _run() -> type[Section]:
    """The section `run`: what changes no result. The flow's own keys, the steps', their limits."""
    limits: dict[str, Any] = dict.fromkeys(STEPS, (Seconds | None, None))
    timeouts = create_model("Timeouts", __base__=Section, **limits)
    fields: dict[str, Any] = {"timeouts": (timeouts, ...), **FLOW}
    for name in STEPS:
        own = step(name).run
        if own:
            fields |= {key: (f.rebuild_annotation(), f) for key, f in own.model_fields.items()}
    return create_model("Run", __base__=Section, **fields)


def read(file: Path, pipeline: str) -> Any:
    """The checked parameters of a pipeline: one attribute for each step, and `run`.

    Raises:
        UserError: one line for each mistake in the pipeline's section.
    """
    whole = _mapping(content(file))
    there = part(whole, "pipelines")
    if pipeline not in there:
        raise UserError(
            f"{FILE}: no pipeline `{pipeline}`.{near(pipeline, list(there))} It has: "
            f"{', '.join(there) or 'nothing'}."
        )
    _refuse_aliases(pipeline, there[pipeline], whole.get("defaults"))

    return of_pipeline(pipeline, there[pipeline])


def of_pipeline(pipeline: str, sections: Any) -> Any:
    """The checked parameters of a pipeline.

    Args:
        pipeline: its name.
        sections: as YAML has them.

    Raises:
        UserError: one line for each mistake in them.
    """
    found = checked(model(), f"pipelines.{pipeline}", sections)
    # Now, not after hours of training.
    check_criterion(found.evaluate, found.load.predicts)
    return found


def checked(kind: type[Section], place: str, value: Any) -> Any:
    """A part of the file as its model has it.

    Args:
        kind: the model.
        place: where it stands, such as `pipelines.fashion`.
        value: as YAML has it.

    Raises:
        UserError: one line for each mistake in it.
    """
    try:
        return kind.model_validate(_text_keys(value))
    except ValidationError as error:
        lines = (line(kind, place, detail) for detail in error.errors())
        raise UserError("\n".join(dict.fromkeys(lines))) from None


def pipelines(file: Path | str) -> dict[str, Any]:
    """The sections under `pipelines:` of a file, or of its text; none if there are none."""
    return part(content(file), "pipelines")


def part(whole: Any, name: str) -> dict[str, Any]:
    """A part of the file's content, such as `sweeps`; nothing if it is not there."""
    return _mapping(_mapping(whole).get(name))


@cache
def release_model() -> type[Section]:
    """All that `release:` says of one pipeline: the stages of release/dvc.yaml, and the gate.

    A model may leave the project without a card, and without a champion that it must beat.
    """
    fields: dict[str, Any] = {name: (step(name).params | None, None) for name in RELEASE}
    fields["promote"] = (Rule | None, None)
    return create_model("Release", __base__=Section, **fields)


def read_release(file: Path, pipeline: str) -> Any:
    """The checked entry of a pipeline under `release:`: one attribute for each stage.

    Raises:
        UserError: there is none, or one line for each mistake in it.
    """
    there = entries(file, "release")
    if pipeline not in there:
        raise UserError(
            f"{FILE}: release has no entry `{pipeline}`. `python -m flows export {pipeline}` adds "
            "it."
        )
    return checked(release_model(), f"release.{pipeline}", there[pipeline])


def entries(file: Path, name: str) -> dict[str, Any]:
    """What stands under `release:` or `sweeps:`, as YAML has it, by the name of its pipeline.

    Raises:
        UserError: it is no section, or one has the name of no pipeline.
    """
    whole = content(file)
    found, known = _mapping(whole).get(name), list(part(whole, "pipelines"))
    if not isinstance(found, dict | None):
        raise UserError(f"{FILE}: {name}: got {found!r}, expected a section with keys.")
    there = part(whole, name)
    for pipeline in there:
        if pipeline not in known:
            raise UserError(
                f"{FILE}: {name}.{pipeline}: no pipeline has this name.{near(pipeline, known)} "
                f"There are: {', '.join(known) or 'none'}."
            )
    return there


class _EachKeyOnce(SafeConstructor):
    """Refuses a key that is written twice; beside a merge, YAML takes the last one silently."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.known: set[int] = set()  # nodes: a second look finds the merged keys among the others

    def flatten_mapping(self, node: Any) -> Any:
        if id(node) not in self.known:
            self.known.add(id(node))
            _refuse_key_twice(node)
        return super().flatten_mapping(node)


def _refuse_key_twice(node: Any) -> None:
    keys: set[Any] = set()
    for key, _ in node.value:
        if isinstance(key.value, str) and key.value in keys:
            raise DuplicateKeyError(
                problem=f'found duplicate key "{key.value}"', problem_mark=key.start_mark
            )
        keys.add(str(key.value))


def content(file: Path | str) -> Any:
    """The file, or its text, as YAML has it."""
    try:
        yaml = YAML(typ="safe")
        yaml.Constructor = _EachKeyOnce
        found = yaml.load(file)
    except FileNotFoundError:
        raise UserError(f"{FILE} is missing. `git checkout {FILE}` brings it back.") from None
    except (YAMLError, ValueError, RecursionError) as error:
        if re.search(r"^<{7} ", _text(file), re.MULTILINE):
            raise UserError(
                f"{FILE} holds both versions of a merge. Edit what is between `<<<<<<<` and "
                f"`>>>>>>>`, or take your own version of the file: `git checkout HEAD {FILE}`. "
                f"Then `git add {FILE}`."
            ) from None
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        why = getattr(error, "problem", None) or str(error).splitlines()[0]
        lines = _text(file).split("\n")
        if mark and mark.line < len(lines) and lines[mark.line].startswith("\t"):
            why = "the line begins with a tab. Indent with spaces"
        raise UserError(f"{FILE}{place}: not YAML: {why}") from None
    _measure(found, 1, {})
    return found


def _text(file: Path | str) -> str:
    return file if isinstance(file, str) else file.read_text(encoding="utf-8", errors="replace")


def _measure(value: Any, depth: int, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """How many values there are with aliases written out, and how deep they are nested.

    Raises:
        UserError: too many, or too deep: a few lines of aliases may stand for 10^9 values.
    """
    if not isinstance(value, dict | list):
        return 1, 1
    if id(value) in known:
        return known[id(value)]

    count, height = 1, 1
    if depth <= DEEPEST:  # it may contain itself
        for each in value.values() if isinstance(value, dict) else value:
            more, below = _measure(each, depth + 1, known)
            count, height = count + more, max(height, below + 1)
    if depth > DEEPEST or height > DEEPEST or count > MOST:
        raise UserError(
            f"{FILE}: values are nested more than {DEEPEST} deep, or more than {MOST:,} when "
            "aliases (`*name`) are written out. Expected a number, a word or a list of a few."
        )
    known[id(value)] = count, height
    return count, height


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    return {str(key): each for key, each in value.items()}


def _refuse_aliases(pipeline: str, sections: Any, defaults: Any) -> None:
    """Refuse `fit: *fit`: one object for all, so that an edit by program changes every pipeline."""
    shared = {id(value): key for key, value in _mapping(defaults).items()}
    for key, value in _mapping(sections).items():
        name = shared.get(id(value))
        if name and isinstance(value, dict):
            raise UserError(
                f"{FILE}: pipelines.{pipeline}.{key} is `*{name}`, one section for all pipelines. "
                f"Expected a section of its own that starts from it: `<<: *{name}`."
            )


def _text_keys(value: Any) -> Any:
    """YAML may have numbers and null as keys; here they are unknown words like any other."""
    if not isinstance(value, dict):
        return value
    return {"null" if key is None else str(key): _text_keys(each) for key, each in value.items()}


def differences(key: str, old: Any, new: Any) -> list[str]:
    """`key: old -> new`; for sections, a line for each key in them that differs."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [f"{key}: {_word(old)} -> {_word(new)}"]

    lines = []
    for name in {**old, **new}:
        before, after = old.get(name, NONE), new.get(name, NONE)
        if before != after:
            lines += differences(f"{key}.{name}", before, after)
    return lines


def _word(value: Any) -> Any:
    """A value as the file has it."""
    return json.dumps(value) if value is None or isinstance(value, bool) else value
