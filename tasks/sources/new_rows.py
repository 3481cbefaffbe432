"""New rows of a table: read as the training rows were, wherever a column stands in the file."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from tasks.core.step import UserError
from tasks.sources.base import TIME, New, check_some_value, some
from tasks.sources.in_parts import in_parts
from tasks.sources.place import Place
from tasks.sources.table import Params, Reader

ROWS = 2**14  # at a time, of new rows


def as_trained(schema: dict[str, Any], place: Place, keys: Any, **usual: Any) -> dict[str, Any]:
    """The section `load` with which new rows are read.

    Args:
        schema: the content of `schema.json`.
        place: of the new rows.
        keys: of the source.
        usual: values for keys that the training rows, of another kind of file, did not need.
    """
    trained = {key: value for key, value in schema["load"].items() if key in keys}
    unused = {"path": place.shown, "test": 0.5, "seed": 0, "class_names": None}
    return {**usual, **trained, **unused}


def new(place: Place, schema: dict[str, Any], params: Params, reader: Reader) -> Iterator[New]:
    """Rows to predict, some at a time. The order of the columns does not matter.

    Args:
        place: a file, or a folder of parts, with the target or without it.
        schema: the content of `schema.json`.
        params: see `as_trained`.
        reader: of the file.

    Raises:
        UserError: a column is missing, or has a value that it cannot have.
    """
    files = in_parts(place, reader.ENDING) or [place]
    for file in files:
        called = f"{file.name} row" if files[1:] else "row"
        yield from _new_rows(file, called, schema, params, reader)


def kinds_of(schema: dict[str, Any]) -> dict[str, str]:
    """The kinds of a model's columns, by their names.

    Where the hour is a feature, a new date without one is none: it would be midnight.
    """
    return {
        each["name"]: each["kind"] + TIME * ("hour" in each["parts"]) for each in schema["columns"]
    }


def unused(there: Iterable[str], schema: dict[str, Any]) -> list[str]:
    """The columns of new rows that the training rows had not, so that no model uses them."""
    load = schema["load"]
    known = [load.get("target"), load.get("group"), *load.get("ignore", ()), *load.get("texts", ())]
    known += [column["name"] for column in schema["columns"]]
    same = {plain(name) for name in known if name}
    return [name for name in there if name and plain(name) not in same]


def _new_rows(
    place: Place, called: str, schema: dict[str, Any], params: Params, reader: Reader
) -> Iterator[New]:
    # Here, as pandas takes a second to import.
    from tasks.sources import kinds, missing

    place.existing("a table with the columns of the training rows", folder=False)
    of_kind = kinds_of(schema)
    there = reader.names(place, params)
    called_here = _called_here(list(of_kind), place, there)
    trained = {here: name for name, here in called_here.items()}
    others = unused(there, schema)
    params = _as_named_here(params, there, called_here)

    parts = (part.rename(columns=trained) for part in reader.parts(place, params, ROWS))
    for part in _without_totals(place, parts, schema):
        part = missing.without_marks(part, params)
        x, words = kinds.arrays({"new": place}, {"new": part}, of_kind, trained=True)
        labels = _labels(place, part, params, schema)
        places = [f"{called} {row + 1}" for row in part.index]
        check_some_value(x["new"], places)
        yield New(x["new"], places, labels, words, others)


def _as_named_here(params: Params, there: list[str], called_here: dict[str, str]) -> Params:
    """The section `load` for a file that may name columns otherwise, and may have no target.

    Args:
        params: the section with the names of the training rows.
        there: the names in the file.
        called_here: what the file calls each feature.
    """
    features = {*called_here.values()}
    others = [
        name or f"Unnamed: {place}" for place, name in enumerate(there) if name not in features
    ]
    target = _same(params.target, there)
    classes = target is not None and params.task == "classes"
    named = {
        called_here[name]: kind for name, kind in params.columns.items() if name in called_here
    }
    return params.model_copy(
        update={
            "target": target,
            "task": "classes" if classes else "regression",
            "group": None,
            "ignore": others,
            "columns": named,
        }
    )


def _labels(place: Place, part: Any, params: Params, schema: dict[str, Any]) -> Any:
    """The target of some rows, as text or numbers; None if the file has no such column."""
    from tasks.sources import columns  # here, as pandas takes a second to import

    if params.target is None:
        return None
    y = part[params.target]
    if params.task == "regression":
        unit = schema["load"].get("target_unit", "")
        y = columns.numbers(place, y, "or take the column out", params.mark, unit)
    return y.to_numpy()


def _without_totals(place: Place, parts: Iterator[Any], schema: dict[str, Any]) -> Iterator[Any]:
    """The same parts, if the last rows do not sum up the others in a word that is new."""
    import pandas as pd  # here: it takes a second to import

    from tasks.sources import totals

    part, before = next(parts, None), None
    if part is None:
        return
    for following in parts:
        yield part
        part, before = following, part
    last = part if before is None else pd.concat([before.astype(object), part.astype(object)])
    known = [each["name"] for each in schema["columns"] if totals.among(each.get("words", []))]
    totals.check(place, last.drop(columns=known))
    yield part


def _called_here(names: list[str], place: Place, there: list[str]) -> dict[str, str]:
    """What a file calls the columns of the training rows.

    Raises:
        UserError: it has not all of them.
    """
    if not there:
        raise UserError(f"{place} is empty. Expected the columns {some(names)}, and rows.")
    others = [other for other in there if other not in names]
    same = {name: name if name in there else _same(name, others) for name in names}
    found = {name: here for name, here in same.items() if here is not None}
    absent = [name for name in names if name not in found]
    if absent:
        hints = [
            f" Is `{other}` the column {name}? Rename it."
            for name in absent
            for other in others
            if plain(other).casefold() == plain(name).casefold()
        ]
        raise UserError(
            f"{place}: no column{'s' * (len(absent) > 1)} {some(absent)}. The model was trained "
            f"with the columns {some(names)}. This file has {some(there)}.{''.join(hints)}"
        )
    return found


def _same(name: str | None, there: list[str]) -> str | None:
    """The one of some names that looks the same: in Unicode an umlaut can be one sign or two."""
    if name is None or name in there:
        return name
    alike = [other for other in there if plain(other) == plain(name)]
    return alike[0] if len(alike) == 1 else None


def plain(name: str) -> str:
    """A column's name without blanks around it, composed (NFC)."""
    return unicodedata.normalize("NFC", name).strip()
