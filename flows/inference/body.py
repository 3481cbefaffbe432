"""The body of a request: an image, CSV, JSON, or a form with files of these kinds."""

from __future__ import annotations

import json
import re
import time
from email.message import Message
from typing import Any, NamedTuple

from tasks.answers.sent import Reader, Rows, joined
from tasks.core.step import UserError

FORM = "multipart/form-data"
JSON, CSV = ("application/json", "text/json"), ("text/csv", "application/csv", "text/plain")
# What programs say when nobody told them, such as `curl --data-binary`.
UNTOLD = ("", "application/x-www-form-urlencoded", "application/octet-stream")
KINDS = "an image (image/png, image/jpeg ...), text/csv, application/json or multipart/form-data"
IMAGES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")  # how they begin
CHARSETS = re.compile(r"(us-)?ascii|utf-(8|16|32)(le|be)?|iso-8859-\d+|latin-?1|windows-125\d")
FILES = 1_000  # of a form
HEAD = 2_000  # bytes: Python reads parameters of headers in the square of their length
LISTS = 2**20  # and objects of some JSON
MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # what begins a segment of a JPEG file
SCAN, END = b"\xff\xda", b"\xff\xd9"
SCANS = 100  # of a JPEG file, each of which takes as long as an image; usual ones have up to 10


class WrongKind(UserError):
    """A content type that no model takes."""


class Part(NamedTuple):
    """One file: of a form, or all of a body."""

    kind: str  # its content type, with its parameters
    name: str  # what answers call it
    content: bytes


def read(kind: str, content: bytes, reader: Reader, most: int, seconds: float) -> Rows:
    """The rows of a body.

    Args:
        kind: the header Content-Type.
        content: the body.
        reader: of the model.
        most: rows, at most.
        seconds: for the files of a form: later nobody waits for the answer.

    Raises:
        UserError: there are none, or they cannot be read.
    """
    if not content:
        raise UserError(f"The body is empty. Expected {reader.expected}.")
    if len(kind) > HEAD:
        raise WrongKind(f"The content type is longer than {HEAD:,} bytes. Expected {KINDS}.")
    if _type(kind) != FORM:
        return _rows(Part(kind, "image", content), reader, most)
    until, found = time.monotonic() + seconds, []
    for part in _parts(content, _parameter(kind, "boundary")):
        found.append(_of_form(part, reader, most))
        if time.monotonic() > until:
            raise UserError(f"The form takes more than {seconds:g} seconds. Send fewer files.")
    return joined(found)


def _of_form(part: Part, reader: Reader, most: int) -> Rows:
    """The rows of one of several files, whose name a message has."""
    try:
        return _rows(part, reader, most)
    except UserError as error:
        if part.name in str(error):
            raise
        raise type(error)(f"{part.name}: {error}") from None


def _rows(part: Part, reader: Reader, most: int) -> Rows:
    kind = _type(part.kind)
    if kind in UNTOLD:
        kind = _guessed(part.content, reader)
    if kind.startswith("image/"):
        if part.content.startswith(IMAGES[1]) and _scans(part.content) > SCANS:
            raise UserError(f"A JPEG image has more than {SCANS} scans. Save it anew.")
        return reader.image(part.content, part.name)
    if kind in JSON:
        return reader.values(_list(parsed(_utf8(part)), reader), most)
    if kind in CSV:
        return reader.text(_utf8(part), most)
    raise WrongKind(f"The content type is {kind}. Expected {KINDS}.")


def _scans(jpeg: bytes) -> int:
    count, at = 0, 2
    while (found := MARKER.search(jpeg, at)) and found[0] != END:
        count += found[0] == SCAN
        at = found.end() + int.from_bytes(jpeg[found.end() : found.end() + 2], "big")
    return count


def _utf8(part: Part) -> bytes:
    """A text in UTF-8, whatever charset its content type names; UTF-8 if it names none."""
    charset = _parameter(part.kind, "charset").lower()
    if charset in ("", "utf-8", "utf8"):  # what is wrong in it is told by who reads it
        return part.content
    if not CHARSETS.fullmatch(charset):  # Python has others, of which some are slow or no text
        raise WrongKind(f"The charset is {charset[:40]}. Expected UTF-8: send it as that.")
    try:
        return part.content.decode(charset).encode()
    except LookupError:
        raise WrongKind(f"The charset is {charset}. Expected UTF-8: send it as that.") from None
    except UnicodeError as error:
        raise UserError(f"The body is no {charset}: {error}.") from None


def _guessed(content: bytes, reader: Reader) -> str:
    if content.lstrip()[:1] in (b"[", b"{"):
        return JSON[0]
    return "image/*" if reader.takes_images or content.startswith(IMAGES) else CSV[0]


def parsed(content: bytes) -> Any:
    """The value of some JSON; NaN and Infinity are none."""
    if content.count(b"[") + content.count(b"{") > LISTS:  # an empty one takes 20 times its text
        raise UserError(f"The JSON has more than {LISTS:,} lists and objects. Send it in parts.")
    try:
        found = json.loads(content, parse_constant=_no_number, object_pairs_hook=_each_key_once)
        if b"\\ud" in content.lower():
            json.dumps(found, ensure_ascii=False).encode()  # half a character is none
        return found
    except RecursionError:
        raise UserError("The JSON is nested too deeply. Expected a list of rows.") from None
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise UserError(f"The body is not JSON: {error}.") from None


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not a number there; null stands for a missing value")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has {twice[:40]} twice; each name may stand there once")
    return found


def _list(value: Any, reader: Reader) -> list[Any]:
    """The rows: a list, `{"rows": [...]}`, or one row alone."""
    if isinstance(value, dict) and isinstance(value.get("rows"), list):
        return value["rows"]
    if isinstance(value, dict) and reader.encoding is not None:
        return [value]
    if isinstance(value, list):
        return value
    raise UserError(f"The JSON has no rows. Expected a list of them: {reader.expected}.")


def _type(kind: str) -> str:
    return kind.partition(";")[0].strip().lower()


def _parameter(kind: str, name: str) -> str:
    """A parameter of a content type, such as its charset; empty if it has none."""
    found = _header("Content-Type", kind).get_param(name)
    return found if isinstance(found, str) else ""


def _header(name: str, value: str) -> Message:
    message = Message()
    message[name] = value
    return message


def _parts(content: bytes, boundary: str) -> list[Part]:
    """The files of a form: RFC 7578, where a line with the boundary begins each part."""
    line = b"\r\n--" + boundary.encode("latin-1", "replace")
    begin, *parts = (b"\r\n" + content).split(line)
    if not boundary or begin or len(parts) < 2 or not parts[-1].startswith(b"--"):
        raise UserError("The form is not whole. Expected multipart/form-data with its boundary.")
    if len(parts) > FILES:
        raise UserError(f"The form has more than {FILES:,} parts. Expected fewer.")
    return [_part(number, part) for number, part in enumerate(parts[:-1], 1)]


def _part(number: int, part: bytes) -> Part:
    head, found, content = part.partition(b"\r\n\r\n")
    if not found or not content or len(head) > HEAD:
        says = f"File {number} of the form is empty, or its head is longer than {HEAD:,} bytes."
        raise UserError(f"{says} Expected a name, a type and content.")
    headers = dict(_pairs(head.decode("utf-8", "replace")))
    name = _header("Content-Disposition", headers.get("content-disposition", "")).get_filename()
    return Part(headers.get("content-type", ""), name or f"file {number}", content)


def _pairs(head: str) -> list[tuple[str, str]]:
    lines = [line.partition(":") for line in head.split("\r\n") if ":" in line]
    return [(name.strip().lower(), value.strip()) for name, _, value in lines]
