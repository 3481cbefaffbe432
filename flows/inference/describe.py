"""What a model takes and answers, for programs and for the page."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import Any

import numpy as np

from flows.inference.model import Model
from tasks.sources import dates

Schema = dict[str, Any]  # JSON Schema, or a part of OpenAPI
DATE = datetime(2024, 12, 31, 23, 59)  # no part of it can be taken for another


def answer(model: Model) -> Schema:
    """What `POST /predict` answers, for OpenAPI."""
    text, number = {"type": "string"}, {"type": "number"}
    each: Schema = {"row": text | {"description": "What the sender calls it."}}
    if model.class_names:
        name = text | {"enum": model.class_names}
        best = {"type": "object", "properties": {"class": name, "confidence": number}}
        each |= {"predicted": name, "confidence": number, "best": {"type": "array", "items": best}}
    else:
        each |= {"predicted": number | {"description": "In the unit of the target."}}
    rows = {"type": "array", "items": {"type": "object", "properties": each}}
    version = text | {"description": "DVC's MD5 of the export."}
    unknown = {"type": "object", "description": "Rows with a word that is new, by column."}
    unused = {"type": "array", "items": text, "description": "Columns that the training had not."}
    properties = {"model": text, "version": version, "answers": rows}
    properties |= {"unknown_words": unknown, "unused_columns": unused}
    return {"type": "object", "properties": properties}


def about(model: Model) -> dict[str, Any]:
    """All that the page shows of a model."""
    return {
        "name": model.name,
        "version": model.version,
        "score": model.score,
        "target": model.schema["load"].get("target"),
        "unit": model.schema["load"].get("target_unit", ""),
        "takes": takes(model),
        "shape": model.schema["input_shape"],
        "classes": model.class_names,
        "columns": [column(each) for each in model.schema.get("columns", [])],
        "example": model.example,
    }


def takes(model: Model) -> str:
    """What a row is: `table`, `images`, or `numbers`."""
    if model.reader.encoding is not None:
        return "table"
    return "images" if model.reader.takes_images else "numbers"


def column(of: dict[str, Any]) -> dict[str, Any]:
    """A column of a table, as a form needs it."""
    kind, _, written = of["kind"].partition(" ")
    iso = "%Y-%m-%d" + "T%H:%M" * ("hour" in of["parts"])
    return {
        "name": of["name"],
        "kind": kind,
        "format": written if kind == "date" else "",
        "such_as": dates.written(DATE, written or iso) if kind == "date" else "",
        "unit": written.lstrip(", ") if kind == "number" else "",
        "words": of["words"],
        "optional": of["fill"] is not None,
    }


def row(model: Model) -> Schema:
    """A row as JSON Schema."""
    if takes(model) == "table":
        columns = [column(each) for each in model.schema["columns"]]
        return {
            "type": "object",
            "required": [each["name"] for each in columns],
            "properties": {each["name"]: _cell(each) for each in columns},
            "example": model.example,
        }
    nested: Schema = {"type": "number"}
    for size in reversed(model.schema["input_shape"]):
        nested = {"type": "array", "items": nested, "minItems": size, "maxItems": size}
    return nested


def _cell(of: dict[str, Any]) -> Schema:
    """The values of a column as JSON Schema."""
    found: Schema = {
        "number": {"type": "number"} | ({"description": of["unit"]} if of["unit"] else {}),
        "boolean": {"type": "boolean"},
        "words": {"type": "string", "examples": of["words"]},
        "date": {
            "type": "string",
            "description": f"{of['format'] or 'ISO 8601'}, such as {of['such_as']}",
        },
    }[of["kind"]]
    return found | {"type": [found["type"], "null"]} if of["optional"] else found


def request_body(model: Model) -> Schema:
    """The body of `POST /predict`, for OpenAPI."""
    binary: Schema = {"type": "string", "format": "binary"}
    files = {"type": "object", "properties": {"file": {"type": "array", "items": binary}}}
    form = {"multipart/form-data": {"schema": files}}
    rows: Schema = {"schema": {"type": "array", "items": row(model), "minItems": 1}}
    if model.reader.takes_images:
        content = {"image/*": {"schema": binary}, **form, "application/json": rows}
        return {"required": True, "content": content}

    content = {"application/json": rows | {"example": [model.example]}}
    if model.reader.takes_text:
        content["text/csv"] = {"schema": {"type": "string"}, "example": table(model)}
    return {"required": True, "content": content | form}


def table(model: Model) -> str:
    """The example as lines of CSV."""
    load, values = model.schema["load"], model.example
    lines = [values] if isinstance(values, list) else [list(values), list(values.values())]
    if not load.get("header", True):
        lines = lines[1:]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=load.get("separator", ","), lineterminator="\n")
    writer.writerows([_text(value, load.get("decimal", ".")) for value in line] for line in lines)
    return text.getvalue()


def _text(value: Any, decimal: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(value).replace(".", decimal)
    return "" if value is None else str(value)


def tensors(model: Model) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The inputs and outputs of the Open Inference Protocol: of a table, an input a column."""
    types = {"number": "FP64", "boolean": "BOOL", "words": "BYTES", "date": "BYTES"}
    if takes(model) == "table":
        columns = [column(each) for each in model.schema["columns"]]
        inputs = [_tensor(each["name"], types[each["kind"]]) for each in columns]
    else:
        kind = np.dtype(model.schema["load"]["type"])
        inputs = [_tensor("input", OIP[kind.name], *model.schema["input_shape"])]
    if not model.class_names:
        return inputs, [_tensor("predicted", "FP32")]
    chances = _tensor("probabilities", "FP32", len(model.class_names))
    return inputs, [_tensor("predicted", "BYTES"), chances]


def _tensor(name: str, kind: str, *shape: int) -> dict[str, Any]:
    return {"name": name, "datatype": kind, "shape": [-1, *shape]}


OIP = {  # what the Open Inference Protocol calls NumPy's types
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
}
