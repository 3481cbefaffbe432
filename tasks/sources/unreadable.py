"""Why a file cannot be read as a table, in one line."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from tasks.core.step import UserError

BEGINNINGS = {  # of files that are no text
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file without the ending .parquet",
    b"PK\x03\x04": "a ZIP archive, or a sheet of Excel: save that as CSV",
    b"\xd0\xcf\x11\xe0": "a sheet of Excel: save it as CSV",
    b"\x1f\x8b": "compressed by gzip: unpack it",
}
NO_TABLES = {  # beginnings of text that is none, in small letters and without blanks
    b"<!doctypehtml": "a web page, perhaps about an error: download the file again",
    b"<html": "a web page, perhaps about an error: download the file again",
    b"<?xml": "XML",
    b"[{": "JSON",
    b'{"': "JSON",
    b"versionhttps://git-lfs": "a pointer of Git LFS: `git lfs pull` gets the file",
    b"@relation": "ARFF, as Weka writes it: save it as CSV",
}


def opened(path: Path) -> io.TextIOWrapper:
    """A file as text, with or without a byte order mark."""
    return io.TextIOWrapper(path.open("rb"), encoding="utf-8-sig", newline="")


class TooShort(ValueError):
    """A row has fewer values than there are names, and pandas would fill it."""


@contextmanager
def understood(file: object, path: Path, expected: str) -> Iterator[None]:
    """What Python and pandas say of a file that they cannot read becomes one line.

    Args:
        file: its name in messages.
        path: where it is.
        expected: what the file should be, in words.
    """
    if kind := _kind_of_text(path):
        raise UserError(f"{file} is {kind}. Expected {expected}.")
    try:
        yield
    except UnicodeDecodeError as error:
        if kind := _kind_of_binary(path):
            raise UserError(f"{file} is {kind}. Expected {expected}.") from None
        why = f"{error.reason} at byte {error.start:,}"
        raise UserError(
            f"{file} is not UTF-8: {why}. Save it as UTF-8.{_conversion(path)}"
        ) from None
    except pd.errors.ParserWarning:
        with opened(path) as text:
            first = next((line.strip() for line in text if line.strip()), "")
        raise UserError(
            f"{file} cannot be read: its rows have more values than there are names in its first "
            f"line, `{first[:60]}`. Expected a name for each column: complete that line, or delete "
            "it if it has no names."
        ) from None
    except TooShort as error:
        raise UserError(f"{file}: {error}") from None
    except (ValueError, csv.Error) as error:
        why = _in_words(" ".join(str(error).split()))
        raise UserError(f"{file} cannot be read: {why}. Expected {expected}.") from None


def _kind_of_binary(path: Path) -> str | None:
    with path.open("rb") as file:
        begins = file.read(4)
    return next((kind for begin, kind in BEGINNINGS.items() if begins.startswith(begin)), None)


def _kind_of_text(path: Path) -> str | None:
    with path.open("rb") as file:
        begins = file.read(100).removeprefix(codecs.BOM_UTF8).lower()
    begins = b"".join(begins.split())
    return next((kind for begin, kind in NO_TABLES.items() if begins.startswith(begin)), None)


def _in_words(why: str) -> str:
    """What pandas says of a file that it cannot read, in the words of a person who wrote it."""
    if match := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", why):
        expected, line, there = match.groups()
        return (
            f"line {line} has {there} values, and the lines above it have {expected}: if there is "
            "a separator in a value, put the value into quotation marks"
        )
    if match := re.search(r"EOF inside string starting at row (\d+)", why):
        line = int(match[1]) + 1
        return (
            f"the quotation mark in line {line} is never closed: complete the line, perhaps by a "
            "new download, or delete it"
        )
    return why


def _conversion(path: Path) -> str:
    """A command that converts a file to UTF-8, if its encoding can be told."""
    with path.open("rb") as file:
        begin = file.read(100_000)
    encoding = "UTF-16" if begin[:2] in (b"\xff\xfe", b"\xfe\xff") else "WINDOWS-1252"
    if b"\0" in begin and encoding != "UTF-16":
        encoding = "UTF-16LE" if begin[1:2] == b"\0" else "UTF-16BE"
    try:
        begin.decode(encoding, "ignore" if encoding.startswith("UTF-16") else "strict")
    except UnicodeDecodeError:
        return ""
    name = os.path.relpath(path) if isinstance(path, Path) else path.name  # of a request
    command = f"iconv -f {encoding} -t UTF-8 {shlex.quote(name)} > new.csv"
    return f" If it is {encoding}: `{command}`."
