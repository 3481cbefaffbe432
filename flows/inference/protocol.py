"""The Open Inference Protocol, version 2: tensors as JSON, or as bytes behind it.

https://github.com/open-inference/open-inference-protocol, and Triton's extension for binary data.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from starlette.responses import JSONResponse, Response

from flows.inference.body import parsed
from flows.inference.describe import OIP, takes, tensors
from flows.inference.model import Model
from tasks.answers.choices import best
from tasks.answers.sent import Reader, Rows
from tasks.core.step import UserError
from tasks.rows.outputs import probabilities

LENGTH = "Inference-Header-Content-Length"  # bytes of the JSON in front of the tensors
WHOLE = re.compile("[0-9]{1,18}")
DIMENSIONS = 32  # of a tensor
NUMPY = {name: np.dtype(kind) for kind, name in OIP.items()}


def metadata(model: Model) -> dict[str, Any]:
    inputs, outputs = tensors(model)
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": type(model.asked).__module__.rpartition(".")[2],  # litert or onnx
        "inputs": inputs,
        "outputs": outputs,
    }


class Inference:
    """One request: what it has, and in what form it wants the answer.

    Args:
        body: JSON, and perhaps bytes behind it.
        length: of the JSON, if there are bytes behind it.
    """

    def __init__(self, body: bytes, length: str | None) -> None:
        self.body, self.length = body, length
        self.said: dict[str, Any] = {}  # of the answer, as soon as the request is read

    def read(self, reader: Reader, model: Model, most: int) -> Rows:
        """The rows: of a table an input a column, else one input of the shape of the rows.

        Raises:
            UserError: it is no request of the protocol, or has something else than rows.
        """
        sent = list(_tensors(*self._opened()))
        wanted, names = [each["name"] for each in tensors(model)[0]], [name for name, _ in sent]
        if sorted(names) != sorted(wanted):
            raise UserError(f"The inputs are {', '.join(names)}. Expected {', '.join(wanted)}.")
        found = dict(sent)
        lengths = {len(tensor) if tensor.ndim else -1 for tensor in found.values()}
        if len(lengths) > 1 or not min(lengths) > 0:
            raise UserError("Expected as many rows in each input, and one at least.")
        if max(lengths) > most:
            raise UserError(f"There are more than {most:,} rows. Expected fewer: send parts.")
        if takes(model) != "table":
            return reader.array(found["input"])
        for name, tensor in found.items():
            if tensor.size != len(tensor):
                raise UserError(
                    f"{name} has the shape {list(tensor.shape)}. Expected one value a row."
                )
        columns = [found[name].reshape(-1).tolist() for name in wanted]
        rows = zip(*columns, strict=True)
        return reader.values([dict(zip(wanted, row, strict=True)) for row in rows], most)

    def _opened(self) -> tuple[list[Any], memoryview]:
        """The inputs, and the bytes behind the JSON."""
        told = self.length or str(len(self.body))
        if not WHOLE.fullmatch(told) or int(told) > len(self.body):
            raise UserError(f"{LENGTH} is {told[:20]}. Expected the length of the JSON.")
        self.said = parsed(self.body[: int(told)])
        inputs = self.said.pop("inputs", None) if isinstance(self.said, dict) else None
        if not isinstance(inputs, list):
            raise UserError("The request has no `inputs`. Expected a list of tensors.")
        if not isinstance(self.said.get("id", ""), str):
            raise UserError("The `id` of the request is not a text. Expected one, or none.")
        return inputs, memoryview(self.body)[int(told) :]

    def response(self, model: Model, output: np.ndarray) -> Response:
        """The outputs that were asked for; all, if none was named."""
        there = _outputs(model, output)
        asked = self.said.get("outputs") or [{"name": name} for name in there]
        usual = _parameters(self.said).get("binary_data_output", False)
        listed, behind = [], []
        if not isinstance(asked, list) or len(asked) > len(there):
            raise UserError(f"`outputs` must name each output once: {', '.join(there)}.")
        for each in asked:
            if not isinstance(each, dict) or each.get("name") not in [*there]:
                raise UserError(f"There is no output {each}. There are: {', '.join(there)}.")
            told = {"name": each["name"], **there[each["name"]]}
            if _parameters(each).get("binary_data", usual):
                behind.append(_packed(told.pop("data")))
                told["parameters"] = {"binary_data_size": len(behind[-1])}
            else:
                told["data"] = told["data"].reshape(-1).tolist()
            listed.append(told)
        return self._answer(model, listed, behind)

    def _answer(self, model: Model, listed: list[dict], behind: list[bytes]) -> Response:
        said = {"model_name": model.name, "model_version": model.version, "outputs": listed}
        if "id" in self.said:
            said["id"] = self.said["id"]
        if not behind:
            return JSONResponse(said)
        head = json.dumps(said).encode()
        headers = {LENGTH: str(len(head))}
        return Response(b"".join([head, *behind]), 200, headers, "application/octet-stream")


def _tensors(inputs: list[Any], behind: memoryview) -> Iterator[tuple[str, np.ndarray]]:
    begin = 0
    for tensor in inputs:
        name, shape, kind = _head(tensor)
        size = _parameters(tensor).get("binary_data_size")
        if size is None:
            yield name, _listed(name, tensor.get("data"), shape, kind)
            continue
        if not isinstance(size, int) or not 0 <= size <= len(behind) - begin:
            raise UserError(f"{name}: binary_data_size is {size}, but there is less.")
        yield name, _unpacked(name, behind[begin : begin + size], shape, kind)
        begin += size


def _outputs(model: Model, output: np.ndarray) -> dict[str, dict[str, Any]]:
    rows = len(output)
    if not model.class_names:
        values = output.reshape(-1)
        return {"predicted": {"datatype": "FP32", "shape": [rows], "data": values}}
    chances = probabilities(output)
    names = np.array(model.class_names, dtype=object)[best(chances)[0][:, 0]]
    return {
        "predicted": {"datatype": "BYTES", "shape": [rows], "data": names},
        "probabilities": {"datatype": "FP32", "shape": list(chances.shape), "data": chances},
    }


def _head(tensor: Any) -> tuple[str, list[int], str]:
    """Name, shape and type of an input."""
    if not isinstance(tensor, dict):
        raise UserError("An input is not an object. Expected name, shape, datatype and data.")
    name, shape, kind = (tensor.get(key) for key in ("name", "shape", "datatype"))
    sizes = shape if isinstance(shape, list) and len(shape) <= DIMENSIONS else [-1]
    if not all(type(size) is int and 0 <= size < 2**31 for size in sizes):
        raise UserError(
            f"{name}: the shape is {shape}. Expected a list of at most {DIMENSIONS} whole numbers."
        )
    if not isinstance(name, str) or kind not in ["BYTES", *NUMPY]:
        known = ", ".join([*NUMPY, "BYTES"])
        raise UserError(f"{name}: the datatype is {kind}. Expected one of {known}.")
    return name, sizes, kind


def _parameters(of: dict[str, Any]) -> dict[str, Any]:
    found = of.get("parameters")
    return found if isinstance(found, dict) else {}


def _listed(name: str, data: Any, shape: list[int], kind: str) -> np.ndarray:
    """A tensor of JSON: its values in one list, or nested as the shape says."""
    try:
        array = np.array(data, dtype=object if kind == "BYTES" else None)
    except ValueError:
        raise UserError(f"{name}: the lists in `data` differ in length.") from None
    if array.size and not _fits(array, kind):
        raise UserError(f"{name}: `data` is not a list of values of the datatype {kind}.")
    return _shaped(name, array, shape)


def _fits(array: np.ndarray, kind: str) -> bool:
    """Whether values of JSON are of a datatype: whole numbers in its range, or any for a float."""
    if kind == "BYTES":
        return True
    type = NUMPY[kind]
    if type.kind == "f":
        return array.dtype.kind in "iuf"
    same = "b" if type.kind == "b" else "iu"
    return array.dtype.kind in same and np.array_equal(array.astype(type), array)


def _unpacked(name: str, content: memoryview, shape: list[int], kind: str) -> np.ndarray:
    """A tensor of bytes: little-endian values; or texts, each behind its length."""
    if kind != "BYTES":
        whole = len(content) % NUMPY[kind].itemsize == 0
        array = np.frombuffer(content, NUMPY[kind].newbyteorder("<")) if whole else np.array([])
        return _shaped(name, array, shape)
    texts, begin = [], 0
    while begin + 4 <= len(content):
        (size,) = struct.unpack_from("<I", content, begin)
        texts.append(_text(name, content[begin + 4 : begin + 4 + size]))
        begin += 4 + size
    if begin != len(content):
        raise UserError(f"{name}: the texts end too early. Expected each behind its length.")
    return _shaped(name, np.array(texts, dtype=object), shape)


def _text(name: str, content: memoryview) -> str:
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: a text is not UTF-8: {error}.") from None


def _shaped(name: str, array: np.ndarray, shape: list[int]) -> np.ndarray:
    if array.size != math.prod(shape):
        raise UserError(f"{name} has {array.size:,} values. Expected as many as {shape} has.")
    return array.reshape(shape)


def _packed(data: np.ndarray) -> bytes:
    if data.dtype != object:
        return data.astype(data.dtype.newbyteorder("<")).tobytes()
    texts = [str(each).encode() for each in data]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)
