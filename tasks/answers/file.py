"""The CSV file of answers: it has its name when it is whole."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa

from tasks.core.step import UserError
from tasks.sources.in_parts import in_parts
from tasks.sources.place import Place

BEGIN = b"from,"  # the name of the first column


def _has_answers(path: Path) -> bool:
    """Whether a file has answers, or nothing."""
    if not path.is_file():  # such as /dev/null
        return False
    with open(path, "rb") as file:
        return file.read(len(BEGIN)) in (BEGIN, b"")


def _in_text(told: pd.DataFrame) -> pd.DataFrame:
    """The numbers as text, with the digits that tell them apart: Arrow writes them the fastest."""
    numbers = told.select_dtypes("floating")
    text = {
        name: pa.array(column, from_pandas=True).cast(pa.string()).to_pandas().array
        for name, column in numbers.items()
    }
    return told.assign(**text)


class AnswersFile:
    """Answers on their way into a file, or to standard output.

    Args:
        path: of the file, or `-` for standard output.
        rows: what is answered, which the file must not replace.
    """

    def __init__(self, path: str | Path, rows: Place) -> None:
        self.path, self.rows, self.head = Path(path), rows, True

    @contextmanager
    def open(self) -> Iterator[AnswersFile]:
        """Around the calls of `add`.

        Raises:
            UserError: it cannot be written there.
        """
        if str(self.path) == "-":
            self.file: IO = sys.stdout
            yield self
            return
        self._check()
        place = self.path.resolve()  # a link stays one
        part = place.with_name(f".part.{place.name}")
        with self._refusing():
            self.file = open(part, "w", encoding="utf-8", newline="")  # noqa: SIM115
        try:
            yield self
            with self._refusing():
                self.file.close()  # writes the rest
                os.replace(part, place)
        finally:
            with suppress(OSError):  # the disk is still full
                self.file.close()
            part.unlink(missing_ok=True)

    def _check(self) -> None:
        folder = self.path.parent
        if not folder.absolute().is_dir():
            raise UserError(f"--to {self.path}: there is no folder {folder}. Make it first.")
        if self.path.is_dir():
            raise UserError(f"--to {self.path} is a folder. Expected a name for a CSV file.")
        if self.path.resolve() == self.rows.path.resolve():
            raise UserError(f"--to {self.path} is the file with the rows. Take another name.")
        if self._is_among_parts():
            raise UserError(
                f"--to {self.path} is in the folder with the rows, which is one table: it may have "
                "nothing else. Take another folder."
            )
        if self.path.exists() and not _has_answers(self.path):
            raise UserError(
                f"--to {self.path} is there and has no answers, so it is not replaced. Take "
                "another name, or delete it."
            )

    def _is_among_parts(self) -> bool:
        inside = self.path.resolve().is_relative_to(self.rows.path.resolve())
        return inside and any(in_parts(self.rows, ending) for ending in (".csv", ".parquet"))

    def add(self, told: pd.DataFrame) -> None:
        with self._refusing():
            _in_text(told).to_csv(self.file, index=False, header=self.head, lineterminator="\n")
        self.head = False

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """A full disk, or a place where nothing can be written, in one line."""
        try:
            yield
        except BrokenPipeError:  # nobody reads standard output any more
            raise
        except OSError as error:
            raise UserError(f"--to {self.path}: {error.strerror}. Nothing was written.") from None
